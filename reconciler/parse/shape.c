/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about an environment that more than one field answers. */
#include "parse/shape.h"

#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"

#define GRACE 60            /* seconds: for what runs to end by itself */
#define GRACE_CHECKPOINT 300
#define GRACE_SPOT 110      /* of the two minutes between the notice and the end */

static const struct value *
spec_at(const struct doc *d, const char *dotted)
{
	return d ? value_at(d->spec, dotted) : NULL;
}

static bool
list_has(const struct value *list, const char *word)
{
	for (size_t i = 0; value_is(list, VALUE_LIST) && i < value_len(list); i++)
		if (str_eq(value_as_str(value_item(list, i), NULL), word))
			return true;
	return false;
}

bool
shape_feature(const struct doc *org, const char *name)
{
	return list_has(spec_at(org, "cluster.features"), name);
}

int64_t
shape_minor(const struct doc *org)
{
	const char *version = value_as_str(spec_at(org, "cluster.version"), "");
	char digits[8] = "";
	size_t n = 0;
	int64_t minor;

	if (*version == 'v')
		version++;
	if (!str_starts(version, "1."))
		return 0;
	for (version += 2; *version >= '0' && *version <= '9' && n < sizeof(digits) - 1; version++)
		digits[n++] = *version;
	return str_to_i64(digits, &minor) == 0 ? minor : 0;
}

const char *
shape_flavor_sharing(const struct doc *flavor)
{
	return value_as_str(spec_at(flavor, "gpu.sharing"), "none");
}

const char *
shape_sharing(const struct env *env)
{
	return value_as_str(value_at(env->spec, "scheduling.gpuSharing"), shape_flavor_sharing(env->flavor));
}

const char *
shape_gpu_resource(struct arena *mem, const char *sharing)
{
	char *name;

	if (strcmp(sharing, "dra") == 0)
		return NULL;
	if (strcmp(sharing, "mps") == 0 || strcmp(sharing, "timeslice") == 0)
		return GPU_RESOURCE ".shared";
	if (!str_starts(sharing, "mig:"))
		return GPU_RESOURCE;
	name = arena_printf(mem, "nvidia.com/mig-%s", sharing + strlen("mig:"));
	for (char *c = name; *c; c++)
		if (*c == '+')
			*c = '.'; /* 1g.10gb+me is the resource mig-1g.10gb.me */
	return name;
}

const char *
shape_rdma(const struct env *env)
{
	return env->distributed ? value_as_str(value_at(env->spec, "distributed.rdma"), "none") : "none";
}

/* The first rdma/… among the flavor's own resources. */
static const struct member *
flavor_rdma(const struct doc *flavor)
{
	static const char *const lists[] = { "resources.limits", "resources.requests" };

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		const struct value *map = spec_at(flavor, lists[i]);

		for (size_t k = 0; value_is(map, VALUE_MAP) && k < map->map.n; k++)
			if (str_starts(map->map.items[k].key, "rdma/"))
				return &map->map.items[k];
	}
	return NULL;
}

bool
shape_fabric(const struct env *env, const char **resource, int64_t *count)
{
	const struct value *fabric = spec_at(env->flavor, "rdma"), *given = NULL;
	const char *kind = shape_rdma(env), *named = value_as_str(value_get(fabric, "resource"), NULL);
	const struct member *own = flavor_rdma(env->flavor);
	bool efa = strcmp(kind, "efa") == 0;

	*resource = NULL;
	if (strcmp(kind, "none") == 0)
		return false;
	if (named && efa == str_eq(named, EFA_RESOURCE)) {
		*resource = named;
		given = value_get(fabric, "count");
	} else if (efa) {
		given = env_flavor_limit(env->flavor, EFA_RESOURCE);
		*resource = given ? EFA_RESOURCE : NULL;
	} else if (own) {
		*resource = own->key;
		given = own->value;
	}
	if (!given || quantity_units(given, count) < 0 || *count < 1)
		*count = 1;
	return *resource != NULL;
}

bool
shape_jobset(const struct env *env)
{
	return env->distributed && str_eq(value_as_str(value_at(env->spec, "distributed.engine"), NULL), "jobset");
}

enum spot
shape_spot(const struct env *env)
{
	const char *word = value_as_str(value_at(env->spec, "scheduling.spot"), "never");

	return strcmp(word, "only") == 0 ? SPOT_ONLY : strcmp(word, "allow") == 0 ? SPOT_ALLOW : SPOT_NEVER;
}

bool
shape_spot_nodes(const struct doc *flavor)
{
	return list_has(spec_at(flavor, "nodeGroup.capacity"), "spot");
}

bool
shape_sudo(const struct env *env)
{
	return value_as_bool(spec_at(env->flavor, "rootEntry"), false) && value_as_bool(spec_at(env->org, "security.sudo"), false) &&
	       value_as_bool(spec_at(env->image, "user.sudo"), false);
}

bool
shape_root_entry(const struct env *env)
{
	bool asked = value_len(value_at(env->spec, "packages.apt")) > 0 || value_len(value_at(env->spec, "packages.yum")) > 0 ||
	             value_len(spec_at(env->image, "packages.apt")) > 0 || value_len(spec_at(env->image, "packages.yum")) > 0;

	return shape_sudo(env) || (asked && value_as_bool(spec_at(env->flavor, "rootEntry"), false));
}

int64_t
shape_grace(const struct env *env)
{
	if (shape_spot(env) != SPOT_NEVER)
		return GRACE_SPOT;
	return value_len(value_at(env->spec, "lifecycle.checkpointCommand")) > 0 ? GRACE_CHECKPOINT : GRACE;
}
