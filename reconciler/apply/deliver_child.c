/* SPDX-License-Identifier: Apache-2.0 */
/* The child's end: the only place outside of the decryptor where values are, for as long as it takes to send them. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "apply/deliver.h"
#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/redact.h"
#include "lib/doc/json.h"

#define WINDOW 16 /* requests at once: so many bodies are in memory */
#define REQUEST_MS 20000
#define BODY_MAX ((size_t)3 << 20) /* what an API server takes */
#define BATCH_FD 3
#define CHANNEL_FD 4
#define ANSWER_FD 5

struct sending {
	struct work *w;
	uint32_t id;
	struct secret body;
};

struct work {
	struct kube *kube;
	struct arena *mem; /* of one answer */
	int64_t until;
	size_t flying;
};

static bool
may_send(void *ctx)
{
	const struct work *w = ctx;

	return clock_boot_ms() < w->until;
}

/* -- answers ------------------------------------------------------------------------------------------------------------------ */

static void
give(const struct wire_answer *w)
{
	struct buf text AUTO_BUF = BUF_INIT(2 * WIRE_ANSWER_MAX);

	answer_write(&text, w);
	if (fs_write_all(ANSWER_FD, text.data, text.len) < 0)
		_exit(1); /* nobody listens any more */
}

static void
on_answer(void *ctx, const struct kube_answer *a)
{
	struct sending *s = ctx;
	struct wire_answer w = { .id = s->id, .asked = true };

	arena_reset(s->w->mem);
	answer_clean(s->w->mem, a, &w.a);
	give(&w);
	s->w->flying--;
	secret_free(&s->body);
	free(s);
}

static void
refuse(uint32_t id, const struct err *e)
{
	struct wire_answer w = { .id = id, .a = { .code = e->code, .body = "", .reason = "NotDelivered", .retry_after_ms = -1 } };
	struct buf text AUTO_BUF = BUF_INIT(4096);

	buf_printf(&text, "%s%s%s", e->text, *e->hint ? ": " : "", e->hint);
	w.a.message = buf_cstr(&text);
	give(&w);
}

/* -- bodies ----------------------------------------------------------------------------------------------------------------------- */

/* Into guarded memory that is large enough; returns what is behind it. */
static unsigned char *
put_base64(unsigned char *to, const unsigned char *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);

		*to++ = (unsigned char)digits[v >> 18];
		*to++ = (unsigned char)digits[v >> 12 & 63];
		*to++ = i + 1 < n ? (unsigned char)digits[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? (unsigned char)digits[v & 63] : '=';
	}
	return to;
}

static unsigned char *
put_text(unsigned char *to, const char *p, size_t n)
{
	memcpy(to, p, n);
	return to + n;
}

/* "KEY":" as JSON, in mem. */
static const char *
key_text(struct arena *mem, const char *key)
{
	struct buf text AUTO_BUF = BUF_INIT(4096);

	json_write(value_str(mem, key), 0, &text);
	buf_str(&text, ":\"");
	return arena_strdup(mem, buf_cstr(&text));
}

/* The body with its `data`, which goes in before the last brace: a place, so that no text can pose as it. */
static int
join(struct arena *mem, const struct wire_item *q, const struct part *parts, const struct secret *values, size_t n, struct secret *out,
     struct err *e)
{
	static const char open[] = ",\"data\":{";
	size_t size = q->body_len + sizeof(open) + 4, head = q->body_len;
	const char **keys = arena_array(mem, n + 1, sizeof(*keys));
	unsigned char *at;

	while (head && q->body[head - 1] != '}')
		head--;
	if (!head)
		return err_set(e, ERR_INTERNAL, "the body of a Secret is no object");
	for (size_t i = 0; i < n; i++) {
		keys[i] = key_text(mem, parts[i].key);
		size += strlen(keys[i]) + 4 * ((values[i].n + 2) / 3) + 4;
	}
	if (size > BODY_MAX)
		return err_set(e, ERR_INVALID, "the values are %zu KiB together, and a Secret may have 1 MiB", size >> 10);
	*out = secret_new(size);
	at = put_text(out->b, q->body, head - 1);
	at = put_text(at, open, sizeof(open) - 1);
	for (size_t i = 0; i < n; i++) {
		if (i)
			*at++ = ',';
		at = put_text(at, keys[i], strlen(keys[i]));
		at = put_base64(at, values[i].b, values[i].n);
		*at++ = '"';
	}
	at = put_text(at, "}}", 2);
	out->n = (size_t)(at - out->b);
	return 0;
}

