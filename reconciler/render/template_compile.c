/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: one walk over the document turns it into nodes; what has no operator stays the value it is. */
#include "render/template.h"

#include <string.h>

#include "render/template_compile.h"

/* Documents are read with a depth of 100; this only bounds the stack for values made otherwise. */
#define DOCUMENT_DEPTH_MAX 200

/* Kept free beside what is asked for: a node, an operator, its names. */
#define COMPILE_ROOM 4096

int
place_wrap(struct err *e, struct place at)
{
	const char *file = at.file ? at.file : "template";

	if (at.line)
		return err_wrap(e, "%s:%u:%u", file, (unsigned)at.line, (unsigned)at.col);
	return err_wrap(e, "%s", file);
}

int
compile_placed(struct compiler *c, struct place at, int rc)
{
	if (rc < 0)
		(void)place_wrap(c->e, at);
	return rc;
}

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

int
compile_room(struct compiler *c, struct place at, size_t n, size_t size)
{
	size_t left = arena_room(c->mem);

	if (left > COMPILE_ROOM && n <= (left - COMPILE_ROOM) / size)
		return 0;
	return FAIL(c, at, "template needs more memory than the limit");
}

struct node *
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
		if ((rc = compile_room(c, at, t.n + 8, 3 * sizeof(piece))) < 0)
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
			return compile_placed(c, at, rc);
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
	if ((rc = compile_text(c, v->at, v->str.s, v->str.len, &t)) < 0 || (rc = compile_room(c, v->at, v->str.len, 2)) < 0)
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
	int rc = compile_room(c, v->at, v->list.n, 4 * sizeof(struct node *));

	if (rc < 0)
		return rc;
	n->list.n = v->list.n;
	n->list.items = arena_array(c->mem, v->list.n, sizeof(struct node *));
	for (size_t i = 0; i < v->list.n; i++) {
		if ((rc = node_compile(c, v->list.items[i], &n->list.items[i])) < 0)
			return rc;
		constant = constant && n->list.items[i]->kind == NODE_CONST;
		same = same && constant && n->list.items[i]->constant == v->list.items[i];
	}
	if (constant && !same) {
		struct value *made = value_list(c->mem);

		if ((rc = compile_room(c, v->at, v->list.n, 4 * sizeof(struct node *))) < 0)
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
	if ((rc = compile_text(c, m->at, m->key, len, &en->text)) < 0 || (rc = compile_room(c, m->at, len, 2)) < 0)
		return rc;
	en->key = text_plain(c, &en->text, &len);
	return 0;
}

static int
compile_map(struct compiler *c, const struct value *v, struct node **out)
{
	struct node *n = node_new(c, NODE_MAP, v->at);
	bool constant = true, same = true;
	int rc = compile_room(c, v->at, v->map.n, sizeof(struct entry));

	if (rc < 0)
		return rc;
	n->map.n = v->map.n;
	n->map.items = arena_array(c->mem, v->map.n, sizeof(struct entry));
	for (size_t i = 0; i < v->map.n; i++) {
		struct entry *en = &n->map.items[i];

		if ((rc = compile_key(c, &v->map.items[i], en)) < 0 ||
		    (rc = node_compile(c, v->map.items[i].value, &en->value)) < 0)
			return rc;
		n->map.bytes += 4 * sizeof(struct member) + (en->key ? strlen(en->key) : 0);
		constant = constant && en->key && en->value->kind == NODE_CONST;
		same = same && constant && en->key == v->map.items[i].key && en->value->constant == v->map.items[i].value;
	}
	if (constant && !same) {
		struct value *made = value_map(c->mem);

		if ((rc = compile_room(c, v->at, n->map.bytes, 2)) < 0)
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
	return row ? operator_compile(c, v, at, row, out) : compile_map(c, v, out);
}

int
node_compile(struct compiler *c, const struct value *v, struct node **out)
{
	int rc = 0;

	if (c->depth >= DOCUMENT_DEPTH_MAX)
		return FAIL(c, v->at, "template nested deeper than the limit of %d", DOCUMENT_DEPTH_MAX);
	if ((rc = compile_room(c, v->at, 1, sizeof(struct node))) < 0)
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

	if ((rc = node_compile(&c, document, &root)) < 0)
		return rc;
	t = arena_alloc(mem, sizeof(*t));
	t->root = root;
	*out = t;
	return 0;
}
