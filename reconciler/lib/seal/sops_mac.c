/* SPDX-License-Identifier: Apache-2.0 */
/* What the MAC of a SOPS file counts: SHA-512 over values, and plain scalars as Go's strconv writes them. */
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/doc/number.h"
#include "lib/seal/sops_priv.h"

/* SHA-256 of "sops": makes a MAC over sealed values alone differ from one over all. */
static const unsigned char only_sealed[32] = { 0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34,
	                                       0xf3, 0xd1, 0x47, 0xbe, 0x0b, 0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f,
	                                       0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69 };

void
sops_mac_begin(struct sops_mac *m, bool mac_only)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (!c || EVP_DigestInit_ex(c, EVP_sha512(), NULL) != 1)
		abort();
	m->ctx = c;
	if (mac_only)
		sops_mac_add(m, only_sealed, sizeof(only_sealed));
}

void
sops_mac_add(struct sops_mac *m, const void *p, size_t n)
{
	if (n && EVP_DigestUpdate(m->ctx, p, n) != 1)
		abort();
}

/* The context held plain text: OpenSSL wipes it when it is freed. */
void
sops_mac_end(struct sops_mac *m, char out[SOPS_MAC_HEX + 1])
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char sum[SOPS_MAC_HEX / 2];

	if (EVP_DigestFinal_ex(m->ctx, sum, NULL) != 1)
		abort();
	EVP_MD_CTX_free(m->ctx);
	m->ctx = NULL;
	for (size_t i = 0; i < sizeof(sum); i++) {
		out[2 * i] = hex[sum[i] >> 4];
		out[2 * i + 1] = hex[sum[i] & 15];
	}
	out[SOPS_MAC_HEX] = '\0';
}

/* digits × 10^exponent */
struct decimal {
	uint64_t digits;
	int exponent;
};

static bool
reads_back(const struct decimal *t, double d)
{
	char text[48];
	double back;

	(void)snprintf(text, sizeof(text), "%llue%d", (unsigned long long)t->digits, t->exponent);
	back = strtod(text, NULL);
	return back >= d && back <= d;
}

/*
 * The digit string of a given length that is nearest to d need not read back where a farther one does: the doubles
 * below a power of two lie closer together than those above it. So its neighbours are tried too.
 */
static struct decimal
shortest(double d)
{
	struct decimal t = { 0, 0 };

	for (int n = 1; n <= 17; n++) {
		char text[48], digits[24];
		const char *e;
		size_t k = 0;

		(void)snprintf(text, sizeof(text), "%.*e", n - 1, d);
		e = strchr(text, 'e');
		for (const char *p = text; p < e; p++)
			if (*p != '.' && k + 1 < sizeof(digits))
				digits[k++] = *p;
		digits[k] = '\0';
		t.digits = strtoull(digits, NULL, 10);
		t.exponent = (int)strtol(e + 1, NULL, 10) - (n - 1);
		if (reads_back(&t, d))
			break;
		t.digits++;
		if (reads_back(&t, d))
			break;
		t.digits -= 2;
		if (reads_back(&t, d))
			break;
		t.digits++;
	}
	while (t.digits && t.digits % 10 == 0) {
		t.digits /= 10;
		t.exponent++;
	}
	return t;
}

size_t
sops_real(double d, char out[SOPS_SCALAR_MAX])
{
	struct decimal t = shortest(fabs(d));
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)t.digits), point = n + t.exponent;
	size_t k = 0;

	if (signbit(d))
		out[k++] = '-';
	if (!t.digits || point <= 0)
		out[k++] = '0';
	for (int i = 0; t.digits && i < point; i++)
		out[k++] = i < n ? digits[i] : '0';
	if (t.digits && point < n) {
		out[k++] = '.';
		for (int i = point; i < n; i++)
			out[k++] = i < 0 ? '0' : digits[i];
	}
	out[k] = '\0';
	return k;
}

bool
sops_scalar(struct arena *mem, const struct value *v, const char **text, size_t *n, enum sops_type *type)
{
	char number[SOPS_SCALAR_MAX];

	if (v->type == VALUE_STR) {
		*type = SOPS_STR;
		*text = v->str.s;
		*n = v->str.len;
		return true;
	}
	if (v->type == VALUE_BOOL) {
		*type = SOPS_BOOL;
		*text = v->boolean ? "True" : "False";
		*n = strlen(*text);
		return true;
	}
	if (v->type != VALUE_INT && v->type != VALUE_REAL)
		return false;
	*type = v->type == VALUE_INT ? SOPS_INT : SOPS_FLOAT;
	*n = v->type == VALUE_INT ? number_int(v->integer, number) : sops_real(v->real, number);
	*text = arena_strndup(mem, number, *n);
	return true;
}
