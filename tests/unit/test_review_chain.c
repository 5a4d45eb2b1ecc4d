/* SPDX-License-Identifier: Apache-2.0 */
/* Changes that build on one another, of which main has only what they come to: together they take effect, or not at all. */
#include "reviewfix.h"

#define CHAIN "pr one; env alice lab 1; commit alice one; button merge one; git tag m1; pr two; env alice lab 2; commit alice two; button merge two; git tag m2;"

static void
proof_text(struct buf *out)
{
	buf_reset(out);
	proof_write(t.proof, out);
}

static void
a_chain(void **state)
{
	struct buf before AUTO_BUF = BUF_INIT(1 << 20), after AUTO_BUF = BUF_INIT(1 << 20);

	(void)state;
	forge(CHAIN "env bo x 1; commit mallory x");
	run();
	waits("envs/alice/lab.yaml");
	/* the first alone takes no effect, and nothing of the attempt stays */
	reviewed(1, "m1~1", "one", "m1", "alice", "bo", "carol");
	run();
	waits("envs/alice/lab.yaml");
	assert_int_equal(t.result.ndone, 0);
	assert_true(live_as("envs/alice/lab.yaml", "m1~1"));
	proof_text(&before);
	assert_null(strstr(buf_cstr(&before), "\nused "));
	run();
	proof_text(&after);
	assert_string_equal(buf_cstr(&before), buf_cstr(&after));
	assert_int_equal(t.result.ndone, 0);
	/* both */
	reviewed(2, "m1", "two", "m2", "alice", "bo", "dana");
	run();
	assert_null(pending("envs/alice/lab.yaml"));
	waits("envs/bo/x.yaml");
	assert_true(live_as("envs/alice/lab.yaml", "main"));
	assert_int_equal(t.result.ndone, 2);
	assert_string_equal(t.result.done[0].voices[0], "carol");
	assert_string_equal(t.result.done[1].voices[0], "dana");
	assert_int_equal(t.proof->nopen, 1);
}

static void
a_link_that_is_not_approved(void **state)
{
	(void)state;
	forge(CHAIN "pr three; env alice lab 3; commit alice three; button merge three; git tag m3");
	run();
	reviewed(1, "m1~1", "one", "m1", "alice", "bo", "carol");
	reviewed(3, "m2", "three", "m3", "alice", "bo", "carol");
	run();
	waits("envs/alice/lab.yaml");
	assert_int_equal(t.result.ndone, 0);
	assert_int_equal(t.proof->nopen, 3);
	reviewed(2, "m1", "two", "m2", "alice", "bo", "-carol dana");
	run();
	waits("envs/alice/lab.yaml");
	answer(&t.reviews[2], "dana");
	run();
	all_live();
}

/* A push by hand between the two: what it changed would come with them. */
static void
a_push_between(void **state)
{
	(void)state;
	forge("pr one; env alice lab 1; commit alice one; button merge one; git tag m1; env alice lab 7; env bo y 1; commit mallory evil; git tag evil;"
	      "pr two; env alice lab 2; commit alice two; button merge two; git tag m2");
	reviewed(1, "m1~1", "one", "m1", "alice", "bo", "carol");
	reviewed(2, "evil", "two", "m2", "alice", "bo", "carol");
	run();
	waits("envs/alice/lab.yaml");
	waits("envs/bo/y.yaml");
}

/* Reviewed when it is gone again, all of the chain: nothing of it comes back, whoever brings it. */
static void
a_chain_that_ends_where_it_began(void **state)
{
	(void)state;
	forge(CHAIN "pr three; git rm -q envs/alice/lab.yaml; commit alice three; button merge three; git tag m3; env bo x 1; commit mallory x");
	run();
	assert_int_equal(t.proof->nopen, 1);
	reviewed(1, "m1~1", "one", "m1", "alice", "bo", "carol");
	reviewed(2, "m1", "two", "m2", "alice", "bo", "carol");
	reviewed(3, "m2", "three", "m3", "alice", "alice", "");
	run();
	assert_true(live_as("envs/alice/lab.yaml", "main"));
	assert_int_equal(t.result.ndone, 0);
	sh("env alice lab 1; commit mallory again; env alice lab 2; commit mallory again");
	run();
	waits("envs/alice/lab.yaml");
	waits("envs/bo/x.yaml");
}

