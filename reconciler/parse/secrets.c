/* SPDX-License-Identifier: Apache-2.0 */
/* Items of spec.secrets: whose file, which values of it, and the Secret that they become. */
#include "parse/secrets.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/secret_file.h"

#define SECRETS_MAX 32 /* as in the schema */
#define GENERATION_MAX 1000000
#define SECRET_KEY_MAX 253 /* https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data */
#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

static const char *const as_names[] = {
	[SECRET_ENV] = "env", [SECRET_FILE] = "file", [SECRET_SSH] = "ssh", [SECRET_GIT] = "git", [SECRET_REGISTRY] = "registry"
};

/* What a login is made of, in this order; names of sealed values and, of a git login, keys of the Secret. */
static const char *const login_values[] = { "server", "username", "password" };

static enum secret_as
as_of(const struct value *item)
{
	const char *s = value_as_str(value_get(item, "as"), "env");

	for (size_t i = 0; i < sizeof(as_names) / sizeof(*as_names); i++)
		if (strcmp(s, as_names[i]) == 0)
			return (enum secret_as)i;
	return SECRET_ENV;
}

const char *
secret_variable(struct arena *mem, const char *name)
{
	char *out = arena_strdup(mem, name);

	for (char *c = out; *c; c++) {
		if (*c == '-')
			*c = '_';
		else if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	}
	return out;
}

void
secret_stand_in(const struct digest *file, const char *value, char out[SEAL_DIGEST_HEX])
{
	struct hash_state h;
	struct digest d;
	char hex[DIGEST_HEX];

	hash_init(&h);
	hash_field_str(&h, "berth sealed value");
	hash_field(&h, file->b, sizeof(file->b));
	hash_field_str(&h, value);
	hash_final(&h, &d);
	digest_hex(&d, hex);
	memcpy(out, hex, SEAL_DIGEST_HEX - 1);
	out[SEAL_DIGEST_HEX - 1] = '\0';
}

void
secrets_settings(const struct doc *org, struct secret_settings *out)
{
	const struct value *s = value_get(org ? org->spec : NULL, "secrets");
	int64_t now = value_as_int(value_get(s, "generation"), 1), oldest;

	if (now < 1 || now > GENERATION_MAX)
		now = 1;
	oldest = value_as_int(value_get(s, "oldest"), now > 1 ? now - 1 : 1);
	if (oldest < 1 || oldest > now)
		oldest = now;
	*out = (struct secret_settings){ .signer = value_as_str(value_get(s, "signer"), NULL),
		                         .generation = (unsigned)now,
		                         .oldest = (unsigned)oldest };
}

static const char *
uid_of(const struct env *env)
{
	return value_as_str(value_get(env->user ? env->user->spec : NULL, "uid"), NULL);
}

bool
env_host_key(const struct env *env, struct seal_place *place)
{
	struct secret_settings s;

	secrets_settings(env->org, &s);
	if (!s.signer || !uid_of(env) || !value_as_bool(value_get(env->spec, "enableSSH"), true))
		return false;
	if (place)
		*place = (struct seal_place){ PLACE_ENV, env->owner, uid_of(env), env->name };
	return true;
}

/* -- where it stands -------------------------------------------------------------------------------------------------------- */

/* Written in the environment's own document, and not in a default that an administrator gives. */
static bool
is_own(const struct refs *c, const struct value *v)
{
	return v->at.file && strcmp(v->at.file, c->d->path) == 0;
}

static void
say_place_help(struct refs *c, const struct value *v, const char *help, const char *what)
{
	struct finding *f;

	if (!c->r)
		return;
	f = say(c->r, NOT_PERMITTED, refs_place(c, v), "secrets: file '%s' %s", say_text(c->mem, v->str.s), what);
	finding_help(c->r, f, "%s", help);
}

