/* SPDX-License-Identifier: Apache-2.0 */
/* Bech32 (BIP 173) without its limit of 90 characters, as age uses it: "<hrp>1<data><checksum>", all lower or all upper case. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

#define BECH32_TEXT_MAX 2560 /* characters; a hybrid recipient of age has 1959 */

/*
 * `text` must have the human-readable part `hrp` (lower case) and exactly `want` bytes of data. ERR_INVALID says what is wrong and holds
 * nothing of the text. On errors `out` is wiped.
 */
int bech32_decode(const char *text, size_t n, const char *hrp, uint8_t *out, size_t want, struct err *e) MUST_USE;

/* How many characters the human-readable part has: up to the last '1'; 0 when there is none. */
size_t bech32_hrp(const char *text, size_t n);

/* With the NUL: what bech32_encode needs. */
#define BECH32_SIZE(nhrp, ndata) ((nhrp) + 1 + ((ndata) * 8 + 4) / 5 + 6 + 1)

/* `out` has room for `size` characters, at least BECH32_SIZE (aborts). `upper`: in upper case. */
void bech32_encode(const char *hrp, const uint8_t *data, size_t n, bool upper, char *out, size_t size);
