/* SPDX-License-Identifier: Apache-2.0 */
/* A handful of named jobs. */
#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"

#define FIRST_MS 1000
#define MAX_MS 60000

static struct job *
find(struct queue *q, const char *name)
{
	for (unsigned i = 0; i < q->n; i++)
		if (strcmp(q->jobs[i].name, name) == 0)
			return &q->jobs[i];
	if (q->n == QUEUE_JOBS_MAX)
		abort(); /* job names are literals of this program */
	q->jobs[q->n] = (struct job){ .name = name };
	return &q->jobs[q->n++];
}

void
queue_at(struct queue *q, const char *name, int64_t due)
{
	struct job *j = find(q, name);

	if (!j->queued || due < j->due)
		j->due = due;
	j->queued = true;
}

void
queue_drop(struct queue *q, const char *name)
{
	find(q, name)->queued = false;
}

const char *
queue_next(struct queue *q, int64_t now, int64_t most, int64_t *wait)
{
	struct job *first = NULL;

	for (unsigned i = 0; i < q->n; i++)
		if (q->jobs[i].queued && (!first || q->jobs[i].due < first->due))
			first = &q->jobs[i];
	if (first && first->due <= now) {
		first->queued = false;
		return first->name;
	}
	*wait = first && first->due - now < most ? first->due - now : most;
	return NULL;
}

void
queue_failed(struct queue *q, const char *name, int64_t now)
{
	struct job *j = find(q, name);
	int64_t delay = clock_backoff(q->backoff_first ? q->backoff_first : FIRST_MS, j->failures, q->backoff_max ? q->backoff_max : MAX_MS);

	if (j->failures < 1000)
		j->failures++;
	/* jitter from the clock: two daemons that failed together must not retry together */
	delay -= (int64_t)((uint64_t)now * 2654435761u % (uint64_t)(delay / 4 + 1));
	j->queued = false;
	queue_at(q, name, now + delay);
}

void
queue_succeeded(struct queue *q, const char *name)
{
	find(q, name)->failures = 0;
}

unsigned
queue_failures(const struct queue *q, const char *name)
{
	for (unsigned i = 0; i < q->n; i++)
		if (strcmp(q->jobs[i].name, name) == 0)
			return q->jobs[i].failures;
	return 0;
}
