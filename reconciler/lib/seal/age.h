/* SPDX-License-Identifier: Apache-2.0 */
/*
 * age v1 files with X25519 recipients: read and write, binary and armored. Source: C2SP age.md (age-encryption.org/v1).
 * Nothing is given out before the last chunk is verified. Passphrases are in age_scrypt.h, which only the command line includes.
 */
#pragma once

#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/seal/secret.h"

#define AGE_FILE_MAX ((size_t)2 << 20)   /* a whole file, armored or not */
#define AGE_PLAIN_MAX ((size_t)1 << 20)
#define AGE_STANZAS_MAX 128
#define AGE_TEXT_MAX 128                 /* a recipient's or an identity's text, with the NUL */

/* Lives in memory that the caller guards (struct secret, or the stack of a short function that wipes it). */
struct age_identity {
	uint8_t sk[32], pk[32];
};

/* Why a file did not open, for messages and for conformance. */
enum age_why {
	AGE_FINE,
	AGE_BAD_HEADER,   /* not an age file, or a malformed one */
	AGE_BAD_ARMOR,
	AGE_BAD_PAYLOAD,  /* cut, changed, or something behind it */
	AGE_BAD_MAC,      /* an identity matched, and the header was changed */
	AGE_NO_MATCH,     /* for other recipients */
	AGE_POST_QUANTUM, /* no match, and it has a stanza of a kind that is not supported yet (mlkem768x25519) */
	AGE_PASSPHRASE,   /* it is for a passphrase */
	AGE_TOO_LARGE,
};
const char *age_why_text(enum age_why w); /* half a sentence for people: "it was changed or cut after sealing" */

void age_identity_from_seed(const uint8_t seed[32], struct age_identity *out);
/* "AGE-SECRET-KEY-1…", all upper or all lower case. The text is never part of an error. */
int age_identity_parse(const char *text, size_t n, struct age_identity *out, struct err *e) MUST_USE;
void age_identity_text(const struct age_identity *id, struct secret *out); /* upper case, NUL-terminated */
/* "age1…"; ERR_INVALID names hybrid (age1pq…) and plugin recipients as not supported yet. */
int age_recipient_parse(const char *text, size_t n, uint8_t out[32], struct err *e) MUST_USE;
void age_recipient_text(const uint8_t pk[32], char out[AGE_TEXT_MAX]);

/*
 * Opens `file` with the first identity that matches (*which, may be NULL). `out` gets guarded memory. ERR_DENIED: no identity
 * matches (*why says of which kind it is); ERR_INVALID: everything else. *why may be NULL. Scrypt stanzas are never tried here.
 */
int age_open(const void *file, size_t n, const struct age_identity *ids, size_t nids, size_t *which, struct secret *out,
             enum age_why *why, struct err *e) MUST_USE;

/* How many recipients it has, of whatever kind; 0 when that cannot be read. */
size_t age_recipients(const void *file, size_t n);

/*
 * Seals for n recipients (1 to AGE_STANZAS_MAX). With `seed` (32 bytes) everything that is drawn at random otherwise is derived from
 * it: equal seed, recipients and text give equal bytes. The seed must then be a keyed digest of the text and the recipients.
 */
int age_seal(const uint8_t (*recipients)[32], size_t n, const void *plain, size_t len, bool armored, const uint8_t *seed,
             struct buf *out, struct err *e) MUST_USE;
