/* SPDX-License-Identifier: Apache-2.0 */
/* berth approve: signs a change-set with a person's key and puts that where berth looks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/approve_pull.h"
#include "cli/forge_args.h"
#include "cli/prove.h"
#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/git/clone.h"
#include "lib/seal/signers.h"

#define PUSH_MS 60000

struct work {
	const struct args *a;
	struct proved p;
	struct oid from, to; /* trees */
	bool is_pull;
	struct pull_meant pull;
	struct approval approval;
	struct buf text;
};

/* -- what is approved ------------------------------------------------------------------------------------------------------------- */

static int
tree_of(struct work *w, const char *rev, struct oid *out, struct err *e)
{
	struct git_commit_info c;
	struct oid id;
	int rc;

	if ((rc = git_rev_parse(w->p.git, rev, &id, e)) == ERR_NOTFOUND)
		return err_hint(e, "its author pushes it first (`git push origin HEAD:BRANCH`); then name that branch, or commits that are in this clone");
	if (rc < 0 || (rc = git_commit_read(w->p.git, &id, w->a->mem, &c, e)) < 0)
		return rc;
	*out = c.tree;
	return 0;
}

/*
 * A branch that others pushed has no name of its own in a clone: who sends it says "alice-bigger", and git has origin/alice-bigger. Nor is it the beginning of some
 * commit's id, where its name could be one.
 */
static const char *
rev_of(struct work *w, const char *name)
{
	const char *here = arena_printf(w->a->mem, "refs/heads/%s", name), *there = arena_printf(w->a->mem, "refs/remotes/origin/%s", name);
	bool like_id = !name[strspn(name, "0123456789abcdef")];
	struct oid id;

	if (git_ref_read(w->p.git, there, &id, NULL) < 0 || git_ref_read(w->p.git, here, &id, NULL) == 0)
		return name;
	return like_id || git_rev_parse(w->p.git, name, &id, NULL) == ERR_NOTFOUND ? there : name;
}

/* Since it left main. */
static int
find_branch(struct work *w, const char *rev, struct err *e)
{
	struct oid fork;
	char hex[OID_HEX];
	int rc = tree_of(w, rev, &w->to, e);

	if (rc < 0 || (rc = git_fork_point(w->p.git, w->p.main_ref, rev, &fork, e)) < 0)
		return rc;
	oid_hex(&fork, hex);
	return tree_of(w, hex, &w->from, e);
}

/* The head that is fetched here is the one that is shown, and the one that is approved. */
static int
find_pull(struct work *w, struct err *e)
{
	char fork[OID_HEX];
	int rc;

	if ((rc = pull_fetch(&w->pull, e)) < 0 || (rc = pull_show(&w->pull, e)) < 0)
		return rc;
	oid_hex(&w->pull.fork, fork);
	return (rc = tree_of(w, fork, &w->from, e)) < 0 ? rc : tree_of(w, w->pull.hex, &w->to, e);
}

/* BASE..HEAD: between the two; a pull request or REV: since it left main; nothing: all that waits. */
static int
find_changes(struct work *w, struct err *e)
{
	const char *arg = w->a->npos ? w->a->pos[0] : NULL, *dots = arg && !w->is_pull ? strstr(arg, "..") : NULL;
	int rc;

	if (w->is_pull) {
		rc = find_pull(w, e);
	} else if (!arg) {
		w->from = w->p.proof->tree;
		rc = tree_of(w, w->p.main_ref, &w->to, e);
	} else if (dots) {
		rc = tree_of(w, rev_of(w, arena_strndup(w->a->mem, arg, (size_t)(dots - arg))), &w->from, e);
		rc = rc < 0 ? rc : tree_of(w, rev_of(w, dots + 2), &w->to, e);
	} else {
		rc = find_branch(w, rev_of(w, arg), e);
	}
	if (rc < 0 || (rc = changeset_between(w->p.git, &w->from, &w->to, w->a->mem, &w->approval.changes, e)) < 0)
		return rc;
	if (w->approval.changes.n)
		return 0;
	(void)err_set(e, ERR_NOTFOUND, arg ? "\"%s\" changes nothing" : "nothing waits for an approval", arg);
	if (w->is_pull)
		return err_hint(e, "it is merged, or %s has all of it: `berth approve` without a number approves what waits there", w->p.branch);
	return err_hint(e, "`berth status` and `berth verify` say what waits; give a branch or BASE..HEAD to approve what is not merged yet");
}

