/* SPDX-License-Identifier: Apache-2.0 */
/* Bech32. The text may be a private key: no table is looked up by its characters, and nothing of it is left on the stack. */
#include "lib/seal/bech32.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CHECKSUM 6

static uint32_t
polymod_step(uint32_t sum, uint32_t value)
{
	static const uint32_t generator[5] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3 };
	uint32_t top = sum >> 25;

	sum = (sum & 0x1ffffff) << 5 ^ value;
	for (unsigned i = 0; i < 5; i++)
		sum ^= generator[i] & (0U - (top >> i & 1));
	return sum;
}

static uint32_t
polymod_hrp(const char *hrp)
{
	uint32_t sum = 1;

	for (const char *p = hrp; *p; p++)
		sum = polymod_step(sum, (unsigned char)*p >> 5);
	sum = polymod_step(sum, 0);
	for (const char *p = hrp; *p; p++)
		sum = polymod_step(sum, (unsigned char)*p & 31);
	return sum;
}

static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/* 0 to 31, or 32 for what is not in the alphabet; all of it is looked at, whatever the character. */
static uint32_t
value_of(unsigned char c)
{
	uint32_t v = 32;

	for (uint32_t i = 0; i < 32; i++) {
		uint32_t same = ((uint32_t)(c ^ (unsigned char)alphabet[i]) - 1) >> 31;

		v ^= (v ^ i) & (0U - same);
	}
	return v;
}

static char
char_of(uint32_t v)
{
	uint32_t c = 0;

	for (uint32_t i = 0; i < 32; i++)
		c |= (uint32_t)(unsigned char)alphabet[i] & (0U - (((i ^ v) - 1) >> 31));
	return (char)c;
}

static bool
is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

static unsigned char
lower(unsigned char c)
{
	return (unsigned char)(c | (is_upper(c) ? 0x20 : 0));
}

size_t
bech32_hrp(const char *text, size_t n)
{
	const char *one = n ? memrchr(text, '1', n) : NULL;

	return one ? (size_t)(one - text) : 0;
}

static bool
one_case(const char *text, size_t n)
{
	bool up = false, low = false;

	for (size_t i = 0; i < n; i++) {
		up = up || is_upper((unsigned char)text[i]);
		low = low || (text[i] >= 'a' && text[i] <= 'z');
	}
	return !(up && low);
}

static bool
has_hrp(const char *text, size_t n, const char *hrp)
{
	bool same = strlen(hrp) == n;

	for (size_t i = 0; i < n && same; i++)
		same = (char)lower((unsigned char)text[i]) == hrp[i];
	return same;
}

/* Five bits a character into bytes; the checksum over all of it. */
static int
unpack(const char *data, size_t n, uint32_t sum, uint8_t *out, size_t want, struct err *e)
{
	size_t packed = n - CHECKSUM, have = 0;
	uint32_t acc = 0, bad = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t v = value_of(lower((unsigned char)data[i]));

		bad |= v >> 5;
		sum = polymod_step(sum, v & 31);
		if (i >= packed)
			continue;
		acc = (acc << 5 | (v & 31)) & 0xfff;
		bits += 5;
		if (bits >= 8) {
			bits -= 8;
			if (have < want)
				out[have] = (uint8_t)(acc >> bits);
			have++;
		}
	}
	if (bad)
		return err_set(e, ERR_INVALID, "a character that Bech32 does not have");
	if (sum != 1)
		return err_set(e, ERR_INVALID, "the checksum does not fit: a character is wrong or missing");
	if (have != want || bits >= 5 || (acc & ((1U << bits) - 1)))
		return err_set(e, ERR_INVALID, "it has another length");
	return 0;
}

int
bech32_decode(const char *text, size_t n, const char *hrp, uint8_t *out, size_t want, struct err *e)
{
	size_t nhrp = bech32_hrp(text, n);
	int rc;

	if (n > BECH32_TEXT_MAX)
		return err_set(e, ERR_INVALID, "longer than %d characters", BECH32_TEXT_MAX);
	if (!nhrp || !has_hrp(text, nhrp, hrp))
		return err_set(e, ERR_INVALID, "it does not begin with %s1", hrp);
	if (!one_case(text, n))
		return err_set(e, ERR_INVALID, "upper and lower case are mixed");
	if (n - nhrp - 1 < CHECKSUM)
		return err_set(e, ERR_INVALID, "it is cut");
	rc = unpack(text + nhrp + 1, n - nhrp - 1, polymod_hrp(hrp), out, want, e);
	if (rc < 0)
		sodium_memzero(out, want);
	return rc;
}

void
bech32_encode(const char *hrp, const uint8_t *data, size_t n, bool upper, char *out, size_t size)
{
	uint32_t sum = polymod_hrp(hrp), acc = 0;
	size_t at = strlen(hrp);
	unsigned bits = 0;

	if (size < BECH32_SIZE(at, n))
		abort();
	memcpy(out, hrp, at);
	out[at++] = '1';
	for (size_t i = 0; i < n || bits; ) {
		uint32_t v;

		if (bits < 5 && i < n) {
			acc = (acc << 8 | data[i++]) & 0xfff;
			bits += 8;
		}
		v = bits >= 5 ? acc >> (bits - 5) & 31 : acc << (5 - bits) & 31;
		bits = bits >= 5 ? bits - 5 : 0;
		sum = polymod_step(sum, v);
		out[at++] = char_of(v);
	}
	for (size_t i = 0; i < CHECKSUM; i++)
		sum = polymod_step(sum, 0);
	sum ^= 1;
	for (unsigned i = 0; i < CHECKSUM; i++)
		out[at++] = char_of(sum >> 5 * (5 - i) & 31);
	out[at] = '\0';
	for (size_t i = 0; upper && i < at; i++)
		out[i] = (char)(out[i] >= 'a' && out[i] <= 'z' ? out[i] - 32 : out[i]);
}
