/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: fields that go together, names of variables, places of files, stores; and what looks like a secret in plain sight. */
#include <ctype.h>
#include <string.h>

#include "lib/base/map.h"
#include "lib/base/redact.h"
#include "lib/base/str.h"
#include "parse/reserved.h"
#include "parse/shape.h"
#include "validate/rules.h"

#define HOME "/home/dev"

/* -- fields that go together ------------------------------------------------------------------------------------------------ */

static void
unfit(struct rules *c, const struct value *item, const char *field, const char *why, const char *help)
{
	struct finding *f = say(c->r, INCONSISTENT, rules_place(c, value_get(item, field)), "secrets: `%s` %s", field, why);

	finding_help(c->r, f, "%s", help);
}

static bool
is_sops(const char *file)
{
	return file && !str_ends(file, ".age");
}

static void
rule_fields(struct rules *c, const struct value *item)
{
	const char *as = value_as_str(value_get(item, "as"), "env"), *file = value_as_str(value_get(item, "file"), NULL);
	bool env = strcmp(as, "env") == 0, login = strcmp(as, "git") == 0 || strcmp(as, "registry") == 0;

	if (value_get(item, "path") && strcmp(as, "file") != 0)
		unfit(c, item, "path", "is for `as: file`", "take it out, or write as: file");
	if (value_get(item, "variable") && (!env || (is_sops(file) && !value_get(item, "key"))))
		unfit(c, item, "variable", "names one value of `as: env`",
		      env ? "say with `key:` which value of the file it is" : "take it out, or write as: env");
	if (value_get(item, "key") && !is_sops(file))
		unfit(c, item, "key", "is for SOPS files", file ? "take it out: an .age file is one value" : "take it out: vault says PATH#KEY");
	else if (value_get(item, "key") && login)
		unfit(c, item, "key", arena_printf(c->mem, "cannot be with `as: %s`", as),
		      "take it out: a login is server, username and password of the file together");
	if (value_get(item, "store") && file)
		unfit(c, item, "store", "is for `vault`", "take it out: the file is in this repository");
}

/* -- variables -------------------------------------------------------------------------------------------------------------- */

static bool
taken_by_env(struct rules *c, const char *name)
{
	return value_get(rules_get(c, "env"), name) || (c->env->distributed && value_get(rules_get(c, "distributed.ncclSettings"), name));
}

static void
rule_variables(struct rules *c)
{
	struct map by AUTO_MAP = MAP_INIT;

	for (size_t i = 0; i < c->env->nsecrets; i++) {
		const struct env_secret *s = &c->env->secrets[i];

		for (size_t k = 0; k < s->n; k++) {
			const char *name = s->entries[k].variable, *first, *what;
			struct finding *f;

			if (!name)
				continue;
			first = map_get(&by, name);
			what = first ? arena_printf(c->mem, "is the secret '%s' already", first) : reserved_variable(name) ? "is set by berth itself" :
			       reserved_word(name) ? "is used by berth's scripts themselves" : taken_by_env(c, name) ? "is set by `env` too" : NULL;
			/* the map hands out void pointers; nothing is changed through it */
			(void)map_put(&by, name, (void *)(uintptr_t)s->name);
			if (!what || (first && strcmp(first, s->name) == 0)) /* the name itself is said to be taken */
				continue;
			f = say(c->r, NAME_TAKEN, rules_place(c, s->item), "secrets: the variable %s of '%s' %s", name, s->name, what);
			finding_help(c->r, f, s->n > 1 ? "take the values that you need with `key:`, and name each with `variable:`" :
			                                 "choose another name with `variable:`");
		}
	}
}

/* -- places of files -------------------------------------------------------------------------------------------------------- */

struct mounts {
	struct rules *c;
	struct {
		const char *path;
		const struct value *v;
		bool secret;
	} items[256];
	size_t n;
};

static void
mount_add(struct mounts *m, const char *path, const struct value *v, bool secret)
{
	if (path && m->n < sizeof(m->items) / sizeof(*m->items)) {
		m->items[m->n].path = path;
		m->items[m->n].secret = secret;
		m->items[m->n++].v = v;
	}
}

static void
mounts_of(struct mounts *m, const char *field, const char *fallback)
{
	const struct value *list = rules_get(m->c, field);

	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *item = value_item(list, i);
		const char *path = value_as_str(value_get(item, "path"), NULL);

		if (!path && fallback)
			path = arena_printf(m->c->mem, "%s/%s", fallback, value_as_str(value_get(item, "name"), ""));
		mount_add(m, path, item, false);
	}
}

/* What of `path` lies behind `folder`, or NULL when it is elsewhere. */
static const char *
below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

/* Folders on the way to a mount are made by the runtime, as root: on a volume they stay, and its owner cannot write there. */
static void
check_secret_mount(struct mounts *m, size_t i)
{
	const char *path = m->items[i].path;
	struct finding *f;

	for (size_t k = 0; k < m->n; k++) {
		const char *rest = below(path, m->items[k].path), *inside = below(m->items[k].path, path);

		if (k != i && inside) {
			f = say(m->c->r, INCONSISTENT, rules_place(m->c, m->items[k].v), "%s is inside the secret's %s", m->items[k].path, path);
			finding_help(m->c->r, f, "nothing can be mounted inside a secret: choose a place beside it");
		} else if (k != i && rest && !m->items[k].secret && strchr(rest, '/')) {
			f = say(m->c->r, INCONSISTENT, rules_place(m->c, m->items[i].v), "secrets: the folder of %s would belong to root on the volume %s",
			        path, m->items[k].path);
			finding_help(m->c->r, f, "leave path out (/run/secrets/<name>), or choose a file directly in %s", m->items[k].path);
		}
	}
}

