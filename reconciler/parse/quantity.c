/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes quantities as exact thousandths. */
#include "parse/quantity.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

/* A mantissa from here on has 20 digits: times 2^60 it stays below 2^128, and one digit more is over the limit anyway. */
#define DIGITS_FULL ((wide)UINT64_C(10000000000000000000))
#define EXPONENT_MAX 64                          /* beyond, everything overflows or rounds to one thousandth */

static const struct {
	const char *suffix;
	int exp10;
	unsigned int exp2;
} suffixes[] = {
	{ "", 0, 0 }, { "n", -9, 0 }, { "u", -6, 0 }, { "m", -3, 0 }, { "k", 3, 0 }, { "M", 6, 0 }, { "G", 9, 0 },
	{ "T", 12, 0 }, { "P", 15, 0 }, { "E", 18, 0 }, { "Ki", 0, 10 }, { "Mi", 0, 20 }, { "Gi", 0, 30 },
	{ "Ti", 0, 40 }, { "Pi", 0, 50 }, { "Ei", 0, 60 },
};

struct number {
	wide mantissa; /* at most 20 digits */
	int exp10;
	bool more; /* non-zero digits were left out behind the mantissa */
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* digits[.digits] or .digits; NULL when there is no digit. */
static const char *
read_number(const char *s, struct number *n)
{
	bool any = false, fraction = false;

	for (;; s++) {
		if (*s == '.' && !fraction) {
			fraction = true;
			continue;
		}
		if (!is_digit(*s))
			break;
		any = true;
		if (n->mantissa < DIGITS_FULL) {
			n->mantissa = n->mantissa * 10 + (unsigned int)(*s - '0');
			n->exp10 -= fraction;
		} else {
			n->more |= *s != '0';
			if (!fraction && n->exp10 < 100000)
				n->exp10++;
		}
	}
	return any ? s : NULL;
}

/* What follows the number: a suffix or a decimal exponent. */
static int
read_suffix(const char *s, int *exp10, unsigned int *exp2)
{
	int sign = 1, value = 0;

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
		if (strcmp(s, suffixes[i].suffix) == 0) {
			*exp10 = suffixes[i].exp10;
			*exp2 = suffixes[i].exp2;
			return 0;
		}
	if (*s != 'e' && *s != 'E')
		return ERR_INVALID;
	s++;
	if (*s == '-' || *s == '+')
		sign = *s++ == '-' ? -1 : 1;
	if (!is_digit(*s))
		return ERR_INVALID;
	for (; is_digit(*s); s++)
		if (value < 100000)
			value = value * 10 + (*s - '0');
	if (*s)
		return ERR_INVALID;
	*exp10 = sign * value;
	*exp2 = 0;
	return 0;
}

/* mantissa * 2^exp2 * 10^exp10, rounded up. */
static int
scale(const struct number *n, int exp10, unsigned int exp2, int64_t *out)
{
	wide v = n->mantissa << exp2;
	bool more = n->more;

	if (v == 0) {
		*out = 0;
		return 0;
	}
	if (exp10 > EXPONENT_MAX)
		return ERR_INVALID;
	for (; exp10 > 0; exp10--) {
		if (v > INT64_MAX)
			return ERR_INVALID;
		v *= 10;
	}
	for (; exp10 < 0 && v > 0; exp10++) {
		more |= v % 10 != 0;
		v /= 10;
	}
	v += more;
	if (v > INT64_MAX)
		return ERR_INVALID;
	*out = (int64_t)v;
	return 0;
}

int
quantity_parse(const char *s, int64_t *milli)
{
	struct number n = { 0 };
	int exp10;
	unsigned int exp2;

	if (*s == '+')
		s++;
	s = read_number(s, &n);
	if (!s || read_suffix(s, &exp10, &exp2) < 0)
		return ERR_INVALID;
	return scale(&n, n.exp10 + exp10 + 3, exp2, milli);
}

int
quantity_milli(const struct value *v, int64_t *milli)
{
	char text[64];
	int n;

	if (value_is(v, VALUE_INT)) {
		if (v->integer < 0 || v->integer > INT64_MAX / 1000)
			return ERR_INVALID;
		*milli = v->integer * 1000;
		return 0;
	}
	if (value_is(v, VALUE_STR))
		return strlen(v->str.s) == v->str.len ? quantity_parse(v->str.s, milli) : ERR_INVALID;
	if (!value_is(v, VALUE_REAL))
		return ERR_INVALID;
	if (v->text)
		return quantity_parse(v->text, milli);
	n = snprintf(text, sizeof(text), "%.15g", v->real);
	return n > 0 && (size_t)n < sizeof(text) ? quantity_parse(text, milli) : ERR_INVALID;
}

int
quantity_units(const struct value *v, int64_t *units)
{
	int64_t milli;
	int rc = quantity_milli(v, &milli);

	if (rc < 0)
		return rc;
	*units = milli / 1000 + (milli % 1000 != 0);
	return 0;
}

char *
quantity_bytes_text(struct arena *mem, int64_t bytes)
{
	static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	size_t u = 0;

	while (bytes != 0 && bytes % 1024 == 0 && u + 1 < sizeof(units) / sizeof(*units)) {
		bytes /= 1024;
		u++;
	}
	return arena_printf(mem, "%" PRId64 "%s", bytes, units[u]);
}

char *
quantity_cpu_text(struct arena *mem, int64_t milli)
{
	if (milli % 1000 == 0)
		return arena_printf(mem, "%" PRId64, milli / 1000);
	return arena_printf(mem, "%" PRId64 "m", milli);
}
