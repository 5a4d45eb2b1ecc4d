/* SPDX-License-Identifier: Apache-2.0 */
/* Commits: reading, trailers, ancestry, writing. */
#include "lib/git/priv.h"

#include <stdio.h>
#include <strings.h>

#include <git2/sys/commit.h>

#define COMMIT_MAX ((size_t)1 << 20)
#define PARENTS_MAX 16

static int
commit_get(struct git_repo *g, const struct oid *id, git_commit **out, struct err *e)
{
	git_odb_object *AUTO_OBJECT o = NULL;
	char hex[OID_HEX];
	/* checks type and size, and mends the view of the packs */
	int rc = git_object_get(g, id, GIT_OBJECT_COMMIT, COMMIT_MAX, &o, e);

	if (rc)
		return rc;
	oid_hex(id, hex);
	if ((rc = git_commit_lookup(out, g->repo, git_oid_of(id))) < 0)
		return git_fail(e, rc, "read commit %s", hex);
	return 0;
}

int
git_commit_read(struct git_repo *g, const struct oid *id, struct arena *mem, struct git_commit_info *out, struct err *e)
{
	git_commit *c = NULL;
	int rc = commit_get(g, id, &c, e);

	if (rc)
		return rc;
	memset(out, 0, sizeof(*out));
	out->id = *id;
	git_oid_to(&out->tree, git_commit_tree_id(c));
	for (unsigned int i = 0; i < git_commit_parentcount(c) && i < PARENTS_MAX; i++)
		git_oid_to(&out->parents[out->nparents++], git_commit_parent_id(c, i));
	out->author = arena_strdup(mem, git_commit_author(c)->name);
	out->author_email = arena_strdup(mem, git_commit_author(c)->email);
	out->committer_email = arena_strdup(mem, git_commit_committer(c)->email);
	out->message = arena_strdup(mem, git_commit_message(c));
	out->time = git_commit_time(c);
	git_commit_free(c);
	return 0;
}

/* -- trailers ---------------------------------------------------------------------------------------------------------- */

static bool
is_blank(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\r'))
		s++;
	return s == end;
}

static const char *
line_end(const char *s)
{
	return s + strcspn(s, "\n");
}

/* The first line of the last paragraph, or NULL when the message has only one: a subject is no trailer. */
static const char *
last_paragraph(const char *message)
{
	const char *last = NULL;
	bool text = false, gap = false;

	for (const char *s = message; *s;) {
		const char *end = line_end(s);

		if (is_blank(s, end)) {
			gap = text;
		} else {
			if (gap)
				last = s;
			gap = false;
			text = true;
		}
		s = *end ? end + 1 : end;
	}
	return last;
}

const char *
git_trailer(struct arena *mem, const char *message, const char *key)
{
	const char *s = last_paragraph(message), *found = NULL, *found_end = NULL;
	size_t len = strlen(key);

	while (s && *s) {
		const char *end = line_end(s);

		if ((size_t)(end - s) > len && strncasecmp(s, key, len) == 0 && s[len] == ':') {
			found = s + len + 1;
			found_end = end;
		}
		s = *end ? end + 1 : NULL;
	}
	if (!found)
		return NULL;
	while (found < found_end && (*found == ' ' || *found == '\t'))
		found++;
	while (found < found_end && is_blank(found_end - 1, found_end))
		found_end--;
	return arena_strndup(mem, found, (size_t)(found_end - found));
}

/* -- ancestry ----------------------------------------------------------------------------------------------------------- */

int
git_is_ancestor(struct git_repo *g, const struct oid *ancestor, const struct oid *commit, struct err *e)
{
	git_commit *a = NULL, *b = NULL;
	int rc;

	if ((rc = commit_get(g, ancestor, &a, e)) == 0)
		rc = commit_get(g, commit, &b, e);
	git_commit_free(a);
	git_commit_free(b);
	if (rc == ERR_NOTFOUND)
		return 0;
	if (rc)
		return rc;
	if (oid_eq(ancestor, commit))
		return 1;
	rc = git_graph_descendant_of(g->repo, git_oid_of(commit), git_oid_of(ancestor));
	if (rc < 0 && git_reopen(g) == 0)
		rc = git_graph_descendant_of(g->repo, git_oid_of(commit), git_oid_of(ancestor));
	return rc < 0 ? git_fail(e, rc, "compare two commits") : rc;
}

/* -- writing ------------------------------------------------------------------------------------------------------------ */

/* libgit2 1.5 reports success when the object could not be written (a full disk, no permission); its reason is kept. */
static bool
is_written(struct git_repo *g, const git_oid *id)
{
	const git_error *last = git_error_last();
	int class = last ? last->klass : GIT_ERROR_ODB;
	char why[512];

	(void)snprintf(why, sizeof(why), "%s", last ? last->message : "it is not there");
	if (git_odb_exists(g->odb, id))
		return true;
	(void)git_error_set_str(class, why);
	return false;
}

int
git_commit_write(struct git_repo *g, const struct oid *tree, const struct oid *parents, size_t nparents, const char *message,
                 int64_t time, struct oid *out, struct err *e)
{
	char name[] = "berth", email[] = "berth@localhost";
	git_signature who = { name, email, { time, 0, '+' } };
	const git_oid *ids[PARENTS_MAX];
	git_oid id;
	int rc;

	if (nparents > PARENTS_MAX)
		return err_set(e, ERR_INVALID, "a commit of %zu parents", nparents);
	for (size_t i = 0; i < nparents; i++)
		ids[i] = git_oid_of(&parents[i]);
	git_error_clear();
	rc = git_commit_create_from_ids(&id, g->repo, NULL, &who, &who, NULL, message, git_oid_of(tree), nparents, ids);
	if (rc < 0 || !is_written(g, &id))
		return git_fail(e, rc < 0 ? rc : GIT_ERROR, "write a commit to %s", g->path);
	git_oid_to(out, &id);
	return 0;
}
