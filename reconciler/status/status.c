/* SPDX-License-Identifier: Apache-2.0 */
/* From an observation and the last status to the next. */
#include "status/status.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "status/text.h"

#define FINDINGS_MAX 20
#define LINES_MAX 20 /* errors, waiting */

static const char *const phases[PHASE_COUNT] = { "Held", "Rendered", "Queued", "Provisioning", "Ready", "Degraded", "Failed",
	"Pausing", "Paused", "Deleting" };

static const enum phase of_unit[] = {
	[UNIT_RENDERED] = PHASE_RENDERED, [UNIT_QUEUED] = PHASE_QUEUED, [UNIT_PROVISIONING] = PHASE_PROVISIONING,
	[UNIT_READY] = PHASE_READY, [UNIT_DEGRADED] = PHASE_DEGRADED, [UNIT_FAILED] = PHASE_FAILED,
	[UNIT_PAUSING] = PHASE_PAUSING, [UNIT_PAUSED] = PHASE_PAUSED, [UNIT_DELETING] = PHASE_DELETING,
};

static const char *const pendings[PENDING_COUNT] = { "", "Invalid", "ApprovalMissing", "QuotaExceeded", "GuardHeld",
	"RenderUpgrade" };

const char *
phase_name(enum phase p)
{
	return p < PHASE_COUNT ? phases[p] : "Unknown";
}

const char *
pending_name(enum pending p)
{
	return p < PENDING_COUNT ? pendings[p] : "";
}

const struct value *
status_condition(const struct value *status, const char *type)
{
	const struct value *list = value_get(status, "conditions");

	for (size_t i = 0; i < value_len(list); i++)
		if (str_eq(value_as_str(value_get(value_item(list, i), "type"), NULL), type))
			return value_item(list, i);
	return NULL;
}

enum phase
status_phase(const struct value *status)
{
	const char *text = value_as_str(value_get(status, "phase"), "");

	for (int i = 0; i < PHASE_COUNT; i++)
		if (strcmp(text, phases[i]) == 0)
			return (enum phase)i;
	return PHASE_COUNT;
}

void
observe_state(struct observation *o, const struct unit_state *s)
{
	o->state = *s;
	o->live = s->there;
	if (o->state.nerrors > LINES_MAX)
		o->state.nerrors = LINES_MAX;
	if (o->state.nwaiting > LINES_MAX)
		o->state.nwaiting = LINES_MAX;
}

/* Does the target see what runs? */
static bool
is_seen(const struct observation *o)
{
	return o->state.phase != UNIT_RENDERED;
}

/* Is there anything to say of it: on the target, or on its way there? */
static bool
is_up(const struct observation *o)
{
	return o->live || o->applied;
}

static enum phase
phase_of(const struct observation *o)
{
	if (!o->live && !(o->applied && is_seen(o)))
		return PHASE_HELD;
	return (size_t)o->state.phase < sizeof(of_unit) / sizeof(of_unit[0]) ? of_unit[o->state.phase] : PHASE_PROVISIONING;
}

/* At most TEXT_MAX bytes, cut at a character. */
static struct value *
short_text(struct arena *mem, const char *s)
{
	return value_strn(mem, s, text_cut(s));
}

/* Lines of the target, which may hold what strangers wrote. */
static struct value *
line_list(struct arena *mem, const char *const *items, size_t n)
{
	struct value *list = value_list(mem);

	for (size_t i = 0; i < n && i < LINES_MAX; i++)
		value_push(mem, list, value_str(mem, text_line(mem, items[i])));
	return value_len(list) ? list : NULL;
}

static struct value *
time_text(struct arena *mem, int64_t now)
{
	char text[RFC3339_LEN];

	clock_rfc3339(now, text);
	return value_str(mem, text);
}

static struct value *
commit_text(struct arena *mem, const struct oid *id)
{
	char hex[OID_HEX];

	oid_hex(id, hex);
	return value_str(mem, hex);
}

/* -- conditions -------------------------------------------------------------------------------------------------- */

struct condition {
	const char *type, *status, *reason, *message;
};

static void
add_condition(struct arena *mem, struct value *list, const struct value *old, const struct condition *c, int64_t now)
{
	const struct value *was = status_condition(old, c->type);
	struct value *v = value_map(mem), *since;

	value_set(mem, v, "type", value_str(mem, c->type));
	value_set(mem, v, "status", value_str(mem, c->status));
	value_set(mem, v, "reason", value_str(mem, c->reason));
	if (c->message && *c->message)
		value_set(mem, v, "message", short_text(mem, c->message));
	since = value_get(was, "lastTransitionTime");
	if (!since || !str_eq(value_as_str(value_get(was, "status"), NULL), c->status) ||
	    !str_eq(value_as_str(value_get(was, "reason"), NULL), c->reason))
		since = time_text(mem, now);
	value_set(mem, v, "lastTransitionTime", since);
	value_push(mem, list, v);
}

