/* SPDX-License-Identifier: Apache-2.0 */
/* Resources of an environment's container, and memory as files: /dev/shm and huge pages. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/shape.h"
#include "render/context_pod.h"

/* Resources of the flavor that have no field of their own: other vendors' GPUs, shares of one, local disk. */
static void
other_resources(struct arena *mem, const struct value *from, struct value *to)
{
	if (!value_is(from, VALUE_MAP))
		return;
	for (size_t i = 0; i < from->map.n; i++) {
		const struct member *m = &from->map.items[i];

		if ((strchr(m->key, '/') && strcmp(m->key, GPU_RESOURCE) != 0) || strcmp(m->key, "ephemeral-storage") == 0)
			value_set(mem, to, m->key, m->value);
	}
}

/* A device in whole numbers: the same requested and as limit. */
static void
set_device(struct arena *mem, struct value *resources, const char *name, int64_t n)
{
	value_set(mem, value_get(resources, "requests"), name, value_int(mem, n));
	value_set(mem, value_get(resources, "limits"), name, value_int(mem, n));
}

/* GPUs by the name that their sharing gives them; a claim of the pod's stands for them where devices are claimed (DRA). */
static void
gpu_resources(struct arena *mem, const struct env *env, struct value *resources)
{
	const char *name = shape_gpu_resource(mem, shape_sharing(env));
	struct value *claims;

	if (env->gpu <= 0)
		return;
	if (name) {
		set_device(mem, resources, name, env->gpu);
		return;
	}
	claims = value_list(mem);
	value_push(mem, claims, pod_str1(mem, "name", "gpu"));
	value_set(mem, resources, "claims", claims);
}

/* The claim that stands for the GPUs with DRA. Its template cannot be changed, so that the count is part of its name. */
struct value *
pod_gpu_claim(struct arena *mem, const struct env *env)
{
	struct value *out;

	if (env->gpu <= 0 || shape_gpu_resource(mem, shape_sharing(env)))
		return value_null(mem);
	out = value_map(mem);
	value_set(mem, out, "name", value_fmt(mem, "%s--gpu-%lld", env->name, (long long)env->gpu));
	value_set(mem, out, "count", value_int(mem, env->gpu));
	return out;
}

/* Requests and limits without devices: what the init container gets too. */
struct value *
pod_plain_resources(struct arena *mem, const struct env *env)
{
	bool same = env_guaranteed(env);
	struct value *requests = value_map(mem), *limits = value_map(mem), *out = value_map(mem);

	value_set(mem, requests, "cpu", value_str(mem, quantity_cpu_text(mem, same ? env->cpu_limit : env->cpu_request)));
	value_set(mem, requests, "memory", value_str(mem, quantity_bytes_text(mem, same ? env->mem_limit : env->mem_request)));
	value_set(mem, limits, "cpu", value_str(mem, quantity_cpu_text(mem, env->cpu_limit)));
	value_set(mem, limits, "memory", value_str(mem, quantity_bytes_text(mem, env->mem_limit)));
	value_set(mem, out, "requests", requests);
	value_set(mem, out, "limits", limits);
	return out;
}

int
pod_resources(struct arena *mem, const struct env *env, struct value **out, struct err *e)
{
	const struct value *flavor = value_at(pod_spec(env->flavor), "resources"), *pages;
	struct value *all = pod_plain_resources(mem, env);
	struct value *requests = value_get(all, "requests"), *limits = value_get(all, "limits");
	const char *fabric;
	int64_t n;

	other_resources(mem, value_get(flavor, "requests"), requests);
	other_resources(mem, value_get(flavor, "limits"), limits);
	gpu_resources(mem, env, all);
	if (shape_fabric(env, &fabric, &n))
		set_device(mem, all, fabric, n);
	pages = value_at(env->spec, "resources.hugepages");
	if (value_is(pages, VALUE_MAP))
		for (size_t i = 0; i < pages->map.n; i++) {
			const char *name = arena_printf(mem, "hugepages-%s", pages->map.items[i].key);
			struct value *size;
			int64_t bytes;

			if (quantity_units(pages->map.items[i].value, &bytes) < 0)
				return err_set(e, ERR_INVALID, "spec.resources.hugepages.%s: not a quantity", pages->map.items[i].key);
			size = value_str(mem, quantity_bytes_text(mem, bytes));
			value_set(mem, requests, name, size);
			value_set(mem, limits, name, size);
		}
	*out = all;
	return 0;
}

/* /dev/shm and huge pages: memory as files. */
int
pod_memory(struct pod *p, struct err *e)
{
	const struct value *pages = value_at(p->env->spec, "resources.hugepages");
	struct value *body;
	int rc = 0;

	if (p->env->shm > 0) {
		body = pod_str1(p->mem, "medium", "Memory");
		value_set(p->mem, body, "sizeLimit", value_str(p->mem, quantity_bytes_text(p->mem, p->env->shm)));
		pod_volume(p, "shm", "emptyDir", body);
		rc = pod_mount(p, "shm", "/dev/shm", NULL, false, "spec.resources.shm", e);
	}
	for (size_t i = 0; value_is(pages, VALUE_MAP) && i < pages->map.n && rc == 0; i++) {
		const char *size = pages->map.items[i].key;
		char *name = arena_printf(p->mem, "hugepages-%s", size);

		for (char *c = name; *c; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c - 'A' + 'a');
		pod_volume(p, name, "emptyDir", pod_str1(p->mem, "medium", arena_printf(p->mem, "HugePages-%s", size)));
		rc = pod_mount(p, name, pages->map.n == 1 ? "/dev/hugepages" : arena_printf(p->mem, "/dev/hugepages-%s", size), NULL,
		               false, "spec.resources.hugepages", e);
	}
	return rc;
}
