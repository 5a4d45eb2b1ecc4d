/* SPDX-License-Identifier: Apache-2.0 */
/* What ssh_key.c and ssh_verify.c share. */
#pragma once

#include "lib/seal/ssh_key.h"

#define SSH_RSA_BITS_MIN 2048
#define SSH_RSA_BITS_MAX 16384

struct ssh_kind {
	enum ssh_type type;
	const char *name, *curve; /* curve: second string of the blob, or NULL */
	size_t point;             /* bytes of the key itself; 0: RSA's two numbers */
};

const struct ssh_kind *ssh_kind_of(enum ssh_type type);
