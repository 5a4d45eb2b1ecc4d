/* SPDX-License-Identifier: Apache-2.0 */
/* Objects and events as a cluster gives them, and what berth says of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "apply/health.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "with_arena.h"

#define NOW 1795644000 /* 2026-11-25T22:00:00Z */

#define OBJECT(kind, spec, status) "{\"kind\":\"" kind "\",\"metadata\":{\"generation\":2},\"spec\":" spec ",\"status\":" status "}"
#define POD(status) OBJECT("Pod", "{\"nodeName\":\"n\"}", status)
#define GPU_POD(status) \
	OBJECT("Pod", "{\"containers\":[{\"name\":\"main\",\"resources\":{\"requests\":{\"nvidia.com/gpu\":\"8\"}}},{\"name\":\"s\"}]," \
	              "\"nodeSelector\":{\"gpu.product\":\"H100\"}}", status)
#define COND(type, status, reason, message) \
	"{\"type\":\"" type "\",\"status\":\"" status "\",\"reason\":\"" reason "\",\"message\":\"" message "\"}"
#define UNSCHEDULED(time, message) \
	"{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\"," \
	"\"lastTransitionTime\":\"" time "\",\"message\":\"" message "\"}]}"
#define CONTAINER(rest) "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"main\",\"image\":\"reg/x:1\"," rest "}]}"
#define WAITING(reason, message) CONTAINER("\"state\":{\"waiting\":{\"reason\":\"" reason "\",\"message\":\"" message "\"}}")
#define ENDED(reason) "{\"phase\":\"Failed\",\"reason\":\"" reason "\",\"message\":\"details\"}"
#define NO_HELP " no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."

struct expected {
	const char *object;
	enum health health;
	const char *reason;
	const char *message; /* the whole, or with a '*' at its end the beginning; NULL: none */
};

static struct value *
parse(const char *json)
{
	struct value *v = NULL;
	struct err e = { 0 };

	if (json_read(mem, json, strlen(json), &v, &e) < 0)
		fail_msg("%s: %s", json, e.text);
	return v;
}

/* What holds for every answer. */
static void
assert_sound(const struct health_view *v)
{
	assert_non_null(v->reason);
	assert_non_null(health_reason_help(v->reason));
	assert_int_equal(v->message == NULL, v->health == HEALTH_READY);
	if (!v->message)
		return;
	assert_true(strlen(v->message) > 0 && strlen(v->message) <= 240);
	assert_true(str_utf8_valid(v->message, strlen(v->message)));
	for (const char *s = v->message; *s; s++)
		assert_false(iscntrl((unsigned char)*s));
}

static void
assert_view(const struct health_view *v, const struct expected *x)
{
	size_t n = x->message ? strlen(x->message) : 0;

	if (v->health != x->health || strcmp(v->reason, x->reason) != 0)
		fail_msg("%s %s (%s), not %s %s, for %s", health_name(v->health), v->reason, v->message ? v->message : "", health_name(x->health),
		         x->reason, x->object);
	assert_sound(v);
	if (!x->message)
		return;
	if (n && x->message[n - 1] == '*' ? strncmp(v->message, x->message, n - 1) != 0 : strcmp(v->message, x->message) != 0)
		fail_msg("\"%s\", not \"%s\"", v->message, x->message);
}

static void
check_all(const struct expected *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct health_view v;

		health_of_object(mem, parse(t[i].object), NOW, &v);
		assert_view(&v, &t[i]);
	}
}

#define CHECK(t) check_all(t, sizeof(t) / sizeof((t)[0]))

