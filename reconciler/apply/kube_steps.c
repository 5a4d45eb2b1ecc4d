/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One object, step by step. Applying: a new one by a create-only apply (CREATE; 409: LOOK whose it is), a known one by a forced
 * apply for exactly its uid (APPLY), after strangers' fields were taken over (LOOK, TAKE); one that nobody remembers is compared
 * first (VERIFY). What the server calls immutable is replaced when a dry run says that the new one would be accepted (LIVE, TRY,
 * REPLACE, GONE), but never a volume. Deleting: only the very version that was seen with our labels (DELETE), else LOOK.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_priv.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "plan/diff.h"

#define GONE_MS 10000 /* after so long without an event the server is asked */
#define MISSING_TRIES 5
#define STARTING_MS 60000 /* after the last request without an answer */

void
step_on_answer(void *ctx, const struct kube_answer *a)
{
	struct op *op = ctx;
	struct target_kube *t = op->t;

	t->flying--;
	op->flying = false;
	free(op->sent);
	op->sent = NULL;
	t->lost = a->status ? 0 : t->lost + 1;
	t->lost_at = a->status ? t->lost_at : clock_mono_ms();
	arena_reset(t->scratch);
	step_answer(op, a);
}

/* -- sending --------------------------------------------------------------------------------------------------------------------- */

static const char *
path_of(struct op *op, bool collection)
{
	char buf[512];
	struct key_parts k;

	if (!key_split(op->o->key, buf, &k))
		return "/";
	return kube_path(op->t->scratch, op->o->kind, k.ns, collection ? NULL : k.name);
}

static void
send(struct op *op, const char *method, const char *path, const char *query, const char *type, const char *body, size_t len, bool whole)
{
	struct kube_request q = { .method = method, .path = arena_printf(op->t->scratch, "%s%s", path, query), .content_type = type,
		.accept = whole ? NULL : KUBE_METADATA, .body = body, .body_len = len, .done = step_on_answer, .ctx = op };

	op->flying = true;
	op->t->flying++;
	op->t->requests++;
	op->t->writes += body != NULL && !strstr(query, "dryRun");
	kube_send(op->t->kube, &q);
}

/* A body of this step alone. */
static void
send_text(struct op *op, const char *method, const char *query, const char *type, char *text)
{
	op->sent = text;
	send(op, method, path_of(op, false), query, type, text, strlen(text), false);
}

/* The object itself. */
static void
send_body(struct op *op, const char *method, const char *path, const char *query, const char *type)
{
	if (op_is_sealed(op))
		seal_send(op, method, path, query, type);
	else
		send(op, method, path, query, type, op->body.json, op->body.len, false);
}

#define APPLY_QUERY "?fieldManager=" KUBE_MANAGER "&fieldValidation=Strict&force="

static void
send_apply(struct op *op, bool create)
{
	op->o->maybe |= create;
	if (create)
		body_guard_new(op->body.json);
	else
		body_guard_uid(op->body.json, op->o->is.uid);
	send_body(op, "PATCH", path_of(op, false), create ? APPLY_QUERY "false" : APPLY_QUERY "true", KUBE_APPLY);
}

static void
send_delete(struct op *op, bool exactly)
{
	bool work = op->o->stage == STAGE_WORK;
	char uid[37], *text = NULL, rv[64] = "";

	uid_text(op->o->is.uid, uid);
	if (exactly)
		(void)snprintf(rv, sizeof(rv), ",\"resourceVersion\":\"%llu\"", (unsigned long long)op->o->is.rv);
	if (asprintf(&text, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":\"%s\",\"preconditions\":{\"uid\":\"%s\"%s}}",
	             work ? "Foreground" : "Background", uid, rv) < 0)
		abort();
	send_text(op, "DELETE", "", NULL, text);
}

/* It stays in the cluster and is nobody's until its unit comes back. */
static void
send_release(struct op *op)
{
	char uid[37], *text = NULL;

	uid_text(op->o->is.uid, uid);
	if (asprintf(&text, "{\"metadata\":{\"uid\":\"%s\",\"resourceVersion\":\"%llu\",\"labels\":{\"" LABEL_PART_OF "\":null,\"" LABEL_RETAINED
	             "\":\"true\"}}}", uid, (unsigned long long)op->o->is.rv) < 0)
		abort();
	send_text(op, "PATCH", "?fieldManager=" KUBE_MANAGER, KUBE_MERGE_PATCH, text);
}

