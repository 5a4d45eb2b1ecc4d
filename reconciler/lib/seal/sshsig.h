/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 keys and signatures in OpenSSH's formats. Sources: OpenSSH PROTOCOL.sshsig, PROTOCOL.key, PROTOCOL.certkeys, sshd(8). */
#pragma once

#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/seal/secret.h"

/* "ssh-ed25519 AAAA…" without a comment and line end; and back (ERR_INVALID for other types). A comment after it is passed over. */
void ssh_public_text(const uint8_t pk[32], char out[96]);
int ssh_public_parse(const char *text, size_t n, uint8_t pk[32], struct err *e) MUST_USE;

/* Armored ("-----BEGIN SSH SIGNATURE-----"), hash sha512. Verified by `ssh-keygen -Y verify -n NAMESPACE`. */
void sshsig_sign(const uint8_t sk[64], const char *ns, const void *msg, size_t n, struct buf *out);
/* 0 when `sig` is pk's signature of msg in this namespace; else ERR_DENIED (another key, namespace or text) or ERR_INVALID (no signature). */
int sshsig_verify(const char *sig, size_t siglen, const uint8_t pk[32], const char *ns, const void *msg, size_t n, struct err *e) MUST_USE;

/* An unencrypted OpenSSH private key file ("-----BEGIN OPENSSH PRIVATE KEY-----"); the same key gives the same bytes. */
void ssh_private_text(const uint8_t sk[64], const char *comment, struct secret *out);

/*
 * A host certificate line "ssh-ed25519-cert-v01@openssh.com AAAA…": for ever valid, serial 0, nonce derived from the rest, so that the same
 * inputs give the same bytes. `names`: host names it is good for (1 to 32).
 */
void ssh_host_certificate(const uint8_t ca[64], const uint8_t host_pk[32], const char *key_id, const char *const *names, size_t nnames,
                          struct buf *out);
