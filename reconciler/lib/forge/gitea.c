/* SPDX-License-Identifier: Apache-2.0 */
/* Gitea and Forgejo (https://docs.gitea.com/api, v1): GitHub's shapes where they could, otherwise their own. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/forge/forge_priv.h"

/* A branch that was deleted is "refs/pull/7/head"; its name is the label then. */
static const struct value *
head_ref(const struct value *v)
{
	const struct value *ref = value_at(v, "head.ref"), *label = value_at(v, "head.label");

	return str_starts(value_as_str(ref, ""), "refs/pull/") && value_len(label) ? label : ref;
}

static bool
read_pull(struct arena *mem, const struct value *v, struct forge_pull *out)
{
	int64_t head = forge_id(value_at(v, "head.repo_id")), base = forge_id(value_at(v, "base.repo_id"));
	bool merged = value_as_bool(value_get(v, "merged"), false);

	if (!forge_id(value_get(v, "number")))
		return false;
	*out = (struct forge_pull){
		.number = forge_id(value_get(v, "number")),
		.title = forge_clean(mem, value_as_str(value_get(v, "title"), ""), 255, false),
		.author = github_login(mem, value_get(v, "user")),
		.head_ref = forge_name(mem, head_ref(v)),
		.base_ref = forge_name(mem, value_at(v, "base.ref")),
		.url = forge_url(mem, value_get(v, "html_url")),
		.merged_by = merged ? github_login(mem, value_get(v, "merged_by")) : "",
		.state = merged ? FORGE_MERGED : str_eq(value_as_str(value_get(v, "state"), ""), "open") ? FORGE_OPEN : FORGE_CLOSED,
		.fork = !head || head != base,
		.updated = forge_time(value_get(v, "updated_at")),
	};
	forge_sha(value_at(v, "head.sha"), out->head_sha);
	forge_sha(value_get(v, "merge_base"), out->base_sha);
	if (merged)
		forge_sha(value_get(v, "merge_commit_sha"), out->merge_sha);
	return true;
}

/* Of the list of comments, where all are some, or of the timeline. */
static bool
read_comment(struct arena *mem, const struct value *v, struct forge_comment *out)
{
	return str_eq(value_as_str(value_get(v, "type"), "comment"), "comment") && github_read_comment(mem, v, out);
}

/* It keeps what was scheduled over a push. */
static void
read_event(const struct value *v, struct forge_course *to)
{
	static const char *const retargets[] = { "change_target_branch", NULL };
	static const char *const schedules[] = { "pull_scheduled_merge", NULL };

	github_event(v, value_as_str(value_get(v, "type"), ""), retargets, schedules, to);
}

/* It answers with the one whose merge made this very commit. */
static int
pull_of(struct forge *f, const char *sha, const char *base, struct arena *mem, struct forge_pull *out, struct err *e)
{
	AUTO_ARENA struct arena *tmp = arena_new(FORGE_MEM);
	struct forge_call c = { .path = arena_printf(tmp, "/commits/%s/pull", sha), .right = RIGHT_READ,
		                .what = arena_printf(tmp, "find the pull request of %.12s", sha) };
	struct forge_answer a;
	struct value *v = NULL;
	struct forge_pull p;
	int rc = forge_ask(f, &c, tmp, &v, &a, e);

	if (rc == ERR_NOTFOUND)
		return forge_pull_none(f, sha, base, e);
	if (rc)
		return rc;
	if (!read_pull(mem, v, &p))
		return forge_strange(f, c.what, e);
	if (!forge_pull_rank(&p, sha, base))
		return forge_pull_none(f, sha, base, e);
	*out = p;
	return 0;
}

static const char *const headers[] = { "Accept: application/json", NULL };

const struct forge_ops forge_gitea = {
	.name = "gitea",
	.thing = "pull request",
	.headers = headers,
	.rights = {
		[RIGHT_USER] = "the scope read:user",
		[RIGHT_READ] = "the scope read:repository, for a user who may read this repository",
		[RIGHT_STATUS] = "the scope write:repository, for a user who may write to this repository's code",
		[RIGHT_COMMENT] = "the scope write:issue, for a user who may read this repository",
		[RIGHT_REVIEW] = "the scope write:repository, for a user who may read this repository",
		[RIGHT_OPEN] = "the scope write:repository, for a user who may read this repository",
		[RIGHT_APPROVE] = "the scope write:repository, for a user who may read this repository",
	},
	.login_key = "login",
	.size_key = "limit",
	.pulls = "/pulls?state=open&sort=oldest",
	.pull = "/pulls",
	.comments = "/issues",
	.comments_tail = "/comments",
	.comments_query = "",
	.comments_unpaged = true,
	.comments_long = "/timeline",
	.course = "/timeline",
	.course_to_empty = true,
	.read_event = read_event,
	.body_max = 65536,
	.inline_max = 50,
	.read_pull = read_pull,
	.read_comment = read_comment,
	.pull_of = pull_of,
	.new_pull = github_new_pull,
	.new_status = github_new_status,
	.comment_path = github_comment_path,
	.edit = "PATCH",
	.reviews = github_reviews,
	.review_post = github_review_post,
};
