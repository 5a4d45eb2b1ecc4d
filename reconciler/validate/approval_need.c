/* SPDX-License-Identifier: Apache-2.0 */
/* What one file of a change needs. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "validate/approval_priv.h"

#define NEED_ARENA ((size_t)64 << 20)
#define PATH_MAX_CHARS 1024

/* -- whose file it is ------------------------------------------------------------------------------------------------- */

/* No part of it is empty, "." or "..", and nothing in it cannot be seen: such a path is nobody's own. */
static bool
path_plain(const char *path)
{
	size_t n;

	if (strlen(path) > PATH_MAX_CHARS)
		return false;
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	for (const char *p = path;; p += n + 1) {
		n = strcspn(p, "/");
		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!p[n])
			return true;
	}
}

/* The owner whose folder in envs/ holds it, or NULL. */
static const char *
folder_owner(struct arena *mem, const char *path)
{
	const char *owner;

	if (!path_plain(path) || !str_starts(path, "envs/") || !strchr(path + strlen("envs/"), '/'))
		return NULL;
	owner = path_owner(mem, path);
	return owner && name_valid(owner) ? owner : NULL;
}

static bool
is_environment(struct arena *mem, const char *path)
{
	struct path_info p;

	path_classify(mem, path, &p);
	return p.class == PATH_DOC && p.kind == KIND_ENV;
}

/* -- how large it is ---------------------------------------------------------------------------------------------------- */

static bool
test_holds(const struct size_test *t, const int64_t sizes[SIZE_COUNT])
{
	int64_t n = sizes[t->size];

	return t->op == COMPARE_GT   ? n > t->milli
	       : t->op == COMPARE_GE ? n >= t->milli
	       : t->op == COMPARE_LT ? n < t->milli
	       : t->op == COMPARE_LE ? n <= t->milli
	                             : n == t->milli;
}

static bool
rule_holds(const struct size_rule *rule, const int64_t sizes[SIZE_COUNT])
{
	for (size_t i = 0; i < rule->ntests; i++)
		if (!test_holds(&rule->tests[i], sizes))
			return false;
	return true;
}

static const char *
size_text(struct arena *mem, enum size size, int64_t n)
{
	if (size == SIZE_CPU)
		return arena_printf(mem, "%s cores", quantity_cpu_text(mem, n));
	if (size == SIZE_MEMORY)
		return arena_printf(mem, "%s of memory", quantity_bytes_text(mem, n / 1000));
	return arena_printf(mem, size == SIZE_GPU ? "%" PRId64 " GPUs" : "%" PRId64 " processes", n / 1000);
}

static const char *
rule_text(struct arena *mem, const struct size_rule *rule, const int64_t sizes[SIZE_COUNT])
{
	const char *text = "asks for ";

	for (size_t i = 0; i < rule->ntests; i++)
		text = arena_printf(mem, "%s%s%s", text, i ? ", " : "", size_text(mem, rule->tests[i].size, sizes[rule->tests[i].size]));
	return arena_printf(mem, "%s (berth.yaml:%u)", text, rule->line);
}

/* `sizes` NULL: not known, and then every rule could be the one. */
static void
apply_rules(const struct approval_rules *r, struct arena *mem, const int64_t *sizes, struct approval_part *out)
{
	for (size_t i = 0; i < r->nrules; i++) {
		const struct size_rule *rule = &r->rules[i];

		if (rule->required <= out->required || (sizes && !rule_holds(rule, sizes)))
			continue;
		out->required = rule->required;
		out->why = sizes ? rule_text(mem, rule, sizes)
		                 : arena_printf(mem, "how large it is cannot be told: it has errors, or refers to what is not approved yet (berth.yaml:%u)", rule->line);
	}
}

/* -- what it is ------------------------------------------------------------------------------------------------------- */

/* A team that has been named already, or none, adds nothing. */
static void
add_team(struct arena *mem, struct approval_part *out, const char *team)
{
	const char **teams;

	if (!team || (out->nteams && str_eq(out->teams[0], team)))
		return;
	teams = arena_array(mem, out->nteams + 1, sizeof(*teams));
	for (size_t i = 0; i < out->nteams; i++)
		teams[i] = out->teams[i];
	teams[out->nteams++] = arena_strdup(mem, team);
	out->teams = teams;
}

static int
need_environment(const struct approval_rules *r, struct arena *mem, const struct approval_change *c, struct approval_part *out,
                 struct err *e)
{
	struct arena *AUTO_ARENA own = arena_new(NEED_ARENA);
	struct trusted_version was = { 0 }, is = { 0 };
	int64_t sizes[SIZE_COUNT];
	int rc;

	if (c->old_bytes && (rc = trusted_env(r->trusted, own, c->path, c->old_bytes, c->old_len, &was, e)) < 0)
		return rc;
	if (c->new_bytes && (rc = trusted_env(r->trusted, own, c->path, c->new_bytes, c->new_len, &is, e)) < 0)
		return rc;
	add_team(mem, out, was.team);
	add_team(mem, out, is.team);
	if (!c->new_bytes)
		return 0;
	if (is.env)
		trusted_sizes(is.env, sizes);
	apply_rules(r, mem, is.env ? sizes : NULL, out);
	if (narrows(own, &was, &is))
		out->class_ = APPROVAL_OWNER;
	return 0;
}

/* Scripts and sealed files belong to no environment in particular. */
static int
need_other(const struct approval_rules *r, struct arena *mem, struct approval_part *out, struct err *e)
{
	const char *team;
	int rc = trusted_only_team(r->trusted, out->owner, &team, e);

	if (rc == 0)
		add_team(mem, out, team);
	return rc;
}

int
approval_need(const struct approval_rules *r, struct arena *mem, const struct approval_change *c, struct approval_part *out,
              struct err *e)
{
	struct approval_part p = { .path = arena_strdup(mem, c->path), .owner = folder_owner(mem, c->path) };
	int rc;

	if (!p.owner) {
		p.class_ = APPROVAL_SHARED;
		p.required = r->nadmins == 1 ? 1 : 2;
		*out = p;
		return 0;
	}
	trusted_begin(r->trusted);
	/* what goes away takes nothing from anybody else; a link has no bytes either, and is never followed */
	p.class_ = c->old_bytes && !c->new_bytes ? APPROVAL_OWNER : APPROVAL_ENVIRONMENT;
	p.required = r->required;
	rc = is_environment(mem, c->path) ? need_environment(r, mem, c, &p, e) : need_other(r, mem, &p, e);
	if (rc < 0)
		return err_wrap(e, "%s", c->path);
	*out = p;
	return 0;
}
