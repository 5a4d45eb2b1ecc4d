/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's end. A child is a new program, not only a fork: other threads of the daemon may hold locks of libcurl and OpenSSL at that moment, and a
 * fork alone would inherit them locked.
 */
#include "apply/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/proc.h"

#define LEAST_MS 2000 /* of the right to write that must be left for a child to begin */
#define GATHER_MS 20  /* from the first of a batch: starting a process and greeting the server cost more than sending many requests */
#define LOOK_MS 500   /* at children that may be over their time */
#define MANY (DELIVER_BATCH / 2) /* requests that are worth a second child */
#define BATCH_BYTES ((size_t)8 << 20) /* of a batch, with what is sealed; one request may be larger */
#define HIGH_FD 16    /* descriptors are moved above this before the child puts three of them where they belong */

struct delivery {
	struct delivery *next;
	struct deliver_request q;
	bool done;
};

struct batch {
	struct delivery *items[DELIVER_BATCH];
	size_t n, left;
	pid_t pid; /* 0: none */
	int fd;
	struct buf in;
	int64_t end;
};

struct deliver {
	struct deliver_config c;
	struct delivery *first, *last;
	size_t queued;
	int64_t since; /* clock_mono_ms: when the first of the queue came */
	struct batch batches[DELIVER_CHILDREN];
	int epoll, also;
	struct err refused; /* code 0: not */
	bool fresh; /* the token that was sent last was refused */
};

