/* SPDX-License-Identifier: Apache-2.0 */
/* Builtins: the table, the checks on arguments, and the arithmetic ones. */
#include "render/builtin.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "render/template_node.h"

#define RANGE_INT_MAX ((int64_t)1 << 53)

static int
builtin_extreme(const struct builtin_call *c, double sign, struct value **out)
{
	struct value *best = c->args[0];

	for (size_t i = 1; i < c->n; i++) {
		const struct value *v = c->args[i];
		bool exact = v->type == VALUE_INT && best->type == VALUE_INT;

		if (exact ? (sign > 0 ? v->integer > best->integer : v->integer < best->integer)
		          : sign * number_of(v) > sign * number_of(best))
			best = c->args[i];
	}
	*out = best;
	return 0;
}

static int
builtin_max(const struct builtin_call *c, struct value **out)
{
	return builtin_extreme(c, 1.0, out);
}

static int
builtin_min(const struct builtin_call *c, struct value **out)
{
	return builtin_extreme(c, -1.0, out);
}

static int
builtin_sqrt(const struct builtin_call *c, struct value **out)
{
	return number_make(c->r, sqrt(number_of(c->args[0])), out);
}

static int
builtin_round(const struct builtin_call *c, double (*fn)(double), struct value **out)
{
	if (c->args[0]->type == VALUE_INT) {
		*out = c->args[0];
		return 0;
	}
	return number_make(c->r, fn(c->args[0]->real), out);
}

static int
builtin_ceil(const struct builtin_call *c, struct value **out)
{
	return builtin_round(c, ceil, out);
}

static int
builtin_floor(const struct builtin_call *c, struct value **out)
{
	return builtin_round(c, floor, out);
}

static int
builtin_abs(const struct builtin_call *c, struct value **out)
{
	const struct value *v = c->args[0];

	if (v->type == VALUE_INT && v->integer > INT64_MIN) {
		*out = value_int(c->r->mem, v->integer < 0 ? -v->integer : v->integer);
		return 0;
	}
	return number_make(c->r, fabs(number_of(v)), out);
}

static int
builtin_range(const struct builtin_call *c, struct value **out)
{
	int64_t v[3] = { 0, 0, 1 }, n = 0;
	struct value *list;
	int rc;

	for (size_t i = 0; i < c->n; i++) {
		if (c->args[i]->type != VALUE_INT || c->args[i]->integer > RANGE_INT_MAX ||
		    c->args[i]->integer < -RANGE_INT_MAX)
			return builtin_fail(c, "range", "argument %zu is not an integer", i + 1);
		v[i] = c->args[i]->integer;
	}
	if (v[2] == 0)
		return builtin_fail(c, "range", "the step is 0");
	if (v[2] > 0 ? v[1] > v[0] : v[1] < v[0])
		n = v[2] > 0 ? (v[1] - v[0] - 1) / v[2] + 1 : (v[0] - v[1] - 1) / -v[2] + 1;
	if ((rc = render_room(c->r, (size_t)n * sizeof(struct value))) < 0 ||
	    (rc = render_list(c->r, (size_t)n, &list)) < 0)
		return rc;
	for (int64_t i = 0; i < n; i++)
		list->list.items[list->list.n++] = value_int(c->r->mem, v[0] + i * v[2]);
	*out = list;
	return 0;
}

static int
builtin_typeof(const struct builtin_call *c, struct value **out)
{
	const char *name = value_kind_name(c->args[0]);

	return render_str(c->r, name, strlen(name), out);
}

static int
builtin_defined(const struct builtin_call *c, struct value **out)
{
	const struct value *name = c->args[0];

	*out = value_bool(c->r->mem, strlen(name->str.s) == name->str.len &&
	                                 (scope_find(c->r, c->scope, name->str.s) || builtin_find(name->str.s)));
	return 0;
}

#define SCALAR (IS_STR | IS_NUM | IS_BOOL | IS_NULL)

