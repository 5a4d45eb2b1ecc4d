/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as a comment: the summary first, then what needs a person, then details as far as they fit. */
#include "status/comment.h"

#include <string.h>

#include "lib/base/str.h"
#include "status/comment_priv.h"
#include "status/markdown.h"
#include "validate/cost.h"

#define PIECE_MAX ((size_t)12000) /* bytes of one environment's details */
#define SCRATCH_MAX ((size_t)512 << 20)
#define WARNINGS_MAX 12
#define OTHERS_MAX 12
#define NOTE_ROOM ((size_t)3072) /* for what was left out, the answer, and the last line */
#define ANSWER_MAX ((size_t)2048)
#define ROWS_MAX 15    /* environments that are shown without unfolding */
#define ROWS_FOLDED 10 /* that many, where there are more */
#define UNITS_MAX 6    /* folds of details that need no fold around them */

struct sheet {
	struct arena *mem;        /* emptied after each row */
	const struct planned *p;
	const struct comment_facts *f;
	struct buf *out;
	size_t max;
	const size_t *order;      /* rows, what needs a person first */
	size_t cut_rows, cut_sums, cut_details;
	unsigned int columns;     /* of the table: those that have something to tell */
};

/* Adds a piece that leaves `keep` bytes free; false: it does not fit. */
static bool
fits(struct sheet *s, const struct buf *piece, size_t keep)
{
	if (s->out->len + piece->len + keep > s->max)
		return false;
	buf_add(s->out, buf_cstr(piece), piece->len);
	return true;
}

static const char *
plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* -- the summary ------------------------------------------------------------------------------------------------------------- */

static void
part(struct buf *out, const char **sep, size_t n, const char *text)
{
	if (!n)
		return;
	buf_printf(out, "%s%zu %s", *sep, n, text);
	*sep = ", ";
}

static size_t
count_rows(const struct planned *p, enum planned_kind kind, bool before)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->rows[i].kind == kind && p->rows[i].before == before;
	return n;
}

static size_t
count_recreates(const struct planned *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->rows[i].kind == PLANNED_UNIT && p->rows[i].plan.recreates;
	return n;
}

static void
summary(struct sheet *s)
{
	const struct planned *p = s->p;
	const char *sep = "";

	buf_str(s->out, "### berth plan: ");
	part(s->out, &sep, p->count[ACTION_CREATE], "to create");
	part(s->out, &sep, p->count[ACTION_CHANGE], "to change");
	part(s->out, &sep, p->count[ACTION_DELETE], "to delete");
	part(s->out, &sep, count_rows(p, PLANNED_INVALID, false), "not valid");
	part(s->out, &sep, count_rows(p, PLANNED_WAITS, false), "waiting for room");
	if (!*sep)
		buf_str(s->out, p->none ? "there can be none" : "nothing changes");
	buf_str(s->out, "\n\n");
	sep = "**";
	part(s->out, &sep, p->restarts, p->restarts == 1 ? "restarts its pods" : "restart their pods");
	part(s->out, &sep, count_recreates(p), "with objects that are made anew");
	part(s->out, &sep, p->refused, "refused in part");
	part(s->out, &sep, p->data, "with data at stake");
	if (strcmp(sep, "**") != 0)
		buf_str(s->out, "**. ");
	/* how much is unchanged is not said: it would be another number, and another comment, with every merge */
	buf_str(s->out, "What the files ask for; no cluster was read.\n");
}

/* -- what a person has to know first ------------------------------------------------------------------------------------------- */

static void
warn_data(struct sheet *s, const struct planned_row *row, struct buf *out)
{
	for (size_t i = 0, shown = 0; i < row->plan.n; i++) {
		if (!row->plan.objects[i].data)
			continue;
		buf_str(out, shown ? ", " : "- **data at stake** in ");
		if (!shown++) {
			md_code(s->mem, out, row->unit);
			buf_str(out, ": ");
		}
		if (shown > 4) {
			buf_str(out, "and more");
			break;
		}
		md_code(s->mem, out, row->plan.objects[i].id);
	}
	buf_str(out, " would be deleted or left behind, with what is on it\n");
}

