/* SPDX-License-Identifier: Apache-2.0 */
/* Co-writers of our objects. Names and fields as seen on a 1.36 control plane or in the writer's source. */
#include "lib/kube/fields_priv.h"

#include <string.h>

#include "lib/base/str.h"

#define ANNOTATION "f:metadata/f:annotations/f:"
#define FINALIZER "f:metadata/f:finalizers/v:\""
#define TEMPLATE "f:spec/f:template/f:metadata/"
#define JOBS "f:spec/f:replicatedJobs/k:*/f:template/f:spec/f:template/"
#define PREFIXES_MAX 12

/*
 * A prefix covers the field and all below it. Segments are parted by '/'; "k:*" stands for any one list item; a '*'
 * at the very end for any rest of the last segment.
 *
 * Not here on purpose: replicas for anybody (autoscalers do not own environments), labels of a namespace (a mesh or a
 * person who labels it changes what runs in it), webhooks (what they put in at admission gets no entry), kubelet and
 * the simulated nodes of kwok (they write status only), autoscalers of pod sizes (they write pods, which are not
 * ours).
 */
static const struct writer {
	const char *kind, *manager; /* kind or "*"; str_glob */
	const char *fields[PREFIXES_MAX];
} writers[] = {
	{ "*", "**", { "f:status" } },
	{ "PersistentVolumeClaim", "kube-controller-manager",
	  { "f:spec/f:volumeName", "f:spec/f:storageClassName" /* the default class, given later */,
	  ANNOTATION "pv.kubernetes.io/*",
	  ANNOTATION "volume.kubernetes.io/*", ANNOTATION "volume.beta.kubernetes.io/*",
	      FINALIZER "kubernetes.io/pvc-protection\"" } },
	{ "PersistentVolumeClaim", "kube-scheduler", { ANNOTATION "volume.kubernetes.io/selected-node" } },
	/* external-provisioner, external-resizer, local-path-provisioner: the binaries' names */
	{ "PersistentVolumeClaim", "*provisioner*",
	  { ANNOTATION "volume.kubernetes.io/*", ANNOTATION "volume.beta.kubernetes.io/*",
	  FINALIZER "provisioner.storage.kubernetes.io/*" } },
	{ "PersistentVolumeClaim", "*resizer*", { ANNOTATION "volume.kubernetes.io/*" } },
	{ "PersistentVolumeClaim", "snapshot-controller", { FINALIZER "snapshot.storage.kubernetes.io/*" } },
	{ "PersistentVolume", "kube-controller-manager",
	  { "f:spec/f:claimRef", ANNOTATION "pv.kubernetes.io/*", FINALIZER "kubernetes.io/pv-protection\"" } },
	{ "PersistentVolume", "*provisioner*", { ANNOTATION "pv.kubernetes.io/*",
	                                       FINALIZER "external-provisioner.volume.kubernetes.io/*" } },
	{ "PersistentVolume", "*attacher*", { FINALIZER "external-attacher/*" } },
	{ "PersistentVolume", "*resizer*", { "f:spec/f:capacity" } },
	{ "Service", "*cloud-controller-manager",
	  { FINALIZER "service.kubernetes.io/*", ANNOTATION "service.beta.kubernetes.io/*",
	  ANNOTATION "service.kubernetes.io/*",
	  ANNOTATION "cloud.google.com/*", ANNOTATION "networking.gke.io/*" } },
	{ "Service", "kube-controller-manager", { FINALIZER "service.kubernetes.io/load-balancer-cleanup\"" } },
	{ "Service", "glbc", { FINALIZER "networking.gke.io/*", FINALIZER "gke.networking.io/*",
	                     ANNOTATION "cloud.google.com/*", ANNOTATION "networking.gke.io/*" } },
	/* the AWS load balancer controller's and MetalLB's binaries have this name */
	{ "Service", "controller", { FINALIZER "service.k8s.aws/*", ANNOTATION "metallb.io/*",
	                           ANNOTATION "metallb.universe.tf/*" } },
	{ "Service", "kube-vip", { ANNOTATION "kube-vip.io/*", "f:spec/f:loadBalancerIP" } },
	{ "Namespace", "cluster-policy-controller", { ANNOTATION "openshift.io/*" } },
	{ "Namespace", "rancher", { ANNOTATION "field.cattle.io/*", ANNOTATION "cattle.io/*",
	                          ANNOTATION "lifecycle.cattle.io/*",
	                          FINALIZER "controller.cattle.io/*" } },
	{ "ServiceAccount", "kube-controller-manager", { "f:secrets" } },
	{ "ServiceAccount", "openshift-controller-manager", { "f:secrets", "f:imagePullSecrets",
	                                                    ANNOTATION "openshift.io/*" } },
	{ "Deployment", "kube-controller-manager", { ANNOTATION "deployment.kubernetes.io/revision" } },
	  /* through /status */
	{ "Job", "kube-controller-manager", { ANNOTATION "batch.kubernetes.io/*" } },
	{ "Job", "kueue*",
	  { "f:spec/f:suspend", "f:spec/f:template/f:spec/f:nodeSelector", "f:spec/f:template/f:spec/f:tolerations",
	  "f:spec/f:template/f:spec/f:schedulingGates" } },
	{ "JobSet", "kueue*",
	  { "f:spec/f:suspend", JOBS "f:spec/f:nodeSelector", JOBS "f:spec/f:tolerations",
	  JOBS "f:spec/f:schedulingGates",
	  JOBS "f:metadata/f:annotations/f:kueue.x-k8s.io/*", JOBS "f:metadata/f:labels/f:kueue.x-k8s.io/*" } },
	{ "*", "kueue*",
	  { TEMPLATE "f:annotations/f:kueue.x-k8s.io/*", TEMPLATE "f:labels/f:kueue.x-k8s.io/*",
	  ANNOTATION "kueue.x-k8s.io/*",
	  FINALIZER "kueue.x-k8s.io/*" } },
	{ "Certificate", "cert-manager*", { ANNOTATION "cert-manager.io/*", FINALIZER "cert-manager.io/*" } },
	{ "ExternalSecret", "external-secrets*", { FINALIZER "externalsecrets.external-secrets.io/*" } },
	{ "VolumeSnapshot", "snapshot-controller", { FINALIZER "snapshot.storage.kubernetes.io/*",
	                                           ANNOTATION "snapshot.storage.kubernetes.io/*" } },
	{ "Gateway", "GoogleGKEGatewayController", { ANNOTATION "networking.gke.io/*",
	                                           FINALIZER "gateway.finalizer.networking.gke.io*" } },
	{ "HTTPRoute", "GoogleGKEGatewayController", { ANNOTATION "networking.gke.io/*" } },
};

