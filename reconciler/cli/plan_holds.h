/* SPDX-License-Identifier: Apache-2.0 */
/* berth plan: who would wait, since limits on sums hold in the daemon (validate/holds.h). */
#pragma once

#include "cli/cmd.h"
#include "world.h"

struct plan_holds;

/*
 * Decides as the daemon does: what `base` asks for is live where it fits, then `head` is asked for. Of what is live where sums are over
 * the status branch of the repository in `dir` tells, as it was fetched last; without one all of base is live. Base may be NULL. Lives in
 * mem, as do the texts that it gives.
 */
int plan_holds_make(struct world *base, struct world *head, const char *dir, struct arena *mem, struct plan_holds **out,
                    struct err *e) MUST_USE;

/* Why it waits after the merge, one line with the place of the limit, or NULL. */
const char *plan_holds_waits(const struct plan_holds *h, const char *owner, const char *name);

/* Base asks for it, and nothing of it is there: it waits already. */
bool plan_holds_absent(const struct plan_holds *h, const char *owner, const char *name);
