/* SPDX-License-Identifier: Apache-2.0 */
/* age files, what they are made of (HKDF, Bech32, armor, STREAM), and that nothing changed is ever opened. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "lib/seal/age_priv.h"
#include "lib/seal/age_scrypt.h"
#include "lib/seal/armor.h"
#include "lib/seal/base64_exact.h"
#include "lib/seal/bech32.h"
#include "lib/seal/hkdf.h"

#define CHUNK 65536

static struct age_identity alice, bo;
static uint8_t alice_pk[1][32];

static int
prepare(void **state)
{
	uint8_t seed[32];
	struct err e;

	(void)state;
	if (seal_init(&e) < 0)
		return -1;
	memset(seed, 0x41, sizeof(seed));
	age_identity_from_seed(seed, &alice);
	memset(seed, 0x42, sizeof(seed));
	age_identity_from_seed(seed, &bo);
	memcpy(alice_pk[0], alice.pk, 32);
	return 0;
}

/* -- HKDF: RFC 5869, appendix A (SHA-256) ------------------------------------------------------------------------------ */

static void
hkdf_rfc5869(void **state)
{
	static const char first[] = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
			  second[] = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793"
				     "a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
			  third[] = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8";
	uint8_t key[80], salt[80], info[80], out[82];
	char hex[165];

	(void)state;
	memset(key, 0x0b, 22);
	for (uint8_t i = 0; i < 13; i++)
		salt[i] = i;
	for (uint8_t i = 0; i < 10; i++)
		info[i] = (uint8_t)(0xf0 + i);
	hkdf_sha256(salt, 13, key, 22, info, 10, out, 42);
	assert_string_equal(sodium_bin2hex(hex, sizeof(hex), out, 42), first);
	for (uint8_t i = 0; i < 80; i++) {
		key[i] = i;
		salt[i] = (uint8_t)(0x60 + i);
		info[i] = (uint8_t)(0xb0 + i);
	}
	hkdf_sha256(salt, 80, key, 80, info, 80, out, 82);
	assert_string_equal(sodium_bin2hex(hex, sizeof(hex), out, 82), second);
	memset(key, 0x0b, 22);
	hkdf_sha256(NULL, 0, key, 22, "", 0, out, 42);
	assert_string_equal(sodium_bin2hex(hex, sizeof(hex), out, 42), third);
}

/* -- Bech32 ------------------------------------------------------------------------------------------------------------ */

/* BIP 173: the checksums of these are right; the data of the first four has no whole bytes. */
static void
bech32_valid(void **state)
{
	static const struct {
		const char *text, *hrp;
		size_t n;
	} rows[] = {
		{ "A12UEL5L", "a", 0 }, { "a12uel5l", "a", 0 },
		{ "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
		  "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio", 0 },
		{ "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j", "1", 51 },
		{ "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", "split", 30 },
		{ "?1ezyfcl", "?", 0 },
	};
	uint8_t data[64];
	char text[160];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int rc = bech32_decode(rows[i].text, strlen(rows[i].text), rows[i].hrp, data, rows[i].n, &e);

		if (rc < 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		bech32_encode(rows[i].hrp, data, rows[i].n, i == 0, text, sizeof(text));
		if (i)
			assert_string_equal(text, rows[i].text);
	}
}

static void
bech32_refused(void **state)
{
	static const char *const rows[] = { "", "1", "a1", "a12uel5", "a12uel5m", "a12UEL5L", "b12uel5l", "a12uel5lq", "pzry9x0s0muk",
		"1pzry9x0s0muk", "a1b2uel5l", "a12u\xc3\xa9l5l", "a12uel5l\n" };
	uint8_t data[4];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (bech32_decode(rows[i], strlen(rows[i]), "a", data, 0, &e) != ERR_INVALID)
			fail_msg("accepted: %s", rows[i]);
}

