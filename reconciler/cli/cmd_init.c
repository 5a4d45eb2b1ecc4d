/* SPDX-License-Identifier: Apache-2.0 */
/* berth init: a new environments repository from the template. */
#include <stdio.h>
#include <string.h>

#include "cli/cmd.h"
#include "lib/base/share.h"
#include "lib/base/str.h"
#include "lib/git/clone.h"

/* What goes where: the template at the root; the schemas where the template's .vscode/settings.json looks for them. */
static const struct {
	const char *from, *to;
} folders[] = {
	{ "envs-repo-template/", "" },
	{ "schema/", ".vscode/schema/" },
};

static size_t
gather(struct arena *mem, const struct share_file *all, size_t n, struct git_new_file *files)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < sizeof(folders) / sizeof(folders[0]); j++)
			if (str_starts(all[i].path, folders[j].from))
				files[k++] = (struct git_new_file){
					.path = arena_printf(mem, "%s%s", folders[j].to, all[i].path + strlen(folders[j].from)),
					.bytes = all[i].bytes,
					.len = all[i].len,
					.mode = all[i].mode & 0111 ? FILE_EXECUTABLE : FILE_REGULAR,
				};
	return k;
}

static int
run(const struct args *a, struct err *e)
{
	const struct share_file *all;
	struct git_new_file *files;
	size_t n, k;
	int rc;

	if ((rc = share_files(&all, &n, e)) < 0)
		return rc;
	files = arena_array(a->mem, n + 1, sizeof(*files));
	k = gather(a->mem, all, n, files);
	if (!k)
		return err_set(e, ERR_INTERNAL, "this program holds no template");
	rc = git_init_with(a->pos[0], args_str(a, "branch", "main"), files, k,
	                   "Start an environments repository\n\nThe template of berth " BERTH_VERSION ".\n", e);
	if (rc < 0)
		return rc;
	(void)fprintf(stderr, "%s is an environments repository with %zu files, committed on %s\n", a->pos[0], k,
	              args_str(a, "branch", "main"));
	(void)fprintf(stderr, "next: berth validate -C %s\n      berth run --repo %s --target git --state %s.state\n", a->pos[0],
	              a->pos[0], a->pos[0]);
	return EXIT_FINE;
}

static const struct opt opts[] = {
	{ "branch", "NAME", "name of the first branch (default: main)" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_init = {
	.name = "init", .args = "DIR", .summary = "make a new environments repository from the template",
	.examples = "berth init envs\n",
	.details = "DIR must be new or empty. It becomes a git repository with one commit.",
	.opts = opts, .min = 1, .max = 1, .run = run,
};
