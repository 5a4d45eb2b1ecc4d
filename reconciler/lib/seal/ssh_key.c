/* SPDX-License-Identifier: Apache-2.0 */
/* Reading keys and certificates. Signatures are in ssh_verify.c. */
#include "lib/seal/ssh_key.h"

#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/hash.h"
#include "lib/base/str.h"
#include "lib/seal/ssh_priv.h"

#define CERT "-cert-v01@openssh.com"

static const struct ssh_kind kinds[] = {
	{ SSH_ED25519, "ssh-ed25519", NULL, 32 },
	{ SSH_ECDSA_256, "ecdsa-sha2-nistp256", "nistp256", 65 },
	{ SSH_ECDSA_384, "ecdsa-sha2-nistp384", "nistp384", 97 },
	{ SSH_ECDSA_521, "ecdsa-sha2-nistp521", "nistp521", 133 },
	{ SSH_RSA, "ssh-rsa", NULL, 0 },
	{ SSH_SK_ED25519, "sk-ssh-ed25519@openssh.com", NULL, 32 },
	{ SSH_SK_ECDSA, "sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", 65 },
};

const struct ssh_kind *
ssh_kind_of(enum ssh_type type)
{
	return &kinds[type];
}

/* "sk-ssh-ed25519@openssh.com" is "sk-ssh-ed25519-cert-v01@openssh.com" as a certificate: the vendor's part is there once. */
static bool
is_certificate_of(const struct span *word, const char *name)
{
	size_t stem = strcspn(name, "@");

	return word->n == stem + strlen(CERT) && memcmp(word->p, name, stem) == 0 && memcmp(word->p + stem, CERT, strlen(CERT)) == 0;
}

static const struct ssh_kind *
find_kind(const struct span *word, bool *certificate)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		*certificate = is_certificate_of(word, kinds[i].name);
		if (*certificate || span_is(word, kinds[i].name))
			return &kinds[i];
	}
	return NULL;
}

/* The numbers of the key, which stand alike in plain keys and in certificates. */
static int
read_numbers(const struct ssh_kind *kind, struct span *s, struct ssh_key *k, struct err *e)
{
	struct span curve;

	if (kind->type == SSH_RSA) {
		if (!span_number(s, &k->e) || !span_number(s, &k->n))
			return err_set(e, ERR_INVALID, "the key is cut or damaged");
		if (span_bits(&k->n) < SSH_RSA_BITS_MIN || span_bits(&k->n) > SSH_RSA_BITS_MAX || k->e.n > 8)
			return err_set(e, ERR_INVALID, "an RSA key of %zu bits is not taken", span_bits(&k->n));
		return 0;
	}
	if (kind->curve && (!span_string(s, &curve) || !span_is(&curve, kind->curve)))
		return err_set(e, ERR_INVALID, "the curve inside the key is not that of its type");
	if (!span_string(s, &k->point) || k->point.n != kind->point || (kind->curve && k->point.p[0] != 4))
		return err_set(e, ERR_INVALID, "the key is cut or damaged");
	if ((kind->type == SSH_SK_ED25519 || kind->type == SSH_SK_ECDSA) && (!span_string(s, &k->application) || !k->application.n))
		return err_set(e, ERR_INVALID, "the security key names no application");
	return 0;
}

/* The plain key's blob: type, and the bytes between `from` and `to`. */
static struct span
plain_blob(struct arena *mem, const struct ssh_kind *kind, const uint8_t *from, const uint8_t *to)
{
	size_t word = strlen(kind->name), n = (size_t)(to - from);
	uint8_t *b = arena_alloc(mem, 4 + word + n);

	b[3] = (uint8_t)word; /* at most 34 */
	memcpy(b + 4, kind->name, word);
	memcpy(b + 4 + word, from, n);
	return (struct span){ b, 4 + word + n };
}

static bool
read_certificate(struct span *s, struct ssh_certificate *c)
{
	struct span extensions, reserved;

	return span_u64(s, &c->serial) && span_u32(s, &c->type) && span_string(s, &c->id) && span_string(s, &c->principals) &&
	       span_u64(s, &c->valid_after) && span_u64(s, &c->valid_before) && span_string(s, &c->critical) &&
	       span_string(s, &extensions) && span_string(s, &reserved) && span_string(s, &c->ca);
}

