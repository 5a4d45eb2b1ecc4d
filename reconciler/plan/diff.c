/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing bundles. */
#include "plan/diff.h"

#include <string.h>

#include "lib/base/redact.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "parse/quantity.h"

#define FIELDS_MAX 20
#define SHOWN_MAX ((size_t)4096) /* bytes of a value that are looked at to show it */

/* Fields that the API server refuses to change on a live object; a row without a path: anything in spec. */
static const struct immutable {
	const char *kind, *path;
	bool bare; /* the server puts nothing there by itself: what is live and no longer wanted was ours */
} immutables[] = {
	{ "StatefulSet", "spec.serviceName", false },
	{ "StatefulSet", "spec.selector", false },
	{ "StatefulSet", "spec.podManagementPolicy", false },
	{ "StatefulSet", "spec.volumeClaimTemplates", true },
	{ "PersistentVolumeClaim", "spec.accessModes", false },
	{ "PersistentVolumeClaim", "spec.storageClassName", false },
	{ "PersistentVolumeClaim", "spec.volumeMode", false },
	{ "PersistentVolumeClaim", "spec.volumeName", false },
	{ "PersistentVolumeClaim", "spec.dataSource", false },
	{ "PersistentVolumeClaim", "spec.selector", false },
	{ "Service", "spec.clusterIP", false },
	{ "RoleBinding", "roleRef", false },
	{ "ClusterRoleBinding", "roleRef", false },
	{ "PriorityClass", "value", false },
	{ "Job", "spec.template", false },
	{ "Job", "spec.selector", false },
	{ "Secret", "type", false },
	{ "JobSet", "spec.replicatedJobs", false },
	{ "JobSet", "spec.network", false },
	{ "JobSet", "spec.failurePolicy", false },
	{ "ResourceClaimTemplate", "spec", false },
};

const char *
action_name(enum action a)
{
	static const char *const names[] = { "create", "change", "recreate", "delete", "refused" };

	return names[a];
}

struct fields {
	struct arena *mem;
	const char **items, **was, **is;
	size_t n;
};

static const char *
cut_at(struct arena *mem, const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n <= max)
		return arena_strdup(mem, s);
	for (n = max - strlen("…"); n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
		n--;
	return arena_printf(mem, "%.*s…", (int)n, s);
}

/* A text of many lines tells more by their number than by its beginning. */
static const char *
show(struct arena *mem, const struct value *v)
{
	struct buf text AUTO_BUF = BUF_INIT(SHOWN_MAX), clean AUTO_BUF = BUF_INIT(4 * SHOWN_MAX);
	size_t lines = 1;

	if (!v)
		return NULL;
	if (value_is(v, VALUE_STR)) {
		for (const char *at = v->str.s; (at = strchr(at, '\n')) && at[1]; at++)
			lines++;
		if (lines > 1)
			return arena_printf(mem, "(%zu lines)", lines);
		buf_add(&text, v->str.s, v->str.len < SHOWN_MAX ? v->str.len : SHOWN_MAX);
	} else {
		json_write(v, 0, &text);
		if (text.over)
			return arena_printf(mem, "(%zu entr%s)", value_len(v), value_len(v) == 1 ? "y" : "ies");
	}
	redact(buf_cstr(&text), text.len, &clean);
	return cut_at(mem, str_line(mem, buf_cstr(&clean)), PLAN_TEXT_MAX);
}

static void
field_add(struct fields *f, const char *path, const struct value *x, const struct value *y)
{
	if (f->n == FIELDS_MAX)
		return;
	f->was[f->n] = show(f->mem, x);
	f->is[f->n] = show(f->mem, y);
	f->items[f->n++] = path;
}

static void
differ(struct fields *f, const char *path, const struct value *x, const struct value *y)
{
	if (f->n >= FIELDS_MAX || (x && y && value_equal(x, y)))
		return;
	if (x && y && x->type == VALUE_MAP && y->type == VALUE_MAP) {
		for (size_t i = 0; i < x->map.n; i++)
			differ(f, arena_printf(f->mem, "%s%s%s", path, *path ? "." : "", x->map.items[i].key),
			       x->map.items[i].value, value_get(y, x->map.items[i].key));
		for (size_t i = 0; i < y->map.n; i++)
			if (!value_get(x, y->map.items[i].key))
				field_add(f, arena_printf(f->mem, "%s%s%s", path, *path ? "." : "", y->map.items[i].key), NULL,
				          y->map.items[i].value);
		return;
	}
	if (x && y && x->type == VALUE_LIST && y->type == VALUE_LIST && value_len(x) == value_len(y)) {
		for (size_t i = 0; i < value_len(x); i++)
			differ(f, arena_printf(f->mem, "%s[%zu]", path, i), value_item(x, i), value_item(y, i));
		return;
	}
	field_add(f, path, x, y);
}

