/* SPDX-License-Identifier: Apache-2.0 */
/* How render.c makes a bundle out of what templates give. */
#pragma once

#include <stdbool.h>

#include "render/bundle.h"

struct bundle_unit {
	const char *name;       /* "envs/alice/train" */
	const char *namespace_; /* of every namespaced object; NULL: each says its own */
	bool namespaced_only;   /* refuse cluster-scoped objects */
	struct value *labels;   /* on every object */
};

/* What a Secret's data is made of, see struct object. */
struct object_parts {
	const struct part *parts;
	const char *const *digests;
	size_t n;
};

/* An object and the template it came from. */
struct made {
	struct object object;
	const char *template; /* file, for messages */
	struct place at;      /* where the object begins in it */
};

/*
 * Checks what a template gave (apiVersion, kind, a valid name, no Secret), takes out null members, sets namespace and
 * labels, sorts keys. `v` is copied, never changed; places of keys and values stay as they are, so that what comes from
 * where can still be told.
 */
int object_make(struct arena *mem, const struct bundle_unit *u, const struct value *v, struct object *out, struct err *e) MUST_USE;

/* The same for what C gives itself: with `parts` it must be a Secret without data, without (NULL) it must be none. */
int object_make_own(struct arena *mem, const struct bundle_unit *u, const struct value *v, const struct object_parts *parts,
                    struct object *out, struct err *e) MUST_USE;

/*
 * Sorts by file, refuses an object that is there twice (the error begins with the place of the later one when two templates
 * give it), computes the digest. `later` stays empty.
 */
int bundle_make(struct arena *mem, const char *unit, struct made *made, size_t n, struct bundle **out, struct err *e) MUST_USE;
