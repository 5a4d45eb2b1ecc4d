/* SPDX-License-Identifier: Apache-2.0 */
/* Rendered objects beside what the cluster holds, and what it would say to them (server-side dry run). Writes nothing. */
#pragma once

#include "cli/cluster.h"
#include "cli/differ.h"
#include "lib/base/map.h"
#include "render/bundle.h"

struct live {
	const struct bundle *unit;
	const struct object *o;
	const struct kube_kind *kind; /* NULL: not served, see `trouble` */
	const char *trouble;          /* why it was not asked about, or NULL */
	struct question look;         /* GET */
	struct question attempt;      /* dry run: apply of what is there, create of what is not */
	const char *immutable;        /* a field that the server will not change in place; NULL: none, or it was not refused */
	struct question anew;         /* then: would it be created with the new value? Not asked of claims, which hold data */
	const char *elsewhere;        /* the namespace that `attempt` was asked in because its own is not there; or NULL */
};

/* Gets every object of the n bundles. */
int live_look(struct cluster *c, struct arena *mem, const struct bundle *b, size_t n, struct live **out, size_t *nout, struct err *e)
	MUST_USE;

/*
 * Asks by dry run what would become of those that are there, and with `create` of those that are not. Namespaces that are missing
 * are put into `missing` (keys), and their objects are asked in "default".
 */
int live_attempt(struct cluster *c, struct arena *mem, struct live *l, size_t n, bool create, struct map *missing, struct err *e)
	MUST_USE;

/* "StatefulSet/train" */
const char *live_name(struct arena *mem, const char *kind, const char *name);
bool live_is_secret(const struct live *l);

/*
 * For an object that is there: is it in an inventory of berth's, retained from one, or handed over to `inventory` by a person? NULL: does
 * it at least carry the labels that berth's templates give?
 */
bool live_is_ours(const struct live *l, const char *inventory);
bool live_is_volume(const struct live *l);

/* What differs; the dry run's answer counts where there is one, else what was rendered. Then what others added to what we applied. */
void live_differences(struct arena *mem, const struct live *l, struct differences *out);

/*
 * Why the server refused: each cause as one line, in mem. Values of Secrets are left out (field names stay).
 */
void live_causes(struct arena *mem, const struct question *q, bool secret, const char ***out, size_t *n);

/* -- objects on the cluster that nothing renders --------------------------------------------------------------------------- */

struct extra {
	const char *unit, *kind, *ns, *name; /* ns NULL: cluster-wide */
	bool kept; /* its annotations say that it stays */
};

/* "apps/StatefulSet/dev-alice/train", for `rendered`. */
const char *live_key(struct arena *mem, const char *group, const char *kind, const char *ns, const char *name);
const char *live_object_key(struct arena *mem, const struct object *o);

/*
 * Objects with berth's labels whose key is not in `rendered`, of the kinds in `kinds` ("apps/StatefulSet") and those that berth's own
 * templates make. `namespaces` NULL: everywhere. `refused` gets one line for each kind that may not be listed. In mem.
 */
int live_extras(struct cluster *c, struct arena *mem, const struct map *rendered, const struct map *kinds, const struct map *namespaces,
                struct extra **out, size_t *n, struct value *refused, struct err *e) MUST_USE;
