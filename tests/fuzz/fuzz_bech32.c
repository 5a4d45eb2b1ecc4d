/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as Bech32: what is taken is written back the same; recipients and identities likewise. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/seal/age.h"
#include "lib/seal/bech32.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DATA_MAX 1600

/* With the human-readable part that it has itself, and the length of data that fits. */
static void
by_itself(const char *text, size_t n)
{
	static char hrp[BECH32_TEXT_MAX + 1], again[BECH32_TEXT_MAX + 1];
	size_t nhrp = bech32_hrp(text, n), chars = n - nhrp - 1, want;
	uint8_t data[DATA_MAX];
	struct err e;

	if (!nhrp || n > BECH32_TEXT_MAX || chars < 6 || memchr(text, '\0', n))
		return;
	for (size_t i = 0; i <= nhrp; i++)
		hrp[i] = (char)(i < nhrp ? tolower((unsigned char)text[i]) : '\0');
	want = (chars - 6) * 5 / 8;
	if (bech32_decode(text, n, hrp, data, want, &e) < 0)
		return;
	bech32_encode(hrp, data, want, false, again, sizeof(again));
	if (strlen(again) != n || strncasecmp(again, text, n) != 0)
		abort();
}

/* 32 bytes as a key, to its text and back. */
static void
by_key(const uint8_t key[32])
{
	struct secret AUTO_SECRET text = { NULL, 0 };
	struct age_identity id, again;
	struct err e;

	age_identity_from_seed(key, &id);
	age_identity_text(&id, &text);
	if (age_identity_parse((char *)text.b, text.n, &again, &e) < 0 || memcmp(&id, &again, sizeof(id)) != 0 || text.b[text.n])
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct secret AUTO_SECRET secret = { NULL, 0 };
	char recipient[AGE_TEXT_MAX];
	struct age_identity id;
	uint8_t pk[32];
	struct err e = { 0 };

	if (seal_init(&e) < 0)
		abort();
	if (!size)
		return 0;
	if (*data == 0xff && size == 33)
		by_key(data + 1);
	by_itself(text, size);
	if (age_recipient_parse(text, size, pk, &e) == 0) {
		age_recipient_text(pk, recipient);
		if (strlen(recipient) != size || strncasecmp(recipient, text, size) != 0)
			abort();
	}
	if (age_identity_parse(text, size, &id, &e) == 0) {
		age_identity_text(&id, &secret);
		if (secret.n != size || strncasecmp((char *)secret.b, text, size) != 0)
			abort();
	}
	return 0;
}
