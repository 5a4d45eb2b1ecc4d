/* SPDX-License-Identifier: Apache-2.0 */
/* Findings: order, limits, and how they are shown. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "lib/doc/json.h"
#include "lib/doc/report.h"
#include "with_arena.h"

static const char source[] = "kind: Environment\nspec:\n  flavor: gpu-small\n  gpuCount: 8\n\n  \xc3\xa9\xc3\xa9: \x1b[31m\tx\n";
static const char wide[] = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
                           "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

static int
read_source(void *ctx, const struct file_entry *f, size_t max, struct arena *into, const char **bytes, size_t *len, struct err *e)
{
	const char *text = strcmp(f->path, "wide.yaml") == 0 ? wide : source;

	(void)ctx;
	(void)e;
	assert_true(max >= strlen(text));
	*len = strlen(text);
	*bytes = arena_strndup(into, text, *len);
	return 0;
}

static const struct file_entry entries[] = { { "envs/ada/train.yaml", { { 0 } }, FILE_REGULAR }, { "wide.yaml", { { 0 } }, FILE_REGULAR } };
static const struct files files = { entries, 2, NULL, read_source };

static struct finding *
add(struct report *r, const char *file, uint32_t line, uint32_t col, const char *message)
{
	return report_add(r, FINDING_UNKNOWN_FIELD, SEVERITY_ERROR, (struct place){ file, line, col }, "%s", message);
}

static void
text_shows_the_source(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(0);
	struct report r;
	struct finding *f;

	(void)state;
	report_init(&r, mem);
	f = add(&r, "envs/ada/train.yaml", 4, 3, "unknown field 'gpuCount'");
	f->width = 8;
	finding_help(&r, f, "did you mean '%s'?", "gpu");
	finding_note(&r, f, "known are flavor and image");
	report_text(&r, &files, false, &b);
	assert_string_equal(buf_cstr(&b), "error[E102]: unknown field 'gpuCount'\n"
	                                  "  --> envs/ada/train.yaml:4:3\n"
	                                  "   |\n"
	                                  " 3 |   flavor: gpu-small\n"
	                                  " 4 |   gpuCount: 8\n"
	                                  "   |   ^^^^^^^^\n"
	                                  "   = help: did you mean 'gpu'?\n"
	                                  "   = note: known are flavor and image\n");
}

/* Rules name a value's place without its width: the word that stands there is underlined. */
static void
text_underlines_words(void **state)
{
	static const struct { enum finding_code code; uint32_t line, col; const char *want; } rows[] = {
		{ FINDING_LIMIT_EXCEEDED, 3, 11, "   |           ^^^^^^^^^\n" },
		{ FINDING_YAML_SYNTAX, 3, 11, "   |           ^\n" },
		{ FINDING_LIMIT_EXCEEDED, 6, 3, "   |   ^^^\n" },
		{ FINDING_LIMIT_EXCEEDED, 6, 6, "   |      ^\n" },
		{ FINDING_LIMIT_EXCEEDED, 3, 40, "   |                                        ^\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b AUTO_BUF = BUF_INIT(0);
		struct report r;

		report_init(&r, mem);
		report_add(&r, rows[i].code, SEVERITY_ERROR, (struct place){ "envs/ada/train.yaml", rows[i].line, rows[i].col }, "m");
		report_text(&r, &files, false, &b);
		assert_non_null(strstr(buf_cstr(&b), rows[i].want));
		assert_null(strstr(strstr(buf_cstr(&b), rows[i].want), "^ "));
	}
}

static void
text_of_odd_places(void **state)
{
	static const struct { const char *file; uint32_t line, col; size_t width; const char *want; } rows[] = {
		{ "envs/ada/train.yaml", 1, 1, 99, "error[E102]: m\n  --> envs/ada/train.yaml:1:1\n   |\n 1 | kind: Environment\n   | ^^^^^^^^^^^^^^^^^\n" },
		{ "envs/ada/train.yaml", 6, 3, 2, "error[E102]: m\n  --> envs/ada/train.yaml:6:3\n   |\n 6 |   \xc3\xa9\xc3\xa9: .[31m x\n   |   ^^\n" },
		{ "envs/ada/train.yaml", 4, 14, 3, "error[E102]: m\n  --> envs/ada/train.yaml:4:14\n   |\n 3 |   flavor: gpu-small\n 4 |   gpuCount: 8\n   |              ^\n" },
		{ "envs/ada/train.yaml", 0, 0, 0, "error[E102]: m\n  --> envs/ada/train.yaml\n" },
		{ "envs/ada/train.yaml", 7, 1, 0, "error[E102]: m\n  --> envs/ada/train.yaml:7:1\n" },
		{ "envs/ada/train.yaml", 4000000000u, 1, 0, "error[E102]: m\n          --> envs/ada/train.yaml:4000000000:1\n" },
		{ "other.yaml", 1, 1, 0, "error[E102]: m\n  --> other.yaml:1:1\n" },
		{ NULL, 0, 0, 0, "error[E102]: m\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b AUTO_BUF = BUF_INIT(0);
		struct report r;

		report_init(&r, mem);
		add(&r, rows[i].file, rows[i].line, rows[i].col, "m")->width = rows[i].width;
		report_text(&r, &files, false, &b);
		assert_string_equal(buf_cstr(&b), rows[i].want);
	}
}

static void
long_lines_are_cut_around_the_caret(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(0);
	struct report r;

	(void)state;
	report_init(&r, mem);
	add(&r, "wide.yaml", 1, 196, "m")->width = 50;
	report_text(&r, &files, false, &b);
	assert_non_null(strstr(buf_cstr(&b), "\n 1 | 67890123456789"));
	assert_null(strstr(buf_cstr(&b), wide));
	/* the caret stands below column 196 ('5') and reaches to the line's end */
	assert_non_null(strstr(buf_cstr(&b), " ^^^^^\n"));
	assert_null(strstr(buf_cstr(&b), "^^^^^^"));
}

static void
colours_and_bare_reports(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(0);
	struct report r;

	(void)state;
	report_init(&r, mem);
	(void)report_add(&r, FINDING_QUOTE_ADVISED, SEVERITY_WARNING, (struct place){ "a.yaml", 1, 2 }, "x\x1b[0m\ny");
	report_text(&r, NULL, true, &b);
	assert_string_equal(buf_cstr(&b), "\033[1;33mwarning[W901]\033[0m\033[1m: x.[0m.y\033[0m\n\033[1;34m  --> \033[0ma.yaml:1:2\n");
	buf_reset(&b);
	finding_line(&r.items[0], &b);
	assert_string_equal(buf_cstr(&b), "a.yaml:1:2: warning[W901]: x.[0m.y");
}

static void
sorted_without_repetitions(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(0);
	struct report r;

	(void)state;
	report_init(&r, mem);
	add(&r, "b", 1, 1, "m");
	add(&r, "a", 2, 1, "m");
	add(&r, "a", 1, 9, "n");
	add(&r, "a", 1, 9, "m");
	add(&r, "a", 1, 10, "m");
	add(&r, "a", 1, 9, "m");
	finding_help(&r, add(&r, "a", 1, 9, "m"), "h");
	(void)report_add(&r, FINDING_YAML_SYNTAX, SEVERITY_WARNING, (struct place){ "a", 1, 9 }, "m");
	report_sort(&r);
	for (size_t i = 0; i < r.n; i++) {
		finding_line(&r.items[i], &b);
		buf_char(&b, '\n');
	}
	assert_string_equal(buf_cstr(&b), "a:1:9: warning[E101]: m\na:1:9: error[E102]: m\na:1:9: error[E102]: m (h)\na:1:9: error[E102]: n\n"
	                                  "a:1:10: error[E102]: m\na:2:1: error[E102]: m\nb:1:1: error[E102]: m\n");
	assert_int_equal(r.errors, 6);
	assert_int_equal(r.warnings, 1);
}

static void
over_the_limit_is_counted(void **state)
{
	struct report r;

	(void)state;
	report_init(&r, mem);
	for (int i = 0; i < REPORT_MAX + 5; i++) {
		struct finding *f = add(&r, "a", (uint32_t)i + 1, 1, "m");

		finding_help(&r, f, "%d", i);
		finding_note(&r, f, "%d", i);
	}
	assert_int_equal(r.n, REPORT_MAX);
	assert_int_equal(r.errors, REPORT_MAX + 5);
	assert_string_equal(r.items[REPORT_MAX - 1].help, "9999");
	report_sort(&r);
	assert_int_equal(r.n, REPORT_MAX);
}

static void
as_value(void **state)
{
	struct buf b AUTO_BUF = BUF_INIT(0);
	struct report r;

	(void)state;
	report_init(&r, mem);
	finding_help(&r, add(&r, "a", 1, 2, "m"), "h");
	json_write(report_value(mem, &r), 0, &b);
	assert_string_equal(buf_cstr(&b), "[{\"code\":\"E102\",\"severity\":\"error\",\"file\":\"a\",\"line\":1,\"column\":2,\"message\":\"m\","
	                                  "\"help\":\"h\",\"note\":null}]");
}

static void
catalogue_is_complete(void **state)
{
	(void)state;
	for (int i = 0; i < FINDING_COUNT; i++) {
		enum finding_code code = (enum finding_code)i;

		assert_int_equal(strlen(finding_id(code)), 4);
		assert_true(finding_id(code)[0] == 'E' || finding_id(code)[0] == 'W');
		assert_true(*finding_title(code) && *finding_why(code));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(finding_id(code), finding_id((enum finding_code)k));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_shows_the_source), cmocka_unit_test(text_underlines_words), cmocka_unit_test(text_of_odd_places),
		cmocka_unit_test(long_lines_are_cut_around_the_caret), cmocka_unit_test(colours_and_bare_reports),
		cmocka_unit_test(sorted_without_repetitions), cmocka_unit_test(over_the_limit_is_counted), cmocka_unit_test(as_value),
		cmocka_unit_test(catalogue_is_complete),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
