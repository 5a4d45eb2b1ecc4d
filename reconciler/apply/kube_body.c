/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: the rendered object, our marks, and a slot for the condition under which the server may take it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_priv.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#define BODY_MAX ((size_t)2 << 20) /* an object of more is refused by etcd anyway */
#define HEAD "{\"metadata\":{"
#define SLOT 64 /* bytes behind HEAD */

/* -- small texts ------------------------------------------------------------------------------------------------------------ */

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hexadecimal digits, dashes passed over when `dashes`; exactly n bytes. */
static bool
hex_read(const char *s, bool dashes, uint8_t *out, size_t n)
{
	size_t k = 0;

	for (; *s; s++) {
		int hi, lo;

		if (dashes && *s == '-')
			continue;
		if (k == n || (hi = nibble(s[0])) < 0 || (lo = nibble(s[1])) < 0)
			return false;
		out[k++] = (uint8_t)(hi << 4 | lo);
		s++;
	}
	return k == n;
}

bool
uid_parse(const char *text, uint8_t out[16])
{
	return text && hex_read(text, true, out, 16);
}

void
uid_text(const uint8_t uid[16], char out[37])
{
	static const char digits[] = "0123456789abcdef";
	size_t k = 0;

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[k++] = '-';
		out[k++] = digits[uid[i] >> 4];
		out[k++] = digits[uid[i] & 15];
	}
	out[k] = '\0';
}

bool
hash_parse(const char *text, uint8_t out[HASH_LEN])
{
	return text && hex_read(text, false, out, HASH_LEN);
}

void
hash_text(const uint8_t h[HASH_LEN], char out[2 * HASH_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < HASH_LEN; i++) {
		out[2 * i] = digits[h[i] >> 4];
		out[2 * i + 1] = digits[h[i] & 15];
	}
	out[2 * HASH_LEN] = '\0';
}

/* -- the body ----------------------------------------------------------------------------------------------------------------- */

/* A map with one more entry in metadata.<where>; shares everything else. */
static struct value *
with_entry(struct arena *mem, const struct value *metadata, const char *where, const char *const *pairs)
{
	struct value *patch = value_map(mem), *inner = value_map(mem);

	for (; *pairs; pairs += 2)
		value_set(mem, inner, pairs[0], value_str(mem, pairs[1]));
	value_set(mem, patch, where, inner);
	return value_overlay(mem, metadata, patch);
}

static void
write_rest(const struct value *v, const struct value *metadata, struct buf *out)
{
	struct buf inner AUTO_BUF = BUF_INIT(BODY_MAX);

	buf_str(out, HEAD);
	buf_pad(out, ' ', SLOT);
	json_write(metadata, 0, &inner);
	buf_add(out, inner.data + 1, inner.len - 1); /* without its opening brace: the head has it */
	for (size_t i = 0; i < v->map.n; i++) {
		if (strcmp(v->map.items[i].key, "metadata") == 0)
			continue;
		buf_printf(out, ",\"%s\":", v->map.items[i].key); /* top-level keys of objects need no escapes: kinds are checked */
		json_write(v->map.items[i].value, 0, out);
	}
	buf_char(out, '}');
}

/* What the values are, by the decryptor's digests: another ciphertext of the same values sends nothing. */
static void
hash_parts(struct hash_state *h, const struct object *o)
{
	for (size_t i = 0; i < o->nparts; i++) {
		hash_field_str(h, o->parts[i].key);
		hash_field_str(h, o->digests[i]);
	}
}

void
body_free(struct kbody *b)
{
	free(b->json);
	free(b->parts);
	*b = (struct kbody){ 0 };
}

size_t
body_size(const struct kbody *b)
{
	return b->len + b->parts_len;
}

void
body_make(struct target_kube *t, struct arena *mem, const struct object *o, const char *unit, struct kbody *out)
{
	static const char zeros[] = "00000000000000000000000000000000";
	const char *labels[] = { LABEL_PART_OF, t->id, NULL }, *notes[] = { NOTE_UNIT, unit, NOTE_DIGEST, zeros, NULL };
	struct value *meta = with_entry(mem, value_get(o->value, "metadata"), "labels", labels);
	struct buf text = BUF_INIT(BODY_MAX), parts = BUF_INIT(WIRE_MAX);
	char hex[2 * HASH_LEN + 1], *at;
	struct hash_state h;
	struct digest d;

	meta = with_entry(mem, meta, "annotations", notes);
	write_rest(o->value, meta, &text);
	hash_init(&h);
	hash_add(&h, text.data, text.len);
	hash_parts(&h, o);
	hash_final(&h, &d);
	*out = (struct kbody){ .len = text.len };
	memcpy(out->digest, d.b, HASH_LEN);
	hash_text(out->digest, hex);
	at = strstr(text.data, "\"" NOTE_DIGEST "\":\"");
	if (at)
		memcpy(at + sizeof("\"" NOTE_DIGEST "\":\"") - 1, hex, 2 * HASH_LEN);
	out->json = realloc(text.data, text.len + 1); /* hundreds of them wait to be sent */
	if (!out->json)
		abort();
	if (!o->nparts)
		return;
	parts_pack(o->parts, o->nparts, &parts);
	out->parts = parts.data;
	out->parts_len = parts.len;
}

static void
guard(char *body, const char *text)
{
	char *slot = body + sizeof(HEAD) - 1;

	memset(slot, ' ', SLOT);
	memcpy(slot, text, strlen(text));
}

/*
 * An object that exists has another resourceVersion than 1, and the server answers 409; one that does not is made. A create-only apply
 * in one request (tried on 1.36; etcd revision 1 is never an object's).
 */
void
body_guard_new(char *body)
{
	guard(body, "\"resourceVersion\":\"1\",");
}

void
body_guard_uid(char *body, const uint8_t uid[16])
{
	char id[37], text[SLOT];

	uid_text(uid, id);
	(void)snprintf(text, sizeof(text), "\"uid\":\"%s\",", id);
	guard(body, text);
}

void
body_guard_none(char *body)
{
	guard(body, "");
}
