/* SPDX-License-Identifier: Apache-2.0 */
/* More attacks on approval: what is left over of approvals, keys that must not count, floods, trees and commits that nobody should make. */
#include "approvefix.h"

/* The text of a repository's policy moves on by two admins, whoever wrote it. */
static void
by_two(const char *line)
{
	sh(arena_printf(t.mem, "%s; signed carol bo policy", line));
	approve("dana", "main~1", "main");
	run();
}

/* -- keys ------------------------------------------------------------------------------------------------------------------------------- */

static void
a_listed_login_key_does_not_count(void **state)
{
	(void)state;
	by_two("printf 'apiVersion: berth.dev/v1\\nkind: User\\nspec: {uid: u-erin, email: erin@example.org, sshKeys: [\"%s\"]}\\n' \"$(cat ../erin.pub)\" >users/erin.yaml");
	all_live();
	sh("env alice lab 1; signed erin alice lab");
	run();
	waits("envs/alice/lab.yaml");
	approve("erin", "main~1", "main");
	run();
	waits("envs/alice/lab.yaml");
	approve("dana", "main~1", "main");
	run();
	all_live();
}

static void
revoking_everybody_is_refused(void **state)
{
	(void)state;
	sh("cut -d' ' -f1,2 ../carol.pub ../carol2.pub ../dana.pub ../erin.pub >approvers/revoked_keys; signed carol bo nobody");
	approve("dana", "main~1", "main");
	approve("erin", "main~1", "main");
	run();
	waits("approvers/revoked_keys");
	/* nor may all keys become login keys */
	sh("git rm -q approvers/revoked_keys; for who in carol dana erin; do printf 'apiVersion: berth.dev/v1\\nkind: User\\nspec: {uid: u-%s, email: %s@example.org, sshKeys: [\"%s\", \"%s\"]}\\n' "
	   "$who $who \"$(cat ../$who.pub)\" \"$(cat ../carol2.pub)\" >users/$who.yaml; done; signed carol bo logins");
	approve("dana", "main~2", "main");
	approve("erin", "main~2", "main");
	run();
	waits("users/carol.yaml");
}

static void
patterns_are_nobody(void **state)
{
	(void)state;
	by_two("printf '* namespaces=\"git,approval@berth\" %s\\n*@example.org %s\\n' \"$(cut -d' ' -f1,2 ../mallory.pub)\" \"$(cut -d' ' -f1,2 ../mallory.pub)\" >>approvers/allowed_signers");
	all_live();
	sh("env alice lab 1; signed mallory alice lab");
	run();
	waits("envs/alice/lab.yaml");
}

static void
a_key_of_two_is_one_voice(void **state)
{
	(void)state;
	by_two("printf 'dana,erin %s\\nerin %s\\n' \"$(cut -d' ' -f1,2 ../carol.pub)\" \"$(cut -d' ' -f1,2 ../carol.pub)\" >>approvers/allowed_signers");
	all_live();
	sh("sed -i 's/cpu: 8/cpu: 9/' flavors/small.yaml; signed carol bo flavor");
	approve("carol", "main~1", "main");
	run();
	waits("flavors/small.yaml");
}

static void
a_mail_of_two_is_nobody(void **state)
{
	(void)state;
	by_two("sed -i 's/mallory@/carol@/' users/mallory.yaml; sed -i 's/^carol /carol@example.org /' approvers/allowed_signers");
	all_live();
	sh("env alice lab 1; signed carol alice lab");
	run();
	waits("envs/alice/lab.yaml");
}

/* -- what is left over -------------------------------------------------------------------------------------------------------------------- */

static void
a_second_approval_is_used_up_with_the_first(void **state)
{
	(void)state;
	sh("env alice train 8; commit alice more");
	approve("carol", "main~1", "main");
	run();
	all_live();
	/* dana was late, and her approval stays behind its ref */
	approve("dana", "main~1", "main");
	run();
	sh("env alice train 4; signed carol alice back");
	run();
	all_live();
	sh("env alice train 8; commit mallory again");
	run();
	waits("envs/alice/train.yaml");
}

static void
approved_again_after_a_revert(void **state)
{
	(void)state;
	sh("env alice train 8; commit alice more");
	approve("carol", "main~1", "main");
	run();
	sh("env alice train 4; signed carol alice back; env alice train 8; commit alice again");
	run();
	waits("envs/alice/train.yaml");
	approve("carol", "main~1", "main");
	run();
	all_live();
	assert_true(live_as("envs/alice/train.yaml", "main"));
}