/* Every single character changed into every other one. */
static void
bech32_one_wrong(void **state)
{
	char text[AGE_TEXT_MAX];
	uint8_t pk[32];
	size_t tried = 0;

	(void)state;
	age_recipient_text(alice.pk, text);
	for (size_t i = 0; text[i]; i++)
		for (int c = 0x20; c < 0x7f; c++) {
			char was = text[i];

			if (c == was || (c | 0x20) == was)
				continue;
			text[i] = (char)c;
			tried++;
			assert_int_equal(age_recipient_parse(text, strlen(text), pk, NULL), ERR_INVALID);
			text[i] = was;
		}
	assert_true(tried > 5000);
}

static void
identities(void **state)
{
	/* a pair that age-keygen made for this test and nothing else, in two pieces for scanners of leaked keys */
	static const char sk[] = "AGE-SECRET-"
				 "KEY-17A0FWWQNUGYCVFWY0ANDYQGVF443HAP3XJZSKPFE4WUUYXDE43WQ5FZ2JX",
			  pk[] = "age1lrq699405grcylmqxj9ak2u3u7yxed92vvssgmaek748tywgqvys2ghdr3";
	struct secret AUTO_SECRET text = { NULL, 0 };
	struct age_identity id;
	char recipient[AGE_TEXT_MAX];
	uint8_t key[32];
	struct err e = { 0 };

	(void)state;
	assert_int_equal(age_identity_parse(sk, strlen(sk), &id, &e), 0);
	age_recipient_text(id.pk, recipient);
	assert_string_equal(recipient, pk);
	age_identity_text(&id, &text);
	assert_string_equal((char *)text.b, sk);
	assert_int_equal(text.n, strlen(sk));
	assert_int_equal(age_recipient_parse(pk, strlen(pk), key, &e), 0);
	assert_memory_equal(key, id.pk, 32);
	/* a private key where a public one belongs, and the other way round; the text is in no error */
	assert_int_equal(age_recipient_parse(sk, strlen(sk), key, &e), ERR_INVALID);
	assert_null(strstr(e.text, "7A0FWW"));
	assert_int_equal(age_identity_parse(pk, strlen(pk), &id, &e), ERR_INVALID);
	assert_int_equal(age_identity_parse(sk, strlen(sk) - 1, &id, &e), ERR_INVALID);
	assert_null(strstr(e.text, "7A0FWW"));
}

static void
named_unsupported(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "age1pq1qqqqqqqq", "post-quantum" }, { "age1yubikey1qqqqqqqq", "plugin" }, { "ssh-ed25519 AAAA", "SSH key" },
		{ "age1qqqq", "not an age recipient" },
	};
	struct age_identity id;
	uint8_t key[32];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(age_recipient_parse(rows[i].text, strlen(rows[i].text), key, &e), ERR_INVALID);
		assert_non_null(strstr(e.text, rows[i].says));
	}
	assert_int_equal(age_identity_parse("AGE-SECRET-KEY-PQ-1QQQ", 22, &id, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "post-quantum"));
	assert_int_equal(age_identity_parse("AGE-PLUGIN-YUBIKEY-1QQQ", 23, &id, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "plugin"));
}

/* Every byte in every place of a text of each length: what is taken must be the one way to write it. */
static void
base64_one_way(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 6; n++)
		for (int padded = 0; padded < 2; padded++) {
			uint8_t bytes[6] = { 0xff, 0xfb, 0xf0, 0x0f, 0xa5, 0xc0 }, got[6];
			char text[16], again[16];
			int variant = padded ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
			size_t len, taken = 0;

			(void)sodium_bin2base64(text, sizeof(text), bytes, n, variant);
			len = strlen(text);
			for (size_t i = 0; i < len * 256; i++) {
				char was = text[i / 256];

				text[i / 256] = (char)(i % 256);
				if (base64_exact(text, len, padded, got, sizeof(got), &(size_t){ 0 })) {
					size_t have = padded ? n : len * 3 / 4;

					assert_true(base64_exact(text, len, padded, got, sizeof(got), &have));
					assert_string_equal(sodium_bin2base64(again, sizeof(again), got, have, variant), text);
					taken++;
				}
				text[i / 256] = was;
			}
			assert_true(taken >= len);
		}
}

/* -- armor ------------------------------------------------------------------------------------------------------------- */

