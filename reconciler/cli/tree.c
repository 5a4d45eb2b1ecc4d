/* SPDX-License-Identifier: Apache-2.0 */
/* Trees from disk and from commits. */
#include "cli/tree.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"

#define TREE_FILES_MAX 1000000

static int
read_disk(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len, struct err *e)
{
	const char *dir = ctx;
	char *text;
	int rc;

	if (f->mode == FILE_SYMLINK || f->mode == FILE_SUBMODULE)
		return err_set(e, ERR_INVALID, "%s is a symbolic link, which berth never follows", f->path);
	rc = fs_read(arena_printf(mem, "%s/%s", dir, f->path), max, mem, &text, len, e);
	if (rc == 0)
		*bytes = text;
	return rc;
}

static uint32_t
mode_of(unsigned int st_mode)
{
	if (S_ISLNK(st_mode))
		return FILE_SYMLINK;
	if (!S_ISREG(st_mode))
		return FILE_SUBMODULE; /* sockets, devices: nothing that git would hold as a file */
	return st_mode & S_IXUSR ? FILE_EXECUTABLE : FILE_REGULAR;
}

int
tree_from_dir(const char *dir, struct arena *mem, struct files *out, struct err *e)
{
	struct file_entry *entries;
	const char **paths;
	unsigned int *modes;
	size_t n;
	int rc;

	if (!fs_is_dir(dir)) {
		(void)err_set(e, ERR_NOTFOUND, "%s is not a folder", dir);
		return err_hint(e, "give the environments repository with -C DIR");
	}
	if ((rc = fs_list(dir, TREE_FILES_MAX, mem, &paths, &modes, &n, e)) < 0)
		return rc;
	entries = arena_array(mem, n + 1, sizeof(*entries));
	for (size_t i = 0; i < n; i++)
		entries[i] = (struct file_entry){ .path = paths[i], .mode = mode_of(modes[i]) };
	*out = (struct files){ .entries = entries, .n = n, .ctx = arena_strdup(mem, dir), .read = read_disk };
	return 0;
}

static void
close_git(void *g)
{
	git_close(g);
}

int
tree_from_rev(const char *dir, const char *rev, struct arena *mem, struct files *out, struct oid *id, struct err *e)
{
	struct git_commit_info c;
	struct git_repo *g;
	int rc;

	if ((rc = git_open(dir, &g, e)) < 0)
		return rc;
	arena_defer(mem, close_git, g);
	if ((rc = git_rev_parse(g, rev, id, e)) < 0 || (rc = git_commit_read(g, id, mem, &c, e)) < 0)
		return rc;
	return git_files(g, &c.tree, mem, out, e);
}

int
tree_of_args(const struct args *a, struct files *out, const char **label, struct err *e)
{
	const char *dir = args_str(a, "C", "."), *rev = args_str(a, "commit", NULL);
	char hex[OID_HEX];
	struct oid id;
	int rc;

	if (!rev) {
		*label = "working tree";
		return tree_from_dir(dir, a->mem, out, e);
	}
	if ((rc = tree_from_rev(dir, rev, a->mem, out, &id, e)) < 0)
		return rc;
	oid_hex(&id, hex);
	*label = arena_printf(a->mem, "commit %.7s", hex);
	return 0;
}

int
env_of_arg(struct arena *mem, const char *arg, const char **out, struct err *e)
{
	const char *s = str_starts(arg, "envs/") ? arg + 5 : arg, *slash = strchr(s, '/');
	size_t n = strlen(s);

	if (str_ends(s, ".yaml"))
		n -= 5;
	if (!slash || slash == s || strchr(slash + 1, '/') || (size_t)(slash - s) + 1 >= n)
		return err_set(e, ERR_USAGE, "%s: write an environment as OWNER/NAME, for example alice/train", arg);
	*out = arena_strndup(mem, s, n);
	return 0;
}
