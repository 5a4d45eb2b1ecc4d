/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mode forge: reviews of pull requests as approvals, on repositories that git itself makes, merged by each of a forge's buttons. What counts, and what must not.
 */
#include "reviewfix.h"

#include <unistd.h>

/* -- what must work ---------------------------------------------------------------------------------------------------------------------- */

static void
each_button(void **state)
{
	static const char *const buttons[] = { "merge", "squash", "rebase" };

	(void)state;
	forge("pr pr; env alice train 8; commit alice one; env alice lab 2; commit alice two; env alice lab 3; commit alice three; git tag base main");
	/* main moves on meanwhile */
	forge("git checkout -q main; env bo other 1; signed dana bo other; git tag moved");
	run();
	all_live();
	for (size_t i = 0; i < 3; i++) {
		struct proof *keep = proof_copy(t.proof);

		forge(arena_printf(t.mem, "git checkout -q -B main moved; WHO=alice; button %s pr", buttons[i]));
		t.nreviews = 0;
		run();
		waits("envs/alice/train.yaml");
		reviewed(42, "base", "pr", "main", "alice", "bo", "carol");
		run();
		all_live();
		assert_true(live_as("envs/alice/lab.yaml", "main"));
		assert_int_equal(t.result.ndone, 1);
		assert_string_equal(t.result.done[0].voices[0], "carol");
		assert_string_equal(t.result.done[0].how[0], "review 1 of pull request 42");
		assert_int_equal(t.result.done[0].nevidence, 1);
		assert_int_equal(t.proof->heartbeat, NOW);
		proof_swap(t.proof, keep);
		proof_free(keep);
	}
}

static void
shared_takes_two(void **state)
{
	struct review *r;

	(void)state;
	forge("pr pr; sed -i 's/cpu: 8/cpu: 9/' flavors/small.yaml; commit bo flavor; button merge pr");
	r = reviewed(1, "main~1", "pr", "main", "bo", "carol", "carol");
	run();
	waits("flavors/small.yaml");
	answer(r, "carol dana");
	run();
	all_live();
	assert_int_equal(t.result.done[0].nvoices, 2);
}

/* The trail names those who could say it, not everybody who did. */
static void
who_has_no_say_is_not_named(void **state)
{
	(void)state;
	forge("pr pr; env alice train 8; commit alice more; button merge pr");
	reviewed(7, "main~1", "pr", "main", "alice", "carol", "bo dana mallory");
	run();
	all_live();
	assert_int_equal(t.result.done[0].nvoices, 1);
	assert_string_equal(t.result.done[0].voices[0], "dana");
	assert_string_equal(t.result.done[0].how[0], "review 2 of pull request 7");
}

/* A key still counts where approvers/ lists it, also beside a review. */
static void
signatures_count_too(void **state)
{
	(void)state;
	forge("pr pr; sed -i 's/cpu: 8/cpu: 9/' flavors/small.yaml; commit bo flavor; button merge pr");
	reviewed(1, "main~1", "pr", "main", "bo", "carol", "carol");
	approve("dana", "main~1", "pr");
	run();
	all_live();
	assert_null(t.result.done[0].how[0]);
	assert_string_equal(t.result.done[0].how[1], "review 1 of pull request 1");
	sh("sed -i 's/cpu: 9/cpu: 10/' flavors/small.yaml; key carol; as carol; git add -A; git commit -q -S -m 'urgent' -m 'Berth-Break-Glass: the forge is down'");
	run();
	all_live();
	assert_int_equal(t.proof->nbreaks, 1);
}