struct deliver *
deliver_new(const struct deliver_config *c)
{
	struct deliver *d = calloc(1, sizeof(*d));

	if (!d || (d->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
		abort();
	d->c = *c;
	d->also = -1;
	return d;
}

static void
end_child(struct batch *b)
{
	if (b->pid > 0) {
		(void)kill(b->pid, SIGKILL); /* not reaped yet, so the number is its own */
		while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (b->fd >= 0 && b->pid)
		(void)close(b->fd);
	buf_free(&b->in);
	b->pid = 0;
	b->fd = -1;
}

void
deliver_free(struct deliver *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < DELIVER_CHILDREN; i++) {
		struct batch *b = &d->batches[i];

		end_child(b);
		for (size_t j = 0; j < b->n; j++)
			free(b->items[j]);
	}
	while (d->first) {
		struct delivery *one = d->first;

		d->first = one->next;
		free(one);
	}
	(void)close(d->epoll);
	free(d);
}

void
deliver_send(struct deliver *d, const struct deliver_request *q)
{
	size_t m = strlen(q->method) + 1, p = strlen(q->path) + 1;
	struct delivery *one = calloc(1, sizeof(*one) + m + p);
	char *text = (char *)(one + 1);

	if (!one)
		abort();
	one->q = *q;
	one->q.method = memcpy(text, q->method, m);
	one->q.path = memcpy(text + m, q->path, p);
	if (!d->first)
		d->since = clock_mono_ms();
	if (d->last)
		d->last->next = one;
	else
		d->first = one;
	d->last = one;
	d->queued++;
}

void
deliver_refuse(struct deliver *d, const struct err *why)
{
	d->refused = why ? *why : (struct err){ 0 };
}

size_t
deliver_running(const struct deliver *d)
{
	size_t n = d->queued;

	for (size_t i = 0; i < DELIVER_CHILDREN; i++)
		n += d->batches[i].left;
	return n;
}

size_t
deliver_pids(const struct deliver *d, int out[DELIVER_CHILDREN])
{
	size_t n = 0;

	for (size_t i = 0; i < DELIVER_CHILDREN; i++)
		if (d->batches[i].pid > 0)
			out[n++] = (int)d->batches[i].pid;
	return n;
}

/* -- telling -------------------------------------------------------------------------------------------------------------------- */

static void
tell(struct batch *b, size_t i, const struct kube_answer *a, enum delivered how)
{
	struct delivery *one = b->items[i];

	one->done = true;
	b->left--;
	one->q.done(one->q.ctx, a, how);
}

/* Everything of the batch that has no answer gets this one. */
static void
tell_rest(struct batch *b, int code, const char *text, enum delivered how)
{
	struct kube_answer a = { .code = code, .body = "", .reason = how == DELIVERED_ASKED ? "" : "NotDelivered", .message = text,
		.retry_after_ms = -1 };

	for (size_t i = 0; i < b->n; i++)
		if (!b->items[i]->done)
			tell(b, i, &a, how);
}

static void
finish(struct batch *b)
{
	end_child(b);
	for (size_t i = 0; i < b->n; i++)
		free(b->items[i]);
	b->n = b->left = 0;
}

/* Answers that are complete. False: what comes is not ours. */
static bool
take_answers(struct deliver *d, struct batch *b)
{
	size_t at = 0, used;
	struct wire_answer w;
	int rc;

	while ((rc = answer_parse(b->in.data + at, b->in.len - at, &used, &w)) > 0) {
		if (w.id >= b->n || b->items[w.id]->done)
			return false;
		d->fresh |= w.a.status == 401;
		tell(b, w.id, &w.a, w.asked ? DELIVERED_ASKED : DELIVERED_NOT);
		at += used;
	}
	if (rc < 0)
		return false;
	memmove(b->in.data, b->in.data + at, b->in.len - at);
	b->in.len -= at;
	return true;
}

/* True at the end of what it says. */
static bool
read_child(struct deliver *d, struct batch *b)
{
	char part[16384];

	for (;;) {
		ssize_t n = read(b->fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n <= 0)
			return true;
		buf_add(&b->in, part, (size_t)n);
		if (b->in.over || !take_answers(d, b))
			return true;
	}
}

static void
look_after(struct deliver *d, struct batch *b)
{
	bool ended = read_child(d, b);

	if (!ended && b->left && clock_mono_ms() < b->end)
		return;
	if (b->left && !ended)
		tell_rest(b, ERR_UNAVAILABLE, "the process that delivers Secrets took too long and was ended", DELIVERED_DIED);
	else if (b->left)
		tell_rest(b, ERR_UNAVAILABLE, "the process that delivers Secrets ended before it had an answer", DELIVERED_DIED);
	finish(b);
}

/* -- starting --------------------------------------------------------------------------------------------------------------------- */

/* In the child: async-signal-safe calls only. */
__attribute__((noreturn)) static void
become(const char *file, char *const argv[], const int fds[4], pid_t parent)
{
	proc_child_begin(parent);
	if (dup2(fds[3], 0) >= 0 && dup2(fds[3], 1) >= 0 && dup2(fds[0], 3) >= 0 && dup2(fds[1], 4) >= 0 && dup2(fds[2], 5) >= 0) {
		(void)close_range(6, ~0u, 0);
		(void)execve(file, argv, environ);
	}
	_exit(127);
}

/* The batch as a memory file: a child that is slow to read it blocks nobody. */
static int
batch_file(struct deliver *d, const struct batch *b, const char *token, int64_t until, struct err *e)
{
	const struct kube_config *c = d->c.cluster;
	struct wire_cluster w = { .server = c->server, .ca = c->ca, .cert = c->cert, .key = c->key, .token = token, .insecure = c->insecure,
		.until_ms = until };
	struct buf text AUTO_BUF = BUF_INIT(WIRE_MAX);
	int fd;

	batch_begin(&text, &w, b->n);
	for (size_t i = 0; i < b->n; i++) {
		const struct deliver_request *q = &b->items[i]->q;

		batch_add(&text, &(struct wire_item){ .id = (uint32_t)i, .method = q->method, .path = q->path, .content_type = q->content_type,
			.body = q->body, .body_len = q->body_len, .parts = q->parts, .parts_len = q->parts_len });
	}
	if (text.over)
		return err_set(e, ERR_INVALID, "the sealed files of %zu Secrets are larger than %zu MiB together", b->n, WIRE_MAX >> 20);
	fd = memfd_create("deliver", MFD_CLOEXEC);
	if (fd >= 0 && fs_write_all(fd, text.data, text.len) == 0 && lseek(fd, 0, SEEK_SET) == 0) {
		explicit_bzero(text.data, text.len); /* the token */
		return fd;
	}
	(void)err_errno(e, "hand over a batch of Secrets");
	explicit_bzero(text.data, text.len);
	if (fd >= 0)
		(void)close(fd);
	return e->code;
}

static int
high(int fd)
{
	int up = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (fd >= 0)
		(void)close(fd);
	return up;
}

static int
spawn(struct deliver *d, struct batch *b, int file, int channel, struct err *e)
{
	static char name[] = "berth", verb[] = "__deliver";
	char *argv[] = { name, verb, NULL };
	int p[2] = { -1, -1 }, fds[4], parent = getpid();
	const char *self = proc_self();
	struct epoll_event ev = { .events = EPOLLIN };

	if (pipe2(p, O_CLOEXEC) < 0)
		p[0] = p[1] = -1;
	fds[0] = high(file);
	fds[1] = high(channel);
	fds[2] = high(p[1]);
	fds[3] = high(open("/dev/null", O_RDWR | O_CLOEXEC));
	b->pid = fds[0] < 0 || fds[1] < 0 || fds[2] < 0 || fds[3] < 0 ? -1 : fork();
	if (b->pid == 0)
		become(self, argv, fds, parent);
	if (b->pid < 0)
		(void)err_errno(e, "start a process to deliver Secrets");
	for (size_t i = 0; i < 4; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	if (b->pid < 0) {
		if (p[0] >= 0)
			(void)close(p[0]);
		b->pid = 0;
		return e->code;
	}
	b->fd = p[0];
	b->in = (struct buf)BUF_INIT(2 * WIRE_ANSWER_MAX);
	(void)fcntl(b->fd, F_SETFL, O_NONBLOCK);
	(void)epoll_ctl(d->epoll, EPOLL_CTL_ADD, b->fd, &ev);
	b->end = clock_mono_ms() + DELIVER_MS;
	return 0;
}

static int
start(struct deliver *d, struct batch *b, int64_t until, enum delivered *how, struct err *e)
{
	const char *token = NULL;
	int file, channel, rc;

	*how = DELIVERED_NOT;
	if (d->refused.code)
		return err_set(e, ERR_DENIED, "%s: %s", d->refused.text, d->refused.hint);
	if (!d->c.decryptor)
		return err_set(e, ERR_DENIED, "berth has no master key, so no Secret can be made: start it with --master-key FILE");
	if ((rc = d->c.token(d->c.ctx, d->fresh, &token, e)) < 0) {
		*how = DELIVERED_ASKED; /* as for any other request */
		return rc;
	}
	d->fresh = false;
	if ((file = batch_file(d, b, token, until, e)) < 0)
		return file;
	if ((rc = decryptor_channel(d->c.decryptor, &channel, e)) < 0) {
		(void)close(file);
		return rc;
	}
	return spawn(d, b, file, channel, e);
}

static void
fill(struct deliver *d, struct batch *b)
{
	size_t bytes = 0;
	bool alone = false;

	b->n = b->left = 0;
	while (d->first && b->n < DELIVER_BATCH && bytes < BATCH_BYTES && !alone && !(b->n && d->first->q.alone)) {
		struct delivery *one = d->first;

		alone = one->q.alone;
		bytes += one->q.body_len + one->q.parts_len;
		d->first = one->next;
		if (!d->first)
			d->last = NULL;
		d->queued--;
		one->next = NULL;
		b->items[b->n++] = one;
	}
	b->left = b->n;
}

/* Is it worth a child now? */
static bool
gathered(const struct deliver *d)
{
	size_t children = 0;

	for (size_t i = 0; i < DELIVER_CHILDREN; i++)
		children += d->batches[i].pid > 0;
	if (!d->first || d->queued >= DELIVER_BATCH)
		return d->first != NULL;
	return clock_mono_ms() - d->since >= GATHER_MS && (children == 0 || d->queued >= MANY || d->first->q.alone);
}

/* The next batch in this place; false: not now, and the next one would fail in the same way. */
static bool
begin(struct deliver *d, struct batch *b, int64_t until)
{
	struct err e = { 0 };
	enum delivered how;

	fill(d, b);
	if (start(d, b, until, &how, &e) == 0)
		return true;
	tell_rest(b, e.code, e.text, how);
	finish(b);
	return e.code != ERR_UNAVAILABLE;
}

void
deliver_turn(struct deliver *d)
{
	int64_t until, now = clock_boot_ms();
	bool more = true;

	for (size_t i = 0; i < DELIVER_CHILDREN; i++)
		if (d->batches[i].pid > 0)
			look_after(d, &d->batches[i]);
	until = d->c.until ? d->c.until() : now + DELIVER_MS;
	if (until > now + DELIVER_MS)
		until = now + DELIVER_MS;
	if (until - now < LEAST_MS)
		return;
	for (size_t i = 0; i < DELIVER_CHILDREN; i++)
		while (more && d->batches[i].pid <= 0 && gathered(d))
			more = begin(d, &d->batches[i], until);
}

int64_t
deliver_patience(const struct deliver *d, int64_t ms)
{
	int64_t left = d->first ? d->since + GATHER_MS - clock_mono_ms() : LOOK_MS;

	if (!deliver_running(d))
		return ms;
	if (left <= 0) /* children are at it, or it is not the time to write */
		left = LOOK_MS;
	return left < ms ? left : ms;
}

int
deliver_fd(struct deliver *d, int also)
{
	struct epoll_event ev = { .events = EPOLLIN };
	bool runs = false;

	for (size_t i = 0; i < DELIVER_CHILDREN; i++)
		runs |= d->batches[i].pid > 0;
	if (!runs)
		return -1;
	if (also != d->also) {
		if (d->also >= 0)
			(void)epoll_ctl(d->epoll, EPOLL_CTL_DEL, d->also, NULL);
		if (also >= 0 && epoll_ctl(d->epoll, EPOLL_CTL_ADD, also, &ev) < 0 && errno != EEXIST)
			return -1;
		d->also = also;
	}
	return d->epoll;
}
