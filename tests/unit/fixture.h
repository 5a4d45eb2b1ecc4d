/* SPDX-License-Identifier: Apache-2.0 */
/* A commit for tests: files in memory or from a folder, read into a site. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/files.h"
#include "lib/doc/report.h"
#include "parse/doc.h"
#include "parse/env.h"
#include "validate/totals.h"
#include "validate/validate.h"

#define FIXTURE_MAX 512

struct fixture {
	struct arena *mem;
	struct file_entry entries[FIXTURE_MAX];
	const char *texts[FIXTURE_MAX];
	size_t sizes[FIXTURE_MAX];
	struct files files;
	struct report report;
	struct site site;
	struct doc *docs[FIXTURE_MAX];
	size_t ndocs;
	struct totals *totals; /* counts what resolves without errors, when set */
};

static int
fixture_read(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len,
             struct err *e)
{
	const struct fixture *x = ctx;
	size_t i = (size_t)(f - x->entries);

	if (f->mode == FILE_SYMLINK || f->mode == FILE_SUBMODULE)
		return err_set(e, ERR_INVALID, "%s is a link", f->path);
	if (x->sizes[i] > max)
		return err_set(e, ERR_INVALID, "%zu bytes, at most %zu", x->sizes[i], max);
	*bytes = arena_strndup(mem, x->texts[i], x->sizes[i]);
	*len = x->sizes[i];
	return 0;
}

static inline struct fixture *
fixture_new(void)
{
	struct fixture *x = calloc(1, sizeof(*x));

	if (!x)
		abort();
	x->mem = arena_new((size_t)64 << 20);
	x->files = (struct files){ .entries = x->entries, .ctx = x, .read = fixture_read };
	report_init(&x->report, x->mem);
	return x;
}

static inline void
fixture_free(struct fixture *x)
{
	totals_free(x->totals);
	site_free(&x->site);
	arena_free(x->mem);
	free(x);
}

/* Adds or replaces a file; NULL text takes it out. */
static inline void
fixture_put(struct fixture *x, const char *path, uint32_t mode, const char *text, size_t size)
{
	size_t i = 0;

	while (i < x->files.n && strcmp(x->entries[i].path, path) < 0)
		i++;
	if (i == x->files.n || strcmp(x->entries[i].path, path) != 0) {
		size_t n = x->files.n++ - i;

		if (x->files.n > FIXTURE_MAX)
			abort();
		memmove(x->entries + i + 1, x->entries + i, n * sizeof(*x->entries));
		memmove(x->texts + i + 1, x->texts + i, n * sizeof(*x->texts));
		memmove(x->sizes + i + 1, x->sizes + i, n * sizeof(*x->sizes));
		x->entries[i] = (struct file_entry){ .path = arena_strdup(x->mem, path) };
	}
	x->entries[i].mode = mode;
	x->texts[i] = arena_strndup(x->mem, text, size);
	x->sizes[i] = size;
}

static inline void
fixture_add(struct fixture *x, const char *path, const char *text)
{
	fixture_put(x, path, FILE_REGULAR, text, strlen(text));
}

/* All files below a folder; false when it cannot be read. */
static inline bool
fixture_load(struct fixture *x, const char *dir, const char *below)
{
	DIR *d = opendir(below[0] ? arena_printf(x->mem, "%s/%s", dir, below) : dir);
	struct dirent *de;

	if (!d)
		return false;
	while ((de = readdir(d))) {
		const char *path = arena_printf(x->mem, "%s%s%s", below, below[0] ? "/" : "", de->d_name);
		const char *full = arena_printf(x->mem, "%s/%s", dir, path);
		struct stat st;
		char *text;
		FILE *f;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 || lstat(full, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			(void)fixture_load(x, dir, path);
			continue;
		}
		if (S_ISLNK(st.st_mode)) {
			fixture_put(x, path, FILE_SYMLINK, "", 0);
			continue;
		}
		text = arena_alloc(x->mem, (size_t)st.st_size + 1);
		f = fopen(full, "re");
		if (f) {
			fixture_put(x, path, FILE_REGULAR, text, fread(text, 1, (size_t)st.st_size, f));
			(void)fclose(f);
		}
	}
	(void)closedir(d);
	return true;
}

/* Reads every document into the site; with schemas they are checked too. */
static inline void
fixture_parse(struct fixture *x, const struct schemas *schemas)
{
	for (size_t i = 0; i < x->files.n; i++) {
		struct path_info p;
		struct err e = { 0 };

		path_classify(x->mem, x->entries[i].path, &p);
		if (p.class != PATH_DOC)
			continue;
		if (doc_read(x->mem, &x->files, &x->entries[i], &x->report, &x->docs[x->ndocs], &e) < 0)
			abort();
		if (schemas)
			validate_doc(schemas, x->docs[x->ndocs], &x->report);
		site_add(&x->site, x->docs[x->ndocs++]);
	}
}

/* Resolves and checks every environment; *out (may be NULL) gets the last that resolved. */
static inline void
fixture_resolve(struct fixture *x, struct env **out)
{
	for (size_t i = 0; i < x->ndocs; i++) {
		struct err e = { 0 };
		struct env *env;

		if (x->docs[i]->kind != KIND_ENV ||
		    env_resolve(x->mem, &x->site, &x->files, x->docs[i], &x->report, &env, &e) < 0)
			continue;
		if (validate_env(env, &x->site, &x->report) == 0 && x->totals)
			totals_add(x->totals, env);
		if (out)
			*out = env;
	}
}

/* All findings, a line each, in the order that people see. */
static inline char *
fixture_lines(struct fixture *x)
{
	struct buf AUTO_BUF out = BUF_INIT(0);

	report_sort(&x->report);
	for (size_t i = 0; i < x->report.n; i++) {
		finding_line(&x->report.items[i], &out);
		buf_char(&out, '\n');
	}
	return arena_strdup(x->mem, buf_cstr(&out));
}
