/* SPDX-License-Identifier: Apache-2.0 */
/* Units and objects: small, and many. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/kube_priv.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define ENDED_MS 600000

const char *
kobj_key(struct arena *mem, const struct kube_kind *kind, const char *ns, const char *name)
{
	return arena_printf(mem, "%s/%s/%s/%s", kind->group, kind->kind, kind->namespaced && ns ? ns : "", name);
}

bool
key_split(const char *key, char buf[512], struct key_parts *out)
{
	char *part[4];
	size_t n = 0;

	if (strlen(key) >= 512)
		return false;
	memcpy(buf, key, strlen(key) + 1);
	part[n++] = buf;
	for (char *c = buf; *c; c++)
		if (*c == '/') {
			*c = '\0';
			if (n == 4)
				return false;
			part[n++] = c + 1;
		}
	if (n != 4)
		return false;
	*out = (struct key_parts){ part[0], part[1], *part[2] ? part[2] : NULL, part[3] };
	return true;
}

/* -- units ------------------------------------------------------------------------------------------------------------------ */

/* Lower-case letters, digits and dashes up to the next '/' or the end; NULL when there are none. */
static const char *
past_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= 63 && *s != '-' && s[n - 1] != '-' ? s + n : NULL;
}

bool
unit_name_valid(const char *name)
{
	const char *end;

	if (strcmp(name, "org") == 0)
		return true;
	if (str_starts(name, "users/") || str_starts(name, "teams/"))
		return (end = past_name(name + 6)) && !*end;
	return str_starts(name, "envs/") && (end = past_name(name + 5)) && *end == '/' && (end = past_name(end + 1)) && !*end;
}

struct kunit *
unit_get(struct target_kube *t, const char *name)
{
	return map_get(&t->units, name);
}

/* The map's own copy of the key. */
static const char *
key_of(const struct map *m)
{
	return m->slots[m->n - 1].key;
}

struct kunit *
unit_make(struct target_kube *t, const char *name)
{
	struct kunit *u = map_get(&t->units, name);

	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		abort();
	(void)map_put(&t->units, name, u);
	u->name = key_of(&t->units);
	return u;
}

bool
unit_empty(const struct kunit *u)
{
	return !u->objects && !u->pods;
}

static void
replace_text(char **at, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		abort();
	free(*at);
	*at = copy;
}

void
unit_set_drift(struct kunit *u, const char *by, const char *what)
{
	replace_text(&u->drift_by, by);
	replace_text(&u->drift_what, what);
}

void
unit_set_ended(struct kunit *u, const struct kpod *p)
{
	u->ended.health = p ? p->health : HEALTH_UNKNOWN;
	u->ended.reason = p ? p->reason : NULL;
	u->ended.until = p ? clock_mono_ms() + ENDED_MS : 0;
	replace_text(&u->ended.message, p ? p->message : NULL);
}

static void
add_to(struct kunit ***list, size_t *n, size_t *cap, struct kunit *u)
{
	if (*n == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		*list = realloc(*list, *cap * sizeof(**list));
		if (!*list)
			abort();
	}
	(*list)[(*n)++] = u;
}

void
unit_dirty(struct target_kube *t, struct kunit *u, int64_t due)
{
	if (u->dirty) {
		if (due < u->due)
			u->due = due;
		return;
	}
	u->dirty = true;
	u->due = due;
	add_to(&t->dirty, &t->ndirty, &t->dirty_cap, u);
}

void
unit_touch(struct target_kube *t, struct kunit *u)
{
	if (u->changed)
		return;
	u->changed = true;
	add_to(&t->changed, &t->nchanged, &t->changed_cap, u);
}

static void
drop_from(struct kunit **list, size_t *n, const struct kunit *u)
{
	for (size_t i = 0; i < *n; i++)
		if (list[i] == u) {
			list[i] = list[--*n];
			return;
		}
}

static void
unit_free(struct kunit *u)
{
	free(u->drift_by);
	free(u->drift_what);
	free(u->ended.message);
	free(u->address);
	free(u);
}

/* A unit without objects and pods is gone; that it went is still to be told (target_kube.c frees it then). */
void
unit_done(struct target_kube *t, struct kunit *u)
{
	if (u->dirty) {
		u->dirty = false;
		drop_from(t->dirty, &t->ndirty, u);
	}
	unit_touch(t, u);
}

/* -- objects ------------------------------------------------------------------------------------------------------------------ */

struct kobj *
kobj_get(struct target_kube *t, const char *key)
{
	return map_get(&t->objects, key);
}

