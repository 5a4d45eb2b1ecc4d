/* SPDX-License-Identifier: Apache-2.0 */
/* GitLab (https://docs.gitlab.com/api, v4): merge requests, notes, discussions, approvals without a commit. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/forge/forge_priv.h"

#define STATUSES_MAX 1000 /* of one commit that are looked at */

static void
merged_as(const struct value *v, char out[FORGE_SHA])
{
	/* a fast-forward has no commit of its own: main's tip is what was squashed, or the branch's head */
	static const char *const keys[] = { "merge_commit_sha", "squash_commit_sha", "sha" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !*out; i++)
		forge_sha(value_get(v, keys[i]), out);
}

static bool
read_pull(struct arena *mem, const struct value *v, struct forge_pull *out)
{
	int64_t from = forge_id(value_get(v, "source_project_id")), to = forge_id(value_get(v, "target_project_id"));
	const char *state = value_as_str(value_get(v, "state"), "");
	const struct value *by = value_at(v, "merge_user.username"); /* before 14.7: merged_by */

	if (!forge_id(value_get(v, "iid")))
		return false;
	*out = (struct forge_pull){
		.number = forge_id(value_get(v, "iid")),
		.title = forge_clean(mem, value_as_str(value_get(v, "title"), ""), 255, false),
		.author = forge_name(mem, value_at(v, "author.username")),
		.head_ref = forge_name(mem, value_get(v, "source_branch")),
		.base_ref = forge_name(mem, value_get(v, "target_branch")),
		.url = forge_url(mem, value_get(v, "web_url")),
		.merged_by = "",
		/* "locked" is one that is being merged */
		.state = str_eq(state, "merged") ? FORGE_MERGED
		       : str_eq(state, "opened") || str_eq(state, "locked") ? FORGE_OPEN : FORGE_CLOSED,
		.fork = !from || from != to,
		.updated = forge_time(value_get(v, "updated_at")),
	};
	forge_sha(value_get(v, "sha"), out->head_sha);
	forge_sha(value_at(v, "diff_refs.base_sha"), out->base_sha);
	if (out->state == FORGE_MERGED) {
		merged_as(v, out->merge_sha);
		out->merged_by = forge_name(mem, by ? by : value_at(v, "merged_by.username"));
	}
	return true;
}

static bool
read_comment(struct arena *mem, const struct value *v, struct forge_comment *out)
{
	if (value_as_bool(value_get(v, "system"), false))
		return false;
	*out = (struct forge_comment){
		.id = forge_id(value_get(v, "id")),
		.author = forge_name(mem, value_at(v, "author.username")),
		.body = value_as_str(value_get(v, "body"), ""),
		.edited = forge_edited(value_get(v, "created_at"), value_get(v, "updated_at")),
		.created = forge_time(value_get(v, "created_at")),
	};
	return out->id > 0;
}

static struct value *
new_pull(struct arena *mem, const struct forge_new_pull *p)
{
	struct value *v = value_map(mem);

	value_set(mem, v, "title", value_str(mem, p->title));
	value_set(mem, v, "source_branch", value_str(mem, p->head));
	value_set(mem, v, "target_branch", value_str(mem, p->base));
	value_set(mem, v, "description", value_str(mem, p->body));
	return v;
}

/* -- statuses ---------------------------------------------------------------------------------------------------------------- */

static const char *const states[] = { "pending", "success", "failed", "failed" };

static struct value *
new_status(struct arena *mem, const struct forge_status *s)
{
	struct value *v = value_map(mem);

	value_set(mem, v, "state", value_str(mem, states[s->state]));
	value_set(mem, v, "name", value_str(mem, s->context));
	value_set(mem, v, "description", value_str(mem, s->description));
	if (s->url)
		value_set(mem, v, "target_url", value_str(mem, s->url));
	if (s->ref)
		value_set(mem, v, "ref", value_str(mem, s->ref));
	return v;
}

/* "Cannot transition status via :enqueue from :pending": it is in that state already, and keeps the text that it has. */
static bool
is_in_state(const struct forge_status *s, const struct forge_answer *a)
{
	const char *from = strstr(a->message, "Cannot transition status via ") ? strstr(a->message, " from :") : NULL;

	return a->status == 400 && from && str_starts(from + strlen(" from :"), states[s->state]);
}

static int
post_status(struct forge *f, const char *sha, const char *state, const struct forge_status *s, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
	struct value *body = new_status(mem, s), *v = NULL;
	struct forge_call c = { .method = "POST", .right = RIGHT_STATUS, .path = arena_printf(mem, "/statuses/%s", sha),
		                .what = arena_printf(mem, "set the status %s of %.12s", s->context, sha), .body = body };
	struct forge_answer a;

	value_set(mem, body, "state", value_str(mem, state));
	return forge_ask(f, &c, mem, &v, &a, e);
}