static void
armor_round(void **state)
{
	uint8_t bytes[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct buf AUTO_BUF text = BUF_INIT(0), back = BUF_INIT(0);
		struct err e = { 0 };

		buf_str(&text, "\r\n \t\n");
		armor_write(bytes, n, &text);
		buf_str(&text, " \n\r\n");
		assert_true(armor_is(text.data, text.len));
		if (armor_read(text.data, text.len, &back, &e) < 0)
			fail_msg("%zu bytes: %s", n, e.text);
		assert_int_equal(back.len, n);
		assert_memory_equal(buf_cstr(&back), bytes, n);
	}
}

#define BEGIN "-----BEGIN AGE ENCRYPTED FILE-----\n"
#define END "-----END AGE ENCRYPTED FILE-----\n"
#define FULL "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n"

static void
armor_refused(void **state)
{
	static const char *const rows[] = {
		"", BEGIN, BEGIN "QUE=\n", END, "x" BEGIN "QUE=\n" END, BEGIN "QUE=\n" END "x", BEGIN "QUE\n" END, BEGIN "QUF=\n" END, BEGIN "QUE=\n\n" END,
		BEGIN "\nQUE=\n" END, BEGIN "QUE=\nQUE=\n" END, BEGIN " QUE=\n" END, BEGIN "QUE= \n" END, BEGIN "QU\rE=\n" END,
		BEGIN FULL "\n" END, BEGIN "QUFB\n" FULL END, BEGIN "A" FULL END, "-----BEGIN AGE ENCRYPTED FILE----\nQUE=\n" END,
		"-----BEGIN RSA PRIVATE KEY-----\nQUE=\n" END, BEGIN "QUE=\n-----END AGE ENCRYPTED FILE-----QUE=\n", BEGIN "Proc-Type: 4\n\nQUE=\n" END,
		BEGIN "QUE-\n" END, BEGIN "QUE=\r\r\n" END,
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct buf AUTO_BUF out = BUF_INIT(0);

		if (armor_read(rows[i], strlen(rows[i]), &out, &e) != ERR_INVALID)
			fail_msg("accepted: %s", rows[i]);
	}
}

/* -- files ------------------------------------------------------------------------------------------------------------- */

static int
seal(const uint8_t *plain, size_t n, bool armored, const uint8_t *seed, struct buf *out)
{
	struct err e = { 0 };
	int rc = age_seal((const uint8_t(*)[32])alice_pk, 1, plain, n, armored, seed, out, &e);

	if (rc < 0)
		print_message("%s\n", e.text);
	return rc;
}

static enum age_why
open_by(const struct age_identity *ids, size_t n, const char *file, size_t len, struct secret *out)
{
	enum age_why why = AGE_FINE;
	struct err e = { 0 };
	int rc = age_open(file, len, ids, n, NULL, out, &why, &e);

	if (rc < 0)
		assert_null(out->b);
	if ((rc == 0) != (why == AGE_FINE))
		fail_msg("rc %d, why %d: %s", rc, (int)why, e.text);
	if (rc == ERR_DENIED)
		assert_true(why == AGE_NO_MATCH || why == AGE_POST_QUANTUM || why == AGE_PASSPHRASE);
	else if (rc < 0)
		assert_int_equal(rc, ERR_INVALID);
	return why;
}

static uint8_t plain[AGE_PLAIN_MAX];

static void
fill(void)
{
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 2654435761U >> 11);
}

static void
sizes(void **state)
{
	static const size_t n[] = { 0, 1, 15, 16, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1, AGE_PLAIN_MAX };

	(void)state;
	fill();
	for (size_t i = 0; i < 2 * sizeof(n) / sizeof(*n); i++) {
		struct buf AUTO_BUF file = BUF_INIT(0);
		struct secret AUTO_SECRET out = { NULL, 0 };

		assert_int_equal(seal(plain, n[i / 2], i & 1, NULL, &file), 0);
		assert_int_equal(open_by(&alice, 1, file.data, file.len, &out), AGE_FINE);
		assert_int_equal(out.n, n[i / 2]);
		assert_memory_equal(out.b, plain, out.n);
	}
}

