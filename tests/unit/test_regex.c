/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions: the dialect and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/doc/regex.h"

static void
matches(void **state)
{
	static const struct {
		const char *pattern, *text;
		int found;
	} rows[] = {
		{ "b", "abc", 1 },
		{ "^b", "abc", 0 },
		{ "^a$", "a", 1 },
		{ "^a$", "a\n", 0 },
		{ "", "", 1 },
		{ "^.$", "\xe2\x82\xac", 1 },
		{ "^\\d$", "7", 1 },
		{ "^\\d$", "\xe0\xa7\xa7", 0 }, /* BENGALI DIGIT ONE */
		{ "^\\w$", "\xc3\xa9", 0 },
		{ "^\\u0061$", "a", 1 },
		{ "^\\p{L}$", "\xc3\xa9", 1 },
		{ "^\\p{Letter}+$", "\xc3\xa9t\xc3\xa9", 1 },
		{ "^\\P{Letter}$", "1", 1 },
		{ "^\\p{Decimal_Number}\\p{digit}$", "77", 1 },
		{ "^\\\\p{Letter}$", "\\p{Letter}", 1 }, /* a backslash, then a word */
		{ "^[]$", "a", 0 },
		/* over the limits, and not UTF-8 */
		{ "^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", ERR_INVALID },
		{ "a", "a\xff", ERR_INVALID },
	};
	AUTO_ARENA struct arena *mem = arena_new((size_t)1 << 20);
	AUTO_REGEX_RUN struct regex_run run = { NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct regex *re = NULL;
		struct err e = { 0 };

		if (regex_compile(mem, rows[i].pattern, strlen(rows[i].pattern), &re, &e) < 0)
			fail_msg("%s: %s", rows[i].pattern, e.text);
		if (regex_match(re, &run, rows[i].text, strlen(rows[i].text)) != rows[i].found)
			fail_msg("'%s' on '%s' should give %d", rows[i].pattern, rows[i].text, rows[i].found);
	}
}

static void
refused(void **state)
{
	static const struct {
		const char *pattern, *text;
	} rows[] = {
		{ "a(b", "missing closing parenthesis (at byte 3)" },
		{ "[", "missing terminating ]" },
		{ "*", "quantifier" },
		{ "\\p{Nothing}", "unknown property" },
		{ "\\C", "\\C" },
		{ "\xff", "UTF-8" },
	};
	AUTO_ARENA struct arena *mem = arena_new((size_t)1 << 20);
	struct regex *re = NULL;
	struct err e = { 0 };
	char *big = arena_alloc(mem, REGEX_PATTERN_MAX + 2);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(regex_compile(mem, rows[i].pattern, strlen(rows[i].pattern), &re, &e), ERR_INVALID);
		if (re || !strstr(e.text, rows[i].text))
			fail_msg("%s: '%s' does not say '%s'", rows[i].pattern, e.text, rows[i].text);
	}
	memset(big, '(', 200);
	memset(big + 200, ')', 200);
	assert_int_equal(regex_compile(mem, big, 400, &re, &e), ERR_INVALID);
	memset(big, 'a', REGEX_PATTERN_MAX + 1);
	assert_int_equal(regex_compile(mem, big, REGEX_PATTERN_MAX + 1, &re, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "the limit is 4096"));
	assert_int_equal(regex_compile(mem, big, REGEX_PATTERN_MAX, &re, &e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(matches), cmocka_unit_test(refused) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
