/* SPDX-License-Identifier: Apache-2.0 */
/* What reviews say of one head, and of which change: the last word of each login. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/git/clone.h"
#include "pulls/priv.h"

/* -- the last word ------------------------------------------------------------------------------------------------------------------------ */

enum word { NO_WORD, YES, AGAINST };

struct last {
	struct review_voice voice;
	enum word word;
};

struct fold {
	struct last *items;
	size_t n;
	struct map by_login; /* -> index + 1 */
};

static struct last *
last_of(struct fold *f, const char *login)
{
	uintptr_t at = (uintptr_t)map_get(&f->by_login, login);

	if (!at) {
		f->items[f->n] = (struct last){ .voice.login = login };
		at = ++f->n;
		(void)map_put(&f->by_login, login, (void *)at);
	}
	return &f->items[at - 1];
}

/*
 * A comment is no opinion. One that was dismissed, or is of another head, ends what the same login said before. Who asked for changes does so until they
 * approve, or somebody dismisses it: a push does not make it good.
 */
static void
take(struct fold *f, const struct forge_review *r, bool head)
{
	struct last *l;

	if (!*r->user || (r->state == FORGE_COMMENTED && !r->dismissed))
		return;
	l = last_of(f, r->user);
	l->voice.id = r->id;
	l->voice.at = r->submitted;
	l->voice.against = r->state == FORGE_CHANGES;
	l->word = r->dismissed ? NO_WORD : r->state == FORGE_CHANGES ? AGAINST : head && !r->stale ? YES : NO_WORD;
}

/*
 * Some digits are no proof of which commit was meant: two that begin alike are found in seconds, one to be looked at and one to be pushed behind the comment. So
 * it has to be younger than the head.
 */
static void
take_spoken(struct fold *f, const struct spoken *s, const char *head, int64_t pushed)
{
	struct last *l;

	if (!*s->login || strlen(s->sha) < COMMAND_SHA || !str_starts(head, s->sha) || !pushed || s->at <= pushed)
		return;
	l = last_of(f, s->login);
	if (l->word == AGAINST)
		return;
	l->voice.id = s->id;
	l->voice.at = s->at;
	l->word = YES;
}

static int
by_login(const void *a, const void *b)
{
	return strcmp(((const struct review_voice *)a)->login, ((const struct review_voice *)b)->login);
}

void
reviews_fold(enum forge_kind kind, const char *head, const struct forge_reviews *r, const struct spoken *spoken, size_t nspoken, struct arena *mem,
             struct review_voice **out, size_t *n)
{
	struct fold f = { .items = arena_array(mem, r->n + nspoken + 1, sizeof(*f.items)) };
	bool lab = kind == FORGE_GITLAB;

	for (size_t i = 0; i < r->n; i++)
		take(&f, &r->items[i], str_eq(head, lab ? r->head_sha : r->items[i].sha));
	for (size_t i = 0; i < nspoken && (!lab || str_eq(head, r->head_sha)); i++)
		take_spoken(&f, &spoken[i], head, r->head_at);
	*out = arena_array(mem, f.n + 1, sizeof(**out));
	*n = 0;
	for (size_t i = 0; i < f.n && *n < REVIEW_VOICES_MAX; i++) /* reviews come first: none that is against is left out */
		if (f.items[i].word != NO_WORD)
			(*out)[(*n)++] = f.items[i].voice;
	qsort(*out, *n, sizeof(**out), by_login);
	map_free(&f.by_login);
}

/* -- of what ------------------------------------------------------------------------------------------------------------------------------- */

/*
 * A merge, a squash and rebased commits have main as it was before them as their first parent; where that and the head parted the change begins. A head
 * that is main's tip itself (fast-forward) has no such parent: there the forge says where it began.
 */
static int
parted(struct pulls *p, const struct memo *m, const struct oid *merged, struct oid *fork, struct err *e)
{
	char before[OID_HEX];
	struct oid tree, parent;
	int rc;

	if (str_eq(m->merged, m->head))
		return *m->base ? git_fork_point(p->git, m->base, m->head, fork, e) : err_set(e, ERR_NOTFOUND, "the forge does not say where it began");
	if ((rc = git_commit_shape(p->git, merged, &tree, &parent, e)) < 0)
		return rc;
	oid_hex(&parent, before);
	return git_fork_point(p->git, before, m->head, fork, e);
}

int
merged_change(struct pulls *p, const struct memo *m, struct arena *mem, struct changeset *out, struct oid *fork, struct err *e)
{
	struct oid merged, head, from, to;
	int rc;

	if ((rc = git_rev_parse(p->git, m->merged, &merged, e)) < 0 || (rc = git_rev_parse(p->git, m->head, &head, e)) < 0 ||
	    (rc = parted(p, m, &merged, fork, e)) < 0 || (rc = tree_of(p, fork, mem, &from, e)) < 0 || (rc = tree_of(p, &head, mem, &to, e)) < 0)
		return rc;
	return changeset_between(p->git, &from, &to, mem, out, e);
}

bool
commit_waits(struct pulls *p, const struct now *n, const char *hex)
{
	struct oid id;

	if (n->mode != APPROVAL_FORGE)
		return false;
	if (!n->proof || git_rev_parse(p->git, hex, &id, NULL) < 0 || git_is_ancestor(p->git, &id, &n->proof->commit, NULL) != 1)
		return true; /* not judged yet */
	return proof_is_open(n->proof, &id);
}

/* -- the file ---------------------------------------------------------------------------------------------------------------------------------- */

void
reviews_take(struct pulls *p)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)512 << 20);
	struct review *list;
	char hex[OID_HEX];
	size_t n;

	if (reviews_load(p->reviews_file, mem, &list, &n, NULL) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		struct memo *m = memo_get(p, list[i].pull, false);
		struct buf AUTO_BUF text = BUF_INIT(REVIEW_MAX);

		oid_hex(&list[i].merged, hex);
		if (!m || m->review || !str_eq(m->merged, hex))
			continue;
		review_write(&list[i], &text);
		m->mem = arena_new((size_t)64 << 20);
		m->review = arena_alloc(m->mem, sizeof(*m->review));
		if (review_read(buf_cstr(&text), text.len, m->mem, m->review, NULL) < 0)
			m->review = NULL;
	}
}

static int
by_time(const void *x, const void *y)
{
	const struct memo *a = *(const struct memo *const *)x, *b = *(const struct memo *const *)y;

	if (a->since != b->since)
		return a->since < b->since ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* The loop that judges sleeps until a branch moves, and none did. */
static void
tell_loop(struct pulls *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->news = true;
	(void)pthread_mutex_unlock(&p->lock);
	while (p->c.wake_fd >= 0 && write(p->c.wake_fd, "r", 1) < 0 && errno == EINTR)
		; /* a full pipe wakes it as well */
}

int
reviews_keep(struct pulls *p, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	const struct memo **memos = arena_array(mem, p->memos.live + 1, sizeof(const struct memo *));
	struct review *list = arena_array(mem, p->memos.live + 1, sizeof(*list));
	size_t n = 0;
	void *v;
	int rc;

	if (!p->reviews_moved)
		return 0;
	for (size_t i = 0; map_next(&p->memos, &i, NULL, &v);)
		if (((struct memo *)v)->review && *((struct memo *)v)->merged)
			memos[n++] = v;
	qsort(memos, n, sizeof(const struct memo *), by_time);
	for (size_t i = 0; i < n; i++)
		list[i] = *memos[i]->review;
	rc = reviews_store(p->reviews_file, list, n, e);
	p->reviews_moved = rc < 0;
	if (rc == 0)
		tell_loop(p);
	return rc;
}
