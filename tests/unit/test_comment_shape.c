/* SPDX-License-Identifier: Apache-2.0 */
/* How a comment reads: folds, columns, errors that have no row, code in findings. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "forge_html.h"
#include "status/comment.h"
#include "status/markdown.h"
#include "with_arena.h"

#define HEAD "0123456789abcdef0123456789abcdef01234567"

static struct planned_row
row(const char *unit, enum planned_kind kind)
{
	return (struct planned_row){ .kind = kind, .unit = unit, .owner = "alice", .name = "x", .why = "odd",
		.plan = { .unit = unit, .action = ACTION_CREATE } };
}

/* A long plan is folded, and columns in which nothing stands are left out. */
static void
test_long_plan(void **state)
{
	static const struct { size_t n, tables; const char *more; } rows[] = { { 1, 1, NULL }, { 15, 1, NULL }, { 16, 2, "and 6 more" }, { 40, 2, "and 30 more" } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct planned p = { .n = rows[i].n, .count = { rows[i].n }, .currency = "USD" };
		struct comment_facts f = { .head = HEAD, .max = 1000000 };
		struct buf out AUTO_BUF = BUF_INIT(0);
		const char *text;

		p.rows = arena_array(mem, p.n, sizeof(*p.rows));
		for (size_t k = 0; k < p.n; k++) {
			p.rows[k] = row(arena_printf(mem, "envs/alice/e%zu", k), PLANNED_UNIT);
			p.rows[k].is = (struct planned_side){ .there = true, .flavor = "small", .pods = 1, .priced = true, .month = 384000000 };
		}
		comment_plan(&p, &f, &out);
		text = buf_cstr(&out);
		assert_int_equal(times(text, "\n|---"), rows[i].tables);
		assert_int_equal(times(text, "<details>"), rows[i].n + (rows[i].n > 6) + (rows[i].tables - 1));
		assert_int_equal(times(text, "<details>"), times(text, "</details>"));
		assert_true(!rows[i].more == !strstr(buf_cstr(&out), "<details><summary>and "));
		assert_true(!rows[i].more || strstr(buf_cstr(&out), rows[i].more));
		assert_true(strstr(buf_cstr(&out), "| environment | plan | flavor | USD a month |\n|---|---|---|---|\n"));
	}
}

/* What the check found and no row tells, such as a file whose name is none, is not passed over. */
static void
test_errors_without_rows(void **state)
{
	struct planned p = { .errors = 2, .first_error = "envs/bo/A.yaml: error[E302]: 'A' is no name", .currency = "USD" };
	struct comment_facts f = { .head = HEAD };
	struct buf out AUTO_BUF = BUF_INIT(0), with AUTO_BUF = BUF_INIT(0);
	struct planned_row bad = row("envs/bo/x", PLANNED_INVALID);

	(void)state;
	comment_plan(&p, &f, &out);
	assert_non_null(strstr(buf_cstr(&out), "- **2 errors** in what this changes; `berth/validate` tells all of them. The first: `envs/bo/A.yaml: error[E302]"));
	p.rows = &bad;
	p.n = 1;
	comment_plan(&p, &f, &with);
	assert_non_null(strstr(buf_cstr(&with), "- **2 errors** in what this changes; `berth/validate` tells all of them\n"));
}

static void
test_prose(void **state)
{
	static const char *const rows[][2] = {
		{ "`spec.flavor` is missing", "<code>spec.flavor</code> is missing" }, { "did you mean `a` or `b`?", "did you mean <code>a</code> or <code>b</code>&#63;" },
		{ "one ` alone", "one &#96; alone" }, { "`<b>` and ` more", "<code>&#60;b&#62;</code> and &#96; more" }, { "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf out AUTO_BUF = BUF_INIT(0);

		md_prose(mem, &out, rows[i][0]);
		assert_string_equal(buf_cstr(&out), rows[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_long_plan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_without_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prose, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
