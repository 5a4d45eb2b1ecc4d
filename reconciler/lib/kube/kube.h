/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cluster: requests to the Kubernetes API server's REST interface, answers with its words for errors. One thread.
 * Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ and api-conventions (Status, retry, watch).
 */
#pragma once

#include <stdatomic.h>

#include "lib/doc/value.h"
#include "lib/kube/config.h"

#define KUBE_MANAGER "berth" /* our field manager, the only one */

struct kube;

/* `c` is borrowed. Nothing is sent yet. may_send: see hub_config. */
struct kube *kube_new(const struct kube_config *c, bool (*may_send)(void *ctx), void *ctx);
void kube_free(struct kube *k);
const char *kube_server(const struct kube *k);
/* The bearer token to send now, as kube_token_read has it; for requests that another process sends. */
int kube_token(struct kube *k, bool force, const char **out, struct err *e) MUST_USE;

/* -- kinds ------------------------------------------------------------------------------------------------------------ */

struct kube_kind {
	const char *group;   /* "" for the core group */
	const char *version; /* "v1" */
	const char *kind, *plural;
	bool namespaced, can_patch, can_delete, can_list, can_watch, has_scale;
	unsigned number;     /* 0, 1, 2 … in order of first use: index for tables */
};

/* Asks the server what it serves (aggregated discovery, 2 requests); once, again with kube_discover_again. */
int kube_discover(struct kube *k, struct err *e) MUST_USE;
int kube_discover_again(struct kube *k, struct err *e) MUST_USE;

/* "apps/v1", "StatefulSet"; ERR_NOTFOUND when the server does not serve it (hint: what to install). Valid until kube_free. */
int kube_kind(struct kube *k, const char *api_version, const char *kind, const struct kube_kind **out, struct err *e) MUST_USE;
/* Any served version of it, the server's preferred first; NULL when there is none. */
const struct kube_kind *kube_kind_any(struct kube *k, const char *group, const char *kind);
/* "apps/v1", or "v1" for the core group. In mem. */
const char *kube_api_version(struct arena *mem, const struct kube_kind *kind);

/* "/apis/apps/v1/namespaces/dev-alice/statefulsets/train"; name NULL: the collection; ns NULL: cluster-wide. In mem. */
char *kube_path(struct arena *mem, const struct kube_kind *kind, const char *ns, const char *name);

/* GET /version: "v1.36.3". In mem. */
int kube_version(struct kube *k, struct arena *mem, const char **out, struct err *e) MUST_USE;

/* -- requests ---------------------------------------------------------------------------------------------------------- */

#define KUBE_APPLY "application/apply-patch+yaml" /* server-side apply; a JSON body is fine */
#define KUBE_JSON_PATCH "application/json-patch+json"
#define KUBE_MERGE_PATCH "application/merge-patch+json"
#define KUBE_METADATA "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
#define KUBE_METADATA_LIST "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

struct kube_answer {
	/*
	 * 0 for 2xx. ERR_NOTFOUND 404, ERR_CONFLICT 409 and 412, ERR_INVALID 400 and 422 and other 4xx, ERR_DENIED 401 (after one more
	 * try with a fresh token) and 403, ERR_UNAVAILABLE 429, 5xx, time-outs and lost connections, ERR_CANCELLED.
	 */
	int code;
	long status;            /* HTTP, 0 when there was none */
	const char *body;       /* JSON, NUL-terminated */
	size_t len;
	const char *reason;     /* of a Status: "AlreadyExists", "Conflict", "Invalid", "Forbidden" …; "" */
	const char *message;    /* the server's own words or the transport's, one line, redacted; "" for 2xx */
	int64_t retry_after_ms; /* -1: the server did not say */
	int64_t took_ms;
};

struct kube_request {
	const char *method;       /* "GET", "PATCH", "POST", "PUT", "DELETE" */
	const char *path;         /* with query: "/api/v1/namespaces/x?fieldManager=berth&force=true" */
	const char *content_type; /* of the body; NULL: application/json */
	const char *accept;       /* NULL: application/json */
	const char *body;         /* borrowed until done */
	size_t body_len;
	int64_t timeout_ms;       /* 0: 30 s */
	size_t answer_max;        /* 0: 4 MiB */
	void (*done)(void *ctx, const struct kube_answer *a); /* once, from kube_run; from kube_send when there is no token to send */
	void *ctx;
};

/* Starts it. The path is copied. */
void kube_send(struct kube *k, const struct kube_request *q);
size_t kube_running(const struct kube *k); /* requests under way, watches not counted */
/* Network work and callbacks; waits up to `ms` when nothing happens, or until `fd` (-1: none) is readable. */
void kube_run(struct kube *k, int64_t ms, int fd);

/*
 * The same and wait: for verbs and start-up. The body is parsed into mem (*out may be NULL). An answer that is no 2xx is an error
 * whose text names server, path and the server's message, with a next step in the hint. `cancel` may be NULL.
 */
int kube_call(struct kube *k, struct arena *mem, const struct kube_request *q, const atomic_bool *cancel, struct value **out,
              struct err *e) MUST_USE;

/* -- watches ------------------------------------------------------------------------------------------------------------ */

enum kube_event { KUBE_ADDED, KUBE_MODIFIED, KUBE_DELETED };

struct kube_watch;

struct kube_watch_config {
	const struct kube_kind *kind;
	const char *ns;             /* NULL: all namespaces */
	const char *label_selector, *field_selector; /* not percent-encoded; NULL: none */
	bool metadata_only;
	void (*on_begin)(void *ctx); /* a list begins: at first, and again after 410 Gone */
	/* A state of one object. Lists give KUBE_ADDED for each; `object` and its texts are valid during the call only. */
	void (*on_event)(void *ctx, enum kube_event what, const struct value *object);
	/* A list is complete: what was not given since its beginning is not there. */
	void (*on_synced)(void *ctx);
	/* Listing or watching failed; it goes on by itself with back-off. */
	void (*on_trouble)(void *ctx, const struct err *e);
	void *ctx;
};

/*
 * Lists (pages of 100, of whole objects 40), then watches with bookmarks from the list's resourceVersion; a cut resumes where it was, 410 Gone lists again,
 * a stream that is silent for longer than the server's own time-out is cut. Runs inside kube_run on a connection of its own.
 */
struct kube_watch *kube_watch_start(struct kube *k, const struct kube_watch_config *c);
void kube_watch_stop(struct kube_watch *w);
bool kube_watch_synced(const struct kube_watch *w);
/* The newest resourceVersion seen; within on_synced that of the list. 0: none yet, or no number. */
uint64_t kube_watch_version(const struct kube_watch *w);
