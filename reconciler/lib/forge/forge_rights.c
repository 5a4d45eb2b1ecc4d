/* SPDX-License-Identifier: Apache-2.0 */
/* What a token may do, as far as a forge tells without anything being written. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/forge/forge_priv.h"

#define GITLAB_REPORTER 20
#define GITLAB_DEVELOPER 30

struct asking {
	struct forge *f;
	struct arena *mem;
	struct forge_rights *out;
	const struct value *repo; /* GET of the repository */
	struct forge_answer head; /* and what came with it */
};

static const struct {
	const char *what;
	enum forge_right right;
} things[FORGE_RIGHTS] = {
	[FORGE_SAYS_WHO] = { "tell whose it is", RIGHT_USER },
	[FORGE_READS] = { "read pull requests", RIGHT_READ },
	[FORGE_SETS_STATUSES] = { "set statuses", RIGHT_STATUS },
	[FORGE_COMMENTS] = { "comment", RIGHT_COMMENT },
	[FORGE_REVIEWS] = { "write at lines", RIGHT_REVIEW },
};

static void
say(struct asking *q, enum forge_thing thing, enum forge_may may, const char *why)
{
	q->out->rows[thing].may = may;
	q->out->rows[thing].why = why;
}

static void
say_writes(struct asking *q, enum forge_may may, const char *why)
{
	say(q, FORGE_SETS_STATUSES, may, why);
	say(q, FORGE_COMMENTS, may, why);
	say(q, FORGE_REVIEWS, may, why);
}

/* A GET whose refusal is an answer: 1 fine, 0 refused with *why; else an error. */
static int
may_get(struct asking *q, struct forge_call *c, struct value **v, const char **why, struct err *e)
{
	struct forge_answer a = { .status = 0 };
	int rc = forge_ask(q->f, c, q->mem, v, &a, e);

	if (rc == 0)
		return 1;
	*why = arena_printf(q->mem, "HTTP %ld%s%s", a.status, *a.message ? ": " : "", a.message);
	return rc == ERR_DENIED || rc == ERR_NOTFOUND ? 0 : rc;
}

/* -- GitHub ------------------------------------------------------------------------------------------------------------------------ */

/* "repo, read:org": only tokens of the old kind have such a line. */
static bool
has_scope(const char *list, const char *scope)
{
	size_t n = strlen(scope);

	for (const char *p = list; *p; p += *p == ',') {
		size_t k;

		p += strspn(p, " ");
		k = strcspn(p, ", ");
		if (k == n && strncmp(p, scope, n) == 0)
			return true;
		p += strcspn(p, ",");
	}
	return false;
}

static int
ask_github(struct asking *q, struct err *e)
{
	const char *scopes = q->head.scopes;
	bool all = has_scope(scopes, "repo") ||
	           (has_scope(scopes, "public_repo") && !value_as_bool(value_get(q->repo, "private"), true));
	const struct value *push = value_at(q->repo, "permissions.push");

	(void)e;
	if (!q->head.scoped) {
		say_writes(q, FORGE_UNTOLD, "GitHub does not tell what a fine-grained token, or that of an app, may do");
		return 0;
	}
	say_writes(q, all ? FORGE_MAY : FORGE_MAY_NOT,
	           *scopes ? arena_printf(q->mem, "its scopes are %s", forge_clean(q->mem, scopes, 0, false)) : "it has no scope");
	if (has_scope(scopes, "repo:status"))
		q->out->rows[FORGE_SETS_STATUSES].may = FORGE_MAY;
	if (value_is(push, VALUE_BOOL) && !value_as_bool(push, true))
		say(q, FORGE_SETS_STATUSES, FORGE_MAY_NOT, "its account may not write to this repository");
	return 0;
}

/* -- GitLab ------------------------------------------------------------------------------------------------------------------------ */

static int64_t
level_of(const struct value *repo)
{
	int64_t own = value_as_int(value_at(repo, "permissions.project_access.access_level"), 0);
	int64_t group = value_as_int(value_at(repo, "permissions.group_access.access_level"), 0);

	return own > group ? own : group;
}

static bool
in_list(const struct value *list, const char *word)
{
	for (size_t i = 0; i < value_len(list); i++)
		if (str_eq(value_as_str(value_item(list, i), NULL), word))
			return true;
	return false;
}

static void
judge_level(struct asking *q, enum forge_thing thing, int64_t level, int64_t least, bool told)
{
	if (!level)
		say(q, thing, FORGE_UNTOLD, "GitLab does not tell its role here");
	else if (level < least)
		say(q, thing, FORGE_MAY_NOT, arena_printf(q->mem, "its role has level %lld of %lld", (long long)level, (long long)least));
	else
		say(q, thing, told ? FORGE_MAY : FORGE_UNTOLD, told ? "" : "GitLab does not tell its scopes");
}