static enum op_step
first_step(const struct op *op)
{
	const struct kobj *o = op->o;

	if (o->deleting)
		return STEP_GONE;
	if (!o->live)
		return STEP_CREATE;
	if (o->foreign)
		return STEP_LOOK;
	/* what a Secret holds is never read: it is applied again, which changes nothing when it is as it should be */
	return !o->sure && !op_is_sealed(op) && memcmp(o->is.body, op->body.digest, HASH_LEN) == 0 ? STEP_VERIFY : STEP_APPLY;
}

void
step_send(struct op *op)
{
	if (op->step == STEP_START)
		op->step = first_step(op);
	switch (op->step) {
	case STEP_CREATE:
	case STEP_APPLY:
		send_apply(op, op->step == STEP_CREATE);
		break;
	case STEP_VERIFY:
	case STEP_LIVE:
		send(op, "GET", path_of(op, false), "", NULL, NULL, 0, true);
		break;
	case STEP_TRY:
		body_guard_none(op->body.json);
		send_body(op, "POST", path_of(op, true), "?dryRun=All&fieldManager=" KUBE_MANAGER "&fieldValidation=Strict", NULL);
		break;
	case STEP_DELETE:
	case STEP_REPLACE:
		send_delete(op, op->step == STEP_DELETE);
		break;
	case STEP_RELEASE:
		send_release(op);
		break;
	case STEP_GONE: /* no event came in time */
		if (op->due == 0 && op->o->deleting) {
			op->due = clock_mono_ms() + GONE_MS;
			return;
		}
		op->step = STEP_LOOK;
		__attribute__((fallthrough));
	case STEP_LOOK:
	case STEP_TAKE:
	case STEP_START:
		op->step = STEP_LOOK;
		op->looks++;
		send(op, "GET", path_of(op, false), "", NULL, NULL, 0, false);
		break;
	}
}

/* -- answers ----------------------------------------------------------------------------------------------------------------------- */

static const struct value *
metadata_in(struct op *op, const struct kube_answer *a)
{
	struct value *v;

	return json_read(op->t->scratch, a->body, a->len, &v, NULL) == 0 ? value_get(v, "metadata") : NULL;
}

/* No event tells for how long it has been going, and what holds it. */
static void
still_there(struct op *op, const struct kube_answer *a)
{
	struct kobj *o = op->o;
	struct health_view h;
	struct value *v;

	op->step = STEP_GONE;
	op->due = clock_mono_ms() + GONE_MS;
	if (op->late && op->late_gone && memcmp(op->late_is.uid, o->is.uid, sizeof(o->is.uid)) == 0) {
		op->late = op->late_gone = false;
		judge_gone(op->t, o); /* its event came before this answer, and may end the operation */
		return;
	}
	if (json_read(op->t->scratch, a->body, a->len, &v, NULL) < 0)
		return;
	health_of_object(op->t->scratch, v, clock_now(), &h);
	if (o->reason == h.reason && str_eq(o->message, h.message))
		return;
	kobj_health(o, &h);
	unit_touch(op->t, o->unit);
}

static bool
over_quota(const struct kube_answer *a)
{
	return a->status == 403 && a->message && strstr(a->message, "exceeded quota: ");
}

/* The word for a refusal. Of a 403 its text tells whether rights are what is missing. */
static const char *
word_of(const struct kube_answer *a)
{
	if (over_quota(a))
		return "QuotaExceeded";
	if (seal_word(a))
		return seal_word(a);
	if (a->status == 403 && a->message && strstr(a->message, "because it is being terminated"))
		return "NamespaceTerminating";
	return a->code == ERR_DENIED ? "Forbidden" : a->code == ERR_CONFLICT ? "Conflict" : "ApplyFailed";
}

static void
refused(struct op *op, const struct kube_answer *a)
{
	op_refused(op, word_of(a), a->message);
}

