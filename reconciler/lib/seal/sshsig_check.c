/* SPDX-License-Identifier: Apache-2.0 */
/* SSHSIG: armor, blob, what was signed. */
#include "lib/seal/sshsig_check.h"

#include <sodium.h>
#include <string.h>

#include "lib/base/base64.h"

#define BEGIN "-----BEGIN SSH SIGNATURE-----"
#define END "-----END SSH SIGNATURE-----"
#define MAGIC "SSHSIG"
#define NS_MAX 255

/* The base64 text between the lines of the armor; nothing but blanks may stand around it. */
static int
find_body(const char *text, size_t n, struct span *out, struct err *e)
{
	const char *body, *end, *p;

	if (n > SSHSIG_TEXT_MAX)
		return err_set(e, ERR_INVALID, "the signature has over %zu bytes", SSHSIG_TEXT_MAX);
	if (n < strlen(BEGIN) + 1 || memcmp(text, BEGIN, strlen(BEGIN)) != 0)
		return err_set(e, ERR_INVALID, "it does not begin with " BEGIN);
	body = text + strlen(BEGIN);
	body += *body == '\r' && body + 1 < text + n;
	if (*body != '\n')
		return err_set(e, ERR_INVALID, "it does not begin with " BEGIN);
	end = memmem(body, (size_t)(text + n - body), "\n" END, strlen("\n" END));
	if (!end || end == body)
		return err_set(e, ERR_INVALID, "it has no end, or nothing before it");
	for (p = end + strlen("\n" END); p < text + n; p++)
		if (*p != '\n' && *p != '\r' && *p != ' ' && *p != '\t')
			return err_set(e, ERR_INVALID, "something stands behind the signature");
	if (memchr(body, 0, (size_t)(end - body)))
		return err_set(e, ERR_INVALID, "the signature is no base64 text");
	*out = (struct span){ (const uint8_t *)body + 1, (size_t)(end - body) - 1 };
	return 0;
}

static int
read_blob(struct arena *mem, struct span s, struct sshsig *out, struct err *e)
{
	struct span magic, key, reserved, hash;
	uint32_t version;
	int rc;

	if (!span_bytes(&s, strlen(MAGIC), &magic) || !span_is(&magic, MAGIC) || !span_u32(&s, &version))
		return err_set(e, ERR_INVALID, "it is no SSH signature");
	if (version != 1)
		return err_set(e, ERR_INVALID, "its version is %u, and 1 is the only one", version);
	if (!span_string(&s, &key) || !span_string(&s, &out->ns) || !span_string(&s, &reserved) || !span_string(&s, &hash) ||
	    !span_string(&s, &out->signature))
		return err_set(e, ERR_INVALID, "it is cut or damaged");
	if (s.n || reserved.n)
		return err_set(e, ERR_INVALID, "it has more in it than a signature");
	if (out->ns.n == 0 || out->ns.n > NS_MAX)
		return err_set(e, ERR_INVALID, "it names no namespace");
	out->sha256 = span_is(&hash, "sha256");
	if (!out->sha256 && !span_is(&hash, "sha512"))
		return err_set(e, ERR_INVALID, "its hash is neither sha256 nor sha512");
	if ((rc = ssh_key_parse(mem, key.p, key.n, &out->key, e)) < 0)
		return err_wrap(e, "its key");
	return 0;
}

int
sshsig_read(struct arena *mem, const char *text, size_t n, struct sshsig *out, struct err *e)
{
	struct sshsig s = { 0 };
	struct span body = { 0 }, blob;
	char *bytes;
	int rc;

	if ((rc = find_body(text, n, &body, e)) < 0)
		return rc;
	if (base64_decode(mem, (const char *)body.p, body.n, &bytes, &blob.n) < 0)
		return err_set(e, ERR_INVALID, "the signature is no whole base64 text");
	blob.p = (const uint8_t *)bytes;
	if ((rc = read_blob(mem, blob, &s, e)) < 0)
		return rc;
	*out = s;
	return 0;
}

static size_t
put(uint8_t *at, const void *p, size_t n)
{
	at[0] = at[1] = 0;
	at[2] = (uint8_t)(n >> 8);
	at[3] = (uint8_t)n;
	memcpy(at + 4, p, n);
	return 4 + n;
}

int
sshsig_check(const struct sshsig *s, const char *ns, const void *msg, size_t n, struct err *e)
{
	uint8_t body[sizeof(MAGIC) + 4 * 4 + NS_MAX + 16 + 64], hash[64];
	size_t at = strlen(MAGIC), len = s->sha256 ? 32 : 64;

	if (!span_is(&s->ns, ns))
		return err_set(e, ERR_DENIED, "the signature was made for another namespace than %s", ns);
	if (s->sha256)
		crypto_hash_sha256(hash, msg, n);
	else
		crypto_hash_sha512(hash, msg, n);
	memcpy(body, MAGIC, at);
	at += put(body + at, s->ns.p, s->ns.n);
	at += put(body + at, "", 0);
	at += put(body + at, s->sha256 ? "sha256" : "sha512", 6);
	at += put(body + at, hash, len);
	return ssh_key_verify(&s->key, s->signature, (struct span){ body, at }, e);
}