/* What the change needs, as if nobody had said anything yet. */
static int
show_changes(struct work *w, struct err *e)
{
	const struct changeset *c = &w->approval.changes;
	struct approve_said nobody = { 0 };
	char from[OID_HEX], to[OID_HEX];
	const char *missing;
	unsigned lacks;
	int rc;

	oid_hex(&w->from, from);
	oid_hex(&w->to, to);
	for (size_t i = 0; i < c->n; i++)
		(void)fprintf(stderr, "  %s %s\n", !c->items[i].old_mode ? "new    " : !c->items[i].new_mode ? "deleted" : "changed", c->items[i].path);
	(void)fprintf(stderr, "look at it: git diff %.12s %.12s\n", from, to);
	if ((rc = judge_policy(w->p.judge, &w->p.proof->tree, e)) < 0)
		return rc;
	rc = judge_get(w->p.judge)->enough(judge_get(w->p.judge)->ctx, w->a->mem, &w->p.proof->tree, c, &nobody, &missing, &lacks, e);
	if (rc == 0 && missing)
		(void)fprintf(stderr, "needs %s (whoever has approved it already is not counted here)\n", missing);
	return rc;
}

/* Would this person's word alone be missed in any part of the change? True also where that cannot be told. */
static bool
has_a_say(struct work *w, const char *user)
{
	const struct approve_said nobody = { 0 }, one = { .voices = &user, .nvoices = 1 };
	const struct approve_judge *j = judge_get(w->p.judge);
	const struct oid *tree = &w->p.proof->tree;
	const char *without, *with;
	unsigned lacks;

	for (size_t i = 0; i < w->approval.changes.n; i++) {
		const struct changeset c = { .items = &w->approval.changes.items[i], .n = 1 };

		if (j->enough(j->ctx, w->a->mem, tree, &c, &nobody, &without, &lacks, NULL) < 0 || !without ||
		    j->enough(j->ctx, w->a->mem, tree, &c, &one, &with, &lacks, NULL) < 0 || !str_eq(without, with))
			return true;
	}
	return false;
}

/* A word to the person, no decision. */
static void
warn_who_has_none(struct work *w, const char *user)
{
	if (user && !has_a_say(w, user))
		(void)fprintf(stderr, "warning: %s may not approve this, so it counts for nothing\n  who may is named above\n", user);
}

static int
make_text(struct work *w, struct err *e)
{
	unsigned char nonce[16];
	int64_t ms;
	FILE *f;
	int rc;

	if ((rc = args_duration(w->a, "expires", "30d", &ms, e)) < 0)
		return rc;
	f = fopen("/dev/urandom", "re");
	if (!f || fread(nonce, sizeof(nonce), 1, f) != 1)
		abort();
	(void)fclose(f);
	for (size_t i = 0; i < sizeof(nonce); i++)
		(void)snprintf(w->approval.nonce + 2 * i, 3, "%02x", nonce[i]);
	w->approval.anchor = w->p.proof->anchor;
	w->approval.ref = arena_printf(w->a->mem, "refs/heads/%s", w->p.branch);
	w->approval.expires = w->p.now + ms / 1000;
	approval_write(&w->approval, &w->text);
	return buf_check(&w->text, "the approval", e);
}

/* -- signing ------------------------------------------------------------------------------------------------------------------------- */

