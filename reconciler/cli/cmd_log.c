/* SPDX-License-Identifier: Apache-2.0 */
/* berth log: transitions and approved changes, newest first, from the commits of the status branch. */
#include <stdio.h>
#include <string.h>

#include "cli/branch.h"
#include "cli/tree.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/doc/value.h"
#include "repo/approval_record.h"
#include "repo/source.h"

struct entry {
	const char *env, *change; /* "alice/train", "Held..Rendered" */
	size_t env_len;
};

/* "Berth-Env: alice/train Held..Rendered" */
static bool
env_line(const char *line, struct entry *out)
{
	static const char key[] = "Berth-Env: ";

	if (!str_starts(line, key))
		return false;
	out->env = line + sizeof(key) - 1;
	out->env_len = strcspn(out->env, " \n");
	out->change = out->env + out->env_len + (out->env[out->env_len] == ' ');
	return true;
}

static bool
wanted(const struct args *a, const struct entry *x)
{
	for (size_t i = 0; i < a->npos; i++)
		if (strlen(a->pos[i]) == x->env_len && strncmp(a->pos[i], x->env, x->env_len) == 0)
			return true;
	return !a->npos;
}

static void
print_entry(struct arena *mem, struct value *list, const struct git_commit_info *c, const struct entry *x, const char *spec)
{
	char when[RFC3339_LEN], hex[OID_HEX];
	struct value *v = value_map(mem);

	clock_rfc3339(c->time, when);
	oid_hex(&c->id, hex);
	if (!list) {
		(void)printf("%s  %-30.*s %-22.*s spec %.7s  status %.7s\n", when, (int)x->env_len, x->env,
		             (int)strcspn(x->change, "\n"), x->change, spec ? spec : "-", hex);
		return;
	}
	value_set(mem, v, "time", value_str(mem, when));
	value_set(mem, v, "environment", value_strn(mem, x->env, x->env_len));
	value_set(mem, v, "change", value_strn(mem, x->change, strcspn(x->change, "\n")));
	if (spec)
		value_set(mem, v, "specCommit", value_str(mem, spec));
	value_set(mem, v, "statusCommit", value_str(mem, hex));
	value_push(mem, list, v);
}

static size_t
print_commit(const struct args *a, struct arena *mem, struct value *list, const struct git_commit_info *c, size_t most)
{
	const char *spec = git_trailer(mem, c->message, "Berth-Spec-Commit");
	struct entry x;
	size_t n = 0;

	for (const char *s = c->message; *s && n < most; s += strcspn(s, "\n"), s += *s == '\n')
		if (env_line(s, &x) && wanted(a, &x)) {
			print_entry(list ? a->mem : mem, list, c, &x, spec);
			n++;
		}
	return n;
}

/* -- approved changes ----------------------------------------------------------------------------------------------------------------- */

struct found {
	struct arena *mem;
	struct git_repo *git;
	struct approval_record *items;
	size_t n, cap;
};

/* A record that this commit brought. */
static int
found_record(void *ctx, const struct git_change *c, struct err *e)
{
	struct found *f = ctx;
	const char *bytes;
	size_t len;

	(void)e;
	if (c->old_id || !c->new_id || git_blob_read(f->git, c->new_id, RECORD_MAX, f->mem, &bytes, &len, NULL) < 0)
		return 0;
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 8;
		f->items = arena_regrow(f->mem, f->items, f->n, f->cap, sizeof(*f->items));
	}
	f->n += record_read(bytes, len, f->mem, &f->items[f->n], NULL) == 0;
	return 0;
}

static int
find_records(struct git_repo *g, const struct git_commit_info *c, struct arena *mem, struct found *out, struct err *e)
{
	struct git_commit_info parent;
	struct oid now, before;
	bool had = false;
	int rc;

	*out = (struct found){ .mem = mem, .git = g };
	if (git_tree_find(g, &c->tree, RECORD_FOLDER, &now, NULL, NULL) < 0)
		return 0;
	if (c->nparents) {
		if ((rc = git_commit_read(g, &c->parents[0], mem, &parent, e)) < 0)
			return rc;
		had = git_tree_find(g, &parent.tree, RECORD_FOLDER, &before, NULL, NULL) == 0;
	}
	return had && oid_eq(&now, &before) ? 0 : git_tree_diff(g, had ? &before : NULL, &now, 0, found_record, out, e);
}

/* The environments whose files it changed, each once: "alice/train"; what else it changed is named by its path. */
static const char *
names_of(struct arena *mem, const struct approval_record *r)
{
	const char *text = NULL;

	for (size_t i = 0; i < r->npaths && i < 3; i++) {
		const char *p = r->paths[i];

		if (str_starts(p, "envs/") && str_ends(p, ".yaml"))
			p = arena_strndup(mem, p + 5, strlen(p) - 10);
		text = text ? arena_printf(mem, "%s, %s", text, p) : p;
	}
	return r->npaths > 3 ? arena_printf(mem, "%s and %zu more", text, r->npaths - 3) : text ? text : "-";
}

/* Of one of the environments asked for: its file, or what lies below its name. */
static bool
record_wanted(const struct args *a, const struct approval_record *r)
{
	for (size_t i = 0; i < a->npos; i++)
		for (size_t k = 0; k < r->npaths; k++) {
			const char *p = r->paths[k];
			size_t n = strlen(a->pos[i]);

			if (str_starts(p, "envs/") && strncmp(p + 5, a->pos[i], n) == 0 && (str_eq(p + 5 + n, ".yaml") || p[5 + n] == '/'))
				return true;
		}
	return !a->npos;
}

