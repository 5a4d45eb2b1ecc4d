/* SPDX-License-Identifier: Apache-2.0 */
/* The message of a status commit: a subject for people, trailers for the auditor. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/files.h"
#include "lib/base/map.h"

struct status_line {
	const char *owner, *name, *from, *to;
	char commit[OID_HEX]; /* of the spec; "" when it is gone */
};

struct status_message {
	struct arena *mem;
	struct status_line *items;
	size_t n, cap;
	const char *repo; /* the repository's new reason, or NULL when that did not change */
	size_t files;     /* recipients and the like that changed */
	size_t approved;  /* changes that were approved … */
	const struct map *by; /* … by these, as keys; NULL: nobody */
};

void status_message_init(struct status_message *m, struct arena *mem);

/* `commit` may be NULL; strings are borrowed. */
void status_message_add(struct status_message *m, const char *owner, const char *name, const char *from, const char *to,
                        const struct oid *commit);

/* Berth-Event, Berth-Env, Berth-Spec-Commit, Berth-Approved-By, Berth-Run, Berth-Reconciler; at most 500 environments are named. */
void status_message_write(const struct status_message *m, const char *run, const char *reconciler, struct buf *out);