static void
owners_merge_their_own(void **state)
{
	(void)state;
	forge("pr pr; printf 'apiVersion: berth.dev/v1\\nkind: Environment\\nspec: {flavor: small, resources: {cpu: 4}, lifecycle: {paused: true}}\\n' >envs/alice/train.yaml;"
	      "commit alice pause; WHO=alice; button merge pr");
	reviewed(1, "main~1", "pr", "main", "alice", "alice", "");
	run();
	all_live();
	assert_string_equal(t.result.done[0].how[0], "merge of pull request 1");
	/* more is not theirs alone */
	forge("pr pr2; env alice train 8; commit alice more; WHO=alice; button merge pr2");
	reviewed(2, "main~1", "pr2", "main", "alice", "alice", "");
	run();
	waits("envs/alice/train.yaml");
	/* and whoever else merges has said nothing */
	forge("pr pr3; git rm -q envs/alice/train.yaml; commit alice gone; WHO=bo; button merge pr3");
	t.nreviews--;
	reviewed(3, "main~1", "pr3", "main", "alice", "bo", "");
	run();
	waits("envs/alice/train.yaml");
}

static void
a_single_admin_merges(void **state)
{
	(void)state;
	sh("sed -i 's/admins: .carol, dana, erin./admins: [carol]/' berth.yaml; commit carol alone");
	begin_at("main");
	forge("pr pr; sed -i 's/cpu: 8/cpu: 9/' flavors/small.yaml; commit carol flavor; button merge pr");
	reviewed(1, "main~1", "pr", "main", "carol", "carol", "");
	run();
	all_live();
	/* merging somebody else's is no yes: the review is */
	forge("pr pr2; sed -i 's/cpu: 9/cpu: 10/' flavors/small.yaml; commit bo flavor; button merge pr2");
	answer(reviewed(2, "main~1", "pr2", "main", "bo", "carol", ""), "");
	run();
	waits("flavors/small.yaml");
	answer(&t.reviews[1], "carol");
	run();
	all_live();
}

static void
a_forced_merge_waits_for_a_late_review(void **state)
{
	struct review *r;

	(void)state;
	forge(PR "WHO=erin; button merge pr");
	r = reviewed(1, "main~1", "pr", "main", "alice", "erin", "");
	run();
	waits("envs/alice/train.yaml");
	answer(r, "bo");
	run();
	waits("envs/alice/train.yaml");
	assert_int_equal(t.proof->seen.live, 1); /* however often what is said of it changes */
	t.now += DAY;
	answer(r, "bo carol");
	r->voices[1].at = t.now - 5;
	run();
	all_live();
	assert_int_equal(t.proof->heartbeat, t.now - 5);
	run();
	all_live();
	assert_int_equal(t.result.ndone, 0);
}

/* -- who is who ---------------------------------------------------------------------------------------------------------------------- */

static void
accounts(void **state)
{
	struct review *r;

	(void)state;
	sh("printf 'apiVersion: berth.dev/v1\\nkind: User\\nspec: {uid: u-carol, email: carol@example.org, forge: {login: C-Gh}}\\n' >users/carol.yaml;"
	   "printf 'apiVersion: berth.dev/v1\\nkind: User\\nspec: {uid: u-mallory, email: mallory@example.org, forge: {login: erin}}\\n' >users/mallory.yaml; commit carol accounts");
	begin_at("main");
	forge(PR "button merge pr");
	r = reviewed(1, "main~1", "pr", "main", "alice", "bo", "carol"); /* a stranger of that name on the forge */
	run();
	waits("envs/alice/train.yaml");
	answer(r, "erin"); /* mallory's account, whatever it is called */
	run();
	waits("envs/alice/train.yaml");
	answer(r, "stranger");
	run();
	waits("envs/alice/train.yaml");
	answer(r, "c-gH");
	run();
	all_live();
	assert_string_equal(t.result.done[0].voices[0], "carol");
}

