/* SPDX-License-Identifier: Apache-2.0 */
/* The commit, the branch and the push; or the files, where there is no origin. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/propose.h"
#include "cli/pull_link.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"

struct making {
	struct proposal *p;
	const char *branch, *ref; /* the ref's full name */
	const char *commit;       /* 40 digits */
	bool made;                /* the branch was not here before */
	bool taken;               /* the origin has one of that name */
};

/* -- files, without an origin --------------------------------------------------------------------------------------------------------------- */

static int
write_new(const char *path, const struct file_change *c, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), rc = 0;

	if (fd < 0 && errno == EEXIST)
		return err_set(e, ERR_DENIED, "%s is there already", path);
	if (fd < 0)
		return err_errno(e, "%s", path);
	if (fs_write_all(fd, c->bytes, c->len) < 0 || fsync(fd) < 0)
		rc = err_errno(e, "%s", path);
	if (close(fd) < 0 && rc == 0)
		rc = err_errno(e, "%s", path);
	if (rc < 0)
		(void)unlink(path);
	return rc;
}

static int
change_disk(struct proposal *p, const struct file_change *changes, size_t n, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		char *path = arena_printf(p->mem, "%s/%s", p->dir, changes[i].path), *slash = strrchr(path, '/');

		if (!changes[i].bytes) {
			rc = unlink(path) < 0 && errno != ENOENT ? err_errno(e, "delete %s", path) : 0;
			continue;
		}
		*slash = '\0';
		rc = fs_mkdirs(path, e);
		*slash = '/';
		if (rc == 0)
			rc = args_flag(p->a, "force") ? fs_write_atomic(path, changes[i].bytes, changes[i].len, 0644, e) : write_new(path, &changes[i], e);
	}
	return rc;
}

/* -- the commit ------------------------------------------------------------------------------------------------------------------------------ */

static int
make_tree(struct proposal *p, const struct file_change *changes, size_t n, struct oid *tree, struct err *e)
{
	struct git_commit_info c;
	struct git_edit *edit;
	int rc;

	if ((rc = git_commit_read(p->git, &p->tip, p->mem, &c, e)) < 0 || (rc = git_edit_new(p->git, &c.tree, &edit, e)) < 0)
		return rc;
	for (size_t i = 0; i < n && rc >= 0; i++)
		rc = changes[i].bytes ? git_edit_put(edit, changes[i].path, changes[i].bytes, changes[i].len, e)
		                      : git_edit_drop(edit, changes[i].path, e);
	if (rc >= 0)
		rc = git_edit_write(edit, tree, NULL, e);
	git_edit_free(edit);
	return rc;
}

/* By git itself: whose commit it is, and with what it is signed, is the person's affair. */
static int
make_commit(struct making *m, const struct oid *tree, const char *message, struct err *e)
{
	static const char *const signs[] = { "config", "--type=bool", "--get", "commit.gpgsign", NULL };
	struct proposal *p = m->p;
	bool sign = str_eq(person_git_get(&p->person, signs), "true");
	char tree_hex[OID_HEX], tip_hex[OID_HEX];
	const char *const args[] = { "commit-tree", tree_hex, "-p", tip_hex, "-m", message, sign ? "-S" : NULL, NULL };
	struct git_said said;
	struct oid id;
	int rc;

	oid_hex(tree, tree_hex);
	oid_hex(&p->tip, tip_hex);
	if ((rc = person_git(&p->person, args, &said, e)) < 0)
		return rc;
	if (said.code || oid_parse(said.out, &id) < 0) {
		(void)err_set(e, ERR_DENIED, "git made no commit%s%s", *said.why ? ": " : "", said.why);
		return err_hint(e, sign ? "commit.gpgsign is set: see that user.signingkey names a key that can sign now; nothing was written"
		                        : "say who you are: git config --global user.name \"…\"; git config --global user.email …");
	}
	m->commit = said.out;
	return 0;
}

/* -- the branch ------------------------------------------------------------------------------------------------------------------------------ */

static void
drop_branch(struct making *m)
{
	struct oid id;
	struct err e = { 0 };

	if (!m->made || oid_parse(m->commit, &id) < 0)
		return;
	if (git_ref_delete(m->p->git, m->ref, &id, &e) < 0)
		(void)fprintf(stderr, "berth: the branch %s stays in your clone: %s\n", m->branch, e.text);
}

/* Ctrl-C leaves none behind. */
static int
stopped(struct making *m, int rc)
{
	if (rc == ERR_CANCELLED)
		drop_branch(m);
	return rc;
}

int
propose_room(struct proposal *p, const char *branch, bool *here, struct err *e)
{
	struct oid there;
	int rc = git_ref_read(p->git, arena_printf(p->mem, "refs/heads/%s", branch), &there, e);

	if (rc < 0 && rc != ERR_NOTFOUND)
		return rc;
	*here = rc == 0;
	if (rc == ERR_NOTFOUND || args_flag(p->a, "force"))
		return 0;
	if ((rc = git_is_ancestor(p->git, &there, &p->tip, e)) != 0)
		return rc < 0 ? rc : 0;
	(void)err_set(e, ERR_DENIED, "your clone has a branch %s already, with commits that %s has not", branch, p->base);
	return err_hint(e, "push it (%s push origin %s), name another one with --branch, or replace it with --force", propose_git(p), branch);
}

