/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 keys as OpenSSH writes them. */
#include <sodium.h>
#include <stdlib.h>

#include "lib/base/base64.h"
#include "lib/base/str.h"
#include "lib/seal/base64_exact.h"
#include "lib/seal/ssh_wire.h"
#include "lib/seal/sshsig_wire.h"

#define LINE_MAX_LEN ((size_t)16384)
#define COMMENT_MAX ((size_t)200)
#define BLOB_LEN (4 + sizeof(ED25519_TYPE) - 1 + 4 + 32)
#define CHECK_LEN 4

void
ssh_public_text(const uint8_t pk[32], char out[96])
{
	unsigned char blob[BLOB_LEN] = { 0, 0, 0, sizeof(ED25519_TYPE) - 1 };
	size_t type = sizeof(ED25519_TYPE) - 1;

	memcpy(blob + 4, ED25519_TYPE, type);
	blob[4 + type + 3] = 32;
	memcpy(blob + 4 + type + 4, pk, 32);
	memcpy(out, ED25519_TYPE " ", type + 1);
	(void)sodium_bin2base64(out + type + 1, 96 - type - 1, blob, sizeof(blob), sodium_base64_VARIANT_ORIGINAL);
}

int
ssh_public_parse(const char *text, size_t n, uint8_t pk[32], struct err *e)
{
	const char *at = text, *end = text + n, *stop;
	unsigned char blob[BLOB_LEN + 3];
	struct span s, type, key;
	size_t len;

	if (n > LINE_MAX_LEN || n < sizeof(ED25519_TYPE) || memcmp(at, ED25519_TYPE " ", sizeof(ED25519_TYPE)) != 0) {
		(void)err_set(e, ERR_INVALID, "it is no public key of type " ED25519_TYPE);
		return err_hint(e, "such a key is one line: " ED25519_TYPE " AAAA…");
	}
	at += sizeof(ED25519_TYPE);
	for (stop = at; stop < end && *stop != ' ' && *stop != '\n' && *stop != '\r' && *stop != '\t';)
		stop++;
	if (!base64_exact(at, (size_t)(stop - at), true, blob, sizeof(blob), &len))
		return err_set(e, ERR_INVALID, "the public key is cut or damaged");
	s = (struct span){ blob, len };
	if (!span_string(&s, &type) || !span_is(&type, ED25519_TYPE) || !span_string(&s, &key) || key.n != 32 || s.n)
		return err_set(e, ERR_INVALID, "the public key is cut or damaged");
	memcpy(pk, key.p, 32);
	return 0;
}

/* -- a private key's file ------------------------------------------------------------------------------------------------ */

/* Guarded memory that is filled from its beginning: no growing buffer may hold a key. */
struct fill {
	unsigned char *at, *end;
};

static void
fill_add(struct fill *f, const void *p, size_t n)
{
	if (n > (size_t)(f->end - f->at))
		abort();
	if (n)
		memcpy(f->at, p, n);
	f->at += n;
}

static void
fill_u32(struct fill *f, size_t v)
{
	const unsigned char bytes[4] = { (unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v };

	fill_add(f, bytes, sizeof(bytes));
}

static void
fill_string(struct fill *f, const void *p, size_t n)
{
	fill_u32(f, n);
	fill_add(f, p, n);
}

static void
fill_text(struct fill *f, const char *s)
{
	fill_string(f, s, strlen(s));
}

/* Check bytes twice, the key, its comment, 1 2 3 … up to a multiple of eight. */
static void
private_part(struct fill *f, const uint8_t sk[64], const char *comment, size_t comment_len)
{
	unsigned char check[crypto_hash_sha256_BYTES], *begin = f->at;

	crypto_hash_sha256(check, sk + 32, 32);
	fill_add(f, check, CHECK_LEN);
	fill_add(f, check, CHECK_LEN);
	fill_text(f, ED25519_TYPE);
	fill_string(f, sk + 32, 32);
	fill_string(f, sk, 64);
	fill_string(f, comment, comment_len);
	for (unsigned char i = 1; (f->at - begin) % 8; i++)
		fill_add(f, &i, 1);
}

static void
key_blob(const uint8_t sk[64], const char *comment, struct secret *out)
{
	static const char magic[] = "openssh-key-v1"; /* with its NUL */
	struct secret whole = secret_new(512 + COMMENT_MAX), part AUTO_SECRET = secret_new(256 + COMMENT_MAX);
	struct fill f = { whole.b, whole.b + whole.n }, p = { part.b, part.b + part.n };
	size_t len = strlen(comment);

	private_part(&p, sk, comment, len < COMMENT_MAX ? len : COMMENT_MAX);
	fill_add(&f, magic, sizeof(magic));
	fill_text(&f, "none");
	fill_text(&f, "none");
	fill_text(&f, "");
	fill_u32(&f, 1);
	fill_u32(&f, BLOB_LEN);
	fill_text(&f, ED25519_TYPE);
	fill_string(&f, sk + 32, 32);
	fill_string(&f, part.b, (size_t)(p.at - part.b));
	whole.n = (size_t)(f.at - whole.b);
	*out = whole;
}

void
ssh_private_text(const uint8_t sk[64], const char *comment, struct secret *out)
{
	struct secret blob AUTO_SECRET = { NULL, 0 }, text AUTO_SECRET = { NULL, 0 }, lines;
	struct fill f;
	size_t n;

	key_blob(sk, comment, &blob);
	text = secret_new(sodium_base64_ENCODED_LEN(blob.n, sodium_base64_VARIANT_ORIGINAL));
	(void)sodium_bin2base64((char *)text.b, text.n, blob.b, blob.n, sodium_base64_VARIANT_ORIGINAL);
	n = strlen((const char *)text.b);
	lines = secret_new(n + n / SSH_LINE + 128);
	f = (struct fill){ lines.b, lines.b + lines.n };
	fill_add(&f, "-----BEGIN OPENSSH PRIVATE KEY-----\n", 36);
	for (size_t i = 0; i < n; i += SSH_LINE) {
		fill_add(&f, text.b + i, n - i < SSH_LINE ? n - i : SSH_LINE);
		fill_add(&f, "\n", 1);
	}
	fill_add(&f, "-----END OPENSSH PRIVATE KEY-----\n", 34);
	lines.n = (size_t)(f.at - lines.b);
	*out = lines;
}
