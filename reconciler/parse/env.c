/* SPDX-License-Identifier: Apache-2.0 */
/* An environment resolved: identity against its user, and every number worked out. */
#include "parse/env.h"

#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/refs.h"

#define NAMESPACE_PREFIX "dev-"
#define SHM_PER_GPU (INT64_C(16) << 30)
#define GUARANTEED_FROM (INT64_C(100) << 30) /* bytes of memory: from here on a node must not be overcommitted */
#define EFA_PAGES "5120Mi" /* in pages of 2 MiB: what its library takes for buffers, a pod */
#define WORLD_MAX 4096 /* claims and rules are made for each pod; far beyond what one environment trains on */

struct numbers {
	struct refs *c;
	struct env *env;
	const struct value *resources; /* of the merged spec */
};

/* -- identity --------------------------------------------------------------------------------------------------- */

static void
check_owner(struct refs *c)
{
	const struct value *v = value_get(c->d->spec, "owner");
	const char *email = value_as_str(value_get(c->env->user ? c->env->user->spec : NULL, "email"), NULL);
	struct finding *f;

	if (!c->env->user || !value_is(v, VALUE_STR) || !strchr(v->str.s, '@') || (email && strcmp(email, v->str.s) == 0))
		return;
	f = say(c->r, IDENTITY_MISMATCH, v->at, "spec.owner is '%s', which is not the address of '%s'",
	        say_text(c->mem, v->str.s), c->d->owner);
	finding_help(c->r, f, "write %s, or leave it out; each person's environments live in their own folder",
	             email ? email : c->d->owner);
}

static void
check_namespace(struct refs *c)
{
	const struct value *v = value_at(c->d->root, "metadata.namespace");
	struct finding *f;

	if (!value_is(v, VALUE_STR) || strcmp(v->str.s, c->env->namespace_) == 0)
		return;
	f = say(c->r, IDENTITY_MISMATCH, v->at, "metadata.namespace is '%s', environments of '%s' live in '%s'",
	        say_text(c->mem, v->str.s), c->d->owner, c->env->namespace_);
	finding_help(c->r, f, "write %s, or leave it out", c->env->namespace_);
}

/* -- numbers ---------------------------------------------------------------------------------------------------- */

static void
say_quantity(struct numbers *n, const struct value *v, const char *what)
{
	struct place at = v->at.line ? v->at : say_file(n->c->d->path);
	struct finding *f = say(n->c->r, BAD_FORMAT, at, "%s is not a quantity, or too large for one", what);

	finding_help(n->c->r, f, "write a number with a Kubernetes suffix, like 16, 500m or 64Gi");
}

/* Absent leaves *out; thousandths when `milli`, else whole units. */
static void
read_quantity(struct numbers *n, const struct value *v, const char *what, bool milli, int64_t *out)
{
	if (v && (milli ? quantity_milli(v, out) : quantity_units(v, out)) < 0)
		say_quantity(n, v, what);
}

/* Request and limit of one resource: the environment's for both, else the flavor's, where one stands for the other. */
static void
read_pair(struct numbers *n, const char *key, bool milli, int64_t *request, int64_t *limit)
{
	const struct value *own = value_get(n->resources, key);
	const struct value *res = value_get(n->env->flavor ? n->env->flavor->spec : NULL, "resources");
	const struct value *req = value_get(value_get(res, "requests"), key), *lim = value_get(value_get(res, "limits"), key);
	struct finding *f;

	if (own)
		req = lim = own;
	read_quantity(n, req ? req : lim, key, milli, request);
	read_quantity(n, lim ? lim : req, key, milli, limit);
	if (!req && !lim && n->env->flavor) {
		const struct value *at = value_get(n->c->d->spec, "flavor");

		f = say(n->c->r, MISSING_FIELD, at->at, "neither flavor '%s' nor the environment says how much %s", n->env->flavor->name,
		        key);
		finding_help(n->c->r, f, "write resources: {%s: …}", key);
	}
}

static void
read_distributed(struct numbers *n, bool gpu_asked)
{
	const struct value *dist = value_get(n->env->spec, "distributed"), *world = value_get(dist, "worldSize");
	struct env *env = n->env;
	struct finding *f;

	env->nprocs = value_as_int(value_get(dist, "nprocsPerNode"), 1);
	if (env->nprocs < 1)
		env->nprocs = 1;
	/* one process drives one GPU, so the number of processes is the number of GPUs unless somebody says otherwise */
	if (!gpu_asked && env->gpu > 0)
		env->gpu = env->nprocs;
	env->world_size = value_as_int(world, env->nprocs);
	if (env->world_size < 1)
		env->world_size = 1;
	if (env->world_size > WORLD_MAX || env->nprocs > WORLD_MAX) {
		f = say(n->c->r, OUT_OF_RANGE, value_is(dist, VALUE_MAP) ? dist->at : say_file(n->c->d->path),
		        "worldSize and nprocsPerNode are at most %d", WORLD_MAX);
		finding_help(n->c->r, f, "split the training over several environments");
	}
	env->replicas_full = env->world_size / env->nprocs + (env->world_size % env->nprocs != 0);
}

