/* SPDX-License-Identifier: Apache-2.0 */
/* berth plan: what the working tree (or a commit) would change, desired against desired. */
#include <stdio.h>
#include <string.h>

#include "cli/plan_holds.h"
#include "cli/tree.h"
#include "lib/git/clone.h"
#include "plan/diff.h"
#include "plan/guard.h"
#include "status/status.h"
#include "world.h"

struct plan {
	const struct args *a;
	struct world *base, *head; /* base NULL: nothing to compare with */
	struct plan_holds *holds;
	enum output form;
	struct value *list;        /* json, yaml */
	size_t env_deletes, envs; /* of those on the base */
	size_t count[4], restarts, data, refused, invalid, waiting, same;
	struct buf text;
};

static const char *
mark_of(const struct unit_plan *p)
{
	static const char *const marks[] = { "+", "~", "!", "-" };

	return marks[p->action];
}

/* Without the key nobody can tell a new value from the same one sealed anew; the daemon can. */
static void
sealed_line(struct plan *p, const struct object_change *c, bool restarts)
{
	const char *name = strstr(c->id, "--secret-");

	if (!c->sealed)
		return;
	buf_printf(&p->text, "                the secret %s is another", name ? name + strlen("--secret-") : "host key");
	if (name)
		buf_printf(&p->text, " (%s)%s", c->sealed, restarts && c->rolls ? ": restarts the pods, unless it is the same value sealed anew" : "");
	buf_char(&p->text, '\n');
}

static void
object_line(struct plan *p, const struct object_change *c)
{
	buf_printf(&p->text, "      %-9s %s", action_name(c->action), c->id);
	for (size_t i = 0; i < c->nfields && i < 4; i++)
		buf_printf(&p->text, "%s %s", i ? "," : ":", c->fields[i]);
	if (c->nfields > 4)
		buf_printf(&p->text, " and %zu more", c->nfields - 4);
	if (c->restarts)
		buf_str(&p->text, "  RESTARTS the pods");
	if (c->pauses)
		buf_str(&p->text, "  PAUSES it");
	if (c->resumes)
		buf_str(&p->text, "  resumes it");
	if (c->data)
		buf_str(&p->text, "  DATA AT STAKE");
	if (c->action == ACTION_REFUSED)
		buf_str(&p->text, "  NOT DONE: a volume that exists cannot change so; put the old value back, or make a new environment");
	if (c->kept)
		buf_str(&p->text, "  (stays in the cluster)");
	buf_char(&p->text, '\n');
}

static void
one_unit(struct plan *p, struct arena *mem, const char *unit, const struct bundle *was, const struct bundle *is)
{
	struct unit_plan u;

	if (!plan_unit(mem, unit, was, is, &u)) {
		p->same++;
		return;
	}
	p->count[u.action]++;
	p->restarts += u.restarts;
	p->data += u.data;
	p->refused += u.refused;
	if (p->form != OUTPUT_TABLE) {
		value_push(p->a->mem, p->list, value_copy(p->a->mem, plan_value(mem, &u)));
		return;
	}
	buf_printf(&p->text, "  %s %-28s %s%s%s%s\n", mark_of(&u), unit, action_name(u.action), u.restarts ? ", restarts" : "",
	           u.data ? ", data at stake" : "", u.refused ? ", refused in part" : "");
	for (size_t i = 0; i < u.n; i++) {
		object_line(p, &u.objects[i]);
		sealed_line(p, &u.objects[i], u.restarts);
	}
}

static void
note_later(struct plan *p, const struct env_result *r)
{
	if (!r->bundle || !r->bundle->nlater || p->form != OUTPUT_TABLE)
		return;
	buf_printf(&p->text, "      not rendered by this version:");
	for (size_t i = 0; i < r->bundle->nlater; i++)
		buf_printf(&p->text, "%s %s", i ? "," : "", r->bundle->later[i]);
	buf_char(&p->text, '\n');
}

static void
invalid_env(struct plan *p, const char *owner, const struct env_result *r)
{
	struct buf line AUTO_BUF = BUF_INIT(0);

	p->invalid++;
	for (size_t i = 0; i < r->findings.n; i++) {
		if (r->findings.items[i].severity != SEVERITY_ERROR)
			continue;
		buf_reset(&line);
		finding_line(&r->findings.items[i], &line);
		if (p->form == OUTPUT_TABLE) {
			buf_printf(&p->text, "  x envs/%s/%-*s not applied\n      %s\n", owner, (int)(23 - strlen(owner) % 23),
			           r->name, buf_cstr(&line));
		} else {
			struct value *v = value_map(p->a->mem);

			value_set(p->a->mem, v, "unit", value_fmt(p->a->mem, "envs/%s/%s", owner, r->name));
			value_set(p->a->mem, v, "action", value_str(p->a->mem, "invalid"));
			value_set(p->a->mem, v, "finding", value_str(p->a->mem, buf_cstr(&line)));
			value_push(p->a->mem, p->list, v);
		}
		return; /* `berth validate` shows them all */
	}
}

