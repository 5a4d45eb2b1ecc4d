/* SPDX-License-Identifier: Apache-2.0 */
/* The thread, and one turn of it: list, fetch heads, look, say; then those that were merged. */
#include "pulls/pulls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "pulls/priv.h"

#define FIRST_MS 1000        /* after trouble: doubled up to … */
#define MOST_MS 60000
#define LOOK_MS 1000         /* between two turns, however often somebody pokes */
#define FETCH_MS 60000
#define EACH_MS 120000       /* for those of a batch that failed, one by one */
#define ONE_ARENA ((size_t)1 << 30)  /* of one pull request: two trees of ten thousand environments */
#define BLOBS_KEPT ((size_t)16 << 20) /* of main: one pull request after the other is planned on the same documents */
#define LONG_MS 5000         /* a turn that has taken so long ends when somebody pokes: what is new comes first */
#define MISSING_MS 500       /* a head that the list has and git does not yet: doubled up to a minute */
#define MISSED_MS 60000      /* between two questions after one that a cut list may have left out */
#define REFUSED_MS 60000     /* after a refusal that concerns one pull request alone: doubled up to an hour */

static struct log_about
about(const struct pulls *p)
{
	return (struct log_about){ .run = p->c.run, .stage = "forge" };
}

/* -- heads ------------------------------------------------------------------------------------------------------------------------------ */

static bool
is_here(struct pulls *p, const char *sha)
{
	struct oid id;

	return *sha && git_rev_parse(p->git, sha, &id, NULL) == 0;
}

static bool
is_due(const struct now *n, const struct memo *m, const struct forge_pull *pull)
{
	return clock_mono_ms() >= m->again &&
	       (!str_eq(m->head, pull->head_sha) || !str_eq(m->main, n->main_hex) || !str_eq(m->voices, n->voices));
}

static void later(struct memo *m, int64_t first, int64_t most);

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
	struct log_about a = about(p);
	int64_t end = clock_mono_ms() + EACH_MS;

	for (size_t i = b->n; i-- > 0 && clock_mono_ms() < end;) {
		int rc = git_fetch(p->git, p->c.url, &p->c.auth, &b->refs[i], 1, FETCH_MS, &p->stop, e);

		if (rc == ERR_CANCELLED)
			return rc;
		if (rc == 0)
			continue;
		if (b->memos[i]->refused <= 1) /* said once */
			log_line(LOG_WARN, &a, "pull request %lld: %s%s%s", (long long)b->memos[i]->number, e->text, *e->hint ? "; " : "", e->hint);
		later(b->memos[i], FIRST_MS, MOST_MS);
	}
	return 0;
}

static int
fetch(struct pulls *p, const struct batch *b, struct err *e)
{
	int rc = b->n ? git_fetch(p->git, p->c.url, &p->c.auth, b->refs, b->n, FETCH_MS, &p->stop, e) : 0;

	return rc == 0 || rc == ERR_CANCELLED ? rc : fetch_each(p, b, e);
}

/* Heads that are looked at in this turn and are not here yet. */
static int
fetch_heads(struct pulls *p, const struct now *now, const struct forge_pulls *list, struct arena *mem, struct err *e)
{
	const char *where = p->c.forge.kind == FORGE_GITLAB ? "merge-requests" : "pull";
	struct batch b = { .n = 0 };

	for (size_t i = 0; p->c.url && i < list->n; i++) {
		const struct forge_pull *pull = &list->items[i];
		struct memo *m = memo_get(p, pull->number, false);
		int rc;

		if (!m || !is_due(now, m, pull) || is_here(p, pull->head_sha))
			continue;
		b.memos[b.n] = m;
		b.refs[b.n++] = arena_printf(mem, "refs/%s/%lld/head", where, (long long)pull->number);
		if (b.n < GIT_FETCH_MAX)
			continue;
		if ((rc = fetch(p, &b, e)) < 0)
			return rc;
		b.n = 0;
	}
	return fetch(p, &b, e);
}

/* -- one pull request --------------------------------------------------------------------------------------------------------------------- */