static bool
same_at(const struct value *x, const struct value *y, const char *path)
{
	const struct value *a = value_at(x, path), *b = value_at(y, path);

	return a && b ? value_equal(a, b) : a == b;
}

static bool
shrinks(const struct value *x, const struct value *y)
{
	int64_t was, is;

	return quantity_units(value_at(x, "spec.resources.requests.storage"), &was) == 0 &&
	       quantity_units(value_at(y, "spec.resources.requests.storage"), &is) == 0 && is < was;
}

static enum action
change_of(const char *kind, const struct value *x, const struct value *y)
{
	bool claim = strcmp(kind, "PersistentVolumeClaim") == 0;

	/* in another namespace it is another object: the old one goes, with what it holds */
	if (!same_at(x, y, "metadata.namespace"))
		return ACTION_RECREATE;
	for (size_t i = 0; i < sizeof(immutables) / sizeof(immutables[0]); i++)
		if (strcmp(immutables[i].kind, kind) == 0 && !same_at(x, y, immutables[i].path))
			return claim ? ACTION_REFUSED : ACTION_RECREATE;
	return claim && shrinks(x, y) ? ACTION_REFUSED : ACTION_CHANGE;
}

const char *
plan_immutable(const char *kind, const struct value *want, const struct value *live,
               bool (*holds)(struct arena *mem, const struct value *want, const struct value *live, const char **where), struct arena *mem)
{
	const char *where;

	for (size_t i = 0; i < sizeof(immutables) / sizeof(immutables[0]); i++) {
		const struct value *v = value_at(want, immutables[i].path), *is = value_at(live, immutables[i].path);

		if (strcmp(immutables[i].kind, kind) != 0)
			continue;
		if (v ? !holds(mem, v, is, &where) : is && immutables[i].bare)
			return immutables[i].path;
	}
	return strcmp(kind, "PersistentVolumeClaim") == 0 && shrinks(live, want) ? "spec.resources.requests.storage" : NULL;
}

/* Entries of a Secret's data whose digest is another, or that come or go: by name alone. */
static void
differ_parts(struct fields *f, const struct object *was, const struct object *is, struct object_change *c)
{
	/* variables and files; what ssh, git and the cluster use is looked up at each use */
	c->rolls = is->nparts > 0 && strcmp(is->parts[0].key, "credentials") != 0 && is->parts[0].kind == PART_VALUE &&
	           str_eq(value_as_str(value_get(is->value, "type"), NULL), "Opaque");
	for (size_t i = 0, k = 0; i < was->nparts || k < is->nparts;) {
		int order = i == was->nparts ? 1 : k == is->nparts ? -1 : strcmp(was->parts[i].key, is->parts[k].key);
		const struct part *p = order > 0 ? &is->parts[k] : &was->parts[i];

		if (order == 0 && is->parts[k].file)
			p = &is->parts[k];
		if (order != 0 || strcmp(was->digests[i], is->digests[k]) != 0) {
			field_add(f, arena_printf(f->mem, "data.%s", p->key), NULL, NULL);
			if (!c->sealed)
				c->sealed = p->file ? p->file : "the host key";
		}
		i += order <= 0;
		k += order >= 0;
	}
}

