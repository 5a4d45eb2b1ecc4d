/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that have to go together, or Kubernetes or PyTorch would refuse or hang. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/reserved.h"
#include "validate/rules.h"
#include "validate/site_rules.h"

static void
rule_world_size(struct rules *c)
{
	const struct env *env = c->env;
	const struct value *world = rules_get(c, "distributed.worldSize"), *procs = rules_get(c, "distributed.nprocsPerNode");
	const struct value *backend = rules_get(c, "distributed.backend");
	struct finding *f;

	if (!env->distributed)
		return;
	if (env->world_size % env->nprocs) {
		f = say(c->r, INCONSISTENT, rules_place(c, world), "worldSize %" PRId64 " is no multiple of nprocsPerNode %" PRId64,
		        env->world_size, env->nprocs);
		finding_help(c->r, f, "write worldSize: %" PRId64, env->nprocs * env->replicas_full);
	}
	if (env->gpu > 0 && env->nprocs > env->gpu) {
		f = say(c->r, INCONSISTENT, rules_place(c, procs), "%" PRId64 " processes in each pod, but gpu is %" PRId64, env->nprocs,
		        env->gpu);
		finding_help(c->r, f, "write nprocsPerNode: %" PRId64 ", or leave resources.gpu out", env->gpu);
	}
	if (env->gpu == 0 && str_eq(value_as_str(backend, NULL), "nccl")) {
		f = say(c->r, INCONSISTENT, rules_place(c, backend), "backend nccl needs GPUs, flavor '%s' gives none", env->flavor->name);
		finding_help(c->r, f, "write backend: gloo, or choose a flavor with GPUs");
	}
}

static void
rule_requests(struct rules *c)
{
	const struct env *env = c->env;
	const struct value *limits = value_at(env->flavor->spec, "resources.limits");
	struct place at = limits ? limits->at : say_file(env->flavor->path);

	/* the flavor is at fault, so that is where it is said, once for all who use it */
	if (env->cpu_request > env->cpu_limit)
		say(c->r, INCONSISTENT, at, "flavor '%s' requests more cpu than its limit", env->flavor->name);
	if (env->mem_request > env->mem_limit)
		say(c->r, INCONSISTENT, at, "flavor '%s' requests more memory than its limit", env->flavor->name);
}

/* Without a limit of its own a pod may take the node. */
static void
rule_nothing(struct rules *c)
{
	static const char *const keys[] = { "cpu", "memory" };
	const int64_t amounts[] = { c->env->cpu_limit, c->env->mem_limit };
	struct finding *f;

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const struct value *v = value_get(rules_get(c, "resources"), keys[i]);

		if (amounts[i] > 0)
			continue;
		f = say(c->r, OUT_OF_RANGE, rules_place(c, v), "%s is 0", keys[i]);
		finding_help(c->r, f, "write more, or leave it out for what the flavor has");
	}
}

static void
rule_shm(struct rules *c)
{
	const struct value *v = rules_get(c, "resources.shm");
	struct finding *f;

	/* what is written there is lost to everything else that runs, and more than half leaves the programs less than the data */
	if (c->env->shm <= c->env->mem_limit / 2)
		return;
	f = say(c->r, INCONSISTENT, rules_place(c, v), "shm is %s, more than half of the memory limit of %s, against which it counts",
	        quantity_bytes_text(c->mem, c->env->shm), quantity_bytes_text(c->mem, c->env->mem_limit));
	finding_help(c->r, f, "write at most %s, or ask for more memory", quantity_bytes_text(c->mem, c->env->mem_limit / 2));
}

