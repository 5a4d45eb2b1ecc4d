/* SPDX-License-Identifier: Apache-2.0 */
/* What a change from one tree to another does, desired against desired: made by preview.h, shown by `berth plan` and status/comment.h. Values only. */
#pragma once

#include "plan/diff.h"
#include "validate/use.h"

enum planned_kind {
	PLANNED_UNIT,    /* `plan` is what happens to it */
	PLANNED_INVALID, /* the newest spec has errors: whatever is there stays; `why` is the first of them, with its place */
	PLANNED_WAITS,   /* it makes a sum too large and waits for room; `why` is that sum, with the place of the limit */
};

/* An environment on one side of the change. */
struct planned_side {
	bool there;                  /* asked for, and neither invalid nor kept out for want of room */
	const char *flavor, *image;  /* what users wrote */
	int64_t pods;                /* 0: paused */
	struct use use;              /* of all pods */
	bool priced;
	int64_t hour, month;         /* what it can cost, all pods; MONEY_UNIT (validate/cost.h) */
	const char *hours;           /* when it runs, as written; NULL: always */
};

struct planned_row {
	enum planned_kind kind;
	const char *unit;            /* "org" "teams/nlp" "users/alice" "envs/alice/train" */
	const char *owner, *name;    /* of environments, else NULL */
	bool before;                 /* invalid or waiting on the base already */
	const char *why;
	struct unit_plan plan;       /* PLANNED_UNIT */
	const char *const *later;    /* spec fields that nothing is rendered for */
	size_t nlater;
	struct planned_side was, is; /* environments */
};

/* One limit, or budget, and what counts against it on both sides. As texts. */
struct planned_sum {
	const char *noun, *name;          /* "user" "alice", "team" "nlp" */
	const char *flavor;               /* of a team's limit; NULL: all together */
	const char *what;                 /* "gpu" "cpu" "memory" "storage" "environments"; "budget" is money a month */
	const char *was, *is;
	const char *max_was, *max_is;     /* NULL: none */
	const char *left;                 /* what is left of max_is; NULL: nothing, or no limit */
	bool over;                        /* is > max_is */
};

struct planned {
	struct planned_row *rows;         /* in the order in which berth would look at them */
	size_t n;
	struct planned_sum *sums;         /* only those that the change makes another of */
	size_t nsums;
	size_t count[ACTION_REFUSED + 1]; /* units by action */
	size_t restarts, data, refused, invalid, waiting, same;
	size_t envs, env_deletes;         /* environments on the base, and how many of them go */
	size_t allowed;                   /* that many may go at once (plan/guard.h) */
	const char *none;                 /* the head is no tree that berth would apply: why, and then there is nothing else here; NULL: it is one */
	size_t errors;                    /* of the check of this change, by whoever made it: some have no row, such as a file with a name that is none */
	const char *first_error;          /* or NULL */
	bool compared;                    /* false: there was no base, or none that berth would apply */
	const char *currency;
};
