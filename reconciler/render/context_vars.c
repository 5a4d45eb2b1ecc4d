/* SPDX-License-Identifier: Apache-2.0 */
/* The variables of an environment's container: NCCL and the user's own, then berth's, which nobody may change. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/reserved.h"
#include "parse/shape.h"
#include "render/context_secrets.h"

#define IFNAME "eth0" /* what container runtimes call a pod's interface */
#define RANKS_MARK "#"  /* in BERTH_RANKS, where the number of a rank goes */

/* The kubelet expands $(NAME) and turns $$ into $: text must arrive as it was written. */
const char *
context_literal(struct arena *mem, const char *text)
{
	size_t n = strlen(text), at = 0;
	char *out;

	if (!strchr(text, '$'))
		return text;
	out = arena_alloc(mem, 2 * n + 1);
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '$' && (text[i + 1] == '$' || text[i + 1] == '('))
			out[at++] = '$';
		out[at++] = text[i];
	}
	return out;
}

static const char *
scalar_text(struct arena *mem, const struct value *v)
{
	switch (v->type) {
	case VALUE_STR:
		return v->str.s;
	case VALUE_INT:
		return arena_printf(mem, "%lld", (long long)v->integer);
	case VALUE_BOOL:
		return v->boolean ? "true" : "false";
	case VALUE_REAL:
		return v->text ? v->text : arena_printf(mem, "%.17g", v->real);
	default:
		return NULL;
	}
}

/* All of a map of variables; `field` is for messages. */
static int
add_user(struct arena *mem, struct value *vars, const struct value *map, const char *field, struct err *e)
{
	if (!value_is(map, VALUE_MAP))
		return 0;
	for (size_t i = 0; i < map->map.n; i++) {
		const struct member *m = &map->map.items[i];
		const char *text = scalar_text(mem, m->value);

		if (!text)
			return err_set(e, ERR_INVALID, "%s.%s: a variable holds text", field, m->key);
		if (reserved_variable(m->key))
			return err_set(e, ERR_INVALID, "%s.%s: berth sets this variable itself", field, m->key);
		value_set(mem, vars, m->key, value_str(mem, text));
	}
	return 0;
}

static void
set_int(struct arena *mem, struct value *vars, const char *name, int64_t i)
{
	value_set(mem, vars, name, value_fmt(mem, "%lld", (long long)i));
}

static struct value *
field_ref(struct arena *mem, const char *path)
{
	struct value *ref = value_map(mem), *from = value_map(mem);

	value_set(mem, ref, "fieldPath", value_str(mem, path));
	value_set(mem, from, "fieldRef", ref);
	return from;
}

/* The host name of a rank, by its number or RANKS_MARK. */
static struct value *
rank_name(struct arena *mem, const struct env *env, const char *number)
{
	/* <jobset>-<replicated job>-<number of the job>-<number of the pod> */
	if (shape_jobset(env))
		return value_fmt(mem, "%s-" CONTEXT_JOB "-0-%s.%s", env->name, number, env->name);
	return value_fmt(mem, "%s-%s.%s", env->name, number, env->name);
}

/* Only what is the network's own; the library that speaks it comes with the image. */
static void
add_fabric(struct arena *mem, struct value *vars, const char *rdma)
{
	if (strcmp(rdma, "efa") == 0) {
		value_set(mem, vars, "FI_PROVIDER", value_str(mem, "efa"));
		value_set(mem, vars, "FI_EFA_USE_DEVICE_RDMA", value_str(mem, "1"));
	} else if (strcmp(rdma, "infiniband") == 0) {
		/* fails where the fabric cannot be used, instead of training at a tenth of the speed over the ordinary network */
		value_set(mem, vars, "NCCL_NET", value_str(mem, "IB"));
	}
}

static bool
for_nccl(const char *name)
{
	return str_starts(name, "NCCL_") || str_starts(name, "TORCH_NCCL_");
}

/* What the backend reads, before the user's own variables, which may say otherwise. */
static int
add_backend(struct arena *mem, struct value *vars, const struct env *env, struct err *e)
{
	const struct value *settings = value_at(env->spec, "distributed.ncclSettings");
	const char *backend = value_as_str(value_at(env->spec, "distributed.backend"), "nccl");
	const char *ifname = value_as_str(value_get(settings, "NCCL_SOCKET_IFNAME"), NULL);
	bool nccl = strcmp(backend, "nccl") == 0;
	struct value *kept = value_map(mem);

	if (nccl)
		value_set(mem, vars, "TORCH_NCCL_ASYNC_ERROR_HANDLING", value_str(mem, "1"));
	/* Gloo takes one plain name; NCCL also ^name and =name. */
	if (ifname && !strpbrk(ifname, "^=,"))
		value_set(mem, vars, "GLOO_SOCKET_IFNAME", value_str(mem, ifname));
	else if (strcmp(backend, "gloo") == 0)
		value_set(mem, vars, "GLOO_SOCKET_IFNAME", value_str(mem, IFNAME));
	add_fabric(mem, vars, shape_rdma(env));
	for (size_t i = 0; value_is(settings, VALUE_MAP) && i < settings->map.n; i++)
		if (nccl || !for_nccl(settings->map.items[i].key))
			value_set(mem, kept, settings->map.items[i].key, settings->map.items[i].value);
	return add_user(mem, vars, kept, "spec.distributed.ncclSettings", e);
}

