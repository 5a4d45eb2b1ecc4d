/* SPDX-License-Identifier: Apache-2.0 */
/* One thing in one block of memory: a hundred thousand of them must stay small. Private to status/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "status/status.h"

/* Two rounds: the first measures (at is NULL), the second copies to `at`. */
struct packer {
	char *at; /* NULL while measuring */
	size_t need;
};

/* The copy of `s`; while measuring `s` itself. NULL stays NULL. */
const char *pack_str(struct packer *k, const char *s);

/* A copy of the observation with all its texts and lists; give it to free(). */
struct observation *observation_pack(const struct observation *o);

/* Do both say the same? */
bool unit_state_equal(const struct unit_state *x, const struct unit_state *y);
