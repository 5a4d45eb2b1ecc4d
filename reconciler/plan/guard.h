/* SPDX-License-Identifier: Apache-2.0 */
/* The guard against mass deletion: how many environments one commit may delete. Pure. */
#pragma once

#include "lib/doc/value.h"

/*
 * max(maxDelete, maxDeleteFraction x live) from spec.guards of a berth.yaml; NULL, or what is not set, counts as 3 and 0.25.
 * Negative numbers count as 0, fractions over 1 too (the schema refuses both).
 */
size_t guard_allowed(const struct value *guards, size_t live);
