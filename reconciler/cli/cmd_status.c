/* SPDX-License-Identifier: Apache-2.0 */
/* berth status: what the status branch says. */
#include <stdio.h>
#include <string.h>

#include "cli/branch.h"
#include "cli/tree.h"
#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "repo/source.h"
#include "status/status.h"

struct list {
	const struct args *a;
	struct branch *b;
	struct value *docs, *repo;
	const char *const *want;
	size_t nwant;
};

static bool
wanted(const struct list *l, const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < l->nwant; i++)
		if (n == strlen(l->want[i]) + 10 && strncmp(path + 5, l->want[i], n - 10) == 0)
			return true;
	return !l->nwant;
}

static int
visit(void *ctx, const struct git_change *c, struct err *e)
{
	struct list *l = ctx;
	bool repo = str_eq(c->path, "repo.yaml");
	const char *bytes, *path = arena_strdup(l->a->mem, c->path);
	struct report r;
	struct value *v;
	size_t len;
	int rc;

	if (!repo && !(str_starts(path, "envs/") && str_ends(path, ".yaml") && wanted(l, path)))
		return 0;
	report_init(&r, l->a->mem);
	if ((rc = git_blob_read(l->b->git, c->new_id, FILE_DOC_MAX, l->a->mem, &bytes, &len, e)) < 0)
		return rc;
	if (yaml_read(l->a->mem, path, bytes, len, NULL, &r, &v) < 0) {
		(void)fprintf(stderr, "berth: %s on the status branch cannot be read; the daemon will write it anew\n", path);
		return 0;
	}
	if (repo)
		l->repo = v;
	else
		value_push(l->a->mem, l->docs, v);
	return 0;
}

static void
print_one(const struct value *v)
{
	const struct value *list = value_get(v, "conditions"), *p = value_get(v, "pending");

	(void)printf("%s/%s   %s", value_as_str(value_at(v, "metadata.owner"), "?"), value_as_str(value_at(v, "metadata.name"), "?"),
	             value_as_str(value_get(v, "phase"), "?"));
	if (value_get(v, "observed"))
		(void)printf("   spec %.7s", value_as_str(value_at(v, "observed.commit"), "?"));
	(void)printf("\n");
	if (p) {
		(void)printf("  waiting since %s: %s, commit %.7s\n", value_as_str(value_get(p, "since"), "?"),
		             value_as_str(value_get(p, "reason"), "?"), value_as_str(value_get(p, "commit"), "?"));
		for (size_t i = 0; i < value_len(value_get(p, "findings")); i++)
			(void)printf("    %s\n", value_as_str(value_item(value_get(p, "findings"), i), ""));
		if (!value_get(p, "findings"))
			(void)printf("    %s\n", value_as_str(value_get(p, "message"), ""));
	}
	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *c = value_item(list, i);

		(void)printf("  %s=%s  %s  %s\n", value_as_str(value_get(c, "type"), "?"), value_as_str(value_get(c, "status"), "?"),
		             value_as_str(value_get(c, "reason"), ""), value_as_str(value_get(c, "message"), ""));
	}
	if (value_at(v, "access.ssh"))
		(void)printf("  ssh %s\n", value_as_str(value_at(v, "access.ssh"), ""));
	for (size_t i = 0; i < value_len(value_get(v, "inventory")); i++)
		(void)printf("  %s\n", value_as_str(value_item(value_get(v, "inventory"), i), ""));
}

static void
print_table(const struct list *l)
{
	const char *reason = value_as_str(value_get(l->repo, "reason"), "");
	size_t n = value_len(l->docs);

	if (*reason && !str_eq(reason, "Adopted"))
		(void)printf("%s: %s\n", reason, value_as_str(value_get(l->repo, "message"), ""));
	if (str_eq(value_as_str(value_get(l->repo, "approvals"), NULL), "none"))
		(void)fprintf(stderr, "approvals are not enforced (berth.yaml: approvals.mode none)\n");
	(void)printf("%-34s %-10s %-8s %s\n", "ENVIRONMENT", "PHASE", "COMMIT", "WAITING");
	for (size_t i = 0; i < n; i++) {
		struct status_row r;
		char name[80];

		status_row_of(value_item(l->docs, i), &r);
		(void)snprintf(name, sizeof(name), "%s/%s", r.owner, r.name);
		(void)printf("%-34s %-10s %-8.7s %s%s%s\n", name, phase_name(r.phase), *r.commit ? r.commit : "-", r.reason,
		             *r.reason ? ": " : "", r.message);
	}
}

static void
print_data(const struct list *l, enum output o)
{
	struct value *v = value_map(l->a->mem);

	if (l->repo)
		value_set(l->a->mem, v, "repository", l->repo);
	value_set(l->a->mem, v, "environments", l->docs);
	output_value(v, o);
}

static int
run(const struct args *a, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)2 << 30);
	struct args own = *a;
	struct list l = { .a = &own, .want = a->pos, .nwant = a->npos };
	struct branch b;
	enum output o;
	int rc;

	own.mem = mem; /* ten thousand status files are more than the program's own arena may hold */
	l.docs = value_list(mem);
	if ((rc = args_output(a, &o, e)) < 0)
		return rc;
	for (size_t i = 0; i < a->npos; i++)
		if ((rc = env_of_arg(mem, a->pos[i], &a->pos[i], e)) < 0)
			return rc;
	if ((rc = branch_open(&own, BRANCH_STATUS, &b, e)) < 0)
		return rc;
	if (!b.exists) {
		(void)err_set(e, ERR_NOTFOUND, "there is no branch " BRANCH_STATUS " yet");
		return err_hint(e, "it appears when `berth run` has made its first pass over this repository");
	}
	l.b = &b;
	if ((rc = git_tree_diff(b.git, NULL, &b.tree, 0, visit, &l, e)) < 0)
		return rc;
	if (a->npos && value_len(l.docs) < a->npos) {
		(void)err_set(e, ERR_NOTFOUND, "the status branch has no %s", a->pos[0]);
		return err_hint(e, "`berth status` lists what there is; a spec must be on the branch that berth watches");
	}
	if (o != OUTPUT_TABLE)
		print_data(&l, o);
	else if (a->npos)
		for (size_t i = 0; i < value_len(l.docs); i++)
			print_one(value_item(l.docs, i));
	else
		print_table(&l);
	return EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository or a clone of it (default: here)" },
	{ "offline", NULL, "do not ask the origin" },
	{ "token-file", "FILE", "HTTP: a file whose first line is the token or password" },
	{ "o", "table|json|yaml", "how to print it" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_status = {
	.name = "status", .args = "[OWNER/NAME…]", .summary = "what berth says of each environment",
	.examples = "berth status -C envs                 all of them\n"
	            "berth status -C envs alice/train     one, with conditions and objects\n"
	            "berth status -o json | jq '.environments[] | select(.pending)'\n",
	.details = "Shows the branch berth/status and nothing else. In a clone the origin is asked first, for at most 5 seconds.",
	.opts = opts, .max = 1000, .run = run,
};
