/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strangers' text in a comment on a forge: shown as text wherever it stands. It can neither mention people, link, refer to issues or commits, run a quick
 * action, nor end the table, fence or HTML around it. Markdown is GitHub's (GFM); what GitLab and Gitea find in finished text is broken up as well.
 */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"

#define MD_MAX ((size_t)200) /* bytes of a text that are shown, before escapes */
#define MD_NAME_MAX ((size_t)100) /* of a name */

/* One line, redacted, at most MD_MAX bytes, without controls and characters that hide or turn text ("" for NULL): what the others begin with. In mem. */
const char *md_line(struct arena *mem, const char *s);

/* In a paragraph, a cell of a table, or HTML text such as <summary>; not as the first of a line. Up to 14 bytes a character. */
void md_text(struct arena *mem, struct buf *out, const char *s);

/* The same, with what stands between two backticks as <code>: for texts of ours with names of theirs. */
void md_prose(struct arena *mem, struct buf *out, const char *s);

/* The same as <code>, for names, at most MD_NAME_MAX bytes: in paragraphs, cells and HTML. */
void md_name(struct arena *mem, struct buf *out, const char *s);

/* A code span, with a fence longer than any run of backticks inside; in paragraphs and lists alone (a '|' would end a cell). */
void md_code(struct arena *mem, struct buf *out, const char *s);

/* A fenced block of `info` ("diff", "sh") around lines that went through md_line each. */
void md_block(struct buf *out, const char *info, const struct buf *lines);

/* An argument of a command that people paste into a shell: quoted where it needs to be. In mem. */
const char *md_shell(struct arena *mem, const char *s);
