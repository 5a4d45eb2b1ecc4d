/* SPDX-License-Identifier: Apache-2.0 */
/* Health of one pod: where it is stuck, outermost cause first. */
#include "apply/health_priv.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"

#define PATIENCE_S ((int64_t)15 * 60) /* an autoscaler needs minutes for a node */

/* status.reason of a pod that ended (kubelet, its eviction, admission and shutdown managers). */
static const struct ending {
	const char *reason;
	enum why why;
	const char *cause, *next;
} endings[] = {
	{ "Evicted", WHY_Evicted, "the node ended it", "ask for as much memory and disk as it uses" },
	{ "TopologyAffinityError", WHY_TopologyAffinityError, "no NUMA node can give what it asks for",
	  "ask for less, or for a node pool without NUMA alignment" },
	{ "UnexpectedAdmissionError", WHY_UnexpectedAdmissionError, "the node refused it after placement",
	  "it is tried again; see the node's device plugin when that does not help" },
	{ "SupplementalGroupsPolicyNotSupported", WHY_UnexpectedAdmissionError, "its node is older than cluster.version in berth.yaml",
	  "it needs containerd 2.0; until then write 1.34 there" },
	{ "SMTAlignmentError", WHY_TopologyAffinityError, "the node gives whole cores only",
	  "ask for an even number of cpus" },
	{ "NodeShutdown", WHY_NodeLost, "its node was shut down", "it starts again by itself" },
	{ "Terminated", WHY_NodeLost, "its node was shut down", "it starts again by itself" },
	{ "NodeLost", WHY_NodeLost, "its node does not answer", "it starts again by itself" },
	{ "NodeAffinity", WHY_NodeLost, "its node no longer has the labels it asks for", "it starts again by itself" },
	{ "Preempting", WHY_Preempted, "something of a higher priority took its place", "it starts again by itself" },
	{ "Preempted", WHY_Preempted, "something of a higher priority took its place", "it starts again by itself" },
	{ "DeadlineExceeded", WHY_DeadlineExceeded, "it ran longer than it may", "raise its deadline" },
};

/* state.waiting.reason of a container. */
static const struct waiting {
	const char *reason;
	enum health health;
	enum why why;
} waitings[] = {
	{ "ImagePullBackOff", HEALTH_FAILED, WHY_ImagePull }, { "ErrImagePull", HEALTH_FAILED, WHY_ImagePull },
	{ "InvalidImageName", HEALTH_FAILED, WHY_ImagePull }, { "ErrImageNeverPull", HEALTH_FAILED, WHY_ImagePull },
	{ "ImageInspectError", HEALTH_FAILED, WHY_ImagePull }, { "RegistryUnavailable", HEALTH_FAILED, WHY_ImagePull },
	{ "SignatureValidationFailed", HEALTH_FAILED, WHY_ImagePull },
	{ "CreateContainerConfigError", HEALTH_FAILED, WHY_ConfigError },
	{ "CreateContainerError", HEALTH_FAILED, WHY_ConfigError },
	{ "RunContainerError", HEALTH_FAILED, WHY_ConfigError },
	{ "PreCreateHookError", HEALTH_FAILED, WHY_ConfigError },
	{ "PreStartHookError", HEALTH_FAILED, WHY_ConfigError },
	{ "PostStartHookError", HEALTH_FAILED, WHY_ConfigError },
	{ "CrashLoopBackOff", HEALTH_FAILED, WHY_CrashLoop },
};

/* What registries and runtimes say of an image that does not come. */
static const struct {
	const char *said, *cause, *next;
} pulls[] = {
	{ "toomanyrequests", "the registry allows no more pulls for now", "it is tried again; use a mirror or log in" },
	{ "429", "the registry allows no more pulls for now", "it is tried again; use a mirror or log in" },
	{ "not found", "it is not in the registry", "see the name and tag or digest" },
	{ "manifest unknown", "it is not in the registry", "see the name and tag or digest" },
	{ "denied", "the registry does not let the cluster read it", "see the name and the pull secret" },
	{ "unauthorized", "the registry does not let the cluster read it", "see the name and the pull secret" },
	{ "403", "the registry does not let the cluster read it", "see the name and the pull secret" },
	{ "no such host", "the registry's name is not known", "see the image's name" },
	{ "no match for platform", "it is not made for the node's processor", "use an image of this architecture" },
	{ "x509", "the registry's certificate is not trusted by the node", "tell who runs the cluster" },
	{ "timeout", "the registry does not answer", "it is tried again" },
	{ "connection refused", "the registry does not answer", "it is tried again" },
	{ "no space left", "the node's disk is full", "tell who runs the cluster" },
	{ "couldn't parse image", "its name cannot be read", "correct the image's name" },
	{ "invalid reference format", "its name cannot be read", "correct the image's name" },
};

