/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a compiled template to what stands at a place, and collects the variables it reads there. */
#include "render/origin.h"

#include <string.h>

#include "render/template_node.h"
#include "render/templates.h"

/* A loop variable and what it runs over. */
struct binding {
	const struct binding *up;
	const char *name, *path;
};

struct finder {
	struct arena *mem;
	struct place at;
	struct origin *out;
};

static void
add(struct finder *f, const char *path)
{
	for (size_t i = 0; i < f->out->n; i++)
		if (strcmp(f->out->vars[i], path) == 0)
			return;
	if (f->out->n < ORIGIN_VARS_MAX)
		f->out->vars[f->out->n++] = path;
}

/* "env.user.uid" for a chain of names, else NULL. */
static const char *
chain(struct finder *f, const struct binding *b, const struct expr *x)
{
	const char *up;

	if (x->kind == EXPR_NAME) {
		for (; b; b = b->up)
			if (strlen(b->name) == x->n && strncmp(b->name, x->name, x->n) == 0)
				return b->path;
		return x->builtin ? NULL : arena_strndup(f->mem, x->name, x->n);
	}
	if (x->kind != EXPR_DOT || !(up = chain(f, b, x->a)))
		return NULL;
	return arena_printf(f->mem, "%s.%.*s", up, (int)x->n, x->name);
}

static void
read_expr(struct finder *f, const struct binding *b, const struct expr *x)
{
	const char *path;

	if (!x)
		return;
	if ((path = chain(f, b, x))) {
		add(f, path);
		return;
	}
	read_expr(f, b, x->a);
	read_expr(f, b, x->b);
	read_expr(f, b, x->c);
	for (size_t i = 0; i < x->n && x->items; i++)
		read_expr(f, b, x->items[i]);
}

static void
read_text(struct finder *f, const struct binding *b, const struct text *t)
{
	for (size_t i = 0; i < t->n; i++)
		read_expr(f, b, t->items[i].formula.root);
}

/* The loop variable of an operator, over the first thing that its operand reads. */
static struct binding
bind(struct finder *f, const struct binding *up, const struct op_node *op)
{
	struct origin of = { .n = 0 };
	struct finder inner = { f->mem, f->at, &of };

	if (op->value && op->value->kind == NODE_OP)
		read_expr(&inner, up, op->value->op->formula.root);
	return (struct binding){ up, op->vars[0] ? op->vars[0] : "", of.n ? of.vars[0] : op->vars[0] };
}

/* All that the value of one key reads, but for maps inside, whose keys have places of their own. */
static void
read_node(struct finder *f, const struct binding *b, const struct node *n, bool inside)
{
	struct binding own;

	if (!n || n->kind == NODE_CONST || n->kind == NODE_MAP)
		return;
	if (n->kind == NODE_TEXT)
		read_text(f, b, &n->text);
	for (size_t i = 0; n->kind == NODE_LIST && inside && i < n->list.n; i++)
		read_node(f, b, n->list.items[i], true);
	if (n->kind != NODE_OP)
		return;
	own = bind(f, b, n->op);
	read_expr(f, &own, n->op->formula.root);
	read_node(f, b, n->op->value, true);
	read_node(f, &own, n->op->yes, true);
	read_node(f, b, n->op->no, true);
	for (size_t i = 0; i < n->op->n; i++) {
		read_expr(f, b, n->op->conditions[i].root);
		read_node(f, b, n->op->cases[i].value, true);
	}
}

static bool
is_at(const struct finder *f, struct place at)
{
	return at.line == f->at.line && at.col == f->at.col;
}

static bool find(struct finder *f, const struct binding *b, const struct node *n);

static bool
find_op(struct finder *f, const struct binding *b, const struct op_node *op)
{
	struct binding own = bind(f, b, op);

	if (find(f, b, op->value) || find(f, &own, op->yes) || find(f, b, op->no))
		return true;
	for (size_t i = 0; i < op->n; i++)
		if (find(f, b, op->cases[i].value))
			return true;
	return false;
}

static bool
find(struct finder *f, const struct binding *b, const struct node *n)
{
	if (!n)
		return false;
	if (n->kind == NODE_OP)
		return find_op(f, b, n->op);
	for (size_t i = 0; n->kind == NODE_LIST && i < n->list.n; i++) {
		if (is_at(f, n->list.items[i]->at) && n->list.items[i]->kind != NODE_MAP) {
			read_node(f, b, n->list.items[i], false);
			return true;
		}
		if (find(f, b, n->list.items[i]))
			return true;
	}
	for (size_t i = 0; n->kind == NODE_MAP && i < n->map.n; i++) {
		const struct entry *en = &n->map.items[i];

		if (is_at(f, en->at)) {
			if (!en->key)
				read_text(f, b, &en->text);
			read_node(f, b, en->value, false);
			return true;
		}
		if (find(f, b, en->value))
			return true;
	}
	return false;
}

bool
templates_origin(const struct templates *t, int64_t version, struct arena *mem, struct place at, struct origin *out)
{
	const struct template_version *v = templates_version(t, version);
	struct finder f = { mem, at, out };

	out->n = 0;
	for (size_t i = 0; v && at.file && i < v->n; i++) {
		const struct template_entry *en = &v->entries[i];

		if (en->body && strcmp(en->file, at.file) == 0)
			return find(&f, NULL, en->body->root);
		if (en->patch && strcmp(en->patch_path, at.file) == 0)
			return find(&f, NULL, en->patch->root);
	}
	return false;
}
