/* SPDX-License-Identifier: Apache-2.0 */
/* References between shared documents: who and what users, teams, flavors, images and the organization name. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "validate/rules.h"
#include "validate/site_rules.h"
#include "validate/validate.h"

#define HELP_MAX 20 /* a nearest name costs a walk over all names */

/* -- references -------------------------------------------------------------------------------------------------- */

static void
check_name(struct site_rules *c, const struct value *v, enum kind k)
{
	struct finding *f;

	if (!value_is(v, VALUE_STR) || site_get(c->s, k, v->str.s))
		return;
	f = say(c->r, NOT_FOUND, v->at, "there is no %s '%s'", kinds[k].noun, say_text(c->r->mem, v->str.s));
	f->width = v->str.len;
	if (c->helped++ < HELP_MAX)
		say_nearest(c->r, f, c->s, k, v->str.s);
	else
		finding_help(c->r, f, "add %s/%s.yaml, or take the name out", kinds[k].folder, say_text(c->r->mem, v->str.s));
}

static void
check_names(struct site_rules *c, const struct value *list, enum kind k)
{
	for (size_t i = 0; i < value_len(list) && value_is(list, VALUE_LIST); i++)
		check_name(c, value_item(list, i), k);
}

/* "a, b, c" of the keys of a map. */
static const char *
keys_text(struct arena *mem, const struct value *map)
{
	const char *text = "";

	for (size_t i = 0; i < map->map.n && i < 8; i++)
		text = arena_printf(mem, "%s%s%s", text, i ? ", " : "", say_text(mem, map->map.items[i].key));
	return map->map.n > 8 ? arena_printf(mem, "%s, …", text) : text;
}

static void
check_role(struct site_rules *c, const struct value *v)
{
	const struct value *roles = rules_doc(c->s->org, "roles");

	if (value_is(v, VALUE_STR) && value_is(roles, VALUE_MAP) && !value_get(roles, v->str.s))
		rules_no_role(c->r, v->at, v->str.s, roles);
}

void
rules_no_role(struct report *r, struct place at, const char *role, const struct value *roles)
{
	struct finding *f = say(r, NOT_FOUND, at, "berth.yaml has no role '%s'", say_text(r->mem, role));

	finding_help(r, f, "name one of the roles there (%s), or add it", roles->map.n ? keys_text(r->mem, roles) : "none so far");
	finding_note(r, f, "roles are set at %s", say_place(r->mem, roles));
}

/* -- two users that would be one --------------------------------------------------------------------------------- */

/* What tells users apart outside of berth: in the ledger, at sign-in, in mail. */
static const struct {
	const char *field, *why;
	bool fold; /* mail servers and sign-ins take Bo@ for bo@ */
	bool name; /* who has none goes by the user's name */
} unique_rows[] = {
	{ "uid", "a uid is one person's for ever", false, false },
	{ "email", "an address is one person's", true, false },
	{ "oidc", "a sign-in is one person's", false, false },
	{ "forge.login", "an account of the forge is one person's, and who names none has the one of their name here", true, true },
};

#define UNIQUE_COUNT (sizeof(unique_rows) / sizeof(*unique_rows))

