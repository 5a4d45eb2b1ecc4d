/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a terminal. */
#include "cli/ask.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

#define LINE_MAX_BYTES 512
#define ROWS_MAX 40
#define TRIES 5

static int
read_line(struct ask *a, const char **out, struct err *e)
{
	char line[LINE_MAX_BYTES];
	size_t n;
	int c;

	if (!fgets(line, sizeof(line), stdin)) {
		(void)fputc('\n', stderr);
		return err_set(e, ERR_CANCELLED, "no answer; nothing was written");
	}
	n = strlen(line);
	if (n && line[n - 1] != '\n')
		while ((c = fgetc(stdin)) != EOF && c != '\n')
			;
	while (n && strchr(" \t\r\n", line[n - 1]))
		n--;
	line[n] = '\0';
	*out = str_line(a->mem, line + strspn(line, " \t"));
	return 0;
}

int
ask_text(struct ask *a, const char *what, const char *enter, const char *(*good)(void *ctx, const char *answer), void *ctx, const char **out,
         struct err *e)
{
	const char *answer, *why;
	int rc;

	if (!a->left) {
		*out = enter;
		return enter ? 0 : err_set(e, ERR_USAGE, "%s: nothing was said", what);
	}
	a->left--;
	for (unsigned i = 0; i < TRIES; i++) {
		(void)fprintf(stderr, enter ? "%s [%s]: " : "%s: ", what, enter);
		if ((rc = read_line(a, &answer, e)) < 0)
			return rc;
		if (!*answer && enter)
			answer = enter;
		why = !*answer ? "write something" : good ? good(ctx, answer) : NULL;
		if (!why) {
			*out = answer;
			return 0;
		}
		(void)fprintf(stderr, "  %s\n", why);
	}
	return err_set(e, ERR_CANCELLED, "%s: no answer that could be used; nothing was written", what);
}

struct picking {
	struct ask *a;
	const struct ask_row *rows;
	size_t n;
	bool others;
};

static const char *
row_of(const struct picking *p, const char *answer)
{
	int64_t k;

	if (str_to_i64(answer, &k) == 0)
		return k >= 1 && (uint64_t)k <= p->n ? p->rows[k - 1].name : NULL;
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->rows[i].name, answer))
			return p->rows[i].name;
	return p->others ? answer : NULL;
}

static const char *
good_row(void *ctx, const char *answer)
{
	const struct picking *p = ctx;
	const char **names = arena_array(p->a->mem, p->n + 1, sizeof(*names)), *near;

	if (row_of(p, answer))
		return NULL;
	for (size_t i = 0; i < p->n; i++)
		names[i] = p->rows[i].name;
	near = str_nearest(answer, names, p->n);
	return near ? arena_printf(p->a->mem, "did you mean %s?", near) : "write one of the numbers, or a name";
}

int
ask_pick(struct ask *a, const char *what, const struct ask_row *rows, size_t n, bool others, const char **out, struct err *e)
{
	struct picking p = { a, rows, n, others };
	const char *answer;
	int rc, wide = 1;

	for (size_t i = 0; i < n && i < ROWS_MAX; i++)
		wide = (int)strlen(rows[i].name) > wide ? (int)strlen(rows[i].name) : wide;
	for (size_t i = 0; a->left && i < n && i < ROWS_MAX; i++)
		(void)fprintf(stderr, "%4zu  %-*s  %s\n", i + 1, wide, rows[i].name, rows[i].text);
	if (a->left && n > ROWS_MAX)
		(void)fprintf(stderr, "      and %zu more, by name\n", n - ROWS_MAX);
	if ((rc = ask_text(a, what, "1", good_row, &p, &answer, e)) < 0)
		return rc;
	*out = row_of(&p, answer);
	return 0;
}
