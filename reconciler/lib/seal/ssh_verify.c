/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures: Ed25519 by libsodium, which refuses what is not canonical; ECDSA and RSA by OpenSSL. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <sodium.h>
#include <string.h>

#include "lib/seal/ssh_priv.h"

#define WRONG "the signature is not this key's, or the text was changed"
#define TOUCHED 0x01 /* PROTOCOL.u2f: somebody was there */

/* -- OpenSSL keys ------------------------------------------------------------------------------------------------------------ */

static EVP_PKEY *
key_from(const char *algorithm, OSSL_PARAM_BLD *b)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(b);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
	EVP_PKEY *key = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *
ec_key(const struct ssh_key *k)
{
	const char *group = k->type == SSH_ECDSA_384 ? "P-384" : k->type == SSH_ECDSA_521 ? "P-521" : "P-256";
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, k->point.p, k->point.n))
		key = key_from("EC", b);
	OSSL_PARAM_BLD_free(b);
	return key;
}

static EVP_PKEY *
rsa_key(const struct ssh_key *k)
{
	BIGNUM *n = BN_bin2bn(k->n.p, (int)k->n.n, NULL), *exponent = BN_bin2bn(k->e.p, (int)k->e.n, NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (b && n && exponent && BN_is_odd(exponent) && !BN_is_one(exponent) && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, exponent))
		key = key_from("RSA", b);
	OSSL_PARAM_BLD_free(b);
	BN_free(n);
	BN_free(exponent);
	return key;
}

static bool
evp_verify(EVP_PKEY *key, const char *digest, const uint8_t *sig, size_t n, struct span msg, bool rsa)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *inner = NULL;
	bool good = ctx && EVP_DigestVerifyInit_ex(ctx, &inner, digest, NULL, NULL, key, NULL) == 1 &&
	            (!rsa || EVP_PKEY_CTX_set_rsa_padding(inner, RSA_PKCS1_PADDING) == 1) &&
	            EVP_DigestVerify(ctx, sig, n, msg.p, msg.n) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

/* -- one function a type ------------------------------------------------------------------------------------------------------- */

static int
verify_ed25519(const struct ssh_key *k, struct span sig, struct span msg, struct err *e)
{
	if (sig.n != crypto_sign_BYTES)
		return err_set(e, ERR_INVALID, "the signature has %zu bytes instead of %u", sig.n, crypto_sign_BYTES);
	if (crypto_sign_verify_detached(sig.p, msg.p, msg.n, k->point.p) != 0)
		return err_set(e, ERR_DENIED, WRONG);
	return 0;
}

/* RFC 5656 section 3.1.2: two numbers; OpenSSL wants them as DER. */
static int
verify_ecdsa(const struct ssh_key *k, struct span sig, struct span msg, struct err *e)
{
	const char *digest = k->type == SSH_ECDSA_384 ? "SHA384" : k->type == SSH_ECDSA_521 ? "SHA512" : "SHA256";
	struct span r, s;
	ECDSA_SIG *pair;
	BIGNUM *rb, *sb;
	uint8_t *der = NULL;
	EVP_PKEY *key;
	int len;
	bool good;

	if (!span_number(&sig, &r) || !span_number(&sig, &s) || sig.n || r.n > 66 || s.n > 66)
		return err_set(e, ERR_INVALID, "the signature is not two numbers");
	pair = ECDSA_SIG_new();
	rb = BN_bin2bn(r.p, (int)r.n, NULL);
	sb = BN_bin2bn(s.p, (int)s.n, NULL);
	if (!pair || !rb || !sb || ECDSA_SIG_set0(pair, rb, sb) != 1) {
		BN_free(rb);
		BN_free(sb);
		ECDSA_SIG_free(pair);
		return err_set(e, ERR_INTERNAL, "OpenSSL has no memory");
	}
	len = i2d_ECDSA_SIG(pair, &der);
	ECDSA_SIG_free(pair);
	key = ec_key(k);
	good = key && len > 0 && evp_verify(key, digest, der, (size_t)len, msg, false);
	EVP_PKEY_free(key);
	OPENSSL_free(der);
	return good ? 0 : err_set(e, ERR_DENIED, WRONG);
}

/* RFC 8332. Some signers leave leading zeros out. */
static int
verify_rsa(const struct ssh_key *k, const char *digest, struct span sig, struct span msg, struct err *e)
{
	uint8_t whole[SSH_RSA_BITS_MAX / 8] = { 0 };
	EVP_PKEY *key;
	bool good;

	if (sig.n == 0 || sig.n > k->n.n)
		return err_set(e, ERR_INVALID, "the signature is longer than the key");
	memcpy(whole + k->n.n - sig.n, sig.p, sig.n);
	key = rsa_key(k);
	good = key && evp_verify(key, digest, whole, k->n.n, msg, true);
	EVP_PKEY_free(key);
	return good ? 0 : err_set(e, ERR_DENIED, WRONG);
}

/* PROTOCOL.u2f: the token signs SHA-256(application), flags, counter and SHA-256(message). */
static int
verify_sk(const struct ssh_key *k, struct span sig, struct span rest, struct span msg, struct err *e)
{
	uint8_t body[32 + 1 + 4 + 32], flags;
	struct span counter;

	if (!span_u8(&rest, &flags) || !span_bytes(&rest, 4, &counter) || rest.n)
		return err_set(e, ERR_INVALID, "the security key's signature has no flags and counter");
	if (!(flags & TOUCHED))
		return err_set(e, ERR_DENIED, "the security key signed without a touch");
	crypto_hash_sha256(body, k->application.p, k->application.n);
	body[32] = flags;
	memcpy(body + 33, counter.p, 4);
	crypto_hash_sha256(body + 37, msg.p, msg.n);
	msg = (struct span){ body, sizeof(body) };
	return k->type == SSH_SK_ED25519 ? verify_ed25519(k, sig, msg, e) : verify_ecdsa(k, sig, msg, e);
}

int
ssh_key_verify(const struct ssh_key *k, struct span signature, struct span msg, struct err *e)
{
	bool sk = k->type == SSH_SK_ED25519 || k->type == SSH_SK_ECDSA;
	struct span word, sig;

	if (!span_string(&signature, &word) || !span_string(&signature, &sig))
		return err_set(e, ERR_INVALID, "the signature is cut");
	if (!sk && signature.n)
		return err_set(e, ERR_INVALID, "something stands behind the signature");
	if (k->type == SSH_RSA) {
		if (span_is(&word, "ssh-rsa"))
			return err_set(e, ERR_INVALID, "the signature is made with SHA-1");
		if (!span_is(&word, "rsa-sha2-256") && !span_is(&word, "rsa-sha2-512"))
			return err_set(e, ERR_INVALID, "the signature is not of the key's type");
		return verify_rsa(k, span_is(&word, "rsa-sha2-256") ? "SHA256" : "SHA512", sig, msg, e);
	}
	if (!span_is(&word, ssh_kind_of(k->type)->name))
		return err_set(e, ERR_INVALID, "the signature is not of the key's type");
	if (sk)
		return verify_sk(k, sig, signature, msg, e);
	return k->type == SSH_ED25519 ? verify_ed25519(k, sig, msg, e) : verify_ecdsa(k, sig, msg, e);
}
