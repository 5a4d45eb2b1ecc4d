/* SPDX-License-Identifier: Apache-2.0 */
/* The value tree: copying, comparing, merging, sorting, hashing. Recursion is bounded by the readers' depth limit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/doc/value.h"
#include "lib/doc/value_index.h"

#define TWO_63 9223372036854775808.0
#define SORT_FEW 16 /* members that are sorted in place */

/* True with *out when the number is an integer that int64 holds. */
static bool
as_integer(const struct value *v, int64_t *out)
{
	if (v->type == VALUE_INT) {
		*out = v->integer;
		return true;
	}
	if (v->type != VALUE_REAL || !(v->real >= -TWO_63 && v->real < TWO_63) || v->real < trunc(v->real) ||
	    v->real > trunc(v->real))
		return false;
	*out = (int64_t)v->real;
	return true;
}

struct value *
value_copy(struct arena *a, const struct value *v)
{
	struct value *c;

	if (!v)
		return NULL;
	c = arena_memdup(a, v, sizeof(*v));
	if (v->text)
		c->text = arena_strdup(a, v->text);
	if (v->type == VALUE_STR) {
		c->str.s = arena_strndup(a, v->str.s, v->str.len);
		if (v->str.known)
			c->str.known = arena_memdup(a, v->str.known, sizeof(*v->str.known));
	} else if (v->type == VALUE_LIST) {
		c->list.cap = v->list.n;
		c->list.items = arena_array(a, v->list.n, sizeof(struct value *));
		for (size_t i = 0; i < v->list.n; i++)
			c->list.items[i] = value_copy(a, v->list.items[i]);
	} else if (v->type == VALUE_MAP) {
		c->map.cap = v->map.n;
		c->map.items = arena_array(a, v->map.n, sizeof(struct member));
		for (size_t i = 0; i < v->map.n; i++) {
			c->map.items[i] = v->map.items[i];
			c->map.items[i].key = arena_strdup(a, v->map.items[i].key);
			c->map.items[i].value = value_copy(a, v->map.items[i].value);
		}
		if (v->map.index)
			c->map.index = arena_memdup(a, v->map.index, v->map.index_size * sizeof(uint32_t));
	}
	return c;
}

static bool
numbers_equal(const struct value *x, const struct value *y)
{
	int64_t i = 0, k = 0;
	bool xi = as_integer(x, &i), yi = as_integer(y, &k);

	if (xi || yi)
		return xi && yi && i == k;
	return x->real >= y->real && x->real <= y->real;
}

static bool
maps_equal(const struct value *x, const struct value *y)
{
	if (x->map.n != y->map.n)
		return false;
	for (size_t i = 0; i < x->map.n; i++) {
		struct member *m = value_member(y, x->map.items[i].key);

		if (!m || !value_equal(x->map.items[i].value, m->value))
			return false;
	}
	return true;
}

static bool
is_number(const struct value *v)
{
	return v->type == VALUE_INT || v->type == VALUE_REAL;
}

bool
value_equal(const struct value *x, const struct value *y)
{
	if (x == y)
		return true;
	if (!x || !y)
		return false;
	if (is_number(x) && is_number(y))
		return numbers_equal(x, y);
	if (x->type != y->type)
		return false;
	if (x->type == VALUE_BOOL)
		return x->boolean == y->boolean;
	if (x->type == VALUE_STR)
		return x->str.len == y->str.len && memcmp(x->str.s, y->str.s, x->str.len) == 0;
	if (x->type == VALUE_MAP)
		return maps_equal(x, y);
	if (x->type != VALUE_LIST)
		return true;
	if (x->list.n != y->list.n)
		return false;
	for (size_t i = 0; i < x->list.n; i++)
		if (!value_equal(x->list.items[i], y->list.items[i]))
			return false;
	return true;
}

/* A new map that holds the members of `v` (none when it is no map). */
static struct value *
shallow_copy(struct arena *a, const struct value *v)
{
	struct value *c = value_map(a);

	if (!value_is(v, VALUE_MAP))
		return c;
	c->at = v->at;
	for (size_t i = 0; i < v->map.n; i++)
		value_set_at(a, c, v->map.items[i].key, v->map.items[i].at, v->map.items[i].value);
	return c;
}

static struct value *
unshare(const struct value *v)
{
	return (struct value *)(uintptr_t)v; /* the caller's promise: shared values are not changed */
}

struct value *
value_overlay(struct arena *a, const struct value *base, const struct value *over)
{
	struct value *c;

	if (!over)
		return unshare(base);
	if (!value_is(base, VALUE_MAP) || over->type != VALUE_MAP)
		return unshare(over);
	c = shallow_copy(a, base);
	c->at = over->at;
	for (size_t i = 0; i < over->map.n; i++) {
		const struct member *m = &over->map.items[i];

		value_set_at(a, c, m->key, m->at, value_overlay(a, value_get(base, m->key), m->value));
	}
	return c;
}

