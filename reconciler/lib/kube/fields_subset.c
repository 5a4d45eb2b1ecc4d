/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing what is wanted with what the API server holds, without knowing the schema. */
#include "lib/kube/fields.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/doc/number.h"
#include "lib/kube/fields_priv.h"

#define DEPTH_MAX 100
#define PATH_MAX_SHOWN 200

__extension__ typedef __int128 wide;

/* How a subtree is compared; handed down. */
enum { EXACT_TEXT = 1, QUANTITIES = 2, ATOMIC = 4 };

struct step {
	const struct step *up;
	const char *key; /* NULL: an item */
	size_t index;
	const char *name; /* of an item that was found by its key, or NULL */
	size_t depth;
};

struct compare {
	struct arena *mem;
	const char *where;
};

/* Maps of free keys: their values are people's texts, or amounts. */
static const struct {
	const char *key;
	unsigned flags;
} maps[] = {
	{ "labels", EXACT_TEXT }, { "annotations", EXACT_TEXT }, { "matchLabels", EXACT_TEXT },
	{ "nodeSelector", EXACT_TEXT },
	{ "selector", EXACT_TEXT }, { "data", EXACT_TEXT }, { "binaryData", EXACT_TEXT }, { "nodeLabels", EXACT_TEXT },
	{ "parameters", EXACT_TEXT }, { "limits", QUANTITIES }, { "requests", QUANTITIES }, { "hard", QUANTITIES },
	{ "capacity", QUANTITIES }, { "min", QUANTITIES }, { "max", QUANTITIES }, { "default", QUANTITIES },
	{ "defaultRequest", QUANTITIES }, { "maxLimitRequestRatio", QUANTITIES }, { "sizeLimit", QUANTITIES },
	{ "storage", QUANTITIES }, { "divisor", QUANTITIES }, { "nominalQuota", QUANTITIES },
	{ "borrowingLimit", QUANTITIES },
	{ "lendingLimit", QUANTITIES },
};

/* Lists that the API server merges by these keys; the second may be absent and is then `otherwise`. */
static const struct list_key {
	const char *list, *key, *second, *otherwise;
} lists[] = {
	{ "containers", "name", NULL, NULL }, { "initContainers", "name", NULL, NULL }, { "env", "name", NULL, NULL },
	{ "volumes", "name", NULL, NULL }, { "volumeMounts", "mountPath", NULL, NULL },
	{ "volumeDevices", "devicePath", NULL, NULL },
	{ "ports", "containerPort", "protocol", "TCP" }, { "ports", "port", "protocol", "TCP" },
	{ "imagePullSecrets", "name", NULL, NULL }, { "secrets", "name", NULL, NULL },
	{ "resourceClaims", "name", NULL, NULL },
	{ "hostAliases", "ip", NULL, NULL }, { "topologySpreadConstraints", "topologyKey", "whenUnsatisfiable", "" },
	{ "ownerReferences", "uid", NULL, NULL }, { "replicatedJobs", "name", NULL, NULL },
	{ "listeners", "name", NULL, NULL },
};

/* Fields that are not written when they have no value: the API server gives nothing back for false, 0 and "". */
static const char *const dropped[] = {
	"publishNotReadyAddresses", "hostNetwork", "hostPID", "hostIPC", "readOnly", "stdin", "stdinOnce", "tty",
	"paused", "nodePort",
	"hostPort", "minReadySeconds", "initialDelaySeconds", "value", "subPath", "effect", "suspend",
};

/* Digits with a suffix as billionths; false for anything else, and for what does not fit or is finer. */
static bool
quantity_nano(const char *s, wide *out)
{
	static const struct {
		const char *suffix;
		int exp10;
		unsigned exp2;
	} suffixes[] = { { "", 0, 0 }, { "n", -9, 0 }, { "u", -6, 0 }, { "m", -3, 0 }, { "k", 3, 0 }, { "M", 6, 0 },
	                 { "G", 9, 0 },
		         { "T", 12, 0 }, { "P", 15, 0 }, { "E", 18, 0 }, { "Ki", 0, 10 }, { "Mi", 0, 20 },
		             { "Gi", 0, 30 },
		         { "Ti", 0, 40 }, { "Pi", 0, 50 }, { "Ei", 0, 60 } };
	const wide limit = (wide)INT64_MAX * INT64_MAX / 16;
	bool minus = *s == '-', point = false;
	int exp = 9, digits = 0;
	int64_t power = 0;
	wide v = 0;

	for (s += *s == '-' || *s == '+'; (*s >= '0' && *s <= '9') || (*s == '.' && !point); s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		if (++digits > 18)
			return false;
		v = v * 10 + (*s - '0');
		exp -= point;
	}
	if (!digits)
		return false;
	if ((*s == 'e' || *s == 'E') && s[1] && strcmp(s, "Ei") != 0) {
		if (str_to_i64(s + 1 + (s[1] == '+'), &power) < 0 || power < -99 || power > 99)
			return false;
		exp += (int)power;
		s = "";
	}
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (strcmp(s, suffixes[i].suffix) != 0)
			continue;
		v *= (wide)1 << suffixes[i].exp2;
		for (exp += suffixes[i].exp10; v && exp > 0; exp--)
			if ((v *= 10) > limit)
				return false;
		for (; v && exp < 0; exp++) {
			if (v % 10)
				return false;
			v /= 10;
		}
		*out = minus ? -v : v;
		return true;
	}
	return false;
}

