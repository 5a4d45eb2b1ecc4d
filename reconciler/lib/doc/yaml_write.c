/* SPDX-License-Identifier: Apache-2.0 */
/* The deterministic YAML writer. It appends to the buffer as it goes and allocates nothing itself. */
#include <math.h>
#include <string.h>

#include "lib/doc/number.h"
#include "lib/doc/yaml.h"
#include "lib/doc/yaml_bytes.h"
#include "lib/doc/yaml_put.h"
#include "lib/doc/yaml_scalar.h"

/* libyaml and its likes read an implicit key of at most 1024 characters. */
#define KEY_BYTES_MAX 1000

enum style { STYLE_PLAIN, STYLE_SINGLE, STYLE_DOUBLE };

enum { CHAR_ODD = 1, CHAR_SPLITS = 2, CHAR_ESCAPED = 4, CHAR_APOSTROPHE = 8 };

/* What the characters of a string have in them, together. */
static unsigned int
chars_of(const char *s, size_t n)
{
	static const uint8_t kinds[128] = { [0x7f] = CHAR_ODD, [':'] = CHAR_SPLITS, ['#'] = CHAR_SPLITS,
		['"'] = CHAR_ESCAPED, ['\\'] = CHAR_ESCAPED, ['\''] = CHAR_APOSTROPHE };
	unsigned int all = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		all |= c < 0x20 || c > 0x7f ? CHAR_ODD : kinds[c];
	}
	return all;
}

/* "a: b", "a:" and "a #b" read as something else without quotes. */
static bool
is_split(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((s[i] == ':' && (i + 1 == n || s[i + 1] == ' ')) || (s[i] == '#' && i && s[i - 1] == ' '))
			return true;
	return false;
}

/* How a string fits on one line: plain when no reader misreads it, single quotes when that saves escapes. */
static enum style
style_of(const char *s, size_t n)
{
	unsigned int chars = chars_of(s, n);

	if (chars & CHAR_ODD)
		return STYLE_DOUBLE;
	if (scalar_is_plain_word(s, n) && s[n - 1] != ' ' && !(chars & CHAR_SPLITS && is_split(s, n)))
		return STYLE_PLAIN;
	return chars & CHAR_ESCAPED && !(chars & CHAR_APOSTROPHE) ? STYLE_SINGLE : STYLE_DOUBLE;
}

static void
write_escape(uint32_t c, struct buf *out)
{
	static const char named[] = "\"\"\\\\\nn\rr\tt";
	static const char hex[] = "0123456789abcdef";
	unsigned int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;

	buf_char(out, '\\');
	for (size_t i = 0; named[i]; i += 2) {
		if ((unsigned char)named[i] == c) {
			buf_char(out, named[i + 1]);
			return;
		}
	}
	buf_char(out, digits == 2 ? 'x' : digits == 4 ? 'u' : 'U');
	while (digits--)
		buf_char(out, hex[c >> (4 * digits) & 15]);
}

void
yaml_put_double(const char *s, size_t n, struct buf *out)
{
	size_t from = 0;

	buf_char(out, '"');
	for (size_t i = 0, w; i < n; i += w) {
		uint32_t c = (unsigned char)s[i];

		w = 1;
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			continue;
		/* bytes that are no UTF-8 cannot be kept; each becomes the character of its number */
		if (c >= 0x80 && !(w = yaml_char_decode(s + i, n - i, &c)))
			w = 1;
		else if (c >= 0x80 && yaml_char_allowed(c))
			continue;
		buf_add(out, s + from, i - from);
		write_escape(c, out);
		from = i + w;
	}
	buf_add(out, s + from, n - from);
	buf_char(out, '"');
}

static void
write_styled(enum style style, const char *s, size_t n, struct buf *out)
{
	switch (style) {
	case STYLE_PLAIN:
		buf_add(out, s, n);
		break;
	case STYLE_SINGLE:
		buf_char(out, '\'');
		buf_add(out, s, n);
		buf_char(out, '\'');
		break;
	case STYLE_DOUBLE:
		yaml_put_double(s, n, out);
		break;
	}
}

