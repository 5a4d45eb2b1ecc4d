/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files on the status branch. */
#include "status/kept.h"

#include <stdlib.h>
#include <string.h>

struct kept_file {
	bool waiting, gone, once;
	size_t n;
	char bytes[];
};

void
kept_free(struct kept *k)
{
	void *v;

	for (size_t i = 0; map_next(&k->files, &i, NULL, &v);)
		free(v);
	map_free(&k->files);
	map_free(&k->folders);
	*k = (struct kept){ .waiting = false };
}

void
kept_set(struct kept *k, const char *path, const void *bytes, size_t n)
{
	struct kept_file *old = map_get(&k->files, path), *f;

	if (old && old->gone == !bytes && (!bytes || (old->n == n && memcmp(old->bytes, bytes, n) == 0)))
		return;
	if (!(f = malloc(sizeof(*f) + n)))
		abort();
	*f = (struct kept_file){ .waiting = true, .gone = !bytes, .n = n };
	if (n)
		memcpy(f->bytes, bytes, n);
	free(map_put(&k->files, path, f));
	k->waiting = true;
}

void
kept_once(struct kept *k, const char *path, const void *bytes, size_t n)
{
	struct kept_file *f;

	kept_set(k, path, bytes, n);
	f = map_get(&k->files, path);
	f->once = true;
}

void
kept_sweep(struct kept *k, const char *folder)
{
	(void)map_put(&k->folders, folder, NULL);
	k->waiting = true;
}

void
kept_mark_all(struct kept *k)
{
	void *v;

	for (size_t i = 0; map_next(&k->files, &i, NULL, &v);)
		((struct kept_file *)v)->waiting = k->waiting = true;
}

static int
drop_unknown(struct kept *k, const char *folder, struct git_edit *edit, struct arena *mem, size_t *changed, struct err *e)
{
	const char **names;
	size_t n;
	int rc;

	if ((rc = git_edit_list(edit, folder, mem, &names, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const char *path = arena_printf(mem, "%s/%.*s", folder, (int)strcspn(names[i], "/"), names[i]);

		if (map_has(&k->files, path))
			continue;
		if ((rc = git_edit_drop(edit, path, e)) < 0)
			return rc;
		++*changed;
	}
	return 0;
}

int
kept_flush(struct kept *k, struct git_edit *edit, struct arena *mem, size_t *changed, struct err *e)
{
	const char *path;
	struct oid id;
	void *v;
	int rc;

	*changed = 0;
	if (!k->waiting)
		return 0;
	for (size_t i = 0; map_next(&k->files, &i, &path, &v);) {
		const struct kept_file *f = v;

		if (!f->waiting)
			continue;
		if (f->once && git_edit_find(edit, path, &id, NULL) == 0)
			rc = 0;
		else if (!f->gone)
			rc = git_edit_put(edit, path, f->bytes, f->n, e);
		else if ((rc = git_edit_find(edit, path, &id, e)) == 0)
			rc = git_edit_drop(edit, path, e) < 0 ? e->code : 1;
		else if (rc == ERR_NOTFOUND)
			rc = 0;
		if (rc < 0)
			return rc;
		*changed += (size_t)rc;
	}
	for (size_t i = 0; map_next(&k->folders, &i, &path, NULL);)
		if ((rc = drop_unknown(k, path, edit, mem, changed, e)) < 0)
			return rc;
	return 0;
}

void
kept_settle(struct kept *k)
{
	const char *path;
	void *v;

	for (size_t i = 0; map_next(&k->files, &i, &path, &v);) {
		struct kept_file *f = v;

		f->waiting = false;
		if (f->gone || f->once) {
			(void)map_del(&k->files, path);
			free(f);
		}
	}
	map_free(&k->folders);
	k->waiting = false;
}
