/* SPDX-License-Identifier: Apache-2.0 */
/* The template context of one environment. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/reserved.h"
#include "render/context.h"

/* The ports an environment offers, each number once. */
struct port_set {
	struct arena *mem;
	struct value *container, *service, *web, *open;
};

static bool
has_port(const struct value *list, int64_t port)
{
	for (size_t i = 0; i < value_len(list); i++)
		if (value_as_int(value_get(value_item(list, i), "containerPort"), 0) == port)
			return true;
	return false;
}

static struct value *
port_value(struct arena *mem, const char *name, const char *key, int64_t port)
{
	struct value *out = value_map(mem);

	if (name)
		value_set(mem, out, "name", value_str(mem, name));
	value_set(mem, out, key, value_int(mem, port));
	value_set(mem, out, "protocol", value_str(mem, "TCP"));
	return out;
}

/* outside: its number on an address of the environment's own; 0: not a web port. */
static void
port_add(struct port_set *s, const char *name, int64_t port, int64_t outside, bool open)
{
	struct value *v;

	if (has_port(s->container, port))
		return;
	value_push(s->mem, s->container, port_value(s->mem, name, "containerPort", port));
	/* The same number inside and outside: port-forward to a headless Service does not translate. */
	v = port_value(s->mem, name, "port", port);
	value_set(s->mem, v, "targetPort", value_str(s->mem, name));
	value_push(s->mem, s->service, v);
	if (outside) {
		v = port_value(s->mem, name, "port", outside);
		value_set(s->mem, v, "targetPort", value_str(s->mem, name));
		value_push(s->mem, s->web, v);
	}
	if (open)
		value_push(s->mem, s->open, port_value(s->mem, NULL, "port", port));
}

static bool
asks_for(const struct value *list, int64_t port)
{
	for (size_t i = 0; i < value_len(list); i++)
		if (value_as_int(value_item(list, i), 0) == port)
			return true;
	return false;
}

static void
ports(struct arena *mem, const struct env *env, struct value *out)
{
	struct port_set s = { mem, value_list(mem), value_list(mem), value_list(mem), value_list(mem) };
	const struct value *web = value_at(env->spec, "access.web"), *more = value_at(env->spec, "access.ports");

	if (value_as_bool(value_get(env->spec, "enableSSH"), true))
		port_add(&s, "ssh", CONTEXT_SSH_PORT, 0, true);
	for (size_t i = 0; i < value_len(web); i++) {
		const char *tool = value_as_str(value_item(web, i), "");
		int64_t port = context_web_port(tool);

		/* the terminal is at 80, unless the user serves something there */
		if (port)
			port_add(&s, tool, port, strcmp(tool, "terminal") == 0 && !asks_for(more, 80) ? 80 : port, true);
	}
	for (size_t i = 0; i < value_len(more); i++) {
		int64_t port = value_as_int(value_item(more, i), 0);

		port_add(&s, arena_printf(mem, "port-%lld", (long long)port), port, port, true);
	}
	if (env->distributed)
		port_add(&s, "torch", CONTEXT_TORCH_PORT, 0, false);
	value_set(mem, out, "ports", s.container);
	value_set(mem, out, "servicePorts", s.service);
	value_set(mem, out, "webPorts", s.web);
	value_set(mem, out, "openPorts", s.open);
}

/* The keys of one user, one a line under a comment with the name. */
static void
add_keys(struct buf *out, const struct doc *user)
{
	const struct value *keys = user ? value_get(user->spec, "sshKeys") : NULL;

	if (value_len(keys) == 0)
		return;
	buf_printf(out, "# %s\n", user->name);
	for (size_t i = 0; i < value_len(keys); i++)
		buf_printf(out, "%s\n", value_as_str(value_item(keys, i), ""));
}

static struct value *
authorized_keys(struct arena *mem, const struct env *env)
{
	struct buf text = BUF_INIT(FILE_OTHER_MAX);
	struct value *out;

	add_keys(&text, env->user);
	for (size_t i = 0; i < env->nshare; i++)
		if (env->share[i] != env->user)
			add_keys(&text, env->share[i]);
	out = value_strn(mem, buf_cstr(&text), text.len);
	buf_free(&text);
	return out;
}

static struct value *
user_ids(struct arena *mem, const struct env *env)
{
	int64_t uid = context_uid(env);
	struct value *out = value_map(mem);

	value_set(mem, out, "name", value_str(mem, value_as_str(value_at(env->spec, "access.ssh.user"), "dev")));
	value_set(mem, out, "uid", value_int(mem, uid));
	value_set(mem, out, "gid", value_int(mem, uid));
	return out;
}

/* Selectors cannot change on a StatefulSet: only what is the identity goes in. */
static struct value *
selector(struct arena *mem, const struct env *env)
{
	struct value *out = value_map(mem);

	value_set(mem, out, "berth.dev/env", value_str(mem, env->name));
	value_set(mem, out, "berth.dev/owner", value_str(mem, env->owner));
	return out;
}

/* Kueue's queue: the one named, else the team's; none without Kueue, or for a team without a queue. */
static struct value *
queue(struct arena *mem, const struct env *env, const struct value *context)
{
	const char *name = value_as_str(value_at(env->spec, "scheduling.queue"), "default");

	if (!context_feature(context, "kueue"))
		return value_null(mem);
	if (strcmp(name, "default") != 0)
		return value_str(mem, name);
	return env->team && value_get(env->team->spec, "queue") ? value_str(mem, env->team->name) : value_null(mem);
}

