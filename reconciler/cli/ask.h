/* SPDX-License-Identifier: Apache-2.0 */
/* Questions at a terminal: few, each with an answer that Enter gives. They go to stderr and are read from stdin. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct ask {
	struct arena *mem;
	unsigned left; /* questions that may still be asked; at 0 every answer is what Enter would give */
};

struct ask_row {
	const char *name; /* the answer */
	const char *text; /* what stands beside it */
};

/*
 * A numbered list; the answer is a number or a name of it, by Enter the first; with `others` also anything else. ERR_CANCELLED at the end of input and after five
 * answers that are none.
 */
int ask_pick(struct ask *a, const char *what, const struct ask_row *rows, size_t n, bool others, const char **out, struct err *e) MUST_USE;

/* One line. `good` (may be NULL) says why an answer is none, or NULL. The answer lives in a->mem; `enter` is what Enter gives, shown; NULL: there is no such answer. */
int ask_text(struct ask *a, const char *what, const char *enter, const char *(*good)(void *ctx, const char *answer), void *ctx, const char **out, struct err *e) MUST_USE;
