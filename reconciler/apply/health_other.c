/* SPDX-License-Identifier: Apache-2.0 */
/* Health of volumes, addresses, routes, certificates and secrets. */
#include "apply/health_priv.h"

#include <string.h>

#include "lib/base/str.h"

static void
look_bound_claim(struct health_look *l)
{
	static const char *const errors[] = { "ControllerResizeError", "NodeResizeError" };
	const struct value *list = value_get(l->status, "conditions");
	const char *resize = health_str(l->status, "allocatedResourceStatuses.storage");

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		const struct value *c = health_condition(list, errors[i]);

		if (!health_is(c, "True"))
			continue;
		health_say(l, HEALTH_DEGRADED, WHY_ResizeFailed, "the old size stays usable",
		           "could not be enlarged: %s", health_text(c));
		return;
	}
	if (str_ends(resize, "Infeasible"))
		health_say(l, HEALTH_DEGRADED, WHY_ResizeFailed, "ask for a smaller size, at least what it has",
		           "the storage driver cannot enlarge it");
	else if (health_is(health_condition(list, "FileSystemResizePending"), "True"))
		health_say(l, HEALTH_PROGRESSING, WHY_Resizing, NULL, "the file system grows when a pod mounts it");
	else if (*resize || health_is(health_condition(list, "Resizing"), "True"))
		health_say(l, HEALTH_PROGRESSING, WHY_Resizing, NULL, "is being enlarged");
	else
		health_ready(l, WHY_Ready);
}

static void
look_claim(struct health_look *l)
{
	const struct value *notes = value_at(l->object, "metadata.annotations");
	const char *phase = health_str(l->status, "phase");

	if (strcmp(phase, "Bound") == 0)
		look_bound_claim(l);
	else if (strcmp(phase, "Lost") == 0)
		health_say(l, HEALTH_FAILED, WHY_VolumeLost, "restore it from a snapshot", "volume %s is gone",
		           health_str(l->spec, "volumeName"));
	/* the scheduler and the claim controller set these when there is somebody to make the volume for */
	else if (value_get(notes, "volume.kubernetes.io/selected-node") ||
	         value_get(notes, "volume.kubernetes.io/storage-provisioner"))
		health_say(l, HEALTH_PROGRESSING, WHY_VolumeProvisioning, NULL, "%s is making the volume",
		           value_as_str(value_get(notes, "volume.kubernetes.io/storage-provisioner"),
		           "the storage driver"));
	else
		health_say(l, HEALTH_PAUSED, WHY_WaitForFirstConsumer, NULL, "is made when a pod first uses it");
}

static void
look_service(struct health_look *l)
{
	const struct value *first = value_item(value_at(l->status, "loadBalancer.ingress"), 0);

	if (strcmp(health_str(l->spec, "type"), "LoadBalancer") != 0 || *health_str(first, "ip") ||
	    *health_str(first, "hostname"))
		health_ready(l, WHY_Ready);
	else
		health_say(l, HEALTH_PROGRESSING, WHY_WaitingForAddress,
		           "see that the cluster has a load balancer controller and free addresses",
		           "the load balancer has no address yet");
}

static void
look_namespace(struct health_look *l)
{
	if (strcmp(health_str(l->status, "phase"), "Terminating") == 0)
		health_say(l, HEALTH_PROGRESSING, WHY_Terminating, NULL, "is being deleted");
	else
		health_ready(l, WHY_Ready);
}

/* A condition that must be True: absent or Unknown is Progressing, False is `bad`. */
static bool
holds(struct health_look *l, const struct value *list, const char *type, enum health bad, enum why why,
      const char *next)
{
	const struct value *c = health_condition(list, type);
	int64_t generation = health_int(l->object, "metadata.generation", 0);

	if (health_is(c, "True") && health_int(c, "observedGeneration", generation) >= generation)
		return true;
	if (health_is(c, "False"))
		health_say(l, bad, why, next, "%s", health_text(c));
	else
		health_say(l, HEALTH_PROGRESSING, why, NULL, "its controller has not said yet whether it is %s", type);
	return false;
}

