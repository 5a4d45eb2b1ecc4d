/* SPDX-License-Identifier: Apache-2.0 */
/* The pod of an environment in Kubernetes' own lists: resources, volumes, mounts, ports, placement. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/reserved.h"
#include "render/context.h"

#define GPU_RESOURCE "nvidia.com/gpu"
#define HOME "/home/dev"
#define SHARED "/shared"
#define ZONE_LABEL "topology.kubernetes.io/zone"

struct pod {
	struct arena *mem;
	const struct env *env;
	struct value *claims, *volumes, *mounts;
	const char *home_class, *shared_class;
};

static const struct value *
spec_of(const struct doc *d)
{
	return d ? d->spec : NULL;
}

static struct value *
str1(struct arena *mem, const char *key, const char *s)
{
	struct value *out = value_map(mem);

	value_set(mem, out, key, value_str(mem, s));
	return out;
}

/* Resources of the flavor that have no field of their own: other vendors' GPUs, shares of one, local disk. */
static void
other_resources(struct arena *mem, const struct value *from, struct value *to)
{
	if (!value_is(from, VALUE_MAP))
		return;
	for (size_t i = 0; i < from->map.n; i++) {
		const struct member *m = &from->map.items[i];

		if ((strchr(m->key, '/') && strcmp(m->key, GPU_RESOURCE) != 0) || strcmp(m->key, "ephemeral-storage") == 0)
			value_set(mem, to, m->key, m->value);
	}
}

/* Requests and limits without devices: what the init container gets too. */
static struct value *
plain_resources(struct arena *mem, const struct env *env)
{
	bool same = env_guaranteed(env);
	struct value *requests = value_map(mem), *limits = value_map(mem), *out = value_map(mem);

	value_set(mem, requests, "cpu", value_str(mem, quantity_cpu_text(mem, same ? env->cpu_limit : env->cpu_request)));
	value_set(mem, requests, "memory", value_str(mem, quantity_bytes_text(mem, same ? env->mem_limit : env->mem_request)));
	value_set(mem, limits, "cpu", value_str(mem, quantity_cpu_text(mem, env->cpu_limit)));
	value_set(mem, limits, "memory", value_str(mem, quantity_bytes_text(mem, env->mem_limit)));
	value_set(mem, out, "requests", requests);
	value_set(mem, out, "limits", limits);
	return out;
}

static int
resources(struct arena *mem, const struct env *env, struct value **out, struct err *e)
{
	const struct value *flavor = value_at(spec_of(env->flavor), "resources"), *pages;
	struct value *all = plain_resources(mem, env);
	struct value *requests = value_get(all, "requests"), *limits = value_get(all, "limits");

	other_resources(mem, value_get(flavor, "requests"), requests);
	other_resources(mem, value_get(flavor, "limits"), limits);
	if (env->gpu > 0) {
		value_set(mem, requests, GPU_RESOURCE, value_int(mem, env->gpu));
		value_set(mem, limits, GPU_RESOURCE, value_int(mem, env->gpu));
	}
	pages = value_at(env->spec, "resources.hugepages");
	if (value_is(pages, VALUE_MAP))
		for (size_t i = 0; i < pages->map.n; i++) {
			const char *name = arena_printf(mem, "hugepages-%s", pages->map.items[i].key);
			struct value *size;
			int64_t bytes;

			if (quantity_units(pages->map.items[i].value, &bytes) < 0)
				return err_set(e, ERR_INVALID, "spec.resources.hugepages.%s: not a quantity", pages->map.items[i].key);
			size = value_str(mem, quantity_bytes_text(mem, bytes));
			value_set(mem, requests, name, size);
			value_set(mem, limits, name, size);
		}
	*out = all;
	return 0;
}

/* Adds a mount; `field` names who asks, for the message. */
static int
mount_add(struct pod *p, const char *volume, const char *path, const char *sub_path, bool read_only, const char *field,
          struct err *e)
{
	struct value *m;

	for (size_t i = 0; i < value_len(p->mounts); i++)
		if (strcmp(value_as_str(value_get(value_item(p->mounts, i), "mountPath"), ""), path) == 0)
			return err_set(e, ERR_INVALID, "%s: two volumes at %s", field, path);
	m = str1(p->mem, "name", volume);
	value_set(p->mem, m, "mountPath", value_str(p->mem, path));
	if (sub_path)
		value_set(p->mem, m, "subPath", value_str(p->mem, sub_path));
	if (read_only)
		value_set(p->mem, m, "readOnly", value_bool(p->mem, true));
	value_push(p->mem, p->mounts, m);
	return 0;
}

