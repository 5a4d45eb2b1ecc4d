/* SPDX-License-Identifier: Apache-2.0 */
/* Observations in memory and what of them reaches the branch: new states of a unit between passes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "gitfix.h"
#include "lib/base/str.h"
#include "status/document.h"
#include "status/pack.h"
#include "status/publish.h"
#include "with_arena.h"

#define T0 1700000000

static struct source *source;
static struct publisher *publisher;

static int
start(void **state)
{
	struct source_config c = { .branch = "main" };
	struct publish_config p = { .run = "r1", .reconciler = "berth/0" };
	struct err e;

	if (setup(state) < 0 || fix_start(state) < 0 || !fix_try("git init -q --bare -b main repo.git"))
		return -1;
	c.repo = fix_path("repo.git");
	c.state_dir = fix_path("state");
	if (source_open(&c, &source, &e) < 0)
		return -1;
	p.source = source;
	publisher = publisher_new(&p);
	return 0;
}

static int
stop(void **state)
{
	publisher_free(publisher);
	source_close(source);
	return fix_end(state) | teardown(state);
}

static struct unit_state
seen(enum unit_phase phase, const char *reason)
{
	return (struct unit_state){ .there = true, .phase = phase, .applied = true, .applied_reason = "Applied", .ready = "False",
		.ready_reason = reason };
}

static void
observe(const struct unit_state *s)
{
	static const char *const objects[] = { "apps/v1/StatefulSet/dev-alice/train" }, *const findings[] = { "a finding" };
	struct observation o = { .owner = "alice", .name = "train", .path = "envs/alice/train.yaml", .applied = true, .revision = "aa",
		.objects = objects, .nobjects = 1, .approval = "NotEnforced", .pending = PENDING_QUOTA, .message = "2 of 1 GPUs",
		.findings = findings, .nfindings = 1 };

	assert_int_equal(oid_parse("1111111111111111111111111111111111111111", &o.commit), 0);
	observe_state(&o, s);
	publish_begin(publisher);
	publish_observe(publisher, &o);
}

static size_t
flush(void)
{
	struct err e;
	size_t n = 99;

	assert_int_equal(publish_flush(publisher, T0, &n, &e), 0);
	assert_false(publish_waiting(publisher));
	return n;
}

static bool
says(const char *text)
{
	return strstr(fix("git -C repo.git cat-file blob berth/status:envs/alice/train.yaml"), text) != NULL;
}

static void
test_nobody_knows_it(void **state)
{
	struct unit_state s = seen(UNIT_READY, "Ready");
	struct oid commit = { { 1 } };

	(void)state;
	assert_false(publish_state(publisher, "alice", "train", &s));
	observe(&s);
	assert_true(publish_state(publisher, "alice", "train", &s));
	assert_false(publish_state(publisher, "alice", "other", &s));
	publish_gone(publisher, "alice", "train", &commit);
	assert_false(publish_state(publisher, "alice", "train", &s));
}

/* The rest of the observation stays, nothing new is no work, and texts need not outlive the call. */
static void
test_a_state_is_laid_over(void **state)
{
	struct unit_state s = seen(UNIT_PROVISIONING, "ImagePull");
	char waits[32] = "Pod/train-0: pulls", *lines[] = { waits };

	(void)state;
	observe(&s);
	assert_int_equal(flush(), 1);
	assert_true(publish_state(publisher, "alice", "train", &s));
	assert_false(publish_waiting(publisher));
	s = seen(UNIT_QUEUED, "WaitingForCapacity");
	s.waiting = (const char *const *)lines;
	s.nwaiting = 1;
	assert_true(publish_state(publisher, "alice", "train", &s));
	assert_true(publish_waiting(publisher));
	assert_true(publish_state(publisher, "alice", "train", &s));
	memset(waits, '#', sizeof(waits) - 1);
	assert_int_equal(flush(), 1);
	assert_true(says("phase: Queued"));
	assert_true(says("reason: WaitingForCapacity"));
	assert_true(says("Pod/train-0: pulls"));
	assert_true(says("StatefulSet/dev-alice/train"));
	assert_true(says("message: 2 of 1 GPUs"));
	assert_true(says("a finding"));
	assert_true(says("revision: aa"));
	assert_true(says("commit: 1111111111111111111111111111111111111111") || says("commit: \"1111"));
}

/* A drift between two flushes is reported although the state is calm again, also after another pass. */
static void
test_drift_is_not_forgotten(void **state)
{
	struct unit_state calm = seen(UNIT_READY, "Ready"), hand = calm;

	(void)state;
	observe(&calm);
	assert_int_equal(flush(), 1);
	hand.drift_by = "kubectl-edit";
	hand.drift_what = "Service/train: deleted";
	assert_true(publish_state(publisher, "alice", "train", &hand));
	assert_true(publish_state(publisher, "alice", "train", &calm));
	observe(&calm);
	assert_int_equal(flush(), 1);
	assert_true(says("by: kubectl-edit"));
	assert_true(publish_state(publisher, "alice", "train", &calm));
	assert_false(publish_waiting(publisher));
}

