/* SPDX-License-Identifier: Apache-2.0 */
/* From a number to a commit, and its approval by a review. */
#include "cli/approve_pull.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/forge_args.h"
#include "cli/person_git.h"
#include "cli/planned_line.h"
#include "cli/pull_link.h"
#include "cli/pull_open.h"
#include "lib/base/str.h"
#include "lib/git/clone.h"

#define COMMITS_MAX 200
#define COMMITS_SHOWN 10
#define DIGITS_MAX 9
#define SHORT_ID 7 /* so many digits may be a commit's id as well */

static const char *
word(const struct pull_meant *m)
{
	return arena_printf(m->a->mem, "%s %" PRId64, pull_word(m->kind), m->number);
}

/* -- which --------------------------------------------------------------------------------------------------------------------------- */

/* 0: not a number. */
static int64_t
number_of(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n && n <= DIGITS_MAX && !s[n] ? strtoll(s, NULL, 10) : 0;
}

static bool
is_ref(const struct pull_meant *m, const char *name)
{
	static const char *const before[] = { "refs/heads/", "refs/remotes/origin/", "refs/tags/" };
	struct oid id;

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		if (git_ref_read(m->p->git, arena_printf(m->a->mem, "%s%s", before[i], name), &id, NULL) == 0)
			return true;
	return strlen(name) >= SHORT_ID && git_rev_parse(m->p->git, name, &id, NULL) == 0;
}

static int
of_page(struct pull_meant *m, const char *page, struct err *e)
{
	m->number = m->url ? pull_of_page(m->a->mem, m->url, page) : 0;
	if (m->number > 0)
		return 1;
	(void)err_set(e, ERR_USAGE, "%s is no pull request of %s", page, m->url ? "this clone's origin" : "a repository without an origin");
	return err_hint(e, "-C names the clone of the repository that it belongs to; its number alone will do, too: berth approve 42");
}

static int
which(struct pull_meant *m, const char *arg, struct err *e)
{
	if (strstr(arg, "://"))
		return of_page(m, arg, e);
	m->number = number_of(arg + (*arg == '#' || *arg == '!'));
	if (!m->number || *arg == '#' || *arg == '!' || !is_ref(m, arg))
		return m->number ? 1 : 0;
	(void)fprintf(stderr, "note: there is a branch or tag %s, which is meant; the pull request is #%s\n", arg, arg);
	return 0;
}

int
pull_mean(const struct args *a, const struct proved *p, const char *arg, struct pull_meant *out, struct err *e)
{
	struct pull_meant m = { .a = a, .p = p };
	int rc, is;

	if (!p->clone || git_origin_url(p->git, "origin", a->mem, &m.url, NULL) < 0)
		m.url = NULL;
	is = rc = which(&m, arg, e);
	if (is == 1 && (rc = forge_kind_of_person(a, m.url ? m.url : "", &m.kind, e)) == 0 && m.url)
		rc = forge_of_person(a, m.url, &m.forge, e);
	*out = m;
	return rc < 0 ? rc : is;
}

void
pull_meant_close(struct pull_meant *m)
{
	forge_close(m->forge);
	m->forge = NULL;
}

/* -- its head ------------------------------------------------------------------------------------------------------------------------- */

static const char *
there_of(const struct pull_meant *m, bool gitlab)
{
	return arena_printf(m->a->mem, "refs/%s/%" PRId64 "/head", gitlab ? "merge-requests" : "pull", m->number);
}

/* Its own name here: no branch of anybody's, and kept, so that git can show it. */
static const char *
here_of(const struct pull_meant *m)
{
	return arena_printf(m->a->mem, "refs/berth/pulls/%" PRId64, m->number);
}

static int
fetch(const struct pull_meant *m, bool gitlab, struct git_said *said, struct err *e)
{
	const struct person_git quiet = { m->a->mem, m->p->dir, false };
	const char *const args[] = { "fetch", "-q", "--no-tags", "origin", arena_printf(m->a->mem, "+%s:%s", there_of(m, gitlab), here_of(m)), NULL };

	return person_git(&quiet, args, said, e);
}

static int
not_fetched(const struct pull_meant *m, const struct git_said *said, struct err *e)
{
	if (!strstr(said->why, "couldn't find remote ref"))
		return err_set(e, ERR_UNAVAILABLE, "%s was not fetched%s%s", word(m), *said->why ? ": " : "", said->why);
	(void)err_set(e, ERR_NOTFOUND, "the origin has no %s", word(m));
	return err_hint(e, "a branch or BASE..HEAD can be approved as well; --forge gitlab where the origin is GitLab and its host name does not say so");
}

static int
fetch_from_origin(const struct pull_meant *m, struct err *e)
{
	struct git_said said;
	int rc = fetch(m, m->kind == FORGE_GITLAB, &said, e);

	if (rc == 0 && said.code && m->kind == FORGE_UNKNOWN)
		rc = fetch(m, true, &said, e);
	return rc < 0 || !said.code ? rc : not_fetched(m, &said, e);
}

int
pull_fetch(struct pull_meant *m, struct err *e)
{
	const char *ref = here_of(m);
	int rc = 0;

	if (!m->p->clone)
		ref = there_of(m, m->kind == FORGE_GITLAB);
	else if (!args_flag(m->a, "offline"))
		rc = fetch_from_origin(m, e);
	if (rc < 0)
		return rc;
	if ((rc = git_ref_read(m->p->git, ref, &m->head, e)) == ERR_NOTFOUND) {
		(void)err_set(e, ERR_NOTFOUND, "%s is not here", word(m));
		return err_hint(e, m->p->clone ? "without --offline it is fetched" : "approve a branch or BASE..HEAD");
	}
	oid_hex(&m->head, m->hex);
	return rc < 0 ? rc : git_fork_point(m->p->git, m->p->main_ref, m->hex, &m->fork, e);
}

