/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit trail: what took effect is told on the status branch, also after a crash; approvals that had their effect and stand there are deleted
 * behind their refs; and approvals that only stand there (another berth was faster, or this one lost its state) are found again. Private to reconcile*.c.
 */
#pragma once

#include "repo/approve.h"
#include "repo/source.h"
#include "status/publish.h"

struct audit;

/* `state_dir` keeps what is not on the status branch yet. All borrowed. */
struct audit *audit_new(struct source *s, struct publisher *p, const char *state_dir);
void audit_free(struct audit *a);

/* What an earlier process could not tell any more is published now. */
int audit_load(struct audit *a, struct err *e) MUST_USE;

/* Durable when it returns; published with the next flush. */
int audit_tell(struct audit *a, const struct approved *d, int64_t now, struct err *e) MUST_USE;

/* These are all the approvals behind refs: those that are used go as soon as the status branch has them. */
void audit_used(struct audit *a, const struct evidence *list, size_t n, const struct proof *t);

/*
 * Looks at the status branch when it has moved: forgets what is told, deletes what is used. True: refs were deleted. What cannot be deleted is said in
 * `note` (may stay empty), once.
 */
bool audit_tidy(struct audit *a, struct buf *note);

/* Approvals that the status branch has and that are not used up, read at most once a commit of it. True: there are more than at the last call. */
bool audit_more(struct audit *a);
/* `list` and those, in mem. */
void audit_join(struct audit *a, const struct proof *t, const char *ref, struct arena *mem, struct evidence **list, size_t *n);