/* Every text and list of an observation is copied. */
static void
test_pack(void **state)
{
	char t[24][8];
	const char *lists[5][2];
	struct observation o = { 0 }, *c;
	struct unit_state s = { .there = true, .phase = UNIT_FAILED };
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 24; i++)
		(void)snprintf(t[i], sizeof(t[i]), "text%02zu", i);
	for (size_t i = 0; i < 5; i++)
		lists[i][0] = lists[i][1] = t[16 + i];
	s.applied_reason = t[n++], s.applied_message = t[n++], s.ready = t[n++], s.ready_reason = t[n++];
	s.ready_message = t[n++], s.drift_by = t[n++], s.drift_what = t[n++], s.address = t[n++];
	o.owner = t[n++], o.name = t[n++], o.path = t[n++], o.revision = t[n++], o.access_ssh = t[n++], o.access_web = t[n++];
	o.message = t[n++], o.approval = t[n++];
	s.errors = lists[0], s.waiting = lists[1], o.objects = lists[2], o.later = lists[3], o.findings = lists[4];
	s.nerrors = s.nwaiting = o.nobjects = o.nlater = o.nfindings = 2;
	observe_state(&o, &s);
	c = observation_pack(&o);
	assert_true(unit_state_equal(&c->state, &s));
	memset(t, 0, sizeof(t));
	memset(lists, 0, sizeof(lists));
	assert_string_equal(c->state.applied_reason, "text00");
	assert_string_equal(c->state.address, "text07");
	assert_string_equal(c->owner, "text08");
	assert_string_equal(c->approval, "text15");
	assert_string_equal(c->state.errors[1], "text16");
	assert_string_equal(c->state.waiting[1], "text17");
	assert_string_equal(c->objects[1], "text18");
	assert_string_equal(c->later[1], "text19");
	assert_string_equal(c->findings[1], "text20");
	free(c);
}

/* Each text that differs is a difference. */
static void
test_equal(void **state)
{
	struct unit_state x = seen(UNIT_READY, "Ready"), y;
	const char *const one[] = { "a" }, *const two[] = { "b" };
	const char **texts[] = { &y.applied_reason, &y.applied_message, &y.ready, &y.ready_reason, &y.ready_message, &y.drift_by,
		&y.drift_what, &y.address };

	(void)state;
	x.errors = x.waiting = one;
	x.nerrors = x.nwaiting = 1;
	y = x;
	assert_true(unit_state_equal(&x, &y));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		y = x;
		*texts[i] = "else";
		assert_false(unit_state_equal(&x, &y));
	}
	y = x;
	y.errors = two;
	assert_false(unit_state_equal(&x, &y));
	y = x;
	y.nwaiting = 0;
	assert_false(unit_state_equal(&x, &y));
	y = x;
	y.there = false;
	assert_false(unit_state_equal(&x, &y));
	y = x;
	y.applied = false;
	assert_false(unit_state_equal(&x, &y));
	y = x;
	y.phase = UNIT_PAUSED;
	assert_false(unit_state_equal(&x, &y));
}

static const char *
on_branch(const char *path)
{
	return fix(arena_printf(mem, "git -C repo.git cat-file blob berth/status:%s 2>/dev/null || echo none", path));
}

static const char *
commits(void)
{
	return fix("git -C repo.git rev-list --count berth/status");
}

/* A whole file is written when it differs, and no commit is made of one that does not. */
static void
test_files(void **state)
{
	struct unit_state s = seen(UNIT_READY, "Ready");
	struct oid foreign;
	struct err e;

	(void)state;
	publish_file(publisher, "recipients/users/alice.txt", "one\n", 4);
	publish_file(publisher, "recipients/users/bo.txt", "bo\n", 3);
	assert_true(publish_waiting(publisher));
	assert_int_equal(flush(), 0);
	assert_string_equal(on_branch("recipients/users/alice.txt"), "one");
	assert_string_equal(fix("git -C repo.git log -1 --format=%s berth/status"), "status: 2 files of recipients and host keys");
	assert_string_equal(commits(), "1");
	publish_file(publisher, "recipients/users/alice.txt", "one\n", 4);
	assert_false(publish_waiting(publisher));
	/* with what else there is to say, in one commit */
	publish_file(publisher, "recipients/users/alice.txt", "two\n", 4);
	publish_file(publisher, "recipients/users/bo.txt", NULL, 0);
	publish_file(publisher, "recipients/users/nobody.txt", NULL, 0);
	observe(&s);
	assert_int_equal(flush(), 1);
	assert_string_equal(commits(), "2");
	assert_string_equal(on_branch("recipients/users/alice.txt"), "two");
	assert_string_equal(on_branch("recipients/users/bo.txt"), "none");
	/* what somebody else puts there is put right when the branch has moved */
	assert_true(fix_try("git -C repo.git branch -q f berth/status && git clone -q -b f repo.git w && cd w && git config user.email x@example.com && "
	                    "git config user.name x && echo evil > recipients/users/alice.txt && git commit -qam x && git push -q origin f:berth/status"));
	assert_int_equal(oid_parse(fix("git -C repo.git rev-parse berth/status"), &foreign), 0);
	assert_true(publish_check_tip(publisher, true, &foreign));
	assert_int_equal(publish_flush(publisher, T0, &(size_t){ 0 }, &e), 0);
	assert_string_equal(on_branch("recipients/users/alice.txt"), "two");
}

