/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of an answer's head (RFC 9110 section 5), for lib/net and for who is given them by http_request's on_header. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a line when it is the header `name` (any case), without spaces around it; not NUL-terminated. */
bool header_is(const char *line, size_t len, const char *name, const char **value, size_t *n);

/* The same for a header that holds seconds; a date or anything else gives -1. */
bool header_seconds(const char *line, size_t len, const char *name, int64_t *out);
