/* SPDX-License-Identifier: Apache-2.0 */
/* berth user: people come and go, each by a branch for the pull request. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "cli/new_doc.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "plan/guard.h"
#include "validate/sshkey.h"

#define KEYS_MAX 64
#define KEY_FILE_MAX ((size_t)256 * 1024)
#define UID_BYTES 4
#define UID_TRIES 100

struct work {
	struct proposal p;
	const char *name, *path;
	struct file_change *changes;
	size_t n;
	const char *message;
};

/* -- adding ----------------------------------------------------------------------------------------------------------------------------- */

static int
add_line(struct work *w, const char *file, const char *line, struct value *keys, struct err *e)
{
	const char *why, *help;

	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return 0;
	if (sshkey_check(w->p.mem, line, strlen(line), &why, &help) < 0) {
		(void)err_set(e, ERR_USAGE, "--key %s: %s", file, why);
		return err_hint(e, "%s", help);
	}
	if (value_len(keys) == KEYS_MAX)
		return err_set(e, ERR_USAGE, "--key %s: more than %d keys", file, KEYS_MAX);
	value_push(w->p.mem, keys, value_str(w->p.mem, line));
	return 0;
}

/* A private key given by mistake is told by its name alone. */
static int
read_keys(struct work *w, const char *file, struct value *keys, struct err *e)
{
	char *text, *next;
	size_t len, before = value_len(keys);
	int rc = fs_read(file, KEY_FILE_MAX, w->p.mem, &text, &len, e);

	if (rc == ERR_NOTFOUND)
		return e->code = ERR_USAGE; /* a name typed wrong */
	if (rc < 0)
		return rc;
	if (strstr(text, "PRIVATE KEY-----")) {
		(void)err_set(e, ERR_USAGE, "--key %s: that is a private key, which stays with its owner", file);
		return err_hint(e, "give the public one: --key %s.pub", file);
	}
	for (; text && rc == 0; text = next) {
		next = strchr(text, '\n');
		if (next)
			*next++ = '\0';
		text[strcspn(text, "\r")] = '\0';
		rc = add_line(w, file, text, keys, e);
	}
	if (rc == 0 && value_len(keys) == before)
		return err_set(e, ERR_USAGE, "--key %s: there is no key in it", file);
	return rc;
}

static bool
uid_taken(const struct site *s, const char *uid)
{
	void *user;

	for (size_t i = 0; map_next(&s->docs[KIND_USER], &i, NULL, &user);)
		if (str_eq(value_as_str(value_get(((const struct doc *)user)->spec, "uid"), NULL), uid))
			return true;
	return false;
}

static int
new_uid(struct work *w, const char **out, struct err *e)
{
	unsigned char raw[UID_BYTES];

	for (unsigned i = 0; i < UID_TRIES; i++) {
		if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
			return err_errno(e, "random numbers");
		*out = arena_printf(w->p.mem, "%02x%02x%02x%02x", raw[0], raw[1], raw[2], raw[3]);
		if (!uid_taken(world_site(w->p.was), *out))
			return 0;
	}
	return err_set(e, ERR_INTERNAL, "no uid is free");
}

static int
add_spec(struct work *w, struct value *spec, struct err *e)
{
	const struct args *a = w->p.a;
	const char *email = args_said(a, "email"), *uid = NULL, *role = args_flag(a, "admin") ? "admin" : args_said(a, "role");
	size_t nkeys, nteams;
	const char *const *files = args_list(a, "key", &nkeys), *const *teams = args_list(a, "team", &nteams);
	struct value *keys = value_list(w->p.mem);
	int rc;

	if (!email || !nkeys) {
		(void)err_set(e, ERR_USAGE, "%s is missing", email ? "--key" : "--email");
		return err_hint(e, "berth user add %s --email EMAIL --key FILE.pub", w->name);
	}
	for (size_t i = 0; i < nkeys; i++)
		if ((rc = read_keys(w, files[i], keys, e)) < 0)
			return rc;
	if ((rc = new_uid(w, &uid, e)) < 0)
		return rc;
	value_set(w->p.mem, spec, "uid", value_str(w->p.mem, uid));
	value_set(w->p.mem, spec, "email", value_str(w->p.mem, email));
	if (role)
		value_set(w->p.mem, spec, "role", value_str(w->p.mem, role));
	if (nteams)
		value_set(w->p.mem, spec, "teams", value_strs(w->p.mem, teams, nteams));
	value_set(w->p.mem, spec, "sshKeys", keys);
	return 0;
}

