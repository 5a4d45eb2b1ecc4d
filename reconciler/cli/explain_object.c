/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a rendered object: keys and items carry the template's place, values of a spec the spec's. */
#include "cli/explain_object.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/depends.h"
#include "cli/explain_object_text.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "parse/versions.h"
#include "render/origin.h"

struct walk {
	struct arena *mem;
	const struct explain_unit *u;
	int64_t version;
	struct explain_rows *rows;
};

/* What is known of the place that is being looked at. */
struct where {
	struct place at;       /* of the nearest key or item that a template wrote */
	struct origin origin;  /* what it reads there */
	const char *inside;    /* steps below it: ".limits.cpu" */
	bool ours;             /* set after the templates */
	const char *item;      /* path of the named item of a computed list, or NULL */
	const struct value *item_value;
};

bool
explain_is_named(const char *name, const struct bundle *b, const struct object *o)
{
	size_t kind = strlen(o->kind), unit = strlen(b->unit);

	if (strncasecmp(name, o->kind, kind) == 0 && name[kind] == '/' && strcmp(name + kind + 1, o->name) == 0)
		return true;
	if (strncmp(name, b->unit, unit) == 0 && name[unit] == '/')
		name += unit + 1;
	return strcmp(name, o->file) == 0;
}

static bool
in_template(struct place at)
{
	return at.line && at.file && str_starts(at.file, "templates/");
}

/* -- inputs ---------------------------------------------------------------------------------------------------------- */

static const struct doc *
doc_of(const struct explain_unit *u, const char *kind, size_t n)
{
	const struct {
		const char *word;
		const struct doc *doc;
	} rows[] = {
		{ "env", u->env ? u->env->doc : NULL }, { "org", u->org }, { "team", u->team }, { "user", u->user },
		{ "flavor", u->env ? u->env->flavor : NULL }, { "image", u->env ? u->env->image : NULL },
		{ "dataset", u->env && u->env->ndatasets ? u->env->datasets[0] : NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (strlen(rows[i].word) == n && strncmp(rows[i].word, kind, n) == 0)
			return rows[i].doc;
	return NULL;
}

/* Where the value of "flavor.spec.max.gpu" stands. False: nowhere; line 0: a default of berth. */
static bool
field_place(struct arena *mem, const struct explain_unit *u, const char *field, struct place *at)
{
	size_t kind = strcspn(field, ".");
	const struct doc *d = doc_of(u, field, kind);
	const char *path = arena_strndup(mem, field + kind + 1, strcspn(field + kind + 1, "[<"));
	const struct value *v = NULL;

	if (!d || !field[kind])
		return false;
	if (str_ends(path, "."))
		path = arena_strndup(mem, path, strlen(path) - 1);
	/* defaults of others are part of an environment's spec */
	if (d->kind == KIND_ENV && str_starts(path, "spec."))
		v = value_at(u->env->spec, path + 5);
	if (!v)
		v = value_at(d->root, path);
	if (v)
		*at = v->at;
	return v != NULL;
}

static void
add_field(struct walk *w, struct explain_row *r, const char *field)
{
	struct explain_input in = { .field = field };

	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->inputs[i].field, field) == 0)
			return;
	in.set = field_place(w->mem, w->u, field, &in.at);
	if (r->n < EXPLAIN_INPUTS_MAX)
		r->inputs[r->n++] = in;
}

static void
add_fields(struct walk *w, struct explain_row *r, const char *words)
{
	for (const char *s = words; s && *s; s += strcspn(s, " "), s += *s == ' ')
		add_field(w, r, arena_strndup(w->mem, s, strcspn(s, " ")));
}

/* A computed variable by its row; a loop's by all rows of what it runs over. */
static void
add_computed(struct walk *w, struct explain_row *r, const char *name, const char *inside)
{
	const char *words = depends_inputs(w->mem, arena_printf(w->mem, "%s%s", name, inside));

	if (!words && !*inside)
		words = depends_inputs_below(w->mem, name);
	add_fields(w, r, words);
}

/* The fields behind one variable of the context. `inside`: steps below the variable. */
static void
add_variable(struct walk *w, struct explain_row *r, const char *var, const char *inside)
{
	static const struct {
		const char *var, *fields;
	} plain[] = { { "features", "org.spec.cluster.features org.spec.cluster.version" }, { "berth", "org.spec.render" } };
	size_t n = strcspn(var, ".");
	const char *unit = w->u->bundle->unit;
	const char *owner = str_starts(unit, "users/") ? "user" : str_starts(unit, "teams/") ? "team" : "org";

	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (strlen(plain[i].var) == n && strncmp(plain[i].var, var, n) == 0)
			add_fields(w, r, plain[i].fields);
	if (str_starts(var, "env.spec."))
		add_field(w, r, var);
	else if (str_starts(var, "env."))
		add_computed(w, r, var, inside);
	else if (str_starts(var, "set."))
		add_computed(w, r, arena_printf(w->mem, "%s.%s", owner, var), inside);
	else if (var[n] && strcmp(var + n, ".name") != 0 && doc_of(w->u, var, n))
		add_field(w, r, arena_printf(w->mem, "%.*s.spec.%s", (int)n, var, var + n + 1));
}

