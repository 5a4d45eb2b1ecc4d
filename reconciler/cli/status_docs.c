/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the status branch's documents. */
#include "cli/status_docs.h"

#include <stdio.h>
#include <string.h>

#include "cli/branch.h"
#include "cli/tree.h"
#include "lib/base/str.h"
#include "repo/source.h"
#include "status/document.h"

struct reading {
	const struct args *a;
	struct branch b;
	struct status_docs out;
};

static bool
wanted(const struct args *a, const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < a->npos; i++)
		if (n == strlen(a->pos[i]) + 10 && strncmp(path + 5, a->pos[i], n - 10) == 0)
			return true;
	return !a->npos;
}

static int
visit(void *ctx, const struct git_change *c, struct err *e)
{
	struct reading *l = ctx;
	bool repo = str_eq(c->path, STATUS_REPO);
	struct arena *mem = l->a->mem;
	const char *path;
	struct value *v;
	int rc;

	if (!repo && !(status_is_path(c->path) && wanted(l->a, c->path)))
		return 0;
	path = arena_strdup(mem, c->path);
	if ((rc = status_read_blob(l->b.git, c->new_id, path, mem, &v, e)) < 0)
		return rc;
	if (!v) {
		(void)fprintf(stderr, "berth: %s on the status branch cannot be read; the daemon will write it anew\n", path);
		return 0;
	}
	if (repo)
		l->out.repo = v;
	else
		value_push(mem, l->out.docs, v);
	return 0;
}

int
status_docs_read(const struct args *a, struct status_docs *out, struct err *e)
{
	struct reading l = { .a = a, .out = { .docs = value_list(a->mem) } };
	int rc;

	for (size_t i = 0; i < a->npos; i++)
		if ((rc = env_of_arg(a->mem, a->pos[i], &a->pos[i], e)) < 0)
			return rc;
	if ((rc = branch_open(a, BRANCH_STATUS, &l.b, e)) < 0)
		return rc;
	if (!l.b.exists) {
		(void)err_set(e, ERR_NOTFOUND, "there is no branch " BRANCH_STATUS " yet");
		return err_hint(e, "it appears when `berth run` has made its first pass over this repository");
	}
	if ((rc = git_tree_diff(l.b.git, NULL, &l.b.tree, 0, visit, &l, e)) < 0)
		return rc;
	if (a->npos && value_len(l.out.docs) < a->npos) {
		(void)err_set(e, ERR_NOTFOUND, "the status branch has no %s", a->pos[0]);
		return err_hint(e, "`berth status` lists what there is; a spec must be on the branch that berth watches");
	}
	*out = l.out;
	return 0;
}
