/* SPDX-License-Identifier: Apache-2.0 */
/* What holds a commit back: rewritten history, a mass deletion. */
#pragma once

#include "lib/git/git.h"

/* What is known to have been applied; the new commit must contain it. */
struct guard_memory {
	bool has_adopted, has_rendered;
	struct oid adopted;         /* from the state folder */
	struct oid rendered_source; /* Berth-Source-Commit of the rendered branch's tip */
};

/* 0 when `commit` contains what was applied before, ERR_DENIED (E503) when history was rewritten. */
int guard_rewind(struct git_repo *g, const struct guard_memory *m, const struct oid *commit, struct err *e) MUST_USE;

/*
 * The largest Berth-Allow-Delete of the first-parent commits from `commit` back to the first that `since` contains (NULL: only
 * `commit` itself); 0 when none. At most 10,000 commits are read.
 */
int guard_released(struct git_repo *g, const struct oid *since, const struct oid *commit, size_t *n, struct err *e) MUST_USE;

/* The same for those trailers alone whose commit counts. */
int guard_released_by(struct git_repo *g, const struct oid *since, const struct oid *commit,
                      bool (*counts)(void *ctx, const struct git_commit_info *c), void *ctx, size_t *n, struct err *e) MUST_USE;
