/* SPDX-License-Identifier: Apache-2.0 */
/* A walk down two objects and, beside them, every manager's tree of fields. */
#include "cli/differ.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/redact.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kube/fields.h"

#define DIFFERENCES_MAX 200
#define WRITERS_MAX 32
#define SHOWN 72    /* bytes of a value */
#define DEPTH_MAX 64

struct writer {
	const char *manager, *time;
};

struct walk {
	const struct differ *d;
	struct differences *out;
	struct writer writers[WRITERS_MAX];
	size_t nwriters;
	size_t ours;         /* our own Apply entry among them; nwriters: there is none */
	unsigned depth;
	const char *keys[DEPTH_MAX + 1]; /* of the place at hand, outermost first; NULL: an item of a list */
};

/* Where each writer's fields are at the place at hand: NULL when it has none there. */
struct nodes {
	const struct value *at[WRITERS_MAX];
};

/* -- showing ------------------------------------------------------------------------------------------------------------- */

/* Keyed: a digest of a short password must not be a way to guess it. */
static const char *
digest_of(struct arena *mem, const char *s, size_t n)
{
	static uint8_t key[32];
	static bool made;
	struct hash_state h;
	struct digest d;
	char hex[DIGEST_HEX];

	if (!made && getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		abort();
	made = true;
	hash_init(&h);
	hash_field(&h, key, sizeof(key));
	hash_field(&h, s, n);
	hash_final(&h, &d);
	digest_hex(&d, hex);
	return arena_printf(mem, "digest:%.10s", hex);
}

const char *
differ_show(const struct differ *d, const struct value *v)
{
	struct buf text AUTO_BUF = BUF_INIT(0), safe AUTO_BUF = BUF_INIT(0);
	size_t n = SHOWN;

	if (!v)
		return "(none)";
	if (value_is(v, VALUE_STR))
		buf_add(&text, v->str.s, v->str.len);
	else
		json_write(v, 0, &text);
	if (d->secret)
		return digest_of(d->mem, buf_cstr(&text), text.len);
	if (!text.len)
		return "\"\"";
	redact(buf_cstr(&text), text.len, &safe);
	if (safe.len <= n)
		return str_line(d->mem, buf_cstr(&safe));
	while (n && ((unsigned char)safe.data[n] & 0xc0) == 0x80)
		n--;
	return arena_printf(d->mem, "%s… (%zu bytes, %s)", str_line(d->mem, arena_strndup(d->mem, safe.data, n)), text.len,
	                    digest_of(d->mem, text.data, text.len));
}

/* -- who wrote it -------------------------------------------------------------------------------------------------------- */

static void
read_writers(struct walk *w, const struct value *live, struct nodes *top)
{
	const struct value *list = value_at(live, "metadata.managedFields");

	w->ours = WRITERS_MAX;
	for (size_t i = 0; i < value_len(list) && w->nwriters < WRITERS_MAX; i++) {
		const struct value *entry = value_item(list, i);
		const char *sub = value_as_str(value_get(entry, "subresource"), ""), *name = value_as_str(value_get(entry, "manager"), "?");
		bool apply = str_eq(value_as_str(value_get(entry, "operation"), NULL), "Apply");
		struct writer *one;

		if (str_eq(sub, "status"))
			continue;
		if (apply && !*sub && str_eq(name, w->d->manager))
			w->ours = w->nwriters;
		top->at[w->nwriters] = value_get(entry, "fieldsV1");
		one = &w->writers[w->nwriters++];
		one->manager = str_line(w->d->mem, *sub ? arena_printf(w->d->mem, "%s-%s", name, sub) : name);
		one->time = value_as_str(value_get(entry, "time"), NULL);
	}
}

/* An owned leaf ({}) owns all below it. */
static const struct value *
step_key(struct arena *mem, const struct value *node, const char *key)
{
	if (!node || !value_len(node))
		return node;
	return value_get(node, arena_printf(mem, "f:%s", key));
}

/* Is `item` the one that k:{"name":"main"} names? */
static bool
is_item(struct arena *mem, const char *key, const struct value *item)
{
	struct value *k;

	if (!str_starts(key, "k:") || json_read(mem, key + 2, strlen(key + 2), &k, NULL) < 0)
		return false;
	for (size_t i = 0; value_is(k, VALUE_MAP) && i < k->map.n; i++) {
		const struct value *has = value_get(item, k->map.items[i].key);

		if (!has || !value_equal(has, k->map.items[i].value))
			return false;
	}
	return value_len(k) > 0;
}

static const struct value *
step_item(struct arena *mem, const struct value *node, const struct value *item)
{
	if (!node || !value_len(node))
		return node;
	for (size_t i = 0; value_is(node, VALUE_MAP) && i < node->map.n; i++)
		if (is_item(mem, node->map.items[i].key, item))
			return node->map.items[i].value;
	return NULL;
}

/* A field that is not there may have been removed by somebody, or never have been ours: nothing is said of it. */
static void
who(const struct walk *w, const struct nodes *nodes, bool there, struct difference *out)
{
	const struct writer *newest = NULL;

	for (size_t i = 0; i < w->nwriters; i++)
		if (i != w->ours && nodes->at[i] && (!newest || strcmp(w->writers[i].time ? w->writers[i].time : "", newest->time ? newest->time : "") > 0))
			newest = &w->writers[i];
	if (newest) {
		out->manager = newest->manager;
		out->time = newest->time;
	}
	out->nameless = there && !newest && w->ours < w->nwriters && !nodes->at[w->ours];
}

/* -- the walk ------------------------------------------------------------------------------------------------------------ */

static void
leaf(struct walk *w, const char *path, const struct value *live, const struct value *want, const struct nodes *nodes)
{
	struct differences *o = w->out;

	if (o->n >= DIFFERENCES_MAX) {
		o->more++;
		return;
	}
	if (o->n == o->cap) {
		o->items = arena_regrow(w->d->mem, o->items, o->n, o->cap ? o->cap * 2 : 8, sizeof(*o->items));
		o->cap = o->cap ? o->cap * 2 : 8;
	}
	o->items[o->n] = (struct difference){ .path = str_line(w->d->mem, path), .live = differ_show(w->d, live),
		.want = differ_show(w->d, want) };
	who(w, nodes, live != NULL, &o->items[o->n++]);
}

static bool
empty(const struct value *v)
{
	return !v || v->type == VALUE_NULL || ((v->type == VALUE_MAP || v->type == VALUE_LIST) && !value_len(v));
}

/* The value at its place: what counts as equal depends on the names above it. */
static struct value *
in_place(const struct walk *w, const struct value *v)
{
	struct value *out = value_copy(w->d->mem, v), *outer;

	for (unsigned i = w->depth; i-- > 0; out = outer) {
		outer = w->keys[i] ? value_map(w->d->mem) : value_list(w->d->mem);
		if (w->keys[i])
			value_set(w->d->mem, outer, w->keys[i], out);
		else
			value_push(w->d->mem, outer, out);
	}
	return out;
}

static bool
same(const struct walk *w, const struct value *live, const struct value *want)
{
	if (!w->d->subset)
		return live && want ? value_equal(live, want) : live == want;
	if (!want)
		return true;
	if (!live)
		return empty(want) || fields_subset(w->d->mem, in_place(w, want), value_map(w->d->mem), NULL);
	return fields_subset(w->d->mem, in_place(w, want), in_place(w, live), NULL);
}

/* The field by which the items of both lists can be told apart, or NULL. */
static bool
told_apart(const struct value *list, const char *key)
{
	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *mine = value_get(value_item(list, i), key);

		if (!mine || (mine->type != VALUE_STR && mine->type != VALUE_INT))
			return false;
		for (size_t j = 0; j < i; j++)
			if (value_equal(mine, value_get(value_item(list, j), key)))
				return false;
	}
	return true;
}

