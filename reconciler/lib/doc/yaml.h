/* SPDX-License-Identifier: Apache-2.0 */
/* The strict YAML reader and the deterministic writer. */
#pragma once

#include "lib/doc/report.h"
#include "lib/doc/value.h"

struct yaml_limits {
	size_t bytes;     /* 0: FILE_DOC_MAX */
	unsigned depth;   /* 0: 100 */
	size_t values;    /* keys and values at most, when that is less than what the bytes allow; 0: as the bytes allow */
};

/*
 * Reads one document (YAML 1.2 core schema, https://yaml.org/spec/1.2.2/ chapter 10.3; JSON is a subset) by libyaml's
 * events. Refused, each with a finding at its line and column: what is not UTF-8 or holds control characters, line
 * breaks other than LF and CR LF, or characters that turn the direction of text around; duplicate keys; anchors, aliases,
 * merge keys (<<), tags; keys that are not strings; a second document; integers outside int64, .inf and .nan; more bytes
 * or depth than the limits, or more keys and values than a sixteenth of the bytes allowed (so that a document of
 * FILE_DOC_MAX fits ARENA_ENV_MAX). Plain `no`, `on`, `2026-01-01` ... are strings and give a warning to quote them; 0123
 * is the number 123 and gives one too. An empty document gives VALUE_NULL.
 * Returns 0 with *out, or ERR_INVALID when the report got an error (then *out is untouched).
 * Time is linear in len. `file` is copied into `mem` once and shared by all places.
 */
int yaml_read(struct arena *mem, const char *file, const char *bytes, size_t len, const struct yaml_limits *limits,
              struct report *r, struct value **out) MUST_USE;

/*
 * Writes block style, two spaces, keys in the order they stand, one trailing newline. Strings are quoted whenever any
 * YAML 1.1 or 1.2 reader could take them for something else; multi-line strings become literal blocks (|, |-, |+)
 * where that keeps every byte, else double-quoted. Lists are indented like kubectl does ("- " at the key's column).
 * The same value gives the same bytes; reading them back gives an equal value.
 */
void yaml_write(const struct value *v, struct buf *out);
