/* SPDX-License-Identifier: Apache-2.0 */
/* Inside env.c and refs.c: looking up what an environment refers to. */
#pragma once

#include "lib/base/map.h"
#include "parse/env.h"
#include "parse/say.h"

struct refs {
	struct arena *mem;
	const struct site *s;
	const struct doc *d;
	struct report *r;          /* NULL: only the paths are wanted */
	const struct files *files; /* NULL: files are not looked for */
	struct env *env;           /* gets documents, merged spec, image, shares, datasets, setup */
	const char **deps;
	size_t ndeps, cap;
	struct map seen;
	unsigned int helped;       /* nearest names looked for; bounded, since each costs a walk over all names */
};

/*
 * Fills c->env's documents and its spec (all defaults but those that numbers decide) and c->deps. What is missing
 * is reported and stays NULL. Free c->seen afterwards.
 */
void refs_collect(struct refs *c);

/* GPUs a pod, as the environment or else its flavor says; -1 when neither is a quantity. `asked` may be NULL. */
int64_t refs_gpu(const struct value *spec, const struct doc *flavor, bool *asked);

/*
 * The regular file at `path` of the repository, which `v` (a string, the field `field`) names, and a dependency on it. NULL when it is not there
 * (a finding), or when files are not looked for.
 */
const struct file_entry *refs_file(struct refs *c, const struct value *v, const char *path, const char *field);

/* Whether a path is relative, stays inside its folder and is written in the one shortest way. */
bool refs_path_inside(const char *s);

/* Where `v` stands, else the environment's file. */
struct place refs_place(const struct refs *c, const struct value *v);
