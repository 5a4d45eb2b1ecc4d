/* SPDX-License-Identifier: Apache-2.0 */
/* What an environment refers to: documents, files, and the overlay of their defaults. */
#include "parse/refs.h"

#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "parse/secrets.h"

#define IMAGE_GPU "nvidia/cuda:12.6.0-devel-ubuntu22.04"
#define IMAGE_CPU "ubuntu:24.04"
#define HOME_SIZE "20Gi"
#define IDLE_TIMEOUT 3600
#define HELP_MAX 20
#define LIST_MAX 64 /* as in the schema; a document that is over it has been refused already */

/* -- dependencies ----------------------------------------------------------------------------------------------- */

static void
dep_add(struct refs *c, const char *path)
{
	if (map_has(&c->seen, path))
		return;
	(void)map_put(&c->seen, path, c);
	if (c->ndeps == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 16;

		c->deps = arena_regrow(c->mem, c->deps, c->ndeps, cap, sizeof(*c->deps));
		c->cap = cap;
	}
	c->deps[c->ndeps++] = path;
}

/* The document `name` of kind `k`, referred to at `at`; NULL, and a finding, when it is missing or broken. */
static const struct doc *
lookup(struct refs *c, enum kind k, const char *name, struct place at)
{
	const struct doc *d = site_get(c->s, k, name);
	struct finding *f;

	if (name_valid(name))
		dep_add(c, arena_printf(c->mem, "%s/%s.yaml", kinds[k].folder, name));
	if (d && d->ok)
		return d;
	if (!c->r)
		return NULL;
	if (d) {
		f = say(c->r, BROKEN_REFERENCE, at, "%s '%s' has errors of its own", kinds[k].noun, name);
		finding_help(c->r, f, "mend %s first", d->path);
		return NULL;
	}
	f = say(c->r, NOT_FOUND, at, "there is no %s '%s'", kinds[k].noun, say_text(c->mem, name));
	if (c->helped++ < HELP_MAX)
		say_nearest(c->r, f, c->s, k, name);
	return NULL;
}

struct place
refs_place(const struct refs *c, const struct value *v)
{
	return v && v->at.line ? v->at : say_file(c->d->path);
}

/* -- the documents ---------------------------------------------------------------------------------------------- */

static void
find_user(struct refs *c)
{
	const char *path = arena_printf(c->mem, "users/%s.yaml", c->d->owner);
	const struct doc *u = site_get(c->s, KIND_USER, c->d->owner);
	struct finding *f;

	dep_add(c, path);
	if (u && u->ok) {
		c->env->user = u;
		return;
	}
	if (!c->r)
		return;
	if (u) {
		f = say(c->r, BROKEN_REFERENCE, say_file(c->d->path), "the owner's document has errors of its own");
		finding_help(c->r, f, "mend %s first", path);
		return;
	}
	f = say(c->r, NOT_FOUND, say_file(c->d->path), "the owner '%s' has no %s", c->d->owner, path);
	finding_help(c->r, f, "an administrator adds it; or move the file to the folder of an existing user");
}

static void
find_org(struct refs *c)
{
	dep_add(c, "berth.yaml");
	if (c->s->org && c->s->org->ok)
		c->env->org = c->s->org;
	else if (c->s->org && c->r)
		/* at one place for all environments, so that it is shown once */
		say(c->r, BROKEN_REFERENCE, say_file("berth.yaml"), "no environment is rendered while berth.yaml has errors");
}

static void
find_flavor(struct refs *c)
{
	const struct value *v = value_get(c->d->spec, "flavor");

	if (value_is(v, VALUE_STR))
		c->env->flavor = lookup(c, KIND_FLAVOR, v->str.s, v->at);
	else if (c->r && c->d->ok)
		say(c->r, MISSING_FIELD, say_file(c->d->path), "spec.flavor is missing");
}

const struct value *
env_flavor_limit(const struct doc *flavor, const char *key)
{
	const struct value *res = value_get(flavor ? flavor->spec : NULL, "resources");
	const struct value *v = value_get(value_get(res, "limits"), key);

	return v ? v : value_get(value_get(res, "requests"), key);
}

int64_t
refs_gpu(const struct value *spec, const struct doc *flavor, bool *asked)
{
	const struct value *v = value_at(spec, "resources.gpu");
	int64_t n = 0;

	if (asked)
		*asked = v != NULL;
	if (!v)
		v = env_flavor_limit(flavor, GPU_RESOURCE);
	return v && quantity_units(v, &n) < 0 ? -1 : n;
}

