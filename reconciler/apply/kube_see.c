/* SPDX-License-Identifier: Apache-2.0 */
/* What lists and watches say: objects, pods, events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_priv.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define EVENT_OLD_S 900 /* an event of so long ago explains nothing any more */

/* -- one state ------------------------------------------------------------------------------------------------------------------ */

void
sight_read(struct target_kube *t, struct arena *mem, const struct value *metadata, const char *kind, struct sight *out,
           struct fields_view *view)
{
	const char *rv = value_as_str(value_get(metadata, "resourceVersion"), "0");
	int64_t n = 0;

	(void)t;
	memset(out, 0, sizeof(*out));
	(void)uid_parse(value_as_str(value_get(metadata, "uid"), NULL), out->uid);
	if (str_to_i64(rv, &n) == 0 && n > 0)
		out->rv = (uint64_t)n;
	out->generation = value_as_int(value_get(metadata, "generation"), 0);
	(void)hash_parse(value_as_str(value_get(value_get(metadata, "annotations"), NOTE_DIGEST), NULL), out->body);
	fields_look(mem, metadata, kind, KUBE_MANAGER, view);
	memcpy(out->managed, view->digest.b, HASH_LEN);
}

bool
metadata_ours(const struct target_kube *t, const struct value *metadata)
{
	return str_eq(value_as_str(value_get(value_get(metadata, "labels"), LABEL_PART_OF), NULL), t->id);
}

/*
 * Kinds whose resourceVersion moves although nobody changed what was applied (status, binding, addresses): for them only who wrote
 * what counts. Other kinds without generation change by a hand alone.
 */
static bool
restless(const struct kube_kind *k)
{
	static const char *const kinds[] = { "PersistentVolumeClaim", "Service", "Namespace", "ResourceQuota", "ServiceAccount" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i], k->kind) == 0)
			return true;
	return false;
}

bool
sight_same(const struct kobj *o, const struct sight *s)
{
	if (memcmp(o->is.uid, s->uid, 16) != 0 || memcmp(o->is.managed, s->managed, HASH_LEN) != 0 ||
	    o->is.generation != s->generation)
		return false;
	return s->generation || o->is.rv == s->rv || restless(o->kind);
}

/* -- judging ------------------------------------------------------------------------------------------------------------------------ */

static const char *
short_name(const struct kobj *o, char buf[600])
{
	char parts[512];
	struct key_parts k;

	if (!key_split(o->key, parts, &k))
		return o->key;
	(void)snprintf(buf, 600, "%s/%s", k.kind, k.name);
	return buf;
}

static void
drifted(struct target_kube *t, struct kobj *o, const char *by, const char *what)
{
	char name[600], text[900];
	/* what was left alone on purpose is no peace */
	int64_t now = clock_mono_ms(), since = o->repaired > o->quiet_until ? o->repaired : o->quiet_until;
	int64_t rest = now > since ? (now - since) / 3000 : 0;

	(void)snprintf(text, sizeof(text), "%s: %s", short_name(o, name), what);
	unit_set_drift(o->unit, by, text);
	o->sure = false;
	/* fights: every 3 s of peace forgive one repair */
	o->repairs = rest >= o->repairs ? 1 : (uint8_t)(o->repairs - rest + (o->repairs < 40));
	o->repaired = now;
	if (o->repairs > FIGHT) {
		o->quiet_until = now + clock_backoff(5000, (unsigned)(o->repairs - FIGHT), 300000);
		(void)snprintf(text, sizeof(text), "%s and berth write %s in turn: find out who runs as %s and stop it, or take the field "
		               "out of berth's templates", by, short_name(o, name), by);
		kobj_error(o, "DriftFight", text);
	}
	unit_dirty(t, o->unit, o->quiet_until);
	unit_touch(t, o->unit);
}

void
judge(struct target_kube *t, struct kobj *o, const struct sight *s, const char *foreign, const char *what)
{
	if (o->live && o->sure && sight_same(o, s)) {
		o->is.rv = s->rv;
		return;
	}
	if (!o->wanted || !o->sure) { /* found, or to be looked at anyway */
		kobj_lives(o);
		o->is = *s;
		o->foreign |= foreign != NULL;
		return;
	}
	kobj_lives(o);
	o->is = *s;
	o->foreign = true; /* also when nobody is named: a field of ours may have been taken away */
	drifted(t, o, foreign ? foreign : "unknown", what ? what : foreign ? "fields added" : "fields changed or removed");
}

