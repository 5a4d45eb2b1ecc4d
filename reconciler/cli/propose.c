/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what a change is made on, and checking what it would be. */
#include "cli/propose.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/check_tree.h"
#include "cli/tree.h"
#include "lib/base/str.h"

#define NAMES_MAX 9 /* of one branch */

const char *
propose_git(const struct proposal *p)
{
	return str_eq(p->dir, ".") ? "git" : arena_printf(p->mem, "git -C %s", p->dir);
}

/* -- opening -------------------------------------------------------------------------------------------------------------------------- */

static int
check_ref(struct proposal *p, const char *option, const char *name, struct err *e)
{
	const char *ref = arena_printf(p->mem, "refs/heads/%s", name);
	const char *const args[] = { "check-ref-format", ref, NULL };
	struct person_git quiet = { p->mem, p->dir, false };
	struct git_said said;
	int rc;

	if ((rc = person_git(&quiet, args, &said, e)) < 0)
		return rc;
	if (said.code == 0 && name[0] != '-')
		return 0;
	return err_set(e, ERR_USAGE, "--%s %s: that is no name for a branch", option, name);
}

static int
fetch_base(struct proposal *p, struct err *e)
{
	const char *spec = arena_printf(p->mem, "+refs/heads/%s:refs/remotes/origin/%s", p->base, p->base);
	const char *const args[] = { "fetch", "-q", "--no-tags", "origin", spec, NULL };
	struct git_said said;
	int rc;

	if ((rc = person_git(&p->person, args, &said, e)) < 0)
		return rc;
	if (strstr(said.why, "couldn't find remote ref")) {
		(void)err_set(e, ERR_NOTFOUND, "origin has no branch %s", p->base);
		return err_hint(e, "name the reviewed branch with --base");
	}
	if (said.code)
		(void)fprintf(stderr, "berth: origin does not answer, so this starts from what was fetched last%s%s\n", *said.why ? ": " : "", said.why);
	return 0;
}

static int
read_base(struct proposal *p, struct err *e)
{
	const char *ref = arena_printf(p->mem, "refs/remotes/origin/%s", p->base);
	struct git_commit_info c;
	int rc;

	if ((rc = check_ref(p, "base", p->base, e)) < 0 || (rc = fetch_base(p, e)) < 0)
		return rc;
	if ((rc = git_ref_read(p->git, ref, &p->tip, e)) == ERR_NOTFOUND) {
		(void)err_set(e, ERR_NOTFOUND, "origin has no branch %s here", p->base);
		return err_hint(e, "name the reviewed branch with --base; `git fetch origin` says whether the origin answers");
	}
	if (rc < 0 || (rc = git_commit_read(p->git, &p->tip, p->mem, &c, e)) < 0)
		return rc;
	return git_files(p->git, &c.tree, p->mem, &p->files, e);
}

static int
read_tree(struct proposal *p, struct err *e)
{
	static const char *const args[] = { "remote", "get-url", "origin", NULL };
	int rc;

	if (git_open(p->dir, &p->git, NULL) < 0)
		p->git = NULL; /* any folder of files */
	if (p->git)
		p->url = person_git_get(&p->person, args);
	if ((rc = forge_kind_of_person(p->a, p->url ? p->url : "", &p->kind, e)) < 0 || (rc = forge_of_person(p->a, p->url ? p->url : "", &p->forge, e)) < 0)
		return rc;
	return p->url ? read_base(p, e) : tree_from_dir(p->dir, p->mem, &p->files, e);
}

int
propose_open(const struct args *a, struct proposal *p, struct err *e)
{
	int rc;

	*p = (struct proposal){ .a = a, .mem = a->mem, .dir = args_str(a, "C", ".") };
	p->asks = !args_flag(a, "no-input") && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	p->person = (struct person_git){ p->mem, p->dir, p->asks };
	p->base = args_said(a, "base") ? args_said(a, "base") : "main";
	if ((rc = args_output(a, &p->form, e)) < 0 || (rc = read_tree(p, e)) < 0 || (rc = world_new(&p->was, e)) < 0 ||
	    (rc = world_adopt(p->was, &p->files, NULL, 0, true, e)) < 0)
		return rc;
	if ((rc = world_check_usable(p->was, p->mem, e)) < 0)
		(void)err_hint(e, "-C names the environments repository; `berth validate` shows all that is wrong with it");
	return rc;
}

void
propose_close(struct proposal *p)
{
	world_free(p->is);
	world_free(p->was);
	git_close(p->git);
	forge_close(p->forge);
	p->forge = NULL;
	p->is = p->was = NULL;
	p->git = NULL;
}

bool
propose_rename(struct proposal *p, const char **branch)
{
	if (!p->stem || p->nth == NAMES_MAX)
		return false;
	p->nth = p->nth ? p->nth + 1 : 2;
	*branch = arena_printf(p->mem, "%s-%u", p->stem, p->nth);
	return true;
}