/* What it asks for makes a sum too large: whatever is there stays, and it goes on by itself when there is room. */
static void
waiting_env(struct plan *p, const char *unit, const char *why)
{
	struct value *v;

	p->waiting++;
	if (p->form == OUTPUT_TABLE) {
		buf_printf(&p->text, "  . %-28s waits\n      %s: %s\n", unit, pending_name(PENDING_QUOTA), why);
		return;
	}
	v = value_map(p->a->mem);
	value_set(p->a->mem, v, "unit", value_str(p->a->mem, unit));
	value_set(p->a->mem, v, "action", value_str(p->a->mem, "waits"));
	value_set(p->a->mem, v, "reason", value_str(p->a->mem, pending_name(PENDING_QUOTA)));
	value_set(p->a->mem, v, "message", value_str(p->a->mem, why));
	value_push(p->a->mem, p->list, v);
}

/* One environment on both sides; either may be missing. */
static int
one_env(struct plan *p, const char *owner, const char *name, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	const char *unit = arena_printf(mem, "envs/%s/%s", owner, name);
	struct env_result was = { 0 }, is = { 0 };
	const char *why;
	bool differs;
	int rc;

	if (p->base && (rc = world_env(p->base, mem, owner, name, true, &was, e)) < 0 && rc != ERR_NOTFOUND)
		return rc;
	if ((rc = world_env(p->head, mem, owner, name, true, &is, e)) < 0 && rc != ERR_NOTFOUND)
		return rc;
	if (rc == 0 && !is.ok) {
		invalid_env(p, owner, &is);
		return 0;
	}
	if (plan_holds_absent(p->holds, owner, name))
		was.bundle = NULL;
	p->envs += was.bundle != NULL;
	p->env_deletes += was.bundle && !is.doc;
	if (!was.bundle && !is.bundle)
		return 0;
	differs = is.bundle && (!was.bundle || memcmp(&was.bundle->digest, &is.bundle->digest, sizeof(struct digest)) != 0);
	if (differs && (why = plan_holds_waits(p->holds, owner, name))) {
		waiting_env(p, unit, why);
		return 0;
	}
	one_unit(p, mem, unit, was.bundle, is.bundle);
	if (differs)
		note_later(p, &is);
	return 0;
}

static int
one_owner(struct plan *p, const char *owner, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	struct map names AUTO_MAP = MAP_INIT;
	struct owner_result was = { 0 }, is = { 0 };
	const char *name;
	int rc;

	if ((p->base && (rc = world_owner(p->base, mem, owner, true, NULL, NULL, &was, e)) < 0) ||
	    (rc = world_owner(p->head, mem, owner, true, NULL, NULL, &is, e)) < 0)
		return rc;
	one_unit(p, mem, arena_printf(mem, "users/%s", owner), was.bundle, is.bundle);
	for (size_t i = 0; i < is.n; i++)
		(void)map_put(&names, is.names[i], NULL);
	for (size_t i = 0; i < was.n; i++)
		(void)map_put(&names, was.names[i], NULL);
	for (size_t i = 0; map_next(&names, &i, &name, NULL);)
		if ((rc = one_env(p, owner, name, e)) < 0)
			return rc;
	return 0;
}

static int
shared_units(struct plan *p, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	struct map teams AUTO_MAP = MAP_INIT;
	const struct bundle *was = NULL, *is = NULL;
	const char *team;
	int rc;

	if ((p->base && (rc = world_org(p->base, mem, &was, e)) < 0) || (rc = world_org(p->head, mem, &is, e)) < 0)
		return rc;
	one_unit(p, mem, "org", was, is);
	for (size_t i = 0; map_next(&world_site(p->head)->docs[KIND_TEAM], &i, &team, NULL);)
		(void)map_put(&teams, team, NULL);
	for (size_t i = 0; p->base && map_next(&world_site(p->base)->docs[KIND_TEAM], &i, &team, NULL);)
		(void)map_put(&teams, team, NULL);
	for (size_t i = 0; map_next(&teams, &i, &team, NULL);) {
		was = NULL;
		if ((p->base && (rc = world_team(p->base, mem, team, &was, e)) < 0) ||
		    (rc = world_team(p->head, mem, team, &is, e)) < 0)
			return rc;
		one_unit(p, mem, arena_printf(mem, "teams/%s", team), was, is);
	}
	return 0;
}

/* What an environment that cannot be applied goes on with: the base's. */
static int
base_spec(void *ctx, struct arena *mem, const char *owner, const char *name, const char **bytes, size_t *len)
{
	const struct files *base = world_files(ctx);
	const struct file_entry *f = files_find(base, arena_printf(mem, "envs/%s/%s.yaml", owner, name));

	return f ? base->read(base->ctx, f, FILE_DOC_MAX, mem, bytes, len, NULL) : ERR_NOTFOUND;
}

