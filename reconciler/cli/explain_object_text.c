/* SPDX-License-Identifier: Apache-2.0 */
/* How the rows of berth render --explain are shown. */
#include "cli/explain_object_text.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/json.h"

#define VALUE_WIDTH 88 /* bytes of a value that are shown */
#define SHOWN 4        /* inputs; -o json has them all */

struct explain_row *
explain_row_new(struct arena *mem, struct explain_rows *rows)
{
	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? 2 * rows->cap : 64;

		rows->items = arena_regrow(mem, rows->items, rows->n, cap, sizeof(*rows->items));
		rows->cap = cap;
	}
	rows->items[rows->n] = arena_alloc(mem, sizeof(struct explain_row));
	rows->items[rows->n]->number = rows->n;
	return rows->items[rows->n++];
}

static int
order(const void *a, const void *b)
{
	const struct explain_row *x = *(struct explain_row *const *)a, *y = *(struct explain_row *const *)b;
	int c;

	if (!x->at.file != !y->at.file)
		return x->at.file ? -1 : 1;
	if (x->at.file && (c = strcmp(x->at.file, y->at.file)) != 0)
		return c;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

void
explain_rows_sort(struct explain_rows *rows)
{
	if (rows->n)
		qsort(rows->items, rows->n, sizeof(*rows->items), order);
}

/* One line, whatever the value is. */
static const char *
shown(struct arena *mem, const struct value *v)
{
	struct buf b AUTO_BUF = BUF_INIT(0);
	size_t n;

	json_write(v, 0, &b);
	n = VALUE_WIDTH;
	if (b.len <= VALUE_WIDTH + 12)
		return arena_strdup(mem, buf_cstr(&b));
	while (n && ((unsigned char)b.data[n] & 0xc0) == 0x80)
		n--;
	return arena_printf(mem, "%.*s\xe2\x80\xa6 (%zu bytes)", (int)n, buf_cstr(&b), b.len);
}

/* Without the name, which stands in front. */
static const char *
item_shown(struct arena *mem, const struct value *item)
{
	struct value *v = value_overlay(mem, item, value_map(mem));

	(void)value_del(v, "name");
	return shown(mem, v);
}

/* "spec.resources.gpu envs/alice/train.yaml:9" */
static const char *
input_text(struct arena *mem, const struct explain_input *in)
{
	const char *spec = in->field ? strchr(in->field, '.') : NULL;
	const char *name = !in->field ? "" : str_starts(in->field, "env.") ? spec + 1 : in->field;

	return arena_printf(mem, "%s%s%s:%u", name, *name ? " " : "", in->at.file, in->at.line);
}

static void
add_sources(struct arena *mem, const struct explain_row *r, struct buf *out)
{
	size_t shown_n = 0, written = 0;
	bool fallback = false;

	for (size_t i = 0; i < r->n; i++) {
		written += r->inputs[i].set && r->inputs[i].at.line;
		fallback |= r->inputs[i].set && !r->inputs[i].at.line;
	}
	for (size_t i = 0; i < r->nvars && r->inputs[0].field; i++)
		buf_printf(out, "%s%s", i ? ", " : "  <- ", r->vars[i]);
	for (size_t i = 0; i < r->n && shown_n < SHOWN; i++)
		if (r->inputs[i].set && r->inputs[i].at.line)
			buf_printf(out, "%s%s", shown_n++ ? ", " : "  <- ", input_text(mem, &r->inputs[i]));
	if (written > shown_n)
		buf_printf(out, " and %zu more", written - shown_n);
	if (!written && fallback)
		buf_printf(out, "  <- default of berth");
}

static void
row_text(struct arena *mem, const struct explain_row *r, bool same_line, struct buf *out)
{
	if (r->at.file && !same_line)
		buf_printf(out, "%5u  ", r->at.line);
	else
		buf_str(out, "       ");
	buf_printf(out, "%s: %s", r->item ? r->item : r->path, r->item ? item_shown(mem, r->item_value) : shown(mem, r->value));
	if (r->n)
		add_sources(mem, r, out);
	else if (r->nvars)
		for (size_t i = 0; i < r->nvars; i++)
			buf_printf(out, "%s%s", i ? ", " : "  <- ", r->vars[i]);
	buf_char(out, '\n');
}

void
explain_rows_text(struct arena *mem, const struct explain_rows *rows, const char *unit, const struct object *o, struct buf *out)
{
	const struct explain_row *last = NULL;

	if (out->len)
		buf_char(out, '\n');
	buf_printf(out, "%s/%s of %s (%s/%s)\n", o->kind, o->name, unit, unit, o->file);
	for (size_t i = 0; i < rows->n; i++) {
		const struct explain_row *r = rows->items[i];
		bool same = last && str_eq(last->at.file, r->at.file);

		if (last && r->item && last->item && strcmp(r->item, last->item) == 0 && r->item_value == last->item_value)
			continue; /* the whole item stands there already */
		if (!same && r->at.file)
			buf_printf(out, "%s\n", r->at.file);
		else if (!r->at.file && (!last || last->at.file))
			buf_str(out, "set afterwards by berth\n");
		row_text(mem, r, same && last->at.line == r->at.line, out);
		last = r;
	}
}

static void
put_place(struct arena *mem, struct value *to, struct place at)
{
	value_set(mem, to, "file", value_str(mem, at.file));
	value_set(mem, to, "line", value_int(mem, at.line));
	value_set(mem, to, "column", value_int(mem, at.col));
}

static struct value *
row_value(struct arena *mem, const struct explain_row *r)
{
	struct value *out = value_map(mem), *vars = value_list(mem), *inputs = value_list(mem), *template = value_map(mem);

	value_set(mem, out, "field", value_str(mem, r->path));
	value_set(mem, out, "value", value_copy(mem, r->value));
	if (r->at.file) {
		put_place(mem, template, r->at);
		value_set(mem, out, "template", template);
	} else {
		value_set(mem, out, "setBy", value_str(mem, "berth"));
	}
	for (size_t i = 0; i < r->nvars; i++)
		value_push(mem, vars, value_str(mem, r->vars[i]));
	value_set(mem, out, "variables", vars);
	for (size_t i = 0; i < r->n; i++) {
		struct value *in = value_map(mem);

		if (r->inputs[i].field)
			value_set(mem, in, "field", value_str(mem, r->inputs[i].field));
		if (r->inputs[i].set && r->inputs[i].at.line)
			put_place(mem, in, r->inputs[i].at);
		else
			value_set(mem, in, "from", value_str(mem, r->inputs[i].set ? "default" : "absent"));
		value_push(mem, inputs, in);
	}
	value_set(mem, out, "inputs", inputs);
	return out;
}

struct value *
explain_rows_value(struct arena *mem, const struct explain_rows *rows, const char *unit, const struct object *o)
{
	struct value *out = value_map(mem), *fields = value_list(mem);

	value_set(mem, out, "object", value_fmt(mem, "%s/%s", o->kind, o->name));
	value_set(mem, out, "unit", value_str(mem, unit));
	value_set(mem, out, "file", value_fmt(mem, "%s/%s", unit, o->file));
	for (size_t i = 0; i < rows->n; i++)
		value_push(mem, fields, row_value(mem, rows->items[i]));
	value_set(mem, out, "fields", fields);
	return out;
}