/* torchrun takes PET_* as defaults of its options, so that it needs no arguments. */
static void
add_distributed(struct arena *mem, struct value *vars, const struct env *env)
{
	struct value *master = rank_name(mem, env, "0");
	struct value *rank = field_ref(mem, arena_printf(mem, "metadata.labels['%s']", context_index_label(env)));

	set_int(mem, vars, "PET_NNODES", env->replicas_full);
	set_int(mem, vars, "PET_NPROC_PER_NODE", env->nprocs);
	value_set(mem, vars, "PET_NODE_RANK", rank);
	value_set(mem, vars, "PET_MASTER_ADDR", master);
	set_int(mem, vars, "PET_MASTER_PORT", CONTEXT_TORCH_PORT);
	set_int(mem, vars, "NNODES", env->replicas_full);
	value_set(mem, vars, "NODE_RANK", rank);
	value_set(mem, vars, "MASTER_ADDR", master);
	set_int(mem, vars, "MASTER_PORT", CONTEXT_TORCH_PORT);
	set_int(mem, vars, "WORLD_SIZE", env->world_size);
	value_set(mem, vars, "BERTH_TORCH_BACKEND",
	          value_str(mem, value_as_str(value_at(env->spec, "distributed.backend"), "nccl")));
	value_set(mem, vars, "BERTH_RANKS", rank_name(mem, env, RANKS_MARK));
	if (strcmp(shape_rdma(env), "none") != 0)
		value_set(mem, vars, "BERTH_RDMA", value_str(mem, shape_rdma(env)));
	if (env->nprocs == 1) { /* with more, torchrun gives each process its own */
		value_set(mem, vars, "RANK", rank);
		set_int(mem, vars, "LOCAL_RANK", 0);
	}
}

/* What only some environments have: nothing is set where it means nothing. */
static void
add_some(struct arena *mem, struct value *vars, const struct env *env)
{
	const char *checkpoint = value_as_str(value_at(env->spec, "lifecycle.checkpointCommand"), NULL);
	const char *path = value_as_str(value_at(env->spec, "checkpoints.path"), "/checkpoints");
	int64_t uid = context_uid(env);

	if (shape_grace(env) != CONTEXT_GRACE)
		set_int(mem, vars, "BERTH_GRACE", shape_grace(env));
	if (checkpoint)
		value_set(mem, vars, "BERTH_CHECKPOINT_COMMAND", value_str(mem, context_literal(mem, checkpoint)));
	if (value_get(env->spec, "checkpoints"))
		value_set(mem, vars, "BERTH_CHECKPOINTS", value_str(mem, context_literal(mem, path)));
	if (shape_root_entry(env)) { /* whom the entry becomes once it has done what needs root */
		set_int(mem, vars, "BERTH_UID", uid);
		set_int(mem, vars, "BERTH_GID", uid);
	}
}

static void
add_own(struct arena *mem, struct value *vars, const struct env *env)
{
	const struct value *web = value_at(env->spec, "access.web");
	struct buf tools = BUF_INIT(4096);

	for (size_t i = 0; i < value_len(web); i++)
		buf_printf(&tools, "%s%s", i ? " " : "", value_as_str(value_item(web, i), ""));
	value_set(mem, vars, "HOME", value_str(mem, "/home/dev"));
	value_set(mem, vars, "BERTH_ENV", value_str(mem, env->name));
	value_set(mem, vars, "BERTH_OWNER", value_str(mem, env->owner));
	value_set(mem, vars, "BERTH_USER", value_str(mem, value_as_str(value_at(env->spec, "access.ssh.user"), "dev")));
	value_set(mem, vars, "BERTH_SSH", value_str(mem, value_as_bool(value_get(env->spec, "enableSSH"), true) ? "1" : "0"));
	value_set(mem, vars, "BERTH_SFTP", value_str(mem, value_as_bool(value_at(env->spec, "access.ssh.sftp"), true) ? "1" : "0"));
	value_set(mem, vars, "BERTH_WEB", value_str(mem, buf_cstr(&tools)));
	buf_free(&tools);
}

int
context_given(struct arena *mem, const struct env *env, struct value **out, struct err *e)
{
	struct value *given = value_map(mem);
	int rc;

	if (env->distributed && (rc = add_backend(mem, given, env, e)) < 0)
		return rc;
	if ((rc = add_user(mem, given, value_get(env->spec, "env"), "spec.env", e)) < 0)
		return rc;
	*out = given;
	return 0;
}

int
context_vars(struct arena *mem, const struct env *env, struct value **out, struct err *e)
{
	struct value *vars = value_map(mem), *list = value_list(mem), *given;
	int rc = context_given(mem, env, &given, e);

	if (rc < 0)
		return rc;
	/* an entry that is root gets them when it has become the user (context_files.c): LD_PRELOAD and the like are none of root's */
	for (size_t i = 0; !shape_root_entry(env) && i < given->map.n; i++)
		value_set(mem, vars, given->map.items[i].key, value_str(mem, context_literal(mem, given->map.items[i].value->str.s)));
	add_own(mem, vars, env);
	add_some(mem, vars, env);
	if (env->distributed)
		add_distributed(mem, vars, env);
	for (size_t i = 0; i < vars->map.n; i++) {
		struct value *v = vars->map.items[i].value, *var = value_map(mem);

		value_set(mem, var, "name", value_str(mem, vars->map.items[i].key));
		value_set(mem, var, value_is(v, VALUE_MAP) ? "valueFrom" : "value", v);
		value_push(mem, list, var);
	}
	context_secret_vars(mem, env, list);
	*out = list;
	return 0;
}
