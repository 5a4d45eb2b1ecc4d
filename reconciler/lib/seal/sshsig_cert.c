/* SPDX-License-Identifier: Apache-2.0 */
/* Host certificates. */
#include <sodium.h>
#include <stdlib.h>

#include "lib/seal/sshsig_wire.h"

#define CERT_TYPE "ssh-ed25519-cert-v01@openssh.com"
#define CERT_HOST 2
#define CERT_MAX ((size_t)65536)
#define NAMES_MAX 32

/* All between the nonce and the signature. */
static void
cert_fields(const uint8_t ca_pk[32], const uint8_t host_pk[32], const char *key_id, const char *const *names, size_t n, struct buf *out)
{
	struct buf list AUTO_BUF = BUF_INIT(CERT_MAX), ca AUTO_BUF = BUF_INIT(CERT_MAX);

	for (size_t i = 0; i < n; i++)
		wire_text(&list, names[i]);
	wire_ed25519(&ca, ca_pk, 32);
	wire_string(out, host_pk, 32);
	wire_u64(out, 0); /* serial */
	wire_u32(out, CERT_HOST);
	wire_text(out, key_id);
	wire_string(out, list.data, list.len);
	wire_u64(out, 0);
	wire_u64(out, UINT64_MAX);
	wire_text(out, ""); /* critical options */
	wire_text(out, ""); /* extensions */
	wire_text(out, ""); /* reserved */
	wire_string(out, ca.data, ca.len);
}

void
ssh_host_certificate(const uint8_t ca[64], const uint8_t host_pk[32], const char *key_id, const char *const *names, size_t nnames,
                     struct buf *out)
{
	struct buf blob AUTO_BUF = BUF_INIT(CERT_MAX), fields AUTO_BUF = BUF_INIT(CERT_MAX), sig AUTO_BUF = BUF_INIT(CERT_MAX);
	unsigned char nonce[32], raw[crypto_sign_BYTES];
	char *text;
	size_t size;

	if (nnames == 0 || nnames > NAMES_MAX)
		abort(); /* no name at all would be good for every host */
	cert_fields(ca + 32, host_pk, key_id, names, nnames, &fields);
	(void)crypto_generichash(nonce, sizeof(nonce), (const unsigned char *)fields.data, fields.len, ca + 32, 32);
	wire_text(&blob, CERT_TYPE);
	wire_string(&blob, nonce, sizeof(nonce));
	buf_add(&blob, fields.data, fields.len);
	if (fields.over || blob.over)
		abort();
	(void)crypto_sign_detached(raw, NULL, (const unsigned char *)blob.data, blob.len, ca);
	wire_ed25519(&sig, raw, sizeof(raw));
	wire_string(&blob, sig.data, sig.len);
	size = sodium_base64_ENCODED_LEN(blob.len, sodium_base64_VARIANT_ORIGINAL);
	if (!(text = malloc(size)))
		abort();
	buf_str(out, CERT_TYPE " ");
	buf_str(out, sodium_bin2base64(text, size, (const unsigned char *)blob.data, blob.len, sodium_base64_VARIANT_ORIGINAL));
	free(text);
}
