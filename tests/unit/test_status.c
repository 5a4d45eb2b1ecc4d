/* SPDX-License-Identifier: Apache-2.0 */
/* From observation to status: transitions, what is kept, what is not a change; tables and messages. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/redact.h"
#include "status/message.h"
#include "status/status.h"
#include "status/text.h"
#include "with_arena.h"

#define T0 1700000000
#define T1 1700000600

static const char *const objects[] = { "apps/v1/StatefulSet/dev-alice/train", "v1/Service/dev-alice/train" };

static struct observation
applied(const char *commit, const char *revision)
{
	struct observation o = { .owner = "alice", .name = "train", .path = "envs/alice/train.yaml",
		.applied = true, .revision = revision, .objects = objects, .nobjects = 2,
		.approval = "NotEnforced", .access_ssh = "dev@train--alice.dev.example" };
	struct unit_state s;

	unit_state_rendered(&s);
	observe_state(&o, &s);
	assert_int_equal(oid_parse(commit, &o.commit), 0);
	return o;
}

static const char C1[] = "1111111111111111111111111111111111111111", C2[] = "2222222222222222222222222222222222222222";
static const char R1[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", R2[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static struct observation
invalid(bool live, const char *commit, const char *message)
{
	static const char *lines[1];
	struct observation o = applied(commit, live ? R1 : NULL);

	lines[0] = message;
	o.live = live;
	o.applied = false;
	o.nobjects = live ? 2 : 0;
	o.pending = PENDING_INVALID;
	o.message = message;
	o.findings = lines;
	o.nfindings = 1;
	return o;
}

static const char *
at(const struct value *v, const char *path)
{
	return value_as_str(value_at(v, path), "(none)");
}

static const char *
condition(const struct value *v, const char *type, const char *field)
{
	const struct value *list = value_get(v, "conditions");

	for (size_t i = 0; i < value_len(list); i++)
		if (strcmp(at(value_item(list, i), "type"), type) == 0)
			return at(value_item(list, i), field);
	return "(no condition)";
}

static void
test_first_time(void **state)
{
	struct observation o = applied(C1, R1);
	struct value *v = status_next(mem, NULL, &o, T0);

	(void)state;
	assert_string_equal(at(v, "kind"), "EnvironmentStatus");
	assert_string_equal(at(v, "phase"), "Rendered");
	assert_string_equal(at(v, "observed.commit"), C1);
	assert_string_equal(at(v, "observed.revision"), R1);
	assert_string_equal(condition(v, "Approved", "reason"), "NotEnforced");
	assert_string_equal(condition(v, "Ready", "status"), "Unknown");
	assert_string_equal(condition(v, "Applied", "lastTransitionTime"), "2023-11-14T22:13:20Z");
	assert_string_equal(at(v, "access.ssh"), "dev@train--alice.dev.example");
	assert_int_equal(value_len(value_get(v, "inventory")), 2);
	assert_null(value_get(v, "pending"));
}

/* A later look at the same content is no change, whatever the time and the commit. */
static void
test_nothing_new_is_equal(void **state)
{
	struct observation first = applied(C1, R1), later = applied(C2, R1);
	struct value *v = status_next(mem, NULL, &first, T0);

	(void)state;
	assert_true(value_equal(v, status_next(mem, v, &later, T1)));
}

static void
test_new_revision(void **state)
{
	struct observation first = applied(C1, R1), later = applied(C2, R2);
	struct value *v = status_next(mem, status_next(mem, NULL, &first, T0), &later, T1);

	(void)state;
	assert_string_equal(at(v, "observed.commit"), C2);
	assert_string_equal(at(v, "observed.revision"), R2);
	/* the conditions hold as before: their times stay */
	assert_string_equal(condition(v, "Applied", "lastTransitionTime"), "2023-11-14T22:13:20Z");
}

/* A bad new spec: the phase is that of what is live, the new one stands beside it. */
static void
test_bad_spec_keeps_what_is_live(void **state)
{
	struct observation good = applied(C1, R1), bad = invalid(true, C2, "envs/alice/train.yaml:4:3: error[E102]: unknown");
	struct value *before = status_next(mem, NULL, &good, T0), *v = status_next(mem, before, &bad, T1), *again, *mended;

	(void)state;
	assert_string_equal(at(v, "phase"), "Rendered");
	assert_string_equal(at(v, "observed.commit"), C1);
	assert_string_equal(at(v, "pending.commit"), C2);
	assert_string_equal(at(v, "pending.reason"), "Invalid");
	assert_string_equal(at(v, "pending.since"), "2023-11-14T22:23:20Z");
	assert_string_equal(condition(v, "Validated", "status"), "False");
	assert_string_equal(condition(v, "Applied", "status"), "True");
	assert_string_equal(at(v, "access.ssh"), "dev@train--alice.dev.example");
	again = status_next(mem, v, &bad, T1 + 60);
	assert_true(value_equal(v, again));
	mended = status_next(mem, again, &good, T1 + 120);
	assert_null(value_get(mended, "pending"));
	assert_null(value_get(mended, "lastError"));
	assert_string_equal(condition(mended, "Validated", "status"), "True");
}

