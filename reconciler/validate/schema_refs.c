/* SPDX-License-Identifier: Apache-2.0 */
/* References of JSON Schema: resources with their URIs, anchors, JSON pointers, dialects. */
#include <string.h>

#include "lib/base/map.h"
#include "lib/base/str.h"
#include "validate/schema_node.h"

#define DIALECT "https://json-schema.org/draft/2020-12/schema"
#define VALIDATION "https://json-schema.org/draft/2020-12/vocab/validation"
#define DOCUMENTS_MAX 1000
#define NEST_MAX 1000

struct refs {
	struct arena *mem;
	const struct schema_options *options;
	struct map by_uri;
	struct table by_root;
	struct dynamic {
		struct anchor *anchor;
		struct resource *resource;
	} *dynamics; /* those that refs_next_dynamic has not given out yet are at the end */
	size_t ndynamics, capdynamics, given;
};

static void
refs_done(void *p)
{
	map_free(&((struct refs *)p)->by_uri);
}

struct refs *
refs_new(struct arena *mem, const struct schema_options *o)
{
	struct refs *refs = arena_alloc(mem, sizeof(*refs));

	refs->mem = mem;
	refs->options = o;
	arena_defer(mem, refs_done, refs);
	return refs;
}

struct resource *
refs_at(const struct refs *refs, const struct value *v)
{
	return table_get(&refs->by_root, v);
}

struct anchor *
refs_next_dynamic(struct refs *refs, struct resource **resource)
{
	struct dynamic *d;

	if (refs->given == refs->ndynamics)
		return NULL;
	d = &refs->dynamics[refs->given++];
	*resource = d->resource;
	return d->anchor;
}

/* Whether the validation keywords count: what the dialect's $vocabulary says. */
static int
read_dialect(struct refs *refs, const struct value *root, bool *asserts, struct err *e)
{
	const struct value *dialect = value_get(root, "$schema"), *meta = NULL, *vocabularies;
	const char *uri = value_as_str(dialect, NULL);
	int rc;

	if (!dialect || str_eq(uri, DIALECT) || str_eq(uri, DIALECT "#"))
		return 0;
	if (!uri || !refs->options->lax || !refs->options->load)
		return schema_error(e, dialect, "$schema must be " DIALECT);
	if ((rc = refs->options->load(refs->options->ctx, uri, &meta, e)) < 0)
		return rc;
	vocabularies = value_get(meta, "$vocabulary");
	*asserts = !vocabularies || value_get(vocabularies, VALIDATION);
	return 0;
}

static int
add_resource(struct refs *refs, const char *uri, const struct value *root, const struct resource *parent,
             struct resource **out, struct err *e)
{
	struct resource *res;
	bool asserts = parent ? parent->asserts : true;
	int rc;

	if (refs->by_root.n >= DOCUMENTS_MAX)
		return schema_error(e, root, "more than %d schemas with a URI of their own", DOCUMENTS_MAX);
	if ((rc = read_dialect(refs, root, &asserts, e)) < 0)
		return rc;
	res = arena_alloc(refs->mem, sizeof(*res));
	res->uri = uri;
	res->root = root;
	res->asserts = asserts;
	if (!map_has(&refs->by_uri, uri))
		(void)map_put(&refs->by_uri, uri, res);
	if (!refs_at(refs, root))
		table_put(refs->mem, &refs->by_root, root, res);
	*out = res;
	return 0;
}

static int
add_anchor(struct refs *refs, struct resource *res, const struct value *v, const char *keyword, bool dynamic, struct err *e)
{
	const struct value *name = value_get(v, keyword);
	struct anchor *a;

	if (!name)
		return 0;
	if (name->type != VALUE_STR || name->str.len == 0)
		return schema_error(e, name, "%s must be a name", keyword);
	a = arena_alloc(refs->mem, sizeof(*a));
	*a = (struct anchor){ .name = name->str.s, .at = v, .dynamic = dynamic, .next = res->anchors };
	res->anchors = a;
	if (!dynamic)
		return 0;
	if (refs->ndynamics == refs->capdynamics) {
		size_t cap = refs->capdynamics ? refs->capdynamics * 2 : 8;

		refs->dynamics = arena_regrow(refs->mem, refs->dynamics, refs->ndynamics, cap, sizeof(*refs->dynamics));
		refs->capdynamics = cap;
	}
	refs->dynamics[refs->ndynamics++] = (struct dynamic){ a, res };
	return 0;
}

static int scan(struct refs *refs, const struct value *v, struct resource *res, unsigned depth, struct err *e);

/* The subschemas below one keyword. */
static int
scan_below(struct refs *refs, const struct keyword *k, const struct value *v, struct resource *res, unsigned depth,
           struct err *e)
{
	int rc;

	if (k->shape == SHAPE_ONE)
		return scan(refs, v, res, depth, e);
	if (k->shape == SHAPE_LIST)
		for (size_t i = 0; v->type == VALUE_LIST && i < v->list.n; i++)
			if ((rc = scan(refs, v->list.items[i], res, depth, e)) < 0)
				return rc;
	if (k->shape == SHAPE_MAP)
		for (size_t i = 0; v->type == VALUE_MAP && i < v->map.n; i++)
			if ((rc = scan(refs, v->map.items[i].value, res, depth, e)) < 0)
				return rc;
	return 0;
}

