/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled-in files, or the same folders on disk. */
#include "lib/base/share.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/fs.h"

#define SHARE_MAX ((size_t)32 << 20)
#define SHARE_FILES_MAX ((size_t)2000)
#define SHARE_FILE_MAX ((size_t)1 << 20)

/* Written by deploy/embed.sh. */
struct share_row {
	const char *path;
	const char *bytes;
	size_t len;
	size_t mode;
};
extern const struct share_row share_table[] __attribute__((visibility("hidden")));
extern const size_t share_table_n __attribute__((visibility("hidden")));

/* Loaded once and kept to the end of the program. */
static struct {
	pthread_mutex_t lock;
	struct arena *mem;
	const struct share_file *files;
	size_t n;
} share = { PTHREAD_MUTEX_INITIALIZER, NULL, NULL, 0 };

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct share_file *)a)->path, ((const struct share_file *)b)->path);
}

static void
load_table(struct arena *mem, struct share_file **files, size_t *n)
{
	struct share_file *f = arena_array(mem, share_table_n, sizeof(*f));

	for (size_t i = 0; i < share_table_n; i++) {
		const struct share_row *r = &share_table[i];

		f[i] = (struct share_file){ r->path, r->bytes, r->len, (unsigned int)r->mode };
	}
	*files = f;
	*n = share_table_n;
}

static int
load_folder(struct arena *mem, const char *root, const char *folder, struct share_file **files, size_t *n, struct err *e)
{
	const char *dir = arena_printf(mem, "%s/%s", root, folder), **paths;
	unsigned int *modes;
	size_t found;
	int rc;

	if ((rc = fs_list(dir, SHARE_FILES_MAX, mem, &paths, &modes, &found, e)) < 0)
		return rc;
	*files = arena_regrow(mem, *files, *n, *n + found, sizeof(**files));
	for (size_t i = 0; i < found; i++) {
		struct share_file *f = &(*files)[*n];
		char *bytes;

		if (!S_ISREG(modes[i]))
			return err_set(e, ERR_INVALID, "%s/%s is not a regular file", dir, paths[i]);
		rc = fs_read(arena_printf(mem, "%s/%s", dir, paths[i]), SHARE_FILE_MAX, mem, &bytes, &f->len, e);
		if (rc < 0)
			return rc;
		f->path = arena_printf(mem, "%s/%s", folder, paths[i]);
		f->bytes = bytes;
		f->mode = modes[i] & S_IXUSR ? 0755 : 0644;
		(*n)++;
	}
	return 0;
}

static int
load_disk(struct arena *mem, const char *root, struct share_file **files, size_t *n, struct err *e)
{
	static const char *const folders[] = { "envs-repo-template", "schema", "templates" };

	*files = NULL;
	*n = 0;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (load_folder(mem, root, folders[i], files, n, e) < 0)
			return err_wrap(e, "BERTH_SHARE");
	return 0;
}

static int
load(struct err *e)
{
	const char *root = getenv("BERTH_SHARE");
	struct arena *mem = arena_new(SHARE_MAX);
	struct share_file *files;
	size_t n;
	int rc = 0;

	if (root && *root)
		rc = load_disk(mem, root, &files, &n, e);
	else
		load_table(mem, &files, &n);
	if (rc < 0) {
		arena_free(mem);
		return rc;
	}
	if (n)
		qsort(files, n, sizeof(*files), by_path);
	share.mem = mem;
	share.files = files;
	share.n = n;
	return 0;
}

int
share_files(const struct share_file **files, size_t *n, struct err *e)
{
	int rc = 0;

	(void)pthread_mutex_lock(&share.lock);
	if (!share.mem)
		rc = load(e);
	if (rc == 0) {
		*files = share.files;
		*n = share.n;
	}
	(void)pthread_mutex_unlock(&share.lock);
	return rc;
}

int
share_get(const char *path, const struct share_file **out, struct err *e)
{
	const struct share_file key = { path, NULL, 0, 0 }, *files, *f;
	size_t n;
	int rc;

	if ((rc = share_files(&files, &n, e)) < 0)
		return rc;
	f = n ? bsearch(&key, files, n, sizeof(*files), by_path) : NULL;
	if (!f)
		return err_set(e, ERR_NOTFOUND, "no built-in file %s", path);
	*out = f;
	return 0;
}
