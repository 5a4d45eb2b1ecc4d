/* SPDX-License-Identifier: Apache-2.0 */
/* Git repositories by libgit2: refs, commits, trees and blobs of a bare repository; never a work tree. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/files.h"

/* One thread at a time uses a handle. */
struct git_repo;

/* Opens a bare repository, or the .git of a work tree (bare and work tree by git_repository_open_bare). */
int git_open(const char *path, struct git_repo **out, struct err *e) MUST_USE;
/* Opens, or creates an empty bare repository. */
int git_open_or_init(const char *path, struct git_repo **out, struct err *e) MUST_USE;
void git_close(struct git_repo *g);
const char *git_path(const struct git_repo *g); /* of the repository's own folder */

/* -- refs ---------------------------------------------------------------------------------------------------- */

/* The commit a ref points at ("refs/heads/main", or a revision like "HEAD~1", "4f2c9d1"); ERR_NOTFOUND when there is none. */
int git_ref_read(struct git_repo *g, const char *ref, struct oid *out, struct err *e) MUST_USE;
int git_rev_parse(struct git_repo *g, const char *rev, struct oid *commit, struct err *e) MUST_USE;

struct git_ref {
	const char *name;
	struct oid id;
};

/* For qsort: by name. */
int git_ref_order(const void *a, const void *b);

/* Refs whose name starts with `prefix` ("refs/berth/approvals/"), sorted by name; symbolic ones are left out. At most `max`: more is ERR_INVALID. In mem. */
int git_refs_under(struct git_repo *g, const char *prefix, size_t max, struct arena *mem, struct git_ref **out, size_t *n, struct err *e) MUST_USE;

/* Deletes a ref if it still is `old`; one that is not there is fine. */
int git_ref_delete(struct git_repo *g, const char *ref, const struct oid *old, struct err *e) MUST_USE;

/*
 * Compare-and-swap: moves `ref` from `old` (NULL: it must not exist) to `new_id`. ERR_CONFLICT when it stands elsewhere
 * or somebody holds its lock. A lock file refs/heads/berth/… older than 10 s is moved away first (a killed process left it);
 * *swept (may be NULL) then says so.
 */
int git_ref_cas(struct git_repo *g, const char *ref, const struct oid *old, const struct oid *new_id, const char *message,
                bool *swept, struct err *e) MUST_USE;

/* -- commits ------------------------------------------------------------------------------------------------- */

struct git_commit_info {
	struct oid id, tree;
	struct oid parents[16];
	size_t nparents;            /* at most 16 are given */
	const char *author, *author_email, *committer_email, *message;
	int64_t time;               /* of the committer */
};

int git_commit_read(struct git_repo *g, const struct oid *id, struct arena *mem, struct git_commit_info *out, struct err *e)
	MUST_USE;

/* The commit's own bytes, without its object header: what signatures are of. In mem. */
int git_commit_raw(struct git_repo *g, const struct oid *id, struct arena *mem, const char **bytes, size_t *len, struct err *e) MUST_USE;

/*
 * Tree and first parent (zero: none) alone, of a commit that nothing else can be read of: a server takes commits of any size and with any author line, and
 * whoever walks a branch must get past them. ERR_INVALID: over 64 MiB, or it does not begin with its tree.
 */
int git_commit_shape(struct git_repo *g, const struct oid *id, struct oid *tree, struct oid *parent, struct err *e) MUST_USE;

/* Commits that `from` contains and `without` does not, newest first, at most `max` (*all says whether that is all of them). In mem. */
int git_commits_between(struct git_repo *g, const struct oid *without, const struct oid *from, size_t max, struct arena *mem,
                        struct oid **out, size_t *n, bool *all, struct err *e) MUST_USE;

/* The value of the last "Key: value" trailer of a message's last paragraph, or NULL. */
const char *git_trailer(struct arena *mem, const char *message, const char *key);

/* 1 when `ancestor` is `commit` or reachable from it, 0 when not (or unknown here), negative on trouble. */
int git_is_ancestor(struct git_repo *g, const struct oid *ancestor, const struct oid *commit, struct err *e) MUST_USE;

