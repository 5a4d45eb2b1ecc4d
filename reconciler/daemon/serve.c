/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd, one thread, two pages. */
#include "daemon/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

struct server {
	struct MHD_Daemon *mhd;
	const struct health *health;
};

struct answer {
	unsigned int status;
	char text[256];
};

static void
healthz(const struct health *h, struct answer *a)
{
	int64_t age = clock_mono_ms() - atomic_load(&h->beat);

	if (age <= h->beat_max) {
		*a = (struct answer){ MHD_HTTP_OK, "ok\n" };
		return;
	}
	a->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	(void)snprintf(a->text, sizeof(a->text), "the loop has not turned for %lld ms\n", (long long)age);
}

static void
readyz(const struct health *h, struct answer *a)
{
	int failures = atomic_load(&h->failures);

	a->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	if (!atomic_load(&h->last_good))
		(void)snprintf(a->text, sizeof(a->text), "no pass has gone through yet\n");
	else if (failures)
		(void)snprintf(a->text, sizeof(a->text), "the last %d attempts failed, see the log\n", failures);
	else
		*a = (struct answer){ MHD_HTTP_OK, "ok\n" };
}

static const struct page {
	const char *path;
	void (*fn)(const struct health *h, struct answer *a);
} pages[] = {
	{ "/healthz", healthz },
	{ "/readyz", readyz },
};

static enum MHD_Result
answer_request(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
               const char *upload, size_t *upload_size, void **state)
{
	const struct server *s = cls;
	struct answer a = { MHD_HTTP_NOT_FOUND, "not found; there are /healthz and /readyz\n" };
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)version;
	(void)upload;
	(void)state;
	if (*upload_size) {
		*upload_size = 0; /* read and dropped */
		return MHD_YES;
	}
	if (!str_eq(method, "GET") && !str_eq(method, "HEAD"))
		a = (struct answer){ MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n" };
	else
		for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
			if (strcmp(url, pages[i].path) == 0)
				pages[i].fn(s->health, &a);
	r = MHD_create_response_from_buffer(strlen(a.text), a.text, MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	(void)MHD_add_response_header(r, "Content-Type", "text/plain; charset=utf-8");
	(void)MHD_add_response_header(r, "Cache-Control", "no-store");
	rc = MHD_queue_response(c, a.status, r);
	MHD_destroy_response(r);
	return rc;
}

/* "ADDR:PORT" -> a bound, listening socket. */
static int
listen_on(const char *listen_text, int *fd, struct err *e)
{
	char host[256] = "127.0.0.1";
	const char *colon = strrchr(listen_text, ':');
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	struct addrinfo *ai;
	int64_t port;
	size_t n;
	int one = 1, s;

	if (!colon || !colon[1])
		return err_set(e, ERR_USAGE, "--listen %s: write ADDR:PORT, for example 127.0.0.1:8080", listen_text);
	n = (size_t)(colon - listen_text);
	if (n >= 2 && listen_text[0] == '[' && colon[-1] == ']')
		(void)snprintf(host, sizeof(host), "%.*s", (int)(n - 2), listen_text + 1);
	else if (n)
		(void)snprintf(host, sizeof(host), "%.*s", (int)n, listen_text);
	/* getaddrinfo takes 99999 and listens on 34463 */
	if (str_to_i64(colon + 1, &port) < 0 || port < 0 || port > 65535 || getaddrinfo(host, colon + 1, &hints, &ai) != 0)
		return err_set(e, ERR_USAGE, "--listen %s: not a numeric address and port", listen_text);
	s = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, 0);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(s, ai->ai_addr, ai->ai_addrlen) < 0 || listen(s, 64) < 0) {
		int rc = err_errno(e, "listen on %s", listen_text);

		if (s >= 0)
			(void)close(s);
		freeaddrinfo(ai);
		return rc;
	}
	freeaddrinfo(ai);
	*fd = s;
	return 0;
}

int
server_start(const char *listen_text, const struct health *h, struct server **out, struct err *e)
{
	sigset_t all, was;
	struct server *s;
	int fd = -1, rc;

	if ((rc = listen_on(listen_text, &fd, e)) < 0)
		return rc;
	s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->health = h;
	/* signals are for the main thread, which must not take a step before the handler of one that is due (lib/kube/lease.c) */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &was);
	s->mhd = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, answer_request, s,
	                          MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, 64u,
	                          MHD_OPTION_CONNECTION_TIMEOUT, 3u, MHD_OPTION_PER_IP_CONNECTION_LIMIT, 32u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384,
	                          MHD_OPTION_END);
	(void)pthread_sigmask(SIG_SETMASK, &was, NULL);
	if (!s->mhd) {
		(void)close(fd);
		free(s);
		return err_set(e, ERR_UNAVAILABLE, "cannot start the HTTP server on %s", listen_text);
	}
	*out = s;
	return 0;
}

void
server_stop(struct server *s)
{
	if (!s)
		return;
	MHD_stop_daemon(s->mhd);
	free(s);
}
