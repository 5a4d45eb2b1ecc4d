/* SPDX-License-Identifier: Apache-2.0 */
/* Credential plugins: which may run, and what they are told. */
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/redact.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kube/kubeconfig.h"

#define ARGS_MAX 256
#define EXTENSION "client.authentication.k8s.io/exec"

/*
 * The absolute path to run, or NULL: a name without '/' is what the allow-list has under that file name, so that PATH
 * decides nothing; a relative path counts from the kubeconfig's folder.
 */
static const char *
allowed(const struct kubeconfig *k, const char *command)
{
	bool bare = !strchr(command, '/');

	if (!bare && *command != '/')
		command = arena_printf(k->mem, "%s%s", k->folder, str_starts(command, "./") ? command + 2 : command);
	for (size_t i = 0; i < k->o->nexec_allow; i++) {
		const char *path = k->o->exec_allow[i], *base = strrchr(path, '/');

		if (*path == '/' && strcmp(command, bare ? base + 1 : path) == 0)
			return path;
	}
	return NULL;
}

static int
read_command(const struct kubeconfig *k, const struct value *exec, const char **out)
{
	const char *command;
	int rc = kubeconfig_text(k, exec, "command", &command);

	if (rc)
		return rc;
	if (!command) {
		(void)kubeconfig_bad(k, kubeconfig_place(exec, "command"), ERR_INVALID, "exec has no command");
		return err_hint(k->e, "write the plugin's path as command");
	}
	if ((*out = allowed(k, command)))
		return 0;
	(void)kubeconfig_bad(k, kubeconfig_place(exec, "command"), ERR_DENIED,
	                     "exec is refused: the credential plugin %.200s is not on the allow-list",
	                     str_line(k->mem, command));
	return err_hint(k->e, "allow its absolute path, or use a service account's token: kubectl create token NAME");
}

static int
check_version(const struct kubeconfig *k, const struct value *exec, const char **version)
{
	int rc = kubeconfig_text(k, exec, "apiVersion", version);

	if (rc)
		return rc;
	if (str_eq(*version, "client.authentication.k8s.io/v1") ||
	    str_eq(*version, "client.authentication.k8s.io/v1beta1"))
		return 0;
	(void)kubeconfig_bad(k, kubeconfig_place(exec, "apiVersion"), ERR_INVALID,
	                     "exec has no apiVersion that berth speaks");
	return err_hint(
	    k->e,
	    "write client.authentication.k8s.io/v1 (v1beta1 works too) and update the plugin if it does not know that");
}

static int
check_mode(const struct kubeconfig *k, const struct value *exec)
{
	const char *mode;
	int rc = kubeconfig_text(k, exec, "interactiveMode", &mode);

	if (rc || !str_eq(mode, "Always"))
		return rc;
	(void)kubeconfig_bad(k, kubeconfig_place(exec, "interactiveMode"), ERR_DENIED,
	                     "exec is refused: the plugin wants to ask somebody (interactiveMode: Always)");
	return err_hint(k->e, "use a plugin or an account that needs no person");
}

static int
read_args(const struct kubeconfig *k, const struct value *exec, const char *command, struct kube_config *out)
{
	const struct value *args = value_get(exec, "args");
	size_t n = value_len(args);
	const char **argv;

	if (args && args->type != VALUE_NULL && (args->type != VALUE_LIST || n > ARGS_MAX)) {
		(void)kubeconfig_bad(k, kubeconfig_place(exec, "args"), ERR_INVALID,
		                     "exec.args is not a list of at most %d strings", ARGS_MAX);
		return err_hint(k->e, "write one argument an item");
	}
	argv = arena_array(k->mem, n + 2, sizeof(*argv));
	argv[0] = command;
	for (size_t i = 0; i < n; i++) {
		const struct value *v = value_item(args, i);

		if (v->type != VALUE_STR) {
			(void)kubeconfig_bad(k, &v->at, ERR_INVALID, "exec.args[%zu] must be a string and is a %s", i,
			                     value_type_name(v->type));
			return err_hint(k->e, "put it in quotes");
		}
		argv[i + 1] = v->str.s;
	}
	out->exec = argv;
	return 0;
}

/* Variables that make an allowed program run something else. */
static bool
steers_programs(const char *name)
{
	static const char *const starts[] = { "LD_",   "PYTHON", "PERL",  "RUBY",  "NODE_",
		                              "BASH_", "GCONV_", "DYLD_", "GLIBC_" };
	static const char *const whole[] = { "PATH", "ENV", "IFS", "SHELL", "HOME", KUBE_EXEC_INFO };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (str_starts(name, starts[i]))
			return true;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++)
		if (strcmp(name, whole[i]) == 0)
			return true;
	return false;
}

