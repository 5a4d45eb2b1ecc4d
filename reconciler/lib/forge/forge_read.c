/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers' texts: names, ids, times, and what fits on a line. */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/forge/forge_priv.h"

#define NAME_MAX_BYTES 1024
#define URL_MAX 2048

/* Bytes of the UTF-8 character at s, of n; 0: it is none. */
static size_t
utf8_len(const char *s, size_t n)
{
	unsigned char c = (unsigned char)*s;
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return len <= n && str_utf8_valid(s, len) ? len : 0;
}

static bool
is_control(const char *s, size_t len)
{
	unsigned char c = (unsigned char)*s;

	/* C1 is U+0080 to U+009F: some terminals obey it as they do ESC */
	return c < 0x20 || c == 0x7f || (len == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0);
}

const char *
forge_clean(struct arena *mem, const char *s, size_t max, bool lines)
{
	size_t n = strlen(s), count = 0, last = 0;
	char *out = arena_alloc(mem, (max && n / 4 > max ? 4 * max : n) + 4), *p = out; /* never more than what is kept */

	for (size_t i = 0, len; i < n; i += len ? len : 1) {
		len = utf8_len(s + i, n - i);
		if (max && count++ == max) {
			p = out + last;
			memcpy(p, "…", strlen("…"));
			p += strlen("…");
			break;
		}
		last = (size_t)(p - out);
		if (!len)
			*p++ = '?';
		else if (is_control(s + i, len) && !(lines && strchr("\n\r\t", s[i])))
			*p++ = ' ';
		else {
			memcpy(p, s + i, len);
			p += len;
		}
	}
	*p = '\0';
	return out;
}

/* What two different names must never become is the same name: nothing is cut or replaced. */
const char *
forge_name(struct arena *mem, const struct value *v)
{
	const char *s = value_as_str(v, "");
	size_t n = value_len(v);

	if (!value_is(v, VALUE_STR) || n > NAME_MAX_BYTES || strlen(s) != n || !str_utf8_valid(s, n))
		return "";
	for (size_t i = 0; i < n; i++)
		if (is_control(s + i, n - i > 1 ? 2 : 1) || s[i] == ' ')
			return "";
	return arena_strdup(mem, s);
}

const char *
forge_url(struct arena *mem, const struct value *v)
{
	const char *s = forge_name(mem, v);

	return (str_starts(s, "https://") || str_starts(s, "http://")) && strlen(s) <= URL_MAX && !strpbrk(s, "<>\"'`()[]\\") ? s : "";
}

bool
forge_sha_ok(const char *s)
{
	size_t n = strlen(s);

	return (n == 40 || n == 64) && strspn(s, "0123456789abcdef") == n;
}

void
forge_sha(const struct value *v, char out[FORGE_SHA])
{
	const char *s = value_as_str(v, "");

	memset(out, 0, FORGE_SHA);
	if (forge_sha_ok(s))
		memcpy(out, s, strlen(s));
}

int64_t
forge_time(const struct value *v)
{
	int64_t t = 0;

	return clock_parse_time(value_as_str(v, ""), &t) == 0 && t > 0 ? t : 0;
}

int64_t
forge_id(const struct value *v)
{
	int64_t id = value_as_int(v, 0);

	return id > 0 ? id : 0;
}

bool
forge_edited(const struct value *created, const struct value *updated)
{
	/* as texts: GitLab tells milliseconds */
	return !value_is(created, VALUE_STR) || !value_is(updated, VALUE_STR) ||
	       strcmp(value_as_str(created, ""), value_as_str(updated, "")) != 0;
}

/* A code span whose fence is longer than any run of backticks in it (CommonMark 6.1). */
static void
code_span(struct arena *mem, const char *s, struct buf *out)
{
	const char *text = forge_clean(mem, s, 0, false);
	size_t run = 0, longest = 0;

	for (const char *p = text; *p; p++) {
		run = *p == '`' ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	buf_pad(out, '`', longest + 1);
	buf_printf(out, "%s%s%s", longest ? " " : "", text, longest ? " " : "");
	buf_pad(out, '`', longest + 1);
}

static void
finding_line(struct arena *mem, const struct forge_finding *f, struct buf *out)
{
	buf_str(out, "\n- ");
	code_span(mem, f->path, out);
	buf_printf(out, " line %lld: ", (long long)f->line);
	for (const char *p = forge_clean(mem, f->text, 0, true); *p; p++) {
		buf_char(out, *p);
		if (*p == '\n') /* it stays in its item */
			buf_str(out, "  ");
	}
}

void
forge_outside(const struct forge_new_review *r, size_t max, struct buf *out)
{
	AUTO_ARENA struct arena *mem = arena_new((size_t)64 << 20);
	size_t left = 0, room = max > 64 ? max - 64 : 0; /* for the last line */

	buf_str(out, forge_clean(mem, r->body, 0, true));
	for (size_t i = 0; i < r->n; i++)
		left += r->findings[i].outside;
	if (left)
		buf_char(out, '\n');
	for (size_t i = 0; i < r->n; i++) {
		struct buf AUTO_BUF line = BUF_INIT(max);

		if (!r->findings[i].outside)
			continue;
		arena_reset(mem);
		finding_line(mem, &r->findings[i], &line);
		/* counted in bytes: never more characters than that */
		if (line.over || out->len + line.len > room)
			break;
		buf_add(out, line.data, line.len);
		left--;
	}
	if (left)
		buf_printf(out, "\n- … and %zu more", left);
}

int
forge_pull_rank(const struct forge_pull *p, const char *sha, const char *base)
{
	if (p->state != FORGE_MERGED || !str_eq(p->base_ref, base))
		return 0;
	return str_eq(p->merge_sha, sha) ? 2 : 1;
}
