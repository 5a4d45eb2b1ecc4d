/* SPDX-License-Identifier: Apache-2.0 */
/* berth apply --dry-run: what the API server would say to every object. Writes nothing, needs no daemon. */
#pragma once

#include "cli/cluster.h"

/* Rows for the verb's table; dry_run reads these and a->pos. */
#define DRY_RUN_OPTS                                                                                                   \
	{ "dry-run", NULL, "ask the cluster what it would say to each object; write nothing" },                        \
	{ "C", "DIR", "with --dry-run: the environments repository (default: here)" },                                 \
	{ "commit", "REV", "with --dry-run: a commit instead of the working tree" },                                   \
	{ "o", "table|json|yaml", "with --dry-run: how to print it" }

/* Exit code 0, 1 when something is refused or not valid; or an error. No names: everything. */
int dry_run(const struct args *a, struct err *e) MUST_USE;
