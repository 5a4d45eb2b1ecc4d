/* SPDX-License-Identifier: Apache-2.0 */
/* Where environments come from and results go to: one repository, on this disk or behind a URL. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/git/git.h"

#define BRANCH_RENDERED "berth/rendered"
#define BRANCH_STATUS "berth/status"

struct source_config {
	const char *repo;      /* path or URL */
	const char *branch;    /* "main" */
	const char *state_dir; /* holds repo.git for a URL, the lock, the last commit seen */
	struct git_remote_auth auth;
	int64_t deadline_ms;         /* of one network operation; 0: 60 s */
	const atomic_bool *cancel; /* ends a network operation early; may be NULL */
};

/* What the branches point at, read outputs first (so that a result never goes back behind its input). */
struct source_heads {
	bool has_main, has_rendered, has_status;
	struct oid main, rendered, status;
};

enum source_branch { SOURCE_RENDERED, SOURCE_STATUS };

struct source;

/* Opens the repository (for a URL: the clone in the state folder, made when missing). No network yet. */
int source_open(const struct source_config *c, struct source **out, struct err *e) MUST_USE;
void source_close(struct source *s);

bool source_is_local(const struct source *s);
struct git_repo *source_git(const struct source *s);
const char *source_name(const struct source *s); /* the path or URL, for messages */

/*
 * Brings the remote's three branches here; *moved says whether any of them stands elsewhere than before. Local: nothing to
 * do, *moved is true. Over HTTP a round trip without a fetch when nothing moved.
 */
int source_poll(struct source *s, bool *moved, struct err *e) MUST_USE;

int source_heads(struct source *s, struct source_heads *out, struct err *e) MUST_USE;

/*
 * From now on a remote's refs below GIT_APPROVALS are brought here with the branches, under their own names; the first call brings them at once.
 * What goes wrong with them stops nothing else: source_approvals_note says it. Over HTTP they cost no round trip while they stay; else a connection
 * of their own with every poll.
 */
void source_approvals(struct source *s);
/* Why the remote's approvals could not be brought at the last try; NULL: they were. */
const char *source_approvals_note(const struct source *s);
/* Deletes one that has had its effect, here and on the remote. ERR_DENIED: the forge keeps it. */
int source_forget_approval(struct source *s, const char *ref, const struct oid *id, struct err *e) MUST_USE;

/*
 * Moves one of berth's own branches from `old` (NULL: new branch) to `id`: compare-and-swap here, a non-forced push there.
 * ERR_CONFLICT: somebody was faster, read the heads again (a remote is polled first). ERR_DENIED: the forge refused.
 * *swept (may be NULL): a lock that a killed process left was moved away.
 */
int source_publish(struct source *s, enum source_branch b, const struct oid *old, const struct oid *id, bool *swept,
                   struct err *e) MUST_USE;

/* The last commit of main that was adopted, kept in the state folder (durable). ERR_NOTFOUND before the first. */
int source_adopted(struct source *s, struct oid *out, struct err *e) MUST_USE;
int source_adopt(struct source *s, const struct oid *id, struct err *e) MUST_USE;
