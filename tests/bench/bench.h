/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs of figures share: a clock, and an end with a word when something does not work. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/err.h"

static struct err e;

static inline double
seconds(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void
must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, e.text);
	exit(1);
}
