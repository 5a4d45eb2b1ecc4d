/* SPDX-License-Identifier: Apache-2.0 */
/* Findings as github, gitlab and SARIF read them, byte for byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/report_formats.h"

static struct arena *mem;

static int
setup(void **state)
{
	(void)state;
	mem = arena_new((size_t)64 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(mem);
	return 0;
}

static struct finding *
add(struct report *r, enum finding_code code, enum severity s, const char *file, uint32_t line, uint32_t col, const char *message)
{
	return report_add(r, code, s, (struct place){ file, line, col }, "%s", message);
}

static const char *
written(const char *format, const struct report *r)
{
	struct buf b AUTO_BUF = BUF_INIT(0);

	report_format_find(format)->write(mem, r, NULL, &b);
	assert_false(b.over);
	return arena_strdup(mem, buf_cstr(&b));
}

static const struct value *
parsed(const char *format, const struct report *r)
{
	const char *text = written(format, r);
	struct value *v;
	struct err e = { 0 };

	if (json_read(mem, text, strlen(text), &v, &e) < 0)
		fail_msg("%s: %s\n%s", format, e.text, text);
	return v;
}

static void
names(void **state)
{
	static const char *const known[] = { "text", "json", "yaml", "github", "gitlab", "sarif" };

	(void)state;
	assert_int_equal(report_formats_n, sizeof(known) / sizeof(known[0]));
	for (size_t i = 0; i < report_formats_n; i++)
		assert_string_equal(report_format_find(known[i])->name, known[i]);
	assert_null(report_format_find("xml"));
	assert_null(report_format_find(""));
	assert_null(report_format_find(NULL));
}

static void
github_lines(void **state)
{
	static const struct { const char *file; uint32_t line, col; size_t width; const char *message, *want; } rows[] = {
		{ "envs/a/b.yaml", 4, 3, 8, "unknown field `x`", "::error file=envs/a/b.yaml,line=4,col=3,endColumn=10,title=E102::unknown field `x`\n" },
		{ "./b.yaml", 4, 3, 0, "m", "::error file=b.yaml,line=4,col=3,endColumn=3,title=E102::m\n" },
		{ "a,b:c%.yaml", 4, 0, 0, "m", "::error file=a%2Cb%3Ac%25.yaml,line=4,title=E102::m\n" },
		{ "b.yaml", 0, 0, 0, "50%: a, b", "::error file=b.yaml,title=E102::50%25: a, b\n" },
		{ "b\n::warning::x.yaml", 0, 0, 0, "a\r\n::error::b", "::error file=b?%3A%3Awarning%3A%3Ax.yaml,title=E102::a??::error::b\n" },
		{ NULL, 0, 0, 0, "m", "::error title=E102::m\n" },
		{ "b\xff\xc3\xa9.yaml", 1, 0, 0, "\xc3", "::error file=b?\xc3\xa9.yaml,line=1,title=E102::?\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report r;

		report_init(&r, mem);
		add(&r, FINDING_UNKNOWN_FIELD, SEVERITY_ERROR, rows[i].file, rows[i].line, rows[i].col, rows[i].message)->width = rows[i].width;
		assert_string_equal(written("github", &r), rows[i].want);
	}
}

static void
github_shows_errors_first(void **state)
{
	struct report r;
	struct finding *f;

	(void)state;
	report_init(&r, mem);
	assert_string_equal(written("github", &r), "");
	add(&r, FINDING_QUOTE_ADVISED, SEVERITY_WARNING, "a.yaml", 1, 1, "w");
	f = add(&r, FINDING_UNKNOWN_FIELD, SEVERITY_ERROR, "b.yaml", 1, 1, "e");
	finding_help(&r, f, "write %s", "y");
	finding_note(&r, f, "limit");
	assert_string_equal(written("github", &r), "::error file=b.yaml,line=1,col=1,endColumn=1,title=E102::e%0Ahelp: write y%0Anote: limit\n"
	                                           "::warning file=a.yaml,line=1,col=1,endColumn=1,title=W901::w\n");
}

static void
gitlab_bytes(void **state)
{
	struct report r;

	(void)state;
	report_init(&r, mem);
	assert_string_equal(written("gitlab", &r), "[]\n");
	add(&r, FINDING_QUOTE_ADVISED, SEVERITY_WARNING, "./a.yaml", 0, 0, "m");
	assert_string_equal(written("gitlab", &r),
	                    "[\n  {\n    \"description\": \"m\",\n    \"check_name\": \"W901\",\n"
	                    "    \"fingerprint\": \"a5ba9e05a8172c7095fb4c11692b801b1abbdb2a705bb37a0937ef42ba7a0295\",\n"
	                    "    \"severity\": \"minor\",\n    \"location\": {\n      \"path\": \"a.yaml\",\n"
	                    "      \"lines\": {\n        \"begin\": 1\n      }\n    }\n  }\n]\n");
}

static const char *
print_of(const struct value *list, size_t i)
{
	return value_as_str(value_get(value_item(list, i), "fingerprint"), "");
}

/* Lines move, fingerprints stay; what looks alike is told apart by its number. */
static void
gitlab_fingerprints(void **state)
{
	const struct value *one, *two;
	struct report r;

	(void)state;
	report_init(&r, mem);
	add(&r, FINDING_UNKNOWN_FIELD, SEVERITY_ERROR, "a.yaml", 4, 3, "x");
	add(&r, FINDING_UNKNOWN_FIELD, SEVERITY_ERROR, "a.yaml", 5, 3, "x");
	add(&r, FINDING_WRONG_TYPE, SEVERITY_ERROR, "a.yaml", 5, 3, "x");
	add(&r, FINDING_UNKNOWN_FIELD, SEVERITY_ERROR, "b.yaml", 5, 3, "x");
	add(&r, FINDING_UNKNOWN_FIELD, SEVERITY_ERROR, "a.yaml", 6, 3, "x");
	one = parsed("gitlab", &r);
	assert_int_equal(value_len(one), 5);
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(print_of(one, i), print_of(one, k));
	for (size_t i = 0; i < r.n; i++)
		r.items[i].at.line += 7;
	two = parsed("gitlab", &r);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(print_of(one, i), print_of(two, i));
}

