/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the templates of a set over a context and makes the bundle. */
#include "render/render.h"

#include <string.h>

#include "render/bundle_build.h"
#include "render/context_secrets.h"
#include "render/later.h"
#include "render/templates.h"

#define OBJECTS_MAX 2000 /* a unit */

struct run {
	const struct template_version *v;
	struct arena *mem;
	const struct bundle_unit *unit;
	struct value *context;
	struct made *made;
	size_t n, cap;
};

/* The next step after a template's fault; one that is there already is better. */
static int
hint_template(struct err *e, const struct run *r, const struct template_entry *entry)
{
	if (e->hint[0])
		return e->code;
	if (entry->own || entry->patch)
		return err_hint(e, "mend %s, then `berth validate`", entry->own ? entry->file : entry->patch_path);
	return err_hint(e, "it is a built-in template: `berth validate` shows what is wrong with the files of %s, if anything is",
	                r->unit->name);
}

/* Where the object begins in its template. */
static struct place
object_place(const struct template_entry *entry, const struct value *v)
{
	if (v->at.line && v->at.file && strcmp(v->at.file, entry->file) == 0)
		return v->at;
	return (struct place){ entry->file, 1, 1 };
}

static int
patch_object(struct run *r, const struct template_entry *entry, struct value **v, struct err *e)
{
	struct value *context = value_overlay(r->mem, r->context, value_map(r->mem)), *patch = NULL;

	value_set(r->mem, context, "object", *v);
	if (template_render(entry->patch, r->mem, context, NULL, NULL, &patch, e) < 0)
		return err_wrap(e, "template %s", entry->patch_path);
	if (!patch)
		return 0;
	if (patch->type != VALUE_MAP)
		return err_set(e, ERR_INVALID, "template %s: %s:%u:%u: gives a %s where a merge patch, a map, belongs", entry->patch_path,
		               entry->patch_path, patch->at.line ? patch->at.line : 1, patch->at.line ? patch->at.col : 1,
		               value_type_name(patch->type));
	*v = value_merge_patch(r->mem, *v, patch);
	return 0;
}

static struct made *
next_made(struct run *r)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;

		r->made = arena_regrow(r->mem, r->made, r->n, cap, sizeof(*r->made));
		r->cap = cap;
	}
	return &r->made[r->n];
}

static int
add_object(struct run *r, const struct template_entry *entry, struct value *v, struct err *e)
{
	struct place at = object_place(entry, v);
	struct made *m;

	if (entry->patch && v->type == VALUE_MAP && patch_object(r, entry, &v, e) < 0)
		return e->code;
	if (r->n == OBJECTS_MAX)
		return err_set(e, ERR_INVALID, "template %s: %s:%u:%u: more than %d objects", entry->file, at.file, at.line, at.col,
		               OBJECTS_MAX);
	m = next_made(r);
	m->template = entry->file;
	m->at = at;
	if (object_make(r->mem, r->unit, v, &m->object, e) < 0) {
		(void)err_wrap(e, "%s:%u:%u", at.file, at.line, at.col);
		return err_wrap(e, "template %s", entry->file);
	}
	r->n++;
	return 0;
}

static int
run_template(struct run *r, const struct template_entry *entry, struct err *e)
{
	struct value *v = NULL;
	int rc;

	if (template_render(entry->body, r->mem, r->context, NULL, NULL, &v, e) < 0)
		return err_wrap(e, "template %s", entry->file);
	if (!v || v->type == VALUE_NULL)
		return 0;
	if (v->type != VALUE_LIST)
		return add_object(r, entry, v, e);
	for (size_t i = 0; i < v->list.n; i++)
		if (v->list.items[i]->type != VALUE_NULL && (rc = add_object(r, entry, v->list.items[i], e)) < 0)
			return rc;
	return 0;
}

/* The version that berth.yaml asks for. validate_org says it first, and better: this is for who renders without it. */
static int
find_version(const struct templates *t, const struct bundle_unit *unit, const struct doc *org, const struct template_version **out,
             struct err *e)
{
	int64_t number = versions_asked(org ? org->spec : NULL);
	struct versions known = { t->versions[0].number, t->versions[t->n - 1].number };
	char text[VERSIONS_TEXT];