void
yaml_put_string(const char *s, size_t n, struct buf *out)
{
	write_styled(style_of(s, n), s, n, out);
}

void
yaml_put_flow_string(const char *s, size_t n, struct buf *out)
{
	enum style style = style_of(s, n);

	for (size_t i = 0; style == STYLE_PLAIN && i < n; i++)
		if (strchr(",[]{}:", s[i]))
			style = STYLE_DOUBLE;
	write_styled(style, s, n, out);
}

/* Printable ASCII alone. Eight bytes at a time: in the lowest byte that is none a carry or borrow of another cannot hide it. */
static bool
is_printable(const char *s, size_t n)
{
	const uint64_t each = 0x0101010101010101u;
	uint64_t odd = 0, w;

	for (; n >= sizeof(w); s += sizeof(w), n -= sizeof(w)) {
		memcpy(&w, s, sizeof(w));
		odd |= w | (w + each) | (w - each * 0x20);
	}
	for (; n; s++, n--)
		odd |= (unsigned char)(*s - 0x20) > 0x5e ? 0x80 : 0;
	return !(odd & each * 0x80);
}

/* Bytes of whole lines from `i` on that are printable ASCII and, unless `kept`, end in no blank. */
static size_t
usual_lines(const char *s, size_t n, size_t i, bool kept, bool *text)
{
	size_t from = i;

	while (i < n) {
		const char *nl = memchr(s + i, '\n', n - i);
		size_t len = (size_t)((nl ? nl : s + n) - (s + i));

		if (!is_printable(s + i, len) || (!kept && len && s[i + len - 1] == ' '))
			break;
		*text = *text || len;
		i += len + (nl != NULL);
	}
	return i - from;
}

bool
yaml_is_literal(const char *s, size_t n, bool kept)
{
	bool text = false;

	if (!kept && !memchr(s, '\n', n))
		return false;
	for (size_t i = usual_lines(s, n, 0, kept, &text), w; i < n; i += w) {
		uint32_t c = (unsigned char)s[i];

		w = 1;
		if (c >= 0x80 && !(w = yaml_char_decode(s + i, n - i, &c)))
			return false;
		if (!yaml_char_allowed(c))
			return false;
		if (!kept && (c == ' ' || c == '\t') && (i + 1 == n || s[i + 1] == '\n'))
			return false;
		text = text || c != '\n';
		if (c == '\n')
			w += usual_lines(s, n, i + 1, kept, &text);
	}
	return text;
}

void
yaml_put_literal_head(const char *s, size_t n, struct buf *out)
{
	const char *end = s + n, *first = s + strspn(s, "\n");

	buf_char(out, '|');
	if (*first == ' ' || *first == '\t')
		buf_char(out, '2');
	if (end[-1] != '\n')
		buf_char(out, '-');
	else if (end[-2] == '\n')
		buf_char(out, '+');
}

void
yaml_put_literal_lines(const char *s, size_t n, size_t indent, struct buf *out)
{
	const char *end = s + n;

	while (s < end) {
		const char *nl = memchr(s, '\n', (size_t)(end - s));
		size_t len = (size_t)((nl ? nl : end) - s);

		if (len) {
			buf_pad(out, ' ', indent + 2);
			buf_add(out, s, len);
		}
		buf_char(out, '\n');
		s += len + 1;
	}
}

static bool
is_simple_decimal(const char *s)
{
	size_t whole, part;

	s += *s == '-';
	whole = strspn(s, "0123456789");
	if (!whole || (whole > 1 && *s == '0') || s[whole] != '.')
		return false;
	part = strspn(s + whole + 1, "0123456789");
	return part && !s[whole + 1 + part];
}