static void
test_nothing_live_is_held(void **state)
{
	struct observation bad = invalid(false, C1, "envs/alice/train.yaml:1:1: error[E101]: no");
	struct value *v = status_next(mem, NULL, &bad, T0);

	(void)state;
	assert_string_equal(at(v, "phase"), "Held");
	assert_null(value_get(v, "observed"));
	assert_null(value_get(v, "inventory"));
	assert_string_equal(at(v, "lastError.reason"), "Invalid");
}

static void
test_long_text_is_cut_at_a_character(void **state)
{
	char text[600];
	struct observation bad;
	const char *got;

	(void)state;
	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 4);
	bad = invalid(false, C1, text);
	got = at(status_next(mem, NULL, &bad, T0), "pending.message");
	assert_int_equal(strlen(got) % 3, 0);
	assert_in_range(strlen(got), 200, 256);
}

static void
test_not_rendered_fields_are_named(void **state)
{
	static const char *const later[] = { "spec.backup", "spec.notify" };
	struct observation o = applied(C1, R1);
	struct value *v;

	(void)state;
	o.later = later;
	o.nlater = 2;
	v = status_next(mem, NULL, &o, T0);
	assert_string_equal(condition(v, "Rendered", "reason"), "RenderedInPart");
	assert_non_null(strstr(condition(v, "Rendered", "message"), "spec.backup, spec.notify"));
}

static void
test_table_puts_trouble_first_and_escapes(void **state)
{
	struct status_row rows[] = {
		{ "alice", "a", PHASE_RENDERED, C1, "", "", false },
		{ "bo", "b", PHASE_HELD, "", "Invalid", "a|b <script> @all [x](http://y)", true },
	};
	struct buf out AUTO_BUF = BUF_INIT(0);
	const char *bo, *alice;

	(void)state;
	status_table(rows, 2, NULL, &out);
	bo = strstr(out.data, "[bo/b]");
	alice = strstr(out.data, "[alice/a]");
	assert_non_null(bo);
	assert_non_null(alice);
	assert_true(bo < alice);
	assert_non_null(strstr(out.data, "a\\|b \\<script> \\@all \\[x\\](http://y)"));
	assert_non_null(strstr(out.data, "2 environments, 1 Held, 1 Rendered; 1 with a newer spec"));
}

/* -- a target that sees what runs ---------------------------------------------------------------------------------- */

static struct unit_state
seen(enum unit_phase phase, const char *ready, const char *reason, const char *message)
{
	return (struct unit_state){ .there = true, .phase = phase, .applied = true, .applied_reason = "Applied",
		.ready = ready, .ready_reason = reason, .ready_message = message };
}

static struct value *
next_of(const struct value *old, const char *commit, const char *revision, const struct unit_state *s, int64_t now)
{
	struct observation o = applied(commit, revision);

	observe_state(&o, s);
	return status_next(mem, old, &o, now);
}

/* Git's words are the target's, not the status stage's. */
static void
test_git_says_what_it_said(void **state)
{
	struct observation o = applied(C1, R1);
	struct value *v = status_next(mem, NULL, &o, T0);

	(void)state;
	assert_string_equal(condition(v, "Applied", "status"), "True");
	assert_string_equal(condition(v, "Applied", "reason"), "Committed");
	assert_string_equal(condition(v, "Applied", "message"), "on branch berth/rendered");
	assert_string_equal(condition(v, "Ready", "reason"), "NotObserved");
	assert_string_equal(condition(v, "Ready", "message"), "target git: berth does not see what runs");
	assert_null(value_get(v, "waiting"));
	assert_null(value_get(v, "drift"));
	assert_null(value_get(v, "lastError"));
	o.paused = true;
	v = status_next(mem, v, &o, T1);
	assert_string_equal(condition(v, "Ready", "reason"), "Paused");
	o.applied = false; /* held: what was said of what is live holds */
	o.pending = PENDING_QUOTA;
	v = status_next(mem, v, &o, T1);
	assert_string_equal(condition(v, "Ready", "reason"), "Paused");
	assert_true(status_as_wanted(v) == false);
}

