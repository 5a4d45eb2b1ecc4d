/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: a Pratt parser. */
#include "render/expr.h"

#include <stdlib.h>
#include <string.h>

#include "render/builtin.h"
#include "render/expr_token.h"

/* Binding powers; `right` differs from left + 1 for the right-associative one. */
static const struct {
	const char *text;
	enum expr_kind kind;
	unsigned left, right;
} infixes[] = {
	{ "||", EXPR_OR, 1, 2 },   { "&&", EXPR_AND, 2, 3 },  { "in", EXPR_IN, 3, 4 },   { "==", EXPR_EQ, 4, 5 },
	{ "!=", EXPR_NE, 4, 5 },   { "<", EXPR_LT, 5, 6 },    { ">", EXPR_GT, 5, 6 },    { "<=", EXPR_LE, 5, 6 },
	{ ">=", EXPR_GE, 5, 6 },   { "+", EXPR_ADD, 6, 7 },   { "-", EXPR_SUB, 6, 7 },   { "*", EXPR_MUL, 7, 8 },
	{ "/", EXPR_DIV, 7, 8 },   { "**", EXPR_POW, 8, 8 },
};

/* Kept free beside what is asked for: a node, its value, a name. */
#define EXPR_ROOM 1024

static const char wants_value[] = "!, (, +, -, [, false, identifier, null, number, string, true, {";
static const char wants_infix[] = "!=, &&, (, *, **, +, -, ., /, <, <=, ==, >, >=, [, in, ||";

static int parse_binary(struct parser *p, unsigned power, unsigned depth, struct expr **out) MUST_USE;

/* The arena aborts when it is full: what a document can make grow is checked before. */
static int
room(struct parser *p, size_t n)
{
	if (arena_room(p->mem) >= n + EXPR_ROOM)
		return 0;
	return err_set(p->e, ERR_INVALID, "expression needs more memory than the limit");
}

static int
expr_new(struct parser *p, enum expr_kind kind, struct expr *a, struct expr *b, struct expr **out)
{
	struct expr *x;
	int rc = room(p, 2 * p->t.len);

	if (rc < 0)
		return rc;
	x = arena_alloc(p->mem, sizeof(*x));
	x->kind = kind;
	x->a = a;
	x->b = b;
	x->height = 1 + (a ? a->height : 0);
	if (b && b->height >= x->height)
		x->height = b->height + 1;
	if (x->height > EXPR_HEIGHT_MAX)
		return err_set(p->e, ERR_INVALID, "expression nested deeper than the limit of %d", EXPR_HEIGHT_MAX);
	*out = x;
	return 0;
}

/* Items of a list, a map or a call count for the height of what holds them. */
static int
expr_add(struct parser *p, struct expr *x, const char *key, struct expr *item, size_t *cap)
{
	if (x->n == *cap) {
		size_t grown = *cap ? *cap * 2 : 4;
		int rc = room(p, grown * 2 * sizeof(struct expr *));

		if (rc < 0)
			return rc;

		x->items = arena_regrow(p->mem, x->items, x->n, grown, sizeof(struct expr *));
		if (x->kind == EXPR_MAP)
			x->keys = arena_regrow(p->mem, x->keys, x->n, grown, sizeof(const char *));
		*cap = grown;
	}
	if (x->kind == EXPR_MAP)
		x->keys[x->n] = key;
	x->items[x->n++] = item;
	if (item->height >= x->height)
		x->height = item->height + 1;
	if (x->height > EXPR_HEIGHT_MAX)
		return err_set(p->e, ERR_INVALID, "expression nested deeper than the limit of %d", EXPR_HEIGHT_MAX);
	return 0;
}

static struct value *
number_constant(struct parser *p)
{
	char *text = arena_strndup(p->mem, p->t.s, p->t.len);
	int64_t i = 0;
	double d;

	if (!memchr(text, '.', p->t.len)) {
		bool over = false;

		for (const char *s = text; *s && !over; s++)
			over = __builtin_mul_overflow(i, 10, &i) || __builtin_add_overflow(i, *s - '0', &i);
		if (!over)
			return value_int(p->mem, i);
	}
	d = strtod(text, NULL);
	if (d < 9007199254740992.0 && d == (double)(int64_t)d)
		return value_int(p->mem, (int64_t)d);
	return value_real(p->mem, d);
}

