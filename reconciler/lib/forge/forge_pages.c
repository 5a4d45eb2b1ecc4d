/* SPDX-License-Identifier: Apache-2.0 */
/* The open pull requests: what did not change is neither sent nor read again. */
#include "lib/forge/forge_pages.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 100
#define PAGE_MEM ((size_t)2 << 20) /* of ITEMS_MAX entries with names, a title and a URL, each at its maximum */

struct page {
	size_t offset, size; /* where it is */
	uint64_t large;      /* the reading in which it was larger than an answer may be, 0: it was not; read in smaller ones since */
	bool next, used;
	char etag[256];
	struct arena *mem;
	struct forge_pull *items;
	size_t n, raw, nulls; /* raw: entries that it had */
};

struct forge_pages {
	struct page *pages;
	size_t n, cap;
	uint64_t readings;
	bool fresh;           /* something was read since `list` was made: its texts may be gone */
	struct digest digest; /* of its entries */
	struct forge_pulls list;
	struct forge_pull *items;
};

struct forge_pages *
forge_pages_new(void)
{
	struct forge_pages *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	return p;
}

void
forge_pages_free(struct forge_pages *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		arena_free(p->pages[i].mem);
	free(p->pages);
	free(p->items);
	free(p);
}

static struct page *
page_at(struct forge_pages *p, size_t offset, size_t size)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->pages[i].offset == offset && p->pages[i].size == size)
			return &p->pages[i];
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 8;
		p->pages = reallocarray(p->pages, p->cap, sizeof(*p->pages));
		if (!p->pages)
			abort();
	}
	p->pages[p->n] = (struct page){ .offset = offset, .size = size };
	return &p->pages[p->n++];
}

/* -- one page ---------------------------------------------------------------------------------------------------------------- */

/* Of what is kept: the rest (when somebody pushed to the repository, how many stars it has) changes all the time. */
static void
digest_items(const struct forge_pull *items, size_t n, struct digest *out)
{
	struct hash_state h;

	hash_init(&h);
	for (size_t i = 0; i < n; i++) {
		const struct forge_pull *p = &items[i];
		const char *const texts[] = { p->title, p->author, p->head_ref, p->base_ref, p->url, p->head_sha, p->merge_sha, p->base_sha };
		int64_t numbers[] = { p->number, p->state, p->fork, p->updated };

		for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
			hash_field_str(&h, texts[k]);
		hash_field(&h, numbers, sizeof(numbers));
	}
	hash_final(&h, out);
}

static int
read_items(struct forge *f, struct page *g, const struct value *list, const char *what, struct err *e)
{
	size_t len = value_len(list), n = 0, nulls = 0;
	struct forge_pull *items;
	struct arena *mem;

	if (len > ITEMS_MAX)
		return forge_strange(f, what, e);
	mem = arena_new(PAGE_MEM);
	items = arena_array(mem, len + 1, sizeof(*items));
	for (size_t i = 0; i < len; i++) {
		const struct value *v = value_item(list, i);

		if (value_is(v, VALUE_NULL)) { /* Gitea: one that it cannot show */
			nulls++;
			continue;
		}
		if (!forge_ops(f)->read_pull(mem, v, &items[n++])) {
			arena_free(mem);
			return forge_strange(f, what, e);
		}
	}
	arena_free(g->mem);
	g->mem = mem;
	g->items = items;
	g->n = n;
	g->nulls = nulls;
	return 0;
}

static int
take_page(struct forge *f, struct forge_pages *p, struct page *g, const struct value *v, const struct forge_answer *a,
          const char *what, struct err *e)
{
	int rc;

	if (!value_is(v, VALUE_LIST))
		return forge_strange(f, what, e);
	if ((rc = read_items(f, g, v, what, e)))
		return rc;
	p->fresh = true;
	g->raw = value_len(v);
	memcpy(g->etag, a->etag, sizeof(g->etag));
	return 0;
}

