/* SPDX-License-Identifier: Apache-2.0 */
/* The mark of a comment, and its text after the merge. */
#include <stdio.h>
#include <string.h>

#include "lib/base/hash.h"
#include "lib/base/str.h"
#include "status/comment_priv.h"
#include "status/markdown.h"
#include "status/status.h"

#define MARK "<!-- berth:plan v1 "
#define MARK_MAX ((size_t)256)
#define SCRATCH_MAX ((size_t)64 << 20)

/* -- the mark ---------------------------------------------------------------------------------------------------------------------- */

size_t
comment_room(const struct comment_facts *f)
{
	size_t max = f->max ? f->max : COMMENT_MAX;

	return (max < COMMENT_MIN ? COMMENT_MIN : max) - MARK_MAX;
}

/* Forges keep neither carriage returns nor blank ends for sure. */
static void
digest_text(const char *s, size_t n, char hex[DIGEST_HEX])
{
	struct hash_state h;
	struct digest d;

	while (n && strchr(" \t\r\n", s[n - 1]))
		n--;
	hash_init(&h);
	for (size_t i = 0; i < n; i++)
		if (s[i] != '\r')
			hash_add(&h, s + i, 1);
	hash_final(&h, &d);
	digest_hex(&d, hex);
}

static const char *
commit_or_dash(const char *hex)
{
	return hex && strlen(hex) == 40 && strspn(hex, "0123456789abcdef") == 40 ? hex : "-";
}

void
comment_seal(const struct comment_facts *f, const struct buf *text, struct buf *out)
{
	char hex[DIGEST_HEX];

	digest_text(buf_cstr(text), text->len, hex);
	buf_printf(out, MARK "base=%s head=%s digest=%s -->\n", commit_or_dash(f->base), commit_or_dash(f->head), hex);
	buf_add(out, buf_cstr(text), text->len);
}

/* "key=VALUE " at *at: VALUE of hexadecimal digits or "-", at most `max` of them. */
static bool
read_part(const char **at, const char *key, char *out, size_t max)
{
	size_t n;

	if (!str_starts(*at, key))
		return false;
	*at += strlen(key);
	n = strcspn(*at, " ");
	if (n == 0 || n > max || (n != max && !(n == 1 && **at == '-')) || (n == max && strspn(*at, "0123456789abcdef") < n) || (*at)[n] != ' ')
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n + 1;
	return true;
}

bool
comment_mark_read(const char *body, struct comment_mark *out)
{
	struct comment_mark m;
	const char *at = body;

	if (!str_starts(at, MARK))
		return false;
	at += strlen(MARK);
	if (!read_part(&at, "base=", m.base, 40) || !read_part(&at, "head=", m.head, 40) || !read_part(&at, "digest=", m.digest, 64) ||
	    strlen(m.digest) != 64 || !str_starts(at, "-->") || !strchr("\r\n", at[3]))
		return false;
	*out = m;
	return true;
}

bool
comment_whole(const char *body)
{
	const char *text = strchr(body, '\n');
	struct comment_mark m;
	char hex[DIGEST_HEX];

	if (!comment_mark_read(body, &m))
		return false;
	text = text ? text + 1 : "";
	digest_text(text, strlen(text), hex);
	return strcmp(hex, m.digest) == 0;
}

/* -- after the merge ----------------------------------------------------------------------------------------------------------------- */

void
comment_outcome_of(const struct value *status, struct comment_outcome *out)
{
	struct status_row row;
	const struct value *applied = status_condition(status, "Applied");
	const char *phase = value_as_str(value_get(status, "phase"), NULL);
	bool ready;

	status_row_of(status, &row);
	ready = row.phase == PHASE_READY || row.phase == PHASE_RENDERED;
	*out = (struct comment_outcome){ .owner = row.owner, .name = row.name, .phase = phase, .wanted = status_as_wanted(status),
		.reason = *row.reason ? row.reason : NULL, .message = *row.message ? row.message : NULL };
	out->stuck = (row.newer && strcmp(row.reason, pending_name(PENDING_QUOTA)) != 0) || row.phase == PHASE_FAILED ||
	             (str_eq(value_as_str(value_get(applied, "status"), NULL), "False") &&
	              !str_eq(value_as_str(value_get(applied, "reason"), NULL), "Applying") &&
	              !str_eq(value_as_str(value_get(applied, "reason"), NULL), "Held"));
	if (ready && out->wanted) {
		out->ssh = value_as_str(value_at(status, "access.ssh"), NULL);
		out->web = value_as_str(value_at(status, "access.web"), NULL);
	}
}

/* What a person does about it; NULL: `berth why` tells more. */
static const struct next_step {
	enum pending why;
	const char *text;
} next_steps[] = {
	{ PENDING_INVALID, "`berth validate` shows what is wrong; another pull request mends it" },
	{ PENDING_APPROVAL, "`berth verify` says who is missing, `berth approve` approves what waits" },
	{ PENDING_QUOTA, "it goes on by itself when there is room; pausing or shrinking another environment makes some" },
	{ PENDING_GUARD, "a commit whose message ends in `Berth-Allow-Delete: N` releases it" },
	{ PENDING_UPGRADE, "an administrator moves `spec.render` in berth.yaml on" },
};

