/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the path share: the reconciler's memory and the state of one pass. Private to reconcile*.c. */
#pragma once

#include "lib/base/log.h"
#include "lib/base/map.h"
#include "reconcile.h"
#include "reconcile_approve.h"
#include "reconcile_trust.h"
#include "repo/tree_files.h"
#include "validate/holds.h"
#include "world.h"

struct reconciler {
	struct reconcile_config c;
	struct tree_files *tree;
	struct world *world;
	bool world_full;           /* the world holds the tree of `world_commit` */
	struct oid world_commit;
	struct oid world_tree;     /* the tree itself: what of that commit is approved */
	struct approvals *approvals;
	struct map deps;           /* owner -> struct map * of paths that went into the owner's environments */
	struct map set_errors;     /* "org", "teams/vision", "users/alice" -> why its set could not be rendered (malloc'd text) */
	struct seals *seals;       /* what is known of sealed files */
	struct trust *trust;       /* recipients and known_hosts */
	struct holds *holds;       /* what is live, against the limits on sums */
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
	bool judging;         /* sums are decided before anything is put … */
	bool queues;          /* … for everybody, since some team has a quota; else for owners with limits of their own */
	bool judged;          /* it was so for the owner at hand */
	struct map asked;     /* owners whose units and drops have been listed */
	const char **drops;   /* units of environments that main no longer has */
	size_t ndrops, drops_cap;
	size_t ndecided;      /* drops that `allowed` is about */
	int allowed;          /* deletions: 1, 0 held by guards */
	bool rewound;         /* history was rewritten and --accept-rewind names this commit */
	const char **units;   /* on the target, of the owner at hand */
	size_t nunits;
	size_t skipped;       /* environments of the owner at hand that `apply ENV…` does not name, or that wait for room */
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

/* Units of an owner's environments on the target; those that main has no more are noted as drops, once a pass. */
int owner_units(struct pass *p, const char *owner, const char *const *names, size_t nnames, const char ***units, size_t *n,
                struct err *e) MUST_USE;
bool owner_drops(const struct pass *p, const char *owner);
bool unit_listed(const char *const *units, size_t n, const char *owner, const char *name);

/* The newest spec of an environment cannot be applied: what is live stays as it is, and the reason is observed. */
int observe_held(struct pass *p, const char *owner, const char *name, const char *path, enum pending why,
                 const struct report *findings, struct err *e) MUST_USE;

/* Its deletion has begun. */
int observe_going(struct pass *p, const char *owner, const char *name, const char *path, struct err *e) MUST_USE;

/* -- reconcile_delete.c: environments that main no longer has ---------------------------------------------------- */

/* 1: they may go on, 0: held by guards. Decided once for the same drops. */
int deletions_allowed(struct pass *p, struct err *e) MUST_USE;
int apply_deletions(struct pass *p, struct err *e) MUST_USE;

/* -- reconcile_seal.c: what sealed files hold, as far as anybody may know ----------------------------------------- */

struct seals *seals_new(struct decryptor *d); /* NULL: there is no master key, and everything sealed is refused with a word about that */
void seals_free(struct seals *s);
/* berth.yaml names this signer (NULL: none) from now on. False, with why, when it has become another than that of the master key. */
bool seals_judge(struct seals *s, const char *signer, struct err *e);
/* Why nothing sealed may be opened or made now: no key, or another one than berth.yaml's. 0: it may. */
int seals_refuse(const struct seals *s, struct err *e);
/* world_look_fn, world_host_fn; ctx is the struct seals. */
int seals_look(void *ctx, struct arena *mem, const struct sealed *f, struct sealed_value **out, size_t *n, struct err *e);
/* For world_ahead_by: what the owner has below envs/<owner>/secrets/ and is not known, in one question. */
void seals_ahead(void *ctx, const struct world *w, const char *owner);
int seals_host(void *ctx, const struct seal_place *env, const char *const *names, size_t n, char digest[SEAL_DIGEST_HEX], struct err *e);
/* After a pass: in how many ms those are to be looked at again whom the decryptor could not answer; 0: nobody. */
int64_t seals_schedule(struct seals *s);
bool seals_due(const struct seals *s);
/* They become dirty; true: everybody. */
bool seals_take_due(struct seals *s, struct pass *p);

/* -- reconcile_hold.c: limits on what several hold together ------------------------------------------------------ */

/* Before anything is put: what all dirty owners ask for, and who of them has to wait. Owners that have room now become dirty. */
int hold_pass(struct pass *p, struct err *e) MUST_USE;

/* Why this environment has to wait (one line in p->mem), or NULL. */
bool hold_judged(const struct pass *p, const char *owner); /* was this owner part of that? */
const char *hold_env(struct pass *p, const struct env_result *r, bool there);

/* world_live_fn: the spec that the status says is live, from the commit that it names. ctx is the pass. */
int live_spec(void *ctx, struct arena *mem, const char *owner, const char *name, const char **bytes, size_t *len);

/* What counts of it, in p->mem; NULL when that is nothing or not known. */
const struct use *hold_use(struct pass *p, const char *owner, const char *name);
