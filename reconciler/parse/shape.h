/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from several fields of an environment together, the same for its check and its rendering. */
#pragma once

#include "parse/env.h"

#define SPOT_NODES_LABEL "karpenter.sh/capacity-type"
#define EFA_RESOURCE "vpc.amazonaws.com/efa"
#define STRICT_GROUPS_MINOR 35 /* from 1.35 on supplementalGroupsPolicy may be relied on */

enum spot { SPOT_NEVER, SPOT_ALLOW, SPOT_ONLY };

/* Whether cluster.features of berth.yaml names it. */
bool shape_feature(const struct doc *org, const char *name);

/* The minor number of cluster.version ("1.34", also "v1.34", "1.34.2"), or 0. */
int64_t shape_minor(const struct doc *org);

/* spec.scheduling.gpuSharing, else the flavor's gpu.sharing, else "none". */
const char *shape_sharing(const struct env *env);

/* The same of a flavor alone. */
const char *shape_flavor_sharing(const struct doc *flavor);

/*
 * The Kubernetes resource that `sharing` counts GPUs by: "nvidia.com/gpu", "nvidia.com/gpu.shared",
 * "nvidia.com/mig-<profile>"; NULL with dra, where a claim stands for them.
 */
const char *shape_gpu_resource(struct arena *mem, const char *sharing);

/*
 * The device that connects nodes directly, and how many a pod gets: of distributed.rdma, the flavor's rdma, or what its
 * resources name. False when none is asked for, or the flavor has none of that kind.
 */
bool shape_fabric(const struct env *env, const char **resource, int64_t *count);

/* distributed.rdma of a distributed environment, else "none". */
const char *shape_rdma(const struct env *env);

/* Distributed, with engine: jobset. */
bool shape_jobset(const struct env *env);

enum spot shape_spot(const struct env *env);

/* Whether the flavor's own node group has spot machines among its nodes. */
bool shape_spot_nodes(const struct doc *flavor);

/*
 * Whether the entry runs as root inside a user namespace: the flavor grants it, and apt or yum packages, or a sudo that the
 * organization and the image allow, need it. shape_sudo: the latter.
 */
bool shape_root_entry(const struct env *env);
bool shape_sudo(const struct env *env);

/* Seconds that a pod gets to end: long enough to save, and within the notice that spot machines give. */
int64_t shape_grace(const struct env *env);
