/* SPDX-License-Identifier: Apache-2.0 */
/* The paths between two trees, and whose findings those paths can have changed. */
#include "changed.h"

#include <string.h>

#include "lib/base/map.h"
#include "lib/base/str.h"
#include "plan/guard.h"
#include "repo/guard.h"
#include "validate/totals.h"
#include "validate/validate.h"
#include "world.h"

#define OWNER_ARENA ((size_t)128 << 20)

struct range {
	const struct changed_ask *ask;
	struct arena *mem;
	struct files rules_files;
	struct world *was, *is, *by; /* was: NULL when nothing was there; by: of other rules than the base's, else NULL */
	struct map paths; /* that differ */
	bool everybody;   /* any environment may depend on something that differs */
	bool templates;   /* all of them do */
	size_t deleted, live, checked; /* environments gone, environments of BASE, documents looked at */
	struct totals *totals;
	struct report *r;
};

/* -- the paths ------------------------------------------------------------------------------------------------------- */

static bool
is_environment(struct arena *mem, const char *path)
{
	struct path_info info;

	path_classify(mem, path, &info);
	return info.class == PATH_DOC && info.kind == KIND_ENV;
}

/* Files at the root but berth.yaml, and dot folders: nothing refers to them. */
static bool
is_aside(const char *path)
{
	return path[0] == '.' || (!strchr(path, '/') && strcmp(path, "berth.yaml") != 0);
}

static int
one_path(void *ctx, const struct git_change *ch, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new(65536);
	struct range *c = ctx;

	(void)e;
	(void)map_put(&c->paths, ch->path, NULL);
	c->templates = c->templates || str_starts(ch->path, "templates/");
	if (strlen(ch->path) > 4096)
		return 0; /* no name that berth reads is that long */
	if (is_environment(mem, ch->path))
		c->deleted += !ch->new_id;
	else if (!is_aside(ch->path) && (!path_owner(mem, ch->path) || str_starts(ch->path, "users/")))
		c->everybody = true;
	return 0;
}

static size_t
count_environments(const struct files *f)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		n += is_environment(mem, f->entries[i].path);
		arena_reset(mem);
	}
	return n;
}

/* -- the rules ------------------------------------------------------------------------------------------------------- */

static void
place_all(struct value *v, const char *file)
{
	v->at.file = file;
	for (size_t i = 0; v->type == VALUE_MAP && i < v->map.n; i++) {
		v->map.items[i].at.file = file;
		place_all(v->map.items[i].value, file);
	}
	for (size_t i = 0; v->type == VALUE_LIST && i < v->list.n; i++)
		place_all(v->list.items[i], file);
}

/* Whose roles, guards and approvals count: NULL when there is no such berth.yaml. */
static const struct doc *
rules_doc(const struct range *c)
{
	const struct world *w = c->by ? c->by : c->was;

	return w ? world_site(w)->org : NULL;
}

/* A change to who may do what must not already count for the change itself: those parts stay as BASE, or who else was named, has them. */
static const char *
rules_of_base(struct range *c)
{
	static const char *const keys[] = { "roles", "guards", "approvals" };
	const struct doc *was = rules_doc(c), *is = world_site(c->is)->org;
	struct arena *mem = c->mem;
	struct doc *judge;
	struct value *spec;
	const char *file;
	char hex[OID_HEX];
	bool differs = false;

	if (!was || !was->ok || !is || !is->ok)
		return NULL;
	oid_hex(c->by ? &c->ask->rules : &c->ask->base, hex);
	hex[7] = '\0';
	file = arena_printf(mem, "%s:berth.yaml", hex);
	spec = value_copy(mem, is->spec);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct value *x = value_get(was->spec, keys[i]), *y = value_get(is->spec, keys[i]);
		struct value *copy;

		if ((!x && !y) || (x && y && value_equal(x, y)))
			continue;
		differs = true;
		(void)value_del(spec, keys[i]);
		if (!x)
			continue;
		copy = value_copy(mem, x);
		place_all(copy, file);
		value_set(mem, spec, keys[i], copy);
	}
	if (!differs)
		return NULL;
	judge = arena_alloc(mem, sizeof(*judge));
	*judge = *is;
	judge->root = value_copy(mem, is->root);
	value_set(mem, judge->root, "spec", spec);
	judge->spec = spec;
	world_judge_by(c->is, judge);
	return arena_strdup(mem, hex);
}

