/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a YAML file: which characters may stand in it, and where. */
#pragma once

#include "lib/doc/report.h"

/*
 * Reports every character that may not stand in a file (E105; at most YAML_BYTES_SHOWN of them): what is not UTF-8,
 * control characters, byte order marks inside, characters that turn the direction of text around, and the line
 * breaks of YAML 1.1 that YAML 1.2 does not know (U+0085, U+2028, U+2029, and a lone CR). Returns how many were reported.
 */
size_t yaml_bytes_check(const char *file, const char *s, size_t n, struct report *r);

#define YAML_BYTES_SHOWN 10

/* True when `c` may stand in a file as it is; the writer escapes all others. */
bool yaml_char_allowed(uint32_t c);

/* Decodes one character; returns its length, or 0 when the bytes are not UTF-8. */
size_t yaml_char_decode(const char *s, size_t left, uint32_t *c);