static int
make_body(struct arena *mem, const struct wire_item *q, struct secret *out, struct err *e)
{
	struct secret *values;
	struct part *parts;
	size_t n, got = 0;
	int rc = 0;

	if (!parts_unpack(mem, q->parts, q->parts_len, &parts, &n))
		return err_set(e, ERR_INTERNAL, "the parts of a Secret cannot be read");
	values = arena_array(mem, n + 1, sizeof(*values));
	for (; rc == 0 && got < n; got += rc == 0)
		rc = channel_part(CHANNEL_FD, &parts[got], &values[got], e);
	if (rc == 0)
		rc = join(mem, q, parts, values, n, out, e);
	for (size_t i = 0; i < got; i++)
		secret_free(&values[i]);
	return rc;
}

/* -- the batch ------------------------------------------------------------------------------------------------------------------- */

static void
send_item(struct work *w, const struct wire_item *q)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct sending *s = calloc(1, sizeof(*s));
	struct err e = { 0 };

	if (!s)
		abort();
	if (make_body(mem, q, &s->body, &e) < 0) {
		refuse(q->id, &e);
		free(s);
		return;
	}
	s->w = w;
	s->id = q->id;
	w->flying++;
	kube_send(w->kube, &(struct kube_request){ .method = q->method, .path = q->path, .content_type = q->content_type, .accept = KUBE_METADATA,
		.body = (const char *)s->body.b, .body_len = s->body.n, .timeout_ms = REQUEST_MS, .done = on_answer, .ctx = s });
}

static bool
run_batch(struct work *w, struct wire_reader *r, size_t items)
{
	for (size_t i = 0; i < items || w->flying;) {
		struct wire_item q;

		if (i < items && w->flying < WINDOW) {
			if (!batch_item(r, &q))
				return false;
			send_item(w, &q);
			i++;
			kube_run(w->kube, 0, -1);
			continue;
		}
		kube_run(w->kube, 100, -1);
	}
	return true;
}

/* -- start ------------------------------------------------------------------------------------------------------------------------ */

static void
close_in(void)
{
	struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)setrlimit(RLIMIT_FSIZE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* The kernel ends this process at that time, also when it is stopped: nothing goes out after the right to write has ended. */
static bool
die_at(int64_t until)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec at = { .it_value = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 } };
	timer_t timer;

	return until > 0 && timer_create(CLOCK_BOOTTIME, &ev, &timer) == 0 && timer_settime(timer, TIMER_ABSTIME, &at, NULL) == 0;
}

static const char *
map_batch(size_t *n)
{
	struct stat st;
	const char *p;

	if (fstat(BATCH_FD, &st) < 0 || st.st_size <= 0 || (uintmax_t)st.st_size > WIRE_MAX)
		return NULL;
	*n = (size_t)st.st_size;
	p = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, BATCH_FD, 0);
	return p == MAP_FAILED ? NULL : p;
}

int
deliver_main(void)
{
	struct kube_config config = { .namespace_ = "default", .source = "the daemon" };
	struct work w = { .flying = 0 };
	struct wire_reader r = { 0 };
	struct wire_cluster c;
	struct err e = { 0 };
	size_t n = 0, items;
	bool good;

	close_in();
	for (int fd = BATCH_FD; fd <= ANSWER_FD; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	r.p = map_batch(&n);
	r.end = r.p ? r.p + n : NULL;
	if (!r.p || !batch_read(&r, &c, &items) || !die_at(c.until_ms) || seal_init(&e) < 0)
		return 1;
	config.server = c.server;
	config.ca = c.ca;
	config.cert = c.cert;
	config.key = c.key;
	config.insecure = c.insecure;
	config.token.text = c.token; /* kube_new tells the redactor */
	w.until = c.until_ms;
	w.mem = arena_new((size_t)64 << 20);
	w.kube = kube_new(&config, may_send, &w);
	good = run_batch(&w, &r, items);
	kube_free(w.kube);
	arena_free(w.mem);
	return good ? 0 : 1;
}
