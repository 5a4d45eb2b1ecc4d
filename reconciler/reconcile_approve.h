/* SPDX-License-Identifier: Apache-2.0 */
/* What of main the right people have approved: the tree that is taken over, and what waits. Private to reconcile*.c. */
#pragma once

#include "lib/git/git.h"
#include "validate/approval.h"

struct pass;
struct reconciler;
struct approvals;

/* anchor NULL: none was given. `state_dir` is where the proof is kept. */
struct approvals *approvals_new(struct git_repo *g, const char *state_dir, const char *branch, const struct oid *anchor);
void approvals_free(struct approvals *a);

/*
 * The tree to take over for main's tip `c`: its own where berth.yaml asks for no approvals, else the trusted one. What waits from now on, or no longer, makes its owner dirty.
 * 1: main is held as a whole, and *reason and *message (in the pass's memory) say why.
 */
int approvals_tree(struct pass *p, const struct git_commit_info *c, struct oid *tree, const char **reason, const char **message,
                   struct err *e) MUST_USE;

/* The pass went through: what took effect is remembered durably, logged, and told on the status branch. */
int approvals_keep(struct pass *p, struct err *e) MUST_USE;

/* Approvals came or went, or an alarm began or ended, since they were looked at last. */
bool approvals_moved(struct reconciler *r);

/* Everybody is looked at: also owners of whom nothing is trusted yet. */
void approvals_owners(struct pass *p);

/* After an owner's environments were looked at: what of them waits is observed. */
int approvals_observe(struct pass *p, const char *owner, struct err *e) MUST_USE;

/* Lines about the repository as a whole, in the pass's memory: what waits outside of environments, emergencies of the last seven days, a source that has become old. */
void approvals_lines(struct pass *p, const char ***out, size_t *n);

/* Does what a commit of main says beside its change count? An admin signed it, or its own change took effect in this pass. ctx is the pass. */
bool approvals_vouched(void *ctx, const struct git_commit_info *c);

/* The mode of the policy that is trusted; none where nothing was ever asked for. */
enum approval_mode approvals_mode(const struct reconciler *r);
