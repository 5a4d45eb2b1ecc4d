/* SPDX-License-Identifier: Apache-2.0 */
/* Findings: collecting, sorting, naming. */
#include "lib/doc/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *id, *title, *why;
} catalogue[FINDING_COUNT] = {
#define FINDING(code, name, title, why) { code, title, why },
#include "lib/doc/findings.def"
#undef FINDING
};

void
report_init(struct report *r, struct arena *mem)
{
	memset(r, 0, sizeof(*r));
	r->mem = mem;
}

static char *PRINTF(2, 0)
vcopy(struct arena *a, const char *fmt, va_list ap)
{
	va_list ap2;
	char *p;
	int n;

	va_copy(ap2, ap);
	n = vsnprintf(NULL, 0, fmt, ap2);
	va_end(ap2);
	if (n < 0)
		abort();
	p = arena_alloc(a, (size_t)n + 1);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	return p;
}

/* The slot behind the last one kept takes what is over the limit, so that report_add never returns NULL. */
static bool
is_kept(const struct report *r, const struct finding *f)
{
	return f != r->items + REPORT_MAX;
}

static struct finding *
slot_for(struct report *r)
{
	if (r->n >= REPORT_MAX)
		return &r->items[REPORT_MAX];
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 8;

		if (cap > REPORT_MAX)
			cap = REPORT_MAX;
		r->items = arena_regrow(r->mem, r->items, r->n, cap + 1, sizeof(struct finding));
		r->cap = cap;
	}
	return &r->items[r->n++];
}

struct finding *
report_add(struct report *r, enum finding_code code, enum severity s, struct place at, const char *fmt, ...)
{
	struct finding *f = slot_for(r);
	va_list ap;

	if (s == SEVERITY_ERROR)
		r->errors++;
	else
		r->warnings++;
	*f = (struct finding){ .code = code, .severity = s, .at = at, .message = "" };
	if (!is_kept(r, f))
		return f;
	va_start(ap, fmt);
	f->message = vcopy(r->mem, fmt, ap);
	va_end(ap);
	return f;
}

void
finding_help(struct report *r, struct finding *f, const char *fmt, ...)
{
	va_list ap;

	if (!is_kept(r, f))
		return;
	va_start(ap, fmt);
	f->help = vcopy(r->mem, fmt, ap);
	va_end(ap);
}

void
finding_note(struct report *r, struct finding *f, const char *fmt, ...)
{
	va_list ap;

	if (!is_kept(r, f))
		return;
	va_start(ap, fmt);
	f->note = vcopy(r->mem, fmt, ap);
	va_end(ap);
}

static int
compare_text(const char *x, const char *y)
{
	return strcmp(x ? x : "", y ? y : "");
}

static int
compare(const struct finding *x, const struct finding *y)
{
	int c = compare_text(x->at.file, y->at.file);

	if (c)
		return c;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.col != y->at.col)
		return x->at.col < y->at.col ? -1 : 1;
	if (x->code != y->code)
		return x->code < y->code ? -1 : 1;
	if (x->severity != y->severity)
		return x->severity < y->severity ? -1 : 1;
	if ((c = compare_text(x->message, y->message)) || (c = compare_text(x->help, y->help)))
		return c;
	return compare_text(x->note, y->note);
}

static int
by_place(const void *x, const void *y)
{
	return compare(x, y);
}

void
report_sort(struct report *r)
{
	size_t n = 0;

	if (r->n > 1)
		qsort(r->items, r->n, sizeof(*r->items), by_place);
	for (size_t i = 0; i < r->n; i++) {
		if (n && compare(&r->items[n - 1], &r->items[i]) == 0) {
			if (r->items[i].severity == SEVERITY_ERROR)
				r->errors--;
			else
				r->warnings--;
			continue;
		}
		r->items[n++] = r->items[i];
	}
	r->n = n;
}

const char *
finding_id(enum finding_code code)
{
	return code < FINDING_COUNT ? catalogue[code].id : "E000";
}

const char *
finding_title(enum finding_code code)
{
	return code < FINDING_COUNT ? catalogue[code].title : "";
}

const char *
finding_why(enum finding_code code)
{
	return code < FINDING_COUNT ? catalogue[code].why : "";
}

struct value *
report_value(struct arena *mem, const struct report *r)
{
	struct value *list = value_list(mem);

	for (size_t i = 0; i < r->n; i++) {
		const struct finding *f = &r->items[i];
		struct value *v = value_map(mem);

		value_set(mem, v, "code", value_str(mem, finding_id(f->code)));
		value_set(mem, v, "severity", value_str(mem, f->severity == SEVERITY_ERROR ? "error" : "warning"));
		value_set(mem, v, "file", f->at.file ? value_str(mem, f->at.file) : value_null(mem));
		value_set(mem, v, "line", value_int(mem, f->at.line));
		value_set(mem, v, "column", value_int(mem, f->at.col));
		value_set(mem, v, "message", value_str(mem, f->message));
		value_set(mem, v, "help", f->help ? value_str(mem, f->help) : value_null(mem));
		value_set(mem, v, "note", f->note ? value_str(mem, f->note) : value_null(mem));
		value_push(mem, list, v);
	}
	return list;
}

void
report_copy(struct report *r, const struct report *from)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct finding *f = &from->items[i];
		struct place at = f->at;
		struct finding *g;

		/* neighbours are mostly of one file: copy its name once */
		if (at.file && r->n && r->items[r->n - 1].at.file && strcmp(r->items[r->n - 1].at.file, at.file) == 0)
			at.file = r->items[r->n - 1].at.file;
		else if (at.file)
			at.file = arena_strdup(r->mem, at.file);
		g = report_add(r, f->code, f->severity, at, "%s", f->message);
		g->width = f->width;
		if (f->help)
			finding_help(r, g, "%s", f->help);
		if (f->note)
			finding_note(r, g, "%s", f->note);
	}
}
