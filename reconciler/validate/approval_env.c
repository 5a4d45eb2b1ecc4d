/* SPDX-License-Identifier: Apache-2.0 */
/* One environment of a change, read as the trusted tree would have it: what it refers to comes from there and nowhere else. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "validate/approval_priv.h"
#include "validate/use.h"

#define DOC_ARENA ((size_t)32 << 20)
#define KEPT_MAX 1000
#define ROUNDS_MAX 8 /* a flavor names an image, which names a team …: each round finds what the last one led to */

struct kept_doc {
	struct arena *mem;
	struct oid id;
	struct doc *doc;
};

/* -- documents that environments refer to ---------------------------------------------------------------------------- */

static void
kept_free(struct kept_doc *k)
{
	if (!k)
		return;
	arena_free(k->mem);
	free(k);
}

static int
need_schemas(struct trusted *j, struct err *e)
{
	return j->schemas ? 0 : schemas_load(&j->schemas, e);
}

static int
keep(struct trusted *j, const struct file_entry *f, struct doc **out, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(DOC_ARENA), *AUTO_ARENA measure = arena_new(DOC_ARENA);
	struct kept_doc *k;
	struct report r;
	struct doc *d;
	int rc;

	report_init(&r, mem);
	if ((rc = need_schemas(j, e)) < 0 || (rc = doc_read(mem, j->files, f, &r, &d, e)) < 0)
		return rc;
	validate_doc(j->schemas, d, &r);
	if (!(k = calloc(1, sizeof(*k))))
		abort();
	(void)doc_copy(measure, d);
	k->mem = arena_new_sized(DOC_ARENA, arena_used(measure));
	k->id = f->id;
	k->doc = doc_copy(k->mem, d);
	kept_free(map_put(&j->kept, f->path, k));
	*out = k->doc;
	return 0;
}

/* The document at `path` in the trusted tree as it is now; NULL when there is none. */
static int
trusted_doc(struct trusted *j, const char *path, struct doc **out, struct err *e)
{
	const struct file_entry *f = files_find(j->files, path);
	const struct kept_doc *k = f ? map_get(&j->kept, path) : NULL;

	*out = NULL;
	if (!f)
		return 0;
	if (!k || !oid_eq(&k->id, &f->id))
		return keep(j, f, out, e);
	*out = k->doc;
	return 0;
}

void
trusted_free(struct trusted *j)
{
	void *v;

	for (size_t i = 0; map_next(&j->kept, &i, NULL, &v);)
		kept_free(v);
	map_free(&j->kept);
	schemas_free(j->schemas);
	j->schemas = NULL;
}

void
trusted_begin(struct trusted *j)
{
	void *v;

	if (j->kept.live < KEPT_MAX)
		return;
	for (size_t i = 0; map_next(&j->kept, &i, NULL, &v);)
		kept_free(v);
	map_free(&j->kept);
}

/* -- the document itself --------------------------------------------------------------------------------------------- */

struct bytes {
	const char *at;
	size_t len;
};

static int
read_bytes(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len, struct err *e)
{
	const struct bytes *b = ctx;

	if (b->len > max)
		return err_set(e, ERR_INVALID, "%s has %zu bytes, at most %zu are read", f->path, b->len, max);
	*bytes = arena_strndup(mem, b->at, b->len);
	*len = b->len;
	return 0;
}

/* NULL when anything is wrong with it. */
static int
read_env(struct trusted *j, struct arena *mem, const char *path, const char *bytes, size_t len, struct doc **out, struct err *e)
{
	struct bytes b = { bytes, len };
	struct file_entry f = { .path = path, .mode = FILE_REGULAR };
	struct files one = { .entries = &f, .n = 1, .ctx = &b, .read = read_bytes };
	struct report r;
	struct doc *d;
	int rc;

	*out = NULL;
	report_init(&r, mem);
	if ((rc = need_schemas(j, e)) < 0 || (rc = doc_read(mem, &one, &f, &r, &d, e)) < 0)
		return rc;
	validate_doc(j->schemas, d, &r);
	if (d->ok && d->root && d->spec)
		*out = d;
	return 0;
}

