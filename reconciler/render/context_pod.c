/* SPDX-License-Identifier: Apache-2.0 */
/* The pod of an environment in Kubernetes' own lists: resources, volumes, mounts, ports, placement. */
#include <string.h>

#include "lib/base/str.h"
#include "render/context_secrets.h"

struct value *
pod_str1(struct arena *mem, const char *key, const char *s)
{
	struct value *out = value_map(mem);

	value_set(mem, out, key, value_str(mem, s));
	return out;
}

/* A volume that can hold mounts of its own, which "read-only" would not reach without saying so. */
static bool
is_claim(const struct pod *p, const char *volume)
{
	for (size_t i = 0; i < value_len(p->volumes); i++) {
		const struct value *v = value_item(p->volumes, i);

		if (str_eq(value_as_str(value_get(v, "name"), NULL), volume))
			return value_get(v, "persistentVolumeClaim") != NULL;
	}
	return false;
}

int
pod_mount(struct pod *p, const char *volume, const char *path, const char *sub_path, bool read_only, const char *field,
          struct err *e)
{
	struct value *m;

	for (size_t i = 0; i < value_len(p->mounts); i++)
		if (strcmp(value_as_str(value_get(value_item(p->mounts, i), "mountPath"), ""), path) == 0)
			return err_set(e, ERR_INVALID, "%s: two volumes at %s", field, path);
	m = pod_str1(p->mem, "name", volume);
	value_set(p->mem, m, "mountPath", value_str(p->mem, path));
	if (sub_path)
		value_set(p->mem, m, "subPath", value_str(p->mem, sub_path));
	if (read_only)
		value_set(p->mem, m, "readOnly", value_bool(p->mem, true));
	if (read_only && is_claim(p, volume) && context_feature(p->context, "recursive-read-only"))
		value_set(p->mem, m, "recursiveReadOnly", value_str(p->mem, "IfPossible"));
	value_push(p->mem, p->mounts, m);
	return 0;
}

void
pod_volume(struct pod *p, const char *name, const char *source, struct value *body)
{
	struct value *v = pod_str1(p->mem, "name", name);

	value_set(p->mem, v, source, body);
	value_push(p->mem, p->volumes, v);
}

void
pod_claim(struct pod *p, const char *name, const char *claim, bool read_only)
{
	struct value *body = pod_str1(p->mem, "claimName", claim);

	if (read_only)
		value_set(p->mem, body, "readOnly", value_bool(p->mem, true));
	pod_volume(p, name, "persistentVolumeClaim", body);
}

void
pod_config(struct pod *p, const char *name, const char *config_map, int64_t mode)
{
	struct value *body = pod_str1(p->mem, "name", config_map);

	value_set(p->mem, body, "defaultMode", value_int(p->mem, mode));
	pod_volume(p, name, "configMap", body);
}

/* What identifies the host, when somebody made that Secret; the start script makes a key where there is none. */
static void
host_keys(struct pod *p)
{
	struct value *body = pod_str1(p->mem, "secretName", arena_printf(p->mem, "%s--hostkeys", p->env->name));

	value_set(p->mem, body, "optional", value_bool(p->mem, true));
	/* the group's, since files of a Secret are root's and sshd is not */
	value_set(p->mem, body, "defaultMode", value_int(p->mem, 0440));
	pod_volume(p, "hostkeys", "secret", body);
}

/* Scripts, keys, and a name for the user in images that bring none. */
static int
add_config(struct pod *p, bool ssh, struct err *e)
{
	int rc;

	pod_config(p, "scripts", arena_printf(p->mem, "%s--scripts", p->env->name), 0555);
	rc = pod_mount(p, "scripts", "/etc/berth/scripts", NULL, true, "scripts", e);
	if (rc == 0 && ssh) {
		pod_config(p, "keys", arena_printf(p->mem, "%s--keys", p->env->name), 0444);
		rc = pod_mount(p, "keys", "/etc/berth/keys", NULL, true, "keys", e);
		host_keys(p);
		if (rc == 0)
			rc = pod_mount(p, "hostkeys", "/etc/berth/hostkeys", NULL, true, "hostkeys", e);
	}
	/* A catalogue image that names its user has it in its own passwd. */
	if (rc == 0 && !value_get(pod_spec(p->env->image), "user")) {
		rc = pod_mount(p, "scripts", "/etc/passwd", "passwd", true, "passwd", e);
		if (rc == 0)
			rc = pod_mount(p, "scripts", "/etc/group", "group", true, "group", e);
	}
	return rc;
}

