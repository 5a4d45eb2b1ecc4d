/* SPDX-License-Identifier: Apache-2.0 */
/* Events of three forges by one table. */
#include "daemon/hook_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/git/git.h"
#include "repo/source.h"

#define VALUES_MAX 200000u
/* a value and its place in a list or map, twice over while a list grows: far below what VALUES_MAX values need at most */
#define MEM_MAX ((size_t)512 << 20)

/* One of the event's fields, and what is read of it. */
struct reading {
	const struct value *body;
	struct hook_event *out;
};

static void
say(struct reading *r, const char *what, const char *where)
{
	(void)snprintf(r->out->about, sizeof(r->out->about), "%s%s", what, where);
	for (char *p = r->out->about; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
}

static const char *
text_at(const struct reading *r, const char *path)
{
	return value_as_str(value_at(r->body, path), "");
}

static bool
own_ref(const char *ref)
{
	return str_eq(ref, "refs/heads/" BRANCH_RENDERED) || str_eq(ref, "refs/heads/" BRANCH_STATUS);
}

/* An approval's ref comes from a person; the one who takes it away is berth. */
static void
on_push(struct reading *r)
{
	const char *ref = text_at(r, "ref"), *after = text_at(r, "after");
	bool gone = *after && strspn(after, "0") == strlen(after);

	say(r, "push to ", *ref ? ref : "nowhere");
	r->out->hint = str_starts(ref, GIT_APPROVALS) ? !gone : str_starts(ref, "refs/heads/") && !own_ref(ref);
}

static void
on_number(struct reading *r, const char *what, const char *const *paths)
{
	int64_t n = 0;
	char number[24];

	for (; *paths && n <= 0; paths++)
		n = value_as_int(value_at(r->body, *paths), 0);
	(void)snprintf(number, sizeof(number), "%" PRId64, n);
	say(r, what, number);
}

/* What changes nothing that berth looks at. */
static bool
idle_action(const char *action)
{
	static const char *const list[] = { "assigned", "unassigned", "labeled", "unlabeled", "label_updated", "label_cleared", "milestoned",
		"demilestoned", "locked", "unlocked", "review_requested", "review_request_removed", "auto_merge_enabled",
		"auto_merge_disabled", "enqueued", "dequeued" };

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (strcmp(action, list[i]) == 0)
			return true;
	return false;
}

static void
on_pull(struct reading *r)
{
	static const char *const paths[] = { "pull_request.number", "number", "object_attributes.iid", NULL };

	on_number(r, "pull request ", paths);
	r->out->hint = !idle_action(text_at(r, "action"));
}

static void
on_review(struct reading *r)
{
	static const char *const paths[] = { "pull_request.number", "number", NULL };

	on_number(r, "review of ", paths);
	r->out->hint = true;
}

/* New ones alone: what was edited later counts for nothing. */
static void
on_comment(struct reading *r)
{
	static const char *const paths[] = { "issue.number", "merge_request.iid", NULL };
	const char *action = text_at(r, "action");

	on_number(r, "comment on ", paths);
	if (value_get(r->body, "issue") && !value_get(r->body, "merge_request"))
		r->out->hint = strcmp(action, "created") == 0 && (value_is(value_at(r->body, "issue.pull_request"), VALUE_MAP) ||
		                                                  value_as_bool(value_get(r->body, "is_pull"), false));
	else
		r->out->hint = strcmp(text_at(r, "object_attributes.noteable_type"), "MergeRequest") == 0 &&
		               strcmp(value_as_str(value_at(r->body, "object_attributes.action"), "create"), "create") == 0;
}

static const struct {
	bool gitlab; /* names of object_kind there, of a header elsewhere */
	const char *name;
	void (*fn)(struct reading *r);
} kinds[] = {
	{ false, "push", on_push },
	{ false, "pull_request", on_pull },
	{ false, "pull_request_review", on_review },
	{ false, "pull_request_sync", on_pull }, /* Gitea's; of reviews it has three, by two names in the course of time */
	{ false, "pull_request_approved", on_review },
	{ false, "pull_request_rejected", on_review },
	{ false, "pull_request_comment", on_review },
	{ false, "pull_request_review_approved", on_review },
	{ false, "pull_request_review_rejected", on_review },
	{ false, "pull_request_review_comment", on_review },
	{ false, "issue_comment", on_comment },
	{ true, "push", on_push },
	{ true, "merge_request", on_pull },
	{ true, "note", on_comment },
};

/* The name in front of what it is made of: a comma or bracket in a text counts too, which only makes the limit tighter. */
static bool
too_many(const struct webhook *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->len; i++)
		n += w->body[i] == ',' || w->body[i] == '[' || w->body[i] == '{';
	return n > VALUES_MAX;
}

static const char *
kind_of(const struct webhook *w, const struct value *body)
{
	static const enum webhook_header list[] = { WEBHOOK_GITEA_EVENT, WEBHOOK_FORGEJO_EVENT, WEBHOOK_GITHUB_EVENT };

	if (w->forge == WEBHOOK_GITLAB)
		return value_as_str(value_get(body, "object_kind"), "");
	for (size_t i = w->forge == WEBHOOK_GITHUB ? 2 : 0; i < 3; i++)
		if (w->headers[list[i]])
			return w->headers[list[i]];
	return "";
}

int
hook_event_read(const struct webhook *w, struct hook_event *out, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(MEM_MAX);
	struct reading r = { .out = out };
	struct value *body;
	const char *kind;
	int rc;

	*out = (struct hook_event){ 0 };
	if (w->len > HOOK_BODY_MAX || too_many(w))
		return err_set(e, ERR_INVALID, "the body holds more than an event can");
	if ((rc = json_read(mem, w->body, w->len, &body, e)) < 0)
		return rc;
	if (!value_is(body, VALUE_MAP))
		return err_set(e, ERR_INVALID, "the body is no JSON object");
	r.body = body;
	kind = kind_of(w, body);
	say(&r, *kind ? kind : "an event without a name", "");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].gitlab == (w->forge == WEBHOOK_GITLAB) && strcmp(kinds[i].name, kind) == 0)
			kinds[i].fn(&r);
	return 0;
}
