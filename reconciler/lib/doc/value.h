/* SPDX-License-Identifier: Apache-2.0 */
/* The one tree that documents, schemas, templates and manifests are made of. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/hash.h"

enum value_type { VALUE_NULL, VALUE_BOOL, VALUE_INT, VALUE_REAL, VALUE_STR, VALUE_LIST, VALUE_MAP, VALUE_TYPE_COUNT };

/* Where a value or key was read; line and column count from 1, column in characters; line 0: made by the program. */
struct place {
	const char *file; /* repository path, or NULL */
	uint32_t line, col;
};

struct value;

struct member {
	const char *key; /* NUL-terminated; keys never hold a NUL */
	struct place at; /* of the key */
	struct value *value;
};

/*
 * Lives in an arena and is never freed by itself. Fields may be read by anybody; everything that changes goes
 * through the functions below. A value that is shared by two trees must not be changed: value_copy first.
 */
struct value {
	enum value_type type;
	struct place at;
	const char *text; /* numbers: as written (1.10, 1e3; of integers only 0o17, 0123 and the like), or NULL */
	union {
		bool boolean;
		int64_t integer;
		double real;
		struct {
			const char *s; /* NUL-terminated behind len */
			size_t len;
			const struct digest *known; /* of its bytes, see value_know; or NULL */
		} str;
		struct {
			struct value **items;
			size_t n, cap;
		} list;
		struct {
			struct member *items; /* in the order of the document */
			size_t n, cap;
			uint32_t *index; /* hash of keys when n is large, else NULL */
			size_t index_size;
		} map;
	};
};

/* "null" "boolean" "integer" "number" "string" "list" "map" */
const char *value_type_name(enum value_type t);

struct value *value_null(struct arena *a);
struct value *value_bool(struct arena *a, bool b);
struct value *value_int(struct arena *a, int64_t i);
struct value *value_real(struct arena *a, double d);
struct value *value_str(struct arena *a, const char *s);
struct value *value_strn(struct arena *a, const char *s, size_t n);
struct value *value_fmt(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
struct value *value_list(struct arena *a);
struct value *value_map(struct arena *a);

/* Appends to a list. */
void value_push(struct arena *a, struct value *list, struct value *item);
struct value *value_strs(struct arena *a, const char *const *texts, size_t n); /* a list of copies */

/* Sets or replaces a key (the key's bytes are copied, its old position in the order is kept). */
void value_set(struct arena *a, struct value *map, const char *key, struct value *v);

/* The same with the key's place in a document. */
void value_set_at(struct arena *a, struct value *map, const char *key, struct place at, struct value *v);

/* Removes a key; false when it was not there. */
bool value_del(struct value *map, const char *key);

/* The member or value of a key; NULL when `map` is NULL, not a map, or has no such key. */
struct member *value_member(const struct value *map, const char *key);
struct value *value_get(const struct value *map, const char *key);

/* Follows "spec.resources.gpu" through maps; NULL when a step is missing. Keys with dots cannot be named. */
struct value *value_at(const struct value *v, const char *dotted);

/* Typed reads with a fallback for absent, null or other type. Strings are not copied. */
const char *value_as_str(const struct value *v, const char *fallback);
int64_t value_as_int(const struct value *v, int64_t fallback);
bool value_as_bool(const struct value *v, bool fallback);

bool value_is(const struct value *v, enum value_type t); /* NULL is false */
size_t value_len(const struct value *v);                 /* items of a list or map, bytes of a string, else 0 */
struct value *value_item(const struct value *list, size_t i); /* NULL past the end or when not a list */

/* Deep copy into `a` (places kept). */
struct value *value_copy(struct arena *a, const struct value *v);

/* JSON equality: maps regardless of order, 1 equals 1.0. */
bool value_equal(const struct value *x, const struct value *y);

/*
 * Lays `over` on `base`: maps merge key by key, everything else (lists too) replaces; a null in `over` replaces.
 * Returns a new value that may share subtrees with both. NULL counts as absent.
 */
struct value *value_overlay(struct arena *a, const struct value *base, const struct value *over);

/* JSON merge patch, RFC 7396 (null removes). Returns a new value. */
struct value *value_merge_patch(struct arena *a, const struct value *base, const struct value *patch);

/* Sorts the keys of every map below `v` bytewise, in place. */
void value_sort(struct value *v);

/* Digests the bytes of a long string once, for the many trees that it will be part of; copies keep it. */
void value_know(struct arena *a, struct value *string);

/*
 * A digest of the value's JSON content: independent of key order, places and spelling of numbers. A string that is known counts by its own
 * digest, so that equal trees are to know the same strings.
 */
void value_digest(const struct value *v, struct digest *out);
