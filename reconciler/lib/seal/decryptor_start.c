/* SPDX-License-Identifier: Apache-2.0 */
/* The decryptor's process as the daemon sees it: start, greeting, messages with a deadline, end, start again. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/seal/decryptor_client.h"

#define GREETING_MS 30000 /* exec, reading the key, raising the walls: also on a machine that is busy */
#define SETTLED_MS 60000  /* one that lived this long counts as a new beginning */
#define WAIT_FIRST_MS 1000
#define WAIT_MAX_MS 60000
#define SOCKET 3

/* -- messages ----------------------------------------------------------------------------------------------------------- */

/* Until the descriptor is ready for it. */
static int
wait_for(int fd, short events, int64_t until, struct err *e)
{
	for (;;) {
		struct pollfd f = { fd, events, 0 };
		int64_t left = until - clock_mono_ms();
		int n;

		if (left <= 0)
			return err_set(e, ERR_CANCELLED, "no answer in time");
		n = poll(&f, 1, left > 60000 ? 60000 : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_errno(e, "wait for the decryptor");
	}
}

static int
gone(struct err *e)
{
	return err_set(e, ERR_UNAVAILABLE, "the decryptor is gone");
}

int
msg_send(int fd, const void *bytes, size_t n, int pass, int64_t until, struct err *e)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec part = { (void *)(uintptr_t)bytes, n };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	int rc;

	if (pass >= 0) {
		memcpy(CMSG_DATA(&control.head), &pass, sizeof(pass));
		m.msg_control = control.room;
		m.msg_controllen = sizeof(control.room);
	}
	while (part.iov_len) {
		ssize_t put = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (put < 0 && errno == EAGAIN && (rc = wait_for(fd, POLLOUT, until, e)) < 0)
			return rc;
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return gone(e);
		if (put <= 0)
			continue;
		part.iov_base = (char *)part.iov_base + put;
		part.iov_len -= (size_t)put;
		m.msg_control = NULL;
		m.msg_controllen = 0;
	}
	return 0;
}

int
msg_receive(int fd, void *to, size_t n, int64_t until, struct err *e)
{
	int rc;

	for (size_t have = 0; have < n;) {
		ssize_t got = recv(fd, (char *)to + have, n - have, MSG_DONTWAIT);

		if (got < 0 && errno == EAGAIN && (rc = wait_for(fd, POLLIN, until, e)) < 0)
			return rc;
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			return gone(e);
		have += got > 0 ? (size_t)got : 0;
	}
	return 0;
}

int
msg_receive_answer(int fd, struct buf *out, int64_t until, struct err *e)
{
	unsigned char head[WIRE_HEAD];
	char part[4096];
	size_t left;
	int rc = msg_receive(fd, head, sizeof(head), until, e);

	buf_reset(out);
	if (rc < 0)
		return rc;
	left = msg_length(head);
	if (left == 0 || left > WIRE_ANSWER_MAX)
		return err_set(e, ERR_INTERNAL, "the decryptor's answer cannot be read");
	while (left) {
		size_t n = left < sizeof(part) ? left : sizeof(part);

		if ((rc = msg_receive(fd, part, n, until, e)) < 0)
			return rc;
		buf_add(out, part, n);
		left -= n;
	}
	return 0;
}

/* -- the child ----------------------------------------------------------------------------------------------------------- */

/* Nothing of our environment: a token may stand in it. What the sanitizers are told stays. Borrowed strings. */
static const char **
child_environment(void)
{
	static const char *const keep[] = { "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=", "LSAN_OPTIONS=" };
	static const char *env[5];
	size_t n = 0;

	for (char **at = environ; at && *at; at++)
		for (size_t i = 0; i < 4; i++)
			if (str_starts(*at, keep[i]) && n < 4)
				env[n++] = *at;
	env[n] = NULL;
	return env;
}

/* After fork: async-signal-safe calls only. */
__attribute__((noreturn)) static void
child(int socket, int null, const char *file, const char *const *env, pid_t parent)
{
	const char *const argv[] = { "berth", "__decryptor", NULL };

	proc_child_begin(parent);
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(socket, SOCKET) < 0)
		_exit(127);
	(void)close_range(SOCKET + 1, ~0u, 0);
	(void)execve(file, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	_exit(127);
}

/* Above the numbers that the child gives to others. */
static int
above(int fd)
{
	int up;

	if (fd < 0 || fd > SOCKET)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, SOCKET + 1);
	(void)close(fd);
	return up;
}

static int
launch(struct decryptor *d, struct err *e)
{
	const char *file = proc_self(), *const *env = child_environment();
	int pair[2], null, rc = 0;
	pid_t pid = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, "start the decryptor");
	pair[0] = above(pair[0]);
	pair[1] = above(pair[1]);
	null = above(open("/dev/null", O_RDWR | O_CLOEXEC));
	if (pair[0] >= 0 && pair[1] >= 0 && null >= 0) {
		pid_t parent = getpid();

		pid = fork();
		if (pid == 0)
			child(pair[1], null, file, env, parent);
	}
	if (pid < 0)
		rc = err_errno(e, "start the decryptor");
	if (null >= 0)
		(void)close(null);
	if (pair[1] >= 0)
		(void)close(pair[1]);
	if (rc < 0) {
		if (pair[0] >= 0)
			(void)close(pair[0]);
		return rc;
	}
	d->fd = pair[0];
	d->pid = pid;
	d->started = clock_mono_ms();
	return 0;
}