/* The merge may still carry the trailer that releases deletions, so this only warns. */
static int
check_guard(struct range *c, struct err *e)
{
	const struct doc *org = rules_doc(c);
	struct place at = { .file = "berth.yaml" };
	size_t allowed, released;
	struct finding *f;
	int rc;

	allowed = guard_allowed(org && org->ok ? value_at(org->root, "spec.guards") : NULL, c->live);
	if (!c->ask->has_base || c->deleted <= allowed)
		return 0;
	if ((rc = guard_released(c->ask->git, &c->ask->base, &c->ask->head, &released, e)) < 0)
		return rc;
	if (c->deleted <= released)
		return 0;
	f = report_add(c->r, FINDING_GUARD_HELD, SEVERITY_WARNING, at, "this deletes %zu of %zu environments, the guards allow %zu",
	               c->deleted, c->live, allowed);
	finding_help(c->r, f, "merge it with a last line `Berth-Allow-Delete: %zu` in the commit's message", c->deleted);
	return 0;
}

/* -- the findings ---------------------------------------------------------------------------------------------------- */

static const char *
finding_key(struct arena *mem, const struct finding *f)
{
	return arena_printf(mem, "%s\n%s\n%s", f->at.file ? f->at.file : "", finding_id(f->code), f->message);
}

static void
keep(struct range *c, const struct finding *f)
{
	struct finding one = *f;
	struct report r = { .items = &one, .n = 1 };

	report_copy(c->r, &r);
}

/*
 * Shared documents: all of those that differ; of the others what BASE does not have (a name that now leads nowhere). While
 * berth.yaml or templates are broken no environment can be checked: that is said whoever broke them.
 */
static int
shared_findings(struct range *c, struct err *e)
{
	struct arena *mem = c->mem;
	struct map known AUTO_MAP = MAP_INIT;
	struct report was, is;
	int rc;

	report_init(&was, mem);
	report_init(&is, mem);
	if (c->was) {
		world_findings(c->was, &was);
		if ((rc = world_check_shared(c->was, &was, e)) < 0)
			return rc;
	}
	world_findings(c->is, &is);
	if ((rc = world_check_shared(c->is, &is, e)) < 0)
		return rc;
	for (size_t i = 0; i < was.n; i++)
		(void)map_put(&known, finding_key(mem, &was.items[i]), NULL);
	for (size_t i = 0; i < is.n; i++) {
		const struct finding *f = &is.items[i];
		const char *file = f->at.file ? f->at.file : "";
		bool blocks = !world_usable(c->is) && (strcmp(file, "berth.yaml") == 0 || str_starts(file, "templates/"));

		if (blocks || map_has(&c->paths, file) || !map_has(&known, finding_key(mem, f)))
			keep(c, f);
	}
	return 0;
}

static bool
is_touched(struct range *c, struct arena *mem, const struct env_result *r)
{
	const char *const *deps = NULL;
	size_t n = 0;

	if (c->templates || map_has(&c->paths, r->path))
		return true;
	if (r->env) {
		deps = r->env->deps;
		n = r->env->ndeps;
	} else if (r->doc && r->doc->root) {
		env_deps(mem, world_site(c->is), r->doc, &deps, &n);
	}
	for (size_t i = 0; i < n; i++)
		if (map_has(&c->paths, deps[i]))
			return true;
	return false;
}

static int
one_env(void *ctx, const struct env_result *r, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct range *c = ctx;

	(void)e;
	if (r->ok)
		totals_add(c->totals, r->env);
	if (!is_touched(c, mem, r))
		return 0;
	c->checked++;
	report_copy(c->r, &r->findings);
	return 0;
}

static int
count_env(void *ctx, const struct env_result *r, struct err *e)
{
	struct range *c = ctx;

	(void)e;
	if (r->ok)
		totals_add(c->totals, r->env);
	return 0;
}