struct value *
map_without(struct arena *mem, const struct value *map, const char *const *keys, size_t n)
{
	struct value *v = value_map(mem);

	for (size_t i = 0; value_is(map, VALUE_MAP) && i < map->map.n; i++) {
		const struct member *m = &map->map.items[i];
		size_t k = 0;

		while (k < n && !str_eq(keys[k], m->key))
			k++;
		if (k == n)
			value_set_at(mem, v, m->key, m->at, m->value);
	}
	return v;
}

/* The sealed file or script that comes with an environment in one change is not trusted yet, and no number depends on it. */
static struct doc *
numbers_alone(struct arena *mem, const struct doc *d)
{
	static const char *const keys[] = { "setup", "secrets", "datasets" }, *const share[] = { "share" };
	struct doc *c = arena_memdup(mem, d, sizeof(*d));
	const struct value *access = value_get(d->spec, "access");
	struct value *spec = map_without(mem, d->spec, keys, sizeof(keys) / sizeof(*keys));

	if (value_is(access, VALUE_MAP))
		value_set_at(mem, spec, "access", access->at, map_without(mem, access, share, 1));
	c->spec = spec;
	return c;
}

/* -- together --------------------------------------------------------------------------------------------------------- */

/* Puts every document that `d` leads to into `s`, as far as they are there. */
static int
collect(struct trusted *j, struct arena *mem, const struct doc *d, struct site *s, struct err *e)
{
	struct map seen AUTO_MAP = MAP_INIT;

	for (unsigned round = 0, more = 1; more && round < ROUNDS_MAX; round++) {
		const char *const *deps;
		size_t n;

		more = 0;
		env_deps(mem, s, d, &deps, &n);
		for (size_t i = 0; i < n; i++) {
			struct path_info p;
			struct doc *dep;
			int rc;

			path_classify(mem, deps[i], &p);
			if (p.class != PATH_DOC || p.kind == KIND_ENV || map_has(&seen, deps[i]))
				continue;
			(void)map_put(&seen, deps[i], NULL);
			if ((rc = trusted_doc(j, deps[i], &dep, e)) < 0)
				return rc;
			if (dep)
				site_add(s, dep);
			more = 1;
		}
	}
	return 0;
}

static bool
is_member(const struct doc *user, const char *team)
{
	const struct value *teams = value_get(user ? user->spec : NULL, "teams");

	for (size_t i = 0; i < value_len(teams) && value_is(teams, VALUE_LIST); i++)
		if (str_eq(value_as_str(value_item(teams, i), NULL), team))
			return true;
	return false;
}

int
trusted_env(struct trusted *j, struct arena *mem, const char *path, const char *bytes, size_t len, struct trusted_version *out, struct err *e)
{
	struct site s = { 0 };
	const struct doc *asked;
	struct err why = { 0 };
	struct report r;
	struct env *env;
	struct doc *d;
	int rc;

	*out = (struct trusted_version){ 0 };
	if ((rc = read_env(j, mem, path, bytes, len, &d, e)) < 0 || !d)
		return rc;
	out->doc = d;
	asked = numbers_alone(mem, d);
	report_init(&r, mem);
	if ((rc = collect(j, mem, asked, &s, &why)) == 0)
		rc = env_resolve(mem, &s, j->files, asked, &r, &env, &why);
	site_free(&s);
	if (rc == ERR_INVALID)
		return 0;
	if (rc < 0) {
		if (e)
			*e = why;
		return rc;
	}
	out->env = env;
	if (env->team && is_member(env->user, env->team->name))
		out->team = env->team->name;
	return 0;
}

int
trusted_only_team(struct trusted *j, const char *owner, const char **team, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(4096);
	const struct value *teams;
	struct doc *user;
	int rc;

	*team = NULL;
	if ((rc = trusted_doc(j, arena_printf(mem, "users/%s.yaml", owner), &user, e)) < 0 || !user || !user->ok)
		return rc;
	teams = value_get(user->spec, "teams");
	if (value_is(teams, VALUE_LIST) && value_len(teams) == 1)
		*team = value_as_str(value_item(teams, 0), NULL);
	return 0;
}

void
trusted_sizes(const struct env *env, int64_t out[SIZE_COUNT])
{
	out[SIZE_GPU] = size_times(size_times(env->gpu, env->replicas_full), 1000);
	out[SIZE_CPU] = size_times(env->cpu_limit, env->replicas_full);
	out[SIZE_MEMORY] = size_times(size_times(env->mem_limit, env->replicas_full), 1000);
	out[SIZE_WORLD] = size_times(env->world_size, 1000);
}
