/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: do two opened SOPS files say the same? */
#pragma once

#include <string.h>

#include "lib/seal/sops.h"

static inline bool
sops_same(const struct sops_open *a, const struct sops_open *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->leaves[i].name, b->leaves[i].name) != 0 || a->values[i].n != b->values[i].n ||
		    memcmp(a->values[i].b, b->values[i].b, a->values[i].n) != 0)
			return false;
	return true;
}