void
judge_strayed(struct kobj *o, const struct fields_view *view)
{
	char name[600], text[900];

	(void)snprintf(text, sizeof(text), "%s: %s", short_name(o, name), view->what ? view->what : "metadata.labels[" LABEL_PART_OF "] removed");
	unit_set_drift(o->unit, view->foreign ? view->foreign : "unknown", text);
}

void
judge_gone(struct target_kube *t, struct kobj *o)
{
	bool was = o->live;
	struct health_view h = { .health = HEALTH_UNKNOWN };

	o->live = o->deleting = o->foreign = false;
	kobj_health(o, &h);
	if (o->op && (o->op->what != OP_APPLY || o->op->step == STEP_GONE)) {
		o->op->due = 0; /* what was waited for */
		if (o->op->what != OP_APPLY && !o->op->flying)
			op_end(o->op); /* forgets the object too when nobody wants it */
		else if (o->op->what == OP_APPLY)
			o->op->step = STEP_START;
		return;
	}
	if (!o->wanted) {
		if (!o->op)
			kobj_forget(t, o);
		else if (!o->op->flying)
			op_end(o->op); /* forgets the object too */
		return;
	}
	if (was)
		drifted(t, o, "unknown", "deleted");
}

/* -- objects ---------------------------------------------------------------------------------------------------------------------- */

static struct kobj *
meet(struct target_kube *t, const struct kkind *k, const char *key, const struct value *metadata, const struct fields_view *view)
{
	const char *unit = value_as_str(value_get(value_get(metadata, "annotations"), NOTE_UNIT), NULL);
	struct kunit *u;

	/* labels, annotations and our manager's name can be used by anybody: what is forged must be harmless */
	if (!unit || !unit_name_valid(unit) || !view->ours || !metadata_ours(t, metadata))
		return NULL;
	u = unit_make(t, unit);
	if (u->wanted) /* nobody rendered it: the next put finds it too many */
		unit_dirty(t, u, clock_mono_ms());
	return kobj_make(t, key, k->kind, u);
}

static void
late(struct op *op, const struct sight *s, const struct fields_view *view)
{
	if (op->late && op->late_is.rv > s->rv)
		return;
	op->late = true;
	op->late_gone = false;
	op->late_is = *s;
	op->late_foreign = view->foreign != NULL;
	free(op->late_by);
	free(op->late_what);
	op->late_by = view->foreign ? strdup(view->foreign) : NULL;
	op->late_what = view->what ? strdup(view->what) : NULL;
}

static const char *
address_of(const struct value *service)
{
	const struct value *in = value_item(value_at(service, "status.loadBalancer.ingress"), 0);
	const char *name = value_as_str(value_get(in, "hostname"), NULL);

	return name && *name ? name : value_as_str(value_get(in, "ip"), NULL);
}

/* Of several load balancers the one for SSH is the environment's address. */
static bool
speaks(const struct kobj *o)
{
	for (const struct kobj *s = o->unit->objects; s; s = s->next)
		if (s != o && s->wanted && str_ends(s->key, "--ssh"))
			return false;
	return true;
}

static void
look_at_health(struct target_kube *t, struct arena *mem, struct kobj *o, const struct value *object)
{
	struct health_view h;
	const char *address;

	health_of_object(mem, object, clock_now(), &h);
	if (h.health == HEALTH_READY && h.health != o->health && strcmp(o->kind->kind, "StatefulSet") == 0)
		unit_touch(t, o->unit);
	if (o->health != h.health || o->reason != h.reason || !str_eq(o->message, h.message)) {
		kobj_health(o, &h);
		unit_touch(t, o->unit);
	}
	if (strcmp(o->kind->kind, "Service") == 0 && (address = address_of(object)) && speaks(o) && !str_eq(o->unit->address, address)) {
		if (!o->wanted && o->unit->address_of && o->unit->address_of->wanted)
			return; /* forged, or on its way out */
		o->unit->address_of = o;
		free(o->unit->address);
		o->unit->address = strdup(address);
		unit_touch(t, o->unit);
	}
}

static bool
kept(const struct value *metadata)
{
	return str_eq(value_as_str(value_get(value_get(metadata, "annotations"), NOTE_KEEP), NULL), "disabled");
}

/*
 * Is it of before our own answer? The watch comes to that answer yet; so does a list that was asked for before it. A list that was asked for later
 * counts whatever its version is: a cluster may have been restored from a backup.
 */
