/* SPDX-License-Identifier: Apache-2.0 */
/* The findings that a change from one tree to another can have caused: for `berth validate --changed` and for pull requests. */
#pragma once

#include "sides.h"

struct changed_ask {
	struct git_repo *git;
	struct sides *sides;           /* are moved to the two trees, and have to stay while the result is used */
	bool has_base;                 /* false: nothing before */
	struct oid base, base_tree;    /* a commit, and its tree */
	struct oid head, head_tree;    /* the tree need not be that commit's: what a merge would make */
	bool has_rules;                /* roles, guards and approvals are those of this commit; false: of the base */
	struct oid rules, rules_tree;
};

struct changed {
	struct files files; /* of the head; of the sides */
	size_t checked;     /* documents that were looked at */
	const char *rules;  /* "4f2c9d1" when roles, guards or approvals were taken from there since berth.yaml differs, else NULL */
};

/*
 * Findings of documents that differ and of environments that depend on what differs; of other shared documents those that the base does not have.
 * All else lives in mem. ERR_INVALID: the rules' commit has no berth.yaml without errors.
 */
int changed_findings(const struct changed_ask *ask, struct arena *mem, struct report *r, struct changed *out, struct err *e) MUST_USE;
