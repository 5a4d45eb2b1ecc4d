/* SPDX-License-Identifier: Apache-2.0 */
/* What is written to the forge: only what differs from what stands there, one after the other. */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "pulls/priv.h"

/* Waits until the forge wants the next write. */
static int
turn_to_write(struct pulls *p, bool told, struct err *e)
{
	for (;;) {
		int64_t wait = forge_may_write_at(p->forge, told) - clock_mono_ms();

		if (p->stop)
			return err_set(e, ERR_CANCELLED, "told to stop");
		if (wait <= 0)
			return 0;
		clock_sleep_ms(wait < 100 ? wait : 100);
	}
}

int
say_status(struct pulls *p, struct memo *m, const char *sha, enum context context, const struct forge_status *s, struct err *e)
{
	char hex[DIGEST_HEX], ref[64];
	struct forge_status said = *s;
	struct hash_state h;
	struct digest d;
	int rc;

	hash_init(&h);
	hash_field_str(&h, sha);
	hash_field(&h, &s->state, sizeof(s->state));
	hash_field_str(&h, s->description);
	hash_final(&h, &d);
	digest_hex(&d, hex);
	if (strcmp(hex, m->told[context]) == 0)
		return 0;
	/* GitLab finds a fork's commit by no branch; one of the fork's name could be another here, even a protected one */
	if (p->c.forge.kind == FORGE_GITLAB && m->fork && context != CONTEXT_APPLY) {
		(void)snprintf(ref, sizeof(ref), "refs/merge-requests/%lld/head", (long long)m->number);
		said.ref = ref;
	}
	if ((rc = turn_to_write(p, false, e)) < 0 || (rc = forge_status_set(p->forge, sha, &said, e)) < 0)
		return rc;
	memcpy(m->told[context], hex, sizeof(hex));
	p->dirty = true;
	return 0;
}

/* -- the comment ----------------------------------------------------------------------------------------------------------------------- */

struct search {
	const char *me;
	struct memo *m;
};

void
say_found(struct memo *m, const char *me, const struct forge_comment *c)
{
	struct comment_mark mark;

	if (m->comment || !*me || !str_eq(c->author, me) || !comment_mark_read(c->body, &mark))
		return;
	m->comment = c->id;
	(void)snprintf(m->digest, sizeof(m->digest), "%s", comment_whole(c->body) ? mark.digest : "");
	(void)snprintf(m->reviewed, sizeof(m->reviewed), "%s", mark.head); /* findings of that head were written behind it */
}

static bool
is_ours(void *ctx, const struct forge_comment *c)
{
	struct search *s = ctx;

	say_found(s->m, s->me, c);
	return !s->m->comment;
}

/* After a lost memory, or a process that ended between writing and remembering. */
static int
search(struct pulls *p, struct memo *m, struct err *e)
{
	struct search s = { .m = m };
	int rc;

	if (m->comment || m->searched)
		return 0;
	if ((rc = forge_whoami(p->forge, &s.me, e)) < 0 || (rc = forge_comments(p->forge, m->number, is_ours, &s, e)) < 0)
		return rc;
	m->searched = true;
	p->dirty = true;
	return 0;
}

int
say_comment(struct pulls *p, struct memo *m, const struct buf *body, struct err *e)
{
	struct comment_mark mark;
	int rc;

	if ((rc = buf_check(body, "the comment", e)) < 0 || (rc = search(p, m, e)) < 0)
		return rc;
	if (!comment_mark_read(buf_cstr(body), &mark))
		return err_set(e, ERR_INTERNAL, "a comment without its mark");
	if (m->comment && strcmp(mark.digest, m->digest) == 0)
		return 0;
	if ((rc = turn_to_write(p, true, e)) < 0)
		return rc;
	rc = m->comment ? forge_comment_edit(p->forge, m->number, m->comment, buf_cstr(body), e) : ERR_NOTFOUND;
	if (rc == ERR_NOTFOUND) { /* the first one, or somebody deleted it */
		m->searched = false; /* an answer that is lost does not make it two */
		m->comment = 0;
		rc = forge_comment_add(p->forge, m->number, buf_cstr(body), &m->comment, e);
	}
	if (rc < 0)
		return rc;
	(void)snprintf(m->digest, sizeof(m->digest), "%s", mark.digest);
	p->dirty = true;
	return 0;
}

/* -- findings at their lines -------------------------------------------------------------------------------------------------------------- */

int
say_findings(struct pulls *p, struct memo *m, const char *sha, const struct looked *l, struct err *e)
{
	struct forge_new_review r = { .sha = sha, .body = l->review, .findings = l->findings, .n = l->nfindings };
	int rc;

	if (!l->nfindings || strcmp(m->reviewed, sha) == 0)
		return 0;
	if ((rc = turn_to_write(p, true, e)) < 0)
		return rc;
	/* remembered before it is sent: people would rather miss lines that the comment has too than read them twice */
	(void)snprintf(m->reviewed, sizeof(m->reviewed), "%s", sha);
	p->dirty = true;
	if ((rc = memory_store(p, e)) < 0)
		return rc;
	rc = forge_review_post(p->forge, m->number, &r, e);
	if (rc == ERR_DENIED || rc == ERR_INVALID || rc == ERR_CONFLICT)
		return 0; /* the comment says it too */
	return rc;
}
