/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: evaluation. */
#include <math.h>
#include <string.h>

#include "render/builtin.h"
#include "render/expr_eval.h"

/* Shared by all results; nobody changes scalars. */
static struct value constant_true = { .type = VALUE_BOOL, .boolean = true };
static struct value constant_false = { .type = VALUE_BOOL, .boolean = false };

static const char *const operators[EXPR_KIND_COUNT] = {
	[EXPR_NOT] = "!",  [EXPR_PLUS] = "+", [EXPR_MINUS] = "-", [EXPR_OR] = "||", [EXPR_AND] = "&&", [EXPR_IN] = "in",
	[EXPR_EQ] = "==",  [EXPR_NE] = "!=",  [EXPR_LT] = "<",    [EXPR_GT] = ">",  [EXPR_LE] = "<=",  [EXPR_GE] = ">=",
	[EXPR_ADD] = "+",  [EXPR_SUB] = "-",  [EXPR_MUL] = "*",   [EXPR_DIV] = "/", [EXPR_POW] = "**",
};

static struct value *
truth(bool b)
{
	return b ? &constant_true : &constant_false;
}

struct value *
scope_find(const struct render *r, const struct scope *s, const char *name)
{
	for (; s; s = s->up) {
		struct value *v;

		for (size_t i = 0; i < 3 && s->names[i]; i++) {
			if (!strcmp(s->names[i], name))
				return s->values[i];
		}
		if (s->map && (v = value_get(s->map, name)))
			return v;
	}
	return r->now && !strcmp(name, "now") ? r->now : NULL;
}

static int
eval_name(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	int rc = render_steps(r, s->height / 8 + STEPS_FOR_BYTES(x->n));
	struct value *v = scope_find(r, s, x->name);

	if (rc < 0)
		return rc;
	if (!v && x->builtin)
		v = builtin_value(x->builtin);
	if (!v && !strcmp(x->name, "now"))
		return render_fail(r, "unknown context value now (this rendering has no clock)");
	if (!v)
		return render_fail(r, "unknown context value %s", x->name);
	*out = v;
	return 0;
}

static int
eval_unary(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	struct value *v;
	int64_t i;
	int rc;

	if ((rc = expr_eval(r, s, x->a, &v)) < 0)
		return rc;
	if (x->kind == EXPR_NOT) {
		*out = truth(!value_truthy(v));
		return 0;
	}
	if (!value_is_number(v))
		return render_fail(r, "unary %s expects number", operators[x->kind]);
	if (x->kind == EXPR_PLUS) {
		*out = v;
		return 0;
	}
	if (v->type == VALUE_INT && !__builtin_sub_overflow(0, v->integer, &i)) {
		*out = value_int(r->mem, i);
		return 0;
	}
	return number_make(r, -number_of(v), out);
}

/* Exact where both are integers and so is the result; otherwise -1, and doubles decide. */
static int
integer_result(enum expr_kind kind, int64_t a, int64_t b, int64_t *out)
{
	if (kind == EXPR_ADD)
		return __builtin_add_overflow(a, b, out) ? -1 : 0;
	if (kind == EXPR_SUB)
		return __builtin_sub_overflow(a, b, out) ? -1 : 0;
	if (kind == EXPR_MUL)
		return __builtin_mul_overflow(a, b, out) ? -1 : 0;
	if (kind == EXPR_DIV) {
		if (b == -1 || a % b != 0)
			return b == -1 && !__builtin_sub_overflow(0, a, out) ? 0 : -1;
		*out = a / b;
		return 0;
	}
	if (b < 0)
		return -1;
	for (*out = 1; b > 0; b--) {
		if (__builtin_mul_overflow(*out, a, out))
			return -1;
		if (*out == 0 || (*out == 1 && a == 1))
			return 0;
		if (a == -1) {
			*out = b % 2 ? -1 : 1;
			return 0;
		}
	}
	return 0;
}

