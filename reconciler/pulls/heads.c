/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of pull requests: which are here, and bringing those that are not. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "pulls/priv.h"

#define FIRST_MS 1000        /* after trouble with one of them: doubled up to … */
#define MOST_MS 60000
#define FETCH_MS 60000
#define EACH_MS 120000       /* for those of a batch that failed, one by one */

bool
head_here(struct pulls *p, const char *sha)
{
	struct oid id;

	return *sha && git_rev_parse(p->git, sha, &id, NULL) == 0;
}

/* Heads to fetch in one go. */
struct batch {
	const char *refs[GIT_FETCH_MAX];
	struct memo *memos[GIT_FETCH_MAX];
	size_t n;
};

/* One that cannot be had (too large, broken, a forge that fails over it) must not keep the others from coming: one by one, the newest first. */
static int
fetch_each(struct pulls *p, const struct batch *b, struct err *e)
{
	struct log_about a = pulls_about(p);
	int64_t end = clock_mono_ms() + EACH_MS;

	for (size_t i = b->n; i-- > 0 && clock_mono_ms() < end;) {
		int rc = git_fetch(p->git, p->c.url, &p->c.auth, &b->refs[i], 1, FETCH_MS, &p->stop, e);

		if (rc == ERR_CANCELLED)
			return rc;
		if (rc == 0)
			continue;
		if (b->memos[i]->refused <= 1) /* said once */
			log_line(LOG_WARN, &a, "pull request %lld: %s%s%s", (long long)b->memos[i]->number, e->text, *e->hint ? "; " : "", e->hint);
		memo_later(b->memos[i], FIRST_MS, MOST_MS);
	}
	return 0;
}

static int
fetch(struct pulls *p, const struct batch *b, struct err *e)
{
	int rc = b->n ? git_fetch(p->git, p->c.url, &p->c.auth, b->refs, b->n, FETCH_MS, &p->stop, e) : 0;

	return rc == 0 || rc == ERR_CANCELLED ? rc : fetch_each(p, b, e);
}

static const char *
ref_of(struct pulls *p, int64_t number, struct arena *mem)
{
	return arena_printf(mem, "refs/%s/%lld/head", p->c.forge.kind == FORGE_GITLAB ? "merge-requests" : "pull", (long long)number);
}

/* Heads that are looked at in this turn and are not here yet. */
int
fetch_heads(struct pulls *p, const struct now *now, const struct forge_pulls *list, struct arena *mem, struct err *e)
{
	struct batch b = { .n = 0 };

	for (size_t i = 0; p->c.url && i < list->n; i++) {
		const struct forge_pull *pull = &list->items[i];
		struct memo *m = memo_get(p, pull->number, false);
		int rc;

		if (!m || !memo_due(now, m, pull) || head_here(p, pull->head_sha))
			continue;
		b.memos[b.n] = m;
		b.refs[b.n++] = ref_of(p, pull->number, mem);
		if (b.n < GIT_FETCH_MAX)
			continue;
		if ((rc = fetch(p, &b, e)) < 0)
			return rc;
		b.n = 0;
	}
	return fetch(p, &b, e);
}

int
fetch_head(struct pulls *p, int64_t number, const char *sha, struct arena *mem, struct err *e)
{
	const char *ref = ref_of(p, number, mem);
	int rc = p->c.url && !head_here(p, sha) ? git_fetch(p->git, p->c.url, &p->c.auth, &ref, 1, FETCH_MS, &p->stop, e) : 0;

	if (rc < 0)
		return rc;
	return head_here(p, sha) ? 0 : err_set(e, ERR_NOTFOUND, "its head %.12s is not behind %s", sha, ref);
}