/* An account of two, and one of somebody whose file cannot be read, are nobody's. */
static void
accounts_of_nobody(void **state)
{
	struct review *r;

	(void)state;
	sh("for who in carol mallory; do printf 'apiVersion: berth.dev/v1\\nkind: User\\nspec: {uid: u-%s, forge: {login: both}}\\n' $who >users/$who.yaml; done;"
	   "printf 'spec: {forge: {login: d-gh}, {' >users/dana.yaml; commit carol accounts");
	begin_at("main");
	forge(PR "button merge pr");
	r = reviewed(1, "main~1", "pr", "main", "alice", "bo", "both dana");
	run();
	waits("envs/alice/train.yaml");
	answer(r, "both dana erin");
	run();
	all_live();
	assert_int_equal(t.result.done[0].nvoices, 1);
}

/* The accounts of the policy before count, not those that the pull request itself brings. */
static void
an_account_in_the_same_change(void **state)
{
	(void)state;
	forge("pr pr; printf 'apiVersion: berth.dev/v1\\nkind: User\\nspec: {uid: u-dana, email: dana@example.org, forge: {login: mallory-gh}}\\n' >users/dana.yaml;"
	      "commit bo account; button merge pr");
	reviewed(1, "main~1", "pr", "main", "bo", "mallory", "carol mallory-gh");
	run();
	waits("users/dana.yaml");
	/* nor do those of a change that waits count for the next one */
	forge("pr pr2; env alice train 8; commit alice more; button merge pr2");
	reviewed(2, "main~1", "pr2", "main", "alice", "mallory", "mallory-gh");
	run();
	waits("envs/alice/train.yaml");
	answer(&t.reviews[0], "carol dana");
	run();
	assert_null(pending("users/dana.yaml"));
	assert_null(pending("envs/alice/train.yaml")); /* from then on they do */
}

static void
who_wrote_it_is_no_voice(void **state)
{
	struct review *r;

	(void)state;
	/* carol opened it, with commits of alice */
	forge(PR "button merge pr");
	r = reviewed(1, "main~1", "pr", "main", "carol", "carol", "carol");
	run();
	waits("envs/alice/train.yaml");
	answer(r, "carol dana");
	run();
	all_live();
	/* alice opened it, carol wrote a part of it, and the squash hides that */
	forge("pr pr2; env alice lab 1; commit alice one; env alice lab 2; commit carol two; WHO=alice; button squash pr2");
	reviewed(2, "main~1", "pr2", "main", "alice", "alice", "carol");
	run();
	waits("envs/alice/lab.yaml");
	assert_non_null(strstr(pending("envs/alice/lab.yaml"), "carol wrote it"));
	/* who opened it is gone: one more */
	forge("pr pr3; env bo lab 1; commit bo lab; WHO=dana; button squash pr3");
	r = reviewed(3, "main~1", "pr3", "main", "", "dana", "carol");
	run();
	waits("envs/bo/lab.yaml");
	answer(r, "carol erin");
	run();
	assert_null(pending("envs/bo/lab.yaml"));
}

/* Nobody knows any more who wrote it: fetching the head is not for whoever merges to leave out. */
static void
a_head_that_is_gone(void **state)
{
	struct review *r;

	(void)state;
	forge(PR "WHO=alice; button squash pr");
	r = reviewed(1, "main~1", "pr", "main", "alice", "alice", "carol");
	r->head.b[0] ^= 1;
	run();
	waits("envs/alice/train.yaml");
	answer(r, "carol dana");
	run();
	all_live();
}

static const char *
author(const char *mail)
{
	return judge_get(t.judge)->author(judge_get(t.judge)->ctx, mail);
}