/* -- what it is ------------------------------------------------------------------------------------------------------------------------- */

static int
show_forge(const struct pull_meant *m, struct err *e)
{
	static const char *const states[] = { "open", "closed", "merged" };
	struct forge_pull f;
	int rc = forge_pull(m->forge, m->number, m->a->mem, &f, e);

	if (rc < 0)
		return rc;
	if (!str_eq(f.base_ref, m->p->branch)) {
		(void)err_set(e, ERR_USAGE, "%s is for the branch %s, not for %s", word(m), f.base_ref, m->p->branch);
		return err_hint(e, "--branch %s, where berth watches that one", f.base_ref);
	}
	if (!str_eq(f.head_sha, m->hex)) {
		(void)err_set(e, ERR_CONFLICT, "%s moved while it was looked at: %.12s was fetched, %.12s is its head", word(m), m->hex, f.head_sha);
		return err_hint(e, "nothing is approved; once more, please");
	}
	(void)fprintf(stderr, "%s of %s (%s): %s\n", word(m), *f.author ? f.author : "somebody who is gone", states[f.state], f.title);
	return 0;
}

static void
show_commit(const struct pull_meant *m, const struct oid *id)
{
	struct git_commit_info c;
	struct arena *mem = m->a->mem;
	char hex[OID_HEX];

	oid_hex(id, hex);
	if (git_commit_read(m->p->git, id, mem, &c, NULL) < 0) {
		(void)fprintf(stderr, "  %.12s (cannot be read)\n", hex);
		return;
	}
	(void)fprintf(stderr, "  %.12s %s <%s>: %s\n", hex, str_line(mem, c.author), str_line(mem, c.author_email),
	              str_line(mem, arena_strndup(mem, c.message, strcspn(c.message, "\n"))));
}

static int
show_commits(const struct pull_meant *m, struct err *e)
{
	struct oid *list;
	size_t n;
	bool all;
	int rc = git_commits_between(m->p->git, &m->fork, &m->head, COMMITS_MAX, m->a->mem, &list, &n, &all, e);

	if (rc < 0)
		return rc;
	(void)fprintf(stderr, "%s, head %.12s, %zu%s commit%s%s\n", word(m), m->hex, n, all ? "" : " and more", n == 1 ? "" : "s", n ? ":" : "");
	for (size_t i = 0; i < n && i < COMMITS_SHOWN; i++)
		show_commit(m, &list[i]);
	if (n > COMMITS_SHOWN)
		(void)fprintf(stderr, "  … and older ones\n");
	return 0;
}

/* A word to the person: what cannot be planned can be approved. */
static int
show_plan(const struct pull_meant *m, struct err *e)
{
	struct buf text AUTO_BUF = BUF_INIT(0);
	struct git_commit_info was, is;
	int rc;

	if ((rc = git_commit_read(m->p->git, &m->fork, m->a->mem, &was, e)) < 0 || (rc = git_commit_read(m->p->git, &m->head, m->a->mem, &is, e)) < 0)
		return rc;
	planned_between(m->p->git, &was.tree, &is.tree, m->a->mem, &text);
	(void)fprintf(stderr, "plan: %s\n", buf_cstr(&text));
	return 0;
}

int
pull_show(const struct pull_meant *m, struct err *e)
{
	struct err own = { 0 };
	int rc = m->forge ? show_forge(m, &own) : 0;

	if (rc == ERR_USAGE || rc == ERR_CONFLICT) {
		*e = own;
		return rc;
	}
	if (rc < 0)
		(void)fprintf(stderr, "berth: what the forge says of it is not known: %s%s%s\n", own.text, *own.hint ? "; " : "", own.hint);
	return (rc = show_commits(m, e)) < 0 ? rc : show_plan(m, e);
}

/* -- a review ---------------------------------------------------------------------------------------------------------------------------- */

const char *
pull_review_page(const struct pull_meant *m)
{
	return m->url ? pull_page(m->a->mem, m->kind, m->url, m->number) : NULL;
}

/* A word to the person, no decision; who it is, as the policy is that is trusted. */
static const char *
say_whose(const struct pull_meant *m, const char *login)
{
	const struct approval_rules *rules = judge_rules(m->p->judge);
	const char *user = rules ? approval_account(rules, login) : NULL;
	const char *account = user && !str_eq(user, login) ? arena_printf(m->a->mem, " (account %s)", login) : "";

	(void)printf("approved by %s%s: %s at %.12s\n", user ? user : login, account, word(m), m->hex);
	if (!user)
		(void)fprintf(stderr, "warning: nobody in users/ has the account %s: berth will not count it\n"
		                      "  forge: {login: %s} in the file of whoever has it says whose it is\n", login, login);
	return user;
}

int
pull_review(const struct pull_meant *m, const char **user, struct err *e)
{
	const char *page = pull_review_page(m), *login;
	int rc;

	if (!m->forge) {
		(void)err_set(e, ERR_USAGE, "approvals are reviews on the forge here (berth.yaml: approvals.mode forge), and there is no token of yours");
		return err_hint(e, "approve it at %s, or give --forge-token-file FILE%s", page ? page : "the forge", m->kind == FORGE_UNKNOWN ? " and --forge" : "");
	}
	if ((rc = forge_whoami(m->forge, &login, e)) < 0 || (rc = forge_review_approve(m->forge, m->number, m->hex, e)) < 0)
		return rc == ERR_INVALID ? e->code = ERR_DENIED : rc;
	*user = say_whose(m, login);
	if (page)
		(void)printf("%s\n", page);
	return 0;
}
