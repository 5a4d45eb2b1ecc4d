/* SPDX-License-Identifier: Apache-2.0 */
/* Strictness that libyaml lacks. Every case here is one of the yaml-test-suite that libyaml 0.2.5 accepts and should not. */
#include "lib/doc/yaml_gap.h"

#include <string.h>

static bool
is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t
yaml_text_offset(struct yaml_text *t, size_t character)
{
	if (t->ascii)
		return character < t->len ? character : t->len;
	while (t->cursor_char < character && t->cursor_byte < t->len) {
		do
			t->cursor_byte++;
		while (t->cursor_byte < t->len && is_continuation(t->s[t->cursor_byte]));
		t->cursor_char++;
	}
	while (t->cursor_char > character && t->cursor_byte) {
		do
			t->cursor_byte--;
		while (t->cursor_byte && is_continuation(t->s[t->cursor_byte]));
		t->cursor_char--;
	}
	return t->cursor_byte;
}

static const char *
flaw_at(const struct yaml_text *t, size_t i, bool flow)
{
	char before = i ? t->s[i - 1] : '\n', after = i + 1 < t->len ? t->s[i + 1] : '\n';

	if (t->s[i] == '#' && !strchr(" \t\n\r", before))
		return "a comment needs a blank before '#'";
	if (!flow)
		return NULL;
	if (t->s[i] == '?' && !strchr(" \t\n\r", after))
		return "text that starts with '?' needs quotes here";
	if (t->s[i] == '\t' && before == '\n' && !strchr("\r\n", after))
		return "tab used as indentation";
	return NULL;
}

bool
yaml_gap_flaw(struct yaml_text *t, yaml_mark_t start, yaml_mark_t end, bool flow, struct yaml_flaw *flaw)
{
	size_t to = yaml_text_offset(t, start.index), stop;
	uint32_t line = t->seen_line, col = t->seen_col;

	for (size_t i = t->seen; i < to; i++) {
		const char *what = flaw_at(t, i, flow);

		if (what) {
			flaw->at = (struct place){ NULL, line + 1, col + 1 };
			flaw->what = what;
			return true;
		}
		/* the rest of a comment line is nobody's business */
		if (t->s[i] == '#')
			while (i + 1 < to && t->s[i + 1] != '\n')
				i++;
		if (t->s[i] == '\n') {
			line++;
			col = 0;
		} else if (!is_continuation(t->s[i])) {
			col++;
		}
	}
	stop = yaml_text_offset(t, end.index);
	if (stop > t->seen) {
		t->seen = stop;
		t->seen_line = (uint32_t)end.line;
		t->seen_col = (uint32_t)end.column;
	}
	return false;
}

static size_t
blanks(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] == ' ')
		i++;
	return i;
}

static bool
line_is_blank(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (s[i] == ' ' || s[i] == '\t'))
		i++;
	return i == n || s[i] == '\n' || s[i] == '\r';
}

static const char *
quoted_flaw(const char *s, size_t n, int block_col)
{
	const char *end = s + n;

	while ((s = memchr(s, '\n', (size_t)(end - s)))) {
		s++;
		if (!line_is_blank(s, (size_t)(end - s)) && (int)blanks(s, (size_t)(end - s)) <= block_col)
			return "a line of quoted text is not indented enough";
	}
	return NULL;
}

/* `n` runs to the end of the text: what libyaml takes for the end of an empty scalar may be its first line. */
static const char *
block_flaw(const char *s, size_t n, int block_col)
{
	const char *end = s + n, *p = s + 1;
	size_t most = 0;
	bool digit = false;

	for (; p < end && (*p == '+' || *p == '-' || (*p >= '0' && *p <= '9')); p++)
		digit = digit || (*p != '+' && *p != '-');
	if (p < end && *p == '#')
		return "a comment needs a blank before '#'";
	if (digit)
		return NULL; /* the indentation is written down, blank lines may have more */
	for (p = memchr(s, '\n', n); p && ++p < end; p = memchr(p, '\n', (size_t)(end - p))) {
		size_t w = blanks(p, (size_t)(end - p));

		if (!line_is_blank(p, (size_t)(end - p)))
			return most > w && (int)w > block_col ? "the blank lines at the start of this text are indented more than its first line" : NULL;
		if (w > most)
			most = w;
	}
	return NULL;
}

const char *
yaml_scalar_flaw(struct yaml_text *t, const yaml_event_t *ev, int block_col)
{
	size_t from = yaml_text_offset(t, ev->start_mark.index), to = yaml_text_offset(t, ev->end_mark.index);

	if (ev->data.scalar.anchor || ev->data.scalar.tag || from >= to)
		return NULL; /* refused anyway, and the text does not start here */
	switch (ev->data.scalar.style) {
	case YAML_PLAIN_SCALAR_STYLE:
		return strcmp((const char *)ev->data.scalar.value, "-") == 0 ? "a lone '-' makes no value" : NULL;
	case YAML_SINGLE_QUOTED_SCALAR_STYLE:
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
		return quoted_flaw(t->s + from, to - from, block_col);
	case YAML_LITERAL_SCALAR_STYLE:
	case YAML_FOLDED_SCALAR_STYLE:
		return block_flaw(t->s + from, t->len - from, block_col);
	case YAML_ANY_SCALAR_STYLE:
		break;
	}
	return NULL;
}
