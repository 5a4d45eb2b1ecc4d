/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSH public keys and user certificates of all types that OpenSSH makes, and checking their signatures. Sources: RFC 4253, RFC 5656, RFC 8332,
 * RFC 8709, OpenSSH PROTOCOL.certkeys and PROTOCOL.u2f. Refused: DSA, RSA below 2048 bits, SHA-1, security keys without a touch.
 */
#pragma once

#include "lib/base/arena.h"
#include "lib/seal/ssh_wire.h"

#define SSH_BLOB_MAX ((size_t)32768)
#define SSH_FINGERPRINT 51 /* "SHA256:" and 43 characters, with the NUL */

enum ssh_type { SSH_ED25519, SSH_ECDSA_256, SSH_ECDSA_384, SSH_ECDSA_521, SSH_RSA, SSH_SK_ED25519, SSH_SK_ECDSA };

struct ssh_certificate {
	uint64_t serial, valid_after, valid_before; /* seconds since 1970; valid_after <= t < valid_before */
	uint32_t type;             /* 1 user, 2 host */
	struct span id, principals, critical; /* principals and critical: strings one behind the other */
	struct span ca;            /* blob of the CA's plain key */
	struct span signature, signed_; /* what the CA signed */
};

struct ssh_key {
	enum ssh_type type;
	struct span blob;          /* as it was read; a certificate's whole */
	struct span plain;         /* blob of the key itself: of a plain key the same as blob */
	struct span point;         /* ed25519: 32 bytes; ECDSA: the point */
	struct span e, n;          /* RSA */
	struct span application;   /* of security keys */
	bool has_certificate;
	struct ssh_certificate certificate;
};

/* Everything points into `blob`, but for `plain` of a certificate, which is in mem. ERR_INVALID says what is wrong. */
int ssh_key_parse(struct arena *mem, const void *blob, size_t n, struct ssh_key *out, struct err *e) MUST_USE;

/* "TYPE BASE64 [comment]", a line of a .pub file; the type must be the blob's. In mem. */
int ssh_key_line(struct arena *mem, const char *line, size_t n, struct ssh_key *out, struct err *e) MUST_USE;

/*
 * Is `signature` (string type, string bytes …) the key's over `msg`? ERR_DENIED: no; ERR_INVALID: it is none, or of a type that is refused. A
 * certificate's own validity is not looked at: ssh_certificate_check.
 */
int ssh_key_verify(const struct ssh_key *k, struct span signature, struct span msg, struct err *e) MUST_USE;

/*
 * A user certificate whose CA signed it and that names `principal` at `when` (seconds since 1970), without critical options. ERR_DENIED or ERR_INVALID
 * says why not. Whether that CA counts is the caller's to know.
 */
int ssh_certificate_check(struct arena *mem, const struct ssh_key *k, const char *principal, int64_t when, struct err *e) MUST_USE;

/* Of the plain key, as ssh-keygen -l shows it. */
void ssh_fingerprint(const struct span *blob, char out[SSH_FINGERPRINT]);
