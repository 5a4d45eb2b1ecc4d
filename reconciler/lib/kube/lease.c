/* SPDX-License-Identifier: Apache-2.0 */
/* Leader election with a fence. */
#include "lib/kube/lease.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/net/hub.h"

#define MICRO_LEN 48
#define BODY_MAX 2048
#define WAKE_MS 200       /* how soon the thread sees that it is to stop */
#define GIVE_BACK_MS 2000

struct lease {
	struct kube *k;
	char *ns, *name, *who;
	char holder[256];
	char seen_renew[64];     /* renewTime of the holder, as last seen … */
	int64_t seen_at;         /* … and when, by our own clock: nobody's clock has to be right */
	char rv[32];
	bool exists, asking, no_namespace;
	_Atomic bool had, lost, stop; /* the thread's word to the others, and theirs to it */
	pthread_t thread;
	int64_t transitions;
	int64_t due, begun;      /* of the request under way */
	char body[BODY_MAX];
	enum { ASK_GET, ASK_WRITE, ASK_NAMESPACE } ask;
	timer_t timer;
	bool has_timer;
};

/* The only lease that a process writes under; what its signal handler looks at. Milliseconds of CLOCK_BOOTTIME. */
static _Atomic int64_t held_until;

static void
on_end(int sig)
{
	(void)sig;
	hub_cut_all();
}

bool
lease_held(void *lease)
{
	(void)lease;
	return clock_boot_ms() < held_until;
}

int64_t
lease_until(void)
{
	return held_until;
}

bool
lease_lost(const struct lease *l)
{
	return l->lost || (l->had && clock_boot_ms() >= held_until);
}

/* A signal that is pending is handled before anything else when the process goes on after a stop. */
static void
arm(struct lease *l, int64_t until)
{
	struct itimerspec at = { .it_value = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 } };

	held_until = until;
	if (l->has_timer && timer_settime(l->timer, TIMER_ABSTIME, &at, NULL) < 0)
		held_until = 0; /* no fence, no writing */
}

/* -- asking ------------------------------------------------------------------------------------------------------------------ */

static void
micro_time(char out[MICRO_LEN])
{
	struct timespec t;
	char seconds[RFC3339_LEN];

	if (clock_gettime(CLOCK_REALTIME, &t) < 0)
		abort();
	clock_rfc3339(t.tv_sec, seconds);
	(void)snprintf(out, MICRO_LEN, "%.19s.%06ldZ", seconds, t.tv_nsec / 1000);
}

static bool
ours(const struct lease *l)
{
	return strcmp(l->holder, l->who) == 0;
}

static void
read_lease(struct lease *l, const char *body, size_t len)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)4 << 20);
	const char *renew;
	struct value *v;

	if (json_read(mem, body, len, &v, NULL) < 0)
		return;
	l->exists = true;
	(void)snprintf(l->rv, sizeof(l->rv), "%s", value_as_str(value_at(v, "metadata.resourceVersion"), ""));
	(void)snprintf(l->holder, sizeof(l->holder), "%s", value_as_str(value_at(v, "spec.holderIdentity"), ""));
	l->transitions = value_as_int(value_at(v, "spec.leaseTransitions"), 0);
	renew = value_as_str(value_at(v, "spec.renewTime"), "");
	if (strcmp(l->seen_renew, renew) != 0) {
		(void)snprintf(l->seen_renew, sizeof(l->seen_renew), "%s", renew);
		l->seen_at = clock_boot_ms();
	}
}

static void
on_answer(void *ctx, const struct kube_answer *a)
{
	struct lease *l = ctx;
	int64_t now = clock_boot_ms();

	l->asking = false;
	l->due = now + LEASE_RETRY_MS;
	if (a->code == 0)
		read_lease(l, a->body, a->len);
	else if (a->code == ERR_NOTFOUND && l->ask == ASK_GET)
		l->exists = false;
	if (l->ask == ASK_NAMESPACE)
		return;
	if (l->ask == ASK_WRITE && a->code == ERR_NOTFOUND) {
		l->no_namespace = true;
		l->exists = false;
		l->due = now;
		return;
	}
	if (l->ask == ASK_WRITE) {
		if (a->code == 0 && ours(l) && !l->lost) {
			/* counted from before it was sent: whatever the way took is lost to us, never to the others */
			l->had = true;
			arm(l, l->begun + LEASE_HELD_MS);
			l->due = l->begun + LEASE_RENEW_MS;
		} else if (a->code == ERR_CONFLICT) {
			l->exists = true; /* somebody was faster: read again */
			l->rv[0] = '\0';
			l->due = now + 100;
		}
		return;
	}
	if (a->code == 0 || a->code == ERR_NOTFOUND)
		l->due = l->exists && *l->holder && !ours(l) && now - l->seen_at < LEASE_SECONDS * 1000LL ? l->due : now;
}

