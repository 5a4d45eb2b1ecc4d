/* SPDX-License-Identifier: Apache-2.0 */
/* One change: what it is, who wrote it, who said yes, and whether that is enough. */
#include "repo/approve_priv.h"

#include <string.h>

#include "lib/base/str.h"

/* -- a commit's change --------------------------------------------------------------------------------------------------------- */

int
approve_read(struct run *r, const struct oid *id, struct arena *mem, struct git_commit_info *c, struct err *e)
{
	struct err why = { 0 };
	int rc = git_commit_read(r->a->git, id, mem, c, &why);

	if (rc == 0)
		return 0;
	*c = (struct git_commit_info){ .id = *id, .author = "", .author_email = "", .committer_email = "", .message = "" };
	if (git_commit_shape(r->a->git, id, &c->tree, &c->parents[0], NULL) < 0)
		return err_set(e, rc, "%s", why.text);
	c->nparents = !oid_zero(&c->parents[0]);
	return 0;
}

int
approve_load(struct run *r, const struct oid *commit, int64_t seen, struct arena *mem, struct unit *u, struct err *e)
{
	struct git_commit_info parent;
	int rc;

	*u = (struct unit){ .seen = seen };
	if ((rc = approve_read(r, commit, mem, &u->c, e)) < 0)
		return rc;
	if (!u->c.nparents)
		return err_set(e, ERR_DENIED, "a commit without parents cannot be judged");
	if ((rc = approve_read(r, &u->c.parents[0], mem, &parent, e)) < 0)
		return rc;
	u->old_tree = parent.tree;
	rc = changeset_between(r->a->git, &u->old_tree, &u->c.tree, mem, &u->changes, e);
	u->none = rc == ERR_INVALID;
	return u->none ? 0 : rc;
}

static bool
ends(const struct changeset *c, const char *path)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->items[i].new_mode && str_eq(c->items[i].path, path))
			return true;
	return false;
}

/* 0: in the trusted tree a file stands where a folder of this path has to be, and does not end with the same change. */
static int
has_room(struct run *r, const struct changeset *c, const char *path, struct err *e)
{
	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		const char *folder = arena_strndup(r->tiny, path, (size_t)(p - path));
		uint32_t mode = 0;
		struct oid id;
		int rc = git_tree_find(r->a->git, &r->t->tree, folder, &id, &mode, e);

		if (rc < 0)
			return rc == ERR_NOTFOUND ? 1 : rc;
		if ((mode & 0170000) != 0040000)
			return ends(c, folder);
	}
	return 1;
}

/* 1: every path of it is in the trusted tree as it was before. */
int
approve_starts(struct run *r, const struct changeset *c, struct err *e)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct change_entry *x = &c->items[i];
		int rc = changeset_is(r->a->git, &r->t->tree, x, true, e);

		arena_reset(r->tiny);
		if (rc > 0 && x->new_mode && !x->old_mode)
			rc = has_room(r, c, x->path, e);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

/* The same of the new state and any tree; one that cannot be read, since anybody may push it, has nothing. */
int
approve_is_in(struct run *r, const struct oid *tree, const struct changeset *c, struct err *e)
{
	for (size_t i = 0; i < c->n; i++) {
		int rc = changeset_is(r->a->git, tree, &c->items[i], false, e);

		if (rc <= 0)
			return rc == ERR_INVALID ? 0 : rc;
	}
	return 1;
}

/* -- who wrote it ---------------------------------------------------------------------------------------------------------------- */

static void
add_author(struct run *r, struct said *s, const char *mail)
{
	const char *who = r->a->judge->person(r->a->judge->ctx, mail);

	if (who)
		said_author(s, who);
	else
		s->author_unknown = true;
}

