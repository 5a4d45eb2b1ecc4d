/* SPDX-License-Identifier: Apache-2.0 */
/* berth plan: what the working tree (or a commit) would change, desired against desired. */
#include <stdio.h>
#include <string.h>

#include "cli/planned_line.h"
#include "cli/tree.h"
#include "lib/git/clone.h"
#include "preview.h"
#include "preview_need.h"
#include "status/comment.h"
#include "status/status.h"

#define PLAN_MAX ((size_t)1 << 30)

static const char *
mark_of(const struct unit_plan *p)
{
	static const char *const marks[] = { "+", "~", "!", "-" };

	return marks[p->action];
}

/* Without the key nobody can tell a new value from the same one sealed anew; the daemon can. */
static void
sealed_line(struct buf *out, const struct object_change *c, bool restarts)
{
	const char *name = strstr(c->id, "--secret-");

	if (!c->sealed)
		return;
	buf_printf(out, "                the secret %s is another", name ? name + strlen("--secret-") : "host key");
	if (name)
		buf_printf(out, " (%s)%s", c->sealed, restarts && c->rolls ? ": restarts the pods, unless it is the same value sealed anew" : "");
	buf_char(out, '\n');
}

static void
object_line(struct buf *out, const struct object_change *c)
{
	buf_printf(out, "      %-9s %s", action_name(c->action), c->id);
	for (size_t i = 0; i < c->nfields && i < 4; i++)
		buf_printf(out, "%s %s", i ? "," : ":", c->fields[i]);
	if (c->nfields > 4)
		buf_printf(out, " and %zu more", c->nfields - 4);
	if (c->restarts)
		buf_str(out, "  RESTARTS the pods");
	if (c->pauses)
		buf_str(out, "  PAUSES it");
	if (c->resumes)
		buf_str(out, "  resumes it");
	if (c->data)
		buf_str(out, "  DATA AT STAKE");
	if (c->action == ACTION_REFUSED)
		buf_str(out, "  NOT DONE: a volume that exists cannot change so; put the old value back, or make a new environment");
	if (c->kept)
		buf_str(out, "  (stays in the cluster)");
	buf_char(out, '\n');
}

static void
unit_lines(struct buf *out, const struct planned_row *row)
{
	const struct unit_plan *u = &row->plan;

	buf_printf(out, "  %s %-28s %s%s%s%s\n", mark_of(u), row->unit, action_name(u->action), u->restarts ? ", restarts" : "",
	           u->data ? ", data at stake" : "", u->refused ? ", refused in part" : "");
	for (size_t i = 0; i < u->n; i++) {
		object_line(out, &u->objects[i]);
		sealed_line(out, &u->objects[i], u->restarts);
	}
	if (!row->nlater)
		return;
	buf_printf(out, "      not rendered by this version:");
	for (size_t i = 0; i < row->nlater; i++)
		buf_printf(out, "%s %s", i ? "," : "", row->later[i]);
	buf_char(out, '\n');
}

static void
row_lines(struct buf *out, const struct planned_row *row)
{
	if (row->kind == PLANNED_UNIT)
		unit_lines(out, row);
	else if (row->kind == PLANNED_WAITS)
		buf_printf(out, "  . %-28s waits\n      %s: %s\n", row->unit, pending_name(PENDING_QUOTA), row->why);
	else if (row->why)
		buf_printf(out, "  x envs/%s/%-*s not applied\n      %s\n", row->owner, (int)(23 - strlen(row->owner) % 23), row->name, row->why);
}

static struct value *
row_value(struct arena *mem, const struct planned_row *row)
{
	struct value *v;

	if (row->kind == PLANNED_UNIT)
		return plan_value(mem, &row->plan);
	v = value_map(mem);
	value_set(mem, v, "unit", value_str(mem, row->unit));
	value_set(mem, v, "action", value_str(mem, row->kind == PLANNED_WAITS ? "waits" : "invalid"));
	if (row->kind == PLANNED_WAITS)
		value_set(mem, v, "reason", value_str(mem, pending_name(PENDING_QUOTA)));
	value_set(mem, v, row->kind == PLANNED_WAITS ? "message" : "finding", value_str(mem, row->why));
	return v;
}

static void
print_values(struct arena *mem, const struct planned *p, enum output form)
{
	struct value *list = value_list(mem);

	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].kind != PLANNED_INVALID || p->rows[i].why)
			value_push(mem, list, row_value(mem, &p->rows[i]));
	output_value(list, form);
}