static void
forget(struct page *g)
{
	arena_free(g->mem);
	*g = (struct page){ .offset = g->offset, .size = g->size, .used = g->used };
}

static int
read_page(struct forge *f, struct forge_pages *p, struct forge_walk *w, struct err *e)
{
	AUTO_ARENA struct arena *mem = arena_new(FORGE_MEM);
	struct forge_call c = { .path = forge_walk_path(f, w, forge_ops(f)->pulls, mem), .right = RIGHT_READ,
		                .what = arena_printf(mem, "list the open %ss", forge_ops(f)->thing) };
	struct page *g = page_at(p, w->offset, w->size);
	struct forge_answer a;
	struct value *v = NULL;
	int rc;

	g->used = true;
	if (g->large) {
		forge_walk_large(w);
		return 0;
	}
	c.etag = g->mem ? g->etag : NULL;
	rc = forge_ask(f, &c, mem, &v, &a, e);
	if (a.large) {
		p->fresh = true;
		forget(g);
		g->large = p->readings;
		forge_walk_large(w);
		return 0;
	}
	if (rc || (a.status != 304 && (rc = take_page(f, p, g, v, &a, c.what, e))))
		return rc;
	/* a full page whose content stayed may have got a successor since */
	if (a.status != 304 || a.linked)
		g->next = forge_walk_next(w, &a, g->raw);
	forge_walk_on(w, g->raw, g->next || (a.status == 304 && g->raw >= g->size));
	return 0;
}

/* -- the list ---------------------------------------------------------------------------------------------------------------- */

static int
by_number(const void *x, const void *y)
{
	const struct forge_pull *a = x, *b = y;

	return a->number < b->number ? -1 : a->number > b->number;
}

static void
drop_unused(struct forge_pages *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (p->pages[i].used) {
			p->pages[n++] = p->pages[i];
			continue;
		}
		p->fresh = true;
		arena_free(p->pages[i].mem);
	}
	p->n = n;
}

static void
make_list(struct forge_pages *p)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->pages[i].n;
	free(p->items);
	if (!(p->items = calloc(n + 1, sizeof(*p->items))))
		abort();
	n = 0;
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < p->pages[i].n; k++)
			p->items[n++] = p->pages[i].items[k];
	}
	qsort(p->items, n, sizeof(*p->items), by_number);
	/* one that moved to another page while they were read */
	for (size_t i = 0; i < n; i++)
		if (!kept || p->items[kept - 1].number != p->items[i].number)
			p->items[kept++] = p->items[i];
	p->list.items = p->items;
	p->list.n = kept < FORGE_PULLS_MAX ? kept : FORGE_PULLS_MAX;
	p->fresh = false;
}

/* The same entries are the same list, whatever else the forge told of them or on which page they were. */
static void
look_for_change(struct forge_pages *p)
{
	struct digest now;

	digest_items(p->list.items, p->list.n, &now);
	if (p->list.version && memcmp(&now, &p->digest, sizeof(now)) == 0)
		return;
	p->digest = now;
	p->list.version++;
	/* what was too large may be so no longer */
	for (size_t i = 0; i < p->n; i++)
		if (p->pages[i].large != p->readings)
			p->pages[i].large = 0;
}

int
forge_pulls(struct forge *f, const struct forge_pulls **out, struct err *e)
{
	struct forge_pages *p = forge_pages(f);
	struct forge_walk w = { .size = 0 };
	int rc;

	p->readings++;
	for (size_t i = 0; i < p->n; i++)
		p->pages[i].used = false;
	while (!w.end && w.offset < FORGE_PULLS_MAX)
		if ((rc = read_page(f, p, &w, e)))
			return rc;
	drop_unused(p);
	if (p->fresh || !p->list.version) {
		make_list(p);
		look_for_change(p);
	}
	p->list.more = !w.end;
	p->list.skipped = w.skipped;
	for (size_t i = 0; i < p->n; i++)
		p->list.skipped += p->pages[i].nulls;
	*out = &p->list;
	return 0;
}
