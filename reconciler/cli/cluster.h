/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster that a verb asks: options, connection, and many questions at once. */
#pragma once

#include "cli/cmd.h"
#include "lib/kube/kube.h"

/* Rows for a verb's table; cluster_of_args reads them. */
#define CLUSTER_OPTS                                                                                                   \
	{ "kubeconfig", "FILE", "how to reach the cluster (default: $KUBECONFIG, the pod's account, ~/.kube/config)" }, \
	{ "context", "NAME", "context of the kubeconfig (default: its current one)" },                                 \
	{ "kubeconfig-exec", "PATH[:PATH]", "credential plugins that the kubeconfig may run (default: none)" }

int cluster_options(const struct args *a, struct kube_config_options *out, struct err *e) MUST_USE;

struct cluster {
	struct kube_config config;
	struct kube *kube;
};

/* Reads the configuration; nothing is sent yet. Texts live in a->mem. Close it with cluster_close. */
int cluster_of_args(const struct args *a, struct cluster *out, struct err *e) MUST_USE;
void cluster_close(struct cluster *c); /* an empty one is fine */

/* One request of many, and its answer. `path` NULL: not asked. */
struct question {
	const char *method, *path, *content_type, *accept; /* as in struct kube_request */
	const char *body;
	size_t len;
	/* The answer, in the arena given to cluster_ask; status 0: not asked. */
	int code;
	long status;
	const char *reason, *message;
	const struct value *answer; /* NULL when it was no JSON */
	int64_t took_ms;
	bool again;                 /* told to come back later */
};

/*
 * Asks all n, at most 32 at a time; what the server is too busy for (429, 503) is asked again, three times. An answer that is no
 * 2xx is an answer; a server that cannot be reached, or does not know who asks (401), is an error.
 */
int cluster_ask(struct cluster *c, struct arena *mem, struct question *q, size_t n, struct err *e) MUST_USE;

/* The value as a JSON body of q. */
void question_body(struct arena *mem, struct question *q, const struct value *v);
