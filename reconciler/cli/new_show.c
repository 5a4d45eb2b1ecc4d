/* SPDX-License-Identifier: Apache-2.0 */
/* What comes of a new environment: as `berth plan` would say it, with size and price. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/new_doc.h"
#include "lib/base/str.h"
#include "parse/quantity.h"
#include "plan/diff.h"
#include "validate/cost.h"

static void
show_unit(struct arena *mem, const char *unit, const struct bundle *was, const struct bundle *is)
{
	struct unit_plan u;

	if (!plan_unit(mem, unit, was, is, &u))
		return;
	(void)printf("  %s %-28s %s, %zu object%s%s%s\n", u.action == ACTION_CREATE ? "+" : "~", unit, action_name(u.action), u.n, u.n == 1 ? "" : "s",
	             u.restarts ? ", RESTARTS the pods" : "", u.data ? ", DATA AT STAKE" : "");
}

static void
show_size(struct arena *mem, const struct env *env)
{
	const char *ttl = value_as_str(value_at(env->spec, "lifecycle.ttl"), NULL);

	(void)printf("      %" PRId64 " pod%s of %s cpu, %s memory", env->replicas_full, env->replicas_full == 1 ? "" : "s",
	             quantity_cpu_text(mem, env->cpu_limit), quantity_bytes_text(mem, env->mem_limit));
	if (env->gpu)
		(void)printf(", %" PRId64 " gpu", env->gpu);
	(void)printf("; home %s; image %s; by %s%s%s%s%s\n", quantity_bytes_text(mem, env->home), str_line(mem, env->image_ref), access_text(mem, env->spec),
	             env->team ? "; team " : "", env->team ? env->team->name : "", ttl ? "; ttl " : "", ttl ? ttl : "");
}

static void
show_price(struct arena *mem, const struct env *env)
{
	const struct value *said = env->org ? value_get(env->org->spec, "currency") : NULL;
	const char *currency = str_line(mem, value_as_str(said, "USD"));
	struct cost c;

	if (cost_of(mem, env, &c))
		(void)printf("      up to %s %s a month (%s)\n", currency, money_text(mem, c.month), cost_text(mem, &c));
	else
		(void)printf("      flavor %s has no price\n", env->flavor->name);
}

int
new_show(struct proposal *p, const char *owner, const char *name, const struct file_change *file, struct err *e)
{
	struct owner_result owner_was, owner_is;
	struct env_result was = { 0 }, is;
	int rc;

	if ((rc = world_env(p->was, p->mem, owner, name, true, &was, e)) < 0 && rc != ERR_NOTFOUND)
		return rc;
	if ((rc = world_env(p->is, p->mem, owner, name, true, &is, e)) < 0 ||
	    (rc = world_owner(p->was, p->mem, owner, true, NULL, NULL, &owner_was, e)) < 0 ||
	    (rc = world_owner(p->is, p->mem, owner, true, NULL, NULL, &owner_is, e)) < 0)
		return rc;
	(void)printf("%s\n%s", file->path, file->bytes);
	(void)printf("what the file asks for; no cluster was read:\n");
	show_unit(p->mem, arena_printf(p->mem, "envs/%s/%s", owner, name), was.bundle, is.bundle);
	show_size(p->mem, is.env);
	show_price(p->mem, is.env);
	show_unit(p->mem, arena_printf(p->mem, "users/%s", owner), owner_was.bundle, owner_is.bundle);
	return 0;
}
