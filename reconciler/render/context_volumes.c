/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of an environment: home, shared volume, extra volumes, checkpoints. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/reserved.h"
#include "parse/shape.h"
#include "render/context_pod.h"

#define HOME "/home/dev"
#define SHARED "/shared"

/*
 * The pods of a Job share one template, which can name one claim: all homes are in it, each in a folder of its rank.
 * The kubelet makes the folder, with the owner and mode of the volume's root.
 */
static int
homes_of_jobset(struct pod *p, struct err *e)
{
	const struct env *env = p->env;
	const char *claim = arena_printf(p->mem, "%s--homes", env->name);
	int64_t size;
	int rc;

	if (__builtin_mul_overflow(env->home, env->replicas_full, &size))
		return err_set(e, ERR_INVALID, "spec.persistentHomeSize: too large for %lld pods", (long long)env->replicas_full);
	value_push(p->mem, p->claims, context_claim(p->mem, claim, size, p->shared_class, "RWX"));
	pod_claim(p, "home", claim, false);
	if ((rc = pod_mount(p, "home", HOME, NULL, false, "home", e)) == 0)
		value_set(p->mem, value_item(p->mounts, value_len(p->mounts) - 1), "subPathExpr",
		          value_str(p->mem, "rank-$(NODE_RANK)"));
	return rc;
}

int
pod_home(struct pod *p, struct err *e)
{
	const struct env *env = p->env;

	if (shape_jobset(env))
		return homes_of_jobset(p, e);
	for (int64_t i = 0; i < env->replicas_full; i++)
		value_push(p->mem, p->claims,
		           context_claim(p->mem, arena_printf(p->mem, "home-%s-%lld", env->name, (long long)i), env->home,
		                         p->home_class, "RWO"));
	/* Distributed pods get theirs from the StatefulSet's volumeClaimTemplates. */
	if (!env->distributed)
		pod_claim(p, "home", arena_printf(p->mem, "home-%s-0", env->name), false);
	return pod_mount(p, "home", HOME, NULL, false, "home", e);
}

int
pod_shared(struct pod *p, struct err *e)
{
	const char *claim = value_as_str(value_get(p->env->spec, "sharedVolumeClaimName"), NULL);

	if (!claim && value_get(pod_spec(p->env->user), "sharedVolume"))
		claim = arena_printf(p->mem, "%s-shared", p->env->owner);
	if (!claim)
		return 0;
	if (reserved_claim(claim))
		return err_set(e, ERR_INVALID, "spec.sharedVolumeClaimName: %s is a name of an environment's own claims", claim);
	pod_claim(p, "shared", claim, false);
	return pod_mount(p, "shared", SHARED, NULL, false, "spec.sharedVolumeClaimName", e);
}

int
pod_volumes(struct pod *p, struct err *e)
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
		pod_claim(p, arena_printf(p->mem, "vol-%s", name), claim, strcmp(access, "ROX") == 0);
		int rc = pod_mount(p, arena_printf(p->mem, "vol-%s", name), value_as_str(value_get(v, "path"), ""), NULL,
		                   strcmp(access, "ROX") == 0, field, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
pod_checkpoints(struct pod *p, struct err *e)
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
	pod_claim(p, "checkpoints", claim, false);
	return pod_mount(p, "checkpoints", value_as_str(value_get(c, "path"), "/checkpoints"), NULL, false, "spec.checkpoints", e);
}
