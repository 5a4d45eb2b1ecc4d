/* SPDX-License-Identifier: Apache-2.0 */
/* The judge of approvals, asked before the merge. */
#include "preview_need.h"

#include "lib/base/str.h"

#define AUTHORS_MAX 256 /* commits that are looked at; of more somebody unknown is an author */

/* The known users among the authors. */
static int
read_authors(struct judge *j, struct git_repo *g, const struct oid *fork, const struct oid *head, struct arena *mem,
             struct approve_said *said, struct err *e)
{
	const char **authors;
	struct oid *ids;
	size_t n, k = 0;
	bool all;
	int rc;

	if ((rc = git_commits_between(g, fork, head, AUTHORS_MAX, mem, &ids, &n, &all, e)) < 0)
		return rc;
	said->author_unknown = !all;
	authors = arena_array(mem, n + 1, sizeof(*authors));
	for (size_t i = 0; i < n; i++) {
		struct git_commit_info c;
		const char *who;
		size_t at = 0;

		if ((rc = git_commit_read(g, &ids[i], mem, &c, e)) < 0)
			return rc;
		if (c.nparents > 1) /* main merged into it: nobody's own change */
			continue;
		if (!(who = approval_person(judge_rules(j), c.author_email))) {
			said->author_unknown = true;
			continue;
		}
		while (at < k && !str_eq(authors[at], who))
			at++;
		authors[at] = who;
		k += at == k;
	}
	said->authors = authors;
	said->nauthors = k;
	return 0;
}

int
preview_need(struct judge *j, struct git_repo *g, const struct oid *fork, const struct oid *head, const struct oid *trusted,
             const char *const *voices, size_t nvoices, struct arena *mem, struct preview_need *out, struct err *e)
{
	struct approve_said said = { .voices = voices, .nvoices = nvoices };
	struct preview_need need = { .mode = APPROVAL_NONE };
	struct git_commit_info from, to;
	struct changeset changes;
	int rc;

	if ((rc = git_commit_read(g, fork, mem, &from, e)) < 0 || (rc = git_commit_read(g, head, mem, &to, e)) < 0)
		return rc;
	if (!trusted)
		trusted = &from.tree;
	if ((rc = judge_policy(j, trusted, e)) < 0)
		return rc;
	need.mode = approval_mode(judge_rules(j));
	if (need.mode != APPROVAL_NONE) {
		if ((rc = read_authors(j, g, fork, head, mem, &said, e)) < 0 ||
		    (rc = changeset_between(g, &from.tree, &to.tree, mem, &changes, e)) < 0 ||
		    (rc = judge_get(j)->enough(judge_get(j)->ctx, mem, trusted, &changes, &said, &need.missing, &need.lacks, e)) < 0)
			return rc;
		if (need.missing)
			need.missing = arena_strdup(mem, need.missing);
	}
	*out = need;
	return 0;
}