static int
ask_gitlab(struct asking *q, struct err *e)
{
	struct forge_call c = { .path = "/personal_access_tokens/self", .top = true, .right = RIGHT_USER, .what = "ask what the token may do" };
	struct value *v = NULL;
	const struct value *scopes;
	const char *why;
	int rc = may_get(q, &c, &v, &why, e);

	if (rc < 0)
		return rc;
	scopes = rc ? value_get(v, "scopes") : NULL;
	if (value_is(scopes, VALUE_LIST) && !in_list(scopes, "api")) {
		say_writes(q, FORGE_MAY_NOT, "it has not the scope api");
		return 0;
	}
	judge_level(q, FORGE_SETS_STATUSES, level_of(q->repo), GITLAB_DEVELOPER, scopes != NULL);
	judge_level(q, FORGE_COMMENTS, level_of(q->repo), GITLAB_REPORTER, scopes != NULL);
	judge_level(q, FORGE_REVIEWS, level_of(q->repo), GITLAB_REPORTER, scopes != NULL);
	return 0;
}

/* -- Gitea ------------------------------------------------------------------------------------------------------------------------- */

/* It tells what the account may do, and of the token's scopes only that one is missing. Whoever may write may read: who lacks read:issue has not write:issue. */
static int
ask_gitea(struct asking *q, struct err *e)
{
	struct forge_call c = { .path = "/issues/comments?limit=1", .right = RIGHT_COMMENT, .what = "read comments" };
	const struct value *push = value_at(q->repo, "permissions.push");
	struct value *v = NULL;
	const char *why;
	int rc = may_get(q, &c, &v, &why, e);

	if (rc < 0)
		return rc;
	say_writes(q, FORGE_UNTOLD, "its account may; Gitea does not tell a token's scopes");
	if (rc == 0)
		say(q, FORGE_COMMENTS, FORGE_MAY_NOT, why);
	if (value_is(push, VALUE_BOOL) && !value_as_bool(push, true))
		say(q, FORGE_SETS_STATUSES, FORGE_MAY_NOT, "its account may not write to this repository");
	return 0;
}

/* -- all --------------------------------------------------------------------------------------------------------------------------- */

static int
ask_who(struct asking *q, struct err *e)
{
	const char *login;
	int rc = forge_whoami(q->f, &login, e);

	if (rc == 0)
		q->out->login = arena_strdup(q->mem, login);
	else
		say(q, FORGE_SAYS_WHO, FORGE_MAY_NOT, arena_strdup(q->mem, e->text));
	return rc == ERR_DENIED || rc == ERR_NOTFOUND ? 0 : rc;
}

static int
ask_reading(struct asking *q, struct err *e)
{
	const struct forge_ops *o = forge_ops(q->f);
	struct forge_call c = { .path = arena_printf(q->mem, "%s&%s=1&page=1", o->pulls, o->size_key), .right = RIGHT_READ,
		                .what = arena_printf(q->mem, "read %ss", o->thing) };
	struct value *v = NULL;
	const char *why;
	int rc = may_get(q, &c, &v, &why, e);

	if (rc == 0)
		say(q, FORGE_READS, FORGE_MAY_NOT, why);
	return rc < 0 ? rc : 0;
}

int
forge_rights(struct forge *f, struct arena *mem, struct forge_rights *out, struct err *e)
{
	static int (*const asks[FORGE_KIND_COUNT])(struct asking *, struct err *) = { ask_github, ask_gitlab, ask_gitea };
	struct forge_call c = { .path = "", .right = RIGHT_READ, .what = "look at the repository" };
	struct asking q = { .f = f, .mem = mem, .out = out };
	struct value *v = NULL;
	int rc;

	*out = (struct forge_rights){ .login = "" };
	for (size_t i = 0; i < FORGE_RIGHTS; i++)
		out->rows[i] = (struct forge_may_row){ things[i].what, FORGE_MAY, "", forge_ops(f)->rights[things[i].right] };
	/* a token that is not accepted at all is told of by the second */
	if ((rc = ask_who(&q, e)) || (rc = forge_ask(f, &c, mem, &v, &q.head, e)))
		return rc;
	q.repo = v;
	if (!value_is(v, VALUE_MAP))
		return forge_strange(f, c.what, e);
	return (rc = ask_reading(&q, e)) ? rc : asks[forge_kind(f)](&q, e);
}
