/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proof of approval on repositories that git and ssh-keygen themselves make: what takes effect, and every attack on it that we know. The rules are
 * the real ones (validate/approval.h), the trust state survives between runs as it does in the daemon.
 */
#include "approvefix.h"

/* -- what must work ---------------------------------------------------------------------------------------------------------------------------- */

static void
an_admin_signs_a_merge(void **state)
{
	(void)state;
	sh("git checkout -q -b pr; env alice train 8; commit alice more; git checkout -q main; merge carol pr");
	run();
	all_live();
	assert_true(live_as("envs/alice/train.yaml", "main"));
	assert_int_equal(t.result.ndone, 1);
	assert_int_equal(t.result.done[0].nvoices, 1);
	assert_string_equal(t.result.done[0].voices[0], "carol");
}

static void
a_squash_is_signed(void **state)
{
	(void)state;
	sh("env alice train 8; signed carol alice squashed");
	run();
	all_live();
}

static void
detached_holds_for_every_button(void **state)
{
	(void)state;
	sh("git checkout -q -b pr; env alice train 8; commit alice one; env alice lab 2; commit alice two; git checkout -q main");
	approve("carol", "main", "pr");
	/* main moves on meanwhile, by somebody else's approved change */
	sh("env bo other 1; signed dana bo other; git branch base; git tag moved");
	run();
	all_live();
	sh("git checkout -q -B main moved; as bo; merge none pr");
	{
		struct proof *keep = proof_copy(t.proof);

		run();
		all_live();
		proof_swap(t.proof, keep);
		proof_free(keep);
	}
	sh("git checkout -q -B main moved; git merge -q --squash pr; commit alice squashed");
	{
		struct proof *keep = proof_copy(t.proof);

		run();
		all_live();
		proof_swap(t.proof, keep);
		proof_free(keep);
	}
	sh("git checkout -q -B rebased pr; git rebase -q moved; git checkout -q -B main moved; git merge -q --ff-only rebased");
	run();
	all_live();
}

/* What the branch `to`, which left main at `from`, would lack. */
static struct approve_looked
look(const char *from, const char *to)
{
	struct approve a = { .git = t.git, .proof = t.proof, .judge = judge_get(t.judge), .ref = "refs/heads/main", .now = t.now };
	struct changeset changes;
	struct approve_ask ask = { .changes = &changes };
	struct git_commit_info x, y;
	struct approve_looked out;
	struct evidence *evidence;
	struct err e = { 0 };

	assert_int_equal(git_rev_parse(t.git, from, &ask.main, &e), 0);
	assert_int_equal(git_rev_parse(t.git, to, &ask.head, &e), 0);
	assert_int_equal(git_commit_read(t.git, &ask.main, t.mem, &x, &e), 0);
	assert_int_equal(git_commit_read(t.git, &ask.head, t.mem, &y, &e), 0);
	assert_int_equal(changeset_between(t.git, &x.tree, &y.tree, t.mem, &changes, &e), 0);
	assert_int_equal(evidence_list(t.git, &t.proof->anchor, a.ref, t.mem, &evidence, &a.nevidence, NULL, &e), 0);
	a.evidence = evidence;
	if (approve_look(&a, &ask, t.mem, &out, &e) < 0)
		fail_msg("%s", e.text);
	return out;
}

static void
a_branch_is_told_what_it_lacks(void **state)
{
	struct approve_looked l;
	struct buf before AUTO_BUF = BUF_INIT(1 << 20), after AUTO_BUF = BUF_INIT(1 << 20);

	(void)state;
	proof_write(t.proof, &before);
	sh("git checkout -q -b pr; env alice train 8; commit alice one; git checkout -q -b own main; env bo lab 2; commit carol hers; git checkout -q main");
	l = look("main", "pr");
	assert_string_equal(l.missing, "1 more of carol, dana, erin; alice is its owner");
	assert_int_equal(l.lacks, 1);
	assert_int_equal(l.nvoices, 0);
	approve("mallory", "main", "pr");
	approve("carol", "main", "own");
	assert_int_equal(look("main", "pr").nvoices, 0);
	assert_non_null(look("main", "own").missing); /* who wrote it does not approve it */
	approve("carol", "main", "pr");
	l = look("main", "pr");
	assert_null(l.missing);
	assert_int_equal(l.nvoices, 1);
	assert_string_equal(l.voices[0], "carol");
	/* one more commit is another change */
	sh("git checkout -q pr; env alice more 1; commit alice two; git checkout -q main");
	assert_non_null(look("main", "pr").missing);
	assert_int_equal(look("main", "pr").nvoices, 0);
	/* nothing of that is remembered */
	proof_write(t.proof, &after);
	assert_string_equal(buf_cstr(&after), buf_cstr(&before));
}