/* -- what counts for sizes ------------------------------------------------------------------------------------------------------------------ */

static void
sizes_are_those_of_the_flavor_just_approved(void **state)
{
	(void)state;
	by_two("sed -i 's/erin\\]}/erin], rules: [{when: {gpu: \">1\"}, required: 2}]}/' berth.yaml");
	all_live();
	assert_int_equal(t.result.npending, 0);
	/* one run: the flavor grows, and an environment that one admin may approve no more takes it */
	sh("sed -i 's/limits: {/limits: {nvidia.com\\/gpu: 4, /' flavors/small.yaml; signed carol bo flavor");
	approve("dana", "main~1", "main");
	sh("printf 'apiVersion: berth.dev/v1\\nkind: Environment\\nspec: {flavor: small}\\n' >envs/bo/big.yaml; signed carol bo big");
	run();
	assert_null(pending("flavors/small.yaml"));
	waits("envs/bo/big.yaml");
	assert_non_null(strstr(pending("envs/bo/big.yaml"), "4 GPUs"));
}

/* -- who wrote it ------------------------------------------------------------------------------------------------------------------------------ */

/* Anybody can make a commit in somebody's name whose names cannot be listed: it must not make that admin an author of everything, for ever. */
static void
unlistable_commits_make_nobody_an_author(void **state)
{
	(void)state;
	sh("printf x >'envs/bo/a\"b'; commit carol junk; printf x >'envs/bo/c\"d'; commit dana junk; printf x >'envs/bo/e\"f'; commit erin junk;"
	   "env alice lab 1; env alice two 1; commit alice lab; env alice lab 2; commit alice two");
	run();
	assert_true(t.result.many);
	approve("carol", "main~2", "main");
	run();
	assert_true(live_as("envs/alice/lab.yaml", "main"));
	assert_true(live_as("envs/alice/two.yaml", "main"));
	/* once main is clean nothing of it is left */
	sh("git rm -q envs/bo/*'\"'*; commit bo clean");
	run();
	all_live();
	assert_int_equal(t.proof->nopen, 0);
}

static void
what_can_be_listed_is(void **state)
{
	(void)state;
	sh("printf x >'envs/bo/a\"b'; env alice lab 1; commit mallory junk");
	run();
	assert_true(t.result.many);
	waits("envs/alice/lab.yaml");
}

/* A name that no tree should have stops neither the others nor the next commit. */
static void
a_tree_that_cannot_be_read(void **state)
{
	(void)state;
	sh("git checkout -q -b pr; env alice lab 1; commit alice lab; git checkout -q main");
	approve("carol", "main", "pr");
	sh("printf x >'envs/alice/a\\b'; env alice lab 1; commit mallory junk");
	run();
	assert_true(t.result.many);
	assert_true(live_as("envs/alice/lab.yaml", "main~1"));
	/* who wrote something there cannot be told: one voice more */
	sh("git rm -q 'envs/alice/a\\\\b'; commit bo clean");
	run();
	waits("envs/alice/lab.yaml");
	approve("dana", "main~2", "pr");
	run();
	all_live();
	assert_true(live_as("envs/alice/lab.yaml", "main"));
}

/* Any server takes such commits from anybody. */
static void
commits_that_cannot_be_read(void **state)
{
	(void)state;
	sh("git tag base; git checkout -q -b same; env alice lab 1; commit alice same; git checkout -q main; env alice lab 1; git add -A; head -c 2000000 /dev/zero | tr '\\0' x >../msg; git commit -q -F ../msg;"
	   "env alice two 1; commit alice two; git cat-file commit HEAD | sed 's/^author .*/author garbage/' >../raw; git update-ref refs/heads/main $(git hash-object -t commit -w --literally ../raw);"
	   "env alice three 1; signed carol alice three");
	run();
	assert_null(pending("envs/alice/three.yaml"));
	waits("envs/alice/lab.yaml");
	waits("envs/alice/two.yaml");
	assert_non_null(strstr(pending("envs/alice/lab.yaml"), "nobody of users/"));
	/* one voice more, since nobody knows who wrote it */
	approve("carol", "base", "same");
	run();
	waits("envs/alice/lab.yaml");
	approve("dana", "base", "same");
	run();
	assert_null(pending("envs/alice/lab.yaml"));
}

