/* SPDX-License-Identifier: Apache-2.0 */
/* One pass: repo -> parse -> validate -> render -> plan -> apply -> status. */
#include "reconcile.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "repo/guard.h"
#include "repo/tree_files.h"
#include "world.h"

#define TRIES 50
#define PASS_ARENA ((size_t)1 << 30)
#define OWNER_ARENA ((size_t)64 << 20) /* one owner's environments, ARENA_ENV_MAX each and then some */
#define GUARD_MAX_DELETE 3
#define GUARD_FRACTION 0.25

struct reconciler {
	struct reconcile_config c;
	struct tree_files *tree;
	struct world *world;
	bool world_full;           /* the world holds the tree of `world_commit` */
	struct oid world_commit;
	struct map deps;           /* owner -> struct map * of paths that went into the owner's environments */
	bool complete;             /* the last pass went through: only what changes from here on is looked at */
	bool looked;               /* `seen` is the tip of main that the last pass looked at … */
	struct oid seen;
	bool held;                 /* … and did not take over: nothing to do until main moves */
	bool guard_held;           /* deletions wait for Berth-Allow-Delete: look at them with every commit */
};

/* One pass's working state. */
struct pass {
	struct reconciler *r;
	struct arena *mem;    /* of the pass */
	struct arena *owner_mem;
	struct source_heads heads;
	struct target_view view;
	struct map dirty;     /* owners to look at */
	bool all;
	struct pass_result *out;
	const char **drops;   /* units of environments that main no longer has */
	size_t ndrops, drops_cap;
	size_t live;          /* environments on the target, those to be deleted included */
	struct report shared; /* findings of the repository as a whole */
	struct observation *obs; /* waiting for the revision that the commit gives them */
	size_t nobs, obs_cap;
};

static struct log_about
about(const struct pass *p, const char *env, const char *stage)
{
	return (struct log_about){ .run = p->r->c.run, .env = env, .stage = stage };
}

/* -- set-up ------------------------------------------------------------------------------------------------------ */

int
reconciler_new(const struct reconcile_config *c, struct reconciler **out, struct err *e)
{
	struct reconciler *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		abort();
	r->c = *c;
	if ((rc = world_new(&r->world, e)) < 0) {
		free(r);
		return rc;
	}
	*out = r;
	return 0;
}

static void
deps_free(struct reconciler *r)
{
	void *v;

	for (size_t i = 0; map_next(&r->deps, &i, NULL, &v);) {
		map_free(v);
		free(v);
	}
	map_free(&r->deps);
}

void
reconciler_free(struct reconciler *r)
{
	if (!r)
		return;
	deps_free(r);
	world_free(r->world);
	tree_files_free(r->tree);
	free(r);
}

void
reconcile_forget(struct reconciler *r)
{
	r->complete = false;
}

/* -- which owners ------------------------------------------------------------------------------------------------ */

static void
set_deps(struct reconciler *r, const struct owner_result *o)
{
	struct map *m = calloc(1, sizeof(*m)), *old;

	if (!m)
		abort();
	for (size_t i = 0; i < o->ndeps; i++)
		(void)map_put(m, o->deps[i], NULL);
	old = map_put(&r->deps, o->owner, m);
	if (old) {
		map_free(old);
		free(old);
	}
}

static void
mark(struct pass *p, const char *owner)
{
	(void)map_put(&p->dirty, owner, NULL);
}

/* "envs/alice/train.yaml" and "users/alice.yaml" are alice's own; the rest touches whoever depends on it. */
static void
mark_path(struct pass *p, const char *path)
{
	const char *owner;
	void *m;

	if (str_starts(path, "envs/") && strchr(path + 5, '/'))
		mark(p, arena_strndup(p->mem, path + 5, (size_t)(strchr(path + 5, '/') - path - 5)));
	else if (str_starts(path, "users/") && str_ends(path, ".yaml") && strlen(path) > 11)
		mark(p, arena_strndup(p->mem, path + 6, strlen(path) - 11));
	else if (str_starts(path, "templates/"))
		p->all = true;
	for (size_t i = 0; map_next(&p->r->deps, &i, &owner, &m);)
		if (map_has(m, path))
			mark(p, owner);
}

