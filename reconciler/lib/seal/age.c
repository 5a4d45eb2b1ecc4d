/* SPDX-License-Identifier: Apache-2.0 */
/* Opening age files by X25519. */
#include "lib/seal/age.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "lib/seal/age_priv.h"
#include "lib/seal/armor.h"
#include "lib/seal/bech32.h"
#include "lib/seal/hkdf.h"

#define X25519_INFO "age-encryption.org/v1/X25519"
#define IDENTITY_HRP "age-secret-key-"

const char *
age_why_text(enum age_why w)
{
	static const char *const texts[] = {
		[AGE_FINE] = "it opens",
		[AGE_BAD_HEADER] = "it is not an age file, or its header is malformed",
		[AGE_BAD_ARMOR] = "its armor (the lines from -----BEGIN to -----END) is malformed",
		[AGE_BAD_PAYLOAD] = "it was changed or cut after sealing",
		[AGE_BAD_MAC] = "its header was changed after sealing",
		[AGE_NO_MATCH] = "it is sealed for other recipients",
		[AGE_POST_QUANTUM] = "it is sealed for other recipients; hybrid ones (mlkem768x25519) are not supported yet",
		[AGE_PASSPHRASE] = "it is sealed with a passphrase, not for a recipient",
		[AGE_TOO_LARGE] = "it is larger than a secret may be",
	};

	return texts[w];
}

int
age_fail(enum age_why *why, enum age_why w, struct err *e)
{
	bool denied = w == AGE_NO_MATCH || w == AGE_POST_QUANTUM || w == AGE_PASSPHRASE;

	*why = w;
	return err_set(e, denied ? ERR_DENIED : ERR_INVALID, "%s", age_why_text(w));
}

void
age_identity_from_seed(const uint8_t seed[32], struct age_identity *out)
{
	memcpy(out->sk, seed, 32);
	(void)crypto_scalarmult_base(out->pk, out->sk);
}

int
age_identity_parse(const char *text, size_t n, struct age_identity *out, struct err *e)
{
	uint8_t seed[32];
	size_t nhrp = bech32_hrp(text, n);
	int rc;

	if (nhrp == strlen("age-secret-key-pq-") && strncasecmp(text, "age-secret-key-pq-", nhrp) == 0)
		return err_set(e, ERR_INVALID, "a hybrid identity (AGE-SECRET-KEY-PQ-1…): post-quantum keys are not supported yet");
	if (n > 11 && strncasecmp(text, "age-plugin-", 11) == 0)
		return err_set(e, ERR_INVALID, "an identity of an age plugin: these are not supported");
	if ((rc = bech32_decode(text, n, IDENTITY_HRP, seed, sizeof(seed), e)) < 0) {
		(void)err_wrap(e, "not an age identity (AGE-SECRET-KEY-1…)");
		return rc;
	}
	age_identity_from_seed(seed, out);
	sodium_memzero(seed, sizeof(seed));
	return 0;
}

void
age_identity_text(const struct age_identity *id, struct secret *out)
{
	*out = secret_new(BECH32_SIZE(strlen(IDENTITY_HRP), sizeof(id->sk)));
	bech32_encode(IDENTITY_HRP, id->sk, sizeof(id->sk), true, (char *)out->b, out->n);
	out->n--;
}

int
age_recipient_parse(const char *text, size_t n, uint8_t out[32], struct err *e)
{
	uint8_t pk[32];
	size_t nhrp = bech32_hrp(text, n);
	int rc;

	if (nhrp == 6 && strncasecmp(text, "age1pq", 6) == 0)
		return err_set(e, ERR_INVALID, "a hybrid recipient (age1pq1…): post-quantum keys are not supported yet; use one that begins with age1");
	if (nhrp > 4 && strncasecmp(text, "age1", 4) == 0)
		return err_set(e, ERR_INVALID, "a recipient of an age plugin: these are not supported; use one that begins with age1");
	if (n > 4 && memcmp(text, "ssh-", 4) == 0)
		return err_set(e, ERR_INVALID, "an SSH key: sealing for these is not supported; use a recipient that begins with age1");
	if ((rc = bech32_decode(text, n, "age", pk, sizeof(pk), e)) < 0) {
		(void)err_wrap(e, "not an age recipient (age1…)");
		return rc;
	}
	memcpy(out, pk, sizeof(pk));
	return 0;
}

void
age_recipient_text(const uint8_t pk[32], char out[AGE_TEXT_MAX])
{
	bech32_encode("age", pk, 32, false, out, AGE_TEXT_MAX);
}

bool
age_unwrap(const uint8_t wrap[32], const uint8_t body[AGE_WRAPPED], uint8_t key[AGE_KEY])
{
	static const uint8_t zero[12];

	return crypto_aead_chacha20poly1305_ietf_decrypt(key, NULL, NULL, body, AGE_WRAPPED, NULL, 0, zero, wrap) == 0;
}

void
age_wrap(const uint8_t wrap[32], const uint8_t key[AGE_KEY], uint8_t body[AGE_WRAPPED])
{
	static const uint8_t zero[12];

	(void)crypto_aead_chacha20poly1305_ietf_encrypt(body, NULL, key, AGE_KEY, NULL, 0, NULL, zero, wrap);
}