const char *
context_sh(const struct env *env)
{
	return value_at(pod_spec(env->org), "toolbox.image") ? "/opt/berth/bin/sh" : "/bin/sh";
}

const char *
context_login_shell(const struct env *env)
{
	return value_at(pod_spec(env->org), "toolbox.image") ? "/opt/berth/bin/login-shell" : "/etc/berth/scripts/shell.sh";
}

static int
add_toolbox(struct pod *p, const struct value *context, struct value *out, struct err *e)
{
	const char *image = value_as_str(value_at(pod_spec(p->env->org), "toolbox.image"), NULL);
	struct value *toolbox = value_map(p->mem), *body;
	bool as_volume = context_feature(context, "image-volumes");

	value_set(p->mem, toolbox, "image", image ? value_str(p->mem, image) : value_null(p->mem));
	value_set(p->mem, toolbox, "copy", value_bool(p->mem, image && !as_volume));
	value_set(p->mem, toolbox, "resources", pod_plain_resources(p->mem, p->env));
	value_set(p->mem, out, "toolbox", toolbox);
	value_set(p->mem, out, "sh", value_str(p->mem, context_sh(p->env)));
	if (!image)
		return 0;
	if (as_volume) {
		body = pod_str1(p->mem, "reference", image);
		value_set(p->mem, body, "pullPolicy", value_str(p->mem, "IfNotPresent"));
		pod_volume(p, "toolbox", "image", body);
	} else {
		pod_volume(p, "toolbox", "emptyDir", value_map(p->mem));
	}
	/* an image volume is the image's whole root, the copy is the tree alone */
	return pod_mount(p, "toolbox", "/opt/berth", as_volume ? "opt/berth" : NULL, true, "toolbox", e);
}

int
context_pod(struct arena *mem, const struct env *env, const struct value *context, struct value *out, struct err *e)
{
	const struct value *org = pod_spec(env->org);
	bool ssh = value_as_bool(value_get(env->spec, "enableSSH"), true);
	struct pod p = { .mem = mem, .env = env, .context = context, .claims = value_list(mem),
		         .volumes = value_list(mem), .mounts = value_list(mem),
		         .home_class = value_as_str(value_at(org, "storage.homeClass"), NULL),
		         .shared_class = value_as_str(value_at(org, "storage.sharedClass"), NULL) };
	struct value *res = NULL, *vars = NULL;
	int rc;

	if ((rc = pod_resources(mem, env, &res, e)) < 0 || (rc = context_vars(mem, env, &vars, e)) < 0)
		return rc;
	if ((rc = add_config(&p, ssh, e)) < 0 || (rc = pod_memory(&p, e)) < 0 || (rc = pod_home(&p, e)) < 0 ||
	    (rc = pod_shared(&p, e)) < 0 || (rc = pod_volumes(&p, e)) < 0 || (rc = pod_datasets(&p, e)) < 0 ||
	    (rc = pod_checkpoints(&p, e)) < 0 || (rc = pod_secrets(&p, out, e)) < 0 || (rc = add_toolbox(&p, context, out, e)) < 0)
		return rc;
	value_set(mem, out, "resources", res);
	value_set(mem, out, "vars", vars);
	value_set(mem, out, "claims", p.claims);
	value_set(mem, out, "volumes", p.volumes);
	value_set(mem, out, "mounts", p.mounts);
	pod_placement(mem, env, out);
	return 0;
}
