/* SPDX-License-Identifier: Apache-2.0 */
/* What an owner may do to the own environment without anybody else: give back, pause, keep, end it sooner. */
#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/when.h"
#include "validate/approval_priv.h"

struct pair {
	struct arena *mem;
	const struct trusted_version *was, *is;
};

static bool
same(const struct value *a, const struct value *b)
{
	return a && b ? value_equal(a, b) : !a && !b;
}

/* -- fields that may differ ------------------------------------------------------------------------------------------ */

static const struct value *
org_max(const struct pair *p, const char *field)
{
	return value_at(p->is->env->org->spec, arena_printf(p->mem, "lifecycle.%s.max", field));
}

/* Nothing at all is longer than every limit. */
static bool
duration_fits(const struct pair *p, const char *field, const struct value *v)
{
	const struct value *max = org_max(p, field);
	int64_t seconds, limit;

	if (!v || v->type == VALUE_NULL)
		return !max;
	if (when_duration(v, &seconds) < 0 || seconds <= 0)
		return false;
	return !max || (when_duration(max, &limit) == 0 && seconds <= limit);
}

static bool
idle_fits(const struct pair *p, const struct value *was, const struct value *is)
{
	(void)was;
	return duration_fits(p, "idleTimeout", is);
}

static bool
ttl_fits(const struct pair *p, const struct value *was, const struct value *is)
{
	(void)was;
	return duration_fits(p, "ttl", is);
}

/* Without it idle time counts for nothing, whatever its limit. */
static bool
shutdown_fits(const struct pair *p, const struct value *was, const struct value *is)
{
	(void)was;
	return value_as_bool(is, true) || !org_max(p, "idleTimeout");
}

static bool
keep_fits(const struct pair *p, const struct value *was, const struct value *is)
{
	(void)p;
	(void)was;
	return !is || is->type == VALUE_NULL || when_date_valid(value_as_str(is, ""));
}

static bool
hours_fit(const struct pair *p, const struct value *was, const struct value *is)
{
	struct hours h;
	const char *why;

	(void)was;
	return !is || when_hours(p->mem, value_as_str(is, ""), &h, &why) == 0;
}

static bool
anything(const struct pair *p, const struct value *was, const struct value *is)
{
	(void)p;
	(void)was;
	(void)is;
	return true;
}

/* No budget is more than any. */
static bool
money_less(const struct pair *p, const struct value *was, const struct value *is)
{
	int64_t before, after;

	(void)p;
	if (quantity_milli(is, &after) < 0)
		return false;
	return !was || (quantity_milli(was, &before) == 0 && after <= before);
}

/* How many there are is compared once defaults are worked out (numbers_less); without the mode the field says nothing. */
static bool
world_fits(const struct pair *p, const struct value *was, const struct value *is)
{
	(void)was;
	(void)is;
	return p->is->env->distributed;
}

/* Of the merged spec. Everything that is not here has to stay as it is. */
static const struct {
	const char *map, *key;
	bool (*fits)(const struct pair *p, const struct value *was, const struct value *is); /* asked when they differ */
} fields[] = {
	{ "lifecycle", "paused", anything },
	{ "lifecycle", "keepUntil", keep_fits },
	{ "lifecycle", "ttl", ttl_fits },
	{ "lifecycle", "idleTimeout", idle_fits },
	{ "lifecycle", "autoShutdown", shutdown_fits },
	{ "lifecycle", "hours", hours_fit },
	{ "resources", "cpu", anything }, /* numbers_less */
	{ "resources", "memory", anything },
	{ "resources", "gpu", anything },
	{ "resources", "shm", anything },
	{ "distributed", "worldSize", world_fits },
	{ "budget", "monthly", money_less },
};

#define FIELDS (sizeof(fields) / sizeof(*fields))

/* Of pods there are worldSize by nprocsPerNode, which has to stay. */
static bool
numbers_less(const struct env *was, const struct env *is)
{
	const int64_t pairs[][2] = {
		{ was->gpu, is->gpu },
		{ was->cpu_request, is->cpu_request },
		{ was->cpu_limit, is->cpu_limit },
		{ was->mem_request, is->mem_request },
		{ was->mem_limit, is->mem_limit },
		{ was->shm, is->shm },
		{ was->world_size, is->world_size },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (pairs[i][1] > pairs[i][0])
			return false;
	return true;
}

/* -- maps ------------------------------------------------------------------------------------------------------------ */

static bool
key_fits(const struct pair *p, const char *map, const char *key, const struct value *was, const struct value *is)
{
	if (same(was, is))
		return true;
	for (size_t i = 0; i < FIELDS; i++)
		if (str_eq(fields[i].map, map) && str_eq(fields[i].key, key))
			return fields[i].fits(p, was, is);
	return false;
}

static bool
map_fits(const struct pair *p, const char *map, const struct value *was, const struct value *is)
{
	const struct value *const both[] = { was, is };

	for (size_t k = 0; k < 2; k++) {
		if (both[k] && !value_is(both[k], VALUE_MAP))
			return false;
		for (size_t i = 0; both[k] && i < both[k]->map.n; i++) {
			const char *key = both[k]->map.items[i].key;

			if (!key_fits(p, map, key, value_get(was, key), value_get(is, key)))
				return false;
		}
	}
	return true;
}

static bool
has_fields(const char *map)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (str_eq(fields[i].map, map))
			return true;
	return false;
}

static bool
spec_fits(const struct pair *p)
{
	const struct value *const both[] = { p->was->env->spec, p->is->env->spec };

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < both[k]->map.n; i++) {
			const char *key = both[k]->map.items[i].key;
			const struct value *was = value_get(both[0], key), *is = value_get(both[1], key);

			if (has_fields(key) ? !map_fits(p, key, was, is) : !same(was, is))
				return false;
		}
	return true;
}

/* What trusted_env leaves out, and what stands beside the spec: as it is written. */
static bool
rest_same(struct arena *mem, const struct doc *was, const struct doc *is)
{
	static const char *const written[] = { "spec.setup", "spec.secrets", "spec.datasets", "spec.access.share" };
	static const char *const root[] = { "spec", "metadata" }, *const labels[] = { "labels" };

	for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++)
		if (!same(value_at(was->root, written[i]), value_at(is->root, written[i])))
			return false;
	return value_equal(map_without(mem, was->root, root, 2), map_without(mem, is->root, root, 2)) &&
	       value_equal(map_without(mem, value_get(was->root, "metadata"), labels, 1),
	                   map_without(mem, value_get(is->root, "metadata"), labels, 1));
}

bool
narrows(struct arena *mem, const struct trusted_version *was, const struct trusted_version *is)
{
	const struct pair p = { mem, was, is };

	return was->env && is->env && was->env->org && is->env->org && rest_same(mem, was->doc, is->doc) && spec_fits(&p) &&
	       numbers_less(was->env, is->env);
}
