/* SPDX-License-Identifier: Apache-2.0 */
/* The hash index of large maps; only value.c and value_ops.c need it. */
#pragma once

#include "lib/doc/value.h"

/* Maps of up to this many members are searched from the front. */
#define VALUE_INDEX_FROM 32

/*
 * The member of `key` in a map that has an index, or NULL. The hash is SipHash-1-3 under a key drawn once a process,
 * so that keys made to collide cannot be prepared; the order of members never depends on it.
 */
struct member *value_index_find(const struct value *map, const char *key);

/* To be called after a member was appended: makes, grows or fills the index. */
void value_index_added(struct arena *a, struct value *map);

/* To be called after members were moved or removed; does nothing on a map without index. */
void value_index_rebuild(struct value *map);
