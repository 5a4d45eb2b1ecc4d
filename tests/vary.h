/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests: every field of every kind is changed, one at a time, in every document of a repository, to every value that its
 * schema names or shows as an example; what was rendered before and after is handed to whoever wants to compare it.
 */
#pragma once

#include "cli/fields.h"
#include "lib/base/str.h"
#include "render/context.h"
#include "render/render.h"
#include "render/templates.h"
#include "tree.h"
#include "validate/validate.h"

#define VARY_CANDIDATES 48
#define VARY_UNITS 64

/* What one state of a repository renders to, as far as the changed document reaches. */
struct vary_shot {
	struct arena *mem;
	const struct bundle *bundles[VARY_UNITS];
	const struct value *contexts[VARY_UNITS]; /* of the same units: "env" or "set" */
	size_t n;
	bool good;
};

struct vary_pair {
	const struct field *field;
	const char *doc;     /* path */
	const struct value *to; /* the value it got; NULL: taken out */
	const struct vary_shot *before, *after;
};

struct vary {
	struct arena *mem;
	struct schemas *schemas;
	struct templates *templates;
	struct fields fields;
	struct field_list all[KIND_COUNT];
	struct tree tree;
	void (*seen)(void *ctx, const struct vary_pair *p);
	void *ctx;
	size_t pairs;
};

/* -- rendering ------------------------------------------------------------------------------------------------------- */

static inline void
vary_take(struct vary_shot *s, int rc, struct bundle *b, const struct value *context)
{
	s->good = s->good && rc == 0 && s->n < VARY_UNITS;
	if (!s->good)
		return;
	s->contexts[s->n] = context;
	s->bundles[s->n++] = b;
}

static inline bool
vary_depends(const struct env *env, const struct doc *d)
{
	if (d->kind == KIND_ORG || env->doc->path == d->path)
		return true;
	for (size_t i = 0; i < env->ndeps; i++)
		if (strcmp(env->deps[i], d->path) == 0)
			return true;
	return false;
}

static inline void
vary_env(struct vary *v, struct vary_shot *s, const struct env *env)
{
	const struct template_version *t = templates_version(v->templates, 1);
	struct value *context = NULL;
	struct bundle *b = NULL;
	int rc = context_env(s->mem, env, &t->scripts, &context, NULL);

	if (rc == 0)
		rc = render_env(v->templates, s->mem, env, &b, NULL);
	vary_take(s, rc, b, rc == 0 ? value_get(context, "env") : NULL);
}

static inline void
vary_user(struct vary *v, struct vary_shot *s, const struct site *site, const struct doc *user, const struct env *const *envs, size_t n)
{
	struct value *context = NULL;
	struct bundle *b = NULL;
	int rc = context_user(s->mem, site, user, envs, n, &context, NULL);

	if (rc == 0)
		rc = render_user(v->templates, s->mem, site, user, envs, n, &b, NULL);
	vary_take(s, rc, b, rc == 0 ? value_get(context, "set") : NULL);
}

static inline void
vary_shared(struct vary *v, struct vary_shot *s, const struct site *site, const struct doc *d)
{
	struct value *context = NULL;
	struct bundle *b = NULL;
	void *team;
	int rc;

	if (d->kind == KIND_ORG || d->kind == KIND_FLAVOR) {
		rc = render_org(v->templates, s->mem, site, &b, NULL);
		if (rc == 0)
			rc = context_org(s->mem, site, &context, NULL);
		vary_take(s, rc, b, rc == 0 ? value_get(context, "set") : NULL);
	}
	for (size_t i = 0; map_next(&site->docs[KIND_TEAM], &i, NULL, &team);) {
		if (d->kind != KIND_ORG && d != team)
			continue;
		rc = render_team(v->templates, s->mem, site, team, &b, NULL);
		if (rc == 0)
			rc = context_team(s->mem, site, team, &context, NULL);
		vary_take(s, rc, b, rc == 0 ? value_get(context, "set") : NULL);
	}
}

static inline struct site
vary_site(const struct vary *v, struct doc *d)
{
	struct site site = { 0 };
	void *old;

	if (v->tree.site.org)
		site_add(&site, v->tree.site.org->path == d->path ? d : (void *)(uintptr_t)v->tree.site.org);
	for (enum kind k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; map_next(&v->tree.site.docs[k], &i, NULL, &old);)
			site_add(&site, ((struct doc *)old)->path == d->path ? d : old);
	return site;
}

