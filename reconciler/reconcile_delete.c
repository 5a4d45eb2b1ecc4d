/* SPDX-License-Identifier: Apache-2.0 */
/* Deletions: counted, guarded, and only then made. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "plan/guard.h"
#include "reconcile_pass.h"
#include "repo/guard.h"

/* spec.guards of the commit that is applied now, not of the one that deletes; NULL: the built-in limits. */
static const struct value *
guards_now(struct pass *p)
{
	struct git_repo *g = source_git(p->r->c.source);
	struct git_commit_info c;
	struct report ignored;
	struct value *v;
	const char *bytes;
	size_t len;

	report_init(&ignored, p->mem);
	if (!p->view.has_source || git_commit_read(g, &p->view.source, p->mem, &c, NULL) < 0 ||
	    git_tree_read(g, &c.tree, "berth.yaml", FILE_DOC_MAX, p->mem, &bytes, &len, NULL) < 0 ||
	    yaml_read(p->mem, "berth.yaml", bytes, len, NULL, &ignored, &v) < 0)
		return NULL;
	return value_at(v, "spec.guards");
}

/*
 * A trailer has its effect once: with the commit that was looked at last. The rendered branch alone does not tell, since a
 * commit that changes no manifest leaves no mark there.
 */
static bool
looked_at(struct pass *p, struct oid *out)
{
	struct git_repo *g = source_git(p->r->c.source);
	struct oid adopted;
	bool has = source_adopted(p->r->c.source, &adopted, NULL) == 0;

	if (p->view.has_source)
		*out = p->view.source;
	if (has && (!p->view.has_source || git_is_ancestor(g, out, &adopted, NULL) == 1))
		*out = adopted;
	return has || p->view.has_source;
}

static int
decide_deletions(struct pass *p, struct err *e)
{
	struct log_about a = pass_about(p, NULL, "plan");
	enum approval_mode mode = approvals_mode(p->r);
	const char **units;
	size_t allowed, released;
	struct oid since;
	bool has_since;
	int rc;

	if (!p->ndrops)
		return 1;
	if ((rc = p->r->c.target->ops->units(p->r->c.target, "envs/", &units, &p->live, e)) < 0)
		return rc;
	allowed = guard_allowed(guards_now(p), p->live);
	if (p->ndrops <= allowed)
		return 1;
	has_since = looked_at(p, &since);
	rc = guard_released_by(source_git(p->r->c.source), has_since ? &since : NULL, &p->heads.main, mode != APPROVAL_NONE ? approvals_vouched : NULL,
	                       p, &released, e);
	if (rc < 0)
		return rc;
	if (p->ndrops <= released)
		return 1;
	log_line(LOG_WARN, &a, "E502 %zu deletions held: guards allow %zu of %zu; release them with a commit on main%s whose "
	         "message ends in \"Berth-Allow-Delete: %zu\"", p->ndrops, allowed, p->live,
	         mode == APPROVAL_NONE ? "" : mode == APPROVAL_FORGE ? " that was approved, or that an admin signed" : " that an admin signed", p->ndrops);
	return 0;
}

int
deletions_allowed(struct pass *p, struct err *e)
{
	if (p->ndrops != p->ndecided) {
		int rc = decide_deletions(p, e);

		if (rc < 0)
			return rc;
		p->allowed = rc;
		p->ndecided = p->ndrops;
	}
	return p->ndrops ? p->allowed : 1;
}

static int
drop_one(struct pass *p, const char *unit, struct err *e)
{
	const char *owner = arena_strndup(p->mem, unit + 5, strcspn(unit + 5, "/"));
	const char *name = unit + 5 + strlen(owner) + 1;
	struct log_about a = pass_about(p, unit + 5, "apply");
	int rc = p->r->c.target->ops->drop(p->r->c.target, unit, e);

	if (rc < 0)
		return rc;
	holds_drop(p->r->holds, owner, name);
	if (p->r->c.target->ops->state) /* it takes its time, and is gone when the target says so */
		return observe_going(p, owner, name, arena_printf(p->mem, "%s.yaml", unit), e);
	publish_gone(p->r->c.publisher, owner, name, &p->heads.main);
	log_line(LOG_INFO, &a, "deleted");
	return 0;
}

static int
hold_one(struct pass *p, const char *unit, struct err *e)
{
	const char *owner = arena_strndup(p->mem, unit + 5, strcspn(unit + 5, "/"));
	const char *name = unit + 5 + strlen(owner) + 1;
	int rc;

	rc = observe_held(p, owner, name, arena_printf(p->mem, "envs/%s/%s.yaml", owner, name), PENDING_GUARD, NULL, e);
	if (rc < 0)
		return rc;
	p->obs[p->nobs - 1].message =
		arena_printf(p->mem, "deletion held: one of %zu at once; a commit on main with the trailer "
	                             "\"Berth-Allow-Delete: %zu\" releases them", p->ndrops, p->ndrops);
	return 0;
}

/* Owners whose last environment went get their own set looked at again, now that it is decided. */
static int
finish_owners(struct pass *p, struct err *e)
{
	struct target *t = p->r->c.target;
	int rc;

	for (size_t i = 0; i < p->ndrops; i++) {
		const char *owner = arena_strndup(p->mem, p->drops[i] + 5, strcspn(p->drops[i] + 5, "/"));
		struct owner_result o;

		if (i && str_starts(p->drops[i - 1] + 5, owner) && p->drops[i - 1][5 + strlen(owner)] == '/')
			continue;
		arena_reset(p->owner_mem);
		if ((rc = world_owner(p->r->world, p->owner_mem, owner, true, NULL, NULL, &o, e)) < 0)
			return rc;
		if (o.bundle && !o.bad)
			rc = t->ops->put(t, o.bundle, false, e);
		else if (!o.user && !o.n)
			rc = t->ops->drop(t, arena_printf(p->owner_mem, "users/%s", owner), e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
apply_deletions(struct pass *p, struct err *e)
{
	int allowed = deletions_allowed(p, e), rc;

	if (allowed < 0)
		return allowed;
	p->r->guard_held = !allowed;
	for (size_t i = 0; i < p->ndrops; i++)
		if ((rc = allowed ? drop_one(p, p->drops[i], e) : hold_one(p, p->drops[i], e)) < 0)
			return rc;
	return allowed ? finish_owners(p, e) : 0;
}
