/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: one walk over the document turns it into nodes; what has no operator stays the value it is. */
#include "render/template.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "render/template_node.h"

/* Documents are read with a depth of 100; this only bounds the stack for values made otherwise. */
#define DOCUMENT_DEPTH_MAX 200

/* Kept free beside what is asked for: a node, an operator, its names. */
#define COMPILE_ROOM 4096

struct compiler {
	struct arena *mem;
	struct err *e;
	unsigned depth;
};

static int compile(struct compiler *c, const struct value *v, struct node **out) MUST_USE;

int
place_wrap(struct err *e, struct place at)
{
	const char *file = at.file ? at.file : "template";

	if (at.line)
		return err_wrap(e, "%s:%u:%u", file, (unsigned)at.line, (unsigned)at.col);
	return err_wrap(e, "%s", file);
}

/* err_set has been called: puts the place in front. */
static int
placed(struct compiler *c, struct place at, int rc)
{
	if (rc < 0)
		(void)place_wrap(c->e, at);
	return rc;
}

#define FAIL(c, at, ...) placed((c), (at), err_set((c)->e, ERR_INVALID, __VA_ARGS__))

static struct value *
shared(const struct value *v)
{
	/* results are made of pointers to mutable values by type only: nobody changes them */
	union {
		const struct value *in;
		struct value *out;
	} u = { .in = v };

	return u.out;
}

/* The arena aborts when it is full: what a document can make grow is checked before. */
static int
room(struct compiler *c, struct place at, size_t n, size_t size)
{
	size_t left = arena_room(c->mem);

	if (left > COMPILE_ROOM && n <= (left - COMPILE_ROOM) / size)
		return 0;
	return FAIL(c, at, "template needs more memory than the limit");
}

static struct node *
node_new(struct compiler *c, enum node_kind kind, struct place at)
{
	struct node *n = arena_alloc(c->mem, sizeof(*n));

	n->kind = kind;
	n->at = at;
	return n;
}

static struct node *
node_constant(struct compiler *c, const struct value *v)
{
	struct node *n = node_new(c, NODE_CONST, v->at);

	n->constant = shared(v);
	return n;
}

/* The next "${" in s, or NULL. */
static const char *
find_open(const char *s, const char *end)
{
	return end > s ? memmem(s, (size_t)(end - s), "${", 2) : NULL;
}

static void
piece_add(struct compiler *c, struct text *t, size_t *cap, struct piece piece)
{
	if (!piece.formula.root && !piece.len)
		return;
	if (t->n == *cap) {
		size_t grown = *cap ? *cap * 2 : 4;

		t->items = arena_regrow(c->mem, t->items, t->n, grown, sizeof(struct piece));
		*cap = grown;
	}
	t->items[t->n++] = piece;
}

/* Splits a string at its interpolations; "$${" stands for "${". */
static int
compile_text(struct compiler *c, struct place at, const char *s, size_t len, struct text *out)
{
	const char *end = s + len, *open;
	struct text t = { NULL, 0 };
	size_t cap = 0, used;
	int rc;

	while ((open = find_open(s, end))) {
		struct piece piece = { .s = s, .len = (size_t)(open - s) };

		/* three pieces a turn, in an array that doubles */
		if ((rc = room(c, at, t.n + 8, 3 * sizeof(piece))) < 0)
			return rc;

		if (open > s && open[-1] == '$') {
			piece.len--;
			piece_add(c, &t, &cap, piece);
			piece_add(c, &t, &cap, (struct piece){ .s = "${", .len = 2 });
			s = open + 2;
			continue;
		}
		piece_add(c, &t, &cap, piece);
		piece = (struct piece){ .s = NULL };
		rc = expr_parse(c->mem, open + 2, (size_t)(end - open - 2), &used, &piece.formula, c->e);
		if (rc < 0)
			return placed(c, at, rc);
		piece_add(c, &t, &cap, piece);
		s = open + 2 + used + 1;
	}
	piece_add(c, &t, &cap, (struct piece){ .s = s, .len = (size_t)(end - s) });
	*out = t;
	return 0;
}

/* The text when it holds no expression after all (only escapes), else NULL. */
static char *
text_plain(struct compiler *c, const struct text *t, size_t *len)
{
	char *s, *p;

	*len = 0;
	for (size_t i = 0; i < t->n; i++) {
		if (t->items[i].formula.root)
			return NULL;
		*len += t->items[i].len;
	}
	s = p = arena_alloc(c->mem, *len + 1);
	for (size_t i = 0; i < t->n; i++) {
		memcpy(p, t->items[i].s, t->items[i].len);
		p += t->items[i].len;
	}
	return s;
}