static const char *
item_key(const struct value *x, const struct value *y)
{
	static const char *const keys[] = { "name", "mountPath", "containerPort", "port", "topologyKey", "key", "ip", "uid", "type" };

	if (value_len(x) > 1000 || value_len(y) > 1000)
		return NULL;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (told_apart(x, keys[i]) && told_apart(y, keys[i]))
			return keys[i];
	return NULL;
}

static const struct value *
item_of(const struct value *list, const char *key, const struct value *like)
{
	for (size_t i = 0; i < value_len(list); i++)
		if (value_equal(value_get(value_item(list, i), key), value_get(like, key)))
			return value_item(list, i);
	return NULL;
}

static void walk(struct walk *w, const char *path, const struct value *live, const struct value *want, const struct nodes *nodes);

static void
walk_key(struct walk *w, const char *path, const char *key, const struct value *live, const struct value *want,
         const struct nodes *nodes)
{
	struct nodes below = { { NULL } };

	for (size_t i = 0; i < w->nwriters; i++)
		below.at[i] = step_key(w->d->mem, nodes->at[i], key);
	w->keys[w->depth++] = key;
	walk(w, arena_printf(w->d->mem, "%s%s%s", path, *path ? "." : "", key), value_get(live, key), value_get(want, key), &below);
	w->depth--;
}

