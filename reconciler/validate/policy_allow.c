/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use what: flavors by role and team, images, load balancers, packages that need root. */
#include <string.h>

#include "lib/base/str.h"
#include "validate/rules.h"

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

static void
rule_packages(struct rules *c)
{
	static const char *const managers[] = { "apt", "yum" };
	const struct value *packages = rules_get(c, "packages");
	struct finding *f;

	if (value_as_bool(rules_doc(c->env->flavor, "rootEntry"), false))
		return;
	for (size_t i = 0; i < sizeof(managers) / sizeof(*managers); i++) {
		const struct value *list = value_get(packages, managers[i]);

		if (!value_len(list))
			continue;
		f = say(c->r, NOT_PERMITTED, rules_place(c, list), "%s packages need a flavor with rootEntry, '%s' has none", managers[i],
		        c->env->flavor->name);
		finding_help(c->r, f, "take the tool from conda or pip, an image that has it, or a flavor with rootEntry: true");
		finding_note(c->r, f, "flavor set up at %s", c->env->flavor->path);
	}
}

void
rules_allow(struct rules *c)
{
	rule_flavor_role(c);
	rule_flavor_team(c);
	rule_team_member(c);
	rule_image(c);
	rule_load_balancer(c);
	rule_packages(c);
}
