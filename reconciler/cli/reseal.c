/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing files again. A SOPS file is edited as text: its values and their MAC do not depend on who may unwrap the data key. */
#include "cli/reseal.h"

#include <string.h>

#define BEGIN "-----BEGIN AGE ENCRYPTED FILE-----"
#define END "-----END AGE ENCRYPTED FILE-----"
#define JOINT_MAX 256 /* bytes between two lines of a wrapped key: a line end and an indentation, or \n */

/* -- looking --------------------------------------------------------------------------------------------------------------- */

/* Wrapped keys in a SOPS file. */
static size_t
count_blocks(const char *bytes, size_t n)
{
	size_t count = 0;

	for (const char *at = bytes; (at = memmem(at, n - (size_t)(at - bytes), BEGIN, strlen(BEGIN))); at += strlen(BEGIN))
		count++;
	return count;
}

int
reseal_look(const struct reseal *r, size_t *which, size_t *recipients, struct err *e)
{
	struct secret AUTO_SECRET plain = { NULL, 0 };
	struct sops_open opened = { .n = 0 };
	int rc;

	*recipients = r->format == SEAL_AGE ? age_recipients(r->bytes, r->n) : count_blocks(r->bytes, r->n);
	if (r->format == SEAL_AGE)
		return age_open(r->bytes, r->n, r->ids, r->nids, which, &plain, NULL, e);
	rc = sops_open(r->mem, r->format, r->bytes, r->n, r->ids, r->nids, which, &opened, NULL, e);
	secret_free(&opened.block);
	return rc;
}

/* -- age ------------------------------------------------------------------------------------------------------------------- */

static int
reseal_age(const struct reseal *r, size_t which, const struct age_identity *to, const uint8_t (*more)[32], size_t n, struct buf *out,
           struct err *e)
{
	uint8_t pk[AGE_STANZAS_MAX][32];
	struct secret AUTO_SECRET plain = { NULL, 0 };
	bool armored = r->n && *r->bytes != 'a'; /* "age-encryption.org" */
	int rc;

	if (n >= AGE_STANZAS_MAX)
		return err_set(e, ERR_INVALID, "more than %d recipients", AGE_STANZAS_MAX);
	memcpy(pk[0], to->pk, 32);
	for (size_t i = 0; i < n; i++)
		memcpy(pk[i + 1], more[i], 32);
	if ((rc = age_open(r->bytes, r->n, &r->ids[which], 1, NULL, &plain, NULL, e)) < 0)
		return rc;
	return age_seal((const uint8_t(*)[32])pk, n + 1, plain.b, plain.n, armored, NULL, out, e);
}

/* -- SOPS ------------------------------------------------------------------------------------------------------------------ */

/* A wrapped key in the text: where it stands, and what is between its lines. */
struct block {
	const char *at, *end; /* behind END */
	const char *joint;
	size_t njoint;
};

/* The next one at or behind `from`. */
static bool
next_block(const char *from, const char *end, struct block *b)
{
	const char *body, *first;

	b->at = memmem(from, (size_t)(end - from), BEGIN, strlen(BEGIN));
	if (!b->at)
		return false;
	body = b->at + strlen(BEGIN);
	b->end = memmem(body, (size_t)(end - body), END, strlen(END));
	if (!b->end)
		return false;
	/* "YWdl": every age file begins with "age" */
	first = memmem(body, (size_t)(b->end - body), "YWdl", 4);
	if (!first || first == body || first - body > JOINT_MAX)
		return false;
	b->joint = body;
	b->njoint = (size_t)(first - body);
	b->end += strlen(END);
	return true;
}

/* Its lines with LF between them. */
static void
unjoin(const struct block *b, struct buf *out)
{
	const char *at = b->at;

	while (at < b->end) {
		const char *next = memmem(at, (size_t)(b->end - at), b->joint, b->njoint);
		const char *stop = next ? next : b->end;

		buf_add(out, at, (size_t)(stop - at));
		buf_char(out, '\n');
		at = next ? next + b->njoint : b->end;
	}
}