/* What nobody knows goes, where all has been given: also after a restart. */
static void
test_folder(void **state)
{
	struct publish_config p = { .source = source, .run = "r2", .reconciler = "berth/0" };

	(void)state;
	publish_file(publisher, "recipients/users/alice.txt", "one\n", 4);
	publish_file(publisher, "recipients/users/bo.txt", "bo\n", 3);
	publish_file(publisher, "recipients/site.txt", "site\n", 5);
	assert_int_equal(flush(), 0);
	publisher_free(publisher);
	publisher = publisher_new(&p);
	publish_file(publisher, "recipients/users/alice.txt", "one\n", 4);
	publish_folder(publisher, "recipients/users");
	assert_int_equal(flush(), 0);
	assert_string_equal(on_branch("recipients/users/alice.txt"), "one");
	assert_string_equal(on_branch("recipients/users/bo.txt"), "none");
	assert_string_equal(on_branch("recipients/site.txt"), "site");
	assert_string_equal(commits(), "2");
	publish_folder(publisher, "recipients/users");
	publish_folder(publisher, "no/such/folder");
	assert_int_equal(flush(), 0);
	assert_string_equal(commits(), "2");
}

/* -- documents as they stand there ----------------------------------------------------------------------------------------------- */

static void
documents(void **state)
{
	static const struct {
		const char *name;
		int rc;
		bool read;
	} rows[] = {
		{ "good", 0, true }, { "list", 0, false }, { "text", 0, false }, { "torn", 0, false }, { "empty", 0, false }, { "huge", ERR_INVALID, false },
		{ "none", ERR_NOTFOUND, false },
	};
	struct git_repo *g = source_git(source);
	struct files files;
	struct oid tree, id;
	struct err e;

	(void)state;
	(void)fix("git clone -q repo.git docs 2>/dev/null; cd docs && mkdir -p envs/a && cd envs/a && echo 'phase: Ready' >good.yaml && echo '- x' >list.yaml && "
	          "echo x >text.yaml && printf 'phase: [Rea' >torn.yaml && : >empty.yaml && { echo 'phase: Ready'; head -c 262144 /dev/zero | tr '\\0' '#'; } "
	          ">huge.yaml && git add . && git commit -qm x && git push -q origin HEAD:refs/heads/docs");
	assert_int_equal(oid_parse(fix("git -C repo.git rev-parse 'docs^{tree}'"), &tree), 0);
	assert_int_equal(git_files(g, &tree, mem, &files, &e), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *path = status_path(mem, "a", rows[i].name);
		struct value wrong = { .type = VALUE_NULL }, *v[3] = { &wrong, &wrong, &wrong };

		assert_true(status_is_path(path));
		assert_int_equal(status_read_tree(g, &tree, path, mem, &v[0], &e), rows[i].rc);
		assert_int_equal(status_read_files(&files, path, mem, &v[1], &e), rows[i].rc);
		v[2] = v[1];
		if (rows[i].rc != ERR_NOTFOUND) {
			assert_int_equal(git_tree_find(g, &tree, path, &id, NULL, &e), 0);
			assert_int_equal(status_read_blob(g, &id, path, mem, &v[2], &e), rows[i].rc);
		}
		for (size_t k = 0; k < 3; k++)
			if (rows[i].read)
				assert_int_equal(status_phase(v[k]), PHASE_READY);
			else
				assert_null(v[k]);
	}
	assert_false(status_is_path(STATUS_REPO) || status_is_path("envs/a/b.txt") || status_is_path("approvals/x.yaml"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_knows_it, start, stop),
		cmocka_unit_test_setup_teardown(test_a_state_is_laid_over, start, stop),
		cmocka_unit_test_setup_teardown(test_drift_is_not_forgotten, start, stop),
		cmocka_unit_test_setup_teardown(test_files, start, stop),
		cmocka_unit_test_setup_teardown(test_folder, start, stop),
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_equal),
		cmocka_unit_test_setup_teardown(documents, start, stop),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
