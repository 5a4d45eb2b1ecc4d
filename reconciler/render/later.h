/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that are read and checked but that this version renders nothing for. Named by plan and status, never dropped. */
#pragma once

#include "parse/env.h"

/* The fields of this environment's spec, or of its defaults, that a later version renders; sorted. */
void later_fields(struct arena *mem, const struct env *env, const char *const **fields, size_t *n);

/* What a field of that list will mean ("snapshots are not taken yet"); never NULL. */
const char *later_text(const char *field);