static bool
outdated(const struct kkind *k, const struct kobj *o, enum kube_event what, const struct sight *s)
{
	if (!o->live || s->rv >= o->is.rv || memcmp(o->is.uid, s->uid, sizeof(s->uid)) != 0)
		return false;
	return what == KUBE_MODIFIED || o->answered > k->begun;
}

static void
on_object(void *ctx, enum kube_event what, const struct value *object)
{
	struct kkind *k = ctx;
	struct target_kube *t = k->t;
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	const struct value *meta = value_get(object, "metadata");
	const char *name = value_as_str(value_get(meta, "name"), NULL);
	struct fields_view view = { 0 };
	struct sight s;
	struct kobj *o;
	const char *key;

	if (!name)
		return;
	key = kobj_key(mem, k->kind, value_as_str(value_get(meta, "namespace"), NULL), name);
	o = kobj_get(t, key);
	sight_read(t, mem, meta, k->kind->kind, &s, &view);
	if (what == KUBE_DELETED) {
		if (!o || (o->live && memcmp(o->is.uid, s.uid, 16) != 0))
			return;
		if (o->op && o->op->flying) {
			o->op->late = o->op->late_gone = true;
			o->op->late_is = s;
		} else {
			judge_gone(t, o);
		}
		return;
	}
	if (!o && !(o = meet(t, k, key, meta, &view)))
		return;
	o->epoch = k->epoch;
	if (outdated(k, o, what, &s))
		return;
	o->keep = kept(meta);
	if ((value_get(meta, "deletionTimestamp") != NULL) != o->deleting) {
		o->deleting = !o->deleting;
		unit_touch(t, o->unit);
	}
	if (o->op && o->op->flying)
		late(o->op, &s, &view);
	else if (o->deleting) /* nothing can be mended until it is gone */
		o->is.rv = s.rv;
	else
		judge(t, o, &s, view.foreign, view.what);
	if (k->whole)
		o->health_rv = s.rv;
	if (k->whole || o->deleting)
		look_at_health(t, mem, o, object);
	else if (o->live)
		kobj_lives(o);
}

static void
on_begin(void *ctx)
{
	struct kkind *k = ctx;

	k->epoch++;
	k->begun = ++k->t->turns;
}

/* What the list did not show is not there, unless we made or changed it after the list was taken: then the watch will tell. */
static void
on_synced(void *ctx)
{
	struct kkind *k = ctx;
	struct target_kube *t = k->t;
	uint64_t version = kube_watch_version(k->watch);
	void *v;

	k->trouble.code = 0;
	for (size_t i = 0; map_next(&t->objects, &i, NULL, &v);) {
		struct kobj *o = v;

		if (o->kind == k->kind && o->live && o->epoch != k->epoch && o->is.rv <= version && !(o->op && o->op->flying))
			judge_gone(t, o);
	}
}

static void
on_trouble(void *ctx, const struct err *e)
{
	struct kkind *k = ctx;

	k->trouble = *e;
	if (e->code == ERR_UNAVAILABLE)
		k->t->lost_at = clock_mono_ms();
}

bool
kind_whole(const struct kube_kind *k)
{
	static const char *const kinds[] = { "StatefulSet", "Deployment", "Job", "JobSet", "PersistentVolumeClaim", "Service", "Certificate",
		"HTTPRoute", "Gateway", "ExternalSecret", "VolumeSnapshot" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i], k->kind) == 0)
			return true;
	return false;
}

struct kkind *
kind_follow(struct target_kube *t, const struct kube_kind *kind)
{
	char selector[sizeof(t->id) + sizeof(LABEL_PART_OF) + 2];
	struct kube_watch_config c = { .kind = kind, .on_begin = on_begin, .on_event = on_object, .on_synced = on_synced,
		.on_trouble = on_trouble, .label_selector = selector };
	struct kkind *k;

	for (size_t i = 0; i < t->nkinds; i++)
		if (t->kinds[i]->kind == kind)
			return t->kinds[i];
	k = arena_alloc(t->mem, sizeof(*k));
	k->t = t;
	k->kind = kind;
	k->whole = kind_whole(kind);
	c.metadata_only = !k->whole;
	c.ctx = k;
	t->kinds = arena_regrow(t->mem, t->kinds, t->nkinds, t->nkinds + 1, sizeof(*t->kinds));
	t->kinds[t->nkinds++] = k;
	(void)snprintf(selector, sizeof(selector), "%s=%s", LABEL_PART_OF, t->id);
	k->watch = kube_watch_start(t->kube, &c);
	return k;
}