/* An API server that has just come back refuses everybody for some seconds, until it has read its roles. */
static bool
refused_by_a_starting_server(const struct op *op, const struct kube_answer *a)
{
	return a->status == 403 && a->message && strstr(a->message, "forbidden: User ") && op->t->lost_at &&
	       clock_mono_ms() - op->t->lost_at < STARTING_MS;
}

/* True when the answer is no answer to the question: the operation has been put off, or its reason is gone. */
static bool
no_use(struct op *op, const struct kube_answer *a)
{
	if (a->code == ERR_CANCELLED) {
		op->due = clock_mono_ms() + GONE_MS;
		return true;
	}
	/* a token that has run out says nothing about the object */
	if (a->code != ERR_UNAVAILABLE && a->status != 401 && !refused_by_a_starting_server(op, a))
		return false;
	op_later(op, a);
	return true;
}

static bool
is_volume(const struct kobj *o)
{
	return strcmp(o->kind->kind, "PersistentVolumeClaim") == 0;
}

static void
applied(struct op *op, const struct kube_answer *a)
{
	const struct value *meta = metadata_in(op, a);

	op->t->wrote = true;
	if (!meta) {
		op->step = STEP_LOOK;
		return;
	}
	op_done(op, meta, a->status == 201);
}

static void
created(struct op *op, const struct kube_answer *a)
{
	if (a->code == 0) {
		applied(op, a);
	} else if (a->code == ERR_CONFLICT && op->looks < 4) {
		op->step = STEP_LOOK;
	} else if ((a->code == ERR_NOTFOUND || over_quota(a)) && op->looks + op->tries < MISSING_TRIES) {
		op->o->maybe = false;
		op->tries++; /* its namespace is not there yet, or a larger quota of ours is on its way */
		op->ns_there = false;
		op->due = clock_mono_ms() + 200 * op->tries;
		op->step = STEP_START;
	} else {
		op->o->maybe = false;
		refused(op, a);
	}
}

static void
updated(struct op *op, const struct kube_answer *a)
{
	if (a->code == 0)
		applied(op, a);
	else if ((a->code == ERR_CONFLICT || a->code == ERR_NOTFOUND) && op->looks < 4)
		op->step = STEP_LOOK;
	else if (a->status == 422 && op_is_sealed(op)) {
		if (seal_type_refused(op, a))
			op->step = STEP_TRY;
		else
			refused(op, a);
	} else if (a->status == 422) {
		kobj_error(op->o, "ApplyFailed", a->message);
		op->step = STEP_LIVE;
	} else
		refused(op, a);
}

/* -- whose is it ------------------------------------------------------------------------------------------------------------------- */

static bool
same_uid(const struct value *meta, const struct kobj *o)
{
	uint8_t uid[16];

	return o->is.rv && uid_parse(value_as_str(value_get(meta, "uid"), NULL), uid) && memcmp(uid, o->is.uid, 16) == 0;
}

/* The label was taken off while nobody looked: we wrote it for the very unit that wants it, and it is no other ApplySet's. */
static bool
unlabelled(const struct op *op, const struct value *meta)
{
	const char *unit = value_as_str(value_get(value_get(meta, "annotations"), NOTE_UNIT), NULL);
	struct fields_view view;

	if (value_get(value_get(meta, "labels"), LABEL_PART_OF) || !str_eq(unit, op->o->unit->name))
		return false;
	fields_look(op->t->scratch, meta, op->o->kind->kind, KUBE_MANAGER, &view);
	return view.ours;
}

static bool
may_take(const struct op *op, const struct value *meta)
{
	const struct value *labels = value_get(meta, "labels"), *notes = value_get(meta, "annotations");

	if (metadata_ours(op->t, meta) || str_eq(value_as_str(value_get(notes, NOTE_ADOPT), NULL), op->t->inventory))
		return true;
	if (value_get(labels, LABEL_RETAINED) && !value_get(labels, LABEL_PART_OF))
		return true;
	/* labels can be taken off; the object that we made is still ours */
	return same_uid(meta, op->o) || unlabelled(op, meta);
}

