/* SPDX-License-Identifier: Apache-2.0 */
/* SSHSIG. */
#include "lib/seal/sshsig.h"

#include <sodium.h>
#include <stdlib.h>

#include "lib/seal/sshsig_check.h"
#include "lib/seal/sshsig_wire.h"

#define MAGIC "SSHSIG"
#define BEGIN "-----BEGIN SSH SIGNATURE-----"
#define END "-----END SSH SIGNATURE-----"
#define SIG_TEXT_MAX ((size_t)8192)

/* What the key really signs. */
static void
signed_bytes(const char *ns, const void *msg, size_t n, struct buf *out)
{
	unsigned char digest[crypto_hash_sha512_BYTES];

	crypto_hash_sha512(digest, msg, n);
	buf_str(out, MAGIC);
	wire_text(out, ns);
	wire_text(out, ""); /* reserved */
	wire_text(out, "sha512");
	wire_string(out, digest, sizeof(digest));
}

static void
armor(const struct buf *blob, struct buf *out)
{
	size_t size = sodium_base64_ENCODED_LEN(blob->len, sodium_base64_VARIANT_ORIGINAL), n;
	char *text = malloc(size);

	if (!text)
		abort();
	(void)sodium_bin2base64(text, size, (const unsigned char *)blob->data, blob->len, sodium_base64_VARIANT_ORIGINAL);
	n = strlen(text);
	buf_str(out, BEGIN "\n");
	for (size_t i = 0; i < n; i += SSH_LINE) {
		buf_add(out, text + i, n - i < SSH_LINE ? n - i : SSH_LINE);
		buf_char(out, '\n');
	}
	buf_str(out, END "\n");
	free(text);
}

void
sshsig_sign(const uint8_t sk[64], const char *ns, const void *msg, size_t n, struct buf *out)
{
	struct buf data AUTO_BUF = BUF_INIT(0), blob AUTO_BUF = BUF_INIT(0), key AUTO_BUF = BUF_INIT(0), sig AUTO_BUF = BUF_INIT(0);
	unsigned char raw[crypto_sign_BYTES];

	signed_bytes(ns, msg, n, &data);
	(void)crypto_sign_detached(raw, NULL, (const unsigned char *)data.data, data.len, sk);
	wire_ed25519(&key, sk + 32, 32);
	wire_ed25519(&sig, raw, sizeof(raw));
	buf_str(&blob, MAGIC);
	wire_u32(&blob, 1);
	wire_string(&blob, key.data, key.len);
	wire_text(&blob, ns);
	wire_text(&blob, "");
	wire_text(&blob, "sha512");
	wire_string(&blob, sig.data, sig.len);
	armor(&blob, out);
}

int
sshsig_verify(const char *sig, size_t siglen, const uint8_t pk[32], const char *ns, const void *msg, size_t n, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(4 * SIG_TEXT_MAX);
	struct sshsig s;

	if (siglen > SIG_TEXT_MAX || sshsig_read(mem, sig, siglen, &s, NULL) < 0 || s.key.type != SSH_ED25519 || s.key.has_certificate)
		return err_set(e, ERR_INVALID, "there is no SSH signature of an ed25519 key");
	if (memcmp(s.key.point.p, pk, 32) != 0)
		return err_set(e, ERR_DENIED, "it was signed by another key");
	if (!span_is(&s.ns, ns))
		return err_set(e, ERR_DENIED, "it was signed for another purpose than %s", ns);
	if (sshsig_check(&s, ns, msg, n, NULL) < 0)
		return err_set(e, ERR_DENIED, "it was changed after it was signed");
	return 0;
}
