/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface: a pool of easy handles, callbacks after the fact. */
#include "lib/net/hub.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/net/header.h"
#include "lib/net/init.h"

#define ANSWER_MAX ((size_t)4 << 20)
#define CONNECT_MS 10000L
#define SOCKETS 256  /* of the whole process */
#define POLLED 64    /* sockets of the other hubs that one wait can listen to */
#define YOUNG_MS 5   /* how long to wait while a connection of another hub is being made */
#define IDLE_POOL 64 /* easy handles kept */
#define UPLOAD_MIN 16384 /* bytes of a body that are sent at once, see refused_early */
#define UPLOAD_MAX ((size_t)1 << 20)
#define UNSENT_MS 4000 /* with may_send: the kernel drops what a peer does not take, also while this process is stopped */

struct hub_transfer {
	struct hub *hub;
	struct hub_transfer *next, *prev;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body;
	bool (*on_data)(void *ctx, const char *p, size_t n);
	void (*on_done)(void *ctx, const struct hub_answer *a);
	void *ctx;
	int64_t begun, retry_after;
	size_t url_shown;
	bool refused, started, stopped_by_reader;
	char why[CURL_ERROR_SIZE];
};

struct hub {
	struct hub_config c;
	CURLM *multi;
	struct hub_transfer *active; /* under way, newest first */
	struct hub_transfer *refused; /* may_send said no: told in hub_run */
	struct hub_transfer *idle;
	size_t running, idle_n, connections, young;
	int64_t last_byte;
};

/* Sockets of all hubs; what a signal handler may cut. Value: descriptor + 1, 0 is free; `owner` tells whose it is. */
static _Atomic int sockets[SOCKETS];
static struct hub *owners[SOCKETS];
static pthread_mutex_t sockets_lock = PTHREAD_MUTEX_INITIALIZER; /* hubs of several threads; the handler takes none */

void
hub_cut_all(void)
{
	for (size_t i = 0; i < SOCKETS; i++) {
		int fd = atomic_load_explicit(&sockets[i], memory_order_relaxed) - 1;

		if (fd >= 0)
			(void)shutdown(fd, SHUT_RDWR);
	}
}

static void
cut_own(const struct hub *h)
{
	(void)pthread_mutex_lock(&sockets_lock);
	for (size_t i = 0; i < SOCKETS; i++)
		if (owners[i] == h && sockets[i] > 0)
			(void)shutdown(sockets[i] - 1, SHUT_RDWR);
	(void)pthread_mutex_unlock(&sockets_lock);
}

static bool
allowed(const struct hub *h)
{
	return !h->c.may_send || h->c.may_send(h->c.ctx);
}

static int
on_close(void *ctx, curl_socket_t fd)
{
	(void)ctx;
	(void)pthread_mutex_lock(&sockets_lock);
	for (size_t i = 0; i < SOCKETS; i++)
		if (sockets[i] == fd + 1) {
			sockets[i] = 0;
			owners[i] = NULL;
		}
	(void)pthread_mutex_unlock(&sockets_lock);
	return close(fd);
}

static bool
keep_socket(struct hub *h, int fd)
{
	size_t i = 0;

	(void)pthread_mutex_lock(&sockets_lock);
	while (i < SOCKETS && sockets[i] != 0)
		i++;
	if (i < SOCKETS) {
		owners[i] = h;
		sockets[i] = fd + 1;
	}
	(void)pthread_mutex_unlock(&sockets_lock);
	return i < SOCKETS;
}

static curl_socket_t
on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct hub *h = ctx;
	int fd;

	if (purpose != CURLSOCKTYPE_IPCXN || !allowed(h))
		return CURL_SOCKET_BAD;
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (h->c.may_send)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &(unsigned){ UNSENT_MS }, sizeof(unsigned));
	if (!keep_socket(h, fd)) {
		(void)close(fd); /* one that nobody could cut is not opened */
		return CURL_SOCKET_BAD;
	}
	h->connections++;
	if (allowed(h))
		return fd;
	(void)on_close(NULL, fd); /* the signal came before it could have found this one */
	return CURL_SOCKET_BAD;
}

