/* SPDX-License-Identifier: Apache-2.0 */
/* GitHub (https://docs.github.com/rest, version 2022-11-28), and what Gitea does alike. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/forge/forge_priv.h"

/* Gitea's ghost has id -1, and a name that others could be given on other forges. */
const char *
github_login(struct arena *mem, const struct value *user)
{
	return value_as_int(value_get(user, "id"), 1) <= 0 ? "" : forge_name(mem, value_get(user, "login"));
}

static bool
read_pull(struct arena *mem, const struct value *v, struct forge_pull *out)
{
	int64_t head = forge_id(value_at(v, "head.repo.id")), base = forge_id(value_at(v, "base.repo.id"));
	bool merged = value_is(value_get(v, "merged_at"), VALUE_STR);

	if (!forge_id(value_get(v, "number")))
		return false;
	*out = (struct forge_pull){
		.number = forge_id(value_get(v, "number")),
		.title = forge_clean(mem, value_as_str(value_get(v, "title"), ""), 255, false),
		.author = github_login(mem, value_get(v, "user")),
		.head_ref = forge_name(mem, value_at(v, "head.ref")),
		.base_ref = forge_name(mem, value_at(v, "base.ref")),
		.url = forge_url(mem, value_get(v, "html_url")),
		.merged_by = merged ? github_login(mem, value_get(v, "merged_by")) : "",
		.state = merged ? FORGE_MERGED : str_eq(value_as_str(value_get(v, "state"), ""), "open") ? FORGE_OPEN : FORGE_CLOSED,
		.fork = !head || head != base,
		.updated = forge_time(value_get(v, "updated_at")),
	};
	forge_sha(value_at(v, "head.sha"), out->head_sha);
	forge_sha(value_at(v, "base.sha"), out->base_sha);
	if (merged) /* of an open one it is a merge that GitHub tried */
		forge_sha(value_get(v, "merge_commit_sha"), out->merge_sha);
	return true;
}

bool
github_read_comment(struct arena *mem, const struct value *v, struct forge_comment *out)
{
	*out = (struct forge_comment){
		.id = forge_id(value_get(v, "id")),
		.author = github_login(mem, value_get(v, "user")),
		.body = value_as_str(value_get(v, "body"), ""),
		.edited = forge_edited(value_get(v, "created_at"), value_get(v, "updated_at")),
		.created = forge_time(value_get(v, "created_at")),
	};
	return out->id > 0;
}

bool
github_read_review(struct arena *mem, const struct value *v, struct forge_review *out)
{
	static const struct {
		const char *name;
		enum forge_review_state state;
		bool dismissed;
	} rows[] = {
		{ "APPROVED", FORGE_APPROVED, false },
		{ "CHANGES_REQUESTED", FORGE_CHANGES, false },
		{ "REQUEST_CHANGES", FORGE_CHANGES, false },
		{ "COMMENTED", FORGE_COMMENTED, false },
		{ "COMMENT", FORGE_COMMENTED, false },
		{ "DISMISSED", FORGE_COMMENTED, true },
	};
	const char *state = value_as_str(value_get(v, "state"), "");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, state) != 0)
			continue;
		*out = (struct forge_review){
			.id = forge_id(value_get(v, "id")),
			.user = github_login(mem, value_get(v, "user")),
			.state = rows[i].state,
			.stale = value_as_bool(value_get(v, "stale"), false),
			.dismissed = rows[i].dismissed || value_as_bool(value_get(v, "dismissed"), false),
			.submitted = forge_time(value_get(v, "submitted_at")),
		};
		forge_sha(value_get(v, "commit_id"), out->sha);
		return true;
	}
	return false; /* PENDING, REQUEST_REVIEW */
}

static bool
among(const char *name, const char *const *names)
{
	while (*names && !str_eq(name, *names))
		names++;
	return *names != NULL;
}

/* One without a time is as good as one just now: nothing is later. */
void
github_event(const struct value *v, const char *name, const char *const *retargets, const char *const *schedules, struct forge_course *to)
{
	int64_t at = forge_time(value_get(v, "created_at"));

	if (among(name, retargets)) {
		at = at ? at : INT64_MAX;
		to->retargeted = at > to->retargeted ? at : to->retargeted;
	}
	to->scheduled |= among(name, schedules);
}

static void
read_event(const struct value *v, struct forge_course *to)
{
	static const char *const retargets[] = { "base_ref_changed", "automatic_base_change_succeeded", NULL };
	static const char *const schedules[] = { "auto_merge_enabled", "auto_squash_enabled", "auto_rebase_enabled", "added_to_merge_queue", NULL };

	github_event(v, value_as_str(value_get(v, "event"), ""), retargets, schedules, to);
}

