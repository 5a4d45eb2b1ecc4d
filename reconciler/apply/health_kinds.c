/* SPDX-License-Identifier: Apache-2.0 */
/* Health of what runs pods, and of the queue's Workload. */
#include "apply/health_priv.h"

#include <inttypes.h>
#include <string.h>

#define QUEUE_LABEL "kueue.x-k8s.io/queue-name"

/* Replicas 0; false when some are wanted. */
static bool
is_paused(struct health_look *l, int64_t want)
{
	int64_t left = health_int(l->status, "replicas", 0);

	if (want > 0)
		return false;
	if (left > 0)
		health_say(l, HEALTH_PROGRESSING, WHY_Pausing, NULL, "waits for %" PRId64 " pod%s to end", left,
		           left == 1 ? "" : "s");
	else
		health_say(l, HEALTH_PAUSED, WHY_Paused, NULL, "has no pods, as asked for");
	return true;
}

static void
look_statefulset(struct health_look *l)
{
	int64_t want = health_int(l->spec, "replicas", 1), ready = health_int(l->status, "readyReplicas", 0);
	int64_t updated = health_int(l->status, "updatedReplicas", 0);
	int64_t partition = health_int(l->spec, "updateStrategy.rollingUpdate.partition", 0);
	bool old = strcmp(health_str(l->status, "currentRevision"), health_str(l->status, "updateRevision")) != 0;

	if (is_paused(l, want))
		return;
	if (!l->status) {
		health_say(l, HEALTH_PROGRESSING, WHY_Starting, NULL, "0 of %" PRId64 " ready", want);
		return;
	}
	if (strcmp(health_str(l->spec, "updateStrategy.type"), "OnDelete") == 0 && old && updated < want) {
		health_say(l, HEALTH_PROGRESSING, WHY_RestartNeeded, "delete them to update (update strategy OnDelete)",
		           "%" PRId64 " of %" PRId64 " pods run the old version", want - updated, want);
		return;
	}
	if (ready < want)
		health_say(l, HEALTH_PROGRESSING, WHY_Starting, NULL, "%" PRId64 " of %" PRId64 " ready", ready, want);
	else if (health_int(l->status, "replicas", want) > want)
		health_say(l, HEALTH_PROGRESSING, WHY_Updating, NULL,
		           "%" PRId64 " pods are there, %" PRId64 " are wanted",
		           health_int(l->status, "replicas", want), want);
	else if (old && updated < want - partition)
		health_say(l, HEALTH_PROGRESSING, WHY_Updating, NULL, "%" PRId64 " of %" PRId64 " run the new version",
		           updated, want);
	else
		health_ready(l, WHY_Ready);
}

static void
look_deployment(struct health_look *l)
{
	const struct value *list = value_get(l->status, "conditions"), *c;
	int64_t want = health_int(l->spec, "replicas", 1), updated = health_int(l->status, "updatedReplicas", 0);
	int64_t available = health_int(l->status, "availableReplicas", 0);

	if (is_paused(l, want))
		return;
	if ((c = health_condition(list, "ReplicaFailure")) && health_is(c, "True"))
		health_refusal(l, health_text(c));
	else if ((c = health_condition(list, "Progressing")) &&
	         strcmp(health_str(c, "reason"), "ProgressDeadlineExceeded") == 0)
		health_say(l, HEALTH_FAILED, WHY_DeadlineExceeded, "look at its pods",
		           "%" PRId64 " of %" PRId64 " available, no progress within its deadline", available, want);
	else if (updated < want)
		health_say(l, HEALTH_PROGRESSING, WHY_Updating, NULL, "%" PRId64 " of %" PRId64 " run the new version",
		           updated, want);
	else if (available < want)
		health_say(l, HEALTH_PROGRESSING, WHY_Starting, NULL, "%" PRId64 " of %" PRId64 " available", available,
		           want);
	else if (health_int(l->status, "replicas", want) > updated)
		health_say(l, HEALTH_PROGRESSING, WHY_Updating, NULL, "pods of the old version are ending");
	else
		health_ready(l, WHY_Ready);
}

