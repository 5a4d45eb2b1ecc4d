/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF-SHA256 (RFC 5869): keys from a key. */
#pragma once

#include <stddef.h>

#define HKDF_OUT_MAX ((size_t)255 * 32)

/* At most HKDF_OUT_MAX bytes to `out`; more aborts. No salt (n 0) is 32 zero bytes, as the RFC says. What is in between is wiped. */
void hkdf_sha256(const void *salt, size_t nsalt, const void *key, size_t nkey, const void *info, size_t ninfo, void *out, size_t nout);

/* HMAC-SHA256 with a key of any length. */
void hmac_sha256(const void *key, size_t nkey, const void *msg, size_t n, unsigned char out[32]);