struct same {
	const struct forge_status *s;
	bool is; /* one of that name and state has that text */
};

static bool
find_same(void *ctx, const struct value *v)
{
	struct same *to = ctx;

	to->is = str_eq(value_as_str(value_get(v, "name"), NULL), to->s->context) &&
	         str_eq(value_as_str(value_get(v, "status"), NULL), states[to->s->state]) &&
	         str_eq(value_as_str(value_get(v, "description"), ""), to->s->description);
	return !to->is;
}

/* A job that waits is not changed by being told to wait once more: with another text it is ended, and begins anew. */
static int
status_again(struct forge *f, const char *sha, const struct forge_status *s, const struct forge_answer *a, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(65536);
	struct same same = { .s = s };
	struct forge_list l = { .path = arena_printf(mem, "/repository/commits/%s/statuses", sha),
		                .what = arena_printf(mem, "read the statuses of %.12s", sha), .right = RIGHT_READ, .max = STATUSES_MAX, .each = find_same, .ctx = &same };
	int rc;

	if (!is_in_state(s, a))
		return 1;
	if (s->state != FORGE_PENDING)
		return 0;
	if ((rc = forge_each(f, &l, NULL, e)) || same.is)
		return rc;
	rc = post_status(f, sha, "canceled", s, e);
	return rc ? rc : post_status(f, sha, states[s->state], s, e);
}

static const char *
comment_path(struct arena *mem, int64_t number, int64_t id)
{
	return arena_printf(mem, "/merge_requests/%lld/notes/%lld", (long long)number, (long long)id);
}

/* -- versions and approvals --------------------------------------------------------------------------------------------------- */

struct version {
	int64_t id, at;
	char head[FORGE_SHA], base[FORGE_SHA], start[FORGE_SHA];
};

static bool
take_version(void *ctx, const struct value *v)
{
	struct version *newest = ctx;

	if (forge_id(value_get(v, "id")) <= newest->id)
		return true;
	newest->id = forge_id(value_get(v, "id"));
	newest->at = forge_time(value_get(v, "created_at"));
	forge_sha(value_get(v, "head_commit_sha"), newest->head);
	forge_sha(value_get(v, "base_commit_sha"), newest->base);
	forge_sha(value_get(v, "start_commit_sha"), newest->start);
	return true;
}

static int
newest_version(struct forge *f, int64_t number, struct version *out, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(65536);
	struct version v = { .id = 0 };
	struct forge_list l = { .path = arena_printf(mem, "/merge_requests/%lld/versions", (long long)number),
		                .what = arena_printf(mem, "read the versions of merge request %lld", (long long)number),
		                .right = RIGHT_READ, .max = FORGE_REVIEWS_MAX, .each = take_version, .ctx = &v };
	int rc = forge_each(f, &l, NULL, e);

	if (rc)
		return rc;
	if (!v.id || !*v.head)
		return forge_strange(f, l.what, e);
	*out = v;
	return 0;
}

bool
gitlab_read_approval(struct arena *mem, const struct value *v, struct forge_review *out)
{
	if (!value_is(v, VALUE_MAP))
		return false;
	*out = (struct forge_review){
		.user = forge_name(mem, value_at(v, "user.username")),
		.state = FORGE_APPROVED,
		.submitted = forge_time(value_get(v, "approved_at")),
	};
	return true;
}

static int
approvals(struct forge *f, int64_t number, struct arena *mem, struct forge_reviews *out, struct err *e)
{
	AUTO_ARENA struct arena *tmp = arena_new(FORGE_MEM);
	struct forge_call c = { .path = arena_printf(tmp, "/merge_requests/%lld/approvals", (long long)number), .right = RIGHT_READ,
		                .what = arena_printf(tmp, "read the approvals of merge request %lld", (long long)number) };
	struct forge_answer a;
	struct value *v = NULL;
	const struct value *list;
	int rc = forge_ask(f, &c, tmp, &v, &a, e);

	if (rc)
		return rc;
	list = value_get(v, "approved_by");
	if (!value_is(list, VALUE_LIST))
		return forge_strange(f, c.what, e);
	if (value_len(list) > FORGE_REVIEWS_MAX)
		return forge_fail(f, c.what, ERR_INVALID, e, "there are more than %d", FORGE_REVIEWS_MAX);
	out->items = arena_array(mem, value_len(list) + 1, sizeof(*out->items));
	for (size_t i = 0; i < value_len(list); i++)
		out->n += gitlab_read_approval(mem, value_item(list, i), &out->items[out->n]);
	return 0;
}

