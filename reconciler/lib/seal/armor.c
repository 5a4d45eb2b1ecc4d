/* SPDX-License-Identifier: Apache-2.0 */
/* age's armor, line by line. */
#include "lib/seal/armor.h"

#include <sodium.h>
#include <string.h>

#include "lib/seal/base64_exact.h"

#define BEGIN "-----BEGIN AGE ENCRYPTED FILE-----"
#define END "-----END AGE ENCRYPTED FILE-----"
#define COLUMNS 64
#define BYTES 48 /* of a full line */

struct lines {
	const char *at, *end;
	unsigned number;
};

/* The next line without its end. A carriage return belongs to the end only when a line feed follows. */
static bool
next_line(struct lines *l, const char **line, size_t *n)
{
	const char *lf;

	if (l->at == l->end)
		return false;
	lf = memchr(l->at, '\n', (size_t)(l->end - l->at));
	*line = l->at;
	*n = (size_t)((lf ? lf : l->end) - l->at);
	l->at = lf ? lf + 1 : l->end;
	l->number++;
	if (lf && *n && (*line)[*n - 1] == '\r')
		--*n;
	return true;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is(const char *line, size_t n, const char *what)
{
	return n == strlen(what) && memcmp(line, what, n) == 0;
}

bool
armor_is(const char *text, size_t n)
{
	static const char begin[] = "-----BEGIN";

	while (n && blank(*text)) {
		text++;
		n--;
	}
	return n >= sizeof(begin) - 1 && memcmp(text, begin, sizeof(begin) - 1) == 0;
}

static int
body_line(const struct lines *l, const char *line, size_t n, size_t *before, struct buf *out, struct err *e)
{
	unsigned char bytes[BYTES];
	size_t got = 0;

	if (*before != BYTES)
		return err_set(e, ERR_INVALID, "armor, line %u: a line follows one of less than %d columns", l->number, COLUMNS);
	if (!n || n > COLUMNS)
		return err_set(e, ERR_INVALID, "armor, line %u: %zu columns instead of 1 to %d", l->number, n, COLUMNS);
	if (!base64_exact(line, n, true, bytes, sizeof(bytes), &got))
		return err_set(e, ERR_INVALID, "armor, line %u: not canonical base64", l->number);
	buf_add(out, bytes, got);
	*before = got;
	return 0;
}

/* Between the first line and the one that ends the block. */
static int
read_body(struct lines *l, struct buf *out, struct err *e)
{
	size_t before = BYTES, n;
	const char *line;
	int rc;

	while (next_line(l, &line, &n)) {
		if (is(line, n, END))
			return 0;
		if ((rc = body_line(l, line, n, &before, out, e)) < 0)
			return rc;
	}
	return err_set(e, ERR_INVALID, "armor: it ends without " END);
}

int
armor_read(const char *text, size_t n, struct buf *out, struct err *e)
{
	struct lines l = { text, text + n, 0 };
	const char *line;
	size_t len;
	int rc;

	for (; l.at < l.end && blank(*l.at); l.at++)
		l.number += *l.at == '\n';
	if (!next_line(&l, &line, &len) || !is(line, len, BEGIN))
		return err_set(e, ERR_INVALID, "armor: it does not begin with a line " BEGIN);
	if ((rc = read_body(&l, out, e)) < 0)
		return rc;
	for (; l.at < l.end; l.at++)
		if (!blank(*l.at))
			return err_set(e, ERR_INVALID, "armor: something follows behind its end, in line %u", l.number + 1);
	return buf_check(out, "the armored file", e);
}

void
armor_write(const void *bytes, size_t n, struct buf *out)
{
	char line[sodium_base64_ENCODED_LEN(BYTES, sodium_base64_VARIANT_ORIGINAL)];
	const unsigned char *p = bytes;

	buf_str(out, BEGIN "\n");
	while (n) {
		size_t part = n < BYTES ? n : BYTES;

		buf_str(out, sodium_bin2base64(line, sizeof(line), p, part, sodium_base64_VARIANT_ORIGINAL));
		buf_char(out, '\n');
		p += part;
		n -= part;
	}
	buf_str(out, END "\n");
}