static void
say_pull(struct health_look *l, enum health h, const char *image, const char *message)
{
	for (size_t i = 0; i < sizeof(pulls) / sizeof(pulls[0]); i++)
		if (strcasestr(message, pulls[i].said)) {
			health_say(l, h, WHY_ImagePull, pulls[i].next, "cannot fetch image %.120s: %s", image,
			           pulls[i].cause);
			return;
		}
	health_say(l, h, WHY_ImagePull, "see the name and the pull secret", "cannot fetch image %.120s%s%.400s", image,
	           *message ? ": " : "", message);
}

static void
say_ended(struct health_look *l, const char *name, const struct value *terminated, bool again)
{
	int64_t code = value_as_int(value_get(terminated, "exitCode"), 0);

	if (strcmp(health_str(terminated, "reason"), "OOMKilled") == 0)
		health_say(l, again ? HEALTH_DEGRADED : HEALTH_FAILED, WHY_OOMKilled, "use less memory or ask for more",
		           "container %.63s used more memory than its limit", name);
	else if (again)
		health_say(l, HEALTH_FAILED, WHY_CrashLoop, "look at its log",
		           "container %.63s ends again and again, last with exit code %" PRId64, name, code);
	else
		health_say(l, HEALTH_FAILED, WHY_ExitedWithError, "look at its log",
		           "container %.63s ended with exit code %" PRId64, name, code);
}

/* What keeps one container from running; false when nothing does. */
static bool
container_stuck(struct health_look *l, const struct value *c)
{
	const char *name = health_str(c, "name"), *reason = health_str(c, "state.waiting.reason");
	const struct value *last = value_at(c, "lastState.terminated"), *ended = value_at(c, "state.terminated");
	const char *message = health_str(c, "state.waiting.message");

	for (size_t i = 0; i < sizeof(waitings) / sizeof(waitings[0]); i++) {
		if (strcmp(waitings[i].reason, reason) != 0)
			continue;
		if (waitings[i].why == WHY_ImagePull)
			say_pull(l, waitings[i].health, health_str(c, "image"), message);
		else if (waitings[i].why == WHY_CrashLoop)
			say_ended(l, name, last, true);
		else
			health_say(l, waitings[i].health, WHY_ConfigError, "create or correct what it names",
			           "container %.63s cannot be created: %.400s", name, message);
		return true;
	}
	if (value_is(ended, VALUE_MAP) && value_as_int(value_get(ended, "exitCode"), 0) != 0) {
		say_ended(l, name, ended, false);
		return true;
	}
	if (!value_as_bool(value_get(c, "ready"), false) && strcmp(health_str(last, "reason"), "OOMKilled") == 0) {
		say_ended(l, name, last, true);
		return true;
	}
	return false;
}

/* A pod that ended with an error. */
static void
look_failed(struct health_look *l)
{
	const char *reason = health_str(l->status, "reason"), *message = health_str(l->status, "message");
	const struct value *target = health_condition(value_get(l->status, "conditions"), "DisruptionTarget");
	static const char *const lists[] = { "initContainerStatuses", "containerStatuses" };

	if (str_starts(reason, "OutOf")) {
		health_say(l, HEALTH_FAILED, WHY_OutOfResource, "it is tried again by itself",
		           "the node had too little %.63s left", reason + 5);
		return;
	}
	if (health_is(target, "True") && str_starts(health_str(target, "reason"), "Preempt"))
		reason = "Preempted";
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcmp(endings[i].reason, reason) == 0) {
			health_say(l, endings[i].why == WHY_Preempted ? HEALTH_QUEUED : HEALTH_FAILED, endings[i].why,
			           endings[i].next, "%s%s%.300s", endings[i].cause, *message ? ": " : "", message);
			return;
		}
	for (size_t i = 0; i < 2; i++) {
		const struct value *list = value_get(l->status, lists[i]);

		for (size_t n = 0; n < value_len(list); n++)
			if (container_stuck(l, value_item(list, n)))
				return;
	}
	health_say(l, HEALTH_FAILED, WHY_Failed, "look at its log", "the pod failed%s%.63s%s%.300s",
	           *reason ? ": " : "", reason, *message ? ": " : "", message);
}

