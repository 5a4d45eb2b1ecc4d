/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled-in schemas, one for each kind. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/share.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "validate/doc_rules.h"
#include "validate/schema_node.h"
#include "validate/validate.h"

#define BASE "berth:/schema/"
#define MEMORY_MAX ((size_t)256 << 20)

struct schemas {
	struct arena *mem;
	struct schema *of[KIND_COUNT];
	const struct value *documents[KIND_COUNT];
};

/* One schema file; kept, since references lead to it from others. */
static int
read_document(struct schemas *s, enum kind k, struct err *e)
{
	const char *path = arena_printf(s->mem, "schema/%s", kinds[k].schema);
	const struct share_file *f = NULL;
	struct value *v = NULL;
	int rc;

	if ((rc = share_get(path, &f, e)) < 0)
		return rc;
	if ((rc = json_read(s->mem, f->bytes, f->len, &v, e)) < 0)
		return err_wrap(e, "%s", path);
	s->documents[k] = v;
	return 0;
}

/* References between the files: by their names. */
static int
load(void *ctx, const char *uri, const struct value **out, struct err *e)
{
	struct schemas *s = ctx;

	for (enum kind k = 0; k < KIND_COUNT; k++)
		if (str_starts(uri, BASE) && str_eq(uri + strlen(BASE), kinds[k].schema)) {
			*out = s->documents[k];
			return 0;
		}
	return err_set(e, ERR_NOTFOUND, "no schema '%s' among ours", uri);
}

static int
compile_all(struct schemas *s, struct err *e)
{
	int rc;

	for (enum kind k = 0; k < KIND_COUNT; k++)
		if ((rc = read_document(s, k, e)) < 0)
			return rc;
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		struct schema_options o = { .load = load, .ctx = s };

		o.uri = arena_printf(s->mem, "%s%s", BASE, kinds[k].schema);
		if ((rc = schema_compile_with(s->mem, s->documents[k], &o, &s->of[k], e)) < 0)
			return err_wrap(e, "schema/%s", kinds[k].schema);
	}
	return 0;
}

int
schemas_load(struct schemas **out, struct err *e)
{
	struct arena *mem = arena_new(MEMORY_MAX);
	struct schemas *s = arena_alloc(mem, sizeof(*s));
	int rc;

	s->mem = mem;
	if ((rc = compile_all(s, e)) < 0) {
		arena_free(mem);
		return rc;
	}
	*out = s;
	return 0;
}

void
schemas_free(struct schemas *s)
{
	if (s)
		arena_free(s->mem);
}

/*
 * The document with an apiVersion and a kind that are fine where they are strings: parse/ has judged those. That they
 * are missing, or no strings, is for the schema to say.
 */
static const struct value *
without_header(struct arena *mem, const struct value *root, enum kind k)
{
	const struct {
		const char *key, *value;
	} rows[] = { { "apiVersion", "berth.dev/v1" }, { "kind", kinds[k].name } };
	struct value *v = value_map(mem);

	v->at = root->at;
	for (size_t i = 0; i < root->map.n; i++)
		value_set_at(mem, v, root->map.items[i].key, root->map.items[i].at, root->map.items[i].value);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (value_is(value_get(v, rows[i].key), VALUE_STR))
			value_set(mem, v, rows[i].key, value_str(mem, rows[i].value));
	return v;
}

void
validate_doc(const struct schemas *s, struct doc *d, struct report *r)
{
	const struct value *v = d->root;
	size_t before = r->errors;

	if (!v)
		return;
	if (v->type == VALUE_MAP)
		v = without_header(r->mem, v, d->kind);
	(void)schema_check(s->of[d->kind], v, r);
	rules_document(d, r);
	if (r->errors != before)
		d->ok = false;
}

void
validate_alone(const struct schemas *s, struct arena *mem, const char *path, struct value *root, struct report *r)
{
	const char *kind = value_as_str(value_get(root, "kind"), NULL);
	struct doc d = { .path = path, .root = root, .ok = true, .kind = KIND_COUNT };
	struct place at = { .file = arena_strdup(mem, path) };
	struct finding *f;

	for (enum kind k = 0; kind && k < KIND_COUNT; k++)
		if (str_eq(kind, kinds[k].name) || str_eq(kind, kinds[k].alias))
			d.kind = k;
	if (d.kind != KIND_COUNT) {
		validate_doc(s, &d, r);
		return;
	}
	if (value_get(root, "kind"))
		at = value_get(root, "kind")->at;
	f = report_add(r, FINDING_WRONG_KIND, SEVERITY_ERROR, at, kind ? "`%s` is not a kind of berth" : "there is no `kind`%s",
	               kind ? kind : "");
	finding_help(r, f, "write one of Organization, Flavor, Image, Dataset, Team, User, Environment");
}
