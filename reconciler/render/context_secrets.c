/* SPDX-License-Identifier: Apache-2.0 */
/* How an environment's pod gets its secrets: variables, files, keys for ssh and git, pull secrets. */
#include "render/context_secrets.h"

#include <string.h>

#include "parse/secrets.h"
#include "parse/shape.h"

#define RUN_SIZE "16Mi"

bool
context_has_secrets(const struct env *env)
{
	for (size_t i = 0; i < env->nsecrets; i++)
		if (env->secrets[i].as != SECRET_REGISTRY)
			return true;
	return env_host_key(env, NULL);
}

void
context_secret_vars(struct arena *mem, const struct env *env, struct value *list)
{
	if (shape_root_entry(env))
		return; /* what a person gives root must not read: context_secret_exports */
	for (size_t i = 0; i < env->nsecrets; i++) {
		const struct env_secret *s = &env->secrets[i];

		for (size_t k = 0; s->as == SECRET_ENV && k < s->n; k++) {
			struct value *ref = pod_str1(mem, "name", s->object), *from = value_map(mem);
			struct value *var = pod_str1(mem, "name", s->entries[k].variable);

			value_set(mem, ref, "key", value_str(mem, s->entries[k].key));
			value_set(mem, from, "secretKeyRef", ref);
			value_set(mem, var, "valueFrom", from);
			value_push(mem, list, var);
		}
	}
}

void
context_secret_exports(const struct env *env, struct buf *out)
{
	for (size_t i = 0; i < env->nsecrets; i++) {
		const struct env_secret *s = &env->secrets[i];

		/* the mark keeps line ends at the end, which the shell takes away otherwise; names are checked: no shell text */
		for (size_t k = 0; s->as == SECRET_ENV && k < s->n; k++)
			buf_printf(out, "%s=$(cat " SECRETS_ENV_DIR "/%s/%s && echo .) && export %s=\"${%s%%.}\"\n", s->entries[k].variable, s->name,
			           s->entries[k].key, s->entries[k].variable, s->entries[k].variable);
	}
}

struct value *
context_secrets_hash(struct arena *mem, const struct env *env)
{
	struct hash_state h;
	char hex[DIGEST_HEX];
	struct digest d;
	bool any = false;

	hash_init(&h);
	for (size_t i = 0; i < env->nsecrets; i++) {
		const struct env_secret *s = &env->secrets[i];

		if (!s->sealed || (s->as != SECRET_ENV && s->as != SECRET_FILE))
			continue;
		any = true;
		hash_field_str(&h, s->object);
		for (size_t k = 0; k < s->n; k++) {
			hash_field_str(&h, s->entries[k].key);
			hash_field_str(&h, s->entries[k].digest);
		}
	}
	hash_final(&h, &d);
	digest_hex(&d, hex);
	return any ? value_strn(mem, hex, 16) : value_null(mem);
}

/* Files of a Secret are root's; the pod's group may read them. */
static void
secret_volume(struct pod *p, const struct env_secret *s)
{
	struct value *body = pod_str1(p->mem, "secretName", s->object);

	value_set(p->mem, body, "defaultMode", value_int(p->mem, 0440));
	pod_volume(p, arena_printf(p->mem, "secret-%s", s->name), "secret", body);
}

static int
mount_secret(struct pod *p, const struct env_secret *s, const char *field, struct err *e)
{
	const char *volume = arena_printf(p->mem, "secret-%s", s->name), *path = NULL;

	switch (s->as) {
	case SECRET_ENV:
		path = shape_root_entry(p->env) ? arena_printf(p->mem, SECRETS_ENV_DIR "/%s", s->name) : NULL;
		break;
	case SECRET_FILE:
		secret_volume(p, s);
		/* one file alone at its path, which is not followed: its change restarts the pod */
		return pod_mount(p, volume, s->path, s->folder ? NULL : s->entries[0].key, true, field, e);
	case SECRET_SSH:
		path = arena_printf(p->mem, SECRETS_SSH_DIR "/%s", s->name);
		break;
	case SECRET_GIT:
		path = arena_printf(p->mem, SECRETS_GIT_DIR "/%s", s->name);
		break;
	case SECRET_REGISTRY:
		break; /* the kubelet's */
	}
	if (!path)
		return 0;
	secret_volume(p, s);
	return pod_mount(p, volume, path, NULL, true, field, e);
}

static int
add_private(struct pod *p, struct err *e)
{
	struct value *body = pod_str1(p->mem, "medium", "Memory");

	value_set(p->mem, body, "sizeLimit", value_str(p->mem, RUN_SIZE));
	pod_volume(p, "private", "emptyDir", body);
	return pod_mount(p, "private", SECRETS_RUN_DIR, NULL, false, "private", e);
}

int
pod_secrets(struct pod *p, struct value *out, struct err *e)
{
	struct value *pull = value_list(p->mem);
	int rc;

	for (size_t i = 0; i < p->env->nsecrets; i++) {
		const struct env_secret *s = &p->env->secrets[i];

		if (s->as == SECRET_REGISTRY)
			value_push(p->mem, pull, pod_str1(p->mem, "name", s->object));
		if ((rc = mount_secret(p, s, arena_printf(p->mem, "spec.secrets[%zu]", i), e)) < 0)
			return rc;
	}
	value_set(p->mem, out, "imagePullSecrets", value_len(pull) > 0 ? pull : value_null(p->mem));
	return context_has_secrets(p->env) ? add_private(p, e) : 0;
}
