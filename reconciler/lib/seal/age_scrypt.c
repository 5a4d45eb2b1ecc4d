/* SPDX-License-Identifier: Apache-2.0 */
/* age files for a passphrase. */
#include "lib/seal/age_scrypt.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "lib/seal/age_priv.h"

#define LABEL "age-encryption.org/v1/scrypt"
#define SALT 16

static int
derive(const char *passphrase, size_t n, const uint8_t salt[SALT], unsigned work, uint8_t wrap[32], struct err *e)
{
	uint8_t labelled[sizeof(LABEL) - 1 + SALT];

	memcpy(labelled, LABEL, sizeof(LABEL) - 1);
	memcpy(labelled + sizeof(LABEL) - 1, salt, SALT);
	if (crypto_pwhash_scryptsalsa208sha256_ll((const uint8_t *)passphrase, n, labelled, sizeof(labelled), UINT64_C(1) << work, 8, 1, wrap, 32) != 0)
		return err_set(e, ERR_UNAVAILABLE, "a passphrase of work factor %u: not enough memory (%llu MiB)", work, (1ULL << work) / 1024);
	return 0;
}

/* "18": no sign, no leading zero, at most two digits: what is longer is beyond any limit. 0: malformed. */
static unsigned
work_factor(const char *s, size_t n)
{
	unsigned v = 0;

	if (!n || *s == '0')
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return 0;
		v = v < 1000 ? v * 10 + (unsigned)(s[i] - '0') : v;
	}
	return v;
}

/* The only stanza, for a passphrase, as it must be. */
static int
read_stanza(const struct age_header *h, uint8_t salt[SALT], unsigned *work, enum age_why *why, struct err *e)
{
	const struct age_stanza *s = &h->stanzas[0];
	const char *arg;
	size_t n, found = 0;

	for (size_t i = 0; i < h->n; i++)
		found += age_is(&h->stanzas[i], "scrypt");
	if (!found)
		return age_fail(why, AGE_NO_MATCH, e);
	if (h->n > 1 || s->count != 3 || s->nbody != AGE_WRAPPED)
		return age_fail(why, AGE_BAD_HEADER, e);
	arg = age_arg(s, 1, &n);
	if (!age_base64(arg, n, salt, SALT))
		return age_fail(why, AGE_BAD_HEADER, e);
	arg = age_arg(s, 2, &n);
	*work = work_factor(arg, n);
	return *work ? 0 : age_fail(why, AGE_BAD_HEADER, e);
}

static int
open_stanza(const char *file, size_t len, const char *passphrase, size_t n, unsigned work_max, struct secret *out, enum age_why *why,
            struct err *e)
{
	uint8_t salt[SALT], wrap[32], key[AGE_KEY];
	struct age_header h;
	unsigned work = 0;
	int rc;

	if ((rc = age_header_read(file, len, &h, why, e)) < 0 || (rc = read_stanza(&h, salt, &work, why, e)) < 0)
		return rc;
	*why = work > AGE_SCRYPT_WORK_MAX ? AGE_BAD_HEADER : AGE_PASSPHRASE;
	if (work > AGE_SCRYPT_WORK_MAX)
		return err_set(e, ERR_INVALID, "its work factor is above %d: nobody seals like that", AGE_SCRYPT_WORK_MAX);
	if (work > work_max)
		return err_set(e, ERR_DENIED, "its work factor is %u: opening it would take too much time and memory", work);
	if ((rc = derive(passphrase, n, salt, work, wrap, e)) < 0)
		return rc;
	if (age_unwrap(wrap, h.stanzas[0].body, key)) {
		rc = age_finish(&h, key, len, AGE_PLAIN_MAX, out, why, e);
	} else {
		*why = AGE_NO_MATCH;
		rc = err_set(e, ERR_DENIED, "another passphrase opens it");
	}
	sodium_memzero(wrap, sizeof(wrap));
	sodium_memzero(key, sizeof(key));
	return rc;
}

int
age_scrypt_open(const void *file, size_t len, const char *passphrase, size_t n, unsigned work_max, struct secret *out, enum age_why *why,
                struct err *e)
{
	struct buf AUTO_BUF held = BUF_INIT(AGE_FILE_MAX);
	enum age_why unused, *w = why ? why : &unused;
	const char *bytes;
	size_t size;
	int rc = age_unarmor(file, len, &held, &bytes, &size, w, e);

	if (rc == 0)
		rc = open_stanza(bytes, size, passphrase, n, work_max, out, w, e);
	if (rc == 0)
		*w = AGE_FINE;
	return rc;
}

int
age_scrypt_seal(const char *passphrase, size_t n, unsigned work, const void *plain, size_t len, bool armored, struct buf *out,
                struct err *e)
{
	struct buf AUTO_BUF file = BUF_INIT(AGE_FILE_MAX);
	struct age_draw d = { NULL, 0 };
	uint8_t salt[SALT], wrap[32], key[AGE_KEY], body[AGE_WRAPPED];
	char text[AGE_BASE64(SALT)], args[64];
	int rc;

	if (len > AGE_PLAIN_MAX || !work || work > AGE_SCRYPT_WORK_MAX)
		return err_set(e, ERR_INVALID, "at most %zu bytes and a work factor of 1 to %d", AGE_PLAIN_MAX, AGE_SCRYPT_WORK_MAX);
	age_draw(&d, salt, sizeof(salt));
	if ((rc = derive(passphrase, n, salt, work, wrap, e)) < 0)
		return rc;
	age_draw(&d, key, sizeof(key));
	age_wrap(wrap, key, body);
	age_base64_text(salt, sizeof(salt), text, sizeof(text));
	(void)snprintf(args, sizeof(args), "scrypt %s %u", text, work);
	buf_str(&file, AGE_VERSION "\n");
	age_stanza_write(&file, args, body, sizeof(body));
	rc = age_seal_finish(&file, key, &d, plain, len, armored, out, e);
	sodium_memzero(wrap, sizeof(wrap));
	sodium_memzero(key, sizeof(key));
	return rc;
}