static const char *
folded(struct arena *mem, const char *s, bool fold)
{
	char *out = arena_strdup(mem, s);

	for (char *p = out; fold && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return out;
}

static const struct value *
name_value(struct arena *mem, const struct doc *user)
{
	struct value *v = value_str(mem, user->name);

	v->at = user->root->at;
	v->at.file = user->path;
	return v;
}

static void
check_unique(struct site_rules *c, const struct doc *user, struct map seen[UNIQUE_COUNT])
{
	for (size_t i = 0; i < UNIQUE_COUNT; i++) {
		const struct value *v = value_at(user->spec, unique_rows[i].field), *first;
		const char *key;
		struct finding *f;

		if (!v && unique_rows[i].name)
			v = name_value(c->r->mem, user);

		if (!value_is(v, VALUE_STR))
			continue;
		key = folded(c->r->mem, v->str.s, unique_rows[i].fold);
		first = map_get(&seen[i], key);
		if (!first) {
			/* the map hands out void pointers; nothing is changed through it */
			(void)map_put(&seen[i], key, (void *)(uintptr_t)v);
			continue;
		}
		f = say(c->r, NAME_TAKEN, v->at, "%s '%s' belongs to another user already", unique_rows[i].field,
		        say_text(c->r->mem, v->str.s));
		f->width = v->str.len;
		finding_help(c->r, f, "give each user their own: %s", unique_rows[i].why);
		finding_note(c->r, f, "first used at %s", say_place(c->r->mem, first));
	}
}

/* -- kind by kind ------------------------------------------------------------------------------------------------ */

static void
check_org(struct site_rules *c, const struct doc *d)
{
	const struct value *balancers = value_at(d->spec, "access.loadBalancer");

	check_names(c, value_at(d->spec, "approvals.admins"), KIND_USER);
	for (size_t i = 0; i < value_len(balancers) && value_is(balancers, VALUE_LIST); i++)
		check_role(c, value_item(balancers, i));
}

static void
check_user(struct site_rules *c, const struct doc *d)
{
	check_role(c, value_get(d->spec, "role"));
	check_names(c, value_get(d->spec, "teams"), KIND_TEAM);
}

static void
check_team(struct site_rules *c, const struct doc *d)
{
	const struct value *quota = value_at(d->spec, "queue.quota");

	check_names(c, value_get(d->spec, "admins"), KIND_USER);
	check_names(c, value_get(d->spec, "flavors"), KIND_FLAVOR);
	check_names(c, value_get(d->spec, "datasets"), KIND_DATASET);
	for (size_t i = 0; value_is(quota, VALUE_MAP) && i < quota->map.n; i++) {
		struct value name = { .type = VALUE_STR, .at = quota->map.items[i].at };

		name.str.s = quota->map.items[i].key;
		name.str.len = strlen(name.str.s);
		check_name(c, &name, KIND_FLAVOR);
	}
}

static void
check_flavor(struct site_rules *c, const struct doc *d)
{
	const struct value *roles = value_at(d->spec, "allow.roles"), *teams = value_at(d->spec, "allow.teams");

	for (size_t i = 0; i < value_len(roles) && value_is(roles, VALUE_LIST); i++)
		check_role(c, value_item(roles, i));
	for (size_t i = 0; i < value_len(teams) && value_is(teams, VALUE_LIST); i++)
		if (!strchr(value_as_str(value_item(teams, i), "*"), '*'))
			check_name(c, value_item(teams, i), KIND_TEAM);
}

/* -- the whole --------------------------------------------------------------------------------------------------- */

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(const struct doc *const *)a)->name, (*(const struct doc *const *)b)->name);
}

/* In the order of names: what is said must not depend on the order in which files were read. */
static void
each_doc(struct site_rules *c, enum kind k, struct map *seen)
{
	const struct map *m = &c->s->docs[k];
	const struct doc **docs = arena_array(c->r->mem, m->live + 1, sizeof(*docs));
	size_t n = 0;
	void *v;

	for (size_t i = 0; map_next(m, &i, NULL, &v);)
		docs[n++] = v;
	qsort(docs, n, sizeof(*docs), by_name);
	for (size_t i = 0; i < n; i++) {
		if (c->r->errors > REPORT_MAX)
			return; /* what nobody will be shown must not fill the memory */
		if (!docs[i]->spec)
			continue;
		if (k == KIND_USER) {
			check_user(c, docs[i]);
			check_unique(c, docs[i], seen);
		} else if (k == KIND_TEAM) {
			check_team(c, docs[i]);
		} else if (k == KIND_FLAVOR) {
			check_flavor(c, docs[i]);
		}
		site_rules_doc(c, docs[i]);
	}
}

void
validate_site(const struct site *s, struct report *r)
{
	struct site_rules c = { .s = s, .r = r };
	struct map seen[UNIQUE_COUNT] = { MAP_INIT, MAP_INIT, MAP_INIT };

	if (s->org && s->org->spec) {
		check_org(&c, s->org);
		site_rules_doc(&c, s->org);
	}
	for (enum kind k = KIND_FLAVOR; k <= KIND_USER; k++)
		each_doc(&c, k, seen);
	for (size_t i = 0; i < UNIQUE_COUNT; i++)
		map_free(&seen[i]);
}
