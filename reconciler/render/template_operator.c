/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling of operators: their properties, binders, conditions. */
#include <stdlib.h>
#include <string.h>

#include "render/template_compile.h"

static const char *
scan_name(const char *s)
{
	if (!(((*s | 32) >= 'a' && (*s | 32) <= 'z') || *s == '_'))
		return NULL;
	while (((*s | 32) >= 'a' && (*s | 32) <= 'z') || *s == '_' || (*s >= '0' && *s <= '9'))
		s++;
	return s;
}

/* "each(x, i)": the names between the brackets, or 0 when the key is not of that form. */
static unsigned
parse_binder(struct compiler *c, const struct operator_ *row, const char *key, const char *vars[3])
{
	size_t word = row->binder ? strlen(row->binder) : 0;
	const char *s = key + word;
	unsigned n = 0;

	if (!word || strncmp(key, row->binder, word) != 0 || *s++ != '(')
		return 0;
	for (;;) {
		const char *stop = scan_name(s);

		if (!stop || n == row->vars_max)
			return 0;
		vars[n++] = arena_strndup(c->mem, s, (size_t)(stop - s));
		s = stop + strspn(stop, " ");
		if (*s == ')')
			break;
		if (*s++ != ',')
			return 0;
		s += strspn(s, " ");
	}
	return s[1] == '\0' && n >= row->vars_min ? n : 0;
}

static int
compare_members(const void *x, const void *y)
{
	const struct member *const *a = x, *const *b = y;

	return strcmp((*a)->key, (*b)->key);
}

/* Every property must be the operator's own; the others are named, sorted. Finds the binder on the way. */
static int
check_properties(struct compiler *c, const struct value *v, const struct operator_ *row, struct op_node *op,
                 const struct member **binder)
{
	const struct member **unknown;
	char *names, *p;
	size_t n = 0, len = 1;
	int rc = compile_room(c, v->at, v->map.n, sizeof(struct member *));

	if (rc < 0)
		return rc;
	unknown = arena_array(c->mem, v->map.n, sizeof(struct member *));
	*binder = NULL;
	for (size_t i = 0; i < v->map.n; i++) {
		const struct member *m = &v->map.items[i];

		if (!strcmp(m->key, row->name) || (row->props[0] && !strcmp(m->key, row->props[0])) ||
		    (row->props[1] && !strcmp(m->key, row->props[1])))
			continue;
		if (!*binder && (rc = compile_room(c, m->at, strlen(m->key), 2)) < 0)
			return rc;
		if (!*binder && parse_binder(c, row, m->key, op->vars)) {
			*binder = m;
			continue;
		}
		unknown[n++] = m;
		len += strlen(m->key) + 1;
	}
	if (!n)
		return 0;
	if ((rc = compile_room(c, unknown[0]->at, len, 1)) < 0)
		return rc;
	qsort(unknown, n, sizeof(struct member *), compare_members);
	names = p = arena_alloc(c->mem, len);
	for (size_t i = 0; i < n; i++) {
		size_t k = strlen(unknown[i]->key);

		*p++ = ' ';
		memcpy(p, unknown[i]->key, k);
		p += k;
	}
	return FAIL(c, unknown[0]->at, "%s has undefined properties:%s", row->name, names);
}

static int
compile_formula(struct compiler *c, const struct value *v, const char *message, struct formula *out)
{
	if (v->type != VALUE_STR)
		return FAIL(c, v->at, "%s", message);
	return compile_placed(c, v->at, expr_parse(c->mem, v->str.s, v->str.len, NULL, out, c->e));
}

static int
compare_entries(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	return strcmp(a->key, b->key);
}

/* {condition: value}, conditions sorted so that the outcome does not depend on how the file is written. */
static int
compile_cases(struct compiler *c, const struct value *v, const struct operator_ *row, struct op_node *op)
{
	bool fallback = !strcmp(row->name, "$switch");
	int rc;

	if (v->type != VALUE_MAP)
		return FAIL(c, v->at, "%s", row->operand_message);
	if ((rc = compile_room(c, v->at, v->map.n, sizeof(struct entry) + sizeof(struct formula))) < 0)
		return rc;
	op->cases = arena_array(c->mem, v->map.n, sizeof(struct entry));
	op->conditions = arena_array(c->mem, v->map.n, sizeof(struct formula));
	for (size_t i = 0; i < v->map.n; i++) {
		const struct member *m = &v->map.items[i];
		struct node *n;

		if ((rc = node_compile(c, m->value, &n)) < 0)
			return rc;
		if (fallback && !strcmp(m->key, "$default"))
			op->no = n;
		else
			op->cases[op->n++] = (struct entry){ .key = m->key, .at = m->at, .value = n };
	}
	if (op->n)
		qsort(op->cases, op->n, sizeof(struct entry), compare_entries);
	for (size_t i = 0; i < op->n; i++) {
		const char *key = op->cases[i].key;

		rc = expr_parse(c->mem, key, strlen(key), NULL, &op->conditions[i], c->e);
		if (rc < 0)
			return compile_placed(c, op->cases[i].at, rc);
	}
	return 0;
}

static int
compile_properties(struct compiler *c, const struct value *v, const struct operator_ *row, const struct member *binder,
                   struct op_node *op)
{
	struct node **slots[2] = { &op->yes, &op->no };
	int rc;

	for (size_t i = 0; i < 2; i++) {
		const struct value *prop = row->props[i] ? value_get(v, row->props[i]) : NULL;

		if (prop && (rc = node_compile(c, prop, slots[i])) < 0)
			return rc;
	}
	if (!binder)
		return 0;
	if (!strcmp(row->name, "$find") || !strcmp(row->name, "$sort"))
		return compile_formula(c, binder->value, "each can evaluate string expressions only", &op->formula);
	return node_compile(c, binder->value, &op->yes);
}

int
operator_compile(struct compiler *c, const struct value *v, const struct member *m, const struct operator_ *row,
           struct node **out)
{
	struct node *n = node_new(c, NODE_OP, v->at);
	struct op_node *op = arena_alloc(c->mem, sizeof(*op));
	const struct member *binder;
	int rc;

	op->row = row;
	n->op = op;
	if ((rc = check_properties(c, v, row, op, &binder)) < 0)
		return rc;
	if (row->exactly && v->map.n != row->exactly)
		return FAIL(c, v->at, "%s must have exactly %s properties", row->name, row->exactly == 2 ? "two" : "three");
	if (!strcmp(row->name, "$let")) {
		if (m->value->type != VALUE_MAP)
			return FAIL(c, m->value->at, "%s", row->operand_message);
		if (!value_get(v, "in"))
			return FAIL(c, v->at, "$let operator requires an `in` clause");
	}
	if (row->operand_is_formula)
		rc = compile_formula(c, m->value, row->operand_message, &op->formula);
	else if (row->operand_is_cases)
		rc = compile_cases(c, m->value, row, op);
	else
		rc = node_compile(c, m->value, &op->value);
	if (rc < 0 || (rc = compile_properties(c, v, row, binder, op)) < 0)
		return rc;
	*out = n;
	return 0;
}
