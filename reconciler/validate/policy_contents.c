/* SPDX-License-Identifier: Apache-2.0 */
/* What is put into an environment: packages, repositories, data. */
#include <string.h>

#include "lib/base/str.h"
#include "parse/dataset.h"
#include "parse/packages.h"
#include "validate/rules.h"
#include "validate/site_rules.h"

/* -- packages ---------------------------------------------------------------------------------------------------- */

static const struct {
	const char *manager, *family, *instead;
} system_packages[] = {
	{ "apt", "debian", "yum" },
	{ "yum", "rhel", "apt" },
};

/* Where to go for it: the flavors that grant a root entry, or that there is none. */
static const char *
root_flavors(struct rules *c)
{
	struct buf out AUTO_BUF = BUF_INIT(400);
	const char *name;
	void *d;

	for (size_t i = 0; map_next(&c->s->docs[KIND_FLAVOR], &i, &name, &d);)
		if (value_as_bool(rules_doc(d, "rootEntry"), false) && out.len + strlen(name) < 300)
			buf_printf(&out, "%s%s", out.len ? ", " : "", name);
	return out.len ? arena_strndup(c->mem, buf_cstr(&out), out.len) : NULL;
}

static void
rule_root(struct rules *c, const struct value *list, const char *manager)
{
	const struct doc *flavor = c->env->flavor;
	const char *others;
	struct finding *f;

	if (value_as_bool(rules_doc(flavor, "rootEntry"), false))
		return;
	others = root_flavors(c);
	f = say(c->r, NOT_PERMITTED, rules_place(c, list), "%s packages need a flavor with rootEntry, '%s' has none", manager, flavor->name);
	finding_help(c->r, f, "take them from conda or pip or an image that has them, or choose a flavor with rootEntry: true (%s)",
	             others ? others : "an administrator can make one");
	finding_note(c->r, f, "flavor set up at %s", flavor->path);
}

static void
rule_family(struct rules *c, const struct value *list, size_t i)
{
	const char *family = value_as_str(rules_doc(c->env->image, "family"), "debian");
	struct finding *f;

	if (!c->env->image || strcmp(family, system_packages[i].family) == 0)
		return;
	f = say(c->r, INCONSISTENT, rules_place(c, list), "image '%s' is of the family %s, which has no %s", c->env->image->name, family,
	        system_packages[i].manager);
	if (strcmp(family, "alpine") == 0)
		finding_help(c->r, f, "take them from conda or pip, or choose an image of the family %s", system_packages[i].family);
	else
		finding_help(c->r, f, "write %s: with the names that they have there, or choose an image of the family %s",
		             system_packages[i].instead, system_packages[i].family);
	finding_note(c->r, f, "image set up at %s", c->env->image->path);
}

static void
rule_packages(struct rules *c)
{
	for (size_t i = 0; i < sizeof(system_packages) / sizeof(*system_packages); i++) {
		const struct value *own = value_get(rules_get(c, "packages"), system_packages[i].manager);
		const struct value *image = value_get(rules_doc(c->env->image, "packages"), system_packages[i].manager);
		const struct value *list = value_len(own) ? own : image;

		if (!value_len(list))
			continue;
		rule_root(c, list, system_packages[i].manager);
		rule_family(c, list, i);
	}
}

/* -- repositories ------------------------------------------------------------------------------------------------ */

/* A name in a URL of the web is a token more often than not, and one behind ':' is a password: everybody reads them here. */
void
rules_git_url(struct report *r, const struct value *url, struct place at)
{
	const char *s = value_as_str(url, ""), *host = strstr(s, "://"), *end, *colon;
	struct finding *f;

	if (!host)
		return;
	host += 3;
	end = memchr(host, '@', strcspn(host, "/"));
	if (!end)
		return;
	colon = memchr(host, ':', (size_t)(end - host));
	if (str_starts(s, "ssh://") && !colon)
		return;
	f = say(r, NOT_PERMITTED, at, "the URL holds a name or password before its '@', which everybody with access to this repository can read");
	finding_help(r, f, "write the URL without it, and give the credential to git in the environment");
}

