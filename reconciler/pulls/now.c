/* SPDX-License-Identifier: Apache-2.0 */
/* What one turn knows of the branches: tips, the policy's mode, what is trusted and which approvals there are. */
#include <string.h>

#include "lib/base/str.h"
#include "pulls/priv.h"

int
tree_of(struct pulls *p, const struct oid *commit, struct arena *mem, struct oid *out, struct err *e)
{
	struct git_commit_info c;
	int rc = git_commit_read(p->git, commit, mem, &c, e);

	if (rc == 0)
		*out = c.tree;
	return rc;
}

/* Another proof, or another approval, may change what a pull request still needs. */
static void
digest_voices(const struct now *n, char out[DIGEST_HEX])
{
	struct hash_state h;
	struct digest d;

	hash_init(&h);
	if (n->proof)
		hash_field(&h, n->proof->tree.b, sizeof(n->proof->tree.b));
	for (size_t i = 0; i < n->nevidence; i++) {
		hash_field(&h, &n->evidence[i].approval.changes.digest, sizeof(struct digest));
		hash_field(&h, n->evidence[i].sig_text, n->evidence[i].sig_len);
	}
	hash_final(&h, &d);
	digest_hex(&d, out);
}

/*
 * What counts is the policy that is trusted: main may have another one that nobody approved. Where nothing moves, ten thousand paths are not listed at every look.
 */
static int
read_mode(struct pulls *p, struct now *n, struct err *e)
{
	const struct oid *tree = n->proof ? &n->proof->tree : &n->main_tree;
	struct files files;
	int rc;

	if (!p->has_mode || !oid_eq(&p->mode_tree, tree)) {
		p->mode = APPROVAL_NONE;
		if ((rc = git_files(p->git, tree, n->mem, &files, e)) < 0)
			return rc;
		rc = approval_mode_read(&files, &p->mode, e);
		if (rc < 0 && rc != ERR_INVALID) /* it is broken, and says so elsewhere */
			return rc;
		p->mode_tree = *tree;
		p->has_mode = true;
	}
	n->mode = p->mode;
	return 0;
}

static int
read_approvals(struct pulls *p, struct now *n, struct err *e)
{
	const char *ref = arena_printf(n->mem, "refs/heads/%s", p->c.branch);
	int rc = proof_load(p->proof_file, &n->proof, e);

	if (rc < 0 && rc != ERR_NOTFOUND && rc != ERR_INVALID)
		return rc;
	if ((rc = read_mode(p, n, e)) < 0)
		return rc;
	if (n->mode == APPROVAL_NONE || !n->proof) {
		proof_free(n->proof);
		n->proof = NULL;
		return 0;
	}
	rc = evidence_list(p->git, &n->proof->anchor, ref, n->mem, &n->evidence, &n->nevidence, NULL, e);
	return rc == ERR_INVALID ? 0 : rc; /* too many refs: the daemon says so */
}

int
now_begin(struct pulls *p, struct arena *mem, struct now *out, struct err *e)
{
	struct now n = { .mem = mem };
	struct oid status;
	int rc;

	if ((rc = git_ref_read(p->git, p->c.main_ref, &n.main, e)) < 0 || (rc = tree_of(p, &n.main, mem, &n.main_tree, e)) < 0)
		return rc;
	oid_hex(&n.main, n.main_hex);
	n.has_status = git_ref_read(p->git, p->c.status_ref, &status, NULL) == 0 && tree_of(p, &status, mem, &n.status_tree, NULL) == 0;
	if ((rc = read_approvals(p, &n, e)) < 0) {
		now_end(&n);
		return rc;
	}
	digest_voices(&n, n.voices);
	*out = n;
	return 0;
}

const struct approval_rules *
now_rules(struct pulls *p, struct now *n)
{
	if (!n->rules)
		n->rules = judge_policy(p->judge, n->proof ? &n->proof->tree : &n->main_tree, NULL) < 0 ? -1 : 1;
	return n->rules > 0 ? judge_rules(p->judge) : NULL;
}

void
now_end(struct now *n)
{
	proof_free(n->proof);
	n->proof = NULL;
}
