/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The raw loop that berth is measured beside: requests out of a file, over one HTTP/2 connection, WINDOW of them under way at a time.
 *
 * Usage: apiload SERVER CA-FILE TOKEN-FILE REQUESTS.tsv [WINDOW]      WINDOW: 1 to 1000, usually 50
 * A line is STAGE <tab> PATH-WITH-QUERY <tab> JSON, sent as server-side apply; a stage starts when the one before is answered.
 * One JSON object on standard output. Exit 1 when a request failed, 2 when it could not begin.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"

#define WINDOW_USUAL 50
#define WINDOW_MAX 1000
#define FILE_MAX ((size_t)2 << 30)
#define SHOWN 3 /* failures told in full */

struct request {
	const char *stage, *path, *body;
	size_t len;
};

struct slot {
	CURL *curl;
	const struct request *request;
	double begun;
	char answer[256]; /* the beginning of it, for the message */
	size_t len;
};

struct load {
	struct arena *mem;
	const char *server;
	struct request *requests;
	size_t n, next, end; /* next, end: what is left of this stage */
	CURLM *multi;
	struct slot *slots;
	size_t window, running, answered, failed;
	double *ms;
};

static void
die(const char *what, const char *why)
{
	(void)fprintf(stderr, "apiload: %s: %s\n", what, why);
	exit(2);
}

static void
must(CURLcode rc, const char *what)
{
	if (rc != CURLE_OK)
		die(what, curl_easy_strerror(rc));
}

static void
must_multi(CURLMcode rc, const char *what)
{
	if (rc != CURLM_OK)
		die(what, curl_multi_strerror(rc));
}

static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* -- requests --------------------------------------------------------------------------------------------------------- */

/* Cuts `text` at tabs and line ends, in place. */
static void
requests_read(struct load *l, char *text)
{
	size_t lines = 1;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	l->requests = arena_array(l->mem, lines, sizeof(*l->requests));
	for (char *line = text, *next; *line; line = next) {
		size_t len = strcspn(line, "\n");
		char *path, *body;

		next = line + len + (line[len] == '\n');
		line[len] = '\0';
		path = strchr(line, '\t');
		body = path ? strchr(path + 1, '\t') : NULL;
		if (!body)
			die("requests", "a line is not STAGE, PATH and JSON with tabs between");
		*path++ = *body++ = '\0';
		l->requests[l->n++] = (struct request){ line, path, body, strlen(body) };
	}
	if (!l->n)
		die("requests", "the file is empty");
	l->ms = arena_array(l->mem, l->n, sizeof(*l->ms));
}

static size_t
on_data(char *p, size_t size, size_t n, void *ctx)
{
	struct slot *s = ctx;
	size_t room = sizeof(s->answer) - 1 - s->len, take = size * n < room ? size * n : room;

	memcpy(s->answer + s->len, p, take);
	s->len += take;
	s->answer[s->len] = '\0';
	return size * n;
}

static void
slot_make(struct load *l, struct slot *s, const char *ca, struct curl_slist *headers)
{
	CURL *c = s->curl = curl_easy_init();

	if (!c)
		die("libcurl", "no memory");
	must(curl_easy_setopt(c, CURLOPT_PRIVATE, s), "private");
	must(curl_easy_setopt(c, CURLOPT_CAINFO, ca), "certificate");
	must(curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers), "headers");
	must(curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS), "HTTP/2");
	must(curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L), "one connection");
	must(curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "PATCH"), "PATCH");
	must(curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 60000L), "time-out");
	must(curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data), "writing");
	must(curl_easy_setopt(c, CURLOPT_WRITEDATA, s), "writing");
	arena_defer(l->mem, curl_easy_cleanup, c);
}

static void
slot_send(struct load *l, struct slot *s)
{
	char url[2048];
	int n;

	if (l->next == l->end)
		return;
	s->request = &l->requests[l->next++];
	s->len = 0;
	s->answer[0] = '\0';
	n = snprintf(url, sizeof(url), "%s%s", l->server, s->request->path);
	if (n < 0 || (size_t)n >= sizeof(url))
		die(s->request->path, "too long");
	must(curl_easy_setopt(s->curl, CURLOPT_URL, url), "address");
	must(curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE, (long)s->request->len), "body");
	must(curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, s->request->body), "body");
	s->begun = now_ms();
	must_multi(curl_multi_add_handle(l->multi, s->curl), "send");
	l->running++;
}

