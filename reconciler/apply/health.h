/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what the cluster says of an object to what it means for a person. Pure: values in, words out. Objects and
 * events are untrusted: any tree is taken, texts are cleaned of control characters, of passwords and queries in URLs
 * and of what the redactor knows, and cut.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/doc/value.h"

enum health { HEALTH_UNKNOWN, HEALTH_READY, HEALTH_PAUSED, HEALTH_PROGRESSING, HEALTH_QUEUED, HEALTH_DEGRADED, HEALTH_FAILED };

const char *health_name(enum health h); /* "Ready" … */

/* `reason` is a CamelCase word of a fixed table (never from the cluster), `message` cause and next step in one or two sentences. */
struct health_view {
	enum health health;
	const char *reason;  /* static: "ImagePull", "WaitingForCapacity", "OOMKilled", "TopologyAffinityError", "QuotaExceeded" … */
	const char *message; /* in mem, at most 240 bytes, one line, cause first, then the next step; NULL when Ready */
};

/*
 * One object as the API server gives it (whole, with status): StatefulSet, Deployment, Job, JobSet,
 * PersistentVolumeClaim, Service, Pod, Workload (Kueue), Certificate, HTTPRoute, Gateway, ExternalSecret,
 * VolumeSnapshot, ResourceClaim, Namespace (Terminating), anything else: by metadata.generation,
 * status.observedGeneration and the conditions Ready, Stalled, Reconciling. Facts and words: kstatus
 * (sigs.k8s.io/cli-utils) and what it lacks: replicas 0 is Paused, OnDelete compares revisions, LoadBalancer needs an
 * address, a Pending claim that nobody uses yet is Paused (WaitForFirstConsumer), not a failure; a pod that no node
 * takes is Queued (WaitingForCapacity), Degraded after 15 minutes; what is being deleted is Progressing
 * (Terminating). `now` in seconds since 1970 (for how long a pod waits).
 */
void health_of_object(struct arena *mem, const struct value *object, int64_t now, struct health_view *out);

/*
 * An Event (v1 or events.k8s.io/v1) that explains why something does not come up: FailedCreate (quota, pod security,
 * webhook), FailedScheduling, FailedMount, FailedAttachVolume, ProvisioningFailed, BackOff … false when it explains
 * nothing.
 */
bool health_of_event(struct arena *mem, const struct value *event, struct health_view *out);

/* The worse of two for an environment: Failed > Degraded > Queued > Progressing > Unknown > Paused > Ready; ties: the first. */
const struct health_view *health_worse(const struct health_view *a, const struct health_view *b);

/* What a reason means, in one line for `berth explain`; NULL for a word that is none. */
const char *health_reason_help(const char *reason);
/* The reasons in the order of the table; NULL past the end. */
const char *health_reason_name(size_t i);
