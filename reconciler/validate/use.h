/* SPDX-License-Identifier: Apache-2.0 */
/* What one environment holds, and the limits on what several hold together. Shared by totals.h (all at once) and holds.h (live). */
#pragma once

#include "parse/env.h"

enum sum { SUM_GPU, SUM_CPU, SUM_MEMORY, SUM_STORAGE, SUM_ENVIRONMENTS, SUM_COUNT };

/* GPUs and environments are counted, cpus are thousandths, the rest is bytes. Paused: no compute, all of the storage. */
struct use {
	const char *team, *flavor, *claim;              /* team and claim may be NULL */
	int64_t limits[SUM_COUNT], requests[SUM_COUNT]; /* users are held by limits, queues count requests */
	int64_t shared; /* size of `claim`, a shared volume that counts once for its owner however many mount it */
};

/* Texts are those of `env`, or live in mem. */
void use_of(struct arena *mem, const struct env *env, struct use *out);

/* Everything in one block for free(); NULL for NULL. Out of memory aborts. */
struct use *use_copy(const struct use *u);
bool use_equal(const struct use *a, const struct use *b);

/* As a map for a status document, without what is 0, and back. False when it is none; texts are those of `v`. */
struct value *use_value(struct arena *mem, const struct use *u);
bool use_read(const struct value *v, struct use *out);

/* One limit on a sum. Texts are borrowed from the site. */
struct sum_limit {
	enum sum sum;
	int64_t max;
	const char *name, *role;   /* of the user or team; the role that sets it, or NULL */
	const char *flavor;        /* a team's limit is for one flavor; NULL: a user's */
	bool borrowed;             /* `max` has what the team may borrow */
	const struct value *place; /* where it is set */
};

/* The user's own limits, else the role's. Returns how many there are. */
size_t limits_of_user(const struct site *s, const char *owner, struct sum_limit out[SUM_COUNT]);

/* queue.quota for a flavor, with queue.borrow on top where the team has a cohort. What a quota leaves out is none of it for Kueue. */
size_t limits_of_queue(const struct site *s, const char *team, const char *flavor, struct sum_limit out[SUM_COUNT]);

/* Does any team have a quota? Then anybody may be held by it. */
bool limits_any_queue(const struct site *s);

/* "gpu", "cpu", "memory", "storage", "environments": as limits and quotas name it. */
const char *sum_name(enum sum k);

/* "40", "1500m", "64Gi" */
const char *sum_text(struct arena *mem, enum sum k, int64_t n);

/* The part of `u` that counts against `l`. */
int64_t limit_part(const struct sum_limit *l, const struct use *u);

/* sum_text; and "team 'nlp' would hold 40 of 32 gpu of flavor 'gpu-large'". */
const char *limit_text(struct arena *mem, const struct sum_limit *l, int64_t n);
const char *limit_say(struct arena *mem, const struct sum_limit *l, int64_t sum);

/* Sums and products of sizes stay at INT64_MAX. */
int64_t size_plus(int64_t a, int64_t b);
int64_t size_times(int64_t a, int64_t b);
