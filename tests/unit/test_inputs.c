/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What depends on what: each field of the specs is changed and the renderings are compared. Two tables of the program must say
 * the same, in both directions: cli/inputs.def (variables of a template's context) and cli/touches.def (kinds of objects).
 * UPDATE=1 rewrites them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/depends.h"
#include "render/later.h"
#include "vary.h"

/* Key -> words, sorted. */
struct sets {
	struct map keys; /* -> struct map * of words */
};

struct found {
	struct sets inputs, touches;
	struct map reached; /* fields that were changed at all */
};

static struct found found;
static struct vary vary;

static void
sets_put(struct sets *s, const char *key, const char *word)
{
	struct map *words;
	void *old = NULL;

	if (map_has(&s->keys, key)) {
		old = map_get(&s->keys, key);
	} else {
		old = calloc(1, sizeof(struct map));
		(void)map_put(&s->keys, key, old);
	}
	words = old;
	(void)map_put(words, word, NULL);
}

static void
sets_free(struct sets *s)
{
	void *words;

	for (size_t i = 0; map_next(&s->keys, &i, NULL, &words);) {
		map_free(words);
		free(words);
	}
	map_free(&s->keys);
}

/* Variables whose parts have nothing to do with each other: each counts. */
static bool
is_split(const char *name)
{
	static const char *const names[] = { "user", "toolbox", "resources", "requests", "limits", "quota", "vars", "volumes", "mounts",
		"claims", "ports", "servicePorts", "webPorts" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* A list of things with names as a map of lists: name as rows call it -> the items of that name. */
static const struct value *
by_name(struct arena *mem, const char *list_name, const struct value *v)
{
	struct value *out = value_map(mem);

	for (size_t i = 0; i < value_len(v); i++) {
		const char *name = value_as_str(value_get(value_item(v, i), "name"), "");
		struct value *of;

		name = depends_item(mem, list_name, name);
		of = value_get(out, name);
		if (!of)
			value_set(mem, out, name, of = value_list(mem));
		value_push(mem, of, value_item(v, i));
	}
	return out;
}

static void
compare_maps(struct found *f, struct arena *mem, const char *prefix, const struct value *a, const struct value *b, const char *field)
{
	const struct value *sides[2] = { a, b };
	bool top = strcmp(prefix, "env") == 0 || str_ends(prefix, ".set");

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; value_is(sides[side], VALUE_MAP) && i < sides[side]->map.n; i++) {
			const char *key = sides[side]->map.items[i].key, *name = arena_printf(mem, "%s.%s", prefix, key);
			const struct value *x = value_get(a, key), *y = value_get(b, key);

			if (strcmp(name, "env.spec") == 0 || (x && y && value_equal(x, y)))
				continue;
			if (is_split(key) && value_is(x, VALUE_MAP) && value_is(y, VALUE_MAP))
				compare_maps(f, mem, name, x, y, field);
			else if (top && is_split(key) && value_is(x, VALUE_LIST) && value_is(y, VALUE_LIST))
				compare_maps(f, mem, name, by_name(mem, key, x), by_name(mem, key, y), field);
			else
				sets_put(&f->inputs, name, field);
		}
}

/* The pods' template differs: the controller ends them and starts others. */
static bool
restarts(const struct value *a, const struct value *b)
{
	const struct value *x = value_at(a, "spec.template"), *y = value_at(b, "spec.template");

	return x && y && !value_equal(x, y);
}

static const struct object *
object_find(const struct bundle *b, const char *file)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->objects[i].file, file) == 0)
			return &b->objects[i];
	return NULL;
}

static void
compare_bundles(struct found *f, struct arena *mem, const struct bundle *a, const struct bundle *b, const char *field)
{
	const struct bundle *sides[2] = { a, b };

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < sides[side]->n; i++) {
			const struct object *o = &sides[side]->objects[i], *other = object_find(sides[!side], o->file);

			struct digest x, y;

			if (other) {
				object_digest(o, &x);
				object_digest(other, &y);
				if (memcmp(&x, &y, sizeof(x)) == 0)
					continue;
			}
			sets_put(&f->touches, field, arena_printf(mem, other && restarts(o->value, other->value) ? "%s*" : "%s", o->kind));
		}
}

/* A field without fields inside. Of the others only what is inside is an input. */
static bool
is_leaf(const struct field *f)
{
	const struct field_list *all = &vary.all[f->kind];
	size_t n = strlen(f->path);

	for (size_t i = 0; i < all->n; i++)
		if (strncmp(all->items[i].path, f->path, n) == 0 && strchr(".[", all->items[i].path[n]) && all->items[i].path[n])
			return false;
	return strcmp(f->path, "spec.defaults") != 0;
}

/* "env", or "user.set" and the like. */
static const char *
context_name(const char *unit)
{
	return str_starts(unit, "envs/") ? "env" : str_starts(unit, "users/") ? "user.set" : str_starts(unit, "teams/") ? "team.set" : "org.set";
}

