/* SPDX-License-Identifier: Apache-2.0 */
/* An environment with everything it refers to looked up and all defaults applied. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/files.h"
#include "lib/seal/part.h"
#include "parse/doc.h"

#define ENV_TEAMS_MAX 32

enum secret_as { SECRET_ENV, SECRET_FILE, SECRET_SSH, SECRET_GIT, SECRET_REGISTRY };

/* One entry of the data of a secret's Secret. */
struct env_secret_entry {
	const char *key;      /* in the Secret */
	const char *value;    /* sealed_value.name: "" of an .age file; of a registry's login made of several values */
	const char *variable; /* as: env; else NULL */
	unsigned line;        /* of the value in its file; 0: not known */
	/* Of the plain bytes, when world_seal_by was given; else of the sealed file, which tells nothing. Never shown to people. */
	char digest[SEAL_DIGEST_HEX];
};

/* One item of spec.secrets. */
struct env_secret {
	const char *name;
	enum secret_as as;
	const struct value *item;      /* for places of findings */
	const char *object, *type;     /* of the Secret: name, Kubernetes' type */
	struct sealed *sealed;         /* NULL: of a store */
	const char *file;              /* its path in the repository */
	struct digest digest;          /* of its bytes, sealed as they are */
	const char *path;              /* as: file: where; else NULL */
	bool folder;                   /* `path` is a folder with a file an entry */
	const char *store, *remote, *property; /* vault: ClusterSecretStore, key and property there; else NULL */
	struct env_secret_entry *entries;
	size_t n;
};

struct env {
	const struct doc *doc;
	const char *owner, *name;
	const char *namespace_;            /* org.namespacePrefix + owner */
	const struct doc *org, *user, *team, *flavor, *image; /* team and image may be NULL (none; plain reference) */
	const struct value *spec;          /* after defaults: environment, flavor, image, team, organization, built-in */
	const char *image_ref;             /* what a container runs */
	const struct doc *const *share;    /* the users of access.share, in its order */
	size_t nshare;
	const struct doc *const *datasets; /* one for each item of spec.datasets, in its order */
	size_t ndatasets;
	const char *setup;                 /* content of the file that spec.setup names, NUL-terminated; NULL when none */
	struct env_secret *secrets;        /* of spec.secrets, in its order; those with findings are left out */
	size_t nsecrets;
	char host_digest[SEAL_DIGEST_HEX]; /* of the derived host key and its certificate (world_seal_by); "": not told */
	bool distributed;
	int64_t world_size, nprocs, replicas_full; /* replicas_full = worldSize/nprocsPerNode, or 1 */
	int64_t replicas;                  /* 0 when paused, else replicas_full */
	int64_t gpu;                       /* a pod */
	int64_t cpu_request, cpu_limit;    /* thousandths, a pod */
	int64_t mem_request, mem_limit;    /* bytes, a pod */
	int64_t shm;                       /* bytes of /dev/shm */
	int64_t home;                      /* bytes */
	const char *const *deps;           /* paths of every file that went into this, the environment's own first */
	size_t ndeps;
};

/*
 * Looks up user, team, flavor, image and datasets, lays the defaults over each other and computes the numbers.
 * `d` must be schema-checked; when it is not ok its references are looked up all the same, so that everything is said
 * at once. A document it refers to that is not ok gives a finding E305.
 * Findings go to `r`; returns ERR_INVALID when there was an error among them (then *out is untouched).
 */
int env_resolve(struct arena *mem, const struct site *s, const struct files *files, const struct doc *d, struct report *r,
                struct env **out, struct err *e) MUST_USE;

/* The dependencies alone (same list, same order, no findings), for a document that does not resolve too. */
void env_deps(struct arena *mem, const struct site *s, const struct doc *d, const char *const **deps, size_t *n);

/* Whether a node must never take the pod's memory or cores back: requests become limits. */
bool env_guaranteed(const struct env *env);

#define GPU_RESOURCE "nvidia.com/gpu"

/* resources.limits.<key> of a flavor, else resources.requests.<key>; NULL when it has neither. */
const struct value *env_flavor_limit(const struct doc *flavor, const char *key);
