/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of lib/git share: the repository behind git.h, object access, raw trees, hashing. */
#pragma once

#include <assert.h>
#include <string.h>

#include <git2.h>

#include "lib/base/hash.h"
#include "lib/base/map.h"
#include "lib/git/git.h"

/* A tree that was looked into last, at one level of a path (tree.c). */
struct git_kept_tree {
	struct oid id;
	git_odb_object *object;
};
#define GIT_KEPT_TREES 3
#define GIT_KEPT_MAX ((size_t)4 << 20)

struct git_repo {
	git_repository *repo;
	git_odb *odb;   /* reads: loose objects and packs */
	git_odb *loose; /* writes of single objects; without packs, so that a write never looks through them again */
	char *path;     /* the repository's own folder, no '/' at the end */
	char *given;    /* the path that it was opened by */
	struct git_kept_tree kept[GIT_KEPT_TREES];
	struct map blobs; /* kept.c: id -> struct kept_blob */
	size_t blobs_size, blobs_max;
	int (*sign)(void *ctx, const void *bytes, size_t n, struct buf *out, struct err *e); /* NULL: commits are not signed */
	void *sign_ctx;
};

/* -- kept.c: false, and nothing, where blobs are not kept -- */
bool git_kept_blob(struct git_repo *g, const struct oid *id, size_t max, struct arena *mem, const char **bytes, size_t *len);
void git_blob_keep(struct git_repo *g, const struct oid *id, const void *bytes, size_t len);

static_assert(sizeof(struct oid) == sizeof(git_oid), "both are the 20 bytes of SHA-1");

/* Trees over this many bytes, and folders deeper than this, are refused. */
#define GIT_TREE_MAX ((size_t)64 << 20)
#define GIT_DEPTH_MAX 32
#define GIT_PATH_MAX 4096

/* Starts libgit2 once for the process: bounded caches and maps, no configuration files, no check of the owner. */
void git_start(void);

/* Sets `e` from libgit2's last error: "fmt: what libgit2 says"; returns the code that rc stands for. */
int git_fail(struct err *e, int rc, const char *fmt, ...) PRINTF(3, 4);

static inline const git_oid *
git_oid_of(const struct oid *id)
{
	return (const git_oid *)(const void *)id->b;
}

static inline void
git_oid_to(struct oid *out, const git_oid *id)
{
	memcpy(out->b, id->id, sizeof(out->b));
}

/*
 * Opens everything anew behind the same handle; negative is libgit2's code. libgit2 keeps the packs that it saw first:
 * after a repack by somebody else only a fresh look is sure to see all.
 */
int git_reopen(struct git_repo *g) MUST_USE;

/*
 * Moves NAME.lock away when it is older than `age` seconds: whoever made it was killed, and git would wait for ever.
 * Only for refs that berth alone writes. True when it did; then try again.
 */
bool git_lock_sweep(struct git_repo *g, const char *name, int age);

#define GIT_STALE_LOCK 10   /* seconds: of a ref, held for a moment */
#define GIT_STALE_PACKED 60 /* of packed-refs, which git holds while it repacks all refs */

/*
 * Reads an object of `type`; larger than `max` bytes is ERR_INVALID, found before reading. When the object is not there or
 * cannot be read, the packs are looked up anew once: another process may have repacked. Free with git_odb_object_free.
 */
int git_object_get(struct git_repo *g, const struct oid *id, git_object_t type, size_t max, git_odb_object **out, struct err *e)
	MUST_USE;

/*
 * Writes one loose object, whatever `git gc` removes meanwhile; *out is its id. One that is there already is made young again, as
 * git does. ERR_UNAVAILABLE when the file system does not take it; any other code is trouble inside libgit2.
 */
int odb_put(struct git_repo *g, git_object_t type, const void *bytes, size_t len, struct oid *out, struct err *e) MUST_USE;

static inline void
git_odb_object_freep(git_odb_object **o)
{
	git_odb_object_free(*o);
}
#define AUTO_OBJECT __attribute__((cleanup(git_odb_object_freep)))

/* -- raw trees --------------------------------------------------------------------------------------------------- */

struct tree_entry {
	const char *name; /* NUL-terminated, inside the tree's bytes */
	size_t len;
	uint32_t mode; /* enum file_mode, or GIT_MODE_FOLDER */
	struct oid id;
};

#define GIT_MODE_FOLDER 0040000u

extern const struct oid git_empty_tree;

/* A tree being read, entry by entry. Zero is a valid empty tree. */
struct tree_iter {
	git_odb_object *object;
	const char *at, *end;
	struct tree_entry e;  /* the current entry, valid while `more` */
	struct tree_entry before;
	bool more;
};

/* Opens a tree (NULL id: none) and stands on its first entry. */
int tree_open(struct git_repo *g, const struct oid *id, struct tree_iter *it, struct err *e) MUST_USE;
/* Moves on; a malformed or unsorted entry, or a name that git forbids, is ERR_INVALID. */
int tree_next(struct tree_iter *it, struct err *e) MUST_USE;
void tree_close(struct tree_iter *it);

/* Git's order of entries: folders compare as name + '/'. */
int tree_order(const struct tree_entry *a, const struct tree_entry *b);

/* A name that may stand in a tree: not empty, ".", "..", ".git" in any spelling that a file system takes for it, no '/'. */
bool tree_name_ok(const char *name, size_t len);

/* -- hashing ------------------------------------------------------------------------------------------------------- */

/* The id of an object: "blob" or "tree" and its bytes. */
void git_hash_object(const char *type, const void *bytes, size_t len, struct oid *out);

/* -- compressing ---------------------------------------------------------------------------------------------------- */

/* One zlib stream used over and over (level 1: git's own default for speed). */
struct zip;
struct zip *zip_new(void);
void zip_free(struct zip *z);
/* Returns a malloc'd zlib stream of the bytes. */
void *zip_bytes(struct zip *z, const void *bytes, size_t len, size_t *zlen);
/* Back again; malloc'd, `len` bytes. */
void *zip_open(const void *z, size_t zlen, size_t len);

/* -- packs ----------------------------------------------------------------------------------------------------------- */

struct pack_out;

/* One new pack of `count` objects, streamed: nothing is visible before pack_commit. */
int pack_begin(struct git_repo *g, uint32_t count, struct pack_out **out, struct err *e) MUST_USE;
/* Adds an object: z is a zlib stream of its `len` bytes. */
int pack_object(struct pack_out *p, git_object_t type, size_t len, const void *z, size_t zlen, struct err *e) MUST_USE;
int pack_commit(struct pack_out *p, struct err *e) MUST_USE;
void pack_free(struct pack_out *p); /* without pack_commit the pack is thrown away */