static bool
read_quantity(const struct value *v, wide *out)
{
	char text[NUMBER_MAX];

	if (value_is(v, VALUE_STR))
		return strlen(v->str.s) == v->str.len && quantity_nano(v->str.s, out);
	if (value_is(v, VALUE_INT)) {
		(void)number_int(v->integer, text);
		return quantity_nano(text, out);
	}
	if (!value_is(v, VALUE_REAL))
		return false;
	if (v->text)
		return quantity_nano(v->text, out);
	/* what number_real cannot write is no quantity either */
	if (!(v->real > -1e18 && v->real < 1e18))
		return false;
	(void)number_real(v->real, text);
	return quantity_nano(text, out);
}

static void
put_path(const struct step *s, struct buf *out)
{
	if (!s || s->depth > DEPTH_MAX)
		return;
	put_path(s->up, out);
	if (s->key && strpbrk(s->key, "./[ "))
		buf_printf(out, "[%s]", s->key);
	else if (s->key)
		buf_printf(out, "%s%s", out->len ? "." : "", s->key);
	else if (s->name)
		buf_printf(out, "[%s]", s->name);
	else
		buf_printf(out, "[%zu]", s->index);
}

static const char *
step_text(struct arena *mem, const struct step *s)
{
	AUTO_BUF struct buf out = BUF_INIT(PATH_MAX_SHOWN);

	put_path(s, &out);
	return str_line(mem, buf_cstr(&out));
}

static bool
differs(struct compare *c, const struct step *at)
{
	c->where = step_text(c->mem, at);
	return false;
}

static bool
nothing(const struct value *v)
{
	return !v || v->type == VALUE_NULL || ((v->type == VALUE_MAP || v->type == VALUE_LIST) && value_len(v) == 0);
}

