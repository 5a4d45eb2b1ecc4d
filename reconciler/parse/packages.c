/* SPDX-License-Identifier: Apache-2.0 */
/* What is installed and cloned into an environment. */
#include "parse/packages.h"

#include <string.h>

#include "lib/base/map.h"

static const struct value *
list_of(const struct doc *d, const struct value *spec, const char *manager)
{
	return value_get(value_get(d ? d->spec : spec, "packages"), manager);
}

struct value *
env_packages(struct arena *mem, const struct env *env, const char *manager)
{
	const struct value *lists[] = { env->image ? list_of(env->image, NULL, manager) : NULL, list_of(NULL, env->spec, manager) };
	struct value *out = value_list(mem);
	struct map seen AUTO_MAP = MAP_INIT;

	for (size_t l = 0; l < sizeof(lists) / sizeof(*lists); l++)
		for (size_t i = 0; value_is(lists[l], VALUE_LIST) && i < value_len(lists[l]); i++) {
			struct value *v = value_item(lists[l], i);

			if (!value_is(v, VALUE_STR) || map_has(&seen, v->str.s))
				continue;
			(void)map_put(&seen, v->str.s, v);
			value_push(mem, out, v);
		}
	return out;
}

/* "vit" of https://git.example/lab/vit.git and git@git.example:vit */
static const char *
repository_name(struct arena *mem, const char *url)
{
	size_t n = strlen(url), start;

	while (n > 0 && url[n - 1] == '/')
		n--;
	if (n > 4 && strncmp(url + n - 4, ".git", 4) == 0)
		n -= 4;
	for (start = n; start > 0 && url[start - 1] != '/' && url[start - 1] != ':'; start--)
		;
	return arena_strndup(mem, url + start, n - start);
}

void
env_repository(struct arena *mem, const struct value *item, struct repository *out)
{
	out->url = value_as_str(value_get(item, "url"), "");
	out->ref = value_as_str(value_get(item, "ref"), "");
	out->path = value_as_str(value_get(item, "path"), NULL);
	if (!out->path)
		out->path = arena_printf(mem, "/home/dev/%s", repository_name(mem, out->url));
}
