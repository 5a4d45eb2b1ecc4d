/* SPDX-License-Identifier: Apache-2.0 */
/* The two trees of a change, each read once for all that is asked of it: preview.h (what it does) and changed.h (what is wrong with it). */
#pragma once

#include "lib/git/git.h"
#include "world.h"

/* Used for one change after the other. Not for several threads. */
struct sides;

int sides_new(struct sides **out, struct err *e) MUST_USE;
void sides_free(struct sides *s); /* NULL is fine */

/*
 * Takes over two trees of a repository, which stays open for as long as the sides are used; base NULL: nothing is there before. Of a tree only what differs
 * from the one before is read again. Errors are of git and of memory: what is wrong with the files are findings.
 */
int sides_read(struct sides *s, struct git_repo *g, const struct oid *base, const struct oid *head, struct err *e) MUST_USE;

/* The same of any files, which must stay valid for as long as the sides are used. All of them are read. */
int sides_take(struct sides *s, const struct files *base, const struct files *head, struct err *e) MUST_USE;

/* Who asks may lay something over a world (world_judge_by, world_live_by) and takes it off again. */
struct world *sides_base(const struct sides *s); /* NULL: nothing is there before */
struct world *sides_head(const struct sides *s);
