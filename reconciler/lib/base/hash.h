/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 digests (FIPS 180-4, by libsodium). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct digest {
	uint8_t b[32];
};

#define DIGEST_HEX 65 /* with the NUL */

struct hash_state {
	_Alignas(64) unsigned char opaque[128];
};

void hash_init(struct hash_state *h);
void hash_add(struct hash_state *h, const void *p, size_t n);

/* Adds the length (8 bytes, little endian) and then the bytes, so that neighbouring fields cannot run together. */
void hash_field(struct hash_state *h, const void *p, size_t n);
void hash_field_str(struct hash_state *h, const char *s); /* NULL counts as "" */
void hash_final(struct hash_state *h, struct digest *out);

void hash_bytes(const void *p, size_t n, struct digest *out);

/* Lower-case hexadecimal. */
void digest_hex(const struct digest *d, char out[DIGEST_HEX]);
