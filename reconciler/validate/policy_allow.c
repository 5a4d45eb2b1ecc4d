/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use what: flavors by role and team, images, load balancers. */
#include <string.h>

#include "lib/base/str.h"
#include "validate/rules.h"
#include "validate/site_rules.h"

#define ROLE_DEFAULT "standard"

static const char *
role_of(const struct rules *c)
{
	return value_as_str(rules_doc(c->env->user, "role"), ROLE_DEFAULT);
}

/* True when a glob of `list` matches; no list allows everything, a NULL word only where everything is allowed. */
static bool
list_allows(const struct value *list, const char *word)
{
	if (!value_is(list, VALUE_LIST))
		return true;
	for (size_t i = 0; i < value_len(list); i++) {
		const char *glob = value_as_str(value_item(list, i), "");

		if (strcmp(glob, "*") == 0 || (word && str_glob(glob, word)))
			return true;
	}
	return false;
}

static bool
list_names(const struct value *list, const char *word)
{
	for (size_t i = 0; i < value_len(list) && value_is(list, VALUE_LIST); i++)
		if (str_eq(value_as_str(value_item(list, i), NULL), word))
			return true;
	return false;
}

/* "a, b, c" for a help text. */
static const char *
list_text(const struct rules *c, const struct value *list)
{
	const char *text = "";

	for (size_t i = 0; i < value_len(list) && i < 8; i++)
		text = arena_printf(c->mem, "%s%s%s", text, i ? ", " : "", say_text(c->mem, value_as_str(value_item(list, i), "?")));
	return value_len(list) > 8 ? arena_printf(c->mem, "%s, …", text) : text;
}

static void
rule_flavor_role(struct rules *c)
{
	const struct value *list = rules_doc(c->env->flavor, "allow.roles");
	struct finding *f;

	if (list_allows(list, role_of(c)))
		return;
	f = say(c->r, NOT_PERMITTED, rules_place(c, NULL), "flavor '%s' is not for the role '%s' of %s", c->env->flavor->name,
	        role_of(c), c->env->owner);
	finding_help(c->r, f, "choose another flavor; this one is for: %s", list_text(c, list));
	finding_note(c->r, f, "limit set at %s", say_place(c->mem, list));
}

static void
rule_flavor_team(struct rules *c)
{
	const struct value *list = rules_doc(c->env->flavor, "allow.teams");
	const char *team = c->env->team ? c->env->team->name : NULL;
	struct finding *f;

	if (!list_allows(list, team)) {
		f = say(c->r, NOT_PERMITTED, rules_place(c, NULL), "flavor '%s' is not for %s%s", c->env->flavor->name,
		        team ? "team " : "environments without a team", team ? team : "");
		finding_help(c->r, f, "choose another flavor; this one is for: %s", list_text(c, list));
		finding_note(c->r, f, "limit set at %s", say_place(c->mem, list));
	}
	list = rules_doc(c->env->team, "flavors");
	if (!list_allows(list, c->env->flavor->name)) {
		f = say(c->r, NOT_PERMITTED, rules_place(c, NULL), "team '%s' may not use flavor '%s'", team, c->env->flavor->name);
		finding_help(c->r, f, "choose one of: %s", list_text(c, list));
		finding_note(c->r, f, "limit set at %s", say_place(c->mem, list));
	}
}

/* A team's quota and budget are its members'. */
static void
rule_team_member(struct rules *c)
{
	const struct value *teams = rules_doc(c->env->user, "teams"), *team = rules_get(c, "team");
	struct finding *f;

	if (!c->env->team)
		return;
	for (size_t i = 0; i < value_len(teams); i++)
		if (str_eq(value_as_str(value_item(teams, i), NULL), c->env->team->name))
			return;
	f = say(c->r, NOT_PERMITTED, rules_place(c, team), "%s is not in team '%s'", c->env->owner, c->env->team->name);
	if (value_len(teams))
		finding_help(c->r, f, "choose one of: %s", list_text(c, teams));
	else
		finding_help(c->r, f, "leave the team out; an administrator can add it to %s", c->env->user->path);
	finding_note(c->r, f, "teams are listed in %s", c->env->user->path);
}

static void
rule_image(struct rules *c)
{
	const struct value *allow = rules_doc(c->env->org, "images.allow"), *digest = rules_doc(c->env->org, "images.requireDigest");
	const struct value *image = rules_get(c, "image");
	struct finding *f;

	/* entries of the catalogue are reviewed where they are added */
	if (!c->env->image && !list_allows(allow, c->env->image_ref)) {
		f = say(c->r, NOT_PERMITTED, rules_place(c, image), "image '%s' is not allowed", say_text(c->mem, c->env->image_ref));
		finding_help(c->r, f, "take one of the catalogue in images/, or one that matches: %s", list_text(c, allow));
		finding_note(c->r, f, "limit set at %s", say_place(c->mem, allow));
	}
	if (value_as_bool(digest, false) && !strstr(c->env->image_ref, "@sha256:")) {
		f = say(c->r, NOT_PERMITTED, rules_place(c, image), "image '%s' names no digest", say_text(c->mem, c->env->image_ref));
		finding_help(c->r, f, "write it as NAME@sha256:…%s%s", c->env->image ? " in " : "",
		             c->env->image ? c->env->image->path : "");
		finding_note(c->r, f, "limit set at %s", say_place(c->mem, digest));
	}
}

