/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vtable. A pass gives bundles; what differs from what is known goes out at once, in parallel and unit by unit in stages (kube_ops.c),
 * and commit waits for the answers. Between passes `wait` follows the cluster: a foreign hand makes a unit dirty, and dirty
 * units are what `begin` says has moved, so that the next pass renders and puts them again.
 */
#include "apply/target_kube.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_priv.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define BODIES_MAX ((size_t)1 << 20) /* bytes waiting to be sent before rendering waits */
#define SYNC_MS 120000
#define COMMIT_MS 60000
#define DOWN_MS 2000
#define STANDBY_MS 100 /* between looks whether the lease is ours now */

static struct target_kube *
self(struct target *t)
{
	return (struct target_kube *)(void *)t;
}

static bool
cancelled(const struct target_kube *t)
{
	return t->cancel && *t->cancel;
}

/* Nothing goes out any more, and what we know may be old. */
static bool
deposed(const struct target_kube *t)
{
	return t->lease && (lease_lost(t->lease) || !lease_held(t->lease));
}

/* One turn of everything. */
static void
turn(struct target_kube *t, int64_t ms, int fd)
{
	int extra;

	if (t->opened) {
		prunes_turn(t);
		ops_turn(t);
		deliver_turn(t->deliver);
		memory_turn(t, false);
	}
	if ((extra = deliver_fd(t->deliver, fd)) < 0)
		extra = fd;
	ms = deliver_patience(t->deliver, ms);
	kube_run(t->kube, t->lease && !lease_held(t->lease) && ms > STANDBY_MS ? STANDBY_MS : ms, extra);
	if (t->opened) {
		deliver_turn(t->deliver);
		ops_turn(t);
	}
}

/* -- opening ------------------------------------------------------------------------------------------------------------------ */

static bool
refused(const struct err *e)
{
	return e->code == ERR_DENIED || e->code == ERR_NOTFOUND;
}

/* What keeps a list from coming: a refusal before what may pass by itself. NULL: nothing was answered yet. */
static const struct err *
lists_trouble(const struct target_kube *t)
{
	const struct err *some = t->pod_trouble.code ? &t->pod_trouble : NULL;

	if (some && refused(some))
		return some;
	for (size_t i = 0; i < t->nkinds; i++) {
		const struct err *k = &t->kinds[i]->trouble;

		if (k->code && refused(k))
			return k;
		some = k->code ? k : some;
	}
	return some;
}

static int
sync_lists(struct target_kube *t, struct err *e)
{
	int64_t end = clock_mono_ms() + SYNC_MS;

	while (!all_synced(t)) {
		const struct err *trouble = lists_trouble(t);

		if (trouble && refused(trouble)) {
			*e = *trouble;
			return e->code;
		}
		if (cancelled(t))
			return err_set(e, ERR_CANCELLED, "told to stop");
		if (deposed(t))
			return err_set(e, ERR_UNAVAILABLE, "the lease has ended");
		if (clock_mono_ms() > end)
			return trouble ? (*e = *trouble, ERR_UNAVAILABLE)
			               : err_set(e, ERR_UNAVAILABLE, "%s: the lists take more than %d s", kube_server(t->kube), SYNC_MS / 1000);
		turn(t, 100, -1);
	}
	return 0;
}

void
drops_finished(struct target_kube *t)
{
	const char *name;

	if (t->owes)
		return;
	for (size_t i = 0; map_next(&t->drops, &i, &name, NULL);)
		if (!unit_get(t, name)) {
			(void)map_del(&t->drops, name);
			t->source_dirty = true;
		}
}

static int
open_cluster(struct target_kube *t, struct err *e)
{
	int rc;

	if ((rc = kube_discover(t->kube, e)) < 0 || (rc = parent_open(t, e)) < 0)
		return rc;
	if ((rc = sync_lists(t, e)) < 0)
		return rc;
	memory_recall(t);
	drops_finished(t);
	pods_follow(t); /* after the sets that they belong to */
	if ((rc = sync_lists(t, e)) < 0)
		return rc;
	t->opened = true;
	return 0;
}

