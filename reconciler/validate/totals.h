/* SPDX-License-Identifier: Apache-2.0 */
/* What the environments of a user and of a team hold together, against the user's, the role's and the team's limits. */
#pragma once

#include "lib/base/map.h"
#include "parse/env.h"

/*
 * For checks of a whole tree. Environments that have errors are not counted. Paused ones count for storage and number, not
 * for compute. A team's limit for a flavor is queue.quota, and queue.borrow on top where it has a cohort.
 */
struct totals;

struct totals *totals_new(void);
void totals_free(struct totals *t);

/* Everything that is needed is copied. */
void totals_add(struct totals *t, const struct env *env);

/*
 * Says which sums are over their limit, each at the first environment, in the order of paths, that goes over. With `changed`
 * (paths) only sums that one of these paths is part of, and the others come first, so that it is said where it was changed.
 */
void totals_check(struct totals *t, const struct site *s, const struct map *changed, struct report *r);
