/* SPDX-License-Identifier: Apache-2.0 */
/* The decryptor's messages: numbers, texts, answers. */
#include <string.h>

#include "lib/seal/decryptor_priv.h"

/* -- numbers and texts ----------------------------------------------------------------------------------------------- */

static const unsigned char *
take(struct msg *w, size_t n)
{
	const unsigned char *p = w->p;

	if (w->bad || n > w->left) {
		w->bad = true;
		w->left = 0;
		return NULL;
	}
	w->p += n;
	w->left -= n;
	return p;
}

uint8_t
msg_u8(struct msg *w)
{
	const unsigned char *p = take(w, 1);

	return p ? *p : 0;
}

uint32_t
msg_length(const unsigned char head[WIRE_HEAD])
{
	return (uint32_t)head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
}

uint32_t
msg_u32(struct msg *w)
{
	const unsigned char *p = take(w, 4);

	return p ? msg_length(p) : 0;
}

const char *
msg_bytes(struct msg *w, size_t max, size_t *n)
{
	size_t len = msg_u32(w);
	const unsigned char *p;

	if (len > max)
		w->bad = true;
	p = take(w, len);
	*n = p ? len : 0;
	return p ? (const char *)p : "";
}

const char *
msg_text(struct msg *w, struct arena *mem, size_t max)
{
	size_t n;
	const char *p = msg_bytes(w, max, &n);

	if (n && memchr(p, '\0', n))
		w->bad = true;
	return n && !w->bad ? arena_strndup(mem, p, n) : NULL;
}

void
msg_put_u8(struct buf *b, uint8_t v)
{
	buf_char(b, (char)v);
}

void
msg_put_u32(struct buf *b, uint32_t v)
{
	const unsigned char p[4] = { (unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16), (unsigned char)(v >> 24) };

	buf_add(b, p, 4);
}

void
msg_put_bytes(struct buf *b, const void *p, size_t n)
{
	msg_put_u32(b, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
	if (n)
		buf_add(b, p, n);
}

void
msg_put_text(struct buf *b, const char *s)
{
	msg_put_bytes(b, s, s ? strlen(s) : 0);
}

void
msg_begin(struct buf *b)
{
	buf_reset(b);
	msg_put_u32(b, 0);
}

void
msg_end(struct buf *b, size_t more)
{
	size_t n = b->len - WIRE_HEAD + more;

	for (size_t i = 0; i < WIRE_HEAD; i++)
		b->data[i] = (char)(unsigned char)(n >> 8 * i);
}

/* -- answers --------------------------------------------------------------------------------------------------------- */

void
msg_error(struct buf *b, int code, const struct err *e)
{
	msg_begin(b);
	msg_put_u8(b, (uint8_t)-code);
	msg_put_text(b, e->text);
	msg_put_text(b, e->hint);
	msg_end(b, 0);
}

int
msg_answer(struct msg *w, struct err *e)
{
	uint8_t code = msg_u8(w);
	size_t ntext, nhint;
	const char *text, *hint;

	if (code == 0 && !w->bad)
		return 0;
	text = msg_bytes(w, sizeof(e->text), &ntext);
	hint = msg_bytes(w, sizeof(e->hint), &nhint);
	if (w->bad || w->left || code > -ERR_CANCELLED)
		return err_set(e, ERR_INTERNAL, "the decryptor's answer cannot be read");
	(void)err_set(e, -(int)code, "%.*s", (int)ntext, text);
	if (nhint)
		(void)err_hint(e, "%.*s", (int)nhint, hint);
	return -(int)code;
}