static void
limits(void **state)
{
	static uint8_t many[AGE_STANZAS_MAX + 1][32];
	struct buf AUTO_BUF file = BUF_INIT(0), huge = BUF_INIT(0);
	struct secret AUTO_SECRET out = { NULL, 0 };
	struct err e = { 0 };
	size_t which = 9;

	(void)state;
	assert_int_equal(age_seal((const uint8_t(*)[32])alice_pk, 1, plain, AGE_PLAIN_MAX + 1, false, NULL, &file, &e), ERR_INVALID);
	assert_int_equal(age_seal((const uint8_t(*)[32])alice_pk, 0, plain, 1, false, NULL, &file, &e), ERR_INVALID);
	for (size_t i = 0; i <= AGE_STANZAS_MAX; i++)
		memcpy(many[i], i == AGE_STANZAS_MAX - 1 ? alice.pk : bo.pk, 32);
	assert_int_equal(age_seal((const uint8_t(*)[32])many, AGE_STANZAS_MAX + 1, plain, 1, false, NULL, &file, &e), ERR_INVALID);
	assert_int_equal(file.len, 0);
	assert_int_equal(age_seal((const uint8_t(*)[32])many, AGE_STANZAS_MAX, plain, 1, true, NULL, &file, &e), 0);
	assert_int_equal(age_open(file.data, file.len, &alice, 1, &which, &out, NULL, &e), 0);
	assert_int_equal(which, 0);
	buf_pad(&huge, ' ', AGE_FILE_MAX + 1);
	secret_free(&out);
	assert_int_equal(open_by(&alice, 1, huge.data, huge.len, &out), AGE_TOO_LARGE);
	assert_int_equal(open_by(&alice, 1, huge.data, 0, &out), AGE_BAD_HEADER);
}

/* One stanza more than may be read, and a payload that is longer than a secret. */
static void
too_large(void **state)
{
	struct buf AUTO_BUF file = BUF_INIT(0), body = BUF_INIT(0);
	struct secret AUTO_SECRET out = { NULL, 0 };
	struct age_draw d = { NULL, 0 };
	uint8_t key[AGE_KEY] = { 0 };
	struct err e = { 0 };

	(void)state;
	buf_str(&file, AGE_VERSION "\n");
	for (int i = 0; i <= AGE_STANZAS_MAX; i++)
		age_stanza_write(&file, "grease", NULL, 0);
	assert_int_equal(age_seal_finish(&file, key, &d, "", 0, false, &body, &e), 0);
	assert_int_equal(open_by(&alice, 1, body.data, body.len, &out), AGE_TOO_LARGE);
	buf_reset(&file);
	assert_int_equal(seal(plain, 100, false, NULL, &file), 0);
	assert_int_equal(age_open_max(file.data, file.len, &alice, 1, 99, NULL, &out, &(enum age_why){ AGE_FINE }, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "larger"));
}

static void
for_others(void **state)
{
	struct buf AUTO_BUF file = BUF_INIT(0), pass = BUF_INIT(0);
	struct secret AUTO_SECRET out = { NULL, 0 };
	struct age_identity both[2];
	struct err e = { 0 };
	size_t which = 9;

	(void)state;
	both[0] = bo;
	both[1] = alice;
	assert_int_equal(seal(plain, 64, true, NULL, &file), 0);
	assert_int_equal(open_by(&bo, 1, file.data, file.len, &out), AGE_NO_MATCH);
	assert_int_equal(open_by(NULL, 0, file.data, file.len, &out), AGE_NO_MATCH);
	assert_int_equal(age_open(file.data, file.len, both, 2, &which, &out, NULL, &e), 0);
	assert_int_equal(which, 1);
	secret_free(&out);
	assert_int_equal(age_scrypt_seal("correct horse", 13, 10, "x", 1, true, &pass, &e), 0);
	assert_int_equal(open_by(both, 2, pass.data, pass.len, &out), AGE_PASSPHRASE);
}