static void
a_merge_of_what_is_no_commit(void **state)
{
	(void)state;
	sh("git checkout -q -b pr; env alice lab 1; commit alice lab; git cat-file commit HEAD | sed 's/^author .*/author garbage/' >../raw; c=$(git hash-object -t commit -w --literally ../raw);"
	   "git checkout -q main; git update-ref refs/heads/main $(git commit-tree -p HEAD -p $c -m merge $c^{tree}); git reset -q --hard; env alice two 1; signed carol alice two");
	run();
	waits("envs/alice/lab.yaml");
	assert_null(pending("envs/alice/two.yaml"));
}

/* Nothing says that the file goes, but the path of what comes. */
static void
a_file_is_not_pushed_aside(void **state)
{
	(void)state;
	sh("printf x >envs/alice/data; signed carol alice data; git rm -q envs/alice/data; commit mallory gone; mkdir envs/alice/data; printf y >envs/alice/data/y; signed carol alice below");
	run();
	waits("envs/alice/data");
	waits("envs/alice/data/y");
	assert_true(live_as("envs/alice/data", "main~2"));
	/* together it is clear what happens */
	approve("carol", "main~2", "main");
	run();
	all_live();
}

/* -- time, and what nobody remembers ------------------------------------------------------------------------------------------------------ */

static void
an_approval_is_as_old_as_it_was_first_seen(void **state)
{
	(void)state;
	sh("sed -i 's/cpu: 8/cpu: 9/' flavors/small.yaml; commit bo flavor");
	approve("carol", "main~1", "main");
	run();
	waits("flavors/small.yaml");
	/* hers has run out meanwhile, but was there in time */
	t.now += 2 * DAY;
	approve("dana", "main~1", "main");
	run();
	all_live();
}

static void
authors_that_are_forgotten_are_unknown(void **state)
{
	(void)state;
	sh("env alice lab 1; commit carol lab; env alice lab 2; commit carol lab");
	run();
	t.proof->nopen = 0; /* as after a rewritten history that somebody released */
	approve("dana", "main~2", "main");
	run();
	waits("envs/alice/lab.yaml");
	approve("erin", "main~2", "main");
	run();
	all_live();
}

/* More commits than are looked at: carol's is the oldest of them. */
static void
an_author_behind_many_commits(void **state)
{
	(void)state;
	sh("git checkout -q -b pr; env alice lab 1; commit carol lab;"
	   "for i in $(seq 300); do printf 'commit refs/heads/pr\nauthor bo <bo@example.org> 1700000000 +0000\ncommitter bo <bo@example.org> 1700000000 +0000\ndata 1\nx\n'; "
	   "[ $i = 1 ] && printf 'from refs/heads/pr^0\n'; echo; done | git fast-import --quiet; git checkout -q main; merge erin pr");
	run();
	waits("envs/alice/lab.yaml");
	approve("dana", "main~1", "main");
	run();
	all_live();
}

/* -- texts ------------------------------------------------------------------------------------------------------------------------------------ */

#define ID1 "1111111111111111111111111111111111111111"
#define ID2 "2222222222222222222222222222222222222222"
#define ID0 "0000000000000000000000000000000000000000"
#define HEAD_OF(n) "berth approval 1\nanchor " ID1 "\nref refs/heads/main\nexpires 2026-12-26T00:00:00Z\nnonce 00112233445566778899aabbccddeeff\nchanges " n "\n"
#define A "100644 " ID1 " 100644 " ID2 " a\n"
#define B "000000 " ID0 " 100755 " ID2 " b\n"

static int
reads(const char *text, size_t n)
{
	struct approval a;

	return approval_read(text, n, t.mem, &a, NULL);
}