static void
mails_that_forges_write(void **state)
{
	static const char *const carols[] = { "carol@example.org", "4711+carol@users.noreply.github.com", "4711+Carol@users.noreply.github.com",
		"carol@users.noreply.github.com", "17-carol@users.noreply.gitlab.com", "17-carol@users.noreply.git.example", "carol@noreply.git.example" };
	static const char *const nobodys[] = { "noreply@github.com", "4711-carol@users.noreply.github.com", "carol@users.github.com", "carol@example.com",
		"4711+@users.noreply.github.com", "@users.noreply.github.com", "carol", "4711+x@users.noreply.github.com", "carol@xnoreply.git.example" };

	(void)state;
	run();
	for (size_t i = 0; i < sizeof(carols) / sizeof(*carols); i++)
		if (!str_eq(author(carols[i]), "carol"))
			fail_msg("%s is not carol", carols[i]);
	for (size_t i = 0; i < sizeof(nobodys) / sizeof(*nobodys); i++)
		if (author(nobodys[i]) && !str_eq(nobodys[i], "carol"))
			fail_msg("%s is somebody", nobodys[i]);
	/* such a mail signs nothing */
	assert_null(judge_get(t.judge)->person(judge_get(t.judge)->ctx, "carol@users.noreply.github.com"));
}

/* -- what must not count ---------------------------------------------------------------------------------------------------------------- */

static void
a_stale_head(void **state)
{
	(void)state;
	forge(PR "git tag old; env alice train 16; commit alice most; button merge pr");
	reviewed(1, "main~1", "old", "main", "alice", "bo", "carol dana");
	run();
	waits("envs/alice/train.yaml");
}

static void
not_merged_and_pushed_by_hand(void **state)
{
	(void)state;
	forge(PR "git checkout -q main; env alice train 8; commit mallory same");
	reviewed(1, "main~1", "pr", NULL, "alice", "", "carol dana");
	run();
	waits("envs/alice/train.yaml");
	/* it is merged later, which changes nothing: what waits is the push */
	forge("button merge pr");
	t.nreviews = 0;
	reviewed(1, "main~2", "pr", "main", "alice", "bo", "carol dana");
	run();
	waits("envs/alice/train.yaml");
	/* and a merge into some other branch is none of main */
	forge("git checkout -q -b side main~2; git merge -q --no-ff -m x pr; git checkout -q main");
	t.nreviews = 0;
	reviewed(1, "main~2", "pr", "side", "alice", "bo", "carol dana");
	run();
	waits("envs/alice/train.yaml");
}

static void
replay_after_a_revert(void **state)
{
	(void)state;
	forge(PR "button merge pr");
	reviewed(1, "main~1", "pr", "main", "alice", "bo", "carol");
	run();
	all_live();
	forge("pr back; env alice train 4; commit alice back; button merge back; git tag reverted");
	reviewed(2, "main~1", "back", "main", "alice", "bo", "carol");
	run();
	all_live();
	sh("env alice train 8; commit mallory again");
	run();
	waits("envs/alice/train.yaml");
	/* a new pull request with the same content has its own review */
	forge("git checkout -q -B main reverted; pr again; env alice train 8; commit alice again; button merge again");
	proof_free(t.proof);
	assert_int_equal(proof_begin(t.git, &(struct oid){ 0 }, &t.proof, NULL) < 0, 1);
	t.proof = NULL;
	begin_at("reverted");
	run();
	waits("envs/alice/train.yaml");
	reviewed(3, "main~1", "again", "main", "alice", "bo", "dana");
	run();
	all_live();
}

/* The commit waits, and was reverted by hand: the late review must not bring it back. */
static void
a_reverted_merge_is_not_reviewed_late(void **state)
{
	(void)state;
	forge(PR "button merge pr; git tag merged; env alice train 4; env bo x 1; commit mallory back");
	run();
	waits("envs/bo/x.yaml");
	reviewed(1, "merged~1", "pr", "merged", "alice", "bo", "carol");
	run();
	assert_true(live_as("envs/alice/train.yaml", "main"));
	assert_int_equal(t.result.ndone, 0);
	sh("env alice train 8; commit mallory again");
	run();
	waits("envs/alice/train.yaml");
}