static bool
sounds_secret(const char *name)
{
	static const char *const words[] = { "TOKEN", "SECRET", "PASSWORD", "PASSWD", "KEY" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}

static int
read_variable(const struct kubeconfig *k, const struct value *item, const char **out)
{
	const char *name = NULL, *value = NULL;
	int rc;

	if (!value_is(item, VALUE_MAP)) {
		(void)kubeconfig_bad(k, &item->at, ERR_INVALID, "an item of exec.env is no map");
		return err_hint(k->e, "write name: and value:");
	}
	if ((rc = kubeconfig_text(k, item, "name", &name)) || (rc = kubeconfig_text(k, item, "value", &value)))
		return rc;
	if (value && name && sounds_secret(name))
		redact_add(value, strlen(value));
	if (!name || strchr(name, '=')) {
		(void)kubeconfig_bad(k, &item->at, ERR_INVALID, "an item of exec.env has no name, or one with a '='");
		return err_hint(k->e, "write name: and value:");
	}
	if (steers_programs(name)) {
		(void)kubeconfig_bad(k, &item->at, ERR_DENIED,
		                     "exec.env sets %.60s, which would decide what the allowed plugin runs",
		                     str_line(k->mem, name));
		return err_hint(k->e, "remove it; set it for berth itself if the plugin needs it");
	}
	*out = arena_printf(k->mem, "%s=%s", name, value ? value : "");
	return 0;
}

/* What spec.cluster of the plugin's input holds. */
static struct value *
cluster_info(struct arena *mem, const struct value *cluster, const struct kube_config *c)
{
	const struct value *extensions = value_get(cluster, "extensions"), *config = NULL;
	struct value *v = value_map(mem);

	for (size_t i = 0; i < value_len(extensions); i++)
		if (str_eq(value_as_str(value_get(value_item(extensions, i), "name"), NULL), EXTENSION))
			config = value_get(value_item(extensions, i), "extension");
	value_set(mem, v, "server", value_str(mem, c->server));
	if (c->tls_server_name)
		value_set(mem, v, "tls-server-name", value_str(mem, c->tls_server_name));
	if (c->insecure)
		value_set(mem, v, "insecure-skip-tls-verify", value_bool(mem, true));
	if (c->ca)
		value_set(mem, v, "certificate-authority-data",
		          value_str(mem, base64_encode(mem, c->ca, strlen(c->ca))));
	if (config)
		value_set(mem, v, "config", value_copy(mem, config));
	return v;
}

static const char *
exec_info(struct arena *mem, const char *version, const struct value *cluster, const struct kube_config *c)
{
	struct value *v = value_map(mem), *spec = value_map(mem);
	struct buf AUTO_BUF text = BUF_INIT(4 * KUBE_FILE_MAX);

	value_set(mem, v, "kind", value_str(mem, "ExecCredential"));
	value_set(mem, v, "apiVersion", value_str(mem, version));
	value_set(mem, spec, "interactive", value_bool(mem, false));
	if (cluster)
		value_set(mem, spec, "cluster", cluster_info(mem, cluster, c));
	value_set(mem, v, "spec", spec);
	buf_str(&text, KUBE_EXEC_INFO "=");
	json_write(v, 0, &text);
	return arena_strdup(mem, buf_cstr(&text));
}

static int
read_env(const struct kubeconfig *k, const struct value *exec, const char *info, struct kube_config *out)
{
	const struct value *env = value_get(exec, "env");
	size_t n = value_len(env);
	const char **list;

	if (env && env->type != VALUE_NULL && (env->type != VALUE_LIST || n > ARGS_MAX)) {
		(void)kubeconfig_bad(k, kubeconfig_place(exec, "env"), ERR_INVALID,
		                     "exec.env is not a list of at most %d variables", ARGS_MAX);
		return err_hint(k->e, "write items with name: and value:");
	}
	list = arena_array(k->mem, n + 2, sizeof(*list));
	for (size_t i = 0; i < n; i++) {
		int rc = read_variable(k, value_item(env, i), &list[i]);

		if (rc)
			return rc;
	}
	list[n] = info;
	out->exec_env = list;
	return 0;
}

int
kubeconfig_exec(const struct kubeconfig *k, const struct value *exec, const struct value *cluster,
                struct kube_config *out)
{
	const char *command, *version;
	bool wants_cluster;
	int rc;

	/* permission first: nothing else about a plugin matters that may not run */
	if ((rc = read_command(k, exec, &command)) || (rc = check_version(k, exec, &version)) ||
	    (rc = check_mode(k, exec)) || (rc = kubeconfig_bool(k, exec, "provideClusterInfo", &wants_cluster)) ||
	    (rc = read_args(k, exec, command, out)))
		return rc;
	return read_env(k, exec, exec_info(k->mem, version, wants_cluster ? cluster : NULL, out), out);
}
