/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 digests, HMAC with them, and SHA-1 for git's ids (FIPS 180-4, by OpenSSL: it uses the processor's own instructions). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest {
	uint8_t b[32];
};

#define DIGEST_HEX 65 /* with the NUL */

/* Between hash_init and hash_final it holds memory: always finish what was begun. */
struct hash_state {
	void *ctx;
	size_t n;          /* bytes held back: many fields are shorter than a call into OpenSSL is worth */
	uint8_t held[256];
};

void hash_init(struct hash_state *h);
void hash_add(struct hash_state *h, const void *p, size_t n);

/* Adds the length (8 bytes, little endian) and then the bytes, so that neighbouring fields cannot run together. */
void hash_field(struct hash_state *h, const void *p, size_t n);
void hash_field_str(struct hash_state *h, const char *s); /* NULL counts as "" */
void hash_final(struct hash_state *h, struct digest *out);

void hash_bytes(const void *p, size_t n, struct digest *out);

/* HMAC-SHA-256 (RFC 2104) over the parts, one behind the other. The key is not empty. */
struct hash_part {
	const void *p;
	size_t n;
};
void hash_hmac(const void *key, size_t n, const struct hash_part *parts, size_t nparts, struct digest *out);

/* Compares in a time that does not tell where two differ: for what a stranger may try again and again. */
bool digest_same(const struct digest *a, const struct digest *b);

/* Lower-case hexadecimal. */
void digest_hex(const struct digest *d, char out[DIGEST_HEX]);

/* The same for SHA-1: git's object ids and pack trailers, nothing else. */
void hash_sha1_init(struct hash_state *h);
void hash_sha1_final(struct hash_state *h, uint8_t out[20]);