struct value *
github_new_pull(struct arena *mem, const struct forge_new_pull *p)
{
	struct value *v = value_map(mem);

	value_set(mem, v, "title", value_str(mem, p->title));
	value_set(mem, v, "head", value_str(mem, p->head));
	value_set(mem, v, "base", value_str(mem, p->base));
	value_set(mem, v, "body", value_str(mem, p->body));
	return v;
}

struct value *
github_new_status(struct arena *mem, const struct forge_status *s)
{
	static const char *const states[] = { "pending", "success", "failure", "error" };
	struct value *v = value_map(mem);

	value_set(mem, v, "state", value_str(mem, states[s->state]));
	value_set(mem, v, "context", value_str(mem, s->context));
	value_set(mem, v, "description", value_str(mem, s->description));
	if (s->url)
		value_set(mem, v, "target_url", value_str(mem, s->url));
	return v;
}

const char *
github_comment_path(struct arena *mem, int64_t number, int64_t id)
{
	(void)number;
	return arena_printf(mem, "/issues/comments/%lld", (long long)id);
}

/* -- reviews --------------------------------------------------------------------------------------------------------------- */

struct into {
	struct arena *mem;
	struct forge_reviews *out;
	size_t cap;
};

static bool
take_review(void *ctx, const struct value *v)
{
	struct into *to = ctx;
	struct forge_review r;

	if (!github_read_review(to->mem, v, &r))
		return true;
	if (to->out->n == to->cap) {
		to->out->items = arena_regrow(to->mem, to->out->items, to->cap, to->cap ? 2 * to->cap : 16, sizeof(r));
		to->cap = to->cap ? 2 * to->cap : 16;
	}
	to->out->items[to->out->n++] = r;
	return true;
}

int
github_reviews(struct forge *f, int64_t number, struct arena *mem, struct forge_reviews *out, struct err *e)
{
	struct forge_reviews got = { .n = 0 };
	struct into to = { mem, &got, 0 };
	struct forge_list l = { .path = arena_printf(mem, "/pulls/%lld/reviews", (long long)number),
		                .what = arena_printf(mem, "read the reviews of pull request %lld", (long long)number),
		                .right = RIGHT_READ, .max = FORGE_REVIEWS_MAX, .each = take_review, .ctx = &to };
	struct forge_end end = { .more = false };
	int rc = forge_each(f, &l, &end, e);

	if (rc)
		return rc;
	if (end.more)
		return forge_fail(f, l.what, ERR_INVALID, e, "there are more than %d", FORGE_REVIEWS_MAX);
	*out = got;
	return 0;
}

/* Gitea names the line otherwise. */
static struct value *
new_review(struct forge *f, struct arena *mem, const struct forge_new_review *r)
{
	bool github = forge_kind(f) == FORGE_GITHUB;
	struct buf AUTO_BUF body = BUF_INIT(0);
	struct value *v = value_map(mem), *list = value_list(mem);

	forge_outside(r, forge_body_max(f), &body);
	value_set(mem, v, "commit_id", value_str(mem, r->sha));
	value_set(mem, v, "event", value_str(mem, "COMMENT"));
	value_set(mem, v, "body", value_str(mem, buf_cstr(&body)));
	for (size_t i = 0; i < r->n; i++) {
		struct value *c = value_map(mem);

		if (r->findings[i].outside)
			continue;
		value_set(mem, c, "path", value_str(mem, r->findings[i].path));
		value_set(mem, c, "body", value_str(mem, forge_clean(mem, r->findings[i].text, 0, true)));
		value_set(mem, c, github ? "line" : "new_position", value_int(mem, r->findings[i].line));
		if (github)
			value_set(mem, c, "side", value_str(mem, "RIGHT"));
		value_push(mem, list, c);
	}
	value_set(mem, v, "comments", list);
	return v;
}

static int
post_once(struct forge *f, int64_t number, const struct forge_new_review *r, struct forge_answer *a, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
	struct value *json = NULL;
	struct forge_call c = {
		.method = "POST",
		.path = arena_printf(mem, "/pulls/%lld/reviews", (long long)number),
		.told = true,
		.right = RIGHT_REVIEW,
		.what = arena_printf(mem, "review pull request %lld", (long long)number),
		.body = new_review(f, mem, r),
	};

	return forge_ask(f, &c, mem, &json, a, e);
}

/* -- what Gitea leaves behind -- */

struct pending {
	const char *login;
	int64_t id;
};

