/* SPDX-License-Identifier: Apache-2.0 */
/* The strict reader: types, refusals, places. The writer: spelling, round trips, what other readers make of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/proc.h"
#include "lib/doc/json.h"
#include "lib/doc/yaml.h"
#include "with_arena.h"

static const char *
json_of(const struct value *v)
{
	struct buf b AUTO_BUF = BUF_INIT(0);

	json_write(v, 0, &b);
	return arena_strdup(mem, buf_cstr(&b));
}

static const char *
yaml_of(const struct value *v)
{
	struct buf b AUTO_BUF = BUF_INIT(0);

	yaml_write(v, &b);
	return arena_strndup(mem, buf_cstr(&b), b.len);
}

static struct value *
read_text(const char *text, struct report *r)
{
	struct value *v = NULL;

	report_init(r, mem);
	if (yaml_read(mem, "f.yaml", text, strlen(text), NULL, r, &v) < 0)
		assert_null(v);
	else
		assert_non_null(v);
	return v;
}

static void
documents_give_values(void **state)
{
	static const struct { const char *yaml, *json; } rows[] = {
		{ "", "null" }, { "# only a comment\n", "null" }, { "---\n...\n", "null" }, { "a:\n", "{\"a\":null}" },
		{ "a: 1\nb: [x, 'y', \"z\\n\"]\n", "{\"a\":1,\"b\":[\"x\",\"y\",\"z\\n\"]}" },
		{ "\xef\xbb\xbf" "a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}" }, { "%YAML 1.2\n---\na: yes\n", "{\"a\":\"yes\"}" },
		{ "- True\n- FALSE\n- tRUE\n- Null\n- ~\n- nULL\n", "[true,false,\"tRUE\",null,null,\"nULL\"]" },
		{ "- 0o17\n- 0x1F\n- 0123\n- -0\n- +7\n- 0X1F\n- 1_000\n", "[15,31,123,0,7,\"0X1F\",\"1_000\"]" },
		{ "- 1e3\n- 1.10\n- .5\n- 5.\n- -2.50\n- 4.0\n", "[1e3,1.10,0.5,5,-2.50,4.0]" },
		{ "- 9223372036854775807\n- -9223372036854775808\n", "[9223372036854775807,-9223372036854775808]" },
		{ "- 12:30\n- 2026-01-01\n- no\n- on\n- y\n- 100Gi\n- 1.2.3\n", "[\"12:30\",\"2026-01-01\",\"no\",\"on\",\"y\",\"100Gi\",\"1.2.3\"]" },
		{ "a: |\n  x\n   y\nb: >-\n  x\n  y\n", "{\"a\":\"x\\n y\\n\",\"b\":\"x y\"}" },
		{ "a: \"\\x41\\u00e9\\U0001F600\"\n", "{\"a\":\"A\xc3\xa9\xf0\x9f\x98\x80\"}" },
		{ "# a#b\na: 1 # c#d ?e\nb: [1, # f#g\n  2]\n# h#i", "{\"a\":1,\"b\":[1,2]}" },
		{ "? a\n: 1\n? b\n", "{\"a\":1,\"b\":null}" }, { "{\"a\":{\"b\":[1,{}]}}", "{\"a\":{\"b\":[1,{}]}}" },
		{ "\"<<\": 1\n'1': 2\n", "{\"<<\":1,\"1\":2}" }, { "a: |\n  x\n   ", "{\"a\":\"x\\n \\n\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report r;
		struct value *v = read_text(rows[i].yaml, &r);

		if (!v)
			fail_msg("%s: %s", rows[i].yaml, r.n ? r.items[0].message : "refused without a finding");
		assert_string_equal(json_of(v), rows[i].json);
		assert_int_equal(r.errors, 0);
	}
}

static void
refusals_have_places(void **state)
{
	static const struct { const char *yaml, *line; } rows[] = {
		{ "a: 1\na: 2\n", "f.yaml:2:1: error[E103]: duplicate key 'a'" },
		{ "{a: 1, \"a\": 2}\n", "f.yaml:1:8: error[E103]: duplicate key 'a'" },
		{ "a: &x 1\n", "f.yaml:1:4: error[E104]: anchors are refused (remove &x" },
		{ "a: *x\n", "f.yaml:1:4: error[E104]: aliases are refused" },
		{ "a: !!str 1\n", "f.yaml:1:4: error[E104]: tags are refused" },
		{ "a:\n  <<: {b: 1}\n", "f.yaml:2:3: error[E104]: merge keys (<<) are refused" },
		{ "1: a\n", "f.yaml:1:1: error[E104]: key that is not a string (write \"1\")" },
		{ "a:\n  ~: b\n", "f.yaml:2:3: error[E104]: key that is not a string" },
		{ "[a]: b\n", "f.yaml:1:1: error[E104]: a map or list as a key is refused" },
		{ "a: 1\n---\nb: 2\n", "f.yaml:2:1: error[E104]: more than one document in a file" },
		{ "%TAG ! tag:x,2000:\n---\na: 1\n", "f.yaml:1:1: error[E104]: %TAG directives are refused" },
		{ "a: 9223372036854775808\n", "f.yaml:1:4: error[E107]: integer that does not fit in 64 bits" },
		{ "a: 0xffffffffffffffffff\n", "f.yaml:1:4: error[E107]" }, { "a: -.inf\n", "f.yaml:1:4: error[E107]" },
		{ "a: 1e999\n", "f.yaml:1:4: error[E107]" }, { "a: .NaN\n", "f.yaml:1:4: error[E107]" },
		{ "a: \"\\0\"\n", "f.yaml:1:4: error[E105]: the character U+0000" },
		{ "\xc3\xa9: 1\nb: x\x07\n", "f.yaml:2:5: error[E105]: control character (U+0007)" },
		{ "\xc3\xa9: \xff\n", "f.yaml:1:4: error[E105]: the file is not UTF-8: byte 0xff" },
		{ "a: \"x\xc2\x85y\"\n", "f.yaml:1:6: error[E105]: line break that only YAML 1.1 knows (U+0085)" },
		{ "a: 1 # \xe2\x80\xa8" "b: 2\n", "f.yaml:1:8: error[E105]: line break" },
		{ "a: \xe2\x80\xaegnp.exe\n", "f.yaml:1:4: error[E105]: character that turns the direction" },
		{ "a: 1\n\xef\xbb\xbf" "b: 2\n", "f.yaml:2:1: error[E105]: byte order mark inside the file" },
		{ "a: 1\rb: 2\n", "f.yaml:1:5: error[E105]: carriage return" },
		{ "a:\n\tb: 1\n", "f.yaml:2:1: error[E101]: tab used as indentation (indent with spaces)" },
		{ "a: [\n\tb]\n", "f.yaml:2:1: error[E101]: tab used as indentation" },
		{ "a: b: c\n", "f.yaml:1:5: error[E101]: a colon where no key can stand" },
		{ "a: [1, 2\nb: 3\n", "f.yaml:1:4: error[E101]: the list opened with [ is not closed" },
		{ "a: \"x\nb: 1\n", "f.yaml:1:4: error[E101]: a quote is not closed" }, { "a: ]\n", "f.yaml:1:4: error[E101]: a value was" },
		{ "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n", "f.yaml:2:1: error[E101]: git left a merge conflict here" },
		{ "a: | x\n  y\n", "f.yaml:1:6: error[E101]: text behind '|'" },
		{ "a: \"b\"#c\n", "f.yaml:1:7: error[E101]: a comment needs a blank before '#'" },
		{ "a: [b]#c\n", "f.yaml:1:7: error[E101]: a comment needs a blank" },
		{ "a: |#c\n  x\n", "f.yaml:1:4: error[E101]: a comment needs a blank" },
		{ "a: [b,\nc]\n", "f.yaml:2:1: error[E101]: not indented enough inside" },
		{ "a: \"b\nc\"\n", "f.yaml:1:4: error[E101]: a line of quoted text is not indented enough" },
		{ "a: |\n    \n  x\n", "error[E101]" }, { "[-]\n", "f.yaml:1:2: error[E101]: a lone '-'" },
		{ "[?x]\n", "f.yaml:1:2: error[E101]: text that starts with '?'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b AUTO_BUF = BUF_INIT(0);
		struct report r;

		if (read_text(rows[i].yaml, &r))
			fail_msg("accepted: %s", rows[i].yaml);
		assert_true(r.errors > 0 && r.n > 0);
		report_sort(&r);
		finding_line(&r.items[0], &b);
		if (!strstr(buf_cstr(&b), rows[i].line))
			fail_msg("%s: %s, not %s", rows[i].yaml, buf_cstr(&b), rows[i].line);
	}
}

static void
all_refusals_are_reported(void **state)
{
	struct report r;

	(void)state;
	assert_null(read_text("a: &x 1\nb: *x\nc: !t 2\nc: 3\n4: {5: 6}\n", &r));
	report_sort(&r);
	assert_int_equal(r.n, 6);
	assert_string_equal(r.items[3].note, "first at f.yaml:3:1");
	assert_int_equal(r.items[4].at.line, 5);
	assert_int_equal(r.items[5].at.col, 5);
}

static void
doubtful_words_are_warned_of(void **state)
{
	static const char *const doubtful[] = { "no", "Yes", "ON", "off", "y", "N", "2026-01-01", "2026-1-1T10:00:00Z", "12:30",
		"190:20:30.5", "0123", "-012", "1_000", "0b11", "0X1F", "=" };
	static const char *const fine[] = { "nope", "yes!", "2026", "2026-01", "1.2.3", "10.0.0.1", "0", "-0", "089", "12:99", "8h",
		"100Gi", "0o17", "1e3", "a_b", "12:30h", "\"no\"", "'2026-01-01'", "00:1a:2b:3c:4d:5e" };
	struct report r;

	(void)state;
	for (size_t i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++) {
		assert_non_null(read_text(arena_printf(mem, "a:\n  - %s\n", doubtful[i]), &r));
		if (r.n != 1 || r.items[0].code != FINDING_QUOTE_ADVISED || r.warnings != 1)
			fail_msg("no warning for %s", doubtful[i]);
		assert_int_equal(r.items[0].at.line, 2);
		assert_int_equal(r.items[0].at.col, 5);
		assert_int_equal(r.items[0].width, strlen(doubtful[i]));
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		assert_non_null(read_text(arena_printf(mem, "a: %s\n", fine[i]), &r));
		if (r.n)
			fail_msg("%s: %s", fine[i], r.items[0].message);
	}
	assert_non_null(read_text("on: 1\n", &r));
	assert_int_equal(r.warnings, 1);
}

static void
values_know_their_place(void **state)
{
	struct report r;
	struct value *v = read_text("# first\nspec:\n  \xc3\xa9: {b: 0x1F}\n  list:\n  - 1e3\n  - x\n", &r), *list;

	(void)state;
	assert_string_equal(v->at.file, "f.yaml");
	assert_int_equal(v->at.line, 2);
	assert_int_equal(value_member(v, "spec")->at.line, 2);
	v = value_get(v, "spec");
	assert_int_equal(value_member(v, "\xc3\xa9")->at.col, 3);
	assert_int_equal(value_at(v, "\xc3\xa9.b")->at.col, 10);
	assert_string_equal(value_at(v, "\xc3\xa9.b")->text, "0x1F");
	list = value_get(v, "list");
	assert_int_equal(value_item(list, 1)->at.line, 6);
	assert_int_equal(value_item(list, 1)->at.col, 5);
	assert_string_equal(value_item(list, 0)->text, "1e3");
	assert_ptr_equal(value_item(list, 1)->at.file, v->at.file);
}

static void
limits_hold(void **state)
{
	struct yaml_limits small = { .bytes = 20, .depth = 2 };
	struct value *v = NULL;
	struct buf b AUTO_BUF = BUF_INIT(0);
	struct report r;

	(void)state;
	report_init(&r, mem);
	assert_int_equal(yaml_read(mem, "f", "[[1]]", 5, &small, &r, &v), 0);
	assert_int_equal(yaml_read(mem, "f", "[[[1]]]", 7, &small, &r, &v), ERR_INVALID);
	assert_int_equal(yaml_read(mem, "f", "123456789012345678901", 21, &small, &r, &v), ERR_INVALID);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.items[0].code, FINDING_TOO_LARGE);
	assert_int_equal(r.items[1].code, FINDING_TOO_LARGE);
	buf_pad(&b, '[', 200000);
	assert_null(read_text(buf_cstr(&b), &r));
	buf_reset(&b);
	for (int i = 0; i < 100000; i++)
		buf_str(&b, "- ");
	assert_null(read_text(buf_cstr(&b), &r));
	buf_reset(&b);
	for (int i = 0; i < 5000; i++)
		buf_str(&b, "- no\n");
	assert_non_null(read_text(buf_cstr(&b), &r));
	assert_true(r.n > 10 && r.n < 200);
	buf_reset(&b);
	for (int i = 0; i < 30000; i++)
		buf_str(&b, "a: *x\n");
	assert_null(read_text(buf_cstr(&b), &r));
	assert_true(r.n < 200);
}

/* The largest document still fits the arena of an environment. */
static void
a_hostile_document_fits_the_arena(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(0);
	const char *const items[] = { "[],", "no,", "1,", "{a},", "\"\"," };

	(void)state;
	for (size_t k = 0; k < sizeof(items) / sizeof(items[0]); k++) {
		struct arena *small AUTO_ARENA = arena_new(ARENA_ENV_MAX);
		struct value *v = NULL;
		struct report r;

		report_init(&r, small);
		buf_reset(&b);
		buf_str(&b, "a: [");
		while (b.len < FILE_DOC_MAX - 100)
			buf_str(&b, items[k]);
		buf_str(&b, "]\n");
		assert_int_equal(yaml_read(small, "f", buf_cstr(&b), b.len, NULL, &r, &v), ERR_INVALID);
		assert_int_equal(r.items[r.n - 1].code, FINDING_TOO_LARGE);
	}
	for (int k = 0; k < 2; k++) {
		struct arena *small AUTO_ARENA = arena_new(ARENA_ENV_MAX);
		struct value *v = NULL;
		struct report r;

		report_init(&r, small);
		buf_reset(&b);
		for (int i = 0; b.len < FILE_DOC_MAX - 100; i++)
			buf_printf(&b, k ? "k%06d: y\n" : "k%06d: a text that is not so short\n", i);
		assert_int_equal(yaml_read(small, "f", buf_cstr(&b), b.len, NULL, &r, &v), k ? ERR_INVALID : 0);
	}
}