/* -- the pass ------------------------------------------------------------------------------------------------------------------- */

/* Dirty units that are due, as paths; they count as looked at from here on. */
static void
take_dirty(struct target_kube *t, struct target_view *out)
{
	const char **paths = arena_array(t->pass, t->ndirty + 1, sizeof(*paths));
	int64_t now = clock_mono_ms();
	size_t left = 0;

	for (size_t i = 0; i < t->ndirty; i++) {
		struct kunit *u = t->dirty[i];

		if (u->due > now) {
			t->dirty[left++] = u;
			continue;
		}
		u->dirty = false;
		paths[out->nmoved++] = arena_strdup(t->pass, u->name);
	}
	t->ndirty = left;
	out->moved_paths = paths;
	out->moved = out->nmoved > 0;
	out->moved_known = true;
}

static int
kube_begin(struct target *base, struct arena *mem, struct target_view *out, struct err *e)
{
	struct target_kube *t = self(base);
	int rc;

	memset(out, 0, sizeof(*out));
	t->pass = mem;
	base->changes = (struct target_changes){ 0 };
	if (!t->opened && (rc = open_cluster(t, e)) < 0)
		return rc;
	t->in_pass = true;
	t->wrote = false;
	t->known = NULL;
	take_dirty(t, out);
	out->exists = t->units.live > 0;
	out->has_source = t->has_source;
	out->source = t->source;
	return 0;
}

static int
kube_moved(struct target *base, bool *out, struct err *e)
{
	struct target_kube *t = self(base);
	int64_t now = clock_mono_ms();

	(void)e;
	*out = false;
	for (size_t i = 0; i < t->ndirty; i++)
		*out |= t->dirty[i]->due <= now;
	return 0;
}

static int
by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* Sorted once a pass: what a pass adds is nothing that main no longer has. */
static void
list_known(struct target_kube *t)
{
	const char *name;

	if (t->known)
		return;
	t->known = arena_array(t->pass, t->units.live + 1, sizeof(*t->known));
	t->nknown = 0;
	for (size_t i = 0; map_next(&t->units, &i, &name, NULL);)
		t->known[t->nknown++] = arena_strdup(t->pass, name);
	if (t->nknown)
		qsort(t->known, t->nknown, sizeof(*t->known), by_text);
}

