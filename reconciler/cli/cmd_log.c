/* SPDX-License-Identifier: Apache-2.0 */
/* berth log: the transitions, newest first, from the commits of the status branch. */
#include <stdio.h>
#include <string.h>

#include "cli/branch.h"
#include "cli/tree.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/doc/value.h"
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
	.name = "log", .args = "[OWNER/NAME…]", .summary = "the history of environments, newest first",
	.examples = "berth log -C envs\nberth log -C envs alice/train -n 5\n",
	.details = "Every line is a transition on the branch berth/status; `git log origin/berth/status` shows\n"
	           "the same with trailers.",
	.opts = opts, .max = 1000, .run = run,
};
