/* SPDX-License-Identifier: Apache-2.0 */
/* The decryptor's own loop: one control socket, a few channels, none of which can hold up another. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/seal/decryptor_priv.h"
#include "lib/seal/sandbox.h"
#include "lib/seal/sshsig.h"

#define CONTROL 3
#define MEMORY_MAX ((size_t)384 << 20)
#define CHUNK 32768

/* The daemon, or the other end of a channel. One message at a time: the next is read when the answer is gone. */
struct peer {
	int fd;              /* -1: free */
	bool channel;
	int passed;          /* a descriptor that came with the message, or -1 */
	struct buf in;
	struct buf answer;   /* what is no secret, then */
	struct secret plain; /* a part's bytes */
	size_t sent;         /* of both together */
	bool answering;
};

struct loop {
	struct vault *vault;
	struct peer peers[1 + CHANNELS_MAX]; /* the first is the daemon */
};

static void
peer_set(struct peer *p, int fd, bool channel)
{
	*p = (struct peer){ .fd = fd, .channel = channel, .passed = -1, .in = BUF_INIT(WIRE_REQUEST_MAX + WIRE_HEAD),
		.answer = BUF_INIT(WIRE_ANSWER_MAX + WIRE_HEAD) };
}

static void
peer_close(struct peer *p)
{
	if (p->fd >= 0)
		(void)close(p->fd);
	if (p->passed >= 0)
		(void)close(p->passed);
	buf_free(&p->in);
	buf_free(&p->answer);
	secret_free(&p->plain);
	peer_set(p, -1, false);
}

/* -- reading ----------------------------------------------------------------------------------------------------------- */

static void
keep_passed(struct peer *p, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int fd;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(fd)))
			continue;
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
		if (p->passed >= 0)
			(void)close(p->passed);
		p->passed = fd;
	}
}

