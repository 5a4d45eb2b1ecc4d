/* SPDX-License-Identifier: Apache-2.0 */
/* How strings are spelt in YAML: what yaml_write.c and yaml_fmt.c share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"

/* On one line: plain where no reader takes it for something else, single quotes where they save escapes, else double. */
void yaml_put_string(const char *s, size_t n, struct buf *out);

/* The same inside [ ] and { }: quoted too when it holds one of ",[]{}:". */
void yaml_put_flow_string(const char *s, size_t n, struct buf *out);

/* In double quotes whatever it is. */
void yaml_put_double(const char *s, size_t n, struct buf *out);

/* "key:", or "? key", a line break and ":" at column `indent` when it is too long for readers of simple keys. */
void yaml_put_key(const char *key, size_t indent, struct buf *out);

/*
 * True when the writer makes a literal block of it: more than one line, no blanks at line ends (editors strip them), not
 * only line breaks, no character that would need an escape. `kept`: it is a block in a file already, so that one line is
 * enough and blanks at line ends stay.
 */
bool yaml_is_literal(const char *s, size_t n, bool kept);

/* "|" with its indicators; then the lines, indented to `indent` + 2, each with its break. For yaml_is_literal() only. */
void yaml_put_literal_head(const char *s, size_t n, struct buf *out);
void yaml_put_literal_lines(const char *s, size_t n, size_t indent, struct buf *out);
