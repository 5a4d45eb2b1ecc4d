/* SPDX-License-Identifier: Apache-2.0 */
/* Characters of YAML files. */
#include "lib/doc/yaml_bytes.h"

size_t
yaml_char_decode(const char *s, size_t left, uint32_t *c)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	uint32_t v;

	if (!n || n > left)
		return 0;
	v = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0;
	*c = v;
	return n;
}

static const struct {
	uint32_t from, to;
	const char *what;
} refused[] = {
	{ 0x00, 0x08, "control character" },
	{ 0x0b, 0x0c, "control character" },
	{ 0x0e, 0x1f, "control character" },
	{ 0x7f, 0x84, "control character" },
	{ 0x85, 0x85, "line break that only YAML 1.1 knows" },
	{ 0x86, 0x9f, "control character" },
	{ 0x2028, 0x2029, "line break that only YAML 1.1 knows" },
	{ 0x202a, 0x202e, "character that turns the direction of text around" },
	{ 0x2066, 0x2069, "character that turns the direction of text around" },
	{ 0xfeff, 0xfeff, "byte order mark inside the file" },
	{ 0xfffe, 0xffff, "character that Unicode does not assign" },
};

static const char *
refusal(uint32_t c)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && c >= refused[i].from; i++)
		if (c <= refused[i].to)
			return refused[i].what;
	return NULL;
}

bool
yaml_char_allowed(uint32_t c)
{
	return c != '\r' && !refusal(c);
}

static void
report_char(struct report *r, struct place at, uint32_t c, const char *what)
{
	struct finding *f = report_add(r, FINDING_YAML_CHARACTER, SEVERITY_ERROR, at, "%s (U+%04X)", what, c);

	if (c == '\r')
		finding_help(r, f, "end lines with LF or CR LF");
	else if (c)
		finding_help(r, f, "remove it, or write it as \"\\u%04X\" in double quotes if it is meant", c);
}

/* Nothing but printable ASCII, tabs and line feeds: without branches, since nearly every file is. */
static bool
is_plain(const char *s, size_t n)
{
	unsigned int odd = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		odd |= (unsigned int)((unsigned char)(c - 0x20) > 0x5e) & (unsigned int)(c != '\n') & (unsigned int)(c != '\t');
	}
	return !odd;
}

size_t
yaml_bytes_check(const char *file, const char *s, size_t n, struct report *r)
{
	struct place at = { file, 1, 1 };
	size_t found = 0;

	if (is_plain(s, n))
		return 0;
	for (size_t i = 0, w; i < n && found < YAML_BYTES_SHOWN; i += w) {
		unsigned char byte = (unsigned char)s[i];
		const char *what = NULL;
		uint32_t c = byte;

		w = 1;
		if (byte == '\n') {
			at.line++;
			at.col = 1;
			continue;
		}
		if (byte >= 0x80 && !(w = yaml_char_decode(s + i, n - i, &c))) {
			struct finding *f = report_add(r, FINDING_YAML_CHARACTER, SEVERITY_ERROR, at,
			                               "the file is not UTF-8: byte 0x%02x", byte);

			finding_help(r, f, "save the file as UTF-8");
			return found + 1; /* what follows may be another encoding altogether */
		}
		if (byte == '\r')
			what = i + 1 < n && s[i + 1] == '\n' ? NULL : "carriage return that does not end a line";
		else if (byte < 0x20 || byte >= 0x7f)
			what = refusal(c);
		if (what) {
			report_char(r, at, c, what);
			found++;
		}
		at.col++;
	}
	return found;
}