/* Takes what is there, at most to the end of the message. False: the peer is gone, or says nothing that could be a message. */
static bool
peer_read(struct peer *p)
{
	static unsigned char chunk[CHUNK];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	size_t want = WIRE_HEAD;
	struct iovec part = { chunk, 0 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	if (p->in.len >= WIRE_HEAD)
		want += msg_length((const unsigned char *)p->in.data);
	part.iov_len = want - p->in.len < CHUNK ? want - p->in.len : CHUNK;
	if (!p->channel) { /* a channel passes nothing: the kernel closes what it tries to */
		m.msg_control = control.room;
		m.msg_controllen = sizeof(control.room);
	}
	n = recvmsg(p->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (!p->channel)
		keep_passed(p, &m);
	buf_add(&p->in, chunk, (size_t)n);
	return p->in.len < WIRE_HEAD || msg_length((const unsigned char *)p->in.data) <= WIRE_REQUEST_MAX;
}

/* The whole message is there. */
static bool
peer_has(const struct peer *p)
{
	return p->in.len >= WIRE_HEAD && p->in.len == WIRE_HEAD + msg_length((const unsigned char *)p->in.data);
}

/* -- answering --------------------------------------------------------------------------------------------------------- */

/* False: the peer is gone. */
static bool
peer_write(struct peer *p)
{
	while (p->sent < p->answer.len + p->plain.n) {
		bool second = p->sent >= p->answer.len;
		size_t at = second ? p->sent - p->answer.len : p->sent;
		struct iovec part = { second ? (void *)(p->plain.b + at) : (void *)(p->answer.data + at),
			second ? p->plain.n - at : p->answer.len - at };
		struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
		ssize_t n = sendmsg(p->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		p->sent += (size_t)n;
	}
	secret_free(&p->plain);
	p->answering = false;
	p->sent = 0;
	return true;
}

static void
open_channel(struct loop *l, struct peer *control)
{
	struct err e = { 0 };
	size_t i = 1;

	while (i <= CHANNELS_MAX && l->peers[i].fd >= 0)
		i++;
	if (control->passed < 0) {
		(void)err_set(&e, ERR_INVALID, "a channel without a descriptor");
		msg_error(&control->answer, ERR_INVALID, &e);
	} else if (i > CHANNELS_MAX) {
		(void)err_set(&e, ERR_UNAVAILABLE, "%d channels of the decryptor are open, and more are not possible", CHANNELS_MAX);
		msg_error(&control->answer, ERR_UNAVAILABLE, &e);
	} else {
		peer_set(&l->peers[i], control->passed, true);
		control->passed = -1;
		msg_begin(&control->answer);
		msg_put_u8(&control->answer, 0);
		msg_end(&control->answer, 0);
	}
}

static void
serve(struct loop *l, struct peer *p)
{
	const unsigned char *body = (const unsigned char *)p->in.data + WIRE_HEAD;
	size_t n = p->in.len - WIRE_HEAD;

	if (!p->channel && n == 1 && *body == OP_CHANNEL)
		open_channel(l, p);
	else
		vault_serve(l->vault, body, n, p->channel, &p->answer, &p->plain);
	if (p->passed >= 0)
		(void)close(p->passed);
	p->passed = -1;
	if (p->in.cap > CHUNK)
		buf_free(&p->in);
	buf_reset(&p->in);
	p->sent = 0;
	p->answering = true;
}

/* -- the loop ---------------------------------------------------------------------------------------------------------- */

static void
peer_turn(struct loop *l, struct peer *p)
{
	bool good = p->answering ? peer_write(p) : peer_read(p);

	if (good && !p->answering && peer_has(p)) {
		serve(l, p);
		good = peer_write(p);
	}
	if (good)
		return;
	if (p->channel)
		vault_forget(l->vault);
	peer_close(p);
}

/* Until the daemon is gone. */
static void
loop_run(struct loop *l)
{
	struct pollfd fds[1 + CHANNELS_MAX];

	while (l->peers[0].fd >= 0) {
		for (size_t i = 0; i <= CHANNELS_MAX; i++)
			fds[i] = (struct pollfd){ l->peers[i].fd, l->peers[i].answering ? POLLOUT : POLLIN, 0 };
		if (poll(fds, 1 + CHANNELS_MAX, -1) < 0 && errno != EINTR)
			return;
		for (size_t i = 0; i <= CHANNELS_MAX; i++)
			if (fds[i].revents && l->peers[i].fd == fds[i].fd)
				peer_turn(l, &l->peers[i]);
	}
}

/* -- the beginning ------------------------------------------------------------------------------------------------------ */

/* One blocking message: before the greeting there is nobody else. */
static int
first_message(struct peer *p, struct arena *mem, struct request *r, struct err *e)
{
	while (!peer_has(p)) {
		struct pollfd f = { p->fd, POLLIN, 0 };

		if (poll(&f, 1, -1) < 0 && errno != EINTR)
			return err_errno(e, "wait for the first message");
		if (f.revents && !peer_read(p))
			return err_set(e, ERR_CANCELLED, "nobody asks");
	}
	if (request_read(mem, p->in.data + WIRE_HEAD, p->in.len - WIRE_HEAD, r, e) < 0)
		return e->code;
	if (r->op != OP_HELLO || r->generation != WIRE_VERSION || !r->text)
		return err_set(e, ERR_INVALID, "the first message is of another version of berth");
	return 0;
}

static void
greet(struct loop *l, const char *warnings)
{
	struct buf *b = &l->peers[0].answer;
	uint8_t sk[64];
	char text[96];

	msg_begin(b);
	msg_put_u8(b, 0);
	master_signer(vault_master(l->vault), sk);
	ssh_public_text(sk + 32, text);
	msg_put_text(b, text);
	master_host_ca(vault_master(l->vault), sk);
	ssh_public_text(sk + 32, text);
	msg_put_text(b, text);
	explicit_bzero(sk, sizeof(sk));
	msg_put_text(b, warnings);
	msg_end(b, 0);
}

/* Its error output is nobody's: what a broken library writes there could be anything. */
static int
nothing_to_say(struct err *e)
{
#if !defined(__SANITIZE_ADDRESS__)
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "open /dev/null");
	for (int i = 0; i < 3; i++)
		if (dup2(fd, i) < 0)
			return err_errno(e, "close the output");
	if (fd > 2)
		(void)close(fd);
#else
	(void)e;
#endif
	return 0;
}

/* Key, then walls, then work. */
static int
set_up(struct loop *l, struct buf *warnings, struct err *e)
{
	const struct sandbox walls = { .memory_max = MEMORY_MAX, .fds = true };
	struct arena *AUTO_ARENA mem = arena_new((size_t)8 << 20);
	struct sandbox_lacks lacks;
	struct request hello;
	const char *why = NULL;
	int rc;

	if ((rc = first_message(&l->peers[0], mem, &hello, e)) < 0 || (rc = seal_init(e)) < 0)
		return rc;
	if ((rc = vault_open(hello.text, &l->vault, e)) < 0 || (rc = vault_warm_up(l->vault, e)) < 0)
		return rc;
	if (!secret_locked(&why))
		buf_printf(warnings, "%s", why);
	if ((rc = nothing_to_say(e)) < 0 || (rc = sandbox_enter(&walls, &lacks, e)) < 0)
		return rc;
	for (size_t i = 0; i < lacks.n; i++)
		buf_printf(warnings, "%s%s", warnings->len ? "; " : "", lacks.text[i]);
	return 0;
}

int
decryptor_main(void)
{
	static struct loop l;
	struct buf warnings = BUF_INIT(4096);
	struct stat st;
	struct err e = { 0 };
	int rc;

	(void)signal(SIGPIPE, SIG_IGN);
	/* who stops the service signals all of it, and the daemon still needs answers until it is done; then the socket ends this one */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* forgotten where the program file gives capabilities; the socket's end says the same */
	if (fstat(CONTROL, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		(void)fprintf(stderr, "berth starts this process itself\n");
		return 2;
	}
	for (size_t i = 0; i <= CHANNELS_MAX; i++)
		peer_set(&l.peers[i], -1, false);
	l.peers[0].fd = CONTROL;
	if ((rc = sandbox_quiet(&e)) == 0)
		rc = set_up(&l, &warnings, &e);
	if (rc < 0)
		msg_error(&l.peers[0].answer, rc, &e);
	else
		greet(&l, buf_cstr(&warnings));
	buf_reset(&l.peers[0].in);
	l.peers[0].answering = true;
	if (rc == 0)
		loop_run(&l);
	else
		(void)peer_write(&l.peers[0]);
	vault_free(l.vault);
	_exit(rc == 0 ? 0 : 1); /* whatever runs at a usual exit may open files or ask for more than the walls let through */
}
