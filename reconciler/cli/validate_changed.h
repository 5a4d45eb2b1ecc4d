/* SPDX-License-Identifier: Apache-2.0 */
/* berth validate --changed: what a range of commits touches, and what depends on that. */
#pragma once

#include "changed.h"
#include "cli/cmd.h"

/*
 * `range` is BASE..HEAD, or BASE...HEAD for what HEAD has since the two parted; HEAD may be left out. A BASE of 40 zeros is
 * "nothing before". Rules are those of --config-from, else of BASE. ERR_USAGE for a text that is no range, ERR_NOTFOUND for a revision that is not there.
 */
int validate_changed(const struct args *a, const char *range, struct report *r, struct changed *out, struct err *e) MUST_USE;
