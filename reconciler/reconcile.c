/* SPDX-License-Identifier: Apache-2.0 */
/* One pass: repo -> parse -> validate -> render -> plan -> apply -> status. */
#include "reconcile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "reconcile_pass.h"
#include "repo/guard.h"

#define TRIES 8 /* races lost in a row before the pass goes back to the queue */
#define TRY_WAIT_MS 15
#define MANY_CHANGES 1000
#define PASS_ARENA ((size_t)1 << 30)
#define OWNER_ARENA ((size_t)64 << 20) /* one owner's environments, ARENA_ENV_MAX each and then some */

struct log_about
pass_about(const struct pass *p, const char *env, const char *stage)
{
	return (struct log_about){ .run = p->r->c.run, .env = env, .stage = stage };
}

bool
pass_selected(const struct pass *p, const char *owner, const char *name)
{
	const struct reconcile_config *c = &p->r->c;
	size_t n = strlen(owner);

	for (size_t i = 0; i < c->nonly; i++)
		if (strncmp(c->only[i], owner, n) == 0 && c->only[i][n] == '/' && (!name || strcmp(c->only[i] + n + 1, name) == 0))
			return true;
	return !c->only;
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
	r->holds = holds_new();
	r->approvals = approvals_new(source_git(c->source), c->state_dir, c->branch, c->has_trust_anchor ? &c->trust_anchor : NULL);
	r->seals = seals_new(c->decryptor);
	r->trust = trust_new(c->decryptor, c->publisher);
	world_seal_by(r->world, seals_look, seals_host, r->seals);
	world_ahead_by(r->world, seals_ahead);
	*out = r;
	return 0;
}

void
reconciler_free(struct reconciler *r)
{
	void *error;

	if (!r)
		return;
	dirty_free(r);
	for (size_t i = 0; map_next(&r->set_errors, &i, NULL, &error);)
		free(error);
	map_free(&r->set_errors);
	holds_free(r->holds);
	approvals_free(r->approvals);
	seals_free(r->seals);
	trust_free(r->trust);
	world_free(r->world);
	tree_files_free(r->tree);
	free(r);
}

/* -- repo: take over a commit ------------------------------------------------------------------------------------ */

static void
report_repo(struct pass *p, const char *reason, const char *message)
{
	const struct doc *org = world_site(p->r->world)->org;
	struct repo_status s = { .reason = reason, .message = message, .commit = p->heads.main };
	const char **lines, **waiting, *unit;
	struct buf text AUTO_BUF = BUF_INIT(65536);
	struct err e = { 0 };
	size_t nwaiting;
	void *error;

	approvals_lines(p, &waiting, &nwaiting);
	lines = arena_array(p->mem, nwaiting + p->shared.n + p->r->set_errors.live + 2, sizeof(*lines));
	for (size_t i = 0; i < nwaiting; i++)
		lines[s.nfindings++] = waiting[i];
	for (size_t i = 0; i < p->shared.n; i++) {
		if (p->shared.items[i].severity != SEVERITY_ERROR)
			continue;
		buf_reset(&text);
		finding_line(&p->shared.items[i], &text);
		lines[s.nfindings++] = arena_strdup(p->mem, buf_cstr(&text));
	}
	for (size_t i = 0; map_next(&p->r->set_errors, &i, &unit, &error);)
		lines[s.nfindings++] = arena_printf(p->mem, "%s: not rendered: %s", unit, (const char *)error);
	if (org && value_at(org->root, "spec.secrets.signer") && seals_refuse(p->r->seals, &e) < 0)
		lines[s.nfindings++] = arena_printf(p->mem, "berth.yaml: no Secret is made: %s (%s)", e.text, e.hint);
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
	rc = guard_rewind(source_git(r->c.source), &m, &p->heads.main, e);
	if (rc != ERR_DENIED || !r->c.has_accept_rewind || !oid_eq(&r->c.accept_rewind, &p->heads.main))
		return rc;
	p->rewound = true; /* the target must remember it too, or the next pass would refuse it again */
	return 0;
}

/*
 * The world moves to main's tip, as far as that is approved; owners that the difference touches become dirty. 1: main is held as a whole, and
 * *reason and *message say why.
 */