static void
a_late_approval_needs_no_commit(void **state)
{
	(void)state;
	sh("env alice train 8; commit alice more; env bo other 2; commit bo other");
	run();
	waits("envs/alice/train.yaml");
	waits("envs/bo/other.yaml");
	assert_true(live_as("envs/alice/train.yaml", "main~2"));
	approve("carol", "main~2", "main~1");
	run();
	assert_null(pending("envs/alice/train.yaml"));
	waits("envs/bo/other.yaml");
	assert_true(live_as("envs/alice/train.yaml", "main"));
}

static void
two_voices_where_two_are_needed(void **state)
{
	(void)state;
	sh("sed -i 's/cpu: 8/cpu: 9/' flavors/small.yaml; signed carol bo flavor");
	run();
	waits("flavors/small.yaml");
	approve("dana", "main~1", "main");
	run();
	all_live();
	assert_int_equal(t.result.done[0].nvoices, 2);
}

static void
the_owner_alone_narrows(void **state)
{
	(void)state;
	sh("printf 'apiVersion: berth.dev/v1\\nkind: Environment\\nspec: {flavor: small, resources: {cpu: 4}, lifecycle: {paused: true}}\\n' >envs/alice/train.yaml;"
	   "signed alice alice pause");
	run();
	all_live();
	sh("printf 'apiVersion: berth.dev/v1\\nkind: Environment\\nspec: {flavor: small, resources: {cpu: 2}}\\n' >envs/alice/train.yaml; signed alice alice less");
	run();
	all_live();
	sh("printf 'apiVersion: berth.dev/v1\\nkind: Environment\\nspec: {flavor: small, resources: {cpu: 3}}\\n' >envs/alice/train.yaml; signed alice alice more");
	run();
	waits("envs/alice/train.yaml");
	sh("git rm -q envs/alice/train.yaml; signed alice alice gone");
	run();
	waits("envs/alice/train.yaml"); /* the deletion builds on what is not approved */
	approve("alice", "main~2", "main");
	run();
	all_live();
	assert_true(live_as("envs/alice/train.yaml", "main"));
}

static void
what_is_pending_as_a_whole(void **state)
{
	(void)state;
	sh("env alice train 8; commit alice one; env alice train 9; signed carol alice two");
	run();
	waits("envs/alice/train.yaml");
	approve("dana", "main~2", "main");
	run();
	all_live();
}

static void
somebody_unknown_wrote_it(void **state)
{
	(void)state;
	sh("env alice train 8; as stranger; git add -A; key carol; git commit -q -S -m x");
	run();
	waits("envs/alice/train.yaml");
	approve("dana", "main~1", "main");
	run();
	all_live();
}

static void
break_glass(void **state)
{
	(void)state;
	sh("sed -i 's/cpu: 8/cpu: 9/' flavors/small.yaml; key carol; as carol; git add -A; git commit -q -S -m 'urgent' -m 'Berth-Break-Glass: the cluster is on fire'");
	run();
	all_live();
	assert_int_equal(t.proof->nbreaks, 1);
	assert_string_equal(t.proof->breaks[0].who, "carol");
	assert_string_equal(t.proof->breaks[0].reason, "the cluster is on fire");
	/* no voice, no glass */
	sh("sed -i 's/cpu: 9/cpu: 10/' flavors/small.yaml; key mallory; as mallory; git add -A; git commit -q -S -m 'urgent' -m 'Berth-Break-Glass: me too'");
	run();
	waits("flavors/small.yaml");
	/* somebody else's words that an admin squashes and signs */
	sh("sed -i 's/cpu: 16/cpu: 12/' flavors/small.yaml; sed -i 's/memory: 64Gi/memory: 48Gi/' flavors/small.yaml; cp flavors/small.yaml flavors/other.yaml; git checkout -q flavors/small.yaml; key carol; as bo; git add -A; git commit -q -S -m 'harmless' -m 'Berth-Break-Glass: the cluster is on fire'");
	run();
	waits("flavors/other.yaml");
	assert_int_equal(t.proof->nbreaks, 1);
}