static void
tell_log(struct pulls *p, const struct forge_pull *pull, const struct looked *l)
{
	struct log_about a = about(p);
	static const char *const words[] = { "pending", "success", "failure", "error" };

	log_line(LOG_INFO, &a, "pull request %lld at %.7s: validate %s, plan %s (%s)", (long long)pull->number, pull->head_sha,
	         words[l->status[CONTEXT_VALIDATE].state], words[l->status[CONTEXT_PLAN].state], l->status[CONTEXT_PLAN].description);
}

/* What is said in which order: the checks first, they are short. */
static int
say_all(struct pulls *p, struct memo *m, const struct forge_pull *pull, const struct looked *l, struct err *e)
{
	int rc;

	if ((rc = say_status(p, m, pull->head_sha, CONTEXT_VALIDATE, &l->status[CONTEXT_VALIDATE], e)) < 0 ||
	    (rc = say_status(p, m, pull->head_sha, CONTEXT_PLAN, &l->status[CONTEXT_PLAN], e)) < 0 ||
	    (rc = say_comment(p, m, &l->comment, e)) < 0)
		return rc;
	return say_findings(p, m, pull->head_sha, l, e);
}

/* A change that cannot be planned at all: too many files, or no history in common with main. */
static int
say_none(struct pulls *p, struct memo *m, const struct forge_pull *pull, const struct err *why, struct err *e)
{
	struct forge_status s = { .context = "berth/plan", .state = FORGE_FAILURE, .description = why->text };

	return say_status(p, m, pull->head_sha, CONTEXT_PLAN, &s, e);
}

/* Tried again after `first` milliseconds, doubled with every time. */
static void
later(struct memo *m, int64_t first, int64_t most)
{
	m->again = clock_mono_ms() + clock_backoff(first, m->refused, most);
	m->refused += m->refused < 20;
}

static void
remember(struct pulls *p, const struct now *n, struct memo *m, const struct forge_pull *pull, const struct answer *a)
{
	m->answer = *a;
	m->answer.tree = n->main_tree;
	(void)snprintf(m->head, sizeof(m->head), "%s", pull->head_sha);
	(void)snprintf(m->main, sizeof(m->main), "%s", n->main_hex);
	(void)snprintf(m->voices, sizeof(m->voices), "%s", n->voices);
	m->refused = 0;
	p->dirty = true;
}

/* 1: there was nothing to say. */
static int
one_open(struct pulls *p, const struct now *n, struct memo *m, const struct forge_pull *pull, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(ONE_ARENA);
	struct err why = { 0 };
	struct looked l;
	int rc;

	if (!is_here(p, pull->head_sha)) { /* pushed just now, or a fork that is gone */
		later(m, MISSING_MS, 60000);
		return 0;
	}
	if (answer_stays(p, n, m, pull, mem)) {
		remember(p, n, m, pull, &m->answer);
		return 1;
	}
	m->answer = (struct answer){ .waits = false }; /* nothing is known until all of it is said */
	p->looks++;
	rc = look_at(p, n, pull, mem, &l, &why);
	if (rc == ERR_INVALID || rc == ERR_NOTFOUND) {
		rc = say_none(p, m, pull, &why, e);
	} else if (rc < 0) {
		*e = why;
	} else {
		memo_envs(m, l.envs, l.nenvs);
		rc = say_all(p, m, pull, &l, e);
		if (rc == 0)
			tell_log(p, pull, &l);
	}
	buf_free(&l.comment);
	if (rc < 0)
		return rc;
	remember(p, n, m, pull, &l.answer);
	return 0;
}

/* What concerns one of them alone must not stop the others: it is tried again later. */
static int
aside(struct pulls *p, struct memo *m, int rc, struct err *e)
{
	struct log_about a = about(p);

	if (rc == ERR_UNAVAILABLE && !forge_limit_ms(p->forge))
		later(m, 2 * FIRST_MS, MOST_MS); /* a forge that fails over this one alone: the next turn does without it */
	if (rc >= 0 || rc == ERR_UNAVAILABLE || rc == ERR_CANCELLED)
		return rc;
	later(m, REFUSED_MS, 3600000);
	log_line(LOG_WARN, &a, "pull request %lld: %s%s%s", (long long)m->number, e->text, *e->hint ? "; " : "", e->hint);
	return 0;
}