static void
slot_answered(struct load *l, struct slot *s, CURLcode rc)
{
	long status = 0;

	l->ms[l->answered++] = now_ms() - s->begun;
	l->running--;
	must(curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status), "status");
	if ((rc != CURLE_OK || status < 200 || status > 299) && l->failed++ < SHOWN)
		(void)fprintf(stderr, "apiload: %s: %ld %s %s\n", s->request->path, status, rc == CURLE_OK ? "" : curl_easy_strerror(rc),
		              s->answer);
	must_multi(curl_multi_remove_handle(l->multi, s->curl), "remove");
	slot_send(l, s);
}

/* -- the loop --------------------------------------------------------------------------------------------------------- */

static void
stage_run(struct load *l)
{
	for (size_t i = 0; i < l->window; i++)
		slot_send(l, &l->slots[i]);
	while (l->running) {
		const CURLMsg *m;
		int left;

		must_multi(curl_multi_perform(l->multi, &left), "transfer");
		while ((m = curl_multi_info_read(l->multi, &left))) {
			struct slot *s = NULL;

			if (m->msg != CURLMSG_DONE)
				continue;
			must(curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&s), "private");
			slot_answered(l, s, m->data.result);
		}
		if (l->running)
			must_multi(curl_multi_poll(l->multi, NULL, 0, 100, NULL), "poll");
	}
}

static void
run(struct load *l)
{
	while (l->next < l->n) {
		const char *stage = l->requests[l->next].stage;

		for (l->end = l->next; l->end < l->n && strcmp(l->requests[l->end].stage, stage) == 0;)
			l->end++;
		stage_run(l);
	}
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void
report(struct load *l, double took)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	qsort(l->ms, l->answered, sizeof(*l->ms), by_value);
	(void)printf("{\"requests\": %zu, \"failed\": %zu, \"window\": %zu, \"seconds\": %.3f, \"rate\": %.1f, \"p50_ms\": %.1f, "
	             "\"p99_ms\": %.1f, \"max_ms\": %.1f, \"cpu_s\": %.3f, \"peak_mib\": %.1f}\n",
	             l->answered, l->failed, l->window, took / 1e3, (double)l->answered / took * 1e3, l->ms[l->answered / 2],
	             l->ms[l->answered * 99 / 100], l->ms[l->answered - 1], seconds(u.ru_utime) + seconds(u.ru_stime),
	             (double)u.ru_maxrss / 1024);
}

static void
set_up(struct load *l, const char *ca, const char *token, struct curl_slist **headers)
{
	const char *lines[] = { arena_printf(l->mem, "Authorization: Bearer %.*s", (int)strcspn(token, "\r\n"), token),
		                "Content-Type: application/apply-patch+yaml", "Accept: application/json" };

	must(curl_global_init(CURL_GLOBAL_ALL), "libcurl");
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct curl_slist *more = curl_slist_append(*headers, lines[i]);

		if (!more)
			die("libcurl", "no memory");
		*headers = more;
	}
	l->multi = curl_multi_init();
	if (!l->multi)
		die("libcurl", "no memory");
	must_multi(curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX), "multiplexing");
	must_multi(curl_multi_setopt(l->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 1L), "one connection");
	must_multi(curl_multi_setopt(l->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)WINDOW_MAX), "streams");
	l->slots = arena_array(l->mem, l->window, sizeof(*l->slots));
	for (size_t i = 0; i < l->window; i++)
		slot_make(l, &l->slots[i], ca, *headers);
}

int
main(int argc, char **argv)
{
	struct load l = { .mem = arena_new(FILE_MAX), .window = WINDOW_USUAL };
	struct curl_slist *headers = NULL;
	char *token, *text;
	int64_t window = WINDOW_USUAL;
	double begin;
	size_t len;
	struct err e;

	if (argc < 5 || argc > 6 || (argc == 6 && (str_to_i64(argv[5], &window) < 0 || window < 1 || window > WINDOW_MAX)))
		die("usage", "apiload SERVER CA-FILE TOKEN-FILE REQUESTS.tsv [WINDOW]");
	l.server = argv[1];
	l.window = (size_t)window;
	if (fs_read(argv[3], 4096, l.mem, &token, &len, &e) < 0 || fs_read(argv[4], FILE_MAX / 2, l.mem, &text, &len, &e) < 0)
		die("reading", e.text);
	requests_read(&l, text);
	set_up(&l, argv[2], token, &headers);
	begin = now_ms();
	run(&l);
	report(&l, now_ms() - begin);
	arena_free(l.mem);
	(void)curl_multi_cleanup(l.multi);
	curl_slist_free_all(headers);
	curl_global_cleanup();
	return l.failed ? 1 : 0;
}