/* "/a" holds "/a" and "/a/b". */
static bool
path_holds(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return strncmp(dir, path, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Whether a volume that people can write is mounted at or above `path`; elsewhere it could not be made, or would be lost. */
static bool
on_volume(struct rules *c, const char *path)
{
	const struct value *volumes = rules_get(c, "volumes"), *checkpoints = rules_get(c, "checkpoints");

	if (path_holds("/home/dev", path))
		return true;
	if (path_holds("/shared", path))
		return rules_get(c, "sharedVolumeClaimName") || rules_doc(c->env->user, "sharedVolume");
	if (checkpoints && path_holds(value_as_str(value_get(checkpoints, "path"), "/checkpoints"), path))
		return true;
	for (size_t i = 0; i < value_len(volumes); i++)
		if (path_holds(value_as_str(value_get(value_item(volumes, i), "path"), "/nowhere"), path))
			return true;
	return false;
}

static void
rule_repository_path(struct rules *c, const struct repository *r, struct place at)
{
	struct finding *f;

	if (!rules_path_plain(r->path) || str_eq(strrchr(r->path, '/'), "/")) {
		f = say(c->r, NOT_PERMITTED, at, "'%s' is no place for a clone", say_text(c->mem, r->path));
		finding_help(c->r, f, "write a path such as /home/dev/vit, without ':' and without '.' or '..' parts");
	} else if (strcmp(r->path, "/home/dev") == 0 || path_holds("/home/dev/.berth", r->path) || path_holds("/home/dev/.ssh", r->path)) {
		f = say(c->r, NAME_TAKEN, at, "%s is taken by the environment itself", say_text(c->mem, r->path));
		finding_help(c->r, f, "write a path of its own, such as /home/dev/vit");
	} else if (!on_volume(c, r->path)) {
		f = say(c->r, INCONSISTENT, at, "no volume is mounted at or above %s", say_text(c->mem, r->path));
		finding_help(c->r, f, "write a path below /home/dev, or below the path of one of spec.volumes");
	}
}

static void
rule_repositories(struct rules *c)
{
	const struct value *list = rules_get(c, "repositories");
	size_t n = value_is(list, VALUE_LIST) ? value_len(list) : 0;
	struct repository *all = arena_array(c->mem, n + 1, sizeof(*all));
	struct finding *f;

	for (size_t i = 0; i < n; i++) {
		const struct value *item = value_item(list, i), *path = value_get(item, "path"), *url = value_get(item, "url");
		struct place at = rules_place(c, path ? path : url ? url : item);

		env_repository(c->mem, item, &all[i]);
		rules_git_url(c->r, url, rules_place(c, url));
		rule_repository_path(c, &all[i], at);
		for (size_t k = 0; k < i; k++) {
			if (!path_holds(all[k].path, all[i].path) && !path_holds(all[i].path, all[k].path))
				continue;
			f = say(c->r, NAME_TAKEN, at, "two repositories at %s", say_text(c->mem, all[i].path));
			finding_help(c->r, f, "give each a path of its own, none inside of another");
			finding_note(c->r, f, "the other one is at %s", say_place(c->mem, value_item(list, k)));
			break;
		}
	}
}

/* -- datasets ---------------------------------------------------------------------------------------------------- */

static void
rule_dataset(struct rules *c, size_t i)
{
	const struct value *item = value_item(rules_get(c, "datasets"), i), *stage = value_get(item, "stage");
	const struct doc *d = c->env->datasets[i];
	const struct value *namespace_ = rules_doc(d, "claim.namespace");
	struct place at = rules_place(c, stage ? stage : value_get(item, "name"));
	struct dataset_use u;
	struct finding *f;

	if (!d)
		return;
	env_dataset(c->mem, c->env, i, &u);
	if (u.bucket && strcmp(u.stage, "mount") == 0) {
		f = say(c->r, INCONSISTENT, at, "dataset '%s' is in a bucket, which cannot be mounted", u.name);
		finding_help(c->r, f, "write stage: nvme for a copy on a local disk, or stage: stream to read objects with berth-data");
	}
	if (u.copied && u.size <= 0) {
		f = say(c->r, INCONSISTENT, at, "dataset '%s' says no size, and stage: %s makes a copy of it", u.name, u.stage);
		finding_help(c->r, f, "an administrator writes size: 150Gi, or how much it is, in %s; or write stage: %s", d->path,
		             u.bucket ? "stream" : "mount");
	}
	if (!value_is(namespace_, VALUE_STR) || strcmp(namespace_->str.s, c->env->namespace_) == 0)
		return;
	f = report_add(c->r, FINDING_CLAIM_ELSEWHERE, SEVERITY_WARNING, namespace_->at,
	               "a pod of %s cannot mount the claim '%s' of namespace %s", c->env->namespace_, u.claim ? u.claim : "",
	               say_text(c->mem, namespace_->str.s));
	finding_help(c->r, f, "make a claim of this name in %s, and take namespace out", c->env->namespace_);
}

static void
rule_datasets(struct rules *c)
{
	for (size_t i = 0; i < value_len(rules_get(c, "datasets")) && i < c->env->ndatasets; i++)
		rule_dataset(c, i);
}

void
rules_contents(struct rules *c)
{
	rule_packages(c);
	rule_repositories(c);
	rule_datasets(c);
}
