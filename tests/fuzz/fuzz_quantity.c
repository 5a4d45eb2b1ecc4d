/* SPDX-License-Identifier: Apache-2.0 */
/* Quantities from arbitrary text: no overflow, and what is written as text reads back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "parse/quantity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_new((size_t)1 << 20);
	int64_t milli, again;

	if (size < 4096 && quantity_parse(arena_strndup(mem, (const char *)data, size), &milli) == 0) {
		if (milli < 0)
			abort();
		if (quantity_parse(quantity_cpu_text(mem, milli), &again) < 0 || again != milli)
			abort();
		if (quantity_units(value_str(mem, quantity_bytes_text(mem, milli / 1000)), &again) < 0 || again != milli / 1000)
			abort();
	}
	arena_free(mem);
	return 0;
}
