/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the templates of a set over a context and makes the bundle. */
#include "render/render.h"

#include "render/bundle_build.h"
#include "render/context.h"
#include "render/later.h"
#include "render/templates.h"

#define OBJECTS_MAX 2000 /* a unit */

struct run {
	const struct templates *t;
	struct arena *mem;
	const struct bundle_unit *unit;
	struct value *context;
	struct made *made;
	size_t n, cap;
};

static int
add_object(struct run *r, const struct template_entry *entry, struct value *v, struct err *e)
{
	struct made *m;

	if (entry->patch) {
		struct value *context = value_overlay(r->mem, r->context, value_map(r->mem)), *patch = NULL;

		value_set(r->mem, context, "object", v);
		if (template_render(entry->patch, r->mem, context, NULL, NULL, &patch, e) < 0)
			return err_wrap(e, "template %s", entry->patch_path);
		if (patch)
			v = value_merge_patch(r->mem, v, patch);
	}
	if (r->n == OBJECTS_MAX)
		return err_set(e, ERR_INVALID, "template %s: more than %d objects", entry->path, OBJECTS_MAX);
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;

		r->made = arena_regrow(r->mem, r->made, r->n, cap, sizeof(*r->made));
		r->cap = cap;
	}
	m = &r->made[r->n];
	m->template = entry->path;
	if (object_make(r->mem, r->unit, v, &m->object, e) < 0)
		return err_wrap(e, "template %s", entry->path);
	r->n++;
	return 0;
}

static int
run_template(struct run *r, const struct template_entry *entry, struct err *e)
{
	struct value *v = NULL;
	int rc;

	if (template_render(entry->body, r->mem, r->context, NULL, NULL, &v, e) < 0)
		return err_wrap(e, "template %s", entry->path);
	if (!v || v->type == VALUE_NULL)
		return 0;
	if (v->type != VALUE_LIST)
		return add_object(r, entry, v, e);
	for (size_t i = 0; i < v->list.n; i++)
		if (v->list.items[i]->type != VALUE_NULL && (rc = add_object(r, entry, v->list.items[i], e)) < 0)
			return rc;
	return 0;
}

static int
run_set(const struct templates *t, struct arena *mem, enum template_set set, const struct bundle_unit *unit,
        struct value *context, struct bundle **out, struct err *e)
{
	struct run r = { .t = t, .mem = mem, .unit = unit, .context = context };
	int64_t version = value_as_int(value_at(context, "org.render"), TEMPLATES_VERSION);

	if (version != TEMPLATES_VERSION) {
		err_set(e, ERR_INVALID, "render %s: berth.yaml: spec.render is %lld, this program has version %d of the templates",
		        unit->name, (long long)version, TEMPLATES_VERSION);
		return err_hint(e, "set spec.render to %d, or run the berth that has version %lld", TEMPLATES_VERSION, (long long)version);
	}
	for (size_t i = 0; i < t->n; i++)
		if (t->entries[i].set == set && t->entries[i].body && run_template(&r, &t->entries[i], e) < 0)
			return err_wrap(e, "render %s", unit->name);
	if (bundle_make(mem, unit->name, r.made, r.n, out, e) < 0)
		return err_wrap(e, "render %s", unit->name);
	return 0;
}

int
render_env(const struct templates *t, struct arena *mem, const struct env *env, struct bundle **out, struct err *e)
{
	struct bundle_unit unit = { .name = arena_printf(mem, "envs/%s/%s", env->owner, env->name),
		                    .namespace_ = env->namespace_,
		                    .namespaced_only = true,
		                    .labels = context_labels_env(mem, env) };
	struct value *context;
	struct bundle *b;
	int rc;

	if (context_env(mem, env, &t->scripts, &context, e) < 0)
		return err_wrap(e, "render %s", unit.name);
	if ((rc = run_set(t, mem, SET_ENV, &unit, context, &b, e)) < 0)
		return rc;
	later_fields(mem, env, &b->later, &b->nlater);
	*out = b;
	return 0;
}

int
render_user(const struct templates *t, struct arena *mem, const struct site *s, const struct doc *user,
            const struct env *const *envs, size_t n, struct bundle **out, struct err *e)
{
	const char *team = value_as_str(value_item(value_get(user->spec, "teams"), 0), NULL);
	struct bundle_unit unit = { .name = arena_printf(mem, "users/%s", user->name),
		                    .labels = context_labels(mem, user->name, team) };
	struct value *context;

	if (context_user(mem, s, user, envs, n, &context, e) < 0)
		return err_wrap(e, "render %s", unit.name);
	unit.namespace_ = value_as_str(value_at(context, "set.namespace"), NULL);
	return run_set(t, mem, SET_USER, &unit, context, out, e);
}

int
render_team(const struct templates *t, struct arena *mem, const struct site *s, const struct doc *team, struct bundle **out,
            struct err *e)
{
	struct bundle_unit unit = { .name = arena_printf(mem, "teams/%s", team->name),
		                    .labels = context_labels(mem, NULL, team->name) };
	struct value *context;

	if (context_team(mem, s, team, &context, e) < 0)
		return err_wrap(e, "render %s", unit.name);
	return run_set(t, mem, SET_TEAM, &unit, context, out, e);
}

int
render_org(const struct templates *t, struct arena *mem, const struct site *s, struct bundle **out, struct err *e)
{
	struct bundle_unit unit = { .name = "org", .labels = context_labels(mem, NULL, NULL) };
	struct value *context;

	if (context_org(mem, s, &context, e) < 0)
		return err_wrap(e, "render org");
	return run_set(t, mem, SET_ORG, &unit, context, out, e);
}
