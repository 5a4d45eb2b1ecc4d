/* SPDX-License-Identifier: Apache-2.0 */
/* The status of one environment: what was observed, laid on what the status branch says already. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/files.h"
#include "lib/doc/value.h"
#include "plan/target.h"
#include "validate/use.h"

enum phase {
	PHASE_HELD, PHASE_RENDERED, PHASE_QUEUED, PHASE_PROVISIONING, PHASE_READY, PHASE_DEGRADED, PHASE_FAILED, PHASE_PAUSING,
	PHASE_PAUSED, PHASE_DELETING, PHASE_COUNT
};

const char *phase_name(enum phase p);

/* Why a newer spec is not applied: `pending.reason`. */
enum pending { PENDING_NONE, PENDING_INVALID, PENDING_APPROVAL, PENDING_QUOTA, PENDING_GUARD, PENDING_UPGRADE, PENDING_COUNT };

const char *pending_name(enum pending p);

/* What one pass saw of one environment. Strings are borrowed until status_next returns. */
struct observation {
	const char *owner, *name;
	const char *path;          /* of the spec in main */
	struct oid commit;         /* of main that the pass looked at */
	bool live;                 /* something of it is on the target: state.there */
	struct unit_state state;   /* what the target says of it; set with observe_state */
	const char *revision;      /* of what is live (target_ops.revision), or NULL */
	const char *const *objects; /* inventory of what is live */
	size_t nobjects;
	const char *const *later;  /* spec fields that nothing is rendered for; of the spec that was applied in this pass */
	size_t nlater;
	bool paused;               /* it is wanted with no pods */
	bool applied;              /* the target was given this pass's spec: later and commit are about it */
	const char *access_ssh, *access_web; /* how to get in, or NULL */
	const struct use *use;     /* what counts of it against limits on sums, or NULL: as it was said last */
	enum pending pending;      /* PENDING_NONE when the newest spec is live */
	struct oid waits;          /* the commit that pending is about; zero: `commit` */
	const char *message;       /* of pending: one line */
	const char *const *findings; /* of pending: at most 20 are kept */
	size_t nfindings;
	const char *approval;      /* "NotEnforced" … reason of condition Approved */
};

/* Lays what the target says over `o`; its texts are borrowed, at most 20 errors and 20 lines of `waiting` are kept. */
void observe_state(struct observation *o, const struct unit_state *s);

/*
 * The next status document (kind EnvironmentStatus). `old` is the one on the branch or NULL. Times of what did not change are
 * taken from `old`; when nothing but times and commits would differ, the result equals `old`. `now` is in seconds.
 * Texts of the target may hold what strangers wrote: they are redacted, put on one line and cut (status/text.h). A repaired drift
 * stays until another replaces it. `observed` moves on when the target says that all of a spec is applied, not before.
 */
struct value *status_next(struct arena *mem, const struct value *old, const struct observation *o, int64_t now);

/* "alice/train": phase of a status document; PHASE_COUNT when it has none. */
enum phase status_phase(const struct value *status);

/* One line of the table; strings are borrowed. */
struct status_row {
	const char *owner, *name;
	enum phase phase;
	const char *commit;          /* that is live, or "" */
	const char *reason, *message; /* of what stands in the way: pending, else a failed apply, else Ready; or "" */
	bool newer;                  /* … it is pending: a newer spec is not applied */
};

/* The condition of this type in a status document, or NULL. */
const struct value *status_condition(const struct value *status, const char *type);

/* Everything is as its newest spec wants it: applied, nothing pending, and Ready, Rendered or Paused. */
bool status_as_wanted(const struct value *status);

/* Reads a row from a status document; strings point into it. */
void status_row_of(const struct value *status, struct status_row *out);

/* README.md of the branch: a table, what needs attention first. Rows sorted by owner and name; `repo` may be NULL. */
void status_table(const struct status_row *rows, size_t n, const struct value *repo, struct buf *out);