static void
say_suspended(struct health_look *l)
{
	const struct value *queue = value_get(value_at(l->object, "metadata.labels"), QUEUE_LABEL);

	if (queue)
		health_say(l, HEALTH_QUEUED, WHY_Queued, "it starts by itself", "waits in queue %s",
		           value_as_str(queue, "?"));
	else
		health_say(l, HEALTH_PAUSED, WHY_Suspended, NULL, "is suspended");
}

static void
say_job_failed(struct health_look *l, const struct value *c)
{
	bool late = strcmp(health_str(c, "reason"), "DeadlineExceeded") == 0;

	health_say(l, HEALTH_FAILED, late ? WHY_DeadlineExceeded : WHY_Failed, "look at the logs of its pods", "%s",
	           health_text(c));
}

static void
look_job(struct health_look *l)
{
	const struct value *list = value_get(l->status, "conditions"), *c;
	int64_t active = health_int(l->status, "active", 0), ready = health_int(l->status, "ready", 0);

	if (health_is(health_condition(list, "Complete"), "True"))
		health_ready(l, WHY_Completed);
	else if ((c = health_condition(list, "Failed")) && health_is(c, "True"))
		say_job_failed(l, c);
	else if ((c = health_condition(list, "FailureTarget")) && health_is(c, "True"))
		say_job_failed(l, c);
	else if (value_as_bool(value_get(l->spec, "suspend"), false))
		say_suspended(l);
	else if (active == 0 || ready < active)
		health_say(l, HEALTH_PROGRESSING, WHY_Starting, NULL, "%" PRId64 " of %" PRId64 " pods ready", ready,
		           active ? active : health_int(l->spec, "parallelism", 1));
	else
		health_ready(l, WHY_Ready);
}

static void
look_jobset(struct health_look *l)
{
	const struct value *list = value_get(l->status, "conditions"), *c;
	const struct value *jobs = value_get(l->status, "replicatedJobsStatus");
	int64_t ready = 0, active = 0;

	for (size_t i = 0; i < value_len(jobs); i++) {
		int64_t r = health_int(value_item(jobs, i), "ready", 0),
		    a = health_int(value_item(jobs, i), "active", 0);

		ready += r < INT32_MAX ? r : INT32_MAX;
		active += a < INT32_MAX ? a : INT32_MAX;
	}
	if (health_is(health_condition(list, "Completed"), "True"))
		health_ready(l, WHY_Completed);
	else if ((c = health_condition(list, "Failed")) && health_is(c, "True"))
		say_job_failed(l, c);
	else if (value_as_bool(value_get(l->spec, "suspend"), false) ||
	         health_is(health_condition(list, "Suspended"), "True"))
		say_suspended(l);
	else if (ready == 0 || ready < active)
		health_say(l, HEALTH_PROGRESSING, WHY_Starting, NULL, "%" PRId64 " of %" PRId64 " jobs ready", ready,
		           active);
	else
		health_ready(l, WHY_Ready);
}

