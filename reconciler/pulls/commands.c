/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of comments that ask berth for something, and what is answered. */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "pulls/priv.h"
#include "status/markdown.h"

#define PREFIX "/berth"

/* -- reading --------------------------------------------------------------------------------------------------------------------------------- */

/* A fence of code: what it is made of and how long it is. */
struct fence {
	char what; /* NUL: none */
	size_t len;
};

/* A block ends with a fence of its own kind that is as long as the one it began with, and has nothing behind it (CommonMark 4.5). */
static void
pass_fence(const char *line, size_t n, struct fence *in)
{
	size_t indent = strspn(line, " "), len = 0;
	char what = indent < n && indent < 4 ? line[indent] : '\0';

	while ((what == '`' || what == '~') && indent + len < n && line[indent + len] == what)
		len++;
	line += indent + len;
	n -= indent + len;
	if (len < 3)
		return;
	if (!in->what && (what == '~' || !memchr(line, '`', n)))
		*in = (struct fence){ what, len };
	else if (in->what == what && len >= in->len && strspn(line, " \t\r") >= n)
		*in = (struct fence){ '\0', 0 };
}

static bool
hex_digits(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return s[n] == '\0' && n >= COMMAND_SHA && n < FORGE_SHA;
}

static void
read_line(const char *line, size_t n, struct command *out)
{
	struct command c = { .kind = COMMAND_UNKNOWN };
	const char *rest;

	while (n && strchr(" \t\r", line[n - 1]))
		n--;
	if (n < strlen(PREFIX) || strncmp(line, PREFIX, strlen(PREFIX)) != 0 || (n > strlen(PREFIX) && line[strlen(PREFIX)] != ' '))
		return;
	(void)snprintf(c.line, sizeof(c.line), "%.*s", (int)(n < sizeof(c.line) ? n : sizeof(c.line) - 1), line);
	rest = c.line + strlen(PREFIX);
	if (n < sizeof(c.line) && str_eq(rest, " plan"))
		c.kind = COMMAND_PLAN;
	else if (n < sizeof(c.line) && (str_eq(rest, " approve") || str_starts(rest, " approve ")))
		c.kind = COMMAND_APPROVE;
	if (c.kind == COMMAND_APPROVE && rest[strlen(" approve")] && hex_digits(rest + strlen(" approve ")))
		(void)snprintf(c.sha, sizeof(c.sha), "%.64s", rest + strlen(" approve "));
	*out = c;
}

void
command_read(const char *body, struct command *out)
{
	struct fence code = { '\0', 0 };

	*out = (struct command){ .kind = COMMAND_NONE };
	for (const char *line = body; *line;) {
		size_t n = strcspn(line, "\n");

		pass_fence(line, n, &code);
		if (!code.what)
			read_line(line, n, out);
		line += n + (line[n] == '\n');
	}
}

/* -- answering --------------------------------------------------------------------------------------------------------------------------------- */

/* The first always, all of them where comments count. */
static const struct comment_command commands[] = {
	{ PREFIX " plan", "look at it again now" },
	{ PREFIX " approve COMMIT", "approve the newest commit: twelve digits of it or more" },
};

/* Where a comment can be trusted to be as it was written: GitLab's times tell milliseconds. */
static bool
counts_comments(const struct pulls *p, const struct now *n)
{
	return n->mode == APPROVAL_FORGE && p->c.forge.kind == FORGE_GITLAB;
}

const struct comment_command *
command_list(const struct pulls *p, const struct now *n, size_t *count)
{
	*count = counts_comments(p, n) ? 2 : 1;
	return commands;
}

static void
answer_approve(const struct pulls *p, const struct now *n, const struct forge_pull *pull, const struct command *c, struct arena *mem, struct buf *out)
{
	if (n->mode == APPROVAL_NONE) {
		buf_str(out, "this repository asks for no approvals");
	} else if (n->mode == APPROVAL_SIGNED) {
		buf_str(out, "approvals are signed here: `berth approve` in a clone, as said above");
	} else if (!counts_comments(p, n)) {
		buf_str(out, "a review counts here, a comment does not, since others could edit it unseen: approve by a review of this pull request (Approve)");
	} else if (!*c->sha) {
		buf_printf(out, "it needs at least %d digits of the newest commit, as in ", COMMAND_SHA);
		md_code(mem, out, arena_printf(mem, PREFIX " approve %.12s", pull->head_sha));
	} else if (!str_starts(pull->head_sha, c->sha)) {
		buf_str(out, "that is not the newest commit; look at ");
		md_code(mem, out, arena_printf(mem, "%.12s", pull->head_sha));
		buf_str(out, " instead");
	} else {
		buf_str(out, "heard as an approval of ");
		md_code(mem, out, arena_printf(mem, "%.12s", pull->head_sha));
	}
}

const char *
command_answer(const struct pulls *p, const struct now *n, const struct forge_pull *pull, const char *login, int64_t at, const struct command *c,
               struct arena *mem)
{
	struct buf AUTO_BUF out = BUF_INIT(8192);
	char when[RFC3339_LEN] = "";
	size_t count;

	if (at)
		clock_rfc3339(at, when);
	buf_str(&out, "To ");
	md_code(mem, &out, c->line);
	buf_str(&out, " of ");
	md_name(mem, &out, login);
	buf_printf(&out, "%s%s: ", *when ? ", " : "", when);
	if (c->kind == COMMAND_PLAN) {
		buf_str(&out, "looked at again; this is what it does now");
	} else if (c->kind == COMMAND_APPROVE) {
		answer_approve(p, n, pull, c, mem, &out);
	} else {
		const struct comment_command *list = command_list(p, n, &count);

		buf_str(&out, "no such command. There ");
		buf_str(&out, count == 1 ? "is " : "are ");
		for (size_t i = 0; i < count; i++)
			buf_printf(&out, "%s`%s`", i ? " and " : "", list[i].line);
	}
	buf_str(&out, ".");
	return arena_strdup(mem, buf_cstr(&out));
}
