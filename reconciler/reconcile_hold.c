/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on what several environments hold together: the later commit waits. */
#include <limits.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "reconcile_pass.h"
#include "status/document.h"

#define WALK_MAX 256       /* commits of main that are asked which of them changed a file */
#define WALK_FINDS_MAX 8192 /* looks into trees for all files together */

/* -- what is asked ------------------------------------------------------------------------------------------------ */

static int
ask_env(void *ctx, const struct env_result *r, struct err *e)
{
	struct pass *p = ctx;
	bool asks = r->ok && pass_selected(p, r->owner, r->name);
	struct use u;

	(void)e;
	if (asks)
		use_of(p->owner_mem, r->env, &u);
	holds_ask(p->r->holds, r->owner, r->name, asks ? &u : NULL, unit_listed(p->units, p->nunits, r->owner, r->name));
	return 0;
}

static int
ask_owner(struct pass *p, const char *owner, struct err *e)
{
	struct owner_result o;
	const char *const *names;
	size_t n;
	int rc;

	arena_reset(p->owner_mem);
	world_names(p->r->world, p->owner_mem, owner, &names, &n);
	if ((rc = owner_units(p, owner, names, n, &p->units, &p->nunits, e)) < 0)
		return rc;
	return world_owner(p->r->world, p->owner_mem, owner, false, ask_env, p, &o, e);
}

/* Deletions that may be made free their place; what stays is asked for by nobody, and counts. */
static int
ask_drops(struct pass *p, struct err *e)
{
	int allowed = deletions_allowed(p, e);

	if (allowed < 0)
		return allowed;
	for (size_t i = 0; i < p->ndrops; i++) {
		const char *owner = arena_strndup(p->mem, p->drops[i] + 5, strcspn(p->drops[i] + 5, "/"));
		const char *name = p->drops[i] + 5 + strlen(owner) + 1;

		if (allowed)
			holds_drop(p->r->holds, owner, name);
		else
			holds_ask(p->r->holds, owner, name, NULL, true);
	}
	return 0;
}

/* -- what only git knows ------------------------------------------------------------------------------------------ */

static bool
read_at(struct pass *p, const struct oid *commit, const char *path, struct arena *mem, const char **bytes, size_t *len)
{
	struct git_repo *g = source_git(p->r->c.source);
	struct git_commit_info c;

	return git_commit_read(g, commit, mem, &c, NULL) == 0 &&
	       git_tree_read(g, &c.tree, path, FILE_DOC_MAX, mem, bytes, len, NULL) == 0;
}

static struct value *
status_doc(struct pass *p, struct arena *mem, const char *path)
{
	struct git_repo *g = source_git(p->r->c.source);
	struct git_commit_info c;
	struct value *v;

	return p->heads.has_status && git_commit_read(g, &p->heads.status, mem, &c, NULL) == 0 &&
	       status_read_tree(g, &c.tree, path, mem, &v, NULL) == 0 ? v : NULL;
}

int
live_spec(void *ctx, struct arena *mem, const char *owner, const char *name, const char **bytes, size_t *len)
{
	struct pass *p = ctx;
	const char *path = status_path(mem, owner, name); /* of the spec too */
	const struct value *v;
	struct oid commit;

	if (!unit_listed(p->units, p->nunits, owner, name))
		return ERR_NOTFOUND;
	v = status_doc(p, mem, path);
	/* others can write that branch: only what main has had is believed */
	if (oid_parse(value_as_str(value_at(v, "observed.commit"), ""), &commit) < 0 ||
	    git_is_ancestor(source_git(p->r->c.source), &commit, &p->heads.main, NULL) != 1 || !read_at(p, &commit, path, mem, bytes, len))
		return ERR_UNAVAILABLE;
	return 0;
}

/* From the status that the last process left. */
static bool
read_status(void *ctx, const char *owner, const char *name, struct use *out, int64_t *since)
{
	struct pass *p = ctx;
	const struct value *v = status_doc(p, p->mem, status_path(p->mem, owner, name));

	*since = 0;
	if (!v)
		return false;
	if (str_eq(value_as_str(value_at(v, "pending.reason"), NULL), pending_name(PENDING_QUOTA)))
		*since = clock_parse_rfc3339(value_as_str(value_at(v, "pending.since"), NULL));
	return use_read(value_get(v, "use"), out);
}