/* An address of its own costs money and faces the internet: nobody has it unless a role is named. */
static void
rule_load_balancer(struct rules *c)
{
	const struct value *via = rules_get(c, "access.ssh.via"), *roles = rules_doc(c->env->org, "access.loadBalancer");
	struct finding *f;

	if (!str_eq(value_as_str(via, NULL), "loadBalancer") || (roles && list_allows(roles, role_of(c))))
		return;
	f = say(c->r, NOT_PERMITTED, rules_place(c, via), "the role '%s' of %s may not have a load balancer", role_of(c),
	        c->env->owner);
	finding_help(c->r, f, "write via: bastion%s%s", value_len(roles) ? "; load balancers are for: " : "", list_text(c, roles));
	finding_note(c->r, f, "limit set at %s", roles ? say_place(c->mem, roles) : "berth.yaml, which has no access.loadBalancer");
}

/* Data is granted to teams; who is in none has none. */
static void
rule_datasets(struct rules *c)
{
	const struct value *granted = rules_doc(c->env->team, "datasets"), *used = rules_get(c, "datasets");
	struct finding *f;

	for (size_t i = 0; i < value_len(used) && value_is(used, VALUE_LIST); i++) {
		const struct value *name = value_get(value_item(used, i), "name");

		if (!value_is(name, VALUE_STR) || (granted && list_allows(granted, name->str.s)))
			continue;
		f = say(c->r, NOT_PERMITTED, rules_place(c, name), "dataset '%s' is not granted to %s%s", say_text(c->mem, name->str.s),
		        c->env->team ? "team " : "environments without a team", c->env->team ? c->env->team->name : "");
		if (value_len(granted))
			finding_help(c->r, f, "take it out; the team has: %s", list_text(c, granted));
		else
			finding_help(c->r, f, "take it out; an administrator can add it to datasets in teams/<name>.yaml");
		if (granted)
			finding_note(c->r, f, "limit set at %s", say_place(c->mem, granted));
		else if (c->env->team)
			finding_note(c->r, f, "limit set at %s, which has no datasets", c->env->team->path);
	}
}

/* A flavor's nodes are part of what it allows: another node group is another flavor. */
static void
rule_nodes(struct rules *c)
{
	const struct value *own = rules_get(c, "scheduling.nodeSelector"), *of = rules_doc(c->env->flavor, "nodeSelector");
	struct finding *f;

	rules_label_keys(c->r, own, "scheduling.nodeSelector");
	for (size_t i = 0; value_is(own, VALUE_MAP) && i < own->map.n; i++) {
		const struct value *there = value_get(of, own->map.items[i].key);

		if (!there || value_equal(there, own->map.items[i].value))
			continue;
		f = say(c->r, NOT_PERMITTED, rules_place(c, own->map.items[i].value), "flavor '%s' sets the node label %s already",
		        c->env->flavor->name, own->map.items[i].key);
		finding_help(c->r, f, "take it out, or choose the flavor of the nodes you want");
		finding_note(c->r, f, "limit set at %s", say_place(c->mem, there));
	}
}

static void
rule_cache(struct rules *c)
{
	const struct value *v = rules_get(c, "cache.redis");
	struct finding *f;

	if (!str_eq(value_as_str(v, NULL), "team") || rules_doc(c->env->team, "cache.redis"))
		return;
	f = say(c->r, NOT_FOUND, rules_place(c, v), "%s%s has no cache", c->env->team ? "team " : "an environment without a team",
	        c->env->team ? c->env->team->name : "");
	finding_help(c->r, f, "write redis: none; an administrator can set cache.redis in teams/<name>.yaml");
}

/* Kueue admits only what a queue's quota covers, and says so nowhere but in the workload: pods would wait for ever. */
static void
rule_queue(struct rules *c)
{
	const struct value *features = rules_doc(c->env->org, "cluster.features"), *name = rules_get(c, "scheduling.queue");
	const struct value *teams = rules_doc(c->env->user, "teams"), *queue, *quota;
	const struct doc *team = c->env->team;
	struct finding *f;

	if (!list_names(features, "kueue"))
		return;
	if (value_is(name, VALUE_STR) && strcmp(name->str.s, "default") != 0) {
		team = list_names(teams, name->str.s) ? site_get(c->s, KIND_TEAM, name->str.s) : NULL;
		if (!rules_doc(team, "queue")) {
			f = say(c->r, NOT_FOUND, rules_place(c, name), "%s has no queue '%s'", c->env->owner, say_text(c->mem, name->str.s));
			finding_help(c->r, f, "leave it out: the team's queue is the default; queues have the names of the user's teams");
			return;
		}
	}
	queue = rules_doc(team, "queue");
	quota = value_get(queue, "quota");
	if (!queue || value_get(quota, c->env->flavor->name))
		return;
	f = say(c->r, NOT_PERMITTED, rules_place(c, NULL), "the queue of team '%s' has no quota for flavor '%s'", team->name,
	        c->env->flavor->name);
	finding_help(c->r, f, "choose a flavor that is there; an administrator can add it to queue.quota");
	finding_note(c->r, f, "limit set at %s", say_place(c->mem, quota ? quota : queue));
}

void
rules_allow(struct rules *c)
{
	rule_flavor_role(c);
	rule_flavor_team(c);
	rule_team_member(c);
	rule_image(c);
	rule_load_balancer(c);
	rule_datasets(c);
	rule_nodes(c);
	rule_cache(c);
	rule_queue(c);
}
