/* SPDX-License-Identifier: Apache-2.0 */
/* One owner: parse, validate, render, apply, and what was seen of it. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "reconcile_pass.h"

#define FINDINGS_MAX 20

/* -- one environment ---------------------------------------------------------------------------------------------- */

static struct observation *
observe(struct pass *p)
{
	/* by approval_mode: why the condition Approved holds */
	static const char *const reasons[] = { "NotEnforced", "Proved", "Reviewed" };

	if (p->nobs == p->obs_cap) {
		size_t cap = p->obs_cap ? p->obs_cap * 2 : 64;

		p->obs = arena_regrow(p->mem, p->obs, p->nobs, cap, sizeof(*p->obs));
		p->obs_cap = cap;
	}
	p->obs[p->nobs] = (struct observation){ .approval = reasons[approvals_mode(p->r)], .commit = p->heads.main };
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
	const char **lines = arena_array(p->mem, FINDINGS_MAX, sizeof(*lines));

	for (size_t i = 0; i < r->n && o->nfindings < FINDINGS_MAX; i++) {
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

/* The target writes manifests only, and what a Secret holds may not stand there in plain text. */
static void
not_delivered(struct pass *p, const struct bundle *b, struct unit_state *s)
{
	const char *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		bool host = b->objects[i].nparts && b->objects[i].parts[0].env;

		if (b->objects[i].nparts && !host && n++ == 0)
			first = b->objects[i].name;
		if (host)
			s->ready_message = "target git: berth does not see what runs; its host key is not on the branch, so it makes one of its own";
	}
	if (!n) /* a host key alone holds up nobody */
		return;
	s->ready = "False";
	s->ready_reason = "SecretsNotDelivered";
	s->ready_message = arena_printf(p->mem, "%zu Secret%s not on the branch (%s%s), and the pods wait for %s: an admin names an age recipient of Flux in "
	                                "berth.yaml (spec.rendered: {consumer: flux, recipient: age1...}) or takes --target kubernetes",
	                                n, n == 1 ? " is" : "s are", first, n == 1 ? "" : " and more", n == 1 ? "it" : "them");
}

static bool
delivers(const struct pass *p)
{
	struct target *t = p->r->c.target;

	return !t->ops->delivers || t->ops->delivers(t);
}

static void
observe_applied(struct pass *p, const struct env_result *r)
{
	struct observation *s = observe(p);
	const char **ids = arena_array(p->mem, r->bundle->n + 1, sizeof(*ids));
	struct unit_state state;

	for (size_t i = 0; i < r->bundle->n; i++)
		if (!r->bundle->objects[i].nparts || delivers(p))
			ids[s->nobjects++] = object_id(p->mem, r->bundle->objects[i].value);
	s->owner = arena_strdup(p->mem, r->owner);
	s->name = arena_strdup(p->mem, r->name);
	s->path = arena_strdup(p->mem, r->path);
	s->applied = true;
	s->use = hold_use(p, r->owner, r->name);
	unit_state_rendered(&state);
	if (!delivers(p))
		not_delivered(p, r->bundle, &state);
	observe_state(s, &state);
	s->objects = ids;
	s->later = copy_list(p->mem, r->bundle->later, r->bundle->nlater);
	s->nlater = r->bundle->nlater;
	s->paused = r->env->replicas == 0;
	s->access_ssh = s->paused ? NULL : ssh_line(p, r->env);
	p->out->rendered++;
}

/* The newest spec cannot be applied: what is live stays as it is. */
int
observe_held(struct pass *p, const char *owner, const char *name, const char *path, enum pending why,
             const struct report *findings, struct err *e)
{
	struct target *t = p->r->c.target;
	const char *unit = arena_printf(p->mem, "envs/%s/%s", owner, name);
	struct observation *s = observe(p);
	struct unit_state state;
	const char **ids;
	int rc;

	s->owner = arena_strdup(p->mem, owner);
	s->name = arena_strdup(p->mem, name);
	s->path = arena_strdup(p->mem, path);
	s->pending = why;
	s->use = hold_use(p, owner, name);
	if ((rc = t->ops->objects(t, unit, &ids, &s->nobjects, e)) < 0)
		return rc;
	unit_state_rendered(&state);
	state.there = s->nobjects > 0;
	observe_state(s, &state);
	s->objects = s->nobjects ? ids : NULL;
	if (findings)
		observe_findings(p, findings, s);
	p->out->held += !s->live;
	p->out->pending += s->live;
	return 0;
}

int
observe_going(struct pass *p, const char *owner, const char *name, const char *path, struct err *e)
{
	struct log_about a = pass_about(p, path, "apply");
	struct pass_result before = *p->out;
	int rc = observe_held(p, owner, name, path, PENDING_NONE, NULL, e);

	if (rc < 0)
		return rc;
	p->out->held = before.held; /* it waits for nobody */
	p->out->pending = before.pending;
	log_line(LOG_INFO, &a, "deleting");
	return 0;
}

/* The target cannot take this bundle: the others go on. */
static int
refused_env(struct pass *p, const struct env_result *r, struct err *e)
{
	struct log_about a = pass_about(p, r->path, "apply");
	struct err why = *e;
	int rc;

	holds_failed(p->r->holds, r->owner, r->name);
	if ((rc = observe_held(p, r->owner, r->name, r->path, PENDING_INVALID, NULL, e)) < 0)
		return rc;
	p->obs[p->nobs - 1].message = arena_printf(p->mem, "%s%s%s", why.text, *why.hint ? ": " : "", why.hint);
	log_err(LOG_ERROR, &a, &why);
	return WORLD_STAYS;
}

static int
apply_env(void *ctx, const struct env_result *r, struct err *e)
{
	struct pass *p = ctx;
	struct target *t = p->r->c.target;
	struct log_about a = pass_about(p, r->path, "apply");
	const char *room;
	int rc;

	if (!pass_selected(p, r->owner, r->name)) {
		p->skipped++;
		return WORLD_STAYS;
	}
	p->out->environments++;
	if (!r->ok) {
		a.stage = "validate";
		holds_failed(p->r->holds, r->owner, r->name);
		if ((rc = observe_held(p, r->owner, r->name, r->path, PENDING_INVALID, &r->findings, e)) < 0)
			return rc;
		log_line(LOG_WARN, &a, "not applied: %s", p->obs[p->nobs - 1].message);
		return WORLD_STAYS;
	}
	if ((room = hold_env(p, r, unit_listed(p->units, p->nunits, r->owner, r->name)))) {
		a.stage = "plan";
		p->skipped++; /* what is live of it stays as it is, and what it may need */
		if ((rc = observe_held(p, r->owner, r->name, r->path, PENDING_QUOTA, NULL, e)) < 0)
			return rc;
		p->obs[p->nobs - 1].message = room;
		log_line(LOG_INFO, &a, "waits: %s", room);
		return WORLD_STAYS;
	}
	rc = t->ops->put(t, r->bundle, false, e);
	if (rc == ERR_INVALID)
		return refused_env(p, r, e);
	if (rc < 0)
		return err_wrap(e, "apply %s", r->path);
	observe_applied(p, r);
	return 0;
}

/* -- one owner ---------------------------------------------------------------------------------------------------- */

static bool
wanted(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

bool
unit_listed(const char *const *units, size_t n, const char *owner, const char *name)
{
	size_t skip = strlen("envs/") + strlen(owner) + 1;

	for (size_t i = 0; i < n; i++)
		if (strcmp(units[i] + skip, name) == 0)
			return true;
	return false;
}

bool
owner_drops(const struct pass *p, const char *owner)
{
	size_t n = strlen(owner);

	for (size_t i = 0; i < p->ndrops; i++)
		if (strncmp(p->drops[i] + 5, owner, n) == 0 && p->drops[i][5 + n] == '/')
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

/* An organization's template failed on a set: what is live of it stays, and repo.yaml says so until it is mended. */
static void
set_error(struct pass *p, const char *unit, const char *text)
{
	struct log_about a = pass_about(p, unit, "render");
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		abort();
	free(copy ? map_put(&p->r->set_errors, unit, copy) : map_del(&p->r->set_errors, unit));
	if (text)
		log_line(LOG_WARN, &a, "%s", text);
}

static int
set_there(struct pass *p, const char *unit, bool *out, struct err *e)
{
	const char **units;
	size_t n;
	int rc = p->r->c.target->ops->units(p->r->c.target, unit, &units, &n, e);

	*out = false;
	for (size_t i = 0; rc == 0 && i < n; i++)
		*out |= strcmp(units[i], unit) == 0;
	return rc;
}

/* The user's own set. While something of the user stays on hold, nothing it may need is taken away or changed. */
static int
apply_user(struct pass *p, const struct owner_result *o, bool keep, struct err *e)
{
	struct target *t = p->r->c.target;
	const char *unit = arena_printf(p->owner_mem, "users/%s", o->owner);

	set_error(p, unit, o->error);
	if (o->bundle) {
		bool there = false;
		int rc = o->unsure ? set_there(p, unit, &there, e) : 0;

		return rc < 0 || there ? rc : t->ops->put(t, o->bundle, keep, e);
	}
	if (!o->user && !o->n && !keep)
		return t->ops->drop(t, unit, e);
	return 0;
}

int
owner_units(struct pass *p, const char *owner, const char *const *names, size_t nnames, const char ***units, size_t *n,
            struct err *e)
{
	struct target *t = p->r->c.target;
	int rc = t->ops->units(t, arena_printf(p->mem, "envs/%s/", owner), units, n, e);

	if (rc < 0 || map_has(&p->asked, owner))
		return rc;
	(void)map_put(&p->asked, owner, NULL);
	for (size_t i = 0; i < *n; i++) {
		const char *name = (*units)[i] + strlen("envs/") + strlen(owner) + 1;

		if (!wanted(names, nnames, name) && pass_selected(p, owner, name))
			add_drop(p, (*units)[i]);
	}
	return 0;
}

int
apply_owner(struct pass *p, const char *owner, struct err *e)
{
	struct owner_result o;
	const char *const *names;
	size_t n;
	int rc;

	arena_reset(p->owner_mem);
	p->skipped = 0;
	p->judged = hold_judged(p, owner);
	world_names(p->r->world, p->owner_mem, owner, &names, &n);
	if ((rc = owner_units(p, owner, names, n, &p->units, &p->nunits, e)) < 0)
		return rc;
	world_live_by(p->r->world, live_spec, p);
	rc = world_owner(p->r->world, p->owner_mem, owner, true, apply_env, p, &o, e);
	world_live_by(p->r->world, NULL, NULL);
	if (rc < 0 || (rc = approvals_observe(p, owner, e)) < 0)
		return rc;
	/* deletions are not made yet: until then their owner keeps everything too */
	if ((rc = apply_user(p, &o, o.bad || p->skipped || owner_drops(p, owner), e)) < 0)
		return rc;
	dirty_remember(p->r, &o);
	return 0;
}

/* Puts what was rendered; rc is what rendering gave. */
static int
put_set(struct pass *p, const char *unit, int rc, const struct bundle *b, struct err *e)
{
	if (rc < 0 && rc != ERR_INVALID)
		return rc;
	set_error(p, unit, rc < 0 ? e->text : NULL);
	return rc == 0 && b ? p->r->c.target->ops->put(p->r->c.target, b, false, e) : 0;
}

int
apply_shared(struct pass *p, struct err *e)
{
	struct target *t = p->r->c.target;
	struct world *w = p->r->world;
	const struct bundle *b = NULL;
	const char *team, **units;
	size_t n;
	int rc;

	arena_reset(p->owner_mem);
	rc = world_org(w, p->owner_mem, &b, e);
	if (rc == 0 && !b && (rc = t->ops->drop(t, "org", e)) < 0)
		return rc;
	if ((rc = put_set(p, "org", rc, b, e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&world_site(w)->docs[KIND_TEAM], &i, &team, NULL);) {
		rc = world_team(w, p->owner_mem, team, &b, e);
		if ((rc = put_set(p, arena_printf(p->owner_mem, "teams/%s", team), rc, b, e)) < 0)
			return rc;
	}
	if ((rc = t->ops->units(t, "teams/", &units, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (!site_get(world_site(w), KIND_TEAM, units[i] + 6) && (rc = t->ops->drop(t, units[i], e)) < 0)
			return rc;
	return 0;
}