static void
warn_refused(struct sheet *s, const struct planned_row *row, struct buf *out)
{
	buf_str(out, "- **not done** in ");
	md_code(s->mem, out, row->unit);
	buf_str(out, ": a volume that exists cannot change so; put the old value back, or make a new environment\n");
}

static void
warn_row(struct sheet *s, const struct planned_row *row, struct buf *out)
{
	if (row->kind != PLANNED_UNIT) {
		if (row->before && row->kind == PLANNED_INVALID) /* not of this change's doing */
			return;
		buf_str(out, row->kind == PLANNED_INVALID ? "- **not valid**: " : row->before ? "- **still waits** for room: " : "- **would wait** for room: ");
		md_code(s->mem, out, row->unit);
		buf_str(out, row->was.there ? " stays as it is. " : " is not made. ");
		md_code(s->mem, out, row->why);
		buf_char(out, '\n');
		return;
	}
	if (row->plan.data)
		warn_data(s, row, out);
	if (row->plan.refused)
		warn_refused(s, row, out);
	if (row->nlater) {
		buf_str(out, "- ");
		md_code(s->mem, out, row->unit);
		buf_str(out, " has fields that this version does not render: ");
		for (size_t i = 0; i < row->nlater && i < 6; i++) {
			buf_str(out, i ? ", " : "");
			md_code(s->mem, out, row->later[i]);
		}
		buf_char(out, '\n');
	}
}

static void
warnings(struct sheet *s)
{
	struct buf piece AUTO_BUF = BUF_INIT(0);
	const struct planned *p = s->p;
	size_t shown = 0, left = 0;

	if (p->none) {
		buf_printf(&piece, "%s- **nothing of this would be applied**, and everything stays as it is: ", shown++ ? "" : "\n");
		md_code(s->mem, &piece, p->none);
		buf_char(&piece, '\n');
		(void)fits(s, &piece, 0);
		buf_reset(&piece);
	}
	if (p->errors > count_rows(p, PLANNED_INVALID, false)) {
		buf_printf(&piece, "%s- **%zu error%s** in what this changes; `berth/validate` tells all of them", shown++ ? "" : "\n", p->errors, plural(p->errors));
		if (p->first_error && !count_rows(p, PLANNED_INVALID, false)) {
			buf_str(&piece, ". The first: ");
			md_code(s->mem, &piece, p->first_error);
		}
		buf_char(&piece, '\n');
		(void)fits(s, &piece, 0);
		buf_reset(&piece);
	}
	if (p->compared && p->env_deletes > p->allowed) {
		buf_printf(&piece, "%s- **the guard holds these deletions**: %zu of %zu environments at once, %zu may go. A commit whose message ends in "
		           "`Berth-Allow-Delete: %zu` releases them\n", shown++ ? "" : "\n", p->env_deletes, p->envs, p->allowed, p->env_deletes);
		(void)fits(s, &piece, 0);
	}
	for (size_t i = 0; i < p->n; i++) {
		buf_reset(&piece);
		arena_reset(s->mem);
		warn_row(s, &p->rows[s->order[i]], &piece);
		if (!piece.len)
			continue;
		if (shown == WARNINGS_MAX || s->out->len > s->max / 5) {
			left++;
			continue;
		}
		if (!shown++)
			buf_char(s->out, '\n');
		buf_add(s->out, buf_cstr(&piece), piece.len);
	}
	if (left)
		buf_printf(s->out, "- and %zu more of the kind\n", left);
}

/* -- the table ------------------------------------------------------------------------------------------------------------------ */

enum column { COLUMN_NAME, COLUMN_WHAT, COLUMN_FLAVOR, COLUMN_SIZES, COLUMN_COST = COLUMN_SIZES + SUM_STORAGE - SUM_GPU + 1, COLUMN_COUNT };

