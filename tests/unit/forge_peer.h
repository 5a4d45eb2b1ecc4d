/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forge that plays recorded exchanges in order: each request must be the one that is next and hold what it should; a wrong one is
 * answered 599 and kept in `wrong`. tests/unit/data/forge/<forge>/ has bodies as the published API descriptions give them.
 */
#pragma once

#include <errno.h>
#include <poll.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fs.h"

struct exchange {
	const char *ask;     /* "GET /repos/example/envs/pulls/7"; NULL: the end of a list */
	const char *has[5];  /* texts that head or body must hold; with '!' in front: must not */
	const char *status;  /* "200 OK"; NULL: no answer, until the client goes */
	const char *headers; /* "Name: value\r\n"…; NULL: none */
	const char *file;    /* of the data folder; NULL: `text` */
	const char *text;    /* NULL: no body */
	size_t huge;         /* so many bytes of a JSON text instead */
};

#define PEER_REQUEST ((size_t)1 << 20)

struct forge_peer {
	int fd, port;
	pthread_t thread;
	const char *folder; /* "github" */
	const struct exchange *list;
	size_t served, connections;
	char wrong[2048];
	char *in; /* one request */
	size_t len;
};

static inline bool
peer_has(const struct forge_peer *p, const char *text)
{
	bool not = *text == '!';

	return (memmem(p->in, p->len, text + not, strlen(text + not)) != NULL) != not;
}

static inline size_t
peer_whole(const struct forge_peer *p)
{
	const char *end = memmem(p->in, p->len, "\r\n\r\n", 4), *l;

	if (!end)
		return 0;
	l = memmem(p->in, (size_t)(end - p->in), "Content-Length: ", 16);
	return (size_t)(end + 4 - p->in) + (l ? strtoul(l + 16, NULL, 10) : 0);
}

/* One connection after the other: false when the client has begun another one beside this, which it keeps for later. */
static inline bool
peer_asked(struct forge_peer *p, int c)
{
	struct pollfd fds[2] = { { .fd = c, .events = POLLIN }, { .fd = p->fd, .events = POLLIN } };

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return false;
	return fds[0].revents != 0;
}

/* false: the client has gone. */
static inline bool
peer_read(struct forge_peer *p, int c)
{
	if (!peer_asked(p, c))
		return false;
	for (p->len = 0; !peer_whole(p) || p->len < peer_whole(p);) {
		ssize_t n = read(c, p->in + p->len, PEER_REQUEST - 1 - p->len);

		if (n <= 0)
			return false;
		p->len += (size_t)n;
		p->in[p->len] = '\0';
	}
	return true;
}

static inline bool
peer_huge(int c, size_t n)
{
	char head[128];
	char piece[4096];
	size_t left = n;
	int k = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", n);

	memset(piece, ' ', sizeof(piece));
	if (write(c, head, (size_t)k) < 0)
		return false;
	while (left) {
		ssize_t w = send(c, piece, left < sizeof(piece) ? left : sizeof(piece), MSG_NOSIGNAL);

		if (w <= 0)
			return false;
		left -= (size_t)w;
	}
	return true;
}

static inline bool
peer_answer(struct forge_peer *p, int c, const struct exchange *x)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)8 << 20);
	char *body = arena_strdup(mem, x->text ? x->text : "");
	const char *all;
	size_t len = strlen(body);
	struct err e;

	if (x->file &&
	    fs_read(arena_printf(mem, "tests/unit/data/forge/%s/%s.json", p->folder, x->file), (size_t)1 << 20, mem, &body, &len, &e) < 0)
		abort();
	all = arena_printf(mem, "HTTP/1.1 %s\r\n%s%sContent-Length: %zu\r\n\r\n%s", x->status,
	                   x->headers && strstr(x->headers, "Content-Type") ? "" : "Content-Type: application/json\r\n",
	                   x->headers ? x->headers : "", len, body);
	return send(c, all, strlen(all), MSG_NOSIGNAL) == (ssize_t)strlen(all);
}

/* The exchange that the request is, or NULL. */
static inline const struct exchange *
peer_next(struct forge_peer *p)
{
	const struct exchange *x = &p->list[p->served];
	size_t n = x->ask ? strlen(x->ask) : 0, used = strlen(p->wrong);

	if (!x->ask || strncmp(p->in, x->ask, n) != 0 || strncmp(p->in + n, " HTTP/1.1\r\n", 11) != 0) {
		(void)snprintf(p->wrong + used, sizeof(p->wrong) - used, "%zu: wanted %s, got %.*s\n", p->served, x->ask ? x->ask : "nothing",
		               (int)strcspn(p->in, "\r"), p->in);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(x->has) / sizeof(x->has[0]) && x->has[i]; i++)
		if (!peer_has(p, x->has[i])) {
			(void)snprintf(p->wrong + used, sizeof(p->wrong) - used, "%zu: %s without %s: %.900s\n", p->served, x->ask, x->has[i], p->in);
			return NULL;
		}
	p->served++;
	return x;
}

static inline void
peer_talk(struct forge_peer *p, int c)
{
	static const struct exchange wrong = { .status = "599 Wrong", .text = "{}" };

	while (peer_read(p, c)) {
		const struct exchange *x = peer_next(p);

		if (x && x->huge ? !peer_huge(c, x->huge) : x && !x->status ? false : !peer_answer(p, c, x ? x : &wrong))
			return;
	}
}

static inline void *
peer_serve(void *arg)
{
	struct forge_peer *p = arg;
	int c;

	while ((c = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		p->connections++;
		peer_talk(p, c);
		(void)close(c);
	}
	return NULL;
}

static inline void
peer_start(struct forge_peer *p, const char *folder, const struct exchange *list)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);

	*p = (struct forge_peer){ .folder = folder, .list = list, .in = malloc(PEER_REQUEST) };
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!p->in || bind(p->fd, (struct sockaddr *)&a, sizeof(a)) || listen(p->fd, 8) || getsockname(p->fd, (struct sockaddr *)&a, &len))
		abort();
	p->port = ntohs(a.sin_port);
	if (pthread_create(&p->thread, NULL, peer_serve, p))
		abort();
}

/* After the client has closed its connections. */
static inline void
peer_stop(struct forge_peer *p)
{
	(void)shutdown(p->fd, SHUT_RDWR);
	(void)pthread_join(p->thread, NULL);
	(void)close(p->fd);
	free(p->in);
	p->in = NULL;
}
