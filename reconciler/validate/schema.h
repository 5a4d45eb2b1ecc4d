/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema 2020-12: the keywords that berth's schemas use, compiled once. */
#pragma once

#include "lib/doc/report.h"
#include "lib/doc/value.h"

struct schema;

/*
 * Compiles a schema document (https://json-schema.org/draft/2020-12/schema). A keyword that this version does not
 * implement is ERR_INVALID that names it: it is never skipped. The result lives in `mem` (which must outlive it).
 */
int schema_compile(struct arena *mem, const struct value *document, struct schema **out, struct err *e) MUST_USE;

/*
 * Checks `v`; every violation becomes a finding at the offending value (or key). Unknown fields get the nearest known
 * name as help; enums list what is allowed. Returns the number of errors added. Thread-safe on one schema.
 */
size_t schema_check(const struct schema *s, const struct value *v, struct report *r);

/* The verdict alone, for the conformance suite. */
bool schema_valid(const struct schema *s, const struct value *v);
