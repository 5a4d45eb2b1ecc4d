/* SPDX-License-Identifier: Apache-2.0 */
/* The status branch: what was seen of every environment, compared with the branch, the transitions as one commit. */
#pragma once

#include "lib/base/map.h"
#include "repo/source.h"
#include "status/status.h"

struct publisher;

struct publish_config {
	struct source *source;
	const char *run;        /* id of this process, for the trailer Berth-Run */
	const char *reconciler; /* "berth/0.1.0" */
};

struct publisher *publisher_new(const struct publish_config *c);
void publisher_free(struct publisher *p);

/* Remembers what was seen; replaces what was seen of it before. Everything is copied. */
void publish_observe(struct publisher *p, const struct observation *o);

/*
 * What the target says of an environment now, between passes: replaces `state` of what was observed last, the rest of it stays
 * (spec's commit, pending, findings, inventory …). Copied. It waits for a flush when anything differs; a drift that was reported
 * stays until another comes. False when nothing is known of the environment: only a pass can make it known.
 */
bool publish_state(struct publisher *p, const char *owner, const char *name, const struct unit_state *s);

/* Why a set that is no environment ("users/alice", "org") is not as it should be, or NULL: a finding of the repository. Copied. */
void publish_set(struct publisher *p, const char *unit, const char *error);

/* The environment is gone from main (as of `commit`) and from the target: its file goes. */
void publish_gone(struct publisher *p, const char *owner, const char *name, const struct oid *commit);

/* A pass begins to observe … */
void publish_begin(struct publisher *p);

/*
 * … and has observed all there is of these owners (NULL: of everybody). What was seen of them earlier and not in this pass is
 * gone; with NULL the files of environments never heard of go too.
 */
void publish_sweep(struct publisher *p, const struct map *owners, const struct oid *commit);

/* The repository's own status, repo.yaml. Copied. */
struct repo_status {
	const char *reason;  /* "Adopted", or why main's tip is not: InvalidRepository SourceRewound SourceEmpty GuardHeld */
	const char *message; /* one line, or NULL */
	const char *const *findings;
	size_t nfindings;    /* at most 50 are kept */
	const char *drift_by, *drift_commit; /* a foreign commit on the rendered branch that was restored; NULL: as before */
	const char *approvals; /* berth.yaml approvals.mode, or NULL */
	struct oid commit;   /* of main */
};
void publish_repo(struct publisher *p, const struct repo_status *r);

/*
 * A whole file of the branch, for what people need to trust (status/recipients.h): these bytes, or with NULL none. Copied; the same as before is
 * nothing. The paths must be none of those that statuses have.
 */
void publish_file(struct publisher *p, const char *path, const void *bytes, size_t n);
/*
 * The record of an approved change: whoever comes first writes it, and it stays. The commit that brings it names those who approved
 * (Berth-Approved-By).
 */
void publish_approved(struct publisher *p, const char *path, const void *bytes, size_t n, const char *const *by, size_t nby);

/* Every file of this folder has been given: others go. */
void publish_folder(struct publisher *p, const char *folder);

/* Something was observed that has not been compared with the branch yet. */
bool publish_waiting(const struct publisher *p);

/* Somebody else moved the branch: compare everything again at the next flush. True when it stands elsewhere than we left it. */
bool publish_check_tip(struct publisher *p, bool has_tip, const struct oid *tip);

/*
 * Compares what waits with the branch and commits the transitions; nothing to say is no commit. Races are retried.
 * *transitions: number of environments written. ERR_DENIED: the forge refuses the branch (go on without it).
 */
int publish_flush(struct publisher *p, int64_t now, size_t *transitions, struct err *e) MUST_USE;