static void
send(struct lease *l, const char *method, bool collection, const char *body)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 16);
	struct kube_request q = { .method = method, .body = body, .body_len = body ? strlen(body) : 0, .timeout_ms = 5000, .done = on_answer,
		.ctx = l };

	q.path = l->ask == ASK_NAMESPACE ? "/api/v1/namespaces?fieldManager=" KUBE_MANAGER
	                                 : arena_printf(mem, "/apis/coordination.k8s.io/v1/namespaces/%s/leases%s%s", l->ns,
	                                                collection ? "" : "/", collection ? "" : l->name);
	l->asking = true;
	l->begun = clock_boot_ms();
	kube_send(l->k, &q);
}

static void
send_write(struct lease *l, const char *holder)
{
	char now[MICRO_LEN], rv[64] = "";
	bool mine = ours(l);

	micro_time(now);
	if (l->exists)
		(void)snprintf(rv, sizeof(rv), ",\"resourceVersion\":\"%s\"", l->rv);
	(void)snprintf(l->body, sizeof(l->body),
	               "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\"%s},"
	               "\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":%d,\"acquireTime\":\"%s\",\"renewTime\":\"%s\","
	               "\"leaseTransitions\":%lld}}",
	               l->name, l->ns, rv, holder, *holder ? LEASE_SECONDS : 1, now, now, (long long)(l->transitions + (mine ? 0 : 1)));
	l->ask = ASK_WRITE;
	send(l, l->exists ? "PUT" : "POST", !l->exists, l->body);
}

static void
send_namespace(struct lease *l)
{
	l->no_namespace = false;
	l->ask = ASK_NAMESPACE;
	(void)snprintf(l->body, sizeof(l->body), "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}", l->ns);
	send(l, "POST", true, l->body);
}

/* Asks for it or renews it when that is due. Returns after how many ms to come again, at most `ms`. */
static int64_t
turn(struct lease *l, int64_t ms)
{
	int64_t now = clock_boot_ms();

	if (l->had && now >= held_until)
		l->lost = true;
	if (l->asking || l->lost)
		return ms;
	if (now < l->due)
		return l->due - now < ms ? l->due - now : ms;
	if (l->no_namespace) {
		send_namespace(l);
		return ms;
	}
	if (!l->rv[0] && (l->exists || !l->seen_at)) {
		l->ask = ASK_GET;
		l->seen_at = l->seen_at ? l->seen_at : now;
		send(l, "GET", false, NULL);
		return ms;
	}
	if (!l->exists || !*l->holder || ours(l) || now - l->seen_at >= LEASE_SECONDS * 1000LL) {
		send_write(l, l->who);
		return ms;
	}
	l->ask = ASK_GET;
	send(l, "GET", false, NULL);
	return ms;
}

static void *
renew(void *ctx)
{
	struct lease *l = ctx;

	while (!l->stop)
		kube_run(l->k, turn(l, WAKE_MS), -1);
	return NULL;
}

struct lease *
lease_new(const struct kube_config *c, const char *ns, const char *name, const char *who)
{
	struct lease *l = calloc(1, sizeof(*l));
	struct sigaction sa = { .sa_handler = on_end, .sa_flags = SA_RESTART };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	sigset_t all, was;

	if (!l || !(l->ns = strdup(ns)) || !(l->name = strdup(name)) || !(l->who = strdup(who)))
		abort();
	l->k = kube_new(c, NULL, NULL);
	held_until = 0;
	(void)sigemptyset(&sa.sa_mask);
	if (sigaction(SIGRTMIN, &sa, NULL) < 0 || timer_create(CLOCK_BOOTTIME, &ev, &l->timer) < 0)
		abort();
	l->has_timer = true;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &was);
	if (pthread_create(&l->thread, NULL, renew, l) != 0)
		abort();
	(void)pthread_sigmask(SIG_SETMASK, &was, NULL);
	return l;
}

static void
give_back(struct lease *l)
{
	int64_t end = clock_boot_ms() + GIVE_BACK_MS;

	while (l->asking && clock_boot_ms() < end)
		kube_run(l->k, 50, -1);
	if (!lease_held(l) || l->asking || !ours(l))
		return;
	arm(l, clock_boot_ms() + GIVE_BACK_MS);
	l->stop = true;
	send_write(l, "");
	while (l->asking && clock_boot_ms() < end)
		kube_run(l->k, 50, -1);
}

void
lease_free(struct lease *l)
{
	if (!l)
		return;
	l->stop = true;
	(void)pthread_join(l->thread, NULL);
	give_back(l);
	held_until = 0;
	if (l->has_timer)
		(void)timer_delete(l->timer);
	kube_free(l->k);
	free(l->ns);
	free(l->name);
	free(l->who);
	free(l);
}
