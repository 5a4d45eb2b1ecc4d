/* SPDX-License-Identifier: Apache-2.0 */
/* One change: what it is, who wrote it, and whether those who said yes are enough. */
#include "repo/approve_priv.h"

#include <string.h>

#include "lib/base/str.h"
#include "repo/review.h"

#define UNIT_ARENA ((size_t)64 << 20)

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
	const char *who = r->a->judge->author(r->a->judge->ctx, mail);

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

/* -- whether it is enough ------------------------------------------------------------------------------------------------------------- */

int
approve_weigh(struct run *r, const struct unit *u, const struct oid *at, bool tell, struct said *s, const char **missing, unsigned *lacks,
           struct err *e)
{
	int rc;

	*lacks = 1;
	*missing = "its change has too many files, or names that no approval can list";
	if (u->none)
		return 0;
	approve_note(r, &u->changes.digest, &u->c.id);
	*missing = "it builds on a change that is not approved";
	if (!oid_eq(&u->old_tree, &r->t->tree) && (rc = approve_starts(r, &u->changes, e)) <= 0)
		return rc;
	*missing = "main has moved on since; approve all that changed it since, or what is pending as a whole";
	if (at && (rc = approve_is_in(r, at, &u->changes, e)) <= 0)
		return rc;
	approve_voice_of(r, u, s);
	if ((rc = approve_spoken(r, &u->changes.digest, &u->c.id, u->seen, s, e)) < 0)
		return rc;
	*missing = "nobody has approved it";
	if (!s->nvoices && !tell)
		return 0;
	if ((rc = approve_authors(r, u, s, e)) < 0)
		return rc;
	return approve_enough(r, &u->changes, s, missing, lacks, e);
}

/*
 * Those who wrote a part of it: the authors of all waiting commits that touch a path of it. Nobody found is somebody unknown, and so is whoever made a tree that
 * cannot be read.
 */
static int
group_authors(struct run *r, const struct evidence *v, struct said *s, struct err *e)
{
	const struct changeset *c = &v->approval.changes;
	struct arena *AUTO_ARENA mem = arena_new(UNIT_ARENA);
	bool found = false, last = false;

	for (size_t i = 0; i < r->t->nopen && !last; i++) {
		struct unit u;
		int rc;

		last = v->review && oid_eq(&r->t->open[i].commit, &v->review->merged); /* what came after it is not of it */

		arena_reset(mem);
		if ((rc = approve_load(r, &r->t->open[i].commit, r->t->open[i].seen, mem, &u, e)) < 0)
			return rc;
		if (!approve_touches(r, &u, c, &s->author_unknown))
			continue;
		found = true;
		if ((rc = approve_authors(r, &u, s, e)) < 0)
			return rc;
		if (!u.none && memcmp(&u.changes.digest, &c->digest, sizeof(c->digest)) == 0)
			approve_voice_of(r, &u, s);
	}
	s->author_unknown |= !found;
	return 0;
}

int
approve_weigh_group(struct run *r, const struct evidence *v, struct said *s, const char **missing, unsigned *lacks, struct err *e)
{
	const struct changeset *c = &v->approval.changes;
	int rc;

	*lacks = 1;
	*missing = "nobody has approved it";
	if (!approve_counts(r, v, NULL))
		return 0;
	if ((rc = approve_spoken(r, &c->digest, NULL, r->a->seen ? approve_seen(r, v) : 0, s, e)) < 0 || !s->nvoices)
		return rc;
	if ((rc = group_authors(r, v, s, e)) < 0)
		return rc;
	return approve_enough(r, c, s, missing, lacks, e);
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