static int
environments(struct range *c, struct err *e)
{
	struct map owners AUTO_MAP = MAP_INIT;
	const char **list, *path, *owner;
	size_t n;
	int rc;

	for (size_t i = 0; map_next(&c->paths, &i, &path, NULL);)
		if ((owner = path_owner(c->mem, path)))
			(void)map_put(&owners, owner, NULL);
	world_owners(c->is, c->mem, &list, &n);
	for (size_t i = 0; i < n; i++) {
		struct arena *AUTO_ARENA mem = arena_new(OWNER_ARENA);
		struct owner_result o = { 0 };

		/* nothing of the others can have changed, but they hold what teams share */
		rc = c->everybody || map_has(&owners, list[i]) ? world_owner(c->is, mem, list[i], true, one_env, c, &o, e)
		     : owners.live                             ? world_owner(c->is, mem, list[i], false, count_env, c, &o, e)
		                                               : 0;
		if (rc < 0)
			return rc;
		if (o.failure)
			world_render_finding(c->r, o.user, arena_printf(mem, "users/%s.yaml", list[i]), o.failure);
	}
	totals_check(c->totals, world_site(c->is), &c->paths, c->r);
	return 0;
}

/* Files that are no environments: how many, and none in plain text where sealed ones stand. */
static void
other_files(struct range *c)
{
	const char *path;

	for (size_t i = 0; map_next(&c->paths, &i, &path, NULL);) {
		struct arena *AUTO_ARENA mem = arena_new(65536);
		const struct file_entry *f = strlen(path) <= 4096 ? files_find(world_files(c->is), path) : NULL;

		if (!f || is_environment(mem, path))
			continue;
		c->checked++;
		validate_plain(world_files(c->is), f, c->r);
	}
}

/* -- all of it ------------------------------------------------------------------------------------------------------- */

static int
read_worlds(struct range *c, struct err *e)
{
	const struct changed_ask *ask = c->ask;
	int rc;

	if ((rc = sides_read(ask->sides, ask->git, ask->has_base ? &ask->base_tree : NULL, &ask->head_tree, e)) < 0)
		return rc;
	c->is = sides_head(ask->sides);
	if ((c->was = sides_base(ask->sides)))
		c->live = count_environments(world_files(c->was));
	if (!ask->has_rules)
		return 0;
	if ((rc = git_files(ask->git, &ask->rules_tree, c->mem, &c->rules_files, e)) < 0 || (rc = world_new(&c->by, e)) < 0 ||
	    (rc = world_adopt(c->by, &c->rules_files, NULL, 0, true, e)) < 0)
		return rc;
	if (!world_site(c->by)->org || !world_site(c->by)->org->ok)
		return err_set(e, ERR_INVALID, "the berth.yaml of --config-from is missing or has errors");
	return 0;
}

/* All that is found; the head is left judged by its own berth.yaml. */
static int
find_all(struct range *c, struct changed *out, struct err *e)
{
	const struct doc *own = world_site(c->is)->org;
	int rc;

	if ((rc = git_tree_diff(c->ask->git, c->was ? &c->ask->base_tree : NULL, &c->ask->head_tree, 0, one_path, c, e)) < 0 ||
	    (rc = shared_findings(c, e)) < 0)
		return rc;
	out->rules = rules_of_base(c);
	rc = environments(c, e);
	world_judge_by(c->is, own);
	if (rc < 0)
		return rc;
	other_files(c);
	out->files = *world_files(c->is);
	out->checked = c->checked;
	return check_guard(c, e);
}

int
changed_findings(const struct changed_ask *ask, struct arena *mem, struct report *r, struct changed *out, struct err *e)
{
	struct range c = { .ask = ask, .mem = mem, .r = r, .paths = MAP_INIT };
	struct changed found = { 0 };
	int rc;

	c.totals = totals_new();
	if ((rc = read_worlds(&c, e)) == 0 && (rc = find_all(&c, &found, e)) == 0)
		*out = found;
	world_free(c.by);
	totals_free(c.totals);
	map_free(&c.paths);
	return rc;
}
