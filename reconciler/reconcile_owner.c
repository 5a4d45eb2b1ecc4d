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

static void
observe_applied(struct pass *p, const struct env_result *r)
{
	struct observation *s = observe(p);
	const char **ids = arena_array(p->mem, r->bundle->n + 1, sizeof(*ids));

	for (size_t i = 0; i < r->bundle->n; i++)
		ids[i] = object_id(p->mem, r->bundle->objects[i].value);
	s->owner = arena_strdup(p->mem, r->owner);
	s->name = arena_strdup(p->mem, r->name);
	s->path = arena_strdup(p->mem, r->path);
	s->live = s->applied = true;
	s->phase = PHASE_RENDERED;
	s->objects = ids;
	s->nobjects = r->bundle->n;
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
apply_env(void *ctx, const struct env_result *r, struct err *e)
{
	struct pass *p = ctx;
	struct target *t = p->r->c.target;
	struct log_about a = pass_about(p, r->path, "apply");
	int rc;

	if (!pass_selected(p, r->owner, r->name)) {
		p->skipped++;
		return 0;
	}
	p->out->environments++;
	if (!r->ok) {
		a.stage = "validate";
		if ((rc = observe_held(p, r->owner, r->name, r->path, PENDING_INVALID, &r->findings, e)) < 0)
			return rc;
		log_line(LOG_WARN, &a, "not applied: %s", p->obs[p->nobs - 1].message);
		return 0;
	}
	if ((rc = t->ops->put(t, r->bundle, false, e)) < 0)
		return err_wrap(e, "apply %s", r->path);
	observe_applied(p, r);
	return 0;
}

/* -- one owner ---------------------------------------------------------------------------------------------------- */

static bool
wanted(const struct owner_result *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->names[i], name) == 0)
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

/* The user's own set. While something of the user stays on hold, nothing it may need is taken away. */
static int
apply_user(struct pass *p, const struct owner_result *o, bool keep, struct err *e)
{
	struct target *t = p->r->c.target;
	const char *unit = arena_printf(p->owner_mem, "users/%s", o->owner);

	set_error(p, unit, o->error);
	if (o->bundle)
		return t->ops->put(t, o->bundle, keep, e);
	if (!o->user && !o->n && !keep)
		return t->ops->drop(t, unit, e);
	return 0;
}

int
apply_owner(struct pass *p, const char *owner, struct err *e)
{
	struct target *t = p->r->c.target;
	struct owner_result o;
	const char **units;
	size_t n, drops = p->ndrops;
	int rc;

	arena_reset(p->owner_mem);
	p->skipped = 0;
	if ((rc = world_owner(p->r->world, p->owner_mem, owner, true, apply_env, p, &o, e)) < 0 ||
	    (rc = t->ops->units(t, arena_printf(p->owner_mem, "envs/%s/", owner), &units, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const char *name = units[i] + strlen("envs/") + strlen(owner) + 1;

		if (!wanted(&o, name) && pass_selected(p, owner, name))
			add_drop(p, units[i]);
	}
	/* deletions are not decided yet: until then their owner keeps everything too */
	if ((rc = apply_user(p, &o, o.bad || p->skipped || p->ndrops > drops, e)) < 0)
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
