/* SPDX-License-Identifier: Apache-2.0 */
/* The pull request of what was pushed, and what a person is told. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/planned_line.h"
#include "cli/propose.h"
#include "cli/pull_open.h"
#include "lib/base/str.h"

/* -- the pull request ---------------------------------------------------------------------------------------------------------------- */

/* What the branch comes to, as `berth plan` ends. */
static void
add_plan(struct proposal *p, const char *commit, struct buf *out)
{
	struct git_commit_info was, is;
	struct oid id;

	if (oid_parse(commit, &id) < 0 || git_commit_read(p->git, &p->tip, p->mem, &was, NULL) < 0 || git_commit_read(p->git, &id, p->mem, &is, NULL) < 0)
		return;
	buf_str(out, "Plan: ");
	planned_between(p->git, &was.tree, &is.tree, p->mem, out);
	buf_char(out, '\n');
}

/* The commit's message: a line, an empty one, the rest. */
static int
open_pull(struct proposal *p, const char *message, struct proposed *done, struct err *e)
{
	struct buf body AUTO_BUF = BUF_INIT(0);
	const char *rest = message + strcspn(message, "\n");
	struct forge_new_pull n = { .title = arena_strndup(p->mem, message, (size_t)(rest - message)), .head = done->branch, .base = p->base };
	struct forge_pull got;
	int rc;

	buf_str(&body, rest + strspn(rest, "\n"));
	buf_char(&body, '\n');
	add_plan(p, done->commit, &body);
	n.body = buf_cstr(&body);
	if ((rc = pull_open(p->forge, &n, p->mem, &got, &done->pull_was, e)) == 0) {
		done->pull = got.number;
		done->pull_url = *got.url ? got.url : NULL;
		return 0;
	}
	if (rc == ERR_INVALID)
		e->code = ERR_DENIED; /* the forge does not want it: nothing of ours is wrong */
	return err_wrap(e, "%s is pushed, but its %s is not open", done->branch, pull_word(p->kind));
}

/* -- telling ------------------------------------------------------------------------------------------------------------------------------------ */

static struct value *
text_or_null(struct arena *mem, const char *s)
{
	return s ? value_str(mem, s) : value_null(mem);
}

static struct value *
pull_value(struct arena *mem, const struct proposed *done)
{
	struct value *v = done->pull ? value_map(mem) : value_null(mem);

	if (!done->pull)
		return v;
	value_set(mem, v, "number", value_int(mem, done->pull));
	value_set(mem, v, "url", text_or_null(mem, done->pull_url));
	return v;
}

static void
print_value(struct proposal *p, const struct proposed *done)
{
	struct value *v = value_map(p->mem);

	value_set(p->mem, v, "file", value_str(p->mem, done->file));
	value_set(p->mem, v, "branch", text_or_null(p->mem, done->branch));
	value_set(p->mem, v, "commit", text_or_null(p->mem, done->commit));
	value_set(p->mem, v, "link", text_or_null(p->mem, done->link));
	value_set(p->mem, v, "pushed", value_bool(p->mem, done->pushed));
	value_set(p->mem, v, "pull", pull_value(p->mem, done));
	output_value(v, p->form);
}

static void
print_folder(struct proposal *p, const struct proposed *done)
{
	if (p->git)
		(void)printf("%s is changed here; there is no origin to push a branch to\nnext: %s add -A %s && %s commit -m \"%s\"\n", done->file,
		             propose_git(p), done->file, propose_git(p), done->file);
	else
		(void)printf("%s is changed here; this folder is no git repository\nnext: commit it where the repository is\n", done->file);
}

static void
print_next(struct proposal *p, const struct proposed *done)
{
	const char *path, *word = done->pushed ? "next:" : "then";

	if (done->pull)
		(void)printf("%s %" PRId64 "%s: %s\n", pull_word(p->kind), done->pull, done->pull_was ? " was open already" : "",
		             done->pull_url ? done->pull_url : done->branch);
	else if (done->link)
		(void)printf("%s open the %s: %s\n", word, pull_word(p->kind), done->link);
	else if (git_url_is_local(p->url, p->mem, &path))
		(void)printf("%s have it reviewed and merged into %s of %s\n", word, p->base, path);
	else
		(void)printf("%s open a pull request from %s to %s (--forge, or `forge:` in ~/.config/berth/config.yaml, says what the origin is, and then the\n"
		             "link is printed)\n", word, done->branch, p->base);
}

static void
print_approvals(struct proposal *p, const struct proposed *done)
{
	const char *mode = value_as_str(value_at(world_site(p->was)->org->spec, "approvals.mode"), NULL);
	const char *what = done->pull ? arena_printf(p->mem, "%" PRId64, done->pull) : done->branch;

	if (str_eq(mode, "signed"))
		(void)printf("before or after the merge, who approves it: berth approve %s\n", what);
	else if (str_eq(mode, "forge"))
		(void)printf("before the merge, who approves it: a review there%s%s\n", done->pull ? ", or berth approve " : "", done->pull ? what : "");
}

static void
print(struct proposal *p, const struct proposed *done)
{
	if (p->form != OUTPUT_TABLE) {
		print_value(p, done);
		return;
	}
	if (!done->branch) {
		print_folder(p, done);
		return;
	}
	if (done->pushed)
		(void)printf("pushed %s (%.7s)\n", done->branch, done->commit);
	else
		(void)printf("the branch %s (%.7s) is in your clone\nnext: %s push origin %s\n", done->branch, done->commit, propose_git(p), done->branch);
	print_next(p, done);
	print_approvals(p, done);
}

int
propose_tell(struct proposal *p, const char *message, struct proposed *done, struct err *e)
{
	int rc = p->forge && done->pushed ? open_pull(p, message, done, e) : 0;

	print(p, done);
	return rc;
}
