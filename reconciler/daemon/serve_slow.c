/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, their age, and the thread that ends old ones. It sleeps while there are none. */
#include "daemon/serve_slow.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/base/clock.h"

struct slow_place {
	bool used, ended;
	int fd;
	int64_t since;
};

struct slow {
	pthread_mutex_t lock;
	pthread_cond_t change;
	pthread_t thread;
	bool stop, asleep; /* asleep: until a connection comes */
	unsigned int n;
	struct slow_place at[SLOW_CONNECTIONS];
};

/* The one that has been at its request for longest; NULL without any. */
static struct slow_place *
oldest(struct slow *s)
{
	struct slow_place *old = NULL;

	for (size_t i = 0; i < SLOW_CONNECTIONS; i++)
		if (s->at[i].used && !s->at[i].ended && (!old || s->at[i].since < old->since))
			old = &s->at[i];
	return old;
}

static void
end(struct slow_place *p)
{
	p->ended = true;
	(void)shutdown(p->fd, SHUT_RDWR);
}

static void
sleep_until(struct slow *s, int64_t mono_ms)
{
	struct timespec t = { .tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000 };

	(void)pthread_cond_timedwait(&s->change, &s->lock, &t);
}

static void *
watch(void *arg)
{
	struct slow *s = arg;

	(void)pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		struct slow_place *old = oldest(s);

		s->asleep = !old;
		if (!old)
			(void)pthread_cond_wait(&s->change, &s->lock);
		else if (clock_mono_ms() - old->since >= SLOW_REQUEST_MS)
			end(old);
		else
			sleep_until(s, old->since + SLOW_REQUEST_MS);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return NULL;
}

struct slow *
slow_new(void)
{
	struct slow *s = calloc(1, sizeof(*s));
	pthread_condattr_t how;

	if (!s || pthread_condattr_init(&how) != 0 || pthread_condattr_setclock(&how, CLOCK_MONOTONIC) != 0 ||
	    pthread_cond_init(&s->change, &how) != 0 || pthread_mutex_init(&s->lock, NULL) != 0 ||
	    pthread_create(&s->thread, NULL, watch, s) != 0)
		abort();
	(void)pthread_condattr_destroy(&how);
	return s;
}

void
slow_free(struct slow *s)
{
	if (!s)
		return;
	(void)pthread_mutex_lock(&s->lock);
	s->stop = true;
	(void)pthread_cond_signal(&s->change);
	(void)pthread_mutex_unlock(&s->lock);
	(void)pthread_join(s->thread, NULL);
	(void)pthread_cond_destroy(&s->change);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

struct slow_place *
slow_begin(struct slow *s, int fd)
{
	struct slow_place *p = NULL, *old;

	(void)pthread_mutex_lock(&s->lock);
	if (s->n >= SLOW_CROWD && (old = oldest(s)))
		end(old);
	for (size_t i = 0; i < SLOW_CONNECTIONS && !p; i++)
		if (!s->at[i].used)
			p = &s->at[i];
	if (p) {
		*p = (struct slow_place){ .used = true, .fd = fd, .since = clock_mono_ms() };
		s->n++;
		if (s->asleep) /* else it wakes for one that came earlier */
			(void)pthread_cond_signal(&s->change);
	}
	(void)pthread_mutex_unlock(&s->lock);
	return p;
}

void
slow_again(struct slow *s, struct slow_place *p)
{
	if (!p)
		return;
	(void)pthread_mutex_lock(&s->lock);
	p->since = clock_mono_ms();
	(void)pthread_mutex_unlock(&s->lock);
}

void
slow_end(struct slow *s, struct slow_place *p)
{
	if (!p)
		return;
	(void)pthread_mutex_lock(&s->lock);
	p->used = false;
	s->n--;
	(void)pthread_mutex_unlock(&s->lock);
}
