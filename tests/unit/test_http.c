/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests against a server that answers with fixed bytes. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/net/http.h"

static struct err e;

/* Takes connections until its socket is shut down; answers each request with `answer` ("" closes, NULL stays silent). */
struct peer {
	int fd, port, connections;
	const char *answer;
	char asked[4096];
	pthread_t thread;
};

/* Has the whole request come, its body too? */
static bool
whole(const char *in, size_t n)
{
	const char *body = strstr(in, "\r\n\r\n"), *length = strstr(in, "Content-Length: ");

	return body && n >= (size_t)(body + 4 - in) + (length && length < body ? strtoul(length + 16, NULL, 10) : 0);
}

static void
serve_one(struct peer *p, int c)
{
	char in[4096];
	size_t have = 0;
	ssize_t n;

	while ((n = read(c, in + have, sizeof(in) - 1 - have)) > 0) {
		have += (size_t)n;
		in[have] = '\0';
		if (!whole(in, have))
			continue;
		have = 0;
		(void)snprintf(p->asked, sizeof(p->asked), "%s", in);
		if (!p->answer)
			continue;
		if (!*p->answer || write(c, p->answer, strlen(p->answer)) < 0)
			return;
	}
}

static void *
serve(void *arg)
{
	struct peer *p = arg;
	int c;

	while ((c = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		p->connections++;
		serve_one(p, c);
		(void)close(c);
	}
	return NULL;
}

static void
peer_start(struct peer *p, const char *answer)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);

	memset(p, 0, sizeof(*p));
	p->answer = answer;
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(p->fd, 8), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&a, &len), 0);
	p->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
}

/* After the client has closed its connections. */
static void
peer_stop(struct peer *p)
{
	(void)shutdown(p->fd, SHUT_RDWR);
	(void)pthread_join(p->thread, NULL);
	(void)close(p->fd);
}

static int
ask(struct http *h, const struct peer *p, struct http_request q, struct http_response *r)
{
	char url[128];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/path?query=s3cret", p->port);
	q.url = url;
	return http_request(h, &q, r, &e);
}

