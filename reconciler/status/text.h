/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers say, made fit for a document, a table and a terminal. */
#pragma once

#include <stddef.h>

#include "lib/base/arena.h"

#define TEXT_MAX ((size_t)256) /* bytes of a message */

/* `s` shortened to at most TEXT_MAX bytes, at a character: the number of bytes to keep. */
size_t text_cut(const char *s);

/*
 * A copy on one line of at most TEXT_MAX bytes: redacted (lib/base/redact.h); line ends and tabs become spaces; bytes that are not
 * UTF-8, control characters and those that turn or hide text on a screen become '?'. NULL gives "".
 */
const char *text_line(struct arena *mem, const char *s);
