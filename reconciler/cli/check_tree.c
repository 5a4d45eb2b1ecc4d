/* SPDX-License-Identifier: Apache-2.0 */
/* Shared documents first, then each owner in an arena of its own. */
#include "cli/check_tree.h"

#include "lib/base/str.h"
#include "validate/totals.h"
#include "validate/validate.h"

struct walk {
	struct report *all;
	struct totals *totals;
};

/* Everything is copied: what was read of the environment goes. */
static int
add_findings(void *ctx, const struct env_result *r, struct err *e)
{
	struct walk *c = ctx;
	struct report own = r->findings;

	(void)e;
	for (size_t i = 0; r->bundle && i < r->bundle->nlater; i++) {
		const struct value *v = value_at(r->doc->root, r->bundle->later[i]);

		if (v) /* else a default of the flavor, image, team or organization: not the author's to mend */
			(void)report_add(&own, FINDING_NOT_RENDERED_YET, SEVERITY_WARNING, v->at,
			                 "`%s` is not rendered by this version of berth", r->bundle->later[i]);
	}
	report_copy(c->all, &own);
	if (r->ok)
		totals_add(c->totals, r->env);
	return 0;
}

static int
one_owner(struct walk *c, struct world *w, const char *owner, bool render, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	struct owner_result o;
	int rc = world_owner(w, mem, owner, render, add_findings, c, &o, e);

	if (rc == 0 && o.failure)
		world_render_finding(c->all, o.user, arena_printf(mem, "users/%s.yaml", owner), o.failure);
	return rc;
}

static int
all_owners(struct walk *c, struct world *w, const struct tree_check *how, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)256 << 20);
	const char **owners;
	size_t n;
	int rc = 0;

	if (!how->rendered && (rc = world_check_shared(w, c->all, e)) < 0)
		return rc;
	world_owners(w, mem, &owners, &n);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = one_owner(c, w, owners[i], !how->rendered || str_eq(how->rendered, owners[i]), e);
	return rc;
}

int
tree_check(struct world *w, const struct tree_check *how, struct report *all, struct err *e)
{
	struct walk c = { .all = all, .totals = totals_new() };
	const struct files *files = world_files(w);
	int rc;

	world_findings(w, all);
	if ((rc = all_owners(&c, w, how, e)) == 0) {
		totals_check(c.totals, world_site(w), how->changed, all);
		for (size_t i = 0; i < files->n; i++)
			validate_plain(files, &files->entries[i], all);
	}
	totals_free(c.totals);
	return rc;
}