/* Sorted by name. */
static const struct builtin builtins[] = {
	{ "abs", builtin_abs, 1, 1, false, { IS_NUM, 0, 0 } },
	{ "ceil", builtin_ceil, 1, 1, false, { IS_NUM, 0, 0 } },
	{ "defined", builtin_defined, 1, 1, false, { IS_STR, 0, 0 } },
	{ "floor", builtin_floor, 1, 1, false, { IS_NUM, 0, 0 } },
	{ "fromNow", builtin_from_now, 1, 2, true, { IS_STR, IS_STR, 0 } },
	{ "join", builtin_join, 2, 2, false, { IS_LIST, IS_STR | IS_NUM, 0 } },
	{ "len", builtin_len, 1, 1, false, { IS_STR | IS_LIST, 0, 0 } },
	{ "lowercase", builtin_lowercase, 1, 1, false, { IS_STR, 0, 0 } },
	{ "lstrip", builtin_lstrip, 1, 1, false, { IS_STR, 0, 0 } },
	{ "max", builtin_max, 1, BUILTIN_ARGS_MAX, true, { IS_NUM, IS_NUM, IS_NUM } },
	{ "min", builtin_min, 1, BUILTIN_ARGS_MAX, true, { IS_NUM, IS_NUM, IS_NUM } },
	{ "number", builtin_number, 1, 1, false, { IS_STR, 0, 0 } },
	{ "range", builtin_range, 2, 3, true, { IS_NUM, IS_NUM, IS_NUM } },
	{ "rstrip", builtin_rstrip, 1, 1, false, { IS_STR, 0, 0 } },
	{ "split", builtin_split, 2, 2, false, { IS_STR, IS_STR | IS_NUM, 0 } },
	{ "sqrt", builtin_sqrt, 1, 1, false, { IS_NUM, 0, 0 } },
	{ "str", builtin_str, 1, 1, false, { SCALAR, 0, 0 } },
	{ "strip", builtin_strip, 1, 1, false, { IS_STR, 0, 0 } },
	{ "typeof", builtin_typeof, 1, 1, false, { IS_ANY, 0, 0 } },
	{ "uppercase", builtin_uppercase, 1, 1, false, { IS_STR, 0, 0 } },
};

#define BUILTINS (sizeof(builtins) / sizeof(builtins[0]))

/* A function as a value: its identity is its place in this table. Never written to. */
#define F(n) { .type = (enum value_type)VALUE_FUNCTION, .integer = (n) }
static struct value functions[BUILTINS] = { F(0),  F(1),  F(2),  F(3),  F(4),  F(5),  F(6),  F(7),  F(8),  F(9),
	                                    F(10), F(11), F(12), F(13), F(14), F(15), F(16), F(17), F(18), F(19) };
#undef F

const struct builtin *
builtin_find(const char *name)
{
	size_t lo = 0, hi = BUILTINS;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(name, builtins[mid].name);

		if (c == 0)
			return &builtins[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

struct value *
builtin_value(const struct builtin *b)
{
	return &functions[b - builtins];
}

const struct builtin *
builtin_of(const struct value *v)
{
	return v->type == VALUE_FUNCTION ? &builtins[v->integer] : NULL;
}

static const struct {
	unsigned bit;
	const char *name;
} kinds[VALUE_TYPE_COUNT + 1] = {
	[VALUE_NULL] = { IS_NULL, "null" },   [VALUE_BOOL] = { IS_BOOL, "boolean" }, [VALUE_INT] = { IS_NUM, "number" },
	[VALUE_REAL] = { IS_NUM, "number" },  [VALUE_STR] = { IS_STR, "string" },    [VALUE_LIST] = { IS_LIST, "array" },
	[VALUE_MAP] = { IS_MAP, "object" },   [VALUE_FUNCTION] = { IS_FUNCTION, "function" },
};

unsigned
value_kind_bit(const struct value *v)
{
	return kinds[v->type].bit;
}

const char *
value_kind_name(const struct value *v)
{
	return kinds[v->type].name;
}

int
builtin_fail(const struct builtin_call *c, const char *name, const char *fmt, ...)
{
	char why[160];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (n < 0)
		why[0] = '\0';
	return render_fail(c->r, "invalid arguments to builtin: %s (%s)", name, why);
}

int
builtin_invoke(const struct builtin *b, const struct builtin_call *c, struct value **out)
{
	size_t read = 0;
	int rc;

	if (c->n < b->min && b->variadic)
		return render_fail(c->r, "invalid arguments to builtin: %s: expected at least %u arguments", b->name, b->min);
	if (c->n < b->min || c->n > b->max)
		return builtin_fail(c, b->name, "%zu given, takes %u to %u", c->n, b->min, b->max);
	for (size_t i = 0; i < c->n; i++) {
		unsigned want = b->types[i < 2 ? i : 2];

		if (c->args[i]->type == VALUE_STR)
			read += c->args[i]->str.len;
		if (!(value_kind_bit(c->args[i]) & want))
			return builtin_fail(c, b->name, "argument %zu is of type %s", i + 1, value_kind_name(c->args[i]));
	}
	if ((rc = render_steps(c->r, STEPS_FOR_BYTES(read))) < 0)
		return rc;
	return b->fn(c, out);
}