/* Reasons of the conditions QuotaReserved (False) and Evicted of Kueue's Workload. */
static const struct {
	const char *condition, *reason;
	enum health health;
	enum why why;
	const char *cause, *next;
} waits[] = {
	{ "Evicted", "Preempted", HEALTH_QUEUED, WHY_Preempted, "its place went to something of a higher priority",
	  "it starts again by itself" },
	{ "Evicted", "PodsReadyTimeout", HEALTH_QUEUED, WHY_Queued,
	  "its pods were not ready in time and lost their place", "look at its pods" },
	{ "Evicted", "NodeFailures", HEALTH_QUEUED, WHY_NodeLost, "a node of it failed", "it starts again by itself" },
	{ "Evicted", "ClusterQueueStopped", HEALTH_QUEUED, WHY_Queued, "its queue is stopped",
	  "ask who runs the queue" },
	{ "Evicted", "LocalQueueStopped", HEALTH_QUEUED, WHY_Queued, "its queue is stopped", "ask who runs the queue" },
	{ "Evicted", "AdmissionCheck", HEALTH_QUEUED, WHY_Queued, "an admission check took its place away",
	  "it starts again by itself" },
	{ "Evicted", "Deactivated", HEALTH_FAILED, WHY_Failed, "the queue gave up on it", "change or restart it" },
	{ "QuotaReserved", "ExceedsMaxQuota", HEALTH_FAILED, WHY_QuotaTooSmall, NULL,
	  "ask for less, or for a larger quota" },
	{ "QuotaReserved", "NoMatchingFlavor", HEALTH_FAILED, WHY_Misconfigured, NULL,
	  "choose a flavor that the queue has" },
	{ "QuotaReserved", "Misconfigured", HEALTH_FAILED, WHY_Misconfigured, NULL, "ask who runs the queue" },
	{ "QuotaReserved", "TopologyPlacementFailed", HEALTH_QUEUED, WHY_WaitingForCapacity, NULL,
	  "it starts by itself" },
	{ "QuotaReserved", "OnHold", HEALTH_PAUSED, WHY_Paused, "is on hold", NULL },
	{ "QuotaReserved", "", HEALTH_QUEUED, WHY_Queued, NULL, "it starts by itself" },
};

static bool
say_wait(struct health_look *l, const struct value *c, const char *condition)
{
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		bool any = !*waits[i].reason, same = strcmp(waits[i].reason, health_str(c, "reason")) == 0;

		/* "DeactivatedDueTo…" */
		if (strcmp(waits[i].reason, "Deactivated") == 0)
			same = strncmp(health_str(c, "reason"), "Deactivated", 11) == 0;
		if (strcmp(waits[i].condition, condition) != 0 || (!any && !same))
			continue;
		if (waits[i].cause)
			health_say(l, waits[i].health, waits[i].why, waits[i].next, "%s", waits[i].cause);
		else
			health_say(l, waits[i].health, waits[i].why, waits[i].next, "waits in queue %s: %s",
			           health_str(l->spec, "queueName"), health_text(c));
		return true;
	}
	return false;
}

static void
look_workload(struct health_look *l)
{
	const struct value *list = value_get(l->status, "conditions");
	const struct value *evicted = health_condition(list, "Evicted");
	const struct value *quota = health_condition(list, "QuotaReserved");
	bool reserved = health_is(quota, "True");

	if (health_is(health_condition(list, "Finished"), "True"))
		health_ready(l, WHY_Completed);
	else if (!reserved && health_is(evicted, "True") && say_wait(l, evicted, "Evicted"))
		return;
	else if (!reserved && quota && say_wait(l, quota, "QuotaReserved"))
		return;
	else if (!value_as_bool(value_get(l->spec, "active"), true))
		health_say(l, HEALTH_FAILED, WHY_Failed, "change or restart it", "the queue gave up on it");
	else if (!reserved)
		health_say(l, HEALTH_QUEUED, WHY_Queued, "it starts by itself", "waits in queue %s",
		           health_str(l->spec, "queueName"));
	else if (!health_is(health_condition(list, "Admitted"), "True"))
		health_say(l, HEALTH_QUEUED, WHY_Queued, "it starts by itself",
		           "has its quota and waits for the queue's admission checks");
	else if (health_is(health_condition(list, "PodsReady"), "False"))
		health_say(l, HEALTH_PROGRESSING, WHY_Starting, NULL, "was let in, its pods are not ready yet");
	else
		health_ready(l, WHY_Ready);
}

bool
health_workload_kind(struct health_look *l, const char *kind)
{
	static const struct {
		const char *kind;
		void (*look)(struct health_look *l);
	} kinds[] = {
		{ "StatefulSet", look_statefulset }, { "Deployment", look_deployment }, { "Job", look_job },
		{ "JobSet", look_jobset }, { "Workload", look_workload },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, kind) == 0) {
			kinds[i].look(l);
			return true;
		}
	return false;
}
