/* SPDX-License-Identifier: Apache-2.0 */
/* A set of changes, by path and ids: what is approved. Its digest is the same however the change was merged. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/git/git.h"

#define CHANGESET_MAX 5000 /* files of one change that is approved as a whole */

struct change_entry {
	const char *path;
	struct oid old_id, new_id;  /* zero: there is none */
	uint32_t old_mode, new_mode;
};

struct changeset {
	struct change_entry *items; /* sorted by path, bytewise */
	size_t n;
	struct digest digest;       /* SHA-256 of its lines */
};

/* What differs between two trees (old_tree NULL: empty). ERR_INVALID: over CHANGESET_MAX files, or a path that has no line. In mem. */
int changeset_between(struct git_repo *g, const struct oid *old_tree, const struct oid *new_tree, struct arena *mem,
                      struct changeset *out, struct err *e) MUST_USE;

/* What of it can be listed, to show it; *more: that is not all. ERR_INVALID: a tree cannot be read. */
int changeset_listed(struct git_repo *g, const struct oid *old_tree, const struct oid *new_tree, struct arena *mem, struct changeset *out,
                     bool *more, struct err *e) MUST_USE;

/* The entry's line: "100644 <old> 100644 <new> path\n". */
void changeset_line(const struct change_entry *c, struct buf *out);

/* From lines: n bytes, `count` of them, sorted, each path once. ERR_INVALID says which line is wrong. In mem. */
int changeset_parse(const char *lines, size_t n, size_t count, struct arena *mem, struct changeset *out, struct err *e) MUST_USE;

/* Is the entry's old (new) state what the tree has? Negative on trouble. */
int changeset_is(struct git_repo *g, const struct oid *tree, const struct change_entry *c, bool old, struct err *e) MUST_USE;

/* `tree` with the new state of every entry: *out is the id of a tree that is in the repository. */
int changeset_apply(struct git_repo *g, const struct oid *tree, const struct changeset *c, struct oid *out, struct err *e) MUST_USE;