static int
add(struct work *w, struct err *e)
{
	struct value *spec = value_map(w->p.mem);
	int rc;

	if (files_find(&w->p.files, w->path) && !args_flag(w->p.a, "force")) {
		(void)err_set(e, ERR_DENIED, "%s is there already", w->path);
		return err_hint(e, "change that file; --force writes it anew, with another uid, so that what was sealed for them opens no more");
	}
	if ((rc = add_spec(w, spec, e)) < 0)
		return rc;
	w->changes = arena_alloc(w->p.mem, sizeof(*w->changes));
	w->n = 1;
	w->message = arena_printf(w->p.mem, "users/%s: new user\n\nMade by `berth user add`.\n", w->name);
	return doc_text(w->p.mem, &w->p.files, KIND_USER, w->path, spec, w->changes, e);
}

/* -- removing ----------------------------------------------------------------------------------------------------------------------------- */

/* Which other environments there are says how many may go at once. */
static void
note_guard(const struct work *w, size_t goes)
{
	const struct site *s = world_site(w->p.was);
	const char **owners, *const *names;
	size_t n, k, all = 0, allowed;

	world_owners(w->p.was, w->p.mem, &owners, &n);
	for (size_t i = 0; i < n; i++) {
		world_names(w->p.was, w->p.mem, owners[i], &names, &k);
		all += k;
	}
	allowed = guard_allowed(value_get(s->org->spec, "guards"), all);
	if (goes > allowed)
		(void)fprintf(stderr, "note: %zu of %zu environments go at once, %zu are allowed: end the merge commit's message with \"Berth-Allow-Delete: %zu\"\n", goes,
		              all, allowed, goes);
}

static int
drop_files(struct work *w, struct err *e)
{
	const char *const *names;
	const struct file_entry *own;
	size_t n, nfiles;

	world_names(w->p.was, w->p.mem, w->name, &names, &n);
	own = files_under(&w->p.files, arena_printf(w->p.mem, "envs/%s/", w->name), &nfiles);
	if (n && !args_flag(w->p.a, "with-environments")) {
		(void)err_set(e, ERR_DENIED, "%s has %zu environment%s: %s", w->name, n, n == 1 ? "" : "s", str_join(w->p.mem, names, n < 20 ? n : 20, ""));
		return err_hint(e, "--with-environments deletes them too, with everything in envs/%s/; volumes stay unless they say onDelete: purge", w->name);
	}
	w->changes = arena_array(w->p.mem, nfiles + 1, sizeof(*w->changes));
	for (size_t i = 0; i < nfiles; i++)
		w->changes[w->n++] = (struct file_change){ .path = own[i].path };
	w->changes[w->n++] = (struct file_change){ .path = w->path };
	for (size_t i = 0; i < w->n && w->p.form == OUTPUT_TABLE; i++)
		(void)printf("  - %s\n", w->changes[i].path);
	note_guard(w, n);
	w->message = arena_printf(w->p.mem, "users/%s: gone%s\n\nMade by `berth user remove`.\n", w->name, n ? ", with all environments" : "");
	return 0;
}

static int
drop(struct work *w, struct err *e)
{
	if (files_find(&w->p.files, w->path))
		return drop_files(w, e);
	(void)err_set(e, ERR_USAGE, "there is no %s", w->path);
	return err_hint(e, "users are the files in users/");
}

