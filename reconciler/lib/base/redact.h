/* SPDX-License-Identifier: Apache-2.0 */
/* The one redactor: what passes through it holds no secret that berth knows of or can recognize. */
#pragma once

#include <stddef.h>

#include "lib/base/buf.h"

/*
 * Registers a secret (a token read from a file …); its plain, base64 and percent-encoded forms become "[redacted]".
 * Shorter than 6 bytes is ignored (it would blank ordinary words). Thread-safe.
 */
void redact_add(const char *secret, size_t n);

/*
 * Appends `s` to `out` without: registered secrets; user info in URLs ("https://u:p@host" -> "https://[redacted]@host");
 * AGE-SECRET-KEY-1…, BERTH-MASTER-KEY-1…; PEM private keys; "Bearer …" and "Basic …" credentials; ghp_/gho_/ghs_/github_pat_/glpat- tokens.
 * Control characters other than newline and tab become '?'.
 */
void redact(const char *s, size_t n, struct buf *out);
