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
	bool colour;
	unsigned int gutter; /* digits of the widest line number shown */
};

#define LINE_SHOWN 200 /* bytes of a source line */

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
	if (n == 3 && memcmp(s, "\xe2\x80", 2) == 0)
		return (unsigned char)s[2] >= 0x8b && (unsigned char)s[2] <= 0xae && ((unsigned char)s[2] <= 0x8f || (unsigned char)s[2] >= 0xa8);
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
}

/* Line `line` (from 1) without its break; NULL when there is none. */
static const char *
source_line(const struct source *src, uint32_t line, size_t *n)
{
	const char *p = src->bytes, *end = p ? p + src->len : NULL, *nl;

	for (; p && line > 1; line--) {
		nl = memchr(p, '\n', (size_t)(end - p));
		p = nl ? nl + 1 : NULL;
	}
	if (!p || p == end)
		return NULL;
	nl = memchr(p, '\n', (size_t)(end - p));
	*n = (size_t)((nl ? nl : end) - p);
	if (*n && p[*n - 1] == '\r')
		(*n)--;
	return p;
}

static size_t
char_count(const char *s, size_t n)
{
	size_t count = 0;

	for (size_t w; n; s += w, n -= w, count++)
		w = char_len(s, n);
	return count;
}

static void
gutter(const struct source *src, struct buf *out, const char *number)
{
	paint(src, out, blue);
	buf_printf(out, "%*s |", (int)src->gutter, number);
	paint(src, out, plain);
}

static void
show_line(const struct source *src, uint32_t line, const char *s, size_t n, struct buf *out)
{
	char number[16];

	(void)snprintf(number, sizeof(number), "%u", line);
	gutter(src, out, number);
	if (n) {
		buf_char(out, ' ');
		/* never cut inside a character */
		while (n > LINE_SHOWN && ((unsigned char)s[n > LINE_SHOWN ? LINE_SHOWN : n] & 0xc0) == 0x80)
			n--;
		add_shown(out, s, n > LINE_SHOWN ? LINE_SHOWN : n);
	}
	buf_char(out, '\n');
}

static void
show_source(struct source *src, const struct finding *f, struct buf *out)
{
	size_t n = 0, before = 0, chars, width;
	const char *s, *above;

	load(src, f->at.file);
	if (!f->at.line || !(s = source_line(src, f->at.line, &n)))
		return;
	gutter(src, out, "");
	buf_char(out, '\n');
	above = f->at.line > 1 ? source_line(src, f->at.line - 1, &before) : NULL;
	if (above && before)
		show_line(src, f->at.line - 1, above, before, out);
	show_line(src, f->at.line, s, n, out);
	if (!f->at.col || f->at.col > LINE_SHOWN)
		return;
	chars = char_count(s, n);
	width = f->width ? f->width : 1;
	if (f->at.col + width > chars + 1)
		width = f->at.col > chars ? 1 : chars + 1 - f->at.col;
	if (width > LINE_SHOWN)
		width = LINE_SHOWN;
	gutter(src, out, "");
	buf_pad(out, ' ', f->at.col);
	paint(src, out, f->severity == SEVERITY_ERROR ? red : yellow);
	buf_pad(out, '^', width);
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
