/* SPDX-License-Identifier: Apache-2.0 */
/* A team's quota as Kueue reads it. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/shape.h"
#include "render/context_pod.h"

#define UNCOUNTED "1000000" /* of devices that come with what is counted: more than anybody has */
#define DEVICES_MAX 56      /* beside the rows below: Kueue takes 64 resources in one group */

/*
 * What every flavor of a ClusterQueue must cover: all flavors of one group list the same resources in the same order, and
 * a resource that is not covered is never admitted. Huge pages may take all of the memory.
 */
static const struct {
	const char *field, *resource;
} rows[] = {
	{ "cpu", "cpu" },
	{ "memory", "memory" },
	{ "memory", "hugepages-2Mi" },
	{ "memory", "hugepages-1Gi" },
	{ "gpu", GPU_RESOURCE },
};

static bool
is_row(const char *resource)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strcmp(rows[i].resource, resource) == 0)
			return true;
	return false;
}

/* `resource` -> the field of the quota that counts it, or null. */
static void
device(struct arena *mem, struct value *devices, const char *resource, const char *field)
{
	if (!is_row(resource) && !value_get(devices, resource) && value_len(devices) < DEVICES_MAX)
		value_set(mem, devices, resource, field ? value_str(mem, field) : value_null(mem));
}

/* What a flavor's pods may ask for that is no row: shares of GPUs, other devices, local disk, the fabric. */
static void
devices_of(struct arena *mem, const struct doc *flavor, struct value *devices)
{
	static const char *const lists[] = { "resources.limits", "resources.requests" };
	const char *shares = shape_gpu_resource(mem, shape_flavor_sharing(flavor));
	const char *fabric = value_as_str(value_at(pod_spec(flavor), "rdma.resource"), NULL);

	if (shares)
		device(mem, devices, shares, "gpu");
	if (fabric)
		device(mem, devices, fabric, NULL);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		const struct value *map = value_at(pod_spec(flavor), lists[i]);

		for (size_t k = 0; value_is(map, VALUE_MAP) && k < map->map.n; k++)
			if (strchr(map->map.items[k].key, '/') || str_eq(map->map.items[k].key, "ephemeral-storage"))
				device(mem, devices, map->map.items[k].key, NULL);
	}
}

static struct value *
row(struct arena *mem, const char *resource, const char *field, const struct value *amounts, const struct value *borrow)
{
	struct value *out = value_map(mem), *amount = value_get(amounts, field), *limit = value_get(borrow, field);

	value_set(mem, out, "name", value_str(mem, resource));
	value_set(mem, out, "nominalQuota", amount ? amount : value_str(mem, "0"));
	if (limit)
		value_set(mem, out, "borrowingLimit", limit);
	return out;
}

/* A quota of 0 where the team says nothing: Kueue admits no pod that asks for a resource it does not know. */
static struct value *
flavor_row(struct arena *mem, const struct member *m, const struct value *borrow, const struct value *devices)
{
	struct value *out = value_map(mem), *list = value_list(mem);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		value_push(mem, list, row(mem, rows[i].resource, rows[i].field, m->value, borrow));
	for (size_t i = 0; i < devices->map.n; i++) {
		const char *name = devices->map.items[i].key, *field = value_as_str(devices->map.items[i].value, NULL);
		struct value *free_ = row(mem, name, "", NULL, NULL);

		value_set(mem, free_, "nominalQuota", value_str(mem, UNCOUNTED));
		value_push(mem, list, field ? row(mem, name, field, m->value, borrow) : free_);
	}
	value_set(mem, out, "name", value_str(mem, m->key));
	value_set(mem, out, "resources", list);
	return out;
}

/* All flavors of a group cover the same: the devices of each stand in all. */
static struct value *
devices_of_all(struct arena *mem, const struct site *s, const struct value *amounts)
{
	struct value *devices = value_map(mem);

	for (size_t i = 0; value_is(amounts, VALUE_MAP) && i < amounts->map.n; i++) {
		const struct doc *flavor = site_get(s, KIND_FLAVOR, amounts->map.items[i].key);

		if (flavor)
			devices_of(mem, flavor, devices);
	}
	return devices;
}

struct value *
context_queue(struct arena *mem, const struct site *s, const struct value *q)
{
	const struct value *amounts = value_get(q, "quota"), *cohort = value_get(q, "cohort");
	struct value *out = value_map(mem), *group = value_map(mem), *groups = value_list(mem);
	struct value *covered = value_list(mem), *flavors = value_list(mem), *fair = NULL;
	struct value *devices = devices_of_all(mem, s, amounts);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		value_push(mem, covered, value_str(mem, rows[i].resource));
	for (size_t i = 0; i < devices->map.n; i++)
		value_push(mem, covered, value_str(mem, devices->map.items[i].key));
	for (size_t i = 0; value_is(amounts, VALUE_MAP) && i < amounts->map.n; i++)
		value_push(mem, flavors, flavor_row(mem, &amounts->map.items[i], cohort ? value_get(q, "borrow") : NULL, devices));
	value_set(mem, group, "coveredResources", covered);
	value_set(mem, group, "flavors", flavors);
	if (value_len(flavors) > 0)
		value_push(mem, groups, group);
	if (value_get(q, "weight")) {
		fair = value_map(mem);
		value_set(mem, fair, "weight", value_get(q, "weight"));
	}
	value_set(mem, out, "cohort", cohort ? value_copy(mem, cohort) : value_null(mem));
	value_set(mem, out, "fairSharing", fair ? fair : value_null(mem));
	value_set(mem, out, "resourceGroups", groups);
	return out;
}