/* -- what must not ----------------------------------------------------------------------------------------------------------------------------- */

static void
unsigned_below_a_signed_merge(void **state)
{
	(void)state;
	sh("env bo evil 8; commit mallory evil; git checkout -q -b pr main~1; env alice train 8; commit alice more; git checkout -q main; merge carol pr");
	run();
	waits("envs/bo/evil.yaml");
	assert_null(pending("envs/alice/train.yaml"));
}

static void
evil_merge(void **state)
{
	(void)state;
	sh("git checkout -q -b pr; env alice train 8; commit alice more; git checkout -q main");
	approve("carol", "main", "pr");
	sh("as mallory; git merge -q --no-commit --no-ff pr; env bo evil 8; git add -A; git commit -q -m merge");
	run();
	waits("envs/bo/evil.yaml");
	assert_null(pending("envs/alice/train.yaml"));
	/* what the merger wrote into the merge is the merger's: no voice for it */
	sh("git checkout -q -b pr2; env alice lab 1; commit alice lab; git checkout -q main; key carol; as carol; git merge -q --no-commit --no-ff pr2; env bo evil2 8; git add -A; git commit -q -S -m merge");
	run();
	waits("envs/bo/evil2.yaml");
	waits("envs/alice/lab.yaml");
}

static void
approval_of_another_change(void **state)
{
	(void)state;
	sh("git checkout -q -b pr; env alice train 8; commit alice more; git checkout -q main; env alice train 9; commit alice other");
	approve("carol", "main~1", "pr");
	run();
	waits("envs/alice/train.yaml");
}

static void
half_of_an_approved_change(void **state)
{
	(void)state;
	sh("git checkout -q -b pr; env alice train 8; env alice lab 1; commit alice both; git checkout -q main");
	approve("carol", "main", "pr");
	sh("git checkout -q pr -- envs/alice/lab.yaml; commit alice half");
	run();
	waits("envs/alice/lab.yaml");
}

static void
replay_after_a_revert(void **state)
{
	(void)state;
	sh("env alice train 8; commit alice more");
	approve("carol", "main~1", "main");
	run();
	all_live();
	sh("git revert --no-edit HEAD >/dev/null; git commit -q --amend -S --reset-author --no-edit 2>/dev/null || true; key carol; as alice; git commit -q --amend -S --reset-author --no-edit");
	run();
	all_live();
	assert_true(live_as("envs/alice/train.yaml", "main~2"));
	sh("env alice train 8; commit mallory again");
	run();
	waits("envs/alice/train.yaml");
	assert_true(live_as("envs/alice/train.yaml", "main~3"));
}

/* The state folder is lost: an old approval must not take a reverted change back to life when trust begins at the revert. */
static void
replay_after_the_state_is_lost(void **state)
{
	struct oid tip;

	(void)state;
	sh("env alice train 8; commit alice more");
	approve("carol", "main~1", "main");
	run();
	all_live();
	sh("env alice train 4; signed carol alice back; git tag anchor2; env alice train 8; commit mallory again");
	proof_free(t.proof);
	assert_int_equal(git_rev_parse(t.git, "anchor2", &tip, NULL), 0);
	assert_int_equal(proof_begin(t.git, &tip, &t.proof, NULL), 0);
	run();
	waits("envs/alice/train.yaml");
}

static void
self_approval(void **state)
{
	(void)state;
	sh("env carol mine 8; signed carol carol mine");
	run();
	waits("envs/carol/mine.yaml");
	sh("git checkout -q -b pr; env alice train 8; commit carol for-alice; git checkout -q main; merge carol pr");
	run();
	waits("envs/alice/train.yaml"); /* carol wrote it: somebody else must say yes */
	approve("dana", "main~1", "main");
	run();
	assert_null(pending("envs/alice/train.yaml"));
}

