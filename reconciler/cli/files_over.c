/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what is changed from memory and the rest from below. */
#include "cli/files_over.h"

#include <stdlib.h>
#include <string.h>

#include "lib/git/git.h"

struct over {
	const struct files *base;
	const struct file_change *changes;
	size_t n;
};

static const struct file_change *
change_of(const struct over *o, const char *path)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->changes[i].path, path) == 0)
			return &o->changes[i];
	return NULL;
}

static int
read_over(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len, struct err *e)
{
	const struct over *o = ctx;
	const struct file_change *c = change_of(o, f->path);

	if (!c)
		return o->base->read(o->base->ctx, f, max, mem, bytes, len, e);
	if (c->len > max)
		return err_set(e, ERR_INVALID, "%s has %zu bytes, at most %zu are read", f->path, c->len, max);
	*bytes = arena_strndup(mem, c->bytes, c->len);
	*len = c->len;
	return 0;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct file_entry *)a)->path, ((const struct file_entry *)b)->path);
}

void
files_over(struct arena *mem, const struct files *base, const struct file_change *changes, size_t n, struct files *out)
{
	struct over *o = arena_alloc(mem, sizeof(*o));
	struct file_entry *all = arena_array(mem, base->n + n + 1, sizeof(*all));
	size_t k = 0;

	*o = (struct over){ base, changes, n };
	for (size_t i = 0; i < base->n; i++)
		if (!change_of(o, base->entries[i].path))
			all[k++] = base->entries[i];
	for (size_t i = 0; i < n; i++) {
		if (!changes[i].bytes)
			continue;
		all[k] = (struct file_entry){ .path = changes[i].path, .mode = FILE_REGULAR };
		git_hash_blob(changes[i].bytes, changes[i].len, &all[k++].id);
	}
	qsort(all, k, sizeof(*all), by_path);
	*out = (struct files){ .entries = all, .n = k, .ctx = o, .read = read_over };
}