static int
compile_str(struct compiler *c, const struct value *v, struct node **out)
{
	struct text t;
	struct value *made;
	size_t len;
	char *plain;
	int rc;

	if (!find_open(v->str.s, v->str.s + v->str.len)) {
		*out = node_constant(c, v);
		return 0;
	}
	if ((rc = compile_text(c, v->at, v->str.s, v->str.len, &t)) < 0 || (rc = room(c, v->at, v->str.len, 2)) < 0)
		return rc;
	if ((plain = text_plain(c, &t, &len))) {
		made = value_strn(c->mem, plain, len);
		made->at = v->at;
		*out = node_constant(c, made);
		return 0;
	}
	*out = node_new(c, NODE_TEXT, v->at);
	(*out)->text = t;
	return 0;
}

static int
compile_list(struct compiler *c, const struct value *v, struct node **out)
{
	struct node *n = node_new(c, NODE_LIST, v->at);
	bool constant = true, same = true;
	int rc = room(c, v->at, v->list.n, 4 * sizeof(struct node *));

	if (rc < 0)
		return rc;
	n->list.n = v->list.n;
	n->list.items = arena_array(c->mem, v->list.n, sizeof(struct node *));
	for (size_t i = 0; i < v->list.n; i++) {
		if ((rc = compile(c, v->list.items[i], &n->list.items[i])) < 0)
			return rc;
		constant = constant && n->list.items[i]->kind == NODE_CONST;
		same = same && constant && n->list.items[i]->constant == v->list.items[i];
	}
	if (constant && !same) {
		struct value *made = value_list(c->mem);

		if ((rc = room(c, v->at, v->list.n, 4 * sizeof(struct node *))) < 0)
			return rc;
		made->at = v->at;
		for (size_t i = 0; i < v->list.n; i++)
			value_push(c->mem, made, n->list.items[i]->constant);
		v = made;
	}
	*out = constant ? node_constant(c, v) : n;
	return 0;
}

/* True for "$name", which is reserved for operators. */
static bool
is_reserved(const char *key)
{
	if (key[0] != '$' || !((key[1] | 32) >= 'a' && (key[1] | 32) <= 'z'))
		return false;
	for (const char *s = key + 2; *s; s++) {
		if (!((*s | 32) >= 'a' && (*s | 32) <= 'z') && !(*s >= '0' && *s <= '9'))
			return false;
	}
	return true;
}

static int
compile_key(struct compiler *c, const struct member *m, struct entry *en)
{
	size_t len = strlen(m->key);
	int rc;

	en->at = m->at;
	en->key = m->key;
	if (m->key[0] == '$' && m->key[1] == '$') {
		en->key = m->key + 1;
		return 0;
	}
	if (is_reserved(m->key)) {
		const char *near = operator_nearest(m->key);

		rc = FAIL(c, m->at, "$<identifier> is reserved; use $$<identifier> (no operator \"%s\")", m->key);
		if (near)
			(void)err_hint(c->e, "did you mean \"%s\"?", near);
		return rc;
	}
	if (!find_open(m->key, m->key + len))
		return 0;
	if ((rc = compile_text(c, m->at, m->key, len, &en->text)) < 0 || (rc = room(c, m->at, len, 2)) < 0)
		return rc;
	en->key = text_plain(c, &en->text, &len);
	return 0;
}