static void
pods_say_where_they_are_stuck(void **state)
{
	static const struct expected t[] = {
		{ GPU_POD(UNSCHEDULED("2026-11-25T21:59:30Z", "0/4 nodes are available: 1 Insufficient cpu, 4 Insufficient nvidia.com/gpu." NO_HELP)),
		  HEALTH_QUEUED, "WaitingForCapacity",
		  "no node has 8 nvidia.com/gpu free; it starts by itself when one has; a smaller flavor may fit now" },
		{ GPU_POD(UNSCHEDULED("2026-11-25T21:00:00Z", "0/4 nodes are available: 4 Insufficient memory." NO_HELP)),
		  HEALTH_DEGRADED, "WaitingForCapacity", "no node has enough memory free, for 60 min now; *" },
		{ GPU_POD(UNSCHEDULED("2026-11-25T21:58:00Z", "0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector." NO_HELP)),
		  HEALTH_QUEUED, "WaitingForCapacity",
		  "no node has the labels it asks for (gpu.product=H100), for 2 min now; see the flavor's node selector" },
		{ GPU_POD(UNSCHEDULED("", "0/4 nodes are available: 4 node(s) had untolerated taint(s)." NO_HELP)), HEALTH_QUEUED,
		  "WaitingForCapacity", "the nodes have a taint that it does not tolerate; see the flavor's tolerations" },
		{ GPU_POD(UNSCHEDULED("x", "0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found")),
		  HEALTH_QUEUED, "WaitingForVolume", "a volume that it uses is not there yet; look at its claims" },
		{ GPU_POD(UNSCHEDULED("x", "0/4 nodes are available: persistentvolumeclaim \\\"ukbb\\\" not found. not found")),
		  HEALTH_QUEUED, "WaitingForVolume", "a claim that it uses does not exist (ukbb); create the claim" },
		{ GPU_POD(UNSCHEDULED("x", "new\\nwords\\u001b[31m")), HEALTH_QUEUED, "WaitingForCapacity", "no node takes it: new words?[31m" },
		{ OBJECT("Pod", "{\"schedulingGates\":[{\"name\":\"kueue.x-k8s.io/admission\"}]}",
		         "{\"phase\":\"Pending\",\"conditions\":[" COND("PodScheduled", "False", "SchedulingGated", "blocked") "]}"),
		  HEALTH_QUEUED, "Queued", "waits in the queue (gate kueue.x-k8s.io/admission); it starts by itself" },
		{ POD("{\"phase\":\"Running\",\"conditions\":[" COND("Ready", "True", "", "") "," COND("PodScheduled", "False", "SchedulerError",
		      "Precondition failed") "]}"), HEALTH_READY, "Ready", NULL }, /* the error was about another pod of its name */
		{ POD(WAITING("ImagePullBackOff", "Back-off pulling image: rpc error: code = NotFound desc = reg/x:1: not found")),
		  HEALTH_FAILED, "ImagePull", "cannot fetch image reg/x:1: it is not in the registry; see the name and tag or digest" },
		{ POD(WAITING("ErrImagePull", "pull access denied")), HEALTH_FAILED, "ImagePull",
		  "cannot fetch image reg/x:1: the registry does not let the cluster read it; see the name and the pull secret" },
		{ POD(WAITING("InvalidImageName", "couldn't parse image name")), HEALTH_FAILED, "ImagePull", "cannot fetch image reg/x:1: its name*" },
		{ POD(WAITING("CreateContainerConfigError", "secret \\\"wandb\\\" not found")), HEALTH_FAILED, "ConfigError",
		  "container main cannot be created: secret \"wandb\" not found; create or correct what it names" },
		{ POD(CONTAINER("\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":{\"exitCode\":3}}")),
		  HEALTH_FAILED, "CrashLoop", "container main ends again and again, last with exit code 3; look at its log" },
		{ POD(CONTAINER("\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":{\"exitCode\":137,"
		                "\"reason\":\"OOMKilled\"}}")),
		  HEALTH_DEGRADED, "OOMKilled", "container main used more memory than its limit; use less memory or ask for more" },
		{ POD(CONTAINER("\"ready\":false,\"state\":{\"running\":{}},\"lastState\":{\"terminated\":{\"reason\":\"OOMKilled\"}}")),
		  HEALTH_DEGRADED, "OOMKilled", "container main used*" },
		{ POD(CONTAINER("\"state\":{\"terminated\":{\"exitCode\":137,\"reason\":\"OOMKilled\"}}")), HEALTH_FAILED, "OOMKilled", "*" },
		{ POD(CONTAINER("\"state\":{\"running\":{\"startedAt\":\"2026-11-25T21:59:00Z\"}},\"started\":true")), HEALTH_PROGRESSING,
		  "NotReady", "container main runs for 60 s and its readiness probe fails; look at its log" },
		{ POD(CONTAINER("\"state\":{\"running\":{\"startedAt\":\"2026-11-25T20:00:00Z\"}},\"started\":true")), HEALTH_DEGRADED,
		  "NotReady", "container main runs for 2 h*" },
		{ POD(CONTAINER("\"state\":{\"running\":{\"startedAt\":\"2026-11-25T21:50:00Z\"}},\"started\":false")), HEALTH_PROGRESSING,
		  "Starting", "container main is starting; if that lasts, its log says what it lacks" },
		{ POD(WAITING("ContainerCreating", "")), HEALTH_PROGRESSING, "Starting", "container main is being created (image reg/x:1)" },
		{ POD("{\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"toolbox\",\"state\":{\"running\":{}}}]}"),
		  HEALTH_PROGRESSING, "Starting", "init container toolbox is running" },
		{ POD("{\"phase\":\"Pending\",\"initContainerStatuses\":[{\"name\":\"toolbox\",\"state\":{\"terminated\":{\"exitCode\":1}}}]}"),
		  HEALTH_FAILED, "ExitedWithError", "container toolbox ended with exit code 1; look at its log" },
		{ POD(ENDED("TopologyAffinityError")), HEALTH_FAILED, "TopologyAffinityError", "no NUMA node can give what it asks for: details; *" },
		{ POD(ENDED("UnexpectedAdmissionError")), HEALTH_FAILED, "UnexpectedAdmissionError", "*" },
		{ POD(ENDED("SupplementalGroupsPolicyNotSupported")), HEALTH_FAILED, "UnexpectedAdmissionError",
		  "its node is older than cluster.version in berth.yaml: details; *" },
		{ POD(ENDED("Evicted")), HEALTH_FAILED, "Evicted", "the node ended it: details; ask for as much memory and disk as it uses" },
		{ POD(ENDED("OutOfnvidia.com/gpu")), HEALTH_FAILED, "OutOfResource", "the node had too little nvidia.com/gpu left; *" },
		{ POD(ENDED("NodeLost")), HEALTH_FAILED, "NodeLost", "*" },
		{ POD("{\"phase\":\"Failed\",\"conditions\":[" COND("DisruptionTarget", "True", "PreemptionByScheduler", "x") "]}"),
		  HEALTH_QUEUED, "Preempted", "something of a higher priority took its place; it starts again by itself" },
		{ POD("{\"phase\":\"Failed\"}"), HEALTH_FAILED, "Failed", "the pod failed; look at its log" },
		{ POD("{\"phase\":\"Succeeded\"}"), HEALTH_READY, "Completed", NULL },
		{ POD("{\"phase\":\"Running\",\"conditions\":[" COND("Ready", "True", "", "") "],\"containerStatuses\":[{\"ready\":true,"
		      "\"lastState\":{\"terminated\":{\"reason\":\"OOMKilled\"}}}]}"), HEALTH_READY, "Ready", NULL },
		{ POD("{\"phase\":\"Pending\"}"), HEALTH_PROGRESSING, "Starting", "its node is starting it" },
		{ "{\"kind\":\"Pod\",\"metadata\":{\"deletionTimestamp\":\"2026-11-25T21:00:00Z\"}}", HEALTH_PROGRESSING, "Terminating", "is being deleted" },
	};

	(void)state;
	CHECK(t);
}

#define SETS(spec, status) OBJECT("StatefulSet", spec, status)

static void
workloads(void **state)
{
	static const struct expected t[] = {
		{ SETS("{\"replicas\":2}", "{\"observedGeneration\":1}"), HEALTH_PROGRESSING, "Updating",
		  "the StatefulSet controller has not seen the newest change yet" },
		{ SETS("{\"replicas\":0}", "{\"observedGeneration\":2,\"replicas\":1}"), HEALTH_PROGRESSING, "Pausing", "waits for 1 pod to end" },
		{ SETS("{\"replicas\":0}", "{\"observedGeneration\":2,\"replicas\":0}"), HEALTH_PAUSED, "Paused", "has no pods, as asked for" },
		{ SETS("{}", "{\"replicas\":1,\"readyReplicas\":0}"), HEALTH_PROGRESSING, "Starting", "0 of 1 ready" },
		{ SETS("{\"replicas\":2}", "{\"replicas\":2,\"readyReplicas\":2,\"updatedReplicas\":1,\"currentRevision\":\"a\",\"updateRevision\":\"b\"}"),
		  HEALTH_PROGRESSING, "Updating", "1 of 2 run the new version" },
		{ SETS("{\"replicas\":2,\"updateStrategy\":{\"type\":\"OnDelete\"}}",
		       "{\"replicas\":2,\"readyReplicas\":2,\"updatedReplicas\":1,\"currentRevision\":\"a\",\"updateRevision\":\"b\"}"),
		  HEALTH_PROGRESSING, "RestartNeeded", "1 of 2 pods run the old version; delete them to update (update strategy OnDelete)" },
		{ SETS("{\"replicas\":1}", "{\"replicas\":1,\"readyReplicas\":1,\"updatedReplicas\":1,\"currentRevision\":\"b\",\"updateRevision\":\"b\"}"),
		  HEALTH_READY, "Ready", NULL },
		{ OBJECT("Deployment", "{\"replicas\":1}", "{\"conditions\":[" COND("Progressing", "False", "ProgressDeadlineExceeded", "") "]}"),
		  HEALTH_FAILED, "DeadlineExceeded", "0 of 1 available, no progress within its deadline; look at its pods" },
		{ OBJECT("Deployment", "{}", "{\"conditions\":[" COND("ReplicaFailure", "True", "FailedCreate", "pods \\\"w\\\" is forbidden: exceeded quota: berth, "
		         "requested: a=1, used: a=2, limited: a=2") "]}"), HEALTH_FAILED, "QuotaExceeded", "quota berth has no room: requested a=1, *" },
		{ OBJECT("Deployment", "{}", "{\"replicas\":1,\"updatedReplicas\":1,\"availableReplicas\":1}"), HEALTH_READY, "Ready", NULL },
		{ OBJECT("Job", "{}", "{\"active\":1,\"ready\":1}"), HEALTH_READY, "Ready", NULL },
		{ OBJECT("Job", "{}", "{\"active\":2,\"ready\":1}"), HEALTH_PROGRESSING, "Starting", "1 of 2 pods ready" },
		{ OBJECT("Job", "{\"suspend\":true}", "{}"), HEALTH_PAUSED, "Suspended", "is suspended" },
		{ "{\"kind\":\"JobSet\",\"metadata\":{\"labels\":{\"kueue.x-k8s.io/queue-name\":\"gpu\"}},\"spec\":{\"suspend\":true}}", HEALTH_QUEUED,
		  "Queued", "waits in queue gpu; it starts by itself" },
		{ OBJECT("Job", "{}", "{\"conditions\":[" COND("Complete", "True", "", "") "]}"), HEALTH_READY, "Completed", NULL },
		{ OBJECT("Job", "{}", "{\"conditions\":[" COND("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit") "]}"),
		  HEALTH_FAILED, "Failed", "Job has reached the specified backoff limit; look at the logs of its pods" },
		{ OBJECT("JobSet", "{}", "{\"replicatedJobsStatus\":[{\"ready\":4,\"active\":4},{\"ready\":0,\"active\":1}]}"), HEALTH_PROGRESSING,
		  "Starting", "4 of 5 jobs ready" },
		{ OBJECT("Workload", "{\"queueName\":\"gpu\"}", "{\"conditions\":[" COND("QuotaReserved", "False", "Pending", "insufficient unused quota") "]}"),
		  HEALTH_QUEUED, "Queued", "waits in queue gpu: insufficient unused quota; it starts by itself" },
		{ OBJECT("Workload", "{\"queueName\":\"gpu\"}", "{\"conditions\":[" COND("QuotaReserved", "False", "ExceedsMaxQuota", "m") "]}"), HEALTH_FAILED,
		  "QuotaTooSmall", "waits in queue gpu: m; ask for less, or for a larger quota" },
		{ OBJECT("Workload", "{}", "{\"conditions\":[" COND("Evicted", "True", "Preempted", "m") "," COND("QuotaReserved", "False", "Pending", "m") "]}"),
		  HEALTH_QUEUED, "Preempted", "its place went to something of a higher priority; it starts again by itself" },
		{ OBJECT("Workload", "{}", "{\"conditions\":[" COND("QuotaReserved", "True", "", "") "," COND("Evicted", "True", "Preempted", "m") ","
		         COND("Admitted", "True", "", "") "," COND("PodsReady", "True", "", "") "]}"), HEALTH_READY, "Ready", NULL },
		{ OBJECT("Workload", "{}", "{\"conditions\":[" COND("QuotaReserved", "True", "", "") "]}"), HEALTH_QUEUED, "Queued",
		  "has its quota and waits for the queue's admission checks; it starts by itself" },
	};

	(void)state;
	CHECK(t);
}

#define CLAIM(notes, status) \
	"{\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"annotations\":" notes "},\"spec\":{\"volumeName\":\"pv\"},\"status\":" status "}"

static void
everything_else(void **state)
{
	static const struct expected t[] = {
		{ CLAIM("{}", "{\"phase\":\"Pending\"}"), HEALTH_PAUSED, "WaitForFirstConsumer", "is made when a pod first uses it" },
		{ CLAIM("{\"volume.kubernetes.io/selected-node\":\"n\",\"volume.kubernetes.io/storage-provisioner\":\"csi.test\"}", "{\"phase\":\"Pending\"}"),
		  HEALTH_PROGRESSING, "VolumeProvisioning", "csi.test is making the volume" },
		{ CLAIM("{}", "{\"phase\":\"Bound\"}"), HEALTH_READY, "Ready", NULL },
		{ CLAIM("{}", "{\"phase\":\"Lost\"}"), HEALTH_FAILED, "VolumeLost", "volume pv is gone; restore it from a snapshot" },
		{ CLAIM("{}", "{\"phase\":\"Bound\",\"conditions\":[" COND("FileSystemResizePending", "True", "", "") "]}"), HEALTH_PROGRESSING, "Resizing",
		  "the file system grows when a pod mounts it" },
		{ CLAIM("{}", "{\"phase\":\"Bound\",\"conditions\":[" COND("ControllerResizeError", "True", "", "too often") "]}"), HEALTH_DEGRADED,
		  "ResizeFailed", "could not be enlarged: too often; the old size stays usable" },
		{ CLAIM("{}", "{\"phase\":\"Bound\",\"allocatedResourceStatuses\":{\"storage\":\"ControllerResizeInfeasible\"}}"), HEALTH_DEGRADED,
		  "ResizeFailed", "*" },
		{ OBJECT("Service", "{\"type\":\"LoadBalancer\",\"clusterIP\":\"10.0.0.1\"}", "{\"loadBalancer\":{}}"), HEALTH_PROGRESSING,
		  "WaitingForAddress", "the load balancer has no address yet; *" },
		{ OBJECT("Service", "{\"type\":\"LoadBalancer\"}", "{\"loadBalancer\":{\"ingress\":[{\"hostname\":\"h\"}]}}"), HEALTH_READY, "Ready", NULL },
		{ OBJECT("Service", "{\"clusterIP\":\"None\"}", "{}"), HEALTH_READY, "Ready", NULL },
		{ OBJECT("Namespace", "{}", "{\"phase\":\"Active\"}"), HEALTH_READY, "Ready", NULL },
		{ "{\"kind\":\"Namespace\",\"metadata\":{\"deletionTimestamp\":\"2026-11-25T21:00:00Z\"},\"status\":{\"conditions\":["
		  COND("NamespaceContentRemaining", "True", "", "pods. has 1 resource instances") "]}}", HEALTH_PROGRESSING, "Terminating",
		  "is being deleted: pods. has 1 resource instances" },
		{ "{\"kind\":\"ConfigMap\",\"metadata\":{\"deletionTimestamp\":\"2026-11-25T21:00:00Z\",\"finalizers\":[\"x/y\"]}}", HEALTH_PROGRESSING,
		  "Terminating", "is being deleted for 60 min and waits for finalizer x/y; the controller that set it must take it off" },
		{ OBJECT("Certificate", "{}", "{\"conditions\":[" COND("Ready", "False", "DoesNotExist", "no secret") "]}"), HEALTH_DEGRADED,
		  "CertificateNotReady", "no secret; look at its CertificateRequest and issuer" },
		{ OBJECT("Certificate", "{}", "{\"conditions\":[" COND("Ready", "False", "", "m") "," COND("Issuing", "True", "", "first") "]}"),
		  HEALTH_PROGRESSING, "CertificateNotReady", "is being issued: first" },
		{ OBJECT("HTTPRoute", "{}", "{\"parents\":[{\"conditions\":[" COND("Accepted", "True", "", "") "," COND("ResolvedRefs", "False", "BackendNotFound",
		         "service x not found") "]}]}"), HEALTH_DEGRADED, "RouteNotAccepted", "service x not found; see that the service*" },
		{ OBJECT("HTTPRoute", "{}", "{\"parents\":[]}"), HEALTH_PROGRESSING, "RouteNotAccepted", "no gateway has taken the route yet; *" },
		{ OBJECT("HTTPRoute", "{}", "{\"parents\":[{\"conditions\":[" COND("Accepted", "True", "", "") "," COND("ResolvedRefs", "True", "", "") "]}]}"),
		  HEALTH_READY, "Ready", NULL },
		{ OBJECT("Gateway", "{}", "{\"conditions\":[" COND("Accepted", "True", "", "") "," COND("Programmed", "False", "AddressNotAssigned", "no address") "]}"),
		  HEALTH_PROGRESSING, "GatewayNotReady", "no address" },
		{ OBJECT("Gateway", "{}", "{\"conditions\":[" COND("Accepted", "True", "", "") ",{\"type\":\"Programmed\",\"status\":\"True\",\"observedGeneration\":1}]}"),
		  HEALTH_PROGRESSING, "GatewayNotReady", "its controller has not said yet whether it is Programmed" },
		{ OBJECT("ExternalSecret", "{}", "{\"conditions\":[" COND("Ready", "False", "SecretSyncedError", "could not get secret data") "]}"), HEALTH_DEGRADED,
		  "SecretNotSynced", "could not get secret data; see the secret store and the key's name" },
		{ OBJECT("VolumeSnapshot", "{}", "{\"readyToUse\":false,\"error\":{\"message\":\"driver said no\"}}"), HEALTH_FAILED, "SnapshotFailed",
		  "driver said no; see the snapshot class and the driver" },
		{ OBJECT("VolumeSnapshot", "{}", "{\"readyToUse\":true}"), HEALTH_READY, "Ready", NULL },
		{ OBJECT("ResourceClaim", "{}", "{\"allocation\":{}}"), HEALTH_READY, "Ready", NULL },
		{ OBJECT("ResourceClaim", "{}", "{}"), HEALTH_PAUSED, "WaitForFirstConsumer", "*" },
		{ OBJECT("Widget", "{}", "{\"conditions\":[" COND("Stalled", "True", "Bad", "") "]}"), HEALTH_FAILED, "Stalled", "Bad" },
		{ OBJECT("Widget", "{}", "{\"conditions\":[" COND("Ready", "Unknown", "", "asking") "]}"), HEALTH_PROGRESSING, "NotReady", "asking" },
		{ OBJECT("Widget", "{}", "{\"conditions\":[" COND("Reconciling", "True", "", "busy") "," COND("Ready", "True", "", "") "]}"), HEALTH_PROGRESSING,
		  "Updating", "busy" },
		{ OBJECT("ConfigMap", "{}", "{}"), HEALTH_READY, "Ready", NULL },
		{ "[]", HEALTH_UNKNOWN, "Unknown", "the object has no kind" },
	};

	(void)state;
	CHECK(t);
}

#define EVENT(reason, message) "{\"kind\":\"Event\",\"reason\":\"" reason "\",\"message\":\"" message "\"}"
#define CREATE "Create Pod psa-0 in StatefulSet psa failed error: "

static void
events_explain(void **state)
{
	static const struct expected t[] = {
		{ EVENT("FailedCreate", CREATE "pods \\\"q-0\\\" is forbidden: exceeded quota: berth, requested: requests.nvidia.com/gpu=8, "
		                        "used: requests.nvidia.com/gpu=0, limited: requests.nvidia.com/gpu=4"), HEALTH_FAILED, "QuotaExceeded",
		  "quota berth has no room: requested requests.nvidia.com/gpu=8, used requests.nvidia.com/gpu=0, limit requests.nvidia.com/gpu=4; "
		  "pause another environment, ask for less, or for a larger quota" },
		{ EVENT("FailedCreate", CREATE "pods \\\"psa-0\\\" is forbidden: violates PodSecurity \\\"baseline:latest\\\": privileged (container \\\"c\\\" must "
		                        "not set securityContext.privileged=true)"), HEALTH_FAILED, "PodSecurity",
		  "the namespace's pod security level forbids it: \"baseline:latest\": privileged (container \"c\" must not set "
		  "securityContext.privileged=true); change the template, or the namespace's level" },
		{ EVENT("FailedCreate", CREATE "admission webhook \\\"v.x.io\\\" denied the request: no"), HEALTH_FAILED, "AdmissionWebhook",
		  "refused: admission webhook \"v.x.io\" denied the request: no; change what it complains about" },
		{ EVENT("FailedCreate", "Error creating: Internal error occurred: failed calling webhook \\\"m.x.io\\\": timeout"), HEALTH_DEGRADED,
		  "AdmissionWebhook", "a webhook does not answer: \"m.x.io\": timeout; it is tried again; tell who runs the cluster" },
		{ EVENT("FailedCreate", CREATE "pods \\\"train-0\\\" is forbidden: no PriorityClass with name x was found"), HEALTH_FAILED, "MissingObject",
		  "there is no PriorityClass with name x was found; create it" },
		{ EVENT("FailedCreate", "pods \\\"a\\\" is forbidden: maximum memory usage per Container is 4Gi, but limit is 8Gi"), HEALTH_FAILED, "LimitExceeded",
		  "outside the namespace's limit range: maximum memory usage per Container is 4Gi, but limit is 8Gi; ask for what it allows" },
		{ EVENT("FailedCreate", ""), HEALTH_DEGRADED, "CreateFailed", "its pod cannot be created; it is tried again" },
		{ EVENT("FailedScheduling", "0/4 nodes are available: 4 Insufficient nvidia.com/gpu." NO_HELP), HEALTH_QUEUED, "WaitingForCapacity",
		  "no node has enough nvidia.com/gpu free; *" },
		{ EVENT("FailedMount", "MountVolume.SetUp failed for volume \\\"k\\\" : configmap \\\"keys\\\" not found"), HEALTH_FAILED, "MissingObject", "*" },
		{ EVENT("FailedAttachVolume", "Multi-Attach error for volume \\\"pvc-1\\\" Volume is already used by pod(s) a-0"), HEALTH_DEGRADED, "AttachFailed",
		  "a volume is still in use on another node: Multi-Attach error*" },
		{ EVENT("ProvisioningFailed", "storageclass.storage.k8s.io \\\"man\\\" not found"), HEALTH_FAILED, "MissingObject",
		  "storageclass.storage.k8s.io \"man\" not found; name a storage class that the cluster has" },
		{ EVENT("FailedBinding", "no persistent volumes available for this claim and no storage class is set"), HEALTH_FAILED, "ProvisioningFailed",
		  "no persistent volumes available for this claim and no storage class is set; name a storage class, or create a volume" },
		{ EVENT("BackOff", "Back-off restarting failed container"), HEALTH_FAILED, "CrashLoop", "*" },
		{ EVENT("Failed", "Failed to pull image \\\"x\\\": not found"), HEALTH_FAILED, "ImagePull", "*" },
		{ "{\"reason\":\"FailedMount\",\"note\":\"timed out\"}", HEALTH_DEGRADED, "MountFailed", "cannot mount: timed out; it is tried again" },
	};
	static const char *const silent[] = { EVENT("Scheduled", "x"), EVENT("", ""), "[]", "{\"reason\":7}" };
	struct health_view v;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_true(health_of_event(mem, parse(t[i].object), &v));
		assert_view(&v, &t[i]);
	}
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
		assert_false(health_of_event(mem, parse(silent[i]), &v));
}

/* Whatever a cluster writes, people see one clean line with the next step, and no secret. */
static void
messages_are_short_clean_lines(void **state)
{
	static const struct expected links[] = {
		{ OBJECT("Widget", "{}", "{\"conditions\":[" COND("Ready", "False", "", "GET https://s3/x?X-Amz-Signature=abc: 403") "]}"),
		  HEALTH_PROGRESSING, "NotReady", "GET https://s3/x 403" },
		{ OBJECT("Widget", "{}", "{\"conditions\":[" COND("Ready", "False", "", "is https://u:pw@h/p ok?") "]}"), HEALTH_PROGRESSING,
		  "NotReady", "is https://[redacted]@h/p ok?" },
		{ OBJECT("Widget", "{}", "{\"conditions\":[" COND("Ready", "False", "", "a\\n\\n\\u202eb\\u0085c\\u001b[0m") "]}"),
		  HEALTH_PROGRESSING, "NotReady", "a b?c?[0m" },
	};
	char text[3000] = "";

	(void)state;
	CHECK(links);
	for (size_t shift = 0; shift < 4; shift++) {
		struct value *e = parse(EVENT("FailedMount", ""));
		struct health_view v;
		size_t n = shift;

		memset(text, 'a', shift);
		for (; n + 4 < sizeof(text); n += 3)
			memcpy(text + n, "€", 4);
		value_set(mem, e, "message", value_str(mem, text));
		assert_true(health_of_event(mem, e, &v));
		assert_sound(&v);
		assert_true(strlen(v.message) > 230);
		assert_true(str_ends(v.message, "…; it is tried again"));
	}
}

static void
the_worst_counts(void **state)
{
	static const enum health order[] = { HEALTH_READY, HEALTH_PAUSED, HEALTH_UNKNOWN, HEALTH_PROGRESSING, HEALTH_QUEUED, HEALTH_DEGRADED, HEALTH_FAILED };

	(void)state;
	for (size_t i = 0; i < 7; i++)
		for (size_t j = 0; j < 7; j++) {
			struct health_view a = { .health = order[i] }, b = { .health = order[j] };

			assert_ptr_equal(health_worse(&a, &b), j > i ? &b : &a);
		}
	for (size_t i = 0; health_reason_name(i); i++)
		assert_true(strlen(health_reason_help(health_reason_name(i))) > 10);
	assert_null(health_reason_help("NoSuchReason"));
}

/* Objects of a real cluster. */
static void
recorded_objects(void **state)
{
	static const struct {
		const char *name;
		enum health health;
		const char *reason;
	} t[] = {
		{ "Deployment/web", HEALTH_READY, "Ready" }, { "PersistentVolumeClaim/bound", HEALTH_READY, "Ready" },
		{ "PersistentVolumeClaim/used", HEALTH_PROGRESSING, "VolumeProvisioning" },
		{ "PersistentVolumeClaim/wait", HEALTH_PAUSED, "WaitForFirstConsumer" }, { "Service/train-ssh", HEALTH_PROGRESSING, "WaitingForAddress" },
		{ "Namespace/dev-bo", HEALTH_READY, "Ready" }, { "PersistentVolume/pv1", HEALTH_READY, "Ready" },
	};
	struct err e = { 0 };
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(fs_read("tests/unit/data/kube/controller-hands.json", (size_t)1 << 20, mem, &text, &len, &e), 0);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const struct value *o = value_get(parse(text), t[i].name);
		struct health_view v;

		assert_non_null(o);
		health_of_object(mem, o, NOW, &v);
		assert_view(&v, &(struct expected){ t[i].name, t[i].health, t[i].reason, NULL });
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pods_say_where_they_are_stuck, setup, teardown),
		cmocka_unit_test_setup_teardown(workloads, setup, teardown),
		cmocka_unit_test_setup_teardown(everything_else, setup, teardown),
		cmocka_unit_test_setup_teardown(events_explain, setup, teardown),
		cmocka_unit_test_setup_teardown(messages_are_short_clean_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(the_worst_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(recorded_objects, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