static void
walk_item(struct walk *w, const char *path, const char *name, const struct value *live, const struct value *want,
          const struct nodes *nodes)
{
	struct nodes below = { { NULL } };

	for (size_t i = 0; i < w->nwriters; i++)
		below.at[i] = step_item(w->d->mem, nodes->at[i], live ? live : want);
	w->keys[w->depth++] = NULL;
	walk(w, arena_printf(w->d->mem, "%s[%s]", path, name), live, want, &below);
	w->depth--;
}

static const char *
item_name(struct arena *mem, const struct value *key)
{
	return value_is(key, VALUE_STR) ? key->str.s : arena_printf(mem, "%lld", (long long)value_as_int(key, 0));
}

static void
walk_lists(struct walk *w, const char *path, const struct value *live, const struct value *want, const struct nodes *nodes)
{
	const char *key = item_key(live, want);

	if (!key && value_len(live) == value_len(want) && value_is(value_item(want, 0), VALUE_MAP)) {
		for (size_t i = 0; i < value_len(want); i++)
			walk_item(w, path, arena_printf(w->d->mem, "%zu", i), value_item(live, i), value_item(want, i), nodes);
		return;
	}
	if (!key || !value_len(live) || !value_len(want)) {
		leaf(w, path, live, want, nodes);
		return;
	}
	for (size_t i = 0; i < value_len(want); i++) {
		const struct value *item = value_item(want, i);

		walk_item(w, path, item_name(w->d->mem, value_get(item, key)), item_of(live, key, item), item, nodes);
	}
	for (size_t i = 0; i < value_len(live) && !w->d->subset; i++) {
		const struct value *item = value_item(live, i);

		if (!item_of(want, key, item))
			walk_item(w, path, item_name(w->d->mem, value_get(item, key)), item, NULL, nodes);
	}
}

static void
walk_maps(struct walk *w, const char *path, const struct value *live, const struct value *want, const struct nodes *nodes)
{
	for (size_t i = 0; i < want->map.n; i++)
		walk_key(w, path, want->map.items[i].key, live, want, nodes);
	for (size_t i = 0; i < live->map.n && !w->d->subset; i++)
		if (!value_get(want, live->map.items[i].key))
			walk_key(w, path, live->map.items[i].key, live, want, nodes);
}

static void
walk(struct walk *w, const char *path, const struct value *live, const struct value *want, const struct nodes *nodes)
{
	size_t before = w->out->n + w->out->more;

	if (same(w, live, want))
		return;
	if (w->depth < DEPTH_MAX && value_is(live, VALUE_MAP) && value_is(want, VALUE_MAP))
		walk_maps(w, path, live, want, nodes);
	else if (w->depth < DEPTH_MAX && value_is(live, VALUE_LIST) && value_is(want, VALUE_LIST))
		walk_lists(w, path, live, want, nodes);
	if (w->out->n + w->out->more == before) /* nothing below: another order, an item more in a list that is one whole */
		leaf(w, path, live, want, nodes);
}

/* Without what the API server keeps for itself. Shares everything else with v. */
static struct value *
compared(struct arena *mem, const struct value *v)
{
	static const char *const own[] = { "managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink" };
	struct value *out = value_map(mem), *meta = value_map(mem);
	const struct value *m = value_get(v, "metadata");

	for (size_t i = 0; value_is(v, VALUE_MAP) && i < v->map.n; i++)
		if (strcmp(v->map.items[i].key, "status") != 0)
			value_set(mem, out, v->map.items[i].key, v->map.items[i].value);
	for (size_t i = 0; value_is(m, VALUE_MAP) && i < m->map.n; i++)
		value_set(mem, meta, m->map.items[i].key, m->map.items[i].value);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		(void)value_del(meta, own[i]);
	value_set(mem, out, "metadata", meta);
	return out;
}

