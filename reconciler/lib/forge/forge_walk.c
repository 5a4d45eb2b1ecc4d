/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in pages. */
#include <string.h>

#include "lib/forge/forge_priv.h"

#define SMALLER 5

const char *
forge_walk_path(const struct forge *f, struct forge_walk *w, const char *path, struct arena *mem)
{
	if (!w->size)
		w->size = w->base = FORGE_PAGE;
	if (w->unpaged)
		return path;
	return arena_printf(mem, "%s%c%s=%zu&page=%zu", path, strchr(path, '?') ? '&' : '?', forge_ops(f)->size_key, w->size,
	                    w->offset / w->size + 1);
}

/* Back to whole pages where one begins. */
static void
grow(struct forge_walk *w)
{
	size_t middle = w->base / SMALLER;

	if (w->offset % w->base == 0)
		w->size = w->base;
	else if (w->base % SMALLER == 0 && w->size < middle && w->offset % middle == 0)
		w->size = middle;
}

void
forge_walk_large(struct forge_walk *w)
{
	if (w->size > 1) {
		w->size = w->size == w->base && w->base % SMALLER == 0 ? w->base / SMALLER : 1;
		return;
	}
	w->skipped++;
	w->offset++;
	grow(w);
}

void
forge_walk_on(struct forge_walk *w, size_t n, bool next)
{
	if (!next) {
		w->end = true;
		return;
	}
	/* a server whose pages are smaller than what was asked for (Gitea's MAX_RESPONSE_ITEMS) */
	if (w->offset == 0 && w->size == w->base && n && n < w->size)
		w->size = w->base = n;
	w->offset += w->size;
	grow(w);
}

bool
forge_walk_next(const struct forge_walk *w, const struct forge_answer *a, size_t n)
{
	if (w->unpaged)
		return false;
	if (a->linked)
		return a->next;
	/* fewer than a page can be ones that we may not see (Gitea's pending reviews) */
	if (a->total >= 0)
		return (uint64_t)a->total > w->offset + (n ? n : w->size);
	return n == w->size; /* more: it does not know of pages */
}

/* false: the caller has enough. */
static bool
give(const struct forge_list *l, const struct value *page, size_t *given, bool *more)
{
	for (size_t i = 0; i < value_len(page); i++) {
		if (*given == l->max) {
			*more = true;
			return false;
		}
		if (value_is(value_item(page, i), VALUE_NULL))
			continue;
		(*given)++;
		if (!l->each(l->ctx, value_item(page, i)))
			return false;
	}
	return true;
}

int
forge_each(struct forge *f, const struct forge_list *l, struct forge_end *end, struct err *e)
{
	struct forge_walk w = { .unpaged = l->unpaged, .size = l->page, .base = l->page };
	size_t given = 0;
	bool over = false;

	/* offset counts what could not be shown too, so that this ends whatever the forge says */
	while (!w.end && w.offset <= l->max) {
		AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
		struct forge_call c = { .path = forge_walk_path(f, &w, l->path, mem), .right = l->right, .what = l->what };
		struct forge_answer a;
		struct value *page = NULL;
		int rc = forge_ask(f, &c, mem, &page, &a, e);

		if (end) {
			end->status = a.status;
			end->large = a.large && w.unpaged;
		}
		if (a.large && !w.unpaged) {
			forge_walk_large(&w);
			continue;
		}
		if (rc)
			return rc;
		if (l->to_empty && (!page || value_is(page, VALUE_NULL))) /* Gitea's empty list */
			break;
		if (!value_is(page, VALUE_LIST))
			return forge_strange(f, l->what, e);
		if (!give(l, page, &given, &over))
			break;
		if (l->to_empty) /* what we may not see is missing on a page: fewer than it could have are no sign */
			forge_walk_on(&w, w.size, value_len(page) > 0);
		else
			forge_walk_on(&w, value_len(page), forge_walk_next(&w, &a, value_len(page)));
	}
	if (end)
		end->more = over || (!w.end && w.offset > l->max);
	return 0;
}
