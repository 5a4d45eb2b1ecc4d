/* SPDX-License-Identifier: Apache-2.0 */
/* berth init: a new environments repository from the template. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd.h"
#include "lib/base/share.h"
#include "lib/base/str.h"
#include "lib/git/clone.h"
#include "validate/codeowners.h"

/* What goes where: the template at the root; the schemas where the template's .vscode/settings.json looks for them. */
static const struct {
	const char *from, *to;
} folders[] = {
	{ "envs-repo-template/", "" },
	{ "schema/", ".vscode/schema/" },
};

/* What is for a forge goes into a repository on that one alone; `forge` may be none of them. */
static size_t
gather(struct arena *mem, const struct share_file *all, size_t n, enum owners_forge forge, struct git_new_file *files)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < sizeof(folders) / sizeof(folders[0]); j++) {
			const char *path;
			enum owners_forge of;

			if (!str_starts(all[i].path, folders[j].from))
				continue;
			path = arena_printf(mem, "%s%s", folders[j].to, all[i].path + strlen(folders[j].from));
			of = owners_forge_of(path);
			if (of == OWNERS_FORGES || of == forge)
				files[k++] = (struct git_new_file){
					.path = path,
					.bytes = all[i].bytes,
					.len = all[i].len,
					.mode = all[i].mode & 0111 ? FILE_EXECUTABLE : FILE_REGULAR,
				};
		}
	return k;
}

/* -- code owners, of the files that are about to be written ----------------------------------------------------------- */

struct new_tree {
	const struct git_new_file *files;
	size_t n;
};

static int
by_path(const void *a, const void *b)
{
	const struct file_entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int
read_new(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len, struct err *e)
{
	const struct new_tree *t = ctx;

	for (size_t i = 0; i < t->n; i++) {
		if (strcmp(t->files[i].path, f->path) != 0)
			continue;
		if (t->files[i].len > max)
			return err_set(e, ERR_INVALID, "%s is too large", f->path);
		*bytes = arena_strndup(mem, t->files[i].bytes, t->files[i].len);
		*len = t->files[i].len;
		return 0;
	}
	return err_set(e, ERR_NOTFOUND, "%s", f->path);
}

/* Puts the file, or its newer text, among the `*n` files, where there is room for one more. */
static int
add_owners(struct arena *mem, enum owners_forge forge, struct git_new_file *files, size_t *n, struct err *e)
{
	struct new_tree t = { files, *n };
	struct file_entry *entries = arena_array(mem, *n, sizeof(*entries));
	struct files tree = { .entries = entries, .n = *n, .ctx = &t, .read = read_new };
	struct buf text AUTO_BUF = BUF_INIT(0);
	struct codeowners owners;
	size_t at = 0;
	int rc;

	for (size_t i = 0; i < *n; i++)
		entries[i] = (struct file_entry){ .path = files[i].path, .mode = files[i].mode };
	qsort(entries, *n, sizeof(*entries), by_path);
	if ((rc = codeowners_read(mem, &tree, &owners, e)) < 0)
		return err_wrap(e, "the template");
	codeowners_write(&owners, forge, &text);
	if ((rc = buf_check(&text, owners_places[forge].file, e)) < 0)
		return rc;
	while (at < *n && strcmp(files[at].path, owners_places[forge].file) != 0)
		at++;
	*n += at == *n;
	files[at] = (struct git_new_file){
		.path = owners_places[forge].file,
		.bytes = arena_memdup(mem, buf_cstr(&text), text.len),
		.len = text.len,
		.mode = FILE_REGULAR,
	};
	return 0;
}

static void
say_next(const struct args *a, enum owners_forge forge, size_t n)
{
	const char *dir = a->pos[0], *branch = args_str(a, "branch", "main");

	(void)fprintf(stderr, "%s is an environments repository with %zu files, committed on %s\n", dir, n, branch);
	(void)fprintf(stderr, "next: berth validate -C %s\n      berth run --repo %s --target git --state %s.state\n", dir, dir, dir);
	if (forge != OWNERS_FORGES)
		(void)fprintf(stderr, "      put users, teams and approvals.admins right, then: berth codeowners -C %s --write\n"
		              "      docs/forges.md of berth: the image of the checks, and what to set on the forge\n", dir);
	if ((forge == OWNERS_GITLAB || forge == OWNERS_GITEA) && strcmp(branch, "main") != 0)
		(void)fprintf(stderr, "      write \"%s\" for \"main\" into the settings in .%s/\n", branch, owners_places[forge].forge);
}

static int
run(const struct args *a, struct err *e)
{
	const char *name = args_said(a, "forge");
	enum owners_forge forge = name ? owners_forge_find(name) : OWNERS_FORGES;
	const struct share_file *all;
	struct git_new_file *files;
	size_t n, k;
	int rc;

	if (name && forge == OWNERS_FORGES)
		return err_set(e, ERR_USAGE, "--forge %s: write github, gitlab or gitea", name);
	if ((rc = share_files(&all, &n, e)) < 0)
		return rc;
	files = arena_array(a->mem, n + 1, sizeof(*files));
	k = gather(a->mem, all, n, forge, files);
	if (!k)
		return err_set(e, ERR_INTERNAL, "this program holds no template");
	if (forge != OWNERS_FORGES && (rc = add_owners(a->mem, forge, files, &k, e)) < 0)
		return rc;
	rc = git_init_with(a->pos[0], args_str(a, "branch", "main"), files, k,
	                   "Start an environments repository\n\nThe template of berth " BERTH_VERSION ".\n", e);
	if (rc < 0)
		return rc;
	say_next(a, forge, k);
	return EXIT_FINE;
}

static const struct opt opts[] = {
	{ "branch", "NAME", "name of the first branch (default: main)" },
	{ "forge", "github|gitlab|gitea", "with what that forge reads: checks of pull requests, code owners, templates, settings" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_init = {
	.name = "init", .args = "DIR", .summary = "make a new environments repository from the template",
	.examples = "berth init envs\n"
	            "berth init --forge gitea envs       with its workflow, code owners and branch protection\n",
	.details = "DIR must be new or empty. It becomes a git repository with one commit. The forges' files name an image for their checks\n"
	           "that is yours to build; docs/forges.md of berth says how, and what to set on the forge.",
	.opts = opts, .min = 1, .max = 1, .run = run,
};