struct hub *
hub_new(const struct hub_config *c)
{
	struct hub *h = calloc(1, sizeof(*h));

	net_init();
	if (!h || !(h->multi = curl_multi_init()))
		abort();
	h->c = *c;
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(h->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 250L);
	if (c->connections)
		curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)c->connections);
	h->last_byte = clock_mono_ms();
	return h;
}

/* -- callbacks of a transfer ---------------------------------------------------------------------------------------------- */

static void
grown_up(struct hub_transfer *t)
{
	t->hub->last_byte = clock_mono_ms();
	if (!t->started) {
		t->started = true;
		t->hub->young--;
	}
}

static size_t
on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct hub_transfer *t = ctx;
	long status = 0;

	grown_up(t);
	if (t->on_data) {
		(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
		if (status == 200) {
			t->stopped_by_reader = !t->on_data(t->ctx, p, size * n);
			return t->stopped_by_reader ? 0 : size * n;
		}
	}
	buf_add(&t->body, p, size * n);
	return t->body.over ? 0 : size * n;
}

static size_t
on_header(char *line, size_t size, size_t n, void *ctx)
{
	struct hub_transfer *t = ctx;

	grown_up(t);
	(void)header_seconds(line, size * n, "retry-after", &t->retry_after);
	return size * n;
}

/* -- starting ---------------------------------------------------------------------------------------------------------------- */

static struct hub_transfer *
take(struct hub *h)
{
	struct hub_transfer *t = h->idle;

	if (t) {
		h->idle = t->next;
		h->idle_n--;
		curl_easy_reset(t->easy);
	} else {
		t = calloc(1, sizeof(*t));
		if (!t || !(t->easy = curl_easy_init()))
			abort();
	}
	t->hub = h;
	t->next = t->prev = NULL;
	t->refused = t->started = t->stopped_by_reader = false;
	t->why[0] = '\0';
	t->retry_after = -1;
	t->begun = clock_mono_ms();
	return t;
}

static void
give_back(struct hub_transfer *t)
{
	struct hub *h = t->hub;

	curl_slist_free_all(t->headers);
	t->headers = NULL;
	if (t->body.cap > 64 * 1024 || h->idle_n >= IDLE_POOL)
		buf_free(&t->body);
	if (h->idle_n >= IDLE_POOL) {
		curl_easy_cleanup(t->easy);
		free(t);
		return;
	}
	t->next = h->idle;
	h->idle = t;
	h->idle_n++;
}

static void
add_header(struct hub_transfer *t, const char *name, const char *value)
{
	struct curl_slist *more;
	char *line = NULL;

	if (!value)
		return;
	if (asprintf(&line, "%s: %s", name, value) < 0)
		abort();
	more = curl_slist_append(t->headers, line);
	free(line);
	if (!more)
		abort();
	t->headers = more;
}

static void
set_blob(CURL *c, CURLoption option, const char *pem)
{
	struct curl_blob b = { .data = (void *)(uintptr_t)pem, .len = pem ? strlen(pem) : 0, .flags = CURL_BLOB_NOCOPY };

	if (pem)
		curl_easy_setopt(c, option, &b);
}

static void
set_connection(CURL *c, struct hub *h)
{
	set_blob(c, CURLOPT_CAINFO_BLOB, h->c.ca);
	set_blob(c, CURLOPT_SSLCERT_BLOB, h->c.cert);
	set_blob(c, CURLOPT_SSLKEY_BLOB, h->c.key);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, h->c.insecure ? 0L : 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, h->c.insecure ? 0L : 2L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, ""); /* an API server is asked directly, whatever the environment says */
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(c, CURLOPT_TCP_KEEPINTVL, 10L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, on_close);
}

