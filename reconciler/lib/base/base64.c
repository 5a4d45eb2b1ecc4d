/* SPDX-License-Identifier: Apache-2.0 */
/* base64. */
#include "lib/base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int
digit_value(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int
base64_decode(struct arena *mem, const char *s, size_t n, char **out, size_t *len)
{
	char *to = arena_alloc(mem, n / 4 * 3 + 4);
	size_t count = 0, padding = 0, k = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < n; i++) {
		int v = digit_value(s[i]);

		if (is_blank(s[i]))
			continue;
		if (s[i] == '=' ? ++padding > 2 : v < 0 || padding)
			return ERR_INVALID;
		if (s[i] == '=')
			continue;
		bits = bits << 6 | (uint32_t)v;
		if (++count % 4 == 0) {
			to[k++] = (char)(bits >> 16 & 0xff);
			to[k++] = (char)(bits >> 8 & 0xff);
			to[k++] = (char)(bits & 0xff);
		}
	}
	if ((count + padding) % 4 || count % 4 == 1)
		return ERR_INVALID;
	/* 2 digits hold 1 byte and 4 bits, 3 digits hold 2 bytes and 2 bits: two writers must not spell one text in two
	 * ways */
	if ((count % 4 == 2 && bits & 0xf) || (count % 4 == 3 && bits & 0x3))
		return ERR_INVALID;
	if (count % 4 == 2) {
		to[k++] = (char)(bits >> 4 & 0xff);
	} else if (count % 4 == 3) {
		to[k++] = (char)(bits >> 10 & 0xff);
		to[k++] = (char)(bits >> 2 & 0xff);
	}
	to[k] = '\0';
	*out = to;
	*len = k;
	return 0;
}

char *
base64_encode(struct arena *mem, const void *p, size_t n)
{
	const unsigned char *in = p;
	char *out = arena_alloc(mem, n / 3 * 4 + 5), *to = out;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t bits =
		    (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);

		*to++ = digits[bits >> 18];
		*to++ = digits[bits >> 12 & 63];
		*to++ = left > 1 ? digits[bits >> 6 & 63] : '=';
		*to++ = left > 2 ? digits[bits & 63] : '=';
	}
	*to = '\0';
	return out;
}