struct value *
value_merge_patch(struct arena *a, const struct value *base, const struct value *patch)
{
	struct value *c;

	if (!value_is(patch, VALUE_MAP))
		return unshare(patch ? patch : base);
	c = shallow_copy(a, base);
	for (size_t i = 0; i < patch->map.n; i++) {
		const struct member *m = &patch->map.items[i];

		if (value_is(m->value, VALUE_NULL))
			(void)value_del(c, m->key);
		else
			value_set_at(a, c, m->key, m->at, value_merge_patch(a, value_get(base, m->key), m->value));
	}
	return c;
}

static int
by_key(const void *x, const void *y)
{
	return strcmp(((const struct member *)x)->key, ((const struct member *)y)->key);
}

/* Nearly all maps are small, and many are in order already. */
static void
sort_members(struct member *items, size_t n)
{
	if (n > SORT_FEW) {
		qsort(items, n, sizeof(struct member), by_key);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		struct member m = items[i];
		size_t k = i;

		for (; k > 0 && strcmp(items[k - 1].key, m.key) > 0; k--)
			items[k] = items[k - 1];
		items[k] = m;
	}
}

void
value_sort(struct value *v)
{
	if (value_is(v, VALUE_LIST)) {
		for (size_t i = 0; i < v->list.n; i++)
			value_sort(v->list.items[i]);
	} else if (value_is(v, VALUE_MAP)) {
		sort_members(v->map.items, v->map.n);
		value_index_rebuild(v);
		for (size_t i = 0; i < v->map.n; i++)
			value_sort(v->map.items[i].value);
	}
}

static int
by_key_ptr(const void *x, const void *y)
{
	return by_key(*(struct member *const *)x, *(struct member *const *)y);
}

static void digest_add(struct hash_state *h, const struct value *v);

static void
digest_map(struct hash_state *h, const struct value *v)
{
	const struct member *few[SORT_FEW], **sorted = few;
	size_t n = v->map.n;
	bool in_order = true;

	if (n > sizeof(few) / sizeof(few[0])) {
		sorted = malloc(n * sizeof(const struct member *));
		if (!sorted)
			abort();
	}
	for (size_t i = 0; i < n; i++) {
		sorted[i] = &v->map.items[i];
		in_order = in_order && (i == 0 || strcmp(sorted[i - 1]->key, sorted[i]->key) < 0);
	}
	if (!in_order)
		qsort(sorted, n, sizeof(const struct member *), by_key_ptr);
	for (size_t i = 0; i < n; i++) {
		hash_field_str(h, sorted[i]->key);
		digest_add(h, sorted[i]->value);
	}
	if (sorted != few)
		free((void *)sorted);
}

/* Every value is a type letter, then its length or count, then its content: no two trees give the same bytes. */
static void
digest_add(struct hash_state *h, const struct value *v)
{
	uint64_t n = value_len(v);
	int64_t i = 0;
	bool whole = as_integer(v, &i), known = v->type == VALUE_STR && v->str.known;

	hash_add(h, whole ? "i" : known ? "k" : &"nbirslm"[v->type], 1);
	if (whole) {
		hash_field(h, &i, sizeof(i));
	} else if (v->type == VALUE_BOOL) {
		hash_add(h, v->boolean ? "1" : "0", 1);
	} else if (v->type == VALUE_REAL) {
		hash_field(h, &v->real, sizeof(v->real));
	} else if (known) {
		hash_add(h, v->str.known->b, sizeof(v->str.known->b));
	} else if (v->type == VALUE_STR) {
		hash_field(h, v->str.s, v->str.len);
	} else if (v->type == VALUE_LIST) {
		hash_field(h, &n, sizeof(n));
		for (size_t k = 0; k < v->list.n; k++)
			digest_add(h, v->list.items[k]);
	} else if (v->type == VALUE_MAP) {
		hash_field(h, &n, sizeof(n));
		digest_map(h, v);
	}
}

void
value_know(struct arena *a, struct value *string)
{
	struct digest *d = arena_alloc(a, sizeof(*d));
	struct hash_state h;

	hash_init(&h);
	hash_add(&h, string->str.s, string->str.len);
	hash_final(&h, d);
	string->str.known = d;
}

void
value_digest(const struct value *v, struct digest *out)
{
	struct hash_state h;

	hash_init(&h);
	if (v)
		digest_add(&h, v);
	hash_final(&h, out);
}