/* An odd number: libcurl keeps a handle's buffer when the size is the one that it has by itself, whatever the buffer's is. */
static long
upload_size(size_t body)
{
	return (long)(body < UPLOAD_MIN ? UPLOAD_MIN : body > UPLOAD_MAX ? UPLOAD_MAX : body) | 1;
}

static void
set_request(struct hub_transfer *t, const struct hub_request *q)
{
	CURL *c = t->easy;
	char *auth = NULL;

	if (q->bearer) {
		if (asprintf(&auth, "Bearer %s", q->bearer) < 0)
			abort();
		add_header(t, "Authorization", auth);
		explicit_bzero(auth, strlen(auth));
		free(auth);
	}
	add_header(t, "Accept", q->accept);
	if (q->body) {
		add_header(t, "Content-Type", q->content_type);
		add_header(t, "Expect", "");
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body);
		curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, upload_size(q->body_len));
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
	curl_easy_setopt(c, CURLOPT_URL, q->url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	if (q->timeout_ms > 0)
		curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)q->timeout_ms);
	if (q->idle_ms > 0) {
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)((q->idle_ms + 999) / 1000));
	}
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->why);
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
}

static void
link_in(struct hub_transfer **list, struct hub_transfer *t)
{
	t->prev = NULL;
	t->next = *list;
	if (t->next)
		t->next->prev = t;
	*list = t;
}

static void
link_out(struct hub_transfer **list, struct hub_transfer *t)
{
	if (t->prev)
		t->prev->next = t->next;
	else
		*list = t->next;
	if (t->next)
		t->next->prev = t->prev;
}

struct hub_transfer *
hub_start(struct hub *h, const struct hub_request *q)
{
	struct hub_transfer *t = take(h);

	t->on_data = q->on_data;
	t->on_done = q->on_done;
	t->ctx = q->ctx;
	t->url_shown = strcspn(q->url, "?#");
	t->body.max = q->answer_max ? q->answer_max : ANSWER_MAX;
	buf_reset(&t->body);
	h->running++;
	if (!allowed(h)) {
		t->refused = t->started = true;
		link_in(&h->refused, t);
		return t;
	}
	set_connection(t->easy, h);
	set_request(t, q);
	link_in(&h->active, t);
	h->young++;
	if (curl_multi_add_handle(h->multi, t->easy) != CURLM_OK)
		abort();
	return t;
}

static void
end_transfer(struct hub_transfer *t)
{
	struct hub *h = t->hub;

	if (!t->started)
		h->young--;
	if (t->refused) {
		link_out(&h->refused, t);
	} else {
		(void)curl_multi_remove_handle(h->multi, t->easy);
		link_out(&h->active, t);
	}
	h->running--;
}

void
hub_cancel(struct hub *h, struct hub_transfer *t)
{
	(void)h;
	end_transfer(t);
	give_back(t);
}

void
hub_free(struct hub *h)
{
	if (!h)
		return;
	while (h->active)
		hub_cancel(h, h->active);
	while (h->refused)
		hub_cancel(h, h->refused);
	while (h->idle) {
		struct hub_transfer *t = h->idle;

		h->idle = t->next;
		buf_free(&t->body);
		curl_easy_cleanup(t->easy);
		free(t);
	}
	(void)curl_multi_cleanup(h->multi);
	free(h);
}

size_t
hub_running(const struct hub *h)
{
	return h->running;
}

size_t
hub_connections(const struct hub *h)
{
	return h->connections;
}

/* -- ending ------------------------------------------------------------------------------------------------------------------- */

static int
code_of(const struct hub_transfer *t, CURLcode rc)
{
	if (t->body.over)
		return ERR_INVALID;
	switch (rc) {
	case CURLE_OK:
		return 0;
	case CURLE_WRITE_ERROR:
		return t->stopped_by_reader ? ERR_CANCELLED : ERR_UNAVAILABLE;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return ERR_DENIED;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return ERR_INVALID;
	default:
		return ERR_UNAVAILABLE;
	}
}