	*out = templates_version(t, number);
	if (!*out) {
		versions_text(&known, text);
		err_set(e, ERR_INVALID, "render %s: berth.yaml: spec.render is %lld, this program has version %s of the templates",
		        unit->name, (long long)number, text);
		return err_hint(e, "set spec.render to %d, or run the berth that has version %lld", known.last, (long long)number);
	}
	if ((*out)->broken) {
		err_set(e, ERR_INVALID, "render %s: %s", unit->name, (*out)->broken);
		return err_hint(e, "take the patch out in the commit that sets spec.render to %lld", (long long)number);
	}
	return 0;
}

/* What no template gives. */
static int
add_secrets(struct run *r, const struct env *env, struct err *e)
{
	struct own_object *list;
	size_t n;

	render_secrets(r->mem, env, &list, &n);
	for (size_t i = 0; i < n; i++) {
		struct made *m = next_made(r);

		m->template = "spec.secrets";
		m->at = (struct place){ env->doc->path, 1, 1 };
		if (object_make_own(r->mem, r->unit, list[i].value, list[i].parts, &m->object, e) < 0)
			return err_wrap(e, "render %s", r->unit->name);
		r->n++;
	}
	return 0;
}

static int
run_set(const struct template_version *v, struct arena *mem, enum template_set set, const struct bundle_unit *unit,
        struct value *context, const struct env *env, struct bundle **out, struct err *e)
{
	struct run r = { .v = v, .mem = mem, .unit = unit, .context = context };

	value_set(mem, value_get(context, "berth"), "templates", value_int(mem, v->number));
	for (size_t i = 0; i < v->n; i++)
		if (v->entries[i].set == set && v->entries[i].body && run_template(&r, &v->entries[i], e) < 0) {
			(void)hint_template(e, &r, &v->entries[i]);
			return err_wrap(e, "render %s", unit->name);
		}
	if (env && add_secrets(&r, env, e) < 0)
		return e->code;
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
	const struct template_version *v;
	struct value *context;
	struct bundle *b;
	int rc;

	if ((rc = find_version(t, &unit, env->org, &v, e)) < 0)
		return rc;
	if (context_env(mem, env, &v->scripts, &context, e) < 0) {
		if (!e->hint[0])
			(void)err_hint(e, "change that field of %s; `berth explain FIELD` tells what it may hold", env->doc->path);
		return err_wrap(e, "render %s", unit.name);
	}
	if ((rc = run_set(v, mem, SET_ENV, &unit, context, env, &b, e)) < 0)
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
	const struct template_version *v;
	struct value *context;
	int rc;

	if ((rc = find_version(t, &unit, s->org, &v, e)) < 0)
		return rc;
	if (context_user(mem, s, user, envs, n, &context, e) < 0)
		return err_wrap(e, "render %s", unit.name);
	unit.namespace_ = value_as_str(value_at(context, "set.namespace"), NULL);
	return run_set(v, mem, SET_USER, &unit, context, NULL, out, e);
}

int
render_team(const struct templates *t, struct arena *mem, const struct site *s, const struct doc *team, struct bundle **out,
            struct err *e)
{
	struct bundle_unit unit = { .name = arena_printf(mem, "teams/%s", team->name),
		                    .labels = context_labels(mem, NULL, team->name) };
	const struct template_version *v;
	struct value *context;
	int rc;

	if ((rc = find_version(t, &unit, s->org, &v, e)) < 0)
		return rc;
	if (context_team(mem, s, team, &context, e) < 0)
		return err_wrap(e, "render %s", unit.name);
	return run_set(v, mem, SET_TEAM, &unit, context, NULL, out, e);
}

int
render_org(const struct templates *t, struct arena *mem, const struct site *s, struct bundle **out, struct err *e)
{
	struct bundle_unit unit = { .name = "org", .labels = context_labels(mem, NULL, NULL) };
	const struct template_version *v;
	struct value *context;
	int rc;

	if ((rc = find_version(t, &unit, s->org, &v, e)) < 0)
		return rc;
	if (context_org(mem, s, &context, e) < 0)
		return err_wrap(e, "render org");
	return run_set(v, mem, SET_ORG, &unit, context, NULL, out, e);
}
