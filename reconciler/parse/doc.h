/* SPDX-License-Identifier: Apache-2.0 */
/* A document: one file read, its kind and identity established. */
#pragma once

#include <stdbool.h>

#include "lib/base/files.h"
#include "lib/base/map.h"
#include "lib/doc/report.h"
#include "parse/kinds.h"

struct doc {
	enum kind kind;
	const char *path;
	const char *owner; /* environments only */
	const char *name;
	struct oid id;            /* of the blob */
	struct value *root;       /* the whole document; NULL when it could not be read */
	const struct value *spec; /* root.spec, NULL when missing or no map */
	bool ok;                  /* no errors so far; validate clears it */
};

/*
 * Reads one file that path_classify calls PATH_DOC: YAML, apiVersion/kind (aliases included), identity against the
 * path. Everything wrong goes into `r` and makes out->ok false; only I/O trouble is an error return.
 * The document lives in `mem`.
 */
int doc_read(struct arena *mem, const struct files *files, const struct file_entry *f, struct report *r, struct doc **out,
             struct err *e) MUST_USE;

/*
 * Calls fn for each path in `folder` ("users/", or a whole path) that a document of this kind has, in order. What fn reads goes into `mem`, where `name` is
 * too, and is gone after it. The first error of fn is returned.
 */
typedef int (*doc_fn)(void *ctx, struct arena *mem, const struct file_entry *f, const char *name, struct err *e);
int doc_each(const struct files *files, enum kind k, const char *folder, doc_fn fn, void *ctx, struct err *e) MUST_USE;

/* A copy that takes no more room than it needs; places point to its own path. Lives in `mem`. */
struct doc *doc_copy(struct arena *mem, const struct doc *d);

/* Everything of one commit that environments refer to. Documents are borrowed. */
struct site {
	const struct doc *org;            /* berth.yaml; NULL when missing */
	struct map docs[KIND_COUNT];      /* name -> struct doc *, for FLAVOR IMAGE DATASET TEAM USER; ENV by "owner/name" */
};

void site_add(struct site *s, struct doc *d);
const struct doc *site_get(const struct site *s, enum kind k, const char *name); /* NULL when missing */
void site_free(struct site *s);