/* The path that `v` names; NULL, and a finding, when it leads to a place that is not this document's to name. */
static const char *
find_path(struct refs *c, const struct value *v)
{
	const char *help;

	if (v->str.s[0] != '/') {
		if (refs_path_inside(v->str.s))
			return arena_printf(c->mem, "envs/%s/%s", c->d->owner, v->str.s);
		help = arena_printf(c->mem, "name a file below envs/%s/, without a leading '/' and without '.' or '..' parts", c->d->owner);
		say_place_help(c, v, help, "leaves the owner's folder");
		return NULL;
	}
	if (is_own(c, v)) {
		help = arena_printf(c->mem, "name a file below envs/%s/, without a leading '/' and without '.' or '..' parts; secrets of the site come "
		                    "with defaults of the flavor, image, team or organization", c->d->owner);
		say_place_help(c, v, help, "leaves the owner's folder");
		return NULL;
	}
	if (refs_path_inside(v->str.s + 1))
		return v->str.s + 1;
	say_place_help(c, v, "name /secrets/<file>, without '.' and '..' parts", "is no plain path");
	return NULL;
}

/* Where it stands and what it should be, from the path. */
static bool
find_place(struct refs *c, const struct value *v, const char *path, struct sealed *out)
{
	struct err e = { 0 };
	struct finding *f;

	if (place_of_path(c->mem, path, &out->place, &out->format, &e) == 0)
		return true;
	f = say(c->r, NOT_PERMITTED, refs_place(c, v), "secrets: %s", e.text);
	finding_help(c->r, f, "%s", e.hint);
	return false;
}

/* Whether this environment may use it; a finding where not. */
static bool
may_use(struct refs *c, const struct value *v, const char *path, struct sealed *out)
{
	const char *uid = uid_of(c->env);
	struct finding *f;

	if (out->place.scope == PLACE_ENV && strcmp(out->place.env, c->d->name) != 0) {
		f = say(c->r, NOT_PERMITTED, refs_place(c, v), "secrets: %s is for the environment '%s' alone", path, out->place.env);
		finding_help(c->r, f, "seal it again for this one: `berth seal --env %s`, or for all of %s's: `berth seal`", c->d->name,
		             c->d->owner);
		return false;
	}
	if (out->place.scope == PLACE_SITE || uid)
		out->place.uid = out->place.scope == PLACE_SITE ? NULL : uid;
	else if (c->env->user) {
		f = say(c->r, MISSING_FIELD, refs_place(c, v), "secrets: the owner '%s' has no uid, and sealed files are bound to it", c->d->owner);
		finding_help(c->r, f, "an administrator adds `uid:` to users/%s.yaml once, any text that was never given to anybody", c->d->owner);
		return false;
	}
	return c->env->user || out->place.scope == PLACE_SITE;
}

static bool
has_signer(struct refs *c, const struct value *v, struct sealed *out)
{
	struct secret_settings s;
	struct finding *f;

	secrets_settings(c->env->org, &s);
	out->generation = s.generation;
	out->oldest = s.oldest;
	if (s.signer)
		return true;
	if (c->env->org) {
		f = say(c->r, NOT_PERMITTED, refs_place(c, v), "secrets: berth.yaml names no spec.secrets.signer: sealed files are not opened here");
		finding_help(c->r, f, "an administrator runs `berth keygen`, gives the key to `berth run --master-key` and writes the signer into "
		                      "berth.yaml; until then take this out");
	}
	return false;
}

/* -- what it becomes -------------------------------------------------------------------------------------------------------- */

/* What the data of a Secret may have for keys, and what a shell takes for a variable. */
static bool
key_fine(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= SECRET_KEY_MAX && strspn(s, WORD "-.") == n && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 && !str_starts(s, "..");
}

static bool
variable_fine(const char *s)
{
	return *s && strspn(s, WORD) == strlen(s) && (*s < '0' || *s > '9');
}

/* The keys of a value of a SOPS file with `between` between them. */
static const char *
joined(struct arena *mem, const struct sops_leaf *leaf, char between)
{
	struct buf b = BUF_INIT(65536);
	const char *out;

	for (size_t i = 0; i < leaf->nkeys; i++)
		buf_printf(&b, "%.*s%s", i > 0, &between, leaf->keys[i]);
	out = arena_strndup(mem, buf_cstr(&b), b.len);
	buf_free(&b);
	return out;
}

