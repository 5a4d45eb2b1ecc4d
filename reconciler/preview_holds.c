/* SPDX-License-Identifier: Apache-2.0 */
/* The two passes of a daemon that would apply base and then head, by use alone. */
#include "preview_holds.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "status/document.h"
#include "status/status.h"
#include "validate/holds.h"

struct preview_holds {
	struct holds *holds;
	const struct site *site; /* of the world that is asked */
	struct world *world;
	struct arena *mem;
	const struct files *status; /* NULL: no status branch */
	struct map waited;    /* "alice/train": waited before, with nothing there */
	struct map waits;     /* waits after */
	const struct map *touched; /* owners who may differ; NULL: all */
	struct map uses;      /* of the others' environments in base, "alice/train" -> struct use */
	bool merged;          /* what is asked is the head, and what is live has been decided */
};

static void
free_holds(void *p)
{
	struct preview_holds *h = p;

	holds_free(h->holds);
	map_free(&h->waited);
	map_free(&h->waits);
	map_free(&h->uses);
}

static struct value *
read_doc(const struct preview_holds *h, struct arena *mem, const char *owner, const char *name)
{
	struct value *v = NULL;

	return h->status && status_read_files(h->status, status_path(mem, owner, name), mem, &v, NULL) == 0 ? v : NULL;
}

static bool
read_use(void *ctx, const char *owner, const char *name, struct use *out, int64_t *since)
{
	struct preview_holds *h = ctx;
	struct value *v = read_doc(h, h->mem, owner, name);

	/* who waits already has its place in the row, as the daemon has it */
	*since = str_eq(value_as_str(value_at(v, "pending.reason"), NULL), pending_name(PENDING_QUOTA))
	         ? clock_parse_rfc3339(value_as_str(value_at(v, "pending.since"), NULL)) : 0;
	return v && use_read(value_get(v, "use"), out);
}

/* What a merge brings is all of one age. */
static int64_t
no_age(void *ctx, const char *owner, const char *name)
{
	(void)ctx;
	(void)owner;
	(void)name;
	return 0;
}

/* Of what main asks for: is anything of it there? Only what waits for its first time is not. */
static bool
is_there(const struct preview_holds *h, struct arena *mem, const char *owner, const char *name)
{
	struct value *v = read_doc(h, mem, owner, name);
	const char *reason = value_as_str(value_at(v, "pending.reason"), "");

	return !v || value_get(v, "use") || strcmp(reason, pending_name(PENDING_QUOTA)) != 0;
}

static const char *
key_of(struct arena *mem, const char *owner, const char *name)
{
	return arena_printf(mem, "%s/%s", owner, name);
}

static bool
is_touched(const struct preview_holds *h, const char *owner)
{
	return !h->touched || map_has(h->touched, owner);
}

static const char *
copy(struct arena *mem, const char *s)
{
	return s ? arena_strdup(mem, s) : NULL;
}

static void
keep_use(struct preview_holds *h, const struct env_result *r, const struct use *u)
{
	struct use *kept = arena_memdup(h->mem, u, sizeof(*u));

	kept->team = copy(h->mem, u->team);
	kept->flavor = copy(h->mem, u->flavor);
	kept->claim = copy(h->mem, u->claim);
	(void)map_put(&h->uses, key_of(h->mem, r->owner, r->name), kept);
}

static int
ask_env(void *ctx, const struct env_result *r, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct preview_holds *h = ctx;
	struct use u;

	(void)e;
	if (r->ok)
		use_of(mem, r->env, &u);
	if (r->ok && !h->merged && !is_touched(h, r->owner))
		keep_use(h, r, &u);
	holds_ask(h->holds, r->owner, r->name, r->ok ? &u : NULL,
	          h->merged ? holds_live(h->holds, r->owner, r->name) != NULL : is_there(h, mem, r->owner, r->name));
	return 0;
}

/* Of the head, as the base had it. */
static void
ask_again(struct preview_holds *h, struct arena *mem, const char *owner)
{
	const char *const *names;
	size_t n;

	world_names(h->world, mem, owner, &names, &n);
	for (size_t i = 0; i < n; i++)
		holds_ask(h->holds, owner, names[i], map_get(&h->uses, key_of(mem, owner, names[i])), holds_live(h->holds, owner, names[i]) != NULL);
}

