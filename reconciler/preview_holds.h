/* SPDX-License-Identifier: Apache-2.0 */
/* Inside preview.c: who would wait, since limits on sums hold in the daemon (validate/holds.h). */
#pragma once

#include "world.h"

struct preview_holds;

/*
 * Decides as the daemon does: what `base` asks for is live where it fits, then `head` is asked for. Of what is live where sums are over
 * `status` tells, the files of the status branch (borrowed); NULL: all of base is live. Base may be NULL. `touched`: owners who are not in it have the same
 * in both, as have those on whom they depend; NULL: anybody may differ. Lives in mem, as do the texts that it gives.
 */
int preview_holds_make(struct world *base, struct world *head, const struct map *touched, const struct files *status, struct arena *mem,
                       struct preview_holds **out, struct err *e) MUST_USE;

/* Why it waits after the merge, one line with the place of the limit, or NULL. */
const char *preview_holds_waits(const struct preview_holds *h, const char *owner, const char *name);

/* Base asks for it, and nothing of it is there: it waits already. */
bool preview_holds_absent(const struct preview_holds *h, const char *owner, const char *name);

/* Anything of this owner waits, or did before: what others do may move it. */
bool preview_holds_concern(const struct preview_holds *h, const char *owner);
