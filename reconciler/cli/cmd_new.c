/* SPDX-License-Identifier: Apache-2.0 */
/* berth new: an environment's file, checked, on a branch of its own. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/ask.h"
#include "cli/new_doc.h"
#include "lib/base/str.h"

struct making {
	struct proposal p;
	const char *owner, *name, *path;
	unsigned asked;
};

/* -- whose ----------------------------------------------------------------------------------------------------------------------------- */

static const char *
email_of(const struct doc *user)
{
	return value_as_str(value_get(user->spec, "email"), NULL);
}

static int
owner_given(struct making *m, const char *given, struct err *e)
{
	const struct map *users = &world_site(m->p.was)->docs[KIND_USER];
	const char **names = arena_array(m->p.mem, users->live + 1, sizeof(*names)), *name, *near;
	size_t n = 0;
	void *user;

	for (size_t i = 0; map_next(users, &i, &name, &user);) {
		names[n++] = name;
		if (str_eq(given, name) || str_eq(given, email_of(user))) {
			m->owner = name;
			return 0;
		}
	}
	near = str_nearest(given, names, n);
	(void)err_set(e, ERR_USAGE, "there is no user %s in users/", given);
	if (near)
		return err_hint(e, "did you mean %s?", near);
	return err_hint(e, "an administrator adds one: berth user add NAME --email EMAIL --key FILE.pub");
}

static int
owner_by_email(struct making *m, struct err *e)
{
	static const char *const args[] = { "config", "--get", "user.email", NULL };
	const struct map *users = &world_site(m->p.was)->docs[KIND_USER];
	const char *email = person_git_get(&m->p.person, args), *name, *found[8];
	size_t n = 0;
	void *user;

	if (!email) {
		(void)err_set(e, ERR_USAGE, "whose environment is it? git knows no user.email");
		return err_hint(e, "git config user.email YOU@EXAMPLE.COM, as in your file in users/, or --owner NAME");
	}
	for (size_t i = 0; map_next(users, &i, &name, &user) && n < 8;)
		if (email_of(user) && strcasecmp(email_of(user), email) == 0)
			found[n++] = name;
	if (n == 1) {
		m->owner = found[0];
		return 0;
	}
	if (n > 1) {
		(void)err_set(e, ERR_USAGE, "%s is the email of more than one user: %s", email, str_join(m->p.mem, found, n, ""));
		return err_hint(e, "say which with --owner NAME");
	}
	(void)err_set(e, ERR_USAGE, "nobody in users/ has the email %s that git says is yours (user.email)", email);
	return err_hint(e, "--owner NAME says whose it is; who has no file yet is added by an administrator: berth user add NAME --email %s --key FILE.pub", email);
}

/* OWNER/NAME says both, as elsewhere. */
static int
find_owner(struct making *m, struct err *e)
{
	const char *given = args_str(m->p.a, "owner", NULL), *slash = strchr(m->name, '/');

	if (slash) {
		given = arena_strndup(m->p.mem, m->name, (size_t)(slash - m->name));
		m->name = slash + 1;
	}
	return given ? owner_given(m, given, e) : owner_by_email(m, e);
}

/* -- what it is called --------------------------------------------------------------------------------------------------------------------- */

static const char *
name_fault(struct arena *mem, const char *name)
{
	struct path_info info;

	if (name_valid(name))
		return NULL;
	path_classify(mem, arena_printf(mem, "envs/x/%s.yaml", strchr(name, '/') ? "-" : name), &info);
	return info.class == PATH_BAD ? info.why : "names are a lower-case letter, then letters, digits and single hyphens";
}

static const char *
good_name(void *ctx, const char *answer)
{
	return name_fault(ctx, answer);
}

static int
ask_name(struct making *m, struct err *e)
{
	struct ask ask = { m->p.mem, 1 };

	if (!m->p.asks) {
		(void)err_set(e, ERR_USAGE, "what is it to be called?");
		return err_hint(e, "berth new NAME --flavor FLAVOR");
	}
	m->asked = 1;
	return ask_text(&ask, "name of the new environment", NULL, good_name, m->p.mem, &m->name, e);
}

static int
find_name(struct making *m, struct err *e)
{
	const char *why;
	int rc = 0;

	m->name = m->p.a->npos ? m->p.a->pos[0] : NULL;
	if ((!m->name && (rc = ask_name(m, e)) < 0) || (rc = find_owner(m, e)) < 0)
		return rc;
	if ((why = name_fault(m->p.mem, m->name)))
		return err_set(e, ERR_USAGE, "%s: %s", m->name, why);
	m->path = arena_printf(m->p.mem, "envs/%s/%s.yaml", m->owner, m->name);
	if (!files_find(&m->p.files, m->path) || args_flag(m->p.a, "force"))
		return 0;
	(void)err_set(e, ERR_DENIED, "%s is there already", m->path);
	return err_hint(e, "take another name, or change that file; --force writes it anew");
}