static struct env_secret_entry *
add(struct env_secret *s, const char *key, const char *value)
{
	struct env_secret_entry *out = &s->entries[s->n++];

	*out = (struct env_secret_entry){ .key = key, .value = value };
	secret_stand_in(&s->digest, value, out->digest);
	return out;
}

/* The one value of an .age file, of `key`, or of a store. */
static void
lay_out_one(struct refs *c, struct env_secret *s, const char *value, unsigned line)
{
	static const char *const keys[] = { [SECRET_FILE] = "value", [SECRET_SSH] = "ssh-privatekey", [SECRET_GIT] = "credentials",
		                            [SECRET_REGISTRY] = ".dockerconfigjson" };
	const char *variable = value_as_str(value_get(s->item, "variable"), NULL);
	struct env_secret_entry *x;

	if (s->as != SECRET_ENV) {
		add(s, keys[s->as], value)->line = line;
		return;
	}
	if (!variable)
		variable = secret_variable(c->mem, s->name);
	x = add(s, variable, value);
	x->variable = variable;
	x->line = line;
}

static const struct sops_leaf *
leaf_named(const struct secret_content *content, const char *name)
{
	for (size_t i = 0; i < content->n; i++)
		if (strcmp(content->leaves[i].name, name) == 0)
			return &content->leaves[i];
	return NULL;
}

static void
say_content(struct refs *c, const struct env_secret *s, const char *what, const char *help)
{
	struct finding *f = say(c->r, BAD_SEALED, refs_place(c, s->item), "secrets: %s %s", s->file, what);

	finding_help(c->r, f, "%s", help);
}

/* server, username and password, for git and for a registry. */
static bool
lay_out_login(struct refs *c, struct env_secret *s, const struct secret_content *content)
{
	for (size_t i = 0; i < sizeof(login_values) / sizeof(*login_values); i++) {
		const struct sops_leaf *leaf = leaf_named(content, login_values[i]);

		if (!leaf) {
			say_content(c, s, arena_printf(c->mem, "has no sealed value '%s'", login_values[i]),
			            "a login has server, username and password at its top, all of them sealed");
			return false;
		}
		if (s->as == SECRET_GIT)
			add(s, login_values[i], leaf->name)->line = leaf->line;
	}
	if (s->as == SECRET_REGISTRY)
		(void)add(s, ".dockerconfigjson", "");
	else
		s->type = "kubernetes.io/basic-auth";
	return true;
}

static bool
lay_out_all(struct refs *c, struct env_secret *s, const struct secret_content *content)
{
	if (s->as == SECRET_GIT || s->as == SECRET_REGISTRY)
		return lay_out_login(c, s, content);
	if (s->as == SECRET_SSH) {
		if (content->n == 1) {
			lay_out_one(c, s, content->leaves[0].name, content->leaves[0].line);
			return true;
		}
		say_content(c, s, arena_printf(c->mem, "has %zu sealed values, and an SSH key is one", content->n), "name it with `key:`");
		return false;
	}
	s->folder = s->as == SECRET_FILE;
	for (size_t i = 0; i < content->n; i++) {
		const struct sops_leaf *leaf = &content->leaves[i];
		const char *key = joined(c->mem, leaf, s->folder ? '.' : '_');
		struct env_secret_entry *x = add(s, key, leaf->name);

		x->line = leaf->line;
		x->variable = s->folder ? NULL : key;
	}
	return true;
}

/* The value that `key` names. */
static bool
lay_out_key(struct refs *c, struct env_secret *s, const struct secret_content *content, const char *key)
{
	const struct sops_leaf *leaf = leaf_named(content, key);
	const char **names, *near;

	if (leaf) {
		lay_out_one(c, s, leaf->name, leaf->line);
		return true;
	}
	if (secret_is_plain(content, s->sealed, key)) {
		say_content(c, s, arena_printf(c->mem, "has '%s' in plain text: anyone who reads the repository has it", say_text(c->mem, key)),
		            "change that secret now, and let SOPS seal it: see encrypted_regex or encrypted_suffix in .sops.yaml");
		return false;
	}
	names = arena_array(c->mem, content->n + 1, sizeof(*names));
	for (size_t i = 0; i < content->n; i++)
		names[i] = content->leaves[i].name;
	near = str_nearest(key, names, content->n);
	say_content(c, s, arena_printf(c->mem, "has no sealed value '%s'", say_text(c->mem, key)),
	            arena_printf(c->mem, "%s '%s'", near ? "did you mean" : "it has", say_text(c->mem, near ? near : names[0])));
	return false;
}

