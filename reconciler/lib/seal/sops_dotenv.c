/* SPDX-License-Identifier: Apache-2.0 */
/* SOPS files of the dotenv format: NAME=value lines; metadata are names that begin with sops_. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/seal/sops_priv.h"

#define LINES_MAX 4096
#define PREFIX "sops_"
#define LIST "__list_"
#define MAP "__map_"

struct lines {
	struct arena *mem;
	struct sops_file *file;
	struct value *meta, *seen;
	unsigned line;
};

/* "\n", written as two characters, stands for a line break. */
static char *
unescape(struct arena *mem, const char *s, size_t n, size_t *len)
{
	char *out = arena_alloc(mem, n + 1);
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		bool escape = s[i] == '\\' && i + 1 < n && s[i + 1] == 'n';

		out[k++] = escape ? '\n' : s[i];
		i += escape;
	}
	out[k] = '\0';
	*len = k;
	return out;
}

/* age__list_0__map_enc; the numbers only have to tell the entries apart. */
static void
add_age(struct lines *l, const char *name, struct value *v)
{
	const char *number = name + strlen("age" LIST), *field = strstr(number, MAP);
	struct value *map = value_get(l->meta, "age"), *entry;
	char *key;

	if (!field)
		return;
	if (!value_is(map, VALUE_MAP)) {
		map = value_map(l->mem);
		value_set(l->mem, l->meta, "age", map);
	}
	key = arena_strndup(l->mem, number, (size_t)(field - number));
	entry = value_get(map, key);
	if (!entry) {
		entry = value_map(l->mem);
		value_set(l->mem, map, key, entry);
	}
	value_set(l->mem, entry, field + strlen(MAP), v);
}

/* Other lists are only known to be there. */
static void
add_meta(struct lines *l, const char *name, struct value *v)
{
	const char *list = strstr(name, LIST);
	struct value *some;

	if (str_starts(name, "age" LIST)) {
		add_age(l, name, v);
	} else if (list) {
		some = value_list(l->mem);
		value_push(l->mem, some, v);
		value_set(l->mem, l->meta, arena_strndup(l->mem, name, (size_t)(list - name)), some);
	} else {
		value_set(l->mem, l->meta, name, v);
	}
}

static int
add_line(struct lines *l, const char *s, size_t n, struct err *e)
{
	const char *equals = memchr(s, '=', n);
	struct value *v;
	char *name, *text;
	size_t len;

	if (!n || *s == '#')
		return 0;
	if (!equals || equals == s)
		return err_set(e, ERR_INVALID, "line %u: not NAME=value", l->line);
	name = arena_strndup(l->mem, s, (size_t)(equals - s));
	if (value_get(l->seen, name))
		return err_set(e, ERR_INVALID, "line %u: the name stands twice", l->line);
	text = unescape(l->mem, equals + 1, n - (size_t)(equals + 1 - s), &len);
	v = value_strn(l->mem, text, len);
	v->at.line = l->line;
	value_set(l->mem, l->seen, name, v);
	if (str_starts(name, PREFIX)) {
		add_meta(l, name + strlen(PREFIX), v);
		return 0;
	}
	return sops_add(l->mem, l->file, sops_step(l->mem, NULL, name, 0), text, len, false, l->line, e);
}

/* A list of what stands under numbers, as the other formats have it. */
static void
list_of_age(struct lines *l)
{
	const struct value *map = value_get(l->meta, "age");
	struct value *list = value_list(l->mem);

	if (!value_is(map, VALUE_MAP))
		return;
	for (size_t i = 0; i < map->map.n; i++)
		value_push(l->mem, list, map->map.items[i].value);
	value_set(l->mem, l->meta, "age", list);
}

int
sops_read_dotenv(struct arena *mem, const char *bytes, size_t n, struct sops_file *out, struct value **meta,
                 struct err *e)
{
	struct lines l = { .mem = mem, .file = out, .meta = value_map(mem), .seen = value_map(mem) };
	const char *end = bytes + n;

	if (memchr(bytes, 0, n) || !str_utf8_valid(bytes, n))
		return err_set(e, ERR_INVALID, "it is not UTF-8 text");
	for (const char *s = bytes; s < end;) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));

		if (++l.line > LINES_MAX)
			return err_set(e, ERR_INVALID, "more than %d lines", LINES_MAX);
		if (add_line(&l, s, (size_t)((eol ? eol : end) - s), e) < 0)
			return e->code;
		s = eol ? eol + 1 : end;
	}
	list_of_age(&l);
	*meta = l.meta->map.n ? l.meta : NULL;
	return 0;
}