static int
take_over(struct pass *p, const char **reason, const char **message, struct err *e)
{
	struct reconciler *r = p->r;
	const char *const *changed;
	struct git_commit_info c;
	struct oid tree;
	size_t n;
	bool first = !r->world_full;
	int rc;

	if ((rc = git_commit_read(source_git(r->c.source), &p->heads.main, p->mem, &c, e)) < 0 ||
	    (rc = approvals_tree(p, &c, &tree, reason, message, e)) != 0)
		return rc;
	if (!first && oid_eq(&r->world_tree, &tree)) {
		r->world_commit = p->heads.main;
		return 0;
	}
	if (first) {
		tree_files_free(r->tree);
		r->tree = tree_files_new(source_git(r->c.source));
	}
	r->world_full = false; /* half-way until both moves are through */
	if ((rc = tree_files_move(r->tree, &tree, p->mem, &changed, &n, e)) < 0 ||
	    (rc = world_adopt(r->world, tree_files_get(r->tree), changed, n, first, e)) < 0)
		return rc;
	r->world_full = true;
	r->world_commit = p->heads.main;
	r->world_tree = tree;
	p->all |= first || n > MANY_CHANGES; /* asking every owner about every path would cost more than looking */
	for (size_t i = 0; i < n && !p->all; i++)
		dirty_path(p, changed[i]);
	return 0;
}

/* -- the pass ------------------------------------------------------------------------------------------------------ */

/* A name that neither main nor the target knows is a slip of the pen. */
static int
check_names(struct pass *p, struct err *e)
{
	const struct reconcile_config *c = &p->r->c;
	const char **units;
	size_t n;
	int rc;

	for (size_t i = 0; i < c->nonly; i++) {
		const char *unit = arena_printf(p->mem, "envs/%s", c->only[i]);

		if (files_find(world_files(p->r->world), arena_printf(p->mem, "%s.yaml", unit)))
			continue;
		if ((rc = c->target->ops->units(c->target, unit, &units, &n, e)) < 0)
			return rc;
		if (n && strcmp(units[0], unit) == 0)
			continue;
		(void)err_set(e, ERR_USAGE, "there is no environment %s", c->only[i]);
		return err_hint(e, "environments are OWNER/NAME for files envs/OWNER/NAME.yaml on the branch that berth reads");
	}
	return 0;
}

