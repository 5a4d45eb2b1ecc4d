/* SPDX-License-Identifier: Apache-2.0 */
/* Escapes for GitHub's Markdown, and for what forges look for in the text that comes of it. */
#include "status/markdown.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/str.h"
#include "status/text.h"

/* WORD JOINER: no width, and no letter of a name, a number or an address: decoded references are looked through again, so that an escape alone is not enough. */
#define JOINER "&#8288;"
#define JOINER_BYTES "\xe2\x81\xa0"
#define TICKS_MAX ((size_t)16) /* cmark takes a run of over 80 for no fence at all */
#define HEX_SHOWN 6 /* seven digits are a commit's */

static const char *
cut(struct arena *mem, const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n <= max)
		return s;
	for (n = max - strlen("…"); n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
		n--;
	return arena_printf(mem, "%.*s…", (int)n, s);
}

const char *
md_line(struct arena *mem, const char *s)
{
	return cut(mem, text_line(mem, s), MD_MAX);
}

/* Characters that mean something before a word: people, issues, labels, milestones, emoji, addresses, references of all kinds. */
static bool
refers(char c)
{
	return strchr("@#!~%&$^:[*", c) != NULL;
}

/* One of the characters that Markdown and forges leave alone here. */
static bool
plain(const char *s, size_t i)
{
	unsigned char c = (unsigned char)s[i];

	if (isalnum(c) || c == ' ' || c >= 0x80)
		return true;
	if (i == 0) /* a list, a heading, a quick action */
		return false;
	return strchr(",;()'?./-", c) != NULL;
}

static bool
ends_in_www(const char *s, size_t i)
{
	return i >= 3 && strncasecmp(s + i - 3, "www", 3) == 0;
}

/* Would what follows be taken for one word with this character? */
static bool
joins(const char *s, size_t i)
{
	char next = s[i + 1];

	if (!next || next == ' ')
		return false;
	return refers(s[i]) || (s[i] == '-' && isdigit((unsigned char)next)) || (s[i] == '/' && next == '/');
}

static void
escaped(struct buf *out, const char *s)
{
	size_t hex = 0;

	for (size_t i = 0; s[i]; i++) {
		unsigned char c = (unsigned char)s[i];

		hex = isxdigit(c) ? hex + 1 : 0;
		if (hex > HEX_SHOWN || (c == '.' && ends_in_www(s, i))) { /* "www." is looked for in what is written, so before the dot */
			buf_str(out, JOINER);
			hex = hex > 0;
		}
		if (plain(s, i) && !(i > 0 && strchr(".)", c) && isdigit((unsigned char)s[i - 1]) && strspn(s, "0123456789") == i))
			buf_char(out, (char)c);
		else
			buf_printf(out, "&#%u;", (unsigned int)c);
		if (joins(s, i))
			buf_str(out, JOINER);
	}
}

void
md_text(struct arena *mem, struct buf *out, const char *s)
{
	escaped(out, md_line(mem, s));
}

void
md_name(struct arena *mem, struct buf *out, const char *s)
{
	buf_str(out, "<code>");
	escaped(out, cut(mem, text_line(mem, s), MD_NAME_MAX));
	buf_str(out, "</code>");
}

void
md_prose(struct arena *mem, struct buf *out, const char *s)
{
	const char *line = md_line(mem, s), *open, *close;

	while ((open = strchr(line, '`')) && (close = strchr(open + 1, '`'))) {
		escaped(out, arena_strndup(mem, line, (size_t)(open - line)));
		md_name(mem, out, arena_strndup(mem, open + 1, (size_t)(close - open - 1)));
		line = close + 1;
	}
	escaped(out, line);
}

/* The longest run of backticks, as verbatim() leaves them. */
static size_t
ticks_in(const char *s)
{
	size_t longest = 0;

	for (size_t n; *s; s += n ? n : 1) {
		n = strspn(s, "`");
		longest = n > longest ? n : longest;
	}
	return longest < TICKS_MAX ? longest : TICKS_MAX;
}

/* As it is, but for long runs of backticks and for the beginning of an HTML comment: no copy of our mark is to stand anywhere. */
static void
verbatim(struct buf *out, const char *s)
{
	for (size_t ticks = 0; *s; s++) {
		buf_char(out, *s);
		ticks = *s == '`' ? ticks + 1 : 0;
		if ((*s == '<' && s[1] == '!') || (ticks == TICKS_MAX && s[1] == '`')) {
			buf_str(out, JOINER_BYTES);
			ticks = 0;
		}
	}
}

void
md_code(struct arena *mem, struct buf *out, const char *s)
{
	const char *line = md_line(mem, s);
	size_t fence = ticks_in(line) + 1, len = strlen(line);
	bool pad = len > 0 && (*line == '`' || line[len - 1] == '`' || (*line == ' ' && line[len - 1] == ' '));

	if (strspn(line, " ") == len) {
		buf_str(out, "(nothing)");
		return;
	}
	buf_pad(out, '`', fence);
	buf_str(out, pad ? " " : "");
	verbatim(out, line);
	buf_str(out, pad ? " " : "");
	buf_pad(out, '`', fence);
}

void
md_block(struct buf *out, const char *info, const struct buf *lines)
{
	size_t fence = ticks_in(buf_cstr(lines)) + 1;

	fence = fence < 3 ? 3 : fence;
	buf_pad(out, '`', fence);
	buf_printf(out, "%s\n", info);
	verbatim(out, buf_cstr(lines));
	if (lines->len && lines->data[lines->len - 1] != '\n')
		buf_char(out, '\n');
	buf_pad(out, '`', fence);
	buf_char(out, '\n');
}

const char *
md_shell(struct arena *mem, const char *s)
{
	struct buf out AUTO_BUF = BUF_INIT(0);
	const char *line = md_line(mem, s);

	if (*line && line[strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/@+-,=:")] == '\0')
		return line;
	buf_char(&out, '\'');
	for (; *line; line++) {
		if (*line == '\'')
			buf_str(&out, "'\\''");
		else
			buf_char(&out, *line);
	}
	buf_char(&out, '\'');
	return arena_strdup(mem, buf_cstr(&out));
}
