/* SPDX-License-Identifier: Apache-2.0 */
/* What a change from one tree to another does, found out by rendering both: for `berth plan` and for pull requests. No cluster and no network. */
#pragma once

#include "sides.h"
#include "status/planned.h"

struct preview_ask {
	struct sides *sides;        /* which have read both trees */
	const struct files *status; /* of the status branch, to know who waits already; NULL: all of the base is live */
	/*
	 * Renders only owners whose files differ, and those who wait, when nothing outside envs/ differs; what is wrong with others is left out.
	 * Files need their ids for that, which a folder on disk has not (cli/tree.h).
	 */
	bool touched;
};

/*
 * Everything in *out lives in mem, up to some kilobytes an environment that changes. ERR_INVALID: the head is no tree that berth would apply (the first
 * finding, and a hint). A base that berth would not apply counts as none.
 */
int preview_make(const struct preview_ask *ask, struct arena *mem, struct planned *out, struct err *e) MUST_USE;
