/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests by libcurl on connections that are kept: certificates checked, no redirects, everything bounded. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* Keeps connections open between requests. For one thread at a time. */
struct http;

struct http *http_new(void); /* never NULL */
void http_free(struct http *h);

struct http_request {
	const char *method;               /* NULL: GET, or POST when there is a body */
	const char *url;                  /* http:// or https:// */
	const char *const *headers;       /* "Name: value", NULL-terminated; may be NULL */
	const char *username, *password;  /* basic authentication when password is not NULL */
	const char *bearer;               /* or a bearer token */
	const void *body;
	size_t body_len;
	int64_t timeout_ms;               /* of the whole request; 0: 30 s */
	size_t answer_max;                /* 0: 1 MiB; a larger answer is ERR_INVALID */
	const atomic_bool *cancel;      /* may be NULL */
	bool once;                        /* on a connection of its own: libcurl sends again by itself what a kept connection has swallowed */
	/* Given every line of the answer's head that is not one of http_response's, as it comes (see header.h). May be NULL. */
	void (*on_header)(void *ctx, const char *line, size_t len);
	void *ctx;
};

struct http_response {
	long status;
	struct buf body;
	char type[128];      /* Content-Type as sent */
	char etag[256];      /* quotes included; "" when not sent or longer */
	int64_t retry_after; /* seconds, -1 when not sent or not a number */
};

/*
 * ERR_UNAVAILABLE when there is no answer, ERR_DENIED when the certificate is not trusted, ERR_CANCELLED. Any HTTP
 * status is an answer. Texts never hold credentials or the URL's query.
 */
int http_request(struct http *h, const struct http_request *q, struct http_response *r, struct err *e) MUST_USE;
void http_response_free(struct http_response *r);
