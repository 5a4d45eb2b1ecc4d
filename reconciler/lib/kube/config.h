/* SPDX-License-Identifier: Apache-2.0 */
/* How to reach an API server: a kubeconfig file, or the service account of the pod that berth runs in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"

/* Where a bearer token comes from; at most one of the two is set. */
struct kube_token {
	const char *text; /* as it stands in the kubeconfig; registered with redact_add */
	const char *file; /* read again when it changes (kube_token_read): in-cluster tokens rotate every hour */
};

struct kube_config {
	const char *server;      /* "https://127.0.0.1:6443", no trailing slash; http:// only for loopback */
	const char *ca;          /* PEM text, or NULL: the system's */
	const char *cert, *key;  /* PEM texts of the client certificate, or NULL */
	const char *tls_server_name; /* NULL: the host of `server` */
	bool insecure;           /* insecure-skip-tls-verify */
	struct kube_token token;
	const char *const *exec; /* argv of a credential plugin that is on the allow-list, or NULL */
	const char *const *exec_env; /* "NAME=value", NULL-terminated, or NULL */
	const char *namespace_;  /* of the context, or of the pod; "default" when neither says */
	const char *source;      /* for messages: "kubeconfig FILE, context NAME" or "in-cluster service account" */
};

struct kube_config_options {
	const char *kubeconfig;  /* NULL: $KUBECONFIG (one file), then the pod's service account, then ~/.kube/config */
	const char *context;     /* NULL: current-context */
	const char *const *exec_allow; /* absolute paths of credential plugins that may be run; NULL: none */
	size_t nexec_allow;
};

/*
 * Reads and checks it; everything lives in mem. Relative file names count from the kubeconfig's folder; of data and
 * file the data counts, of token and tokenFile the file. ERR_DENIED for `auth-provider` and for an `exec` whose
 * command is not on the allow-list: by absolute path, or by a bare name, which means the allowed path that ends in
 * it (PATH is never asked). ERR_INVALID with file, line and what to write for anything else: proxy-url, passwords
 * and impersonation (`as`) are refused by name, unknown keys are ignored. Files of more than 1 MiB are refused. No
 * text of an error holds a credential, and all of them are with the redactor.
 * Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
int kube_config_load(const struct kube_config_options *o, struct arena *mem, struct kube_config *out, struct err *e) MUST_USE;

/*
 * The token to send now, or NULL when there is none. A token file is read when 60 s have passed since the last look
 * or `force` is set (after a 401); an exec plugin is run again 10 s before its answer expires or on `force`, for at
 * most 30 s, in which nothing else happens on this thread. When that fails without `force`, a token that has not
 * expired stays in use and is tried again after 10 s. ERR_UNAVAILABLE when a plugin fails, ERR_INVALID when what it
 * says cannot be used. The result is valid until the next call.
 */
struct kube_tokens;
struct kube_tokens *kube_tokens_new(const struct kube_config *c); /* `c` must outlive it */
void kube_tokens_free(struct kube_tokens *t);
int kube_token_read(struct kube_tokens *t, bool force, const char **out, struct err *e) MUST_USE;