/* What the defaults leave to the numbers. */
static void
finish_distributed(struct numbers *n)
{
	struct arena *a = n->c->mem;
	struct value *base = value_map(a), *dist = value_map(a), *res, *pages;

	value_set(a, dist, "worldSize", value_int(a, n->env->world_size));
	value_set(a, dist, "nprocsPerNode", value_int(a, n->env->nprocs));
	value_set(a, dist, "backend", value_str(a, n->env->gpu > 0 ? "nccl" : "gloo"));
	value_set(a, dist, "engine", value_str(a, "statefulset"));
	value_set(a, dist, "rdma", value_str(a, "none"));
	value_set(a, base, "distributed", dist);
	/* as if it stood in the spec: limits count it, and the pod's memory is guaranteed */
	if (str_eq(value_as_str(value_at(n->env->spec, "distributed.rdma"), NULL), "efa")) {
		pages = value_map(a);
		value_set(a, pages, "2Mi", value_str(a, EFA_PAGES));
		res = value_map(a);
		value_set(a, res, "hugepages", pages);
		value_set(a, base, "resources", res);
	}
	n->env->spec = value_overlay(a, base, n->env->spec);
}

static void
read_shm(struct numbers *n)
{
	const struct value *v = value_get(n->resources, "shm");
	int64_t half = n->env->mem_limit / 2, cap, gpus = n->env->gpu > 1 ? n->env->gpu : 1;

	if (__builtin_mul_overflow(SHM_PER_GPU, gpus, &cap) || half < cap)
		cap = half;
	n->env->shm = cap;
	read_quantity(n, v, "shm", false, &n->env->shm);
}

static void
read_numbers(struct refs *c)
{
	struct env *env = c->env;
	struct numbers n = { .c = c, .env = env, .resources = value_get(env->spec, "resources") };
	const struct value *v;
	bool asked;

	env->distributed = strcmp(value_as_str(value_get(env->spec, "mode"), "standalone"), "distributed") == 0;
	env->gpu = refs_gpu(env->spec, env->flavor, &asked);
	if (env->gpu < 0) {
		v = asked ? value_get(n.resources, "gpu") : env_flavor_limit(env->flavor, GPU_RESOURCE);
		say_quantity(&n, v, "gpu");
		env->gpu = 0;
	}
	env->world_size = env->nprocs = env->replicas_full = 1;
	if (env->distributed) {
		read_distributed(&n, asked);
		finish_distributed(&n);
	}
	env->replicas = value_as_bool(value_at(env->spec, "lifecycle.paused"), false) ? 0 : env->replicas_full;
	read_pair(&n, "cpu", true, &env->cpu_request, &env->cpu_limit);
	read_pair(&n, "memory", false, &env->mem_request, &env->mem_limit);
	if (!value_as_bool(value_at(env->org ? env->org->spec : NULL, "security.memoryOvercommit"), true))
		env->mem_request = env->mem_limit;
	read_shm(&n);
	read_quantity(&n, value_get(env->spec, "persistentHomeSize"), "persistentHomeSize", false, &env->home);
}

/* -- the whole -------------------------------------------------------------------------------------------------- */

int
env_resolve(struct arena *mem, const struct site *s, const struct files *files, const struct doc *d, struct report *r,
            struct env **out, struct err *e)
{
	struct env *env = arena_alloc(mem, sizeof(*env));
	struct refs c = { .mem = mem, .s = s, .d = d, .r = r, .files = files, .env = env };
	size_t errors = r->errors;

	env->doc = d;
	env->owner = d->owner;
	env->name = d->name;
	refs_collect(&c);
	map_free(&c.seen);
	env->deps = c.deps;
	env->ndeps = c.ndeps;
	env->namespace_ = arena_printf(mem, "%s%s",
	                               value_as_str(value_get(env->org ? env->org->spec : NULL, "namespacePrefix"),
	                                            NAMESPACE_PREFIX), d->owner);
	check_owner(&c);
	check_namespace(&c);
	if (d->ok)
		read_numbers(&c);
	if (!d->ok || r->errors != errors)
		return err_set(e, ERR_INVALID, "%s has errors", d->path);
	*out = env;
	return 0;
}

bool
env_guaranteed(const struct env *env)
{
	const char *numa = value_as_str(value_at(env->spec, "resources.numa"), "none");
	bool asked = value_as_bool(value_get(env->flavor ? env->flavor->spec : NULL, "guaranteed"), false);

	return asked || strcmp(numa, "none") != 0 || value_len(value_at(env->spec, "resources.hugepages")) > 0 ||
	       env->mem_limit >= GUARANTEED_FROM;
}

void
env_deps(struct arena *mem, const struct site *s, const struct doc *d, const char *const **deps, size_t *n)
{
	struct env env = { 0 };
	struct refs c = { .mem = mem, .s = s, .d = d, .env = &env };

	refs_collect(&c);
	map_free(&c.seen);
	*deps = c.deps;
	*n = c.ndeps;
}
