/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd, one thread, two pages, and bodies for the hooks. */
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

#include "daemon/serve_slow.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

struct server {
	struct MHD_Daemon *mhd;
	const struct health *health;
	struct hooks *hooks; /* or NULL */
	struct slow *slow;
	size_t bodies; /* bytes of all bodies that are being read */
};

/* A hook's body on its way; what does not fit is read and dropped, so that its sender gets to the answer. */
struct upload {
	enum webhook_forge forge;
	struct buf body;
	size_t dropped;
	bool busy; /* others' bodies take all the room there is */
};

#define DROPPED_MAX ((size_t)8 << 20)

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

/* `allow`: the methods that a page knows, or NULL. */
static enum MHD_Result
send_answer(struct MHD_Connection *c, unsigned int status, const char *text, const char *allow)
{
	char copy[256];
	struct MHD_Response *r;
	enum MHD_Result rc;

	(void)snprintf(copy, sizeof(copy), "%s", text);
	r = MHD_create_response_from_buffer(strlen(copy), copy, MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	(void)MHD_add_response_header(r, "Content-Type", "text/plain; charset=utf-8");
	(void)MHD_add_response_header(r, "Cache-Control", "no-store");
	if (allow)
		(void)MHD_add_response_header(r, "Allow", allow);
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

/* -- hooks --------------------------------------------------------------------------------------------------------- */

static enum MHD_Result
refuse_hook(const struct server *s, struct MHD_Connection *c, enum webhook_forge f, unsigned int status, const char *text)
{
	char reason[128];

	(void)snprintf(reason, sizeof(reason), "%.*s", (int)strcspn(text, "\n"), text);
	hooks_refuse(s->hooks, webhook_forge_name(f), reason);
	return send_answer(c, status, text, NULL);
}

#define TOO_LARGE "the body is over 1 MiB\n"
#define BUSY "too many bodies at once, come again\n"

static enum MHD_Result
begin_hook(struct server *s, struct MHD_Connection *c, enum webhook_forge f, void **state)
{
	const char *said = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
	struct upload *u;
	int64_t n;

	if (said && (str_to_i64(said, &n) < 0 || n < 0))
		return refuse_hook(s, c, f, MHD_HTTP_BAD_REQUEST, "Content-Length is no number\n");
	if (said && n > (int64_t)HOOK_BODY_MAX)
		return refuse_hook(s, c, f, MHD_HTTP_CONTENT_TOO_LARGE, TOO_LARGE);
	if (!(u = calloc(1, sizeof(*u))))
		abort();
	u->forge = f;
	u->body.max = HOOK_BODY_MAX;
	*state = u;
	return MHD_YES;
}

static enum MHD_Result
add_to_hook(struct server *s, struct upload *u, const char *bytes, size_t n)
{
	size_t had = u->body.len;

	if (s->bodies + n > HOOK_BODIES_MAX)
		u->busy = true;
	if (!u->busy && !u->body.over)
		buf_add(&u->body, bytes, n);
	s->bodies += u->body.len - had;
	u->dropped += n - (u->body.len - had);
	return u->dropped > DROPPED_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result
end_hook(const struct server *s, struct MHD_Connection *c, const struct upload *u)
{
	struct webhook w = { .forge = u->forge, .body = buf_cstr(&u->body), .len = u->body.len };
	const char *text;
	unsigned int status;

	if (u->body.over)
		return refuse_hook(s, c, u->forge, MHD_HTTP_CONTENT_TOO_LARGE, TOO_LARGE);
	if (u->busy)
		return refuse_hook(s, c, u->forge, MHD_HTTP_SERVICE_UNAVAILABLE, BUSY);
	for (unsigned int i = 0; i < WEBHOOK_HEADERS; i++)
		w.headers[i] = MHD_lookup_connection_value(c, MHD_HEADER_KIND, webhook_header_name((enum webhook_header)i));
	status = hooks_take(s->hooks, &w, clock_now(), &text);
	return send_answer(c, status, text, NULL);
}

static bool
is_hook(const struct server *s, const char *url, enum webhook_forge *f)
{
	static const char prefix[] = "/hook/";

	return s->hooks && str_starts(url, prefix) && webhook_forge_parse(url + sizeof(prefix) - 1, f);
}

static enum MHD_Result
on_hook(struct server *s, struct MHD_Connection *c, enum webhook_forge f, const char *method, const char *bytes, size_t *n, void **state)
{
	enum MHD_Result rc;

	if (!*state)
		return str_eq(method, "POST") ? begin_hook(s, c, f, state) : send_answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, "POST only\n", "POST");
	if (!*n)
		return end_hook(s, c, *state);
	rc = add_to_hook(s, *state, bytes, *n);
	*n = 0;
	return rc;
}

/* -- requests ------------------------------------------------------------------------------------------------------- */

static enum MHD_Result
answer_request(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
               const char *upload, size_t *upload_size, void **state)
{
	struct server *s = cls;
	struct answer a = { MHD_HTTP_NOT_FOUND, "not found; there are /healthz and /readyz\n" };
	bool get = str_eq(method, "GET") || str_eq(method, "HEAD");
	enum webhook_forge forge;

	(void)version;
	if (is_hook(s, url, &forge))
		return on_hook(s, c, forge, method, upload, upload_size, state);
	if (*upload_size) {
		*upload_size = 0; /* read and dropped */
		return MHD_YES;
	}
	if (s->hooks)
		(void)snprintf(a.text, sizeof(a.text), "not found; there are /healthz, /readyz, /hook/github, /hook/gitlab and /hook/gitea\n");
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(url, pages[i].path) != 0)
			continue;
		if (!get)
			return send_answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n", "GET, HEAD");
		pages[i].fn(s->health, &a);
	}
	return send_answer(c, a.status, a.text, NULL);
}

static struct slow_place *
place_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return i ? i->socket_context : NULL;
}

static void
on_done(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct server *s = cls;
	struct upload *u = *state;

	(void)why;
	if (u) {
		s->bodies -= u->body.len;
		buf_free(&u->body);
		free(u);
		*state = NULL;
	}
	slow_again(s->slow, place_of(c));
}

static void
on_connection(void *cls, struct MHD_Connection *c, void **place, enum MHD_ConnectionNotificationCode what)
{
	struct server *s = cls;
	const union MHD_ConnectionInfo *i = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (what == MHD_CONNECTION_NOTIFY_CLOSED)
		slow_end(s->slow, *place);
	else if (i)
		*place = slow_begin(s->slow, i->connect_fd);
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

/* Not MHD's own limit an address: behind a proxy all have the same one, and in a crowd the one that takes longest goes. */
static struct MHD_Daemon *
start_mhd(struct server *s, int fd)
{
	return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, answer_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
	                        MHD_OPTION_CONNECTION_LIMIT, (unsigned int)SLOW_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, 3u,
	                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_NOTIFY_COMPLETED, on_done, s,
	                        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
}

int
server_start(const char *listen_text, const struct health *h, struct hooks *hooks, struct server **out, struct err *e)
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
	s->hooks = hooks;
	/* signals are for the main thread, which must not take a step before the handler of one that is due (lib/kube/lease.c) */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &was);
	s->slow = slow_new();
	s->mhd = start_mhd(s, fd);
	(void)pthread_sigmask(SIG_SETMASK, &was, NULL);
	if (!s->mhd) {
		(void)close(fd);
		slow_free(s->slow);
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
	slow_free(s->slow);
	free(s);
}