/* Author and committer are berth <berth@localhost> at `time`. Returns the new commit's id; moves no ref. */
int git_commit_write(struct git_repo *g, const struct oid *tree, const struct oid *parents, size_t nparents, const char *message,
                     int64_t time, struct oid *out, struct err *e) MUST_USE;

/*
 * From now on git_commit_write signs: `sign` gives an armored SSH signature (namespace git) of these bytes; 1: it cannot just now, and the commit goes
 * without. Until the repository is closed.
 */
void git_sign_by(struct git_repo *g, int (*sign)(void *ctx, const void *bytes, size_t n, struct buf *out, struct err *e), void *ctx);

/* -- trees --------------------------------------------------------------------------------------------------- */

struct git_change {
	const char *path;
	const struct oid *old_id, *new_id; /* NULL: was not there, or is gone */
	uint32_t old_mode, new_mode;
};

/*
 * Walks two trees by hand, skipping equal ids; old_tree NULL lists new_tree. fn is called for each file that differs,
 * in path order (git's); a negative return stops the walk and is returned. Depth over 32 or more than `max` files
 * (0: 1,000,000) is ERR_INVALID.
 */
int git_tree_diff(struct git_repo *g, const struct oid *old_tree, const struct oid *new_tree, size_t max,
                  int (*fn)(void *ctx, const struct git_change *c, struct err *e), void *ctx, struct err *e) MUST_USE;

/* The id at `path` inside a tree (a file's or folder's), ERR_NOTFOUND when there is none. mode may be NULL. */
int git_tree_find(struct git_repo *g, const struct oid *tree, const char *path, struct oid *out, uint32_t *mode, struct err *e)
	MUST_USE;

/* Reads a blob; over max bytes is ERR_INVALID, found from the object's header before reading. */
int git_blob_read(struct git_repo *g, const struct oid *id, size_t max, struct arena *mem, const char **bytes, size_t *len,
                  struct err *e) MUST_USE;

/*
 * From now on blobs of up to 64 KiB that were read are kept in memory and not read again, up to `max` bytes in all: for whoever reads nearly the same
 * trees again and again. 0: no more, and what is kept is forgotten.
 */
void git_keep_blobs(struct git_repo *g, size_t max);

/* Bytes of an object, from its header; 0 when it is not here. */
size_t git_object_size(struct git_repo *g, const struct oid *id);

/* Both: the file at `path` inside a tree. */
int git_tree_read(struct git_repo *g, const struct oid *tree, const char *path, size_t max, struct arena *mem, const char **bytes,
                  size_t *len, struct err *e) MUST_USE;

/* The id that these bytes have as a blob; nothing is written. */
void git_hash_blob(const void *bytes, size_t len, struct oid *out);

/* All files of a tree as `struct files` that reads from this repository (which must stay open). Lives in mem. */
int git_files(struct git_repo *g, const struct oid *tree, struct arena *mem, struct files *out, struct err *e) MUST_USE;

/* -- editing a tree in memory ---------------------------------------------------------------------------------- */

struct git_edit;

/* Starts from `base` (NULL: empty). Nothing is written before git_edit_write. */
int git_edit_new(struct git_repo *g, const struct oid *base, struct git_edit **out, struct err *e) MUST_USE;
void git_edit_free(struct git_edit *ed);

/*
 * Puts a file. Returns 1 when that changed something, 0 when the same bytes were there already (nothing is copied then),
 * negative on errors.
 */
int git_edit_put(struct git_edit *ed, const char *path, const void *bytes, size_t len, struct err *e) MUST_USE;

/* Puts a file that the repository has, with any mode of a file; its id is taken as it is. */
int git_edit_place(struct git_edit *ed, const char *path, const struct oid *id, uint32_t mode, struct err *e) MUST_USE;

/* Removes a file or a whole folder; nothing there is fine. Folders that become empty go too. */
int git_edit_drop(struct git_edit *ed, const char *path, struct err *e) MUST_USE;

