/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: truth, order and equality of values. */
#include <string.h>

#include "render/builtin.h"
#include "render/template_node.h"

bool
value_is_number(const struct value *v)
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
	if (value_is_number(v))
		return number_of(v) != 0.0;
	if (v->type == VALUE_FUNCTION)
		return true;
	return value_len(v) > 0;
}

int
number_order(const struct value *a, const struct value *b)
{
	double x, y;

	if (a->type == VALUE_INT && b->type == VALUE_INT)
		return (a->integer > b->integer) - (a->integer < b->integer);
	x = number_of(a);
	y = number_of(b);
	return (x > y) - (x < y);
}

int
string_order(const struct value *a, const struct value *b)
{
	size_t n = a->str.len < b->str.len ? a->str.len : b->str.len;
	int c = n ? memcmp(a->str.s, b->str.s, n) : 0;

	return c ? c : (a->str.len > b->str.len) - (a->str.len < b->str.len);
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
	if (value_is_number(x) && value_is_number(y)) {
		*out = number_order(x, y) == 0;
		return 0;
	}
	if (x->type != y->type)
		return 0;
	if (x->type == VALUE_STR) {
		if (x->str.len == y->str.len && (rc = render_steps(r, STEPS_FOR_BYTES(x->str.len))) == 0)
			*out = string_order(x, y) == 0;
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

		if (x->type == VALUE_MAP && (rc = render_steps(r, STEPS_FOR_BYTES(strlen(x->map.items[i].key)))) < 0)
			return rc;
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
