/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle: the objects of one unit, sorted and named. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/doc/value.h"

struct object {
	const char *api_version, *kind, *name;
	const char *namespace_;    /* NULL for cluster-scoped objects */
	const char *file;          /* "<kind>-<name>.yaml", lower case, unique in the bundle */
	const struct value *value; /* sorted keys */
};

struct bundle {
	const char *unit;      /* "org", "teams/vision", "users/alice", "envs/alice/train" */
	struct object *objects; /* sorted by file */
	size_t n;
	const char *const *later; /* spec fields that this version reads but renders nothing for ("spec.backup"), sorted */
	size_t nlater;
	struct digest digest;  /* of all objects */
};

/* The object's file content, as it stands on the rendered branch. */
void object_write(const struct object *o, struct buf *out);

/* kustomization.yaml of a unit: its object files. */
void bundle_kustomization(const struct bundle *b, struct buf *out);
