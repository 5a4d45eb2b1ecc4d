/* SPDX-License-Identifier: Apache-2.0 */
/* base64 with the standard alphabet and padding (RFC 4648 section 4). */
#pragma once

#include "lib/base/arena.h"

/*
 * Into mem, NUL-terminated behind *len. Blanks and line breaks are skipped; anything else outside the alphabet, missing or
 * misplaced padding, and bits behind the last byte that are not 0 give ERR_INVALID.
 */
int base64_decode(struct arena *mem, const char *s, size_t n, char **out, size_t *len) MUST_USE;

/* Without line breaks, in mem. */
char *base64_encode(struct arena *mem, const void *p, size_t n);
