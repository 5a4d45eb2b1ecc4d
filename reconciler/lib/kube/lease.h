/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of several writes: a coordination.k8s.io/v1 Lease, taken and renewed as client-go's leader election does
 * (https://kubernetes.io/docs/concepts/architecture/leases/), with a fence: when the lease ends, also while this process is stopped, a timer
 * signal cuts all its connections before any other instruction of it runs, so that nothing goes out after the end. Renewals are made by
 * a thread of their own: a slow fetch of the repository must not cost the lease. The signal goes to the thread that writes: all
 * others must block it.
 */
#pragma once

#include "lib/kube/kube.h"

#define LEASE_SECONDS 15 /* others wait this long after the last renewal that they saw */
#define LEASE_HELD_MS 10000 /* we write only this long after the beginning of our last renewal */
#define LEASE_RENEW_MS 3000
#define LEASE_RETRY_MS 2000

struct lease;

/* Begins to ask for it, on a connection of its own. `c` is borrowed. `who` is our identity, unique for this process. One a process. */
struct lease *lease_new(const struct kube_config *c, const char *ns, const char *name, const char *who);
/* Gives it back when it is held (others need not wait), within 2 s. */
void lease_free(struct lease *l);

/* May we write now? For hub_config.may_send too: ctx is the lease. */
bool lease_held(void *lease);
/* Until when, in ms of CLOCK_BOOTTIME, unless it is renewed; 0: not at all. For processes that write in our name. */
int64_t lease_until(void);
/* It was held once and was not later on: somebody else may have written, so begin anew with another lease_new. For ever true. */
bool lease_lost(const struct lease *l);
