/* SPDX-License-Identifier: Apache-2.0 */
/* Arena: a chain of blocks and a list of deferred frees. */
#include "lib/base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK ((size_t)4096)
#define LARGEST_BLOCK ((size_t)256 * 1024)
#define ALIGN _Alignof(max_align_t)

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(max_align_t) char data[];
};

struct deferred {
	struct deferred *next;
	void (*fn)(void *);
	void *p;
};

struct arena {
	struct block *blocks; /* newest first */
	struct deferred *deferred;
	size_t max, used, next_size;
};

static void
die(const char *what)
{
	(void)fprintf(stderr, "berth: %s\n", what);
	abort();
}

static struct block *
block_new(size_t size)
{
	struct block *b = malloc(sizeof(*b) + size);

	if (!b)
		die("out of memory");
	b->next = NULL;
	b->size = size;
	b->used = 0;
	return b;
}

struct arena *
arena_new(size_t max)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		die("out of memory");
	a->max = max;
	a->next_size = FIRST_BLOCK;
	return a;
}

struct arena *
arena_new_sized(size_t max, size_t first)
{
	struct arena *a = arena_new(max);

	a->next_size = (first + ALIGN - 1) & ~(ALIGN - 1);
	return a;
}

static void
run_deferred(struct arena *a)
{
	/* the records live in the arena's own blocks: read on before the call */
	while (a->deferred) {
		struct deferred *d = a->deferred;

		a->deferred = d->next;
		d->fn(d->p);
	}
}

void
arena_free(struct arena *a)
{
	if (!a)
		return;
	run_deferred(a);
	while (a->blocks) {
		struct block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
	free(a);
}

void
arena_reset(struct arena *a)
{
	run_deferred(a);
	while (a->blocks && a->blocks->next) {
		struct block *next = a->blocks->next;

		free(a->blocks);
		a->blocks = next;
	}
	if (a->blocks)
		a->blocks->used = 0;
	a->used = 0;
	a->next_size = FIRST_BLOCK * 2;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct block *b = a->blocks;
	size_t want;
	void *p;

	if (n > a->max || a->used > a->max - n)
		die("arena limit reached: an input limit is missing (please report)");
	want = (n + ALIGN - 1) & ~(ALIGN - 1);
	if (!want)
		want = ALIGN;
	if (!b || b->size - b->used < want) {
		size_t size = a->next_size > want ? a->next_size : want;

		b = block_new(size);
		b->next = a->blocks;
		a->blocks = b;
		if (a->next_size < LARGEST_BLOCK)
			a->next_size *= 2;
	}
	p = b->data + b->used;
	b->used += want;
	a->used += want;
	return memset(p, 0, want);
}

void *
arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		die("array size overflow");
	return arena_alloc(a, bytes);
}

void *
arena_regrow(struct arena *a, const void *old, size_t old_n, size_t new_n, size_t size)
{
	void *p = arena_array(a, new_n, size);

	if (old_n)
		memcpy(p, old, (old_n < new_n ? old_n : new_n) * size);
	return p;
}

void *
arena_memdup(struct arena *a, const void *p, size_t n)
{
	void *q = arena_alloc(a, n);

	if (n)
		memcpy(q, p, n);
	return q;
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	if (n)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, ap2;
	char few[256], *p;
	int n;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	n = vsnprintf(few, sizeof(few), fmt, ap);
	va_end(ap);
	if (n < 0)
		die("bad format");
	if ((size_t)n < sizeof(few)) {
		va_end(ap2);
		return arena_strndup(a, few, (size_t)n);
	}
	p = arena_alloc(a, (size_t)n + 1);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap2);
	va_end(ap2);
	return p;
}

void
arena_defer(struct arena *a, void (*fn)(void *), void *p)
{
	struct deferred *d = arena_alloc(a, sizeof(*d));

	d->fn = fn;
	d->p = p;
	d->next = a->deferred;
	a->deferred = d;
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}

size_t
arena_room(const struct arena *a)
{
	return a->used < a->max ? a->max - a->used : 0;
}