static size_t
first_with(const struct target_kube *t, const char *prefix)
{
	size_t lo = 0, hi = t->nknown;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(t->known[mid], prefix) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int
kube_units(struct target *base, const char *prefix, const char ***out, size_t *n, struct err *e)
{
	struct target_kube *t = self(base);
	const char **list;
	size_t k = 0, first, end;

	list_known(t);
	first = end = first_with(t, prefix);
	while (end < t->nknown && str_starts(t->known[end], prefix))
		end++;
	list = arena_array(t->pass, end - first + 1, sizeof(*list));
	for (size_t i = first; i < end; i++) {
		struct kunit *u = unit_get(t, t->known[i]);

		/* one whose deletion was decided by an earlier process goes on being deleted, and is no unit any more */
		if (u && !u->dropped && !u->wanted && map_has(&t->drops, u->name))
			(void)base->ops->drop(base, t->known[i], e);
		if (u && !u->dropped && u->objects)
			list[k++] = t->known[i];
	}
	*out = list;
	*n = k;
	return 0;
}

/* -- putting ---------------------------------------------------------------------------------------------------------------------- */

static void
stop_apply(struct kobj *o)
{
	if (o->op && o->op->what == OP_APPLY && !o->op->flying)
		op_end(o->op);
}

/* A kind that the server does not serve: an object of it can only be reported. */
static const struct kube_kind *
not_served(struct target_kube *t, const struct object *o)
{
	struct kube_kind *k = arena_alloc(t->mem, sizeof(*k));
	const char *slash = strchr(o->api_version, '/');

	k->group = slash ? arena_strndup(t->mem, o->api_version, (size_t)(slash - o->api_version)) : "";
	k->version = arena_strdup(t->mem, slash ? slash + 1 : o->api_version);
	k->kind = arena_strdup(t->mem, o->kind);
	k->plural = "";
	k->namespaced = o->namespace_ != NULL;
	return k;
}

static bool
unchanged(const struct kobj *o, const uint8_t digest[HASH_LEN])
{
	const struct op *op = o->op;

	if (op && op->what == OP_APPLY) /* on its way, or already asked for by an answer that is still to come */
		return memcmp(op->then.json ? op->then.digest : op->body.digest, digest, HASH_LEN) == 0;
	return !op && o->live && o->sure && !o->foreign && !o->deleting && memcmp(o->is.body, digest, HASH_LEN) == 0;
}

/* The server is away, and another unit finds out when it is back. With nothing under way one unit must ask, or nobody would. */
static bool
is_away(const struct target_kube *t, const struct kunit *u)
{
	size_t own = 0;

	for (unsigned i = 0; i < STAGE_COUNT; i++)
		own += u->todo[i] + u->undo[i];
	return t->lost >= LOST_MANY && t->nops > own;
}

static void
put_body(struct target_kube *t, struct kobj *o, struct kbody *body)
{
	const uint8_t *digest = body->digest;
	int64_t now = clock_mono_ms();

	if (o->op && o->op->what != OP_APPLY && !o->op->flying && o->op->step != STEP_GONE)
		op_end(o->op);
	if (unchanged(o, digest)) {
		memcpy(o->tried, digest, HASH_LEN);
		if (!o->op && str_eq(o->why, "DriftFight")) /* nobody wrote it since the last repair */
			kobj_error(o, NULL, NULL);
		body_free(body);
		return;
	}
	if (memcmp(o->tried, digest, HASH_LEN) != 0) {
		o->fails = 0;
		o->quiet_until = 0;
	}
	memcpy(o->tried, digest, HASH_LEN);
	if (o->quiet_until > now || is_away(t, o->unit)) {
		body_free(body);
		unit_dirty(t, o->unit, o->quiet_until > now ? o->quiet_until : now + DOWN_MS);
		o->sure = false;
		return;
	}
	op_apply(t, o, body);
}

static void
put_object(struct target_kube *t, struct kunit *u, const struct object *obj)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)32 << 20);
	const struct kube_kind *kind;
	struct err e = { 0 };
	struct kbody body;
	struct kobj *o;
	const char *key;
	int rc = kube_kind(t->kube, obj->api_version, obj->kind, &kind, &e);

	if (rc < 0)
		kind = not_served(t, obj);
	key = kobj_key(mem, kind, obj->namespace_, obj->name);
	o = kobj_get(t, key);
	if (o && o->unit != u)
		kobj_move(o, u); /* adopted before anybody prunes it */
	o = kobj_make(t, key, kind, u);
	o->wanted = true;
	o->keep = str_eq(value_as_str(value_get(value_at(obj->value, "metadata.annotations"), NOTE_KEEP), NULL), "disabled");
	if (rc < 0) {
		kobj_error(o, rc == ERR_NOTFOUND ? "NotServed" : "Unreachable", arena_printf(mem, "%s%s%s", e.text, *e.hint ? ": " : "", e.hint));
		unit_dirty(t, u, clock_mono_ms() + 60000);
		return;
	}
	parent_list(t, kind);
	(void)kind_follow(t, kind);
	body_make(t, mem, obj, u->name, &body);
	put_body(t, o, &body);
}

