/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: checked numbers, prefixes, the nearest name. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

/* The whole of `s` as a decimal integer; ERR_INVALID for anything else, out of range included. */
int str_to_i64(const char *s, int64_t *out) MUST_USE;

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */

/* One of the n candidates that a person probably meant by `word` (edit distance <= 1 + length/4), or NULL. */
const char *str_nearest(const char *word, const char *const *candidates, size_t n);

/* True when `s` is valid UTF-8 without overlong forms, surrogates or values over U+10FFFF (RFC 3629). */
bool str_utf8_valid(const char *s, size_t n);

/* Shell-style match of image references: `*` any run without '/', `**` any run, `?` one character but '/'. */
bool str_glob(const char *pattern, const char *s);

/* "alice, bo"; `none` when there is nobody. In mem, or one of the texts given. */
const char *str_join(struct arena *mem, const char *const *list, size_t n, const char *none);

/* A copy on one line: control characters become '?'. For names of strangers in messages whose lines mean something. */
const char *str_line(struct arena *mem, const char *s);
