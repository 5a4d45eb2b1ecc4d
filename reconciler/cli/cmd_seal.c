/* SPDX-License-Identifier: Apache-2.0 */
/* berth seal: a value from standard input into a file of the repository that only berth opens, and only there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/guarded.h"
#include "cli/published.h"
#include "cli/rotate.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/seal/place.h"
#include "repo/source.h"

#define NAME_LEN_MAX 100

struct sealing {
	const struct args *a;
	struct published p;
	const char *dir;                 /* -C */
	const char *user, *env, *name;   /* user NULL: the site */
	const char *path;                /* in the repository */
	struct seal_place place;
	uint8_t pk[AGE_STANZAS_MAX][32]; /* berth's first */
	size_t n;
	const char *whose;               /* "alice (generation 2)", for the report */
};

/* -- where ----------------------------------------------------------------------------------------------------------------- */

static int
find_user(struct sealing *s, struct err *e)
{
	const char *user = args_str(s->a, "user", NULL), *me = getenv("USER");

	if (args_said(s->a, "site")) {
		if (s->env || args_said(s->a, "user"))
			return err_set(e, ERR_USAGE, "--site is for everybody: without --user and --env");
		return 0;
	}
	if (!user && me && name_valid(me) && fs_exists(arena_printf(s->a->mem, "%s/users/%s.yaml", s->dir, me)))
		user = me;
	if (!user) {
		(void)err_set(e, ERR_USAGE, "whose secret is it?");
		return err_hint(e, "say --user NAME, or once for all `user: NAME` in ~/.config/berth/config.yaml");
	}
	if (!name_valid(user) || (s->env && !name_valid(s->env)))
		return err_set(e, ERR_USAGE, "%s is no name of a%s", name_valid(user) ? s->env : user, name_valid(user) ? "n environment" : " user");
	s->user = user;
	return 0;
}

/* And the place, from the path. */
static int
format_of(struct sealing *s)
{
	enum seal_format format;

	return place_of_path(s->a->mem, s->path, &s->place, &format, NULL) < 0 ? -1 : (int)format;
}

static int
find_path(struct sealing *s, struct err *e)
{
	const char *name = s->a->pos[0];
	size_t n = strlen(name) - (str_ends(name, ".age") ? 4 : 0);

	s->name = arena_strndup(s->a->mem, name, n);
	if (!s->user)
		s->path = arena_printf(s->a->mem, "secrets/%s.age", s->name);
	else
		s->path = arena_printf(s->a->mem, "envs/%s/secrets/%s%s%s.age", s->user, s->env ? s->env : "", s->env ? "/" : "", s->name);
	if (*s->name == '-' || strchr(s->name, '/') || n > NAME_LEN_MAX || format_of(s) != SEAL_AGE) {
		(void)err_set(e, ERR_USAGE, "a secret's name has letters, digits, and '-', '_', '.' inside, at most %d of them", NAME_LEN_MAX);
		return err_hint(e, "the value is never an argument: it comes from standard input, `berth seal NAME < FILE`");
	}
	if (!fs_exists(arena_printf(s->a->mem, "%s/berth.yaml", s->dir))) {
		(void)err_set(e, ERR_NOTFOUND, "%s is no working tree of an environments repository: there is no berth.yaml", s->dir);
		return err_hint(e, "give a clone of it with -C DIR");
	}
	if (fs_exists(arena_printf(s->a->mem, "%s/%s", s->dir, s->path)) && !args_said(s->a, "force")) {
		(void)err_set(e, ERR_CONFLICT, "%s is there already", s->path);
		return err_hint(e, "--force puts the new value in its place");
	}
	return published_open(s->a, &s->p, e);
}

/* -- for whom -------------------------------------------------------------------------------------------------------------- */

static int
add_recipient(struct sealing *s, const char *text, struct err *e)
{
	int rc;

	if (s->n == AGE_STANZAS_MAX)
		return err_set(e, ERR_USAGE, "more than %d recipients", AGE_STANZAS_MAX);
	if ((rc = age_recipient_parse(text, strlen(text), s->pk[s->n], e)) < 0)
		return rc;
	s->n++;
	return 0;
}

