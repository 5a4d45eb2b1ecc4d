/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema 2020-12, compiled once: the verdict, or findings that say what to write instead. */
#pragma once

#include "lib/doc/report.h"
#include "lib/doc/value.h"

struct schema;

/*
 * Compiles a schema document (https://json-schema.org/draft/2020-12/schema): every keyword of the dialect; `format` is an
 * annotation. Keywords that are not known are ERR_INVALID, with the place, unless they start with "x-"; so are patterns
 * that do not compile and references that lead nowhere. The result lives in `mem`, and refers to `document`.
 */
int schema_compile(struct arena *mem, const struct value *document, struct schema **out, struct err *e) MUST_USE;

/*
 * Checks `v`; every violation becomes a finding at the offending value (or key). Unknown fields get the nearest known
 * name as help; enums list what is allowed. Returns the number of errors added. Thread-safe on one schema.
 */
size_t schema_check(const struct schema *s, const struct value *v, struct report *r);

/* The verdict alone, for the conformance suite. */
bool schema_valid(const struct schema *s, const struct value *v);