static void
what_the_merger_adds(void **state)
{
	(void)state;
	forge(PR "git checkout -q main; as mallory; git merge -q --no-commit --no-ff pr; env bo evil 8; git add -A; git commit -q -m merge");
	reviewed(1, "main~1", "pr", "main", "alice", "mallory", "carol");
	run();
	assert_null(pending("envs/alice/train.yaml"));
	waits("envs/bo/evil.yaml");
}

static void
who_asks_for_changes_is_waited_for(void **state)
{
	struct review *r;

	(void)state;
	forge(PR "button merge pr");
	r = reviewed(42, "main~1", "pr", "main", "alice", "bo", "carol -dana -stranger");
	run();
	waits("envs/alice/train.yaml");
	assert_string_equal(pending("envs/alice/train.yaml"), "dana asks for changes on pull request 42");
	answer(r, "carol -stranger"); /* dismissed; strangers stop nobody */
	run();
	all_live();
	/* what she signs later overrules what she said */
	forge("pr pr2; env alice lab 1; commit alice lab; button merge pr2");
	r = reviewed(43, "main~1", "pr2", "main", "alice", "bo", "-dana");
	run();
	assert_string_equal(pending("envs/alice/lab.yaml"), "dana asks for changes on pull request 43; 1 more of carol, dana, erin; alice is its owner");
	r->voices[0].at = t.now + 10;
	approve("dana", "main~1", "pr2");
	run();
	waits("envs/alice/lab.yaml");
	r->voices[0].at = t.now - 10;
	run();
	all_live();
}

static void
an_emergency_waits_for_nobody(void **state)
{
	(void)state;
	forge(PR "git checkout -q main; key carol; as carol; git merge -q --no-ff -S -m 'urgent' -m 'Berth-Break-Glass: fire' pr");
	reviewed(1, "main~1", "pr", "main", "alice", "carol", "-dana");
	run();
	all_live();
	assert_int_equal(t.proof->nbreaks, 1);
}

static void
only_where_the_policy_says_so(void **state)
{
	(void)state;
	/* to signed: two reviews bring it, and reviews count no more */
	forge("pr pr; sed -i 's/mode: forge/mode: signed/' berth.yaml; commit bo signed; button merge pr");
	reviewed(1, "main~1", "pr", "main", "bo", "bo", "carol dana");
	run();
	all_live();
	forge("pr pr2; env alice train 8; commit alice more; button merge pr2");
	reviewed(2, "main~1", "pr2", "main", "alice", "bo", "carol dana");
	run();
	waits("envs/alice/train.yaml");
	approve("carol", "main~1", "pr2");
	run();
	all_live();
	assert_int_equal(t.result.done[0].nvoices, 1);
	/* and back, which takes signatures; what it brings counts from the next change on */
	forge("pr pr3; sed -i 's/mode: signed/mode: forge/' berth.yaml; commit bo forge; button merge pr3; pr pr4; env alice train 9; commit alice more; button merge pr4");
	reviewed(3, "main~2", "pr3", "main~1", "bo", "bo", "carol dana");
	reviewed(4, "main~1", "pr4", "main", "alice", "bo", "carol");
	run();
	waits("berth.yaml");
	waits("envs/alice/train.yaml");
	approve("carol", "main~2", "pr3");
	approve("dana", "main~2", "pr3");
	run();
	all_live();
}

/* -- not merged yet ------------------------------------------------------------------------------------------------------------------------ */

static struct approve_looked
look(const char *from, const char *to)
{
	struct approve a = { .git = t.git, .proof = t.proof, .judge = judge_get(t.judge), .ref = "refs/heads/main", .now = t.now };
	struct changeset changes = changes_of(from, to);
	struct approve_ask ask = { .changes = &changes, .main = id_of(from), .head = id_of(to) };
	struct approve_looked out;
	struct err e = { 0 };

	a.evidence = all_evidence(&a.nevidence);
	if (approve_look(&a, &ask, t.mem, &out, &e) < 0)
		fail_msg("%s", e.text);
	return out;
}