/* Same seed, same bytes; another text under the same seed is what callers must never do, another seed changes all of it. */
static void
deterministic(void **state)
{
	struct buf AUTO_BUF one = BUF_INIT(0), two = BUF_INIT(0), other = BUF_INIT(0), drawn = BUF_INIT(0);
	uint8_t seed[32] = { 7 };
	size_t same = 0;

	(void)state;
	assert_int_equal(seal(plain, 70000, false, seed, &one), 0);
	assert_int_equal(seal(plain, 70000, false, seed, &two), 0);
	seed[31] ^= 1;
	assert_int_equal(seal(plain, 70000, false, seed, &other), 0);
	assert_int_equal(seal(plain, 70000, false, NULL, &drawn), 0);
	assert_int_equal(one.len, two.len);
	assert_int_equal(one.len, other.len);
	assert_int_equal(one.len, drawn.len);
	assert_memory_equal(one.data, two.data, one.len);
	for (size_t i = one.len - 70000; i < one.len; i++)
		same += one.data[i] == other.data[i] || one.data[i] == drawn.data[i];
	assert_true(same < 1000); /* 547 by chance */
}

/* Ephemeral keys, file key and nonce of one seed must all differ, or two recipients would share a key. */
static void
draws_differ(void **state)
{
	struct age_draw d = { (const uint8_t *)"0123456789abcdef0123456789abcdef", 0 };
	uint8_t got[300][16];

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		age_draw(&d, got[i], 16);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(got[i], got[k], 16);
	}
}

/* -- tampering --------------------------------------------------------------------------------------------------------- */

/* Bits spread over the whole file, each bit of the header with them. */
static void
single_bits(void **state)
{
	struct buf AUTO_BUF file = BUF_INIT(0);
	struct secret AUTO_SECRET out = { NULL, 0 };
	size_t bits, tried = 0, classes[AGE_TOO_LARGE + 1] = { 0 };

	(void)state;
	fill();
	assert_int_equal(seal(plain, 2 * CHUNK + 100, false, NULL, &file), 0);
	bits = file.len * 8;
	for (size_t i = 0; i < 1400 + 600; i++, tried++) {
		size_t bit = i < 1400 ? i : 1400 + (i - 1400) * ((bits - 1400) / 600);

		file.data[bit / 8] = (char)(file.data[bit / 8] ^ (1 << bit % 8));
		classes[open_by(&alice, 1, file.data, file.len, &out)]++;
		file.data[bit / 8] = (char)(file.data[bit / 8] ^ (1 << bit % 8));
	}
	assert_int_equal(tried, 2000);
	assert_int_equal(classes[AGE_FINE], 0);
	assert_true(classes[AGE_BAD_HEADER] && classes[AGE_BAD_MAC] && classes[AGE_NO_MATCH] && classes[AGE_BAD_PAYLOAD]);
	assert_int_equal(open_by(&alice, 1, file.data, file.len, &out), AGE_FINE);
}

/* Of an armored file each bit of each byte. */
static void
armored_bits(void **state)
{
	struct buf AUTO_BUF file = BUF_INIT(0);
	struct secret AUTO_SECRET out = { NULL, 0 };
	size_t fine = 0;

	(void)state;
	assert_int_equal(seal(plain, 20, true, NULL, &file), 0);
	for (size_t bit = 0; bit < file.len * 8; bit++) {
		file.data[bit / 8] = (char)(file.data[bit / 8] ^ (1 << bit % 8));
		fine += open_by(&alice, 1, file.data, file.len, &out) == AGE_FINE;
		file.data[bit / 8] = (char)(file.data[bit / 8] ^ (1 << bit % 8));
	}
	assert_int_equal(fine, 0);
}

/* Every prefix of a short file, prefixes around the chunks of a long one, and bytes behind the end. */
static void
cut(void **state)
{
	struct buf AUTO_BUF file = BUF_INIT(0), longer = BUF_INIT(0);
	struct secret AUTO_SECRET out = { NULL, 0 };
	size_t payload;

	(void)state;
	assert_int_equal(seal(plain, 20, false, NULL, &file), 0);
	for (size_t n = 0; n < file.len; n++)
		assert_int_not_equal(open_by(&alice, 1, file.data, n, &out), AGE_FINE);
	buf_char(&file, '\0');
	assert_int_equal(open_by(&alice, 1, file.data, file.len, &out), AGE_BAD_PAYLOAD);
	assert_int_equal(seal(plain, 2 * CHUNK, false, NULL, &longer), 0);
	payload = longer.len - 2 * (CHUNK + AGE_TAG);
	for (size_t n = payload - AGE_NONCE; n < longer.len; n++)
		if (n < payload + 40 || n + 40 > longer.len || (n > payload + CHUNK - 20 && n < payload + CHUNK + 100))
			assert_int_not_equal(open_by(&alice, 1, longer.data, n, &out), AGE_FINE);
	/* chunks swapped */
	for (size_t i = 0; i < CHUNK + AGE_TAG; i++) {
		char c = longer.data[payload + i];

		longer.data[payload + i] = longer.data[payload + CHUNK + AGE_TAG + i];
		longer.data[payload + CHUNK + AGE_TAG + i] = c;
	}
	assert_int_equal(open_by(&alice, 1, longer.data, longer.len, &out), AGE_BAD_PAYLOAD);
}

