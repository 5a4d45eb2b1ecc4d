/* SPDX-License-Identifier: Apache-2.0 */
/* Every finding of a whole tree: what `berth validate` says, for verbs that are about to change it too. */
#pragma once

#include "lib/base/map.h"
#include "world.h"

/* A tree that has been adopted. All findings go to `all`, copied; scratch is of the call's own. */
struct tree_check {
	const char *rendered;      /* render this owner's environments alone; NULL: everything (findings of templates with it) */
	const struct map *changed; /* sums that these paths are part of alone, said there; NULL: all sums */
};
int tree_check(struct world *w, const struct tree_check *how, struct report *all, struct err *e) MUST_USE;
