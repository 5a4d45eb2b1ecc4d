/* SPDX-License-Identifier: Apache-2.0 */
/* Events: the only place where refusals of pods, mounts and volumes are said. */
#include "apply/health_priv.h"

#include <string.h>

#include "lib/base/str.h"

/* "requested: requests.nvidia.com/gpu=8, used: …, limited: …": the text behind `word` up to the next, in mem. */
static const char *
part_of(struct health_look *l, const char *message, const char *word, const char *next)
{
	const char *s = strstr(message, word), *end;

	if (!s)
		return "?";
	s += strlen(word);
	end = next ? strstr(s, next) : NULL;
	return arena_strndup(l->mem, s, end ? (size_t)(end - s) : strlen(s));
}

static void
say_quota(struct health_look *l, const char *message)
{
	const char *quota = strstr(message, "exceeded quota: ") + strlen("exceeded quota: ");

	health_say(l, HEALTH_FAILED, WHY_QuotaExceeded,
	           "pause another environment, ask for less, or for a larger quota",
	           "quota %.*s has no room: requested %.60s, used %.60s, limit %.60s", (int)strcspn(quota, ",\n ") % 64,
	           quota, part_of(l, message, "requested: ", ", used:"), part_of(l, message, ", used: ", ", limited:"),
	           part_of(l, message, ", limited: ", NULL));
}

/* What the API server says when it refuses a pod: a word of it, and what follows the word that people should read. */
static const struct refusal {
	const char *said, *from;
	enum health health;
	enum why why;
	const char *cause, *next;
} refusals[] = {
	{ "violates PodSecurity", "violates PodSecurity ", HEALTH_FAILED, WHY_PodSecurity,
	  "the namespace's pod security level forbids it: ",
	  "change the template, or the namespace's level" },
	{ "failed quota", "failed quota: ", HEALTH_FAILED, WHY_QuotaExceeded, "a quota demands more than it says: ",
	  "set what is missing" },
	{ "denied the request", NULL, HEALTH_FAILED, WHY_AdmissionWebhook, "refused: ",
	  "change what it complains about" },
	{ "failed calling webhook", "failed calling webhook ", HEALTH_DEGRADED, WHY_AdmissionWebhook,
	  "a webhook does not answer: ",
	  "it is tried again; tell who runs the cluster" },
	{ "ValidatingAdmissionPolicy", NULL, HEALTH_FAILED, WHY_AdmissionWebhook, "refused: ",
	  "change what it complains about" },
	{ "no PriorityClass with name", "no PriorityClass", HEALTH_FAILED, WHY_MissingObject,
	  "there is no PriorityClass", "create it" },
	{ "error looking up service account", "error looking up ", HEALTH_FAILED, WHY_MissingObject, "cannot find ",
	  "create it" },
	{ "usage per ", NULL, HEALTH_FAILED, WHY_LimitExceeded, "outside the namespace's limit range: ",
	  "ask for what it allows" },
	{ "is invalid", NULL, HEALTH_FAILED, WHY_CreateFailed, "the pod is not valid: ", "change the template" },
	{ "", NULL, HEALTH_DEGRADED, WHY_CreateFailed, "its pod cannot be created: ", "it is tried again" },
};

/* The server's own sentence, without 'Create Pod x in StatefulSet x failed error: pods "x" is forbidden:'. */
static const char *
core_of(const char *message, const char *from)
{
	static const char *const heads[] = { "failed error: ", "Error creating: ", "is forbidden: " };
	const char *s = from ? strstr(message, from) : NULL;

	if (s)
		return s + strlen(from);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if ((s = strstr(message, heads[i])))
			message = s + strlen(heads[i]);
	return message;
}

void
health_refusal(struct health_look *l, const char *message)
{
	const struct refusal *r = refusals;

	if (strstr(message, "exceeded quota: ")) {
		say_quota(l, message);
		return;
	}
	while (!strstr(message, r->said))
		r++;
	health_say(l, r->health, r->why, r->next, "%s%.600s", r->cause, core_of(message, r->from));
}

static void
look_pull(struct health_look *l, const char *message)
{
	health_say(l, HEALTH_FAILED, WHY_ImagePull, "see the image's name and the pull secret", "%.600s", message);
}