static int
apply_all(struct pass *p, struct err *e)
{
	const char *owner;
	int rc;

	if ((rc = check_names(p, e)) < 0)
		return rc;
	if (p->all && (rc = dirty_all(p, e)) < 0)
		return rc;
	if (p->all)
		approvals_owners(p);
	if ((rc = hold_pass(p, e)) < 0 || (rc = apply_shared(p, e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&p->dirty, &i, &owner, NULL);)
		if (pass_selected(p, owner, NULL) && (rc = apply_owner(p, owner, e)) < 0)
			return rc;
	return apply_deletions(p, e);
}

static int
commit_target(struct pass *p, struct err *e)
{
	struct target *t = p->r->c.target;
	struct target_reason why = { .source_commit = p->heads.main, .run = p->r->c.run, .reconciler = p->r->c.reconciler,
		.time = clock_now(), .mark = p->rewound };
	struct log_about a = pass_about(p, NULL, "apply");
	int rc = t->ops->commit(t, &why, &p->out->wrote, e);

	if (rc < 0)
		return rc;
	holds_keep(p->r->holds);
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

	publish_begin(p->r->c.publisher);
	for (size_t i = 0; i < p->nobs; i++) {
		struct observation *o = &p->obs[i];
		char revision[OID_HEX];

		if (t->ops->state) { /* what was put has been answered by now */
			struct unit_state state;

			t->ops->state(t, arena_printf(p->mem, "envs/%s/%s", o->owner, o->name), p->mem, &state);
			observe_state(o, &state);
			if (o->applied && !state.applied && p->out->unapplied++ == 0)
				(void)snprintf(p->out->why, sizeof(p->out->why), "%s/%s: %s%s%s", o->owner, o->name, state.applied_reason,
				               state.applied_message ? ": " : "", state.applied_message ? state.applied_message : "");
		}
		if ((o->live || o->applied) && t->ops->revision(t, arena_printf(p->mem, "envs/%s/%s", o->owner, o->name), revision, NULL) == 0)
			o->revision = arena_strdup(p->mem, revision);
		publish_observe(p->r->c.publisher, o);
	}
	if (!p->r->c.only)
		publish_sweep(p->r->c.publisher, p->all ? NULL : &p->dirty, &p->heads.main);
}

/* What people seal for and know hosts by. Nothing waits for it. */
static void
publish_trust(struct pass *p)
{
	struct log_about a = pass_about(p, NULL, "status");
	struct err e = { 0 };

	if (!p->r->c.only && trust_publish(p->r->trust, p->r->world, p->all ? NULL : &p->dirty, &e) < 0)
		log_err(LOG_WARN, &a, &e);
}

/* Main's tip as a whole cannot be adopted: everything stays, the reason goes to the status branch. */
static int
hold_tree(struct pass *p, const char *reason, const char *message)
{
	struct log_about a = pass_about(p, NULL, "repo");

	p->r->complete = false; /* the next good commit looks at everything: what the target found dirty counts as looked at, and was not */
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

/* What berth.yaml says of secrets and of the target. What is wrong with it stops nothing else. */
static void
apply_settings(struct pass *p)
{
	struct log_about a = pass_about(p, "berth.yaml", "apply");
	const struct value *spec = value_get(world_site(p->r->world)->org->root, "spec");
	struct target *t = p->r->c.target;
	struct err e = { 0 }, no_secrets = { 0 };
	int refused;

	if (!seals_judge(p->r->seals, value_as_str(value_at(spec, "secrets.signer"), NULL), &e))
		log_err(LOG_ERROR, &a, &e);
	e = (struct err){ 0 };
	refused = seals_refuse(p->r->seals, &no_secrets);
	if (t->ops->settings && t->ops->settings(t, spec, refused < 0 ? &no_secrets : NULL, &e) < 0)
		log_err(LOG_ERROR, &a, &e);
}

static int
adopt_and_apply(struct pass *p, struct err *e)
{
	struct reconciler *r = p->r;
	const char *reason, *message;
	int rc;

	rc = take_over(p, &reason, &message, e);
	if (rc == 1) {
		p->out->refused = true;
		return hold_tree(p, reason, message);
	}
	if (rc == ERR_INVALID) /* a commit that no reader of trees should take: it will not get better by waiting */
		return hold_tree(p, "InvalidRepository", e->text);
	if (rc < 0)
		return rc;
	report_init(&p->shared, p->mem);
	world_findings(r->world, &p->shared);
	if (!world_usable(r->world))
		return hold_tree(p, "InvalidRepository", first_error_line(p));
	apply_settings(p);
	if ((rc = apply_all(p, e)) < 0 || (rc = commit_target(p, e)) < 0)
		return rc;
	publish_all(p);
	publish_trust(p);
	if ((rc = approvals_keep(p, e)) < 0)
		return rc;
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
	if (!oid_eq(&h.main, &r->seen) || approvals_moved(r))
		return 0;
	if (r->held) {
		*out = true;
		return 0;
	}
	if (seals_due(r->seals) || trust_due(r->trust))
		return 0;
	if ((rc = r->c.target->ops->moved(r->c.target, &moved, e)) < 0)
		return rc;
	*out = !moved;
	return 0;
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
	holds_begin(r->holds);
	if (p->view.moved && !p->view.moved_known)
		holds_forget(r->holds, NULL);
	p->all = !r->complete || r->guard_held || (p->view.moved && !p->view.moved_known);
	dirty_moved(p);
	p->all |= seals_due(r->seals) && seals_take_due(r->seals, p);
	if (!p->heads.has_main && !p->view.exists) {
		(void)err_set(e, ERR_NOTFOUND, "%s has no branch to read yet", source_name(r->c.source));
		return err_hint(e, "push a first commit; `berth init DIR` makes one to start from");
	}
	if (!p->heads.has_main)
		return hold_tree(p, "SourceEmpty", "there is no branch of the name given by --branch; what is applied stays");
	rc = check_rewind(p, e);
	if (rc == ERR_DENIED) {
		p->out->refused = true;
		return hold_tree(p, "SourceRewound", arena_printf(p->mem, "%s; %s", e->text, e->hint));
	}
	if (rc < 0)
		return rc;
	return adopt_and_apply(p, e);
}

static int64_t
again_ms(struct reconciler *r)
{
	int64_t seals = seals_schedule(r->seals), trust = trust_schedule(r->trust);

	return seals && (!trust || seals < trust) ? seals : trust;
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
		r->c.target->ops->end(r->c.target);
		map_free(&p.dirty);
		map_free(&p.asked);
		if (rc == 0) {
			r->seen = p.heads.main;
			r->looked = true;
			r->held = !out->adopted;
			out->again_ms = again_ms(r);
			break;
		}
		r->complete = false; /* owners marked in this try would be forgotten otherwise */
		if (rc != ERR_CONFLICT)
			break;
		clock_sleep_ms(TRY_WAIT_MS * (i + 1));
		if ((rc = source_poll(r->c.source, &moved, e)) < 0)
			break;
		rc = ERR_CONFLICT;
	}
	out->ms = clock_mono_ms() - start;
	return rc;
}
