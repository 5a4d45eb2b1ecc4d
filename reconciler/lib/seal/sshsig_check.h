/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of any key that OpenSSH makes, in its SSHSIG format. Source: OpenSSH PROTOCOL.sshsig. Stricter than OpenSSH 9.2: what
 * ssh_key.h refuses, more than one signature in a text, a version other than 1, a reserved field in use.
 */
#pragma once

#include "lib/seal/ssh_key.h"

#define SSHSIG_TEXT_MAX ((size_t)128 * 1024)

struct sshsig {
	struct ssh_key key;   /* who says so: whether the key counts is for signers.h */
	struct span ns;       /* what it was made for */
	bool sha256;          /* else SHA-512 */
	struct span signature;
};

/* Reads the armored text. Everything lives in mem. ERR_INVALID says what is wrong. */
int sshsig_read(struct arena *mem, const char *text, size_t n, struct sshsig *out, struct err *e) MUST_USE;

/* Is it the key's signature of msg, made for namespace `ns`? ERR_DENIED or ERR_INVALID: no. */
int sshsig_check(const struct sshsig *s, const char *ns, const void *msg, size_t n, struct err *e) MUST_USE;