static bool
find_pending(void *ctx, const struct value *v)
{
	struct pending *p = ctx;

	if (!str_eq(value_as_str(value_get(v, "state"), NULL), "PENDING") || !str_eq(value_as_str(value_at(v, "user.login"), NULL), p->login))
		return true;
	p->id = forge_id(value_get(v, "id"));
	return false;
}

/* It had taken the findings before the one it failed over, as a review that is not submitted; the next one would bring them along. */
static int
drop_pending(struct forge *f, int64_t number, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
	struct pending p = { .id = 0 };
	struct forge_list l = { .path = arena_printf(mem, "/pulls/%lld/reviews", (long long)number),
		                .what = arena_printf(mem, "read the reviews of pull request %lld", (long long)number),
		                .right = RIGHT_READ, .max = FORGE_REVIEWS_MAX, .each = find_pending, .ctx = &p };
	struct forge_call c = { .method = "DELETE", .right = RIGHT_REVIEW, .what = "take back a review that was not submitted" };
	struct forge_answer a;
	struct value *json = NULL;
	int rc;

	if ((rc = forge_whoami(f, &p.login, e)) || (rc = forge_each(f, &l, NULL, e)) || !p.id)
		return rc;
	c.path = arena_printf(mem, "/pulls/%lld/reviews/%lld", (long long)number, (long long)p.id);
	return forge_ask(f, &c, mem, &json, &a, e);
}

/*
 * It is all or nothing: one line outside of the diff, and GitHub refuses them all without a word about which (422). Gitea fails (500) over
 * a line or file that it does not know.
 */
int
github_review_post(struct forge *f, int64_t number, struct forge_new_review *r, struct err *e)
{
	struct forge_answer a;
	size_t at_lines = 0;
	int rc;

	for (size_t i = 0; i < r->n; i++) {
		r->findings[i].outside = r->findings[i].outside || at_lines == forge_ops(f)->inline_max;
		at_lines += !r->findings[i].outside;
	}
	rc = post_once(f, number, r, &a, e);
	if (rc && at_lines && (a.status == 422 || (a.status == 500 && forge_kind(f) == FORGE_GITEA))) {
		for (size_t i = 0; i < r->n; i++)
			r->findings[i].outside = true;
		if (forge_kind(f) == FORGE_GITEA && (rc = drop_pending(f, number, e)))
			return rc;
		rc = post_once(f, number, r, &a, e);
	}
	for (size_t i = 0; i < r->n && !rc; i++)
		r->findings[i].posted = !r->findings[i].outside;
	return rc;
}

/* -- pull request of a commit ------------------------------------------------------------------------------------------------ */

static int
pull_of(struct forge *f, const char *sha, const char *base, struct arena *mem, struct forge_pull *out, struct err *e)
{
	return forge_pull_best(f, arena_printf(mem, "/commits/%s/pulls", sha), sha, base, mem, out, e);
}

static const char *const headers[] = { "Accept: application/vnd.github+json", "X-GitHub-Api-Version: 2022-11-28", NULL };

const struct forge_ops forge_github = {
	.name = "github",
	.thing = "pull request",
	.headers = headers,
	.rights = {
		[RIGHT_USER] = "to belong to a user; that of a GitHub App does not: give its login, name[bot]",
		[RIGHT_READ] = "\"Pull requests: read\" on this repository",
		[RIGHT_STATUS] = "\"Commit statuses: write\" on this repository (classic token: repo:status)",
		[RIGHT_COMMENT] = "\"Pull requests: write\" on this repository (classic token: repo)",
		[RIGHT_REVIEW] = "\"Pull requests: write\" on this repository (classic token: repo)",
		[RIGHT_OPEN] = "\"Pull requests: write\" and \"Contents: read\" on this repository (classic token: repo)",
		[RIGHT_APPROVE] = "\"Pull requests: write\" on this repository (classic token: repo)",
	},
	.login_key = "login",
	.size_key = "per_page",
	.pulls = "/pulls?state=open&sort=created&direction=asc",
	.pull = "/pulls",
	.comments = "/issues",
	.comments_tail = "/comments",
	.comments_query = "",
	.course = "/events",
	.read_event = read_event,
	.body_max = 65536,
	.inline_max = 50,
	.pause_ms = 1000,
	.told_hour = 500,
	.read_pull = read_pull,
	.read_comment = github_read_comment,
	.pull_of = pull_of,
	.new_pull = github_new_pull,
	.new_status = github_new_status,
	.comment_path = github_comment_path,
	.edit = "PATCH",
	.reviews = github_reviews,
	.review_post = github_review_post,
};
