/* SPDX-License-Identifier: Apache-2.0 */
/* The table of spec fields that a later version renders. */
#include "render/later.h"

#include <string.h>

#include "lib/base/str.h"

static const struct value *
spec_of(const struct doc *d)
{
	return d ? d->spec : NULL;
}

static bool
filled(const struct value *v)
{
	if (!v || v->type == VALUE_NULL)
		return false;
	if (v->type == VALUE_MAP || v->type == VALUE_LIST || v->type == VALUE_STR)
		return value_len(v) > 0;
	return true;
}

static bool
is_set(const struct env *env, const char *path)
{
	return filled(value_at(env->spec, path));
}

/* Written by somebody, in the environment or in the defaults of a document; not berth's built-in default. */
static bool
is_written(const struct env *env, const char *path)
{
	const struct value *defaults[] = {
		value_get(spec_of(env->flavor), "defaults"),
		value_get(spec_of(env->image), "defaults"),
		value_get(spec_of(env->team), "defaults"),
		value_get(spec_of(env->org), "defaults"),
	};

	if (filled(value_at(env->doc->spec, path)))
		return true;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		if (filled(value_at(defaults[i], path)))
			return true;
	return false;
}

/* A choice other than the one that needs nothing. */
static bool
is_not(const struct env *env, const char *path, const char *plain)
{
	return strcmp(value_as_str(value_at(env->spec, path), plain), plain) != 0;
}

static bool
distributed_engine(const struct env *env, const char *path)
{
	return env->distributed && is_not(env, path, "statefulset");
}

static bool
distributed_choice(const struct env *env, const char *path)
{
	return env->distributed && is_not(env, path, "none");
}

static bool
distributed_rack(const struct env *env, const char *path)
{
	return env->distributed && strcmp(value_as_str(value_at(env->spec, path), "none"), "rack") == 0;
}

static bool
choice(const struct env *env, const char *path)
{
	return is_not(env, path, "none");
}

static bool
spot(const struct env *env, const char *path)
{
	return is_not(env, path, "never");
}

static bool
gpu_sharing(const struct env *env, const char *path)
{
	const char *flavor = value_as_str(value_at(spec_of(env->flavor), "gpu.sharing"), "none");

	return strcmp(value_as_str(value_at(env->spec, path), flavor), "none") != 0;
}

static bool
queue(const struct env *env, const char *path)
{
	const struct value *features = value_at(spec_of(env->org), "cluster.features");

	for (size_t i = 0; i < value_len(features); i++)
		if (str_eq(value_as_str(value_item(features, i), NULL), "kueue"))
			return false;
	return is_not(env, path, "default");
}

/* An address of its own serves every tool; otherwise a route is missing, which matters to who asked for one. */
static bool
no_route(const struct env *env, const char *path)
{
	const char *org = value_as_str(value_at(spec_of(env->org), "access.ssh"), "bastion");

	return strcmp(value_as_str(value_at(env->spec, "access.ssh.via"), org), "loadBalancer") != 0 && is_written(env, path);
}

static bool
staged(const struct env *env, const char *path)
{
	const struct value *list = value_at(env->spec, path);

	for (size_t i = 0; i < value_len(list); i++)
		if (strcmp(value_as_str(value_get(value_item(list, i), "stage"), "mount"), "mount") != 0)
			return true;
	for (size_t i = 0; i < env->ndatasets; i++) {
		const struct value *d = spec_of(env->datasets[i]);
		const char *namespace_ = value_as_str(value_at(d, "claim.namespace"), env->namespace_);

		if (!value_at(d, "claim.name") || strcmp(namespace_, env->namespace_) != 0)
			return true;
	}
	return false;
}

/* Sorted by field. */
static const struct {
	const char *field;
	bool (*when)(const struct env *env, const char *field_in_spec);
	const char *text;
} rows[] = {
	{ "spec.access.ports", no_route, "the ports are open to the gateway and over SSH; they have no route of their own yet" },
	{ "spec.access.web", no_route, "the tools run, reached over SSH or a port-forward; they have no host name yet" },
	{ "spec.backup", is_set, "snapshots are not taken or restored yet" },
	{ "spec.budget", is_set, "costs are not counted yet" },
	{ "spec.cache.redis", choice, "REDIS_URL is not set yet" },
	{ "spec.checkpoints.keep", is_set, "old checkpoints are not cleaned up yet" },
	{ "spec.datasets", staged, "claims are mounted as they are, from the user's own namespace; nothing is copied, and buckets are not mounted yet" },
	{ "spec.distributed.engine", distributed_engine, "a StatefulSet runs the pods; JobSets are not rendered yet" },
	{ "spec.distributed.rdma", distributed_choice, "pods talk over the ordinary network; fabric devices are not requested yet" },
	{ "spec.distributed.topology", distributed_rack, "pods are kept apart only by node; racks are not known yet" },
	{ "spec.lifecycle.autoShutdown", is_written, "idleness is not measured yet" },
	{ "spec.lifecycle.checkpointCommand", is_set, "it is not run before a stop yet" },
	{ "spec.lifecycle.hours", is_set, "environments are not paused by the clock yet" },
	{ "spec.lifecycle.idleTimeout", is_written, "idleness is not measured yet" },
	{ "spec.lifecycle.keepUntil", is_set, "idleness is not measured yet" },
	{ "spec.lifecycle.ttl", is_set, "environments do not end by themselves yet" },
	{ "spec.notify", is_set, "nobody is notified yet" },
	{ "spec.packages", is_set, "packages are not installed yet; a setup script can" },
	{ "spec.repositories", is_set, "repositories are not cloned yet; a setup script can" },
	{ "spec.scaling", is_set, "no size is recommended or set yet" },
	{ "spec.scheduling.gpuSharing", gpu_sharing, "whole devices are requested, or what the flavor's resources name; shares are not set up yet" },
	{ "spec.scheduling.queue", queue, "cluster.features of berth.yaml has no kueue: pods start without a queue" },
	{ "spec.scheduling.spot", spot, "spot machines are not chosen yet" },
	{ "spec.secrets", is_set, "no Secret is written yet" },
};

void
later_fields(struct arena *mem, const struct env *env, const char *const **fields, size_t *n)
{
	const char **out = arena_array(mem, sizeof(rows) / sizeof(*rows), sizeof(*out));
	size_t found = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].when(env, rows[i].field + strlen("spec.")))
			out[found++] = rows[i].field;
	*fields = out;
	*n = found;
}

const char *
later_text(const char *field)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(field, rows[i].field) == 0)
			return rows[i].text;
	return "a later version renders it";
}
