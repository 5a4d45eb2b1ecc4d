/* SPDX-License-Identifier: Apache-2.0 */
/* What a tree renders, unit by unit, in batches: for verbs that ask a cluster about it. */
#pragma once

#include "cli/cmd.h"
#include "lib/doc/report.h"
#include "world.h"

/* Options C and commit. */
struct units_visit {
	bool with_owners; /* of named environments, their owners' own sets too */
	/* Some bundles; they live in mem, which is emptied when this returns. */
	int (*visit)(void *ctx, struct arena *mem, const struct bundle *bundles, size_t n, struct err *e);
	/* One that is not rendered: the first line of why. */
	void (*bad)(void *ctx, const char *unit, const char *why);
	void *ctx;
};

/* Opens the tree of -C and --commit; ERR_INVALID when it is none that berth would apply. world_free it. */
int units_open(const struct args *a, struct world **w, const char **label, struct err *e) MUST_USE;

/* The environments named by a->pos (checked with env_of_arg), or everything with users, teams and the organization. */
int units_each(const struct args *a, struct world *w, const struct units_visit *v, struct err *e) MUST_USE;