/* Rendering waits for the network, so that a thousand environments need the memory of a few. */
static void
make_room(struct target_kube *t)
{
	while (t->bodies > BODIES_MAX && t->lost < LOST_MANY && ops_busy(t, clock_mono_ms()) && !cancelled(t) && !deposed(t))
		turn(t, 20, -1);
}

static int
kube_put(struct target *base, const struct bundle *b, bool keep_extra, struct err *e)
{
	struct target_kube *t = self(base);
	struct kunit *u = unit_make(t, b->unit);

	(void)e;
	if (u->dropped || map_has(&t->drops, b->unit)) {
		(void)map_del(&t->drops, b->unit);
		t->source_dirty = true;
	}
	u->dropped = u->prune = false;
	u->wanted = true;
	for (struct kobj *o = u->objects; o; o = o->next)
		o->wanted = false;
	for (size_t i = 0; i < b->n; i++)
		put_object(t, u, &b->objects[i]);
	for (struct kobj *o = u->objects, *next; o; o = next) {
		next = o->next;
		if (o->wanted)
			continue;
		u->prune |= !keep_extra;
		if (o->op)
			stop_apply(o); /* may forget it */
		else if (kobj_absent(o))
			kobj_forget(t, o);
	}
	if (u->prune)
		(void)map_put(&t->prunes, u->name, NULL);
	unit_touch(t, u);
	ops_turn(t);
	make_room(t);
	return 0;
}

static int
kube_drop(struct target *base, const char *unit, struct err *e)
{
	struct target_kube *t = self(base);
	struct kunit *u = unit_get(t, unit);

	(void)e;
	if (!u || u->dropped)
		return 0;
	u->dropped = true;
	if (!map_has(&t->drops, unit)) {
		(void)map_put(&t->drops, unit, NULL);
		t->parent_dirty = true; /* said before it begins: a crash half-way must not lose what a person allowed */
		t->decided = t->owes = true;
		t->pays = t->parent_pays = false;
	}
	for (struct kobj *o = u->objects, *next; o; o = next) {
		next = o->next;
		o->wanted = false;
		if (o->op)
			stop_apply(o);
		else if (kobj_absent(o))
			kobj_forget(t, o);
	}
	(void)map_put(&t->prunes, unit, NULL);
	return 0;
}

static int
kube_objects(struct target *base, const char *unit, const char ***out, size_t *n, struct err *e)
{
	struct target_kube *t = self(base);
	struct kunit *u = unit_get(t, unit);
	const char **ids;
	char buf[512];
	struct key_parts k;
	size_t count = 0;

	(void)e;
	*n = 0;
	for (struct kobj *o = u ? u->objects : NULL; o; o = o->next)
		count++;
	ids = arena_array(t->pass, count + 1, sizeof(*ids));
	for (struct kobj *o = u ? u->objects : NULL; o; o = o->next)
		if (o->live && key_split(o->key, buf, &k))
			ids[(*n)++] = arena_printf(t->pass, "%s/%s/%s%s%s", kube_api_version(t->pass, o->kind), k.kind, k.ns ? k.ns : "",
			                           k.ns ? "/" : "", k.name);
	if (*n)
		qsort(ids, *n, sizeof(*ids), by_text);
	*out = ids;
	return 0;
}

/* -- commit ------------------------------------------------------------------------------------------------------------------------- */

static void
note_changes(struct target_kube *t)
{
	const char *name;
	void *v;

	for (size_t i = 0; map_next(&t->units, &i, &name, &v);) {
		struct kunit *u = v;
		struct target_change c = { .unit = name, .created = u->created, .changed = u->changed_n, .deleted = u->deleted };

		if (!c.created && !c.changed && !c.deleted)
			continue;
		c.unit = arena_strdup(t->pass, name);
		c.what = u->dropped ? UNIT_DELETED : c.created && !c.changed && !c.deleted ? UNIT_CREATED : UNIT_CHANGED;
		target_note(&t->base, t->pass, &c);
		u->created = u->changed_n = u->deleted = 0;
	}
}