static int
reviews(struct forge *f, int64_t number, struct arena *mem, struct forge_reviews *out, struct err *e)
{
	struct forge_reviews got = { .n = 0 };
	struct version v;
	int rc;

	/* in this order: what is pushed between the two makes approvals older than the head, never newer */
	if ((rc = approvals(f, number, mem, &got, e)) || (rc = newest_version(f, number, &v, e)))
		return rc;
	memcpy(got.head_sha, v.head, FORGE_SHA);
	got.head_at = v.at;
	for (size_t i = 0; i < got.n; i++)
		/* times are told in seconds: in the same one nobody knows which came first; and one without a time may be older than any push */
		got.items[i].stale = !v.at || got.items[i].submitted <= v.at;
	*out = got;
	return 0;
}

/* -- findings ------------------------------------------------------------------------------------------------------------------- */

static struct value *
position(struct arena *mem, const struct version *v, const struct forge_finding *g)
{
	struct value *p = value_map(mem);

	value_set(mem, p, "position_type", value_str(mem, "text"));
	value_set(mem, p, "base_sha", value_str(mem, v->base));
	value_set(mem, p, "start_sha", value_str(mem, v->start));
	value_set(mem, p, "head_sha", value_str(mem, v->head));
	/* both, for a new file too */
	value_set(mem, p, "old_path", value_str(mem, g->path));
	value_set(mem, p, "new_path", value_str(mem, g->path));
	value_set(mem, p, "new_line", value_int(mem, g->line));
	return p;
}

/* A line that is not an added one is refused ("line_code can't be blank", 400), on some versions by a 500. */
static int
post_finding(struct forge *f, int64_t number, const struct version *v, struct forge_finding *g, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
	struct value *body = value_map(mem), *json = NULL;
	struct forge_call c = { .method = "POST", .told = true, .right = RIGHT_REVIEW, .body = body,
		                .path = arena_printf(mem, "/merge_requests/%lld/discussions", (long long)number),
		                .what = arena_printf(mem, "review merge request %lld", (long long)number) };
	struct forge_answer a;
	int rc;

	value_set(mem, body, "body", value_str(mem, forge_clean(mem, g->text, 0, true)));
	value_set(mem, body, "position", position(mem, v, g));
	rc = forge_ask(f, &c, mem, &json, &a, e);
	g->posted = rc == 0;
	g->outside = a.status == 400 || a.status == 422 || a.status == 500;
	return g->outside ? 0 : rc;
}

static int
review_post(struct forge *f, int64_t number, struct forge_new_review *r, struct err *e)
{
	struct buf AUTO_BUF body = BUF_INIT(0);
	struct version v;
	int64_t id;
	size_t at_lines = 0;
	int rc = newest_version(f, number, &v, e);

	if (rc)
		return rc;
	if (strcmp(v.head, r->sha) != 0) {
		(void)forge_fail(f, "review", ERR_CONFLICT, e, "%.12s is not the head of merge request %lld any more", r->sha,
		                 (long long)number);
		return err_hint(e, "look at %.12s instead", v.head);
	}
	for (size_t i = 0; i < r->n; i++) {
		struct forge_finding *g = &r->findings[i];

		if (!g->posted && at_lines == forge_ops(f)->inline_max)
			g->outside = true;
		if (!g->posted && !g->outside && (rc = post_finding(f, number, &v, g, e)))
			return rc;
		at_lines += g->posted;
	}
	forge_outside(r, forge_body_max(f), &body);
	return forge_comment_add(f, number, buf_cstr(&body), &id, e);
}

static int
pull_of(struct forge *f, const char *sha, const char *base, struct arena *mem, struct forge_pull *out, struct err *e)
{
	return forge_pull_best(f, arena_printf(mem, "/repository/commits/%s/merge_requests", sha), sha, base, mem, out, e);
}

static const char *const headers[] = { "Accept: application/json", NULL };

const struct forge_ops forge_gitlab = {
	.name = "gitlab",
	.thing = "merge request",
	.headers = headers,
	.rights = {
		[RIGHT_USER] = "the scope read_api",
		[RIGHT_READ] = "the scope read_api and the role Reporter in this project",
		[RIGHT_STATUS] = "the scope api and the role Developer in this project",
		[RIGHT_COMMENT] = "the scope api and the role Reporter in this project",
		[RIGHT_REVIEW] = "the scope api and the role Reporter in this project",
		[RIGHT_OPEN] = "the scope api and the role Developer in this project",
		[RIGHT_APPROVE] = "the scope api and the role Developer in this project",
	},
	.login_key = "username",
	.size_key = "per_page",
	.pulls = "/merge_requests?state=opened&order_by=created_at&sort=asc",
	.pull = "/merge_requests",
	.comments = "/merge_requests",
	.comments_tail = "/notes",
	.comments_query = "?sort=asc&order_by=created_at",
	.body_max = 1000000,
	.inline_max = 20,
	.read_pull = read_pull,
	.read_comment = read_comment,
	.pull_of = pull_of,
	.new_pull = new_pull,
	.new_status = new_status,
	.status_again = status_again,
	.comment_path = comment_path,
	.edit = "PUT",
	.reviews = reviews,
	.review_post = review_post,
};
