/* SPDX-License-Identifier: Apache-2.0 */
/* From approvals, teams and users to owners of folders. */
#include "validate/codeowners.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/map.h"
#include "lib/base/str.h"
#include "parse/doc.h"

#define LOGIN_MAX 255
#define LIST_MAX 1000 /* names in one list; the schema allows fewer */

struct user {
	const char *name, *login, *path;
	const char *const *teams;
	size_t nteams;
};

struct names {
	const char *const *list;
	size_t n;
};

struct reader {
	struct arena *mem;
	const struct files *files;
	struct map users, teams, noted; /* struct user *, struct names *; texts that were said */
	struct names admins;            /* names as berth.yaml has them */
	struct codeowners *out;
};

/* -- documents ------------------------------------------------------------------------------------------------------ */

/* Letters, digits and - _ . are what all three forges have in names; nothing of that means anything in a pattern or ends a word. */
static bool
login_valid(const char *s, size_t n)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	if (n == 0 || n > LOGIN_MAX || !strchr(word, s[0]) || !strchr(word, s[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!s[i] || (!strchr(word, s[i]) && s[i] != '-' && s[i] != '.'))
			return false;
	return true;
}

static int
names_of(const struct reader *r, const struct value *list, const char *path, const char *field, struct names *out, struct err *e)
{
	size_t n = value_len(list);
	const char **names;

	if (list && (!value_is(list, VALUE_LIST) || n > LIST_MAX))
		return err_set(e, ERR_INVALID, "%s:%u: %s is no list of at most %d names", path, list->at.line, field, LIST_MAX);
	names = arena_array(r->mem, n + 1, sizeof(*names));
	for (size_t i = 0; i < n; i++) {
		const char *s = value_as_str(value_item(list, i), NULL);

		if (!s || !name_valid(s))
			return err_set(e, ERR_INVALID, "%s:%u: %s[%zu] is no name", path, value_item(list, i)->at.line, field, i);
		names[i] = arena_strdup(r->mem, s);
	}
	*out = (struct names){ names, n };
	return 0;
}

/* The spec of a document; a file that cannot be read is an error: what it says would be missing. */
static int
read_spec(const struct reader *r, struct arena *mem, const struct file_entry *f, const struct value **spec, struct err *e)
{
	struct report found;
	struct doc *d;
	int rc;

	report_init(&found, mem);
	if ((rc = doc_read(mem, r->files, f, &found, &d, e)) < 0)
		return err_wrap(e, "%s", f->path);
	if (!d->ok || !d->root) {
		(void)err_set(e, ERR_INVALID, "%s has errors", f->path);
		return err_hint(e, "`berth validate` shows them");
	}
	*spec = d->spec;
	return 0;
}

static int
add_user(void *ctx, struct arena *mem, const struct file_entry *f, const char *name, struct err *e)
{
	struct reader *r = ctx;
	struct user *u = arena_alloc(r->mem, sizeof(*u));
	const struct value *spec, *forge, *login;
	struct names teams;
	int rc;

	if ((rc = read_spec(r, mem, f, &spec, e)) < 0 || (rc = names_of(r, value_get(spec, "teams"), f->path, "spec.teams", &teams, e)) < 0)
		return rc;
	forge = value_get(spec, "forge");
	login = value_get(forge, "login");
	if ((forge && !value_is(forge, VALUE_MAP)) ||
	    (login && (!value_is(login, VALUE_STR) || !login_valid(login->str.s, login->str.len)))) {
		(void)err_set(e, ERR_INVALID, "%s:%u: spec.forge.login is no name of a person on a forge", f->path, (login ? login : forge)->at.line);
		return err_hint(e, "write the name that stands behind the @ there: letters, digits, '-', '_' and '.'");
	}
	*u = (struct user){ .name = arena_strdup(r->mem, name), .path = arena_strdup(r->mem, f->path), .teams = teams.list, .nteams = teams.n };
	u->login = login ? arena_strdup(r->mem, login->str.s) : u->name;
	(void)map_put(&r->users, name, u);
	return 0;
}

static int
add_team(void *ctx, struct arena *mem, const struct file_entry *f, const char *name, struct err *e)
{
	struct reader *r = ctx;
	struct names *t = arena_alloc(r->mem, sizeof(*t));
	const struct value *spec;
	int rc;

	(void)map_put(&r->teams, name, t);
	if ((rc = read_spec(r, mem, f, &spec, e)) < 0)
		return rc;
	return names_of(r, value_get(spec, "admins"), f->path, "spec.admins", t, e);
}

static int
add_org(void *ctx, struct arena *mem, const struct file_entry *f, const char *name, struct err *e)
{
	struct reader *r = ctx;
	const struct value *spec, *a;
	int64_t required;
	int rc;

	(void)name;
	if ((rc = read_spec(r, mem, f, &spec, e)) < 0)
		return rc;
	a = value_get(spec, "approvals");
	required = value_as_int(value_get(a, "required"), 1);
	r->out->required = required < 1 ? 1 : required > 100 ? 100 : (unsigned)required;
	r->out->rules = value_len(value_get(a, "rules")) > 0;
	return names_of(r, value_get(a, "admins"), f->path, "spec.approvals.admins", &r->admins, e);
}

static int
read_all(struct reader *r, struct err *e)
{
	int rc;

	if (!files_find(r->files, "berth.yaml")) {
		(void)err_set(e, ERR_NOTFOUND, "there is no berth.yaml here");
		return err_hint(e, "give the environments repository with -C DIR; `berth init DIR` makes one");
	}
	if ((rc = doc_each(r->files, KIND_USER, "users/", add_user, r, e)) < 0 || (rc = doc_each(r->files, KIND_TEAM, "teams/", add_team, r, e)) < 0)
		return rc;
	return doc_each(r->files, KIND_ORG, "berth.yaml", add_org, r, e);
}

/* -- owners --------------------------------------------------------------------------------------------------------- */

static void
add_note(struct reader *r, const char *text)
{
	if (!map_has(&r->noted, text))
		(void)map_put(&r->noted, text, arena_strdup(r->mem, text));
}

/* Of these names the logins of those who are known but `not`; put into `to`, login -> login. */
static void
add_logins(struct reader *r, const struct names *names, const char *not, const char *where, struct map *to)
{
	for (size_t i = 0; i < names->n; i++) {
		const struct user *u = map_get(&r->users, names->list[i]);

		if (!u)
			add_note(r, arena_printf(r->mem, "%s names %s, who has no file in users/", where, names->list[i]));
		else if (!str_eq(u->name, not))
			(void)map_put(to, u->login, (void *)(uintptr_t)u->login);
	}
}

static int
by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static const char *const *
sorted(struct arena *mem, const struct map *m, size_t *n)
{
	const char **out = arena_array(mem, m->live + 1, sizeof(*out));
	void *text;

	*n = 0;
	for (size_t i = 0; map_next(m, &i, NULL, &text);)
		out[(*n)++] = text;
	qsort(out, *n, sizeof(*out), by_name);
	return out;
}

/* False when the folder is the admins' alone, as everything is. */
static bool
folder_of(struct reader *r, const struct user *u, struct owners_folder *out)
{
	struct map all AUTO_MAP = MAP_INIT;
	size_t before;

	/* an author's own voice never counts, neither here nor on a forge */
	add_logins(r, &r->admins, u->name, "berth.yaml (approvals.admins)", &all);
	before = all.live;
	for (size_t i = 0; i < u->nteams; i++) {
		const struct names *t = map_get(&r->teams, u->teams[i]);

		if (t)
			add_logins(r, t, u->name, arena_printf(r->mem, "teams/%s.yaml (admins)", u->teams[i]), &all);
	}
	if (!all.live)
		add_note(r, arena_printf(r->mem, "envs/%s/: nobody but %s could review it, and no forge lets an author do that", u->name, u->name));
	if (all.live == before)
		return false;
	out->user = u->name;
	out->logins = sorted(r->mem, &all, &out->n);
	return true;
}

static int
by_user(const void *a, const void *b)
{
	const struct owners_folder *x = a, *y = b;

	return strcmp(x->user, y->user);
}

static void
all_folders(struct reader *r)
{
	struct owners_folder *folders = arena_array(r->mem, r->users.live + 1, sizeof(*folders));
	struct map admins AUTO_MAP = MAP_INIT;
	size_t n = 0;
	void *u;

	add_logins(r, &r->admins, NULL, "berth.yaml (approvals.admins)", &admins);
	if (!admins.live)
		add_note(r, "berth.yaml has no approvals.admins: berth.yaml, users/, teams/ and all else that is shared is nobody's");
	r->out->admins = sorted(r->mem, &admins, &r->out->nadmins);
	for (size_t i = 0; map_next(&r->users, &i, NULL, &u);)
		n += folder_of(r, u, &folders[n]);
	qsort(folders, n, sizeof(*folders), by_user);
	r->out->folders = folders;
	r->out->nfolders = n;
	r->out->notes = sorted(r->mem, &r->noted, &r->out->nnotes);
}

int
codeowners_read(struct arena *mem, const struct files *files, struct codeowners *out, struct err *e)
{
	struct codeowners c = { 0 };
	struct reader r = { .mem = mem, .files = files, .out = &c };
	int rc = read_all(&r, e);

	if (rc == 0) {
		all_folders(&r);
		*out = c;
	}
	map_free(&r.users);
	map_free(&r.teams);
	map_free(&r.noted);
	return rc;
}