static void
look_certificate(struct health_look *l)
{
	const struct value *list = value_get(l->status, "conditions"), *issuing = health_condition(list, "Issuing");

	if (health_is(issuing, "True") && !health_is(health_condition(list, "Ready"), "True"))
		health_say(l, HEALTH_PROGRESSING, WHY_CertificateNotReady, NULL, "is being issued: %s",
		           health_text(issuing));
	else if (holds(l, list, "Ready", HEALTH_DEGRADED, WHY_CertificateNotReady,
	               "look at its CertificateRequest and issuer"))
		health_ready(l, WHY_Ready);
}

static void
look_route(struct health_look *l)
{
	const struct value *parents = value_get(l->status, "parents");

	for (size_t i = 0; i < value_len(parents); i++) {
		const struct value *list = value_get(value_item(parents, i), "conditions");

		if (!holds(l, list, "Accepted", HEALTH_DEGRADED, WHY_RouteNotAccepted,
		           "compare host name and namespace with the gateway's listeners") ||
		    !holds(l, list, "ResolvedRefs", HEALTH_DEGRADED, WHY_RouteNotAccepted,
		           "see that the service that it names is there"))
			return;
	}
	if (value_len(parents) == 0)
		health_say(l, HEALTH_PROGRESSING, WHY_RouteNotAccepted, "see that the gateway that it names exists",
		           "no gateway has taken the route yet");
	else
		health_ready(l, WHY_Ready);
}

static void
look_gateway(struct health_look *l)
{
	const struct value *list = value_get(l->status, "conditions");

	if (holds(l, list, "Accepted", HEALTH_FAILED, WHY_GatewayNotReady, "see its gateway class and listeners") &&
	    holds(l, list, "Programmed", HEALTH_PROGRESSING, WHY_GatewayNotReady, NULL))
		health_ready(l, WHY_Ready);
}

static void
look_external_secret(struct health_look *l)
{
	if (holds(l, value_get(l->status, "conditions"), "Ready", HEALTH_DEGRADED, WHY_SecretNotSynced,
	          "see the secret store and the key's name"))
		health_ready(l, WHY_Ready);
}

static void
look_snapshot(struct health_look *l)
{
	const struct value *error = value_get(l->status, "error");

	if (value_as_bool(value_get(l->status, "readyToUse"), false))
		health_ready(l, WHY_Ready);
	else if (error && error->type != VALUE_NULL)
		health_say(l, HEALTH_FAILED, WHY_SnapshotFailed, "see the snapshot class and the driver", "%s",
		           health_str(error, "message"));
	else
		health_say(l, HEALTH_PROGRESSING, WHY_Snapshotting, NULL, "the snapshot is being taken");
}

static void
look_resource_claim(struct health_look *l)
{
	if (value_is(value_get(l->status, "allocation"), VALUE_MAP))
		health_ready(l, WHY_Ready);
	else
		health_say(l, HEALTH_PAUSED, WHY_WaitForFirstConsumer, NULL,
		           "devices are given when a pod first uses it");
}

bool
health_other_kind(struct health_look *l, const char *kind)
{
	static const struct {
		const char *kind;
		void (*look)(struct health_look *l);
	} kinds[] = {
		{ "PersistentVolumeClaim", look_claim }, { "Service", look_service }, { "Namespace", look_namespace },
		{ "Certificate", look_certificate }, { "HTTPRoute", look_route }, { "Gateway", look_gateway },
		{ "ExternalSecret", look_external_secret }, { "VolumeSnapshot", look_snapshot },
		{ "ResourceClaim", look_resource_claim },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, kind) == 0) {
			kinds[i].look(l);
			return true;
		}
	return false;
}