/* A stanza of somebody else's file put in front of ours: the MAC tells. */
static void
stanza_added(void **state)
{
	struct buf AUTO_BUF file = BUF_INIT(0), more = BUF_INIT(0);
	struct secret AUTO_SECRET out = { NULL, 0 };
	size_t version = strlen(AGE_VERSION "\n");

	(void)state;
	assert_int_equal(seal(plain, 20, false, NULL, &file), 0);
	buf_add(&more, file.data, version);
	age_stanza_write(&more, "grease and more", plain, 60);
	buf_add(&more, file.data + version, file.len - version);
	assert_int_equal(open_by(&alice, 1, more.data, more.len, &out), AGE_BAD_MAC);
}

/* Points of low order give everybody the same shared secret. */
static void
low_order(void **state)
{
	static const uint8_t points[][32] = {
		{ 0 }, { 1 },
		{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		  0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
		{ 0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		  0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57 },
		{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	};
	char args[64] = "X25519 ";

	(void)state;
	for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++) {
		struct buf AUTO_BUF header = BUF_INIT(0), file = BUF_INIT(0);
		struct secret AUTO_SECRET out = { NULL, 0 };
		struct age_draw d = { NULL, 0 };
		uint8_t key[AGE_KEY] = { 0 };
		struct err e = { 0 };

		assert_int_equal(age_seal(&points[i], 1, "x", 1, false, NULL, &file, &e), ERR_INVALID);
		assert_int_equal(file.len, 0);
		age_base64_text(points[i], 32, args + 7, sizeof(args) - 7);
		buf_str(&header, AGE_VERSION "\n");
		age_stanza_write(&header, args, plain, AGE_WRAPPED);
		assert_int_equal(age_seal_finish(&header, key, &d, "x", 1, false, &file, &e), 0);
		assert_int_equal(open_by(&alice, 1, file.data, file.len, &out), AGE_BAD_HEADER);
	}
}

/* -- passphrases ------------------------------------------------------------------------------------------------------- */

static void
passphrases(void **state)
{
	struct buf AUTO_BUF file = BUF_INIT(0), slow = BUF_INIT(0);
	struct secret AUTO_SECRET out = { NULL, 0 };
	enum age_why why = AGE_FINE;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(age_scrypt_seal("correct horse", 13, 10, plain, 1000, false, &file, &e), 0);
	assert_int_equal(age_scrypt_open(file.data, file.len, "correct horse", 13, 10, &out, &why, &e), 0);
	assert_int_equal(out.n, 1000);
	assert_memory_equal(out.b, plain, 1000);
	secret_free(&out);
	assert_int_equal(age_scrypt_open(file.data, file.len, "correct horsf", 13, 10, &out, &why, &e), ERR_DENIED);
	assert_int_equal(why, AGE_NO_MATCH);
	assert_int_equal(age_scrypt_open(file.data, file.len, "correct horse", 13, 9, &out, &why, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "work factor"));
	assert_int_equal(seal(plain, 1, false, NULL, &slow), 0);
	assert_int_equal(age_scrypt_open(slow.data, slow.len, "correct horse", 13, 10, &out, &why, &e), ERR_DENIED);
	assert_int_equal(why, AGE_NO_MATCH);
	assert_null(out.b);
}

/* -- memory ------------------------------------------------------------------------------------------------------------ */

static void
secrets(void **state)
{
	struct secret s = secret_new(0), t = secret_new(5000), u = secret_new(32);
	const char *why = NULL;

	(void)state;
	assert_non_null(s.b);
	assert_int_equal(s.n, 0);
	assert_true(sodium_is_zero(t.b, t.n));
	memset(u.b, 0xff, u.n);
	u.n = 5; /* a value shorter than its room */
	secret_free(&s);
	secret_free(&s);
	assert_null(s.b);
	secret_free(&t);
	secret_free(&u);
	assert_int_equal(t.n, 0);
	if (!secret_locked(&why))
		assert_non_null(strstr(why, "LimitMEMLOCK"));
}

/* Sizes on both sides of a page, more at a time than pages are kept, freed in another order: all zero, none over another. */
static void
secrets_many(void **state)
{
	static const size_t n[] = { 1, 16, 32, 200, 4000, 4063, 4064, 4065, 4079, 4080, 4096, 5000, 70000 };
	struct secret s[40];

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < 40; i++) {
			s[i] = secret_new(n[(i + (size_t)round) % (sizeof(n) / sizeof(*n))]);
			assert_true(sodium_is_zero(s[i].b, s[i].n));
			memset(s[i].b, (int)i + 1, s[i].n);
		}
		for (size_t i = 0; i < 40; i++) {
			struct secret *x = &s[i * 7 % 40];

			assert_int_equal(x->b[0], i * 7 % 40 + 1);
			assert_int_equal(x->b[x->n - 1], i * 7 % 40 + 1);
			secret_free(x);
		}
	}
}