/* "1 → 2", or what it is, or nothing when it is 0 on both sides. */
static void
size_cell(struct sheet *s, struct buf *out, const struct planned_row *row, enum sum k)
{
	int64_t was = row->was.use.limits[k], is = row->is.use.limits[k];
	const char *before = sum_text(s->mem, k, was), *after = sum_text(s->mem, k, is);

	if (was == is)
		buf_str(out, is ? after : "");
	else
		buf_printf(out, "%s%s%s", row->was.there ? before : "", row->was.there ? " → " : "", row->is.there || row->was.there ? after : "");
}

static void
flavor_cell(struct sheet *s, struct buf *out, const struct planned_row *row)
{
	const char *was = row->was.flavor, *is = row->is.flavor;

	if (was && is && strcmp(was, is) != 0) {
		md_name(s->mem, out, was);
		buf_str(out, " → ");
		md_name(s->mem, out, is);
	} else if (was || is) {
		md_name(s->mem, out, is ? is : was);
	}
}

static void
cost_cell(struct sheet *s, struct buf *out, const struct planned_row *row)
{
	const struct planned_side *was = &row->was, *is = &row->is;
	bool both = was->priced && is->priced && was->month != is->month;

	if (was->priced && (both || !is->there))
		buf_printf(out, "%s → ", money_text(s->mem, was->month));
	if (is->priced)
		buf_str(out, money_text(s->mem, is->month));
	else if (was->priced)
		buf_str(out, is->there ? "no price" : "0");
}

static void
note(struct buf *out, bool on, const char *text)
{
	if (on)
		buf_printf(out, ", %s", text);
}

/* What happens to it, in words; what a person should think about is bold. */
static void
what_cell(struct buf *out, const struct planned_row *row)
{
	static const char *const actions[] = { "create", "change", "change", "delete", "change" };
	const struct unit_plan *u = &row->plan;
	bool pauses = false, resumes = false, kept = false;

	if (row->kind != PLANNED_UNIT) {
		buf_str(out, row->kind == PLANNED_INVALID ? "**not valid**" : row->before ? "still waits for room" : "**waits for room**");
		return;
	}
	for (size_t i = 0; i < u->n; i++) {
		pauses |= u->objects[i].pauses;
		resumes |= u->objects[i].resumes;
		kept |= u->objects[i].kept;
	}
	buf_str(out, actions[u->action]);
	note(out, u->data, "**data at stake**");
	note(out, u->refused, "**refused in part**");
	note(out, u->recreates, "**objects are made anew**");
	note(out, u->restarts, "**restarts**");
	note(out, pauses, "pauses");
	note(out, resumes, "resumes");
	note(out, u->action == ACTION_DELETE && kept, "volumes stay in the cluster");
}

static void
cell(struct sheet *s, const struct planned_row *planned, enum column c, struct buf *out)
{
	struct planned_row stays = *planned;
	const struct planned_row *row = &stays;

	if (planned->kind == PLANNED_INVALID) /* whatever is there stays */
		stays.is = stays.was;
	if (c == COLUMN_NAME)
		md_name(s->mem, out, row->unit + strlen("envs/"));
	else if (c == COLUMN_WHAT)
		what_cell(out, row);
	else if (c == COLUMN_FLAVOR)
		flavor_cell(s, out, row);
	else if (c == COLUMN_COST)
		cost_cell(s, out, row);
	else
		size_cell(s, out, row, SUM_GPU + (enum sum)(c - COLUMN_SIZES));
}

static bool
in_table(const struct planned_row *row)
{
	return row->owner && (row->kind != PLANNED_INVALID || !row->before);
}

/* What would be empty all the way down is left out, for narrow windows: how many rows there are is returned. */
static size_t
choose_columns(struct sheet *s)
{
	struct buf one AUTO_BUF = BUF_INIT(0);
	size_t n = 0;

	for (size_t i = 0; i < s->p->n; i++) {
		if (!in_table(&s->p->rows[i]))
			continue;
		n++;
		for (unsigned int c = 0; c < COLUMN_COUNT; c++) {
			buf_reset(&one);
			cell(s, &s->p->rows[i], (enum column)c, &one);
			s->columns |= one.len ? 1U << c : 0;
		}
		arena_reset(s->mem);
	}
	return n;
}