static int
ask_all(struct preview_holds *h, struct err *e)
{
	struct arena *AUTO_ARENA list = arena_new((size_t)128 << 20);
	const char **owners;
	size_t n;
	int rc;

	world_owners(h->world, list, &owners, &n);
	for (size_t i = 0; i < n; i++) {
		struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
		struct owner_result o;

		if (h->merged && !is_touched(h, owners[i]))
			ask_again(h, mem, owners[i]);
		else if ((rc = world_owner(h->world, mem, owners[i], false, ask_env, h, &o, e)) < 0)
			return rc;
	}
	return 0;
}

/* After a decision: who waits. `first`: only those of whom nothing is there. */
static void
collect(struct preview_holds *h, struct map *out, bool first)
{
	struct arena *AUTO_ARENA list = arena_new((size_t)128 << 20);
	const char **owners, *const *names, *why;
	size_t n, k;

	world_owners(h->world, list, &owners, &n);
	for (size_t i = 0; i < n && holds_waiting(h->holds) > 0; i++) {
		world_names(h->world, list, owners[i], &names, &k);
		for (size_t j = 0; j < k; j++) {
			if (first && holds_live(h->holds, owners[i], names[j]))
				continue;
			if ((why = holds_waits(h->holds, h->site, h->mem, owners[i], names[j])))
				(void)map_put(out, key_of(h->mem, owners[i], names[j]), arena_strdup(h->mem, why));
		}
	}
}

/* Environments whose file is gone free their place. */
static void
drop_gone(struct preview_holds *h, struct world *base, struct world *head)
{
	struct arena *AUTO_ARENA list = arena_new((size_t)128 << 20);
	const char **owners, *const *was;
	size_t n, nwas;

	world_owners(base, list, &owners, &n);
	for (size_t i = 0; i < n; i++) {
		world_names(base, list, owners[i], &was, &nwas);
		for (size_t k = 0; k < nwas; k++)
			if (!world_has_env(head, owners[i], was[k]))
				holds_drop(h->holds, owners[i], was[k]);
	}
}

static bool
any_limit(const struct world *w, struct arena *mem)
{
	const struct site *s = world_site(w);
	struct sum_limit limits[SUM_COUNT];
	const char **owners;
	size_t n;

	if (limits_any_queue(s))
		return true;
	world_owners(w, mem, &owners, &n);
	for (size_t i = 0; i < n; i++)
		if (limits_of_user(s, owners[i], limits) > 0)
			return true;
	return false;
}

int
preview_holds_make(struct world *base, struct world *head, const struct map *touched, const struct files *status, struct arena *mem,
                   struct preview_holds **out, struct err *e)
{
	struct preview_holds *h = arena_alloc(mem, sizeof(*h));
	const struct holds_query how = { .ctx = h, .mem = mem, .read = read_use, .age = no_age, .now = clock_now() };
	int rc;

	*out = h;
	h->mem = mem;
	h->status = status;
	h->touched = base ? touched : NULL;
	h->holds = holds_new();
	arena_defer(mem, free_holds, h);
	if (!any_limit(head, mem) && (!base || !any_limit(base, mem)))
		return 0;
	if (base) {
		h->world = base;
		h->site = world_site(base);
		holds_begin(h->holds);
		if ((rc = ask_all(h, e)) < 0)
			return rc;
		holds_decide(h->holds, h->site, &how);
		collect(h, &h->waited, true);
		holds_keep(h->holds);
	}
	h->world = head;
	h->site = world_site(head);
	holds_begin(h->holds);
	h->merged = true;
	if ((rc = ask_all(h, e)) < 0)
		return rc;
	if (base)
		drop_gone(h, base, head);
	holds_decide(h->holds, h->site, &how);
	collect(h, &h->waits, false);
	return 0;
}

const char *
preview_holds_waits(const struct preview_holds *h, const char *owner, const char *name)
{
	return map_get(&h->waits, key_of(h->mem, owner, name));
}

bool
preview_holds_absent(const struct preview_holds *h, const char *owner, const char *name)
{
	return map_get(&h->waited, key_of(h->mem, owner, name)) != NULL;
}

static bool
names_any(const struct map *m, const char *owner)
{
	size_t len = strlen(owner);
	const char *key;

	for (size_t i = 0; map_next(m, &i, &key, NULL);)
		if (strncmp(key, owner, len) == 0 && key[len] == '/')
			return true;
	return false;
}

bool
preview_holds_concern(const struct preview_holds *h, const char *owner)
{
	return names_any(&h->waited, owner) || names_any(&h->waits, owner);
}
