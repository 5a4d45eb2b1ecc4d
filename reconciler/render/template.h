/* SPDX-License-Identifier: Apache-2.0 */
/* Structural templates: JSON-e (https://json-e.js.org/language.html), compiled once. */
#pragma once

#include "lib/doc/value.h"

struct template;

struct template_limits {
	size_t steps;       /* operators and expression nodes evaluated; 0: 1,000,000 */
	unsigned depth;     /* nesting of operators and expressions; 0: 100 */
	size_t bytes;       /* of everything made; 0: 4 MiB */
};

/*
 * Compiles a template document. Unknown $-operators and operators that are not implemented are ERR_INVALID with
 * "file:line:col", never copied through. The template lives in `mem`, keeps pointers into `document` (which must live
 * as long) and shares nothing mutable: one compiled template may render many times.
 */
int template_compile(struct arena *mem, const struct value *document, struct template **out, struct err *e) MUST_USE;

/*
 * Renders with `context` (a map). *out may be NULL: the template gave nothing (a deleted value at the top).
 * The result shares subtrees with the template and the context, and one subtree may occur in it several times:
 * value_copy it before anything that changes it, value_sort too. Written out it is no larger than limits->bytes and no
 * deeper than limits->depth. Limits are further bounded by the room left in `mem`, which therefore never overflows.
 * `now` is RFC 3339 text for `now` and $fromNow, or NULL: then both are refused.
 * Errors name the template's file and line.
 */
int template_render(const struct template *t, struct arena *mem, const struct value *context, const char *now,
                    const struct template_limits *limits, struct value **out, struct err *e) MUST_USE;
