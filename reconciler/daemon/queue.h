/* SPDX-License-Identifier: Apache-2.0 */
/* Named jobs with a due time: the same name twice is one job; failures back off, success forgets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_JOBS_MAX 16

struct job {
	const char *name; /* static */
	bool queued;
	int64_t due;      /* clock_mono_ms */
	unsigned failures;
};

struct queue {
	struct job jobs[QUEUE_JOBS_MAX];
	unsigned n;
	int64_t backoff_first, backoff_max; /* milliseconds; 0: 1 s and 60 s */
};

/* Queues at `due`, or earlier if it is queued earlier already. */
void queue_at(struct queue *q, const char *name, int64_t due);

/* Takes a job off; it keeps its failure count. */
void queue_drop(struct queue *q, const char *name);

/* The job that is due at `now` (the earliest), taken off; NULL when none: then *wait is the time until the next, at most `most`. */
const char *queue_next(struct queue *q, int64_t now, int64_t most, int64_t *wait);

/* It failed: queue again after backoff_first x 2^failures (at most backoff_max), minus up to a quarter of jitter. */
void queue_failed(struct queue *q, const char *name, int64_t now);

/* It went well: the next failure starts at backoff_first again. */
void queue_succeeded(struct queue *q, const char *name);

/* How often in a row it has failed. */
unsigned queue_failures(const struct queue *q, const char *name);
