/* SPDX-License-Identifier: Apache-2.0 */
/* What the state of its objects means for a unit. */
#include <stdio.h>
#include <string.h>

#include "apply/kube_priv.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define ERRORS_MAX 20
#define WAITING_MAX 10

static bool
is(const struct kobj *o, const char *kind)
{
	return strcmp(o->kind->kind, kind) == 0;
}

/* Is it what the unit is to be made of? Of one that was not put in this process, and does not go, all that is there: it was put by another. */
static bool
belongs(const struct kunit *u, const struct kobj *o)
{
	return o->wanted || (!u->wanted && !u->dropped);
}

/* Its pods have ended, or are to end: what they say is of no interest. */
static bool
paused(const struct kunit *u)
{
	for (const struct kobj *o = u->objects; o; o = o->next)
		if (belongs(u, o) && (is(o, "StatefulSet") || is(o, "JobSet")) && (o->health == HEALTH_PAUSED || str_eq(o->reason, "Pausing")))
			return true;
	return false;
}

bool
unit_well(const struct kunit *u)
{
	bool rests = paused(u);

	for (const struct kobj *o = u->objects; o; o = o->next) {
		if (!o->wanted)
			continue;
		if (!o->live || !o->sure || o->op)
			return false;
		/* the answer to our write came before the watch's event: what is known is of the version before it */
		if (kind_whole(o->kind) && o->health_rv < o->is.rv)
			return false;
		/* a claim whose pod is not wanted may wait for ever */
		if (o->health != HEALTH_READY && o->health != HEALTH_PAUSED && !(rests && is(o, "PersistentVolumeClaim")))
			return false;
	}
	return true;
}

/* -- health ------------------------------------------------------------------------------------------------------------------- */

static const char *
label(struct arena *mem, const struct kobj *o)
{
	char buf[512];
	struct key_parts k;

	return key_split(o->key, buf, &k) ? arena_printf(mem, "%s/%s", k.kind, k.name) : o->key;
}

struct look {
	struct arena *mem;
	struct health_view worst;
	const char **waiting;
	size_t n;
};

static void
add_waiting(struct look *l, const char *what, const struct health_view *h)
{
	if (h->health != HEALTH_READY && h->health != HEALTH_PAUSED && l->n < WAITING_MAX)
		l->waiting[l->n++] = arena_printf(l->mem, "%s: %s%s%s", what, h->reason ? h->reason : "waiting", h->message ? ": " : "",
		                                  h->message ? h->message : "");
}

/* The user's own set (the namespace above all) must be there for the environment's. */
static struct kunit *
owner_unit(struct target_kube *t, const struct kunit *u)
{
	char name[256];

	if (!str_starts(u->name, "envs/") ||
	    snprintf(name, sizeof(name), "users/%.*s", (int)strcspn(u->name + 5, "/"), u->name + 5) >= (int)sizeof(name))
		return NULL;
	return unit_get(t, name);
}

/* Does the state of the object say how the unit is? Of one that goes, what is still going. */
static bool
counts(const struct kunit *u, const struct kobj *o, bool rests)
{
	if (!o->live || !(belongs(u, o) || (u->dropped && o->deleting)))
		return false;
	return !(rests && is(o, "PersistentVolumeClaim"));
}

/* While its namespace goes nothing can be made in it, whatever else there is to say. */
static void
look_outside(const struct kunit *owner, struct look *l)
{
	static const struct health_view h = { .health = HEALTH_PROGRESSING, .reason = "Terminating",
		.message = "its namespace is being deleted; everything is made again when that is over" };

	for (const struct kobj *o = owner ? owner->objects : NULL; o; o = o->next)
		if (is(o, "Namespace") && o->live && o->deleting) {
			add_waiting(l, label(l->mem, o), &h);
			l->worst = h;
		}
}

/* A pod that is started again has not come further than the one before it. */
static void
look_back(struct kunit *u, struct look *l, bool rests)
{
	struct health_view h = { .health = (enum health)u->ended.health, .reason = u->ended.reason, .message = u->ended.message };

	if (!u->ended.reason)
		return;
	/* between the two pods their set may still call itself ready */
	if (rests || (u->pods && l->worst.health == HEALTH_READY) || clock_mono_ms() > u->ended.until)
		unit_set_ended(u, NULL);
	else
		l->worst = *health_worse(&h, &l->worst);
}

/* What is wanted and was never made: without what runs, nothing runs; without another, it runs in part. */
static void
look_for_missing(const struct kunit *u, struct look *l)
{
	for (const struct kobj *o = u->objects; o; o = o->next) {
		struct health_view h = { .health = HEALTH_PROGRESSING, .reason = "Applying" };

		if (!o->wanted || o->live || (!o->error && o->stage != STAGE_WORK))
			continue;
		if (o->error)
			h = (struct health_view){ o->stage == STAGE_WORK ? HEALTH_FAILED : HEALTH_DEGRADED, "NotApplied", o->error };
		add_waiting(l, label(l->mem, o), &h);
		l->worst = *health_worse(&l->worst, &h);
	}
}

