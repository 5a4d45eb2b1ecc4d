/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers for findings: texts cut to size, places, nearest names. */
#include "parse/say.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

#define TEXT_MAX 80
#define NAMES_SHOWN 8

const char *
say_text(struct arena *mem, const char *s)
{
	size_t n = strlen(s);

	if (n <= TEXT_MAX)
		return s;
	n = TEXT_MAX;
	while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return arena_printf(mem, "%.*s…", (int)n, s);
}

const char *
say_place(struct arena *mem, const struct value *v)
{
	if (!v || !v->at.file || !v->at.line)
		return "the built-in defaults";
	return arena_printf(mem, "%s:%u:%u", v->at.file, v->at.line, v->at.col);
}

static int
by_text(const void *x, const void *y)
{
	const char *const *a = x, *const *b = y;

	return strcmp(*a, *b);
}

static void
help_with_list(struct report *r, struct finding *f, const char **names, size_t n)
{
	char *text = arena_strdup(r->mem, "");

	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n && i < NAMES_SHOWN; i++)
		text = arena_printf(r->mem, "%s%s%s", text, i ? ", " : "", names[i]);
	finding_help(r, f, "there are: %s%s", text, n > NAMES_SHOWN ? ", …" : "");
}

void
say_nearest(struct report *r, struct finding *f, const struct site *s, enum kind k, const char *name)
{
	const struct map *m = &s->docs[k];
	const char **names = arena_array(r->mem, m->live + 1, sizeof(*names)), *key, *near;
	size_t n = 0;

	for (size_t i = 0; map_next(m, &i, &key, NULL);)
		names[n++] = key;
	near = str_nearest(name, names, n);
	if (near)
		finding_help(r, f, "did you mean '%s'?", near);
	else if (n)
		help_with_list(r, f, names, n);
	else
		finding_help(r, f, "there is no %s yet: add %s/<name>.yaml", kinds[k].noun, kinds[k].folder);
}
