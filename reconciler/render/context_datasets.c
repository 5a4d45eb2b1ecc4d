/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets of one environment: claims mounted as they are, and copies on a local volume. */
#include "parse/dataset.h"
#include "parse/quantity.h"
#include "render/context_pod.h"

#define SOURCES "/run/berth/datasets" /* claims that are copied; datasets.sh reads them there */
#define KEYS "/run/berth/s3"          /* Secrets of buckets, a folder each */

/* A claim can only be mounted from the pod's own namespace: one of the dataset's name must stand there. */
static int
mount_claim(struct pod *p, const struct dataset_use *u, const char *field, struct err *e)
{
	const char *volume = arena_printf(p->mem, "data-%s", u->name);
	const char *path = u->copied ? arena_printf(p->mem, SOURCES "/%s", u->name) : u->path;

	pod_claim(p, volume, u->claim, u->read_only);
	return pod_mount(p, volume, path, NULL, u->copied || u->read_only, field, e);
}

/* {volumeClaimTemplate} of a disk in the node that goes with the pod. */
static struct value *
local_claim(struct arena *mem, const char *class, const char *size)
{
	struct value *spec = value_map(mem), *modes = value_list(mem), *requests = pod_str1(mem, "storage", size);
	struct value *resources = value_map(mem), *template = value_map(mem), *out = value_map(mem);

	value_push(mem, modes, value_str(mem, "ReadWriteOnce"));
	value_set(mem, spec, "accessModes", modes);
	value_set(mem, resources, "requests", requests);
	value_set(mem, spec, "resources", resources);
	value_set(mem, spec, "storageClassName", value_str(mem, class));
	value_set(mem, template, "spec", spec);
	value_set(mem, out, "volumeClaimTemplate", template);
	return out;
}

static int
mount_copy(struct pod *p, const struct dataset_use *u, const char *field, struct err *e)
{
	const char *class = value_as_str(value_at(pod_spec(p->env->org), "storage.localClass"), NULL);
	const char *volume = arena_printf(p->mem, "copy-%s", u->name), *size;

	if (u->size <= 0)
		return err_set(e, ERR_INVALID, "%s: dataset '%s' has no size, a copy needs one", field, u->name);
	size = quantity_bytes_text(p->mem, dataset_room(u));
	if (class)
		pod_volume(p, volume, "ephemeral", local_claim(p->mem, class, size));
	else
		pod_volume(p, volume, "emptyDir", pod_str1(p->mem, "sizeLimit", size));
	return pod_mount(p, volume, u->path, NULL, false, field, e);
}

/*
 * Files, not variables: they stay out of `env`, and a new key reaches the pod. Optional, because an environment can be
 * entered while its data is not there yet.
 */
static int
mount_keys(struct pod *p, const struct dataset_use *u, const char *field, struct err *e)
{
	const char *volume = arena_printf(p->mem, "s3-%s", u->name);
	struct value *body = pod_str1(p->mem, "secretName", u->secret);

	value_set(p->mem, body, "defaultMode", value_int(p->mem, 0440));
	value_set(p->mem, body, "optional", value_bool(p->mem, true));
	pod_volume(p, volume, "secret", body);
	return pod_mount(p, volume, arena_printf(p->mem, KEYS "/%s", u->name), NULL, true, field, e);
}

int
pod_datasets(struct pod *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < value_len(value_get(p->env->spec, "datasets")) && i < p->env->ndatasets && rc == 0; i++) {
		const char *field = arena_printf(p->mem, "spec.datasets[%zu]", i);
		struct dataset_use u;

		env_dataset(p->mem, p->env, i, &u);
		if (u.claim)
			rc = mount_claim(p, &u, field, e);
		if (rc == 0 && u.copied)
			rc = mount_copy(p, &u, field, e);
		if (rc == 0 && u.bucket && u.secret)
			rc = mount_keys(p, &u, field, e);
	}
	return rc;
}