void
differ_objects(const struct differ *d, const struct value *live, const struct value *want, struct differences *out)
{
	struct walk w = { .d = d, .out = out };
	struct nodes top = { { NULL } };

	*out = (struct differences){ 0 };
	read_writers(&w, live, &top);
	walk(&w, "", compared(d->mem, live), compared(d->mem, want), &top);
}

/* -- what others added ------------------------------------------------------------------------------------------------------- */

static bool
is_leaf(const struct value *node)
{
	return !value_len(node) || (value_len(node) == 1 && value_get(node, "."));
}

/* What a key of FieldsV1 ("f:spec", "k:{…}", "v:…") names below `v`; *name is how people call it. */
static const struct value *
step(const struct walk *w, const struct value *v, const char *key, const char **name)
{
	if (str_starts(key, "f:")) {
		*name = arena_printf(w->d->mem, ".%s", key + 2);
		return value_get(v, key + 2);
	}
	for (size_t i = 0; value_is(v, VALUE_LIST) && i < value_len(v); i++) {
		const struct value *item = value_item(v, i);
		struct value *k;

		if (str_starts(key, "v:") && json_read(w->d->mem, key + 2, strlen(key + 2), &k, NULL) == 0 && value_equal(k, item)) {
			*name = arena_printf(w->d->mem, "[%s]", w->d->secret ? "…" : differ_show(w->d, item));
			return item;
		}
		if (is_item(w->d->mem, key, item) && json_read(w->d->mem, key + 2, strlen(key + 2), &k, NULL) == 0) {
			*name = arena_printf(w->d->mem, "[%s]", item_name(w->d->mem, k->map.items[0].value));
			return item;
		}
	}
	return NULL;
}

/* `all` is what the next apply would own, `ours` what the last one did: NULL when nothing of it. */
static void
added(struct walk *w, const char *path, const struct value *all, const struct value *ours, const struct value *live,
      const struct value *rendered, const struct nodes *nodes)
{
	if (++w->depth < DEPTH_MAX)
		for (size_t i = 0; value_is(all, VALUE_MAP) && i < all->map.n; i++) {
			const char *key = all->map.items[i].key, *name = "", *again;
			const struct value *node = all->map.items[i].value, *mine = value_get(ours, key);
			const struct value *is = step(w, live, key, &name), *was = step(w, rendered, key, &again);
			const char *at = arena_printf(w->d->mem, "%s%s", path, *path ? name : name + (*name == '.'));
			struct nodes below = { { NULL } };

			for (size_t j = 0; j < w->nwriters; j++)
				below.at[j] = value_len(nodes->at[j]) ? value_get(nodes->at[j], key) : nodes->at[j];
			if (!is || str_eq(key, ".") || (mine && is_leaf(mine)))
				continue;
			if (is_leaf(node) || (str_starts(key, "k:") && !was && !mine)) {
				if (!was)
					leaf(w, at, is, NULL, &below);
			} else {
				added(w, at, node, mine, is, was, &below);
			}
		}
	w->depth--;
}

static const struct value *
apply_entry(const struct value *managed, const char *manager)
{
	for (size_t i = 0; i < value_len(managed); i++) {
		const struct value *entry = value_item(managed, i);

		if (str_eq(value_as_str(value_get(entry, "operation"), NULL), "Apply") && !value_get(entry, "subresource") &&
		    str_eq(value_as_str(value_get(entry, "manager"), NULL), manager))
			return value_get(entry, "fieldsV1");
	}
	return NULL;
}

void
differ_added(const struct differ *d, const char *kind, const struct value *live, const struct value *rendered, struct differences *out)
{
	const struct value *meta = value_get(live, "metadata"), *ours = apply_entry(value_get(meta, "managedFields"), d->manager);
	const struct value *all;
	struct walk w = { .d = d, .out = out };
	struct nodes top = { { NULL } };

	if (!ours)
		return;
	all = fields_take_over(d->mem, meta, kind, value_as_str(value_get(live, "apiVersion"), "v1"), d->manager);
	if (!all)
		return;
	read_writers(&w, live, &top);
	added(&w, "", apply_entry(all, d->manager), ours, live, rendered, &top);
}
