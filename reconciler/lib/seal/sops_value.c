/* SPDX-License-Identifier: Apache-2.0 */
/* One sealed text of a SOPS file: its form, and AES-256-GCM with an IV of 32 bytes. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/base64.h"
#include "lib/seal/sops_priv.h"

#define HEAD "ENC[AES256_GCM,"

static const char *const type_names[] = { [SOPS_STR] = "str",   [SOPS_INT] = "int",   [SOPS_FLOAT] = "float",
	                                  [SOPS_BOOL] = "bool", [SOPS_TIME] = "time", [SOPS_COMMENT] = "comment" };

#define TYPES (sizeof(type_names) / sizeof(type_names[0]))

const char *
sops_type_name(enum sops_type t)
{
	return type_names[t];
}

bool
sops_is_sealed(const char *text, size_t n)
{
	return n >= 4 && memcmp(text, HEAD, 4) == 0;
}

/* "name:BASE64" at *at, and what ends it; false when it is not there or not the one way to write those bytes. */
static bool
take_bytes(struct arena *mem, const char **at, const char *end, const char *name, char **out, size_t *n)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
	size_t len = strlen(name), digits;

	if ((size_t)(end - *at) < len || memcmp(*at, name, len) != 0)
		return false;
	*at += len;
	digits = strspn(*at, alphabet); /* stops at the ',' or the NUL behind the text */
	if (digits >= (size_t)(end - *at) || (*at)[digits] != ',')
		return false;
	if (base64_decode(mem, *at, digits, out, n) < 0)
		return false;
	*at += digits + 1;
	return true;
}

static bool
take_type(const char *at, const char *end, enum sops_type *out)
{
	static const char name[] = "type:";
	size_t len = strlen(name);

	if ((size_t)(end - at) < len + 1 || memcmp(at, name, len) != 0 || end[-1] != ']')
		return false;
	at += len;
	for (size_t i = 0; i < TYPES; i++) {
		if (strlen(type_names[i]) == (size_t)(end - 1 - at) &&
		    memcmp(type_names[i], at, strlen(type_names[i])) == 0) {
			*out = (enum sops_type)i;
			return true;
		}
	}
	return false;
}

int
sops_enc_parse(struct arena *mem, const char *text, size_t n, struct sops_enc *out, struct err *e)
{
	const char *at = text + strlen(HEAD), *end = text + n;
	struct sops_enc enc = { 0 };
	char *bytes;
	size_t len;

	if (n < strlen(HEAD) || memcmp(text, HEAD, strlen(HEAD)) != 0)
		return err_set(e, ERR_INVALID, "is not sealed by AES256_GCM");
	if (strlen(text) != n)
		return err_set(e, ERR_INVALID, "has a NUL in it");
	if (!take_bytes(mem, &at, end, "data:", &bytes, &enc.n) || !enc.n)
		return err_set(e, ERR_INVALID, "is cut or changed: its data is not base64");
	enc.data = (const unsigned char *)bytes;
	if (!take_bytes(mem, &at, end, "iv:", &bytes, &len) || len != SOPS_IV)
		return err_set(e, ERR_INVALID, "is cut or changed: its iv is not %d bytes", SOPS_IV);
	memcpy(enc.iv, bytes, SOPS_IV);
	if (!take_bytes(mem, &at, end, "tag:", &bytes, &len) || len != SOPS_TAG)
		return err_set(e, ERR_INVALID, "is cut or changed: its tag is not %d bytes", SOPS_TAG);
	memcpy(enc.tag, bytes, SOPS_TAG);
	if (!take_type(at, end, &enc.type))
		return err_set(e, ERR_INVALID, "is cut or changed: its type is none of str, int, float, bool, time");
	*out = enc;
	return 0;
}

/* A context for one text, or the end: the algorithm is there (sops_init) and there is memory. */
static EVP_CIPHER_CTX *
begin(const unsigned char *key, const unsigned char *iv, const char *additional, bool encrypt)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;

	if (!c || EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, NULL, NULL, encrypt) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_IVLEN, SOPS_IV, NULL) != 1 ||
	    EVP_CipherInit_ex(c, NULL, NULL, key, iv, encrypt) != 1 ||
	    EVP_CipherUpdate(c, NULL, &n, (const unsigned char *)additional, (int)strlen(additional)) != 1)
		abort();
	return c;
}

bool
sops_decrypt(const unsigned char key[SOPS_KEY], const struct sops_enc *enc, const char *additional, unsigned char *out)
{
	EVP_CIPHER_CTX *c = begin(key, enc->iv, additional, false);
	unsigned char tag[SOPS_TAG], rest[16];
	int n = 0;
	bool good;

	memcpy(tag, enc->tag, SOPS_TAG);
	good = EVP_DecryptUpdate(c, out, &n, enc->data, (int)enc->n) == 1 && (size_t)n == enc->n &&
	       EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, SOPS_TAG, tag) == 1 &&
	       EVP_DecryptFinal_ex(c, rest, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	if (!good)
		OPENSSL_cleanse(out, enc->n);
	return good;
}

const char *
sops_encrypt(struct arena *mem, const unsigned char key[SOPS_KEY], const unsigned char iv[SOPS_IV],
             const char *additional, const unsigned char *plain, size_t n, enum sops_type type)
{
	EVP_CIPHER_CTX *c = begin(key, iv, additional, true);
	unsigned char *data = arena_alloc(mem, n), tag[SOPS_TAG], rest[16];
	int len = 0;

	if (EVP_EncryptUpdate(c, data, &len, plain, (int)n) != 1 || (size_t)len != n ||
	    EVP_EncryptFinal_ex(c, rest, &len) != 1 || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, SOPS_TAG, tag) != 1)
		abort();
	EVP_CIPHER_CTX_free(c);
	return arena_printf(mem, HEAD "data:%s,iv:%s,tag:%s,type:%s]", base64_encode(mem, data, n),
	                    base64_encode(mem, iv, SOPS_IV), base64_encode(mem, tag, SOPS_TAG), type_names[type]);
}

/* "berth" for the path a:b, sealed by Go's crypto/cipher: the key is the bytes 0 to 31, the IV 32 to 63. */
int
sops_init(struct err *e)
{
	static const unsigned char data[] = { 0x75, 0xa4, 0x83, 0x3c, 0xe5 };
	static const unsigned char tag[SOPS_TAG] = { 0xb1, 0xee, 0x59, 0xfd, 0x27, 0xb4, 0xc8, 0x46,
		                                     0x8a, 0x6b, 0xd4, 0x3d, 0x37, 0xe3, 0xd0, 0xa5 };
	unsigned char key[SOPS_KEY], plain[sizeof(data)];
	struct sops_enc enc = { .data = data, .n = sizeof(data) };
	struct sops_mac mac;
	char hex[SOPS_MAC_HEX + 1];

	for (unsigned i = 0; i < 32; i++) {
		key[i] = (unsigned char)i;
		enc.iv[i] = (unsigned char)(32 + i);
	}
	memcpy(enc.tag, tag, SOPS_TAG);
	sops_mac_begin(&mac, true);
	sops_mac_end(&mac, hex);
	if (!sops_decrypt(key, &enc, "a:b:", plain) || memcmp(plain, "berth", sizeof(plain)) != 0)
		return err_set(e, ERR_INTERNAL, "OpenSSL's AES-256-GCM gives wrong results on this machine");
	return 0;
}
