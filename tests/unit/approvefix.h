/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of approval share: a repository with people and keys, words for its story, one run of the judge over it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "approve_judge.h"
#include "gitfix.h"
#include "lib/base/str.h"
#include "lib/seal/secret.h"
#include "repo/review.h"

#define DAY 86400
#define NOW ((int64_t)1790000000)

static struct {
	struct git_repo *git;
	struct judge *judge;
	struct proof *proof;
	struct arena *mem;
	struct approve_result result;
	int64_t now;
	struct review reviews[16]; /* that the forge told of */
	size_t nreviews;
} t;

/* -- the story so far --------------------------------------------------------------------------------------------------------------- */

static const char *const set_up =
	"git init -q -b main w; cd w\n"
	"for who in carol dana erin alice bo mallory; do ssh-keygen -q -t ed25519 -N '' -C $who -f ../$who; done\n"
	"ssh-keygen -q -t ed25519 -N '' -C carol2 -f ../carol2\n"
	"mkdir -p users approvers envs/alice envs/bo flavors\n"
	"for who in carol dana erin alice bo mallory; do printf 'apiVersion: berth.dev/v1\\nkind: User\\nspec: {uid: u-%s, email: %s@example.org}\\n' $who $who >users/$who.yaml; done\n"
	"printf 'apiVersion: berth.dev/v1\\nkind: Organization\\nspec:\\n  namespacePrefix: dev-\\n  approvals: {mode: signed, required: 1, admins: [carol, dana, erin]}\\n' >berth.yaml\n"
	"printf 'apiVersion: berth.dev/v1\\nkind: Flavor\\nspec: {resources: {limits: {cpu: 8, memory: 32Gi}}, max: {cpu: 16, memory: 64Gi, gpu: 4}}\\n' >flavors/small.yaml\n"
	"for who in carol dana erin alice; do printf '%s namespaces=\"git,approval@berth\" %s\\n' $who \"$(cut -d' ' -f1,2 ../$who.pub)\"; done >approvers/allowed_signers\n"
	"printf 'carol namespaces=\"git,approval@berth\" %s\\n' \"$(cut -d' ' -f1,2 ../carol2.pub)\" >>approvers/allowed_signers\n"
	"printf 'apiVersion: berth.dev/v1\\nkind: Environment\\nspec: {flavor: small, resources: {cpu: 4}}\\n' >envs/alice/train.yaml\n"
	"git add -A; git commit -q -m start\n";

/* Shell words of every test. commit WHO MESSAGE…: everything there, unsigned; signed KEY WHO MESSAGE…; merge KEY BRANCH (KEY none: unsigned). */
static const char *const words =
	"cd w\n"
	"as() { export GIT_AUTHOR_NAME=$1 GIT_AUTHOR_EMAIL=$1@example.org; }\n"
	"commit() { as $1; shift; git add -A; git commit -q --allow-empty -m \"$*\"; }\n"
	"key() { git config gpg.format ssh; git config user.signingkey ../$1; }\n"
	"signed() { key $1; as $2; shift 2; git add -A; git commit -q --allow-empty -S -m \"$*\"; }\n"
	"merge() { as ${1%%2}; if [ $1 = none ]; then as bo; git merge -q --no-ff -m merge $2; else key $1; git merge -q --no-ff -S -m merge $2; fi; }\n"
	"env() { mkdir -p envs/$1; printf 'apiVersion: berth.dev/v1\\nkind: Environment\\nspec: {flavor: small, resources: {cpu: %s}}\\n' $3 >envs/$1/$2.yaml; }\n";

static inline void
sh(const char *line)
{
	char *all = NULL;

	assert_true(asprintf(&all, "%s%s", words, line) > 0);
	(void)fix(all);
	free(all);
}

/* Signed approvals behind refs, then what the forge told. */
static inline struct evidence *
all_evidence(size_t *n)
{
	struct evidence *list, *all;
	struct err e = { 0 };

	assert_int_equal(evidence_list(t.git, &t.proof->anchor, "refs/heads/main", t.mem, &list, n, NULL, &e), 0);
	all = arena_array(t.mem, *n + t.nreviews + 1, sizeof(*all));
	if (*n)
		memcpy(all, list, *n * sizeof(*all));
	for (size_t i = 0; i < t.nreviews; i++)
		review_evidence(&t.reviews[i], "refs/heads/main", t.mem, &all[(*n)++]);
	return all;
}

static inline void
run_at(const char *rev)
{
	struct approve a = { .git = t.git, .proof = t.proof, .judge = judge_get(t.judge), .ref = "refs/heads/main", .now = t.now };
	struct err e = { 0 };
	struct oid tip;

	assert_int_equal(git_rev_parse(t.git, rev, &tip, &e), 0);
	a.evidence = all_evidence(&a.nevidence);
	if (approve_run(&a, &tip, t.mem, &t.result, &e) < 0)
		fail_msg("%s", e.text);
}