/* -- both ---------------------------------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	int (*prepare)(struct work *w, struct err *e);
	bool again; /* a branch of the same name is the same proposal; else it is what they came with, squashed perhaps */
} words[] = { { "add", add, true }, { "remove", drop, false } };

static int
make(struct work *w, size_t word, struct err *e)
{
	struct proposed done = { .file = w->path };
	const char *branch;
	int rc;

	if ((rc = propose_branch(&w->p, arena_printf(w->p.mem, "user/%s", w->name), &branch, e)) < 0 || (rc = words[word].prepare(w, e)) < 0 ||
	    (rc = propose_check(&w->p, w->changes, w->n, w->name, e)) < 0)
		return rc;
	if (rc)
		return EXIT_FINDINGS;
	if (w->p.form == OUTPUT_TABLE && w->changes[0].bytes)
		(void)printf("%s\n%s", w->path, w->changes[0].bytes);
	if ((rc = propose_make(&w->p, w->changes, w->n, branch, w->message, &done, e)) < 0)
		return rc;
	rc = propose_tell(&w->p, w->message, &done, e);
	if (args_flag(w->p.a, "admin"))
		(void)fprintf(stderr, "note: the role admin sets limits; who may approve stands in berth.yaml (approvals.admins) and approvers/allowed_signers\n");
	return rc;
}

static int
run(const struct args *a, struct err *e)
{
	struct work w = { .name = a->pos[1], .path = arena_printf(a->mem, "users/%s.yaml", a->pos[1]) };
	size_t word = 0;
	int rc;

	while (word < sizeof(words) / sizeof(words[0]) && !str_eq(words[word].word, a->pos[0]))
		word++;
	if (word == sizeof(words) / sizeof(words[0]))
		return err_set(e, ERR_USAGE, "berth user %s: write add or remove", a->pos[0]);
	if (!name_valid(w.name))
		return err_set(e, ERR_USAGE, "%s: names are a lower-case letter, then letters, digits and single hyphens, at most 40 characters", w.name);
	if ((rc = propose_open(a, &w.p, e)) == 0) {
		w.p.renames = !words[word].again;
		rc = make(&w, word, e);
	}
	propose_close(&w.p);
	return rc;
}

static const struct opt opts[] = {
	{ "email", "EMAIL", "of the person; their commits are told by it" },
	{ "key", "FILE", "public SSH keys that may log in, as in authorized_keys; more than one may be given" },
	{ "team", "NAME", "of teams/; more than one may be given, the first is the default of environments" },
	{ "role", "NAME", "of berth.yaml's roles, which sets limits (default: standard)" },
	{ "admin", NULL, "the role admin" },
	{ "with-environments", NULL, "remove: delete the person's environments and folder too" },
	{ "no-input", NULL, "git asks for nothing on the terminal" },
	{ "force", NULL, "also where there is such a file, or such a branch: both are replaced" },
	PROPOSE_OPTS,
	{ NULL, NULL, NULL },
};

const struct verb cmd_user = {
	.name = "user", .args = "add|remove NAME", .summary = "add or remove a person: pushes a branch for the pull request",
	.examples = "berth user add erin --email erin@example.com --key erin.pub --team vision\n"
	            "berth user remove erin                      refused while erin has environments\n"
	            "berth user remove erin --with-environments\n",
	.details = "Makes or deletes users/NAME.yaml on a branch user/NAME from the origin's main, checked, committed and pushed as `berth new` does it (with a token\n"
	           "the pull request is opened as well). Where the origin still has that branch, `remove` takes user/NAME-2. The uid is new and\n"
	           "belongs to nobody else: sealed secrets are bound to it. A person who is named elsewhere (teams, shares) is removed there first.",
	.opts = opts, .min = 2, .max = 2, .run = run,
};