/* -- the way ------------------------------------------------------------------------------------------------------------------------------- */

static int
make(struct making *m, struct err *e)
{
	const struct args *a = m->p.a;
	struct wishes w = { args_said(a, "flavor"), args_said(a, "image"), args_said(a, "team"), args_said(a, "gpus"), args_said(a, "memory"),
		args_said(a, "access"), args_said(a, "ttl") };
	struct proposed done = { 0 };
	struct file_change *file = arena_alloc(m->p.mem, sizeof(*file));
	const char *branch, *message;
	struct value *spec;
	int rc;

	if ((rc = wishes_check(m->p.mem, &w, e)) < 0 || (rc = find_name(m, e)) < 0 ||
	    (rc = propose_branch(&m->p, arena_printf(m->p.mem, "env/%s/%s", m->owner, m->name), &branch, e)) < 0 ||
	    (rc = wishes_ask(&m->p, m->owner, m->asked, &w, e)) < 0 || (rc = wishes_spec(&m->p, m->owner, &w, &spec, e)) < 0 ||
	    (rc = doc_text(m->p.mem, &m->p.files, KIND_ENV, m->path, spec, file, e)) < 0 ||
	    (rc = propose_check(&m->p, file, 1, m->owner, e)) < 0)
		return rc;
	if (rc)
		return EXIT_FINDINGS;
	if (m->p.form == OUTPUT_TABLE && (rc = new_show(&m->p, m->owner, m->name, file, e)) < 0)
		return rc;
	message = arena_printf(m->p.mem, "envs/%s/%s: %s environment\n\nFlavor %s; made by `berth new`.\n", m->owner, m->name,
	                       files_find(&m->p.files, m->path) ? "another" : "new", w.flavor);
	done.file = m->path;
	if ((rc = propose_make(&m->p, file, 1, branch, message, &done, e)) < 0)
		return rc;
	return propose_tell(&m->p, message, &done, e);
}

static int
run(const struct args *a, struct err *e)
{
	struct making m = { 0 };
	int rc = propose_open(a, &m.p, e);

	if (rc == 0)
		rc = make(&m, e);
	propose_close(&m.p);
	return rc;
}

static const struct opt opts[] = {
	{ "flavor", "NAME", "what machine it is, of flavors/" },
	{ "image", "NAME", "of images/, or a reference that berth.yaml allows (default: the flavor's)" },
	{ "gpus", "N", "GPUs of each pod (default: the flavor's)" },
	{ "memory", "SIZE", "of each pod, for example 64Gi (default: the flavor's)" },
	{ "access", "LIST", "of ssh, terminal, jupyter, vscode, with commas; none: nothing (default: ssh and terminal)" },
	{ "ttl", "TIME", "time to live, for example 72h (default: it stays)" },
	{ "team", "NAME", "whose quota and budget (default: your first team)" },
	{ "owner", "NAME", "whose it is (default: who has git's user.email in users/)" },
	{ "no-input", NULL, "ask nothing: take what the options say, and the defaults" },
	{ "force", NULL, "also where there is such a file, or such a branch: both are replaced" },
	PROPOSE_OPTS,
	{ NULL, NULL, NULL },
};

const struct verb cmd_new = {
	.name = "new", .args = "[NAME]", .summary = "make an environment: asks, checks, and pushes a branch for the pull request",
	.examples = "berth new train                                         asks at most five questions, Enter takes the default\n"
	            "berth new train --flavor gpu-small --image pytorch --gpus 2 --access ssh,jupyter --ttl 72h --no-input\n"
	            "berth new bo/shell --flavor cpu-small --no-push         somebody else's; the branch stays in the clone\n"
	            "berth new train --flavor gpu-small -o json              {file, branch, commit, link, pushed, pull}\n"
	            "berth new train --forge-token-file ~/.config/berth/token  opens the pull request, too\n",
	.details = "Writes envs/<you>/NAME.yaml with the fewest lines, on a branch env/<you>/NAME from the origin's main. Your work tree, index and branch stay as they\n"
	           "are. It is checked before anything is written, as `berth validate` does: with errors nothing is (exit 1). git makes the commit in your name, signed\n"
	           "where commit.gpgsign is set, and pushes it; then the link that opens the pull request is printed; with a\n"
	           "token (--forge-token-file, BERTH_FORGE_TOKEN_FILE) it is opened, and its number and address are printed. Without an origin the file is written here.",
	.opts = opts, .max = 1, .run = run,
};
