/* SPDX-License-Identifier: Apache-2.0 */
/* The path: from a commit of main to objects on the target and transitions on the status branch. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/seal/decryptor.h"
#include "plan/target.h"
#include "repo/source.h"
#include "status/publish.h"

struct reconciler;

struct reconcile_config {
	struct source *source;        /* borrowed */
	struct target *target;        /* borrowed */
	struct publisher *publisher;  /* borrowed */
	struct decryptor *decryptor;  /* borrowed; NULL: no master key */
	const char *state_dir;        /* what is proved is remembered here */
	const char *branch;           /* "main": what approvals must name */
	bool has_trust_anchor;
	struct oid trust_anchor;      /* --trust-anchor COMMIT: counts where nothing is proved yet */
	const char *run, *reconciler; /* id of this process; "berth/0.1.0" */
	bool has_accept_rewind;
	struct oid accept_rewind;     /* --accept-rewind COMMIT */
	const char *const *only;      /* environments ("alice/train") to apply, or NULL for all */
	size_t nonly;
	bool reviews;                 /* somebody asks a forge for reviews, into the state folder (repo/review.h) */
};

/* What one pass did. */
struct pass_result {
	bool looked;       /* false: nothing moved since the last pass, nothing was done */
	bool adopted;      /* main's tip was taken over; false: held as a whole (the reason is on the status branch) */
	bool refused;      /* … by a guard (rewritten history), not for errors in it */
	struct oid commit; /* of main */
	size_t environments, rendered, held, pending; /* environments seen in this pass, by outcome */
	size_t created, changed, deleted;             /* units on the target */
	bool wrote;        /* the target was written */
	size_t unapplied;  /* environments that were given to the target and are not applied yet … */
	char why[256];     /* … and what stands in the way of the first */
	int64_t again_ms;  /* look again after so long: the decryptor could not answer for somebody; 0: no need */
	int64_t ms;
};

int reconciler_new(const struct reconcile_config *c, struct reconciler **out, struct err *e) MUST_USE;
void reconciler_free(struct reconciler *r);

/*
 * One pass. Looks at the branches; where nothing moved it returns at once. Otherwise every owner that the change can
 * touch is read, checked, rendered and put on the target in one commit, and what was seen goes to the publisher.
 * Lost races are retried inside. An error means that the whole pass failed (disk, git): try again later.
 */
int reconcile_pass(struct reconciler *r, struct pass_result *out, struct err *e) MUST_USE;

/* Between passes: what a target saw that goes on by itself goes to the publisher. True when something waits for a flush. */
bool reconcile_observe(struct reconciler *r);

/* Environments that the target refuses, in whole or in part, or that failed on it. For targets that can tell. */
size_t reconcile_failed(struct reconciler *r);
