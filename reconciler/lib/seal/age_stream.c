/* SPDX-License-Identifier: Apache-2.0 */
/* STREAM: chunks of 64 KiB, each with its number and a mark on the last. Whole files are in memory, so where the last one begins is known. */
#include <sodium.h>
#include <string.h>

#include "lib/seal/age_priv.h"
#include "lib/seal/hkdf.h"

static void
payload_key(const uint8_t key[AGE_KEY], const uint8_t nonce[AGE_NONCE], uint8_t out[32])
{
	hkdf_sha256(nonce, AGE_NONCE, key, AGE_KEY, "payload", 7, out, 32);
}

/* 11 bytes big endian, and whether it is the last. */
static void
chunk_nonce(uint64_t i, bool last, uint8_t out[12])
{
	memset(out, 0, 12);
	for (unsigned k = 0; k < 8; k++)
		out[10 - k] = (uint8_t)(i >> 8 * k);
	out[11] = last;
}

/*
 * How many bytes n bytes of chunks hold; false: no such file can be. The last chunk has its tag at least, and something in it unless it is the
 * only one. open_chunks writes what this counts.
 */
static bool
plain_size(size_t n, size_t *out)
{
	size_t full = n / (AGE_CHUNK + AGE_TAG), rest = n % (AGE_CHUNK + AGE_TAG);

	if (rest ? rest < AGE_TAG || (rest == AGE_TAG && full) : !full)
		return false;
	*out = full * AGE_CHUNK + (rest ? rest - AGE_TAG : 0);
	return true;
}

/* All chunks, or false. */
static bool
open_chunks(const uint8_t key[32], const uint8_t *in, size_t n, uint8_t *out)
{
	uint8_t nonce[12];

	for (uint64_t i = 0;; i++) {
		size_t part = n < AGE_CHUNK + AGE_TAG ? n : AGE_CHUNK + AGE_TAG;
		bool last = part == n;

		chunk_nonce(i, last, nonce);
		if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in, part, NULL, 0, nonce, key) != 0)
			return false;
		if (last)
			return true;
		in += part;
		out += part - AGE_TAG;
		n -= part;
	}
}

static int
open_payload(const uint8_t key[AGE_KEY], const uint8_t *in, size_t n, size_t max, struct secret *out, enum age_why *why, struct err *e)
{
	struct secret plain AUTO_SECRET = { NULL, 0 };
	uint8_t stream[32];
	size_t size;
	bool good;

	/* the nonce belongs to the header, says age.md */
	if (n < AGE_NONCE)
		return age_fail(why, AGE_BAD_HEADER, e);
	if (!plain_size(n - AGE_NONCE, &size))
		return age_fail(why, AGE_BAD_PAYLOAD, e);
	if (size > max)
		return age_fail(why, AGE_TOO_LARGE, e);
	plain = secret_new(size);
	payload_key(key, in, stream);
	good = open_chunks(stream, in + AGE_NONCE, n - AGE_NONCE, plain.b);
	sodium_memzero(stream, sizeof(stream));
	if (!good)
		return age_fail(why, AGE_BAD_PAYLOAD, e);
	*out = plain;
	plain.b = NULL;
	return 0;
}

int
age_finish(const struct age_header *h, const uint8_t key[AGE_KEY], size_t n, size_t max, struct secret *out, enum age_why *why,
           struct err *e)
{
	uint8_t mac[32];

	age_header_mac(key, h->bytes, h->signed_len, mac);
	if (sodium_memcmp(mac, h->mac, sizeof(mac)) != 0)
		return age_fail(why, AGE_BAD_MAC, e);
	return open_payload(key, (const uint8_t *)h->bytes + h->len, n - h->len, max, out, why, e);
}

void
age_stream_write(const uint8_t key[AGE_KEY], const uint8_t nonce[AGE_NONCE], const uint8_t *plain, size_t n, struct buf *out)
{
	uint8_t stream[32], number[12];

	buf_add(out, nonce, AGE_NONCE);
	payload_key(key, nonce, stream);
	for (uint64_t i = 0;; i++) {
		size_t part = n < AGE_CHUNK ? n : AGE_CHUNK, at = out->len;
		bool last = part == n;

		chunk_nonce(i, last, number);
		buf_pad(out, 0, part + AGE_TAG);
		if (out->over)
			break;
		(void)crypto_aead_chacha20poly1305_ietf_encrypt((unsigned char *)out->data + at, NULL, plain, part, NULL, 0, NULL, number,
		                                                stream);
		if (last)
			break;
		plain += part;
		n -= part;
	}
	sodium_memzero(stream, sizeof(stream));
}
