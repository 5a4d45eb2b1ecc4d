/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: evaluation. */
#include <math.h>
#include <string.h>

#include "render/builtin.h"
#include "render/template_node.h"

static int eval(struct render *r, const struct scope *s, const struct expr *x, struct value **out) MUST_USE;

/* Shared by all results; nobody changes scalars. */
static struct value constant_true = { .type = VALUE_BOOL, .boolean = true };
static struct value constant_false = { .type = VALUE_BOOL, .boolean = false };
static struct value constant_null = { .type = VALUE_NULL };

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

static bool
is_number(const struct value *v)
{
	return v->type == VALUE_INT || v->type == VALUE_REAL;
}

bool
value_truthy(const struct value *v)
{
	if (v->type == VALUE_NULL)
		return false;
	if (v->type == VALUE_BOOL)
		return v->boolean;
	if (is_number(v))
		return number_of(v) != 0.0;
	if (v->type == VALUE_FUNCTION)
		return true;
	return value_len(v) > 0;
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
	int rc = render_steps(r, s->height / 8);
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

	if ((rc = eval(r, s, x->a, &v)) < 0)
		return rc;
	if (x->kind == EXPR_NOT) {
		*out = truth(!value_truthy(v));
		return 0;
	}
	if (!is_number(v))
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
	double x, y, d;
	int64_t i;

	if (kind == EXPR_ADD && a->type == VALUE_STR && b->type == VALUE_STR)
		return eval_concat(r, a, b, out);
	if (!is_number(a) || !is_number(b)) {
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
	d = kind == EXPR_ADD ? x + y : kind == EXPR_SUB ? x - y : kind == EXPR_MUL ? x * y : kind == EXPR_DIV ? x / y : pow(x, y);
	return number_make(r, d, out);
}

static int
compare_numbers(const struct value *a, const struct value *b)
{
	double x, y;

	if (a->type == VALUE_INT && b->type == VALUE_INT)
		return (a->integer > b->integer) - (a->integer < b->integer);
	x = number_of(a);
	y = number_of(b);
	return (x > y) - (x < y);
}

static int
compare_strings(const struct value *a, const struct value *b)
{
	size_t n = a->str.len < b->str.len ? a->str.len : b->str.len;
	int c = n ? memcmp(a->str.s, b->str.s, n) : 0;

	return c ? c : (a->str.len > b->str.len) - (a->str.len < b->str.len);
}

static int
eval_order(struct render *r, enum expr_kind kind, const struct value *a, const struct value *b, struct value **out)
{
	const char *sign = operators[kind];
	int c, rc;

	if (is_number(a) && is_number(b)) {
		c = compare_numbers(a, b);
	} else if (a->type == VALUE_STR && b->type == VALUE_STR) {
		if ((rc = render_steps(r, (a->str.len < b->str.len ? a->str.len : b->str.len) / 256)) < 0)
			return rc;
		c = compare_strings(a, b);
	} else {
		return render_fail(r, "infix: %s expects numbers/strings %s numbers/strings", sign, sign);
	}
	*out = truth(kind == EXPR_LT ? c < 0 : kind == EXPR_GT ? c > 0 : kind == EXPR_LE ? c <= 0 : c >= 0);
	return 0;
}

static int
equal_at(struct render *r, const struct value *x, const struct value *y, unsigned depth, bool *out)
{
	int rc;

	*out = false;
	if ((rc = render_steps(r, 1)) < 0)
		return rc;
	if (depth > r->depth_max)
		return render_fail(r, "compared values are nested deeper than the limit of %u", r->depth_max);
	if (is_number(x) && is_number(y)) {
		*out = compare_numbers(x, y) == 0;
		return 0;
	}
	if (x->type != y->type)
		return 0;
	if (x->type == VALUE_STR) {
		if (x->str.len == y->str.len && (rc = render_steps(r, x->str.len / 256)) == 0)
			*out = compare_strings(x, y) == 0;
		return rc;
	}
	if (x->type == VALUE_BOOL || x->type == VALUE_NULL || x->type == VALUE_FUNCTION) {
		*out = x->type == VALUE_NULL || (x->type == VALUE_BOOL ? x->boolean == y->boolean : x == y);
		return 0;
	}
	if (value_len(x) != value_len(y))
		return 0;
	*out = true;
	for (size_t i = 0; i < value_len(x) && *out; i++) {
		const struct value *a, *b;

		a = x->type == VALUE_LIST ? x->list.items[i] : x->map.items[i].value;
		b = x->type == VALUE_LIST ? y->list.items[i] : value_get(y, x->map.items[i].key);
		if (!b)
			*out = false;
		else if ((rc = equal_at(r, a, b, depth + 1, out)) < 0)
			return rc;
	}
	return 0;
}

int
render_equal(struct render *r, const struct value *x, const struct value *y, bool *out)
{
	return equal_at(r, x, y, 0, out);
}

static int
eval_in(struct render *r, const struct value *a, const struct value *b, struct value **out)
{
	bool found = false;
	int rc;

	if (b->type == VALUE_MAP) {
		if (a->type != VALUE_STR)
			return render_fail(r, "Infix: in-object expects string on left side");
		found = strlen(a->str.s) == a->str.len && value_get(b, a->str.s);
	} else if (b->type == VALUE_STR) {
		if (a->type != VALUE_STR)
			return render_fail(r, "Infix: in-string expects string on left side");
		if ((rc = render_steps(r, b->str.len / 64)) < 0)
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

	if ((rc = eval(r, s, x->a, &a)) < 0)
		return rc;
	if ((x->kind == EXPR_OR && value_truthy(a)) || (x->kind == EXPR_AND && !value_truthy(a))) {
		*out = truth(x->kind == EXPR_OR);
		return 0;
	}
	if ((rc = eval(r, s, x->b, &b)) < 0)
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
eval_dot(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	struct value *of, *v;
	int rc;

	if ((rc = eval(r, s, x->a, &of)) < 0)
		return rc;
	if (of->type != VALUE_MAP)
		return render_fail(r, "infix: . expects objects");
	if (!(v = value_get(of, x->name)))
		return render_fail(r, "object has no property \"%s\"", x->name);
	*out = v;
	return 0;
}

/* Bytes of the first `count` characters. */
static size_t
utf8_skip(const char *s, size_t len, size_t count)
{
	size_t i = 0;

	while (i < len && count--) {
		i++;
		while (i < len && ((unsigned char)s[i] & 0xc0) == 0x80)
			i++;
	}
	return i;
}

static size_t
utf8_count(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static int
subject_length(struct render *r, const struct value *of, size_t *n)
{
	int rc = 0;

	if (of->type == VALUE_LIST) {
		*n = of->list.n;
	} else {
		rc = render_steps(r, of->str.len / 64);
		*n = utf8_count(of->str.s, of->str.len);
	}
	return rc;
}

static int
substring(struct render *r, const struct value *of, size_t from, size_t to, struct value **out)
{
	size_t first = utf8_skip(of->str.s, of->str.len, from);
	size_t len = utf8_skip(of->str.s + first, of->str.len - first, to - from);

	return render_str(r, of->str.s + first, len, out);
}

static int
eval_index(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	struct value *of, *at;
	int64_t i;
	size_t n;
	int rc;

	if ((rc = eval(r, s, x->a, &of)) < 0 || (rc = eval(r, s, x->b, &at)) < 0)
		return rc;
	if (of->type == VALUE_MAP) {
		if (at->type != VALUE_STR)
			return render_fail(r, "object keys must be strings");
		*out = strlen(at->str.s) == at->str.len ? value_get(of, at->str.s) : NULL;
		if (!*out)
			*out = &constant_null;
		return 0;
	}
	if (of->type != VALUE_LIST && of->type != VALUE_STR)
		return render_fail(r, "infix: \"[..]\" expects object, array, or string");
	if (at->type != VALUE_INT)
		return render_fail(r, "should only use integers to access arrays or strings");
	if ((rc = subject_length(r, of, &n)) < 0)
		return rc;
	i = at->integer < 0 ? at->integer + (int64_t)n : at->integer;
	if (i < 0 || i >= (int64_t)n)
		return render_fail(r, "index out of bounds");
	if (of->type == VALUE_STR)
		return substring(r, of, (size_t)i, (size_t)i + 1, out);
	*out = of->list.items[i];
	return 0;
}

/* One end of a slice: its value clamped to 0..n, or `fallback` when it is left out. */
static int
slice_end(struct render *r, const struct scope *s, const struct expr *x, size_t n, size_t fallback, size_t *out)
{
	struct value *v;
	int64_t i;
	int rc;

	*out = fallback;
	if (!x)
		return 0;
	if ((rc = eval(r, s, x, &v)) < 0)
		return rc;
	if (v->type != VALUE_INT)
		return render_fail(r, "cannot perform interval access with non-integers");
	i = v->integer < 0 ? v->integer + (int64_t)n : v->integer;
	*out = i < 0 ? 0 : i > (int64_t)n ? n : (size_t)i;
	return 0;
}

static int
eval_slice(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	size_t n, from, to;
	struct value *of;
	int rc;

	if ((rc = eval(r, s, x->a, &of)) < 0)
		return rc;
	if (of->type == VALUE_MAP)
		return render_fail(r, "object keys must be strings");
	if (of->type != VALUE_LIST && of->type != VALUE_STR)
		return render_fail(r, "infix: \"[..]\" expects object, array, or string");
	if ((rc = subject_length(r, of, &n)) < 0 || (rc = slice_end(r, s, x->b, n, 0, &from)) < 0 ||
	    (rc = slice_end(r, s, x->c, n, n, &to)) < 0)
		return rc;
	if (from > to)
		from = to;
	if (of->type == VALUE_STR)
		return substring(r, of, from, to, out);
	if ((rc = render_list(r, to - from, out)) < 0)
		return rc;
	for (size_t i = from; i < to; i++)
		(*out)->list.items[(*out)->list.n++] = of->list.items[i];
	return 0;
}

static int
eval_call(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	struct value *f, *args[BUILTIN_ARGS_MAX];
	struct builtin_call call = { r, s, args, x->n };
	const struct builtin *b;
	int rc;

	if ((rc = eval(r, s, x->a, &f)) < 0)
		return rc;
	if (!(b = builtin_of(f))) {
		if (f->type == VALUE_STR)
			return render_fail(r, "%.80s is not callable", f->str.s);
		return render_fail(r, "%s is not callable", value_kind_name(f));
	}
	for (size_t i = 0; i < x->n; i++) {
		if ((rc = eval(r, s, x->items[i], &args[i])) < 0)
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
		if ((rc = eval(r, s, x->items[i], &item)) < 0)
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
		if ((rc = eval(r, s, x->items[i], &item)) < 0 || (rc = render_room(r, strlen(x->keys[i]))) < 0)
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
		return eval_dot(r, s, x, out);
	case EXPR_INDEX:
		return eval_index(r, s, x, out);
	case EXPR_SLICE:
		return eval_slice(r, s, x, out);
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

static int
eval(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
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
	rc = eval(r, s, f->root, out);
	r->formula = NULL;
	return rc;
}