struct query {
	struct pass *p;
	size_t finds; /* made so far */
};

static bool
query_read(void *ctx, const char *owner, const char *name, struct use *out, int64_t *since)
{
	return read_status(((struct query *)ctx)->p, owner, name, out, since);
}

static bool
file_at(struct query *q, const struct oid *tree, const char *path, struct oid *out)
{
	q->finds++;
	return git_tree_find(source_git(q->p->r->c.source), tree, path, out, NULL, NULL) == 0;
}

/* How far back on main's first parents the file was changed: 0 is the tip, so newer is larger when it is negated. */
static int64_t
query_age(void *ctx, const char *owner, const char *name)
{
	struct query *q = ctx;
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct git_repo *g = source_git(q->p->r->c.source);
	const char *path = arena_printf(mem, "envs/%s/%s.yaml", owner, name);
	struct git_commit_info c, parent;
	struct oid now, then;

	if (git_commit_read(g, &q->p->heads.main, mem, &c, NULL) < 0 || !file_at(q, &c.tree, path, &now))
		return 0;
	for (int i = 0; i < WALK_MAX && q->finds < WALK_FINDS_MAX; i++) {
		if (!c.nparents || git_commit_read(g, &c.parents[0], mem, &parent, NULL) < 0 ||
		    !file_at(q, &parent.tree, path, &then) || !oid_eq(&now, &then))
			return -(int64_t)i;
		c = parent;
	}
	return INT64_MIN;
}

static void
query_granted(void *ctx, const char *owner)
{
	(void)map_put(&((struct query *)ctx)->p->dirty, owner, NULL);
}

/* -- the pass ------------------------------------------------------------------------------------------------------ */

/* Whom no limit concerns is asked while it is applied, and no file of theirs is read twice. */
bool
hold_judged(const struct pass *p, const char *owner)
{
	struct sum_limit limits[SUM_COUNT];

	return p->judging && (p->queues || limits_of_user(world_site(p->r->world), owner, limits) > 0);
}

int
hold_pass(struct pass *p, struct err *e)
{
	struct query q = { .p = p };
	const struct holds_query how = { .ctx = &q, .mem = p->mem, .read = query_read, .age = query_age, .granted = query_granted,
		.now = clock_now() };
	const char *owner;
	int rc;

	/* where nothing was ever applied nobody has a place to keep: then the order of owners and names does */
	p->judging = p->view.exists || p->heads.has_status;
	p->queues = limits_any_queue(world_site(p->r->world)) || holds_waiting(p->r->holds);
	if (!p->judging)
		return 0;
	for (size_t i = 0; map_next(&p->dirty, &i, &owner, NULL);)
		if (hold_judged(p, owner) && (rc = ask_owner(p, owner, e)) < 0)
			return rc;
	if ((rc = ask_drops(p, e)) < 0)
		return rc;
	holds_decide(p->r->holds, world_site(p->r->world), &how);
	return 0;
}

const char *
hold_env(struct pass *p, const struct env_result *r, bool there)
{
	const struct site *s = world_site(p->r->world);
	const struct holds_query how = { .now = clock_now() };
	struct use u;

	if (!p->judged) {
		use_of(p->owner_mem, r->env, &u);
		holds_ask(p->r->holds, r->owner, r->name, &u, there);
		holds_decide(p->r->holds, s, &how);
	}
	return holds_waits(p->r->holds, s, p->mem, r->owner, r->name);
}

const struct use *
hold_use(struct pass *p, const char *owner, const char *name)
{
	const struct use *u = holds_live(p->r->holds, owner, name);
	struct use *c;

	if (!u)
		return NULL;
	c = arena_memdup(p->mem, u, sizeof(*u));
	c->team = u->team ? arena_strdup(p->mem, u->team) : NULL;
	c->flavor = arena_strdup(p->mem, u->flavor);
	c->claim = u->claim ? arena_strdup(p->mem, u->claim) : NULL;
	return c;
}