static inline void
run(void)
{
	run_at("refs/heads/main");
}

/* Is the path in the trusted tree as it is at a commit (both absent counts)? */
static inline bool
live_as(const char *path, const char *rev)
{
	struct git_commit_info c;
	struct oid commit, a, b;
	bool has, had;

	assert_int_equal(git_rev_parse(t.git, rev, &commit, NULL), 0);
	assert_int_equal(git_commit_read(t.git, &commit, t.mem, &c, NULL), 0);
	has = git_tree_find(t.git, &t.proof->tree, path, &a, NULL, NULL) == 0;
	had = git_tree_find(t.git, &c.tree, path, &b, NULL, NULL) == 0;
	return has == had && (!has || oid_eq(&a, &b));
}

static inline const char *
pending(const char *path)
{
	for (size_t i = 0; i < t.result.npending; i++)
		if (str_eq(t.result.pending[i].change.path, path))
			return t.result.pending[i].missing;
	return NULL;
}

static inline void
all_live(void)
{
	if (t.result.npending)
		fail_msg("%s waits: %s", t.result.pending[0].change.path, t.result.pending[0].missing);
	assert_int_equal(t.result.npending, 0);
}

static inline void
waits(const char *path)
{
	if (!pending(path))
		fail_msg("%s does not wait", path);
}

/* -- detached approvals ----------------------------------------------------------------------------------------------------------------- */

static inline void
write_text(const char *name, const char *bytes, size_t n)
{
	FILE *f = fopen(fix_path(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* KEY signs what differs between two commits; the evidence goes behind its ref. */
static inline void
approve_as(const char *key, const char *from, const char *to, int64_t expires, const char *ref, const char *ns)
{
	struct approval a = { .anchor = t.proof->anchor, .ref = ref, .expires = expires };
	struct buf text AUTO_BUF = BUF_INIT(APPROVAL_MAX);
	struct git_commit_info x, y;
	struct evidence v;
	struct err e = { 0 };
	const char *sig, *name;
	struct oid c, commit;
	static unsigned nonce;

	assert_int_equal(git_rev_parse(t.git, from, &c, &e), 0);
	assert_int_equal(git_commit_read(t.git, &c, t.mem, &x, &e), 0);
	assert_int_equal(git_rev_parse(t.git, to, &c, &e), 0);
	assert_int_equal(git_commit_read(t.git, &c, t.mem, &y, &e), 0);
	assert_int_equal(changeset_between(t.git, &x.tree, &y.tree, t.mem, &a.changes, &e), 0);
	(void)snprintf(a.nonce, sizeof(a.nonce), "%032x", ++nonce);
	approval_write(&a, &text);
	write_text("text", buf_cstr(&text), text.len);
	sig = arena_strdup(t.mem, fix(arena_printf(t.mem, "ssh-keygen -q -Y sign -n %s -f %s <text 2>/dev/null", ns, key)));
	v = (struct evidence){ .text = arena_strdup(t.mem, buf_cstr(&text)), .text_len = text.len, .sig_text = sig, .sig_len = strlen(sig), .approval = a };
	assert_int_equal(sshsig_read(t.mem, sig, strlen(sig), &v.sig, &e), 0);
	assert_int_equal(evidence_store(t.git, &v, t.now, t.mem, &name, &commit, &e), 0);
}

static inline void
approve(const char *key, const char *from, const char *to)
{
	approve_as(key, from, to, t.now + DAY, "refs/heads/main", APPROVAL_NAMESPACE);
}

/* -- set-up ----------------------------------------------------------------------------------------------------------------------------------- */

static inline int
begin(void **state)
{
	struct err e = { 0 };
	struct oid anchor;

	if (fix_start(state) || seal_init(&e))
		return -1;
	(void)fix(set_up);
	memset(&t, 0, sizeof(t));
	t.now = NOW;
	t.mem = arena_new((size_t)256 << 20);
	if (git_open(fix_path("w/.git"), &t.git, &e) || git_rev_parse(t.git, "refs/heads/main", &anchor, &e) ||
	    proof_begin(t.git, &anchor, &t.proof, &e))
		return -1;
	t.judge = judge_new(t.git);
	return 0;
}

static inline int
end(void **state)
{
	proof_free(t.proof);
	judge_free(t.judge);
	git_close(t.git);
	arena_free(t.mem);
	return fix_end(state);
}

/* Trust begins anew, at this commit. */
static inline void
begin_at(const char *rev)
{
	struct oid anchor;

	proof_free(t.proof);
	assert_int_equal(git_rev_parse(t.git, rev, &anchor, NULL), 0);
	assert_int_equal(proof_begin(t.git, &anchor, &t.proof, NULL), 0);
}
