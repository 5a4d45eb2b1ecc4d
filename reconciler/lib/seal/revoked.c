/* SPDX-License-Identifier: Apache-2.0 */
/* Revoked keys: a list of public keys, or OpenSSH's binary KRL (PROTOCOL.krl). What cannot be read counts as revoked. */
#include <string.h>

#include "lib/base/hash.h"
#include "lib/seal/signers.h"

#define MAGIC "SSHKRL\n"   /* with its NUL: 8 bytes */
#define BITMAP_MAX ((size_t)1 << 20)

enum krl_section { KRL_CERTIFICATES = 1, KRL_KEY = 2, KRL_SHA1 = 3, KRL_SIGNATURE = 4, KRL_SHA256 = 5, KRL_EXTENSION = 255 };
enum krl_certificates { CERT_SERIALS = 0x20, CERT_RANGE = 0x21, CERT_BITMAP = 0x22, CERT_IDS = 0x23, CERT_EXTENSION = 0x39 };

#define UNREADABLE "the list of revoked keys cannot be read"

static int
unreadable(struct err *e)
{
	return err_set(e, ERR_INVALID, UNREADABLE ": it is cut or damaged");
}

static int
revoked(struct err *e, const char *what)
{
	return err_set(e, ERR_DENIED, "%s is revoked", what);
}

/* What of the key a list may name. */
struct subject {
	const struct ssh_key *k;
	struct span blobs[3]; /* whole, plain, CA's */
	size_t n;
};

static struct subject
subject_of(const struct ssh_key *k)
{
	struct subject s = { .k = k, .blobs = { k->blob, k->plain, k->certificate.ca }, .n = k->has_certificate ? 3 : 1 };

	return s;
}

static bool
names_key(const struct subject *s, struct span list)
{
	struct span one;

	while (span_string(&list, &one))
		for (size_t i = 0; i < s->n; i++)
			if (span_eq(&one, &s->blobs[i]))
				return true;
	return false;
}

static void
fingerprint(const struct span *blob, bool sha1, uint8_t out[32])
{
	struct hash_state h;
	struct digest d;

	if (sha1) {
		hash_sha1_init(&h);
		hash_add(&h, blob->p, blob->n);
		hash_sha1_final(&h, out);
		return;
	}
	hash_bytes(blob->p, blob->n, &d);
	memcpy(out, d.b, 32);
}

static bool
names_fingerprint(const struct subject *s, struct span list, bool sha1)
{
	struct span one;
	uint8_t is[32];

	while (span_string(&list, &one)) {
		for (size_t i = 0; i < s->n; i++) {
			fingerprint(&s->blobs[i], sha1, is);
			if (one.n == (sha1 ? 20U : 32U) && memcmp(one.p, is, one.n) == 0)
				return true;
		}
	}
	return false;
}

/* -- certificates of a CA ---------------------------------------------------------------------------------------------------- */

/* A bitmap's bit i says serial offset + i; the number is written most significant byte first. */
static int
in_bitmap(struct span body, uint64_t serial, bool *found)
{
	struct span map;
	uint64_t offset, at;

	if (!span_u64(&body, &offset) || !span_string(&body, &map) || map.n > BITMAP_MAX)
		return ERR_INVALID;
	at = serial - offset;
	*found = serial >= offset && at / 8 < map.n && (map.p[map.n - 1 - at / 8] >> (at % 8) & 1);
	return 0;
}

static int
in_subsection(uint8_t type, struct span body, const struct ssh_certificate *c, bool *found)
{
	uint64_t from, to;
	struct span id;

	*found = false;
	switch (type) {
	case CERT_SERIALS:
		while (span_u64(&body, &from))
			*found |= from == c->serial;
		return body.n ? ERR_INVALID : 0;
	case CERT_RANGE:
		if (!span_u64(&body, &from) || !span_u64(&body, &to) || from > to)
			return ERR_INVALID;
		*found = c->serial >= from && c->serial <= to;
		return 0;
	case CERT_BITMAP:
		return in_bitmap(body, c->serial, found);
	case CERT_IDS:
		while (span_string(&body, &id))
			*found |= span_eq(&id, &c->id);
		return body.n ? ERR_INVALID : 0;
	default:
		return ERR_INVALID; /* an extension may be critical: nothing is known of any */
	}
}