static void
table_row(struct sheet *s, const struct planned_row *row, struct buf *out)
{
	for (unsigned int c = 0; c < COLUMN_COUNT; c++) {
		if (!(s->columns & 1U << c))
			continue;
		buf_str(out, c ? " | " : "| ");
		cell(s, row, (enum column)c, out);
	}
	buf_str(out, " |\n");
}

static void
table_head(struct sheet *s, struct buf *out)
{
	static const char *const heads[COLUMN_COUNT] = { "environment", "plan", "flavor", "GPU", "CPU", "memory", "storage" };

	buf_char(out, '\n');
	for (unsigned int c = 0; c < COLUMN_COUNT; c++) {
		if (!(s->columns & 1U << c))
			continue;
		buf_str(out, c ? " | " : "| ");
		if (c == COLUMN_COST)
			md_text(s->mem, out, s->p->currency);
		buf_str(out, c == COLUMN_COST ? " a month" : heads[c]);
	}
	buf_str(out, " |\n");
	for (unsigned int c = 0; c < COLUMN_COUNT; c++)
		buf_str(out, s->columns & 1U << c ? "|---" : "");
	buf_str(out, "|\n");
}

static void
table(struct sheet *s)
{
	struct buf piece AUTO_BUF = BUF_INIT(0);
	size_t n = choose_columns(s), seen = 0, fold = n > ROWS_MAX ? ROWS_FOLDED : n;
	bool begun = false, folded = false;

	for (size_t i = 0; i < s->p->n; i++) {
		const struct planned_row *row = &s->p->rows[s->order[i]];
		bool opens = seen == fold && !folded;

		if (!in_table(row))
			continue;
		buf_reset(&piece);
		if (opens)
			buf_printf(&piece, "\n<details><summary>and %zu more</summary>\n", n - seen);
		if (!begun || opens)
			table_head(s, &piece);
		table_row(s, row, &piece);
		arena_reset(s->mem);
		if (!fits(s, &piece, s->max / 2)) {
			s->cut_rows++;
			continue;
		}
		begun = true;
		folded |= opens;
		seen++;
	}
	buf_str(s->out, folded ? "\n</details>\n" : "");
}

/* The organization's, teams' and users' own sets: mostly consequences. */
static void
others(struct sheet *s)
{
	static const char *const words[] = { "is created", "changes", "is made anew", "is deleted", "is refused" };
	struct buf piece AUTO_BUF = BUF_INIT(0);
	size_t n = 0;

	for (size_t i = 0; i < s->p->n; i++) {
		const struct planned_row *row = &s->p->rows[i];

		if (row->owner || row->kind != PLANNED_UNIT || n++ >= OTHERS_MAX)
			continue;
		buf_str(&piece, n > 1 ? ", " : "\nAlso: ");
		md_code(s->mem, &piece, row->unit);
		buf_printf(&piece, " %s%s", words[row->plan.action], row->plan.data ? " **(data at stake)**" : "");
	}
	if (n > OTHERS_MAX)
		buf_printf(&piece, " and %zu more", n - OTHERS_MAX);
	if (n)
		buf_char(&piece, '\n');
	if (!fits(s, &piece, s->max / 4))
		s->cut_rows += n;
}

/* -- limits and money ------------------------------------------------------------------------------------------------------------- */

static void
cost_line(struct sheet *s)
{
	int64_t was = 0, is = 0;
	size_t unpriced = 0;

	for (size_t i = 0; i < s->p->n; i++) {
		const struct planned_row *row = &s->p->rows[i];

		if (row->kind == PLANNED_INVALID)
			continue;
		was = size_plus(was, row->was.month);
		is = size_plus(is, row->is.month);
		unpriced += row->is.there && !row->is.priced;
	}
	if (was == is && !unpriced)
		return;
	buf_str(s->out, "\n**Cost** of these environments, at most");
	if (unpriced)
		buf_printf(s->out, ", without %zu that %s no price", unpriced, unpriced == 1 ? "has" : "have");
	buf_printf(s->out, ": %s → %s ", money_text(s->mem, was), money_text(s->mem, is));
	md_text(s->mem, s->out, s->p->currency);
	buf_printf(s->out, " a month (%s%s).\n", is < was ? "-" : "+", money_text(s->mem, is < was ? was - is : is - was));
}

