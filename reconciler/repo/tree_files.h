/* SPDX-License-Identifier: Apache-2.0 */
/* The file list of main, kept sorted and moved from commit to commit by the difference alone. */
#pragma once

#include "lib/base/files.h"
#include "lib/git/git.h"

struct tree_files;

struct tree_files *tree_files_new(struct git_repo *g);
void tree_files_free(struct tree_files *t);

/* The list as it stands; valid until the next move. */
const struct files *tree_files_get(const struct tree_files *t);

/*
 * Moves the list to `tree` (a tree id). The paths that changed, appeared or went come back in `mem`, sorted; the first
 * move gives every path. After an error the list is half-way: free it and start anew.
 */
int tree_files_move(struct tree_files *t, const struct oid *tree, struct arena *mem, const char *const **changed, size_t *n,
                    struct err *e) MUST_USE;