static void
owner_cannot_approve_more(void **state)
{
	(void)state;
	sh("env alice train 8; signed alice alice more");
	run();
	waits("envs/alice/train.yaml");
}

static void
two_keys_of_one_person(void **state)
{
	(void)state;
	sh("sed -i 's/cpu: 8/cpu: 9/' flavors/small.yaml; signed carol bo flavor");
	approve("carol2", "main~1", "main");
	approve("carol", "main~1", "main");
	run();
	waits("flavors/small.yaml");
}

static void
expired_removed_and_future_keys(void **state)
{
	(void)state;
	/* two admins make carol's key expire, erin's begin later; dana's stays */
	sh("sed -i 's/^carol namespaces=\"git,approval@berth\"/carol namespaces=\"git,approval@berth\",valid-before=\"20260101Z\"/;"
	   "s/^erin namespaces=\"git,approval@berth\"/erin namespaces=\"git,approval@berth\",valid-after=\"20300101Z\"/' approvers/allowed_signers; signed dana bo dates");
	approve("carol", "main~1", "main");
	run();
	all_live();
	sh("env alice train 8; signed carol alice expired");
	run();
	waits("envs/alice/train.yaml");
}

static void
backdated_commit_of_an_expired_key(void **state)
{
	(void)state;
	sh("sed -i 's/^carol namespaces=\"git,approval@berth\"/carol namespaces=\"git,approval@berth\",valid-before=\"20260101Z\"/' approvers/allowed_signers; signed dana bo dates");
	approve("erin", "main~1", "main");
	run();
	all_live();
	sh("env alice lab 1; export GIT_COMMITTER_DATE='1500000000 +0000' GIT_AUTHOR_DATE='1500000000 +0000'; signed carol alice backdated;"
	   "git -c gpg.ssh.allowedSignersFile=approvers/allowed_signers log -1 --format=%G? | grep -q G");
	run();
	waits("envs/alice/lab.yaml");
}

static void
revoked_key(void **state)
{
	struct oid broken;

	(void)state;
	sh("cut -d' ' -f1,2 ../carol.pub >approvers/revoked_keys; signed dana bo revoked");
	approve("erin", "main~1", "main");
	run();
	all_live();
	sh("env alice lab 1; signed carol alice lab");
	run();
	waits("envs/alice/lab.yaml");
	sh("env alice lab2 1; signed carol2 alice lab2");
	run();
	assert_null(pending("envs/alice/lab2.yaml"));
	/* a list that cannot be read revokes everybody */
	sh("echo 'ssh-ed25519 AAAA' >approvers/revoked_keys; signed dana bo broken");
	approve("erin", "main~1", "main");
	run();
	waits("approvers/revoked_keys"); /* nobody could approve anything afterwards */
	proof_free(t.proof);
	assert_int_equal(git_rev_parse(t.git, "main", &broken, NULL), 0);
	assert_int_equal(proof_begin(t.git, &broken, &t.proof, NULL), 0);
	sh("env alice lab3 1; signed dana alice lab3");
	run();
	waits("envs/alice/lab3.yaml");
}

static void
a_policy_that_adds_its_own_approver(void **state)
{
	(void)state;
	sh("printf 'mallory namespaces=\"git,approval@berth\" %s\\n' \"$(cut -d' ' -f1,2 ../mallory.pub)\" >>approvers/allowed_signers;"
	   "sed -i 's/erin\\]/erin, mallory]/' berth.yaml; env mallory x 16; signed mallory mallory me");
	run();
	waits("berth.yaml");
	waits("approvers/allowed_signers");
	waits("envs/mallory/x.yaml");
	approve("mallory", "main~1", "main");
	run();
	waits("berth.yaml");
}

static void
policy_counts_from_the_next_change_on(void **state)
{
	(void)state;
	sh("printf 'bo namespaces=\"git,approval@berth\" %s\\n' \"$(cut -d' ' -f1,2 ../bo.pub)\" >>approvers/allowed_signers; sed -i 's/erin\\]/erin, bo]/' berth.yaml; signed carol alice bo-is-admin");
	approve("dana", "main~1", "main");
	sh("env alice lab 1; signed bo alice lab");
	run();
	all_live();
}