static const char *
later_message(struct arena *mem, const struct observation *o)
{
	struct buf text AUTO_BUF = BUF_INIT(65536);

	if (!o->nlater)
		return "";
	buf_str(&text, "not rendered by this version: ");
	for (size_t i = 0; i < o->nlater; i++)
		buf_printf(&text, "%s%s", i ? ", " : "", o->later[i]);
	return arena_strdup(mem, buf_cstr(&text));
}

static struct condition
applied_condition(struct arena *mem, const struct observation *o)
{
	const struct unit_state *s = &o->state;
	const char *message = !s->applied && s->nerrors ? s->errors[0] : s->applied_message;

	if (!is_up(o))
		return (struct condition){ "Applied", "False", "Held", "" };
	return (struct condition){ "Applied", s->applied ? "True" : "False",
		s->applied_reason ? text_line(mem, s->applied_reason) : s->applied ? "Applied" : "Applying", text_line(mem, message) };
}

static struct condition
ready_condition(struct arena *mem, const struct value *old, const struct observation *o)
{
	const struct unit_state *s = &o->state;
	const struct value *was = status_condition(old, "Ready");

	if (!is_up(o))
		return (struct condition){ "Ready", "Unknown", "Held", "nothing is live" };
	if (!is_seen(o) && o->applied && o->paused)
		return (struct condition){ "Ready", "False", "Paused", "paused by its spec: no pods are wanted, volumes stay" };
	if (!is_seen(o) && !o->applied && was) /* nobody looked: what was said of what is live still holds */
		return (struct condition){ "Ready", value_as_str(value_get(was, "status"), "Unknown"),
			value_as_str(value_get(was, "reason"), "NotObserved"), value_as_str(value_get(was, "message"), "") };
	return (struct condition){ "Ready", s->ready ? text_line(mem, s->ready) : "Unknown",
		s->ready_reason ? text_line(mem, s->ready_reason) : "NotObserved", text_line(mem, s->ready_message) };
}