bool
all_synced(const struct target_kube *t)
{
	for (size_t i = 0; i < t->nkinds; i++)
		if (!kube_watch_synced(t->kinds[i]->watch))
			return false;
	return t->pods_synced || !t->pod_watch;
}

/* -- pods ---------------------------------------------------------------------------------------------------------------------------- */

static void
pod_drop(struct target_kube *t, struct kpod *p)
{
	struct kpod **at = &p->unit->pods;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	if (unit_empty(p->unit))
		unit_done(t, p->unit);
	else
		unit_touch(t, p->unit);
	free(p->message);
	(void)map_del(&t->pods, p->key);
	free(p);
}

/* Is this the namespace of the environment's owner? It is a part of the owner's set, and nobody else can make it one. */
static bool
owners_namespace(struct target_kube *t, struct arena *mem, const char *owner, const char *ns)
{
	const struct kobj *o = kobj_get(t, arena_printf(mem, "/Namespace//%s", ns));

	return o && o->live && str_starts(o->unit->name, "users/") && strcmp(o->unit->name + 6, owner) == 0;
}

/* The environment's unit, if the pod is where its owner's are: labels can be copied. */
static struct kunit *
unit_of_pod(struct target_kube *t, struct arena *mem, const struct value *labels, const char *ns)
{
	const char *owner = value_as_str(value_get(labels, "berth.dev/owner"), NULL), *env = value_as_str(value_get(labels, "berth.dev/env"), NULL);
	struct kunit *u = owner && env ? unit_get(t, arena_printf(mem, "envs/%s/%s", owner, env)) : NULL;

	return u && owners_namespace(t, mem, owner, ns) ? u : NULL;
}

/* The one after it may end the same way. */
static void
pod_gone(struct target_kube *t, struct kpod *p)
{
	if (p->ended)
		unit_set_ended(p->unit, p);
	pod_drop(t, p);
}

/* A pod that was not seen to go may be another by now, or another's. */
static bool
is_another(const struct kpod *p, const struct kunit *u, const uint8_t uid[16])
{
	return p->unit != u || memcmp(p->uid, uid, sizeof(p->uid)) != 0;
}

static struct kpod *
pod_make(struct target_kube *t, const char *key, struct kunit *u)
{
	struct kpod *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	(void)map_put(&t->pods, key, p);
	p->key = t->pods.slots[t->pods.n - 1].key;
	p->unit = u;
	p->next = u->pods;
	u->pods = p;
	return p;
}

static void
on_pod(void *ctx, enum kube_event what, const struct value *object)
{
	struct target_kube *t = ctx;
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	const struct value *meta = value_get(object, "metadata");
	const char *ns = value_as_str(value_get(meta, "namespace"), ""), *name = value_as_str(value_get(meta, "name"), "");
	const char *key = arena_printf(mem, "%s/%s", ns, name);
	struct kpod *p = map_get(&t->pods, key);
	uint8_t uid[16] = { 0 };
	struct health_view h;
	struct kunit *u;

	if (what == KUBE_DELETED) {
		if (p)
			pod_gone(t, p);
		return;
	}
	(void)uid_parse(value_as_str(value_get(meta, "uid"), NULL), uid);
	if (!p || what == KUBE_ADDED) {
		u = unit_of_pod(t, mem, value_get(meta, "labels"), ns);
		if (p && is_another(p, u, uid)) {
			pod_gone(t, p);
			p = NULL;
		}
		if (!u)
			return;
		if (!p) {
			p = pod_make(t, key, u);
			memcpy(p->uid, uid, sizeof(uid));
			unit_touch(t, u);
		}
	}
	p->epoch = t->pod_epoch;
	health_of_object(mem, object, clock_now(), &h);
	/* what is being deleted says no more why it ended */
	if (p->ended && value_get(meta, "deletionTimestamp"))
		return;
	p->ended = strcmp(value_as_str(value_at(object, "status.phase"), ""), "Failed") == 0;
	if (p->health == h.health && p->reason == h.reason && str_eq(p->message, h.message))
		return;
	p->health = (uint8_t)h.health;
	p->reason = h.reason;
	free(p->message);
	p->message = h.message ? strdup(h.message) : NULL;
	unit_touch(t, p->unit);
}

/* -- events -------------------------------------------------------------------------------------------------------------------------------- */