/*
 * A server that refuses a request without reading its body answers and then resets the stream (RFC 9113, section 8.1), which libcurl calls
 * an error when it was still sending. The refusal counts; mostly it is not seen at all, which is why bodies are sent at once.
 */
static CURLcode
refused_early(const struct hub_transfer *t, CURLcode rc)
{
	long status = 0;

	if (rc != CURLE_HTTP2_STREAM || t->refused)
		return rc;
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return status >= 400 ? CURLE_OK : rc;
}

static void
tell(struct hub_transfer *t, CURLcode rc)
{
	struct hub_answer a = { .code = t->refused ? ERR_CANCELLED : code_of(t, rc), .body = buf_cstr(&t->body), .len = t->body.len,
		.retry_after = t->retry_after, .took_ms = clock_mono_ms() - t->begun };

	net_words(t->why);
	if (a.code == 0)
		(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &a.status);
	else if (t->refused)
		a.error = "not the leader";
	else if (t->body.over)
		a.error = "the answer is too large";
	else
		a.error = t->why[0] ? t->why : curl_easy_strerror(rc);
	if (t->on_done)
		t->on_done(t->ctx, &a);
	give_back(t);
}

/* A connection whose peer has vanished keeps its streams: libcurl ends the request alone, and the next would go the same way. */
static void
cut_when_dead(struct hub *h, const struct hub_transfer *t, CURLcode rc)
{
	if (rc == CURLE_OPERATION_TIMEDOUT && h->last_byte <= t->begun)
		cut_own(h);
}

static bool
perform(struct hub *h)
{
	bool did = false;
	CURLMsg *m;
	int left;

	(void)curl_multi_perform(h->multi, &left);
	while ((m = curl_multi_info_read(h->multi, &left))) {
		struct hub_transfer *t = NULL;
		CURLcode rc = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&t);
		cut_when_dead(h, t, rc);
		rc = refused_early(t, rc);
		end_transfer(t);
		tell(t, rc);
		did = true;
	}
	while (h->refused) {
		struct hub_transfer *t = h->refused;

		end_transfer(t);
		tell(t, CURLE_OK);
		did = true;
	}
	return did;
}

static int64_t
patience(struct hub *h, int64_t ms)
{
	long want = -1;

	(void)curl_multi_timeout(h->multi, &want);
	if (h->young && ms > YOUNG_MS)
		ms = YOUNG_MS;
	return want >= 0 && want < ms ? want : ms;
}

static void
wait_all(struct hub *const *hubs, size_t n, int64_t ms, int fd)
{
	struct curl_waitfd extra[POLLED];
	unsigned k = 0;

	if (fd >= 0)
		extra[k++] = (struct curl_waitfd){ .fd = fd, .events = CURL_WAIT_POLLIN };
	(void)pthread_mutex_lock(&sockets_lock);
	for (size_t i = 1; i < n; i++) {
		ms = patience(hubs[i], ms);
		for (size_t j = 0; j < SOCKETS && k < POLLED; j++)
			if (owners[j] == hubs[i] && sockets[j] > 0)
				extra[k++] = (struct curl_waitfd){ .fd = sockets[j] - 1, .events = CURL_WAIT_POLLIN };
	}
	(void)pthread_mutex_unlock(&sockets_lock);
	if (k == POLLED && ms > YOUNG_MS)
		ms = YOUNG_MS;
	(void)curl_multi_poll(hubs[0]->multi, extra, k, ms > 60000 ? 60000 : (int)ms, NULL);
}

void
hub_run(struct hub *const *hubs, size_t n, int64_t ms, int fd)
{
	bool did = false;

	for (size_t i = 0; i < n; i++)
		did |= perform(hubs[i]);
	if (did || ms <= 0)
		return;
	wait_all(hubs, n, ms, fd);
	for (size_t i = 0; i < n; i++)
		(void)perform(hubs[i]);
}
