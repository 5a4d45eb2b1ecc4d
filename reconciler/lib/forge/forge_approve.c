/* SPDX-License-Identifier: Apache-2.0 */
/* Approving one head of a pull request, in the name of the token's account. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/forge/forge_priv.h"

struct approving {
	struct forge *f;
	int64_t number;
	const char *sha, *what;
	struct arena *mem;
};

static int
moved(const struct approving *w, const char *now, struct err *e)
{
	(void)forge_fail(w->f, w->what, ERR_CONFLICT, e, "%.12s is not its head any more%s%.12s", w->sha, *now ? ", but " : "", now);
	return err_hint(e, "nothing is approved: look at what was pushed since, then approve that");
}

/* Reviews of old heads, and of what is closed, are taken by some forges. */
static int
check_head(const struct approving *w, struct err *e)
{
	static const char *const states[] = { "open", "closed", "merged" };
	struct forge_pull p;
	int rc = forge_pull(w->f, w->number, w->mem, &p, e);

	if (rc)
		return rc;
	if (p.state != FORGE_OPEN)
		return forge_fail(w->f, w->what, ERR_INVALID, e, "it is %s already", states[p.state]);
	return str_eq(p.head_sha, w->sha) ? 0 : moved(w, p.head_sha, e);
}

static void
fill(const struct approving *w, struct forge_call *c)
{
	enum forge_kind kind = forge_kind(w->f);
	struct value *v = value_map(w->mem);

	c->body = v;
	if (kind == FORGE_GITLAB) {
		c->path = arena_printf(w->mem, "%s/%lld/approve", forge_ops(w->f)->pull, (long long)w->number);
		value_set(w->mem, v, "sha", value_str(w->mem, w->sha));
		return;
	}
	c->path = arena_printf(w->mem, "%s/%lld/reviews", forge_ops(w->f)->pull, (long long)w->number);
	value_set(w->mem, v, "commit_id", value_str(w->mem, w->sha));
	value_set(w->mem, v, "event", value_str(w->mem, kind == FORGE_GITHUB ? "APPROVE" : "APPROVED"));
	value_set(w->mem, v, "body", value_str(w->mem, ""));
}

/* GitLab says 401 to who is its author, has approved it already, or is not asked, and to a bad token as well. */
static int
not_asked(const struct approving *w, struct err *e)
{
	const char *login;

	if (forge_whoami(w->f, &login, e))
		return e->code;
	(void)forge_fail(w->f, w->what, ERR_DENIED, e, "HTTP 401: %s may not approve it", login);
	return err_hint(e, "it is theirs, they have approved it already, or they are none of those who may; else the token needs %s",
	                forge_ops(w->f)->rights[RIGHT_APPROVE]);
}

static int
refused(const struct approving *w, const struct forge_answer *a, int rc, struct err *e)
{
	if (a->status == 409)
		return moved(w, "", e);
	if (a->status == 401 && forge_kind(w->f) == FORGE_GITLAB)
		return not_asked(w, e);
	if (a->status != 422 || !strcasestr(a->message, "your own"))
		return rc;
	(void)forge_fail(w->f, w->what, ERR_DENIED, e, "HTTP 422: %s", a->message);
	return err_hint(e, "somebody else approves it");
}

int
forge_review_approve(struct forge *f, int64_t number, const char *sha, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
	struct approving w = { f, number, sha, arena_printf(mem, "approve %s %lld", forge_ops(f)->thing, (long long)number), mem };
	struct forge_call c = { .method = "POST", .told = true, .right = RIGHT_APPROVE, .what = w.what };
	struct forge_answer a = { .status = 0 };
	struct value *v = NULL;
	char at[FORGE_SHA];
	int rc;

	if (!forge_sha_ok(sha))
		return forge_fail(f, w.what, ERR_INVALID, e, "that is no full id of a commit in lower case");
	if ((rc = check_head(&w, e)))
		return rc;
	fill(&w, &c);
	if ((rc = forge_ask(f, &c, mem, &v, &a, e)))
		return refused(&w, &a, rc, e);
	forge_sha(value_get(v, "commit_id"), at);
	if (forge_kind(f) != FORGE_GITLAB && (!str_eq(value_as_str(value_get(v, "state"), NULL), "APPROVED") || !str_eq(at, sha)))
		return forge_strange(f, w.what, e);
	return 0;
}