static void
test_phase_is_the_targets(void **state)
{
	static const struct {
		enum unit_phase phase;
		const char *name;
		bool wanted;
	} rows[] = {
		{ UNIT_RENDERED, "Rendered", true }, { UNIT_QUEUED, "Queued", false }, { UNIT_PROVISIONING, "Provisioning", false },
		{ UNIT_READY, "Ready", true }, { UNIT_DEGRADED, "Degraded", false }, { UNIT_FAILED, "Failed", false },
		{ UNIT_PAUSING, "Pausing", false }, { UNIT_PAUSED, "Paused", true }, { UNIT_DELETING, "Deleting", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct unit_state s = seen(rows[i].phase, "False", "ImagePull", "no such image");
		struct value *v = next_of(NULL, C1, R1, &s, T0);
		struct status_row row;

		assert_string_equal(at(v, "phase"), rows[i].name);
		assert_true(status_as_wanted(v) == rows[i].wanted);
		status_row_of(v, &row);
		assert_string_equal(row.reason, rows[i].wanted ? "" : "ImagePull");
		assert_string_equal(row.message, rows[i].wanted ? "" : "no such image");
		assert_false(row.newer);
	}
}

/* What is live keeps its phase and its commit; the table says what failed. */
static void
test_failed_apply_beside_what_is_live(void **state)
{
	static const char *const errors[] = { "StatefulSet/train: spec.replicas: Invalid value: -1", "Service/train: denied" };
	struct unit_state good = seen(UNIT_READY, "True", "Ready", NULL), bad = good;
	struct value *v = next_of(NULL, C1, R1, &good, T0), *again;
	struct status_row row;

	(void)state;
	bad.applied = false;
	bad.applied_reason = "ApplyFailed";
	bad.applied_message = "2 objects";
	bad.errors = errors;
	bad.nerrors = 2;
	v = next_of(v, C2, R2, &bad, T1);
	assert_string_equal(at(v, "phase"), "Ready");
	assert_string_equal(at(v, "observed.commit"), C1);
	assert_string_equal(condition(v, "Applied", "status"), "False");
	assert_string_equal(condition(v, "Applied", "message"), errors[0]);
	assert_string_equal(at(v, "lastError.reason"), "ApplyFailed");
	assert_string_equal(at(v, "lastError.message"), errors[0]);
	assert_string_equal(at(v, "lastError.commit"), C2);
	assert_int_equal(value_len(value_at(v, "lastError.errors")), 2);
	assert_false(status_as_wanted(v));
	status_row_of(v, &row);
	assert_string_equal(row.reason, "ApplyFailed");
	assert_string_equal(row.message, errors[0]);
	again = next_of(v, C2, R2, &bad, T1 + 60);
	assert_true(value_equal(v, again)); /* the same failure later is no change */
	v = next_of(v, C2, R2, &good, T1 + 120);
	assert_string_equal(at(v, "observed.commit"), C2);
	assert_null(value_get(v, "lastError"));
}

/* The first apply: nothing is on the target, but it is not on hold either. */
static void
test_first_apply_that_fails(void **state)
{
	static const char *const errors[] = { "Namespace/dev-alice: forbidden" };
	struct unit_state s = { .phase = UNIT_FAILED, .applied_reason = "ApplyFailed", .errors = errors, .nerrors = 1 };
	struct value *v = next_of(NULL, C1, R1, &s, T0);

	(void)state;
	assert_string_equal(at(v, "phase"), "Failed");
	assert_null(value_get(v, "observed"));
	assert_string_equal(condition(v, "Rendered", "status"), "True");
	assert_string_equal(condition(v, "Applied", "reason"), "ApplyFailed");
	assert_string_equal(condition(v, "Ready", "status"), "Unknown");
}

/* A bad new spec beside something that the target sees: Ready is what it is now, not what it was. */
static void
test_ready_goes_on_under_a_bad_spec(void **state)
{
	struct unit_state good = seen(UNIT_READY, "True", "Ready", NULL),
			  bad = seen(UNIT_FAILED, "False", "OOMKilled", "out of memory");
	struct value *v = next_of(NULL, C1, R1, &good, T0);
	struct observation o = invalid(true, C2, "envs/alice/train.yaml:4:3: error[E102]: unknown");

	(void)state;
	bad.address = "203.0.113.7";
	observe_state(&o, &bad);
	v = status_next(mem, v, &o, T1);
	assert_string_equal(at(v, "phase"), "Failed");
	assert_string_equal(condition(v, "Ready", "reason"), "OOMKilled");
	assert_string_equal(at(v, "pending.reason"), "Invalid");
	assert_string_equal(at(v, "observed.commit"), C1);
	assert_string_equal(at(v, "access.ssh"), "dev@train--alice.dev.example");
	assert_string_equal(at(v, "access.address"), "203.0.113.7");
}

static void
test_drift_stays_until_another(void **state)
{
	struct unit_state calm = seen(UNIT_READY, "True", "Ready", NULL), hand = calm;
	struct value *v = next_of(NULL, C1, R1, &calm, T0), *after;

	(void)state;
	assert_null(value_get(v, "drift"));
	hand.drift_by = "kubectl-edit";
	hand.drift_what = "StatefulSet/train: spec.replicas";
	v = next_of(v, C1, R1, &hand, T1);
	assert_string_equal(at(v, "drift.by"), "kubectl-edit");
	assert_string_equal(at(v, "drift.what"), "StatefulSet/train: spec.replicas");
	assert_string_equal(at(v, "drift.restored"), "2023-11-14T22:23:20Z");
	after = next_of(v, C1, R1, &calm, T1 + 60);
	assert_true(value_equal(v, after));
	after = next_of(v, C1, R1, &hand, T1 + 60); /* a time alone is no change */
	assert_true(value_equal(v, after));
	hand.drift_what = "Service/train: deleted";
	v = next_of(v, C1, R1, &hand, T1 + 120);
	assert_string_equal(at(v, "drift.what"), "Service/train: deleted");
	assert_string_equal(at(v, "drift.restored"), "2023-11-14T22:25:20Z");
}

/* Texts from the cluster are strangers' texts. */
static void
test_strangers_texts(void **state)
{
	static const char *many[40];
	char text[600];
	struct unit_state s = seen(UNIT_PROVISIONING, "False", "ImagePull", NULL);
	struct value *v;
	const char *got;

	(void)state;
	redact_add("hunter2-hunter2", 15);
	s.ready_message = "pull\nhttps://u:p@registry.example\x1b[31m \xe2\x80\xaehunter2-hunter2\xff";
	for (size_t i = 0; i < 40; i++)
		many[i] = "Pod/train-0: waits";
	s.waiting = s.errors = many;
	s.nwaiting = s.nerrors = 40;
	v = next_of(NULL, C1, R1, &s, T0);
	assert_string_equal(condition(v, "Ready", "message"), "pull https://[redacted]@registry.example?[31m ?[redacted]?");
	assert_int_equal(value_len(value_get(v, "waiting")), 20);
	assert_int_equal(value_len(value_at(v, "lastError.errors")), 20);
	memset(text, 'x', sizeof(text));
	memcpy(text + 255, "\xe2\x82\xac", 3);
	text[sizeof(text) - 1] = '\0';
	got = text_line(mem, text);
	assert_int_equal(strlen(got), 255);
	assert_string_equal(text_line(mem, NULL), "");
}

static void
test_message(void **state)
{
	struct status_message m;
	struct buf out AUTO_BUF = BUF_INIT(0);
	struct oid id;

	(void)state;
	assert_int_equal(oid_parse(C1, &id), 0);
	status_message_init(&m, mem);
	status_message_add(&m, "alice", "train", "Held", "Rendered", &id);
	status_message_write(&m, "r1", "berth/0", &out);
	assert_string_equal(out.data, "status(alice/train): Held -> Rendered\n\nBerth-Event: transition\n"
	                              "Berth-Env: alice/train Held..Rendered\n"
	                              "Berth-Spec-Commit: 1111111111111111111111111111111111111111\n"
	                              "Berth-Run: r1\nBerth-Reconciler: berth/0\n");
	status_message_add(&m, "bo", "x", "Rendered", "Gone", NULL);
	status_message_add(&m, "bo", "y", "None", "Rendered", &id);
	buf_reset(&out);
	status_message_write(&m, "r1", "berth/0", &out);
	assert_true(strncmp(out.data, "status: 3 environments (2 Rendered, 1 Gone)\n", 44) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_new_is_equal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_revision, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_spec_keeps_what_is_live, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_live_is_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_text_is_cut_at_a_character, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_rendered_fields_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_table_puts_trouble_first_and_escapes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_git_says_what_it_said, setup, teardown),
		cmocka_unit_test_setup_teardown(test_phase_is_the_targets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed_apply_beside_what_is_live, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_apply_that_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ready_goes_on_under_a_bad_spec, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drift_stays_until_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers_texts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