static int
mark_units(struct pass *p, struct err *e)
{
	const char **units;
	size_t n;
	int rc;

	/* owners that only the target knows any more */
	if ((rc = p->r->c.target->ops->units(p->r->c.target, "", &units, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const char *s = units[i];

		if (str_starts(s, "envs/"))
			mark(p, arena_strndup(p->mem, s + 5, strcspn(s + 5, "/")));
		else if (str_starts(s, "users/"))
			mark(p, s + 6);
	}
	return 0;
}

static int
mark_all(struct pass *p, struct err *e)
{
	const char **owners;
	size_t n;

	world_owners(p->r->world, p->mem, &owners, &n);
	for (size_t i = 0; i < n; i++)
		mark(p, owners[i]);
	return mark_units(p, e);
}

/* -- repo: take over a commit ------------------------------------------------------------------------------------ */

static void
report_repo(struct pass *p, const char *reason, const char *message)
{
	const struct doc *org = world_site(p->r->world)->org;
	struct repo_status s = { .reason = reason, .message = message, .commit = p->heads.main };
	const char **lines = arena_array(p->mem, p->shared.n + 1, sizeof(*lines));
	struct buf text AUTO_BUF = BUF_INIT(65536);

	for (size_t i = 0; i < p->shared.n; i++) {
		if (p->shared.items[i].severity != SEVERITY_ERROR)
			continue;
		buf_reset(&text);
		finding_line(&p->shared.items[i], &text);
		lines[s.nfindings++] = arena_strdup(p->mem, buf_cstr(&text));
	}
	s.findings = lines;
	s.approvals = org ? value_as_str(value_at(org->root, "spec.approvals.mode"), NULL) : NULL;
	if (p->view.drift.found) {
		s.drift_by = p->view.drift.who;
		s.drift_commit = p->view.drift.what;
	}
	publish_repo(p->r->c.publisher, &s);
}

static int
check_rewind(struct pass *p, struct err *e)
{
	struct reconciler *r = p->r;
	struct guard_memory m = { .has_rendered = p->view.has_source, .rendered_source = p->view.source };
	int rc = source_adopted(r->c.source, &m.adopted, e);

	if (rc < 0 && rc != ERR_NOTFOUND)
		return rc;
	m.has_adopted = rc == 0;
	return guard_rewind(source_git(r->c.source), &m, &p->heads.main, r->c.has_accept_rewind ? &r->c.accept_rewind : NULL,
	                    e);
}

/* The world moves to main's tip; owners that the difference touches become dirty. */
static int
take_over(struct pass *p, struct err *e)
{
	struct reconciler *r = p->r;
	const char *const *changed;
	struct git_commit_info c;
	size_t n;
	bool first = !r->world_full;
	int rc;

	if (!first && oid_eq(&r->world_commit, &p->heads.main))
		return 0;
	if ((rc = git_commit_read(source_git(r->c.source), &p->heads.main, p->mem, &c, e)) < 0)
		return rc;
	if (first) {
		tree_files_free(r->tree);
		r->tree = tree_files_new(source_git(r->c.source));
	}
	r->world_full = false; /* half-way until both moves are through */
	if ((rc = tree_files_move(r->tree, &c.tree, p->mem, &changed, &n, e)) < 0 ||
	    (rc = world_adopt(r->world, tree_files_get(r->tree), changed, n, first, e)) < 0)
		return rc;
	r->world_full = true;
	r->world_commit = p->heads.main;
	p->all |= first;
	for (size_t i = 0; i < n && !p->all; i++)
		mark_path(p, changed[i]);
	/* teams and the organization are cheap: always looked at. A held tree before this one left everything unlooked at */
	return 0;
}

/* `berth apply ENV…` names environments; without names all are meant. NULL name: any environment of the owner. */
static bool
selected(const struct pass *p, const char *owner, const char *name)
{
	const struct reconcile_config *c = &p->r->c;
	size_t n = strlen(owner);

	for (size_t i = 0; i < c->nonly; i++)
		if (strncmp(c->only[i], owner, n) == 0 && c->only[i][n] == '/' && (!name || strcmp(c->only[i] + n + 1, name) == 0))
			return true;
	return !c->only;
}

/* -- one environment ---------------------------------------------------------------------------------------------- */

static struct observation *
observe(struct pass *p)
{
	if (p->nobs == p->obs_cap) {
		size_t cap = p->obs_cap ? p->obs_cap * 2 : 64;

		p->obs = arena_regrow(p->mem, p->obs, p->nobs, cap, sizeof(*p->obs));
		p->obs_cap = cap;
	}
	p->obs[p->nobs] = (struct observation){ .approval = "NotEnforced", .commit = p->heads.main };
	return &p->obs[p->nobs++];
}

static const char **
copy_list(struct arena *mem, const char *const *items, size_t n)
{
	const char **out = arena_array(mem, n + 1, sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = arena_strdup(mem, items[i]);
	return out;
}

static void
observe_findings(struct pass *p, const struct report *r, struct observation *o)
{
	struct buf text AUTO_BUF = BUF_INIT(65536);
	const char **lines = arena_array(p->mem, r->n + 1, sizeof(*lines));

	for (size_t i = 0; i < r->n; i++) {
		if (r->items[i].severity != SEVERITY_ERROR)
			continue;
		buf_reset(&text);
		finding_line(&r->items[i], &text);
		lines[o->nfindings++] = arena_strdup(p->mem, buf_cstr(&text));
	}
	o->findings = lines;
	o->message = o->nfindings ? lines[0] : "not valid";
}

static const char *
ssh_line(struct pass *p, const struct env *env)
{
	const char *user = value_as_str(value_at(env->spec, "access.ssh.user"), "dev");
	const char *domain = value_as_str(value_at(env->org->root, "spec.access.domain"), NULL);

	if (!value_as_bool(value_get(env->spec, "enableSSH"), true) || !domain)
		return NULL;
	return arena_printf(p->mem, "%s@%s--%s.%s", user, env->name, env->owner, domain);
}

static void
observe_applied(struct pass *p, const struct owner_result *o, const struct env_result *r)
{
	struct observation *s = observe(p);
	const char **ids = arena_array(p->mem, r->bundle->n + 1, sizeof(*ids));

	for (size_t i = 0; i < r->bundle->n; i++)
		ids[i] = object_id(p->mem, r->bundle->objects[i].value);
	s->owner = arena_strdup(p->mem, o->owner);
	s->name = arena_strdup(p->mem, r->name);
	s->path = arena_strdup(p->mem, r->path);
	s->live = s->applied = true;
	s->phase = PHASE_RENDERED;
	s->objects = ids;
	s->nobjects = r->bundle->n;
	s->later = copy_list(p->mem, r->bundle->later, r->bundle->nlater);
	s->nlater = r->bundle->nlater;
	s->access_ssh = ssh_line(p, r->env);
	p->out->rendered++;
}

/* The newest spec cannot be applied: what is live stays as it is. */
static int
observe_held(struct pass *p, const char *owner, const char *name, const char *path, enum pending why,
             const struct report *findings, struct err *e)
{
	struct target *t = p->r->c.target;
	const char *unit = arena_printf(p->mem, "envs/%s/%s", owner, name);
	struct observation *s = observe(p);
	const char **ids;
	int rc;

	s->owner = arena_strdup(p->mem, owner);
	s->name = arena_strdup(p->mem, name);
	s->path = arena_strdup(p->mem, path);
	s->pending = why;
	if ((rc = t->ops->objects(t, unit, &ids, &s->nobjects, e)) < 0)
		return rc;
	s->live = s->nobjects > 0;
	s->objects = s->nobjects ? ids : NULL;
	s->phase = s->live ? PHASE_RENDERED : PHASE_HELD;
	if (findings)
		observe_findings(p, findings, s);
	p->out->held += !s->live;
	p->out->pending += s->live;
	return 0;
}

static int
apply_env(struct pass *p, const struct owner_result *o, const struct env_result *r, struct err *e)
{
	struct target *t = p->r->c.target;
	struct log_about a = about(p, arena_printf(p->owner_mem, "%s/%s", o->owner, r->name), "apply");
	int rc;

	p->out->environments++;
	if (!r->ok) {
		a.stage = "validate";
		if ((rc = observe_held(p, o->owner, r->name, r->path, PENDING_INVALID, &r->findings, e)) < 0)
			return rc;
		log_line(LOG_WARN, &a, "not applied: %s", p->obs[p->nobs - 1].message);
		return 0;
	}
	if ((rc = t->ops->put(t, r->bundle, false, e)) < 0)
		return err_wrap(e, "apply %s", a.env);
	observe_applied(p, o, r);
	return 0;
}

/* -- one owner ---------------------------------------------------------------------------------------------------- */

static bool
wanted(const struct owner_result *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->envs[i].name, name) == 0)
			return true;
	return false;
}

static void
add_drop(struct pass *p, const char *unit)
{
	if (p->ndrops == p->drops_cap) {
		size_t cap = p->drops_cap ? p->drops_cap * 2 : 16;

		p->drops = arena_regrow(p->mem, p->drops, p->ndrops, cap, sizeof(*p->drops));
		p->drops_cap = cap;
	}
	p->drops[p->ndrops++] = arena_strdup(p->mem, unit);
}

/* The user's own set. While something of the user stays on hold, nothing it may need is taken away. */
static int
apply_user(struct pass *p, const struct owner_result *o, bool keep, struct err *e)
{
	struct target *t = p->r->c.target;
	const char *unit = arena_printf(p->owner_mem, "users/%s", o->owner);
	struct log_about a = about(p, unit, "render");

	if (o->bundle)
		return t->ops->put(t, o->bundle, keep, e);
	if (o->error)
		log_line(LOG_WARN, &a, "%s", o->error);
	if (!o->user && !o->n && !keep)
		return t->ops->drop(t, unit, e);
	return 0;
}

static int
apply_owner(struct pass *p, const char *owner, struct err *e)
{
	struct target *t = p->r->c.target;
	struct owner_result o;
	const char **units;
	size_t n;
	bool keep = false;
	int rc;

	arena_reset(p->owner_mem);
	if ((rc = world_owner(p->r->world, p->owner_mem, owner, true, &o, e)) < 0)
		return rc;
	rc = t->ops->units(t, arena_printf(p->owner_mem, "envs/%s/", owner), &units, &n, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < o.n; i++) {
		bool mine = selected(p, owner, o.envs[i].name);

		if (mine && (rc = apply_env(p, &o, &o.envs[i], e)) < 0)
			return rc;
		keep |= !mine || !o.envs[i].ok;
	}
	for (size_t i = 0; i < n; i++) {
		const char *name = units[i] + strlen("envs/") + strlen(owner) + 1;

		if (wanted(&o, name) || !selected(p, owner, name))
			continue;
		add_drop(p, units[i]);
		keep = true; /* until the guard has decided */
	}
	if ((rc = apply_user(p, &o, keep, e)) < 0)
		return rc;
	set_deps(p->r, &o);
	return 0;
}

static int
apply_shared(struct pass *p, struct err *e)
{
	struct target *t = p->r->c.target;
	struct world *w = p->r->world;
	const struct bundle *b;
	const char *team, **units;
	size_t n;
	int rc;

	arena_reset(p->owner_mem);
	if ((rc = world_org(w, p->owner_mem, &b, e)) < 0 ||
	    (rc = b ? t->ops->put(t, b, false, e) : t->ops->drop(t, "org", e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&world_site(w)->docs[KIND_TEAM], &i, &team, NULL);) {
		if ((rc = world_team(w, p->owner_mem, team, &b, e)) < 0 || (b && (rc = t->ops->put(t, b, false, e)) < 0))
			return rc;
	}
	if ((rc = t->ops->units(t, "teams/", &units, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (!site_get(world_site(w), KIND_TEAM, units[i] + 6) && (rc = t->ops->drop(t, units[i], e)) < 0)
			return rc;
	return 0;
}

/* -- deletions ----------------------------------------------------------------------------------------------------- */

/* Guards are read from the commit that is applied now, not from the one that deletes. */
static int
guard_limits(struct pass *p, int64_t *max_delete, double *fraction, struct err *e)
{
	struct git_repo *g = source_git(p->r->c.source);
	const struct value *guards, *f;
	struct git_commit_info c;
	struct report ignored;
	struct value *v = NULL;
	const char *bytes;
	struct oid id;
	size_t len;

	(void)e;
	*max_delete = GUARD_MAX_DELETE;
	*fraction = GUARD_FRACTION;
	report_init(&ignored, p->mem);
	if (!p->view.has_source || git_commit_read(g, &p->view.source, p->mem, &c, NULL) < 0 ||
	    git_tree_find(g, &c.tree, "berth.yaml", &id, NULL, NULL) < 0 ||
	    git_blob_read(g, &id, FILE_DOC_MAX, p->mem, &bytes, &len, NULL) < 0 ||
	    yaml_read(p->mem, "berth.yaml", bytes, len, NULL, &ignored, &v) < 0)
		return 0; /* nothing to go by: the built-in limits */
	guards = value_at(v, "spec.guards");
	*max_delete = value_as_int(value_get(guards, "maxDelete"), GUARD_MAX_DELETE);
	f = value_get(guards, "maxDeleteFraction");
	if (value_is(f, VALUE_REAL))
		*fraction = f->real;
	else if (value_is(f, VALUE_INT))
		*fraction = (double)f->integer;
	return 0;
}

/* 1: the deletions may go on, 0: held. */
static int
deletions_allowed(struct pass *p, struct err *e)
{
	struct log_about a = about(p, NULL, "plan");
	const char **units;
	int64_t max_delete;
	double fraction;
	size_t allowed, released;
	int rc;

	if (!p->ndrops)
		return 1;
	if ((rc = guard_limits(p, &max_delete, &fraction, e)) < 0 ||
	    (rc = p->r->c.target->ops->units(p->r->c.target, "envs/", &units, &p->live, e)) < 0)
		return rc;
	allowed = guard_allowed(max_delete, fraction, p->live);
	if (p->ndrops <= allowed)
		return 1;
	rc = guard_released(source_git(p->r->c.source), p->view.has_source ? &p->view.source : NULL, &p->heads.main, &released,
	                    e);
	if (rc < 0)
		return rc;
	if (p->ndrops <= released)
		return 1;
	log_line(LOG_WARN, &a, "E502 %zu deletions held: guards allow %zu of %zu; release them with a commit on main whose "
	         "message ends in \"Berth-Allow-Delete: %zu\"", p->ndrops, allowed, p->live, p->ndrops);
	return 0;
}

static int
drop_one(struct pass *p, const char *unit, struct err *e)
{
	const char *owner = arena_strndup(p->mem, unit + 5, strcspn(unit + 5, "/"));
	const char *name = unit + 5 + strlen(owner) + 1;
	struct log_about a = about(p, unit + 5, "apply");
	int rc = p->r->c.target->ops->drop(p->r->c.target, unit, e);

	if (rc < 0)
		return rc;
	publish_gone(p->r->c.publisher, owner, name);
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
		bool keep = false;

		if (i && str_starts(p->drops[i - 1] + 5, owner) && p->drops[i - 1][5 + strlen(owner)] == '/')
			continue;
		arena_reset(p->owner_mem);
		if ((rc = world_owner(p->r->world, p->owner_mem, owner, true, &o, e)) < 0)
			return rc;
		for (size_t j = 0; j < o.n; j++)
			keep |= !o.envs[j].ok;
		if (o.bundle && !keep)
			rc = t->ops->put(t, o.bundle, false, e);
		else if (!o.user && !o.n)
			rc = t->ops->drop(t, arena_printf(p->owner_mem, "users/%s", owner), e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
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

/* -- the pass ------------------------------------------------------------------------------------------------------ */

static int
apply_all(struct pass *p, struct err *e)
{
	const char *owner;
	int rc;

	if (p->all && (rc = mark_all(p, e)) < 0)
		return rc;
	if ((rc = apply_shared(p, e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&p->dirty, &i, &owner, NULL);)
		if (selected(p, owner, NULL) && (rc = apply_owner(p, owner, e)) < 0)
			return rc;
	return apply_deletions(p, e);
}

static int
commit_target(struct pass *p, struct err *e)
{
	struct target *t = p->r->c.target;
	struct target_reason why = { .source_commit = p->heads.main, .run = p->r->c.run, .reconciler = p->r->c.reconciler,
		.time = clock_now() };
	struct log_about a = about(p, NULL, "apply");
	int rc = t->ops->commit(t, &why, &p->out->wrote, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < t->changes.n; i++) {
		const struct target_change *c = &t->changes.items[i];

		p->out->created += c->what == UNIT_CREATED;
		p->out->changed += c->what == UNIT_CHANGED;
		p->out->deleted += c->what == UNIT_DELETED;
	}
	if (p->view.drift.found)
		log_line(LOG_WARN, &a, "restored %zu file(s) that %s changed in %.12s", p->view.drift.n, p->view.drift.who,
		         p->view.drift.what);
	return 0;
}

/* Only now are the revisions of what is live known. */
static void
publish_all(struct pass *p)
{
	struct target *t = p->r->c.target;

	for (size_t i = 0; i < p->nobs; i++) {
		struct observation *o = &p->obs[i];
		char revision[OID_HEX];

		if (o->live && t->ops->revision(t, arena_printf(p->mem, "envs/%s/%s", o->owner, o->name), revision, NULL) == 0)
			o->revision = arena_strdup(p->mem, revision);
		publish_observe(p->r->c.publisher, o);
	}
	if (p->all && !p->r->c.only)
		publish_complete(p->r->c.publisher);
}

/* Main's tip as a whole cannot be adopted: everything stays, the reason goes to the status branch. */
static int
hold_tree(struct pass *p, const char *reason, const char *message)
{
	struct log_about a = about(p, NULL, "repo");

	log_line(LOG_ERROR, &a, "%s: %s", reason, message);
	report_repo(p, reason, message);
	return 0;
}

static const char *
first_error_line(struct pass *p)
{
	struct buf text AUTO_BUF = BUF_INIT(65536);

	for (size_t i = 0; i < p->shared.n; i++) {
		if (p->shared.items[i].severity != SEVERITY_ERROR)
			continue;
		finding_line(&p->shared.items[i], &text);
		return arena_strdup(p->mem, buf_cstr(&text));
	}
	return "berth.yaml or templates/ have errors";
}

static int
adopt_and_apply(struct pass *p, struct err *e)
{
	struct reconciler *r = p->r;
	int rc;

	if ((rc = take_over(p, e)) < 0)
		return rc;
	report_init(&p->shared, p->mem);
	world_findings(r->world, &p->shared);
	if (!world_usable(r->world)) {
		r->complete = false; /* the next good commit looks at everything */
		return hold_tree(p, "InvalidRepository", first_error_line(p));
	}
	if ((rc = apply_all(p, e)) < 0 || (rc = commit_target(p, e)) < 0)
		return rc;
	publish_all(p);
	p->out->adopted = true;
	if (r->guard_held)
		report_repo(p, "GuardHeld", "deletions are held by guards.maxDelete; see the environments concerned");
	else
		report_repo(p, "Adopted", NULL);
	r->complete = !r->c.only;
	return source_adopt(r->c.source, &p->heads.main, e);
}

static int
nothing_moved(struct reconciler *r, bool *out, struct err *e)
{
	struct source_heads h;
	bool moved;
	int rc;

	*out = false;
	if ((rc = source_heads(r->c.source, &h, e)) < 0 || !r->looked || (!r->complete && !r->held))
		return rc;
	/* no main at all is remembered as the zero id */
	if (!oid_eq(&h.main, &r->seen))
		return 0;
	if (r->held) {
		*out = true;
		return 0;
	}
	if ((rc = r->c.target->ops->moved(r->c.target, &moved, e)) < 0)
		return rc;
	*out = !moved;
	return 0;
}

/* Somebody else's commits on the target: look again at the owners they touch. */
static void
mark_moved(struct pass *p)
{
	for (size_t i = 0; i < p->view.nmoved; i++) {
		const char *s = p->view.moved_paths[i];

		if (str_starts(s, "envs/") || str_starts(s, "users/")) {
			s = strchr(s, '/') + 1;
			mark(p, arena_strndup(p->mem, s, strcspn(s, "/")));
		}
	}
}

static int
try_pass(struct pass *p, struct err *e)
{
	struct reconciler *r = p->r;
	int rc;

	if ((rc = r->c.target->ops->begin(r->c.target, p->mem, &p->view, e)) < 0 ||
	    (rc = source_heads(r->c.source, &p->heads, e)) < 0)
		return rc;
	p->out->commit = p->heads.main;
	p->all = !r->complete || r->guard_held || (p->view.moved && !p->view.moved_known);
	mark_moved(p);
	if (!p->heads.has_main && !p->view.exists) {
		(void)err_set(e, ERR_NOTFOUND, "%s has no branch to read yet", source_name(r->c.source));
		return err_hint(e, "push a first commit; `berth init DIR` makes one to start from");
	}
	if (!p->heads.has_main)
		return hold_tree(p, "SourceEmpty", "the branch is gone; what is applied stays");
	rc = check_rewind(p, e);
	if (rc == ERR_DENIED) {
		p->out->refused = true;
		return hold_tree(p, "SourceRewound", arena_printf(p->mem, "%s; %s", e->text, e->hint));
	}
	if (rc < 0)
		return rc;
	return adopt_and_apply(p, e);
}

int
reconcile_pass(struct reconciler *r, struct pass_result *out, struct err *e)
{
	int64_t start = clock_mono_ms();
	bool nothing;
	int rc;

	*out = (struct pass_result){ 0 };
	if ((rc = nothing_moved(r, &nothing, e)) < 0 || nothing)
		return rc;
	r->looked = false;
	for (int i = 0; i < TRIES; i++) {
		struct arena *AUTO_ARENA mem = arena_new(PASS_ARENA);
		struct arena *AUTO_ARENA owner_mem = arena_new(OWNER_ARENA);
		struct pass p = { .r = r, .mem = mem, .owner_mem = owner_mem, .out = out };
		bool moved;

		*out = (struct pass_result){ .looked = true };
		rc = try_pass(&p, e);
		map_free(&p.dirty);
		if (rc == 0) {
			r->seen = p.heads.main;
			r->looked = true;
			r->held = !out->adopted;
			break;
		}
		r->complete = false; /* owners marked in this try would be forgotten otherwise */
		if (rc != ERR_CONFLICT || (rc = source_poll(r->c.source, &moved, e)) < 0)
			break;
		rc = ERR_CONFLICT;
	}
	out->ms = clock_mono_ms() - start;
	return rc;
}
