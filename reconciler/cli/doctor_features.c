/* SPDX-License-Identifier: Apache-2.0 */
/* What the server has against what the tree needs and berth.yaml claims. */
#include <string.h>

#include "cli/doctor.h"
#include "lib/base/str.h"
#include "parse/shape.h"

/* How each feature of cluster.features shows itself: a kind that it serves. */
static const struct feature {
	const char *name, *group, *kind;
	const char *unclaimed; /* what is lost when it is there and berth.yaml does not name it; NULL: nothing to say */
} features[] = {
	{ "kueue", "kueue.x-k8s.io", "ClusterQueue", "environments start without a queue and beside its quotas" },
	{ "gateway", "gateway.networking.k8s.io", "HTTPRoute", "environments get no routes through it" },
	{ "cert-manager", "cert-manager.io", "Certificate", NULL },
	{ "external-secrets", "external-secrets.io", "ExternalSecret", NULL },
	{ "prometheus", "monitoring.coreos.com", "PodMonitor", NULL },
	{ "snapshots", "snapshot.storage.k8s.io", "VolumeSnapshot", NULL },
	{ "vpa", "autoscaling.k8s.io", "VerticalPodAutoscaler", NULL },
	{ "dra", "resource.k8s.io", "DeviceClass", NULL },
	{ "jobset", "jobset.x-k8s.io", "JobSet", NULL },
};

/* Asked by dry run: a server whose feature gate is off drops the field. */
#define IMAGE_PROBE                                                                                                    \
	"{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"metadata\":{\"name\":\"berth-doctor-asks\"},\"spec\":{"   \
	"\"serviceName\":\"x\",\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{"     \
	"\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\"}],\"volumes\":[{\"name\":\"v\","         \
	"\"image\":{\"reference\":\"x\"}}]}}}}"

static bool
claimed(const struct doctor *d, const char *name)
{
	const struct value *list = d->w ? value_at(world_site(d->w)->org->spec, "cluster.features") : NULL;

	for (size_t i = 0; i < value_len(list); i++)
		if (str_eq(value_as_str(value_item(list, i), NULL), name))
			return true;
	return false;
}

static void
one_feature(struct doctor *d, const struct feature *f)
{
	bool there = kube_kind_any(d->c.kube, f->group, f->kind) != NULL, wants = claimed(d, f->name);
	const char *check = arena_printf(d->mem, "feature %s", f->name);

	if (wants && !there)
		doctor_say(d, DOCTOR_FAIL, check, arena_printf(d->mem, "install %s, or take it out of cluster.features", f->name),
		           "berth.yaml names it, but the server serves no %s (%s)", f->kind, f->group);
	else if (wants)
		doctor_say(d, DOCTOR_OK, check, NULL, "named in berth.yaml and there");
	else if (there && f->unclaimed && d->w)
		doctor_say(d, DOCTOR_WARN, check, arena_printf(d->mem, "add %s to cluster.features of berth.yaml", f->name),
		           "the server has it, berth.yaml does not name it: %s", f->unclaimed);
	else if (there && d->w)
		doctor_say(d, DOCTOR_OK, check, NULL, "the server has it; berth.yaml does not use it");
}

static int
image_volumes(struct doctor *d, struct err *e)
{
	struct question q = { .method = "POST", .body = IMAGE_PROBE, .len = sizeof(IMAGE_PROBE) - 1,
		.path = "/apis/apps/v1/namespaces/default/statefulsets?dryRun=All&fieldManager=" KUBE_MANAGER };
	const struct value *volume;
	int rc;

	if (!claimed(d, "image-volumes"))
		return 0;
	if ((rc = cluster_ask(&d->c, d->mem, &q, 1, e)) < 0)
		return rc;
	volume = value_item(value_at(q.answer, "spec.template.spec.volumes"), 0);
	if (q.code)
		doctor_say(d, DOCTOR_WARN, "feature image-volumes", "look at the server's feature gate ImageVolume",
		           "named in berth.yaml; whether the server has it could not be asked: %s", q.message);
	else if (value_get(volume, "image"))
		doctor_say(d, DOCTOR_OK, "feature image-volumes", NULL, "named in berth.yaml and there");
	else
		doctor_say(d, DOCTOR_FAIL, "feature image-volumes", "turn on the feature gate ImageVolume, or take it out of cluster.features",
		           "berth.yaml names it, but the server drops volumes of that kind");
	return 0;
}

