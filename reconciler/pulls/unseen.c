/* SPDX-License-Identifier: Apache-2.0 */
/* Merges of what berth never saw open: it was down, or it went too fast. Each new commit of main is asked for once or twice, and what was pushed is remembered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "pulls/priv.h"

#define WALK_MAX 1000
#define TRIES 2             /* a forge knows a merge a moment after it moved the branch */
#define SOON_MS 10000       /* between them */

static void
add(struct pulls *p, const struct oid *id)
{
	char hex[OID_HEX];
	struct commit *c;

	oid_hex(id, hex);
	if (map_has(&p->commits, hex))
		return;
	if (!(c = calloc(1, sizeof(*c))))
		abort();
	(void)map_put(&p->commits, hex, c);
	p->dirty = true;
}

/* Along the first parents from main's tip to where it was the last time; a rewritten main has nothing new. */
static int
add_new(struct pulls *p, const struct now *n, struct err *e)
{
	struct oid last, at = n->main, tree, parent;
	int rc = 0;

	if (str_eq(p->main, n->main_hex))
		return 0;
	if (*p->main && git_rev_parse(p->git, p->main, &last, NULL) == 0 && git_is_ancestor(p->git, &last, &n->main, NULL) == 1)
		for (size_t i = 0; i < WALK_MAX && !oid_eq(&at, &last) && !oid_eq(&at, &(struct oid){ 0 }); i++) {
			add(p, &at);
			if ((rc = git_commit_shape(p->git, &at, &tree, &parent, e)) < 0)
				return rc;
			at = parent;
		}
	(void)snprintf(p->main, sizeof(p->main), "%s", n->main_hex);
	p->dirty = true;
	return 0;
}

/* Those that came with a merge that is known need no question; a push is remembered for as long as it waits. */
static void
settle(struct pulls *p, const struct now *n)
{
	const char *hex;
	void *v;

	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v);)
		if (*((struct memo *)v)->merged)
			free(map_del(&p->commits, ((struct memo *)v)->merged));
	for (size_t i = 0; map_next(&p->commits, &i, &hex, &v);)
		if (((struct commit *)v)->direct && !commit_waits(p, n, hex)) {
			free(map_del(&p->commits, hex));
			p->dirty = true;
		}
}

static bool
is_known(const struct pulls *p, const char *hex)
{
	void *v;

	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v);)
		if (str_eq(((struct memo *)v)->merged, hex))
			return true;
	return false;
}

static void
add_open(struct pulls *p, const struct now *n)
{
	char hex[OID_HEX];

	for (size_t i = 0; n->mode == APPROVAL_FORGE && n->proof && i < n->proof->nopen; i++) {
		oid_hex(&n->proof->open[i].commit, hex);
		if (!is_known(p, hex))
			add(p, &n->proof->open[i].commit);
	}
}

/* A list does not tell everything (GitHub's not who merged it): once more, by its number. */
static int
take(struct pulls *p, int64_t number, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);
	struct log_about a = pulls_about(p);
	struct forge_pull pull;
	struct memo *m = memo_get(p, number, false);
	int rc;

	if (m && *m->merged)
		return 0;
	if ((rc = forge_pull(p->forge, number, mem, &pull, e)) < 0)
		return rc == ERR_NOTFOUND ? 0 : rc;
	if (pull.state != FORGE_MERGED || !*pull.merge_sha || !*pull.head_sha || !str_eq(pull.base_ref, p->c.branch))
		return 0;
	merged_take(p, memo_get(p, number, true), &pull);
	log_line(LOG_INFO, &a, "pull request %lld was merged as %.12s, and was not seen open", (long long)number, pull.merge_sha);
	return 0;
}

static int
ask(struct pulls *p, const char *hex, struct commit *c, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);
	struct log_about a = pulls_about(p);
	struct forge_pull pull;
	int rc = forge_pull_of(p->forge, hex, p->c.branch, mem, &pull, e);

	p->dirty = true;
	if (rc == 0)
		rc = take(p, pull.number, e);
	if (rc == 0) {
		c->direct = true; /* or of a merge whose last commit is another one */
		return 0;
	}
	c->again = clock_mono_ms() + SOON_MS; /* the next turn does without it, whatever it is */
	if (rc == ERR_UNAVAILABLE || rc == ERR_CANCELLED)
		return rc;
	if (rc != ERR_NOTFOUND)
		log_err(LOG_WARN, &a, e);
	c->direct = ++c->tries >= TRIES;
	return 0;
}

int
unseen(struct pulls *p, const struct now *n, struct err *e)
{
	const char *hex;
	void *v;
	int rc;

	if ((rc = add_new(p, n, e)) < 0)
		return rc;
	add_open(p, n);
	settle(p, n);
	for (size_t i = 0; map_next(&p->commits, &i, &hex, &v) && !p->stop;) {
		struct commit *c = v;

		if (c->direct || clock_mono_ms() < c->again)
			continue;
		if (!p->budget) {
			p->unfinished = true;
			break;
		}
		p->budget--;
		if ((rc = ask(p, hex, c, e)) < 0)
			return rc;
	}
	settle(p, n);
	return 0;
}

int64_t
unseen_at(const struct pulls *p)
{
	int64_t at = INT64_MAX;
	void *v;

	for (size_t i = 0; map_next(&p->commits, &i, NULL, &v);) {
		const struct commit *c = v;

		if (!c->direct && c->again && c->again < at)
			at = c->again;
	}
	return at;
}