static void
sarif_shape(void **state)
{
	const struct value *run, *rules, *results, *region;
	struct report r;

	(void)state;
	report_init(&r, mem);
	add(&r, FINDING_UNKNOWN_FIELD, SEVERITY_ERROR, "./envs/a b/\xc3\xa9.yaml", 4, 3, "x")->width = 8;
	add(&r, FINDING_QUOTE_ADVISED, SEVERITY_WARNING, "b.yaml", 0, 0, "y");
	run = value_item(value_get(parsed("sarif", &r), "runs"), 0);
	rules = value_at(run, "tool.driver.rules");
	results = value_get(run, "results");
	assert_int_equal(value_len(rules), FINDING_COUNT);
	assert_int_equal(value_len(results), 2);
	for (size_t i = 0; i < 2; i++) {
		const struct value *x = value_item(results, i), *rule = value_item(rules, (size_t)value_as_int(value_get(x, "ruleIndex"), -1));

		assert_string_equal(value_as_str(value_get(x, "ruleId"), "-"), value_as_str(value_get(rule, "id"), "+"));
		assert_string_equal(value_as_str(value_get(x, "level"), "-"), i ? "warning" : "error");
		assert_string_equal(value_as_str(value_at(rule, "defaultConfiguration.level"), "-"), i ? "warning" : "error");
		assert_non_null(strstr(value_as_str(value_at(rule, "help.text"), ""), i ? "W901" : "E102"));
	}
	region = value_at(value_item(value_get(value_item(results, 0), "locations"), 0), "physicalLocation");
	assert_string_equal(value_as_str(value_at(region, "artifactLocation.uri"), ""), "envs/a%20b/%C3%A9.yaml");
	assert_int_equal(value_as_int(value_at(region, "region.startLine"), -1), 4);
	assert_int_equal(value_as_int(value_at(region, "region.startColumn"), -1), 3);
	assert_int_equal(value_as_int(value_at(region, "region.endColumn"), -1), 11);
	region = value_at(value_item(value_get(value_item(results, 1), "locations"), 0), "physicalLocation");
	assert_null(value_get(region, "region")); /* the file as a whole */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(github_lines),
		cmocka_unit_test(github_shows_errors_first),
		cmocka_unit_test(gitlab_bytes),
		cmocka_unit_test(gitlab_fingerprints),
		cmocka_unit_test(sarif_shape),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
