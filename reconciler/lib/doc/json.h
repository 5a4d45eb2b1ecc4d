/* SPDX-License-Identifier: Apache-2.0 */
/* JSON (RFC 8259) over struct value. */
#pragma once

#include "lib/doc/value.h"

/*
 * Reads any JSON text (by cJSON) of at most 64 MiB and 100 levels. Integers of int64 are exact, other numbers keep their
 * text; of a key that stands twice the last value wins. U+0000 is refused. Errors carry line and column.
 */
int json_read(struct arena *mem, const char *bytes, size_t len, struct value **out, struct err *e) MUST_USE;

/* Writes; indent 0 is compact, else that many spaces a level. Integers and kept number texts are written exactly. */
void json_write(const struct value *v, unsigned indent, struct buf *out);