static void
write_real(const struct value *v, struct buf *out)
{
	char num[NUMBER_MAX], *e;

	if (!isfinite(v->real)) { /* not in JSON; no reader of ours makes one */
		buf_str(out, "null");
		return;
	}
	if (v->text && is_simple_decimal(v->text)) {
		buf_str(out, v->text);
		return;
	}
	(void)number_real(v->real, num);
	e = strchr(num, 'e');
	if (e && !memchr(num, '.', (size_t)(e - num))) { /* YAML 1.1 takes 1e+21 for a string, 1.0e+21 for a number */
		buf_add(out, num, (size_t)(e - num));
		buf_str(out, ".0");
		buf_str(out, e);
	} else {
		buf_str(out, num);
	}
}

static void write_block(const struct value *v, size_t indent, struct buf *out);

/* What stands behind "key: " or "- " on the same line, with the line's end; `indent` is the column of the key or dash. */
static void
write_scalar(const struct value *v, size_t indent, struct buf *out)
{
	char num[NUMBER_MAX];

	if (!v || v->type == VALUE_NULL) {
		buf_str(out, "null");
	} else if (v->type == VALUE_BOOL) {
		buf_str(out, v->boolean ? "true" : "false");
	} else if (v->type == VALUE_INT) {
		buf_add(out, num, number_int(v->integer, num));
	} else if (v->type == VALUE_REAL) {
		write_real(v, out);
	} else if (v->type == VALUE_STR && yaml_is_literal(v->str.s, v->str.len, false)) {
		yaml_put_literal_head(v->str.s, v->str.len, out);
		buf_char(out, '\n');
		yaml_put_literal_lines(v->str.s, v->str.len, indent, out);
		return;
	} else if (v->type == VALUE_STR) {
		yaml_put_string(v->str.s, v->str.len, out);
	} else {
		buf_str(out, v->type == VALUE_MAP ? "{}" : "[]");
	}
	buf_char(out, '\n');
}

static bool
is_block(const struct value *v)
{
	return (value_is(v, VALUE_MAP) || value_is(v, VALUE_LIST)) && value_len(v);
}

void
yaml_put_key(const char *key, size_t indent, struct buf *out)
{
	size_t start = out->len, n = strlen(key);

	yaml_put_string(key, n, out);
	if (out->len - start > KEY_BYTES_MAX && !out->over) {
		out->len = start;
		buf_str(out, "? ");
		yaml_put_string(key, n, out);
		buf_char(out, '\n');
		buf_pad(out, ' ', indent);
	}
	buf_char(out, ':');
}

static void
write_member(const struct member *m, size_t indent, struct buf *out)
{
	yaml_put_key(m->key, indent, out);
	if (!is_block(m->value)) {
		buf_char(out, ' ');
		write_scalar(m->value, indent, out);
		return;
	}
	buf_char(out, '\n');
	if (m->value->type == VALUE_MAP)
		indent += 2;
	buf_pad(out, ' ', indent);
	write_block(m->value, indent, out);
}

/* A map or list that is not empty; the caller has moved to column `indent`. */
static void
write_block(const struct value *v, size_t indent, struct buf *out)
{
	size_t n = value_len(v);

	for (size_t i = 0; i < n && !out->over; i++) {
		if (i)
			buf_pad(out, ' ', indent);
		if (v->type == VALUE_MAP) {
			write_member(&v->map.items[i], indent, out);
			continue;
		}
		buf_add(out, "- ", 2);
		if (is_block(v->list.items[i]))
			write_block(v->list.items[i], indent + 2, out);
		else
			write_scalar(v->list.items[i], indent, out);
	}
}

void
yaml_write(const struct value *v, struct buf *out)
{
	if (is_block(v)) {
		write_block(v, 0, out);
	} else if (value_is(v, VALUE_STR)) { /* a block would have nothing to be indented against */
		yaml_put_double(v->str.s, v->str.len, out);
		buf_char(out, '\n');
	} else {
		write_scalar(v, 0, out);
	}
}