static bool
is_dropped(const struct step *at, const struct value *want)
{
	bool zero = (value_is(want, VALUE_BOOL) && !want->boolean) || (value_is(want, VALUE_INT) &&
	                                                               want->integer == 0) ||
	            (value_is(want, VALUE_STR) && want->str.len == 0);

	for (size_t i = 0; zero && at && at->key && i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (strcmp(dropped[i], at->key) == 0)
			return true;
	return false;
}

static bool
same_scalar(const struct value *want, const struct value *live, unsigned flags)
{
	wide x, y;
	bool mixed = value_is(want, VALUE_STR) != value_is(live, VALUE_STR);

	if (value_equal(want, live))
		return true;
	return !(flags & EXACT_TEXT) && (mixed || flags & QUANTITIES) && read_quantity(want, &x) &&
	    read_quantity(live, &y) && x == y;
}

/* The first key of the table that every item of `want` has. */
static const struct list_key *
key_of(const char *list, const struct value *want)
{
	for (size_t i = 0; list && i < sizeof(lists) / sizeof(lists[0]); i++) {
		size_t n = 0;

		if (strcmp(lists[i].list, list) != 0)
			continue;
		while (n < value_len(want) && value_get(value_item(want, n), lists[i].key))
			n++;
		if (n == value_len(want))
			return &lists[i];
	}
	return NULL;
}

static bool
same_key(const struct list_key *k, const struct value *a, const struct value *b)
{
	const struct value *x = value_get(a, k->key), *y = value_get(b, k->key);

	if (!x || !y || !same_scalar(x, y, EXACT_TEXT))
		return false;
	return !k->second || strcmp(value_as_str(value_get(a, k->second), k->otherwise),
	                            value_as_str(value_get(b, k->second), k->otherwise)) == 0;
}

/* The one at the same place first: lists that nobody touched are in the same order. */
static const struct value *
find_item(const struct list_key *k, const struct value *list, const struct value *like, size_t guess)
{
	if (same_key(k, value_item(list, guess), like))
		return value_item(list, guess);
	for (size_t i = 0; i < value_len(list); i++)
		if (same_key(k, value_item(list, i), like))
			return value_item(list, i);
	return NULL;
}

static bool covers(struct compare *c, const struct step *at, const struct value *want, const struct value *live,
                   unsigned flags);

static bool
list_covers(struct compare *c, const struct step *at, const struct value *want, const struct value *live,
            unsigned flags)
{
	const struct list_key *k = flags & ATOMIC ? NULL : key_of(at->key, want);

	if (value_len(want) == 0 ? !nothing(live) : !value_is(live, VALUE_LIST))
		return differs(c, at);
	if (!k && value_len(want) != value_len(live))
		return differs(c, at);
	for (size_t i = 0; i < value_len(want); i++) {
		const struct value *w = value_item(want, i), *l = k ? find_item(k, live, w, i) : value_item(live, i);
		struct step item = { at, NULL, i, k ? value_as_str(value_get(w, k->key), NULL) : NULL, at->depth + 1 };

		if (k && !l)
			return differs(c, &item);
		if (!covers(c, &item, w, l, k ? flags : flags | ATOMIC))
			return false;
	}
	return true;
}

static bool
member_covers(struct compare *c, const struct step *at, const struct member *m, const struct value *live,
              unsigned flags)
{
	struct step below = { at, m->key, 0, NULL, at->depth + 1 };
	const struct value *l = value_get(live, m->key);

	/* {} is everything in a peer and nothing elsewhere */
	if (flags & ATOMIC && (strcmp(m->key, "from") == 0 || strcmp(m->key, "to") == 0))
		return nothing(m->value) ? nothing(l) || differs(c, &below) : (l && value_equal(m->value, l)) ||
		    differs(c, &below);
	for (size_t i = 0; !(flags & EXACT_TEXT) && i < sizeof(maps) / sizeof(maps[0]); i++)
		if (strcmp(maps[i].key, m->key) == 0)
			flags |= maps[i].flags;
	return covers(c, &below, m->value, l, flags);
}

static bool
covers(struct compare *c, const struct step *at, const struct value *want, const struct value *live, unsigned flags)
{
	if (!want || want->type == VALUE_NULL)
		return true;
	if (at->depth > DEPTH_MAX)
		return differs(c, at);
	if (want->type == VALUE_LIST)
		return list_covers(c, at, want, live, flags);
	if (want->type == VALUE_MAP) {
		if (!nothing(live) && live->type != VALUE_MAP)
			return differs(c, at);
		for (size_t i = 0; i < want->map.n; i++)
			if (!member_covers(c, at, &want->map.items[i], live, flags))
				return false;
		return true;
	}
	if (!live || live->type == VALUE_NULL)
		return (!(flags & EXACT_TEXT) && is_dropped(at, want)) || differs(c, at);
	return same_scalar(want, live, flags) || differs(c, at);
}

bool
fields_subset(struct arena *mem, const struct value *want, const struct value *live, const char **where)
{
	struct compare c = { .mem = mem };
	const struct step top = { NULL, "", 0, NULL, 0 };
	bool same = covers(&c, &top, want, live, 0);

	if (where)
		*where = c.where;
	return same;
}

/* The item of `list` that a key of FieldsV1 means: k:{"name":"main"}, v:"x", i:0. NULL: there is none. */
static const struct value *
item_of(struct arena *mem, const struct value *list, const char *key)
{
	struct value *like = NULL;
	int64_t i;

	if (str_starts(key, "i:"))
		return str_to_i64(key + 2, &i) == 0 && i >= 0 ? value_item(list, (size_t)i) : NULL;
	if (json_read(mem, key + 2, strlen(key + 2), &like, NULL) < 0)
		return NULL;
	for (size_t n = 0; n < value_len(list); n++) {
		const struct value *item = value_item(list, n);
		bool same = value_is(like, VALUE_MAP) ? value_is(item, VALUE_MAP) : value_equal(like, item);

		for (size_t k = 0; same && value_is(like, VALUE_MAP) && k < like->map.n; k++) {
			const struct value *x = value_get(item, like->map.items[k].key);

			/* keys that the API server fills in, as the protocol of a port, need not be written */
			same = x ? value_equal(x, like->map.items[k].value) : k > 0;
		}
		if (same)
			return item;
	}
	return NULL;
}

static bool
extra(struct compare *c, const struct step *at, const struct value *want, const struct value *fields)
{
	for (size_t i = 0; value_is(fields, VALUE_MAP) && at->depth < DEPTH_MAX && i < fields->map.n; i++) {
		const char *key = fields->map.items[i].key;
		bool field = str_starts(key, "f:"), item = str_starts(key, "k:") || str_starts(key, "v:") ||
		    str_starts(key, "i:");
		struct step below = { at, field ? key + 2 : NULL, 0, item ? fields_item_name(c->mem, key) : NULL,
		                      at->depth + 1 };
		const struct value *w;

		if (!field && !item)
			continue;
		w = field ? value_get(want, key + 2) : item_of(c->mem, want, key);
		if (!w)
			return !differs(c, &below);
		if (extra(c, &below, w, fields->map.items[i].value))
			return true;
	}
	return false;
}

bool
fields_extra(struct arena *mem, const struct value *want, const struct value *metadata, const char *manager,
             const char **where)
{
	const struct value *list = value_get(metadata, "managedFields");
	struct compare c = { .mem = mem };
	const struct step top = { NULL, "", 0, NULL, 0 };
	bool found = false;

	for (size_t i = 0; !found && i < value_len(list); i++) {
		const struct value *e = value_item(list, i);

		if (strcmp(value_as_str(value_get(e, "manager"), ""), manager) == 0 &&
		    !*value_as_str(value_get(e, "subresource"), "") &&
		    strcmp(value_as_str(value_get(e, "operation"), ""), "Apply") == 0)
			found = extra(&c, &top, want, value_get(e, "fieldsV1"));
	}
	if (where)
		*where = c.where;
	return found;
}
