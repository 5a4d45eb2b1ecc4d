/* SPDX-License-Identifier: Apache-2.0 */
/* Redacted, on one line, short. */
#include "status/text.h"

#include <string.h>

#include "lib/base/redact.h"
#include "lib/base/str.h"

#define READ_MAX ((size_t)65536) /* bytes of a stranger's text that are looked at */

/* Characters without a shape of their own: C1 controls, zero width, direction marks, separators, tags. */
static const struct {
	unsigned int from, to;
} hidden[] = {
	{ 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
	{ 0xfeff, 0xfeff }, { 0xe0000, 0xe007f },
};

size_t
text_cut(const char *s)
{
	size_t n = strlen(s);

	if (n > TEXT_MAX) {
		n = TEXT_MAX;
		while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
			n--;
	}
	return n;
}

/* Bytes of the character at s, 0 when there is none; *code gets it. */
static size_t
character(const char *s, size_t n, unsigned int *code)
{
	unsigned char c = (unsigned char)*s;
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (len > n || !str_utf8_valid(s, len))
		return 0;
	*code = len == 1 ? c : c & (0x7fu >> len);
	for (size_t i = 1; i < len; i++)
		*code = *code << 6 | ((unsigned char)s[i] & 0x3fu);
	return len;
}

static bool
is_hidden(unsigned int code)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (code >= hidden[i].from && code <= hidden[i].to)
			return true;
	return false;
}

const char *
text_line(struct arena *mem, const char *s)
{
	struct buf clean AUTO_BUF = BUF_INIT(0), line AUTO_BUF = BUF_INIT(0);
	const char *at;

	if (!s)
		return "";
	redact(s, strnlen(s, READ_MAX), &clean);
	at = buf_cstr(&clean);
	for (size_t left = clean.len, n; left && line.len <= TEXT_MAX; left -= n, at += n) {
		unsigned int code = 0;

		n = character(at, left, &code);
		if (n && code < 0x20)
			buf_char(&line, ' ');
		else if (!n || is_hidden(code))
			buf_char(&line, '?');
		else
			buf_add(&line, at, n);
		n += !n;
	}
	return arena_strndup(mem, buf_cstr(&line), text_cut(buf_cstr(&line)));
}