static void
not_ours(struct op *op, const struct value *meta)
{
	const struct value *list = value_get(meta, "managedFields");
	const char *by = value_as_str(value_get(value_item(list, 0), "manager"), "somebody");
	const char *other = value_as_str(value_get(value_get(meta, "labels"), LABEL_PART_OF), NULL);
	char buf[512];
	struct key_parts k;

	if (!key_split(op->o->key, buf, &k))
		return;
	op->o->live = false;
	op_refused(op, "Conflict",
	           other ? arena_printf(op->t->scratch, "%s %s is there already and belongs to another ApplySet (%.60s): give one of the two "
	                                "another name", k.kind, k.name, other)
	                 : arena_printf(op->t->scratch, "%s %s is there already and not berth's (manager %.60s): remove or rename it, or hand it over with "
	                                "`kubectl annotate %s %s%s%s " NOTE_ADOPT "=%s`", k.kind, k.name, by, op->o->kind->plural, k.name,
	                                k.ns ? " -n " : "", k.ns ? k.ns : "", op->t->inventory));
}

static void
take_over(struct op *op, const struct value *meta)
{
	const char *kind = op->o->kind->kind, *version = kube_api_version(op->t->scratch, op->o->kind);
	struct value *fields = fields_take_over(op->t->scratch, meta, kind, version, KUBE_MANAGER);
	struct buf text = BUF_INIT((size_t)1 << 20);

	if (!fields) {
		op->step = STEP_APPLY;
		return;
	}
	/* the version that was read, or nothing: somebody may be writing at this very moment */
	buf_printf(&text, "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"%s\"},"
	           "{\"op\":\"replace\",\"path\":\"/metadata/managedFields\",\"value\":", value_as_str(value_get(meta, "resourceVersion"), ""));
	json_write(fields, 0, &text);
	buf_str(&text, "}]");
	op->step = STEP_TAKE;
	send_text(op, "PATCH", "?fieldManager=" KUBE_MANAGER, KUBE_JSON_PATCH, text.data);
}

static void
looked(struct op *op, const struct kube_answer *a)
{
	const struct value *meta = a->code == 0 ? metadata_in(op, a) : NULL;
	struct kobj *o = op->o;
	struct fields_view view;
	bool strayed;

	if (a->code == ERR_NOTFOUND) {
		o->live = o->deleting = o->foreign = o->maybe = false;
		if (op->what != OP_APPLY) {
			op_end(op);
			return;
		}
		op->step = STEP_START;
		return;
	}
	if (!meta) {
		refused(op, a);
		return;
	}
	/* to delete it must be ours for certain: what was retained, or handed over and never taken, is nobody's yet */
	if (!may_take(op, meta) || (op->what != OP_APPLY && !metadata_ours(op->t, meta) && !same_uid(meta, o))) {
		o->maybe = false;
		if (op->what == OP_APPLY) {
			not_ours(op, meta);
		} else { /* it is somebody else's by now: hands off */
			o->live = false;
			op_end(op);
		}
		return;
	}
	strayed = !o->live && same_uid(meta, o) && op->what == OP_APPLY;
	kobj_lives(o);
	sight_read(op->t, op->t->scratch, meta, o->kind->kind, &o->is, &view);
	o->answered = ++op->t->turns;
	if (strayed)
		judge_strayed(o, &view);
	o->foreign = view.foreign != NULL;
	o->deleting = value_get(meta, "deletionTimestamp") != NULL;
	if (o->deleting) {
		still_there(op, a);
	} else if (op->what != OP_APPLY) {
		op->step = op->what == OP_DELETE ? STEP_DELETE : STEP_RELEASE;
	} else {
		take_over(op, meta);
	}
}

static void
taken(struct op *op, const struct kube_answer *a)
{
	if (a->code && op->looks < 8) {
		op->step = STEP_LOOK; /* it moved meanwhile */
	} else if (a->code) {
		refused(op, a);
	} else {
		op->o->foreign = false;
		op->t->wrote = true;
		op->step = STEP_APPLY;
	}
}

