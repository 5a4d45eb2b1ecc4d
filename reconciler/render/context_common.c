/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a template context that all sets share. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/shape.h"
#include "render/context.h"
#include "render/render.h"

/* Features that come with a cluster version, as JSON-e can ask for them. */
static const struct {
	const char *name;
	int64_t minor; /* of version 1 */
} version_features[] = {
	{ "supplemental-groups-policy", STRICT_GROUPS_MINOR },
	{ "recursive-read-only", 33 },
};

static const struct {
	const char *name;
	int64_t port;
} web_tools[] = {
	{ "terminal", 7681 },
	{ "jupyter", 8888 },
	{ "vscode", 8080 },
};

static const struct {
	const char *shorthand, *mode;
} access_modes[] = {
	/*
	 * A home is ReadWriteOnce, not ReadWriteOncePod: older CSI drivers refuse the latter, and a StatefulSet has at
	 * most one pod of an index anyway.
	 */
	{ "RWO", "ReadWriteOnce" },
	{ "RWX", "ReadWriteMany" },
	{ "ROX", "ReadOnlyMany" },
	{ "RWOP", "ReadWriteOncePod" },
};

int64_t
context_web_port(const char *tool)
{
	for (size_t i = 0; i < sizeof(web_tools) / sizeof(*web_tools); i++)
		if (str_eq(tool, web_tools[i].name))
			return web_tools[i].port;
	return 0;
}

const char *
context_access_mode(const char *shorthand)
{
	for (size_t i = 0; i < sizeof(access_modes) / sizeof(*access_modes); i++)
		if (str_eq(shorthand, access_modes[i].shorthand) || str_eq(shorthand, access_modes[i].mode))
			return access_modes[i].mode;
	return access_modes[0].mode;
}

static struct value *
features(struct arena *mem, const struct doc *org)
{
	struct value *out = value_map(mem), *list = org ? value_at(org->spec, "cluster.features") : NULL;
	int64_t minor = shape_minor(org);

	for (size_t i = 0; i < value_len(list); i++) {
		const char *name = value_as_str(value_item(list, i), NULL);

		if (name)
			value_set(mem, out, name, value_bool(mem, true));
	}
	for (size_t i = 0; i < sizeof(version_features) / sizeof(*version_features); i++)
		if (minor >= version_features[i].minor)
			value_set(mem, out, version_features[i].name, value_bool(mem, true));
	return out;
}

struct value *
context_doc(struct arena *mem, const struct doc *d)
{
	struct value *out;

	if (!d)
		return value_null(mem);
	out = value_map(mem);
	if (value_is(d->spec, VALUE_MAP))
		for (size_t i = 0; i < d->spec->map.n; i++)
			value_set(mem, out, d->spec->map.items[i].key, d->spec->map.items[i].value);
	value_set(mem, out, "name", value_str(mem, d->name));
	return out;
}

struct value *
context_base(struct arena *mem, const struct doc *org)
{
	struct value *out = value_map(mem);

	value_set(mem, out, "berth", value_map(mem)); /* filled by whoever knows the version of the templates (render.c) */
	value_set(mem, out, "org", org ? context_doc(mem, org) : value_map(mem));
	value_set(mem, out, "features", features(mem, org));
	return out;
}

bool
context_feature(const struct value *context, const char *name)
{
	return value_get(value_get(context, "features"), name) != NULL;
}

struct value *
context_claim(struct arena *mem, const char *name, int64_t size, const char *class, const char *access)
{
	struct value *out = value_map(mem), *modes = value_list(mem);

	value_push(mem, modes, value_str(mem, context_access_mode(access)));
	value_set(mem, out, "name", value_str(mem, name));
	value_set(mem, out, "size", value_str(mem, quantity_bytes_text(mem, size)));
	value_set(mem, out, "class", class ? value_str(mem, class) : value_null(mem));
	value_set(mem, out, "access", modes);
	return out;
}

struct value *
context_labels(struct arena *mem, const char *owner, const char *team)
{
	struct value *out = value_map(mem);

	value_set(mem, out, "app.kubernetes.io/managed-by", value_str(mem, "berth"));
	value_set(mem, out, "berth.dev/managed", value_str(mem, "true"));
	if (owner)
		value_set(mem, out, "berth.dev/owner", value_str(mem, owner));
	if (team)
		value_set(mem, out, "berth.dev/team", value_str(mem, team));
	return out;
}

struct value *
context_labels_pod(struct arena *mem, const struct env *env)
{
	struct value *out = context_labels(mem, env->owner, env->team ? env->team->name : NULL);

	value_set(mem, out, "berth.dev/env", value_str(mem, env->name));
	return out;
}

struct value *
context_labels_env(struct arena *mem, const struct env *env)
{
	struct value *out = context_labels_pod(mem, env);
	const struct value *labels = value_at(env->doc->root, "metadata.labels");

	if (value_is(labels, VALUE_MAP))
		for (size_t i = 0; i < labels->map.n; i++)
			value_set(mem, out, arena_printf(mem, "label.berth.dev/%s", labels->map.items[i].key),
			          value_str(mem, value_as_str(labels->map.items[i].value, "")));
	return out;
}