struct kobj *
kobj_make(struct target_kube *t, const char *key, const struct kube_kind *kind, struct kunit *u)
{
	struct kobj *o = map_get(&t->objects, key);

	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		abort();
	(void)map_put(&t->objects, key, o);
	o->key = key_of(&t->objects);
	o->kind = kind;
	o->stage = (uint8_t)stage_of(kind);
	o->unit = u;
	o->next = u->objects;
	u->objects = o;
	return o;
}

static void
unlink_object(struct kobj *o)
{
	struct kobj **at = &o->unit->objects;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
}

void
kobj_move(struct kobj *o, struct kunit *u)
{
	if (o->unit == u)
		return;
	if (o->unit->address_of == o)
		o->unit->address_of = NULL;
	unlink_object(o);
	if (o->op) { /* counted in the unit that it is done for */
		unsigned *from = o->op->what == OP_APPLY ? o->unit->todo : o->unit->undo;
		unsigned *to = o->op->what == OP_APPLY ? u->todo : u->undo;

		from[o->stage]--;
		to[o->stage]++;
	}
	o->unit = u;
	o->next = u->objects;
	u->objects = o;
}

void
kobj_forget(struct target_kube *t, struct kobj *o)
{
	struct kunit *u = o->unit;

	unlink_object(o);
	if (u->address_of == o) {
		u->address_of = NULL;
		replace_text(&u->address, NULL);
	}
	free(o->message);
	free(o->error);
	(void)map_del(&t->objects, o->key);
	free(o);
	if (unit_empty(u))
		unit_done(t, u);
	else
		unit_touch(t, u);
}

void
kobj_error(struct kobj *o, const char *why, const char *text)
{
	o->why = text ? why : NULL;
	replace_text(&o->error, text);
}

void
kobj_health(struct kobj *o, const struct health_view *h)
{
	o->health = (uint8_t)h->health;
	o->reason = h->reason;
	replace_text(&o->message, h->message);
}

void
kobj_lives(struct kobj *o)
{
	o->live = true;
	o->maybe = false;
	if (o->health != HEALTH_READY && !o->deleting && !kind_whole(o->kind))
		kobj_health(o, &(struct health_view){ .health = HEALTH_READY });
}

bool
kobj_absent(const struct kobj *o)
{
	return !o->live && !o->maybe;
}

void
store_free(struct target_kube *t)
{
	void *v;

	for (size_t i = 0; map_next(&t->objects, &i, NULL, &v);) {
		struct kobj *o = v;

		free(o->message);
		free(o->error);
		free(o);
	}
	for (size_t i = 0; map_next(&t->units, &i, NULL, &v);)
		unit_free(v);
	for (size_t i = 0; map_next(&t->pods, &i, NULL, &v);) {
		free(((struct kpod *)v)->message);
		free(v);
	}
	map_free(&t->objects);
	map_free(&t->units);
	map_free(&t->pods);
	map_free(&t->prunes);
	free(t->dirty);
	free(t->changed);
}

void
unit_delete(struct target_kube *t, struct kunit *u)
{
	if (u->dirty)
		drop_from(t->dirty, &t->ndirty, u);
	if (u->changed)
		drop_from(t->changed, &t->nchanged, u);
	(void)map_del(&t->units, u->name);
	unit_free(u);
}

/* -- order ---------------------------------------------------------------------------------------------------------------------- */

/* What others need to be there comes first, what runs comes late, what leads people to it last. */
static const struct {
	const char *kind;
	enum stage stage;
} stages[] = {
	{ "CustomResourceDefinition", STAGE_FIRST }, { "Namespace", STAGE_FIRST }, { "PriorityClass", STAGE_FIRST },
	{ "StorageClass", STAGE_FIRST }, { "ClusterRole", STAGE_FIRST }, { "RuntimeClass", STAGE_FIRST },
	{ "ResourceFlavor", STAGE_FIRST }, { "Topology", STAGE_FIRST }, { "WorkloadPriorityClass", STAGE_FIRST },
	{ "StatefulSet", STAGE_WORK }, { "Deployment", STAGE_WORK }, { "DaemonSet", STAGE_WORK }, { "Job", STAGE_WORK },
	{ "CronJob", STAGE_WORK }, { "JobSet", STAGE_WORK }, { "Pod", STAGE_WORK },
	{ "HTTPRoute", STAGE_LAST }, { "TCPRoute", STAGE_LAST }, { "Ingress", STAGE_LAST }, { "DNSEndpoint", STAGE_LAST },
	{ "Certificate", STAGE_LAST }, { "PodDisruptionBudget", STAGE_LAST }, { "VerticalPodAutoscaler", STAGE_LAST },
	{ "HorizontalPodAutoscaler", STAGE_LAST },
};

enum stage
stage_of(const struct kube_kind *kind)
{
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
		if (strcmp(stages[i].kind, kind->kind) == 0)
			return stages[i].stage;
	return STAGE_MIDDLE;
}
