/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of a channel: a delivery child asks for the bytes of one value after the other. */
#include "lib/base/clock.h"
#include "lib/seal/decryptor_client.h"

#define CHANNEL_MS 20000

static int
too_late(int rc, struct err *e)
{
	return rc == ERR_CANCELLED ? err_set(e, ERR_UNAVAILABLE, "the decryptor gives no answer") : rc;
}

static int
unreadable(struct err *e)
{
	return err_set(e, ERR_INTERNAL, "the decryptor's answer cannot be read");
}

/* The rest of an answer that begins with `code`. */
static int
receive_error(int fd, uint8_t code, size_t n, int64_t until, struct err *e)
{
	char rest[1 + sizeof(e->text) + sizeof(e->hint) + 8];
	struct msg m = { (const unsigned char *)rest, n + 1, false };
	int rc;

	if (n + 1 > sizeof(rest))
		return unreadable(e);
	rest[0] = (char)code;
	if ((rc = msg_receive(fd, rest + 1, n, until, e)) < 0)
		return too_late(rc, e);
	return msg_answer(&m, e);
}

/* The rest of one that holds `n` bytes: their length once more, then they. */
static int
receive_value(int fd, size_t n, int64_t until, struct secret *out, struct err *e)
{
	unsigned char size[4];
	struct secret s;
	int rc;

	if (n < sizeof(size))
		return unreadable(e);
	if ((rc = msg_receive(fd, size, sizeof(size), until, e)) < 0)
		return too_late(rc, e);
	if (msg_length(size) != n - sizeof(size))
		return unreadable(e);
	s = secret_new(n - sizeof(size));
	if ((rc = msg_receive(fd, s.b, s.n, until, e)) < 0) {
		secret_free(&s);
		return too_late(rc, e);
	}
	*out = s;
	return 0;
}

int
channel_part(int fd, const struct part *p, struct secret *out, struct err *e)
{
	const struct request r = { .op = OP_PART, .parts = (struct part *)(uintptr_t)p, .nparts = 1 };
	struct buf AUTO_BUF b = BUF_INIT(0);
	int64_t until = clock_mono_ms() + CHANNEL_MS;
	unsigned char head[WIRE_HEAD + 1]; /* the length and the code */
	size_t n;
	int rc;

	if ((rc = request_write(&r, &b, e)) < 0)
		return rc;
	if ((rc = msg_send(fd, b.data, b.len, -1, until, e)) < 0 || (rc = msg_receive(fd, head, sizeof(head), until, e)) < 0)
		return too_late(rc, e);
	n = msg_length(head);
	if (n < 1 || n > WIRE_ANSWER_MAX)
		return unreadable(e);
	if (head[WIRE_HEAD] != 0)
		return receive_error(fd, head[WIRE_HEAD], n - 1, until, e);
	return receive_value(fd, n - 1, until, out, e);
}
