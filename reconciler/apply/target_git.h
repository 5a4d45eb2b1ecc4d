/* SPDX-License-Identifier: Apache-2.0 */
/* Target git: rendered manifests as commits on the branch berth/rendered. */
#pragma once

#include "lib/seal/decryptor.h"
#include "plan/target.h"
#include "lib/seal/decryptor.h"
#include "repo/source.h"

/* Writes to the source's own repository; `d` seals Secrets again for who applies the branch (may be NULL). Both stay the caller's and must outlive the target. */
struct target *target_git_new(struct source *s, struct decryptor *d);