static int
parse_constant(struct parser *p, struct expr **out)
{
	struct value *v;
	int rc = room(p, 2 * p->t.len);

	if (rc < 0)
		return rc;
	switch (p->t.kind) {
	case T_NUMBER:
		v = number_constant(p);
		if (v->type == VALUE_REAL && v->real > 1.7976931348623157e308)
			return err_set(p->e, ERR_INVALID, "number is out of range");
		break;
	case T_STRING:
		v = value_strn(p->mem, p->t.s + 1, p->t.len - 2);
		break;
	case T_TRUE:
	case T_FALSE:
		v = value_bool(p->mem, p->t.kind == T_TRUE);
		break;
	default:
		v = value_null(p->mem);
		break;
	}
	if ((rc = expr_new(p, EXPR_CONST, NULL, NULL, out)) < 0)
		return rc;
	(*out)->constant = v;
	return token_next(p);
}

static int
parse_name(struct parser *p, struct expr **out)
{
	int rc = expr_new(p, EXPR_NAME, NULL, NULL, out);

	if (rc < 0)
		return rc;
	(*out)->name = arena_strndup(p->mem, p->t.s, p->t.len);
	(*out)->n = p->t.len;
	(*out)->builtin = builtin_find((*out)->name);
	return token_next(p);
}

/* The items of [..] and f(..) up to and with `close`. */
static int
parse_items(struct parser *p, const char *close, unsigned depth, struct expr *x)
{
	size_t cap = 0;
	int rc;

	if (token_is(p, close))
		return token_next(p);
	for (;;) {
		struct expr *item;

		if ((rc = parse_binary(p, 0, depth, &item)) < 0 || (rc = expr_add(p, x, NULL, item, &cap)) < 0)
			return rc;
		if (!token_is(p, ","))
			return token_take(p, close);
		if ((rc = token_next(p)) < 0)
			return rc;
	}
}

static int
parse_member(struct parser *p, unsigned depth, struct expr *x, size_t *cap)
{
	bool quoted = p->t.kind == T_STRING;
	struct expr *item;
	const char *key;
	int rc;

	if (!quoted && p->t.kind != T_NAME)
		return token_unexpected(p, "identifier, string, }");
	if ((rc = room(p, p->t.len)) < 0)
		return rc;
	key = quoted ? arena_strndup(p->mem, p->t.s + 1, p->t.len - 2) : arena_strndup(p->mem, p->t.s, p->t.len);
	if (strlen(key) != (quoted ? p->t.len - 2 : p->t.len))
		return err_set(p->e, ERR_INVALID, "object key holds a NUL");
	if ((rc = token_next(p)) < 0 || (rc = token_take(p, ":")) < 0 || (rc = parse_binary(p, 0, depth, &item)) < 0)
		return rc;
	return expr_add(p, x, key, item, cap);
}

static int
parse_map(struct parser *p, unsigned depth, struct expr **out)
{
	size_t cap = 0;
	int rc;

	if ((rc = expr_new(p, EXPR_MAP, NULL, NULL, out)) < 0 || (rc = token_next(p)) < 0)
		return rc;
	while (!token_is(p, "}")) {
		if ((rc = parse_member(p, depth, *out, &cap)) < 0)
			return rc;
		if (!token_is(p, "}") && (rc = token_take(p, ",")) < 0)
			return rc;
	}
	return token_next(p);
}

static int
parse_unit(struct parser *p, unsigned depth, struct expr **out)
{
	int rc;

	if (p->t.kind == T_NAME)
		return parse_name(p, out);
	if (p->t.kind != T_PUNCT && p->t.kind != T_END && p->t.kind != T_IN)
		return parse_constant(p, out);
	if (token_is(p, "(")) {
		if ((rc = token_next(p)) < 0 || (rc = parse_binary(p, 0, depth, out)) < 0)
			return rc;
		return token_take(p, ")");
	}
	if (token_is(p, "[")) {
		if ((rc = expr_new(p, EXPR_LIST, NULL, NULL, out)) < 0 || (rc = token_next(p)) < 0)
			return rc;
		return parse_items(p, "]", depth, *out);
	}
	if (token_is(p, "{"))
		return parse_map(p, depth, out);
	return token_unexpected(p, wants_value);
}

