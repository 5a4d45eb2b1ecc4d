/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside lib/seal/age*.c: header, payload and the way from a file key to the plain text. Files:
 *   age.c         identities, recipients, opening     age_seal.c    sealing
 *   age_header.c  the header's lines, its MAC         age_stream.c  the payload's chunks (STREAM)
 *   age_scrypt.c  passphrases, for the command line and tests alone
 */
#pragma once

#include "lib/seal/age.h"

#define AGE_VERSION "age-encryption.org/v1"
#define AGE_KEY 16      /* bytes of a file key */
#define AGE_WRAPPED 32  /* the same sealed */
#define AGE_NONCE 16
#define AGE_CHUNK ((size_t)65536)
#define AGE_TAG 16

struct age_stanza {
	const char *args;       /* "X25519 <share>": in the file, not terminated */
	size_t nargs;           /* bytes of it */
	unsigned count;         /* arguments, the type with them */
	uint8_t body[AGE_WRAPPED]; /* when the body has just this size */
	size_t nbody;           /* bytes of it */
};

struct age_header {
	struct age_stanza stanzas[AGE_STANZAS_MAX];
	size_t n;
	const char *bytes;
	size_t signed_len;      /* what the MAC is over: up to and with "---" */
	uint8_t mac[32];
	size_t len;             /* where the payload begins */
};

/* ERR_INVALID, *why AGE_BAD_HEADER or AGE_TOO_LARGE. */
int age_header_read(const char *file, size_t n, struct age_header *out, enum age_why *why, struct err *e) MUST_USE;

/* Argument i (0 is the type) of a stanza; *n 0 when there is none. */
const char *age_arg(const struct age_stanza *s, unsigned i, size_t *n);
bool age_is(const struct age_stanza *s, const char *type);

/* Canonical base64 without padding of exactly `want` bytes. */
bool age_base64(const char *s, size_t n, uint8_t *out, size_t want);
/* The same into text; out has room for AGE_BASE64(n). */
#define AGE_BASE64(n) (((n) * 4 + 2) / 3 + 1)
void age_base64_text(const uint8_t *p, size_t n, char *out, size_t size);

/* Appends "-> args" and the body's lines. */
void age_stanza_write(struct buf *out, const char *args, const uint8_t *body, size_t n);

void age_header_mac(const uint8_t key[AGE_KEY], const void *bytes, size_t n, uint8_t mac[32]);

/* False: it is not sealed by this key. */
bool age_unwrap(const uint8_t wrap[32], const uint8_t body[AGE_WRAPPED], uint8_t key[AGE_KEY]);
void age_wrap(const uint8_t wrap[32], const uint8_t key[AGE_KEY], uint8_t body[AGE_WRAPPED]);

/*
 * The key that wraps the file key, from the secret key of one side and the point of the other. False: the point has a low order, which no
 * honest program writes.
 */
bool age_x25519_wrap(const uint8_t sk[32], const uint8_t point[32], const uint8_t share[32], const uint8_t recipient[32],
                     uint8_t wrap[32]);

/* The file behind an armor, or itself: `held` gets the bytes when they are not those of the file. */
int age_unarmor(const void *file, size_t n, struct buf *held, const char **bytes, size_t *len, enum age_why *why, struct err *e) MUST_USE;

/* With the right file key: the MAC, then every chunk, then `out`. At most `max` bytes of plain text. */
int age_finish(const struct age_header *h, const uint8_t key[AGE_KEY], size_t n, size_t max, struct secret *out, enum age_why *why,
               struct err *e) MUST_USE;

/* age_open with another limit on the plain text (tests' vectors are larger than what secrets may be); no armor. */
int age_open_max(const void *file, size_t n, const struct age_identity *ids, size_t nids, size_t max, size_t *which, struct secret *out,
                 enum age_why *why, struct err *e) MUST_USE;

/* Nonce and chunks behind a header. nonce: 16 bytes. */
void age_stream_write(const uint8_t key[AGE_KEY], const uint8_t nonce[AGE_NONCE], const uint8_t *plain, size_t n, struct buf *out);

/* -- sealing ----------------------------------------------------------------------------------------------------------- */

/* What is drawn at random, or from a seed by the number of the draw. */
struct age_draw {
	const uint8_t *seed;
	uint32_t n;
};
void age_draw(struct age_draw *d, void *out, size_t n);

/* From a file key and a header that ends in front of "---": MAC line, payload, armor. Adds to `out`. */
int age_seal_finish(struct buf *header, const uint8_t key[AGE_KEY], struct age_draw *d, const void *plain, size_t len, bool armored,
                    struct buf *out, struct err *e) MUST_USE;

/* Sets code, text and *why. */
int age_fail(enum age_why *why, enum age_why w, struct err *e);
