/* SPDX-License-Identifier: Apache-2.0 */
/* A master key in a folder of its own, for tests that start decryptors. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/seal/master.h"

static struct err e;
static struct master m;
static char folder[] = "/tmp/berth-key.XXXXXX", key_file[64];

static inline int
group_setup(void **state)
{
	(void)state;
	if (seal_init(&e) < 0 || !mkdtemp(folder))
		return -1;
	(void)snprintf(key_file, sizeof(key_file), "%s/key", folder);
	master_new(&m);
	return master_store(&m, key_file, &e);
}

static inline int
group_teardown(void **state)
{
	(void)state;
	master_free(&m);
	(void)unlink(key_file);
	return rmdir(folder);
}
