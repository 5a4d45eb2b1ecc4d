/* SPDX-License-Identifier: Apache-2.0 */
/* The judge of approvals, asked before the merge. */
#include "preview_need.h"

#include "lib/base/clock.h"

static int
look(struct judge *j, struct git_repo *g, const struct approve_ask *ask, const struct oid *trusted, struct arena *mem, struct preview_need *out,
     struct err *e)
{
	struct approve a = { .git = g, .judge = judge_get(j), .ref = "", .now = clock_now() };
	struct approve_looked looked;
	int rc;

	if ((rc = proof_begin(g, &ask->main, &a.proof, e)) < 0)
		return rc;
	a.proof->tree = *trusted;
	rc = approve_look(&a, ask, mem, &looked, e);
	proof_free(a.proof);
	if (rc < 0)
		return rc;
	out->missing = looked.missing;
	out->lacks = looked.lacks;
	return 0;
}

int
preview_need(struct judge *j, struct git_repo *g, const struct oid *fork, const struct oid *head, const struct oid *trusted, struct arena *mem,
             struct preview_need *out, struct err *e)
{
	struct changeset changes;
	struct approve_ask ask = { .changes = &changes, .main = *fork, .head = *head };
	struct git_commit_info from, to;
	int rc;

	*out = (struct preview_need){ .mode = APPROVAL_NONE };
	if ((rc = git_commit_read(g, fork, mem, &from, e)) < 0 || (rc = git_commit_read(g, head, mem, &to, e)) < 0)
		return rc;
	if (!trusted)
		trusted = &from.tree;
	if ((rc = judge_policy(j, trusted, e)) < 0)
		return rc;
	out->mode = approval_mode(judge_rules(j));
	if (out->mode == APPROVAL_NONE)
		return 0;
	rc = changeset_between(g, &from.tree, &to.tree, mem, &changes, e);
	return rc < 0 ? rc : look(j, g, &ask, trusted, mem, out, e);
}