static const char *
event_time(const struct value *v)
{
	const char *s = value_as_str(value_get(v, "lastTimestamp"), NULL);

	if (!s)
		s = value_as_str(value_at(v, "series.lastObservedTime"), NULL);
	if (!s)
		s = value_as_str(value_get(v, "eventTime"), NULL);
	return s ? s : value_as_str(value_at(v, "metadata.creationTimestamp"), "");
}

/* An event speaks for as long as what it is about is not well. */
static void
on_event(void *ctx, enum kube_event what, const struct value *object)
{
	struct target_kube *t = ctx;
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	const struct value *about = value_get(object, "involvedObject");
	const char *ns = value_as_str(value_get(about, "namespace"), ""), *name = value_as_str(value_get(about, "name"), "");
	const char *kind = value_as_str(value_get(about, "kind"), "");
	const struct kube_kind *k;
	char old[RFC3339_LEN];
	struct health_view h;
	struct kobj *o;

	clock_rfc3339(clock_now() - EVENT_OLD_S, old);
	if (what == KUBE_DELETED || strcmp(event_time(object), old) < 0 || !health_of_event(mem, object, &h))
		return;
	if (strcmp(kind, "Pod") == 0) {
		struct kpod *p = map_get(&t->pods, arena_printf(mem, "%s/%s", ns, name));
		uint8_t uid[16];

		if (!p || p->health == HEALTH_READY || p->health == HEALTH_FAILED)
			return;
		if (uid_parse(value_as_str(value_get(about, "uid"), NULL), uid) && memcmp(uid, p->uid, sizeof(uid)) != 0)
			return; /* of the one before it */
		p->health = (uint8_t)h.health;
		p->reason = h.reason;
		free(p->message);
		p->message = h.message ? strdup(h.message) : NULL;
		unit_touch(t, p->unit);
		return;
	}
	k = kube_kind_any(t->kube, strcmp(kind, "PersistentVolumeClaim") == 0 ? "" : strcmp(kind, "Job") == 0 ? "batch" : "apps", kind);
	o = k ? kobj_get(t, kobj_key(mem, k, ns, name)) : NULL;
	/* a claim that nothing has been done for looks like one that waits for its first pod */
	if (!o || o->health == HEALTH_READY || (o->health == HEALTH_PAUSED && strcmp(kind, "PersistentVolumeClaim") != 0))
		return;
	kobj_health(o, &h);
	unit_touch(t, o->unit);
}

/* Once the pods are known: an event of one that is not is lost. */
static void
events_follow(struct target_kube *t)
{
	/* the three that nothing else tells: pods that are refused, volumes that do not come */
	static const char *const selectors[] = { "type=Warning,reason=FailedCreate", "type=Warning,reason=FailedMount",
		"type=Warning,reason=ProvisioningFailed" };

	for (size_t i = 0; i < 3; i++) {
		struct kube_watch_config c = { .kind = kube_kind_any(t->kube, "", "Event"), .field_selector = selectors[i],
			.on_event = on_event, .ctx = t };

		if (c.kind && !t->event_watches[i])
			t->event_watches[i] = kube_watch_start(t->kube, &c);
	}
}

/* -- their lists ------------------------------------------------------------------------------------------------------------------------- */

static void
pods_begin(void *ctx)
{
	struct target_kube *t = ctx;

	t->pod_epoch++;
}

static void
pods_synced(void *ctx)
{
	struct target_kube *t = ctx;
	void *v;

	t->pods_synced = true;
	t->pod_trouble.code = 0;
	/* what was known counts until the list is in */
	for (size_t i = 0; map_next(&t->pods, &i, NULL, &v);)
		if (((struct kpod *)v)->epoch != t->pod_epoch)
			pod_gone(t, v);
	events_follow(t);
}

static void
pods_trouble(void *ctx, const struct err *e)
{
	struct target_kube *t = ctx;

	t->pod_trouble = *e;
	if (e->code == ERR_UNAVAILABLE)
		t->lost_at = clock_mono_ms();
}

void
pods_follow(struct target_kube *t)
{
	struct kube_watch_config c = { .kind = kube_kind_any(t->kube, "", "Pod"), .label_selector = "berth.dev/managed=true,berth.dev/env",
		.on_begin = pods_begin, .on_event = on_pod, .on_synced = pods_synced, .on_trouble = pods_trouble, .ctx = t };

	if (t->pod_watch || !c.kind)
		return;
	t->pod_watch = kube_watch_start(t->kube, &c);
}
