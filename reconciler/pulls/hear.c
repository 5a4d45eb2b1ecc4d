/* SPDX-License-Identifier: Apache-2.0 */
/* What people say of a pull request: asked for when something of it moved, and kept. */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "pulls/priv.h"

#define SETTLE_MS 1500      /* the forge's times are whole seconds: what is said in the second of the last question is found by one more … */
#define RECENT_S 120        /* … unless that second is over by any clock */
#define HEAR_ARENA ((size_t)64 << 20)
#define AGAIN_MS 2000       /* between questions after a merged one: doubled up to … */
#define AGAIN_MOST_MS 300000
#define POKED_MS 2000       /* … but a hook makes it sooner */

/* -- comments ------------------------------------------------------------------------------------------------------------------------------- */

struct listening {
	struct pulls *p;
	struct now *n;          /* NULL: commands are not wanted */
	struct memo *m;         /* its own comment is looked for; NULL: it is not */
	const char *me;
	struct arena *mem;
	struct spoken *spoken;
	size_t nspoken, cap;
	int64_t id, at;         /* of the newest command */
	const char *login;
	struct command command;
};

static void
take_spoken(struct listening *l, const struct forge_comment *c, const struct command *said)
{
	if (l->p->c.forge.kind != FORGE_GITLAB || said->kind != COMMAND_APPROVE || !*said->sha)
		return;
	if (l->nspoken == l->cap) {
		l->spoken = arena_regrow(l->mem, l->spoken, l->cap, l->cap ? 2 * l->cap : 16, sizeof(*l->spoken));
		l->cap = l->cap ? 2 * l->cap : 16;
	}
	l->spoken[l->nspoken++] = (struct spoken){ .login = arena_strdup(l->mem, c->author), .sha = arena_strdup(l->mem, said->sha), .id = c->id,
		.at = c->created };
}

/* Of who is no user of this repository nothing is heard: on a public one everybody may comment. */
static bool
is_user(struct pulls *p, struct now *n, const char *login)
{
	const struct approval_rules *rules = now_rules(p, n);

	return rules && approval_account(rules, login);
}

static bool
listen(void *ctx, const struct forge_comment *c)
{
	struct listening *l = ctx;
	struct command said;

	if (l->m)
		say_found(l->m, l->me, c);
	if (c->edited || !*c->author || str_eq(c->author, l->me))
		return true;
	command_read(c->body, &said);
	if (said.kind == COMMAND_NONE)
		return true;
	take_spoken(l, c, &said);
	if (!l->n || !is_user(l->p, l->n, c->author))
		return true;
	l->id = c->id;
	l->at = c->created;
	l->login = arena_strdup(l->mem, c->author);
	l->command = said;
	return true;
}

static int
listen_to(struct listening *l, int64_t number, struct err *e)
{
	int rc = forge_whoami(l->p->forge, &l->me, e);

	return rc < 0 ? rc : forge_comments(l->p->forge, number, listen, l, e);
}

/* -- reviews -------------------------------------------------------------------------------------------------------------------------------- */

static void
digest_review(const struct review *r, char out[DIGEST_HEX])
{
	struct hash_state h;
	struct digest d;

	hash_init(&h);
	hash_field(&h, r->head.b, sizeof(r->head.b));
	hash_field(&h, r->merged.b, sizeof(r->merged.b));
	hash_field_str(&h, r->author);
	hash_field_str(&h, r->merged_by);
	for (size_t i = 0; i < r->nvoices; i++) {
		int64_t numbers[] = { r->voices[i].id, r->voices[i].at, r->voices[i].against };

		hash_field_str(&h, r->voices[i].login);
		hash_field(&h, numbers, sizeof(numbers));
	}
	hash_field(&h, &r->changes.digest, sizeof(r->changes.digest));
	hash_final(&h, &d);
	digest_hex(&d, out);
}

/* The memo has this one now, with the memory it is in. */
static void
keep(struct memo *m, struct arena *mem, struct review *r)
{
	arena_free(m->mem);
	m->mem = mem;
	m->review = r;
	digest_review(r, m->opinion);
}

/* Does anything of it depend on what else happened to it? */
static bool
speaks(const struct review *r, const struct forge_reviews *said)
{
	bool any = *r->author && str_eq(r->author, r->merged_by);

	for (size_t i = 0; i < said->n && !any; i++)
		any = said->items[i].state == FORGE_APPROVED && !said->items[i].stale && !said->items[i].dismissed;
	return any;
}

/*
 * What was said before it was pointed at another branch was said of another change: the head may bring all of that branch along. And whom the forge merged it for
 * need not have seen the head that it merged.
 */
static void
narrow(struct review *r, struct forge_reviews *said, const struct forge_course *course)
{
	for (size_t i = 0; i < said->n; i++)
		said->items[i].stale |= course->retargeted && said->items[i].submitted <= course->retargeted;
	if (course->scheduled)
		r->merged_by = "";
}

static int
ask(struct pulls *p, struct memo *m, const char *head, const struct listening *l, struct arena *mem, struct review *r, struct err *e)
{
	struct forge_course course;
	struct forge_reviews said;
	int rc = forge_reviews(p->forge, m->number, mem, &said, e);

	if (rc == 0 && speaks(r, &said) && (rc = forge_course(p->forge, m->number, &course, e)) == 0)
		narrow(r, &said, &course);
	if (rc < 0)
		return rc;
	reviews_fold(p->c.forge.kind, head, &said, l->spoken, l->nspoken, mem, &r->voices, &r->nvoices);
	return 0;
}