static void
what_an_open_one_lacks(void **state)
{
	struct approve_looked l;
	struct review *r;

	(void)state;
	forge(PR "git tag old; git commit -q --allow-empty -m new; git checkout -q main");
	r = reviewed(7, "main", "old", NULL, "alice", "", "carol");
	assert_string_equal(look("main", "pr").missing, "1 more of carol, dana, erin; alice is its owner"); /* of another head, though with the same files */
	*r = (struct review){ 0 };
	t.nreviews = 0;
	r = reviewed(7, "main", "pr", NULL, "alice", "", "carol");
	l = look("main", "pr");
	assert_null(l.missing);
	assert_string_equal(l.voices[0], "carol");
	assert_string_equal(l.how[0], "review 1 of pull request 7");
	answer(r, "carol -dana");
	assert_string_equal(look("main", "pr").missing, "dana asks for changes on pull request 7");
	answer(r, "alice bo");
	assert_string_equal(look("main", "pr").missing, "1 more of carol, dana, erin; alice is its owner");
	/* nothing of it counts on main */
	forge("button merge pr");
	answer(r, "carol");
	run();
	waits("envs/alice/train.yaml");
}

/* -- as text --------------------------------------------------------------------------------------------------------------------------------- */

#define ID1 "1111111111111111111111111111111111111111"
#define ID2 "2222222222222222222222222222222222222222"
#define TOP "berth review 1\npull 42\nhead " ID1 "\nmerged " ID2 "\nauthor alice\nmerged-by bo\n"
#define V1 "voice yes 4711 2026-11-26T12:00:00Z carol\n"
#define V2 "voice no 0 - dana[bot]\n"
#define A "100644 " ID1 " 100644 " ID2 " a\n"

static int
reads(const char *text, size_t n)
{
	struct review r;

	return review_read(text, n, t.mem, &r, NULL);
}

static void
one_text_for_one_review(void **state)
{
	static const char *const good[] = { TOP "voices 2\n" V1 V2 "changes 1\n" A, TOP "voices 0\nchanges 1\n" A,
		"berth review 1\npull 1\nhead " ID1 "\nmerged 0000000000000000000000000000000000000000\nauthor \nmerged-by \nvoices 0\nchanges 1\n" A };
	static const char *const wrong[] = { TOP "voices 2\n" V2 V1 "changes 1\n" A, TOP "voices 2\n" V1 V1 "changes 1\n" A, TOP "voices 1\n" V1 V2 "changes 1\n" A,
		TOP "voices 3\n" V1 V2 "changes 1\n" A, TOP "voices 1\n" V1 "changes 2\n" A, TOP "voices 1\n" V1 "changes 0\n", TOP "voices 1\n" V1 "changes 1\n" A "\n",
		TOP "voices 01\n" V1 "changes 1\n" A, TOP "voices 1\nvoice maybe 1 - carol\nchanges 1\n" A, TOP "voices 1\nvoice yes -1 - carol\nchanges 1\n" A,
		TOP "voices 1\nvoice yes 1 - carol x\nchanges 1\n" A, TOP "voices 1\nvoice yes 1 - \nchanges 1\n" A, TOP "voices 1\nvoice yes 1 - car\x1bol\nchanges 1\n" A,
		TOP "voices 1\nvoice yes 1 - car\xc2\x85ol\nchanges 1\n" A, TOP "voices 1\nvoice yes 1 - car\xff\nchanges 1\n" A,
		TOP "voices 1\nvoice yes 1 2026-11-26 carol\nchanges 1\n" A, TOP "voices 1001\nchanges 1\n" A,
		"berth review 1\npull 0\nhead " ID1 "\nmerged " ID2 "\nauthor a\nmerged-by b\nvoices 0\nchanges 1\n" A,
		"berth review 1\npull 1\nhead 11\nmerged " ID2 "\nauthor a\nmerged-by b\nvoices 0\nchanges 1\n" A,
		"berth review 1\npull 1\nhead " ID1 "\nmerged " ID2 "\nauthor a b\nmerged-by b\nvoices 0\nchanges 1\n" A };
	struct buf again AUTO_BUF = BUF_INIT(1 << 20);
	struct evidence v;
	struct review r;
	char key[EVIDENCE_KEY];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(review_read(good[i], strlen(good[i]), t.mem, &r, NULL), 0);
		buf_reset(&again);
		review_write(&r, &again);
		assert_string_equal(buf_cstr(&again), good[i]);
		for (size_t n = 0; n < strlen(good[i]); n++)
			assert_int_equal(reads(good[i], n), ERR_INVALID);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (reads(wrong[i], strlen(wrong[i])) != ERR_INVALID)
			fail_msg("text %zu was taken", i);
	assert_int_equal(review_read(good[0], strlen(good[0]), t.mem, &r, NULL), 0);
	assert_string_equal(r.voices[1].login, "dana[bot]");
	assert_true(r.voices[1].against && r.voices[1].at == 0);
	review_evidence(&r, "refs/heads/main", t.mem, &v);
	evidence_key(&v, key);
	assert_string_equal(key + DIGEST_HEX, "22222222222222222222222222222222");
	assert_int_equal(v.sig_len, 0);
	assert_string_equal(v.text, good[0]);
}

