/* SPDX-License-Identifier: Apache-2.0 */
/* New objects waiting to be written: each once, blobs compressed, none that the repository has. */
#pragma once

#include "lib/git/priv.h"

struct object {
	struct oid id;
	git_object_t type;
	size_t len, zlen;
	void *z;     /* zlib stream; NULL once written */
	bool wanted; /* in the next write */
};

struct objects {
	struct object **index; /* open addressing by id, at most half full */
	size_t size, n;
	struct object **wanted; /* in the order to write: what a tree names stands before it */
	size_t nwanted, cap;
	struct zip *zip;
};

/* The object of these bytes, made when new; NULL when the repository has it. It lives as long as the set. */
struct object *objects_blob(struct objects *s, struct git_repo *g, const struct oid *id, const void *bytes, size_t len);

/* Wants a tree to be written, unless it is there. */
void objects_tree(struct objects *s, struct git_repo *g, const struct oid *id, const void *bytes, size_t len);

/* Wants `o` to be written. */
void object_want(struct objects *s, struct object *o);

/* Writes what is wanted: one pack when it is many, else loose. *n: how many. The set can be used on. */
int objects_write(struct objects *s, struct git_repo *g, size_t *n, struct err *e) MUST_USE;

void objects_free(struct objects *s);
