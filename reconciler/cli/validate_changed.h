/* SPDX-License-Identifier: Apache-2.0 */
/* berth validate --changed: what a range of commits touches, and what depends on that. */
#pragma once

#include "cli/cmd.h"
#include "lib/base/files.h"
#include "lib/doc/report.h"

struct changed {
	struct files files; /* of HEAD; lives in a->mem */
	size_t checked;     /* documents that were looked at */
	const char *rules;  /* "4f2c9d1" when roles, guards or approvals were taken from there since berth.yaml differs, else NULL */
};

/*
 * `range` is BASE..HEAD, or BASE...HEAD for what HEAD has since the two parted; HEAD may be left out. A BASE of 40 zeros is
 * "nothing before". Gives the findings of documents that differ and of environments that depend on what differs, and of
 * other shared documents those that BASE does not have. Roles, guards and approvals are those of --config-from, else of BASE. ERR_INVALID
 * when --config-from has no berth.yaml without errors. ERR_USAGE for a text that is no range, ERR_NOTFOUND for a revision
 * that is not there.
 */
int validate_changed(const struct args *a, const char *range, struct report *r, struct changed *out, struct err *e) MUST_USE;