static void
too_few_left(void **state)
{
	(void)state;
	sh("sed -i 's/admins: .carol, dana, erin./admins: []/' berth.yaml; signed carol bo nobody");
	approve("dana", "main~1", "main");
	approve("erin", "main~1", "main");
	run();
	waits("berth.yaml");
}

static void
a_login_key_is_no_approval_key(void **state)
{
	(void)state;
	sh("printf 'apiVersion: berth.dev/v1\\nkind: User\\nspec: {uid: u-carol, email: carol@example.org, sshKeys: [\"%s\"]}\\n' \"$(cat ../mallory.pub)\" >users/carol.yaml; signed dana bo key");
	approve("erin", "main~1", "main");
	run();
	all_live();
	sh("env alice lab 1; signed mallory alice lab");
	run();
	waits("envs/alice/lab.yaml");
	/* nor when somebody lists it as one: dana's is both from now on */
	sh("printf 'apiVersion: berth.dev/v1\\nkind: User\\nspec: {uid: u-dana, email: dana@example.org, sshKeys: [\"%s\"]}\\n' \"$(cat ../dana.pub)\" >users/dana.yaml; signed carol bo both");
	approve("erin", "main~1", "main");
	run();
	assert_null(pending("users/dana.yaml"));
	sh("env alice lab2 1; signed dana alice lab2");
	run();
	waits("envs/alice/lab2.yaml");
}

static void
a_larger_flavor_counts_at_once(void **state)
{
	(void)state;
	sh("sed -i 's/^  approvals:.*/  approvals: {mode: signed, required: 1, admins: [carol, dana, erin], rules: [{when: {cpu: \">10\"}, required: 2}]}/' berth.yaml; signed carol bo rule");
	approve("dana", "main~1", "main");
	run();
	all_live();
	sh("sed -i 's/cpu: 8/cpu: 12/' flavors/small.yaml; signed carol bo flavor");
	approve("dana", "main~1", "main");
	sh("mkdir -p envs/bo; printf 'apiVersion: berth.dev/v1\\nkind: Environment\\nspec: {flavor: small}\\n' >envs/bo/big.yaml; signed carol bo big");
	run();
	waits("envs/bo/big.yaml");
}

static void
two_signature_headers(void **state)
{
	(void)state;
	sh("env alice lab 1; signed carol alice lab; git cat-file commit HEAD >../raw;"
	   "awk '/^gpgsig/ && !done {sig=$0; while ((getline l) > 0 && substr(l, 1, 1) == \" \") sig = sig \"\\n\" l; print sig; print sig; print l; done=1; next} {print}' ../raw >../raw2;"
	   "test $(grep -c ^gpgsig ../raw2) = 2; git update-ref refs/heads/main $(git hash-object -t commit -w --literally ../raw2)");
	run();
	waits("envs/alice/lab.yaml");
}

static void
replaced_objects(void **state)
{
	(void)state;
	sh("env alice lab 1; signed carol alice good; git tag good; git checkout -q -B main HEAD~1; env alice lab 16; commit mallory evil; git replace main good");
	run();
	waits("envs/alice/lab.yaml");
}

static void
names_of_somebody_else(void **state)
{
	(void)state;
	sh("env bo evil 8; commit carol 'I am carol'");
	run();
	waits("envs/bo/evil.yaml");
}

static void
a_folder_handed_to_somebody_else(void **state)
{
	(void)state;
	sh("mkdir -p envs/mallory; git mv envs/alice/train.yaml envs/mallory/train.yaml; signed alice alice handed");
	run();
	waits("envs/mallory/train.yaml");
	waits("envs/alice/train.yaml");
}

static void
wrong_namespace_ref_and_time(void **state)
{
	(void)state;
	sh("env alice lab 1; commit alice lab");
	approve_as("carol", "main~1", "main", t.now + DAY, "refs/heads/main", "git");
	run();
	waits("envs/alice/lab.yaml");
	approve_as("dana", "main~1", "main", t.now + DAY, "refs/heads/other", APPROVAL_NAMESPACE);
	run();
	waits("envs/alice/lab.yaml");
	approve_as("erin", "main~1", "main", t.now - 1, "refs/heads/main", APPROVAL_NAMESPACE);
	run();
	waits("envs/alice/lab.yaml");
	/* it was seen before it ran out: being late afterwards is no harm */
	approve_as("dana", "main~1", "main", t.now + DAY, "refs/heads/main", APPROVAL_NAMESPACE);
	run();
	all_live();
}