static void
the_file(void **state)
{
	const char *path = fix_path("reviews");
	static struct review many[REVIEWS_MAX + 2];
	struct review *list, r;
	struct err e = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(reviews_load(path, t.mem, &list, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(review_read(TOP "voices 1\n" V1 "changes 1\n" A, strlen(TOP "voices 1\n" V1 "changes 1\n" A), t.mem, &r, NULL), 0);
	for (size_t i = 0; i < REVIEWS_MAX + 2; i++) {
		many[i] = r;
		many[i].pull = (int64_t)i + 1;
	}
	many[5].author = "no name"; /* it is left out, and stops nothing else */
	assert_int_equal(reviews_store(path, many, REVIEWS_MAX + 2, &e), 0);
	assert_int_equal(reviews_load(path, t.mem, &list, &n, &e), 0);
	assert_int_equal(n, REVIEWS_MAX);
	assert_int_equal(list[0].pull, 2);
	assert_int_equal(list[4].pull, 7);
	assert_int_equal(list[n - 1].pull, REVIEWS_MAX + 2);
	assert_int_equal(reviews_store(path, many, 0, &e), 0);
	assert_int_equal(reviews_load(path, t.mem, &list, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(reviews_store(path, many, 1, &e), 0);
	assert_int_equal(truncate(path, 300), 0);
	assert_int_equal(reviews_load(path, t.mem, &list, &n, &e), ERR_INVALID);
	assert_int_equal(n, 0);
	write_text("reviews", "hello", 5);
	assert_int_equal(reviews_load(path, t.mem, &list, &n, &e), ERR_INVALID);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin_forge, end)
	const struct CMUnitTest tests[] = { T(each_button), T(shared_takes_two), T(who_has_no_say_is_not_named), T(signatures_count_too), T(owners_merge_their_own), T(a_single_admin_merges),
		T(a_forced_merge_waits_for_a_late_review), T(accounts), T(accounts_of_nobody), T(an_account_in_the_same_change), T(who_wrote_it_is_no_voice),
		T(a_head_that_is_gone), T(mails_that_forges_write), T(a_stale_head), T(not_merged_and_pushed_by_hand), T(replay_after_a_revert),
		T(a_reverted_merge_is_not_reviewed_late), T(what_the_merger_adds), T(who_asks_for_changes_is_waited_for), T(an_emergency_waits_for_nobody),
		T(only_where_the_policy_says_so), T(what_an_open_one_lacks),
		T(one_text_for_one_review), T(the_file) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
