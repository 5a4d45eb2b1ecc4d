/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of health.h: the table of reasons, building a message, reading conditions. */
#pragma once

#include "apply/health.h"

/* One word a person meets in a status, and what it means (health_reason_help). */
#define HEALTH_REASONS(X) \
	X(Ready, "everything that was asked for is there and answers") \
	X(Paused, "it is wanted with no pods; its volumes are kept") \
	X(Pausing, "its pods are being ended; it is Paused when the last is gone") \
	X(Completed, "it ran to its end without an error") \
	X(Suspended, "the job is on hold and has no pods") \
	X(Starting, "pods are being created or their programs are starting") \
	X(Updating, "the cluster has not carried out the newest change yet") \
	X(RestartNeeded, "pods still run the version before the last change and are replaced only when somebody deletes them") \
	X(NotReady, "the program runs but its readiness probe does not succeed, or a controller does not call the object ready") \
	X(Terminating, "it is being deleted") \
	X(Queued, "the queue has not let it in yet; it starts by itself when its turn comes") \
	X(Preempted, "something of a higher priority took its place; it is in the queue again") \
	X(WaitingForCapacity, "no node has what it asks for free; it starts by itself when one has") \
	X(WaitingForVolume, "a volume that it uses is not there yet") \
	X(WaitingForAddress, "the load balancer has no address yet") \
	X(WaitForFirstConsumer, "made when a pod first uses it: as it should be while nothing runs") \
	X(VolumeProvisioning, "the storage driver is making the volume") \
	X(ProvisioningFailed, "the storage driver could not make the volume") \
	X(VolumeLost, "the volume behind the claim is gone") \
	X(Resizing, "the volume is being enlarged") \
	X(ResizeFailed, "the volume could not be enlarged") \
	X(MountFailed, "a volume could not be mounted into the pod") \
	X(AttachFailed, "a volume could not be attached to the node") \
	X(ImagePull, "the image cannot be fetched") \
	X(ConfigError, "the container cannot be created from what the pod names") \
	X(CrashLoop, "the program ends again and again after its start") \
	X(ExitedWithError, "the program ended with an error") \
	X(OOMKilled, "the program used more memory than its limit and was ended") \
	X(Evicted, "the node ran short of something and ended the pod") \
	X(NodeLost, "the node went down or does not answer") \
	X(TopologyAffinityError, "the node cannot give processors, memory and devices from the NUMA nodes that its policy demands") \
	X(UnexpectedAdmissionError, "the node refused the pod after it was placed, mostly because a device went away") \
	X(OutOfResource, "the node had less free than the scheduler thought") \
	X(DeadlineExceeded, "it took longer than it may") \
	X(QuotaExceeded, "the namespace's quota has no room for it") \
	X(QuotaTooSmall, "it asks for more than its queue can ever give") \
	X(LimitExceeded, "it asks for more or less than the namespace's limit range allows") \
	X(PodSecurity, "the namespace's pod security level does not allow the pod") \
	X(AdmissionWebhook, "a webhook or admission policy of the cluster refused it") \
	X(MissingObject, "something that it names does not exist") \
	X(CreateFailed, "the cluster refused to create its pods") \
	X(Misconfigured, "the queue or an object that it depends on is set up wrongly") \
	X(CertificateNotReady, "the certificate has not been issued") \
	X(RouteNotAccepted, "the gateway does not serve the route") \
	X(GatewayNotReady, "the gateway is not set up") \
	X(SecretNotSynced, "the secret could not be read from its store") \
	X(SnapshotFailed, "the snapshot could not be taken") \
	X(Snapshotting, "the snapshot is being taken") \
	X(Stalled, "its controller gave up on it") \
	X(Failed, "it ended without success, or was given up") \
	X(Unknown, "the cluster's answer could not be read")

#define HEALTH_ENUM(name, help) WHY_##name,
enum why { HEALTH_REASONS(HEALTH_ENUM) WHY_COUNT };

#define HEALTH_MESSAGE_MAX 240

/* One object being looked at. */
struct health_look {
	struct arena *mem;
	const struct value *object, *spec, *status;
	int64_t now;
	struct health_view *out;
};

/* Sets the view. fmt makes the cause, of untrusted text: it is cleaned and cut so that `next` (static, or NULL) fits behind it. */
void health_say(struct health_look *l, enum health h, enum why why, const char *next, const char *fmt, ...) PRINTF(5, 6);

/* The view without words: Ready. */
void health_ready(struct health_look *l, enum why why);

/* The condition of a type in `list`, or NULL; whether it is "True" or "False" (no condition: neither); its text or reason, or "". */
const struct value *health_condition(const struct value *list, const char *type);
bool health_is(const struct value *condition, const char *status);
const char *health_text(const struct value *condition);

const char *health_str(const struct value *v, const char *dotted); /* "" */
int64_t health_int(const struct value *v, const char *dotted, int64_t fallback); /* negative: fallback */

/* Seconds since an RFC 3339 time, 0 when it is none or in the future; and as "12 min". */
int64_t health_age(const struct health_look *l, const char *time);
const char *health_age_text(const struct health_look *l, int64_t seconds);

/* The kinds; false: not this file's. */
bool health_workload_kind(struct health_look *l, const char *kind);
bool health_other_kind(struct health_look *l, const char *kind);
void health_of_pod(struct health_look *l);

/* The scheduler's "0/4 nodes are available: …"; `pod` may be NULL. */
void health_unschedulable(struct health_look *l, const struct value *pod, const char *message, int64_t seconds);

/* Why the API server refused a pod: 'pods "x" is forbidden: exceeded quota: …'. */
void health_refusal(struct health_look *l, const char *message);
