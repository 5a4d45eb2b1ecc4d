/* SPDX-License-Identifier: Apache-2.0 */
/* Many HTTP requests at once over few connections: libcurl's multi interface, HTTP/2 where the server speaks it. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct hub;

struct hub_config {
	const char *ca;          /* PEM text; NULL: the system's certificates */
	const char *cert, *key;  /* PEM texts of the client certificate; NULL: none */
	bool insecure;           /* the server's certificate is not checked */
	unsigned connections;    /* at most so many at once, 0: as many as it takes (servers without HTTP/2 need one a request) */
	/* Asked before every request and every connection; false: nothing is sent, the request ends with ERR_CANCELLED. May be NULL. */
	bool (*may_send)(void *ctx);
	void *ctx;
};

/* Texts are borrowed for the life of the hub. */
struct hub *hub_new(const struct hub_config *c);
void hub_free(struct hub *h); /* requests under way end without their callback */

struct hub_answer {
	int code;            /* 0: there is an HTTP status; else ERR_UNAVAILABLE, ERR_DENIED (certificate), ERR_CANCELLED, ERR_INVALID (too large) */
	long status;
	const char *body;    /* NUL-terminated behind len; "" when streamed */
	size_t len;
	int64_t retry_after; /* seconds, -1 when not sent */
	int64_t took_ms;
	const char *error;   /* text when code is not 0, without credentials and query */
};

struct hub_request {
	const char *method;  /* "GET", "PATCH" … */
	const char *url;
	const char *bearer;  /* token, or NULL */
	const char *accept, *content_type; /* NULL: none */
	const void *body;    /* borrowed until done */
	size_t body_len;
	int64_t timeout_ms;  /* of the whole request; 0: none (only with idle_ms) */
	int64_t idle_ms;     /* ends when no byte came for so long; 0: none */
	size_t answer_max;   /* 0: 4 MiB; of a streamed answer: 0, unbounded in sum */
	/* Streamed: every piece of the body of a 200 as it comes; false ends the request. NULL: collected. */
	bool (*on_data)(void *ctx, const char *p, size_t n);
	void (*on_done)(void *ctx, const struct hub_answer *a); /* once; may start further requests */
	void *ctx;
};

struct hub_transfer;

/* Starts it; strings are copied but for the body. on_done is called from hub_run only. The handle is valid until on_done. */
struct hub_transfer *hub_start(struct hub *h, const struct hub_request *q);
/* Ends it without its callback. */
void hub_cancel(struct hub *h, struct hub_transfer *t);

size_t hub_running(const struct hub *h);

/*
 * Sends and receives what can be on all n hubs and calls back; when nothing happened, waits up to `ms` for something, or until `fd`
 * (-1: none) is readable, and does it then.
 */
void hub_run(struct hub *const *hubs, size_t n, int64_t ms, int fd);

/* Connections made so far: a figure for people. */
size_t hub_connections(const struct hub *h);

/*
 * Cuts all connections of all hubs of this process at once. Async-signal-safe: a signal handler may call it when the right to
 * write has ended, so that nothing that was begun before a pause is sent after it.
 */
void hub_cut_all(void);