static int
branch_named(struct proposal *p, const char *name, const char *fallback, struct err *e)
{
	int rc = check_ref(p, "branch", name, e);

	if (rc < 0 || (!str_eq(name, p->base) && !str_starts(name, "berth/")))
		return rc;
	(void)err_set(e, ERR_USAGE, "--branch %s: that branch is not for changes under review", name);
	return err_hint(e, "leave --branch out, and it is %s", fallback);
}

int
propose_branch(struct proposal *p, const char *fallback, const char **branch, struct err *e)
{
	const char *name = args_said(p->a, "branch");
	bool here;
	int rc;

	if (name && (rc = branch_named(p, name, fallback, e)) < 0)
		return rc;
	*branch = name ? name : fallback;
	if (!p->url)
		return 0;
	p->stem = name || !p->renames ? NULL : fallback;
	while ((rc = propose_room(p, *branch, &here, e)) == ERR_DENIED && propose_rename(p, branch))
		;
	return rc;
}

/* -- checking --------------------------------------------------------------------------------------------------------------------------- */

static bool
is_changed(const struct file_change *changes, size_t n, const char *file)
{
	for (size_t i = 0; i < n; i++)
		if (file && strcmp(changes[i].path, file) == 0)
			return true;
	return false;
}

static const char *
line_of(struct arena *mem, const struct finding *f)
{
	struct buf line AUTO_BUF = BUF_INIT(0);

	finding_line(f, &line);
	return arena_strdup(mem, buf_cstr(&line));
}

/* What `after` has and `before` had not, and everything of the files changed. */
static void
keep_new(struct arena *mem, const struct report *before, const struct file_change *changes, size_t n, struct report *after)
{
	struct map known AUTO_MAP = MAP_INIT;
	size_t k = 0;

	for (size_t i = 0; i < before->n; i++)
		(void)map_put(&known, line_of(mem, &before->items[i]), NULL);
	after->errors = after->warnings = 0;
	for (size_t i = 0; i < after->n; i++) {
		const struct finding *f = &after->items[i];

		if (!is_changed(changes, n, f->at.file) && map_has(&known, line_of(mem, f)))
			continue;
		after->errors += f->severity == SEVERITY_ERROR;
		after->warnings += f->severity == SEVERITY_WARNING;
		after->items[k++] = *f;
	}
	after->n = k;
	report_sort(after);
}

static void
show(const struct report *r, const struct files *files)
{
	struct buf text AUTO_BUF = BUF_INIT((size_t)64 << 20);

	report_text(r, files, use_colour(STDERR_FILENO), &text);
	(void)fputs(buf_cstr(&text), stderr);
	for (size_t i = 0; i < r->n && r->errors; i++)
		if (r->items[i].severity == SEVERITY_ERROR) {
			(void)fprintf(stderr, "%zu error%s: nothing was written. `berth explain %s` tells more\n", r->errors, r->errors == 1 ? "" : "s",
			              finding_id(r->items[i].code));
			return;
		}
}

/* What all trees share is read once: only paths of the changes differ. */
int
propose_lay(struct proposal *p, const struct file_change *changes, size_t n, struct err *e)
{
	const char **paths = arena_array(p->mem, p->nlaid + n + 1, sizeof(*paths));
	struct files *files = arena_alloc(p->mem, sizeof(*files));
	bool first = !p->is;
	int rc;

	if (first && (rc = world_new(&p->is, e)) < 0)
		return rc;
	for (size_t i = 0; i < p->nlaid; i++)
		paths[i] = p->laid[i].path;
	for (size_t i = 0; i < n; i++)
		paths[p->nlaid + i] = changes[i].path;
	files_over(p->mem, &p->files, changes, n, files);
	if ((rc = world_adopt(p->is, files, paths, p->nlaid + n, first, e)) < 0)
		return rc;
	p->laid = changes;
	p->nlaid = n;
	return 0;
}

int
propose_check(struct proposal *p, const struct file_change *changes, size_t n, const char *owner, struct err *e)
{
	struct tree_check how = { .rendered = owner };
	struct map paths AUTO_MAP = MAP_INIT;
	struct report before, after;
	int rc;

	report_init(&before, p->mem);
	report_init(&after, p->mem);
	for (size_t i = 0; i < n; i++)
		(void)map_put(&paths, changes[i].path, NULL);
	if ((rc = tree_check(p->was, &how, &before, e)) < 0 || (rc = propose_lay(p, changes, n, e)) < 0)
		return rc;
	how.changed = &paths;
	if ((rc = tree_check(p->is, &how, &after, e)) < 0)
		return rc;
	keep_new(p->mem, &before, changes, n, &after);
	show(&after, world_files(p->is));
	return after.errors ? 1 : 0;
}
