/* SPDX-License-Identifier: Apache-2.0 */
/* Who must still approve a change that is not merged yet, as the daemon would ask after the merge. */
#pragma once

#include "approve_judge.h"

struct preview_need {
	enum approval_mode mode;
	const char *missing; /* a line in mem, as approval_enough says it; NULL: it is enough, or nothing is asked */
	unsigned lacks;
};

/*
 * The change is the difference of two commits; give the commit where the head left the branch, not the branch's newest. `trusted` is the tree whose rules count;
 * NULL: that of `fork`. Who wrote commits between the two is an author, and nobody has said yes. ERR_INVALID: the policy cannot be read, or the
 * change has over CHANGESET_MAX files: then nobody's approval is enough.
 */
int preview_need(struct judge *j, struct git_repo *g, const struct oid *fork, const struct oid *head, const struct oid *trusted,
                 struct arena *mem, struct preview_need *out, struct err *e) MUST_USE;