static void
sum_row(struct sheet *s, const struct planned_sum *x, struct buf *out)
{
	bool money = strcmp(x->what, "budget") == 0;

	buf_printf(out, "| %s ", x->noun);
	md_name(s->mem, out, x->name);
	if (x->flavor) {
		buf_str(out, " on ");
		md_name(s->mem, out, x->flavor);
	}
	buf_printf(out, " | %s | %s | %s | ", money ? "budget a month" : x->what, x->was, x->is);
	if (x->max_was && (!x->max_is || strcmp(x->max_was, x->max_is) != 0))
		buf_printf(out, "%s → ", x->max_was);
	buf_printf(out, "%s | %s |\n", x->max_is ? x->max_is : "none", x->over ? "**over**" : !x->max_is ? "" : x->left ? x->left : "0");
}

static void
sums(struct sheet *s)
{
	struct buf piece AUTO_BUF = BUF_INIT(0);

	cost_line(s);
	for (size_t i = 0; i < s->p->nsums; i++) {
		buf_reset(&piece);
		if (i == 0)
			buf_str(&piece, "\n| limit | | now | after | of | left |\n|---|---|---|---|---|---|\n");
		sum_row(s, &s->p->sums[i], &piece);
		if (!fits(s, &piece, s->max / 3)) {
			s->cut_sums = s->p->nsums - i;
			break;
		}
	}
}

/* -- approvals and what comes next -------------------------------------------------------------------------------------------------- */

static const char *
commit_of(const char *hex)
{
	return hex && strlen(hex) == 40 && strspn(hex, "0123456789abcdef") == 40 ? hex : NULL;
}

static void
how_to_approve(struct sheet *s)
{
	const char *from = commit_of(s->f->fork ? s->f->fork : s->f->base), *to = commit_of(s->f->head);
	struct buf lines AUTO_BUF = BUF_INIT(0);

	if (s->f->mode == APPROVAL_FORGE) {
		buf_str(s->out, s->f->by_comment ? "By Approve on this merge request" : "By a review of this pull request (Approve)");
		if (s->f->by_comment && to)
			buf_printf(s->out, ", or by a comment that is the line `/berth approve %.12s`", to);
		buf_str(s->out, ". It counts for the newest commit alone: a later push makes it void.\n");
		return;
	}
	buf_str(s->out, s->f->approve ? "Who may approve looks at it and signs exactly this change with their own key, in a clone:\n\n"
	                              : "Who may approve signs exactly this change with their own key, in a clone:\n\n");
	if (s->f->approve)
		buf_printf(&lines, "%s\n", md_line(s->mem, s->f->approve));
	else if (from && to)
		buf_printf(&lines, "git fetch origin\ngit diff %.12s %.12s\nberth approve %.12s..%.12s\n", from, to, from, to);
	else
		buf_str(&lines, "git fetch origin\nberth approve BRANCH\n");
	md_block(s->out, "sh", &lines);
}

static void
approvals(struct sheet *s)
{
	if (s->f->unknown)
		return;
	if (s->f->mode == APPROVAL_NONE) {
		buf_str(s->out, "\n**Approval**: this repository asks for none (`approvals.mode: none`).\n");
		return;
	}
	if (count_rows(s->p, PLANNED_INVALID, false))
		buf_str(s->out, "\n**First** mend what is not valid: an approval is for exactly these files, and would be void with the next push.\n");
	if (s->f->missing) {
		buf_str(s->out, "\n**Still needed**: ");
		md_text(s->mem, s->out, s->f->missing);
		buf_str(s->out, ". ");
		how_to_approve(s);
	} else {
		buf_str(s->out, "\n**Approved**: all that is needed is there.\n");
	}
	if (s->f->approved) {
		buf_str(s->out, "\nSaid yes so far: ");
		md_text(s->mem, s->out, s->f->approved);
		buf_str(s->out, ".\n");
	}
}

