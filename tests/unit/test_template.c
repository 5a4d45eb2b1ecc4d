/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: what is refused and where, the limits, what is shared; the language itself is proved by conf_jsone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/doc/json.h"
#include "lib/doc/report.h"
#include "lib/doc/yaml.h"
#include "render/template.h"

#define ARENA_MAX ((size_t)32 << 20)

static struct value *
read_yaml(struct arena *mem, const char *file, const char *text)
{
	struct report r;
	struct value *v = NULL;

	report_init(&r, mem);
	if (yaml_read(mem, file, text, strlen(text), NULL, &r, &v) < 0)
		fail_msg("%s: %s", file, r.n ? r.items[0].message : "?");
	return v;
}

/* Renders template text with context text; the result as JSON (or "(nothing)"), or the error's text. */
static const char *
run_with(struct arena *mem, const char *template, const char *context, const char *now, const struct template_limits *l,
         int *rc)
{
	struct value *document = read_yaml(mem, "t.yaml", template), *ctx = read_yaml(mem, "c.yaml", context), *out = NULL;
	struct buf AUTO_BUF text = BUF_INIT(0);
	struct template *t;
	struct err e = { 0 };

	*rc = template_compile(mem, document, &t, &e);
	if (*rc == 0)
		*rc = template_render(t, mem, ctx, now, l, &out, &e);
	if (*rc < 0)
		return arena_strdup(mem, e.text);
	if (!out)
		return "(nothing)";
	json_write(out, 0, &text);
	return arena_strdup(mem, buf_cstr(&text));
}

static const char *
run(struct arena *mem, const char *template, const char *context, int *rc)
{
	return run_with(mem, template, context, NULL, NULL, rc);
}

