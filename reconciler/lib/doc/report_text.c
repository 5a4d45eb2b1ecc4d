/* SPDX-License-Identifier: Apache-2.0 */
/* Findings as people read them: place, source line, caret, help, note. */
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/doc/report.h"

/* The file whose lines are shown, read once for neighbouring findings. */
struct source {
	const struct files *files;
	struct arena *mem;
	const char *path, *bytes;
	size_t len;
	uint32_t line;    /* where the last search stopped: findings come in order, so a pass over a file is linear */
	const char *at;
	bool colour;
	unsigned int gutter; /* digits of the widest line number shown */
};

#define LINE_SHOWN 160 /* characters of a source line */
#define CARET_MOST 120 /* a caret further right gets the part of the line around it */

static const char red[] = "\033[1;31m", yellow[] = "\033[1;33m", blue[] = "\033[1;34m", bold[] = "\033[1m", plain[] = "\033[0m";

static void
paint(const struct source *src, struct buf *out, const char *sgr)
{
	if (src->colour)
		buf_str(out, sgr);
}

/* Bytes of a character from its first byte; bad bytes count one each. */
static size_t
char_len(const char *s, size_t left)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return n <= left ? n : 1;
}

/* C0, DEL, C1 and the characters that turn the direction of text around would change what the terminal shows. */
static bool
is_hidden(const char *s, size_t n)
{
	unsigned char c = (unsigned char)s[0];

	if (n == 1)
		return c < 0x20 || c >= 0x7f;
	if (n == 2)
		return c == 0xc2 && (unsigned char)s[1] < 0xa0;
	if (n == 3 && memcmp(s, "\xe2\x80", 2) == 0) /* zero width, marks, line breaks, embeddings */
		return ((unsigned char)s[2] >= 0x8b && (unsigned char)s[2] <= 0x8f) || ((unsigned char)s[2] >= 0xa8 && (unsigned char)s[2] <= 0xae);
	return n == 3 && memcmp(s, "\xe2\x81", 2) == 0 && (unsigned char)s[2] >= 0xa6 && (unsigned char)s[2] <= 0xa9;
}

/* A tab becomes one space, so that a column is one character wide and the caret stands below its place. */
static void
add_shown(struct buf *out, const char *s, size_t n)
{
	while (n) {
		size_t w = char_len(s, n);

		if (*s == '\t')
			buf_char(out, ' ');
		else if (is_hidden(s, w))
			buf_char(out, '.');
		else
			buf_add(out, s, w);
		s += w;
		n -= w;
	}
}

static void
load(struct source *src, const char *path)
{
	const struct file_entry *f;

	if (src->path && strcmp(src->path, path) == 0)
		return;
	src->path = path;
	src->bytes = NULL;
	src->len = 0;
	arena_reset(src->mem);
	f = src->files ? files_find(src->files, path) : NULL;
	if (f && src->files->read(src->files->ctx, f, FILE_OTHER_MAX, src->mem, &src->bytes, &src->len, NULL) < 0)
		src->bytes = NULL;
	src->line = 1;
	src->at = src->bytes;
}

/* The start of line `line` (from 1), or NULL. */
static const char *
seek_line(struct source *src, uint32_t line)
{
	const char *end = src->bytes + src->len;

	if (!src->at || line < src->line) {
		src->line = 1;
		src->at = src->bytes;
	}
	while (src->at && src->line < line) {
		const char *nl = memchr(src->at, '\n', (size_t)(end - src->at));

		src->at = nl ? nl + 1 : NULL;
		src->line++;
	}
	return src->at;
}

/* Bytes of the line at `p` without its break. */
static size_t
line_len(const struct source *src, const char *p)
{
	size_t left = (size_t)(src->bytes + src->len - p), n;
	const char *nl = memchr(p, '\n', left);

	n = nl ? (size_t)(nl - p) : left;
	return n && p[n - 1] == '\r' ? n - 1 : n;
}

/* Bytes of at most `chars` characters. */
static size_t
bytes_of(const char *s, size_t n, size_t chars)
{
	size_t i = 0;

	while (i < n && chars--)
		i += char_len(s + i, n - i);
	return i;
}

static void
gutter(const struct source *src, struct buf *out, const char *number)
{
	paint(src, out, blue);
	buf_printf(out, "%*s |", (int)src->gutter, number);
	paint(src, out, plain);
}

/* `skip` characters are left out at the front. */
static void
show_line(const struct source *src, uint32_t line, const char *s, size_t n, size_t skip, struct buf *out)
{
	size_t from = bytes_of(s, n, skip);
	char number[16];

	(void)snprintf(number, sizeof(number), "%u", line);
	gutter(src, out, number);
	if (n > from) {
		buf_char(out, ' ');
		add_shown(out, s + from, bytes_of(s + from, n - from, LINE_SHOWN));
	}
	buf_char(out, '\n');
}

