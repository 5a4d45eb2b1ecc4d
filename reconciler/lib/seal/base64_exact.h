/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 that has one way to write the same bytes: no blanks, no line ends, padding as asked, the bits behind the last byte 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The standard alphabet, in constant time for a length. True: *got bytes, at most `max`, are in `out`. libsodium 1.0.18 takes every byte
 * above 0x7f for '/', so nothing of lib/seal calls its decoder but this.
 */
bool base64_exact(const char *s, size_t n, bool padded, void *out, size_t max, size_t *got);