/* As published, whoever wrote it there. */
static int
unverified(struct sealing *s, struct recipients *r, struct err *e)
{
	const char *path = recipients_path(s->a->mem, s->user), *text;
	struct branch b;
	size_t n;
	int rc;

	if ((rc = branch_open(s->a, BRANCH_STATUS, &b, e)) < 0)
		return rc;
	if (!b.exists)
		return err_set(e, ERR_NOTFOUND, "there is no branch " BRANCH_STATUS);
	if ((rc = git_tree_read(b.git, &b.tree, path, RECIPIENTS_FILE_MAX, s->a->mem, &text, &n, e)) < 0)
		return err_wrap(e, "branch " BRANCH_STATUS);
	(void)fprintf(stderr, "berth: NOT VERIFIED: whoever can write to the branch " BRANCH_STATUS " may open what you seal now\n");
	return recipients_parse(s->a->mem, text, n, s->user, r, e);
}

static int
berth_recipient(struct sealing *s, struct err *e)
{
	struct recipients r = { .user = NULL };
	const char *text;
	int rc = args_said(s->a, "unverified") ? unverified(s, &r, e) : published_recipients(&s->p, s->user, &r, e);

	if (rc < 0 || (rc = recipients_for(&r, s->env, &text, e)) < 0)
		return rc;
	s->whose = arena_printf(s->a->mem, "%s (generation %u)", place_text(s->a->mem, &s->place), r.generation);
	return add_recipient(s, text, e);
}

static int
find_recipients(struct sealing *s, struct err *e)
{
	size_t n;
	const char *const *more = args_list(s->a, "r", &n);
	int rc = 0;

	if (args_said(s->a, "unverified") && n)
		s->whose = "the recipients of -r, which nobody verified";
	else
		rc = berth_recipient(s, e);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_recipient(s, more[i], e);
	return rc;
}

/* -- the value ------------------------------------------------------------------------------------------------------------- */

static void
strip_newline(struct secret *v)
{
	if (v->n && v->b[v->n - 1] == '\n')
		v->b[--v->n] = '\0';
	if (v->n && v->b[v->n - 1] == '\r')
		v->b[--v->n] = '\0';
}

static int
read_value(struct sealing *s, struct secret *v, struct err *e)
{
	int rc;

	if (isatty(STDIN_FILENO))
		rc = guarded_ask(arena_printf(s->a->mem, "value of %s (not shown, Enter ends it): ", s->name), v, e);
	else
		rc = guarded_read(STDIN_FILENO, "standard input", AGE_PLAIN_MAX, v, e);
	if (rc < 0)
		return rc;
	if (args_said(s->a, "strip-newline"))
		strip_newline(v);
	else if (v->n && v->b[v->n - 1] == '\n')
		(void)fprintf(stderr, "berth: the value ends with a line break, which is sealed with it; --strip-newline takes it off\n");
	if (v->n)
		return 0;
	(void)err_set(e, ERR_INVALID, "the value is empty");
	return err_hint(e, "pipe it: `pass show wandb | berth seal --strip-newline %s`, or type it on a terminal", s->name);
}

/* -- writing --------------------------------------------------------------------------------------------------------------- */

static int
write_file(struct sealing *s, const struct secret *value, struct err *e)
{
	struct buf AUTO_BUF out = BUF_INIT(AGE_FILE_MAX);
	const char *path = arena_printf(s->a->mem, "%s/%s", s->dir, s->path);
	int rc;

	if ((rc = age_seal((const uint8_t(*)[32])s->pk, s->n, value->b, value->n, true, NULL, &out, e)) < 0)
		return rc;
	if (out.len > FILE_OTHER_MAX)
		return err_set(e, ERR_INVALID, "sealed it has %zu bytes, and a sealed file may have %zu: a value of about 750 KiB is the largest", out.len,
		               FILE_OTHER_MAX);
	if ((rc = fs_mkdirs(arena_strndup(s->a->mem, path, (size_t)(strrchr(path, '/') - path)), e)) < 0)
		return rc;
	return fs_write_atomic(path, out.data, out.len, 0644, e);
}

