/* SPDX-License-Identifier: Apache-2.0 */
/* Reading SSH's wire format (RFC 4251 section 5): numbers most significant byte first, strings with a length of four bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of somebody else's; reading takes from the front. */
struct span {
	const uint8_t *p;
	size_t n;
};

static inline bool
span_u8(struct span *s, uint8_t *out)
{
	if (s->n < 1)
		return false;
	*out = s->p[0];
	s->p++;
	s->n--;
	return true;
}

static inline bool
span_u32(struct span *s, uint32_t *out)
{
	if (s->n < 4)
		return false;
	*out = (uint32_t)s->p[0] << 24 | (uint32_t)s->p[1] << 16 | (uint32_t)s->p[2] << 8 | s->p[3];
	s->p += 4;
	s->n -= 4;
	return true;
}

static inline bool
span_u64(struct span *s, uint64_t *out)
{
	uint32_t high = 0, low = 0;

	if (s->n < 8)
		return false;
	(void)span_u32(s, &high);
	(void)span_u32(s, &low);
	*out = (uint64_t)high << 32 | low;
	return true;
}

static inline bool
span_bytes(struct span *s, size_t n, struct span *out)
{
	if (s->n < n)
		return false;
	*out = (struct span){ s->p, n };
	s->p += n;
	s->n -= n;
	return true;
}

static inline bool
span_string(struct span *s, struct span *out)
{
	struct span rest = *s;
	uint32_t n;

	if (!span_u32(&rest, &n) || !span_bytes(&rest, n, out))
		return false;
	*s = rest;
	return true;
}

/* A positive number without needless leading zeros; *out without the zero that keeps it positive. Zero itself is refused. */
static inline bool
span_number(struct span *s, struct span *out)
{
	struct span rest = *s, n;

	if (!span_string(&rest, &n) || n.n == 0 || n.p[0] & 0x80)
		return false;
	if (n.p[0] == 0) {
		if (n.n < 2 || !(n.p[1] & 0x80))
			return false;
		n.p++;
		n.n--;
	}
	*s = rest;
	*out = n;
	return true;
}

/* Bits of such a number. */
static inline size_t
span_bits(const struct span *number)
{
	size_t bits = number->n * 8;

	for (unsigned top = number->p[0]; !(top & 0x80); top <<= 1)
		bits--;
	return bits;
}

static inline bool
span_is(const struct span *s, const char *text)
{
	return s->n == strlen(text) && memcmp(s->p, text, s->n) == 0;
}

static inline bool
span_eq(const struct span *a, const struct span *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}
