/* SPDX-License-Identifier: Apache-2.0 */
/* Walks the schemas: references followed, paths made, names looked up. */
#include "cli/fields.h"

#include <string.h>
#include <strings.h>

#include "lib/base/share.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#define DEPTH_MAX 24
#define ENV_SPEC "environment.schema.json#/$defs/spec"

/* -- kinds ----------------------------------------------------------------------------------------------------------- */

static const char *const words[KIND_COUNT] = { [KIND_ORG] = "org", [KIND_FLAVOR] = "flavor", [KIND_IMAGE] = "image",
	[KIND_DATASET] = "dataset", [KIND_TEAM] = "team", [KIND_USER] = "user", [KIND_ENV] = "env" };

const char *
kind_word(enum kind k)
{
	return words[k];
}

static bool
same_word(const char *s, size_t n, const char *word)
{
	return word && strlen(word) == n && strncasecmp(s, word, n) == 0;
}

enum kind
kind_of_word(const char *s, size_t n)
{
	for (enum kind k = 0; k < KIND_COUNT; k++)
		if (same_word(s, n, words[k]) || same_word(s, n, kinds[k].name) || same_word(s, n, kinds[k].folder) ||
		    same_word(s, n, kinds[k].alias))
			return k;
	return KIND_COUNT;
}

const char *
kind_file(struct arena *mem, enum kind k)
{
	if (!kinds[k].folder)
		return "berth.yaml";
	return arena_printf(mem, "%s/%s<name>.yaml", kinds[k].folder, k == KIND_ENV ? "<owner>/" : "");
}

/* -- reading --------------------------------------------------------------------------------------------------------- */

/* References inside a file get the file's name: what one schema takes from another is then found again. */
static void
name_references(struct arena *mem, struct value *v, const char *file, unsigned int depth)
{
	const char *ref = value_as_str(value_get(v, "$ref"), NULL);

	if (depth > DEPTH_MAX)
		return;
	if (ref && ref[0] == '#')
		value_set(mem, v, "$ref", value_fmt(mem, "%s%s", file, ref));
	for (size_t i = 0; v->type == VALUE_MAP && i < v->map.n; i++)
		name_references(mem, v->map.items[i].value, file, depth + 1);
	for (size_t i = 0; v->type == VALUE_LIST && i < v->list.n; i++)
		name_references(mem, v->list.items[i], file, depth + 1);
}

int
fields_load(struct arena *mem, struct fields *out, struct err *e)
{
	struct fields f = { .mem = mem };
	int rc;

	for (enum kind k = 0; k < KIND_COUNT; k++) {
		const struct share_file *file = NULL;
		struct value *v = NULL;

		if ((rc = share_get(arena_printf(mem, "schema/%s", kinds[k].schema), &file, e)) < 0)
			return rc;
		if ((rc = json_read(mem, file->bytes, file->len, &v, e)) < 0)
			return err_wrap(e, "%s", file->path);
		name_references(mem, v, kinds[k].schema, 0);
		f.docs[k] = v;
	}
	*out = f;
	return 0;
}

/* "environment.schema.json#/$defs/name" */
static const struct value *
target_of(const struct fields *f, const char *ref)
{
	const char *hash = strchr(ref, '#'), *s;
	const struct value *v = NULL;

	for (enum kind k = 0; hash && k < KIND_COUNT; k++)
		if (strlen(kinds[k].schema) == (size_t)(hash - ref) && str_starts(ref, kinds[k].schema))
			v = f->docs[k];
	for (s = hash; v && s && s[1] == '/';) {
		size_t n = strcspn(s + 2, "/");

		v = value_get(v, arena_strndup(f->mem, s + 2, n));
		s = s[n + 2] ? s + n + 1 : NULL;
	}
	return v;
}

/* What the reference leads to, with what stands beside it laid over. */
static const struct value *
resolve(const struct fields *f, const struct value *schema, unsigned int depth)
{
	const char *ref = value_as_str(value_get(schema, "$ref"), NULL);
	const struct value *target = ref ? target_of(f, ref) : NULL;
	struct value *beside;

	if (!target || depth > DEPTH_MAX)
		return schema;
	beside = value_copy(f->mem, schema);
	(void)value_del(beside, "$ref");
	return value_overlay(f->mem, resolve(f, target, depth + 1), beside);
}