static void
an_approval_of_what_was_never_merged(void **state)
{
	(void)state;
	sh("git checkout -q -b pr; env alice train 8; commit alice more; git checkout -q main");
	approve("carol", "main", "pr");
	run();
	all_live();
	assert_true(live_as("envs/alice/train.yaml", "main"));
	assert_int_equal(t.result.ndone, 0);
}

static void
a_reverted_change_is_not_approved_late(void **state)
{
	(void)state;
	sh("env alice train 8; commit alice more; env alice train 4; commit alice back");
	run();
	all_live();
	approve("carol", "main~2", "main~1");
	run();
	all_live();
	assert_true(live_as("envs/alice/train.yaml", "main"));
}

static void
force_push_and_fork(void **state)
{
	struct approve a = { .git = t.git, .proof = t.proof, .judge = judge_get(t.judge), .ref = "refs/heads/main", .now = t.now };
	struct err e = { 0 };
	struct oid tip;

	(void)state;
	sh("env alice train 8; signed carol alice more");
	run();
	all_live();
	sh("git checkout -q -B main HEAD~1; env alice train 9; signed carol alice fork");
	assert_int_equal(git_rev_parse(t.git, "main", &tip, &e), 0);
	assert_int_equal(approve_run(&a, &tip, t.mem, &t.result, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "E503"));
}

static void
links_and_modules(void **state)
{
	(void)state;
	sh("ln -s /etc/passwd envs/alice/link.yaml; commit mallory link");
	run();
	waits("envs/alice/link.yaml");
}

static void
state_as_text(void **state)
{
	struct buf one AUTO_BUF = BUF_INIT(1 << 20), two AUTO_BUF = BUF_INIT(1 << 20);
	struct proof *again;

	(void)state;
	sh("env alice train 8; commit alice more; sed -i 's/cpu: 8/cpu: 9/' flavors/small.yaml; commit bo flavor");
	approve("carol", "main~2", "main~1");
	approve("dana", "main~1", "main");
	run();
	proof_write(t.proof, &one);
	assert_int_equal(proof_parse(buf_cstr(&one), one.len, &again, NULL), 0);
	proof_write(again, &two);
	assert_string_equal(buf_cstr(&one), buf_cstr(&two));
	proof_free(again);
	/* cut anywhere but behind a whole line it is refused; nothing crashes */
	for (size_t i = 0; i < one.len; i++) {
		if (one.data[i - (i > 0)] != '\n' && proof_parse(one.data, i, &again, NULL) == 0) {
			fail_msg("cut at %zu of %zu it was taken", i, one.len);
		}
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = { T(an_admin_signs_a_merge), T(a_squash_is_signed), T(detached_holds_for_every_button),
		T(a_branch_is_told_what_it_lacks), T(a_late_approval_needs_no_commit), T(two_voices_where_two_are_needed), T(the_owner_alone_narrows), T(what_is_pending_as_a_whole),
		T(somebody_unknown_wrote_it), T(break_glass), T(unsigned_below_a_signed_merge), T(evil_merge), T(approval_of_another_change),
		T(half_of_an_approved_change), T(replay_after_a_revert), T(replay_after_the_state_is_lost), T(self_approval),
		T(owner_cannot_approve_more), T(two_keys_of_one_person), T(expired_removed_and_future_keys), T(backdated_commit_of_an_expired_key),
		T(revoked_key), T(a_policy_that_adds_its_own_approver), T(policy_counts_from_the_next_change_on), T(too_few_left),
		T(a_login_key_is_no_approval_key), T(a_larger_flavor_counts_at_once), T(two_signature_headers), T(replaced_objects), T(names_of_somebody_else),
		T(a_folder_handed_to_somebody_else), T(wrong_namespace_ref_and_time), T(an_approval_of_what_was_never_merged),
		T(a_reverted_change_is_not_approved_late), T(force_push_and_fork), T(links_and_modules), T(state_as_text) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
