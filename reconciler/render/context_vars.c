/* SPDX-License-Identifier: Apache-2.0 */
/* The variables of an environment's container: NCCL and the user's own, then berth's, which nobody may change. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/reserved.h"
#include "render/context.h"

#define POD_INDEX "metadata.labels['apps.kubernetes.io/pod-index']"

/* The kubelet expands $(NAME) and turns $$ into $: text must arrive as it was written. */
static const char *
literal(struct arena *mem, const char *text)
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
		value_set(mem, vars, m->key, value_str(mem, literal(mem, text)));
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

/* torchrun takes PET_* as defaults of its options, so that it needs no arguments. */
static void
add_distributed(struct arena *mem, struct value *vars, const struct env *env)
{
	struct value *master = value_fmt(mem, "%s-0.%s", env->name, env->name), *rank = field_ref(mem, POD_INDEX);

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
	if (env->nprocs == 1) { /* with more, torchrun gives each process its own */
		value_set(mem, vars, "RANK", rank);
		set_int(mem, vars, "LOCAL_RANK", 0);
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
context_vars(struct arena *mem, const struct env *env, struct value **out, struct err *e)
{
	struct value *vars = value_map(mem), *list = value_list(mem);
	const struct value *nccl = value_at(env->spec, "distributed.ncclSettings");
	int rc;

	if (env->distributed) {
		const char *ifname = value_as_str(value_get(nccl, "NCCL_SOCKET_IFNAME"), NULL);

		value_set(mem, vars, "TORCH_NCCL_ASYNC_ERROR_HANDLING", value_str(mem, "1"));
		/* Gloo takes one plain name; NCCL also ^name and =name. */
		if (ifname && !strpbrk(ifname, "^=,"))
			value_set(mem, vars, "GLOO_SOCKET_IFNAME", value_str(mem, literal(mem, ifname)));
		if ((rc = add_user(mem, vars, nccl, "spec.distributed.ncclSettings", e)) < 0)
			return rc;
	}
	if ((rc = add_user(mem, vars, value_get(env->spec, "env"), "spec.env", e)) < 0)
		return rc;
	add_own(mem, vars, env);
	if (env->distributed)
		add_distributed(mem, vars, env);
	for (size_t i = 0; i < vars->map.n; i++) {
		struct value *v = vars->map.items[i].value, *var = value_map(mem);

		value_set(mem, var, "name", value_str(mem, vars->map.items[i].key));
		value_set(mem, var, value_is(v, VALUE_MAP) ? "valueFrom" : "value", v);
		value_push(mem, list, var);
	}
	*out = list;
	return 0;
}
