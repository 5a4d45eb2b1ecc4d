/* SPDX-License-Identifier: Apache-2.0 */
/* Where the status branch can be read. */
#include "cli/branch.h"

#include <stdio.h>

#include "cli/person_git.h"
#include "lib/base/str.h"
#include "lib/git/clone.h"

#define FETCH_MS 5000

static void
close_git(void *g)
{
	git_close(g);
}

/* A bare repository that has the branch is what berth writes to, whatever it was cloned from. */
static bool
is_its_own(const struct branch *b, const char *ref)
{
	struct oid id;

	return !str_ends(git_path(b->git), "/.git") && git_ref_read(b->git, ref, &id, NULL) == 0;
}

/* An origin that wants a login, and no --token-file: with the credentials that the person's own git has, which are asked for nowhere. */
static int
fetch_as_person(const struct args *a, const char *ref, const char *use)
{
	const struct person_git g = { a->mem, args_str(a, "C", "."), false };
	const char *const argv[] = { "fetch", "-q", "--no-tags", "--no-write-fetch-head", "origin", arena_printf(a->mem, "+%s:%s", ref, use), NULL };
	struct git_said said;
	struct err e = { 0 };

	return person_git(&g, argv, &said, &e) < 0 || said.code ? ERR_DENIED : 0;
}

static void
fetch_origin(const struct args *a, struct git_repo *git, const char *url, const char *ref, const char *use)
{
	struct git_remote_auth auth = { .token_file = args_str(a, "token-file", NULL) };
	struct err e = { 0 };
	int rc = git_fetch(git, url, &auth, &ref, 1, FETCH_MS, NULL, &e);

	if (rc == ERR_DENIED && !auth.token_file && fetch_as_person(a, ref, use) == 0)
		return;
	if (rc < 0)
		(void)fprintf(stderr, "berth: showing what was fetched last: %s\n%s", e.text, rc != ERR_DENIED ? "" : auth.token_file ?
		              "  that token may not read it: give another one, or leave --token-file out to use git's own credentials\n" :
		              "  `git fetch origin` did not get there either: log in with git, or give --token-file FILE\n");
}

/* A clone: its origin is the truth; on this disk it is read directly, over the network it is fetched. */
static int
follow_origin(const struct args *a, struct branch *b, const char *ref, const char **use, struct err *e)
{
	const char *url, *path;
	struct git_repo *origin;

	*use = ref;
	if (is_its_own(b, ref) || git_origin_url(b->git, "origin", a->mem, &url, NULL) < 0)
		return 0;
	if (git_url_is_local(url, a->mem, &path)) {
		if (git_open(path, &origin, e) < 0)
			return err_wrap(e, "origin");
		arena_defer(a->mem, close_git, origin);
		b->git = origin;
		return 0;
	}
	*use = arena_printf(a->mem, "refs/remotes/origin/%s", ref + 11);
	if (!args_flag(a, "offline"))
		fetch_origin(a, b->git, url, ref, *use);
	return 0;
}

int
branch_open(const struct args *a, const char *name, struct branch *out, struct err *e)
{
	const char *ref = arena_printf(a->mem, "refs/heads/%s", name), *use;
	struct branch b = { 0 };
	struct git_commit_info c;
	int rc;

	if ((rc = git_open(args_str(a, "C", "."), &b.git, e)) < 0) {
		(void)err_hint(e, "give the environments repository or a clone of it with -C DIR");
		return rc;
	}
	arena_defer(a->mem, close_git, b.git);
	if ((rc = follow_origin(a, &b, ref, &use, e)) < 0)
		return rc;
	rc = git_ref_read(b.git, use, &b.tip, e);
	if (rc == ERR_NOTFOUND) {
		*out = b;
		return 0;
	}
	if (rc < 0 || (rc = git_commit_read(b.git, &b.tip, a->mem, &c, e)) < 0)
		return rc;
	b.tree = c.tree;
	b.exists = true;
	*out = b;
	return 0;
}
