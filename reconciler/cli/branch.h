/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the status branch, from a repository, a clone of it, or a URL. */
#pragma once

#include "cli/cmd.h"
#include "lib/git/git.h"

struct branch {
	struct git_repo *git; /* closed with a->mem */
	bool exists;
	struct oid tip, tree;
};

/*
 * -C DIR. A clone's origin is asked first (5 s at most, --offline: never); when it cannot be reached the last known state is
 * shown and stderr says so. A bare repository is read as it is.
 */
int branch_open(const struct args *a, const char *name, struct branch *out, struct err *e) MUST_USE;