/* git's own setting, as for commits. */
static const char *
key_of(struct work *w)
{
	const char *given = args_str(w->a, "key", NULL);
	const char *const argv[] = { "git", "-C", w->p.dir, "config", "--get", "user.signingkey", NULL };
	struct proc c = { .argv = argv, .timeout_ms = 5000 };
	struct proc_result r;
	char *text = NULL;

	if (given)
		return given;
	if (proc_run(&c, &r, NULL) < 0)
		return NULL;
	if (r.exit_code == 0 && r.out.len)
		text = arena_strndup(w->a->mem, buf_cstr(&r.out), strcspn(buf_cstr(&r.out), "\n"));
	proc_result_free(&r);
	return text;
}

/* In the foreground and with this terminal: it may ask for a passphrase, or for a touch. */
static int
run_here(const char *const *argv, struct err *e)
{
	pid_t pid;
	int status;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return err_errno(e, "fork");
	if (pid == 0) {
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		(void)fprintf(stderr, "berth: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, "wait for %s", argv[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, ERR_DENIED, "%s did not sign", argv[0]);
}

static int
sign(struct work *w, const char *folder, const char **sig, size_t *n, struct err *e)
{
	const char *key = key_of(w), *text = arena_printf(w->a->mem, "%s/approval", folder);
	const char *argv[] = { "ssh-keygen", "-Y", "sign", "-q", "-n", APPROVAL_NAMESPACE, "-f", key, text, NULL };
	char *bytes;
	int rc;

	if (!key) {
		(void)err_set(e, ERR_USAGE, "with which key?");
		return err_hint(e, "give --key FILE (your key that stands in approvers/allowed_signers), or set it once: git config user.signingkey FILE");
	}
	if ((rc = fs_write_atomic(text, buf_cstr(&w->text), w->text.len, 0600, e)) < 0 || (rc = run_here(argv, e)) < 0 ||
	    (rc = fs_read(arena_printf(w->a->mem, "%s.sig", text), SSHSIG_TEXT_MAX, w->a->mem, &bytes, n, e)) < 0)
		return rc;
	*sig = bytes;
	return 0;
}

static int
sign_in_folder(struct work *w, const char **sig, size_t *n, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char *folder = arena_printf(w->a->mem, "%s/berth-approve.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	int rc;

	if (!mkdtemp(folder))
		return err_errno(e, "%s", folder);
	rc = sign(w, folder, sig, n, e);
	(void)unlink(arena_printf(w->a->mem, "%s/approval", folder));
	(void)unlink(arena_printf(w->a->mem, "%s/approval.sig", folder));
	(void)rmdir(folder);
	return rc;
}

/* -- handing over -------------------------------------------------------------------------------------------------------------------- */

/* What git complained of, on one line; its first line alone may be no more than where it went. */
static const char *
whole_answer(struct work *w, const struct buf *err)
{
	char *text = arena_printf(w->a->mem, "%.400s", buf_cstr(err));

	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = c[1] ? ' ' : '\0';
	return text;
}

static int
push(struct work *w, const char *ref, struct err *e)
{
	const char *const argv[] = { "git", "-C", w->p.dir, "push", "-q", "origin", arena_printf(w->a->mem, "%s:%s", ref, ref), NULL };
	struct proc c = { .argv = argv, .timeout_ms = PUSH_MS };
	struct proc_result r;
	int rc;

	if (!w->p.clone || args_flag(w->a, "no-push"))
		return 0;
	if ((rc = proc_run(&c, &r, e)) < 0)
		return rc;
	if (r.exit_code && strstr(buf_cstr(&r.err), "[rejected]")) { /* the ref is named after change and key */
		rc = err_set(e, ERR_DENIED, "the origin has an approval of this change by this key already");
		(void)err_hint(e, "it counts until it expires; this one in its place: git push --force origin %s", ref);
	} else if (r.exit_code) {
		rc = err_set(e, ERR_DENIED, "the origin did not take it: %s", whole_answer(w, &r.err));
		(void)err_hint(e, "the approval is in your clone: git push origin %s", ref);
	}
	proc_result_free(&r);
	return rc;
}

/* Would it count, as the policy is now? A word to the person, no decision. */
static void
say_whose(struct work *w, const struct evidence *v)
{
	char name[SSH_FINGERPRINT];
	struct signers signers;
	const struct signer **lines;
	const char *text;
	size_t n, len;

	ssh_fingerprint(&v->sig.key.plain, name);
	if (git_tree_read(w->p.git, &w->p.proof->tree, "approvers/allowed_signers", SIGNERS_MAX, w->a->mem, &text, &len, NULL) == 0 &&
	    signers_parse(w->a->mem, text, len, &signers, NULL) == 0) {
		signers_of(w->a->mem, &signers, &v->sig.key, &lines, &n);
		if (n) {
			(void)printf("approved by %s (%s)\n", v->sig.key.has_certificate ? "a certificate" : lines[0]->principals, name);
			if (!v->sig.key.has_certificate)
				warn_who_has_none(w, judge_get(w->p.judge)->person(judge_get(w->p.judge)->ctx, lines[0]->principals));
			return;
		}
	}
	(void)printf("signed by %s\n", name);
	(void)fprintf(stderr, "warning: that key is not in approvers/allowed_signers: berth will not count it\n"
	                      "  approve again with --key and the key that stands there; keys of users/ log in and approve nothing\n");
}

static int
store(struct work *w, const char *text, size_t n, const char *sig, size_t nsig, struct err *e)
{
	struct evidence v;
	const char *ref;
	struct oid commit;
	int rc;

	if ((rc = evidence_read(text, n, sig, nsig, w->a->mem, &v, e)) < 0)
		return err_wrap(e, "the approval");
	if (!oid_eq(&v.approval.anchor, &w->p.proof->anchor))
		return err_set(e, ERR_DENIED, "the approval is for another trust anchor than this repository's");
	if ((rc = evidence_store(w->p.git, &v, w->p.now, w->a->mem, &ref, &commit, e)) < 0)
		return rc;
	say_whose(w, &v);
	if ((rc = push(w, ref, e)) < 0)
		return rc;
	(void)printf("%s\n", ref);
	return 0;
}

/* Made elsewhere: `berth approve --print` there, ssh-keygen -Y sign, and both files here. */
static int
add(struct work *w, struct err *e)
{
	const char *path = args_str(w->a, "add", NULL);
	char *text, *sig;
	size_t n, nsig;
	int rc;

	if ((rc = fs_read(path, APPROVAL_MAX, w->a->mem, &text, &n, e)) < 0 ||
	    (rc = fs_read(arena_printf(w->a->mem, "%s.sig", path), SSHSIG_TEXT_MAX, w->a->mem, &sig, &nsig, e)) < 0)
		return rc;
	return store(w, text, n, sig, nsig, e);
}

/* Nobody signs what they have not been shown. */
static int
confirm(struct work *w, struct err *e)
{
	char line[16];

	if (args_flag(w->a, "yes"))
		return 0;
	if (!isatty(STDIN_FILENO)) {
		(void)err_set(e, ERR_USAGE, "this is no terminal to ask at");
		return err_hint(e, "add --yes when you have looked at the change");
	}
	(void)fprintf(stderr, "approve this? [y/N] ");
	if (fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y'))
		return 0;
	return err_set(e, ERR_CANCELLED, "not approved");
}

/* As the branch says now: where reviews count, a pull request is approved by one, unless a key is given. */
static int
takes_reviews(struct work *w, bool *out, struct err *e)
{
	enum approval_mode mode = APPROVAL_NONE;
	struct git_commit_info c;
	struct files files;
	struct oid tip;
	int rc;

	*out = false;
	if (!w->is_pull || args_said(w->a, "key") || args_flag(w->a, "print"))
		return 0;
	if ((rc = git_rev_parse(w->p.git, w->p.main_ref, &tip, e)) < 0 || (rc = git_commit_read(w->p.git, &tip, w->a->mem, &c, e)) < 0 ||
	    (rc = git_files(w->p.git, &c.tree, w->a->mem, &files, e)) < 0 || (rc = approval_mode_read(&files, &mode, e)) < 0)
		return rc;
	*out = mode == APPROVAL_FORGE;
	return 0;
}

static int
approve(struct work *w, struct err *e)
{
	const char *sig = NULL, *user;
	bool by_review;
	size_t n = 0;
	int rc;

	if (args_str(w->a, "add", NULL))
		return add(w, e);
	if (w->a->npos && (rc = pull_mean(w->a, &w->p, w->a->pos[0], &w->pull, e)) != 0) {
		if (rc < 0)
			return rc;
		w->is_pull = true;
	}
	if ((rc = find_changes(w, e)) < 0 || (rc = show_changes(w, e)) < 0 || (rc = takes_reviews(w, &by_review, e)) < 0)
		return rc;
	if (by_review) {
		if ((w->pull.forge && (rc = confirm(w, e)) < 0) || (rc = pull_review(&w->pull, &user, e)) < 0)
			return rc;
		warn_who_has_none(w, user);
		return 0;
	}
	if ((rc = make_text(w, e)) < 0)
		return rc;
	if (args_flag(w->a, "print")) {
		(void)fwrite(w->text.data, 1, w->text.len, stdout);
		return 0;
	}
	if ((rc = confirm(w, e)) < 0 || (rc = sign_in_folder(w, &sig, &n, e)) < 0)
		return rc;
	return store(w, arena_strndup(w->a->mem, buf_cstr(&w->text), w->text.len), w->text.len, sig, n, e);
}

static int
run(const struct args *a, struct err *e)
{
	struct work w = { .a = a, .text = BUF_INIT(APPROVAL_MAX) };
	int rc;

	if ((rc = prove(a, NULL, NULL, &w.p, e)) < 0)
		return rc;
	if (w.p.doubted && !a->npos)
		(void)fprintf(stderr, "note: no key vouches for what was approved by reviews of the forge (`berth verify` says why): berth itself may have applied some of "
		                      "what seems to wait; name the branch or the range to approve\n");
	rc = approve(&w, e);
	buf_free(&w.text);
	pull_meant_close(&w.pull);
	prove_close(&w.p);
	return rc < 0 ? rc : EXIT_FINE;
}

static const struct opt opts[] = {
	PROVE_OPTS,
	{ "key", "FILE", "the private key, or the public one of a key in the agent (default: git's user.signingkey)" },
	{ "expires", "TIME", "how long berth may take it up after now (default: 30d)" },
	{ "yes", NULL, "do not ask: the change has been looked at" },
	{ "print", NULL, "print the text to sign: ssh-keygen -Y sign -n " APPROVAL_NAMESPACE " -f KEY FILE" },
	{ "add", "FILE", "hand over what was signed elsewhere: FILE and FILE.sig" },
	{ "no-push", NULL, "leave it in the clone" },
	FORGE_PERSON_OPTS,
	{ NULL, NULL, NULL },
};

const struct verb cmd_approve = {
	.name = "approve", .args = "[PULL|BRANCH|BASE..HEAD]", .summary = "approve a change: a pull request, a branch, a range, or all that waits",
	.examples = "berth approve -C envs 42                           pull request 42 (#42 where there is a branch of that name); its address will do, too\n"
	            "berth approve -C envs origin/alice-bigger --key ~/.ssh/approver\n"
	            "berth approve -C envs                              all that is on main and waits\n"
	            "berth approve -C envs pr --print >approval; ssh-keygen -Y sign -n " APPROVAL_NAMESPACE " -f KEY approval; berth approve -C envs --add approval\n",
	.details = "The approval lists every file of the change with its old and new version. It counts whatever button merges it (merge, squash, rebase)\n"
	           "and also when main has moved on meanwhile, for exactly this change, once. It is pushed as a ref below " APPROVAL_REFS ";\n"
	           "of a pull request exactly the head that is shown is approved. With approvals.mode forge it is approved by a review on the forge, with the\n"
	           "token of --forge-token-file (--key signs all the same). Who may approve what is in berth.yaml, teams/ and approvers/allowed_signers of what is trusted already.",
	.opts = opts, .max = 1, .run = run,
};
