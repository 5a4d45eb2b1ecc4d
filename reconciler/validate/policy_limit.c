/* SPDX-License-Identifier: Apache-2.0 */
/* How much: a pod against its flavor's max, the whole environment against the user's and the role's limits. */
#include <inttypes.h>
#include <limits.h>

#include "parse/quantity.h"
#include "validate/rules.h"
#include "validate/site_rules.h"

enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_CPU };

/* One number of an environment, and where it was written. */
struct amount {
	const char *what;
	int64_t n;
	enum unit unit;
	const struct value *v;
};

static const char *
amount_text(const struct rules *c, int64_t n, enum unit unit)
{
	if (unit == UNIT_BYTES)
		return quantity_bytes_text(c->mem, n);
	if (unit == UNIT_CPU)
		return quantity_cpu_text(c->mem, n);
	return arena_printf(c->mem, "%" PRId64, n);
}

static bool
limit_read(const struct value *v, enum unit unit, int64_t *n)
{
	return v && (unit == UNIT_CPU ? quantity_milli(v, n) : quantity_units(v, n)) == 0;
}

/* `of` says whose limit it is. */
static void
check_limit(struct rules *c, const struct amount *a, const struct value *limit, const char *of)
{
	struct finding *f;
	int64_t max;

	if (!limit_read(limit, a->unit, &max) || a->n <= max)
		return;
	f = say(c->r, LIMIT_EXCEEDED, rules_place(c, a->v), "%s is %s, %s allows %s", a->what, amount_text(c, a->n, a->unit), of,
	        amount_text(c, max, a->unit));
	finding_help(c->r, f, "ask for at most %s", amount_text(c, max, a->unit));
	finding_note(c->r, f, "limit set at %s", say_place(c->mem, limit));
}

static int64_t
times(int64_t a, int64_t b)
{
	int64_t n;

	return __builtin_mul_overflow(a, b, &n) ? INT64_MAX : n;
}

static int64_t
plus(int64_t a, int64_t b)
{
	int64_t n;

	return __builtin_add_overflow(a, b, &n) ? INT64_MAX : n;
}

/* Huge pages are memory that the pod has beside its memory limit. */
static int64_t
huge_pages(const struct rules *c)
{
	const struct value *pages = rules_get(c, "resources.hugepages");
	int64_t sum = 0, n;

	for (size_t i = 0; value_is(pages, VALUE_MAP) && i < pages->map.n; i++)
		if (quantity_units(pages->map.items[i].value, &n) == 0)
			sum = plus(sum, n);
	return sum;
}

static const struct value *
gpu_place(const struct rules *c)
{
	const struct value *v = rules_get(c, "resources.gpu");

	return v || !c->env->distributed ? v : rules_get(c, "distributed.nprocsPerNode");
}

/* A flavor that names no max allows what it has. */
static const struct value *
flavor_max(const struct rules *c, const char *key, const char *resource)
{
	const struct value *v = value_get(rules_doc(c->env->flavor, "max"), key);

	return v ? v : env_flavor_limit(c->env->flavor, resource);
}

static void
rule_flavor_max(struct rules *c)
{
	const struct env *env = c->env;
	const struct value *memory = rules_get(c, "resources.memory"), *world = rules_get(c, "distributed.worldSize");
	const char *of = arena_printf(c->mem, "flavor '%s'", env->flavor->name);
	int64_t huge = huge_pages(c);
	const struct amount rows[] = {
		{ "gpu", env->gpu, UNIT_COUNT, gpu_place(c) },
		{ "cpu", env->cpu_limit, UNIT_CPU, rules_get(c, "resources.cpu") },
		{ huge ? "memory with huge pages" : "memory", plus(env->mem_limit, huge), UNIT_BYTES,
		  memory || !huge ? memory : rules_get(c, "resources.hugepages") },
	};
	const struct value *const limits[] = { flavor_max(c, "gpu", GPU_RESOURCE), flavor_max(c, "cpu", "cpu"),
		                               flavor_max(c, "memory", "memory") };
	const struct amount total = { "worldSize", env->world_size, UNIT_COUNT, world };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_limit(c, &rows[i], limits[i], of);
	if (env->gpu > 0 && !limits[0]) {
		struct finding *f = say(c->r, LIMIT_EXCEEDED, rules_place(c, gpu_place(c)), "flavor '%s' has no GPU", env->flavor->name);

		finding_help(c->r, f, "choose a flavor with GPUs, or take the field out");
		finding_note(c->r, f, "flavor set up at %s", env->flavor->path);
	}
	if (env->distributed)
		check_limit(c, &total, rules_doc(env->flavor, "max.worldSize"), of);
}

/* A user's own limit stands for that of the role. One environment alone may not be over it; sums are another matter. */
static void
rule_user_limits(struct rules *c)
{
	const struct env *env = c->env;
	const char *role = value_as_str(rules_doc(env->user, "role"), "standard");
	const struct value *roles = rules_doc(env->org, "roles"), *of_role = value_get(roles, role);
	const struct value *own = rules_doc(env->user, "limits");
	bool several = env->replicas_full > 1;
	const struct amount rows[] = {
		{ several ? "gpu of all pods" : "gpu", times(env->gpu, env->replicas_full), UNIT_COUNT, gpu_place(c) },
		{ several ? "cpu of all pods" : "cpu", times(env->cpu_limit, env->replicas_full), UNIT_CPU, rules_get(c, "resources.cpu") },
		{ several ? "memory of all pods" : "memory", times(plus(env->mem_limit, huge_pages(c)), env->replicas_full), UNIT_BYTES,
		  rules_get(c, "resources.memory") },
	};
	static const char *const keys[] = { "gpu", "cpu", "memory" };

	if (value_is(roles, VALUE_MAP) && !of_role) {
		const struct value *at = rules_doc(env->user, "role");

		rules_no_role(c->r, at ? at->at : say_file(env->user->path), role, roles);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct value *mine = value_get(own, keys[i]);

		check_limit(c, &rows[i], mine ? mine : value_get(of_role, keys[i]),
		            mine ? arena_printf(c->mem, "user '%s'", env->owner) : arena_printf(c->mem, "role '%s'", role));
	}
}

void
rules_limit(struct rules *c)
{
	rule_flavor_max(c);
	rule_user_limits(c);
}
