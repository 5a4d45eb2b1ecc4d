/* SPDX-License-Identifier: Apache-2.0 */
/* The operations under way: which may be sent, what became of them. */
#include <stdlib.h>
#include <string.h>

#include "apply/kube_priv.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define WINDOW 48          /* requests at once: more only adds latency (research: perf) */
#define DELIVERIES 256     /* requests with sealed values, waiting for a child or in one */
#define TRIES 6            /* without a usable answer, then the object is left for the next rendering */
#define FIRST_MS 250
#define PEACE_MS 10000     /* after a fight, until it is called over */
#define MOST_MS 8000
#define REFUSED_MS 10000
#define REFUSED_MOST_MS 600000

/* -- the list ---------------------------------------------------------------------------------------------------------------- */

static unsigned *
counter(const struct op *op)
{
	return op->what == OP_APPLY ? op->o->unit->todo : op->o->unit->undo;
}

struct op *
op_new(struct target_kube *t, struct kobj *o, enum op_what what)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op)
		abort();
	op->t = t;
	op->o = o;
	op->what = what;
	op->step = what == OP_APPLY ? STEP_START : !o->live ? STEP_LOOK : what == OP_DELETE ? STEP_DELETE : STEP_RELEASE;
	op->prev = t->ops_last;
	if (t->ops_last)
		t->ops_last->next = op;
	else
		t->ops = op;
	t->ops_last = op;
	t->nops++;
	o->op = op;
	counter(op)[o->stage]++;
	unit_touch(t, o->unit);
	return op;
}

static void
set_body(struct op *op, struct kbody *body)
{
	op->t->bodies += body_size(body);
	op->t->bodies -= body_size(&op->body);
	body_free(&op->body);
	op->body = *body;
	*body = (struct kbody){ 0 };
}

void
op_end(struct op *op)
{
	struct target_kube *t = op->t;
	struct kobj *o = op->o;

	if (op->prev)
		op->prev->next = op->next;
	else
		t->ops = op->next;
	if (op->next)
		op->next->prev = op->prev;
	else
		t->ops_last = op->prev;
	t->nops--;
	t->bodies -= body_size(&op->body);
	counter(op)[o->stage]--;
	o->op = NULL;
	body_free(&op->body);
	free(op->sent);
	body_free(&op->then);
	free(op->late_by);
	free(op->late_what);
	free(op);
	unit_touch(t, o->unit);
	if (!o->wanted && kobj_absent(o))
		kobj_forget(t, o);
}

void
op_apply(struct target_kube *t, struct kobj *o, struct kbody *body)
{
	struct op *op = o->op;

	if (op && op->what != OP_APPLY && !op->flying && op->step != STEP_GONE) {
		op_end(op); /* it was to go, and is wanted again */
		op = NULL;
	}
	if (op && op->what != OP_APPLY) { /* too late: it is made again when it is gone */
		body_free(body);
		unit_dirty(t, o->unit, clock_mono_ms() + FIRST_MS);
		return;
	}
	if (op && op->flying) {
		body_free(&op->then);
		op->then = *body;
		*body = (struct kbody){ 0 };
		return;
	}
	if (!op)
		op = op_new(t, o, OP_APPLY);
	set_body(op, body);
	op->due = 0;
}

/* -- outcomes ------------------------------------------------------------------------------------------------------------------ */

static void
settle_late(struct target_kube *t, struct kobj *o, bool gone, const struct sight *s, bool foreign, const char *by, const char *what)
{
	if (s->rv <= o->is.rv)
		return; /* of what was there before */
	if (gone)
		judge_gone(t, o);
	else
		judge(t, o, s, foreign ? by : NULL, what);
}

/* Events that came while the request was flying are judged by what it made. */
static void
end_and_settle(struct op *op)
{
	struct target_kube *t = op->t;
	struct kobj *o = op->o;
	bool late = op->late, gone = op->late_gone, foreign = op->late_foreign;
	struct sight s = op->late_is;
	char *by = op->late_by, *what = op->late_what;

	op->late_by = op->late_what = NULL;
	op_end(op);
	if (late)
		settle_late(t, o, gone, &s, foreign, by, what);
	free(by);
	free(what);
}

static void
next_body(struct op *op)
{
	set_body(op, &op->then);
	op->step = STEP_START;
	op->tries = op->looks = 0;
	op->due = 0;
	op->o->sure = false;
}

/* A namespace is there, again perhaps: what was refused in the one before it is tried at once. */
static void
retry_in(struct target_kube *t, const struct kobj *namespace_)
{
	char name[512], buf[512];
	struct key_parts n, k;
	void *v;

	if (!key_split(namespace_->key, name, &n))
		return;
	for (size_t i = 0; map_next(&t->objects, &i, NULL, &v);) {
		struct kobj *o = v;

		if (!o->fails || !o->wanted || !key_split(o->key, buf, &k) || !str_eq(k.ns, n.name))
			continue;
		o->fails = 0;
		o->quiet_until = 0;
		unit_dirty(t, o->unit, 0);
	}
}