static void
look_mount(struct health_look *l, const char *message)
{
	if (strstr(message, "not found"))
		health_say(l, HEALTH_FAILED, WHY_MissingObject, "create what it names", "cannot mount: %.600s",
		           message);
	else
		health_say(l, HEALTH_DEGRADED, WHY_MountFailed, "it is tried again", "cannot mount: %.600s", message);
}

static void
look_attach(struct health_look *l, const char *message)
{
	bool busy = strstr(message, "Multi-Attach") || strstr(message, "already used by");

	health_say(l, HEALTH_DEGRADED, WHY_AttachFailed,
	           busy ? "it goes on when the other pod has ended" : "it is tried again",
	           "%s%.600s", busy ? "a volume is still in use on another node: " : "cannot attach a volume: ",
	           message);
}

static void
look_provisioning(struct health_look *l, const char *message)
{
	if (strstr(message, "storageclass") && strstr(message, "not found"))
		health_say(l, HEALTH_FAILED, WHY_MissingObject, "name a storage class that the cluster has", "%.600s",
		           message);
	else
		health_say(l, HEALTH_DEGRADED, WHY_ProvisioningFailed, "it is tried again",
		           "the volume cannot be made: %.600s", message);
}

static void
look_binding(struct health_look *l, const char *message)
{
	health_say(l, HEALTH_FAILED, WHY_ProvisioningFailed, "name a storage class, or create a volume", "%.600s",
	           message);
}

static void
look_scheduling(struct health_look *l, const char *message)
{
	health_unschedulable(l, NULL, message, 0);
}

static void
look_resize(struct health_look *l, const char *message)
{
	health_say(l, HEALTH_DEGRADED, WHY_ResizeFailed, "the old size stays usable", "could not be enlarged: %.600s",
	           message);
}

static void
look_back_off(struct health_look *l, const char *message)
{
	if (strstr(message, "pulling image"))
		look_pull(l, message);
	else
		health_say(l, HEALTH_FAILED, WHY_CrashLoop, "look at its log", "%.600s", message);
}

static void
look_unhealthy(struct health_look *l, const char *message)
{
	health_say(l, HEALTH_PROGRESSING, WHY_NotReady, "look at its log", "%.600s", message);
}

static void
look_evicted(struct health_look *l, const char *message)
{
	health_say(l, HEALTH_DEGRADED, WHY_Evicted, "ask for as much memory and disk as it uses",
	           "the node ended it: %.600s", message);
}

static void
look_preempted(struct health_look *l, const char *message)
{
	(void)message;
	health_say(l, HEALTH_QUEUED, WHY_Preempted, "it starts again by itself",
	           "something of a higher priority took its place");
}

static void
look_address(struct health_look *l, const char *message)
{
	health_say(l, HEALTH_DEGRADED, WHY_WaitingForAddress, "it is tried again; tell who runs the cluster",
	           "no load balancer: %.600s", message);
}

static void
look_sandbox(struct health_look *l, const char *message)
{
	health_say(l, HEALTH_DEGRADED, WHY_Starting, "it is tried again; tell who runs the cluster",
	           "its node cannot start it: %.600s", message);
}

bool
health_of_event(struct arena *mem, const struct value *event, struct health_view *out)
{
	static const struct {
		const char *reason;
		void (*look)(struct health_look *l, const char *message);
	} rows[] = {
		{ "FailedCreate", health_refusal }, { "FailedScheduling", look_scheduling },
		{ "FailedMount", look_mount },
		{ "FailedMapVolume", look_mount }, { "FailedAttachVolume", look_attach },
		{ "ProvisioningFailed", look_provisioning },
		{ "FailedBinding", look_binding }, { "VolumeResizeFailed", look_resize }, { "BackOff", look_back_off },
		{ "Unhealthy", look_unhealthy }, { "Evicted", look_evicted }, { "Preempted", look_preempted },
		{ "SyncLoadBalancerFailed", look_address }, { "FailedCreatePodSandBox", look_sandbox },
		{ "InspectFailed", look_pull },
	};
	struct health_look l = { .mem = mem, .object = event, .out = out };
	const char *reason = health_str(event, "reason"), *message = health_str(event, "message");

	if (!*message)
		message = health_str(event, "note");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].reason, reason) == 0) {
			rows[i].look(&l, message);
			return true;
		}
	/* the kubelet's "Failed" is about pulling or about creating the container */
	if (strcmp(reason, "Failed") == 0 && (strstr(message, "pull image") || strstr(message, "ImagePull"))) {
		look_pull(&l, message);
		return true;
	}
	return false;
}