/* The environments as they are with the document changed: those it reaches anew, the others as they were. */
static inline bool
vary_resolve(struct vary *v, struct vary_shot *s, const struct site *site, struct doc *d, struct report *r, const struct env **envs)
{
	struct err e = { 0 };
	struct env *env;

	for (size_t i = 0; i < v->tree.nenvs; i++) {
		const struct doc *was = v->tree.envs[i]->doc;

		envs[i] = v->tree.envs[i];
		if (!vary_depends(envs[i], d))
			continue;
		if (env_resolve(s->mem, site, &v->tree.files, was->path == d->path ? d : was, r, &env, &e) < 0)
			return false;
		envs[i] = env;
		vary_env(v, s, env);
	}
	return true;
}

static inline void
vary_users(struct vary *v, struct vary_shot *s, const struct site *site, const struct doc *d, const struct env *const *envs)
{
	const struct env **own = arena_array(s->mem, v->tree.nenvs + 1, sizeof(*own));
	void *user;

	for (size_t i = 0; map_next(&site->docs[KIND_USER], &i, NULL, &user);) {
		const struct doc *u = user;
		bool reached = u == d || d->kind == KIND_ORG;
		size_t n = 0;

		for (size_t k = 0; k < v->tree.nenvs; k++)
			if (strcmp(envs[k]->owner, u->name) == 0) {
				own[n++] = envs[k];
				reached = reached || envs[k] != v->tree.envs[k];
			}
		if (reached)
			vary_user(v, s, site, u, own, n);
	}
}

/* The repository with `d`, whose path is that of one of its documents, in place of that one. */
static inline struct vary_shot
vary_shoot(struct vary *v, struct doc *d)
{
	struct vary_shot s = { .mem = arena_new((size_t)64 << 20), .good = true };
	const struct env **envs = arena_array(s.mem, v->tree.nenvs + 1, sizeof(*envs));
	struct report r = { 0 };
	struct site site;

	report_init(&r, s.mem);
	validate_doc(v->schemas, d, &r);
	if (d->kind == KIND_ORG && d->ok)
		validate_org(d, &r);
	s.good = d->ok && d->spec;
	if (!s.good)
		return s;
	site = vary_site(v, d);
	s.good = vary_resolve(v, &s, &site, d, &r, envs) && s.good;
	if (s.good)
		vary_users(v, &s, &site, d, envs);
	if (s.good)
		vary_shared(v, &s, &site, d);
	site_free(&site);
	return s;
}

/* -- values ---------------------------------------------------------------------------------------------------------- */

struct vary_list {
	struct value *items[VARY_CANDIDATES];
	size_t n;
};

static inline void
vary_put(struct vary_list *l, const struct value *v)
{
	for (size_t i = 0; v && i < l->n; i++)
		if (value_equal(l->items[i], v))
			return;
	if (l->n < VARY_CANDIDATES && v)
		l->items[l->n++] = (struct value *)(uintptr_t)v;
}

static inline bool
vary_type(const struct value *schema, const char *name)
{
	const struct value *t = value_get(schema, "type");

	for (size_t i = 0; value_is(t, VALUE_LIST) && i < value_len(t); i++)
		if (str_eq(value_as_str(value_item(t, i), NULL), name))
			return true;
	return str_eq(value_as_str(t, NULL), name);
}

/* Names of what the repository has, for fields that refer to it. */
static inline void
vary_names(struct vary *v, struct arena *mem, const struct field *f, struct vary_list *out)
{
	static const struct {
		enum kind in;
		const char *path;
		enum kind of;
		bool list;
	} rows[] = {
		{ KIND_ENV, "spec.flavor", KIND_FLAVOR, false }, { KIND_ENV, "spec.image", KIND_IMAGE, false },
		{ KIND_ENV, "spec.team", KIND_TEAM, false },     { KIND_ENV, "spec.datasets[].name", KIND_DATASET, false },
		{ KIND_ENV, "spec.access.share", KIND_USER, true }, { KIND_USER, "spec.teams", KIND_TEAM, true },
	};
	const char *name;

	for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++)
		if (rows[k].in == f->kind && strcmp(rows[k].path, f->path) == 0)
			for (size_t i = 0; map_next(&v->tree.site.docs[rows[k].of], &i, &name, NULL);) {
				struct value *s = value_str(mem, name), *list = value_list(mem);

				value_push(mem, list, s);
				vary_put(out, rows[k].list ? list : s);
			}
}

