/* SPDX-License-Identifier: Apache-2.0 */
/* From a schema document to nodes. A work list instead of recursion: schemas may refer to themselves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "validate/schema_node.h"

#define NODES_MAX 200000

struct compiler {
	struct arena *mem;
	const struct schema_options *options;
	struct refs *refs;
	struct schema *schema;
	struct table nodes; /* of each schema value */
	struct node **list; /* in the order they were met; those from `done` on are not filled yet */
	size_t n, cap, done;
};

/* Where in a node a keyword's value goes. */
#define FIELD(node, kw, type) ((type *)(void *)((char *)(node) + (kw)->offset))

static int
node_for(struct compiler *c, const struct value *v, const struct resource *res, struct node **out, struct err *e)
{
	const struct resource *own = refs_at(c->refs, v);
	struct node *n = table_get(&c->nodes, v);

	if (n) {
		*out = n;
		return 0;
	}
	if (v->type != VALUE_MAP && v->type != VALUE_BOOL)
		return schema_error(e, v, "a schema must be a map or a boolean, found a %s", value_type_name(v->type));
	if (c->n >= NODES_MAX)
		return schema_error(e, v, "more than %d subschemas", NODES_MAX);
	n = arena_alloc(c->mem, sizeof(*n));
	n->source = v;
	n->resource = own ? own : res;
	n->never = v->type == VALUE_BOOL && !v->boolean;
	n->max_length = n->max_items = n->max_contains = n->max_members = SIZE_MAX;
	n->min_contains = 1;
	table_put(c->mem, &c->nodes, v, n);
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;

		c->list = arena_regrow(c->mem, c->list, c->n, cap, sizeof(*c->list));
		c->cap = cap;
	}
	c->list[c->n++] = n;
	*out = n;
	return 0;
}

