/* SPDX-License-Identifier: Apache-2.0 */
/* The tree a verb looks at: a folder on disk or a commit. */
#pragma once

#include "cli/cmd.h"
#include "lib/base/files.h"
#include "lib/git/git.h"

/* The files below `dir` as `struct files`; lives in mem. ERR_NOTFOUND with a hint when there is no such folder. */
int tree_from_dir(const char *dir, struct arena *mem, struct files *out, struct err *e) MUST_USE;

/* The files of a commit; *id gets it. The repository stays open with mem. */
int tree_from_rev(const char *dir, const char *rev, struct arena *mem, struct files *out, struct oid *id, struct err *e)
	MUST_USE;

/* -C DIR and --commit REV; *label says what was read ("working tree", "commit 4f2c9d1"). */
int tree_of_args(const struct args *a, struct files *out, const char **label, struct err *e) MUST_USE;

/* "alice/train" or "envs/alice/train.yaml" -> "alice/train"; ERR_USAGE for anything else. */
int env_of_arg(struct arena *mem, const char *arg, const char **out, struct err *e) MUST_USE;
