/* SPDX-License-Identifier: Apache-2.0 */
/* managedFields: whose hand was in an object, and taking over what strangers wrote. */
#include "lib/kube/fields.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kube/fields_priv.h"

#define NAME_MAX_SHOWN 128 /* bytes of one key in a path for people */
#define PATH_MAX_SHOWN 200

enum side { SIDE_FOREIGN, SIDE_ALLOWED };

struct split {
	struct arena *mem;
	const char *kind, *manager;
	enum side want;
	const char *keys[FIELDS_DEPTH];
};

/* The fields of one side, as a tree of its own that shares the leaves; NULL when there are none. */
static struct value *
split(struct split *s, struct value *v, size_t depth)
{
	struct value *out = NULL;

	if (depth && (!value_is(v, VALUE_MAP) || value_len(v) == 0 || depth == FIELDS_DEPTH)) {
		bool allowed = fields_allowed(s->kind, s->manager, s->keys, depth);

		return allowed == (s->want == SIDE_ALLOWED) ? v : NULL;
	}
	for (size_t i = 0; value_is(v, VALUE_MAP) && i < v->map.n; i++) {
		struct value *part;

		s->keys[depth] = v->map.items[i].key;
		part = split(s, v->map.items[i].value, depth + 1);
		if (!part)
			continue;
		if (!out)
			out = value_map(s->mem);
		value_set(s->mem, out, v->map.items[i].key, part);
	}
	return out;
}

static const char *
entry_str(const struct value *entry, const char *key)
{
	return value_as_str(value_get(entry, key), "");
}

static struct value *
side_of(struct arena *mem, const struct value *entry, const char *kind, enum side want)
{
	struct split s = { .mem = mem, .kind = kind, .manager = entry_str(entry, "manager"), .want = want };

	return split(&s, value_get(entry, "fieldsV1"), 0);
}

static bool
is_ours(const struct value *entry, const char *manager)
{
	return strcmp(entry_str(entry, "manager"), manager) == 0 && strcmp(entry_str(entry, "operation"),
	                                                                   "Apply") == 0 &&
	       !*entry_str(entry, "subresource");
}

static bool
plain_key(const char *s)
{
	for (; *s; s++)
		if (*s == '.' || *s == '/' || *s == '[' || *s == ' ')
			return false;
	return true;
}

const char *
fields_item_name(struct arena *mem, const char *key)
{
	AUTO_BUF struct buf out = BUF_INIT(NAME_MAX_SHOWN);
	struct value *v = NULL;

	if (!str_starts(key, "k:") || strlen(key) > NAME_MAX_SHOWN * 4 ||
	    json_read(mem, key + 2, strlen(key + 2), &v, NULL) < 0 ||
	    !value_is(v, VALUE_MAP))
		return str_starts(key, "k:") || str_starts(key, "v:") || str_starts(key, "i:") ? key + 2 : key;
	for (size_t i = 0; i < v->map.n; i++) {
		const struct value *x = v->map.items[i].value;

		buf_str(&out, i ? "/" : "");
		if (value_is(x, VALUE_STR))
			buf_str(&out, x->str.s);
		else
			json_write(x, 0, &out);
	}
	return arena_strdup(mem, buf_cstr(&out));
}

static void
put_key(struct arena *mem, const char *key, struct buf *out)
{
	bool field = str_starts(key, "f:");

	if (field && plain_key(key + 2))
		buf_printf(out, "%s%s", out->len ? "." : "", key + 2);
	else
		buf_printf(out, "[%s]", field ? key + 2 : fields_item_name(mem, key));
}

/* "spec.template.spec.containers[main].image" of the first field in the tree. */
static const char *
path_text(struct arena *mem, const struct value *tree)
{
	AUTO_BUF struct buf out = BUF_INIT(PATH_MAX_SHOWN);

	bool item = false;

	for (size_t depth = 0; value_is(tree, VALUE_MAP) && value_len(tree) && depth < FIELDS_DEPTH; depth++) {
		const struct member *m = &tree->map.items[0];

		/* who put in a whole item has put in its fields too: the item is enough */
		if (strcmp(m->key, ".") == 0 && (item || tree->map.n == 1))
			break;
		if (strcmp(m->key, ".") == 0)
			m = &tree->map.items[1];
		item = str_starts(m->key, "k:");
		put_key(mem, m->key, &out);
		tree = m->value;
	}
	return str_line(mem, str_utf8_valid(buf_cstr(&out), out.len) ? buf_cstr(&out) : "");
}

