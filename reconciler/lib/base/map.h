/* SPDX-License-Identifier: Apache-2.0 */
/* A string-keyed hash map that remembers insertion order (so that output never depends on hashing). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct map_slot {
	char *key;   /* owned by the map; NULL marks a removed slot */
	void *value; /* not owned */
};

struct map {
	struct map_slot *slots; /* in insertion order; skip those with key NULL */
	size_t n;               /* used entries of slots, removed ones included */
	size_t live;            /* entries present */
	size_t cap;
	unsigned int *index;
	size_t index_size;
};

#define MAP_INIT { NULL, 0, 0, 0, NULL, 0 }

/* The value of `key`, or NULL. */
void *map_get(const struct map *m, const char *key);
bool map_has(const struct map *m, const char *key);

/* Inserts or replaces; returns the value that was there before, or NULL. The key is copied. Out of memory aborts. */
void *map_put(struct map *m, const char *key, void *value);

/* Removes; returns what was there, or NULL. */
void *map_del(struct map *m, const char *key);

/* Frees keys and table, not the values; the map can be used again. */
void map_free(struct map *m);

/* for (size_t i = 0; map_next(m, &i, &key, &value); ) … ; either output may be NULL. Deleting while walking is fine. */
bool map_next(const struct map *m, size_t *i, const char **key, void **value);

#define AUTO_MAP __attribute__((cleanup(map_free)))
