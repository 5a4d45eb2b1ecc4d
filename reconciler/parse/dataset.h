/* SPDX-License-Identifier: Apache-2.0 */
/* How an environment uses one of its datasets. */
#pragma once

#include "parse/env.h"

struct dataset_use {
	const char *name, *path;              /* path: where the environment sees the data */
	const char *stage;                    /* mount, nvme, mmap or stream */
	const char *claim;                    /* the claim with the data, or NULL: a bucket */
	const char *bucket, *prefix, *endpoint, *region, *secret; /* NULL where there is none */
	bool read_only;
	bool copied;                          /* `path` is a copy on a local volume, made by datasets.sh in the pod */
	int64_t size;                         /* bytes of the data; 0: not said */
};

/* Item `i` of spec.datasets, i < env->ndatasets. Text is borrowed from the documents, or lives in `mem`. */
void env_dataset(struct arena *mem, const struct env *env, size_t i, struct dataset_use *out);

/* Bytes of the local volume for a copy: the data and a tenth, for what a file system needs itself. */
int64_t dataset_room(const struct dataset_use *u);
