/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon and its delivery children ask of the decryptor. */
#include "lib/seal/decryptor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/seal/decryptor_client.h"

#define DEADLINE_MS 5000

int
decryptor_start(const struct decryptor_config *c, struct decryptor **out, struct err *e)
{
	struct decryptor *d = calloc(1, sizeof(*d));
	int rc;

	if (!d || !(d->key_file = strdup(c->key_file)))
		abort();
	d->deadline_ms = c->deadline_ms ? c->deadline_ms : DEADLINE_MS;
	d->fd = -1;
	if ((rc = decryptor_running(d, e)) < 0) {
		decryptor_stop(d);
		return rc;
	}
	*out = d;
	return 0;
}

void
decryptor_stop(struct decryptor *d)
{
	if (!d)
		return;
	decryptor_end(d);
	free(d->key_file);
	free(d);
}

const char *
decryptor_signer(const struct decryptor *d)
{
	return d->signer;
}

const char *
decryptor_host_ca(const struct decryptor *d)
{
	return d->host_ca;
}

const char *
decryptor_warning(const struct decryptor *d)
{
	return d->warning[0] ? d->warning : NULL;
}

int
decryptor_pid(const struct decryptor *d)
{
	return (int)d->pid;
}

const char *
decryptor_note(struct decryptor *d)
{
	if (!d->noted)
		return NULL;
	d->noted = false;
	return d->note;
}

/* -- inputs on which it died ------------------------------------------------------------------------------------------- */

static struct poison *
poison_of(struct decryptor *d, const struct digest *of)
{
	for (size_t i = 0; i < d->npoisons; i++)
		if (memcmp(&d->poisons[i].of, of, sizeof(*of)) == 0)
			return &d->poisons[i];
	return NULL;
}

static void
blame(struct decryptor *d, const struct digest *of)
{
	struct poison *p = poison_of(d, of);

	if (!p) {
		p = &d->poisons[d->next_poison];
		*p = (struct poison){ .of = *of };
		d->next_poison = (d->next_poison + 1) % POISONS_MAX;
		d->npoisons += d->npoisons < POISONS_MAX;
	}
	p->deaths++;
}

static int
quarantined(struct decryptor *d, const struct digest *of, struct err *e)
{
	const struct poison *p = poison_of(d, of);

	if (!p || p->deaths < POISON_DEATHS)
		return 0;
	(void)err_set(e, ERR_INVALID, "the process that opens sealed files died of this one %u times, and it is not opened again", p->deaths);
	return err_hint(e, "Seal the value again. A restart of berth gives this file another try; please report a file that was sealed properly.");
}

/* -- one question ------------------------------------------------------------------------------------------------------ */