/* -- defaults --------------------------------------------------------------------------------------------------- */

static struct value *
defaults_of(const struct doc *d)
{
	struct value *v = value_get(d ? d->spec : NULL, "defaults");

	return value_is(v, VALUE_MAP) ? v : NULL;
}

static struct value *
builtin_defaults(struct refs *c)
{
	struct arena *a = c->mem;
	struct value *spec = value_map(a), *access = value_map(a), *life = value_map(a), *web = value_list(a);
	const struct value *org = c->env->org ? c->env->org->spec : NULL;
	struct value *idle = value_at(org, "lifecycle.idleTimeout.default"), *via = value_at(org, "access.ssh"), *ssh = value_map(a);

	value_set(a, spec, "mode", value_str(a, "standalone"));
	value_set(a, spec, "persistentHomeSize", value_str(a, HOME_SIZE));
	value_set(a, spec, "enableSSH", value_bool(a, true));
	value_push(a, web, value_str(a, "terminal"));
	value_set(a, access, "web", web);
	if (via) {
		value_set(a, ssh, "via", via);
		value_set(a, access, "ssh", ssh);
	}
	value_set(a, spec, "access", access);
	value_set(a, life, "idleTimeout", idle ? idle : value_int(a, IDLE_TIMEOUT));
	value_set(a, life, "autoShutdown", value_bool(a, true));
	value_set(a, life, "paused", value_bool(a, false));
	value_set(a, life, "onDelete", value_str(a, "retain"));
	value_set(a, spec, "lifecycle", life);
	return spec;
}

/* The environment over flavor, image, team, organization (those found so far) and `base`. */
static struct value *
overlay_all(struct refs *c, const struct value *base)
{
	const struct doc *const layers[] = { c->env->org, c->env->team, c->env->image, c->env->flavor };
	struct value *v = value_overlay(c->mem, value_map(c->mem), base);

	for (size_t i = 0; i < sizeof(layers) / sizeof(*layers); i++)
		v = value_overlay(c->mem, v, defaults_of(layers[i]));
	return value_overlay(c->mem, v, c->d->spec);
}

/* What overlay_all without a base has under `key`, for keys whose values are no maps. */
static const struct value *
topmost(const struct refs *c, const char *key)
{
	const struct doc *const layers[] = { c->env->flavor, c->env->image, c->env->team, c->env->org };
	const struct value *v = value_get(c->d->spec, key);

	for (size_t i = 0; !v && i < sizeof(layers) / sizeof(*layers); i++)
		v = value_get(defaults_of(layers[i]), key);
	return v;
}

/* A reference is taken as it is, a name without '/', ':' and '@' stands in the catalogue. */
static void
find_image(struct refs *c, const struct value *v)
{
	if (strpbrk(v->str.s, "/:@")) {
		c->env->image_ref = v->str.s;
		return;
	}
	c->env->image = lookup(c, KIND_IMAGE, v->str.s, refs_place(c, v));
	c->env->image_ref = value_as_str(value_get(c->env->image ? c->env->image->spec : NULL, "image"), NULL);
}

/*
 * Image and team may each give the other as a default, so the one that the environment or its flavor names comes first;
 * what has been selected is not selected again.
 */
static void
find_team_and_image(struct refs *c)
{
	const struct value *image = topmost(c, "image"), *team;
	const struct value *org = defaults_of(c->env->org);
	bool early = value_is(image, VALUE_STR) && image != value_get(org, "image");
	struct value *spec;

	if (early)
		find_image(c, image);
	team = topmost(c, "team");
	if (!value_is(team, VALUE_STR))
		team = value_item(value_get(c->env->user ? c->env->user->spec : NULL, "teams"), 0);
	if (value_is(team, VALUE_STR))
		c->env->team = lookup(c, KIND_TEAM, team->str.s, refs_place(c, team));
	if (!early) {
		image = topmost(c, "image");
		if (!value_is(image, VALUE_STR)) {
			int64_t gpu = refs_gpu(overlay_all(c, NULL), c->env->flavor, NULL);

			image = value_str(c->mem, gpu > 0 ? IMAGE_GPU : IMAGE_CPU);
		}
		find_image(c, image);
	}
	spec = overlay_all(c, builtin_defaults(c));
	value_set(c->mem, spec, "image", value_copy(c->mem, image));
	if (c->env->team)
		value_set(c->mem, spec, "team", value_copy(c->mem, team));
	secrets_join(c, spec);
	c->env->spec = spec;
}

/* -- lists and files -------------------------------------------------------------------------------------------- */

