/* SPDX-License-Identifier: Apache-2.0 */
/* A target: the place where bundles are made true. One vtable, one file a target. */
#pragma once

#include <stdbool.h>

#include "lib/base/files.h"
#include "render/bundle.h"

enum unit_change { UNIT_UNCHANGED, UNIT_CREATED, UNIT_CHANGED, UNIT_DELETED };

/* What a pass did to one unit ("envs/alice/train", "users/alice", "org"). */
struct target_change {
	const char *unit;
	enum unit_change what;
	size_t created, changed, deleted; /* objects */
};

struct target_changes {
	struct target_change *items;
	size_t n, cap;
};

/* Why a pass writes: goes into the audit trail. */
struct target_reason {
	struct oid source_commit;
	const char *run;        /* id of the pass */
	const char *reconciler; /* "berth/0.1.0" */
	int64_t time;           /* seconds */
	bool mark;              /* write even when nothing differs: source_commit itself is what must be remembered */
};

/* Somebody else's hand on the target, seen at begin. */
struct target_drift {
	bool found;
	const char *who, *what; /* "eve <eve@company.com>", the commit */
	const char *const *paths;
	size_t n;
};

/* What is known of the target before a pass. */
struct target_view {
	bool exists;            /* something was applied before */
	bool moved;             /* it stands elsewhere than after the last pass of this process */
	bool moved_known;       /* then: moved_paths says all that differs; else anything may */
	const char *const *moved_paths;
	size_t nmoved;
	bool has_source;
	struct oid source;      /* the commit of main that is applied */
	struct target_drift drift;
};

/* What the target says of one unit now. Texts live in the arena that was given, or are static. */
enum unit_phase { UNIT_RENDERED, UNIT_QUEUED, UNIT_PROVISIONING, UNIT_READY, UNIT_DEGRADED, UNIT_FAILED, UNIT_PAUSING, UNIT_PAUSED, UNIT_DELETING };

struct unit_state {
	bool there;             /* something of it is on the target */
	enum unit_phase phase;
	bool applied;           /* everything that was put is on the target, as it was put */
	const char *applied_reason, *applied_message; /* "Applied", "Applying", "ApplyFailed", "Conflict", "DriftFight", "DataAtStake" … */
	const char *ready;      /* "True", "False", "Unknown" */
	const char *ready_reason, *ready_message; /* health words: cause and next step */
	const char *drift_by, *drift_what; /* the last foreign hand that was repaired: "kubectl-edit", "StatefulSet/train: spec.replicas"; NULL: none */
	const char *address;    /* of its load balancer, or NULL */
	const char *const *errors; /* of objects that the target refused, one line each; at most 20 */
	size_t nerrors;
	const char *const *waiting; /* what stands in the way, outermost first, for `berth why`: "StatefulSet/train: 0 of 1 ready", … */
	size_t nwaiting;
};

/* What a target says that only writes manifests and does not see what runs (git): there, committed, Ready unknown. Static texts. */
void unit_state_rendered(struct unit_state *out);

struct target;

/*
 * A pass: begin, then any of units/put/drop/objects, then commit, then revision; end in any case. `mem` is the arena of the pass:
 * everything given out lives there.
 */
struct target_ops {
	const char *name;
	int (*begin)(struct target *t, struct arena *mem, struct target_view *out, struct err *e);
	/* Between passes: does it stand elsewhere than after the last commit of this process? */
	int (*moved)(struct target *t, bool *out, struct err *e);
	/* Units that are there now with this prefix ("envs/", "users/"; "" for all), sorted. */
	int (*units)(struct target *t, const char *prefix, const char ***out, size_t *n, struct err *e);
	/*
	 * What berth.yaml (its spec) says of the target, after begin and before anything is put. `no_secrets`: why nothing sealed may be made now, what there is of
	 * it stays; NULL: it may. An error is said and stops nothing. May be NULL.
	 */
	int (*settings)(struct target *t, const struct value *org, const struct err *no_secrets, struct err *e);
	/* Are Secrets with sealed values among what is put? By the last settings; NULL: they are. */
	bool (*delivers)(struct target *t);
	/* Makes the unit exactly this bundle; with keep_extra objects that the bundle lacks stay. ERR_INVALID: not this bundle; the unit stays as it was. */
	int (*put)(struct target *t, const struct bundle *b, bool keep_extra, struct err *e);
	int (*drop)(struct target *t, const char *unit, struct err *e);
	/* Objects of a unit as they are there ("apps/v1/StatefulSet/dev-alice/train"), sorted. */
	int (*objects)(struct target *t, const char *unit, const char ***out, size_t *n, struct err *e);
	/* Makes it so; *wrote tells whether anything had to be written. ERR_CONFLICT: begin again. */
	int (*commit)(struct target *t, const struct target_reason *why, bool *wrote, struct err *e);
	/* Between commit and end: a short text that changes exactly when the unit's content does; ERR_NOTFOUND when it is not there. */
	int (*revision)(struct target *t, const char *unit, char out[OID_HEX], struct err *e);
	/*
	 * For targets that go on between passes; all NULL where a commit is the end of it (git).
	 * wait: works for up to `ms`, less when something happened or `fd` is readable.
	 * leading: may this process write? Without it no pass is made.
	 * state: of a unit; texts in mem. changed: units whose state may differ from what was said last, each once.
	 * settle: works until everything that was put has been answered, deletions included, `ms` at most (for `run --once`).
	 */
	void (*wait)(struct target *t, int64_t ms, int fd);
	bool (*leading)(struct target *t);
	void (*state)(struct target *t, const char *unit, struct arena *mem, struct unit_state *out);
	void (*changed)(struct target *t, struct arena *mem, const char ***units, size_t *n);
	void (*settle)(struct target *t, int64_t ms);
	/* The pass is over, however it went: lets go of what it held. */
	void (*end)(struct target *t);
	void (*close)(struct target *t);
};

/* Every target starts with this. */
struct target {
	const struct target_ops *ops;
	struct target_changes changes; /* of the pass, in the pass's arena */
};

/* Adds to t->changes. */
void target_note(struct target *t, struct arena *mem, const struct target_change *c);

/* "apps/v1/StatefulSet/dev-alice/train"; cluster-scoped objects without the namespace part. */
const char *object_id(struct arena *mem, const struct value *object);