static void
after_merge(struct sheet *s)
{
	buf_str(s->out, "\n**After the merge** into ");
	md_code(s->mem, s->out, s->f->main ? s->f->main : "main");
	buf_str(s->out, count_rows(s->p, PLANNED_INVALID, false) ? " berth applies what is valid of this" : " berth applies this by itself");
	if (!s->f->unknown && s->f->mode != APPROVAL_NONE && s->f->missing)
		buf_str(s->out, ", once the approval is there; until then everything stays as it is");
	buf_str(s->out, s->f->lasting ? ". What comes of it is written here.\n" : ". `berth status` tells what came of it.\n");
}

/* -- details ------------------------------------------------------------------------------------------------------------------------ */

/* Digests tell nobody anything, and some are of what is sealed. */
static bool
is_digest(const char *text)
{
	return text && strlen(text) >= 16 && text[strspn(text, "0123456789abcdef")] == '\0';
}

static void
field_lines(struct sheet *s, const struct object_change *c, size_t i, struct buf *out)
{
	const char *path = md_line(s->mem, c->fields[i]);

	if (c->sealed && !c->was[i] && !c->is[i]) {
		buf_printf(out, "!   %s: another value, sealed (%s)\n", path, md_line(s->mem, c->sealed));
		return;
	}
	if (is_digest(c->was[i]) || is_digest(c->is[i]) || str_eq(c->was[i], c->is[i])) { /* the same: they differ where they were cut */
		buf_printf(out, "!   %s: another %s\n", path, is_digest(c->was[i]) || is_digest(c->is[i]) ? "digest" : "value");
		return;
	}
	if (c->was[i])
		buf_printf(out, "-   %s: %s\n", path, md_line(s->mem, c->was[i]));
	if (c->is[i])
		buf_printf(out, "+   %s: %s\n", path, md_line(s->mem, c->is[i]));
}

static void
object_lines(struct sheet *s, const struct object_change *c, struct buf *out)
{
	static const char *const marks[] = { "+", "!", "!", "-", "!" };
	static const char *const words[] = { "", " changed", " made anew", "", " NOT DONE: a volume that exists cannot change so" };

	buf_printf(out, "%s %s%s%s%s%s%s%s\n", marks[c->action], md_line(s->mem, c->id), words[c->action], c->restarts ? ", restarts the pods" : "",
	           c->pauses ? ", pauses it" : "", c->resumes ? ", resumes it" : "", c->data ? ", DATA AT STAKE" : "",
	           c->kept ? " (stays in the cluster)" : "");
	for (size_t i = 0; i < c->nfields; i++)
		field_lines(s, c, i, out);
}

/* At most PIECE_MAX bytes, whole objects. */
static void
unit_details(struct sheet *s, const struct planned_row *row, struct buf *out)
{
	struct buf lines AUTO_BUF = BUF_INIT(0), one AUTO_BUF = BUF_INIT(0);
	size_t left = 0;

	for (size_t i = 0; i < row->plan.n; i++) {
		buf_reset(&one);
		object_lines(s, &row->plan.objects[i], &one);
		if (lines.len + one.len > PIECE_MAX)
			left++;
		else
			buf_add(&lines, buf_cstr(&one), one.len);
	}
	if (left)
		buf_printf(&lines, "  … and %zu object%s more\n", left, plural(left));
	buf_str(out, "\n<details><summary>");
	md_name(s->mem, out, row->unit);
	buf_printf(out, ": %s, %zu object%s</summary>\n\n", action_name(row->plan.action), row->plan.n, plural(row->plan.n));
	md_block(out, "diff", &lines);
	buf_str(out, "\n</details>\n");
}