/* Documents named by the items of `list` (strings, or maps with a name), in its order. */
static const struct doc *const *
find_list(struct refs *c, const struct value *list, enum kind k, size_t *n)
{
	size_t len = value_is(list, VALUE_LIST) ? value_len(list) : 0;
	const struct doc **docs;

	*n = 0;
	if (len > LIST_MAX)
		len = LIST_MAX;
	docs = arena_array(c->mem, len + 1, sizeof(struct doc *));
	for (size_t i = 0; i < len; i++) {
		const struct value *v = value_item(list, i);

		if (value_is(v, VALUE_MAP))
			v = value_get(v, "name");
		if (value_is(v, VALUE_STR))
			docs[(*n)++] = lookup(c, k, v->str.s, refs_place(c, v));
	}
	return docs;
}

/* Relative, inside its folder, written in the one shortest way. */
bool
refs_path_inside(const char *s)
{
	if (!*s)
		return false;
	for (;;) {
		size_t n = strcspn(s, "/");

		if (n == 0 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

/* "envs/alice/envs/alice/…": the path from the top of the repository, as git and `berth seal` print it; NULL where it is not that. */
static const char *
written_twice(const char *owner, const char *path)
{
	size_t n = strlen("envs/") + strlen(owner) + 1;

	return strlen(path) > 2 * n && strncmp(path, path + n, n) == 0 ? path + n : NULL;
}

const struct file_entry *
refs_file(struct refs *c, const struct value *v, const char *path, const char *field)
{
	const char *twice = c->d->owner ? written_twice(c->d->owner, path) : NULL;
	const struct file_entry *f;
	struct finding *x;

	dep_add(c, path);
	if (!c->r || !c->files)
		return NULL;
	f = files_find(c->files, path);
	if (!f) {
		x = say(c->r, NOT_FOUND, refs_place(c, v), "%s: there is no file %s", field, say_text(c->mem, path));
		if (twice && files_find(c->files, twice))
			finding_help(c->r, x, "names begin in envs/%s/: write %s", c->d->owner, twice + strlen("envs/") + strlen(c->d->owner) + 1);
		else
			finding_help(c->r, x, "add the file in the same commit, or take the field out");
		return NULL;
	}
	if (f->mode == FILE_REGULAR || f->mode == FILE_EXECUTABLE)
		return f;
	x = say(c->r, NOT_REGULAR, refs_place(c, v), "%s: %s is not a regular file", field, say_text(c->mem, path));
	finding_help(c->r, x, "put the file itself there");
	return NULL;
}

/* The file of the owner's folder that `v` names; NULL, and a finding, when it may not be read or is not there. */
static const struct file_entry *
find_file(struct refs *c, const struct value *v, const char *field)
{
	struct finding *x;

	if (refs_path_inside(v->str.s))
		return refs_file(c, v, arena_printf(c->mem, "envs/%s/%s", c->d->owner, v->str.s), field);
	if (c->r) {
		x = say(c->r, NOT_PERMITTED, refs_place(c, v), "%s '%s' leaves the owner's folder", field, say_text(c->mem, v->str.s));
		finding_help(c->r, x, "name a file below envs/%s/, without a leading '/' and without '.' or '..' parts", c->d->owner);
	}
	return NULL;
}

static void
find_setup(struct refs *c)
{
	const struct value *v = value_get(c->env->spec, "setup");
	const struct file_entry *f = value_is(v, VALUE_STR) ? find_file(c, v, "setup") : NULL;
	struct err e = { 0 };
	const char *bytes;
	size_t len;

	if (!f)
		return;
	if (c->files->read(c->files->ctx, f, FILE_OTHER_MAX, c->mem, &bytes, &len, &e) < 0)
		say(c->r, TOO_LARGE, say_file(arena_strdup(c->mem, f->path)), "the setup script cannot be read: %s", e.text);
	else if (memchr(bytes, 0, len) || !str_utf8_valid(bytes, len))
		say(c->r, YAML_CHARACTER, say_file(arena_strdup(c->mem, f->path)), "the setup script is not UTF-8 text");
	else
		c->env->setup = bytes;
}

void
refs_collect(struct refs *c)
{
	struct env *env = c->env;

	dep_add(c, c->d->path);
	find_org(c);
	find_user(c);
	find_flavor(c);
	find_team_and_image(c);
	env->datasets = find_list(c, value_get(env->spec, "datasets"), KIND_DATASET, &env->ndatasets);
	find_setup(c);
	secrets_collect(c);
	env->share = find_list(c, value_at(env->spec, "access.share"), KIND_USER, &env->nshare);
}