static inline void
vary_texts(struct arena *mem, const struct value *schema, struct vary_list *out)
{
	static const char *const quantities[] = { "1", "2", "6Gi", "64Gi", "512Gi" }, *const texts[] = { "text-a", "/srv/b", "u@example.org",
		"https://git.example.org/b.git" };
	bool quantity = strstr(value_as_str(value_get(schema, "pattern"), ""), "|Ki|") != NULL;

	for (size_t i = 0; quantity && i < sizeof(quantities) / sizeof(*quantities); i++)
		vary_put(out, value_str(mem, quantities[i]));
	for (size_t i = 0; !quantity && i < sizeof(texts) / sizeof(*texts); i++)
		vary_put(out, value_str(mem, texts[i]));
}

static inline void
vary_candidates(struct vary *v, struct arena *mem, const struct field *f, struct vary_list *out)
{
	const struct value *s = f->schema, *examples = value_get(s, "examples"), *words = value_get(s, "enum");
	const struct value *items = value_get(value_get(s, "items"), "enum");

	out->n = 0;
	vary_names(v, mem, f, out);
	for (size_t i = 0; i < value_len(words); i++)
		vary_put(out, value_item(words, i));
	for (size_t i = 0; i < value_len(examples); i++)
		vary_put(out, value_item(examples, i));
	vary_put(out, value_get(s, "default"));
	for (size_t i = 0; i < value_len(items); i++) {
		struct value *list = value_list(mem);

		value_push(mem, list, value_item(items, i));
		vary_put(out, list);
	}
	if (vary_type(s, "boolean")) {
		vary_put(out, value_bool(mem, true));
		vary_put(out, value_bool(mem, false));
	}
	for (int64_t i = 0; vary_type(s, "integer") && i <= 4; i++)
		vary_put(out, value_int(mem, i));
	if (vary_type(s, "string") && !words)
		vary_texts(mem, s, out);
	if (vary_type(s, "array"))
		vary_put(out, value_list(mem));
	if (vary_type(s, "object"))
		vary_put(out, value_map(mem));
}

/* -- one field of one document --------------------------------------------------------------------------------------- */

static inline struct doc *
vary_doc(struct arena *mem, const struct doc *d, struct value *root)
{
	struct doc *out = arena_memdup(mem, d, sizeof(*d));

	out->root = root;
	out->spec = value_get(root, "spec");
	out->ok = true;
	return out;
}

/* An example of a field that is not there, so that what is inside it has a place. */
static inline struct value *
vary_example(struct vary *v, struct arena *mem, enum kind k, const char *path, bool list)
{
	const struct field_list *all = &v->all[k];
	struct value *example = NULL;

	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->items[i].path, path) == 0)
			example = value_item(value_get(all->items[i].schema, "examples"), 0);
	if (value_is(example, list ? VALUE_LIST : VALUE_MAP) && value_len(example))
		return value_copy(mem, example);
	return list ? NULL : value_map(mem);
}

/*
 * Walks to the parent of the field, making what is missing; *key is its last step. Lists: their first item. NULL when there
 * is no way.
 */
static inline struct value *
vary_parent(struct vary *v, struct arena *mem, const struct field *f, struct value *root, const char **key, bool *made)
{
	struct value *at = root;
	const char *s = f->path;

	for (;;) {
		size_t n = strcspn(s, ".");
		bool list = n > 2 && strncmp(s + n - 2, "[]", 2) == 0, last = !s[n];
		char *name = arena_strndup(mem, s, list ? n - 2 : n);
		struct value *next;

		if (strcmp(name, "<name>") == 0 && value_is(at, VALUE_MAP) && at->map.n)
			name = arena_strdup(mem, at->map.items[0].key);
		else if (strcmp(name, "<name>") == 0)
			return NULL;
		if (last && !list) {
			*key = name;
			return value_is(at, VALUE_MAP) ? at : NULL;
		}
		next = value_get(at, name);
		if (!value_is(next, list ? VALUE_LIST : VALUE_MAP) || (list && !value_len(next))) {
			next = vary_example(v, mem, f->kind, arena_strndup(mem, f->path, (size_t)(s - f->path) + n - (list ? 2 : 0)), list);
			if (!next || !value_is(at, VALUE_MAP))
				return NULL;
			value_set(mem, at, name, next);
			*made = true;
		}
		at = list ? value_item(next, 0) : next;
		if (last)
			return NULL;
		s += n + 1;
	}
}