/* With hundreds of them and a second between two writes a turn takes minutes, and somebody may wait for a new one. */
static bool
hurried(struct pulls *p, int64_t begun)
{
	bool poked;

	if (clock_mono_ms() < begun + LONG_MS)
		return false;
	(void)pthread_mutex_lock(&p->lock);
	poked = p->poked;
	(void)pthread_mutex_unlock(&p->lock);
	p->unfinished |= poked;
	return poked;
}

/* Those whose head has been looked at, or the others: somebody waits for these. The newest first. */
static int
look_at_those(struct pulls *p, const struct now *n, const struct forge_pulls *list, bool known, int64_t begun, struct err *e)
{
	int rc;

	for (size_t i = list->n; i-- > 0 && !p->stop && !hurried(p, begun);) {
		const struct forge_pull *pull = &list->items[i];
		struct memo *m = memo_get(p, pull->number, false);

		if (!m || !m->open || !is_due(n, m, pull) || known != str_eq(m->head, pull->head_sha))
			continue;
		rc = one_open(p, n, m, pull, e);
		p->stayed += rc > 0;
		if (rc > 0) /* kept when the turn ends: hundreds of them are one write */
			continue;
		if ((rc = aside(p, m, rc, e)) < 0 || (rc = memory_store(p, e)) < 0)
			return rc;
	}
	return 0;
}

static int
open_ones(struct pulls *p, const struct now *n, const struct forge_pulls *list, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct log_about a = about(p);
	int64_t begun = clock_mono_ms();
	int rc;

	for (size_t i = 0; i < list->n; i++) {
		const struct forge_pull *pull = &list->items[i];
		struct memo *m;

		if (!str_eq(pull->base_ref, p->c.branch) || !*pull->head_sha)
			continue;
		m = memo_get(p, pull->number, true);
		m->open = true;
		m->merged[0] = '\0'; /* opened again */
	}
	if ((rc = fetch_heads(p, n, list, mem, e)) < 0)
		return rc;
	for (int known = 0; known < 2; known++)
		if ((rc = look_at_those(p, n, list, known, begun, e)) < 0)
			return rc;
	if (p->stayed)
		log_line(LOG_INFO, &a, "%s is at %.7s: %zu pull request%s as %s", p->c.branch, n->main_hex, p->stayed, p->stayed == 1 ? " is" : "s are",
		         p->stayed == 1 ? "it was" : "they were");
	return 0;
}

/* -- those that are not open any more ------------------------------------------------------------------------------------------------------- */

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
	memcpy(m->merged, pull.merge_sha, sizeof(m->merged));
	m->since = clock_now();
	m->again = 0;
	m->refused = 0;
	p->dirty = true;
	return 0;
}

static int
merged_ones(struct pulls *p, const struct now *n, bool more, struct err *e)
{
	size_t open = 0, merged = 0;
	void *v;
	int rc;

	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v) && !p->stop;) {
		struct memo *m = v;
		int64_t number = m->number;

		if (m->open || (more && !*m->merged && clock_mono_ms() < m->again)) {
			m->open = false;
			open++;
			continue;
		}
		if (!*m->merged && ((rc = aside(p, m, closed(p, m, e), e)) < 0))
			return rc;
		m = memo_get(p, number, false);
		if (m && !*m->merged && more && m->again < clock_mono_ms() + MISSED_MS)
			m->again = clock_mono_ms() + MISSED_MS; /* open, and left out of the list */
		if (!m || !*m->merged)
			continue;
		merged++;
		if (m->refused && clock_mono_ms() < m->again)
			continue;
		rc = result_of(p, n, m, e);
		if (rc == 0)
			m->refused = 0;
		if (rc > 0) {
			memo_drop(p, m);
			merged--;
		} else if ((rc = aside(p, m, rc, e)) < 0) {
			return rc;
		}
	}
	(void)pthread_mutex_lock(&p->lock);
	p->counts.open = open;
	p->counts.merged = merged;
	(void)pthread_mutex_unlock(&p->lock);
	return memory_store(p, e);
}