/* The answer came before the watch's event: what is known of its health is of the version before it. */
static void
health_is_old(struct target_kube *t, struct kobj *o)
{
	struct health_view h = { .health = HEALTH_PROGRESSING, .reason = "Updating",
		.message = arena_printf(t->scratch, "the %s controller has not seen the newest change yet", o->kind->kind) };

	if (o->stage == STAGE_WORK && kind_whole(o->kind) && o->health_rv < o->is.rv && (o->health == HEALTH_READY || o->health == HEALTH_PAUSED))
		kobj_health(o, &h);
}

void
op_done(struct op *op, const struct value *metadata, bool created)
{
	struct target_kube *t = op->t;
	struct kobj *o = op->o;
	struct fields_view view;
	uint64_t was = o->is.rv;
	int64_t generation = o->is.generation;
	bool again = o->fails > 0;

	sight_read(t, t->scratch, metadata, o->kind->kind, &o->is, &view);
	o->answered = ++t->turns;
	memcpy(o->is.body, op->body.digest, HASH_LEN);
	kobj_lives(o);
	if (o->is.generation != generation)
		health_is_old(t, o);
	o->sure = true;
	o->foreign = view.foreign != NULL;
	o->fails = 0;
	if (o->repairs <= FIGHT)
		kobj_error(o, NULL, NULL);
	else
		unit_dirty(t, o->unit, clock_mono_ms() + PEACE_MS); /* is it over? see put_body */
	if (created)
		o->unit->created++;
	else if (was != o->is.rv)
		o->unit->changed_n++;
	if (((created && was) || again) && strcmp(o->kind->kind, "Namespace") == 0)
		retry_in(t, o);
	if (was != o->is.rv && o->stage == STAGE_WORK)
		unit_set_ended(o->unit, NULL);
	t->memory_dirty = true;
	if (op->then.json) {
		next_body(op);
		return;
	}
	if (o->foreign && op->looks < 3) { /* somebody shares our fields, or has others beside them */
		op->step = STEP_LOOK;
		return;
	}
	end_and_settle(op);
}

/* What stands in the way of a user's set stands in the way of the user's environments. */
static void
touch_owned(struct target_kube *t, const struct kunit *u)
{
	size_t n = strlen(u->name);
	const char *name;
	void *v;

	if (!str_starts(u->name, "users/"))
		return;
	for (size_t i = 0; map_next(&t->units, &i, &name, &v);)
		if (str_starts(name, "envs/") && strncmp(name + 5, u->name + 6, n - 6) == 0 && name[5 + n - 6] == '/')
			unit_touch(t, v);
}

void
op_refused(struct op *op, const char *why, const char *text)
{
	struct target_kube *t = op->t;
	struct kobj *o = op->o;
	int64_t wait = clock_backoff(REFUSED_MS, o->fails, REFUSED_MOST_MS);

	if (o->fails < 20)
		o->fails++;
	o->sure = false;
	kobj_error(o, why, text);
	touch_owned(t, o->unit);
	if (op->then.json) {
		next_body(op);
		return;
	}
	o->quiet_until = clock_mono_ms() + wait;
	if (o->wanted || op->what != OP_APPLY)
		unit_dirty(t, o->unit, o->quiet_until);
	op->late &= op->late_gone; /* all else is looked at next time */
	end_and_settle(op);
}

/* Nothing is flying any more: what was seen meanwhile counts now. False: the operation ended by it. */
static bool
settle_unanswered(struct op *op)
{
	struct target_kube *t = op->t;
	const struct op *left;

	if (!op->late)
		return true;
	op->late = false;
	op->o->sure &= op->what != OP_APPLY;
	settle_late(t, op->o, op->late_gone, &op->late_is, op->late_foreign, op->late_by, op->late_what);
	for (left = t->ops; left && left != op; left = left->next)
		;
	return left != NULL;
}

void
op_later(struct op *op, const struct kube_answer *a)
{
	struct target_kube *t = op->t;
	int64_t ms = clock_backoff(FIRST_MS, op->tries, MOST_MS), now = clock_mono_ms();

	if (a->retry_after_ms > ms)
		ms = a->retry_after_ms < 60000 ? a->retry_after_ms : 60000;
	if (a->status == 429)
		t->pause_until = now + ms;
	op->due = now + ms;
	if (op->step == STEP_TAKE || op->step == STEP_VERIFY || op->step == STEP_APPLY || op->step == STEP_CREATE)
		op->step = op->step == STEP_CREATE ? STEP_LOOK : STEP_START; /* what was not answered may have been done */
	if (!settle_unanswered(op) || ++op->tries < TRIES)
		return;
	kobj_error(op->o, seal_word(a) ? seal_word(a) : "Unreachable", a->message);
	op->o->sure = false;
	unit_dirty(t, op->o->unit, now + ms);
	op_end(op);
}