static void
rule_places(struct rules *c)
{
	const struct value *checkpoints = rules_get(c, "checkpoints");
	struct mounts m = { .c = c };

	mount_add(&m, HOME, NULL, false);
	mounts_of(&m, "volumes", NULL);
	mounts_of(&m, "datasets", "/data");
	if (checkpoints)
		mount_add(&m, value_as_str(value_get(checkpoints, "path"), "/checkpoints"), checkpoints, false);
	for (size_t i = 0; i < c->env->nsecrets; i++)
		mount_add(&m, c->env->secrets[i].path, c->env->secrets[i].item, true);
	for (size_t i = 0; i < m.n; i++)
		if (m.items[i].secret)
			check_secret_mount(&m, i);
}

/* -- stores ----------------------------------------------------------------------------------------------------------------- */

static bool
is_allowed(const struct value *stores, const char *name)
{
	for (size_t i = 0; i < value_len(stores); i++)
		if (str_eq(value_as_str(value_item(stores, i), NULL), name))
			return true;
	return false;
}

static void
rule_store(struct rules *c, const struct env_secret *s)
{
	const struct value *stores = rules_doc(c->env->org, "secrets.stores");
	const struct value *at = value_get(s->item, value_get(s->item, "store") ? "store" : "vault");
	struct finding *f;

	if (!shape_feature(c->env->org, "external-secrets")) {
		f = say(c->r, NOT_PERMITTED, rules_place(c, at), "secrets: '%s' needs the cluster's external-secrets, which cluster.features lacks", s->name);
		finding_help(c->r, f, "seal the value into a file instead (`berth seal %s`), or ask an administrator", s->name);
	} else if (value_len(stores) == 0) {
		f = say(c->r, NOT_PERMITTED, rules_place(c, at), "secrets: berth.yaml allows no store for '%s'", s->name);
		finding_help(c->r, f, "an administrator names one in spec.secrets.stores; or seal the value into a file (`berth seal %s`)", s->name);
	} else if (!s->store) {
		f = say(c->r, MISSING_FIELD, rules_place(c, at), "secrets: berth.yaml allows several stores, and '%s' names none", s->name);
		finding_help(c->r, f, "add `store: %s`", value_as_str(value_item(stores, 0), ""));
	} else if (!is_allowed(stores, s->store)) {
		f = say(c->r, NOT_PERMITTED, rules_place(c, at), "secrets: the store '%s' is not allowed", say_text(c->mem, s->store));
		finding_help(c->r, f, "berth.yaml allows %s in spec.secrets.stores", value_as_str(value_item(stores, 0), ""));
	}
}

/* -- secrets in plain sight ------------------------------------------------------------------------------------------------- */

/* Words of names ("_" between) that stand for one; `last`: only at the end, where KEY is no part of KEY_TYPE. */
static const struct {
	const char *word;
	bool last;
} secret_words[] = {
	{ "SECRET", false },   { "PASSWORD", false }, { "PASSWD", false }, { "PASSPHRASE", false }, { "APIKEY", false },
	{ "CREDENTIAL", true }, { "CREDENTIALS", true }, { "TOKEN", true },   { "KEY", true },        { "PAT", true },
};

static bool
name_tells(const char *name)
{
	for (const char *s = name; *s;) {
		size_t n = strcspn(s, "_");

		for (size_t i = 0; i < sizeof(secret_words) / sizeof(*secret_words); i++)
			if (strlen(secret_words[i].word) == n && strncasecmp(s, secret_words[i].word, n) == 0 && (!secret_words[i].last || !s[n]))
				return true;
		s += n + (s[n] == '_');
	}
	return false;
}

/* Long enough and without order: no path, URL, number, word of configuration or reference to another variable. */
static bool
could_be_secret(const char *s)
{
	size_t digits = strspn(s, "0123456789.-");

	return strlen(s) >= 8 && s[digits] && !strchr("/~.$", s[0]) && !strstr(s, "://") && !strchr(s, ' ');
}

/* Tokens and keys that are known by their shape, whatever the name. */
static bool
shape_tells(const char *s)
{
	struct buf out AUTO_BUF = BUF_INIT(1 << 20);

	redact(s, strlen(s), &out);
	return strstr(buf_cstr(&out), "[redacted]") != NULL;
}

static const char *
file_for(struct arena *mem, const char *variable)
{
	char *out = arena_strndup(mem, variable, 40);

	for (char *c = out; *c; c++)
		*c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
	return out;
}

static void
rule_plain_sight(struct rules *c)
{
	const struct value *map = rules_get(c, "env");
	struct finding *f;

	for (size_t i = 0; value_is(map, VALUE_MAP) && i < map->map.n; i++) {
		const struct member *m = &map->map.items[i];
		const char *text = value_as_str(m->value, "");

		if (!shape_tells(text) && !(name_tells(m->key) && could_be_secret(text)))
			continue;
		f = report_add(c->r, FINDING_READABLE_SECRET, SEVERITY_WARNING, m->at.file ? m->at : rules_place(c, m->value),
		               "env: %s looks like a secret, and everybody who reads this repository reads it", say_text(c->mem, m->key));
		finding_help(c->r, f, "make a new one where it is from, seal it (`berth seal %s`) and name it in `secrets:` with variable: %s",
		             file_for(c->mem, m->key), say_text(c->mem, m->key));
	}
}

void
rules_secrets(struct rules *c)
{
	const struct value *list = rules_get(c, "secrets");

	for (size_t i = 0; i < value_len(list); i++)
		rule_fields(c, value_item(list, i));
	for (size_t i = 0; i < c->env->nsecrets; i++)
		if (!c->env->secrets[i].sealed)
			rule_store(c, &c->env->secrets[i]);
	rule_variables(c);
	rule_places(c);
	rule_plain_sight(c);
}