/* -- its end ------------------------------------------------------------------------------------------------------------- */

/* Ends it in any case; how it ended, for people. */
static void
reap(struct decryptor *d, char *out, size_t room)
{
	int status = 0, got;

	/* a socket that is closed and a process that is not: let one that ends by itself say how, for a moment */
	for (int i = 0; (got = waitpid(d->pid, &status, WNOHANG)) == 0 && i < 20; i++) {
		(void)shutdown(d->fd, SHUT_RDWR);
		clock_sleep_ms(5);
	}
	if (got == 0) {
		(void)kill(d->pid, SIGKILL);
		while (waitpid(d->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		(void)snprintf(out, room, "was ended by a system call that its sandbox forbids");
	else if (WIFSIGNALED(status))
		(void)snprintf(out, room, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)snprintf(out, room, "ended with status %d", WEXITSTATUS(status));
}

static void
close_down(struct decryptor *d)
{
	(void)close(d->fd);
	d->fd = -1;
	d->pid = 0;
}

void
decryptor_lost(struct decryptor *d, const char *why)
{
	int64_t now = clock_mono_ms(), wait = 0;
	char how[128];
	pid_t pid = d->pid;

	if (why)
		(void)kill(pid, SIGKILL);
	reap(d, how, sizeof(how));
	close_down(d);
	if (now - d->started > SETTLED_MS)
		d->starts_lost = 0;
	if (d->starts_lost++)
		wait = d->starts_lost > 7 ? WAIT_MAX_MS : (int64_t)WAIT_FIRST_MS << (d->starts_lost - 2);
	d->next_start = now + (wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS);
	(void)snprintf(d->note, sizeof(d->note), "the decryptor (process %d) %s", (int)pid, why ? why : how);
	d->noted = true;
}

void
decryptor_forgive(struct decryptor *d)
{
	d->starts_lost -= d->starts_lost > 0;
	d->next_start = 0;
}

void
decryptor_end(struct decryptor *d)
{
	char how[128];

	if (d->pid == 0)
		return;
	(void)shutdown(d->fd, SHUT_RDWR);
	reap(d, how, sizeof(how));
	close_down(d);
}

/* -- its beginning --------------------------------------------------------------------------------------------------------- */

static int
read_greeting(struct decryptor *d, const struct buf *answer, struct err *e)
{
	struct msg m = { (const unsigned char *)answer->data, answer->len, false };
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 20);
	const char *signer, *ca, *warning;
	int rc = msg_answer(&m, e);

	if (rc < 0)
		return rc;
	signer = msg_text(&m, mem, sizeof(d->signer) - 1);
	ca = msg_text(&m, mem, sizeof(d->host_ca) - 1);
	warning = msg_text(&m, mem, 4096);
	if (m.bad || m.left || !signer || !ca)
		return err_set(e, ERR_INTERNAL, "the decryptor's greeting cannot be read");
	if (d->signer[0] && !str_eq(d->signer, signer)) {
		(void)err_set(e, ERR_DENIED, "%s holds another master key than when berth was started", d->key_file);
		return err_hint(e, "Put the old one back; or, when it shall be another one, start berth again.");
	}
	(void)snprintf(d->signer, sizeof(d->signer), "%s", signer);
	(void)snprintf(d->host_ca, sizeof(d->host_ca), "%s", ca);
	(void)snprintf(d->warning, sizeof(d->warning), "%s", warning ? warning : "");
	return 0;
}

static int
greet(struct decryptor *d, struct err *e)
{
	const struct request hello = { .op = OP_HELLO, .generation = WIRE_VERSION, .text = d->key_file };
	struct buf AUTO_BUF b = BUF_INIT(0);
	int64_t until = clock_mono_ms() + GREETING_MS;
	int rc;

	if ((rc = request_write(&hello, &b, e)) < 0 || (rc = msg_send(d->fd, b.data, b.len, -1, until, e)) < 0)
		return rc;
	b.max = WIRE_ANSWER_MAX;
	if ((rc = msg_receive_answer(d->fd, &b, until, e)) < 0)
		return rc;
	return read_greeting(d, &b, e);
}

/* Nobody asked it anything: has it ended all the same? */
static bool
still_there(const struct decryptor *d)
{
	struct pollfd f = { d->fd, POLLIN, 0 };

	return poll(&f, 1, 0) <= 0; /* readable is its end, or an answer to nothing */
}

int
decryptor_running(struct decryptor *d, struct err *e)
{
	int64_t wait;
	int rc;

	if (d->pid && still_there(d))
		return 0;
	if (d->pid)
		decryptor_lost(d, NULL);
	if ((wait = d->next_start - clock_mono_ms()) > 0) {
		(void)err_set(e, ERR_UNAVAILABLE, "%s, the last of %u one after the other, and another is started in %lld s", d->note, d->starts_lost,
		              (long long)(wait + 999) / 1000);
		return err_hint(e, "Sealed secrets wait until then; everything else goes on.");
	}
	if ((rc = launch(d, e)) < 0 || (rc = greet(d, e)) == 0)
		return rc;
	/* its own answer, "no such key file" for instance, says more than how it ended */
	if (rc == ERR_CANCELLED || rc == ERR_UNAVAILABLE || rc == ERR_INTERNAL) {
		decryptor_lost(d, rc == ERR_CANCELLED ? "gave no greeting and was ended" : NULL);
		return err_set(e, ERR_UNAVAILABLE, "%s", d->note);
	}
	decryptor_lost(d, NULL);
	return rc;
}