/*
 * The id of a file as edited so far (it need not have been written yet), or of a folder that git_edit_write has written or nobody
 * has changed; ERR_NOTFOUND when there is none. Unlike git_tree_find it reads each folder once, however many are asked for.
 */
int git_edit_find(struct git_edit *ed, const char *path, struct oid *out, struct err *e) MUST_USE;

/* Names of the direct entries of a folder ("" is the root) as edited so far, sorted; folders end in '/'. */
int git_edit_list(struct git_edit *ed, const char *folder, struct arena *mem, const char ***names, size_t *n, struct err *e)
	MUST_USE;

/* True when something differs from the base. */
bool git_edit_changed(const struct git_edit *ed);

/*
 * Writes blobs and trees that are not there yet and gives the new root tree's id (the empty tree's when nothing is
 * left). More than 500 new objects go out as one pack, fewer loose. Crash-safe: objects become visible before any
 * ref names them. *written (may be NULL): number of objects written.
 */
int git_edit_write(struct git_edit *ed, struct oid *tree, size_t *written, struct err *e) MUST_USE;

/* -- remotes --------------------------------------------------------------------------------------------------- */

struct git_remote_auth {
	const char *token_file; /* HTTP: password or token, first line; NULL: none */
	const char *username;   /* HTTP user for the token (default "berth"), SSH user (default from the URL, else "git") */
	const char *ssh_key_file; /* private key; NULL: the agent */
};

/*
 * Runs the network work in a child of this program (verb "git-child") with a hard deadline: libgit2 1.5 has none.
 * `refs` are full names, at most GIT_FETCH_MAX, read from the remote in the order given (a snapshot: list outputs before inputs);
 * they are stored under refs/remotes/origin/ of `g` (heads of pull requests: GIT_PULLS), forced; a ref that is gone there is deleted here.
 * ERR_UNAVAILABLE names the remote (without credentials) and the reason.
 */
int git_fetch(struct git_repo *g, const char *url, const struct git_remote_auth *auth, const char *const *refs, size_t nrefs,
              int64_t deadline_ms, const atomic_bool *cancel, struct err *e) MUST_USE;

/*
 * All refs below GIT_APPROVALS of the remote come here under their own names, and those that are gone there go here. ERR_INVALID: there are over
 * GIT_BELOW_MAX; nothing is changed then.
 */
int git_fetch_approvals(struct git_repo *g, const char *url, const struct git_remote_auth *auth, int64_t deadline_ms,
                        const atomic_bool *cancel, struct err *e) MUST_USE;

#define GIT_APPROVALS "refs/berth/approvals/"
#define GIT_PULLS "refs/berth/pulls/" /* heads of pull requests: "refs/pull/7/head" and "refs/merge-requests/7/head" come here as 7/head */
#define GIT_BELOW_MAX 2000
#define GIT_FETCH_MAX 64

/*
 * Pushes `id` to `ref`, never forced, and only if the remote ref still is `old` (NULL: absent). ERR_CONFLICT when it moved;
 * ERR_DENIED when the server declined (its message is in the text).
 */
int git_push_ref(struct git_repo *g, const char *url, const struct git_remote_auth *auth, const char *ref,
                 const struct oid *old, const struct oid *id, int64_t deadline_ms, const atomic_bool *cancel, struct err *e) MUST_USE;

/* Deletes `ref` there if it still is `old`. Errors as above. */
int git_push_delete(struct git_repo *g, const char *url, const struct git_remote_auth *auth, const char *ref, const struct oid *old,
                    int64_t deadline_ms, const atomic_bool *cancel, struct err *e) MUST_USE;

/* Is this something to open on disk (a path or file://)? Then *path is that path. Everything else is a URL. */
bool git_url_is_local(const char *url, struct arena *mem, const char **path);

/* The hidden verb that the two above run; argv[0] is "git-child". Returns an exit code. */
int git_child_main(int argc, char **argv);
