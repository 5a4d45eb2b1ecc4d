/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that every expression may call (https://json-e.js.org/built-ins.html). */
#pragma once

#include "lib/doc/value.h"

struct render;
struct scope;

/* Functions are values while rendering; they never get into a result. */
#define VALUE_FUNCTION VALUE_TYPE_COUNT

enum {
	IS_STR = 1,
	IS_NUM = 2,
	IS_BOOL = 4,
	IS_LIST = 8,
	IS_MAP = 16,
	IS_NULL = 32,
	IS_FUNCTION = 64,
	IS_ANY = 127,
};

struct builtin_call {
	struct render *r;
	const struct scope *scope;
	struct value *const *args;
	size_t n;
};

#define BUILTIN_ARGS_MAX 64

struct builtin {
	const char *name;
	int (*fn)(const struct builtin_call *c, struct value **out);
	unsigned char min, max; /* number of arguments */
	bool variadic;          /* counts the missing ones in its message, as the JavaScript implementation does */
	unsigned char types[3]; /* what each argument may be; the last one holds for all further ones */
};

/* The builtin of that name, or NULL. */
const struct builtin *builtin_find(const char *name);

/* The builtin as a value, and back (NULL when it is not one). */
struct value *builtin_value(const struct builtin *b);
const struct builtin *builtin_of(const struct value *v);

/* One IS_ bit. */
unsigned value_kind_bit(const struct value *v);
/* "string" "number" "boolean" "array" "object" "null" "function" */
const char *value_kind_name(const struct value *v);

/* Checks the arguments and calls. */
int builtin_invoke(const struct builtin *b, const struct builtin_call *c, struct value **out) MUST_USE;

/* ERR_INVALID "invalid arguments to builtin: NAME (why)". */
int builtin_fail(const struct builtin_call *c, const char *name, const char *fmt, ...) PRINTF(3, 4);

/* builtin_string.c */
int builtin_lowercase(const struct builtin_call *c, struct value **out);
int builtin_uppercase(const struct builtin_call *c, struct value **out);
int builtin_strip(const struct builtin_call *c, struct value **out);
int builtin_lstrip(const struct builtin_call *c, struct value **out);
int builtin_rstrip(const struct builtin_call *c, struct value **out);
int builtin_split(const struct builtin_call *c, struct value **out);
int builtin_join(const struct builtin_call *c, struct value **out);
int builtin_str(const struct builtin_call *c, struct value **out);
int builtin_number(const struct builtin_call *c, struct value **out);
int builtin_len(const struct builtin_call *c, struct value **out);

/* builtin_time.c */
int builtin_from_now(const struct builtin_call *c, struct value **out);

/* `span` ("2 days 3 hours") after `reference` (RFC 3339), as "2017-01-19T16:27:20.974Z". */
int time_from(const char *span, const char *reference, char out[32], struct err *e) MUST_USE;