static int
type_bit(const struct value *v, unsigned *types, struct err *e)
{
	static const struct {
		const char *name;
		unsigned bits;
	} rows[] = {
		{ "null", TYPE_NULL }, { "boolean", TYPE_BOOLEAN }, { "integer", TYPE_INTEGER },
		{ "number", TYPE_NUMBER | TYPE_INTEGER }, { "string", TYPE_STRING }, { "array", TYPE_ARRAY },
		{ "object", TYPE_OBJECT },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (str_eq(value_as_str(v, NULL), rows[i].name)) {
			*types |= rows[i].bits;
			return 0;
		}
	return schema_error(e, v, "type must be null, boolean, integer, number, string, array or object");
}

static int
take_type(const struct value *v, struct node *n, struct err *e)
{
	int rc;

	if (v->type != VALUE_LIST)
		return type_bit(v, &n->types, e);
	for (size_t i = 0; i < v->list.n; i++)
		if ((rc = type_bit(v->list.items[i], &n->types, e)) < 0)
			return rc;
	return v->list.n ? 0 : schema_error(e, v, "type must not be empty");
}

static int
take_count(const struct keyword *k, const struct value *v, struct node *n, struct err *e)
{
	double d = v->type == VALUE_INT ? (double)v->integer : v->type == VALUE_REAL ? v->real : -1;

	if (d < 0 || floor(d) < d || d > 9e15)
		return schema_error(e, v, "%s must be an integer that is not negative", k->name);
	*FIELD(n, k, size_t) = (size_t)d;
	return 0;
}

static int
take_number(const struct keyword *k, const struct value *v, struct node *n, struct err *e)
{
	if (v->type != VALUE_INT && v->type != VALUE_REAL)
		return schema_error(e, v, "%s must be a number", k->name);
	if (strcmp(k->name, "multipleOf") == 0 && (v->type == VALUE_INT ? v->integer <= 0 : !(v->real > 0)))
		return schema_error(e, v, "multipleOf must be over 0");
	*FIELD(n, k, const struct value *) = v;
	return 0;
}

static int
take_names(struct compiler *c, const char *keyword, const struct value *v, struct name_list *out, struct err *e)
{
	if (v->type != VALUE_LIST)
		return schema_error(e, v, "%s must be a list of names", keyword);
	out->items = arena_array(c->mem, v->list.n, sizeof(*out->items));
	for (size_t i = 0; i < v->list.n; i++) {
		if (v->list.items[i]->type != VALUE_STR)
			return schema_error(e, v->list.items[i], "%s must be a list of names", keyword);
		out->items[out->n++] = v->list.items[i]->str.s;
	}
	return 0;
}

static int
take_dependencies(struct compiler *c, const struct value *v, struct node *n, struct err *e)
{
	int rc;

	if (v->type != VALUE_MAP)
		return schema_error(e, v, "dependentRequired must be a map of lists");
	n->dependencies = arena_array(c->mem, v->map.n, sizeof(*n->dependencies));
	for (size_t i = 0; i < v->map.n; i++) {
		struct dependency *d = &n->dependencies[n->ndependencies++];

		d->name = v->map.items[i].key;
		if ((rc = take_names(c, "dependentRequired", v->map.items[i].value, &d->needs, e)) < 0)
			return rc;
	}
	return 0;
}

static int
take_nodes(struct compiler *c, const struct keyword *k, const struct value *v, struct node *n, struct err *e)
{
	struct node_list *list = FIELD(n, k, struct node_list);
	int rc;

	if (v->type != VALUE_LIST || v->list.n == 0)
		return schema_error(e, v, "%s must be a list of schemas", k->name);
	list->items = arena_array(c->mem, v->list.n, sizeof(struct node *));
	for (size_t i = 0; i < v->list.n; i++) {
		if ((rc = node_for(c, v->list.items[i], n->resource, &list->items[i], e)) < 0)
			return rc;
		list->n++;
	}
	return 0;
}

static int
by_name(const void *x, const void *y)
{
	return strcmp(((const struct named_node *)x)->name, ((const struct named_node *)y)->name);
}

static int
take_named(struct compiler *c, const struct keyword *k, const struct value *v, struct node *n, struct err *e)
{
	struct named_nodes *all = FIELD(n, k, struct named_nodes);
	int rc;

	if (v->type != VALUE_MAP)
		return schema_error(e, v, "%s must be a map of schemas", k->name);
	all->items = arena_array(c->mem, v->map.n, sizeof(*all->items));
	for (size_t i = 0; i < v->map.n; i++) {
		struct named_node *item = &all->items[all->n];

		item->name = v->map.items[i].key;
		if ((rc = node_for(c, v->map.items[i].value, n->resource, &item->node, e)) < 0)
			return rc;
		if (k->take == TAKE_PATTERNS &&
		    (rc = regex_compile(c->mem, item->name, strlen(item->name), &item->pattern, e)) < 0)
			return schema_error(e, v->map.items[i].value, "%s", e ? e->text : "bad pattern");
		all->n++;
	}
	if (k->take == TAKE_NAMED && all->n)
		qsort(all->items, all->n, sizeof(*all->items), by_name);
	return 0;
}

static int
take_pattern(struct compiler *c, const struct keyword *k, const struct value *v, struct node *n, struct err *e)
{
	struct err inner = { 0 };

	if (v->type != VALUE_STR)
		return schema_error(e, v, "%s must be a regular expression", k->name);
	if (regex_compile(c->mem, v->str.s, v->str.len, FIELD(n, k, struct regex *), &inner) < 0)
		return schema_error(e, v, "%s", inner.text);
	return 0;
}

static int
take_ref(struct compiler *c, const struct keyword *k, const struct value *v, struct node *n, struct err *e)
{
	struct ref_target t = { 0 };
	struct err inner = { 0 };

	if (v->type != VALUE_STR)
		return schema_error(e, v, "%s must be a reference", k->name);
	if (refs_find(c->refs, n->resource, v->str.s, &t, &inner) < 0)
		return schema_error(e, v, "%s %.200s: %s", k->name, v->str.s, inner.text);
	if (k->take == TAKE_DYNAMIC_REF && t.anchor && t.anchor->dynamic)
		n->dynamic_name = t.anchor->name;
	return node_for(c, t.at, t.resource, FIELD(n, k, struct node *), e);
}

static int
take_plain(const struct keyword *k, const struct value *v, struct node *n, struct err *e)
{
	if (k->take == TAKE_VALUE) {
		*FIELD(n, k, const struct value *) = v;
		return 0;
	}
	if (k->take == TAKE_ENUM) {
		if (v->type != VALUE_LIST)
			return schema_error(e, v, "%s must be a list", k->name);
		*FIELD(n, k, const struct value *) = v;
		return 0;
	}
	if (k->take == TAKE_TEXT) {
		if (v->type != VALUE_STR)
			return schema_error(e, v, "%s must be a text", k->name);
		*FIELD(n, k, const char *) = v->str.s;
		return 0;
	}
	if (v->type != VALUE_BOOL)
		return schema_error(e, v, "%s must be true or false", k->name);
	*FIELD(n, k, bool) = v->boolean;
	return 0;
}

static int
take(struct compiler *c, const struct keyword *k, const struct value *v, struct node *n, struct err *e)
{
	switch (k->take) {
	case TAKE_NOTHING:
		return 0;
	case TAKE_TYPE:
		return take_type(v, n, e);
	case TAKE_NUMBER:
		return take_number(k, v, n, e);
	case TAKE_COUNT:
		return take_count(k, v, n, e);
	case TAKE_PATTERN:
		return take_pattern(c, k, v, n, e);
	case TAKE_NAMES:
		return take_names(c, k->name, v, FIELD(n, k, struct name_list), e);
	case TAKE_DEPENDENCIES:
		return take_dependencies(c, v, n, e);
	case TAKE_NODE:
		return node_for(c, v, n->resource, FIELD(n, k, struct node *), e);
	case TAKE_NODES:
		return take_nodes(c, k, v, n, e);
	case TAKE_NAMED:
	case TAKE_PATTERNS:
		return take_named(c, k, v, n, e);
	case TAKE_REF:
	case TAKE_DYNAMIC_REF:
		return take_ref(c, k, v, n, e);
	case TAKE_VALUE:
	case TAKE_ENUM:
	case TAKE_BOOL:
	case TAKE_TEXT:
		break;
	}
	return take_plain(k, v, n, e);
}

static int
fill(struct compiler *c, struct node *n, struct err *e)
{
	const struct value *v = n->source;
	int rc;

	for (size_t i = 0; v->type == VALUE_MAP && i < v->map.n; i++) {
		const struct member *m = &v->map.items[i];
		const struct keyword *k = keyword_find(m->key);

		if (!k && !c->options->lax && !str_starts(m->key, "x-"))
			return schema_error(e, m->value, "keyword '%.100s' is not known", m->key);
		if (!k || (k->asserts && !n->resource->asserts))
			continue;
		if ((rc = take(c, k, m->value, n, e)) < 0)
			return rc;
		n->has |= k->has;
	}
	c->schema->tracks |= n->unevaluated_items || n->unevaluated_members;
	return 0;
}

/* Dynamic anchors can be reached without being referred to, so all of them get nodes. */
static int
add_dynamic(struct compiler *c, struct err *e)
{
	struct resource *res;
	struct anchor *a;
	int rc;

	while ((a = refs_next_dynamic(c->refs, &res)))
		if ((rc = node_for(c, a->at, res, &a->node, e)) < 0)
			return rc;
	return 0;
}

int
schema_compile_with(struct arena *mem, const struct value *document, const struct schema_options *o, struct schema **out,
                    struct err *e)
{
	struct compiler c = { .mem = mem, .options = o };
	struct resource *res = NULL;
	int rc;

	c.refs = refs_new(mem, o);
	c.schema = arena_alloc(mem, sizeof(*c.schema));
	if ((rc = refs_add(c.refs, o->uri, document, &res, e)) < 0 ||
	    (rc = node_for(&c, document, res, &c.schema->root, e)) < 0)
		return rc;
	do {
		if ((rc = add_dynamic(&c, e)) < 0)
			return rc;
		while (c.done < c.n)
			if ((rc = fill(&c, c.list[c.done++], e)) < 0)
				return rc;
		if ((rc = add_dynamic(&c, e)) < 0)
			return rc;
	} while (c.done < c.n);
	*out = c.schema;
	return 0;
}

int
schema_compile(struct arena *mem, const struct value *document, struct schema **out, struct err *e)
{
	static const struct schema_options plain;

	return schema_compile_with(mem, document, &plain, out, e);
}
