/* SPDX-License-Identifier: Apache-2.0 */
/* A sorted array of paths, patched by tree differences. */
#include "repo/tree_files.h"

#include <stdlib.h>
#include <string.h>

struct tree_files {
	struct git_repo *git;
	struct oid tree;
	bool loaded;
	char **paths; /* owns what entries[].path points at, same order */
	struct file_entry *entries;
	size_t n, cap;
	struct files files;
};

struct move {
	struct tree_files *t;
	struct arena *mem;
	const char **changed;
	size_t n, cap;
};

static int
read_entry(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len,
           struct err *e)
{
	if (f->mode == FILE_SYMLINK || f->mode == FILE_SUBMODULE)
		return err_set(e, ERR_INVALID, "%s is a %s, which berth never follows", f->path,
		               f->mode == FILE_SYMLINK ? "symbolic link" : "submodule");
	return git_blob_read(ctx, &f->id, max, mem, bytes, len, e);
}

static void
refresh(struct tree_files *t)
{
	t->files = (struct files){ .entries = t->entries, .n = t->n, .ctx = t->git, .read = read_entry };
}

struct tree_files *
tree_files_new(struct git_repo *g)
{
	struct tree_files *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->git = g;
	refresh(t);
	return t;
}

void
tree_files_free(struct tree_files *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->paths[i]);
	free(t->paths);
	free(t->entries);
	free(t);
}

const struct files *
tree_files_get(const struct tree_files *t)
{
	return &t->files;
}

/* Where `path` stands or would stand. */
static size_t
position(const struct tree_files *t, const char *path, bool *there)
{
	size_t lo = 0, hi = t->n;

	if (t->n && strcmp(t->paths[t->n - 1], path) < 0)
		lo = t->n; /* a first load comes in order: append */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(t->paths[mid], path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*there = lo < t->n && strcmp(t->paths[lo], path) == 0;
	return lo;
}

static void
grow(struct tree_files *t)
{
	t->cap = t->cap ? t->cap * 2 : 256;
	t->paths = realloc(t->paths, t->cap * sizeof(*t->paths));
	t->entries = realloc(t->entries, t->cap * sizeof(*t->entries));
	if (!t->paths || !t->entries)
		abort();
}

static void
entry_insert(struct tree_files *t, size_t at, const char *path)
{
	if (t->n == t->cap)
		grow(t);
	memmove(&t->paths[at + 1], &t->paths[at], (t->n - at) * sizeof(*t->paths));
	memmove(&t->entries[at + 1], &t->entries[at], (t->n - at) * sizeof(*t->entries));
	t->paths[at] = strdup(path);
	if (!t->paths[at])
		abort();
	t->entries[at].path = t->paths[at];
	t->n++;
}

static void
entry_remove(struct tree_files *t, size_t at)
{
	free(t->paths[at]);
	memmove(&t->paths[at], &t->paths[at + 1], (t->n - at - 1) * sizeof(*t->paths));
	memmove(&t->entries[at], &t->entries[at + 1], (t->n - at - 1) * sizeof(*t->entries));
	t->n--;
}

static int
one_change(void *ctx, const struct git_change *c, struct err *e)
{
	struct move *m = ctx;
	bool there;
	size_t at = position(m->t, c->path, &there);

	(void)e;
	if (!c->new_id && there) {
		entry_remove(m->t, at);
	} else if (c->new_id) {
		if (!there)
			entry_insert(m->t, at, c->path);
		m->t->entries[at].id = *c->new_id;
		m->t->entries[at].mode = c->new_mode;
	}
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->changed = arena_regrow(m->mem, m->changed, m->n, m->cap, sizeof(*m->changed));
	}
	m->changed[m->n++] = arena_strdup(m->mem, c->path);
	return 0;
}

static int
by_path(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

int
tree_files_move(struct tree_files *t, const struct oid *tree, struct arena *mem, const char *const **changed, size_t *n,
                struct err *e)
{
	struct move m = { .t = t, .mem = mem };
	int rc = git_tree_diff(t->git, t->loaded ? &t->tree : NULL, tree, 0, one_change, &m, e);

	refresh(t);
	if (rc < 0)
		return rc;
	if (m.n)
		qsort(m.changed, m.n, sizeof(*m.changed), by_path);
	t->tree = *tree;
	t->loaded = true;
	*changed = m.changed;
	*n = m.n;
	return 0;
}