int
ssh_key_parse(struct arena *mem, const void *blob, size_t n, struct ssh_key *out, struct err *e)
{
	struct span s = { blob, n }, word, nonce;
	struct ssh_key k = { .blob = s, .plain = s };
	const struct ssh_kind *kind;
	const uint8_t *from;
	int rc;

	if (n > SSH_BLOB_MAX)
		return err_set(e, ERR_INVALID, "the key is too long");
	if (!span_string(&s, &word) || !(kind = find_kind(&word, &k.has_certificate)))
		return err_set(e, ERR_INVALID, "it is no public key of a type that is taken");
	k.type = kind->type;
	if (k.has_certificate && !span_string(&s, &nonce))
		return err_set(e, ERR_INVALID, "the certificate is cut");
	from = s.p;
	if ((rc = read_numbers(kind, &s, &k, e)) < 0)
		return rc;
	if (k.has_certificate) {
		k.plain = plain_blob(mem, kind, from, s.p);
		if (!read_certificate(&s, &k.certificate))
			return err_set(e, ERR_INVALID, "the certificate is cut or damaged");
		k.certificate.signed_ = (struct span){ k.blob.p, (size_t)(s.p - k.blob.p) };
		if (!span_string(&s, &k.certificate.signature))
			return err_set(e, ERR_INVALID, "the certificate has no signature");
	}
	if (s.n)
		return err_set(e, ERR_INVALID, "something stands behind the key");
	*out = k;
	return 0;
}

int
ssh_key_line(struct arena *mem, const char *line, size_t n, struct ssh_key *out, struct err *e)
{
	const char *end = line + n, *word = line, *text;
	struct span inner, blob;
	char *bytes;
	size_t len;

	while (line < end && *line != ' ' && *line != '\t')
		line++;
	len = (size_t)(line - word);
	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	for (text = line; line < end && *line != ' ' && *line != '\t' && *line != '\r';)
		line++;
	if (len == 0 || text == line || memchr(text, 0, (size_t)(line - text)))
		return err_set(e, ERR_INVALID, "it is no public key: type, key and comment");
	if (base64_decode(mem, text, (size_t)(line - text), &bytes, &blob.n) < 0)
		return err_set(e, ERR_INVALID, "the key is no whole base64 text");
	blob.p = (const uint8_t *)bytes;
	if (span_string(&(struct span){ blob.p, blob.n }, &inner) && (inner.n != len || memcmp(inner.p, word, len) != 0))
		return err_set(e, ERR_INVALID, "the line's type is not the type inside the key");
	return ssh_key_parse(mem, blob.p, blob.n, out, e);
}

/* -- certificates --------------------------------------------------------------------------------------------------------- */

static bool
names(struct span principals, const char *who, bool *any)
{
	struct span one;
	bool found = false;

	*any = false;
	while (span_string(&principals, &one)) {
		*any = true;
		found |= span_is(&one, who); /* "*" is a letter like any other here */
	}
	return found && principals.n == 0;
}

int
ssh_certificate_check(struct arena *mem, const struct ssh_key *k, const char *principal, int64_t when, struct err *e)
{
	const struct ssh_certificate *c = &k->certificate;
	struct ssh_key ca;
	bool any;
	int rc;

	if (!k->has_certificate || c->type != 1)
		return err_set(e, ERR_DENIED, "it is no user certificate");
	if (c->critical.n)
		return err_set(e, ERR_DENIED, "the certificate has critical options, and berth knows none");
	if (when < 0 || (uint64_t)when < c->valid_after)
		return err_set(e, ERR_DENIED, "the certificate is not valid yet");
	if ((uint64_t)when >= c->valid_before)
		return err_set(e, ERR_DENIED, "the certificate has expired");
	if (!names(c->principals, principal, &any))
		return err_set(e, ERR_DENIED, any ? "the certificate is not for %s" : "the certificate names nobody, and would be good for %s", principal);
	if ((rc = ssh_key_parse(mem, c->ca.p, c->ca.n, &ca, e)) < 0)
		return err_wrap(e, "the certificate's CA");
	if (ca.has_certificate)
		return err_set(e, ERR_INVALID, "the certificate's CA is a certificate itself");
	if ((rc = ssh_key_verify(&ca, c->signature, c->signed_, e)) < 0)
		return err_wrap(e, "the certificate's signature");
	return 0;
}

void
ssh_fingerprint(const struct span *blob, char out[SSH_FINGERPRINT])
{
	struct arena *AUTO_ARENA mem = arena_new(4096);
	struct digest d;
	char *text;

	hash_bytes(blob->p, blob->n, &d);
	text = base64_encode(mem, d.b, sizeof(d.b));
	memcpy(out, "SHA256:", 7);
	memcpy(out + 7, text, 43);
	out[50] = '\0';
}