/* A name as spec.secrets takes it, from that of the file. */
static const char *
spec_name(struct arena *mem, const char *name)
{
	char *out = arena_strdup(mem, name);

	for (char *p = out; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p == '_' || *p == '.' ? '-' : *p;
	return name_valid(out) ? out : "my-secret";
}

static void
report(const struct sealing *s)
{
	struct arena *mem = s->a->mem;
	const char *name = spec_name(mem, s->name), *in_dir = strcmp(s->dir, ".") == 0 ? "" : arena_printf(mem, " -C %s", s->dir);

	(void)printf("%s is sealed for %s%s\n\n", s->path, s->whose, s->n > 1 && !args_said(s->a, "unverified") ? ", and for -r" : "");
	if (!s->user)
		(void)printf("# spec.defaults of berth.yaml, or of a team, flavor or image\n  secrets:\n    - {name: %s, file: /%s, as: env}", name, s->path);
	else
		(void)printf("# envs/%s/%s.yaml\nspec:\n  secrets:\n    - {name: %s, file: %s, as: env}", s->user, s->env ? s->env : "NAME", name,
		             s->path + strlen("envs/") + strlen(s->user) + 1);
	(void)printf("    # $%s; or as: file, ssh, git, registry\n\n", secret_variable(mem, name));
	(void)printf("git%s add %s\ngit%s commit -m \"seal %s\"\n", in_dir, s->path, in_dir, s->name);
}

static int
seal_one(const struct args *a, struct err *e)
{
	struct sealing *s = arena_alloc(a->mem, sizeof(*s));
	struct secret AUTO_SECRET value = { NULL, 0 };
	int rc;

	s->a = a;
	s->dir = args_str(a, "C", ".");
	s->env = args_said(a, "env");
	if ((rc = find_user(s, e)) < 0 || (rc = find_path(s, e)) < 0 || (rc = find_recipients(s, e)) < 0 || (rc = read_value(s, &value, e)) < 0 ||
	    (rc = write_file(s, &value, e)) < 0)
		return rc;
	report(s);
	return EXIT_FINE;
}

static int
run(const struct args *a, struct err *e)
{
	bool rotate = args_said(a, "rotate");
	int rc;

	if (rotate ? a->npos != 0 : a->npos != 1) {
		(void)err_set(e, ERR_USAGE, rotate ? "--rotate looks at all sealed files and takes no NAME" : "which secret? `berth seal NAME`");
		return err_hint(e, "`berth seal --help` shows examples");
	}
	if ((rc = guarded_start(e)) < 0)
		return rc;
	return rotate ? rotate_run(a, e) : seal_one(a, e);
}

static const struct opt opts[] = {
	{ "C", "DIR", "a clone of the environments repository (default: here)" },
	{ "user", "NAME", "whose it is (default: $USER, when users/ has such a file)" },
	{ "env", "NAME", "only this environment of theirs may use it" },
	{ "site", NULL, "for everybody: administrators, in spec.defaults" },
	{ "r", "RECIPIENT", "an age recipient that may open it too (yours, to read it again); more than one may be given" },
	{ "unverified", NULL, "take berth's recipient without its signature; with -r take those alone" },
	{ "strip-newline", NULL, "take one line break off the end of the value" },
	{ "force", NULL, "put it in the place of the file that is there" },
	{ "offline", NULL, "do not ask the origin for the recipient" },
	{ "token-file", "FILE", "HTTP: a file whose first line is the token or password" },
	{ "rotate", NULL, "list every sealed file and the generation that it is sealed for" },
	{ "key", "FILE", "rotate: the master key" },
	{ "write", NULL, "rotate: seal old ones again for the current generation" },
	{ "o", "table|json", "rotate: how to print it" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_seal = {
	.name = "seal", .args = "NAME", .summary = "seal a value for the repository: token, key, password",
	.examples = "berth seal wandb                                 asks for the value, writes envs/<you>/secrets/wandb.age\n"
	            "berth seal --env train deploy-key < id_ed25519   a file, for one environment alone\n"
	            "pass show hf | berth seal --strip-newline hf     from a password store\n"
	            "berth seal --site registry < config.json         administrators: for all environments\n"
	            "berth seal --rotate --key master-key             which files are sealed for an old generation\n"
	            "berth seal --rotate --key master-key --write     seal those again\n",
	.details = "The value comes from standard input and never stands in an argument. The recipient is read from the branch berth/status and\n"
	           "must be signed by the signer that berth.yaml names. What is sealed opens in its folder alone: copied into somebody else's it is\n"
	           "worthless. Plain age does the same: `berth recipients` shows the recipient. --rotate changes no value and restarts nobody.",
	.opts = opts, .max = 1, .run = run,
};
