/* SPDX-License-Identifier: Apache-2.0 */
/* tests/cases/validate/<case>/in is checked whole and compared with want/report.txt; UPDATE=1 rewrites that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define CASES "tests/cases/validate"

static struct schemas *schemas;

/* Every finding about the tree at `dir`, a line each, notes indented below. */
static char *
report_of(struct fixture *x, const char *dir)
{
	struct buf AUTO_BUF out = BUF_INIT(0);

	if (!fixture_load(x, dir, ""))
		fail_msg("%s cannot be read (tests run in the root of the project)", dir);
	validate_tree(&x->files, &x->report);
	fixture_parse(x, schemas);
	validate_site(&x->site, &x->report);
	validate_approvers(&x->site, &x->files, &x->report);
	x->totals = totals_new();
	fixture_resolve(x, NULL);
	totals_check(x->totals, &x->site, NULL, &x->report);
	report_sort(&x->report);
	for (size_t i = 0; i < x->report.n; i++) {
		finding_line(&x->report.items[i], &out);
		buf_char(&out, '\n');
		if (x->report.items[i].note)
			buf_printf(&out, "    %s\n", x->report.items[i].note);
	}
	return arena_strdup(x->mem, buf_cstr(&out));
}

static const char *
want_read(struct fixture *x, const char *path)
{
	char *text = arena_alloc(x->mem, 1 << 20);
	FILE *f = fopen(path, "re");

	if (!f)
		return "";
	text[fread(text, 1, (1 << 20) - 1, f)] = '\0';
	(void)fclose(f);
	return text;
}

static void
want_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f)
		fail_msg("%s cannot be written", path);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
check_case(const char *name)
{
	struct fixture *x = fixture_new();
	const char *path = arena_printf(x->mem, CASES "/%s/want/report.txt", name);
	const char *got = report_of(x, arena_printf(x->mem, CASES "/%s/in", name));

	if (getenv("UPDATE"))
		want_write(path, got);
	else if (strcmp(got, want_read(x, path)) != 0)
		fail_msg("%s gives:\n%s(UPDATE=1 rewrites %s)", name, got, path);
	fixture_free(x);
}

static void
cases(void **state)
{
	struct dirent *de;
	DIR *d = opendir(CASES);
	size_t n = 0;

	(void)state;
	if (!d)
		fail_msg("%s cannot be read (tests run in the root of the project)", CASES);
	while ((de = readdir(d)))
		if (de->d_name[0] != '.') {
			check_case(de->d_name);
			n++;
		}
	(void)closedir(d);
	assert_true(n >= 5);
}

/* `want`: all that there is to say. */
static void
clean(const char *dir, size_t environments, const char *want)
{
	struct fixture *x = fixture_new();
	const char *got = report_of(x, dir);

	if (strcmp(got, want) != 0)
		fail_msg("of %s:\n%swanted:\n%s", dir, got, want);
	assert_true(x->site.docs[KIND_ENV].live >= environments);
	fixture_free(x);
}

#define CHEAPER " (set lifecycle.hours, pause or shrink it, or ask an administrator for a larger budget)\n"

/* Their budgets count on people who go home: no error, but worth a word. */
static void
examples_are_clean(void **state)
{
	(void)state;
	clean("examples", 6,
	      "envs/dana/llm-ft.yaml:5:11: warning[W905]: user 'dana' would cost up to 2993 USD a month, the budget is 1500" CHEAPER
	      "    budget set at users/dana.yaml:11:21; dana/llm-ft 2993 (1 pod at 4.1 an hour, 24x7)\n"
	      "envs/dana/llm-ft.yaml:13:21: warning[W905]: it would cost up to 2993 USD a month, the budget is 500" CHEAPER
	      "    1 pod at 4.1 an hour, 24x7; price set at flavors/gpu-a100.yaml:12:10\n"
	      "envs/student1/lab3.yaml:5:11: warning[W905]: user 'student1' would cost up to 96.36 USD a month, the budget is 40" CHEAPER
	      "    budget set at users/student1.yaml:11:21; student1/lab3 96.36 (1 pod at 0.132 an hour, 24x7)\n");
}

static void
template_is_clean(void **state)
{
	(void)state;
	clean("envs-repo-template", 4, "");
}

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	if (schemas_load(&schemas, &e) == 0)
		return 0;
	print_error("%s\n", e.text);
	return -1;
}

static int
tear_down(void **state)
{
	(void)state;
	schemas_free(schemas);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cases),
		cmocka_unit_test(examples_are_clean),
		cmocka_unit_test(template_is_clean),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
