/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for what must not be seen: guarded pages, locked where the limits allow it, left out of core dumps, wiped when freed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

struct secret {
	unsigned char *b; /* NULL: none */
	size_t n;         /* bytes in use */
};

/* Once a process, before anything else of lib/seal; ERR_INTERNAL when libsodium cannot be used. */
int seal_init(struct err *e) MUST_USE;

/* n bytes of guarded memory (at most 32 MiB), zeroed; aborts when there is none. secret_free wipes; a freed one may be freed again. */
struct secret secret_new(size_t n);
void secret_free(struct secret *s);

/* Zeroes what stood on the stack or in other memory; never optimised away. For those who have no libsodium (tests/layers.txt). */
void secret_wipe(void *p, size_t n);

/*
 * Is such memory really locked? False, with a text for people in *why (static: what limit, and what to set: LimitMEMLOCK=, IPC_LOCK),
 * when RLIMIT_MEMLOCK is too small: sodium_malloc goes on silently then, and secrets may reach a swap device.
 */
bool secret_locked(const char **why);

#define AUTO_SECRET __attribute__((cleanup(secret_free)))
