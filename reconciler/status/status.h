/* SPDX-License-Identifier: Apache-2.0 */
/* The status of one environment: what was observed, laid on what the status branch says already. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/files.h"
#include "lib/doc/value.h"

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
	bool live;                 /* something of it is on the target */
	enum phase phase;          /* of what is live; PHASE_HELD when nothing is */
	const char *revision;      /* of what is live (target_ops.revision), or NULL */
	const char *const *objects; /* inventory of what is live */
	size_t nobjects;
	const char *const *later;  /* spec fields that nothing is rendered for; of the spec that was applied in this pass */
	size_t nlater;
	bool paused;               /* it is wanted with no pods */
	bool applied;              /* this pass's spec is what is live: later and commit are about it */
	const char *access_ssh, *access_web; /* how to get in, or NULL */
	enum pending pending;      /* PENDING_NONE when the newest spec is live */
	const char *message;       /* of pending: one line */
	const char *const *findings; /* of pending: at most 20 are kept */
	size_t nfindings;
	const char *approval;      /* "NotEnforced" … reason of condition Approved */
};

/*
 * The next status document (kind EnvironmentStatus). `old` is the one on the branch or NULL. Times of what did not change are
 * taken from `old`; when nothing but times and commits would differ, the result equals `old`. `now` is in seconds.
 */
struct value *status_next(struct arena *mem, const struct value *old, const struct observation *o, int64_t now);

/* "alice/train": phase of a status document; PHASE_COUNT when it has none. */
enum phase status_phase(const struct value *status);

/* One line of the table; strings are borrowed. */
struct status_row {
	const char *owner, *name;
	enum phase phase;
	const char *commit;          /* that is live, or "" */
	const char *reason, *message; /* of pending, or "" */
};

/* Reads a row from a status document; strings point into it. */
void status_row_of(const struct value *status, struct status_row *out);

/* README.md of the branch: a table, what needs attention first. Rows sorted by owner and name; `repo` may be NULL. */
void status_table(const struct status_row *rows, size_t n, const struct value *repo, struct buf *out);