static void
strings_are_written_safely(void **state)
{
	static const struct { const char *s, *yaml; } rows[] = {
		{ "abc", "a: abc\n" }, { "", "a: \"\"\n" }, { "no", "a: \"no\"\n" }, { "Off", "a: \"Off\"\n" }, { "y", "a: \"y\"\n" },
		{ "null", "a: \"null\"\n" }, { "~", "a: \"~\"\n" }, { "12", "a: \"12\"\n" }, { "12:30", "a: \"12:30\"\n" },
		{ "2026-01-01", "a: \"2026-01-01\"\n" }, { "1e3", "a: \"1e3\"\n" }, { "0x1f", "a: \"0x1f\"\n" }, { "1_0", "a: \"1_0\"\n" },
		{ "1.10", "a: \"1.10\"\n" }, { ".inf", "a: \".inf\"\n" }, { "100Gi", "a: 100Gi\n" }, { "8h", "a: 8h\n" },
		{ "10.0.0.1", "a: \"10.0.0.1\"\n" }, { "nvidia/cuda:12.6.0", "a: nvidia/cuda:12.6.0\n" }, { "/home/dev", "a: /home/dev\n" },
		{ "--port=80", "a: --port=80\n" }, { "-x", "a: -x\n" }, { "-1", "a: \"-1\"\n" }, { "---", "a: \"---\"\n" }, { "-", "a: \"-\"\n" },
		{ " a", "a: \" a\"\n" }, { "a ", "a: \"a \"\n" }, { "a: b", "a: \"a: b\"\n" }, { "a:", "a: \"a:\"\n" }, { "a #b", "a: \"a #b\"\n" },
		{ "a#b", "a: a#b\n" }, { "{a}", "a: \"{a}\"\n" }, { "*a", "a: \"*a\"\n" }, { "say \"x\"", "a: say \"x\"\n" },
		{ "\"x\"", "a: '\"x\"'\n" }, { "{\"a\":'b'}", "a: \"{\\\"a\\\":'b'}\"\n" }, { "a\tb", "a: \"a\\tb\"\n" }, { "\xc3\xa9", "a: \"\xc3\xa9\"\n" },
		{ "a\x1b[31m", "a: \"a\\x1b[31m\"\n" }, { "\xe2\x80\xae", "a: \"\\u202e\"\n" }, { "\xc2\x85", "a: \"\\x85\"\n" },
		{ "\xef\xbb\xbf", "a: \"\\ufeff\"\n" }, { "<<", "a: \"<<\"\n" }, { "=", "a: \"=\"\n" }, { "a\n", "a: |\n  a\n" },
		{ "a\nb", "a: |-\n  a\n  b\n" }, { "a\n\n", "a: |+\n  a\n\n" }, { " a\nb\n", "a: |2\n   a\n  b\n" }, { "\n a\n", "a: |2\n\n   a\n" },
		{ "\ta\nb", "a: |2-\n  \ta\n  b\n" }, { "#!/bin/sh\nset -e\n", "a: |\n  #!/bin/sh\n  set -e\n" }, { "a \nb", "a: \"a \\nb\"\n" },
		{ "\n", "a: \"\\n\"\n" }, { "a\r\n", "a: \"a\\r\\n\"\n" }, { "a\n---\nb\n", "a: |\n  a\n  ---\n  b\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct value *v = value_map(mem), *back;
		struct report r;

		value_set(mem, v, "a", value_str(mem, rows[i].s));
		assert_string_equal(yaml_of(v), rows[i].yaml);
		back = read_text(rows[i].yaml, &r);
		assert_true(value_equal(v, back));
		assert_int_equal(r.n, 0);
	}
}

static struct value *
from_json(const char *json)
{
	struct value *v = NULL;
	struct err e;

	if (json_read(mem, json, strlen(json), &v, &e) < 0)
		fail_msg("%s: %s", json, e.text);
	return v;
}

static void
trees_are_written_in_block_style(void **state)
{
	static const struct { const char *json, *yaml; } rows[] = {
		{ "{\"a\":{\"b\":[1,{\"c\":null,\"d\":[]}]},\"e\":{}}", "a:\n  b:\n  - 1\n  - c: null\n    d: []\ne: {}\n" },
		{ "[[1,[2,3]],[],{\"a\":[{\"b\":1}]}]", "- - 1\n  - - 2\n    - 3\n- []\n- a:\n  - b: 1\n" },
		{ "{\"on\":true,\"1\":1.5,\"a b\":-0.0,\"c: d\":1e21,\"e\":5e-7,\"f\":4.0}",
		  "\"on\": true\n\"1\": 1.5\na b: 0\n\"c: d\": 1.0e+21\ne: 5.0e-07\nf: 4\n" },
		{ "[\"a\\nb\\n\",{\"k\":\"c\\nd\"},[\"e\\nf\\n\\n\"],1]", "- |\n  a\n  b\n- k: |-\n    c\n    d\n- - |+\n    e\n    f\n\n- 1\n" },
		{ "\"a\\nb\"", "\"a\\nb\"\n" }, { "{}", "{}\n" }, { "[]", "[]\n" }, { "null", "null\n" }, { "7", "7\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct value *v = from_json(rows[i].json);
		struct report r;

		assert_string_equal(yaml_of(v), rows[i].yaml);
		assert_true(value_equal(v, read_text(rows[i].yaml, &r)));
	}
}

static void
long_keys_are_read_back(void **state)
{
	static const size_t sizes[] = { 900, 999, 1000, 1001, 1020, 1100, 5000 };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct value *v = value_map(mem), *inner = value_map(mem);
		char *key = arena_alloc(mem, sizes[i / 2] + 1);
		struct report r;

		memset(key, i % 2 ? '"' : 'k', sizes[i / 2]);
		value_set(mem, inner, key, value_str(mem, "x\ny"));
		value_set(mem, inner, "z", value_int(mem, 1));
		value_set(mem, v, key, inner);
		assert_true(value_equal(v, read_text(yaml_of(v), &r)));
	}
}

/* A small xorshift: the same trees in every run. */
static uint64_t random_state = 88172645463325252u;

static uint32_t
pick(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % n;
}

static const char *
random_text(void)
{
	static const char *const parts[] = { "a", "no", " ", "\n", ":", ": ", "#", " #", "-", "- ", "'", "\"", "\\", "0", "1", "12", ".", "_", "e",
		"x", "+", "~", "null", "true", "{", "}", "[", "]", ",", "&", "*", "!", "|", ">", "%", "@", "`", "\t", "\xc3\xa9", "\xe2\x80\xa8", "\xc2\x85",
		"\xf0\x9f\x98\x80", "\x01", "\x7f", "\r", "=", "<<", "Gi", "---", "...", "?", "? ", "\n\n", "  ", "2026-01-01", "T", "y" };
	struct buf b AUTO_BUF = BUF_INIT(0);

	for (uint32_t n = pick(7); n; n--)
		buf_str(&b, parts[pick(sizeof(parts) / sizeof(parts[0]))]);
	return arena_strdup(mem, buf_cstr(&b));
}

static struct value *
random_value(unsigned int depth)
{
	static const double reals[] = { 0.5, 1e21, -2.25e-7, 3.0, 1e300, 0.1, 123456789.125, 5e-324 };
	struct value *v;

	switch (pick(depth ? 10 : 7)) {
	case 0:
		return value_null(mem);
	case 1:
		return value_bool(mem, pick(2));
	case 2:
		return value_int(mem, (int64_t)((uint64_t)pick(1u << 31) << 33 | pick(1u << 31)));
	case 3:
		return value_real(mem, reals[pick(8)]);
	case 7:
	case 8:
		v = value_map(mem);
		for (uint32_t n = pick(5); n; n--)
			value_set(mem, v, random_text(), random_value(depth - 1));
		return v;
	case 9:
		v = value_list(mem);
		for (uint32_t n = pick(5); n; n--)
			value_push(mem, v, random_value(depth - 1));
		return v;
	default:
		return value_str(mem, random_text());
	}
}

static void
random_trees_come_back(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct value *v = value_map(mem), *back;
		const char *yaml;
		struct report r;

		value_set(mem, v, random_text(), random_value(4));
		yaml = yaml_of(v);
		back = read_text(yaml, &r);
		if (!back || !value_equal(v, back) || r.n)
			fail_msg("%s\nis read as %s (%s)\nwritten from %s", yaml, back ? json_of(back) : "nothing", r.n ? r.items[0].message : "",
			         json_of(v));
		assert_string_equal(yaml_of(back), yaml);
	}
}