static void
seen(void *ctx, const struct vary_pair *p)
{
	struct found *f = ctx;
	struct arena *mem = arena_new((size_t)64 << 20);
	const char *field = field_name(mem, p->field);

	(void)map_put(&f->reached, field, NULL);
	assert_int_equal(p->before->n, p->after->n);
	for (size_t i = 0; i < p->before->n; i++) {
		const char *unit = p->before->bundles[i]->unit;

		assert_string_equal(unit, p->after->bundles[i]->unit);
		compare_bundles(f, mem, p->before->bundles[i], p->after->bundles[i], field);
		if (is_leaf(p->field))
			compare_maps(f, mem, context_name(unit), p->before->contexts[i], p->after->contexts[i], field);
	}
	arena_free(mem);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **
sorted(struct arena *mem, const struct map *m, size_t *n)
{
	const char **list = arena_array(mem, m->live + 1, sizeof(*list)), *key;

	*n = 0;
	for (size_t i = 0; map_next(m, &i, &key, NULL);)
		list[(*n)++] = key;
	qsort(list, *n, sizeof(*list), by_text);
	return list;
}

/* MACRO("key", "word word …"), lines of at most 130 characters. */
static void
write_sets(struct arena *mem, const struct sets *s, const char *macro, const char *head, struct buf *out)
{
	const char **keys, **words;
	size_t n, k;

	buf_printf(out, "/* SPDX-License-Identifier: Apache-2.0 */\n/* %s; made by UPDATE=1 and checked by tests/unit/test_inputs.c. */\n", head);
	keys = sorted(mem, &s->keys, &n);
	for (size_t i = 0; i < n; i++) {
		size_t column = strlen(macro) + strlen(keys[i]) + 6;

		buf_printf(out, "%s(\"%s\", \"", macro, keys[i]);
		words = sorted(mem, map_get(&s->keys, keys[i]), &k);
		for (size_t w = 0; w < k; w++) {
			if (column + strlen(words[w]) > 126) {
				buf_str(out, "\"\n      \"");
				column = 10;
			}
			buf_printf(out, "%s%s", words[w], w + 1 < k ? " " : "");
			column += strlen(words[w]) + 1;
		}
		buf_str(out, "\")\n");
	}
}

static void
check_file(struct arena *mem, const char *path, const struct buf *want)
{
	const char *a, *b = buf_cstr(want);
	struct err e = { 0 };
	char *text = NULL;
	size_t len, line = 1;

	if (getenv("UPDATE")) {
		if (fs_write_atomic(path, b, want->len, 0644, &e) < 0)
			fail_msg("%s", e.text);
		return;
	}
	if (fs_read(path, (size_t)1 << 20, mem, &text, &len, &e) < 0)
		fail_msg("%s", e.text);
	for (a = text; *a && *a == *b; a++, b++)
		line += *a == '\n';
	if (*a || *b)
		fail_msg("%s:%zu is not what changing the fields shows: '%.*s', it should be '%.*s' (UPDATE=1 rewrites it)", path, line,
		         (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
}

static int
change_everything(void **state)
{
	(void)state;
	vary_init(&vary, seen, &found);
	vary_tree(&vary, "examples");
	vary_tree(&vary, "tests/cases/render/cluster/in");
	vary_tree(&vary, "tests/cases/render/override/in");
	vary_tree(&vary, "tests/cases/render/secrets/in");
	print_message("# %zu renderings compared with the one before a change\n", vary.pairs);
	return vary.pairs > 2000 ? 0 : -1;
}

static int
clean_up(void **state)
{
	(void)state;
	sets_free(&found.inputs);
	sets_free(&found.touches);
	map_free(&found.reached);
	vary_free(&vary);
	return 0;
}

static void
tables_are_what_changes_show(void **state)
{
	struct buf AUTO_BUF a = BUF_INIT(0), b = BUF_INIT(0);

	(void)state;
	write_sets(vary.mem, &found.inputs, "INPUT", "Variables of a template's context, and the fields that they depend on", &a);
	write_sets(vary.mem, &found.touches, "TOUCHES", "Fields, and the kinds of objects that a change of them reaches", &b);
	check_file(vary.mem, "reconciler/cli/inputs.def", &a);
	check_file(vary.mem, "reconciler/cli/touches.def", &b);
}

/* Fields of an environment that nothing is rendered for, and why that is right. A name stands for all inside it. */
static const struct {
	const char *field, *why;
} no_object[] = {
	{ "env.apiVersion", "what kind of document it is" },
	{ "env.kind", "what kind of document it is" },
	{ "env.metadata.name", "must be the file's name" },
	{ "env.metadata.namespace", "must be the owner's namespace" },
	{ "env.metadata.annotations", "notes for people" },
	{ "env.spec.owner", "must be the folder's user" },
};

static bool
is_explained(struct arena *mem, const char *field)
{
	const char *fallback = later_text("nosuch");

	for (size_t i = 0; i < sizeof(no_object) / sizeof(*no_object); i++)
		if (strcmp(no_object[i].field, field) == 0)
			return true;
	for (char *name = arena_strdup(mem, field + strlen("env.")), *end; *name; *end = '\0') {
		if (strcmp(later_text(name), fallback) != 0)
			return true;
		if (str_ends(name, "[]"))
			end = name + strlen(name) - 2;
		else if (!(end = strrchr(name, '.')))
			return false;
	}
	return false;
}

/* A field that is checked, renders nothing and is not named as such by plan and status is one that is dropped silently. */
static void
no_field_is_dropped_silently(void **state)
{
	const struct field_list *all = &vary.all[KIND_ENV];
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < all->n; i++) {
		const char *field = field_name(vary.mem, &all->items[i]);

		if (!is_leaf(&all->items[i]) || map_has(&found.touches.keys, field) || is_explained(vary.mem, field))
			continue;
		print_message("# %s: no object depends on it%s, and later.c does not name it\n", field,
		              map_has(&found.reached, field) ? "" : " (and no value of it was valid anywhere)");
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_what_changes_show),
		cmocka_unit_test(no_field_is_dropped_silently),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, change_everything, clean_up);
}
