/* SPDX-License-Identifier: Apache-2.0 */
/* Target git: rendered manifests as commits on the branch berth/rendered. */
#pragma once

#include "plan/target.h"
#include "repo/source.h"

/* Writes to the source's own repository. The source stays the caller's and must outlive the target. */
struct target *target_git_new(struct source *s);
