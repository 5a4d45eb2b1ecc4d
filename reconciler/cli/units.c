/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles in batches. */
#include "cli/units.h"

#include <string.h>

#include "cli/tree.h"
#include "lib/base/map.h"

#define BATCH_OBJECTS 256
#define BATCH_BYTES ((size_t)64 << 20)
#define BATCH_MAX ((size_t)2 << 30) /* a batch ends with a whole unit, and answers live in it too */

struct walk {
	const struct args *a;
	const struct units_visit *v;
	struct arena *mem;       /* of the batch */
	struct bundle *bundles;
	size_t n, cap, objects;
	size_t hits;             /* names that were found */
	bool took;               /* an environment of the owner at hand */
};

static int
flush(struct walk *w, struct err *e)
{
	int rc = w->n ? w->v->visit(w->v->ctx, w->mem, w->bundles, w->n, e) : 0;

	arena_reset(w->mem);
	w->bundles = NULL;
	w->n = w->cap = w->objects = 0;
	return rc;
}

static const char *
copy(struct arena *mem, const char *s)
{
	return s ? arena_strdup(mem, s) : NULL;
}

/* Names of a Secret's entries: what they are made of is of no use here. */
static void
copy_parts(struct arena *mem, const struct object *o, struct object *out)
{
	struct part *parts = arena_array(mem, o->nparts + 1, sizeof(*parts));
	const char **digests = arena_array(mem, o->nparts + 1, sizeof(*digests));

	for (size_t i = 0; i < o->nparts; i++) {
		parts[i] = (struct part){ .key = copy(mem, o->parts[i].key), .kind = o->parts[i].kind };
		digests[i] = "";
	}
	out->parts = parts;
	out->digests = digests;
	out->nparts = o->nparts;
}

static int
add(struct walk *w, const struct bundle *b, struct err *e)
{
	struct bundle *own;

	if (!b || !b->n)
		return 0;
	if (w->n == w->cap) {
		w->bundles = arena_regrow(w->mem, w->bundles, w->n, w->cap ? w->cap * 2 : 32, sizeof(*w->bundles));
		w->cap = w->cap ? w->cap * 2 : 32;
	}
	own = &w->bundles[w->n++];
	*own = (struct bundle){ .unit = copy(w->mem, b->unit), .n = b->n, .digest = b->digest,
		.objects = arena_array(w->mem, b->n, sizeof(*own->objects)) };
	for (size_t i = 0; i < b->n; i++) {
		const struct object *o = &b->objects[i];

		own->objects[i] = (struct object){ .api_version = copy(w->mem, o->api_version), .kind = copy(w->mem, o->kind),
			.name = copy(w->mem, o->name), .namespace_ = copy(w->mem, o->namespace_), .file = copy(w->mem, o->file),
			.value = value_copy(w->mem, o->value) };
		copy_parts(w->mem, o, &own->objects[i]);
	}
	w->objects += b->n;
	return w->objects >= BATCH_OBJECTS || arena_used(w->mem) >= BATCH_BYTES ? flush(w, e) : 0;
}

/* Whether a->pos names OWNER/NAME; name NULL: anything of the owner. No names: everything. */
static bool
named(const struct args *a, const char *owner, const char *name)
{
	size_t n = strlen(owner);

	for (size_t i = 0; i < a->npos; i++)
		if (strncmp(a->pos[i], owner, n) == 0 && a->pos[i][n] == '/' && (!name || strcmp(a->pos[i] + n + 1, name) == 0))
			return true;
	return !a->npos;
}

static void
say_bad(const struct walk *w, const struct env_result *r)
{
	struct buf line AUTO_BUF = BUF_INIT(0);

	for (size_t i = 0; i < r->findings.n && !line.len; i++)
		if (r->findings.items[i].severity == SEVERITY_ERROR)
			finding_line(&r->findings.items[i], &line);
	w->v->bad(w->v->ctx, arena_printf(w->a->mem, "envs/%s/%s", r->owner, r->name), line.len ? buf_cstr(&line) : "not valid");
}

static int
visit_env(void *ctx, const struct env_result *r, struct err *e)
{
	struct walk *w = ctx;

	if (!named(w->a, r->owner, r->name))
		return 0;
	w->hits++;
	w->took = true;
	if (r->ok)
		return add(w, r->bundle, e);
	say_bad(w, r);
	return 0;
}

static int
one_owner(struct walk *w, struct world *world, const char *owner, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	struct owner_result r;
	int rc;

	if (!named(w->a, owner, NULL))
		return 0;
	w->took = false;
	if ((rc = world_owner(world, mem, owner, true, visit_env, w, &r, e)) < 0)
		return rc;
	if (w->a->npos && !(w->v->with_owners && w->took))
		return 0;
	if (r.error)
		w->v->bad(w->v->ctx, arena_printf(w->a->mem, "users/%s", owner), r.error);
	return add(w, r.bundle, e);
}

static int
shared(struct walk *w, struct world *world, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	const struct bundle *b;
	const char *team;
	int rc;

	if ((rc = world_org(world, mem, &b, e)) < 0 || (rc = add(w, b, e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&world_site(world)->docs[KIND_TEAM], &i, &team, NULL);)
		if ((rc = world_team(world, mem, team, &b, e)) < 0 || (rc = add(w, b, e)) < 0)
			return rc;
	return 0;
}

static int
walk_all(struct walk *w, struct world *world, struct err *e)
{
	const char **owners;
	size_t n;
	int rc;

	if (!w->a->npos && (rc = shared(w, world, e)) < 0)
		return rc;
	world_owners(world, w->a->mem, &owners, &n);
	for (size_t i = 0; i < n; i++)
		if ((rc = one_owner(w, world, owners[i], e)) < 0)
			return rc;
	if (w->hits < w->a->npos) {
		(void)err_set(e, ERR_USAGE, "%s is not here", w->a->npos == 1 ? w->a->pos[0] : "one of the environments named");
		return err_hint(e, "environments are OWNER/NAME for files envs/OWNER/NAME.yaml");
	}
	return flush(w, e);
}

int
units_each(const struct args *a, struct world *world, const struct units_visit *v, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(BATCH_MAX);
	struct walk w = { .a = a, .v = v, .mem = mem };

	return walk_all(&w, world, e);
}

int
units_open(const struct args *a, struct world **out, const char **label, struct err *e)
{
	struct files *files = arena_alloc(a->mem, sizeof(*files));
	struct world *w;
	int rc;

	if ((rc = tree_of_args(a, files, label, e)) < 0 || (rc = world_new(&w, e)) < 0)
		return rc;
	rc = world_adopt(w, files, NULL, 0, true, e);
	if (rc == 0 && (rc = world_check_usable(w, a->mem, e)) < 0)
		(void)err_hint(e, "`berth validate` shows them; -C names the environments repository");
	if (rc < 0) {
		world_free(w);
		return rc;
	}
	*out = w;
	return 0;
}
