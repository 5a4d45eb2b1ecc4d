/* SPDX-License-Identifier: Apache-2.0 */
/* The table of targets. */
#pragma once

#include "plan/target.h"
#include "repo/source.h"

/* Opens a target by name; an unknown name is ERR_USAGE that lists the known ones. */
int target_open(const char *name, struct source *s, struct target **out, struct err *e) MUST_USE;
