/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests by libcurl. */
#include "lib/net/http.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "lib/base/str.h"
#include "lib/net/header.h"
#include "lib/net/init.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define TIMEOUT_MS 30000
#define CONNECT_MS 10000L

struct http {
	CURL *curl;
};

struct http *
http_new(void)
{
	struct http *h = calloc(1, sizeof(*h));

	net_init();
	if (!h || !(h->curl = curl_easy_init()))
		abort();
	return h;
}

void
http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h);
}

/* -- callbacks --------------------------------------------------------------------------------------------------------- */

static size_t
on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct http_response *r = ctx;

	buf_add(&r->body, p, size * n);
	return r->body.over ? 0 : n;
}

static void
copy(char *to, size_t cap, const char *from, size_t n)
{
	if (n >= cap)
		n = 0;
	memcpy(to, from, n);
	to[n] = '\0';
}

struct asked {
	const struct http_request *q;
	struct http_response *r;
};

static size_t
on_header(char *line, size_t size, size_t n, void *ctx)
{
	const struct asked *a = ctx;
	struct http_response *r = a->r;
	const char *v;
	size_t len;

	if (header_is(line, size * n, "content-type", &v, &len))
		copy(r->type, sizeof(r->type), v, len);
	else if (header_is(line, size * n, "etag", &v, &len))
		copy(r->etag, sizeof(r->etag), v, len);
	else if (!header_seconds(line, size * n, "retry-after", &r->retry_after) && a->q->on_header)
		a->q->on_header(a->q->ctx, line, size * n);
	return size * n;
}

static int
on_tick(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const atomic_bool *cancel = ctx;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return cancel && *cancel;
}

/* -- one request ---------------------------------------------------------------------------------------------------------- */

static void
set_fixed(CURL *c)
{
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "berth");
	curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, 0L);
	curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
}

static void
set_auth(CURL *c, const struct http_request *q)
{
	if (q->bearer) {
		curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
		curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, q->bearer);
	} else if (q->password) {
		curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(c, CURLOPT_USERNAME, q->username ? q->username : "");
		curl_easy_setopt(c, CURLOPT_PASSWORD, q->password);
	}
}

static struct curl_slist *
set_request(CURL *c, const struct http_request *q, struct asked *a)
{
	struct curl_slist *headers = NULL;

	for (size_t i = 0; q->headers && q->headers[i]; i++) {
		struct curl_slist *more = curl_slist_append(headers, q->headers[i]);

		if (!more)
			abort();
		headers = more;
	}
	curl_easy_setopt(c, CURLOPT_URL, q->url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(q->timeout_ms > 0 ? q->timeout_ms : TIMEOUT_MS));
	if (q->body) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body);
	}
	if (q->method)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
	if (q->method && strcmp(q->method, "HEAD") == 0)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	if (q->once)
		curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, a->r);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, a);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_tick);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, (void *)(uintptr_t)q->cancel);
	return headers;
}

static int
failure(CURLcode rc, const char *why, const struct http_request *q, const struct http_response *r, struct err *e)
{
	size_t shown = strcspn(q->url, "?#");
	int code = ERR_UNAVAILABLE;

	if (strlen(why) == 0)
		why = curl_easy_strerror(rc);
	if (r->body.over)
		return err_set(e, ERR_INVALID, "%.*s: the answer is larger than %zu bytes", (int)shown, q->url, r->body.max);
	switch (rc) {
	case CURLE_ABORTED_BY_CALLBACK:
		return err_set(e, ERR_CANCELLED, "%.*s: told to stop", (int)shown, q->url);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		code = ERR_DENIED;
		break;
	case CURLE_LOGIN_DENIED: /* user info in the URL: do not repeat it */
		return err_set(e, ERR_INVALID, "the URL holds credentials");
	case CURLE_URL_MALFORMAT:
		code = ERR_INVALID;
		break;
	default:
		break;
	}
	return err_set(e, code, "%.*s: %s", (int)shown, q->url, why);
}

int
http_request(struct http *h, const struct http_request *q, struct http_response *r, struct err *e)
{
	struct http_response got = { .body = BUF_INIT(q->answer_max ? q->answer_max : ANSWER_MAX), .retry_after = -1 };
	struct asked asked = { q, &got };
	char why[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers;
	CURLcode rc;

	if (!str_starts(q->url, "http://") && !str_starts(q->url, "https://"))
		return err_set(e, ERR_INVALID, "only http:// and https:// are asked");
	curl_easy_reset(h->curl); /* keeps connections, DNS and TLS sessions */
	set_fixed(h->curl);
	set_auth(h->curl, q);
	headers = set_request(h->curl, q, &asked);
	curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, why);
	rc = curl_easy_perform(h->curl);
	(void)curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &got.status);
	curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, NULL);
	net_words(why);
	curl_slist_free_all(headers);
	if (rc != CURLE_OK) {
		int code = failure(rc, why, q, &got, e);

		buf_free(&got.body);
		return code;
	}
	*r = got;
	return 0;
}

void
http_response_free(struct http_response *r)
{
	buf_free(&r->body);
}
