/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by libsodium. */
#include "lib/base/hash.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(struct hash_state) >= sizeof(crypto_hash_sha256_state), "hash_state too small");

static crypto_hash_sha256_state *
state(struct hash_state *h)
{
	return (crypto_hash_sha256_state *)(void *)h->opaque;
}

void
hash_init(struct hash_state *h)
{
	(void)crypto_hash_sha256_init(state(h)); /* always 0 */
}

void
hash_add(struct hash_state *h, const void *p, size_t n)
{
	if (n)
		(void)crypto_hash_sha256_update(state(h), p, n);
}

void
hash_field(struct hash_state *h, const void *p, size_t n)
{
	uint8_t len[8];

	for (size_t i = 0; i < sizeof(len); i++)
		len[i] = (uint8_t)((uint64_t)n >> (8 * i));
	hash_add(h, len, sizeof(len));
	hash_add(h, p, n);
}

void
hash_field_str(struct hash_state *h, const char *s)
{
	hash_field(h, s ? s : "", s ? strlen(s) : 0);
}

void
hash_final(struct hash_state *h, struct digest *out)
{
	(void)crypto_hash_sha256_final(state(h), out->b);
}

void
hash_bytes(const void *p, size_t n, struct digest *out)
{
	struct hash_state h;

	hash_init(&h);
	hash_add(&h, p, n);
	hash_final(&h, out);
}

void
digest_hex(const struct digest *d, char out[DIGEST_HEX])
{
	(void)sodium_bin2hex(out, DIGEST_HEX, d->b, sizeof(d->b));
}
