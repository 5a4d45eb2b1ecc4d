/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of config.h: parts with the folders, names and times that tests give. */
#pragma once

#include "lib/doc/value.h"
#include "lib/kube/config.h"

#define KUBE_FILE_MAX ((size_t)1 << 20) /* a kubeconfig, a certificate, a key */
#define KUBE_EXEC_INFO "KUBERNETES_EXEC_INFO"

/* One kubeconfig that is being read. */
struct kubeconfig {
	const struct kube_config_options *o;
	struct arena *mem;
	const char *file, *folder; /* folder ends with '/', or is "" */
	struct err *e;
};

/* Sets k->e to "kubeconfig FILE:LINE: fmt" and returns `code`. `at` may be NULL: no line. */
int kubeconfig_bad(const struct kubeconfig *k, const struct place *at, int code, const char *fmt, ...) PRINTF(4, 5);

/* The text behind a key, NULL when it is not there, null or "". ERR_INVALID when it is no string. */
int kubeconfig_text(const struct kubeconfig *k, const struct value *map, const char *key, const char **out) MUST_USE;

/* The boolean behind a key, false when it is not there. */
int kubeconfig_bool(const struct kubeconfig *k, const struct value *map, const char *key, bool *out) MUST_USE;

/* Sets k->e: the value of that key (it must be there) is no `want` ("string"). Returns ERR_INVALID. */
int kubeconfig_wrong_type(const struct kubeconfig *k, const struct value *map, const char *key, const char *want);

/* Of the key, else of the map. */
const struct place *kubeconfig_place(const struct value *map, const char *key);

/* A key that is not honoured and would mean something: named with the reason when it is there and not empty. */
struct kubeconfig_refused {
	const char *key;
	int code;
	const char *why, *next;
};
int kubeconfig_refuse(const struct kubeconfig *k, const struct value *map, const struct kubeconfig_refused *rows,
                      size_t n) MUST_USE;

/*
 * PEM of `kind` (as kube_pem_flaw) from "<key>-data" or from the file that `key` names; *out stays as it is when
 * neither is there.
 */
int kubeconfig_pem(const struct kubeconfig *k, const struct value *map, const char *key, const char *kind,
                   const char **out) MUST_USE;

/* users[].user: token, cert, key, exec of *c. `cluster` and *c as for kubeconfig_exec. */
int kubeconfig_user(const struct kubeconfig *k, const struct value *user, const struct value *cluster,
                    struct kube_config *c) MUST_USE;

/* Reads `file`, the context o->context of it. */
int kubeconfig_read(const char *file, const struct kube_config_options *o, struct arena *mem, struct kube_config *out,
                    struct err *e) MUST_USE;

/*
 * users[].user.exec: fills out->exec and out->exec_env. `cluster` is what KUBERNETES_EXEC_INFO tells the plugin
 * where it asks for that; out->server, ca, insecure and tls_server_name are set already.
 * Source: https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
 */
int kubeconfig_exec(const struct kubeconfig *k, const struct value *exec, const struct value *cluster,
                    struct kube_config *out) MUST_USE;

/* The account in `folder` (token, ca.crt, namespace) and the API server at `host`:`port`. */
int kube_in_cluster(const char *folder, const char *host, const char *port, struct arena *mem, struct kube_config *out,
                    struct err *e) MUST_USE;

/*
 * A server's URL without its trailing slashes, in mem; or NULL, and *flaw says what is wrong with it and *next what
 * to write. Neither repeats the URL, which may hold a password.
 */
const char *kube_server_url(struct arena *mem, const char *url, const char **flaw, const char **next);

/* NULL, or what keeps `s` from being the name of a namespace. */
const char *kube_namespace_flaw(const char *s);

/* NULL, or what keeps the n bytes from being PEM of that kind ("CERTIFICATE", "PRIVATE KEY"). */
const char *kube_pem_flaw(const char *s, size_t n, const char *kind);

/* kube_token_read at a time: milliseconds of the monotonic clock and seconds since 1970. */
int kube_token_read_at(struct kube_tokens *t, bool force, int64_t mono_ms, int64_t now, const char **out, struct err *e) MUST_USE;
