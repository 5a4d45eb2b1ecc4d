/* SPDX-License-Identifier: Apache-2.0 */
/* What templates read: maps and Kubernetes lists, finished here so that templates only place them. */
#pragma once

#include "parse/env.h"

/*
 * Top level, in every set (a document's spec together with its name; what there is none of is null):
 *
 *   berth      {templates}             version of the built-in templates
 *   org team user flavor image         {name, ...spec}; user, flavor and image only where the set has one
 *   features   {NAME: true}            cluster.features of berth.yaml, and what cluster.version brings:
 *                                      supplemental-groups-policy (1.35), recursive-read-only (1.33)
 *   env        in env/ (below)
 *   set        in org/, team/ and user/ (below)
 *
 * env:
 *   name owner namespace               text
 *   spec                               the whole spec after defaults
 *   labels podLabels selector          maps for metadata.labels, for pods (without the user's labels, which may change
 *                                      without a restart) and for selectors (never change for one environment)
 *   image                              what the container runs
 *   distributed ssh loadBalancer keep  booleans; keep: claims outlive the environment
 *   engine                             "statefulset" or "jobset": what runs the pods
 *   indexLabel                         the pods' label with their number
 *   replicas nodes                     integers: now (0 when paused), and when running
 *   command                            what the container starts
 *   grace                              seconds that a pod gets to end
 *   checkpoint                         boolean: something is to be run before
 *   user                               {name, uid, gid}
 *   rootEntry                          boolean: the entry is root inside a user namespace, and becomes `user` itself
 *   capabilities                       what such an entry keeps, else null
 *   sudo                               boolean: the user may become root
 *   resources                          {requests, limits, claims} of the container
 *   gpuClaim                           {name, count}: GPUs that are claimed (DRA), else null
 *   vertical                           {max} (or {max: null}) when sizes are recommended, else null
 *   sh                                 what runs the scripts: the toolbox's shell, else /bin/sh
 *   toolbox                            {image, copy, resources}; image null when berth.yaml names none; copy: by init container
 *   priorityClass queue                text or null
 *   nodeSelector tolerations affinity  of the pod, or null
 *   topology                           node label within whose domains Kueue keeps the pods together, or null
 *   claims                             [{name, size, class (or null), access: [..]}]
 *   volumes mounts                     of the pod and of the container
 *   vars                               container env
 *   imagePullSecrets                   of the pod: secrets with as: registry, or null
 *   ports servicePorts                 of the container, and of the headless Service
 *   webPorts openPorts                 Service ports of the web tools (terminal on 80); NetworkPolicy ports of all that is offered
 *   files                              data of the scripts ConfigMap: templates/scripts/ in turn, setup.sh, passwd, group, and
 *                                      lists that running pods follow: packages.*, repositories, dotfiles, datasets, checkpoints
 *   keys                               text of authorized_keys
 *   hash                               of files without the lists: a change restarts the pods
 *   secretsHash                        of the values of secrets that a running pod cannot take up, or null: a change restarts the pods
 *
 * set, user/:
 *   name namespace subject             subject: the name that the cluster's sign-in gives, or null
 *   podSecurity podSecurityVersion     Pod Security level and version
 *   egress                             "internet" or "none"
 *   keep                               boolean
 *   quota                              spec.hard of the ResourceQuota
 *   limits                             spec.limits of the LimitRange
 *   claims                             as in env: the shared volumes
 *   queues                             names of the teams with a queue (Kueue), else empty
 *   accessPorts                        NetworkPolicy ports of all environments
 * set, team/:  queue                   {cohort, fairSharing, resourceGroups} of a ClusterQueue, or null
 * set, org/:   flavors                 [{name, nodeSelector, tolerations, topology}] with Kueue, else empty
 *
 * Errors name the field: "spec.volumes[1].path: two volumes at /data".
 */

/* templates/scripts/: file name -> text, and a digest of all of it; apart from it those for environments with secrets. */
struct context_scripts {
	struct value *files, *secrets;
	struct digest digest, secrets_digest;
};

int context_env(struct arena *mem, const struct env *env, const struct context_scripts *scripts, struct value **out,
                struct err *e) MUST_USE;
int context_user(struct arena *mem, const struct site *s, const struct doc *user, const struct env *const *envs, size_t n,
                 struct value **out, struct err *e) MUST_USE;
int context_team(struct arena *mem, const struct site *s, const struct doc *team, struct value **out, struct err *e) MUST_USE;
int context_org(struct arena *mem, const struct site *s, struct value **out, struct err *e) MUST_USE;

/* Labels that every object of a set carries; set again after the templates. */
struct value *context_labels_env(struct arena *mem, const struct env *env);
struct value *context_labels_pod(struct arena *mem, const struct env *env); /* without the user's: they change without a restart */
struct value *context_labels(struct arena *mem, const char *owner, const char *team);

/* Parts shared by the sets (context_common.c). */
struct value *context_base(struct arena *mem, const struct doc *org);
struct value *context_doc(struct arena *mem, const struct doc *d);
struct value *context_claim(struct arena *mem, const char *name, int64_t size, const char *class, const char *access);
bool context_feature(const struct value *context, const char *name);
const char *context_access_mode(const char *shorthand); /* "RWX" -> "ReadWriteMany"; unknown: ReadWriteOnce */

/* The port of a web tool of access.web ("terminal" 7681, "jupyter" 8888, "vscode" 8080), or 0. */
int64_t context_web_port(const char *tool);

#define CONTEXT_SSH_PORT 2222
#define CONTEXT_TORCH_PORT 29500
#define CONTEXT_GRACE 60  /* seconds that a pod gets to end, unless it asks for more */
#define CONTEXT_JOB "node" /* name of a JobSet's one replicated job */

/* The label of a pod with its number, and the user that it runs as. */
const char *context_index_label(const struct env *env);
const char *context_sh(const struct env *env);          /* what scripts are run by: the toolbox's, else the image's */
const char *context_login_shell(const struct env *env); /* what passwd names: becomes a shell that the image or the toolbox has */
int64_t context_uid(const struct env *env);

/* Adds "files" and "hash" to `out`, the map that becomes "env", which has "user" (context_files.c). */
int context_files(struct arena *mem, const struct env *env, const struct context_scripts *scripts, struct value *out,
                  struct err *e) MUST_USE;

/* The pod's parts (context_pod.c); they add to `env`, the map that becomes the key "env". */
int context_pod(struct arena *mem, const struct env *env, const struct value *context, struct value *out, struct err *e) MUST_USE;
/* Engine, command, root entry and the like, into the same (context_shape.c). */
void context_shape(struct arena *mem, const struct env *env, const struct value *context, struct value *out);

/* `text` so that it arrives in the container as it was written: the kubelet expands $(NAME). */
const char *context_literal(struct arena *mem, const char *text);

/* Variables that a person gives, name -> text as it was written: of distributed.ncclSettings and spec.env. */
int context_given(struct arena *mem, const struct env *env, struct value **out, struct err *e) MUST_USE;
int context_vars(struct arena *mem, const struct env *env, struct value **out, struct err *e) MUST_USE;