/* What this pass decided to delete is not in the parent yet. */
static bool
unsaid(const struct target_kube *t)
{
	return t->decided && (t->parent_dirty || t->parent_flying);
}

static int
kube_commit(struct target *base, const struct target_reason *why, bool *wrote, struct err *e)
{
	struct target_kube *t = self(base);
	int64_t end = clock_mono_ms() + COMMIT_MS;

	t->in_pass = false;
	do {
		turn(t, 20, -1);
		if (cancelled(t))
			return err_set(e, ERR_CANCELLED, "told to stop");
		if (deposed(t))
			return err_set(e, ERR_UNAVAILABLE, "the lease has ended");
	} while ((ops_busy(t, clock_mono_ms()) || unsaid(t)) && clock_mono_ms() < end);
	if (unsaid(t)) /* a commit that counts as applied has its word for deletions behind it */
		return err_set(e, ERR_UNAVAILABLE, "the deletions are not begun: %s", t->parent_trouble.code ? t->parent_trouble.text : "no answer");
	if ((t->wrote || t->decided || t->owes || why->mark) && !(t->has_source && oid_eq(&t->source, &why->source_commit))) {
		t->source = why->source_commit;
		t->has_source = t->source_dirty = true;
	}
	if (t->owes)
		t->pays = t->source_dirty = true;
	if (why->mark)
		t->parent_dirty = true;
	t->decided = false;
	*wrote = t->wrote;
	note_changes(t);
	return 0;
}

static int
kube_revision(struct target *base, const char *unit, char out[OID_HEX], struct err *e)
{
	struct target_kube *t = self(base);
	struct kunit *u = unit_get(t, unit);
	struct digest sum = { { 0 } };
	struct oid id;
	bool any = false;

	/* of a set, whatever the order */
	for (struct kobj *o = u ? u->objects : NULL; o; o = o->next) {
		struct hash_state h;
		struct digest d;

		if (!o->live && !o->wanted)
			continue;
		hash_init(&h);
		hash_field_str(&h, o->key);
		hash_field(&h, o->wanted ? o->tried : o->is.body, HASH_LEN);
		hash_final(&h, &d);
		for (size_t i = 0; i < sizeof(d.b); i++)
			sum.b[i] ^= d.b[i];
		any = true;
	}
	if (!any)
		return err_set(e, ERR_NOTFOUND, "%s: nothing of it is there", unit);
	memcpy(id.b, sum.b, sizeof(id.b));
	oid_hex(&id, out);
	return 0;
}

static void
kube_end(struct target *base)
{
	self(base)->in_pass = false;
}

/* -- between passes -------------------------------------------------------------------------------------------------------------------- */

static void
kube_wait(struct target *base, int64_t ms, int fd)
{
	struct target_kube *t = self(base);
	int64_t now = clock_mono_ms();

	for (struct op *op = t->ops; op; op = op->next)
		if (!op->flying && op->due > now && op->due - now < ms)
			ms = op->due - now;
	for (size_t i = 0; i < t->ndirty; i++)
		if (t->dirty[i]->due - now < ms)
			ms = t->dirty[i]->due > now ? t->dirty[i]->due - now : 0;
	turn(t, ms, fd);
}

static bool
kube_leading(struct target *base)
{
	struct target_kube *t = self(base);

	return !deposed(t);
}

static void
kube_state(struct target *base, const char *unit, struct arena *mem, struct unit_state *out)
{
	struct target_kube *t = self(base);
	struct kunit *u = unit_get(t, unit);

	memset(out, 0, sizeof(*out));
	out->phase = UNIT_PROVISIONING;
	out->ready = "Unknown";
	out->ready_reason = "Waiting";
	out->applied_reason = "Applying";
	if (u)
		unit_state(t, u, mem, out);
}

