/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests: an arena for each test, given and taken by cmocka_unit_test_setup_teardown(test, setup, teardown). */
#pragma once

#include "lib/base/arena.h"

static struct arena *mem;

static int
setup(void **state)
{
	(void)state;
	mem = arena_new((size_t)64 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(mem);
	mem = NULL;
	return 0;
}
