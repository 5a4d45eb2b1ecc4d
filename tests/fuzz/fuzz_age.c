/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an age file, opened by the identity that the files of the corpus are sealed for and by a passphrase. In the second form (first byte
 * 0xff) what follows is a payload: it gets a header of ours, so that mutations reach the chunks.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/seal/age_priv.h"
#include "lib/seal/age_scrypt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
open_one(const char *file, size_t n, const struct age_identity *id)
{
	struct secret AUTO_SECRET out = { NULL, 0 };
	enum age_why why = AGE_FINE;
	struct err e = { 0 };
	size_t which = 7;
	int rc = age_open(file, n, id, 1, &which, &out, &why, &e);

	if (rc == 0 ? why != AGE_FINE || !out.b || which != 0 || out.n > AGE_PLAIN_MAX : why == AGE_FINE || out.b || which != 7 || !*e.text)
		abort();
	if ((rc == ERR_DENIED) != (why == AGE_NO_MATCH || why == AGE_POST_QUANTUM || why == AGE_PASSPHRASE))
		abort();
	secret_free(&out);
	/* a work factor of 2 at most: the time belongs to the parser */
	rc = age_scrypt_open(file, n, "horse", 5, 2, &out, &why, &e);
	if (rc == 0 ? !out.b : out.b || !*e.text)
		abort();
}

/* A header whose only stanza nobody can open, and age_finish with its key: the payload is all that decides. */
static void
open_payload(const char *payload, size_t n)
{
	static const uint8_t key[AGE_KEY];
	struct buf AUTO_BUF file = BUF_INIT(0);
	struct secret AUTO_SECRET out = { NULL, 0 };
	struct age_header h;
	enum age_why why;
	struct err e = { 0 };
	uint8_t mac[32];
	char text[AGE_BASE64(32)];

	buf_str(&file, AGE_VERSION "\n");
	age_stanza_write(&file, "grease", NULL, 0);
	buf_str(&file, "---");
	age_header_mac(key, file.data, file.len, mac);
	age_base64_text(mac, sizeof(mac), text, sizeof(text));
	buf_printf(&file, " %s\n", text);
	buf_add(&file, payload, n);
	if (age_header_read(file.data, file.len, &h, &why, &e) < 0 || h.n != 1)
		abort();
	if (age_finish(&h, key, file.len, AGE_PLAIN_MAX, &out, &why, &e) == 0) {
		struct buf AUTO_BUF again = BUF_INIT(0);

		age_stream_write(key, (const uint8_t *)payload, out.b, out.n, &again);
		if (again.len != n || memcmp(again.data, payload, n) != 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[32] = "a throw-away key for the corpus";
	struct age_identity id;
	struct err e = { 0 };

	if (seal_init(&e) < 0)
		abort();
	if (!size)
		return 0;
	age_identity_from_seed(seed, &id);
	open_one((const char *)data, size, &id);
	if (*data == 0xff && size > 1)
		open_payload((const char *)data + 1, size - 1);
	return 0;
}