static void
one_text_for_one_approval(void **state)
{
	static const char *const wrong[] = { HEAD_OF("2") B A, HEAD_OF("2") A A, HEAD_OF("1") A B, HEAD_OF("3") A B, HEAD_OF("02") A B, HEAD_OF("+2") A B,
		HEAD_OF("0"), HEAD_OF("2") A B "\n", HEAD_OF("2") A "\r\n" B, HEAD_OF("1") "100644 " ID1 " 100644 " ID1 " a\n",
		HEAD_OF("1") "100644 " ID1 " 100664 " ID2 " a\n", HEAD_OF("1") "100644 " ID1 " 040000 " ID2 " a\n", HEAD_OF("1") "100644 " ID0 " 100644 " ID2 " a\n",
		HEAD_OF("1") "000000 " ID1 " 100644 " ID2 " a\n", HEAD_OF("1") "000000 " ID0 " 000000 " ID0 " a\n", HEAD_OF("1") "100644 " ID1 " 100644 " ID2 " \n",
		HEAD_OF("1") "100644 " ID1 " 100644 " ID2 " a\"b\n", HEAD_OF("1") "100644 " ID1 " 100644 " ID2 " a\\b\n",
		HEAD_OF("1") "100644 " ID1 " 100644 " ID2 " a\tb\n", HEAD_OF("1") "100644 " ID1 " 100644 " ID2 " \xff\n", " " HEAD_OF("1") A };

	(void)state;
	assert_int_equal(reads(HEAD_OF("2") A B, strlen(HEAD_OF("2") A B)), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (reads(wrong[i], strlen(wrong[i])) != ERR_INVALID)
			fail_msg("text %zu was taken", i);
	for (size_t n = 0; n < strlen(HEAD_OF("2") A B); n++)
		assert_int_equal(reads(HEAD_OF("2") A B, n), ERR_INVALID);
}

static void
times_are_written_one_way(void **state)
{
	static const char *const times[] = { "2026-12-26T00:00:00+00:00", "2026-12-26T00:00:00.000Z", "2026-12-26", "2026-12-25T24:00:00Z", "2026-12-26t00:00:00z" };

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		const char *text = arena_printf(t.mem, "berth approval 1\nanchor " ID1 "\nref refs/heads/main\nexpires %s\nnonce 00112233445566778899aabbccddeeff\nchanges 1\n" A, times[i]);

		assert_int_equal(reads(text, strlen(text)), ERR_INVALID);
	}
}

/* Copies of one approval could fill the place that there is for all. */
static void
an_approval_stands_at_its_own_name(void **state)
{
	(void)state;
	sh("env alice lab 1; commit alice lab");
	approve("carol", "main~1", "main");
	sh("r=$(git for-each-ref --format='%(refname)' refs/berth/approvals); git update-ref refs/berth/approvals/$(printf '%064d/%064d' 1 1) $r; git update-ref -d $r");
	run();
	waits("envs/alice/lab.yaml");
}

/* -- modes and links ---------------------------------------------------------------------------------------------------------------------------- */

static void
a_mode_is_part_of_what_is_approved(void **state)
{
	(void)state;
	sh("printf x >envs/alice/setup.sh; signed carol alice setup");
	run();
	all_live();
	sh("git checkout -q -b pr; printf y >envs/alice/setup.sh; commit alice y; git checkout -q main; printf y >envs/alice/setup.sh; chmod 755 envs/alice/setup.sh; commit mallory y");
	approve("carol", "main~1", "pr");
	run();
	waits("envs/alice/setup.sh");
}

/* A link whose target reads like a smaller environment is none. */
static void
a_link_is_not_read_as_a_document(void **state)
{
	(void)state;
	sh("rm envs/alice/train.yaml; ln -s \"$(printf 'apiVersion: berth.dev/v1\\nkind: Environment\\nspec: {flavor: small, resources: {cpu: 2}}\\n')\" envs/alice/train.yaml; signed alice alice link");
	run();
	waits("envs/alice/train.yaml");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = { T(a_listed_login_key_does_not_count), T(revoking_everybody_is_refused), T(patterns_are_nobody),
		T(a_key_of_two_is_one_voice), T(a_mail_of_two_is_nobody), T(a_second_approval_is_used_up_with_the_first),
		T(approved_again_after_a_revert), T(sizes_are_those_of_the_flavor_just_approved),
		T(unlistable_commits_make_nobody_an_author), T(what_can_be_listed_is), T(a_tree_that_cannot_be_read),
		T(commits_that_cannot_be_read), T(a_merge_of_what_is_no_commit), T(a_file_is_not_pushed_aside),
		T(an_approval_is_as_old_as_it_was_first_seen), T(authors_that_are_forgotten_are_unknown), T(an_author_behind_many_commits),
		T(an_approval_stands_at_its_own_name), T(one_text_for_one_approval), T(times_are_written_one_way), T(a_mode_is_part_of_what_is_approved), T(a_link_is_not_read_as_a_document) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