/* `a: {b: …}` and `a_b: …` are the same variable: which of them the pod gets would be chance. */
static bool
check_twice(struct refs *c, const struct env_secret *s, size_t i)
{
	const char *name = s->entries[i].key;

	for (size_t k = 0; k < i; k++)
		if (strcmp(s->entries[k].key, name) == 0) {
			say_content(c, s, arena_printf(c->mem, "has two values that are called %s", say_text(c->mem, name)),
			            "rename one of them, or take one with `key:`");
			return false;
		}
	return true;
}

/* Names that cannot be: of a variable, or of a file; and such as are two values'. */
static bool
check_names(struct refs *c, const struct env_secret *s)
{
	bool fine = true;

	for (size_t i = 0; i < s->n; i++) {
		const struct env_secret_entry *x = &s->entries[i];
		const char *name = x->variable ? x->variable : x->key;
		struct finding *f;

		if (x->variable ? variable_fine(name) && key_fine(name) : key_fine(name)) {
			fine = check_twice(c, s, i) && fine;
			continue;
		}
		fine = false;
		f = say(c->r, BAD_FORMAT, refs_place(c, s->item), "secrets: '%s' is no name of %s", say_text(c->mem, name),
		        x->variable ? "an environment variable" : "a file of a Secret");
		finding_help(c->r, f, x->variable ? "use letters, digits and underscores, no digit first: rename it in the file, or take one value "
		                                    "with `key:` and name it with `variable:`" :
		                                    "use letters, digits, '-', '_' and '.': rename it in the file, or take one value with `key:`");
	}
	return fine;
}

/* -- items ------------------------------------------------------------------------------------------------------------------ */

static void
begin(struct refs *c, const struct value *item, struct env_secret *s)
{
	static const char *const types[] = { [SECRET_ENV] = "Opaque", [SECRET_FILE] = "Opaque", [SECRET_SSH] = "kubernetes.io/ssh-auth",
		                             [SECRET_GIT] = "Opaque", [SECRET_REGISTRY] = "kubernetes.io/dockerconfigjson" };

	*s = (struct env_secret){ .name = value_as_str(value_get(item, "name"), ""), .as = as_of(item), .item = item };
	s->type = types[s->as];
	s->object = arena_printf(c->mem, "%s--secret-%s", c->d->name, s->name);
	if (s->as == SECRET_FILE)
		s->path = value_as_str(value_get(item, "path"), arena_printf(c->mem, "/run/secrets/%s", s->name));
}

static bool
sealed_item(struct refs *c, struct env_secret *s, const struct value *v, size_t *bytes)
{
	struct sealed *sealed = arena_alloc(c->mem, sizeof(*sealed));
	const char *path = find_path(c, v), *key = value_as_str(value_get(s->item, "key"), NULL);
	const struct file_entry *f = path ? refs_file(c, v, path, "secrets: file") : NULL;
	struct secret_content content = { 0 };
	bool fine;

	if (!f || !find_place(c, v, path, sealed))
		return false;
	s->file = path;
	s->sealed = sealed;
	/* what is not sealed at all is said first, and whatever else is wrong */
	fine = secret_read(c, f, v, sealed, bytes, &content);
	if (sealed->bytes)
		hash_bytes(sealed->bytes, sealed->n, &s->digest);
	fine = may_use(c, v, path, sealed) && fine;
	if (!has_signer(c, v, sealed) || !fine)
		return false;
	s->entries = arena_array(c->mem, content.n + 3, sizeof(*s->entries));
	if (sealed->format == SEAL_AGE) {
		lay_out_one(c, s, "", 0);
		return true;
	}
	return key ? lay_out_key(c, s, &content, key) : lay_out_all(c, s, &content);
}