/* Pods first: of two that are equally bad the nearest to the cause speaks. */
static void
look_at(struct kunit *u, struct look *l)
{
	bool rests = paused(u);

	for (const struct kobj *o = u->objects; o; o = o->next) {
		struct health_view h = { .health = (enum health)o->health, .reason = o->reason, .message = o->message };

		if (!counts(u, o, rests))
			continue;
		add_waiting(l, label(l->mem, o), &h);
	}
	for (const struct kpod *p = u->pods; p; p = p->next) {
		struct health_view h = { .health = (enum health)p->health, .reason = p->reason, .message = p->message };

		add_waiting(l, arena_printf(l->mem, "Pod/%s", strchr(p->key, '/') + 1), &h);
		if (!rests)
			l->worst = *health_worse(&l->worst, &h);
	}
	for (const struct kobj *o = u->objects; o; o = o->next) {
		struct health_view h = { .health = (enum health)o->health, .reason = o->reason, .message = o->message };

		if (counts(u, o, rests))
			l->worst = *health_worse(&l->worst, &h);
	}
	look_back(u, l, rests);
	look_for_missing(u, l);
}

static enum unit_phase
phase_of(const struct kunit *u, const struct look *l, bool there)
{
	static const enum unit_phase phases[] = { [HEALTH_UNKNOWN] = UNIT_PROVISIONING, [HEALTH_READY] = UNIT_READY,
		[HEALTH_PAUSED] = UNIT_PAUSED, [HEALTH_PROGRESSING] = UNIT_PROVISIONING, [HEALTH_QUEUED] = UNIT_QUEUED,
		[HEALTH_DEGRADED] = UNIT_DEGRADED, [HEALTH_FAILED] = UNIT_FAILED };

	if (u->dropped)
		return UNIT_DELETING;
	if (!there)
		return UNIT_PROVISIONING;
	if (l->worst.health == HEALTH_PROGRESSING && str_eq(l->worst.reason, "Pausing"))
		return UNIT_PAUSING;
	return phases[l->worst.health];
}

/* -- what was applied ------------------------------------------------------------------------------------------------------------ */

/* Causes first: what waits for a namespace says less than what is said of the namespace. */
static void
add_errors(const struct kunit *u, const char *prefix, struct arena *mem, const char **list, struct unit_state *s)
{
	for (int cause = 1; cause >= 0; cause--)
		for (const struct kobj *o = u->objects; o; o = o->next) {
			if (!o->error || str_eq(o->why, "NamespaceRefused") == cause)
				continue;
			if (!s->applied_reason || str_eq(s->applied_reason, "Applying"))
				s->applied_reason = o->why;
			if (s->nerrors < ERRORS_MAX)
				list[s->nerrors++] = arena_printf(mem, "%s%s: %s", prefix, label(mem, o), o->error);
		}
}

static void
applied_of(struct target_kube *t, struct kunit *u, struct arena *mem, struct unit_state *s)
{
	const char **list = arena_array(mem, ERRORS_MAX, sizeof(*list));
	const struct kunit *owner = owner_unit(t, u);
	bool all = true;

	for (const struct kobj *o = u->objects; o; o = o->next)
		all &= !o->wanted || (o->live && o->sure && !o->op);
	add_errors(u, "", mem, list, s);
	if (owner && !all)
		add_errors(owner, arena_printf(mem, "%s: ", owner->name), mem, list, s);
	s->errors = list;
	s->applied = all && !s->nerrors;
	if (s->applied) {
		s->applied_reason = "Applied";
	} else if (!s->applied_reason) {
		s->applied_reason = "Applying";
		s->applied_message = t->lost >= LOST_MANY ? "the API server does not answer; berth goes on by itself when it does"
		                     : t->parent_trouble.code ? arena_strdup(mem, t->parent_trouble.text) : NULL;
	} else {
		s->applied_message = s->nerrors ? s->errors[0] : NULL;
	}
}

void
unit_state(struct target_kube *t, struct kunit *u, struct arena *mem, struct unit_state *out)
{
	struct look l = { .mem = mem, .worst = { .health = HEALTH_READY }, .waiting = arena_array(mem, WAITING_MAX, sizeof(char *)) };

	memset(out, 0, sizeof(*out));
	for (const struct kobj *o = u->objects; o; o = o->next)
		out->there |= o->live || (u->dropped && o->maybe);
	out->there |= u->pods != NULL;
	look_at(u, &l);
	if (!u->dropped)
		look_outside(owner_unit(t, u), &l);
	applied_of(t, u, mem, out);
	out->phase = phase_of(u, &l, out->there);
	if (!out->there && out->nerrors)
		out->phase = UNIT_FAILED;
	out->ready = out->phase == UNIT_READY ? "True" : "False";
	out->ready_reason = out->phase == UNIT_DELETING ? "Deleting" : out->phase == UNIT_READY ? "Ready" : l.worst.reason ? l.worst.reason : "Waiting";
	out->ready_message = u->dropped && l.n ? l.waiting[0] : l.worst.message;
	if (!out->there) {
		out->ready_reason = out->nerrors ? "NotApplied" : "Waiting";
		out->ready_message = NULL;
	}
	out->drift_by = u->drift_by;
	out->drift_what = u->drift_what;
	out->address = u->address_of && belongs(u, u->address_of) ? u->address : NULL;
	out->waiting = l.waiting;
	out->nwaiting = l.n;
}
