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
#define ASK_MAX 20           /* questions after merged ones in one turn */
#define LOOK_MS 1000         /* between two turns, however often somebody pokes */
#define ONE_ARENA ((size_t)1 << 30)  /* of one pull request: two trees of ten thousand environments */
#define BLOBS_KEPT ((size_t)16 << 20) /* of main: one pull request after the other is planned on the same documents */
#define LONG_MS 5000         /* a turn that has taken so long ends when somebody pokes: what is new comes first */
#define MISSING_MS 500       /* a head that the list has and git does not yet: doubled up to a minute */
#define REFUSED_MS 60000     /* after a refusal that concerns one pull request alone: doubled up to an hour */

/* -- one pull request --------------------------------------------------------------------------------------------------------------------- */

static void
tell_log(struct pulls *p, const struct forge_pull *pull, const struct looked *l)
{
	struct log_about a = pulls_about(p);
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

/* A change that cannot be planned at all: too many files, or no history in common with main. An older plan must not stand there as if it were its. */
static int
say_none(struct pulls *p, const struct now *n, struct memo *m, const struct forge_pull *pull, const struct err *why, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);
	struct forge_status s = { .context = "berth/plan", .state = FORGE_FAILURE, .description = why->text };
	struct buf AUTO_BUF body = BUF_INIT(1 << 20);
	int rc = say_status(p, m, pull->head_sha, CONTEXT_PLAN, &s, e);

	if (rc < 0)
		return rc;
	look_none(p, n, m, pull, why->text, mem, &body);
	return say_comment(p, m, &body, e);
}

static void
remember(struct pulls *p, const struct now *n, struct memo *m, const struct forge_pull *pull, const struct answer *a)
{
	m->answer = *a;
	m->answer.tree = n->main_tree;
	(void)snprintf(m->head, sizeof(m->head), "%s", pull->head_sha);
	(void)snprintf(m->main, sizeof(m->main), "%s", n->main_hex);
	(void)snprintf(m->voices, sizeof(m->voices), "%s", n->voices);
	(void)snprintf(m->heard, sizeof(m->heard), "%s", m->opinion);
	m->look = false;
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

	if (!head_here(p, pull->head_sha)) { /* pushed just now, or a fork that is gone */
		memo_later(m, MISSING_MS, 60000);
		return 0;
	}
	if (answer_stays(p, n, m, pull, mem)) {
		remember(p, n, m, pull, &m->answer);
		return 1;
	}
	m->answer = (struct answer){ .waits = false }; /* nothing is known until all of it is said */
	p->looks++;
	rc = look_at(p, n, m, pull, mem, &l, &why);
	if (rc == ERR_INVALID || rc == ERR_NOTFOUND) {
		rc = say_none(p, n, m, pull, &why, e);
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

struct log_about
pulls_about(const struct pulls *p)
{
	return (struct log_about){ .run = p->c.run, .stage = "forge" };
}

int
pulls_aside(struct pulls *p, struct memo *m, int rc, struct err *e)
{
	struct log_about a = pulls_about(p);

	if (rc == ERR_UNAVAILABLE && !forge_limit_ms(p->forge))
		memo_later(m, 2 * FIRST_MS, MOST_MS); /* a forge that fails over this one alone: the next turn does without it */
	if (rc >= 0 || rc == ERR_UNAVAILABLE || rc == ERR_CANCELLED)
		return rc;
	memo_later(m, REFUSED_MS, 3600000);
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

/* What people say of it, then what berth says to that. 1: it has nothing to say. */
static int
hear_and_look(struct pulls *p, struct now *n, struct memo *m, const struct forge_pull *pull, struct err *e)
{
	struct err why = { 0 };
	int heard = hear(p, n, m, pull, &why), rc = 0;

	if (heard != ERR_CANCELLED && memo_due(n, m, pull))
		rc = one_open(p, n, m, pull, e);
	if (rc < 0 || heard == 0)
		return rc;
	*e = why; /* what nobody could hear holds up no check, and is tried again */
	return heard;
}

/* Those whose head has been looked at, or the others: somebody waits for these. The newest first. */
static int
look_at_those(struct pulls *p, struct now *n, const struct forge_pulls *list, bool known, int64_t begun, struct err *e)
{
	int rc;

	for (size_t i = list->n; i-- > 0 && !p->stop && !hurried(p, begun);) {
		const struct forge_pull *pull = &list->items[i];
		struct memo *m = memo_get(p, pull->number, false);

		if (!m || !m->open || *m->merged || known != str_eq(m->head, pull->head_sha))
			continue;
		rc = hear_and_look(p, n, m, pull, e);
		p->stayed += rc > 0;
		if (rc > 0) /* kept when the turn ends: hundreds of them are one write */
			continue;
		if ((rc = pulls_aside(p, m, rc, e)) < 0 || (rc = memory_store(p, e)) < 0)
			return rc;
	}
	return 0;
}

static void
mark_open(struct pulls *p, const struct forge_pulls *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct forge_pull *pull = &list->items[i];
		struct memo *m;

		if (!str_eq(pull->base_ref, p->c.branch) || !*pull->head_sha)
			continue;
		m = memo_get(p, pull->number, true);
		m->open = true;
		m->fork = pull->fork;
		m->merged[0] = '\0'; /* opened again */
	}
}

static int
open_ones(struct pulls *p, struct now *n, const struct forge_pulls *list, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct log_about a = pulls_about(p);
	int64_t begun = clock_mono_ms();
	int rc;

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
	p->budget = ASK_MAX;
	if (!p->loaded) {
		memory_load(p);
		reviews_take(p);
	}
	p->loaded = true;
	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v);)
		((struct memo *)v)->open = false;
	if ((rc = now_begin(p, mem, &n, e)) < 0)
		return rc == ERR_NOTFOUND ? 0 : rc; /* no main yet */
	/* merged ones are found first: what was approved waits for nothing that is merely said */
	if ((rc = forge_pulls(p->forge, &list, e)) == 0) {
		mark_open(p, list);
		if ((rc = merged_find(p, &n, list->more || list->skipped, e)) == 0 && (rc = open_ones(p, &n, list, e)) == 0)
			rc = merged_tell(p, &n, e);
	}
	now_end(&n);
	return rc;
}

/* After a good turn: the usual time, or sooner for what was left out. */
static int64_t
next_look(const struct pulls *p)
{
	int64_t now = clock_mono_ms(), ms = p->unfinished ? 0 : p->c.interval_ms, first = unseen_at(p);
	void *v;

	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v);) {
		const struct memo *m = v;

		if (m->again > now && m->again - now < ms)
			ms = m->again - now;
		if (hear_at(m) > now && hear_at(m) - now < ms)
			ms = hear_at(m) - now;
	}
	return first > now && first - now < ms ? first - now : ms;
}

/* Says the same trouble once, and when it is over. Returns how long to wait. */
static int64_t
after(struct pulls *p, int rc, const struct err *e)
{
	struct log_about a = pulls_about(p);
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
	if (!deaf) {
		p->was_poked = p->poked;
		p->poked = false;
	}
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
	p->reviews_file = arena_printf(p->mem, "%s/" REVIEWS_FILE, c->state_dir);
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

bool
pulls_news(struct pulls *p)
{
	bool news;

	if (!p)
		return false;
	(void)pthread_mutex_lock(&p->lock);
	news = p->news;
	p->news = false;
	(void)pthread_mutex_unlock(&p->lock);
	return news;
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
