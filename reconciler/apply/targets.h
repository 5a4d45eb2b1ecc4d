/* SPDX-License-Identifier: Apache-2.0 */
/* The table of targets. */
#pragma once

#include "apply/target_kube.h"
#include "plan/target.h"
#include "repo/source.h"

/* What targets are made of; each takes what it needs. Borrowed for the target's life. */
struct target_setup {
	struct source *source;
	struct target_kube_options kube;
};

/* Opens a target by name; an unknown name is ERR_USAGE that lists the known ones. */
int target_open(const char *name, const struct target_setup *s, struct target **out, struct err *e) MUST_USE;