static void
details(struct sheet *s)
{
	struct buf piece AUTO_BUF = BUF_INIT(0);
	size_t n = 0;
	bool fold;

	for (size_t i = 0; i < s->p->n; i++)
		n += s->p->rows[i].kind == PLANNED_UNIT;
	fold = n > UNITS_MAX;
	if (fold)
		buf_printf(s->out, "\n<details><summary>objects and fields of all %zu</summary>\n", n);
	for (size_t i = 0; i < s->p->n; i++) {
		const struct planned_row *row = &s->p->rows[s->order[i]];

		if (row->kind != PLANNED_UNIT)
			continue;
		buf_reset(&piece);
		if (s->out->len + 2 * NOTE_ROOM < s->max)
			unit_details(s, row, &piece);
		arena_reset(s->mem);
		s->cut_details += !piece.len || !fits(s, &piece, NOTE_ROOM);
	}
	buf_str(s->out, fold ? "\n</details>\n" : "");
}

/* Its room is in NOTE_ROOM. */
static void
answer(struct sheet *s)
{
	if (s->f->answer && strlen(s->f->answer) < ANSWER_MAX)
		buf_printf(s->out, "\n%s\n", s->f->answer);
}

static void
last_lines(struct sheet *s)
{
	size_t cut = s->cut_rows + s->cut_sums + s->cut_details;

	if (cut) {
		buf_str(s->out, "\n**Cut**: ");
		if (s->cut_rows)
			buf_printf(s->out, "%zu row%s, ", s->cut_rows, plural(s->cut_rows));
		if (s->cut_sums)
			buf_printf(s->out, "%zu limit%s, ", s->cut_sums, plural(s->cut_sums));
		buf_printf(s->out, "the details of %zu; a comment has room for %zu bytes. ", s->cut_details, s->max);
		md_code(s->mem, s->out, s->f->full ? s->f->full : "berth plan");
		buf_str(s->out, " shows all of it.\n");
	}
	answer(s);
	if (!commit_of(s->f->head))
		return;
	buf_printf(s->out, "\n<sub>Plan of `%.12s`%s.", s->f->head, s->f->lasting ? "; written anew when what it does changes" : "");
	for (size_t i = 0; i < s->f->ncommands; i++)
		buf_printf(s->out, "%s `%s` (%s)", i ? "," : " Lines of a new comment that berth obeys:", s->f->commands[i].line, s->f->commands[i].does);
	buf_str(s->out, s->f->ncommands ? ".</sub>\n" : "</sub>\n");
}

/* -- the whole ---------------------------------------------------------------------------------------------------------------------- */

static int
rank(const struct planned_row *row)
{
	if (row->kind != PLANNED_UNIT)
		return row->before ? 6 : row->kind == PLANNED_INVALID ? 1 : 2;
	if (row->plan.data)
		return 0;
	if (row->plan.refused || row->plan.action == ACTION_DELETE)
		return 3;
	return row->plan.restarts || row->plan.recreates ? 4 : 5;
}

/* By rank, else as planned: what is cut is what matters least. */
static const size_t *
order_rows(struct arena *mem, const struct planned *p)
{
	size_t *order = arena_array(mem, p->n + 1, sizeof(*order)), n = 0;

	for (int r = 0; r <= 6; r++)
		for (size_t i = 0; i < p->n; i++)
			if (rank(&p->rows[i]) == r)
				order[n++] = i;
	return order;
}

void
comment_plan(const struct planned *p, const struct comment_facts *f, struct buf *out)
{
	struct arena *AUTO_ARENA mem = arena_new(SCRATCH_MAX), *AUTO_ARENA kept = arena_new(SCRATCH_MAX);
	struct buf text AUTO_BUF = BUF_INIT(0);
	struct sheet s = { .mem = mem, .p = p, .f = f, .out = &text, .max = comment_room(f) };

	s.order = order_rows(kept, p);
	summary(&s);
	warnings(&s);
	table(&s);
	others(&s);
	sums(&s);
	approvals(&s);
	after_merge(&s);
	details(&s);
	last_lines(&s);
	comment_seal(f, &text, out);
}