static void
answers(void **state)
{
	static const struct {
		const char *name, *answer;
		int rc;
		long status;
		const char *body, *etag;
		int64_t retry;
	} rows[] = {
		{ "plain", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 0, 200, "hi", "", -1 },
		{ "headers", "HTTP/1.1 304 No\r\nETAG:  \"abc\" \r\nRetry-After: 17\r\n\r\n", 0, 304, "", "\"abc\"", 17 },
		{ "retry as a date", "HTTP/1.1 429 No\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", 0, 429,
		  "", "", -1 },
		{ "negative retry", "HTTP/1.1 429 No\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n", 0, 429, "", "", -1 },
		{ "error with a text", "HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\noops", 0, 500, "oops", "", -1 },
		{ "redirect is an answer", "HTTP/1.1 302 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 0, 302, "", "",
		  -1 },
		{ "chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 0, 200, "abc", "", -1 },
		{ "at the limit", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n12345678", 0, 200, "12345678", "", -1 },
		{ "over the limit", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789", ERR_INVALID, 0, NULL, NULL, 0 },
		{ "not HTTP", "hello\r\n\r\n", ERR_UNAVAILABLE, 0, NULL, NULL, 0 },
		{ "closed", "", ERR_UNAVAILABLE, 0, NULL, NULL, 0 },
		{ "silent", NULL, ERR_UNAVAILABLE, 0, NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http *h = http_new();
		struct http_response r;
		struct peer p;

		print_message("# %s\n", rows[i].name);
		peer_start(&p, rows[i].answer);
		assert_int_equal(
			ask(h, &p, (struct http_request){ .answer_max = 8, .timeout_ms = rows[i].answer ? 60000 : 200 }, &r), rows[i].rc);
		if (rows[i].rc == 0) {
			assert_int_equal(r.status, rows[i].status);
			assert_string_equal(buf_cstr(&r.body), rows[i].body);
			assert_string_equal(r.etag, rows[i].etag);
			assert_int_equal(r.retry_after, rows[i].retry);
			http_response_free(&r);
		} else {
			assert_null(strstr(e.text, "s3cret"));
		}
		http_free(h);
		peer_stop(&p);
	}
}

static void
requests(void **state)
{
	static const char *const headers[] = { "X-One: 1", NULL };
	struct http *h = http_new();
	struct http_response r;
	struct peer p;

	(void)state;
	peer_start(&p, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(ask(h, &p, (struct http_request){ .body = "data", .body_len = 4, .headers = headers, .username = "bo",
	                                                   .password = "pw" }, &r), 0);
	assert_non_null(strstr(p.asked, "POST /path?query=s3cret HTTP/1.1\r\n"));
	assert_non_null(strstr(p.asked, "\r\nX-One: 1\r\n"));
	assert_non_null(strstr(p.asked, "\r\nAuthorization: Basic Ym86cHc=\r\n"));
	assert_non_null(strstr(p.asked, "\r\n\r\ndata"));
	assert_int_equal(ask(h, &p, (struct http_request){ .method = "PATCH", .body = "x", .body_len = 1, .bearer = "tok" }, &r), 0);
	assert_non_null(strstr(p.asked, "PATCH "));
	assert_non_null(strstr(p.asked, "\r\nAuthorization: Bearer tok\r\n"));
	assert_int_equal(ask(h, &p, (struct http_request){ .method = NULL }, &r), 0);
	assert_non_null(strstr(p.asked, "GET "));
	assert_null(strstr(p.asked, "Authorization")); /* nothing is left of the request before */
	assert_int_equal(ask(h, &p, (struct http_request){ .method = "HEAD" }, &r), 0);
	assert_int_equal(p.connections, 1); /* one connection for all */
	http_free(h);
	peer_stop(&p);
}

static void
on_header(void *ctx, const char *line, size_t len)
{
	char *seen = ctx;

	(void)snprintf(seen + strlen(seen), 256 - strlen(seen), "%.*s|", (int)strcspn(line, "\r\n"), line);
	assert_true(len >= strcspn(line, "\r\n"));
}

static void
heads(void **state)
{
	struct http *h = http_new();
	struct http_response r;
	char seen[256] = "";
	struct peer p;

	(void)state;
	peer_start(&p, "HTTP/1.1 200 OK\r\nX-One: 1\r\nETag: \"a\"\r\nLink: <u>; rel=\"next\"\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(ask(h, &p, (struct http_request){ .on_header = on_header, .ctx = seen }, &r), 0);
	assert_non_null(strstr(seen, "|X-One: 1|Link: <u>; rel=\"next\"|Content-Length: 0|"));
	assert_null(strstr(seen, "ETag"));
	assert_null(strstr(seen, "Retry-After"));
	assert_string_equal(r.etag, "\"a\"");
	assert_int_equal(r.retry_after, 3);
	http_response_free(&r);
	http_free(h);
	peer_stop(&p);
}

static void
refused(void **state)
{
	static const struct {
		const char *url;
		int rc;
	} rows[] = {
		{ "file:///etc/passwd", ERR_INVALID }, { "gopher://127.0.0.1/", ERR_INVALID }, { "http://", ERR_INVALID },
		{ "http://bo:hunter2@127.0.0.1:1/", ERR_INVALID }, { "http://127.0.0.1:1/", ERR_UNAVAILABLE },
	};
	struct http *h = http_new();
	struct http_response r;
	struct peer p;
	atomic_bool cancel = true;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(http_request(h, &(struct http_request){ .url = rows[i].url }, &r, &e), rows[i].rc);
		assert_null(strstr(e.text, "hunter2"));
	}
	assert_null(strstr(e.text, " after ")); /* libcurl says how long it took: other words each time */
	peer_start(&p, NULL);
	assert_int_equal(ask(h, &p, (struct http_request){ .cancel = &cancel }, &r), ERR_CANCELLED);
	http_free(h);
	peer_stop(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(requests),
		cmocka_unit_test(heads),
		cmocka_unit_test(refused),
	};

	(void)setenv("no_proxy", "*", 1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