/* Is everything that the merge brought as one of the merged commits had it? */
static bool
merged_as_it_was(struct run *r, const struct unit *u)
{
	struct oid sides[16];
	size_t n = 0;

	for (size_t k = 1; k < u->c.nparents; k++) {
		struct git_commit_info side;

		arena_reset(r->tiny);
		if (git_commit_read(r->a->git, &u->c.parents[k], r->tiny, &side, NULL) == 0)
			sides[n++] = side.tree;
	}
	for (size_t i = 0; i < u->changes.n; i++) {
		bool found = false;

		for (size_t k = 0; k < n && !found; k++)
			found = changeset_is(r->a->git, &sides[k], &u->changes.items[i], false, NULL) == 1;
		if (!found)
			return false;
	}
	return true;
}

#define SIDE_MAX 256

int
approve_side_authors(struct run *r, const struct oid *main, const struct oid *side, struct said *s, struct err *e)
{
	struct oid *ids;
	size_t n;
	bool all;
	int rc = git_commits_between(r->a->git, main, side, SIDE_MAX, r->scratch, &ids, &n, &all, e);

	if (err_retryable(rc))
		return rc;
	if (rc < 0) { /* one of them is no commit, or not there */
		s->author_unknown = true;
		return 0;
	}
	s->author_unknown |= !all;
	for (size_t i = 0; i < n; i++) {
		struct git_commit_info c;

		arena_reset(r->tiny);
		if ((rc = approve_read(r, &ids[i], r->tiny, &c, e)) < 0)
			return rc;
		if (c.nparents < 2)
			add_author(r, s, c.author_email);
	}
	return 0;
}