/* The scheduler's words for a node that does not take the pod, the last test that a node failed first. */
static const struct {
	const char *said;
	enum why why;
	const char *cause, *next;
} refusals[] = {
	{ "unbound immediate PersistentVolumeClaims", WHY_WaitingForVolume, "a volume that it uses is not there yet",
	  "look at its claims" },
	{ "waiting for ephemeral volume controller", WHY_WaitingForVolume, "a volume that it uses is not there yet",
	  "look at its claims" },
	{ "persistentvolumeclaim \"", WHY_WaitingForVolume, "a claim that it uses does not exist", "create the claim" },
	{ "volume node affinity conflict", WHY_WaitingForCapacity,
	  "its volume is bound to a node or zone that has no room for it",
	  "free room there, or move the data" },
	{ "cannot allocate all claims", WHY_WaitingForCapacity, "no node has the devices free that it claims",
	  "it starts by itself when one has" },
	{ "exceed max volume count", WHY_WaitingForCapacity, "no node can attach one more volume",
	  "it starts by itself when one can" },
	{ "Too many pods", WHY_WaitingForCapacity, "the nodes are full of pods",
	  "it starts by itself when one has room" },
	{ "free ports for the requested pod ports", WHY_WaitingForCapacity, "its host port is taken on every node",
	  "use another port" },
	{ "anti-affinity", WHY_WaitingForCapacity, "every node has a pod that it must not be beside",
	  "it starts by itself when one has not" },
	{ "pod affinity rules", WHY_WaitingForCapacity, "no node is where its affinity demands", "see its affinity" },
	{ "topology spread constraints", WHY_WaitingForCapacity, "no node keeps its spread",
	  "see its spread constraints" },
	{ "untolerated taint", WHY_WaitingForCapacity, "the nodes have a taint that it does not tolerate",
	  "see the flavor's tolerations" },
	{ "node affinity/selector", WHY_WaitingForCapacity, "no node has the labels it asks for",
	  "see the flavor's node selector" },
	{ "were unschedulable", WHY_WaitingForCapacity, "the nodes are closed for new pods",
	  "it starts by itself when one opens" },
};

/* What one container asks for of a resource, when it is the only one; NULL otherwise. */
static const char *
amount_of(struct health_look *l, const struct value *pod, const char *resource)
{
	const struct value *list = value_at(pod, "spec.containers"), *found = NULL;

	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *c = value_item(list, i);
		const struct value *v = value_get(value_at(c, "resources.requests"), resource);

		if (!v)
			v = value_get(value_at(c, "resources.limits"), resource);
		if (v && found)
			return NULL;
		found = v ? v : found;
	}
	if (value_is(found, VALUE_INT))
		return arena_printf(l->mem, "%" PRId64, found->integer);
	return value_as_str(found, NULL);
}

/* "4 Insufficient nvidia.com/gpu": the resource that most nodes lack, or NULL. */
static const char *
scarcest(struct health_look *l, const char *message)
{
	static const char word[] = " Insufficient ";
	const char *best = NULL;
	uint64_t most = 0;

	for (const char *s = message; (s = strstr(s, word)); s += sizeof(word) - 1) {
		const char *name = s + sizeof(word) - 1, *n = s;
		size_t len = strcspn(name, " ,;\n");
		uint64_t count = 0;

		while (n > message && s - n < 9 && n[-1] >= '0' && n[-1] <= '9')
			n--;
		for (; n < s; n++)
			count = count * 10 + (uint64_t)(*n - '0');
		while (len && name[len - 1] == '.')
			len--;
		if (len == 0 || len > 100 || (best && count <= most))
			continue;
		best = arena_strndup(l->mem, name, len);
		most = count;
	}
	return best;
}

/* "nvidia.com/gpu.product=H100" of the pod, at most two. */
static const char *
selector_text(struct health_look *l, const struct value *pod)
{
	const struct value *map = value_at(pod, "spec.nodeSelector");
	const char *text = "";

	for (size_t i = 0; value_is(map, VALUE_MAP) && i < map->map.n && i < 2; i++)
		text = arena_printf(l->mem, "%s%s%.63s=%.63s", text, i ? ", " : "", map->map.items[i].key,
		                    value_as_str(map->map.items[i].value, "?"));
	return text;
}

