/* SPDX-License-Identifier: Apache-2.0 */
/* What runs an environment's pods and how: engine, command, root entry, grace, claimed devices, recommended sizes. */
#include "parse/shape.h"

#include <string.h>

#include "lib/base/str.h"
#include "render/context_pod.h"

#define SCRIPTS "/etc/berth/scripts/"

/*
 * What an entry needs that installs packages and then becomes somebody else. All of it is within Pod Security's baseline,
 * and none of it is worth anything on the node: the user namespace's root is an ordinary user there.
 */
static const char *const root_capabilities[] = { "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETUID" };

const char *
context_index_label(const struct env *env)
{
	return shape_jobset(env) ? "batch.kubernetes.io/job-completion-index" : "apps.kubernetes.io/pod-index";
}

int64_t
context_uid(const struct env *env)
{
	return value_as_int(value_at(pod_spec(env->image), "user.uid"), 1000);
}

static struct value *
capabilities(struct arena *mem, const struct env *env)
{
	struct value *list;

	if (!shape_root_entry(env))
		return value_null(mem);
	list = value_list(mem);
	if (shape_sudo(env)) /* sudo gives up when it cannot log to the kernel */
		value_push(mem, list, value_str(mem, "AUDIT_WRITE"));
	for (size_t i = 0; i < sizeof(root_capabilities) / sizeof(*root_capabilities); i++)
		value_push(mem, list, value_str(mem, root_capabilities[i]));
	return list;
}

static struct value *
command(struct arena *mem, const struct env *env)
{
	const struct value *args = shape_jobset(env) ? value_at(env->spec, "distributed.command") : NULL;
	struct value *list = value_list(mem);

	value_push(mem, list, value_str(mem, context_sh(env)));
	value_push(mem, list, value_str(mem, value_len(args) > 0 ? SCRIPTS "job.sh" : SCRIPTS "start.sh"));
	for (size_t i = 0; i < value_len(args); i++)
		value_push(mem, list, value_str(mem, context_literal(mem, value_as_str(value_item(args, i), ""))));
	return list;
}

/* Recommended sizes are within the environment's own bounds, else the flavor's. */
static struct value *
vertical(struct arena *mem, const struct env *env, const struct value *context)
{
	static const char *const keys[] = { "cpu", "memory" };
	const struct value *own = value_at(env->spec, "scaling.vertical.max"), *flavor = value_at(pod_spec(env->flavor), "max");
	struct value *out, *max = value_map(mem);

	/* the autoscaler knows no JobSets */
	if (!str_eq(value_as_str(value_at(env->spec, "scaling.vertical.mode"), NULL), "recommend") || shape_jobset(env) ||
	    !context_feature(context, "vpa"))
		return value_null(mem);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct value *v = value_get(own, keys[i]);

		v = v ? v : value_get(flavor, keys[i]);
		if (v)
			value_set(mem, max, keys[i], v);
	}
	out = value_map(mem);
	value_set(mem, out, "max", value_len(max) > 0 ? max : value_null(mem));
	return out;
}

void
context_shape(struct arena *mem, const struct env *env, const struct value *context, struct value *out)
{
	value_set(mem, out, "engine", value_str(mem, shape_jobset(env) ? "jobset" : "statefulset"));
	value_set(mem, out, "indexLabel", value_str(mem, context_index_label(env)));
	value_set(mem, out, "command", command(mem, env));
	value_set(mem, out, "grace", value_int(mem, shape_grace(env)));
	value_set(mem, out, "checkpoint", value_bool(mem, value_at(env->spec, "lifecycle.checkpointCommand") != NULL));
	value_set(mem, out, "rootEntry", value_bool(mem, shape_root_entry(env)));
	value_set(mem, out, "sudo", value_bool(mem, shape_sudo(env)));
	value_set(mem, out, "capabilities", capabilities(mem, env));
	value_set(mem, out, "gpuClaim", pod_gpu_claim(mem, env));
	value_set(mem, out, "vertical", vertical(mem, env, context));
}
