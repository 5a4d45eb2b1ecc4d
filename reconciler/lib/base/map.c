/* SPDX-License-Identifier: Apache-2.0 */
/* Ordered hash map: an array of slots and an open-addressed index into it. */
#include "lib/base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EMPTY 0u /* index entries are slot + 1 */

static uint64_t
hash_of(const char *s)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a; keys are bounded in number, see lib/doc for input maps */

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211u;
	return h ^ (h >> 32);
}

static void *
xrealloc(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) || !(p = realloc(p, bytes)))
		abort();
	return p;
}

static size_t
find_pos(const struct map *m, const char *key)
{
	size_t pos = hash_of(key) & (m->index_size - 1);

	while (m->index[pos] != EMPTY) {
		const struct map_slot *s = &m->slots[m->index[pos] - 1];

		if (s->key && strcmp(s->key, key) == 0)
			return pos;
		pos = (pos + 1) & (m->index_size - 1);
	}
	return pos;
}

/* Drops removed slots and makes the index four times as large as the entries. */
static void
rebuild(struct map *m, size_t want)
{
	size_t size = 16, n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->slots[i].key)
			m->slots[n++] = m->slots[i];
	m->n = n;
	while (size < want * 2)
		size *= 2;
	m->index = xrealloc(m->index, size, sizeof(*m->index));
	m->index_size = size;
	memset(m->index, 0, size * sizeof(*m->index));
	for (size_t i = 0; i < n; i++)
		m->index[find_pos(m, m->slots[i].key)] = (unsigned int)i + 1;
}

void *
map_get(const struct map *m, const char *key)
{
	size_t pos;

	if (!m->live)
		return NULL;
	pos = find_pos(m, key);
	return m->index[pos] == EMPTY ? NULL : m->slots[m->index[pos] - 1].value;
}

bool
map_has(const struct map *m, const char *key)
{
	return m->live && m->index[find_pos(m, key)] != EMPTY;
}

void *
map_put(struct map *m, const char *key, void *value)
{
	size_t pos;
	void *old;

	if (!m->index_size || (m->n + 1) * 2 > m->index_size)
		rebuild(m, (m->live + 1) * 2);
	pos = find_pos(m, key);
	if (m->index[pos] != EMPTY) {
		old = m->slots[m->index[pos] - 1].value;
		m->slots[m->index[pos] - 1].value = value;
		return old;
	}
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->slots = xrealloc(m->slots, m->cap, sizeof(*m->slots));
	}
	m->slots[m->n].key = strdup(key);
	if (!m->slots[m->n].key)
		abort();
	m->slots[m->n].value = value;
	m->index[pos] = (unsigned int)++m->n;
	m->live++;
	return NULL;
}

void *
map_del(struct map *m, const char *key)
{
	struct map_slot *s;
	size_t pos;
	void *old;

	if (!m->live)
		return NULL;
	pos = find_pos(m, key);
	if (m->index[pos] == EMPTY)
		return NULL;
	/* the index entry stays as a tombstone: its slot has no key and matches nothing */
	s = &m->slots[m->index[pos] - 1];
	old = s->value;
	free(s->key);
	s->key = NULL;
	s->value = NULL;
	m->live--;
	return old;
}

void
map_free(struct map *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->slots[i].key);
	free(m->slots);
	free(m->index);
	memset(m, 0, sizeof(*m));
}

bool
map_next(const struct map *m, size_t *i, const char **key, void **value)
{
	while (*i < m->n && !m->slots[*i].key)
		(*i)++;
	if (*i >= m->n)
		return false;
	if (key)
		*key = m->slots[*i].key;
	if (value)
		*value = m->slots[*i].value;
	(*i)++;
	return true;
}
