/* SPDX-License-Identifier: Apache-2.0 */
/* From an observation and the last status to the next. */
#include "status/status.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

#define FINDINGS_MAX 20
#define MESSAGE_MAX 256
#define TABLE_MAX 1000

static const char *const phases[PHASE_COUNT] = { "Held", "Rendered", "Queued", "Provisioning", "Ready", "Degraded", "Failed",
	"Pausing", "Paused", "Deleting" };

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

enum phase
status_phase(const struct value *status)
{
	const char *text = value_as_str(value_get(status, "phase"), "");

	for (int i = 0; i < PHASE_COUNT; i++)
		if (strcmp(text, phases[i]) == 0)
			return (enum phase)i;
	return PHASE_COUNT;
}

static struct value *
text_list(struct arena *mem, const char *const *items, size_t n)
{
	struct value *list = value_list(mem);

	for (size_t i = 0; i < n; i++)
		value_push(mem, list, value_str(mem, items[i]));
	return list;
}

/* At most MESSAGE_MAX bytes, cut at a character. */
static struct value *
short_text(struct arena *mem, const char *s)
{
	size_t n = strlen(s);

	if (n > MESSAGE_MAX) {
		n = MESSAGE_MAX;
		while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
			n--;
	}
	return value_strn(mem, s, n);
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

static const struct value *
old_condition(const struct value *old, const char *type)
{
	const struct value *list = value_get(old, "conditions");

	for (size_t i = 0; i < value_len(list); i++)
		if (str_eq(value_as_str(value_get(value_item(list, i), "type"), NULL), type))
			return value_item(list, i);
	return NULL;
}

static void
add_condition(struct arena *mem, struct value *list, const struct value *old, const struct condition *c, int64_t now)
{
	const struct value *was = old_condition(old, c->type);
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

static struct value *
conditions(struct arena *mem, const struct value *old, const struct observation *o, int64_t now)
{
	bool invalid = o->pending == PENDING_INVALID;
	struct condition rows[] = {
		{ "Approved", "True", o->approval, o->approval && str_eq(o->approval, "NotEnforced") ? "approvals not enforced" : "" },
		{ "Validated", invalid ? "False" : "True", invalid ? "Invalid" : "Valid", invalid ? o->message : "" },
		{ "Rendered", o->live ? "True" : "False", o->live ? (o->nlater ? "RenderedInPart" : "Rendered") : "Held",
		  later_message(mem, o) },
		{ "Applied", o->live ? "True" : "False", o->live ? "Committed" : "Held",
		  o->live ? "on branch berth/rendered" : "" },
		{ "Ready", "Unknown", o->live ? "NotObserved" : "Held",
		  o->live ? "target git: berth does not see what runs" : "nothing is live" },
	};
	const struct value *was = old_condition(old, "Rendered");
	struct value *list = value_list(mem);

	if (o->live && !o->applied && was && str_eq(value_as_str(value_get(was, "status"), NULL), "True")) {
		/* what is live was rendered earlier: what was said of it then still holds */
		rows[2].reason = value_as_str(value_get(was, "reason"), "Rendered");
		rows[2].message = value_as_str(value_get(was, "message"), "");
	}
	if (o->applied && o->paused)
		rows[4] = (struct condition){ "Ready", "False", "Paused", "paused by its spec: no pods are wanted, volumes stay" };
	was = old_condition(old, "Ready");
	if (o->live && !o->applied && was) {
		rows[4].status = value_as_str(value_get(was, "status"), "Unknown");
		rows[4].reason = value_as_str(value_get(was, "reason"), "NotObserved");
		rows[4].message = value_as_str(value_get(was, "message"), "");
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
	/* the same content is live: the commit that brought it stays the answer */
	if (was && str_eq(value_as_str(value_get(was, "revision"), NULL), o->revision))
		return value_get(old, "observed");
	value_set(mem, v, "commit", commit_text(mem, &o->commit));
	value_set(mem, v, "path", value_str(mem, o->path));
	if (o->revision)
		value_set(mem, v, "revision", value_str(mem, o->revision));
	return v;
}

static struct value *
pending(struct arena *mem, const struct value *old, const struct observation *o, int64_t now)
{
	struct value *was = value_get(old, "pending"), *v = value_map(mem), *list = value_list(mem);

	if (o->pending == PENDING_NONE)
		return NULL;
	value_set(mem, v, "commit", commit_text(mem, &o->commit));
	value_set(mem, v, "reason", value_str(mem, pending_name(o->pending)));
	if (o->message)
		value_set(mem, v, "message", short_text(mem, o->message));
	for (size_t i = 0; i < o->nfindings && i < FINDINGS_MAX; i++)
		value_push(mem, list, value_str(mem, o->findings[i]));
	if (value_len(list))
		value_set(mem, v, "findings", list);
	value_set(mem, v, "since", time_text(mem, now));
	if (was && value_equal(value_get(was, "reason"), value_get(v, "reason")) &&
	    str_eq(value_as_str(value_get(was, "message"), NULL), value_as_str(value_get(v, "message"), NULL)) &&
	    ((!value_get(was, "findings") && !value_get(v, "findings")) ||
	     (value_get(was, "findings") && value_get(v, "findings") &&
	      value_equal(value_get(was, "findings"), value_get(v, "findings")))))
		return was;
	return v;
}

static struct value *
access_of(struct arena *mem, const struct observation *o)
{
	struct value *v = value_map(mem);

	if (o->access_ssh)
		value_set(mem, v, "ssh", value_str(mem, o->access_ssh));
	if (o->access_web)
		value_set(mem, v, "web", value_str(mem, o->access_web));
	return value_len(v) ? v : NULL;
}

static void
set_if(struct arena *mem, struct value *map, const char *key, struct value *v)
{
	if (v)
		value_set(mem, map, key, v);
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
	value_set(mem, v, "phase", value_str(mem, phase_name(o->live ? o->phase : PHASE_HELD)));
	set_if(mem, v, "observed", observed(mem, old, o));
	set_if(mem, v, "pending", pending(mem, old, o, now));
	value_set(mem, v, "conditions", conditions(mem, old, o, now));
	set_if(mem, v, "access", o->applied || !o->live ? access_of(mem, o) : value_get(old, "access"));
	if (o->live)
		value_set(mem, v, "inventory", text_list(mem, o->objects, o->nobjects));
	if (o->pending == PENDING_INVALID) {
		struct value *err = value_map(mem), *p = value_get(v, "pending");

		value_set(mem, err, "reason", value_str(mem, "Invalid"));
		set_if(mem, err, "message", value_get(p, "message"));
		set_if(mem, err, "at", value_get(p, "since"));
		value_set(mem, v, "lastError", err);
	}
	return v;
}

/* -- README.md --------------------------------------------------------------------------------------------------- */

/* Pipes and line ends would break the table; angle brackets would be HTML, square ones somebody's link. */
static void
cell(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (strchr("|<`\\@[]", *s))
			buf_char(out, '\\');
		buf_char(out, (unsigned char)*s < 0x20 ? ' ' : *s);
	}
}

void
status_row_of(const struct value *status, struct status_row *out)
{
	*out = (struct status_row){
		.owner = value_as_str(value_at(status, "metadata.owner"), "?"),
		.name = value_as_str(value_at(status, "metadata.name"), "?"),
		.phase = status_phase(status),
		.commit = value_as_str(value_at(status, "observed.commit"), ""),
		.reason = value_as_str(value_at(status, "pending.reason"), ""),
		.message = value_as_str(value_at(status, "pending.message"), ""),
	};
}

static void
table_row(const struct status_row *r, struct buf *out)
{
	buf_printf(out, "| [%s/%s](envs/%s/%s.yaml) | %s | %.7s | ", r->owner, r->name, r->owner, r->name,
	           phase_name(r->phase), r->commit);
	if (*r->reason) {
		buf_printf(out, "%s: ", r->reason);
		cell(out, r->message);
	}
	buf_str(out, " |\n");
}

static void
table_head(const struct status_row *rows, size_t n, struct buf *out)
{
	size_t count[PHASE_COUNT + 1] = { 0 }, waiting = 0;

	for (size_t i = 0; i < n; i++) {
		count[rows[i].phase]++;
		waiting += *rows[i].reason != '\0';
	}
	buf_printf(out, "# Environments\n\n%zu environment%s", n, n == 1 ? "" : "s");
	for (int p = 0; p < PHASE_COUNT; p++)
		if (count[p])
			buf_printf(out, ", %zu %s", count[p], phases[p]);
	buf_printf(out, "; %zu with a newer spec that is not applied.\n", waiting);
}

void
status_table(const struct status_row *rows, size_t n, const struct value *repo, struct buf *out)
{
	const char *reason = value_as_str(value_get(repo, "reason"), "");
	size_t shown = 0;

	table_head(rows, n, out);
	if (*reason && strcmp(reason, "Adopted") != 0) {
		buf_printf(out, "\n**%s**: ", reason);
		cell(out, value_as_str(value_get(repo, "message"), ""));
		buf_str(out, " ([repo.yaml](repo.yaml))\n");
	}
	buf_str(out, "\n| environment | phase | commit | waiting |\n|---|---|---|---|\n");
	for (int calm = 0; calm < 2; calm++)
		for (size_t i = 0; i < n; i++)
			if ((*rows[i].reason == '\0') == calm && shown++ < TABLE_MAX)
				table_row(&rows[i], out);
	if (n > TABLE_MAX)
		buf_printf(out, "\n%zu more: see the folder envs/.\n", n - TABLE_MAX);
	buf_str(out, "\nWritten by berth; what is changed here by hand is overwritten.\n");
}
