/* SPDX-License-Identifier: Apache-2.0 */
/* Writing age files for X25519 recipients. */
#include <sodium.h>
#include <string.h>

#include "lib/seal/age_priv.h"
#include "lib/seal/armor.h"
#include "lib/seal/hkdf.h"

void
age_draw(struct age_draw *d, void *out, size_t n)
{
	uint8_t info[18] = "berth/v1/draw/";

	if (!d->seed) {
		randombytes_buf(out, n);
		return;
	}
	for (size_t i = 0; i < 4; i++)
		info[14 + i] = (uint8_t)(d->n >> 8 * i);
	d->n++;
	hkdf_sha256(NULL, 0, d->seed, 32, info, sizeof(info), out, n);
}

/* An ephemeral key for each recipient: what one of them learns of its own says nothing about the others'. */
static int
add_recipient(const uint8_t recipient[32], const uint8_t key[AGE_KEY], struct age_draw *d, struct buf *out, struct err *e)
{
	uint8_t ephemeral[32], share[32], wrap[32], body[AGE_WRAPPED];
	char args[sizeof("X25519 ") + AGE_BASE64(32)] = "X25519 ";
	bool good;

	age_draw(d, ephemeral, sizeof(ephemeral));
	(void)crypto_scalarmult_base(share, ephemeral);
	good = age_x25519_wrap(ephemeral, recipient, share, recipient, wrap);
	if (good) {
		age_wrap(wrap, key, body);
		age_base64_text(share, sizeof(share), args + 7, sizeof(args) - 7);
		age_stanza_write(out, args, body, sizeof(body));
	}
	sodium_memzero(ephemeral, sizeof(ephemeral));
	sodium_memzero(wrap, sizeof(wrap));
	return good ? 0 : err_set(e, ERR_INVALID, "the recipient is no key that anybody can have (a point of low order)");
}

int
age_seal_finish(struct buf *header, const uint8_t key[AGE_KEY], struct age_draw *d, const void *plain, size_t len, bool armored,
                struct buf *out, struct err *e)
{
	uint8_t mac[32], nonce[AGE_NONCE];
	char text[AGE_BASE64(32)];
	int rc;

	buf_str(header, "---");
	age_header_mac(key, buf_cstr(header), header->len, mac);
	age_base64_text(mac, sizeof(mac), text, sizeof(text));
	buf_char(header, ' ');
	buf_str(header, text);
	buf_char(header, '\n');
	age_draw(d, nonce, sizeof(nonce));
	age_stream_write(key, nonce, plain, len, header);
	if ((rc = buf_check(header, "the sealed file", e)) < 0)
		return rc;
	if (armored)
		armor_write(header->data, header->len, out);
	else
		buf_add(out, header->data, header->len);
	return buf_check(out, "the sealed file", e);
}

int
age_seal(const uint8_t (*recipients)[32], size_t n, const void *plain, size_t len, bool armored, const uint8_t *seed, struct buf *out,
         struct err *e)
{
	struct buf AUTO_BUF file = BUF_INIT(AGE_FILE_MAX);
	struct age_draw d = { seed, 0 };
	uint8_t key[AGE_KEY];
	int rc = 0;

	if (len > AGE_PLAIN_MAX)
		return err_set(e, ERR_INVALID, "%zu bytes are more than a secret may have (%zu)", len, AGE_PLAIN_MAX);
	if (!n || n > AGE_STANZAS_MAX)
		return err_set(e, ERR_INVALID, "%zu recipients instead of 1 to %d", n, AGE_STANZAS_MAX);
	age_draw(&d, key, sizeof(key));
	buf_str(&file, AGE_VERSION "\n");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_recipient(recipients[i], key, &d, &file, e);
	if (rc == 0)
		rc = age_seal_finish(&file, key, &d, plain, len, armored, out, e);
	sodium_memzero(key, sizeof(key));
	return rc;
}
