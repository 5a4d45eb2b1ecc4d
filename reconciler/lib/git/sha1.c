/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-1 as git uses it: names for bytes that we made ourselves. What others made is checked by libgit2. */
#include "lib/git/priv.h"

#include <stdio.h>

static uint32_t
rol(uint32_t x, unsigned int n)
{
	return x << n | x >> (32 - n);
}

static void
mix(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (size_t i = 0; i < 16; i++, p += 4)
		w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	for (size_t i = 16; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
#define ROUND(i, f, k) \
	do { \
		uint32_t t = rol(a, 5) + (f) + e + (k) + w[i]; \
		e = d; \
		d = c; \
		c = rol(b, 30); \
		b = a; \
		a = t; \
	} while (0)
	for (size_t i = 0; i < 20; i++)
		ROUND(i, d ^ (b & (c ^ d)), 0x5a827999u);
	for (size_t i = 20; i < 40; i++)
		ROUND(i, b ^ c ^ d, 0x6ed9eba1u);
	for (size_t i = 40; i < 60; i++)
		ROUND(i, (b & c) | (d & (b | c)), 0x8f1bbcdcu);
	for (size_t i = 60; i < 80; i++)
		ROUND(i, b ^ c ^ d, 0xca62c1d6u);
#undef ROUND
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void
sha1_init(struct sha1 *s)
{
	static const uint32_t start[5] = { 0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u };

	memcpy(s->h, start, sizeof(start));
	s->total = 0;
}

void
sha1_add(struct sha1 *s, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t have = s->total % 64;

	s->total += n;
	if (have && have + n >= 64) {
		memcpy(s->block + have, p, 64 - have);
		mix(s->h, s->block);
		p += 64 - have;
		n -= 64 - have;
		have = 0;
	}
	if (!have)
		for (; n >= 64; p += 64, n -= 64)
			mix(s->h, p);
	if (n)
		memcpy(s->block + have, p, n);
}

void
sha1_final(struct sha1 *s, struct oid *out)
{
	static const uint8_t pad[64] = { 0x80 };
	uint64_t bits = s->total * 8;
	uint8_t tail[8];

	sha1_add(s, pad, 1 + (119 - s->total % 64) % 64);
	for (size_t i = 0; i < 8; i++)
		tail[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha1_add(s, tail, sizeof(tail));
	for (size_t i = 0; i < 20; i++)
		out->b[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void
git_hash_object(const char *type, const void *bytes, size_t len, struct oid *out)
{
	char head[32];
	struct sha1 s;
	int n = snprintf(head, sizeof(head), "%s %zu", type, len);

	sha1_init(&s);
	sha1_add(&s, head, (size_t)n + 1);
	sha1_add(&s, bytes, len);
	sha1_final(&s, out);
}

void
git_hash_blob(const void *bytes, size_t len, struct oid *out)
{
	git_hash_object("blob", bytes, len, out);
}
