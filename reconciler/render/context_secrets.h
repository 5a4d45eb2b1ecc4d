/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of an environment in its pod, and the objects that hold them. Nothing here knows a secret: parts say how one is made. */
#pragma once

#include "render/bundle_build.h"
#include "render/context_pod.h"

#define SECRETS_ENV_DIR "/etc/berth/env"     /* as: env, where the entry is root: a file a variable */
#define SECRETS_SSH_DIR "/etc/berth/ssh"     /* as: ssh */
#define SECRETS_GIT_DIR "/etc/berth/git"     /* as: git */
#define SECRETS_RUN_DIR "/run/berth/private" /* in memory: copies with stricter modes, and the session's variables */

/* Whether the pod needs the scripts for secrets: one that is mounted or set, or a host key of berth's. */
bool context_has_secrets(const struct env *env);

/* Adds {name, valueFrom} of as: env to the container's variables, where the entry is no root. */
void context_secret_vars(struct arena *mem, const struct env *env, struct value *list);

/* Where the entry is root: lines of user-env.sh that read them from files. */
void context_secret_exports(const struct env *env, struct buf *out);

/* Of what a running pod cannot take up: a changed value of a variable or of a file restarts it. Null without such. */
struct value *context_secrets_hash(struct arena *mem, const struct env *env);

/* Volumes and mounts; imagePullSecrets (or null) into `out`. */
int pod_secrets(struct pod *p, struct value *out, struct err *e) MUST_USE;

/* render_secrets.c: Secrets, ExternalSecrets and the host key's Secret, in mem. */
struct own_object {
	struct value *value;
	struct object_parts *parts; /* NULL: no Secret */
};
void render_secrets(struct arena *mem, const struct env *env, struct own_object **out, size_t *n);
