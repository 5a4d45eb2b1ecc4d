/* SPDX-License-Identifier: Apache-2.0 */
/* Places of sealed files, from their paths. */
#include "lib/seal/place.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/str.h"

#define NAME_MAX_LEN 40
#define UID_MAX_LEN 64
#define FILE_MAX_LEN 128

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define LETTERS LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const struct ending {
	const char *text;
	enum seal_format format;
} endings[] = {
	{ ".age", SEAL_AGE },
	{ ".sops.yaml", SEAL_SOPS_YAML },
	{ ".sops.json", SEAL_SOPS_JSON },
	{ ".sops.env", SEAL_SOPS_DOTENV },
};

/* As users and environments are called. */
static bool
name_fine(const char *s, size_t n)
{
	return n > 0 && n <= NAME_MAX_LEN && strspn(s, LOWER DIGITS "-") >= n && strchr(LOWER, *s) && s[n - 1] != '-' &&
	       !memmem(s, n, "--", 2);
}

static bool
uid_fine(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= UID_MAX_LEN && strspn(s, LETTERS DIGITS) > 0 && strspn(s, LETTERS DIGITS "-_.") == n;
}

static bool
file_fine(const char *s, enum seal_format *format)
{
	size_t n = strlen(s);

	if (n == 0 || n > FILE_MAX_LEN || strspn(s, LETTERS DIGITS "-_.") != n || *s == '.')
		return false;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (n > strlen(endings[i].text) && str_ends(s, endings[i].text)) {
			*format = endings[i].format;
			return true;
		}
	return false;
}

static int
no_place(const char *path, struct err *e)
{
	(void)err_set(e, ERR_INVALID, "%.200s is no place of a sealed file", path);
	return err_hint(e, "sealed files stand in envs/<user>/secrets/, envs/<user>/secrets/<environment>/ or secrets/, and end in .age, "
	                   ".sops.yaml, .sops.json or .sops.env");
}

/* Behind "envs/": <owner>/secrets/[<env>/]<file>. */
static bool
in_folder(struct arena *mem, const char *at, struct seal_place *p, const char **file)
{
	size_t owner = strcspn(at, "/"), env;
	const char *rest = at + owner;

	if (!name_fine(at, owner) || !str_starts(rest, "/secrets/"))
		return false;
	rest += strlen("/secrets/");
	env = strcspn(rest, "/");
	p->scope = PLACE_OWNER;
	*file = rest;
	if (rest[env]) {
		if (!name_fine(rest, env))
			return false;
		p->scope = PLACE_ENV;
		p->env = arena_strndup(mem, rest, env);
		*file = rest + env + 1;
	}
	p->owner = arena_strndup(mem, at, owner);
	return true;
}

int
place_of_path(struct arena *mem, const char *path, struct seal_place *out, enum seal_format *format, struct err *e)
{
	struct seal_place p = { .scope = PLACE_SITE };
	const char *file = NULL;
	enum seal_format f;

	if (str_starts(path, "secrets/"))
		file = path + strlen("secrets/");
	else if (!str_starts(path, "envs/") || !in_folder(mem, path + strlen("envs/"), &p, &file))
		return no_place(path, e);
	if (!file_fine(file, &f))
		return no_place(path, e);
	*out = p;
	*format = f;
	return 0;
}

const char *
place_text(struct arena *mem, const struct seal_place *p)
{
	switch (p->scope) {
	case PLACE_OWNER:
		return arena_strdup(mem, p->owner);
	case PLACE_ENV:
		return arena_printf(mem, "%s, environment %s", p->owner, p->env);
	case PLACE_SITE:
		break;
	}
	return "the site";
}

int
place_info(struct arena *mem, const struct seal_place *p, unsigned generation, const char **out, struct err *e)
{
	const char *who;

	if (p->scope == PLACE_SITE) {
		*out = arena_printf(mem, "gen=%u;scope=site", generation);
		return 0;
	}
	if (!p->owner || !name_fine(p->owner, strlen(p->owner)))
		return err_set(e, ERR_INVALID, "a place without a proper owner");
	if (!p->uid || !*p->uid) {
		(void)err_set(e, ERR_INVALID, "user %s has no uid, and nothing can be sealed for %s without one", p->owner, p->owner);
		return err_hint(e, "an admin adds `uid:` to users/%s.yaml once, any text that was never given to anybody, and never changes "
		                   "it", p->owner);
	}
	if (!uid_fine(p->uid)) {
		(void)err_set(e, ERR_INVALID, "the uid of user %s cannot be part of a place", p->owner);
		return err_hint(e, "a uid has letters, digits, '-', '_' and '.', at most %d: users/%s.yaml", UID_MAX_LEN, p->owner);
	}
	who = arena_printf(mem, "owner=%s;uid=%s", p->owner, p->uid);
	if (p->scope == PLACE_OWNER) {
		*out = arena_printf(mem, "gen=%u;scope=owner;%s", generation, who);
		return 0;
	}
	if (!p->env || !name_fine(p->env, strlen(p->env)))
		return err_set(e, ERR_INVALID, "a place without a proper environment");
	*out = arena_printf(mem, "gen=%u;scope=env;%s;env=%s", generation, who, p->env);
	return 0;
}