static void
add_inputs(struct walk *w, struct explain_row *r, const struct where *here, const char *path)
{
	/* a value that was carried over as it stands in a document knows its place itself */
	if (r->value->at.line && !in_template(r->value->at)) {
		r->inputs[r->n++] = (struct explain_input){ .field = NULL, .at = r->value->at, .set = true };
		return;
	}
	if (here->ours) {
		if (strcmp(path, "metadata.namespace") == 0)
			add_field(w, r, "org.spec.namespacePrefix");
		else if (str_starts(path, "metadata.labels.label.berth.dev/"))
			add_field(w, r, "env.metadata.labels");
		else if (strcmp(path, "metadata.labels.berth.dev/team") == 0)
			add_fields(w, r, "env.spec.team user.spec.teams");
		return;
	}
	for (size_t i = 0; i < here->origin.n; i++)
		add_variable(w, r, here->origin.vars[i], i == 0 ? here->inside : "");
}

/* -- the walk -------------------------------------------------------------------------------------------------------- */

static void
leaf(struct walk *w, const struct value *v, const char *path, const struct where *here)
{
	struct explain_row *r = explain_row_new(w->mem, w->rows);

	r->path = path;
	r->value = v;
	r->ours = here->ours;
	r->item = here->item;
	r->item_value = here->item_value;
	r->at = here->ours ? (struct place){ .file = NULL } : here->at;
	r->nvars = here->ours ? 0 : here->origin.n;
	r->vars = arena_memdup(w->mem, here->origin.vars, sizeof(here->origin.vars));
	add_inputs(w, r, here, path);
}

/* Moves to a key or item: into what a template wrote there, or deeper into what a variable holds. */
static struct where
step(struct walk *w, const struct where *up, struct place at, const char *name)
{
	struct where here = *up;

	if (in_template(at)) {
		here.at = at;
		here.inside = "";
		here.item = NULL;
		(void)templates_origin(w->u->templates, w->version, w->mem, at, &here.origin);
	} else if (name) {
		here.inside = arena_printf(w->mem, "%s.%s", up->inside, name);
	}
	return here;
}

static void
walk(struct walk *w, const struct value *v, const char *path, const struct where *here)
{
	if (v->type == VALUE_MAP && v->map.n)
		for (size_t i = 0; i < v->map.n; i++) {
			const struct member *m = &v->map.items[i];
			const char *below = *path ? arena_printf(w->mem, "%s.%s", path, m->key) : m->key;
			struct where next = step(w, here, m->at, m->key);

			next.ours = strcmp(below, "metadata.namespace") == 0 || (strcmp(path, "metadata.labels") == 0 && !in_template(m->at) &&
			                                                        (here->origin.n == 0 || str_starts(m->key, "berth.dev/")));
			walk(w, m->value, below, &next);
		}
	else if (v->type == VALUE_LIST && v->list.n)
		for (size_t i = 0; i < v->list.n; i++) {
			const struct value *x = v->list.items[i];
			const char *name = value_as_str(value_get(x, "name"), NULL), *var = here->origin.n ? here->origin.vars[0] : "";
			const char *dot = strrchr(var, '.');
			struct where next = step(w, here, x->at, name ? depends_item(w->mem, dot ? dot + 1 : var, name) : NULL);

			if (name && !in_template(x->at) && !next.item) {
				next.item = arena_printf(w->mem, "%s[%s]", path, name);
				next.item_value = x;
			}
			walk(w, x, arena_printf(w->mem, "%s[%zu]", path, i), &next);
		}
	else
		leaf(w, v, path, here);
}

void
explain_object(struct arena *mem, const struct explain_unit *u, const struct object *o, struct buf *text, struct value *list)
{
	struct explain_rows rows = { 0 };
	struct walk w = { mem, u, versions_asked(u->org ? u->org->spec : NULL), &rows };
	struct where top = { .inside = "" };

	walk(&w, o->value, "", &top);
	explain_rows_sort(&rows);
	explain_rows_text(mem, &rows, u->bundle->unit, o, text);
	value_push(mem, list, explain_rows_value(mem, &rows, u->bundle->unit, o));
}