int
approve_authors(struct run *r, const struct unit *u, struct said *s, struct err *e)
{
	if (u->c.nparents < 2 || !merged_as_it_was(r, u))
		add_author(r, s, u->c.author_email);
	for (size_t k = 1; k < u->c.nparents; k++) {
		int rc = approve_side_authors(r, &u->c.parents[0], &u->c.parents[k], s, e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* -- who says yes ------------------------------------------------------------------------------------------------------------------ */

void
approve_voice_of(struct run *r, const struct unit *u, struct said *s)
{
	const char *who, *reason;

	arena_reset(r->tiny); /* a commit may be large, and many may be looked at for one change */
	who = voice_of_commit(&r->voices, r->a->git, &u->c.id, u->seen, r->tiny);
	if (!who)
		return;
	said_voice(s, who);
	r->t->heartbeat = u->seen > r->t->heartbeat ? u->seen : r->t->heartbeat;
	/* the trailer of somebody else's text, in a change that was squashed, is nobody's emergency */
	if (!str_eq(r->a->judge->person(r->a->judge->ctx, u->c.author_email), who))
		return;
	reason = git_trailer(r->scratch, u->c.message, APPROVE_BREAK_GLASS);
	if (reason && *reason) {
		s->emergency = who;
		s->reason = reason;
	}
}

bool
approve_same(const struct evidence *v, const struct digest *changes)
{
	return memcmp(&v->approval.changes.digest, changes, sizeof(*changes)) == 0;
}

int64_t
approve_seen(struct run *r, const struct evidence *v)
{
	char id[DIGEST_HEX];
	struct digest d;

	hash_bytes(v->sig_text, v->sig_len, &d);
	digest_hex(&d, id);
	return proof_seen(r->t, id, r->a->now);
}

/* A detached approval counts when it is not used, was there at that time, was not late, and its key may. */
static const char *
evidence_voice(struct run *r, const struct evidence *v, int64_t when)
{
	char key[EVIDENCE_KEY];
	const char *who;
	int64_t first;

	evidence_key(v, key);
	/* nothing is remembered for keys that are nobody's: there is no end of them */
	if (proof_used(r->t, key) || !voice_is_listed(&r->voices, &v->sig.key, r->scratch))
		return NULL;
	first = approve_seen(r, v);
	if (first > v->approval.expires || first > when)
		return NULL;
	who = voice_of_key(&r->voices, &v->sig.key, APPROVAL_NAMESPACE, first, r->scratch);
	if (who && first > r->t->heartbeat)
		r->t->heartbeat = first;
	return who;
}

/* `when`: where history is proved again, what was seen later did not count. */
void
approve_detached(struct run *r, const struct digest *changes, int64_t when, struct said *s)
{
	when = r->a->seen ? when : INT64_MAX;
	for (size_t i = 0; i < r->a->nevidence; i++) {
		const struct evidence *v = &r->a->evidence[i];
		const char *who;

		if (approve_same(v, changes) && (who = evidence_voice(r, v, when))) {
			said_voice(s, who);
			said_evidence(s, v);
		}
	}
}

/* -- whether it is enough ------------------------------------------------------------------------------------------------------------- */

int
approve_enough(struct run *r, const struct changeset *c, struct said *s, const char **missing, unsigned *lacks, struct err *e)
{
	struct approve_said said = { .voices = s->voices, .nvoices = s->nvoices, .authors = s->authors, .nauthors = s->nauthors,
		.author_unknown = s->author_unknown, .emergency = s->emergency };

	*lacks = 0;
	return r->a->judge->enough(r->a->judge->ctx, r->scratch, &r->t->tree, c, &said, missing, lacks, e);
}

int
approve_weigh(struct run *r, const struct unit *u, const struct oid *at, bool tell, struct said *s, const char **missing, unsigned *lacks,
           struct err *e)
{
	int rc;

	*lacks = 1;
	*missing = "its change has too many files, or names that no approval can list";
	if (u->none)
		return 0;
	*missing = "it builds on a change that is not approved";
	if (!oid_eq(&u->old_tree, &r->t->tree) && (rc = approve_starts(r, &u->changes, e)) <= 0)
		return rc;
	*missing = "main has moved on since; what is pending as a whole needs an approval";
	if (at && (rc = approve_is_in(r, at, &u->changes, e)) <= 0)
		return rc;
	approve_voice_of(r, u, s);
	approve_detached(r, &u->changes.digest, u->seen, s);
	*missing = "nobody has approved it";
	if (!s->nvoices && !tell)
		return 0;
	if ((rc = approve_authors(r, u, s, e)) < 0)
		return rc;
	return approve_enough(r, &u->changes, s, missing, lacks, e);
}

/* -- which paths ---------------------------------------------------------------------------------------------------------------------- */

static bool
share_a_path(const struct changeset *a, const struct changeset *b)
{
	for (size_t i = 0, k = 0; i < a->n && k < b->n;) {
		int c = strcmp(a->items[i].path, b->items[k].path);

		if (c == 0)
			return true;
		i += c < 0;
		k += c > 0;
	}
	return false;
}

/* Has the commit another state of the path than its first parent? Negative: one of the trees cannot be read there. */
static int
path_moved(struct run *r, const struct unit *u, const char *path)
{
	struct oid was, is;
	uint32_t was_mode = 0, is_mode = 0;
	int had = git_tree_find(r->a->git, &u->old_tree, path, &was, &was_mode, NULL);
	int has = git_tree_find(r->a->git, &u->c.tree, path, &is, &is_mode, NULL);

	if ((had < 0 && had != ERR_NOTFOUND) || (has < 0 && has != ERR_NOTFOUND))
		return ERR_INVALID;
	return had != has || (had == 0 && (was_mode != is_mode || !oid_eq(&was, &is)));
}

/* Does the commit's change touch a path of this one, also where it is none that could be listed? */
bool
approve_touches(struct run *r, const struct unit *u, const struct changeset *c, bool *unclear)
{
	bool any = false;

	if (!u->none)
		return share_a_path(&u->changes, c);
	for (size_t i = 0; i < c->n; i++) {
		int rc = path_moved(r, u, c->items[i].path);

		*unclear |= rc < 0;
		any |= rc > 0;
	}
	return any;
}