static bool
same_object(const struct object *x, const struct object *y)
{
	struct digest a, b;

	if (!value_equal(x->value, y->value))
		return false;
	if (x->nparts == 0 && y->nparts == 0)
		return true;
	object_digest(x, &a);
	object_digest(y, &b);
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void
changed(struct arena *mem, const struct object *was, const struct object *is, struct object_change *c)
{
	struct fields f = { .mem = mem, .items = arena_array(mem, FIELDS_MAX, sizeof(*f.items)),
		.was = arena_array(mem, FIELDS_MAX, sizeof(*f.was)), .is = arena_array(mem, FIELDS_MAX, sizeof(*f.is)) };
	bool claim = strcmp(is->kind, "PersistentVolumeClaim") == 0;
	int64_t before = value_as_int(value_at(was->value, "spec.replicas"), 1);
	int64_t after = value_as_int(value_at(is->value, "spec.replicas"), 1);

	differ(&f, "", was->value, is->value);
	differ_parts(&f, was, is, c);
	c->fields = f.items;
	c->was = f.was;
	c->is = f.is;
	c->nfields = f.n;
	c->action = change_of(is->kind, was->value, is->value);
	c->data = claim && c->action == ACTION_RECREATE;
	if (strcmp(is->kind, "StatefulSet") != 0)
		return;
	c->pauses = before > 0 && after == 0;
	c->resumes = before == 0 && after > 0;
	c->restarts = before > 0 && after > 0 &&
	              (c->action == ACTION_RECREATE || !same_at(was->value, is->value, "spec.template"));
}

/* Claims and namespaces carry it unless the owner chose `onDelete: purge`. */
static bool
keeps(const struct object *o)
{
	const struct value *notes = value_at(o->value, "metadata.annotations");

	return str_eq(value_as_str(value_get(notes, "kustomize.toolkit.fluxcd.io/prune"), NULL), "disabled");
}

static const struct object *
find(const struct bundle *b, const char *file)
{
	for (size_t i = 0; b && i < b->n; i++)
		if (strcmp(b->objects[i].file, file) == 0)
			return &b->objects[i];
	return NULL;
}

static struct object_change *
add(struct arena *mem, struct unit_plan *p, const struct object *o, enum action a)
{
	struct object_change *c = &p->objects[p->n++];

	*c = (struct object_change){ .id = arena_printf(mem, "%s/%s", o->kind, o->name), .action = a };
	return c;
}

bool
plan_unit(struct arena *mem, const char *unit, const struct bundle *old_b, const struct bundle *new_b, struct unit_plan *out)
{
	size_t most = (old_b ? old_b->n : 0) + (new_b ? new_b->n : 0);
	struct unit_plan p = { .unit = unit, .objects = arena_array(mem, most + 1, sizeof(*p.objects)) };

	for (size_t i = 0; new_b && i < new_b->n; i++) {
		const struct object *is = &new_b->objects[i], *was = find(old_b, is->file);

		if (!was)
			(void)add(mem, &p, is, ACTION_CREATE);
		else if (!same_object(was, is))
			changed(mem, was, is, add(mem, &p, is, ACTION_CHANGE));
	}
	for (size_t i = 0; old_b && i < old_b->n; i++) {
		const struct object *was = &old_b->objects[i];
		struct object_change *c;

		if (find(new_b, was->file))
			continue;
		c = add(mem, &p, was, ACTION_DELETE);
		c->kept = keeps(was);
		c->data = strcmp(was->kind, "PersistentVolumeClaim") == 0 && !c->kept;
	}
	for (size_t i = 0; i < p.n; i++) {
		p.restarts |= p.objects[i].restarts;
		p.recreates |= p.objects[i].action == ACTION_RECREATE;
		p.data |= p.objects[i].data;
		p.refused |= p.objects[i].action == ACTION_REFUSED;
	}
	p.action = !old_b ? ACTION_CREATE : !new_b ? ACTION_DELETE : ACTION_CHANGE;
	*out = p;
	return p.n > 0;
}

static void
set_flag(struct arena *mem, struct value *v, const char *key, bool on)
{
	if (on)
		value_set(mem, v, key, value_bool(mem, true));
}

struct value *
plan_value(struct arena *mem, const struct unit_plan *p)
{
	struct value *v = value_map(mem), *list = value_list(mem);

	value_set(mem, v, "unit", value_str(mem, p->unit));
	value_set(mem, v, "action", value_str(mem, action_name(p->action)));
	set_flag(mem, v, "restarts", p->restarts);
	set_flag(mem, v, "recreates", p->recreates);
	set_flag(mem, v, "dataAtStake", p->data);
	set_flag(mem, v, "refused", p->refused);
	for (size_t i = 0; i < p->n; i++) {
		const struct object_change *c = &p->objects[i];
		struct value *o = value_map(mem), *fields = value_list(mem);

		value_set(mem, o, "object", value_str(mem, c->id));
		value_set(mem, o, "action", value_str(mem, action_name(c->action)));
		for (size_t j = 0; j < c->nfields; j++)
			value_push(mem, fields, value_str(mem, c->fields[j]));
		if (c->nfields)
			value_set(mem, o, "fields", fields);
		set_flag(mem, o, "restarts", c->restarts);
		set_flag(mem, o, "pauses", c->pauses);
		set_flag(mem, o, "resumes", c->resumes);
		set_flag(mem, o, "dataAtStake", c->data);
		set_flag(mem, o, "keptInCluster", c->kept);
		if (c->sealed)
			value_set(mem, o, "sealed", value_str(mem, c->sealed));
		value_push(mem, list, o);
	}
	value_set(mem, v, "objects", list);
	return v;
}