/* -- walking --------------------------------------------------------------------------------------------------------- */

static void
push(const struct fields *f, struct field_list *l, struct field x)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->items = arena_regrow(f->mem, l->items, l->n, l->cap, sizeof(*l->items));
	}
	l->items[l->n++] = x;
}

static bool
is_listed(const struct value *list, const char *s)
{
	for (size_t i = 0; i < value_len(list) && value_is(list, VALUE_LIST); i++)
		if (str_eq(value_as_str(value_item(list, i), NULL), s))
			return true;
	return false;
}

static const char *
joined(const struct fields *f, const char *path, const char *name)
{
	return *path ? arena_printf(f->mem, "%s.%s", path, name) : name;
}

/* Down through lists: the schema of what one item is. */
static struct field
item_of(const struct fields *f, struct field x)
{
	for (unsigned int depth = 0; depth < DEPTH_MAX && value_is(value_get(x.schema, "items"), VALUE_MAP); depth++) {
		x.schema = resolve(f, value_get(x.schema, "items"), 0);
		x.path = arena_printf(f->mem, "%s[]", x.path);
		x.required = false;
	}
	return x;
}

void
fields_inside(const struct fields *f, const struct field *of, struct field_list *out)
{
	struct field x = item_of(f, *of);
	const struct value *p = value_get(x.schema, "properties"), *any = value_get(x.schema, "additionalProperties");

	for (size_t i = 0; value_is(p, VALUE_MAP) && i < p->map.n; i++) {
		const struct member *m = &p->map.items[i];

		if (m->value->type == VALUE_MAP) /* `false`: may not stand there */
			push(f, out, (struct field){ x.kind, joined(f, x.path, m->key), resolve(f, m->value, 0),
			                             is_listed(value_get(x.schema, "required"), m->key) });
	}
	if (value_is(any, VALUE_MAP))
		push(f, out, (struct field){ x.kind, joined(f, x.path, "<name>"), resolve(f, any, 0), false });
}

static struct field
top(const struct fields *f, enum kind k)
{
	return (struct field){ .kind = k, .path = "", .schema = resolve(f, f->docs[k], 0) };
}

static void
walk(const struct fields *f, const struct field *of, struct field_list *out, unsigned int depth)
{
	struct field_list inside = { 0 };

	fields_inside(f, of, &inside);
	for (size_t i = 0; i < inside.n; i++) {
		const struct field *x = &inside.items[i];
		struct field_list below = { 0 };

		fields_inside(f, x, &below);
		/* <name> says nothing of itself when it is a plain value: its parent's type does */
		if (!str_ends(x->path, "<name>") || below.n)
			push(f, out, *x);
		if (depth < DEPTH_MAX && strcmp(x->path, "spec.defaults") != 0)
			walk(f, x, out, depth + 1);
	}
}

void
fields_of(const struct fields *f, enum kind k, struct field_list *out)
{
	struct field t = top(f, k);

	walk(f, &t, out, 0);
}

/* Without "[]", so that both ways of writing compare equal. */
static const char *
plain_path(const struct fields *f, const char *path)
{
	char *s = arena_strdup(f->mem, path), *w = s;

	for (const char *r = s; *r; r++)
		if (*r != '[' && *r != ']')
			*w++ = *r;
	*w = '\0';
	return s;
}

void
fields_ending(const struct fields *f, const char *tail, struct field_list *out)
{
	const char *want = arena_printf(f->mem, ".%s", plain_path(f, tail));

	for (enum kind k = 0; k < KIND_COUNT; k++) {
		struct field_list all = { 0 };

		fields_of(f, k, &all);
		for (size_t i = 0; i < all.n; i++)
			if (str_ends(joined(f, ".", plain_path(f, all.items[i].path)), want))
				push(f, out, all.items[i]);
	}
}