static inline void
vary_field(struct vary *v, const struct doc *d, const struct field *f)
{
	struct arena *mem = arena_new((size_t)64 << 20);
	struct vary_list all = { .n = 0 };
	struct value *root = value_copy(mem, d->root);
	const char *key = NULL;
	bool made = false;
	struct value *parent = vary_parent(v, mem, f, root, &key, &made);
	struct vary_shot before = { 0 };

	if (parent)
		before = vary_shoot(v, vary_doc(mem, d, root));
	if (parent && before.good)
		vary_candidates(v, mem, f, &all);
	/* one more: without the field */
	for (size_t i = 0; before.good && i <= all.n; i++) {
		struct value *to = i < all.n ? all.items[i] : NULL, *changed = value_copy(mem, root);
		struct value *there = vary_parent(v, mem, f, changed, &key, &made);
		struct vary_pair p = { .field = f, .doc = d->path, .to = to };
		struct vary_shot after;

		if (!there || (to ? value_get(there, key) && value_equal(value_get(there, key), to) : !value_del(there, key)))
			continue;
		if (to)
			value_set(mem, there, key, value_copy(mem, to));
		after = vary_shoot(v, vary_doc(mem, d, changed));
		if (after.good) {
			p.before = &before;
			p.after = &after;
			v->pairs++;
			v->seen(v->ctx, &p);
		}
		arena_free(after.mem);
	}
	arena_free(before.mem);
	arena_free(mem);
}

/* What matters only to jobs, in every environment that could be one. */
static inline void
vary_jobs(struct vary *v)
{
	const struct field_list *all = &v->all[KIND_ENV];

	for (size_t i = 0; i < v->tree.nenvs; i++) {
		const struct doc *d = v->tree.envs[i]->doc;
		struct value *root = value_copy(v->tree.mem, d->root), *dist = value_at(root, "spec.distributed");

		if (!v->tree.envs[i]->distributed || !dist)
			continue;
		value_set(v->tree.mem, dist, "engine", value_str(v->tree.mem, "jobset"));
		for (size_t x = 0; x < all->n; x++)
			if (str_starts(all->items[x].path, "spec.distributed."))
				vary_field(v, vary_doc(v->tree.mem, d, root), &all->items[x]);
	}
}

/* Every field of every document below `root`, a folder with an environments repository. */
static inline void
vary_tree(struct vary *v, const char *root)
{
	void *d;

	tree_load(&v->tree, root);
	tree_resolve(&v->tree);
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		const struct field_list *all = &v->all[k];

		for (size_t i = 0; k != KIND_ORG && map_next(&v->tree.site.docs[k], &i, NULL, &d);)
			for (size_t x = 0; x < all->n; x++)
				vary_field(v, d, &all->items[x]);
		for (size_t x = 0; k == KIND_ORG && x < all->n; x++)
			vary_field(v, v->tree.site.org, &all->items[x]);
	}
	vary_jobs(v);
	tree_free(&v->tree);
}

static inline void
vary_init(struct vary *v, void (*seen)(void *, const struct vary_pair *), void *ctx)
{
	struct report r = { 0 };
	struct err e = { 0 };

	*v = (struct vary){ .mem = arena_new((size_t)64 << 20), .seen = seen, .ctx = ctx };
	report_init(&r, v->mem);
	if (schemas_load(&v->schemas, &e) < 0 || templates_load(NULL, &r, &v->templates, &e) < 0 || fields_load(v->mem, &v->fields, &e) < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	for (enum kind k = 0; k < KIND_COUNT; k++)
		fields_of(&v->fields, k, &v->all[k]);
}

static inline void
vary_free(struct vary *v)
{
	templates_free(v->templates);
	schemas_free(v->schemas);
	arena_free(v->mem);
}
