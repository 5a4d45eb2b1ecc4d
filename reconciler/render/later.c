/* SPDX-License-Identifier: Apache-2.0 */
/* The table of spec fields that a later version renders. */
#include "render/later.h"

#include <string.h>

#include "parse/shape.h"

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
choice(const struct env *env, const char *path)
{
	return is_not(env, path, "none");
}



/* Done is "recommend", by an autoscaler that the cluster has and for what it knows. */
static bool
vertical(const struct env *env, const char *path)
{
	const char *mode = value_as_str(value_get(value_at(env->spec, path), "mode"), "none");

	if (strcmp(mode, "recommend") == 0)
		return !shape_feature(env->org, "vpa") || shape_jobset(env);
	return strcmp(mode, "none") != 0;
}

static bool
queue(const struct env *env, const char *path)
{
	return !shape_feature(env->org, "kueue") && is_not(env, path, "default");
}

/* An address of its own serves every tool; otherwise a route is missing, which matters to who asked for one. */
static bool
no_route(const struct env *env, const char *path)
{
	const char *org = value_as_str(value_at(spec_of(env->org), "access.ssh"), "bastion");

	return strcmp(value_as_str(value_at(env->spec, "access.ssh.via"), org), "loadBalancer") != 0 && is_written(env, path);
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
	{ "spec.lifecycle.autoShutdown", is_written, "idleness is not measured yet" },
	{ "spec.lifecycle.hours", is_set, "environments are not paused by the clock yet" },
	{ "spec.lifecycle.idleTimeout", is_written, "idleness is not measured yet" },
	{ "spec.lifecycle.keepUntil", is_set, "idleness is not measured yet" },
	{ "spec.lifecycle.ttl", is_set, "environments do not end by themselves yet" },
	{ "spec.notify", is_set, "nobody is notified yet" },
	{ "spec.scaling.vertical", vertical, "sizes are recommended only, for a StatefulSet's pods, where cluster.features of berth.yaml has vpa" },
	{ "spec.scheduling.queue", queue, "cluster.features of berth.yaml has no kueue: pods start without a queue" },
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