const char *
last_step(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

/* -- looking up ------------------------------------------------------------------------------------------------------ */

static int
no_step(const struct fields *f, const struct field *in, const char *name, const struct field_list *inside, struct err *e)
{
	const char **names = arena_array(f->mem, inside->n + 1, sizeof(*names)), *near, *where = field_name(f->mem, in);
	struct field_list all = { 0 };

	(void)err_set(e, ERR_NOTFOUND, "there is no field `%s` in %s", str_line(f->mem, name), where);
	for (size_t i = 0; i < inside->n; i++)
		names[i] = last_step(inside->items[i].path);
	near = str_nearest(name, names, inside->n);
	if (near)
		return err_hint(e, "did you mean `berth explain %s.%s`?", where, near);
	fields_of(f, in->kind, &all);
	names = arena_array(f->mem, all.n + 1, sizeof(*names));
	for (size_t i = 0; i < all.n; i++)
		names[i] = last_step(all.items[i].path);
	near = str_nearest(name, names, all.n);
	for (size_t i = 0; near && i < all.n; i++)
		if (names[i] == near)
			return err_hint(e, "did you mean `berth explain %s`?", field_name(f->mem, &all.items[i]));
	return err_hint(e, inside->n ? "`berth explain %s` lists its fields" : "`berth explain %s` tells what it is", where);
}

int
field_find(const struct fields *f, enum kind k, const char *path, struct field *out, struct err *e)
{
	struct field x = top(f, k);

	for (unsigned int depth = 0; *path; depth++) {
		size_t n = strcspn(path, ".");
		char *name = arena_strndup(f->mem, path, n);
		bool item = str_ends(name, "[]");
		struct field_list inside = { 0 };
		const struct field *hit = NULL;

		if (item)
			name[strlen(name) - 2] = '\0';
		if (depth <= DEPTH_MAX)
			fields_inside(f, &x, &inside);
		for (size_t i = 0; i < inside.n; i++) {
			const char *last = last_step(inside.items[i].path);

			if (strcmp(last, name) == 0 || (!hit && strcmp(last, "<name>") == 0 && *name))
				hit = &inside.items[i];
		}
		if (!hit)
			return no_step(f, &x, name, &inside, e);
		x = item ? item_of(f, *hit) : *hit;
		path += n + (path[n] == '.');
	}
	*out = x;
	return 0;
}

/* -- saying ---------------------------------------------------------------------------------------------------------- */

const char *
field_name(struct arena *mem, const struct field *field)
{
	return *field->path ? arena_printf(mem, "%s.%s", kind_word(field->kind), field->path) : kind_word(field->kind);
}

/* JSON's words, in ours. */
static const char *
type_word(const char *s)
{
	return str_eq(s, "object") ? "map" : str_eq(s, "array") ? "list" : s;
}

const char *
field_type(struct arena *mem, const struct fields *f, const struct field *field)
{
	const struct value *t = value_get(field->schema, "type"), *any = value_get(field->schema, "additionalProperties");
	const struct value *items = value_get(field->schema, "items");
	struct field inner = { .kind = field->kind, .path = "" };
	const char *s = type_word(value_as_str(t, NULL));

	for (size_t i = 0; value_is(t, VALUE_LIST) && i < value_len(t); i++) {
		const char *word = type_word(value_as_str(value_item(t, i), "any"));

		s = s ? arena_printf(mem, "%s or %s", s, word) : word;
	}
	if (str_eq(s, "list") && value_is(items, VALUE_MAP))
		inner.schema = resolve(f, items, 0);
	if (str_eq(s, "map") && value_is(any, VALUE_MAP))
		inner.schema = resolve(f, any, 0);
	return inner.schema ? arena_printf(mem, "%s of %s", s, field_type(mem, f, &inner)) : s ? s : "any";
}

static const struct {
	const char *key, *text;
} limits[] = { { "minimum", "at least %s" }, { "maximum", "at most %s" }, { "minLength", "at least %s characters" },
	{ "maxLength", "at most %s characters" }, { "minItems", "at least %s items" }, { "maxItems", "at most %s items" },
	{ "minProperties", "at least %s keys" }, { "pattern", "matches %s" } };

const char *
field_limits(struct arena *mem, const struct field *field)
{
	const char *s = NULL;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct value *v = value_get(field->schema, limits[i].key);
		struct buf AUTO_BUF b = BUF_INIT(0);
		const char *percent = strchr(limits[i].text, '%');

		if (!v)
			continue;
		if (v->type == VALUE_STR)
			buf_str(&b, value_as_str(v, ""));
		else
			json_write(v, 0, &b);
		s = arena_printf(mem, "%s%s%.*s%s%s", s ? s : "", s ? ", " : "", (int)(percent - limits[i].text), limits[i].text,
		                 buf_cstr(&b), percent + 2);
	}
	return s;
}
