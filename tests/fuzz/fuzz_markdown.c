/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers' text on its way into a comment: any bytes, each of the ways. What comes of it holds nothing that could end what stands around it. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "status/comment.h"
#include "status/markdown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static size_t
run_of(const char *s, size_t n, char c)
{
	size_t longest = 0, run = 0;

	for (size_t i = 0; i < n; i++) {
		run = s[i] == c ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

/* Letters, digits, what means nothing, and references by number. */
static void
check_text(const char *s)
{
	for (; *s; s++) {
		if (*s == '&') {
			must(s[1] == '#' && isdigit((unsigned char)s[2]));
			s += 1 + strcspn(s + 1, ";");
			must(*s == ';');
			continue;
		}
		must(isalnum((unsigned char)*s) || (unsigned char)*s >= 0x80 || strchr(" ,;()'?./-", *s));
	}
}

static void
check_code(const char *s, size_t n)
{
	size_t fence = strspn(s, "`");

	if (strcmp(s, "(nothing)") == 0)
		return;
	must(fence > 0 && n > 2 * fence && run_of(s + n - fence, fence, '`') == fence);
	must(run_of(s + fence, n - 2 * fence, '`') < fence); /* the first run as long as the fence is its end */
	must(s[n - fence - 1] != '`');
}

static void
check_block(const char *s, size_t n)
{
	size_t fence = strspn(s, "`"), end = n - fence - 1;

	must(fence >= 3 && n > 2 * fence + 2 && s[n - 1] == '\n' && run_of(s + end, fence, '`') == fence && s[end - 1] == '\n');
	must(run_of(s + fence, end - fence, '`') < fence);
}

/* As sh reads it: one word. */
static void
check_word(const char *s)
{
	bool quoted = false;

	must(*s != '\0');
	for (; *s; s++) {
		if (*s == '\'')
			quoted = !quoted;
		else if (!quoted && *s == '\\' && s[1] == '\'')
			s++;
		else
			must(quoted || isalnum((unsigned char)*s) || strchr("._/@+-,=:", *s));
	}
	must(!quoted);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct buf out AUTO_BUF = BUF_INIT(0), lines AUTO_BUF = BUF_INIT(0);
	const char *text = arena_strndup(mem, (const char *)data, size), *line = md_line(mem, text);
	struct comment_mark mark;

	must(strlen(line) <= MD_MAX && str_utf8_valid(line, strlen(line)) && !strpbrk(line, "\n\r\t\033"));
	md_text(mem, &out, text);
	check_text(buf_cstr(&out));
	buf_reset(&out);
	md_code(mem, &out, text);
	check_code(buf_cstr(&out), out.len);
	must(!strstr(buf_cstr(&out), "<!--"));
	buf_reset(&out);
	buf_printf(&lines, "%s\n", line);
	md_block(&out, "sh", &lines);
	check_block(buf_cstr(&out), out.len);
	check_word(md_shell(mem, text));
	must(!comment_whole(text) || comment_mark_read(text, &mark));
	return 0;
}
