/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: one word of printable characters that goes into a header line, read from a file, never shown. */
#pragma once

#include <stddef.h>

#include "lib/base/err.h"

#define TOKEN_MAX ((size_t)64 << 10)

/* Cuts blanks and line breaks off both ends; NULL, or what keeps the rest from being a token. Never repeats it. */
const char *token_trim(const char **s, size_t *n);

/* A trimmed copy in *out, registered with redact_add good or bad; NULL, or what is wrong with it. For token_wipe. */
const char *token_keep(const char *s, size_t n, char **out);

/* Reads a token file into fresh memory, registered with redact_add; for token_wipe. Errors name the file, never its content. */
int token_read(const char *path, char **out, struct err *e) MUST_USE;
void token_wipe(char **token);
