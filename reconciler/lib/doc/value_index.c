/* SPDX-License-Identifier: Apache-2.0 */
/* An open-addressed index of member numbers, at most half full. */
#include "lib/doc/value_index.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void
seed_draw(void)
{
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		abort();
}

static inline uint64_t
rotl(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* SipHash-1-3, https://www.aumasson.jp/siphash/siphash.pdf */
static uint64_t
hash_of(const char *s)
{
	size_t n = strlen(s), left = n;
	uint64_t v[4], m;

	(void)pthread_once(&seed_once, seed_draw);
	v[0] = seed[0] ^ 0x736f6d6570736575u;
	v[1] = seed[1] ^ 0x646f72616e646f6du;
	v[2] = seed[0] ^ 0x6c7967656e657261u;
	v[3] = seed[1] ^ 0x7465646279746573u;
	for (; left >= 8; left -= 8, s += 8) {
		memcpy(&m, s, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	m = (uint64_t)n << 56;
	for (size_t i = 0; i < left; i++)
		m |= (uint64_t)(unsigned char)s[i] << (8 * i);
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot that holds `key`, or the free one where it belongs. */
static size_t
find_slot(const struct value *map, const char *key)
{
	size_t pos = hash_of(key) & (map->map.index_size - 1);

	while (map->map.index[pos] && strcmp(map->map.items[map->map.index[pos] - 1].key, key) != 0)
		pos = (pos + 1) & (map->map.index_size - 1);
	return pos;
}

struct member *
value_index_find(const struct value *map, const char *key)
{
	uint32_t i = map->map.index[find_slot(map, key)];

	return i ? &map->map.items[i - 1] : NULL;
}

void
value_index_rebuild(struct value *map)
{
	if (!map->map.index)
		return;
	memset(map->map.index, 0, map->map.index_size * sizeof(uint32_t));
	for (size_t i = 0; i < map->map.n; i++)
		map->map.index[find_slot(map, map->map.items[i].key)] = (uint32_t)i + 1;
}

void
value_index_added(struct arena *a, struct value *map)
{
	size_t n = map->map.n;

	if (n <= VALUE_INDEX_FROM)
		return;
	if (!map->map.index || n * 2 > map->map.index_size) {
		map->map.index_size = map->map.index ? map->map.index_size * 2 : (size_t)VALUE_INDEX_FROM * 4;
		map->map.index = arena_array(a, map->map.index_size, sizeof(uint32_t));
		value_index_rebuild(map);
	} else {
		map->map.index[find_slot(map, map->map.items[n - 1].key)] = (uint32_t)n;
	}
}