static void
join(const struct buf *armored, const struct block *b, struct buf *out)
{
	size_t n = armored->len && armored->data[armored->len - 1] == '\n' ? armored->len - 1 : armored->len;

	for (size_t i = 0; i < n; i++) {
		if (armored->data[i] == '\n')
			buf_add(out, b->joint, b->njoint);
		else
			buf_char(out, armored->data[i]);
	}
}

/* The data key wrapped for `to`, when this block is what `from` opens. 1: done; 0: it is somebody else's. */
static int
rewrap(const struct block *b, const struct age_identity *from, const struct age_identity *to, struct buf *out, struct err *e)
{
	struct buf AUTO_BUF old = BUF_INIT(AGE_FILE_MAX), new = BUF_INIT(AGE_FILE_MAX);
	struct secret AUTO_SECRET key = { NULL, 0 };
	uint8_t pk[1][32];
	int rc;

	unjoin(b, &old);
	if (age_open(buf_cstr(&old), old.len, from, 1, NULL, &key, NULL, NULL) < 0)
		return 0;
	memcpy(pk[0], to->pk, 32);
	if ((rc = age_seal((const uint8_t(*)[32])pk, 1, key.b, key.n, true, NULL, &new, e)) < 0)
		return rc;
	join(&new, b, out);
	return 1;
}

/* Recipients are told in plain beside the wrapped keys: people and `sops updatekeys` read them. */
static void
rename_recipient(const struct buf *in, const struct age_identity *from, const struct age_identity *to, struct buf *out)
{
	char old[AGE_TEXT_MAX], new[AGE_TEXT_MAX];
	const char *at = buf_cstr(in), *end = at + in->len;

	age_recipient_text(from->pk, old);
	age_recipient_text(to->pk, new);
	while (at < end) {
		const char *hit = memmem(at, (size_t)(end - at), old, strlen(old));

		buf_add(out, at, (size_t)((hit ? hit : end) - at));
		if (!hit)
			break;
		buf_str(out, new);
		at = hit + strlen(old);
	}
}

static int
reseal_sops(const struct reseal *r, size_t which, const struct age_identity *to, struct buf *out, struct err *e)
{
	struct buf AUTO_BUF text = BUF_INIT(SOPS_FILE_MAX);
	const char *at = r->bytes, *end = r->bytes + r->n;
	struct block b;
	int done = 0, rc;

	while (next_block(at, end, &b)) {
		buf_add(&text, at, (size_t)(b.at - at));
		if ((rc = rewrap(&b, &r->ids[which], to, &text, e)) < 0)
			return rc;
		if (!rc)
			buf_add(&text, b.at, (size_t)(b.end - b.at));
		done += rc;
		at = b.end;
	}
	buf_add(&text, at, (size_t)(end - at));
	if ((rc = buf_check(&text, "the sealed file", e)) < 0)
		return rc;
	if (!done)
		return err_set(e, ERR_INVALID, "its data key is not written as sops writes it");
	rename_recipient(&text, &r->ids[which], to, out);
	return buf_check(out, "the sealed file", e);
}

int
reseal(const struct reseal *r, size_t which, const struct age_identity *to, const uint8_t (*more)[32], size_t n, struct buf *out,
       struct err *e)
{
	struct reseal again = *r;
	size_t unused;
	int rc = r->format == SEAL_AGE ? reseal_age(r, which, to, more, n, out, e) : reseal_sops(r, which, to, out, e);

	if (rc < 0)
		return rc;
	again.bytes = buf_cstr(out);
	again.n = out->len;
	again.ids = to;
	again.nids = 1;
	if ((rc = reseal_look(&again, &unused, &unused, e)) < 0)
		return err_wrap(e, "sealed again it does not open, and is left as it was");
	return 0;
}
