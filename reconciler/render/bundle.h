/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle: the objects of one unit, sorted and named. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/doc/value.h"
#include "lib/seal/part.h"

struct object {
	const char *api_version, *kind, *name;
	const char *namespace_;    /* NULL for cluster-scoped objects */
	const char *file;          /* "<kind>-<name>.yaml", lower case, unique in the bundle */
	const struct value *value; /* sorted keys; of an object with parts without data */
	/*
	 * A Secret's data, one entry a part, sorted by key; only C makes objects with parts. digests[i], of the plain bytes when a decryptor told them
	 * (world_seal_by), else a stand-in, says when parts[i] has changed: it is never shown, and never written where people read.
	 */
	const struct part *parts;
	const char *const *digests;
	size_t nparts;
};

/* Of all that the object will be: its value, its parts and their digests. */
void object_digest(const struct object *o, struct digest *out);

struct bundle {
	const char *unit;      /* "org", "teams/vision", "users/alice", "envs/alice/train" */
	struct object *objects; /* sorted by file */
	size_t n;
	const char *const *later; /* spec fields that this version reads but renders nothing for ("spec.backup"), sorted */
	size_t nlater;
	struct digest digest;  /* of all objects */
};

/*
 * The object's file content, as it stands on the rendered branch. An object with parts is shown with `KEY: "<sealed: PATH>"` for data, which no API server
 * takes: what applies such an object fills in the parts (lib/seal/decryptor.h) instead.
 */
void object_write(const struct object *o, struct buf *out);

/* The same as a value, which shares what it can with the object's. */
const struct value *object_shown(struct arena *mem, const struct object *o);

/* kustomization.yaml of a unit: its object files. */
void bundle_kustomization(const struct bundle *b, struct buf *out);