/* A volume {name, <source>: body}. */
static void
volume_add(struct pod *p, const char *name, const char *source, struct value *body)
{
	struct value *v = str1(p->mem, "name", name);

	value_set(p->mem, v, source, body);
	value_push(p->mem, p->volumes, v);
}

static void
volume_claim(struct pod *p, const char *name, const char *claim, bool read_only)
{
	struct value *body = str1(p->mem, "claimName", claim);

	if (read_only)
		value_set(p->mem, body, "readOnly", value_bool(p->mem, true));
	volume_add(p, name, "persistentVolumeClaim", body);
}

static void
volume_config(struct pod *p, const char *name, const char *config_map, int64_t mode)
{
	struct value *body = str1(p->mem, "name", config_map);

	value_set(p->mem, body, "defaultMode", value_int(p->mem, mode));
	volume_add(p, name, "configMap", body);
}

static int
add_home(struct pod *p, struct err *e)
{
	const struct env *env = p->env;

	for (int64_t i = 0; i < env->replicas_full; i++)
		value_push(p->mem, p->claims,
		           context_claim(p->mem, arena_printf(p->mem, "home-%s-%lld", env->name, (long long)i), env->home,
		                         p->home_class, "RWO"));
	/* Distributed pods get theirs from the StatefulSet's volumeClaimTemplates. */
	if (!env->distributed)
		volume_claim(p, "home", arena_printf(p->mem, "home-%s-0", env->name), false);
	return mount_add(p, "home", HOME, NULL, false, "home", e);
}

static int
add_shared(struct pod *p, struct err *e)
{
	const char *claim = value_as_str(value_get(p->env->spec, "sharedVolumeClaimName"), NULL);

	if (!claim && value_get(spec_of(p->env->user), "sharedVolume"))
		claim = arena_printf(p->mem, "%s-shared", p->env->owner);
	if (!claim)
		return 0;
	if (reserved_claim(claim))
		return err_set(e, ERR_INVALID, "spec.sharedVolumeClaimName: %s is a name of an environment's own claims", claim);
	volume_claim(p, "shared", claim, false);
	return mount_add(p, "shared", SHARED, NULL, false, "spec.sharedVolumeClaimName", e);
}

