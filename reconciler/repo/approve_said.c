/* SPDX-License-Identifier: Apache-2.0 */
/* Who said yes to one change: signed commits, detached approvals, reviews of a forge. */
#include "repo/approve_priv.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "repo/review.h"

/* -- signed commits -------------------------------------------------------------------------------------------------------------- */

/* When somebody was last heard of. */
static void
alive(struct run *r, int64_t when)
{
	r->t->heartbeat = when > r->t->heartbeat ? when : r->t->heartbeat;
}

void
approve_voice_of(struct run *r, const struct unit *u, struct said *s)
{
	const char *who, *reason;

	arena_reset(r->tiny); /* a commit may be large, and many may be looked at for one change */
	who = voice_of_commit(&r->voices, r->a->git, &u->c.id, u->seen, r->tiny);
	if (!who)
		return;
	said_signed(s, who, u->seen);
	alive(r, u->seen);
	/* the trailer of somebody else's text, in a change that was squashed, is nobody's emergency */
	if (!str_eq(r->a->judge->person(r->a->judge->ctx, u->c.author_email), who))
		return;
	reason = git_trailer(r->scratch, u->c.message, APPROVE_BREAK_GLASS);
	if (reason && *reason) {
		s->emergency = who;
		s->reason = reason;
	}
}

/* -- detached approvals ---------------------------------------------------------------------------------------------------------- */

bool
approve_same(const struct evidence *v, const struct digest *changes)
{
	return memcmp(&v->approval.changes.digest, changes, sizeof(*changes)) == 0;
}

int64_t
approve_seen(struct run *r, const struct evidence *v)
{
	char id[DIGEST_HEX];

	evidence_id(v, id);
	return proof_seen(r->t, id, r->a->now);
}

/* A review is of a merge, and only for the commit that it made: the same content that somebody pushes is nobody's review. */
static bool
review_is_of(struct run *r, const struct review *w, const struct oid *commit)
{
	if (!r->a->judge->reviews(r->a->judge->ctx))
		return false;
	if (r->open_head)
		return oid_zero(&w->merged) && oid_eq(&w->head, r->open_head);
	if (oid_zero(&w->merged))
		return false;
	return commit ? oid_eq(&w->merged, commit) : proof_is_open(r->t, &w->merged);
}

/* Nothing is remembered for keys that are nobody's: there is no end of them. */
bool
approve_counts(struct run *r, const struct evidence *v, const struct oid *commit)
{
	char key[EVIDENCE_KEY];

	evidence_key(v, key);
	if (proof_used(r->t, key))
		return false;
	return v->review ? review_is_of(r, v->review, commit) : voice_is_listed(&r->voices, &v->sig.key, r->scratch);
}

/* A detached approval counts when it was not late and its key may. */
static void
detached(struct run *r, const struct evidence *v, int64_t first, struct said *s)
{
	const char *who = first > v->approval.expires ? NULL : voice_of_key(&r->voices, &v->sig.key, APPROVAL_NAMESPACE, first, r->scratch);

	if (!who)
		return;
	alive(r, first);
	said_signed(s, who, first);
	said_evidence(s, v);
}

/* -- reviews ------------------------------------------------------------------------------------------------------------------------ */

static void
opened(struct run *r, const char *login, struct said *s)
{
	const char *who = *login ? r->a->judge->account(r->a->judge->ctx, login) : NULL;

	if (who)
		said_author(s, who);
	else
		s->author_unknown = true;
}

/*
 * What was squashed or rebased names not everybody who wrote it, the head does. Where history is proved again it may be gone, which is no
 * reason to doubt what counted then.
 */
static int
head_authors(struct run *r, const struct review *w, struct said *s, struct err *e)
{
	struct oid tree, parent;

	if (r->open_head || (r->a->seen && git_commit_shape(r->a->git, &w->head, &tree, &parent, NULL) < 0))
		return 0;
	return approve_side_authors(r, &w->merged, &w->head, s, e);
}

static const char *
how(struct arena *mem, const struct review *w, const struct review_voice *v)
{
	return v->id ? arena_printf(mem, "review %" PRId64 " of pull request %" PRId64, v->id, w->pull)
	             : arena_printf(mem, "review of pull request %" PRId64, w->pull);
}

static void
answers(struct run *r, const struct review *w, int64_t first, struct said *s)
{
	const struct approve_judge *j = r->a->judge;
	const char *who;

	for (size_t i = 0; i < w->nvoices; i++) {
		const struct review_voice *v = &w->voices[i];

		if (!(who = j->account(j->ctx, v->login)))
			continue;
		alive(r, v->at > first && v->at <= r->a->now ? v->at : first);
		if (v->against)
			said_against(s, who, w->pull, v->at);
		else
			said_review(s, who, how(s->mem, w, v));
	}
	/* who merges what somebody else opened has said nothing: forges let administrators merge whatever is missing */
	if (*w->author && str_eq(w->author, w->merged_by) && (who = j->account(j->ctx, w->author)))
		said_review(s, who, arena_printf(s->mem, "merge of pull request %" PRId64, w->pull));
}

void
approve_note(struct run *r, const struct digest *changes, const struct oid *commit)
{
	for (size_t i = 0; i < r->a->nevidence; i++)
		if (approve_same(&r->a->evidence[i], changes) && approve_counts(r, &r->a->evidence[i], commit))
			(void)approve_seen(r, &r->a->evidence[i]);
}

/* `when`: where history is proved again, what was seen later did not count. */
int
approve_spoken(struct run *r, const struct digest *changes, const struct oid *commit, int64_t when, struct said *s, struct err *e)
{
	int rc;

	when = r->a->seen ? when : INT64_MAX;
	for (size_t i = 0; i < r->a->nevidence; i++) {
		const struct evidence *v = &r->a->evidence[i];
		int64_t first;

		if (!approve_same(v, changes) || !approve_counts(r, v, commit) || (first = approve_seen(r, v)) > when)
			continue;
		if (!v->review) {
			detached(r, v, first, s);
			continue;
		}
		opened(r, v->review->author, s);
		answers(r, v->review, first, s);
		said_evidence(s, v);
		if ((rc = head_authors(r, v->review, s, e)) < 0)
			return rc;
	}
	return 0;
}

/* -- whether it is enough ------------------------------------------------------------------------------------------------------------- */

int
approve_enough(struct run *r, const struct changeset *c, struct said *s, const char **missing, unsigned *lacks, struct err *e)
{
	struct approve_said said = { .voices = s->voices, .nvoices = s->nvoices, .authors = s->authors, .nauthors = s->nauthors,
		.author_unknown = s->author_unknown, .emergency = s->emergency,
		.against = said_no(s, r->scratch) };

	*lacks = 0;
	return r->a->judge->enough(r->a->judge->ctx, r->scratch, &r->t->tree, c, &said, missing, lacks, e);
}
