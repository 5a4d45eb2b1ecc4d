/* SPDX-License-Identifier: Apache-2.0 */
/* Those that are not open any more: closed, or merged and watched until what they asked for is there. */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "pulls/priv.h"

#define MISSED_MS 60000      /* between two questions after one that a cut list may have left out */
#define PLAN_ARENA ((size_t)1 << 30)

void
merged_take(struct pulls *p, struct memo *m, const struct forge_pull *pull)
{
	(void)snprintf(m->merged, sizeof(m->merged), "%s", pull->merge_sha);
	(void)snprintf(m->base, sizeof(m->base), "%s", pull->base_sha);
	if (!str_eq(m->head, pull->head_sha)) { /* never looked at, or pushed to since: what it touches is found again */
		(void)snprintf(m->head, sizeof(m->head), "%s", pull->head_sha);
		m->main[0] = '\0';
	}
	memo_text(&m->author, pull->author);
	memo_text(&m->merged_by, pull->merged_by);
	m->since = clock_now();
	m->again = m->hear_at = m->asked_at = 0;
	m->refused = m->asks = 0;
	m->review = NULL; /* it was of an open one */
	m->opinion[0] = '\0';
	p->dirty = true;
}

/* Merged, closed, or merely missing on a list that moved while it was read. */
static int
closed(struct pulls *p, struct memo *m, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);
	struct forge_pull pull;
	int rc = forge_pull(p->forge, m->number, mem, &pull, e);

	if (rc == ERR_NOTFOUND || (rc == 0 && (pull.state == FORGE_CLOSED || !str_eq(pull.base_ref, p->c.branch)))) {
		memo_drop(p, m);
		return 0;
	}
	if (rc < 0 || pull.state != FORGE_MERGED || !*pull.merge_sha)
		return rc;
	merged_take(p, m, &pull);
	return 0;
}

/* -- what it touches, where nobody saw it open ------------------------------------------------------------------------------------------------ */

/* The trees before and after: its own change, or where its head cannot be had what its last commit did. */
static int
trees_of(struct pulls *p, const struct memo *m, struct arena *mem, struct oid *from, struct oid *base, struct oid *head, struct err *e)
{
	struct oid commit, tree;
	int rc;

	if (head_here(p, m->head)) {
		struct changeset c;

		if ((rc = merged_change(p, m, mem, &c, from, e)) < 0 || (rc = git_rev_parse(p->git, m->head, &commit, e)) < 0)
			return rc;
	} else if ((rc = git_rev_parse(p->git, m->merged, &commit, e)) < 0 || (rc = git_commit_shape(p->git, &commit, &tree, from, e)) < 0) {
		return rc;
	}
	if ((rc = tree_of(p, from, mem, base, e)) < 0)
		return rc;
	return tree_of(p, &commit, mem, head, e);
}

static void
plan_merged(struct pulls *p, struct memo *m)
{
	struct arena *AUTO_ARENA mem = arena_new(PLAN_ARENA);
	struct oid from, base_tree, head_tree;
	struct preview_ask ask = { .sides = p->sides, .touched = true };
	const char *const *envs = NULL;
	struct planned planned = { 0 };
	size_t n = 0;

	if (trees_of(p, m, mem, &from, &base_tree, &head_tree, NULL) == 0 && sides_read(p->sides, p->git, &base_tree, &head_tree, NULL) == 0 &&
	    preview_make(&ask, mem, &planned, NULL) == 0)
		planned_envs(&planned, mem, &envs, &n);
	else if (git_rev_parse(p->git, m->merged, &from, NULL) < 0)
		return;
	memo_envs(m, envs, n); /* where it cannot be planned: none */
	oid_hex(&from, m->main);
	p->dirty = true;
}

/* -- turn for turn ---------------------------------------------------------------------------------------------------------------------------- */

/* Does main as this turn sees it have the merge? */
static bool
is_in(struct pulls *p, const struct now *n, const struct memo *m)
{
	struct oid id;

	return git_rev_parse(p->git, m->merged, &id, NULL) == 0 && git_is_ancestor(p->git, &id, &n->main, NULL) == 1;
}

/* Without its head no review of it counts, and nothing is asked until it is here. */
static int
bring_head(struct pulls *p, struct memo *m, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);
	struct log_about a = pulls_about(p);
	int rc;

	if (head_here(p, m->head) || clock_mono_ms() < m->hear_at)
		return 0;
	rc = fetch_head(p, m->number, m->head, mem, e);
	if (rc == 0 || rc == ERR_CANCELLED)
		return rc;
	if (!m->asks)
		log_line(LOG_WARN, &a, "pull request %lld: %s%s%s", (long long)m->number, e->text, *e->hint ? "; " : "", e->hint);
	m->hear_at = clock_mono_ms() + clock_backoff(1000, m->asks, 3600000);
	m->asks += m->asks < 20;
	return 0;
}

static int
find_one(struct pulls *p, const struct now *n, struct memo *m, struct err *e)
{
	int rc;

	if (!is_in(p, n, m))
		return 0;
	if ((!*m->main || commit_waits(p, n, m->merged)) && (rc = bring_head(p, m, e)) < 0)
		return rc;
	if (!*m->main)
		plan_merged(p, m);
	return head_here(p, m->head) ? hear_merged(p, n, m, e) : 0;
}

int
merged_find(struct pulls *p, const struct now *n, bool more, struct err *e)
{
	void *v;
	int rc;

	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v) && !p->stop;) {
		struct memo *m = v;
		int64_t number = m->number;

		if (m->open || *m->merged || (more && clock_mono_ms() < m->again))
			continue;
		if ((rc = pulls_aside(p, m, closed(p, m, e), e)) < 0)
			return rc;
		m = memo_get(p, number, false);
		if (m && !*m->merged && more && m->again < clock_mono_ms() + MISSED_MS)
			m->again = clock_mono_ms() + MISSED_MS; /* open, and left out of the list */
	}
	if ((rc = unseen(p, n, e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v) && !p->stop;) {
		struct memo *m = v;

		if (*m->merged && (rc = pulls_aside(p, m, find_one(p, n, m, e), e)) < 0)
			return rc;
	}
	return reviews_keep(p, e);
}

int
merged_tell(struct pulls *p, const struct now *n, struct err *e)
{
	size_t open = 0, merged = 0;
	void *v;
	int rc;

	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v) && !p->stop;) {
		struct memo *m = v;

		open += m->open;
		merged += *m->merged != '\0';
		if (!*m->merged || (m->refused && clock_mono_ms() < m->again) || !is_in(p, n, m))
			continue;
		rc = result_of(p, n, m, e);
		if (rc == 0)
			m->refused = 0;
		if (rc > 0) {
			memo_drop(p, m);
			merged--;
		} else if ((rc = pulls_aside(p, m, rc, e)) < 0) {
			return rc;
		}
	}
	(void)pthread_mutex_lock(&p->lock);
	p->counts.open = open;
	p->counts.merged = merged;
	(void)pthread_mutex_unlock(&p->lock);
	if ((rc = reviews_keep(p, e)) < 0)
		return rc;
	return memory_store(p, e);
}
