/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: a folder on disk as struct files, its documents as a site, its environments resolved. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fs.h"
#include "parse/env.h"

/* A file that a test writes down. */
struct tree_text {
	const char *path, *text;
};

struct tree {
	struct arena *mem;
	const char *root;            /* folder on disk, or NULL */
	const struct tree_text *texts; /* sorted by path, when there is no folder */
	struct files files;
	struct report report;
	struct site site;
	struct env **envs; /* those that resolve, by path */
	size_t nenvs;
};

static inline int
tree_file(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len, struct err *e)
{
	const struct tree *t = ctx;
	char *text;
	int rc;

	if (f->mode != FILE_REGULAR && f->mode != FILE_EXECUTABLE)
		return err_set(e, ERR_INVALID, "%s is not a regular file", f->path);
	if (!t->root) {
		const struct tree_text *row = t->texts + (f - t->files.entries);

		if (strlen(row->text) > max)
			return err_set(e, ERR_INVALID, "%s is larger than %zu bytes", f->path, max);
		*bytes = row->text;
		*len = strlen(row->text);
		return 0;
	}
	rc = fs_read(arena_printf(mem, "%s/%s", t->root, f->path), max, mem, &text, len, e);
	if (rc == 0)
		*bytes = text;
	return rc;
}

static inline void
tree_read(struct tree *t, struct file_entry *entries, size_t n)
{
	struct err e = { 0 };

	t->files = (struct files){ .entries = entries, .n = n, .ctx = t, .read = tree_file };
	report_init(&t->report, t->mem);
	for (size_t i = 0; i < n; i++) {
		struct path_info info;
		struct doc *d;

		path_classify(t->mem, entries[i].path, &info);
		if (info.class != PATH_DOC)
			continue;
		if (doc_read(t->mem, &t->files, &entries[i], &t->report, &d, &e) < 0) {
			(void)fprintf(stderr, "%s: %s\n", entries[i].path, e.text);
			exit(1);
		}
		site_add(&t->site, d);
	}
}

/* Aborts the test program on trouble with the disk; everything about content goes into t->report. */
static inline void
tree_load(struct tree *t, const char *root)
{
	const char **paths;
	unsigned int *modes;
	struct file_entry *entries;
	struct err e = { 0 };
	size_t n;

	memset(t, 0, sizeof(*t));
	t->mem = arena_new((size_t)256 << 20);
	t->root = root;
	if (fs_list(root, 10000, t->mem, &paths, &modes, &n, &e) < 0) {
		(void)fprintf(stderr, "%s: %s\n", root, e.text);
		exit(1);
	}
	entries = arena_array(t->mem, n + 1, sizeof(*entries));
	for (size_t i = 0; i < n; i++) {
		entries[i].path = paths[i];
		entries[i].mode = (modes[i] & 0170000) == 0120000 ? (unsigned int)FILE_SYMLINK : (unsigned int)FILE_REGULAR;
	}
	tree_read(t, entries, n);
}

static inline int
tree_text_order(const void *a, const void *b)
{
	return strcmp(((const struct tree_text *)a)->path, ((const struct tree_text *)b)->path);
}

/* The same from texts in the test; rows without a path are passed over. */
static inline void
tree_load_texts(struct tree *t, const struct tree_text *texts, size_t rows)
{
	struct file_entry *entries;
	struct tree_text *sorted;
	size_t n = 0;

	memset(t, 0, sizeof(*t));
	t->mem = arena_new((size_t)256 << 20);
	sorted = arena_array(t->mem, rows + 1, sizeof(*sorted));
	entries = arena_array(t->mem, rows + 1, sizeof(*entries));
	for (size_t i = 0; i < rows; i++)
		if (texts[i].path)
			sorted[n++] = texts[i];
	qsort(sorted, n, sizeof(*sorted), tree_text_order);
	t->texts = sorted;
	for (size_t i = 0; i < n; i++)
		entries[i] = (struct file_entry){ .path = sorted[i].path, .mode = FILE_REGULAR };
	tree_read(t, entries, n);
}

/* Resolves all environments; those with errors are left out, their findings stand in t->report. */
static inline void
tree_resolve(struct tree *t)
{
	const struct map *docs = &t->site.docs[KIND_ENV];
	struct err e;
	void *d;

	t->envs = arena_array(t->mem, docs->live + 1, sizeof(struct env *));
	for (size_t i = 0; map_next(docs, &i, NULL, &d);)
		if (env_resolve(t->mem, &t->site, &t->files, d, &t->report, &t->envs[t->nenvs], &e) == 0)
			t->nenvs++;
}

static inline void
tree_free(struct tree *t)
{
	site_free(&t->site);
	arena_free(t->mem);
}
