/* SPDX-License-Identifier: Apache-2.0 */
/* What a plain scalar means: to us (YAML 1.2 core schema), and to older readers (YAML 1.1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scalar_kind {
	SCALAR_STR,
	SCALAR_NULL,
	SCALAR_BOOL,
	SCALAR_INT,
	SCALAR_REAL,
	SCALAR_INT_RANGE,  /* an integer that int64 does not hold */
	SCALAR_REAL_RANGE, /* .inf, .nan, or a number that overflows to infinity */
};

struct scalar {
	enum scalar_kind kind;
	union {
		bool boolean;
		int64_t integer;
		double real;
	};
};

/* Resolves plain text of n bytes (NUL behind) by https://yaml.org/spec/1.2.2/ chapter 10.3.2. */
struct scalar scalar_resolve(const char *s, size_t n);

/*
 * What YAML 1.1 readers (kubectl, PyYAML, Go) take plain text for when it is not what scalar_resolve() says: "a boolean",
 * "a date" …; NULL when all agree.
 */
const char *scalar_doubt(const char *s, size_t n);

/* True when any reader, old or new, takes the plain text for a string: then it needs no quotes for its type's sake. */
bool scalar_is_plain_word(const char *s, size_t n);