/* "interactive" and "batch" are berth's own classes; other names are the organization's. */
static struct value *
priority_class(struct arena *mem, const struct env *env)
{
	const char *name = value_as_str(value_at(env->spec, "scheduling.priority"), NULL);

	if (!name)
		return value_null(mem);
	if (strcmp(name, "interactive") == 0 || strcmp(name, "batch") == 0)
		return value_fmt(mem, "berth-%s", name);
	return value_str(mem, name);
}

static bool
own_address(const struct env *env)
{
	const char *org = value_as_str(value_at(env->org ? env->org->spec : NULL, "access.ssh"), "bastion");

	return strcmp(value_as_str(value_at(env->spec, "access.ssh.via"), org), "loadBalancer") == 0;
}

/* Values and bytes of text below v. */
static void
measure(const struct value *v, size_t *values, size_t *text)
{
	(*values)++;
	if (v->type == VALUE_STR)
		*text += v->str.len;
	for (size_t i = 0; v->type == VALUE_LIST && i < v->list.n; i++)
		measure(v->list.items[i], values, text);
	for (size_t i = 0; v->type == VALUE_MAP && i < v->map.n; i++) {
		*text += strlen(v->map.items[i].key);
		measure(v->map.items[i].value, values, text);
	}
}

/*
 * Refuses what would not fit in the arena, where running over is the end of the program. The factors are upper bounds
 * of what a value of the spec, a byte of text and a pod turn into, context and objects together.
 */
static int
check_room(const struct arena *mem, const struct env *env, const struct context_scripts *scripts, struct err *e)
{
	size_t values = 0, text = env->setup ? strlen(env->setup) : 0, need;

	if (env->replicas_full > ENV_PODS_MAX)
		return err_set(e, ERR_INVALID, "spec.distributed: %lld pods, at most %d", (long long)env->replicas_full, ENV_PODS_MAX);
	measure(env->spec, &values, &text);
	measure(scripts->files, &values, &text);
	measure(env->doc->root, &values, &text);
	if (env->image && env->image->spec)
		measure(env->image->spec, &values, &text);
	for (size_t i = 0; i <= env->nshare; i++) {
		const struct doc *user = i < env->nshare ? env->share[i] : env->user;

		if (user && user->spec)
			measure(user->spec, &values, &text);
	}
	for (size_t i = 0; i < env->nsecrets; i++) {
		values += 8 + env->secrets[i].n;
		for (size_t k = 0; k < env->secrets[i].n; k++)
			text += 2 * strlen(env->secrets[i].entries[k].key);
	}
	need = 256 * 1024 + values * 3072 + text * 6 + (size_t)env->replicas_full * 14 * 1024;
	if (need > arena_room(mem))
		return err_set(e, ERR_INVALID, "too large to render: %zu values, %zu bytes of text, %lld pods", values, text,
		               (long long)env->replicas_full);
	return 0;
}

int
context_env(struct arena *mem, const struct env *env, const struct context_scripts *scripts, struct value **out, struct err *e)
{
	struct value *context, *v;
	const char *on_delete = value_as_str(value_at(env->spec, "lifecycle.onDelete"), "retain");
	int rc;

	if ((rc = check_room(mem, env, scripts, e)) < 0)
		return rc;
	if (env->setup && !str_utf8_valid(env->setup, strlen(env->setup)))
		return err_set(e, ERR_INVALID, "spec.setup: the script is not UTF-8 text");
	context = context_base(mem, env->org);
	v = value_map(mem);
	value_set(mem, context, "team", context_doc(mem, env->team));
	value_set(mem, context, "user", context_doc(mem, env->user));
	value_set(mem, context, "flavor", context_doc(mem, env->flavor));
	value_set(mem, context, "image", context_doc(mem, env->image));
	value_set(mem, context, "env", v);
	value_set(mem, v, "name", value_str(mem, env->name));
	value_set(mem, v, "owner", value_str(mem, env->owner));
	value_set(mem, v, "namespace", value_str(mem, env->namespace_));
	value_set(mem, v, "spec", value_overlay(mem, value_map(mem), env->spec));
	value_set(mem, v, "labels", context_labels_env(mem, env));
	value_set(mem, v, "podLabels", context_labels_pod(mem, env));
	value_set(mem, v, "selector", selector(mem, env));
	value_set(mem, v, "image", value_str(mem, env->image_ref));
	value_set(mem, v, "distributed", value_bool(mem, env->distributed));
	value_set(mem, v, "ssh", value_bool(mem, value_as_bool(value_get(env->spec, "enableSSH"), true)));
	value_set(mem, v, "loadBalancer", value_bool(mem, own_address(env)));
	value_set(mem, v, "keep", value_bool(mem, strcmp(on_delete, "purge") != 0));
	value_set(mem, v, "replicas", value_int(mem, env->replicas));
	value_set(mem, v, "nodes", value_int(mem, env->replicas_full));
	value_set(mem, v, "user", user_ids(mem, env));
	value_set(mem, v, "priorityClass", priority_class(mem, env));
	value_set(mem, v, "queue", queue(mem, env, context));
	value_set(mem, v, "keys", authorized_keys(mem, env));
	ports(mem, env, v);
	context_shape(mem, env, context, v);
	if ((rc = context_files(mem, env, scripts, v, e)) < 0)
		return rc;
	rc = context_pod(mem, env, context, v, e);
	if (rc < 0)
		return rc;
	*out = context;
	return 0;
}