/* Processor time that it has used; a machine that is slow, or a process that is stopped, is not the input's fault. */
static int64_t
used_ms(const struct decryptor *d)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(d->pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Too late, or dead: ends it, remembers whose fault it was, and says it. */
static int
failed(struct decryptor *d, int code, int64_t used, const struct digest *input, struct err *e)
{
	bool late = code == ERR_CANCELLED, blamed = input != NULL;
	char why[128];

	if (late) {
		blamed = blamed && used_ms(d) - used > d->deadline_ms / 2;
		(void)snprintf(why, sizeof(why), "gave no answer within %lld ms and was ended", (long long)d->deadline_ms);
	}
	decryptor_lost(d, late ? why : code == ERR_INTERNAL ? "gave an answer that cannot be read and was ended" : NULL);
	if (blamed)
		blame(d, input);
	(void)err_set(e, ERR_UNAVAILABLE, "%s", d->note);
	return err_hint(e, "berth starts it again and tries once more.");
}

/* `answer` is without its length and its code, at *m. `input` may be NULL: nobody's. */
static int
ask(struct decryptor *d, const struct request *r, int pass, const struct digest *input, struct buf *answer, struct msg *m, struct err *e)
{
	struct buf AUTO_BUF b = BUF_INIT(0);
	struct err how = { 0 };
	int64_t until, used;
	struct poison *p;
	int rc;

	if ((input && (rc = quarantined(d, input, e)) < 0) || (rc = request_write(r, &b, e)) < 0 || (rc = decryptor_running(d, e)) < 0)
		return rc;
	until = clock_mono_ms() + d->deadline_ms;
	used = used_ms(d);
	answer->max = WIRE_ANSWER_MAX;
	if ((rc = msg_send(d->fd, b.data, b.len, pass, until, &how)) < 0 || (rc = msg_receive_answer(d->fd, answer, until, &how)) < 0)
		return failed(d, rc, used, input, e);
	if (input && (p = poison_of(d, input)))
		p->deaths = 0;
	*m = (struct msg){ (const unsigned char *)answer->data, answer->len, false };
	return msg_answer(m, e);
}

/* What could not be read is of a process that does not do what this one expects. */
static int
whole(struct decryptor *d, const struct msg *m, struct err *e)
{
	return m->bad || m->left ? failed(d, ERR_INTERNAL, 0, NULL, e) : 0;
}

/* The values of one file; returns the generation. */
static unsigned
take_values(struct msg *m, struct arena *mem, struct sealed_value **out, size_t *n)
{
	unsigned generation = msg_u32(m);
	uint32_t count = msg_u32(m);
	struct sealed_value *values;

	m->bad |= count > SOPS_LEAVES_MAX;
	values = arena_array(mem, m->bad ? 1 : count + 1, sizeof(*values));
	for (uint32_t i = 0; i < count && !m->bad; i++) {
		const char *name = msg_text(m, mem, WIRE_LEAF_MAX), *digest;
		size_t len;

		digest = msg_bytes(m, SEAL_DIGEST_HEX - 1, &len);
		values[i].name = name ? name : "";
		memcpy(values[i].digest, digest, len);
		values[i].size = msg_u32(m);
	}
	*out = values;
	*n = count;
	return generation;
}

int
decryptor_look(struct decryptor *d, struct arena *mem, const struct sealed *s, struct sealed_value **out, size_t *n,
               unsigned *generation, struct err *e)
{
	const struct request r = { .op = OP_LOOK, .sealed = *s };
	struct buf AUTO_BUF answer = BUF_INIT(0);
	struct digest input;
	struct msg m;
	int rc;

	hash_bytes(s->bytes, s->n, &input);
	if ((rc = ask(d, &r, -1, &input, &answer, &m, e)) < 0)
		return rc;
	*generation = take_values(&m, mem, out, n);
	return whole(d, &m, e);
}

/* -- several at once --------------------------------------------------------------------------------------------------- */

/* One that is known to be dangerous goes alone: then it is known whose fault it is. */
static bool
suspected(struct decryptor *d, const struct sealed *s)
{
	const struct poison *p;
	struct digest of;

	if (!d->npoisons)
		return false;
	hash_bytes(s->bytes, s->n, &of);
	return (p = poison_of(d, &of)) && p->deaths > 0;
}

/* The answer for one, a message in the whole answer. */
static void
take_looked(struct msg *all, struct arena *mem, struct decryptor_looked *out)
{
	struct msg m = { NULL, 0, false };
	struct err *why = arena_alloc(mem, sizeof(*why));
	int rc;

	m.p = (const unsigned char *)msg_bytes(all, WIRE_ANSWER_MAX, &m.left);
	if ((rc = msg_answer(&m, why)) == 0)
		(void)take_values(&m, mem, &out->values, &out->n);
	all->bad |= m.bad || m.left || rc == ERR_INTERNAL;
	out->e = rc < 0 ? why : NULL;
	out->known = rc == 0 || rc == ERR_DENIED || rc == ERR_INVALID;
}

/* files[which[0 … n-1]], in one question. */
static int
look_some(struct decryptor *d, struct arena *mem, const struct sealed *files, const size_t *which, size_t n, struct decryptor_looked *out,
          struct err *e)
{
	struct buf AUTO_BUF answer = BUF_INIT(0);
	struct request r = { .op = OP_LOOKS, .files = arena_array(mem, n, sizeof(*files)), .nfiles = n };
	unsigned lost = d->starts_lost;
	struct msg m;
	int rc;

	for (size_t i = 0; i < n; i++)
		r.files[i] = files[which[i]];
	if ((rc = ask(d, &r, -1, NULL, &answer, &m, e)) == 0) {
		for (size_t i = 0; i < n; i++)
			take_looked(&m, mem, &out[which[i]]);
		rc = whole(d, &m, e);
	}
	for (size_t i = 0; rc < 0 && i < n; i++)
		out[which[i]].known = false;
	if (rc < 0 && d->starts_lost > lost)
		decryptor_forgive(d);
	return rc;
}

int
decryptor_looks(struct decryptor *d, struct arena *mem, const struct sealed *files, size_t n, struct decryptor_looked *out, struct err *e)
{
	size_t which[DECRYPTOR_LOOKS_MAX], count = 0, bytes = 0;
	int rc;

	memset(out, 0, n * sizeof(*out));
	for (size_t i = 0; i < n; i++) {
		if (files[i].n > DECRYPTOR_LOOKS_BYTES || suspected(d, &files[i]))
			continue;
		if (count == DECRYPTOR_LOOKS_MAX || bytes + files[i].n > DECRYPTOR_LOOKS_BYTES) {
			if ((rc = look_some(d, mem, files, which, count, out, e)) < 0)
				return rc;
			count = bytes = 0;
		}
		which[count++] = i;
		bytes += files[i].n;
	}
	return count ? look_some(d, mem, files, which, count, out, e) : 0;
}

/* -- what else it knows ------------------------------------------------------------------------------------------------ */

/* A text of the answer, of at most room - 1 bytes. */
static void
take_text(struct msg *m, char *out, size_t room)
{
	size_t n;
	const char *text = msg_bytes(m, room - 1, &n);

	memcpy(out, text, n);
	out[n] = '\0';
}

int
decryptor_recipient(struct decryptor *d, const struct seal_place *p, unsigned generation, char out[AGE_TEXT_MAX], struct err *e)
{
	const struct request r = { .op = OP_RECIPIENT, .place = *p, .generation = generation };
	struct buf AUTO_BUF answer = BUF_INIT(0);
	struct msg m;
	int rc = ask(d, &r, -1, NULL, &answer, &m, e);

	if (rc < 0)
		return rc;
	take_text(&m, out, AGE_TEXT_MAX);
	return whole(d, &m, e);
}

int
decryptor_sign(struct decryptor *d, const char *ns, const void *msg, size_t n, struct buf *out, struct err *e)
{
	const struct request r = { .op = OP_SIGN, .text = ns, .bytes = msg, .n = n };
	struct buf AUTO_BUF answer = BUF_INIT(0);
	const char *sig;
	struct msg m;
	size_t len;
	int rc = ask(d, &r, -1, NULL, &answer, &m, e);

	if (rc < 0)
		return rc;
	sig = msg_bytes(&m, WIRE_ANSWER_MAX, &len);
	if ((rc = whole(d, &m, e)) < 0)
		return rc;
	buf_add(out, sig, len);
	return buf_check(out, "a signature", e);
}

int
decryptor_host(struct decryptor *d, const struct seal_place *env, const char *const *names, size_t nnames, char digest[SEAL_DIGEST_HEX],
               struct buf *cert, struct err *e)
{
	const struct request r = { .op = OP_HOST, .place = *env, .names = names, .nnames = nnames };
	struct buf AUTO_BUF answer = BUF_INIT(0);
	const char *line;
	struct msg m;
	size_t n;
	int rc;

	if (nnames == 0 || nnames > WIRE_NAMES_MAX)
		return err_set(e, ERR_INVALID, "a host key for %zu names, 1 to %d are possible", nnames, WIRE_NAMES_MAX);
	if ((rc = ask(d, &r, -1, NULL, &answer, &m, e)) < 0)
		return rc;
	take_text(&m, digest, SEAL_DIGEST_HEX);
	line = msg_bytes(&m, WIRE_ANSWER_MAX, &n);
	if ((rc = whole(d, &m, e)) < 0)
		return rc;
	if (!cert)
		return 0;
	buf_add(cert, line, n);
	return buf_check(cert, "a host certificate", e);
}

int
decryptor_reseal(struct decryptor *d, const char *secret, size_t n, const struct part *parts, size_t nparts, const char *recipient,
                 struct buf *out, struct err *e)
{
	struct request r = { .op = OP_RESEAL, .text = recipient, .bytes = secret, .n = n, .nparts = nparts };
	struct buf AUTO_BUF answer = BUF_INIT(0);
	struct digest input;
	struct hash_state h;
	const char *file;
	struct msg m;
	size_t len;
	int rc;

	r.parts = (struct part *)(uintptr_t)parts;
	hash_init(&h);
	hash_field(&h, secret, n);
	for (size_t i = 0; i < nparts; i++)
		hash_field(&h, parts[i].sealed ? parts[i].sealed->bytes : NULL, parts[i].sealed ? parts[i].sealed->n : 0);
	hash_final(&h, &input);
	if ((rc = ask(d, &r, -1, &input, &answer, &m, e)) < 0)
		return rc;
	file = msg_bytes(&m, WIRE_ANSWER_MAX, &len);
	if ((rc = whole(d, &m, e)) < 0)
		return rc;
	buf_add(out, file, len);
	return buf_check(out, "a sealed Secret", e);
}

/* -- channels ---------------------------------------------------------------------------------------------------------- */

int
decryptor_channel(struct decryptor *d, int *fd, struct err *e)
{
	const struct request r = { .op = OP_CHANNEL };
	struct buf AUTO_BUF answer = BUF_INIT(0);
	int pair[2], rc;
	struct msg m;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, "a channel of the decryptor");
	if ((rc = ask(d, &r, pair[1], NULL, &answer, &m, e)) == 0)
		rc = whole(d, &m, e);
	(void)close(pair[1]);
	if (rc < 0) {
		(void)close(pair[0]);
		return rc;
	}
	*fd = pair[0];
	return 0;
}