/* Whose work it was: of a merge that of the branch that came in, as a forge writes whoever pressed the button as the merge's author. */
static const char *
asked_by(struct arena *mem, struct git_repo *g, const struct oid *commit)
{
	struct git_commit_info c;

	if (git_commit_read(g, commit, mem, &c, NULL) < 0 || (c.nparents == 2 && git_commit_read(g, &c.parents[1], mem, &c, NULL) < 0))
		return NULL;
	return str_line(mem, c.author);
}

static void
print_record(struct arena *mem, struct value *list, struct git_repo *g, const struct git_commit_info *c, const struct approval_record *r)
{
	char when[RFC3339_LEN], hex[OID_HEX], change[OID_HEX];
	const char *author = asked_by(mem, g, &r->commit);
	struct value *v = value_map(mem);

	clock_rfc3339(r->seen, when);
	oid_hex(&c->id, hex);
	oid_hex(&r->commit, change);
	if (!list) {
		(void)printf("%s  %-30s Approved by %s, asked by %s, change %.7s, status %.7s%s%s\n", when, names_of(mem, r), str_join(mem, r->by, r->nby, "nobody"),
		             author ? author : "-", change, hex, r->emergency ? ", emergency: " : "", r->emergency ? r->emergency : "");
		return;
	}
	value_set(mem, v, "time", value_str(mem, arena_strdup(mem, when)));
	value_set(mem, v, "change", value_str(mem, "Approved"));
	value_set(mem, v, "approvedBy", value_strs(mem, r->by, r->nby));
	if (author)
		value_set(mem, v, "askedBy", value_str(mem, arena_strdup(mem, author)));
	value_set(mem, v, "paths", value_strs(mem, r->paths, r->npaths));
	value_set(mem, v, "specCommit", value_str(mem, arena_strdup(mem, change)));
	value_set(mem, v, "changeSet", value_str(mem, arena_strdup(mem, r->changes)));
	if (r->emergency)
		value_set(mem, v, "emergency", value_str(mem, arena_strdup(mem, r->emergency)));
	value_set(mem, v, "statusCommit", value_str(mem, arena_strdup(mem, hex)));
	value_push(mem, list, v);
}

static int
print_records(const struct args *a, const struct branch *b, struct arena *mem, struct value *list, const struct git_commit_info *c, int64_t most,
              int64_t *shown, struct err *e)
{
	struct found f;
	int rc = find_records(b->git, c, mem, &f, e);

	for (size_t i = 0; rc == 0 && i < f.n && *shown < most; i++)
		if (record_wanted(a, &f.items[i])) {
			print_record(list ? a->mem : mem, list, b->git, c, &f.items[i]);
			++*shown;
		}
	return rc;
}

static int
walk(const struct args *a, const struct branch *b, struct value *list, int64_t most, struct err *e)
{
	struct oid at = b->tip;
	int64_t shown = 0;

	while (shown < most) {
		struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
		struct git_commit_info c;
		int rc = git_commit_read(b->git, &at, mem, &c, e);

		if (rc < 0)
			return rc;
		shown += (int64_t)print_commit(a, mem, list, &c, (size_t)(most - shown));
		if (shown < most && (rc = print_records(a, b, mem, list, &c, most, &shown, e)) < 0)
			return rc;
		if (!c.nparents)
			break;
		at = c.parents[0];
	}
	if (!shown && a->npos)
		(void)fprintf(stderr, "berth: nothing happened to %s%s yet; `berth status` lists what there is\n", a->pos[0],
		              a->npos > 1 ? " and the others" : "");
	return 0;
}

static int
run(const struct args *a, struct err *e)
{
	const char *n = args_str(a, "n", "100");
	struct value *list = NULL;
	struct branch b;
	enum output o;
	int64_t most;
	int rc;

	if (str_to_i64(n, &most) < 0 || most < 1)
		return err_set(e, ERR_USAGE, "-n %s: write a number", n);
	if ((rc = args_output(a, &o, e)) < 0)
		return rc;
	for (size_t i = 0; i < a->npos; i++)
		if ((rc = env_of_arg(a->mem, a->pos[i], &a->pos[i], e)) < 0)
			return rc;
	if ((rc = branch_open(a, BRANCH_STATUS, &b, e)) < 0)
		return rc;
	if (!b.exists) {
		(void)err_set(e, ERR_NOTFOUND, "there is no branch " BRANCH_STATUS " yet");
		return err_hint(e, "it appears when `berth run` has made its first pass over this repository");
	}
	if (o != OUTPUT_TABLE)
		list = value_list(a->mem);
	if ((rc = walk(a, &b, list, most, e)) < 0)
		return rc;
	if (list)
		output_value(list, o);
	return EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository or a clone of it (default: here)" },
	{ "n", "NUMBER", "at most so many transitions (default: 100)" },
	{ "offline", NULL, "do not ask the origin" },
	{ "token-file", "FILE", "HTTP: a file whose first line is the token or password" },
	{ "o", "table|json|yaml", "how to print it" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_log = {
	.name = "log", .args = "[OWNER/NAME…]", .summary = "the history of environments and of approvals, newest first",
	.examples = "berth log -C envs\nberth log -C envs alice/train -n 5\n",
	.details = "Every line is a transition on the branch berth/status, or a change that was approved: by whom, who wrote the commit,\n"
	           "when berth took it up. `git log origin/berth/status` shows the same with trailers (Berth-Approved-By).",
	.opts = opts, .max = 1000, .run = run,
};