enum fault { FAULT_BEHIND, FAULT_BEFORE, FAULT_FREED, FAULT_NONE };

/* In a process that it ends: what a wrong write or read does. */
static void
commit_fault(size_t n, enum fault f)
{
	struct secret s = secret_new(n);
	volatile unsigned char *b = s.b;

	/* the test's own handlers would go on with the next test */
	if (!freopen("/dev/null", "w", stderr) || signal(SIGSEGV, SIG_DFL) == SIG_ERR || signal(SIGBUS, SIG_DFL) == SIG_ERR ||
	    signal(SIGABRT, SIG_DFL) == SIG_ERR)
		_exit(0);
	memset(s.b, 1, n);
	if (f == FAULT_BEHIND)
		b[n] = 1;
	else if (f == FAULT_BEFORE)
		b[-1] = 1;
	else if (f == FAULT_FREED) {
		secret_free(&s);
		(void)*b;
	}
	secret_free(&s);
	_exit(0);
}

static void
secrets_faults(void **state)
{
	static const size_t n[] = { 1, 32, 4064, 4065, 70000 };

	(void)state;
	for (size_t i = 0; i < sizeof(n) / sizeof(*n); i++)
		for (enum fault f = FAULT_BEHIND; f <= FAULT_NONE; f++) {
			int status = 0;
			pid_t pid = fork();

			assert_true(pid >= 0);
			if (!pid)
				commit_fault(n[i], f);
			assert_int_equal(waitpid(pid, &status, 0), pid);
			if ((status == 0) != (f == FAULT_NONE))
				fail_msg("%zu bytes, fault %d: status %d", n[i], (int)f, status);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hkdf_rfc5869), cmocka_unit_test(bech32_valid), cmocka_unit_test(bech32_refused),
		cmocka_unit_test(bech32_one_wrong), cmocka_unit_test(identities), cmocka_unit_test(named_unsupported),
		cmocka_unit_test(base64_one_way), cmocka_unit_test(armor_round), cmocka_unit_test(armor_refused), cmocka_unit_test(sizes), cmocka_unit_test(limits),
		cmocka_unit_test(too_large), cmocka_unit_test(for_others), cmocka_unit_test(deterministic), cmocka_unit_test(draws_differ),
		cmocka_unit_test(single_bits), cmocka_unit_test(armored_bits), cmocka_unit_test(cut), cmocka_unit_test(stanza_added),
		cmocka_unit_test(low_order), cmocka_unit_test(passphrases), cmocka_unit_test(secrets), cmocka_unit_test(secrets_many), cmocka_unit_test(secrets_faults),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, prepare, NULL);
}