/* -- which may be sent ------------------------------------------------------------------------------------------------------------ */

static struct kobj *
namespace_of(const struct op *op)
{
	char buf[512], key[512];
	struct key_parts k;

	if (!op->o->kind->namespaced || !key_split(op->o->key, buf, &k) || !k.ns || strlen(k.ns) > 300)
		return NULL;
	(void)memcpy(key, "/Namespace//", 12);
	(void)memcpy(key + 12, k.ns, strlen(k.ns) + 1);
	return kobj_get(op->t, key);
}

/* Objects of a namespace wait for it: for its creation under way, or for the end of the pass that may still name it. */
static bool
namespace_there(struct op *op, const struct kobj *ns)
{
	if (op->ns_there || !op->o->kind->namespaced)
		return true;
	if (!ns || (!ns->live && !ns->op))
		return !op->t->in_pass;
	op->ns_there = ns->live;
	return ns->live;
}

/* Nothing goes into a namespace of somebody else: it has none of our limits, and its owner reads what is in it. */
static bool
namespace_refused(const struct kobj *ns)
{
	return ns && ns->wanted && !ns->live && !ns->op && ns->error;
}

static bool
may_go(struct op *op)
{
	const struct kunit *u = op->o->unit;
	unsigned stage = op->o->stage;

	if (op->what == OP_APPLY) {
		for (unsigned i = 0; i < stage; i++)
			if (u->todo[i])
				return false;
		return namespace_there(op, namespace_of(op));
	}
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		if (u->todo[i] || (i > stage && u->undo[i]))
			return false;
	return true;
}

void
ops_turn(struct target_kube *t)
{
	int64_t now = clock_mono_ms();
	struct op *next;

	parent_turn(t);
	if (t->parent_dirty || t->parent_flying || now < t->pause_until)
		return;
	for (struct op *op = t->ops; op && t->flying - t->delivering < WINDOW; op = next) {
		next = op->next; /* sending may end it */
		if (op->flying || op->due > now || !may_go(op) || (op_is_sealed(op) && t->delivering >= DELIVERIES))
			continue;
		if (op->what == OP_APPLY && !op->ns_there && namespace_refused(namespace_of(op)))
			op_refused(op, "NamespaceRefused", "its namespace is not berth's, so nothing is put there: see what is said of the user's set");
		else
			step_send(op);
	}
}

bool
ops_busy(const struct target_kube *t, int64_t now)
{
	if (t->flying || t->parent_flying)
		return true;
	if (now < t->pause_until || t->parent_dirty)
		return false;
	for (struct op *op = t->ops; op; op = op->next)
		if (op->due <= now && may_go(op))
			return true;
	return false;
}

/* -- deletions ------------------------------------------------------------------------------------------------------------------------ */

/* What fences a user's pods in (policies, quota, roles) goes after the last of them. */
static bool
waits_for_others(struct target_kube *t, const struct kunit *u)
{
	size_t n = strlen(u->name);
	const char *name;

	if (!u->dropped || !str_starts(u->name, "users/"))
		return false;
	for (size_t i = 0; map_next(&t->prunes, &i, &name, NULL);) {
		const struct kunit *env = str_starts(name, "envs/") && strncmp(name + 5, u->name + 6, n - 6) == 0 && name[5 + n - 6] == '/'
			? unit_get(t, name) : NULL;

		if (env && env->dropped && env->objects)
			return true;
	}
	return false;
}

/* True when nothing is left to do for the unit. */
static bool
prune_unit(struct target_kube *t, struct kunit *u, int64_t now)
{
	bool left = false;

	for (unsigned i = 0; i < STAGE_COUNT; i++)
		if (u->todo[i])
			return false;
	if ((!u->dropped && !unit_well(u)) || waits_for_others(t, u))
		return false;
	for (struct kobj *o = u->objects, *next; o; o = next) {
		next = o->next;
		if (o->wanted)
			continue;
		if (kobj_absent(o) && !o->op) {
			kobj_forget(t, o);
			continue;
		}
		left = true;
		if (!o->op && o->quiet_until <= now)
			(void)op_new(t, o, o->keep ? OP_RELEASE : OP_DELETE);
	}
	return !left;
}

void
prunes_turn(struct target_kube *t)
{
	int64_t now = clock_mono_ms();
	const char *name;

	for (size_t i = 0; map_next(&t->prunes, &i, &name, NULL);) {
		struct kunit *u = unit_get(t, name);

		if (u && !prune_unit(t, u, now))
			continue;
		if (u && !u->dropped)
			u->prune = false;
		(void)map_del(&t->prunes, name);
		if (u && unit_empty(u))
			unit_touch(t, u); /* only now can it be told that it went */
	}
}
