/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSH's binary form (RFC 4251 section 5): numbers with the most significant byte first, strings with their length before. */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/seal/sshsig.h"

#define ED25519_TYPE "ssh-ed25519"
#define SSH_LINE 70 /* columns of the base64 in its files */

static inline void
wire_u32(struct buf *b, uint32_t v)
{
	const unsigned char bytes[4] = { (unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v };

	buf_add(b, bytes, sizeof(bytes));
}

static inline void
wire_u64(struct buf *b, uint64_t v)
{
	wire_u32(b, (uint32_t)(v >> 32));
	wire_u32(b, (uint32_t)v);
}

static inline void
wire_string(struct buf *b, const void *p, size_t n)
{
	wire_u32(b, (uint32_t)n);
	buf_add(b, p, n);
}

static inline void
wire_text(struct buf *b, const char *s)
{
	wire_string(b, s, strlen(s));
}

/* string "ssh-ed25519", string `bytes`: a public key, or a signature. */
static inline void
wire_ed25519(struct buf *b, const void *bytes, size_t n)
{
	wire_text(b, ED25519_TYPE);
	wire_string(b, bytes, n);
}
