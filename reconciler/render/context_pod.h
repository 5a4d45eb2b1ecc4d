/* SPDX-License-Identifier: Apache-2.0 */
/* What the files share that make the parts of contexts: context_pod.c, _volumes.c, _datasets.c, _memory.c, _place.c, _limits.c, _queue.c. */
#pragma once

#include "render/context.h"

/* A pod while it is put together. Lists are Kubernetes' own: claims are described in context.h. */
struct pod {
	struct arena *mem;
	const struct env *env;
	const struct value *context;               /* for features */
	struct value *claims, *volumes, *mounts;
	const char *home_class, *shared_class;     /* storage classes of the organization, or NULL */
};

/* The spec of a document, or NULL. */
static inline const struct value *
pod_spec(const struct doc *d)
{
	return d ? d->spec : NULL;
}

/* {key: s} */
struct value *pod_str1(struct arena *mem, const char *key, const char *s);

/* Mounts `volume` at `path`; ERR_INVALID when something is there already. `field` names who asks, for the message. */
int pod_mount(struct pod *p, const char *volume, const char *path, const char *sub_path, bool read_only, const char *field,
              struct err *e) MUST_USE;

/* Adds a volume: {name, <source>: body}, a claim, or a ConfigMap. */
void pod_volume(struct pod *p, const char *name, const char *source, struct value *body);
void pod_claim(struct pod *p, const char *name, const char *claim, bool read_only);
void pod_config(struct pod *p, const char *name, const char *config_map, int64_t mode);

/* context_volumes.c */
int pod_home(struct pod *p, struct err *e) MUST_USE;
int pod_shared(struct pod *p, struct err *e) MUST_USE;
int pod_volumes(struct pod *p, struct err *e) MUST_USE;
int pod_checkpoints(struct pod *p, struct err *e) MUST_USE;

/* context_datasets.c */
int pod_datasets(struct pod *p, struct err *e) MUST_USE;

/* context_memory.c: /dev/shm and huge pages; requests and limits of the container, and without devices; {name, count} or null. */
int pod_memory(struct pod *p, struct err *e) MUST_USE;
int pod_resources(struct arena *mem, const struct env *env, struct value **out, struct err *e) MUST_USE;
struct value *pod_plain_resources(struct arena *mem, const struct env *env);
struct value *pod_gpu_claim(struct arena *mem, const struct env *env);

/* context_place.c: nodeSelector, tolerations, affinity and topology into `out`, which has the selector and the queue. */
void pod_placement(struct arena *mem, const struct env *env, struct value *out);

/* context_limits.c: spec.hard of a user's ResourceQuota, spec.limits of the LimitRange, the namespace's Pod Security level. */
struct value *context_quota(struct arena *mem, const struct doc *org, const struct doc *user, const struct env *const *envs, size_t n);
struct value *context_limits(struct arena *mem, const struct doc *org, const struct doc *user, const struct env *const *envs, size_t n);
const char *context_pod_security(const struct doc *org, const struct env *const *envs, size_t n);

/* context_queue.c: {cohort, fairSharing, resourceGroups} of a team's ClusterQueue. */
struct value *context_queue(struct arena *mem, const struct site *s, const struct value *queue);