/* The guard that a merge would meet: read from the base, like the daemon does. */
static void
note_guard(const struct planned *p)
{
	if (p->env_deletes > p->allowed)
		(void)printf("The guard holds these deletions: %zu of %zu environments at once, %zu are allowed. A commit on the branch that berth\n"
		             "watches releases them when its message ends in \"Berth-Allow-Delete: %zu\".\n", p->env_deletes, p->envs,
		             p->allowed, p->env_deletes);
}

static void
print_text(const struct planned *p, const char *base, const char *head)
{
	struct buf text AUTO_BUF = BUF_INIT(PLAN_MAX), line AUTO_BUF = BUF_INIT(0);

	for (size_t i = 0; i < p->n; i++)
		row_lines(&text, &p->rows[i]);
	(void)printf("Plan %s -> %s (what the files ask for; no cluster was read)\n%s", base, head, buf_cstr(&text));
	planned_line(p, &line);
	(void)printf("%s\n", buf_cstr(&line));
	if (p->compared)
		note_guard(p);
}

/* -- the trees ------------------------------------------------------------------------------------------------------------- */

static void
close_git(void *g)
{
	git_close(g);
}

/* The base: --base, else the merge base with origin/main, else HEAD; none of them in a repository without commits. */
static int
base_files(const struct args *a, struct files *out, const char **commit, struct err *e)
{
	const char *dir = args_str(a, "C", "."), *base = args_str(a, "base", NULL), *head = args_str(a, "commit", "HEAD");
	struct git_repo *g;
	char hex[OID_HEX];
	struct oid id;
	int rc;

	if (!base) {
		if (git_open(dir, &g, e) < 0)
			return 0;
		rc = git_fork_point(g, head, "refs/remotes/origin/main", &id, e);
		git_close(g);
		base = "HEAD";
		if (rc == 0) {
			oid_hex(&id, hex);
			base = arena_strdup(a->mem, hex);
		}
		if (rc < 0 && (rc = tree_from_rev(dir, base, a->mem, out, &id, e)) == ERR_NOTFOUND)
			return 0;
	}
	if ((rc = tree_from_rev(dir, base, a->mem, out, &id, e)) < 0)
		return rc;
	oid_hex(&id, hex);
	*commit = arena_strdup(a->mem, hex);
	return 1;
}

/* The status branch as this repository has it: a clone's copy of the origin's, else its own. No network; false: there is none. */
static bool
status_files(const struct args *a, struct files *out)
{
	static const char *const refs[] = { "refs/remotes/origin/berth/status", "refs/heads/berth/status" };
	struct git_commit_info c;
	struct git_repo *g;
	struct oid id;

	if (git_open(args_str(a, "C", "."), &g, NULL) < 0)
		return false;
	arena_defer(a->mem, close_git, g);
	for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++)
		if (git_ref_read(g, refs[i], &id, NULL) == 0 && git_commit_read(g, &id, a->mem, &c, NULL) == 0)
			return git_files(g, &c.tree, a->mem, out, NULL) == 0;
	return false;
}

enum form { FORM_TABLE, FORM_JSON, FORM_YAML, FORM_MARKDOWN };

static int
form_of(const struct args *a, enum form *out, struct err *e)
{
	static const char *const names[] = { "table", "json", "yaml", "markdown" };
	const char *s = args_str(a, "o", "table");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(s, names[i]) == 0) {
			*out = (enum form)i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "-o %s: write table, json, yaml or markdown", s);
}

struct trees {
	struct files head, base, status;
	const char *head_label;
	const char *base_commit; /* NULL: there is no base */
};

/* Commits: where the head left the base's branch, and the head. */
static int
ask_need(const struct args *a, struct git_repo *g, const struct trees *t, const struct oid *head, struct comment_facts *f, struct err *e)
{
	struct git_commit_info base;
	struct preview_need need;
	struct oid id, fork;
	struct judge *j;
	char hex[OID_HEX];
	int rc;

	if ((rc = oid_parse(t->base_commit, &id)) < 0 || (rc = git_commit_read(g, &id, a->mem, &base, e)) < 0 ||
	    (rc = git_fork_point(g, f->head, t->base_commit, &fork, e)) < 0)
		return rc;
	oid_hex(&fork, hex);
	f->fork = arena_strdup(a->mem, hex);
	j = judge_new(g);
	rc = preview_need(j, g, &fork, head, &base.tree, a->mem, &need, e);
	judge_free(j);
	if (rc < 0)
		return rc;
	f->unknown = false;
	f->mode = need.mode;
	f->missing = need.missing;
	return 0;
}