/* Finds $id and anchors where schemas stand; what lies in const or enum is not looked at. */
static int
scan(struct refs *refs, const struct value *v, struct resource *res, unsigned depth, struct err *e)
{
	const struct value *id = value_get(v, "$id");
	int rc;

	if (depth > NEST_MAX)
		return schema_error(e, v, "nested too deep");
	if (id && id->type != VALUE_STR)
		return schema_error(e, id, "$id must be a URI");
	if (id && v != res->root) {
		const char *fragment, *uri = uri_resolve(refs->mem, res->uri, id->str.s, &fragment);

		if ((rc = add_resource(refs, uri, v, res, &res, e)) < 0)
			return rc;
	}
	if ((rc = add_anchor(refs, res, v, "$anchor", false, e)) < 0 ||
	    (rc = add_anchor(refs, res, v, "$dynamicAnchor", true, e)) < 0)
		return rc;
	for (size_t i = 0; v->type == VALUE_MAP && i < v->map.n; i++) {
		const struct keyword *k = keyword_find(v->map.items[i].key);

		if (k && (rc = scan_below(refs, k, v->map.items[i].value, res, depth + 1, e)) < 0)
			return rc;
	}
	return 0;
}

int
refs_add(struct refs *refs, const char *uri, const struct value *document, struct resource **out, struct err *e)
{
	const struct value *id = value_get(document, "$id");
	struct resource *res = NULL;
	const char *fragment, *own;
	int rc;

	own = arena_strdup(refs->mem, uri ? uri : "");
	if (value_is(id, VALUE_STR))
		own = uri_resolve(refs->mem, own, id->str.s, &fragment);
	if ((rc = add_resource(refs, own, document, NULL, &res, e)) < 0)
		return rc;
	/* the address it came from names it too */
	if (uri && !map_has(&refs->by_uri, uri))
		(void)map_put(&refs->by_uri, uri, res);
	if ((rc = scan(refs, document, res, 0, e)) < 0)
		return rc;
	*out = res;
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One step of a pointer: percent-encoding and ~0 ~1 undone. `s` is moved behind it. */
static char *
pointer_token(struct arena *mem, const char **s)
{
	size_t len = strcspn(*s, "/"), n = 0;
	char *token = arena_strndup(mem, *s, len);

	for (size_t i = 0; i < len; i++) {
		const char *p = *s + i;
		char c = *p;

		if (c == '%' && i + 2 < len && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
			c = (char)(hex_digit(p[1]) * 16 + hex_digit(p[2]));
			i += 2;
		} else if (c == '~' && i + 1 < len && (p[1] == '0' || p[1] == '1')) {
			c = p[1] == '0' ? '~' : '/';
			i++;
		}
		token[n++] = c;
	}
	token[n] = '\0';
	*s += len;
	return token;
}

static int
follow_pointer(struct refs *refs, const char *pointer, struct ref_target *t, struct err *e)
{
	const char *s = pointer;

	while (*s == '/') {
		const char *token;
		int64_t i = -1;

		s++;
		token = pointer_token(refs->mem, &s);
		if (value_is(t->at, VALUE_LIST) && str_to_i64(token, &i) == 0 && i >= 0)
			t->at = value_item(t->at, (size_t)i);
		else
			t->at = value_get(t->at, token);
		if (!t->at)
			return err_set(e, ERR_INVALID, "#%.200s leads nowhere", pointer);
		if (refs_at(refs, t->at))
			t->resource = refs_at(refs, t->at);
	}
	return 0;
}

static int
find_resource(struct refs *refs, const char *uri, struct resource **out, struct err *e)
{
	const struct value *document = NULL;
	int rc;

	*out = map_get(&refs->by_uri, uri);
	if (*out)
		return 0;
	if (!refs->options->load)
		return err_set(e, ERR_INVALID, "there is no schema '%.200s' here", uri);
	if ((rc = refs->options->load(refs->options->ctx, uri, &document, e)) < 0)
		return rc;
	return refs_add(refs, uri, document, out, e);
}

int
refs_find(struct refs *refs, const struct resource *from, const char *ref, struct ref_target *out, struct err *e)
{
	const char *fragment = NULL, *uri = uri_resolve(refs->mem, from->uri, ref, &fragment);
	struct ref_target t = { 0 };
	int rc;

	if ((rc = find_resource(refs, uri, &t.resource, e)) < 0)
		return rc;
	t.at = t.resource->root;
	if (fragment && *fragment == '/') {
		if ((rc = follow_pointer(refs, fragment, &t, e)) < 0)
			return rc;
	} else if (fragment && *fragment) {
		for (t.anchor = t.resource->anchors; t.anchor && strcmp(t.anchor->name, fragment) != 0;)
			t.anchor = t.anchor->next;
		if (!t.anchor)
			return err_set(e, ERR_INVALID, "there is no anchor '%.100s' in '%.200s'", fragment, uri);
		t.at = t.anchor->at;
	}
	*out = t;
	return 0;
}
