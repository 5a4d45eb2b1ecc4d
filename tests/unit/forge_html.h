/* SPDX-License-Identifier: Apache-2.0 */
/* What a forge makes of Markdown, and what in it would be links, mentions or hidden text: for judging what strangers wrote. */
#pragma once

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/fs.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "with_arena.h"

/* Debian's cmark-gfm: GitHub's Markdown with its extensions; raw HTML stays, for the judge to see. */
static inline const char *
html_of(const char *text, size_t n)
{
	static const char *const argv[] = { "cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough", "-e", "tasklist", NULL };
	struct proc c = { .argv = argv, .input = text, .input_len = n, .timeout_ms = 60000, .output_max = (size_t)16 << 20 };
	struct proc_result r;
	struct err e = { 0 };
	const char *html;

	if (proc_run(&c, &r, &e) < 0)
		fail_msg("cmark-gfm: %s (deploy/setup.sh test installs it)", e.text);
	assert_int_equal(r.exit_code, 0);
	html = arena_strdup(mem, buf_cstr(&r.out));
	proc_result_free(&r);
	return html;
}

/* Its tags in their order; what stands between them outside of code goes to `text`. The first comment is ours. */
static inline const char *
skeleton(const char *html, struct buf *text)
{
	struct buf tags AUTO_BUF = BUF_INIT(0);
	int code = 0;

	for (const char *at = html; *at;) {
		size_t n;

		if (*at != '<') {
			if (!code)
				buf_char(text, *at);
			at++;
			continue;
		}
		n = strcspn(at, ">") + 1; /* the mark has no other */
		code += str_starts(at, "<code") || str_starts(at, "<pre");
		code -= str_starts(at, "</code") || str_starts(at, "</pre");
		if (!str_starts(at, "<!--"))
			buf_add(&tags, at, n);
		buf_char(text, ' ');
		at += n;
	}
	return arena_strdup(mem, buf_cstr(&tags));
}

static inline const char *
tags_of(const char *body)
{
	struct buf ignored AUTO_BUF = BUF_INIT(0);

	return skeleton(html_of(body, strlen(body)), &ignored);
}

/* Entities as a browser reads them: those that cmark leaves. */
static inline const char *
decoded(const char *s)
{
	static const char *const names[][2] = { { "&lt;", "<" }, { "&gt;", ">" }, { "&quot;", "\"" }, { "&amp;", "&" } };
	struct buf out AUTO_BUF = BUF_INIT(0);

	while (*s) {
		size_t k = 0;
		char *end;

		while (k < 4 && !str_starts(s, names[k][0]))
			k++;
		if (k < 4) {
			buf_str(&out, names[k][1]);
			s += strlen(names[k][0]);
		} else if (str_starts(s, "&#")) { /* of raw HTML, where cmark copies them */
			unsigned long c = strtoul(s + 2, &end, 10);

			if (c < 0x80)
				buf_char(&out, (char)c);
			else
				buf_str(&out, "\xe2\x81\xa0");
			s = *end ? end + 1 : end;
		} else {
			buf_char(&out, *s++);
		}
	}
	return arena_strdup(mem, buf_cstr(&out));
}

/* What forges make links of in finished text: people, issues, merge requests, commits, addresses. */
static inline const char *
reference_in(const char *s)
{
	size_t hex = 0;

	for (size_t i = 0; s[i]; i++) {
		unsigned char next = (unsigned char)s[i + 1];

		hex = strchr("0123456789abcdefABCDEF", s[i]) ? hex + 1 : 0;
		if (hex == 7 || (strchr("@#!$%~^", s[i]) && isalnum(next)) || (s[i] == '&' && isdigit(next)) || str_starts(s + i, "://") ||
		    strncasecmp(s + i, "www.", 4) == 0 || str_starts(s + i, "[[") || str_starts(s + i, "GH-1") || str_starts(s + i, ":sm"))
			return arena_strndup(mem, s + i, 20);
	}
	return NULL;
}

static inline bool
has_hidden(const char *s)
{
	static const char *const bad[] = { "\xe2\x80\xae", "\xe2\x80\xad", "\xe2\x81\xa6", "\xe2\x81\xa9", "\xe2\x80\x8f", "\xef\xbb\xbf", "\xe2\x80\x8b" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (strstr(s, bad[i]))
			return true;
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 && *s != '\n')
			return true;
	return false;
}

static inline size_t
times(const char *s, const char *what)
{
	size_t n = 0;

	while ((s = strstr(s, what))) {
		s += strlen(what);
		n++;
	}
	return n;
}