static int
make_branch(struct making *m, struct err *e)
{
	struct proposal *p = m->p;
	const struct person_git quiet = { p->mem, p->dir, false };
	struct git_said said;
	bool here;
	int rc = propose_room(p, m->branch, &here, e);

	if (rc < 0)
		return rc;
	m->made = !here;
	const char *const args[] = { "branch", "-q", "--no-track", m->made ? m->branch : "-f", m->made ? m->commit : m->branch, m->made ? NULL : m->commit, NULL };
	if ((rc = person_git(&quiet, args, &said, e)) < 0)
		return stopped(m, rc);
	if (said.code == 0)
		return 0;
	(void)err_set(e, ERR_DENIED, "git made no branch %s: %s", m->branch, said.why);
	return err_hint(e, "name another one with --branch");
}

/* Made by somebody else between our look and theirs, or a folder where the other is a branch. */
static bool
is_in_the_way(const char *why)
{
	static const char *const words[] = { "reference already exists", "cannot lock ref", "failed to update ref" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(why, words[i]))
			return true;
	return false;
}

/* The terminal has what git said, and we have not. */
static bool
is_at_origin(struct making *m)
{
	const struct person_git quiet = { m->p->mem, m->p->dir, false };
	const char *const args[] = { "ls-remote", "--exit-code", "origin", m->ref, NULL };
	struct git_said said;

	return person_git(&quiet, args, &said, NULL) == 0 && said.code == 0;
}

static int
not_pushed(struct making *m, const struct git_said *said, struct err *e)
{
	int code = said->code == 1 ? ERR_DENIED : ERR_UNAVAILABLE; /* 1: a ref was rejected; else the origin was never asked */

	m->taken = strstr(said->why, "(stale info)") || is_in_the_way(said->why) || (code == ERR_DENIED && !*said->why && is_at_origin(m));
	if (m->taken) {
		drop_branch(m);
		(void)err_set(e, ERR_DENIED, "the origin has a branch %s already%s%s", m->branch, is_in_the_way(said->why) ? ", or one in its way: " : "",
		              is_in_the_way(said->why) ? said->why : "");
		return err_hint(e, "is its pull request open? Change it there, name another branch with --branch, or replace it with --force");
	}
	(void)err_set(e, code, "%s%s%s", code == ERR_DENIED ? "the origin did not take it" : "the origin could not be asked", *said->why ? ": " : "", said->why);
	return err_hint(e, "the branch is in your clone: %s push origin %s", propose_git(m->p), m->branch);
}

/* The origin's branch of that name, when main has all of it: then its pull request is done, and it is only in the way. */
static bool
is_merged_there(struct making *m, char hex[OID_HEX])
{
	const struct person_git quiet = { m->p->mem, m->p->dir, false };
	const char *const args[] = { "ls-remote", "origin", m->ref, NULL };
	struct git_said said;
	struct oid there;

	if (person_git(&quiet, args, &said, NULL) < 0 || said.code || strlen(said.out) < OID_HEX)
		return false;
	(void)snprintf(hex, OID_HEX, "%.*s", OID_HEX - 1, said.out);
	return oid_parse(hex, &there) == 0 && git_is_ancestor(m->p->git, &there, &m->p->tip, NULL) == 1;
}

static int
push_once(struct making *m, const char *lease, struct git_said *said, struct err *e)
{
	const char *const args[] = { "push", "-q", lease, "origin", arena_printf(m->p->mem, "%s:%s", m->ref, m->ref), NULL };

	return person_git(&m->p->person, args, said, e);
}

static int
push(struct making *m, struct err *e)
{
	struct proposal *p = m->p;
	const char *lease = args_flag(p->a, "force") ? "--force" : arena_printf(p->mem, "--force-with-lease=%s:", m->ref);
	const char *tracked = arena_printf(p->mem, "refs/remotes/origin/%s", m->branch);
	struct git_said said;
	struct oid there, id;
	char old[OID_HEX];
	int rc;

	if ((rc = push_once(m, lease, &said, e)) < 0)
		return stopped(m, rc);
	if (said.code == 1 && !args_flag(p->a, "force") && is_merged_there(m, old)) {
		(void)fprintf(stderr, "note: the branch %s at the origin is merged, and this takes its place\n", m->branch);
		if ((rc = push_once(m, arena_printf(p->mem, "%s%s", lease, old), &said, e)) < 0)
			return stopped(m, rc);
	}
	if (said.code)
		return not_pushed(m, &said, e);
	if (git_ref_read(p->git, tracked, &there, NULL) == 0 && oid_parse(m->commit, &id) == 0 && oid_eq(&there, &id))
		drop_branch(m); /* git switch finds it at the origin; here it would be in the way once it is merged */
	return 0;
}

static int
make_and_push(struct making *m, struct err *e)
{
	int rc = make_branch(m, e);

	return rc < 0 || args_flag(m->p->a, "no-push") ? rc : push(m, e);
}

int
propose_make(struct proposal *p, const struct file_change *changes, size_t n, const char *branch, const char *message, struct proposed *out, struct err *e)
{
	struct making m = { .p = p };
	struct oid tree;
	int rc;

	if (!p->url)
		return change_disk(p, changes, n, e);
	if ((rc = make_tree(p, changes, n, &tree, e)) < 0 || (rc = make_commit(&m, &tree, message, e)) < 0)
		return rc;
	do {
		m.branch = branch;
		m.ref = arena_printf(p->mem, "refs/heads/%s", branch);
		m.taken = false;
		rc = make_and_push(&m, e);
	} while (rc == ERR_DENIED && m.taken && propose_rename(p, &branch));
	out->branch = branch;
	out->commit = m.commit;
	out->link = pull_link(p->mem, p->kind, p->url, p->base, branch);
	out->pushed = rc == 0 && !args_flag(p->a, "no-push");
	return rc;
}
