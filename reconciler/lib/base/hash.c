/* SPDX-License-Identifier: Apache-2.0 */
/* Digests by OpenSSL's EVP interface. */
#include "lib/base/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Looking an algorithm up by name costs more than a short digest: once a thread. */
static const EVP_MD *
algorithm(bool sha1)
{
	static _Thread_local EVP_MD *md[2];

	if (!md[sha1] && !(md[sha1] = EVP_MD_fetch(NULL, sha1 ? "SHA1" : "SHA256", NULL)))
		abort(); /* an OpenSSL without them cannot run anything of ours */
	return md[sha1];
}

/* Contexts are kept for the next digest: most hold a few hundred bytes. */
static _Thread_local EVP_MD_CTX *spare;

static pthread_key_t at_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* In the thread that ends. */
static void
free_spare(void *unused)
{
	(void)unused;
	EVP_MD_CTX_free(spare);
	spare = NULL;
}

static void
make_key(void)
{
	if (pthread_key_create(&at_end, free_spare) != 0)
		abort();
}

static void
keep_spare(EVP_MD_CTX *c)
{
	static _Thread_local bool noted;

	spare = c;
	if (noted)
		return;
	noted = true;
	(void)pthread_once(&once, make_key);
	(void)pthread_setspecific(at_end, &at_end);
}

static void
begin(struct hash_state *h, bool sha1)
{
	EVP_MD_CTX *c = spare ? spare : EVP_MD_CTX_new();

	spare = NULL;
	if (!c || EVP_DigestInit_ex2(c, algorithm(sha1), NULL) != 1)
		abort();
	h->ctx = c;
	h->n = 0;
}

static void
update(struct hash_state *h, const void *p, size_t n)
{
	if (n && EVP_DigestUpdate(h->ctx, p, n) != 1)
		abort();
}

static void
finish(struct hash_state *h, uint8_t *out)
{
	update(h, h->held, h->n);
	if (EVP_DigestFinal_ex(h->ctx, out, NULL) != 1)
		abort();
	if (spare)
		EVP_MD_CTX_free(h->ctx);
	else
		keep_spare(h->ctx);
	h->ctx = NULL;
}

void
hash_init(struct hash_state *h)
{
	begin(h, false);
}

void
hash_sha1_init(struct hash_state *h)
{
	begin(h, true);
}

void
hash_add(struct hash_state *h, const void *p, size_t n)
{
	if (n > sizeof(h->held) - h->n) {
		update(h, h->held, h->n);
		h->n = 0;
	}
	if (n >= sizeof(h->held)) {
		update(h, p, n);
	} else if (n) {
		memcpy(h->held + h->n, p, n);
		h->n += n;
	}
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
	finish(h, out->b);
}

void
hash_sha1_final(struct hash_state *h, uint8_t out[20])
{
	finish(h, out);
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
hash_hmac(const void *key, size_t n, const struct hash_part *parts, size_t nparts, struct digest *out)
{
	char sha256[] = "SHA256";
	OSSL_PARAM how[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0), OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *c = mac ? EVP_MAC_CTX_new(mac) : NULL;
	size_t len = 0;

	if (!c || EVP_MAC_init(c, key, n, how) != 1)
		abort();
	for (size_t i = 0; i < nparts; i++)
		if (parts[i].n && EVP_MAC_update(c, parts[i].p, parts[i].n) != 1)
			abort();
	if (EVP_MAC_final(c, out->b, &len, sizeof(out->b)) != 1 || len != sizeof(out->b))
		abort();
	EVP_MAC_CTX_free(c);
	EVP_MAC_free(mac);
}

bool
digest_same(const struct digest *a, const struct digest *b)
{
	return CRYPTO_memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

void
digest_hex(const struct digest *d, char out[DIGEST_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(d->b); i++) {
		out[2 * i] = digits[d->b[i] >> 4];
		out[2 * i + 1] = digits[d->b[i] & 15];
	}
	out[DIGEST_HEX - 1] = '\0';
}