/* Who may approve the second is what the first says. */
static void
a_policy_within_a_chain(void **state)
{
	(void)state;
	forge("pr one; sed -i 's/erin\\]/erin, bo]/' berth.yaml; commit alice bo-is-admin; button merge one; git tag m1;"
	      "pr two; sed -i 's/required: 1/required: 2/' berth.yaml; commit alice two; button merge two; git tag m2; env bo x 1; commit mallory x");
	reviewed(2, "m1", "two", "m2", "alice", "alice", "bo carol");
	run();
	waits("berth.yaml");
	reviewed(1, "m1~1", "one", "m1", "alice", "alice", "dana bo"); /* bo is none yet */
	run();
	waits("berth.yaml");
	assert_true(live_as("berth.yaml", "m1~1"));
	/* what was tried is not believed afterwards either */
	forge("pr three; env erin lab 1; commit erin lab; button merge three; git tag m3");
	reviewed(3, "m3~1", "three", "m3", "erin", "erin", "bo");
	run();
	waits("envs/erin/lab.yaml");
	answer(&t.reviews[1], "dana carol");
	answer(&t.reviews[2], "bo");
	run();
	assert_null(pending("berth.yaml"));
	waits("envs/erin/lab.yaml"); /* two are needed now */
	answer(&t.reviews[2], "bo carol");
	run();
	assert_null(pending("envs/erin/lab.yaml"));
}

/* Half a chain that was tried is taken back, its policy too. */
static void
a_policy_that_is_taken_back(void **state)
{
	(void)state;
	forge("pr one; sed -i 's/erin\\]/erin, bo]/' berth.yaml; commit alice bo-is-admin; button merge one; git tag m1;"
	      "sed -i 's/required: 1/required: 2/' berth.yaml; commit mallory two; pr three; env erin lab 1; commit erin lab; button merge three; git tag m3;"
	      "pr four; env erin lab 2; commit erin lab; button merge four; git tag m4");
	run();
	reviewed(1, "m1~1", "one", "m1", "alice", "alice", "dana carol");
	reviewed(3, "m3~1", "three", "m3", "erin", "erin", "bo");
	reviewed(4, "m3", "four", "m4", "erin", "erin", "bo");
	run();
	waits("berth.yaml");
	waits("envs/erin/lab.yaml");
}

/* Rebased in three commits, and the next pull request is merged before the review of the first is known. */
static void
a_chain_of_rebased_ones(void **state)
{
	(void)state;
	forge("git tag base; pr one; env alice lab 1; commit alice one; env alice lab 2; env alice two 1; commit alice two; env alice lab 3; commit alice three; button rebase one; git tag m1;"
	      "pr two; env alice lab 4; commit carol four; button rebase two; git tag m2");
	run();
	waits("envs/alice/lab.yaml");
	reviewed(2, "m1", "two", "m2", "carol", "bo", "dana");
	run();
	waits("envs/alice/lab.yaml");
	reviewed(1, "base", "one", "m1", "alice", "bo", "carol");
	run();
	all_live();
	assert_int_equal(t.result.ndone, 2);
}

/* It helps signatures as well. */
static void
a_signed_chain(void **state)
{
	(void)state;
	sh("env alice lab 1; commit alice one; env alice lab 2; commit alice two; env bo x 1; commit mallory x");
	run();
	approve("dana", "main~2", "main~1");
	run();
	waits("envs/alice/lab.yaml");
	/* hers has run out by now, and was seen before */
	t.now += 2 * DAY;
	approve("carol", "main~3", "main~2");
	run();
	assert_null(pending("envs/alice/lab.yaml"));
	waits("envs/bo/x.yaml");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin_forge, end)
	const struct CMUnitTest tests[] = { T(a_chain), T(a_link_that_is_not_approved), T(a_push_between), T(a_chain_that_ends_where_it_began), T(a_policy_within_a_chain),
		T(a_policy_that_is_taken_back), T(a_chain_of_rebased_ones), T(a_signed_chain) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