static int
in_certificates(struct span body, const struct ssh_key *k, bool *found)
{
	struct span ca, reserved, part;
	uint8_t type;

	*found = false;
	if (!span_string(&body, &ca) || !span_string(&body, &reserved))
		return ERR_INVALID;
	while (body.n) {
		bool here = false;

		if (!span_u8(&body, &type) || !span_string(&body, &part))
			return ERR_INVALID;
		if (in_subsection(type, part, &k->certificate, &here) < 0)
			return ERR_INVALID;
		/* serial 0 is what certificates have that were made without one: only lists of ids can name them */
		if (type != CERT_IDS && k->certificate.serial == 0)
			here = false;
		*found |= here && k->has_certificate && (ca.n == 0 || span_eq(&ca, &k->certificate.ca));
	}
	return 0;
}

/* -- the two formats ---------------------------------------------------------------------------------------------------------- */

static int
check_krl(struct span s, const struct subject *who, struct err *e)
{
	struct span reserved, comment, body;
	uint64_t number, date, flags;
	uint32_t version;
	bool key = false, certificate = false;
	uint8_t type;

	if (!span_u32(&s, &version) || version != 1)
		return err_set(e, ERR_INVALID, UNREADABLE ": its version is not 1");
	if (!span_u64(&s, &number) || !span_u64(&s, &date) || !span_u64(&s, &flags) || !span_string(&s, &reserved) ||
	    !span_string(&s, &comment))
		return unreadable(e);
	while (s.n) {
		bool here = false;

		if (!span_u8(&s, &type) || !span_string(&s, &body))
			return unreadable(e);
		if (type == KRL_CERTIFICATES && in_certificates(body, who->k, &here) < 0)
			return unreadable(e);
		certificate |= here;
		if (type == KRL_KEY)
			key |= names_key(who, body);
		else if (type == KRL_SHA1 || type == KRL_SHA256)
			key |= names_fingerprint(who, body, type == KRL_SHA1);
		else if (type != KRL_CERTIFICATES)
			return err_set(e, ERR_INVALID, UNREADABLE ": it has a section of kind %u, which berth does not know", type);
	}
	if (key || certificate)
		return revoked(e, key ? "the key" : "the certificate");
	return 0;
}

static int
check_line(struct arena *mem, const char *line, size_t n, unsigned number, const struct subject *who, struct err *e)
{
	struct ssh_key k;
	int rc;

	while (n && (*line == ' ' || *line == '\t')) {
		line++;
		n--;
	}
	if (n == 0 || *line == '#' || *line == '\r')
		return 0;
	if ((rc = ssh_key_line(mem, line, n, &k, e)) < 0)
		return err_wrap(e, UNREADABLE ": line %u", number);
	for (size_t i = 0; i < who->n; i++)
		if (span_eq(&k.blob, &who->blobs[i]) || span_eq(&k.plain, &who->blobs[i]))
			return revoked(e, i == 2 ? "the certificate's CA" : "the key");
	return 0;
}

int
revoked_check(struct arena *mem, const void *text, size_t n, const struct ssh_key *k, struct err *e)
{
	struct subject who = subject_of(k);
	const char *p = text, *end = p + n;
	unsigned number = 0;

	if (n > SIGNERS_MAX)
		return err_set(e, ERR_INVALID, UNREADABLE ": it has over %zu bytes", SIGNERS_MAX);
	if (n >= 8 && memcmp(p, MAGIC, 8) == 0)
		return check_krl((struct span){ (const uint8_t *)p + 8, n - 8 }, &who, e);
	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		int rc;

		if (!stop)
			stop = end;
		if ((rc = check_line(mem, p, (size_t)(stop - p), ++number, &who, e)) < 0)
			return rc;
		p = stop + 1;
	}
	return 0;
}