/* Who has to approve, of a commit: berth approves nothing else. What cannot be told is no reason to show no plan. */
static void
find_need(const struct args *a, const struct trees *t, struct comment_facts *f)
{
	const char *commit = args_str(a, "commit", NULL);
	struct err e = { 0 };
	struct git_repo *g;
	struct oid head;
	char hex[OID_HEX];

	if (!commit || git_open(args_str(a, "C", "."), &g, NULL) < 0)
		return;
	arena_defer(a->mem, close_git, g);
	if (git_rev_parse(g, commit, &head, NULL) < 0)
		return;
	oid_hex(&head, hex);
	f->head = arena_strdup(a->mem, hex);
	if (t->base_commit && ask_need(a, g, t, &head, f, &e) < 0)
		(void)fprintf(stderr, "berth: who has to approve it is not known: %s\n", e.text);
}

/* As the comment of a pull request has it. */
static void
print_markdown(const struct args *a, const struct planned *p, const struct trees *t)
{
	struct buf out AUTO_BUF = BUF_INIT(PLAN_MAX);
	struct comment_facts f = { .base = t->base_commit, .unknown = true, .full = "berth plan" };

	find_need(a, t, &f);
	if (f.base)
		f.full = arena_printf(a->mem, "berth plan --base %.12s%s%.12s", f.base, f.head ? " --commit " : "", f.head ? f.head : "");
	comment_plan(p, &f, &out);
	(void)fputs(buf_cstr(&out), stdout);
}

static int
make_plan(const struct args *a, struct trees *t, struct planned *out, struct err *e)
{
	struct preview_ask ask = { 0 };
	int rc, has_base;

	if ((rc = tree_of_args(a, &t->head, &t->head_label, e)) < 0 || (has_base = rc = base_files(a, &t->base, &t->base_commit, e)) < 0 ||
	    (rc = sides_new(&ask.sides, e)) < 0)
		return rc;
	ask.status = has_base && status_files(a, &t->status) ? &t->status : NULL;
	rc = sides_take(ask.sides, has_base ? &t->base : NULL, &t->head, e);
	if (rc == 0)
		rc = preview_make(&ask, a->mem, out, e);
	sides_free(ask.sides);
	return rc;
}

static int
run(const struct args *a, struct err *e)
{
	struct trees t = { 0 };
	struct planned p;
	enum form form = FORM_TABLE;
	int rc;

	if ((rc = form_of(a, &form, e)) < 0 || (rc = make_plan(a, &t, &p, e)) < 0)
		return rc;
	if (form == FORM_TABLE)
		print_text(&p, t.base_commit ? arena_printf(a->mem, "%.7s", t.base_commit) : "nothing", t.head_label);
	else if (form == FORM_MARKDOWN)
		print_markdown(a, &p, &t);
	else
		print_values(a->mem, &p, form == FORM_YAML ? OUTPUT_YAML : OUTPUT_JSON);
	if (p.invalid)
		return EXIT_FINDINGS;
	return args_flag(a, "exit-code") && p.count[ACTION_CREATE] + p.count[ACTION_CHANGE] + p.count[ACTION_DELETE] ? EXIT_FINDINGS : EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository (default: here)" },
	{ "commit", "REV", "plan a commit instead of the working tree" },
	{ "base", "REV", "compare with (default: where origin/main and HEAD part, else HEAD)" },
	{ "exit-code", NULL, "exit 1 when something would change" },
	{ "o", "table|json|yaml|markdown", "how to print the plan; markdown: as the comment of a pull request" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_plan = {
	.name = "plan", .args = "", .summary = "show what would be created, changed, restarted, recreated and deleted",
	.examples = "berth plan                          the working tree against origin/main\n"
	            "berth plan --base HEAD~1 --commit HEAD\n"
	            "berth plan --exit-code && echo nothing to do\n"
	            "berth plan -o markdown >>\"$GITHUB_STEP_SUMMARY\"   in a check of a pull request\n",
	.details = "Reads no network and no cluster. Who would wait for room in a limit of a user or team (QuotaExceeded) is taken from the status\n"
	           "branch as it was fetched last; without one everything on the base counts as live. As markdown it is at most 60,000 bytes. Exit 1 when a spec is not valid (it would be left as it is).",
	.opts = opts, .run = run,
};
