/* SPDX-License-Identifier: Apache-2.0 */
/* A user's limits as the cluster enforces them: ResourceQuota, LimitRange, and the Pod Security level. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/shape.h"
#include "render/context_pod.h"

#define CPU_DEFAULT INT64_C(1000)         /* thousandths, of a container that says nothing */
#define MEMORY_DEFAULT (INT64_C(1) << 30) /* bytes */

/* The user's limit, else the role's; NULL when there is none. */
static const struct value *
limit_of(const struct doc *org, const struct doc *user, const char *name)
{
	const struct value *own = value_get(value_get(user->spec, "limits"), name);
	const char *role = value_as_str(value_get(user->spec, "role"), "standard");

	return own ? own : value_get(value_get(value_get(pod_spec(org), "roles"), role), name);
}

/* -- ResourceQuota ------------------------------------------------------------------------------------------------ */

/* Limits and what the ResourceQuota counts them by. */
static const struct {
	const char *limit, *resource, *feature; /* feature: only where the cluster has it; NULL: always */
} quota_rows[] = {
	{ "cpu", "requests.cpu", NULL },
	{ "memory", "requests.memory", NULL },
	{ "gpu", "requests." GPU_RESOURCE, NULL },
	{ "gpu", "gpu.nvidia.com.deviceclass.resource.k8s.io/devices", "dra" },
	{ "storage", "requests.storage", NULL },
	{ "environments", "count/statefulsets.apps", NULL },
	{ "environments", "count/jobsets.jobset.x-k8s.io", "jobset" },
};

static bool
has_address(const struct env *env)
{
	const char *org = value_as_str(value_at(pod_spec(env->org), "access.ssh"), "bastion");

	return strcmp(value_as_str(value_at(env->spec, "access.ssh.via"), org), "loadBalancer") == 0;
}

static void
quota_row(struct arena *mem, struct value *out, const char *resource, const struct value *limit, bool cpu)
{
	int64_t milli;

	if (limit && quantity_milli(limit, &milli) == 0)
		value_set(mem, out, resource,
		          value_str(mem, cpu ? quantity_cpu_text(mem, milli) : quantity_bytes_text(mem, milli / 1000)));
}

struct value *
context_quota(struct arena *mem, const struct doc *org, const struct doc *user, const struct env *const *envs, size_t n)
{
	struct value *out = value_map(mem);
	int64_t addresses = 0;

	for (size_t i = 0; i < sizeof(quota_rows) / sizeof(*quota_rows); i++)
		if (!quota_rows[i].feature || shape_feature(org, quota_rows[i].feature))
			quota_row(mem, out, quota_rows[i].resource, limit_of(org, user, quota_rows[i].limit),
			          strcmp(quota_rows[i].limit, "cpu") == 0);
	for (size_t i = 0; i < n; i++) {
		const char *gpu = envs[i]->gpu > 0 ? shape_gpu_resource(mem, shape_sharing(envs[i])) : NULL;

		/* shares have names of their own, and a limit that the cluster does not know would be none */
		if (gpu)
			quota_row(mem, out, arena_printf(mem, "requests.%s", gpu), limit_of(org, user, "gpu"), false);
		if (has_address(envs[i]))
			addresses += value_as_bool(value_get(envs[i]->spec, "enableSSH"), true) +
			             (value_len(value_at(envs[i]->spec, "access.web")) > 0 ||
			              value_len(value_at(envs[i]->spec, "access.ports")) > 0);
	}
	value_set(mem, out, "services.loadbalancers", value_fmt(mem, "%lld", (long long)addresses));
	value_set(mem, out, "services.nodeports", value_str(mem, "0"));
	return out;
}

/* -- LimitRange --------------------------------------------------------------------------------------------------- */

/*
 * Whether memory may be promised only once in the user's namespace: the organization says so, or nothing in it wants more
 * than it requests. A namespace has one such rule, so that one burstable environment keeps it away.
 */
static bool
memory_once(const struct doc *org, const struct env *const *envs, size_t n)
{
	bool once = n > 0;

	if (!value_as_bool(value_at(pod_spec(org), "security.memoryOvercommit"), true))
		return true;
	for (size_t i = 0; i < n && once; i++)
		once = env_guaranteed(envs[i]);
	return once;
}

static struct value *
amounts(struct arena *mem, const char *cpu, const char *memory)
{
	struct value *out = value_map(mem);

	if (cpu)
		value_set(mem, out, "cpu", value_str(mem, cpu));
	if (memory)
		value_set(mem, out, "memory", value_str(mem, memory));
	return out;
}

/* A maximum below the default would make the whole range invalid: who may have that little gets no range of it. */
static struct value *
container_max(struct arena *mem, const struct doc *org, const struct doc *user)
{
	const struct value *cpu = limit_of(org, user, "cpu"), *memory = limit_of(org, user, "memory");
	int64_t milli, bytes;
	bool cpus = cpu && quantity_milli(cpu, &milli) == 0 && milli >= CPU_DEFAULT;
	bool mems = memory && quantity_units(memory, &bytes) == 0 && bytes >= MEMORY_DEFAULT;

	return amounts(mem, cpus ? quantity_cpu_text(mem, milli) : NULL, mems ? quantity_bytes_text(mem, bytes) : NULL);
}

struct value *
context_limits(struct arena *mem, const struct doc *org, const struct doc *user, const struct env *const *envs, size_t n)
{
	bool once = memory_once(org, envs, n);
	struct value *container = value_map(mem), *claim = value_map(mem), *most = container_max(mem, org, user);
	struct value *list = value_list(mem), *size = value_map(mem);

	value_set(mem, container, "type", value_str(mem, "Container"));
	value_set(mem, container, "default",
	          amounts(mem, quantity_cpu_text(mem, CPU_DEFAULT), quantity_bytes_text(mem, MEMORY_DEFAULT)));
	value_set(mem, container, "defaultRequest",
	          amounts(mem, "100m", once ? quantity_bytes_text(mem, MEMORY_DEFAULT) : "256Mi"));
	if (value_len(most) > 0)
		value_set(mem, container, "max", most);
	if (once)
		value_set(mem, container, "maxLimitRequestRatio", amounts(mem, NULL, "1"));
	value_push(mem, list, container);
	quota_row(mem, size, "storage", limit_of(org, user, "storage"), false);
	if (value_len(size) > 0) {
		value_set(mem, claim, "type", value_str(mem, "PersistentVolumeClaim"));
		value_set(mem, claim, "max", size);
		value_push(mem, list, claim);
	}
	return list;
}

/* -- Pod Security ------------------------------------------------------------------------------------------------- */

const char *
context_pod_security(const struct doc *org, const struct env *const *envs, size_t n)
{
	const char *level = value_as_str(value_at(pod_spec(org), "security.podSecurity"), "restricted");

	/* an entry that is root needs capabilities that "restricted" refuses, inside a user namespace too */
	for (size_t i = 0; i < n && strcmp(level, "restricted") == 0; i++)
		if (shape_root_entry(envs[i]))
			level = "baseline";
	return level;
}