void
health_unschedulable(struct health_look *l, const struct value *pod, const char *message, int64_t seconds)
{
	enum health h = seconds > PATIENCE_S ? HEALTH_DEGRADED : HEALTH_QUEUED;
	const char *since = seconds >= 60 ? arena_printf(l->mem, ", for %s now", health_age_text(l, seconds)) : "";
	/* behind it the scheduler tells why preemption does not help, with the same words */
	const char *end = strstr(message, "preemption:"), *resource;

	if (end)
		message = arena_strndup(l->mem, message, (size_t)(end - message));
	resource = scarcest(l, message);
	if (resource) {
		const char *amount = amount_of(l, pod, resource);

		health_say(l, h, WHY_WaitingForCapacity,
		           "it starts by itself when one has; a smaller flavor may fit now",
		           "no node has %.30s %s free%s", amount ? amount : "enough", resource, since);
		return;
	}
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const char *labels;

		if (!strstr(message, refusals[i].said))
			continue;
		labels = strcmp(refusals[i].said, "node affinity/selector") == 0 ? selector_text(l, pod) : "";
		if (str_ends(refusals[i].said, "\"")) {
			const char *name = strstr(message, refusals[i].said) + strlen(refusals[i].said);

			labels = arena_strndup(l->mem, name, strcspn(name, "\""));
		}
		health_say(l, h, refusals[i].why, refusals[i].next, "%s%s%s%s%s", refusals[i].cause,
		           *labels ? " (" : "", labels, *labels ? ")" : "", since);
		return;
	}
	health_say(l, h, WHY_WaitingForCapacity, NULL, "no node takes it%s: %.400s", since, message);
}

/* The scheduler has not placed it; false when it has. */
static bool
not_placed(struct health_look *l)
{
	const struct value *c = health_condition(value_get(l->status, "conditions"), "PodScheduled");
	const struct value *gate = value_item(value_get(l->spec, "schedulingGates"), 0);
	const char *since = health_str(c, "lastTransitionTime");

	/* a scheduler that lost a race for a pod of the same name may say so of one that has a node */
	if (!health_is(c, "False") || *health_str(l->spec, "nodeName"))
		return false;
	if (strcmp(health_str(c, "reason"), "SchedulingGated") == 0)
		health_say(l, HEALTH_QUEUED, WHY_Queued, "it starts by itself", "waits in the queue (gate %.100s)",
		           gate ? health_str(gate, "name") : "?");
	else
		health_unschedulable(l, l->object, health_str(c, "message"), health_age(l, since));
	return true;
}

/* On a node, nothing failed, not ready. */
static void
look_starting(struct health_look *l)
{
	const struct value *inits = value_get(l->status, "initContainerStatuses");
	const struct value *list = value_get(l->status, "containerStatuses");

	for (size_t i = 0; i < value_len(inits); i++) {
		const struct value *c = value_item(inits, i);
		bool done = value_is(value_at(c, "state.terminated"), VALUE_MAP) ||
		            value_as_bool(value_get(c, "started"), false);

		if (done || value_as_bool(value_get(c, "ready"), false))
			continue;
		health_say(l, HEALTH_PROGRESSING, WHY_Starting, NULL, "init container %.63s is %s",
		           health_str(c, "name"),
		           value_is(value_at(c, "state.running"), VALUE_MAP) ? "running" : "being created");
		return;
	}
	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *c = value_item(list, i);
		int64_t age = health_age(l, health_str(c, "state.running.startedAt"));

		if (value_as_bool(value_get(c, "ready"), false))
			continue;
		if (!value_is(value_at(c, "state.running"), VALUE_MAP))
			health_say(l, HEALTH_PROGRESSING, WHY_Starting, NULL,
			           "container %.63s is being created (image %.120s)", health_str(c, "name"),
			           health_str(c, "image"));
		else if (!value_as_bool(value_get(c, "started"), true))
			health_say(l, HEALTH_PROGRESSING, WHY_Starting, "if that lasts, its log says what it lacks",
			           "container %.63s is starting", health_str(c, "name"));
		else
			health_say(l, age > PATIENCE_S ? HEALTH_DEGRADED : HEALTH_PROGRESSING, WHY_NotReady,
			           "look at its log",
			           "container %.63s runs for %s and its readiness probe fails", health_str(c, "name"),
			           health_age_text(l, age));
		return;
	}
	health_say(l, HEALTH_PROGRESSING, WHY_Starting, NULL, "%s", *health_str(l->spec, "nodeName") ?
	           "its node is starting it" : "is being placed on a node");
}

void
health_of_pod(struct health_look *l)
{
	static const char *const lists[] = { "initContainerStatuses", "containerStatuses" };
	const char *phase = health_str(l->status, "phase");

	if (strcmp(phase, "Succeeded") == 0) {
		health_ready(l, WHY_Completed);
		return;
	}
	if (strcmp(phase, "Failed") == 0) {
		look_failed(l);
		return;
	}
	if (not_placed(l))
		return;
	for (size_t i = 0; i < 2; i++) {
		const struct value *list = value_get(l->status, lists[i]);

		for (size_t n = 0; n < value_len(list); n++)
			if (container_stuck(l, value_item(list, n)))
				return;
	}
	if (health_is(health_condition(value_get(l->status, "conditions"), "Ready"), "True"))
		health_ready(l, WHY_Ready);
	else
		look_starting(l);
}
