/* SPDX-License-Identifier: Apache-2.0 */
/* Names that berth gives itself. */
#include "parse/reserved.h"

#include <string.h>

#include "lib/base/str.h"

static const char *const names[] = { "HOME", "RANK", "LOCAL_RANK", "NODE_RANK", "NNODES", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT" };
static const char *const prefixes[] = { "BERTH_", "PET_" };

bool
reserved_variable(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (str_starts(name, prefixes[i]))
			return true;
	return false;
}

bool
reserved_claim(const char *name)
{
	return str_starts(name, "home-") || strstr(name, "--") != NULL;
}