static void
verified(struct op *op, const struct kube_answer *a)
{
	struct value *live, *want;
	const char *where = NULL;

	if (a->code == ERR_NOTFOUND) {
		op->o->live = false;
		op->step = STEP_START;
		return;
	}
	if (a->code) {
		refused(op, a);
		return;
	}
	body_guard_none(op->body.json);
	if (json_read(op->t->scratch, a->body, a->len, &live, NULL) == 0 && json_read(op->t->scratch, op->body.json, op->body.len, &want, NULL) == 0 &&
	    fields_subset(op->t->scratch, want, live, &where) &&
	    !fields_extra(op->t->scratch, want, value_get(live, "metadata"), KUBE_MANAGER, &where)) {
		op_done(op, value_get(live, "metadata"), false);
		return;
	}
	op->step = STEP_APPLY;
}

/* -- what cannot be changed ---------------------------------------------------------------------------------------------------------- */

static void
live_read(struct op *op, const struct kube_answer *a)
{
	struct value *live, *want;
	const char *path;

	if (a->code) {
		refused(op, a);
		return;
	}
	body_guard_none(op->body.json);
	if (json_read(op->t->scratch, a->body, a->len, &live, NULL) < 0 || json_read(op->t->scratch, op->body.json, op->body.len, &want, NULL) < 0) {
		op_refused(op, "ApplyFailed", "the server's answer is no JSON");
		return;
	}
	path = plan_immutable(op->o->kind->kind, want, live, fields_subset, op->t->scratch);
	if (path && is_volume(op->o)) {
		op_refused(op, "DataAtStake", arena_printf(op->t->scratch, "%s cannot be changed on a volume that exists, and berth deletes no data: put the old "
		                                           "value back, or copy the data to a claim of another name and delete this one by hand", path));
		return;
	}
	if (path)
		op->step = STEP_TRY;
	else
		op_refused(op, "ApplyFailed", op->o->error ? op->o->error : "refused");
}

static void
tried(struct op *op, const struct kube_answer *a)
{
	bool fine = a->code == 0 || (a->status == 409 && str_eq(a->reason, "AlreadyExists"));

	if (!fine) {
		refused(op, a);
	} else {
		op->step = STEP_REPLACE;
	}
}

static void
deleted(struct op *op, const struct kube_answer *a)
{
	if (a->code == ERR_NOTFOUND) {
		op->o->live = op->o->deleting = false;
		if (op->what == OP_APPLY)
			op->step = STEP_CREATE;
		else
			op_end(op);
		return;
	}
	if (a->code == ERR_CONFLICT) {
		op->step = STEP_LOOK;
		if (++op->looks > 20)
			op_refused(op, "Conflict", a->message);
		return;
	}
	if (a->code) {
		refused(op, a);
		return;
	}
	op->t->wrote = true;
	op->o->unit->deleted += op->what == OP_DELETE;
	op->o->deleting = true;
	op->step = STEP_GONE;
	op->due = clock_mono_ms() + GONE_MS;
	if (op->late && op->late_gone) {
		op->late = op->late_gone = false;
		judge_gone(op->t, op->o);
	}
}

static void
released(struct op *op, const struct kube_answer *a)
{
	if (a->code == ERR_CONFLICT && op->looks < 20) {
		op->step = STEP_LOOK;
		return;
	}
	if (a->code && a->code != ERR_NOTFOUND) {
		refused(op, a);
		return;
	}
	op->t->wrote = true;
	op->o->live = false;
	op_end(op);
}

static void
gone(struct op *op, const struct kube_answer *a)
{
	(void)a;
	op->step = STEP_LOOK;
}

void
step_answer(struct op *op, const struct kube_answer *a)
{
	static void (*const readers[])(struct op *op, const struct kube_answer *a) = {
		[STEP_START] = gone, [STEP_CREATE] = created, [STEP_LOOK] = looked, [STEP_TAKE] = taken, [STEP_VERIFY] = verified,
		[STEP_APPLY] = updated, [STEP_LIVE] = live_read, [STEP_TRY] = tried, [STEP_REPLACE] = deleted, [STEP_GONE] = gone,
		[STEP_DELETE] = deleted, [STEP_RELEASE] = released,
	};

	if (!no_use(op, a))
		readers[op->step](op, a);
}
