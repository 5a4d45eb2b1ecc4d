/* SPDX-License-Identifier: Apache-2.0 */
/* Refs: reading, compare-and-swap, and lock files that a killed process left behind. */
#include "lib/git/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"

/* The commit behind an id: tags are followed. */
static int
peel(git_object *o, const char *name, struct oid *out, struct err *e)
{
	git_object *c = NULL;
	int rc = git_object_peel(&c, o, GIT_OBJECT_COMMIT);

	if (rc < 0)
		return err_set(e, ERR_INVALID, "%s is not a commit", name);
	git_oid_to(out, git_object_id(c));
	git_object_free(c);
	return 0;
}

int
git_ref_read(struct git_repo *g, const char *ref, struct oid *out, struct err *e)
{
	git_object *o = NULL;
	git_oid id;
	int rc;

	if (!str_starts(ref, "refs/"))
		return git_rev_parse(g, ref, out, e);
	rc = git_reference_name_to_id(&id, g->repo, ref);
	if (rc == GIT_ENOTFOUND)
		return err_set(e, ERR_NOTFOUND, "there is no %s", ref);
	if (rc < 0)
		return git_fail(e, rc, "read %s", ref);
	rc = git_object_lookup(&o, g->repo, &id, GIT_OBJECT_ANY);
	if (rc < 0 && git_reopen(g) == 0)
		rc = git_object_lookup(&o, g->repo, &id, GIT_OBJECT_ANY);
	if (rc < 0)
		return git_fail(e, rc, "read %s", ref);
	rc = peel(o, ref, out, e);
	git_object_free(o);
	return rc;
}

int
git_rev_parse(struct git_repo *g, const char *rev, struct oid *commit, struct err *e)
{
	git_object *o = NULL;
	int rc = git_revparse_single(&o, g->repo, rev);

	if (rc == GIT_ENOTFOUND)
		return err_set(e, ERR_NOTFOUND, "there is no commit %s", rev);
	if (rc < 0)
		return git_fail(e, rc, "find %s", rev);
	rc = peel(o, rev, commit, e);
	git_object_free(o);
	return rc;
}

/* -- stale locks ---------------------------------------------------------------------------------------------------- */

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * Moves a lock file away when it is old. Whoever made it may have gone and a new one may be there by the time of the
 * rename: what was moved is looked at again, and a fresh lock goes back (link(2) never replaces a newer one).
 */
static bool
move_stale(struct git_repo *g, const char *lock, int age)
{
	char away[GIT_PATH_MAX];
	struct stat before, after;
	time_t now = time(NULL);
	int n = snprintf(away, sizeof(away), "%s/berth-stale-lock-%lld-%ld", g->path, (long long)now, (long)getpid());

	if (n < 0 || (size_t)n >= sizeof(away) || lstat(lock, &before) || !S_ISREG(before.st_mode))
		return false;
	if (now - before.st_mtim.tv_sec < age || rename(lock, away))
		return false;
	if (lstat(away, &after) == 0 && same_file(&before, &after))
		return true;
	if (link(away, lock) == 0 || errno == EEXIST)
		(void)unlink(away);
	return false;
}

/* One sweeper at a time: two would take each other's fresh locks for the old one. */
bool
git_lock_sweep(struct git_repo *g, const char *name, int age)
{
	char lock[GIT_PATH_MAX], guard[GIT_PATH_MAX];
	int n = snprintf(lock, sizeof(lock), "%s%s.lock", git_repository_commondir(g->repo), name);
	int m = snprintf(guard, sizeof(guard), "%s/berth-sweep", g->path), AUTO_FD fd = -1;

	if (n < 0 || (size_t)n >= sizeof(lock) || m < 0 || (size_t)m >= sizeof(guard))
		return false;
	fd = open(guard, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		return false;
	return move_stale(g, lock, age);
}

/* -- compare-and-swap ------------------------------------------------------------------------------------------------- */

static int
cas(struct git_repo *g, const char *ref, const git_oid *old, const git_oid *new_id, const char *message)
{
	static const git_oid absent; /* all zeros: "must not exist" */
	git_reference *r = NULL;
	int rc = git_reference_create_matching(&r, g->repo, ref, new_id, 1, old ? old : &absent, message);

	git_reference_free(r);
	return rc;
}

/* Some calls of libgit2 1.5 have a code for a missing folder, others only the class of the error. */
static bool
is_swept(int rc)
{
	const git_error *last = git_error_last();

	return (rc == GIT_ERROR || rc == GIT_ENOTFOUND) && last && last->klass == GIT_ERROR_OS;
}

static int
cas_conflict(struct git_repo *g, int rc, const char *ref, struct err *e)
{
	if (rc != GIT_ELOCKED)
		return err_set(e, ERR_CONFLICT, "%s was moved by somebody else", ref);
	err_set(e, ERR_CONFLICT, "%s is locked by somebody else", ref);
	return err_hint(e, "If no git command runs there, remove %s%s.lock.", git_repository_commondir(g->repo), ref);
}

int
git_ref_cas(struct git_repo *g, const char *ref, const struct oid *old, const struct oid *new_id, const char *message,
            bool *swept, struct err *e)
{
	const git_oid *was = old ? git_oid_of(old) : NULL;
	bool moved = false;
	int rc;

	if (!str_starts(ref, "refs/"))
		return err_set(e, ERR_INVALID, "%s: a full name such as refs/heads/main is needed", ref);
	rc = cas(g, ref, was, git_oid_of(new_id), message);
	if (rc == GIT_ELOCKED && str_starts(ref, "refs/heads/berth/") &&
	    (moved = git_lock_sweep(g, ref, GIT_STALE_LOCK)))
		rc = cas(g, ref, was, git_oid_of(new_id), message);
	/* `git gc` packs refs and removes the folder that the lock was about to be made in: it is made again */
	for (int i = 0; i < 3 && is_swept(rc); i++)
		rc = cas(g, ref, was, git_oid_of(new_id), message);
	if (swept)
		*swept = moved;
	switch (rc) {
	case 0:
		return 0;
	case GIT_EMODIFIED:
	case GIT_EEXISTS:
	case GIT_ELOCKED:
	case GIT_ENOTFOUND: /* it was there when `old` was read */
		return cas_conflict(g, rc, ref, e);
	default:
		return git_fail(e, rc, "move %s", ref);
	}
}