static int
add_volumes(struct pod *p, struct err *e)
{
	const struct value *list = value_get(p->env->spec, "volumes");

	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *v = value_item(list, i);
		const char *name = value_as_str(value_get(v, "name"), ""), *field = arena_printf(p->mem, "spec.volumes[%zu]", i);
		const char *access = value_as_str(value_get(v, "access"), "RWO");
		const char *claim = arena_printf(p->mem, "%s--%s", p->env->name, name);
		const char *class = strcmp(access, "RWX") == 0 || strcmp(access, "ROX") == 0 ? p->shared_class : p->home_class;
		int64_t size;

		if (quantity_units(value_get(v, "size"), &size) < 0)
			return err_set(e, ERR_INVALID, "%s.size: not a quantity", field);
		value_push(p->mem, p->claims,
		           context_claim(p->mem, claim, size, value_as_str(value_get(v, "class"), class), access));
		volume_claim(p, arena_printf(p->mem, "vol-%s", name), claim, strcmp(access, "ROX") == 0);
		int rc = mount_add(p, arena_printf(p->mem, "vol-%s", name), value_as_str(value_get(v, "path"), ""), NULL,
		                   strcmp(access, "ROX") == 0, field, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A claim can only be mounted from the pod's own namespace: one of the dataset's name must stand there. */
static int
add_datasets(struct pod *p, struct err *e)
{
	const struct value *list = value_get(p->env->spec, "datasets");

	for (size_t i = 0; i < value_len(list) && i < p->env->ndatasets; i++) {
		const struct doc *d = p->env->datasets[i];
		const char *claim = value_as_str(value_at(spec_of(d), "claim.name"), NULL), *path, *volume;
		bool read_only = value_as_bool(value_get(spec_of(d), "readOnly"), true);
		int rc;

		if (!claim)
			continue; /* a bucket: later.c names it */
		path = value_as_str(value_get(value_item(list, i), "path"), NULL);
		if (!path)
			path = arena_printf(p->mem, "/data/%s", d->name);
		volume = arena_printf(p->mem, "data-%s", d->name);
		volume_claim(p, volume, claim, read_only);
		rc = mount_add(p, volume, path, NULL, read_only, arena_printf(p->mem, "spec.datasets[%zu]", i), e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int
add_checkpoints(struct pod *p, struct err *e)
{
	const struct value *c = value_get(p->env->spec, "checkpoints");
	const char *claim = arena_printf(p->mem, "%s--checkpoints", p->env->name);
	bool many = p->env->distributed;
	int64_t size;

	if (!value_is(c, VALUE_MAP))
		return 0;
	if (quantity_units(value_get(c, "size"), &size) < 0)
		return err_set(e, ERR_INVALID, "spec.checkpoints.size: not a quantity");
	value_push(p->mem, p->claims,
	           context_claim(p->mem, claim, size, many ? p->shared_class : p->home_class, many ? "RWX" : "RWO"));
	volume_claim(p, "checkpoints", claim, false);
	return mount_add(p, "checkpoints", value_as_str(value_get(c, "path"), "/checkpoints"), NULL, false, "spec.checkpoints", e);
}

/* /dev/shm and huge pages: memory as files. */
static int
add_memory(struct pod *p, struct err *e)
{
	const struct value *pages = value_at(p->env->spec, "resources.hugepages");
	struct value *body;
	int rc = 0;

	if (p->env->shm > 0) {
		body = str1(p->mem, "medium", "Memory");
		value_set(p->mem, body, "sizeLimit", value_str(p->mem, quantity_bytes_text(p->mem, p->env->shm)));
		volume_add(p, "shm", "emptyDir", body);
		rc = mount_add(p, "shm", "/dev/shm", NULL, false, "spec.resources.shm", e);
	}
	for (size_t i = 0; value_is(pages, VALUE_MAP) && i < pages->map.n && rc == 0; i++) {
		const char *size = pages->map.items[i].key;
		char *name = arena_printf(p->mem, "hugepages-%s", size);

		for (char *c = name; *c; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c - 'A' + 'a');
		volume_add(p, name, "emptyDir", str1(p->mem, "medium", arena_printf(p->mem, "HugePages-%s", size)));
		rc = mount_add(p, name, pages->map.n == 1 ? "/dev/hugepages" : arena_printf(p->mem, "/dev/hugepages-%s", size), NULL,
		               false, "spec.resources.hugepages", e);
	}
	return rc;
}

/* Scripts, keys, and a name for the user in images that bring none. */
static int
add_config(struct pod *p, bool ssh, struct err *e)
{
	int rc;

	volume_config(p, "scripts", arena_printf(p->mem, "%s--scripts", p->env->name), 0555);
	rc = mount_add(p, "scripts", "/etc/berth/scripts", NULL, true, "scripts", e);
	if (rc == 0 && ssh) {
		volume_config(p, "keys", arena_printf(p->mem, "%s--keys", p->env->name), 0444);
		rc = mount_add(p, "keys", "/etc/berth/keys", NULL, true, "keys", e);
	}
	/* A catalogue image that names its user has it in its own passwd. */
	if (rc == 0 && !value_get(spec_of(p->env->image), "user")) {
		rc = mount_add(p, "scripts", "/etc/passwd", "passwd", true, "passwd", e);
		if (rc == 0)
			rc = mount_add(p, "scripts", "/etc/group", "group", true, "group", e);
	}
	return rc;
}

static int
add_toolbox(struct pod *p, const struct value *context, struct value *out, struct err *e)
{
	const char *image = value_as_str(value_at(spec_of(p->env->org), "toolbox.image"), NULL);
	struct value *toolbox = value_map(p->mem), *body;
	bool as_volume = context_feature(context, "image-volumes");

	value_set(p->mem, toolbox, "image", image ? value_str(p->mem, image) : value_null(p->mem));
	value_set(p->mem, toolbox, "copy", value_bool(p->mem, image && !as_volume));
	value_set(p->mem, toolbox, "resources", plain_resources(p->mem, p->env));
	value_set(p->mem, out, "toolbox", toolbox);
	if (!image)
		return 0;
	if (as_volume) {
		body = str1(p->mem, "reference", image);
		value_set(p->mem, body, "pullPolicy", value_str(p->mem, "IfNotPresent"));
		volume_add(p, "toolbox", "image", body);
	} else {
		volume_add(p, "toolbox", "emptyDir", value_map(p->mem));
	}
	return mount_add(p, "toolbox", "/opt/berth", NULL, true, "toolbox", e);
}

/* {key: {operator…}} as one match expression of a node. */
static struct value *
node_prefers(struct arena *mem, const char *key, const char *value)
{
	struct value *expr = str1(mem, "key", key), *values = value_list(mem), *exprs = value_list(mem);
	struct value *preference = value_map(mem), *weighted = value_map(mem), *list = value_list(mem), *node = value_map(mem);

	value_push(mem, values, value_str(mem, value));
	value_set(mem, expr, "operator", value_str(mem, "In"));
	value_set(mem, expr, "values", values);
	value_push(mem, exprs, expr);
	value_set(mem, preference, "matchExpressions", exprs);
	value_set(mem, weighted, "weight", value_int(mem, 100));
	value_set(mem, weighted, "preference", preference);
	value_push(mem, list, weighted);
	value_set(mem, node, "preferredDuringSchedulingIgnoredDuringExecution", list);
	return node;
}

/* All pods of the environment within one domain of `key`. */
static struct value *
pods_together(struct arena *mem, const char *key, struct value *selector)
{
	struct value *term = str1(mem, "topologyKey", key), *match = value_map(mem), *list = value_list(mem), *out = value_map(mem);

	value_set(mem, match, "matchLabels", selector);
	value_set(mem, term, "labelSelector", match);
	value_push(mem, list, term);
	value_set(mem, out, "requiredDuringSchedulingIgnoredDuringExecution", list);
	return out;
}

/* Where the pods may run: flavor, GPU product, NUMA, topology. Nodes with one NUMA policy carry berth.dev/numa: single. */
static void
placement(struct arena *mem, const struct env *env, struct value *out)
{
	const struct value *flavor = spec_of(env->flavor);
	const char *product = value_as_str(value_at(flavor, "gpu.product"), NULL);
	const char *numa = value_as_str(value_at(env->spec, "resources.numa"), "none");
	const char *topology = value_as_str(value_at(env->spec, "distributed.topology"), "none");
	struct value *tolerations = value_get(flavor, "tolerations"), *affinity = value_map(mem);
	struct value *nodes = value_overlay(mem, value_get(flavor, "nodeSelector"), value_at(env->spec, "scheduling.nodeSelector"));

	nodes = nodes ? value_overlay(mem, nodes, value_map(mem)) : value_map(mem);
	if (product && env->gpu > 0)
		value_set(mem, nodes, "nvidia.com/gpu.product", value_str(mem, product));
	if (strcmp(numa, "required") == 0)
		value_set(mem, nodes, "berth.dev/numa", value_str(mem, "single"));
	if (strcmp(numa, "preferred") == 0)
		value_set(mem, affinity, "nodeAffinity", node_prefers(mem, "berth.dev/numa", "single"));
	if (env->distributed && strcmp(topology, "zone") == 0)
		value_set(mem, affinity, "podAffinity", pods_together(mem, ZONE_LABEL, value_get(out, "selector")));
	value_set(mem, out, "nodeSelector", value_len(nodes) > 0 ? nodes : value_null(mem));
	value_set(mem, out, "tolerations", value_len(tolerations) > 0 ? tolerations : value_null(mem));
	value_set(mem, out, "affinity", value_len(affinity) > 0 ? affinity : value_null(mem));
}

int
context_pod(struct arena *mem, const struct env *env, const struct value *context, struct value *out, struct err *e)
{
	const struct value *org = spec_of(env->org);
	bool ssh = value_as_bool(value_get(env->spec, "enableSSH"), true);
	struct pod p = { .mem = mem, .env = env, .claims = value_list(mem), .volumes = value_list(mem), .mounts = value_list(mem),
		         .home_class = value_as_str(value_at(org, "storage.homeClass"), NULL),
		         .shared_class = value_as_str(value_at(org, "storage.sharedClass"), NULL) };
	struct value *res = NULL, *vars = NULL;
	int rc;

	if ((rc = resources(mem, env, &res, e)) < 0 || (rc = context_vars(mem, env, &vars, e)) < 0)
		return rc;
	if ((rc = add_config(&p, ssh, e)) < 0 || (rc = add_memory(&p, e)) < 0 || (rc = add_home(&p, e)) < 0 ||
	    (rc = add_shared(&p, e)) < 0 || (rc = add_volumes(&p, e)) < 0 || (rc = add_datasets(&p, e)) < 0 ||
	    (rc = add_checkpoints(&p, e)) < 0 || (rc = add_toolbox(&p, context, out, e)) < 0)
		return rc;
	value_set(mem, out, "resources", res);
	value_set(mem, out, "vars", vars);
	value_set(mem, out, "claims", p.claims);
	value_set(mem, out, "volumes", p.volumes);
	value_set(mem, out, "mounts", p.mounts);
	placement(mem, env, out);
	return 0;
}