/* PATH#KEY of the owner's part of a store. Which stores there are is a rule (validate/policy_secrets.c). */
static bool
vault_item(struct refs *c, struct env_secret *s, const char *vault)
{
	const struct value *stores = value_at(c->env->org ? c->env->org->spec : NULL, "secrets.stores");
	const char *hash = strchr(vault, '#');
	const char *path = hash ? arena_strndup(c->mem, vault, (size_t)(hash - vault)) : vault;
	struct finding *f;

	if (!hash || !c->r)
		return false;
	if (!refs_path_inside(path)) {
		f = say(c->r, NOT_PERMITTED, refs_place(c, value_get(s->item, "vault")), "secrets: vault '%s' leaves the owner's part of the store",
		        say_text(c->mem, vault));
		finding_help(c->r, f, "write PATH#KEY, where PATH is below %s/ and has no '.' or '..' parts", c->d->owner);
		return false;
	}
	s->store = value_as_str(value_get(s->item, "store"), value_len(stores) == 1 ? value_as_str(value_item(stores, 0), NULL) : NULL);
	s->remote = arena_printf(c->mem, "%s/%s", c->d->owner, path);
	s->property = hash + 1;
	s->entries = arena_array(c->mem, 1, sizeof(*s->entries));
	lay_out_one(c, s, s->property, 0);
	return true;
}

static bool
has_named(const struct value *list, const char *name)
{
	for (size_t i = 0; i < value_len(list); i++)
		if (str_eq(value_as_str(value_get(value_item(list, i), "name"), NULL), name))
			return true;
	return false;
}

void
secrets_join(struct refs *c, struct value *spec)
{
	const struct doc *const layers[] = { c->env->flavor, c->env->image, c->env->team, c->env->org };
	const struct value *own = value_get(c->d->spec, "secrets"), *more;
	struct value *all = value_list(c->mem);
	size_t lists = own != NULL;

	/* two of one name in one's own list are a mistake that is said where they stand */
	for (size_t i = 0; i < value_len(own); i++)
		value_push(c->mem, all, value_item(own, i));
	for (size_t k = 0; k < sizeof(layers) / sizeof(*layers); k++) {
		more = value_get(value_get(layers[k] ? layers[k]->spec : NULL, "defaults"), "secrets");
		lists += more != NULL;
		for (size_t i = 0; i < value_len(more); i++) {
			const char *name = value_as_str(value_get(value_item(more, i), "name"), NULL);

			if (name && !has_named(all, name))
				value_push(c->mem, all, value_item(more, i));
		}
	}
	if (lists < 2 || (own && !value_is(own, VALUE_LIST)))
		return;
	all->at = own ? own->at : all->at;
	value_set(c->mem, spec, "secrets", all);
}

void
secrets_collect(struct refs *c)
{
	const struct value *list = value_get(c->env->spec, "secrets");
	size_t n = value_len(list) < SECRETS_MAX ? value_len(list) : SECRETS_MAX, bytes = 0;
	struct finding *f;

	if (!value_is(list, VALUE_LIST))
		return;
	if (c->r && value_len(list) > SECRETS_MAX) {
		f = say(c->r, OUT_OF_RANGE, refs_place(c, list), "secrets: %zu of them, those of defaults included: at most %d", value_len(list),
		        SECRETS_MAX);
		finding_help(c->r, f, "several values can be in one SOPS file");
	}
	c->env->secrets = arena_array(c->mem, n + 1, sizeof(*c->env->secrets));
	for (size_t i = 0; i < n; i++) {
		const struct value *item = value_item(list, i), *file = value_get(item, "file");
		struct env_secret *s = &c->env->secrets[c->env->nsecrets];
		const char *vault = value_as_str(value_get(item, "vault"), NULL);

		begin(c, item, s);
		if ((value_is(file, VALUE_STR) ? sealed_item(c, s, file, &bytes) : vault && vault_item(c, s, vault)) && check_names(c, s))
			c->env->nsecrets++;
	}
}