static int
compile_map(struct compiler *c, const struct value *v, struct node **out)
{
	struct node *n = node_new(c, NODE_MAP, v->at);
	bool constant = true, same = true;
	int rc = room(c, v->at, v->map.n, sizeof(struct entry));

	if (rc < 0)
		return rc;
	n->map.n = v->map.n;
	n->map.items = arena_array(c->mem, v->map.n, sizeof(struct entry));
	for (size_t i = 0; i < v->map.n; i++) {
		struct entry *en = &n->map.items[i];

		if ((rc = compile_key(c, &v->map.items[i], en)) < 0 ||
		    (rc = compile(c, v->map.items[i].value, &en->value)) < 0)
			return rc;
		n->map.bytes += 4 * sizeof(struct member) + (en->key ? strlen(en->key) : 0);
		constant = constant && en->key && en->value->kind == NODE_CONST;
		same = same && constant && en->key == v->map.items[i].key && en->value->constant == v->map.items[i].value;
	}
	if (constant && !same) {
		struct value *made = value_map(c->mem);

		if ((rc = room(c, v->at, n->map.bytes, 2)) < 0)
			return rc;
		made->at = v->at;
		for (size_t i = 0; i < v->map.n; i++) {
			const struct entry *en = &n->map.items[i];

			value_set_at(c->mem, made, en->key, en->at, en->value->constant);
		}
		v = made;
	}
	*out = constant ? node_constant(c, v) : n;
	return 0;
}

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
	int rc = room(c, v->at, v->map.n, sizeof(struct member *));

	if (rc < 0)
		return rc;
	unknown = arena_array(c->mem, v->map.n, sizeof(struct member *));
	*binder = NULL;
	for (size_t i = 0; i < v->map.n; i++) {
		const struct member *m = &v->map.items[i];

		if (!strcmp(m->key, row->name) || (row->props[0] && !strcmp(m->key, row->props[0])) ||
		    (row->props[1] && !strcmp(m->key, row->props[1])))
			continue;
		if (!*binder && (rc = room(c, m->at, strlen(m->key), 2)) < 0)
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
	if ((rc = room(c, unknown[0]->at, len, 1)) < 0)
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
	return placed(c, v->at, expr_parse(c->mem, v->str.s, v->str.len, NULL, out, c->e));
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
	if ((rc = room(c, v->at, v->map.n, sizeof(struct entry) + sizeof(struct formula))) < 0)
		return rc;
	op->cases = arena_array(c->mem, v->map.n, sizeof(struct entry));
	op->conditions = arena_array(c->mem, v->map.n, sizeof(struct formula));
	for (size_t i = 0; i < v->map.n; i++) {
		const struct member *m = &v->map.items[i];
		struct node *n;

		if ((rc = compile(c, m->value, &n)) < 0)
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
			return placed(c, op->cases[i].at, rc);
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

		if (prop && (rc = compile(c, prop, slots[i])) < 0)
			return rc;
	}
	if (!binder)
		return 0;
	if (!strcmp(row->name, "$find") || !strcmp(row->name, "$sort"))
		return compile_formula(c, binder->value, "each can evaluate string expressions only", &op->formula);
	return compile(c, binder->value, &op->yes);
}

static int
compile_op(struct compiler *c, const struct value *v, const struct member *m, const struct operator_ *row,
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
		rc = compile(c, m->value, &op->value);
	if (rc < 0 || (rc = compile_properties(c, v, row, binder, op)) < 0)
		return rc;
	*out = n;
	return 0;
}

static int
compile_object(struct compiler *c, const struct value *v, struct node **out)
{
	const struct operator_ *row = NULL;
	const struct member *at = NULL;

	for (size_t i = 0; i < v->map.n; i++) {
		const struct operator_ *found;

		if (v->map.items[i].key[0] != '$' || !(found = operator_find(v->map.items[i].key)))
			continue;
		if (row)
			return FAIL(c, v->map.items[i].at, "only one operator allowed (%s and %s)", row->name, found->name);
		row = found;
		at = &v->map.items[i];
	}
	return row ? compile_op(c, v, at, row, out) : compile_map(c, v, out);
}

static int
compile(struct compiler *c, const struct value *v, struct node **out)
{
	int rc = 0;

	if (c->depth >= DOCUMENT_DEPTH_MAX)
		return FAIL(c, v->at, "template nested deeper than the limit of %d", DOCUMENT_DEPTH_MAX);
	if ((rc = room(c, v->at, 1, sizeof(struct node))) < 0)
		return rc;
	c->depth++;
	if (v->type == VALUE_STR)
		rc = compile_str(c, v, out);
	else if (v->type == VALUE_LIST)
		rc = compile_list(c, v, out);
	else if (v->type == VALUE_MAP)
		rc = compile_object(c, v, out);
	else
		*out = node_constant(c, v);
	c->depth--;
	return rc;
}

int
template_compile(struct arena *mem, const struct value *document, struct template **out, struct err *e)
{
	struct err unheard;
	struct compiler c = { mem, e ? e : &unheard, 0 };
	struct template *t;
	struct node *root;
	int rc;

	if ((rc = compile(&c, document, &root)) < 0)
		return rc;
	t = arena_alloc(mem, sizeof(*t));
	t->root = root;
	*out = t;
	return 0;
}