/* -- a turn ------------------------------------------------------------------------------------------------------------------------------------ */

static int
one_turn(struct pulls *p, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 30);
	const struct forge_pulls *list;
	struct now n;
	void *v;
	int rc;

	p->unfinished = false;
	p->stayed = 0;
	if (!p->loaded)
		memory_load(p);
	p->loaded = true;
	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v);)
		((struct memo *)v)->open = false;
	if ((rc = now_begin(p, mem, &n, e)) < 0)
		return rc == ERR_NOTFOUND ? 0 : rc; /* no main yet */
	if ((rc = forge_pulls(p->forge, &list, e)) == 0 && (rc = open_ones(p, &n, list, e)) == 0)
		rc = merged_ones(p, &n, list->more || list->skipped, e);
	now_end(&n);
	return rc;
}

/* After a good turn: the usual time, or sooner for what was left out. */
static int64_t
next_look(const struct pulls *p)
{
	int64_t now = clock_mono_ms(), ms = p->unfinished ? 0 : p->c.interval_ms;
	void *v;

	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v);) {
		const struct memo *m = v;

		if (m->again > now && m->again - now < ms)
			ms = m->again - now;
	}
	return ms;
}

/* Says the same trouble once, and when it is over. Returns how long to wait. */
static int64_t
after(struct pulls *p, int rc, const struct err *e)
{
	struct log_about a = about(p);
	int64_t ms = clock_backoff(FIRST_MS, p->failures, MOST_MS), limit = forge_limit_ms(p->forge);

	(void)pthread_mutex_lock(&p->lock);
	p->counts.turns++;
	p->counts.failed += rc < 0 && rc != ERR_CANCELLED;
	p->counts.looks = p->looks;
	p->counts.forge = forge_counts(p->forge);
	(void)pthread_mutex_unlock(&p->lock);
	if (rc >= 0 || rc == ERR_CANCELLED) {
		if (p->failures)
			log_line(LOG_INFO, &a, "the forge answers again");
		else if (rc >= 0 && p->counts.turns == 1)
			log_line(LOG_INFO, &a, "pull requests of %s %s are looked at", forge_kind_name(p->c.forge.kind), p->c.forge.repo);
		p->failures = 0;
		p->last_error[0] = '\0';
		return next_look(p);
	}
	if (strcmp(p->last_error, e->text) != 0 && !(limit && p->failures))
		log_err(LOG_WARN, &a, e);
	(void)snprintf(p->last_error, sizeof(p->last_error), "%s", e->text);
	p->failures += p->failures < 20;
	return limit > ms ? limit : ms;
}

/* -- the thread ---------------------------------------------------------------------------------------------------------------------------------- */

/* Until poked, but LOOK_MS at least after trouble or a turn; false: told to stop. */
static bool
wait_for(struct pulls *p, int64_t ms, bool deaf)
{
	struct timespec until;
	int64_t end;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	end = (int64_t)until.tv_sec * 1000 + until.tv_nsec / 1000000 + ms;
	until = (struct timespec){ .tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000 };
	(void)pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		if (!deaf && !p->may)
			(void)pthread_cond_wait(&p->cond, &p->lock);
		else if ((!deaf && p->poked) || pthread_cond_timedwait(&p->cond, &p->lock, &until) != 0)
			break;
	}
	if (!deaf)
		p->poked = false;
	(void)pthread_mutex_unlock(&p->lock);
	return !p->stop;
}

static void *
run(void *ctx)
{
	struct pulls *p = ctx;
	int64_t ms = 0;

	while (wait_for(p, ms, false)) {
		struct err e = { 0 };
		int rc;

		tell_rights(p);
		rc = one_turn(p, &e);

		ms = after(p, rc, &e);
		/* several hooks are one look; and after trouble nobody's poke makes it come sooner */
		if (!wait_for(p, rc < 0 ? ms : LOOK_MS, true))
			break;
		ms = rc < 0 ? 0 : ms;
	}
	return NULL;
}