static void
hash_entry(struct hash_state *h, const struct value *entry, const struct value *fields)
{
	static const char *const keys[] = { "manager", "operation", "apiVersion", "subresource", "time" };
	static const struct value none = { .type = VALUE_NULL };
	struct digest d;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		hash_field_str(h, entry_str(entry, keys[i]));
	value_digest(fields ? fields : &none, &d);
	hash_field(h, d.b, sizeof(d.b));
}

void
fields_look(struct arena *mem, const struct value *metadata, const char *kind, const char *manager,
            struct fields_view *out)
{
	const struct value *list = value_get(metadata, "managedFields"), *newest = NULL, *newest_fields = NULL;
	struct hash_state h;

	*out = (struct fields_view){ .ours = false };
	hash_init(&h);
	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *entry = value_item(list, i), *fields;

		if (is_ours(entry, manager)) {
			out->ours = true;
			hash_entry(&h, entry, value_get(entry, "fieldsV1"));
			continue;
		}
		fields = side_of(mem, entry, kind, SIDE_FOREIGN);
		if (!fields)
			continue;
		out->nforeign++;
		hash_entry(&h, entry, fields);
		if (!newest || strcmp(entry_str(entry, "time"), entry_str(newest, "time")) >= 0) {
			newest = entry;
			newest_fields = fields;
		}
	}
	hash_final(&h, &out->digest);
	if (!newest)
		return;
	out->foreign = value_as_str(value_get(newest, "manager"), "unknown");
	out->foreign_time = value_as_str(value_get(newest, "time"), NULL);
	out->what = path_text(mem, newest_fields);
}

/* All fields of both. An empty map is a leaf: with something below it, that is said by ".". */
static struct value *
unite(struct arena *mem, struct value *a, struct value *b, size_t depth)
{
	struct value *out;

	if (!value_is(a, VALUE_MAP) || !value_is(b, VALUE_MAP) || depth == FIELDS_DEPTH)
		return value_is(a, VALUE_MAP) ? a : b;
	if (!value_len(a) && !value_len(b))
		return a;
	out = value_map(mem);
	if (depth && (!value_len(a) || !value_len(b)))
		value_set(mem, out, ".", value_map(mem));
	for (size_t i = 0; i < a->map.n; i++)
		value_set(mem, out, a->map.items[i].key, a->map.items[i].value);
	for (size_t i = 0; i < b->map.n; i++) {
		struct value *old = value_get(out, b->map.items[i].key), *add = b->map.items[i].value;

		value_set(mem, out, b->map.items[i].key, old ? unite(mem, old, add, depth + 1) : add);
	}
	return out;
}

/* A copy of the entry with other fields. */
static struct value *
with_fields(struct arena *mem, const struct value *entry, struct value *fields)
{
	struct value *out = value_map(mem);

	for (size_t i = 0; i < entry->map.n; i++)
		value_set(mem, out, entry->map.items[i].key, entry->map.items[i].value);
	value_set(mem, out, "fieldsV1", fields);
	return out;
}

static struct value *
entry_new(struct arena *mem, const char *api_version, const char *manager)
{
	struct value *out = value_map(mem);

	value_set(mem, out, "apiVersion", value_str(mem, api_version));
	value_set(mem, out, "fieldsType", value_str(mem, "FieldsV1"));
	value_set(mem, out, "manager", value_str(mem, manager));
	value_set(mem, out, "operation", value_str(mem, "Apply"));
	return out;
}

struct value *
fields_take_over(struct arena *mem, const struct value *metadata, const char *kind, const char *api_version,
                 const char *manager)
{
	const struct value *list = value_get(metadata, "managedFields");
	struct value *ours = NULL, *taken = NULL, *rest = value_list(mem), *out = value_list(mem);

	for (size_t i = 0; i < value_len(list); i++) {
		struct value *entry = value_item(list, i), *fields;

		if (!value_is(entry, VALUE_MAP))
			continue;
		if (!ours && is_ours(entry, manager)) {
			ours = entry;
			continue;
		}
		fields = side_of(mem, entry, kind, SIDE_FOREIGN);
		if (!fields) {
			value_push(mem, rest, entry);
			continue;
		}
		taken = taken ? unite(mem, taken, fields, 0) : fields;
		fields = side_of(mem, entry, kind, SIDE_ALLOWED);
		if (fields)
			value_push(mem, rest, with_fields(mem, entry, fields));
	}
	if (!taken)
		return NULL;
	if (!ours)
		ours = entry_new(mem, api_version, manager);
	value_push(mem, out, with_fields(mem, ours, unite(mem, value_get(ours, "fieldsV1"), taken, 0)));
	for (size_t i = 0; i < value_len(rest); i++)
		value_push(mem, out, value_item(rest, i));
	return out;
}
