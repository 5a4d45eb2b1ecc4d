/* SPDX-License-Identifier: Apache-2.0 */
/* age's armor: PEM with the label AGE ENCRYPTED FILE, read strictly (C2SP age.md: one way to write the same bytes, line ends apart). */
#pragma once

#include "lib/base/buf.h"

/* Does it look armored: nothing but blanks in front of "-----BEGIN"? It may still be malformed. */
bool armor_is(const char *text, size_t n);

/*
 * Adds the bytes to `out`. ERR_INVALID names the line: lines of 64 columns and a last one that may be shorter, padded canonical base64, LF or
 * CRLF, blanks only before and after the block.
 */
int armor_read(const char *text, size_t n, struct buf *out, struct err *e) MUST_USE;

/* Adds the block, with LF at the end of each line. */
void armor_write(const void *bytes, size_t n, struct buf *out);