static double
double_result(enum expr_kind kind, double x, double y)
{
	if (kind == EXPR_ADD)
		return x + y;
	if (kind == EXPR_SUB)
		return x - y;
	if (kind == EXPR_MUL)
		return x * y;
	return kind == EXPR_DIV ? x / y : pow(x, y);
}

static int
eval_concat(struct render *r, const struct value *a, const struct value *b, struct value **out)
{
	size_t from = r->scratch.len;
	int rc;

	if ((rc = render_put(r, a->str.s, a->str.len)) < 0 || (rc = render_put(r, b->str.s, b->str.len)) < 0)
		return rc;
	return render_take(r, from, out);
}

static int
eval_arithmetic(struct render *r, enum expr_kind kind, const struct value *a, const struct value *b, struct value **out)
{
	const char *sign = operators[kind];
	double x, y;
	int64_t i;

	if (kind == EXPR_ADD && a->type == VALUE_STR && b->type == VALUE_STR)
		return eval_concat(r, a, b, out);
	if (!value_is_number(a) || !value_is_number(b)) {
		if (kind == EXPR_ADD)
			return render_fail(r, "infix: + expects numbers/strings + numbers/strings");
		return render_fail(r, "infix: %s expects number %s number", sign, sign);
	}
	x = number_of(a);
	y = number_of(b);
	if (kind == EXPR_DIV && y == 0.0)
		return render_fail(r, "division by zero");
	if (a->type == VALUE_INT && b->type == VALUE_INT && integer_result(kind, a->integer, b->integer, &i) == 0) {
		*out = value_int(r->mem, i);
		return 0;
	}
	return number_make(r, double_result(kind, x, y), out);
}

static int
eval_order(struct render *r, enum expr_kind kind, const struct value *a, const struct value *b, struct value **out)
{
	const char *sign = operators[kind];
	int c, rc;

	if (value_is_number(a) && value_is_number(b)) {
		c = number_order(a, b);
	} else if (a->type == VALUE_STR && b->type == VALUE_STR) {
		if ((rc = render_steps(r, STEPS_FOR_BYTES(a->str.len < b->str.len ? a->str.len : b->str.len))) < 0)
			return rc;
		c = string_order(a, b);
	} else {
		return render_fail(r, "infix: %s expects numbers/strings %s numbers/strings", sign, sign);
	}
	*out = truth(kind == EXPR_LT ? c < 0 : kind == EXPR_GT ? c > 0 : kind == EXPR_LE ? c <= 0 : c >= 0);
	return 0;
}

static int
eval_in(struct render *r, const struct value *a, const struct value *b, struct value **out)
{
	bool found = false;
	int rc;

	if (b->type == VALUE_MAP) {
		if (a->type != VALUE_STR)
			return render_fail(r, "Infix: in-object expects string on left side");
		if ((rc = render_steps(r, STEPS_FOR_BYTES(a->str.len))) < 0)
			return rc;
		found = strlen(a->str.s) == a->str.len && value_get(b, a->str.s);
	} else if (b->type == VALUE_STR) {
		if (a->type != VALUE_STR)
			return render_fail(r, "Infix: in-string expects string on left side");
		if ((rc = render_steps(r, STEPS_FOR_BYTES(b->str.len))) < 0)
			return rc;
		found = !a->str.len || memmem(b->str.s, b->str.len, a->str.s, a->str.len);
	} else if (b->type == VALUE_LIST) {
		for (size_t i = 0; i < b->list.n && !found; i++) {
			if ((rc = render_equal(r, a, b->list.items[i], &found)) < 0)
				return rc;
		}
	} else {
		return render_fail(r, "Infix: in expects Array, string, or object on right side");
	}
	*out = truth(found);
	return 0;
}