static void
next_step(struct arena *mem, const struct comment_outcome *x, const struct comment_facts *f, struct buf *out)
{
	if (f->mode == APPROVAL_FORGE && str_eq(x->reason, pending_name(PENDING_APPROVAL))) {
		buf_str(out, f->no_late      ? "; the forge takes no review of what is merged: revert it and open it again, or who has a key signs it (`berth approve`)"
		             : f->by_comment ? "; it waits for their Approve on this merge request, which counts after the merge, too"
		                             : "; it waits for a review by them here (Approve), which counts after the merge, too");
		return;
	}
	for (size_t i = 0; i < sizeof(next_steps) / sizeof(next_steps[0]); i++)
		if (str_eq(x->reason, pending_name(next_steps[i].why))) {
			buf_printf(out, "; %s", next_steps[i].text);
			return;
		}
	buf_str(out, "; ");
	md_name(mem, out, arena_printf(mem, "berth why %s/%s", x->owner, x->name));
	buf_str(out, " tells more");
}

static void
outcome_row(struct arena *mem, const struct comment_outcome *x, const struct comment_facts *f, struct buf *out)
{
	buf_printf(out, "| %s | ", x->wanted ? "✓" : x->stuck ? "**!**" : "…");
	md_name(mem, out, arena_printf(mem, "%s/%s", x->owner, x->name));
	buf_str(out, " | ");
	md_text(mem, out, x->phase ? x->phase : "gone");
	buf_str(out, " | ");
	if (!x->wanted && x->reason) {
		md_text(mem, out, x->reason);
		buf_str(out, x->message ? ": " : "");
		md_text(mem, out, x->message);
	}
	if (!x->wanted && (x->stuck || x->reason))
		next_step(mem, x, f, out);
	buf_str(out, " |\n");
}

static void
headline(const struct comment_outcome *list, size_t n, struct buf *out)
{
	size_t wanted = 0, stuck = 0;

	for (size_t i = 0; i < n; i++) {
		wanted += list[i].wanted;
		stuck += !list[i].wanted && list[i].stuck;
	}
	if (wanted == n)
		buf_str(out, "### berth: applied\n");
	else if (stuck)
		buf_printf(out, "### berth: %zu of %zu not as wanted\n", stuck, n);
	else
		buf_printf(out, "### berth: at work, %zu of %zu done\n", wanted, n);
}

/* Lines to type, for what one can get into. */
static void
ways_in(struct arena *mem, const struct comment_outcome *list, size_t n, size_t room, struct buf *out)
{
	struct buf lines AUTO_BUF = BUF_INIT(0), all AUTO_BUF = BUF_INIT(0);

	for (size_t i = 0; i < n; i++) {
		if (!list[i].ssh && !list[i].web)
			continue;
		if (list[i].ssh)
			buf_printf(&lines, "berth ssh %s\n", md_shell(mem, arena_printf(mem, "%s/%s", list[i].owner, list[i].name)));
		if (list[i].web)
			buf_printf(&lines, "# %s\n", md_line(mem, list[i].web));
		if (lines.len > room)
			return; /* so many that nobody types them from here */
	}
	if (!lines.len)
		return;
	buf_char(&all, '\n');
	md_block(&all, "sh", &lines);
	buf_add(out, buf_cstr(&all), all.len);
}

void
comment_result(const struct comment_outcome *list, size_t n, const struct comment_facts *f, struct buf *out)
{
	struct arena *AUTO_ARENA mem = arena_new(SCRATCH_MAX);
	struct buf text AUTO_BUF = BUF_INIT(0), row AUTO_BUF = BUF_INIT(0);
	size_t max = comment_room(f), left = 0;
	bool all = true;

	for (size_t i = 0; i < n; i++)
		all &= list[i].wanted;
	headline(list, n, &text);
	if (n) /* where nothing stands in the way the last cell of the rows is none, which GFM leaves out */
		buf_str(&text, all ? "\n| | environment | phase |\n|---|---|---|\n" : "\n| | environment | phase | |\n|---|---|---|---|\n");
	for (int wanted = 0; wanted < 2; wanted++) /* what needs somebody first */
		for (size_t i = 0; i < n; i++) {
			if (list[i].wanted != (wanted == 1))
				continue;
			buf_reset(&row);
			outcome_row(mem, &list[i], f, &row);
			arena_reset(mem);
			if (text.len + row.len > max * 2 / 3)
				left++;
			else
				buf_add(&text, buf_cstr(&row), row.len);
		}
	if (left)
		buf_printf(&text, "\n%zu more: `berth status` lists them all.\n", left);
	ways_in(mem, list, n, max / 4, &text);
	if (strcmp(commit_or_dash(f->head), "-") != 0)
		buf_printf(&text, "\n<sub>Merged as of `%.12s`.</sub>\n", f->head);
	comment_seal(f, &text, out);
}
