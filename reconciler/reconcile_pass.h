/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the path share: the reconciler's memory and the state of one pass. Private to reconcile*.c. */
#pragma once

#include "lib/base/log.h"
#include "lib/base/map.h"
#include "reconcile.h"
#include "repo/tree_files.h"
#include "world.h"

struct reconciler {
	struct reconcile_config c;
	struct tree_files *tree;
	struct world *world;
	bool world_full;           /* the world holds the tree of `world_commit` */
	struct oid world_commit;
	struct map deps;           /* owner -> struct map * of paths that went into the owner's environments */
	struct map set_errors;     /* "org", "teams/vision", "users/alice" -> why its set could not be rendered (malloc'd text) */
	bool complete;             /* the last pass went through: only what changes from here on is looked at */
	bool looked;               /* `seen` is the tip of main that the last pass looked at … */
	struct oid seen;
	bool held;                 /* … and did not take over: nothing to do until main moves */
	bool guard_held;           /* deletions wait for Berth-Allow-Delete: look at them with every commit */
};

/* One pass's working state. */
struct pass {
	struct reconciler *r;
	struct arena *mem;    /* of the pass */
	struct arena *owner_mem;
	struct source_heads heads;
	struct target_view view;
	struct map dirty;     /* owners to look at */
	bool all;
	struct pass_result *out;
	const char **drops;   /* units of environments that main no longer has */
	size_t ndrops, drops_cap;
	bool rewound;         /* history was rewritten and --accept-rewind names this commit */
	size_t skipped;       /* environments of the owner at hand that `apply ENV…` does not name */
	size_t live;          /* environments on the target, those to be deleted included */
	struct report shared; /* findings of the repository as a whole */
	struct observation *obs; /* waiting for the revision that the commit gives them */
	size_t nobs, obs_cap;
};

struct log_about pass_about(const struct pass *p, const char *env, const char *stage);

/* `berth apply ENV…` names environments; without names all are meant. NULL name: any environment of the owner. */
bool pass_selected(const struct pass *p, const char *owner, const char *name);

/* -- reconcile_dirty.c: which owners must be looked at ---------------------------------------------------------- */

/* Remembers what went into an owner's environments. */
void dirty_remember(struct reconciler *r, const struct owner_result *o);
void dirty_free(struct reconciler *r);

/* A path of main differs: its owner, or whoever depends on it. */
void dirty_path(struct pass *p, const char *path);
/* Somebody else's commits on the target: the owners they touch. */
void dirty_moved(struct pass *p);
/* Everybody, those that only the target knows any more included. */
int dirty_all(struct pass *p, struct err *e) MUST_USE;

/* -- reconcile_owner.c: parse, validate, render and apply one owner --------------------------------------------- */

/* The organization's and the teams' objects. */
int apply_shared(struct pass *p, struct err *e) MUST_USE;
int apply_owner(struct pass *p, const char *owner, struct err *e) MUST_USE;

/* The newest spec of an environment cannot be applied: what is live stays as it is, and the reason is observed. */
int observe_held(struct pass *p, const char *owner, const char *name, const char *path, enum pending why,
                 const struct report *findings, struct err *e) MUST_USE;

/* -- reconcile_delete.c: environments that main no longer has ---------------------------------------------------- */

int apply_deletions(struct pass *p, struct err *e) MUST_USE;