/* -- open ones ------------------------------------------------------------------------------------------------------------------------------- */

static bool
hear_due(const struct now *n, const struct memo *m, const struct forge_pull *pull)
{
	if (clock_mono_ms() < m->again)
		return false;
	if (!str_eq(m->asked_head, pull->head_sha) || (n->mode == APPROVAL_FORGE && !m->review && memo_due(n, m, pull)))
		return true;
	if (m->hear_at)
		return clock_mono_ms() >= m->hear_at || pull->updated != m->asking;
	return pull->updated != m->asked;
}

static void
heard(struct pulls *p, struct memo *m, const struct forge_pull *pull)
{
	bool again = m->hear_at && pull->updated == m->asking && str_eq(m->asked_head, pull->head_sha);

	if (again || !pull->updated || clock_now() > pull->updated + RECENT_S) {
		m->hear_at = 0;
		m->asked = pull->updated;
		p->dirty = true;
	} else {
		m->asking = pull->updated;
		m->hear_at = clock_mono_ms() + SETTLE_MS;
	}
	(void)snprintf(m->asked_head, sizeof(m->asked_head), "%s", pull->head_sha);
}

static int
hear_reviews(struct pulls *p, const struct now *n, struct memo *m, const struct forge_pull *pull, const struct listening *l, struct err *e)
{
	struct arena *mem;
	struct review *r;
	int rc;

	if (n->mode != APPROVAL_FORGE)
		return 0;
	mem = arena_new(HEAR_ARENA);
	r = arena_alloc(mem, sizeof(*r));
	*r = (struct review){ .pull = m->number, .author = arena_strdup(mem, pull->author), .merged_by = "" };
	if ((rc = ask(p, m, pull->head_sha, l, mem, r, e)) < 0) {
		arena_free(mem);
		return rc;
	}
	keep(m, mem, r);
	return 0;
}

int
hear(struct pulls *p, struct now *n, struct memo *m, const struct forge_pull *pull, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(HEAR_ARENA);
	struct listening l = { .p = p, .n = n, .m = m->comment || m->searched ? NULL : m, .mem = mem };
	int rc;

	if (!hear_due(n, m, pull))
		return 0;
	if ((rc = listen_to(&l, m->number, e)) < 0 || (rc = hear_reviews(p, n, m, pull, &l, e)) < 0)
		return rc;
	m->searched |= l.m != NULL;
	if (l.id && l.id != m->command) {
		m->command = l.id;
		memo_text(&m->reply, command_answer(p, n, pull, l.login, l.at, &l.command, mem));
		m->look = true;
	}
	heard(p, m, pull);
	return 0;
}

int64_t
hear_at(const struct memo *m)
{
	return m->hear_at ? m->hear_at : INT64_MAX;
}

/* -- merged ones ------------------------------------------------------------------------------------------------------------------------------- */

static bool
merged_due(struct pulls *p, struct memo *m)
{
	int64_t now = clock_mono_ms();

	/* a hook right behind a question may be of what that one came too early for */
	if (p->was_poked && m->asked_at && m->hear_at > m->asked_at + POKED_MS)
		m->hear_at = m->asked_at + POKED_MS;
	if (now < m->again && m->refused)
		return false;
	return !m->asked_at || now >= m->hear_at;
}

static int
read_merged(struct pulls *p, struct memo *m, struct arena *mem, struct review *r, struct err *e)
{
	struct listening l = { .p = p, .mem = mem };
	struct oid fork;
	int rc;

	*r = (struct review){ .pull = m->number, .author = arena_strdup(mem, m->author ? m->author : ""),
		.merged_by = arena_strdup(mem, m->merged_by ? m->merged_by : "") };
	if ((rc = merged_change(p, m, mem, &r->changes, &fork, e)) < 0 || (rc = git_rev_parse(p->git, m->head, &r->head, e)) < 0 ||
	    (rc = git_rev_parse(p->git, m->merged, &r->merged, e)) < 0)
		return rc;
	if (p->c.forge.kind == FORGE_GITLAB && (rc = listen_to(&l, m->number, e)) < 0)
		return rc;
	return ask(p, m, m->head, &l, mem, r, e);
}

int
hear_merged(struct pulls *p, const struct now *n, struct memo *m, struct err *e)
{
	char was[DIGEST_HEX];
	struct arena *mem;
	struct review *r;
	int rc;

	if (!commit_waits(p, n, m->merged) || !merged_due(p, m))
		return 0;
	if (!p->budget) {
		p->unfinished = true;
		return 0;
	}
	p->budget--;
	mem = arena_new(HEAR_ARENA);
	r = arena_alloc(mem, sizeof(*r));
	if ((rc = read_merged(p, m, mem, r, e)) < 0) {
		arena_free(mem);
		return rc;
	}
	(void)snprintf(was, sizeof(was), "%s", m->opinion);
	keep(m, mem, r);
	m->asks = str_eq(was, m->opinion) ? m->asks + (m->asks < 20) : 0;
	p->reviews_moved |= !str_eq(was, m->opinion);
	m->asked_at = clock_mono_ms();
	m->hear_at = m->asked_at + clock_backoff(AGAIN_MS, m->asks, AGAIN_MOST_MS);
	return 0;
}
