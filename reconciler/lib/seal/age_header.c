/* SPDX-License-Identifier: Apache-2.0 */
/* The header of an age file. Its bytes are kept as they are for the MAC: nothing is written anew. */
#include <sodium.h>
#include <string.h>

#include "lib/seal/age_priv.h"
#include "lib/seal/base64_exact.h"
#include "lib/seal/hkdf.h"

#define COLUMNS 64
#define BYTES 48

struct reader {
	const char *start, *at, *end;
};

/* A line that ends with LF, without it. */
static bool
next_line(struct reader *r, const char **line, size_t *n)
{
	const char *lf = r->at < r->end ? memchr(r->at, '\n', (size_t)(r->end - r->at)) : NULL;

	if (!lf)
		return false;
	*line = r->at;
	*n = (size_t)(lf - r->at);
	r->at = lf + 1;
	return true;
}

bool
age_base64(const char *s, size_t n, uint8_t *out, size_t want)
{
	size_t got;

	return n == AGE_BASE64(want) - 1 && base64_exact(s, n, false, out, want, &got) && got == want;
}

void
age_base64_text(const uint8_t *p, size_t n, char *out, size_t size)
{
	(void)sodium_bin2base64(out, size, p, n, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

const char *
age_arg(const struct age_stanza *s, unsigned i, size_t *n)
{
	const char *at = s->args, *end = s->args + s->nargs;

	for (;; i--) {
		const char *blank = memchr(at, ' ', (size_t)(end - at));

		*n = (size_t)((blank ? blank : end) - at);
		if (!i)
			return at;
		if (!blank) {
			*n = 0;
			return end;
		}
		at = blank + 1;
	}
}

bool
age_is(const struct age_stanza *s, const char *type)
{
	size_t n;
	const char *t = age_arg(s, 0, &n);

	return n == strlen(type) && memcmp(t, type, n) == 0;
}

/* One or more arguments of visible characters with single blanks between. */
static bool
read_args(const char *s, size_t n, struct age_stanza *out)
{
	bool blank = true;

	out->args = s;
	out->nargs = n;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == ' ' && blank)
			return false;
		if (s[i] != ' ' && (s[i] < 0x21 || s[i] > 0x7e))
			return false;
		out->count += blank;
		blank = s[i] == ' ';
	}
	return !blank;
}

/* Full lines and one that is not. What has another size than a wrapped key is only checked. */
static bool
read_body(struct reader *r, struct age_stanza *out)
{
	uint8_t bytes[BYTES];
	const char *line;
	size_t n, got;

	do {
		got = 0;
		if (!next_line(r, &line, &n) || n > COLUMNS)
			return false;
		if (n) {
			got = n * 3 / 4;
			if (!age_base64(line, n, bytes, got))
				return false;
		}
		if (!out->nbody && got == AGE_WRAPPED)
			memcpy(out->body, bytes, AGE_WRAPPED);
		out->nbody += got;
	} while (n == COLUMNS);
	return true;
}

static int
malformed(enum age_why *why, const char *what, struct err *e)
{
	*why = AGE_BAD_HEADER;
	return err_set(e, ERR_INVALID, "malformed age header: %s", what);
}

int
age_header_read(const char *file, size_t n, struct age_header *out, enum age_why *why, struct err *e)
{
	struct reader r = { file, file, file + n };
	const char *line;
	size_t len;

	out->n = 0;
	if (!next_line(&r, &line, &len) || len != strlen(AGE_VERSION) || memcmp(line, AGE_VERSION, len) != 0)
		return malformed(why, "the first line is not " AGE_VERSION, e);
	for (;;) {
		if (!next_line(&r, &line, &len) || len < 3)
			return malformed(why, "it is cut", e);
		if (memcmp(line, "---", 3) == 0)
			break;
		if (out->n == AGE_STANZAS_MAX) {
			*why = AGE_TOO_LARGE;
			return err_set(e, ERR_INVALID, "more than %d recipients", AGE_STANZAS_MAX);
		}
		out->stanzas[out->n] = (struct age_stanza){ .nbody = 0 };
		if (memcmp(line, "-> ", 3) != 0 || !read_args(line + 3, len - 3, &out->stanzas[out->n]))
			return malformed(why, "a line that is not a stanza's", e);
		if (!read_body(&r, &out->stanzas[out->n]))
			return malformed(why, "the body of a stanza", e);
		out->n++;
	}
	if (!out->n)
		return malformed(why, "it has no recipient", e);
	if (len < 4 || line[3] != ' ' || !age_base64(line + 4, len - 4, out->mac, sizeof(out->mac)))
		return malformed(why, "its last line", e);
	out->bytes = file;
	out->signed_len = (size_t)(line - file) + 3;
	out->len = (size_t)(r.at - file);
	return 0;
}

void
age_header_mac(const uint8_t key[AGE_KEY], const void *bytes, size_t n, uint8_t mac[32])
{
	uint8_t mac_key[32];

	hkdf_sha256(NULL, 0, key, AGE_KEY, "header", 6, mac_key, sizeof(mac_key));
	hmac_sha256(mac_key, sizeof(mac_key), bytes, n, mac);
	sodium_memzero(mac_key, sizeof(mac_key));
}

void
age_stanza_write(struct buf *out, const char *args, const uint8_t *body, size_t n)
{
	char line[AGE_BASE64(BYTES)];
	size_t part;

	buf_str(out, "-> ");
	buf_str(out, args);
	buf_char(out, '\n');
	do {
		part = n < BYTES ? n : BYTES;
		age_base64_text(body, part, line, sizeof(line));
		buf_str(out, line);
		buf_char(out, '\n');
		n -= part;
		if (part) /* a body of no bytes may have no place either */
			body += part;
	} while (part == BYTES);
}
