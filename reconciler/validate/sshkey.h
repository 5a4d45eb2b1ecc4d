/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys as in authorized_keys, without options (RFC 4253 section 6.6, RFC 5656, RFC 8709, OpenSSH PROTOCOL.u2f). */
#pragma once

#include "lib/base/arena.h"

/*
 * One line "TYPE BASE64 [comment]" whose blob is whole and of that type: ed25519, ECDSA on the three NIST curves, both as
 * security keys, RSA from 3072 bits. ERR_INVALID: *why says what is wrong, *help what to do.
 */
int sshkey_check(struct arena *mem, const char *line, size_t len, const char **why, const char **help) MUST_USE;
