/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the two tables of what depends on what. */
#include "cli/depends.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/reserved.h"

static const struct {
	const char *name, *words;
} inputs[] = {
#define INPUT(name, words) { name, words },
#include "cli/inputs.def"
#undef INPUT
}, touches[] = {
#define TOUCHES(name, words) { name, words },
#include "cli/touches.def"
#undef TOUCHES
};

static bool
has_word(const char *list, const char *word, size_t n)
{
	for (const char *s = list; s && *s; s += strcspn(s, " "), s += *s == ' ')
		if (strcspn(s, " ") == n && strncmp(s, word, n) == 0)
			return true;
	return false;
}

/* The words of both lists, each once. */
static const char *
joined(struct arena *mem, const char *all, const char *words)
{
	for (const char *s = words; *s; s += strcspn(s, " "), s += *s == ' ')
		if (!has_word(all, s, strcspn(s, " ")))
			all = arena_printf(mem, "%s%s%.*s", all ? all : "", all ? " " : "", (int)strcspn(s, " "), s);
	return all;
}

const char *
depends_inputs(struct arena *mem, const char *variable)
{
	char *name = arena_strdup(mem, variable), *dot;

	for (;;) {
		for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++)
			if (strcmp(inputs[i].name, name) == 0)
				return inputs[i].words;
		if (!(dot = strrchr(name, '.')))
			return NULL;
		*dot = '\0';
	}
}

const char *
depends_inputs_below(struct arena *mem, const char *variable)
{
	const char *first = strchr(variable, '.');
	char *name = arena_strdup(mem, variable), *dot;

	if (first && str_starts(first, ".set."))
		first = strchr(first + 1, '.');
	for (; first && strlen(name) > (size_t)(first - variable) + 1; *dot = '\0') {
		const char *all = NULL, *prefix = arena_printf(mem, "%s.", name);

		for (size_t i = 0; i < sizeof(inputs) / sizeof(*inputs); i++)
			if (str_starts(inputs[i].name, prefix))
				all = joined(mem, all, inputs[i].words);
		if (all || !(dot = strrchr(name, '.')))
			return all;
	}
	return NULL;
}

/* "spec.volumes" holds "spec.volumes[].size" and "spec.volumes.<name>". */
static bool
is_inside(const char *field, const char *of)
{
	size_t n = strlen(of);

	return strncmp(field, of, n) == 0 && (field[n] == '\0' || field[n] == '.' || field[n] == '[');
}

const char *
depends_touches(struct arena *mem, const char *field)
{
	const char *all = NULL, *text = NULL;

	for (size_t i = 0; i < sizeof(touches) / sizeof(*touches); i++)
		if (is_inside(touches[i].name, field))
			all = joined(mem, all, touches[i].words);
	/* a '*' at the end: the pods restart. Some values of a field may only change the object itself. */
	for (const char *s = all; s && *s; s += strcspn(s, " "), s += *s == ' ') {
		int n = (int)strcspn(s, " ");
		bool star = s[n - 1] == '*';

		if (!star && has_word(all, arena_printf(mem, "%.*s*", n, s), (size_t)n + 1))
			continue;
		text = arena_printf(mem, "%s%s%.*s%s", text ? text : "", text ? ", " : "", n - star, s, star ? " (restarts the pods)" : "");
	}
	return text;
}

const char *
depends_item(struct arena *mem, const char *list, const char *name)
{
	static const char *const prefixes[] = { "vol-", "data-", "port-", "home-", "hugepages-" };

	if (strcmp(list, "vars") == 0)
		return reserved_variable(name) ? name : "*";
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (str_starts(name, prefixes[i]))
			return arena_printf(mem, "%s*", prefixes[i]);
	if (strstr(name, "--"))
		return strstr(name, "--checkpoints") ? "*--checkpoints" : "*--*";
	return name;
}
