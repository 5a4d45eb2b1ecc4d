/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: exact numbers, escapes, and what is refused where. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/doc/json.h"
#include "with_arena.h"

static void
texts_come_back(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ " {\"a\" : [1, 2.5,true,null,{}, []]}\n", "{\"a\":[1,2.5,true,null,{},[]]}" },
		{ "9223372036854775807", "9223372036854775807" }, { "-9223372036854775808", "-9223372036854775808" },
		{ "[9007199254740993,\"-1 [\\\"2\",{\"3\":4.50}]", "[9007199254740993,\"-1 [\\\"2\",{\"3\":4.50}]" },
		{ "1.10", "1.10" }, { "1e3", "1000" }, { "4.0", "4" }, { "1E400", NULL }, { "1e-7", "1e-7" }, { "-0", "0" },
		{ "18446744073709551616", "18446744073709551616" },
		{ "\"\\u00e9\\ud83d\\ude00\\/\\n\\u001f\\u007f\"", "\"\xc3\xa9\xf0\x9f\x98\x80/\\n\\u001f\\u007f\"" },
		{ "{\"a\":1,\"a\":2}", "{\"a\":2}" }, { "\"\"", "\"\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b AUTO_BUF = BUF_INIT(0);
		struct value *v = NULL;
		struct err e = { 0 };
		int rc = json_read(mem, rows[i].in, strlen(rows[i].in), &v, &e);

		if (!rows[i].out) {
			assert_int_equal(rc, ERR_INVALID);
			assert_null(v);
			continue;
		}
		if (rc < 0)
			fail_msg("%s: %s", rows[i].in, e.text);
		json_write(v, 0, &b);
		assert_string_equal(buf_cstr(&b), rows[i].out);
	}
}

static void
errors_have_places(void **state)
{
	static const struct { const char *in; size_t len; const char *text; } rows[] = {
		{ "", 0, "line 1, column 1" }, { "{\"a\":\n 1,}", 10, "line 2, column 4" }, { "[1] x", 5, "column 5: text after the end" },
		{ "[1", 2, "not valid JSON" }, { "[01]", 4, "column 2: not a number" }, { "[1.]", 4, "not a number" }, { "[+1]", 4, "column 2" },
		{ "[.5]", 4, "column 2" }, { "[NaN]", 5, "column 2" }, { "\"\\u0000\"", 8, "column 2: the character U+0000" },
		{ "\"a\nb\"", 5, "column 3: control character" }, { "\"\xff\"", 3, "not UTF-8" }, { "1\0", 2, "control character" },
		{ "\"\xc3\xa9\" x", 6, "column 5: text after" }, { "\"\\", 2, "not valid" }, { "\"\\ud800\"", 8, "not valid" },
		{ "nul", 3, "not valid" }, { "\xef\xbb\xbf[01]", 7, "not a number" },
	};
	char deep[2002];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct value *v = NULL;
		struct err e = { 0 };

		if (json_read(mem, rows[i].in, rows[i].len, &v, &e) != ERR_INVALID || v)
			fail_msg("accepted: %s", rows[i].in);
		if (!strstr(e.text, rows[i].text))
			fail_msg("%s: %s", rows[i].in, e.text);
	}
	memset(deep, '[', 1000);
	memset(deep + 1000, ']', 1000);
	assert_int_equal(json_read(mem, deep, 2000, &(struct value *){ NULL }, &(struct err){ 0 }), ERR_INVALID);
	assert_int_equal(json_read(mem, deep + 901, 198, &(struct value *){ NULL }, &(struct err){ 0 }), 0);
}

static void
reals_are_short_and_exact(void **state)
{
	static const struct { double d; const char *text; } rows[] = {
		{ 4.0, "4" }, { 0.1, "0.1" }, { -2.5, "-2.5" }, { 1e21, "1e+21" }, { 9007199254740992.0, "9007199254740992" },
		{ 0.1 + 0.2, "0.30000000000000004" }, { 5e-324, "5e-324" }, { -0.0, "0" }, { 1.0 / 3, "0.3333333333333333" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b AUTO_BUF = BUF_INIT(0);

		json_write(value_real(mem, rows[i].d), 0, &b);
		assert_string_equal(buf_cstr(&b), rows[i].text);
	}
}

static void
indented(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(0);
	struct value *v = NULL;

	(void)state;
	assert_int_equal(json_read(mem, "{\"a\":[1,{}],\"b\":[]}", 19, &v, NULL), 0);
	json_write(v, 2, &b);
	assert_string_equal(buf_cstr(&b), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_come_back), cmocka_unit_test(errors_have_places), cmocka_unit_test(reals_are_short_and_exact),
		cmocka_unit_test(indented),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