bool
age_x25519_wrap(const uint8_t sk[32], const uint8_t point[32], const uint8_t share[32], const uint8_t recipient[32], uint8_t wrap[32])
{
	uint8_t shared[32], salt[64];
	bool good = crypto_scalarmult(shared, sk, point) == 0 && !sodium_is_zero(shared, sizeof(shared));

	memcpy(salt, share, 32);
	memcpy(salt + 32, recipient, 32);
	if (good)
		hkdf_sha256(salt, sizeof(salt), shared, sizeof(shared), X25519_INFO, strlen(X25519_INFO), wrap, 32);
	sodium_memzero(shared, sizeof(shared));
	return good;
}

/* A stanza of this type that is not as it must be spoils the file, whoever it is for. */
static int
read_shares(const struct age_header *h, uint8_t (*shares)[32], enum age_why *why, struct err *e)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct age_stanza *s = &h->stanzas[i];
		const char *arg;
		size_t n;

		if (age_is(s, "scrypt") && h->n > 1)
			return age_fail(why, AGE_BAD_HEADER, e);
		if (!age_is(s, "X25519"))
			continue;
		arg = age_arg(s, 1, &n);
		if (s->count != 2 || !age_base64(arg, n, shares[i], 32) || s->nbody != AGE_WRAPPED)
			return age_fail(why, AGE_BAD_HEADER, e);
	}
	return 0;
}

/* 1: a stanza is for this identity. */
static int
try_identity(const struct age_header *h, uint8_t (*shares)[32], const struct age_identity *id, uint8_t key[AGE_KEY], enum age_why *why,
             struct err *e)
{
	uint8_t wrap[32];
	bool good;

	for (size_t i = 0; i < h->n; i++) {
		if (!age_is(&h->stanzas[i], "X25519"))
			continue;
		if (!age_x25519_wrap(id->sk, shares[i], shares[i], id->pk, wrap))
			return age_fail(why, AGE_BAD_HEADER, e);
		good = age_unwrap(wrap, h->stanzas[i].body, key);
		sodium_memzero(wrap, sizeof(wrap));
		if (good)
			return 1;
	}
	return 0;
}

static int
no_match(const struct age_header *h, enum age_why *why, struct err *e)
{
	enum age_why w = AGE_NO_MATCH;

	for (size_t i = 0; i < h->n; i++) {
		if (age_is(&h->stanzas[i], "scrypt"))
			w = AGE_PASSPHRASE;
		else if (age_is(&h->stanzas[i], "mlkem768x25519") && w == AGE_NO_MATCH)
			w = AGE_POST_QUANTUM;
	}
	return age_fail(why, w, e);
}

int
age_open_max(const void *file, size_t n, const struct age_identity *ids, size_t nids, size_t max, size_t *which, struct secret *out,
             enum age_why *why, struct err *e)
{
	uint8_t shares[AGE_STANZAS_MAX][32], key[AGE_KEY];
	struct age_header h;
	int rc;

	if ((rc = age_header_read(file, n, &h, why, e)) < 0 || (rc = read_shares(&h, shares, why, e)) < 0)
		return rc;
	for (size_t i = 0; i < nids; i++) {
		if ((rc = try_identity(&h, shares, &ids[i], key, why, e)) == 0)
			continue;
		if (rc > 0)
			rc = age_finish(&h, key, n, max, out, why, e);
		sodium_memzero(key, sizeof(key));
		if (rc == 0 && which)
			*which = i;
		return rc;
	}
	return no_match(&h, why, e);
}

int
age_unarmor(const void *file, size_t n, struct buf *held, const char **bytes, size_t *len, enum age_why *why, struct err *e)
{
	*bytes = file;
	*len = n;
	if (n > AGE_FILE_MAX)
		return age_fail(why, AGE_TOO_LARGE, e);
	if (!n)
		return age_fail(why, AGE_BAD_HEADER, e);
	if (!armor_is(file, n))
		return 0;
	*why = AGE_BAD_ARMOR;
	if (armor_read(file, n, held, e) < 0)
		return ERR_INVALID;
	*bytes = buf_cstr(held);
	*len = held->len;
	return 0;
}

int
age_open(const void *file, size_t n, const struct age_identity *ids, size_t nids, size_t *which, struct secret *out, enum age_why *why,
         struct err *e)
{
	struct buf AUTO_BUF held = BUF_INIT(AGE_FILE_MAX);
	enum age_why unused, *w = why ? why : &unused;
	const char *bytes;
	size_t len;
	int rc = age_unarmor(file, n, &held, &bytes, &len, w, e);

	if (rc == 0)
		rc = age_open_max(bytes, len, ids, nids, AGE_PLAIN_MAX, which, out, w, e);
	if (rc == 0)
		*w = AGE_FINE;
	return rc;
}

size_t
age_recipients(const void *file, size_t n)
{
	struct buf AUTO_BUF held = BUF_INIT(AGE_FILE_MAX);
	struct age_header h;
	enum age_why why;
	const char *bytes;
	size_t len;

	if (age_unarmor(file, n, &held, &bytes, &len, &why, NULL) < 0 || age_header_read(bytes, len, &h, &why, NULL) < 0)
		return 0;
	return h.n;
}
