/* SPDX-License-Identifier: Apache-2.0 */
/* The value tree: making, reading and changing it. */
#include "lib/doc/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/doc/value_index.h"

const char *
value_type_name(enum value_type t)
{
	static const char *const names[VALUE_TYPE_COUNT] = { "null", "boolean", "integer", "number", "string", "list", "map" };

	return t < VALUE_TYPE_COUNT ? names[t] : "unknown";
}

static struct value *
value_new(struct arena *a, enum value_type t)
{
	struct value *v = arena_alloc(a, sizeof(*v));

	v->type = t;
	return v;
}

struct value *
value_null(struct arena *a)
{
	return value_new(a, VALUE_NULL);
}

struct value *
value_bool(struct arena *a, bool b)
{
	struct value *v = value_new(a, VALUE_BOOL);

	v->boolean = b;
	return v;
}

struct value *
value_int(struct arena *a, int64_t i)
{
	struct value *v = value_new(a, VALUE_INT);

	v->integer = i;
	return v;
}

struct value *
value_real(struct arena *a, double d)
{
	struct value *v = value_new(a, VALUE_REAL);

	v->real = d;
	return v;
}

struct value *
value_strn(struct arena *a, const char *s, size_t n)
{
	struct value *v = value_new(a, VALUE_STR);

	v->str.s = arena_strndup(a, s, n);
	v->str.len = n;
	return v;
}

struct value *
value_str(struct arena *a, const char *s)
{
	return value_strn(a, s, strlen(s));
}

struct value *
value_fmt(struct arena *a, const char *fmt, ...)
{
	struct value *v = value_new(a, VALUE_STR);
	va_list ap, ap2;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(ap2, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	p = arena_alloc(a, (size_t)n + 1);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap2);
	va_end(ap2);
	v->str.s = p;
	v->str.len = (size_t)n;
	return v;
}

struct value *
value_list(struct arena *a)
{
	return value_new(a, VALUE_LIST);
}

struct value *
value_map(struct arena *a)
{
	return value_new(a, VALUE_MAP);
}

void
value_push(struct arena *a, struct value *list, struct value *item)
{
	if (list->list.n == list->list.cap) {
		size_t cap = list->list.cap ? list->list.cap * 2 : 4;

		list->list.items = arena_regrow(a, list->list.items, list->list.n, cap, sizeof(struct value *));
		list->list.cap = cap;
	}
	list->list.items[list->list.n++] = item;
}

struct value *
value_strs(struct arena *a, const char *const *texts, size_t n)
{
	struct value *list = value_list(a);

	for (size_t i = 0; i < n; i++)
		value_push(a, list, value_str(a, texts[i]));
	return list;
}

void
value_set_at(struct arena *a, struct value *map, const char *key, struct place at, struct value *v)
{
	struct member *m = value_member(map, key);

	if (m) {
		m->at = at;
		m->value = v;
		return;
	}
	if (map->map.n == map->map.cap) {
		size_t cap = map->map.cap ? map->map.cap * 2 : 4;

		map->map.items = arena_regrow(a, map->map.items, map->map.n, cap, sizeof(struct member));
		map->map.cap = cap;
	}
	m = &map->map.items[map->map.n++];
	m->key = arena_strdup(a, key);
	m->at = at;
	m->value = v;
	value_index_added(a, map);
}

void
value_set(struct arena *a, struct value *map, const char *key, struct value *v)
{
	value_set_at(a, map, key, (struct place){ NULL, 0, 0 }, v);
}

bool
value_del(struct value *map, const char *key)
{
	struct member *m = value_member(map, key);
	size_t i;

	if (!m)
		return false;
	i = (size_t)(m - map->map.items);
	memmove(m, m + 1, (map->map.n - i - 1) * sizeof(*m));
	map->map.n--;
	value_index_rebuild(map);
	return true;
}

struct member *
value_member(const struct value *map, const char *key)
{
	if (!map || map->type != VALUE_MAP)
		return NULL;
	if (map->map.index)
		return value_index_find(map, key);
	/* most keys differ in their first letter */
	for (size_t i = 0; i < map->map.n; i++)
		if (map->map.items[i].key[0] == key[0] && strcmp(map->map.items[i].key, key) == 0)
			return &map->map.items[i];
	return NULL;
}

struct value *
value_get(const struct value *map, const char *key)
{
	struct member *m = value_member(map, key);

	return m ? m->value : NULL;
}

/* Like value_get for the key of n bytes; a step of a dotted path is not NUL-terminated. */
static struct value *
get_n(const struct value *map, const char *key, size_t n)
{
	if (!value_is(map, VALUE_MAP))
		return NULL;
	for (size_t i = 0; i < map->map.n; i++)
		if (map->map.items[i].key[0] == key[0] && strncmp(map->map.items[i].key, key, n) == 0 && !map->map.items[i].key[n])
			return map->map.items[i].value;
	return NULL;
}

struct value *
value_at(const struct value *v, const char *dotted)
{
	for (;;) {
		size_t n = strcspn(dotted, ".");
		struct value *next = dotted[n] ? get_n(v, dotted, n) : value_get(v, dotted);

		if (!dotted[n] || !next)
			return next;
		v = next;
		dotted += n + 1;
	}
}

const char *
value_as_str(const struct value *v, const char *fallback)
{
	return value_is(v, VALUE_STR) ? v->str.s : fallback;
}

int64_t
value_as_int(const struct value *v, int64_t fallback)
{
	return value_is(v, VALUE_INT) ? v->integer : fallback;
}

bool
value_as_bool(const struct value *v, bool fallback)
{
	return value_is(v, VALUE_BOOL) ? v->boolean : fallback;
}

bool
value_is(const struct value *v, enum value_type t)
{
	return v && v->type == t;
}

size_t
value_len(const struct value *v)
{
	if (value_is(v, VALUE_LIST))
		return v->list.n;
	if (value_is(v, VALUE_MAP))
		return v->map.n;
	return value_is(v, VALUE_STR) ? v->str.len : 0;
}

struct value *
value_item(const struct value *list, size_t i)
{
	return value_is(list, VALUE_LIST) && i < list->list.n ? list->list.items[i] : NULL;
}