static void
test_results(void **state)
{
	static const struct {
		const char *name, *template, *context, *want;
	} rows[] = {
		{ "keys keep the template's order", "{z: 1, a: '${x}', m: 2}", "{x: 5}", "{\"z\":1,\"a\":\"5\",\"m\":2}" },
		{ "an integral double is an integer", "{$eval: '2.5 * 4'}", "{}", "10" },
		{ "integers beyond 2^53 stay exact", "{$eval: 'a + 1'}", "{a: 9007199254740993}", "9007199254740994" },
		{ "an overflowing sum becomes a double", "{$eval: 'a + a > a'}", "{a: 9223372036854775807}", "true" },
		{ "division is not integer division", "{$eval: '5 / 2'}", "{}", "2.5" },
		{ "exact division", "{$eval: '-6 / 3'}", "{}", "-2" },
		{ "division by minus one", "{$eval: '7 / -1'}", "{}", "-7" },
		{ "negative power", "{$eval: '2 ** -1'}", "{}", "0.5" },
		{ "large power", "{$eval: '2 ** 62'}", "{}", "4611686018427387904" },
		{ "power of one", "{$eval: '1 ** 9223372036854775807'}", "{}", "1" },
		{ "power of minus one", "{$eval: '(-1) ** 9223372036854775807'}", "{}", "-1" },
		{ "not binds looser than a dot", "{$eval: '!f.x'}", "{f: {x: false}}", "true" },
		{ "minus binds looser than an index", "{$eval: '-l[1]'}", "{l: [1, 2]}", "-2" },
		{ "small double as text", "'${x}'", "{x: 0.0000001}", "\"1e-7\"" },
		{ "double as text", "'${x} ${1000000.0 * 0.25}'", "{x: 0.000001}", "\"0.000001 250000\"" },
		{ "nothing at the top", "{$if: 'false', then: 1}", "{}", "(nothing)" },
		{ "a let that binds nothing", "{$let: {$if: 'false', then: {a: 1}}, in: 1}", "{}", "1" },
		{ "each over two names, spaced", "{$map: [a, b], 'each(v, i)': '${i}${v}'}", "{}", "[\"0a\",\"1b\"]" },
		{ "match leaves out what gives nothing", "{$match: {'true': {$if: 'false', then: 1}}}", "{}", "[]" },
		{ "an inner name hides an outer one", "{$map: [1], 'each(x)': {$eval: x}}", "{x: 9}", "[1]" },
		{ "a name may hide a builtin", "{$eval: len}", "{len: 3}", "3" },
		{ "escaped key with an interpolation", "{'$${x}': 1, '$$$x': 2}", "{}", "{\"${x}\":1,\"$$x\":2}" },
		{ "keys that meet: the last one counts", "{a: 1, '${x}': 2, b: 3}", "{x: a}", "{\"a\":2,\"b\":3}" },
		{ "split into characters", "{$eval: 'split(s, \"\")'}", "{s: 'aé☃'}", "[\"a\",\"é\",\"☃\"]" },
		{ "number with an exponent", "{$eval: 'number(\" -1.5e2 \")'}", "{}", "-150" },
		{ "strip of a no-break space", "{$eval: 'strip(s)'}", "{s: \"\\u00a0a\\u3000\"}", "\"a\"" },
		{ "join gives null nothing", "{$eval: 'join([1, null, true], \"-\")'}", "{}", "\"1--true\"" },
		{ "an unknown key in brackets", "{$eval: 'm[\"b\"]'}", "{m: {a: 1}}", "null" },
		{ "json inside an interpolation's neighbour", "['${a}', {$json: {b: '${a}', a: 1}}]", "{a: x}",
		  "[\"x\",\"{\\\"a\\\":1,\\\"b\\\":\\\"x\\\"}\"]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *AUTO_ARENA mem = arena_new(ARENA_MAX);
		int rc;
		const char *got = run(mem, rows[i].template, rows[i].context, &rc);

		if (rc < 0 || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: want %s, got %s", rows[i].name, rows[i].want, got);
	}
}

static void
test_errors(void **state)
{
	static const struct {
		const char *template, *context, *want;
	} rows[] = {
		/* refused when compiled, whether or not it would be reached */
		{ "a: 1\nb:\n  $mapp: []\n", "{}",
		  "t.yaml:3:3: $<identifier> is reserved; use $$<identifier> (no operator \"$mapp\")" },
		{ "{$if: 'true', then: 1, else: {$nope: 1}}", "{}",
		  "t.yaml:1:31: $<identifier> is reserved; use $$<identifier> (no operator \"$nope\")" },
		{ "$default: 1\n", "{}", "t.yaml:1:1: $<identifier> is reserved; use $$<identifier> (no operator \"$default\")" },
		{ "a:\n  - x: '${1 +}'\n", "{}",
		  "t.yaml:2:8: Found: } token, expected one of: !, (, +, -, [, false, identifier, null, number, string, true, {" },
		{ "{$switch: {'a ==': 1}}", "{}", "t.yaml:1:12: Unexpected end of input" },
		{ "{$if: 'true', $eval: 'a'}", "{}", "t.yaml:1:15: only one operator allowed ($if and $eval)" },
		{ "{$if: 'true', the: 1, els: 2}", "{}", "t.yaml:1:23: $if has undefined properties: els the" },
		{ "{$sort: [1], 'by(x, y)': x}", "{}", "t.yaml:1:14: $sort has undefined properties: by(x, y)" },
		{ "{$map: [1], 'each(x)': 1, 'each(y)': 2}", "{}", "t.yaml:1:27: $map has undefined properties: each(y)" },
		{ "a: '${b'\n", "{}", "t.yaml:1:4: unterminated ${..} expression" },
		{ "a: \"${'b}\"\n", "{}", "t.yaml:1:4: Unexpected input for ''b}' at ''b}'" },
		/* found while rendering: the place of the template's value, and the expression */
		{ "x:\n  y: '${env.gpus}'\n", "{env: {}}", "t.yaml:2:6: object has no property \"gpus\" (in 'env.gpus')" },
		{ "- 1\n- $eval: nobody\n", "{}", "t.yaml:2:3: unknown context value nobody (in 'nobody')" },
		{ "{$match: {'a.b': 1}}", "{a: 1}", "t.yaml:1:11: infix: . expects objects (in 'a.b')" },
		{ "{'${a}': 1}", "{a: [1]}", "t.yaml:1:2: interpolation of 'a' produced an array or object" },
		{ "$merge:\n  - {}\n  - ['${a}']\n", "{a: 1}", "t.yaml:1:1: $merge value must evaluate to an array of objects" },
		{ "$eval: 'len(5)'", "{}",
		  "t.yaml:1:1: invalid arguments to builtin: len (argument 1 is of type number) (in 'len(5)')" },
		{ "$eval: 'len()'", "{}", "t.yaml:1:1: invalid arguments to builtin: len (0 given, takes 1 to 1) (in 'len()')" },
		{ "$eval: 'range(1, 2, 3, 4)'", "{}",
		  "t.yaml:1:1: invalid arguments to builtin: range (4 given, takes 2 to 3) (in 'range(1, 2, 3, 4)')" },
		{ "$eval: 'number(\"1x\")'", "{}",
		  "t.yaml:1:1: invalid arguments to builtin: number (\"1x\" is not a number) (in 'number(\"1x\")')" },
		{ "$eval: 'l[-3]'", "{l: [1, 2]}", "t.yaml:1:1: index out of bounds (in 'l[-3]')" },
		{ "$eval: '10 ** 400'", "{}", "t.yaml:1:1: result is not a finite number (in '10 ** 400')" },
		{ "$eval: 'sqrt(-1)'", "{}", "t.yaml:1:1: result is not a finite number (in 'sqrt(-1)')" },
		{ "$reduce: [1]\neach(a,x): 1\ninitial: {$if: 'false'}\n", "{}",
		  "t.yaml:1:1: $reduce initial evaluated to nothing" },
		{ "$json: {$if: 'false'}\n", "{}", "t.yaml:1:1: $json value evaluated to nothing" },
		{ "'${len}'", "{}", "t.yaml:1:1: interpolation of 'len' produced a function" },
		{ "$eval: 'f(1)'", "{f: {a: 1}}", "t.yaml:1:1: object is not callable (in 'f(1)')" },
		{ "{}", "{'a b': 1}", "t.yaml:1:1: top level keys of context must follow /[a-zA-Z_][a-zA-Z0-9_]*/ (\"a b\")" },
		{ "{}", "[1]", "t.yaml:1:1: context must be an object" },
		/* no clock */
		{ "a: '${now}'", "{}", "t.yaml:1:4: unknown context value now (this rendering has no clock) (in 'now')" },
		{ "{$fromNow: 1 day}", "{}", "t.yaml:1:1: $fromNow needs a reference time (this rendering has no clock)" },
		{ "{$eval: 'fromNow(\"1 d\")'}", "{}",
		  "t.yaml:1:1: fromNow needs a reference time (this rendering has no clock) (in 'fromNow(\"1 d\")')" },
		{ "{$eval: 'fromNow(\"\", \"2021-02-29T00:00:00Z\")'}", "{}",
		  "t.yaml:1:1: '2021-02-29T00:00:00Z' is not a time (RFC 3339) (in 'fromNow(\"\", \"2021-02-29T00:00:00Z\")')" },
		{ "{$eval: 'fromNow(\"99999999 y\", \"2021-02-28T00:00:00Z\")'}", "{}",
		  "t.yaml:1:1: '99999999 y' leads out of the years 0 to 9999 "
		  "(in 'fromNow(\"99999999 y\", \"2021-02-28T00:00:00Z\")')" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *AUTO_ARENA mem = arena_new(ARENA_MAX);
		int rc;
		const char *got = run(mem, rows[i].template, rows[i].context, &rc);

		if (rc != ERR_INVALID || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: want %s\ngot %s", rows[i].template, rows[i].want, got);
	}
}

static void
test_times(void **state)
{
	static const struct {
		const char *span, *from, *want;
	} rows[] = {
		{ "", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z" },
		{ "-1 s", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.000Z" },
		{ "1 day", "2024-02-28T12:00:00+02:00", "2024-02-29T10:00:00.000Z" },
		{ "1 D", "2100-02-28T00:00:00.5Z", "2100-03-01T00:00:00.500Z" },
		{ "-1 day", "2000-03-01T00:00:00Z", "2000-02-29T00:00:00.000Z" },
		{ "0 s", "0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *AUTO_ARENA mem = arena_new(ARENA_MAX);
		const char *t = arena_printf(mem, "{$fromNow: '%s'}", rows[i].span), *got;
		int rc;

		got = run_with(mem, t, "{}", rows[i].from, NULL, &rc);
		if (rc < 0 || strncmp(got + 1, rows[i].want, strlen(rows[i].want)) != 0)
			fail_msg("%s from %s: want %s, got %s", rows[i].span, rows[i].from, rows[i].want, got);
	}
}

/* Each of these would take for ever, or all memory, without its limit. */
static void
test_limits(void **state)
{
	static const struct {
		const char *name, *template, *context, *want;
		struct template_limits limits;
	} rows[] = {
		{ "a long range", "{$eval: 'range(0, 1000000000)'}", "{}", "bytes", { 0, 0, 0 } },
		{ "a range over everything", "{$eval: 'range(-9007199254740992, 9007199254740992)'}", "{}", "bytes",
		  { 0, 0, 0 } },
		{ "nested maps",
		  "{$let: {r: {$eval: 'range(0, 1000)'}}, in: {$map: {$eval: r}, 'each(a)': {$map: {$eval: r}, 'each(b)': "
		  "{$find: {$eval: r}, 'each(c)': 'c > 5000'}}}}",
		  "{}", "steps", { 0, 0, 0 } },
		{ "a string doubled", "{$reduce: {$eval: 'range(0, 64)'}, 'each(a,x)': '${a}${a}', initial: ab}", "{}",
		  "bytes", { 0, 0, 0 } },
		{ "a string added to itself",
		  "{$reduce: {$eval: 'range(0, 64)'}, 'each(a,x)': {$eval: 'a + a'}, initial: ab}", "{}", "bytes", { 0, 0, 0 } },
		{ "a list joined with itself",
		  "{$reduce: {$eval: 'range(0, 64)'}, 'each(a,x)': {$flatten: [{$eval: a}, {$eval: a}]}, initial: [1]}", "{}",
		  "bytes", { 0, 0, 0 } },
		{ "lists merged deep with themselves",
		  "{$reduce: {$eval: 'range(0, 64)'}, 'each(a,x)': {$mergeDeep: [{$eval: a}, {$eval: a}]}, initial: {l: [1]}}",
		  "{}", "bytes", { 0, 0, 0 } },
		{ "a result that is huge only when written out",
		  "{$reduce: {$eval: 'range(0, 40)'}, 'each(a,x)': {$eval: '[a, a]'}, initial: 1}", "{}", "bytes", { 0, 0, 0 } },
		{ "a result nested too deep",
		  "{$reduce: {$eval: 'range(0, 5000)'}, 'each(a,x)': {$eval: '[a]'}, initial: 1}", "{}", "depth", { 0, 0, 0 } },
		{ "equality of shared trees",
		  "{$let: {t: {$reduce: {$eval: 'range(0, 40)'}, 'each(a,x)': {$eval: '[a, a]'}, initial: 1}}, "
		  "in: {$eval: 't == t'}}",
		  "{}", "steps", { 0, 0, 0 } },
		{ "equality of deep trees",
		  "{$let: {t: {$reduce: {$eval: 'range(0, 5000)'}, 'each(a,x)': {$eval: '[a]'}, initial: 1}}, "
		  "in: {$eval: 't == t'}}",
		  "{}", "limit of 100", { 0, 0, 0 } },
		{ "json of a shared tree",
		  "{$json: {$reduce: {$eval: 'range(0, 40)'}, 'each(a,x)': {$eval: '[a, a]'}, initial: 1}}", "{}", "limit",
		  { 0, 0, 0 } },
		{ "flattening of a shared tree",
		  "{$flattenDeep: {$reduce: {$eval: 'range(0, 40)'}, 'each(a,x)': {$eval: '[a, a]'}, initial: 1}}", "{}", "steps",
		  { 0, 0, 0 } },
#define LONG "{$reduce: {$eval: 'range(0, 19)'}, 'each(a,x)': '${a}${a}', initial: x}"
		{ "long strings sorted", "{$let: {s: " LONG "}, in: {$sort: {$map: {$eval: 'range(0, 9999)'}, 'each(x)': '${s[0]}'}, "
		  "'by(x)': s}}", "{}", "steps", { 0, 0, 0 } },
		{ "long strings compared", "{$let: {s: " LONG "}, in: {$find: {$eval: 'range(0, 9999)'}, 'each(x)': 's < s'}}", "{}",
		  "steps", { 0, 0, 0 } },
		{ "long strings searched",
		  "{$let: {s: " LONG "}, in: {$find: {$eval: 'range(0, 9999)'}, 'each(x)': '\"y\" in s || s in {} || {}[s]'}}",
		  "{}", "steps", { 0, 0, 0 } },
		{ "long strings counted", "{$let: {s: " LONG "}, in: {$find: {$eval: 'range(0, 9999)'}, 'each(x)': 'len(s) == 0'}}",
		  "{}", "steps", { 0, 0, 0 } },
		{ "long keys compared",
		  "{$let: {m: {$let: {s: " LONG "}, in: {'${s}': 1}}}, in: {$find: {$eval: 'range(0, 9999)'}, 'each(x)': 'm != m'}}",
		  "{}", "steps", { 0, 0, 0 } },
		{ "long names bound",
		  "{$let: {m: {$let: {s: " LONG "}, in: {'${s}': 1}}}, in: {$map: {$eval: 'range(0, 9999)'}, "
		  "'each(x)': {$let: {$if: 'true', then: {$eval: m}}, in: 1}}}",
		  "{}", "steps", { 0, 0, 0 } },
#undef LONG
		{ "few steps", "['${a}', '${a}', '${a}', '${a}']", "{a: 1}", "limit of 8 steps", { 8, 0, 0 } },
		{ "little depth", "[[[['${a}']]]]", "{a: 1}", "limit of 4 (depth)", { 0, 4, 0 } },
		{ "few bytes", "['${a}${a}${a}']", "{a: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}",
		  "limit of 100 bytes", { 0, 0, 100 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *AUTO_ARENA mem = arena_new(ARENA_MAX);
		int rc;
		const char *got = run_with(mem, rows[i].template, rows[i].context, NULL, &rows[i].limits, &rc);

		if (rc != ERR_INVALID || !strstr(got, rows[i].want) || !strstr(got, "limit") || strncmp(got, "t.yaml:", 7) != 0)
			fail_msg("%s: want a limit (%s), got %s", rows[i].name, rows[i].want, got);
	}
}

/* The arena aborts when it is full; a template must not get it there. */
static void
test_small_arena(void **state)
{
	static const char template[] = "{$reduce: {$eval: 'range(0, 64)'}, 'each(a,x)': '${a}${a}', initial: ab}";
	struct arena *AUTO_ARENA big = arena_new(ARENA_MAX);
	struct value *document = read_yaml(big, "t.yaml", template), *ctx = value_map(big), *out;
	struct template *t;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(template_compile(big, document, &t, &e), 0);
	for (size_t size = 1024; size <= 1 << 20; size *= 4) {
		struct arena *AUTO_ARENA mem = arena_new(size);

		assert_int_equal(template_render(t, mem, ctx, NULL, NULL, &out, &e), ERR_INVALID);
		assert_non_null(strstr(e.text, "bytes"));
	}
	for (size_t size = 1024; size <= 16384; size += 128) {
		struct arena *AUTO_ARENA mem = arena_new(size);
		int rc = template_compile(mem, document, &t, &e);

		if (rc < 0)
			assert_non_null(strstr(e.text, "needs more memory than the limit"));
		else
			assert_true(size > 4096);
	}
}

/* n times s between head and tail. */
static const char *
repeated(struct arena *mem, const char *head, const char *s, size_t n, const char *tail)
{
	struct buf AUTO_BUF b = BUF_INIT(0);

	buf_str(&b, head);
	while (n--)
		buf_str(&b, s);
	buf_str(&b, tail);
	return arena_strdup(mem, buf_cstr(&b));
}

static void
test_hostile_expressions(void **state)
{
	static const struct {
		const char *head, *part;
		size_t n;
		const char *tail, *want; /* NULL: goes */
	} rows[] = {
		{ "", "(", 200000, "1", "deeper than the limit" },
		{ "", "[", 200000, "1", "deeper than the limit" },
		{ "", "!", 200000, "1", "deeper than the limit" },
		{ "", "-", 200000, "1", "deeper than the limit" },
		{ "", "{a:", 80000, "1", "deeper than the limit" },
		{ "", "a[", 100000, "1", "deeper than the limit" },
		{ "", "min(", 60000, "1", "deeper than the limit" },
		{ "", "2 ** ", 50000, "1", "deeper than the limit" },
		{ "1", " + 1", 60000, "", "deeper than the limit" },
		{ "a", ".a", 100000, "", "deeper than the limit" },
		{ "a", "[0]", 80000, "", "deeper than the limit" },
		{ "min(1", ", 1", 80000, ")", "arguments" },
		{ "0 * len([1", ", 1", 20000, "])", NULL },
		{ "1", "0", 1000, "", "out of range" },
		{ "1", " + 1", 90, " - 91", NULL },
		{ "", "(", 90, "0))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena *AUTO_ARENA mem = arena_new(ARENA_MAX);
		struct value *document = value_map(mem), *out = NULL;
		struct template *t;
		struct err e = { 0 };
		int rc;

		value_set(mem, document, "$eval",
		          value_str(mem, repeated(mem, rows[i].head, rows[i].part, rows[i].n, rows[i].tail)));
		rc = template_compile(mem, document, &t, &e);
		if (rc == 0)
			rc = template_render(t, mem, value_map(mem), NULL, NULL, &out, &e);
		if (rows[i].want && (rc != ERR_INVALID || !strstr(e.text, rows[i].want)))
			fail_msg("row %zu: want %s, got %s", i, rows[i].want, e.text);
		if (!rows[i].want && (rc < 0 || value_as_int(out, -1) != 0))
			fail_msg("row %zu: want 0, got %s", i, rc < 0 ? e.text : "something else");
	}
}

static void
test_deep_document(void **state)
{
	struct arena *AUTO_ARENA mem = arena_new(ARENA_MAX);
	struct value *v = value_str(mem, "${a}");
	struct template *t;
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct value *list = value_list(mem);

		value_push(mem, list, v);
		v = list;
	}
	assert_int_equal(template_compile(mem, v, &t, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "deeper than the limit of 200"));
}

static void
test_sharing(void **state)
{
	static const char text[] = "constant: {a: [1, {b: c}]}\n"
				   "escaped: {$$x: '$${y}'}\n"
				   "taken: {$eval: m}\n"
				   "made: '${s}'\n";
	struct arena *AUTO_ARENA mem = arena_new(ARENA_MAX);
	struct arena *AUTO_ARENA second = arena_new(ARENA_MAX);
	struct value *document = read_yaml(mem, "t.yaml", text), *ctx = read_yaml(mem, "c.yaml", "{m: {k: 1}, s: x}");
	struct value *one, *two;
	struct template *t;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(template_compile(mem, document, &t, &e), 0);
	assert_int_equal(template_render(t, mem, ctx, NULL, NULL, &one, &e), 0);
	assert_int_equal(template_render(t, second, ctx, NULL, NULL, &two, &e), 0);
	assert_true(value_equal(one, two));
	assert_ptr_equal(value_get(one, "constant"), value_get(document, "constant"));
	assert_ptr_equal(value_get(one, "escaped"), value_get(two, "escaped"));
	assert_ptr_equal(value_get(one, "taken"), value_get(ctx, "m"));
	assert_ptr_not_equal(value_get(one, "made"), value_get(two, "made"));
	assert_string_equal(value_as_str(value_get(value_get(one, "escaped"), "$x"), ""), "${y}");
	/* what is made keeps the place of the template, for findings about the object */
	assert_int_equal(value_get(one, "made")->at.line, 4);
	assert_int_equal(value_member(one, "made")->at.col, 1);
}

static void
test_constant_template(void **state)
{
	struct arena *AUTO_ARENA mem = arena_new(ARENA_MAX);
	struct value *document = read_yaml(mem, "t.yaml", "{a: [1, 2], b: {c: d}}"), *out = NULL;
	struct template *t;
	struct err e = { 0 };
	size_t used;

	(void)state;
	assert_int_equal(template_compile(mem, document, &t, &e), 0);
	used = arena_used(mem);
	assert_int_equal(template_render(t, mem, value_map(mem), NULL, NULL, &out, &e), 0);
	assert_ptr_equal(out, document);
	assert_true(arena_used(mem) - used <= sizeof(struct value) + 64);
}

static void
test_output_untouched(void **state)
{
	struct arena *AUTO_ARENA mem = arena_new(ARENA_MAX);
	struct value *document = read_yaml(mem, "t.yaml", "{$eval: a}"), marker, *out = &marker;
	struct template *t = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(template_compile(mem, read_yaml(mem, "b.yaml", "{$nope: 1}"), &t, &e), ERR_INVALID);
	assert_null(t);
	assert_int_equal(template_compile(mem, read_yaml(mem, "b.yaml", "{$iff: 1}"), &t, &e), ERR_INVALID);
	assert_string_equal(e.hint, "did you mean \"$if\"?");
	assert_int_equal(template_compile(mem, document, &t, &e), 0);
	assert_int_equal(template_render(t, mem, value_map(mem), NULL, NULL, &out, NULL), ERR_INVALID);
	assert_ptr_equal(out, &marker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),         cmocka_unit_test(test_errors),
		cmocka_unit_test(test_times),           cmocka_unit_test(test_limits),
		cmocka_unit_test(test_small_arena),     cmocka_unit_test(test_hostile_expressions),
		cmocka_unit_test(test_deep_document),   cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_constant_template), cmocka_unit_test(test_output_untouched),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