/* Kinds that are rendered and not served. */
static void
served(struct doctor *d)
{
	size_t missing = 0;
	const char *key;
	void *unit;

	for (size_t i = 0; map_next(&d->kinds, &i, &key, &unit);) {
		const char *space = strchr(key, ' ');
		const struct kube_kind *kind;
		struct err own = { 0 };

		if (kube_kind(d->c.kube, arena_strndup(d->mem, key, (size_t)(space - key)), space + 1, &kind, &own) == 0)
			continue;
		missing++;
		doctor_say(d, DOCTOR_FAIL, arena_printf(d->mem, "kind %s", space + 1), own.hint, "%s renders it; %s", (const char *)unit,
		           own.text);
	}
	if (!missing)
		doctor_say(d, DOCTOR_OK, "kinds", NULL, "all %zu kinds that %s are served", d->kinds.live,
		           d->w ? "this tree renders" : "berth's templates render");
}

static int
storage_class(struct doctor *d, struct err *e)
{
	struct question q = { .method = "GET", .path = "/apis/storage.k8s.io/v1/storageclasses" };
	const struct value *items;
	int rc = cluster_ask(&d->c, d->mem, &q, 1, e);

	if (rc < 0)
		return rc;
	items = value_get(q.answer, "items");
	for (size_t i = 0; !q.code && i < value_len(items); i++) {
		const struct value *meta = value_get(value_item(items, i), "metadata");

		if (!str_eq(value_as_str(value_get(value_get(meta, "annotations"), "storageclass.kubernetes.io/is-default-class"), NULL), "true"))
			continue;
		doctor_say(d, DOCTOR_OK, "storage class", NULL, "%s is the default", value_as_str(value_get(meta, "name"), "?"));
		return 0;
	}
	if (q.code)
		doctor_say(d, DOCTOR_OK, "storage class", NULL, "not looked at: %s", q.message);
	else
		doctor_say(d, DOCTOR_WARN, "storage class",
		           "annotate one with storageclass.kubernetes.io/is-default-class=true, or write storageClass in the specs",
		           "there is no default: %zu claim%s of this tree that name%s none would wait for ever", d->claims,
		           d->claims == 1 ? "" : "s", d->claims == 1 ? "s" : "");
	return 0;
}

/* What cluster.version promises and a node's runtime has to do: without it such a node refuses every pod, again and again. */
static int
nodes(struct doctor *d, struct err *e)
{
	struct question q = { .method = "GET", .path = "/api/v1/nodes?limit=500" };
	const struct value *items;
	const char *first = NULL;
	size_t lacking = 0;
	int rc;

	if (!d->w || shape_minor(world_site(d->w)->org) < STRICT_GROUPS_MINOR)
		return 0;
	if ((rc = cluster_ask(&d->c, d->mem, &q, 1, e)) < 0)
		return rc;
	items = value_get(q.answer, "items");
	for (size_t i = 0; !q.code && i < value_len(items); i++) {
		const struct value *node = value_item(items, i);

		if (value_as_bool(value_at(node, "status.features.supplementalGroupsPolicy"), false))
			continue;
		lacking++;
		first = first ? first : value_as_str(value_at(node, "metadata.name"), "?");
	}
	if (q.code)
		doctor_say(d, DOCTOR_OK, "nodes", NULL, "not looked at: %s", q.message);
	else if (lacking)
		doctor_say(d, DOCTOR_WARN, "nodes", "renew their container runtime (containerd 2), or write cluster.version: \"1.34\" until that is done",
		           "%zu of %zu do not say that they know supplementalGroupsPolicy (%s), which cluster.version of berth.yaml makes "
		           "every pod ask for: they would refuse each", lacking, value_len(items), first);
	else
		doctor_say(d, DOCTOR_OK, "nodes", NULL, "all %zu know what cluster.version promises", value_len(items));
	return 0;
}

static void
toolbox(struct doctor *d)
{
	const char *image = d->w ? value_as_str(value_at(world_site(d->w)->org->spec, "toolbox.image"), NULL) : "";

	if (image && *image)
		doctor_say(d, DOCTOR_OK, "toolbox", NULL, "%s", image);
	else if (!image)
		doctor_say(d, DOCTOR_WARN, "toolbox", "build one (deploy/toolbox/README.md) and name it as toolbox.image in berth.yaml",
		           "berth.yaml names none: into environments of images that bring no sshd nobody can log in, and they do not become Ready");
}

int
doctor_features(struct doctor *d, struct err *e)
{
	int rc;

	served(d);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		one_feature(d, &features[i]);
	if (claimed(d, "external-dns"))
		doctor_say(d, DOCTOR_OK, "feature external-dns", NULL, "named in berth.yaml; it does not show in the API, so it was not checked");
	toolbox(d);
	if ((rc = image_volumes(d, e)) < 0 || (rc = nodes(d, e)) < 0)
		return rc;
	return storage_class(d, e);
}
