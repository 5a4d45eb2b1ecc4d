/* SPDX-License-Identifier: Apache-2.0 */
/* The two commits of a range. */
#include "cli/validate_changed.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/git/clone.h"

struct range {
	struct arena *mem;
	struct changed_ask ask;
};

static bool
is_zeros(const char *s)
{
	return strlen(s) == OID_HEX - 1 && strspn(s, "0") == OID_HEX - 1;
}

static int
find_commit(struct range *c, const char *rev, struct oid *id, struct oid *tree, struct err *e)
{
	struct git_commit_info info;
	int rc;

	if ((rc = git_rev_parse(c->ask.git, rev, id, e)) == ERR_NOTFOUND)
		return err_hint(e, "is the whole history here? `git fetch --unshallow`, or fetch-depth: 0 in a forge's job");
	if (rc < 0 || (rc = git_commit_read(c->ask.git, id, c->mem, &info, e)) < 0)
		return rc;
	*tree = info.tree;
	return 0;
}

static int
find_range(struct range *c, const char *text, const char *rules, struct err *e)
{
	const char *dots = strstr(text, ".."), *base, *head;
	char hex[OID_HEX];
	bool parted;
	int rc;

	if (rules && (rc = find_commit(c, rules, &c->ask.rules, &c->ask.rules_tree, e)) < 0)
		return rc;
	c->ask.has_rules = rules != NULL;
	if (!dots || dots == text) {
		(void)err_set(e, ERR_USAGE, "--changed %s: write BASE..HEAD", text);
		return err_hint(e, "for example --changed origin/main...HEAD");
	}
	parted = dots[2] == '.';
	base = arena_strndup(c->mem, text, (size_t)(dots - text));
	head = dots[2 + parted] ? dots + 2 + parted : "HEAD";
	if ((rc = find_commit(c, head, &c->ask.head, &c->ask.head_tree, e)) < 0 || is_zeros(base))
		return rc;
	if ((rc = find_commit(c, base, &c->ask.base, &c->ask.base_tree, e)) < 0)
		return rc;
	c->ask.has_base = true;
	if (!parted)
		return 0;
	if ((rc = git_fork_point(c->ask.git, base, head, &c->ask.base, e)) < 0) {
		(void)err_wrap(e, "--changed %s", text);
		return err_hint(e, "write BASE..HEAD to compare two histories that share nothing");
	}
	oid_hex(&c->ask.base, hex);
	return find_commit(c, hex, &c->ask.base, &c->ask.base_tree, e);
}

static void
close_git(void *g)
{
	git_close(g);
}

static void
free_sides(void *s)
{
	sides_free(s);
}

int
validate_changed(const struct args *a, const char *range, struct report *r, struct changed *out, struct err *e)
{
	struct range c = { .mem = a->mem };
	int rc;

	if ((rc = git_open(args_str(a, "C", "."), &c.ask.git, e)) < 0)
		return rc;
	arena_defer(a->mem, close_git, c.ask.git);
	if ((rc = sides_new(&c.ask.sides, e)) < 0)
		return rc;
	arena_defer(a->mem, free_sides, c.ask.sides);
	rc = find_range(&c, range, args_str(a, "config-from", NULL), e);
	return rc < 0 ? rc : changed_findings(&c.ask, a->mem, r, out, e);
}