/* -- from outside ----------------------------------------------------------------------------------------------------------------------------------- */

static const char *
copy(struct pulls *p, const char *s)
{
	return s ? arena_strdup(p->mem, s) : NULL;
}

static void
take(struct pulls *p, const struct pulls_config *c)
{
	p->c = *c;
	p->c.git_dir = copy(p, c->git_dir);
	p->c.url = copy(p, c->url);
	p->c.auth.token_file = copy(p, c->auth.token_file);
	p->c.auth.username = copy(p, c->auth.username);
	p->c.auth.ssh_key_file = copy(p, c->auth.ssh_key_file);
	p->c.branch = copy(p, c->branch);
	p->c.main_ref = copy(p, c->main_ref);
	p->c.status_ref = copy(p, c->status_ref);
	p->c.state_dir = copy(p, c->state_dir);
	p->c.run = copy(p, c->run);
	p->c.forge.api = copy(p, c->forge.api);
	p->c.forge.repo = copy(p, c->forge.repo);
	p->c.forge.token_file = copy(p, c->forge.token_file);
	p->c.forge.login = copy(p, c->forge.login);
	p->c.forge.cancel = &p->stop;
	p->file = arena_printf(p->mem, "%s/pulls", c->state_dir);
	p->proof_file = arena_printf(p->mem, "%s/proof", c->state_dir);
}

static void
release(struct pulls *p)
{
	memory_free(p);
	drift_free(&p->drift);
	judge_free(p->judge);
	sides_free(p->sides);
	git_close(p->git);
	forge_close(p->forge);
	(void)pthread_cond_destroy(&p->cond);
	(void)pthread_mutex_destroy(&p->lock);
	arena_free(p->mem);
	free(p);
}

int
pulls_start(const struct pulls_config *c, struct pulls **out, struct err *e)
{
	struct pulls *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;
	int rc;

	if (!p)
		abort();
	p->mem = arena_new(1 << 20);
	take(p, c);
	if (pthread_mutex_init(&p->lock, NULL) || pthread_condattr_init(&attr) || pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) ||
	    pthread_cond_init(&p->cond, &attr))
		abort();
	(void)pthread_condattr_destroy(&attr);
	if ((rc = forge_open(&p->c.forge, &p->forge, e)) < 0 || (rc = git_open(p->c.git_dir, &p->git, e)) < 0 ||
	    (rc = sides_new(&p->sides, e)) < 0) {
		release(p);
		return rc;
	}
	git_keep_blobs(p->git, BLOBS_KEPT);
	p->judge = judge_new(p->git);
	if (pthread_create(&p->thread, NULL, run, p) != 0) {
		release(p);
		return err_set(e, ERR_UNAVAILABLE, "no thread for pull requests can be started");
	}
	*out = p;
	return 0;
}

void
pulls_poke(struct pulls *p)
{
	if (!p)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->poked = true;
	(void)pthread_cond_signal(&p->cond);
	(void)pthread_mutex_unlock(&p->lock);
}

void
pulls_allow(struct pulls *p, bool may)
{
	if (!p)
		return;
	(void)pthread_mutex_lock(&p->lock);
	if (may && !p->may)
		p->poked = true;
	p->may = may;
	(void)pthread_cond_signal(&p->cond);
	(void)pthread_mutex_unlock(&p->lock);
}

void
pulls_stop(struct pulls *p)
{
	if (!p)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->stop = true;
	(void)pthread_cond_signal(&p->cond);
	(void)pthread_mutex_unlock(&p->lock);
	(void)pthread_join(p->thread, NULL);
	release(p);
}

struct pulls_counts
pulls_counts(struct pulls *p)
{
	struct pulls_counts c;

	(void)pthread_mutex_lock(&p->lock);
	c = p->counts;
	(void)pthread_mutex_unlock(&p->lock);
	return c;
}