static void
kube_changed(struct target *base, struct arena *mem, const char ***units, size_t *n)
{
	struct target_kube *t = self(base);
	const char **list = arena_array(mem, t->nchanged + 1, sizeof(*list));
	size_t k = 0;

	while (t->nchanged) {
		struct kunit *u = t->changed[--t->nchanged];

		u->changed = false;
		list[k++] = arena_strdup(mem, u->name);
		if (!unit_empty(u) || map_has(&t->prunes, u->name))
			continue;
		if (map_has(&t->drops, u->name) && !t->owes) {
			(void)map_del(&t->drops, u->name);
			t->source_dirty = true;
		}
		unit_delete(t, u);
	}
	*units = list;
	*n = k;
}

static void
kube_settle(struct target *base, int64_t ms)
{
	struct target_kube *t = self(base);
	int64_t end = clock_mono_ms() + ms;

	/* with the last object of an environment its owner's may go: asked for before it is called settled */
	for (prunes_turn(t); (t->nops || t->source_dirty || t->parent_dirty || t->parent_flying) && clock_mono_ms() < end && !cancelled(t);
	     prunes_turn(t))
		turn(t, 50, -1);
}

/* -- life ---------------------------------------------------------------------------------------------------------------------------------- */

static void
kube_target_close(struct target *base)
{
	struct target_kube *t = self(base);

	if (t->opened)
		memory_turn(t, true);
	deliver_free(t->deliver);
	kube_free(t->kube); /* requests under way end without their callbacks; none may arrive after the lease was given back */
	lease_free(t->lease);
	for (struct op *op = t->ops, *next; op; op = next) {
		next = op->next;
		body_free(&op->body);
		free(op->sent);
		body_free(&op->then);
		free(op->late_by);
		free(op->late_what);
		free(op);
	}
	free(t->parent_sent);
	store_free(t);
	map_free(&t->listed);
	map_free(&t->drops);
	arena_free(t->scratch);
	arena_free(t->mem);
	free(t);
}

static int
kube_settings(struct target *base, const struct value *org, const struct err *no_secrets, struct err *e)
{
	(void)org;
	(void)e;
	deliver_refuse(self(base)->deliver, no_secrets);
	return 0;
}

static const struct target_ops ops = {
	.name = "kubernetes",
	.settings = kube_settings,
	.begin = kube_begin,
	.moved = kube_moved,
	.units = kube_units,
	.put = kube_put,
	.drop = kube_drop,
	.objects = kube_objects,
	.commit = kube_commit,
	.revision = kube_revision,
	.end = kube_end,
	.wait = kube_wait,
	.leading = kube_leading,
	.state = kube_state,
	.changed = kube_changed,
	.settle = kube_settle,
	.close = kube_target_close,
};

int
target_kube_new(const struct target_kube_options *o, struct target **out, struct err *e)
{
	struct target_kube *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		abort();
	t->base.ops = &ops;
	t->mem = arena_new((size_t)64 << 20);
	t->scratch = arena_new((size_t)256 << 20);
	t->inventory = arena_strdup(t->mem, o->inventory ? o->inventory : "berth");
	t->namespace_ = arena_strdup(t->mem, o->namespace_ ? o->namespace_ : "berth-system");
	t->cancel = o->cancel;
	if (o->state_dir)
		t->memory_file = arena_printf(t->mem, "%s/kubernetes-%s", o->state_dir, t->inventory);
	if ((rc = kube_config_load(&o->cluster, t->mem, &t->config, e)) < 0) {
		arena_free(t->scratch);
		arena_free(t->mem);
		free(t);
		return rc;
	}
	if (o->lease)
		t->lease = lease_new(&t->config, t->namespace_, t->inventory, o->lease);
	t->kube = kube_new(&t->config, t->lease ? lease_held : NULL, t->lease);
	seal_open(t, o->decryptor);
	*out = &t->base;
	return 0;
}
