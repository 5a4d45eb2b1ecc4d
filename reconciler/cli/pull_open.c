/* SPDX-License-Identifier: Apache-2.0 */
/* One request, and a look at the list when it was refused. */
#include "cli/pull_open.h"

#include "lib/base/str.h"

const char *
pull_word(enum forge_kind kind)
{
	return kind == FORGE_GITLAB ? "merge request" : "pull request";
}

static bool
find(struct forge *f, const struct forge_new_pull *n, struct arena *mem, struct forge_pull *out)
{
	const struct forge_pulls *list;

	if (forge_pulls(f, &list, NULL) < 0)
		return false;
	for (size_t i = 0; i < list->n; i++) {
		const struct forge_pull *p = &list->items[i];

		if (p->fork || !str_eq(p->head_ref, n->head) || !str_eq(p->base_ref, n->base))
			continue;
		*out = *p;
		out->url = arena_strdup(mem, p->url); /* what is told of it; the rest is of the list */
		out->title = out->author = out->head_ref = out->base_ref = out->merged_by = "";
		return true;
	}
	return false;
}

int
pull_open(struct forge *f, const struct forge_new_pull *n, struct arena *mem, struct forge_pull *out, bool *was, struct err *e)
{
	int rc = forge_pull_open(f, n, mem, out, e);

	*was = rc == ERR_CONFLICT;
	return (rc == ERR_CONFLICT || rc == ERR_UNAVAILABLE) && find(f, n, mem, out) ? 0 : rc;
}