static void
rule_huge_pages(struct rules *c)
{
	const struct value *pages = rules_get(c, "resources.hugepages");
	struct finding *f;

	for (size_t i = 0; value_is(pages, VALUE_MAP) && i < pages->map.n; i++) {
		const struct member *m = &pages->map.items[i];
		int64_t page, n;

		if (quantity_parse(m->key, &page) < 0 || page < 1000 || quantity_units(m->value, &n) < 0) {
			f = say(c->r, BAD_FORMAT, rules_place(c, m->value), "hugepages %s is not a quantity", say_text(c->mem, m->key));
			finding_help(c->r, f, "write for example {1Gi: 32Gi}");
			continue;
		}
		page /= 1000;
		if (n == 0) {
			f = say(c->r, OUT_OF_RANGE, rules_place(c, m->value), "huge pages of %s, but none of them", m->key);
			finding_help(c->r, f, "write %s or a multiple of it, or leave them out", m->key);
		}
		if (n % page == 0)
			continue;
		f = say(c->r, INCONSISTENT, rules_place(c, m->value), "%s is no whole number of pages of %s",
		        quantity_bytes_text(c->mem, n), m->key);
		if (n - n % page > INT64_MAX - page)
			finding_help(c->r, f, "ask for less");
		else
			finding_help(c->r, f, "write %s", quantity_bytes_text(c->mem, n - n % page + page));
	}
}

/* Only a guaranteed pod with whole cpus gets cpus and memory of one node: requests equal limits. */
static void
rule_numa(struct rules *c)
{
	const struct env *env = c->env;
	const struct value *numa = rules_get(c, "resources.numa");
	struct finding *f;

	if (str_eq(value_as_str(numa, NULL), "preferred") && env->cpu_limit % 1000) {
		f = report_add(c->r, FINDING_NO_EFFECT, SEVERITY_WARNING, rules_place(c, numa),
		               "numa: preferred does nothing for %s cpus: only whole ones are given for good",
		               quantity_cpu_text(c->mem, env->cpu_limit));
		finding_help(c->r, f, "write resources: {cpu: %" PRId64 "}", env->cpu_limit / 1000 + 1);
	}
	if (!str_eq(value_as_str(numa, NULL), "required"))
		return;
	if (env->cpu_request != env->cpu_limit || env->cpu_limit % 1000 || env->cpu_limit == 0) {
		f = say(c->r, INCONSISTENT, rules_place(c, numa), "numa: required needs whole cpus, the same requested and as limit");
		finding_help(c->r, f, "write resources: {cpu: %" PRId64 "}", env->cpu_limit / 1000 + (env->cpu_limit % 1000 != 0));
	}
	if (env->mem_request != env->mem_limit) {
		f = say(c->r, INCONSISTENT, rules_place(c, numa), "numa: required needs the same memory requested and as limit");
		finding_help(c->r, f, "write resources: {memory: %s}", quantity_bytes_text(c->mem, env->mem_limit));
	}
}

static void
rule_pods(struct rules *c)
{
	const struct env *env = c->env;
	struct finding *f;

	if (env->replicas_full <= ENV_PODS_MAX)
		return;
	f = say(c->r, OUT_OF_RANGE, rules_place(c, rules_get(c, "distributed.worldSize")), "%" PRId64 " pods, an environment has at most %d",
	        env->replicas_full, ENV_PODS_MAX);
	finding_help(c->r, f, "write worldSize: %" PRId64 ", or more nprocsPerNode", env->nprocs * ENV_PODS_MAX);
}

static void
rule_volumes(struct rules *c)
{
	const struct value *list = rules_get(c, "volumes"), *home = rules_get(c, "persistentHomeSize");
	const struct value *checkpoints = rules_get(c, "checkpoints.size");
	struct finding *f;

	rules_size(c->r, home, rules_place(c, home), "persistentHomeSize");
	rules_size(c->r, checkpoints, rules_place(c, checkpoints), "checkpoints.size");
	for (size_t i = 0; i < value_len(list) && value_is(list, VALUE_LIST); i++) {
		const struct value *v = value_item(list, i), *access = value_get(v, "access"), *size = value_get(v, "size");
		const char *mode = value_as_str(access, "RWO");

		rules_size(c->r, size, rules_place(c, size), "the volume's size");
		if (c->env->replicas_full < 2 || strncmp(mode, "RWO", 3) != 0)
			continue;
		f = say(c->r, INCONSISTENT, rules_place(c, access ? access : v), "%" PRId64 " pods cannot share a volume with access %s",
		        c->env->replicas_full, mode);
		finding_help(c->r, f, "write access: RWX, and a class that can do it");
	}
}

void
rules_fit(struct rules *c)
{
	rule_pods(c);
	rule_volumes(c);
	rule_world_size(c);
	rule_requests(c);
	rule_nothing(c);
	rule_shm(c);
	rule_huge_pages(c);
	rule_numa(c);
}
