/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: members, items and slices. */
#include <string.h>

#include "render/expr_eval.h"

/* Shared by all results; nobody changes scalars. */
static struct value constant_null = { .type = VALUE_NULL };

int
expr_dot(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	struct value *of, *v;
	int rc;

	if ((rc = expr_eval(r, s, x->a, &of)) < 0 || (rc = render_steps(r, STEPS_FOR_BYTES(x->n))) < 0)
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
		rc = render_steps(r, STEPS_FOR_BYTES(of->str.len));
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

int
expr_index(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	struct value *of, *at;
	int64_t i;
	size_t n;
	int rc;

	if ((rc = expr_eval(r, s, x->a, &of)) < 0 || (rc = expr_eval(r, s, x->b, &at)) < 0)
		return rc;
	if (of->type == VALUE_MAP) {
		if (at->type != VALUE_STR)
			return render_fail(r, "object keys must be strings");
		if ((rc = render_steps(r, STEPS_FOR_BYTES(at->str.len))) < 0)
			return rc;
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
	if ((rc = expr_eval(r, s, x, &v)) < 0)
		return rc;
	if (v->type != VALUE_INT)
		return render_fail(r, "cannot perform interval access with non-integers");
	i = v->integer < 0 ? v->integer + (int64_t)n : v->integer;
	*out = i < 0 ? 0 : i > (int64_t)n ? n : (size_t)i;
	return 0;
}

int
expr_slice(struct render *r, const struct scope *s, const struct expr *x, struct value **out)
{
	size_t n, from, to;
	struct value *of;
	int rc;

	if ((rc = expr_eval(r, s, x->a, &of)) < 0)
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