static int
all_units(struct plan *p, struct err *e)
{
	struct map owners AUTO_MAP = MAP_INIT;
	const char **list, *owner;
	size_t n;
	int rc;

	if (world_check_usable(p->head, p->a->mem, e) < 0)
		return err_hint(e, "`berth validate` shows all of it; until it is mended nothing of this commit is applied");
	if (p->base && !world_usable(p->base)) {
		world_free(p->base);
		p->base = NULL; /* a base that berth would not apply is nothing to compare with */
	}
	if (p->base)
		world_live_by(p->head, base_spec, p->base);
	world_owners(p->head, p->a->mem, &list, &n);
	for (size_t i = 0; i < n; i++)
		(void)map_put(&owners, list[i], NULL);
	n = 0;
	if (p->base)
		world_owners(p->base, p->a->mem, &list, &n);
	for (size_t i = 0; i < n; i++)
		(void)map_put(&owners, list[i], NULL);
	if ((rc = plan_holds_make(p->base, p->head, args_str(p->a, "C", "."), p->a->mem, &p->holds, e)) < 0 || (rc = shared_units(p, e)) < 0)
		return rc;
	for (size_t i = 0; map_next(&owners, &i, &owner, NULL);)
		if ((rc = one_owner(p, owner, e)) < 0)
			return rc;
	return 0;
}

/* The base: --base, else the merge base with origin/main, else HEAD; none of them in a repository without commits. */
static int
base_files(const struct args *a, struct files *out, const char **label, struct err *e)
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
	*label = arena_printf(a->mem, "%.7s", hex);
	return 1;
}

/* The guard that a merge would meet: read from the base, like the daemon does. */
static void
note_guard(const struct plan *p)
{
	const struct value *guards = value_at(world_site(p->base)->org->root, "spec.guards");
	size_t allowed = guard_allowed(guards, p->envs);

	if (p->env_deletes > allowed)
		(void)printf("The guard holds these deletions: %zu of %zu environments at once, %zu are allowed. A commit on the branch that berth\n"
		             "watches releases them when its message ends in \"Berth-Allow-Delete: %zu\".\n", p->env_deletes, p->envs,
		             allowed, p->env_deletes);
}

static void
print_plan(struct plan *p, const char *base, const char *head)
{

	if (p->form != OUTPUT_TABLE) {
		output_value(p->list, p->form);
	} else {
		(void)printf("Plan %s -> %s (what the files ask for; no cluster was read)\n%s", base, head, buf_cstr(&p->text));
		(void)printf("%zu to create, %zu to change (%zu with a restart), %zu to delete, %zu unchanged", p->count[0],
		             p->count[1], p->restarts, p->count[3], p->same);
		if (p->data)
			(void)printf(", DATA AT STAKE in %zu", p->data);
		if (p->refused)
			(void)printf(", REFUSED in part in %zu", p->refused);
		if (p->waiting)
			(void)printf(", %zu WAITING for room", p->waiting);
		if (p->invalid)
			(void)printf(", %zu NOT VALID and left as %s", p->invalid, p->invalid == 1 ? "it is" : "they are");
		(void)printf(".\n");
		if (p->base)
			note_guard(p);
	}
}

static int
run(const struct args *a, struct err *e)
{
	struct plan p = { .a = a, .text = BUF_INIT((size_t)1 << 30), .list = value_list(a->mem) };
	struct files head, base;
	const char *head_label, *base_label = "nothing";
	int rc, has_base;

	if ((rc = args_output(a, &p.form, e)) < 0 || (rc = tree_of_args(a, &head, &head_label, e)) < 0 ||
	    (has_base = rc = base_files(a, &base, &base_label, e)) < 0 || (rc = world_new(&p.head, e)) < 0)
		return rc;
	rc = world_adopt(p.head, &head, NULL, 0, true, e);
	if (rc == 0 && has_base && (rc = world_new(&p.base, e)) == 0)
		rc = world_adopt(p.base, &base, NULL, 0, true, e);
	if (rc == 0)
		rc = all_units(&p, e);
	if (rc == 0)
		print_plan(&p, base_label, head_label);
	world_free(p.head);
	world_free(p.base);
	buf_free(&p.text);
	if (rc < 0)
		return rc;
	if (p.invalid)
		return EXIT_FINDINGS;
	return args_flag(a, "exit-code") && p.count[0] + p.count[1] + p.count[3] ? EXIT_FINDINGS : EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository (default: here)" },
	{ "commit", "REV", "plan a commit instead of the working tree" },
	{ "base", "REV", "compare with (default: where origin/main and HEAD part, else HEAD)" },
	{ "exit-code", NULL, "exit 1 when something would change" },
	{ "o", "table|json|yaml", "how to print the plan" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_plan = {
	.name = "plan", .args = "", .summary = "show what would be created, changed, restarted, recreated and deleted",
	.examples = "berth plan                          the working tree against origin/main\n"
	            "berth plan --base HEAD~1 --commit HEAD\n"
	            "berth plan --exit-code && echo nothing to do\n",
	.details = "Reads no network and no cluster. Who would wait for room in a limit of a user or team (QuotaExceeded) is taken from the status\n"
	           "branch as it was fetched last; without one everything on the base counts as live. Exit 1 when a spec is not valid (it would be left as it is).",
	.opts = opts, .run = run,
};