/* What is left of `prefix` behind the segment that is `key`; NULL when it is another. */
static const char *
segment_match(const char *prefix, const char *key)
{
	size_t n = strlen(key), left = strlen(prefix);

	if (strncmp(prefix, "k:*", 3) == 0 && (prefix[3] == '/' || !prefix[3]))
		return strncmp(key, "k:", 2) != 0 ? NULL : prefix[3] ? prefix + 4 : prefix + 3;
	if (left && prefix[left - 1] == '*' && n >= left - 1 && strncmp(prefix, key, left - 1) == 0)
		return prefix + left;
	if (n > left || strncmp(prefix, key, n) != 0)
		return NULL;
	return prefix[n] == '/' ? prefix + n + 1 : !prefix[n] ? prefix + n : NULL;
}

static bool
covers(const char *prefix, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n && *prefix; i++) {
		/* the map itself, owned by whoever put the first key into it */
		if (i + 1 == n && strcmp(keys[i], ".") == 0)
			return true;
		prefix = segment_match(prefix, keys[i]);
		if (!prefix)
			return false;
	}
	return !*prefix;
}

bool
fields_allowed(const char *kind, const char *manager, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < sizeof(writers) / sizeof(writers[0]); i++) {
		const struct writer *w = &writers[i];

		if ((strcmp(w->kind, "*") != 0 && strcmp(w->kind, kind) != 0) || !str_glob(w->manager, manager))
			continue;
		for (size_t f = 0; f < PREFIXES_MAX && w->fields[f]; f++)
			if (covers(w->fields[f], keys, n))
				return true;
	}
	return false;
}