/* The writer looks at eight characters at a time: one that is odd is seen wherever it stands. */
static void
one_odd_character_is_seen_anywhere(void **state)
{
	static const struct { const char *text; bool literal; } odd[] = {
		{ "b", true }, { "~", true }, { "\t", true }, { " ", true }, { "\n", true }, { "\xc3\xa9", true }, { "\x01", false }, { "\x1f", false },
		{ "\x7f", false }, { "\r", false }, { "\xef\xbb\xbf", false }, { "\xe2\x80\xae", false }, { "\xc2\x85", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		for (size_t at = 0; at <= 40; at++) {
			char text[64], want[8];
			bool blank = *odd[i].text == ' ' || *odd[i].text == '\t', end = at == 20 || at == 40;
			struct value *v = value_map(mem), *back;
			struct report r;
			const char *yaml;

			(void)snprintf(text, sizeof(text), "%.*s%s%.*s", (int)at, "aaaaaaaaaaaaaaaaaaaa\naaaaaaaaaaaaaaaaaaa\n", odd[i].text,
			               (int)(40 - at), "aaaaaaaaaaaaaaaaaaaa\naaaaaaaaaaaaaaaaaaa\n" + at);
			value_set(mem, v, "k", value_str(mem, text));
			yaml = yaml_of(v);
			(void)snprintf(want, sizeof(want), "k: %s", odd[i].literal && !(blank && end) ? "|" : "\"");
			if (strncmp(yaml, want, strlen(want)) != 0)
				fail_msg("character %zu at %zu is written as\n%s", i, at, yaml);
			back = read_text(yaml, &r);
			if (!back || !value_equal(back, v))
				fail_msg("character %zu at %zu is not read back from\n%s", i, at, yaml);
		}
	}
}

/* PyYAML is a YAML 1.1 reader: it must see what JSON readers see. */
static void
python_agrees(void **state)
{
	static const char script[] = "import sys,json\n"
	                             "try: import yaml\n"
	                             "except ImportError: sys.exit(77)\n"
	                             "for n, row in enumerate(json.load(sys.stdin)):\n"
	                             "    a, b = yaml.safe_load(row[0]), json.loads(row[1])\n"
	                             "    if a != b: sys.exit('%r\\n%r\\n%r' % (row[0], a, b))\n";
	const char *const argv[] = { "/usr/bin/python3", "-c", script, NULL };
	struct value *rows = value_list(mem), *row, *v;
	struct buf b AUTO_BUF = BUF_INIT(0);
	struct proc_result res;
	struct err e;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		v = value_map(mem);
		value_set(mem, v, random_text(), random_value(4));
		row = value_list(mem);
		value_push(mem, row, value_str(mem, yaml_of(v)));
		value_push(mem, row, value_str(mem, json_of(v)));
		value_push(mem, rows, row);
	}
	json_write(rows, 0, &b);
	if (proc_run(&(struct proc){ .argv = argv, .input = b.data, .input_len = b.len, .timeout_ms = 120000 }, &res, &e) < 0) {
		print_message("# SKIPPED: no /usr/bin/python3\n");
		skip();
	}
	if (res.exit_code == 77)
		print_message("# SKIPPED: python3 has no yaml module\n");
	else if (res.exit_code)
		fail_msg("python: %s", buf_cstr(&res.err));
	proc_result_free(&res);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_give_values), cmocka_unit_test(refusals_have_places), cmocka_unit_test(all_refusals_are_reported),
		cmocka_unit_test(doubtful_words_are_warned_of), cmocka_unit_test(values_know_their_place), cmocka_unit_test(limits_hold),
		cmocka_unit_test(a_hostile_document_fits_the_arena), cmocka_unit_test(strings_are_written_safely),
		cmocka_unit_test(trees_are_written_in_block_style), cmocka_unit_test(long_keys_are_read_back),
		cmocka_unit_test(random_trees_come_back), cmocka_unit_test(one_odd_character_is_seen_anywhere),
		cmocka_unit_test(python_agrees),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