/* Behind '[': an index or a slice. */
static int
parse_brackets(struct parser *p, unsigned depth, struct expr *of, struct expr **out)
{
	struct expr *from = NULL, *to = NULL;
	bool slice = false;
	int rc;

	if (!token_is(p, ":") && (rc = parse_binary(p, 0, depth, &from)) < 0)
		return rc;
	if (token_is(p, ":")) {
		slice = true;
		if ((rc = token_next(p)) < 0 || (!token_is(p, "]") && (rc = parse_binary(p, 0, depth, &to)) < 0))
			return rc;
	}
	if ((rc = expr_new(p, slice ? EXPR_SLICE : EXPR_INDEX, of, from, out)) < 0)
		return rc;
	(*out)->c = to;
	if (to && to->height >= (*out)->height)
		(*out)->height = to->height + 1;
	return token_take(p, "]");
}

static int
parse_postfix(struct parser *p, unsigned depth, struct expr **out)
{
	struct expr *x;
	int rc = parse_unit(p, depth, &x);

	while (rc == 0 && (token_is(p, ".") || token_is(p, "[") || token_is(p, "("))) {
		char c = *p->t.s;
		struct expr *of = x;

		if ((rc = token_next(p)) < 0)
			break;
		if (c == '[') {
			rc = parse_brackets(p, depth, of, &x);
		} else if (c == '(') {
			if ((rc = expr_new(p, EXPR_CALL, of, NULL, &x)) == 0)
				rc = parse_items(p, ")", depth, x);
			if (rc == 0 && x->n > BUILTIN_ARGS_MAX)
				rc = err_set(p->e, ERR_INVALID, "more than %d arguments", BUILTIN_ARGS_MAX);
		} else if (p->t.kind != T_NAME) {
			rc = token_unexpected(p, "identifier");
		} else if ((rc = expr_new(p, EXPR_DOT, of, NULL, &x)) == 0) {
			x->name = arena_strndup(p->mem, p->t.s, p->t.len);
			x->n = p->t.len;
			rc = token_next(p);
		}
	}
	if (rc == 0)
		*out = x;
	return rc;
}

static int
parse_prefix(struct parser *p, unsigned depth, struct expr **out)
{
	enum expr_kind kind = token_is(p, "!") ? EXPR_NOT : token_is(p, "+") ? EXPR_PLUS : EXPR_MINUS;
	struct expr *of;
	int rc;

	if (depth > EXPR_HEIGHT_MAX)
		return err_set(p->e, ERR_INVALID, "expression nested deeper than the limit of %d", EXPR_HEIGHT_MAX);
	if (kind == EXPR_MINUS && !token_is(p, "-"))
		return parse_postfix(p, depth + 1, out);
	if ((rc = token_next(p)) < 0 || (rc = parse_prefix(p, depth + 1, &of)) < 0)
		return rc;
	return expr_new(p, kind, of, NULL, out);
}

static int
parse_binary(struct parser *p, unsigned power, unsigned depth, struct expr **out)
{
	struct expr *left;
	int rc = parse_prefix(p, depth, &left);

	while (rc == 0) {
		size_t i = 0, n = sizeof(infixes) / sizeof(infixes[0]);
		struct expr *right;

		while (i < n && !token_is(p, infixes[i].text))
			i++;
		if (i == n || infixes[i].left < power)
			break;
		if ((rc = token_next(p)) == 0 && (rc = parse_binary(p, infixes[i].right, depth + 1, &right)) == 0)
			rc = expr_new(p, infixes[i].kind, left, right, &left);
	}
	if (rc == 0)
		*out = left;
	return rc;
}

int
expr_parse(struct arena *mem, const char *text, size_t len, size_t *used, struct formula *out, struct err *e)
{
	struct parser p = { mem, e, text, text + len, text, { T_END, text, 0 } };
	struct expr *root;
	int rc;

	if ((rc = token_next(&p)) < 0 || (rc = parse_binary(&p, 0, 0, &root)) < 0)
		return rc;
	if (used) {
		if (p.t.kind == T_END)
			return err_set(e, ERR_INVALID, "unterminated ${..} expression");
		if (!token_is(&p, "}"))
			return token_unexpected(&p, wants_infix);
		*used = (size_t)(p.t.s - text);
	} else if (p.t.kind != T_END) {
		return token_unexpected(&p, wants_infix);
	}
	out->root = root;
	out->text = text;
	out->len = used ? *used : len;
	return 0;
}