/* References and rules are about values: the word that stands there, when it is a plain one. */
static size_t
word_width(const struct finding *f, const char *s, size_t n)
{
	size_t i = 0, width = 0;

	for (; f->code >= FINDING_IDENTITY_MISMATCH && i < n && !strchr(" \t,[]{}\"'#", s[i]); width++)
		i += char_len(s + i, n - i);
	return width;
}

/* Characters from the place on to underline: never past the end of what is shown. */
static size_t
caret_width(const struct finding *f, const char *s, size_t n, size_t skip)
{
	size_t from = bytes_of(s, n, f->at.col - 1), most = skip + LINE_SHOWN - (f->at.col - 1), width = 0;
	size_t wanted = f->width ? f->width : word_width(f, s + from, n - from);

	for (size_t i = from; i < n && width < most && width < wanted; width++)
		i += char_len(s + i, n - i);
	return width ? width : 1;
}

static void
show_source(struct source *src, const struct finding *f, struct buf *out)
{
	const char *s = NULL, *above;
	size_t n, skip = 0;

	load(src, f->at.file);
	if (!f->at.line || !src->bytes)
		return;
	above = seek_line(src, f->at.line > 1 ? f->at.line - 1 : 1);
	if (above) {
		n = line_len(src, above);
		s = f->at.line == 1 ? above : memchr(above, '\n', (size_t)(src->bytes + src->len - above));
		s = s && f->at.line > 1 ? s + 1 : s;
	}
	if (!s || s == src->bytes + src->len)
		return;
	gutter(src, out, "");
	buf_char(out, '\n');
	if (f->at.line > 1 && n)
		show_line(src, f->at.line - 1, above, n, 0, out);
	n = line_len(src, s);
	if (f->at.col > CARET_MOST)
		skip = f->at.col - CARET_MOST / 2;
	show_line(src, f->at.line, s, n, skip, out);
	if (!f->at.col)
		return;
	gutter(src, out, "");
	buf_pad(out, ' ', f->at.col - skip);
	paint(src, out, f->severity == SEVERITY_ERROR ? red : yellow);
	buf_pad(out, '^', caret_width(f, s, n, skip));
	paint(src, out, plain);
	buf_char(out, '\n');
}

static void
show_extra(const struct source *src, const char *label, const char *text, struct buf *out)
{
	if (!text)
		return;
	paint(src, out, blue);
	buf_printf(out, "%*s = ", (int)src->gutter, "");
	paint(src, out, plain);
	buf_str(out, label);
	add_shown(out, text, strlen(text));
	buf_char(out, '\n');
}

static void
show(struct source *src, const struct finding *f, struct buf *out)
{
	char number[16];
	int digits = snprintf(number, sizeof(number), "%u", f->at.line);

	src->gutter = digits > 2 ? (unsigned int)digits : 2;
	paint(src, out, f->severity == SEVERITY_ERROR ? red : yellow);
	buf_printf(out, "%s[%s]", f->severity == SEVERITY_ERROR ? "error" : "warning", finding_id(f->code));
	paint(src, out, plain);
	paint(src, out, bold);
	buf_str(out, ": ");
	add_shown(out, f->message, strlen(f->message));
	paint(src, out, plain);
	buf_char(out, '\n');
	if (f->at.file) {
		paint(src, out, blue);
		buf_printf(out, "%*s--> ", (int)src->gutter, "");
		paint(src, out, plain);
		add_shown(out, f->at.file, strlen(f->at.file));
		if (f->at.line)
			buf_printf(out, ":%u:%u", f->at.line, f->at.col);
		buf_char(out, '\n');
		/* the line of a secret would carry it into the log of a check */
		if (f->code != FINDING_READABLE_SECRET)
			show_source(src, f, out);
	}
	show_extra(src, "help: ", f->help, out);
	show_extra(src, "note: ", f->note, out);
}

void
report_text(const struct report *r, const struct files *files, bool colour, struct buf *out)
{
	struct arena *mem AUTO_ARENA = arena_new((size_t)8 << 20);
	struct source src = { .files = files, .mem = mem, .colour = colour };

	for (size_t i = 0; i < r->n; i++) {
		if (i)
			buf_char(out, '\n');
		show(&src, &r->items[i], out);
	}
}

void
finding_line(const struct finding *f, struct buf *out)
{
	const char *file = f->at.file ? f->at.file : "-";

	add_shown(out, file, strlen(file));
	if (f->at.line)
		buf_printf(out, ":%u:%u", f->at.line, f->at.col);
	buf_printf(out, ": %s[%s]: ", f->severity == SEVERITY_ERROR ? "error" : "warning", finding_id(f->code));
	add_shown(out, f->message, strlen(f->message));
	if (f->help) {
		buf_str(out, " (");
		add_shown(out, f->help, strlen(f->help));
		buf_char(out, ')');
	}
}
