/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF by libsodium's streaming HMAC: its one-shot form takes keys of 32 bytes only. */
#include "lib/seal/hkdf.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

void
hmac_sha256(const void *key, size_t nkey, const void *msg, size_t n, unsigned char out[32])
{
	crypto_auth_hmacsha256_state st;

	(void)crypto_auth_hmacsha256_init(&st, key, nkey);
	(void)crypto_auth_hmacsha256_update(&st, msg, n);
	(void)crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

void
hkdf_sha256(const void *salt, size_t nsalt, const void *key, size_t nkey, const void *info, size_t ninfo, void *out, size_t nout)
{
	crypto_auth_hmacsha256_state st;
	unsigned char prk[32], block[32], counter = 0;
	unsigned char *to = out;

	if (nout > HKDF_OUT_MAX)
		abort();
	/* HMAC pads short keys with zero bytes: an empty salt and 32 of them are the same */
	hmac_sha256(nsalt ? salt : "", nsalt, key, nkey, prk);
	while (nout) {
		size_t n = nout < sizeof(block) ? nout : sizeof(block);

		(void)crypto_auth_hmacsha256_init(&st, prk, sizeof(prk));
		if (counter)
			(void)crypto_auth_hmacsha256_update(&st, block, sizeof(block));
		(void)crypto_auth_hmacsha256_update(&st, info, ninfo);
		counter++;
		(void)crypto_auth_hmacsha256_update(&st, &counter, 1);
		(void)crypto_auth_hmacsha256_final(&st, block);
		memcpy(to, block, n);
		to += n;
		nout -= n;
	}
	sodium_memzero(&st, sizeof(st));
	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(block, sizeof(block));
}
