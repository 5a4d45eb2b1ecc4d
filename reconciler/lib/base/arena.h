/* SPDX-License-Identifier: Apache-2.0 */
/* One arena a piece of work: everything a stage returns lives in it and goes with it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

struct arena;

/* The limit for one environment's arena, in bytes. */
#define ARENA_ENV_MAX ((size_t)4 << 20)

/*
 * A new arena that may hold at most `max` bytes. Running over `max`, or out of memory, aborts: limits on input
 * (document size, depth, template steps) are tighter and are reported as errors before that.
 */
struct arena *arena_new(size_t max);

/* The same with a first block of exactly `first` bytes, for something small that lives long and whose size is known. */
struct arena *arena_new_sized(size_t max, size_t first);

/* Runs the deferred frees, newest first, then frees all. NULL is fine. */
void arena_free(struct arena *a);

/* Empties the arena but keeps its first block, for reuse in a loop. */
void arena_reset(struct arena *a);

/* `n` zeroed bytes aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);

/* n * size zeroed bytes; overflow aborts. */
void *arena_array(struct arena *a, size_t n, size_t size);

/* Grows an array that lives in `a`: returns a block of new_n elements with the old ones copied. */
void *arena_regrow(struct arena *a, const void *old, size_t old_n, size_t new_n, size_t size);

/* Copies; the result is NUL-terminated. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
void *arena_memdup(struct arena *a, const void *p, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);

/* Ties a foreign object to the arena: fn(p) runs in arena_free/arena_reset. */
void arena_defer(struct arena *a, void (*fn)(void *), void *p);

/* Bytes handed out so far, and bytes left before the arena's maximum. */
size_t arena_used(const struct arena *a);
size_t arena_room(const struct arena *a);

static inline void
arena_freep(struct arena **a)
{
	arena_free(*a);
}

/* struct arena *AUTO_ARENA mem = arena_new(...); freed at the end of the scope. */
#define AUTO_ARENA __attribute__((cleanup(arena_freep)))