static int
eval_binary(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	struct value *a, *b;
	bool same;
	int rc;

	if ((rc = expr_eval(r, s, x->a, &a)) < 0)
		return rc;
	if ((x->kind == EXPR_OR && value_truthy(a)) || (x->kind == EXPR_AND && !value_truthy(a))) {
		*out = truth(x->kind == EXPR_OR);
		return 0;
	}
	if ((rc = expr_eval(r, s, x->b, &b)) < 0)
		return rc;
	if (x->kind == EXPR_OR || x->kind == EXPR_AND) {
		*out = truth(value_truthy(b));
		return 0;
	}
	if (x->kind == EXPR_IN)
		return eval_in(r, a, b, out);
	if (x->kind >= EXPR_LT && x->kind <= EXPR_GE)
		return eval_order(r, x->kind, a, b, out);
	if (x->kind >= EXPR_ADD)
		return eval_arithmetic(r, x->kind, a, b, out);
	if ((rc = render_equal(r, a, b, &same)) < 0)
		return rc;
	*out = truth(same == (x->kind == EXPR_EQ));
	return 0;
}

static int
eval_call(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	struct value *f, *args[BUILTIN_ARGS_MAX];
	struct builtin_call call = { r, s, args, x->n };
	const struct builtin *b;
	int rc;

	if ((rc = expr_eval(r, s, x->a, &f)) < 0)
		return rc;
	if (!(b = builtin_of(f))) {
		if (f->type == VALUE_STR)
			return render_fail(r, "%.80s is not callable", f->str.s);
		return render_fail(r, "%s is not callable", value_kind_name(f));
	}
	for (size_t i = 0; i < x->n; i++) {
		if ((rc = expr_eval(r, s, x->items[i], &args[i])) < 0)
			return rc;
	}
	return builtin_invoke(b, &call, out);
}

static int
eval_list(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	struct value *list, *item;
	int rc;

	if ((rc = render_list(r, x->n, &list)) < 0)
		return rc;
	for (size_t i = 0; i < x->n; i++) {
		if ((rc = expr_eval(r, s, x->items[i], &item)) < 0)
			return rc;
		list->list.items[list->list.n++] = item;
	}
	*out = list;
	return 0;
}

static int
eval_map(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	struct value *map = value_map(r->mem), *item;
	int rc;

	if ((rc = render_room(r, x->n * 4 * sizeof(struct member))) < 0)
		return rc;
	for (size_t i = 0; i < x->n; i++) {
		if ((rc = expr_eval(r, s, x->items[i], &item)) < 0 || (rc = render_room(r, strlen(x->keys[i]))) < 0)
			return rc;
		value_set(r->mem, map, x->keys[i], item);
	}
	*out = map;
	return 0;
}

static int
eval_kind(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	switch (x->kind) {
	case EXPR_CONST:
		*out = x->constant;
		return 0;
	case EXPR_NAME:
		return eval_name(r, s, x, out);
	case EXPR_NOT:
	case EXPR_PLUS:
	case EXPR_MINUS:
		return eval_unary(r, s, x, out);
	case EXPR_DOT:
		return expr_dot(r, s, x, out);
	case EXPR_INDEX:
		return expr_index(r, s, x, out);
	case EXPR_SLICE:
		return expr_slice(r, s, x, out);
	case EXPR_CALL:
		return eval_call(r, s, x, out);
	case EXPR_LIST:
		return eval_list(r, s, x, out);
	case EXPR_MAP:
		return eval_map(r, s, x, out);
	default:
		return eval_binary(r, s, x, out);
	}
}

int
expr_eval(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	int rc;

	if ((rc = render_steps(r, 1)) < 0)
		return rc;
	if (r->depth >= r->depth_max)
		return render_fail(r, "nested deeper than the limit of %u (depth)", r->depth_max);
	r->depth++;
	rc = eval_kind(r, s, x, out);
	r->depth--;
	return rc;
}

int
formula_eval(struct render *r, const struct scope *s, const struct formula *f, struct value **out)
{
	int rc;

	r->formula = f;
	rc = expr_eval(r, s, f->root, out);
	r->formula = NULL;
	return rc;
}