static struct value *
conditions(struct arena *mem, const struct value *old, const struct observation *o, int64_t now)
{
	bool invalid = o->pending == PENDING_INVALID, waits = o->pending == PENDING_APPROVAL, up = is_up(o);
	struct condition rows[] = {
		{ "Approved", waits ? "False" : "True", waits ? "ApprovalMissing" : o->approval,
		  waits ? o->message : o->approval && str_eq(o->approval, "NotEnforced") ? "approvals not enforced" : "" },
		{ "Validated", invalid ? "False" : "True", invalid ? "Invalid" : "Valid", invalid ? o->message : "" },
		{ "Rendered", up ? "True" : "False", up ? (o->nlater ? "RenderedInPart" : "Rendered") : "Held", later_message(mem, o) },
		applied_condition(mem, o),
		ready_condition(mem, old, o),
	};
	const struct value *was = status_condition(old, "Rendered");
	struct value *list = value_list(mem);

	if (o->live && !o->applied && was && str_eq(value_as_str(value_get(was, "status"), NULL), "True")) {
		/* what is live was rendered earlier: what was said of it then still holds */
		rows[2].reason = value_as_str(value_get(was, "reason"), "Rendered");
		rows[2].message = value_as_str(value_get(was, "message"), "");
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		add_condition(mem, list, old, &rows[i], now);
	return list;
}

/* -- the document ------------------------------------------------------------------------------------------------ */

static struct value *
observed(struct arena *mem, const struct value *old, const struct observation *o)
{
	const struct value *was = value_get(old, "observed");
	struct value *v = value_map(mem);

	if (!o->live)
		return NULL;
	/* the same content is live, or the new one is not there as a whole: the commit that brought what was stays the answer */
	if (!o->state.applied || (was && str_eq(value_as_str(value_get(was, "revision"), NULL), o->revision)))
		return value_get(old, "observed");
	value_set(mem, v, "commit", commit_text(mem, &o->commit));
	value_set(mem, v, "path", value_str(mem, o->path));
	if (o->revision)
		value_set(mem, v, "revision", value_str(mem, o->revision));
	return v;
}

/* Are these keys the same in both? */
static bool
same_keys(const struct value *x, const struct value *y, const char *const *keys)
{
	for (; *keys; keys++) {
		const struct value *a = value_get(x, *keys), *b = value_get(y, *keys);

		if (!a != !b || (a && !value_equal(a, b)))
			return false;
	}
	return true;
}

static struct value *
pending(struct arena *mem, const struct value *old, const struct observation *o, int64_t now)
{
	static const char *const keys[] = { "reason", "message", "findings", NULL };
	struct value *was = value_get(old, "pending"), *v = value_map(mem), *list = value_list(mem);

	if (o->pending == PENDING_NONE)
		return NULL;
	value_set(mem, v, "commit", commit_text(mem, oid_zero(&o->waits) ? &o->commit : &o->waits));
	value_set(mem, v, "reason", value_str(mem, pending_name(o->pending)));
	if (o->message)
		value_set(mem, v, "message", short_text(mem, o->message));
	for (size_t i = 0; i < o->nfindings && i < FINDINGS_MAX; i++)
		value_push(mem, list, value_str(mem, o->findings[i]));
	if (value_len(list))
		value_set(mem, v, "findings", list);
	/* the sum in the message moves with what others hold; it has been waiting all along */
	if (o->pending == PENDING_QUOTA && str_eq(value_as_str(value_get(was, "reason"), NULL), pending_name(PENDING_QUOTA)) &&
	    value_get(was, "since"))
		value_set(mem, v, "since", value_get(was, "since"));
	else
		value_set(mem, v, "since", time_text(mem, now));
	return was && same_keys(was, v, keys) ? was : v;
}

static void
set_if(struct arena *mem, struct value *map, const char *key, struct value *v)
{
	if (v)
		value_set(mem, map, key, v);
}

static void
set_str(struct arena *mem, struct value *map, const char *key, const char *text)
{
	if (text)
		value_set(mem, map, key, value_str(mem, text));
}

static struct value *
access_of(struct arena *mem, const struct value *old, const struct observation *o)
{
	/* how to get into what is live, when a newer spec is held */
	bool keep = o->live && !o->applied;
	struct value *v = value_map(mem);

	set_str(mem, v, "ssh", keep ? value_as_str(value_at(old, "access.ssh"), NULL) : o->access_ssh);
	set_str(mem, v, "web", keep ? value_as_str(value_at(old, "access.web"), NULL) : o->access_web);
	if (o->live && o->state.address)
		set_str(mem, v, "address", text_line(mem, o->state.address));
	return value_len(v) ? v : NULL;
}

/* The last foreign hand that was repaired. */
static struct value *
drift(struct arena *mem, const struct value *old, const struct observation *o, int64_t now)
{
	static const char *const keys[] = { "by", "what", NULL };
	struct value *was = value_get(old, "drift"), *v = value_map(mem);

	if (!o->state.drift_by)
		return was;
	value_set(mem, v, "by", value_str(mem, text_line(mem, o->state.drift_by)));
	value_set(mem, v, "what", value_str(mem, text_line(mem, o->state.drift_what)));
	value_set(mem, v, "restored", time_text(mem, now));
	return was && same_keys(was, v, keys) ? was : v;
}

/* Why the newest spec is not what runs: findings in it, or what the target refused. */
static struct value *
last_error(struct arena *mem, const struct value *old, const struct value *pending, const struct observation *o, int64_t now)
{
	static const char *const keys[] = { "reason", "message", "errors", NULL };
	const struct unit_state *s = &o->state;
	struct value *errors = line_list(mem, s->errors, s->nerrors), *was = value_get(old, "lastError"), *v = value_map(mem);

	if (o->pending == PENDING_INVALID) {
		set_str(mem, v, "reason", "Invalid");
		set_if(mem, v, "message", value_get(pending, "message"));
		set_if(mem, v, "at", value_get(pending, "since"));
		set_if(mem, v, "errors", errors);
		return v;
	}
	if (!errors)
		return NULL;
	set_str(mem, v, "reason", s->applied || !s->applied_reason ? "ApplyFailed" : text_line(mem, s->applied_reason));
	value_set(mem, v, "message", value_item(errors, 0));
	value_set(mem, v, "commit", commit_text(mem, &o->commit));
	value_set(mem, v, "at", time_text(mem, now));
	value_set(mem, v, "errors", errors);
	return was && same_keys(was, v, keys) ? was : v;
}

struct value *
status_next(struct arena *mem, const struct value *old, const struct observation *o, int64_t now)
{
	struct value *v = value_map(mem), *meta = value_map(mem);

	value_set(mem, v, "apiVersion", value_str(mem, "berth.dev/v1"));
	value_set(mem, v, "kind", value_str(mem, "EnvironmentStatus"));
	value_set(mem, meta, "owner", value_str(mem, o->owner));
	value_set(mem, meta, "name", value_str(mem, o->name));
	value_set(mem, v, "metadata", meta);
	value_set(mem, v, "phase", value_str(mem, phase_name(phase_of(o))));
	set_if(mem, v, "observed", observed(mem, old, o));
	if (is_up(o))
		set_if(mem, v, "use", o->use ? use_value(mem, o->use) : value_get(old, "use"));
	set_if(mem, v, "pending", pending(mem, old, o, now));
	value_set(mem, v, "conditions", conditions(mem, old, o, now));
	set_if(mem, v, "waiting", line_list(mem, o->state.waiting, o->state.nwaiting));
	set_if(mem, v, "access", access_of(mem, old, o));
	if (o->live)
		value_set(mem, v, "inventory", value_strs(mem, o->objects, o->nobjects));
	set_if(mem, v, "lastError", last_error(mem, old, value_get(v, "pending"), o, now));
	set_if(mem, v, "drift", drift(mem, old, o, now));
	return v;
}
