/* SPDX-License-Identifier: Apache-2.0 */
/* Who may grow and who waits: order, room, what is live, passes that fail, what a restart knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "validate/holds.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"

/* alice may have 4 GPUs, 100Gi and 3 environments; team nlp has 6 GPUs of flavor g, 2 of flavor h. */
static struct fixture *
site_new(void)
{
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", DOC("Organization", "{roles: {standard: {}}}"));
	fixture_add(x, "users/alice.yaml", DOC("User", "{teams: [nlp], limits: {gpu: 4, storage: 100, environments: 3}}"));
	fixture_add(x, "users/bo.yaml", DOC("User", "{teams: [nlp]}"));
	fixture_add(x, "teams/nlp.yaml", DOC("Team", "{queue: {quota: {g: {gpu: 6}, h: {gpu: 2}}}}"));
	fixture_parse(x, NULL);
	return x;
}

/* What was live, as a status would say: "alice/a" -> GPUs, -1: not known. */
static struct {
	const char *id;
	int64_t gpu, since, age;
} facts[8];
static size_t nfacts, nread, ngranted;

static bool
fact_read(void *ctx, const char *owner, const char *name, struct use *out, int64_t *since)
{
	(void)ctx;
	nread++;
	*since = 0;
	for (size_t i = 0; i < nfacts; i++) {
		size_t n = strlen(owner);

		if (strncmp(facts[i].id, owner, n) != 0 || strcmp(facts[i].id + n + 1, name) != 0)
			continue;
		*out = (struct use){ .team = "nlp", .flavor = "g" };
		out->limits[SUM_GPU] = out->requests[SUM_GPU] = facts[i].gpu;
		out->limits[SUM_ENVIRONMENTS] = 1;
		*since = facts[i].since;
		return facts[i].gpu >= 0;
	}
	return false;
}

static int64_t
fact_age(void *ctx, const char *owner, const char *name)
{
	(void)ctx;
	for (size_t i = 0; i < nfacts; i++)
		if (strncmp(facts[i].id, owner, strlen(owner)) == 0 && strcmp(facts[i].id + strlen(owner) + 1, name) == 0)
			return facts[i].age;
	return 0;
}

static void
fact_granted(void *ctx, const char *owner)
{
	(void)ctx;
	(void)owner;
	ngranted++;
}

static void
ask(struct holds *h, const char *id, const char *flavor, int64_t gpu, bool there)
{
	char owner[16];
	struct use u = { .team = "nlp", .flavor = flavor };

	(void)snprintf(owner, sizeof(owner), "%.*s", (int)strcspn(id, "/"), id);
	u.limits[SUM_GPU] = u.requests[SUM_GPU] = gpu;
	u.limits[SUM_ENVIRONMENTS] = 1;
	holds_ask(h, owner, id + strlen(owner) + 1, gpu < 0 ? NULL : &u, there);
}

static void
decide(struct holds *h, const struct fixture *x)
{
	const struct holds_query q = { .read = fact_read, .age = fact_age, .granted = fact_granted, .now = 1000 };

	nread = ngranted = 0;
	holds_decide(h, &x->site, &q);
}

static const char *
waits(struct holds *h, struct fixture *x, const char *id)
{
	char owner[16];

	(void)snprintf(owner, sizeof(owner), "%.*s", (int)strcspn(id, "/"), id);
	return holds_waits(h, &x->site, x->mem, owner, id + strlen(owner) + 1);
}

static int64_t
live(struct holds *h, const char *id)
{
	char owner[16];
	const struct use *u;

	(void)snprintf(owner, sizeof(owner), "%.*s", (int)strcspn(id, "/"), id);
	u = holds_live(h, owner, id + strlen(owner) + 1);
	return u ? u->limits[SUM_GPU] : -1;
}

#define PASS(h, x) (decide(h, x), holds_keep(h))

static void
later_waits(void **state)
{
	struct fixture *x = site_new();
	struct holds *h = holds_new();

	(void)state;
	nfacts = 0;
	ask(h, "bo/a", "g", 4, false);
	PASS(h, x);
	assert_null(waits(h, x, "bo/a"));
	ask(h, "alice/a", "g", 3, false);
	PASS(h, x);
	assert_string_equal(waits(h, x, "alice/a"),
	                    "team 'nlp' would hold 7 of 6 gpu of flavor 'g'; limit set at teams/nlp.yaml:3:33");
	assert_int_equal(live(h, "alice/a"), -1);
	ask(h, "alice/b", "g", 2, false); /* smaller: nobody who does not fit stands in its way */
	PASS(h, x);
	assert_null(waits(h, x, "alice/b"));
	ask(h, "alice/c", "g", 9, false);
	PASS(h, x);
	assert_string_equal(waits(h, x, "alice/c"), "user 'alice' would hold 11 of 4 gpu; limit set at users/alice.yaml:3:36");
	assert_int_equal(holds_waiting(h), 2);
	ask(h, "bo/a", "g", 1, true); /* shrinks: the other owner's goes on, who is not asked again */
	PASS(h, x);
	assert_int_equal(ngranted, 0); /* 2 + 3 are over alice's own 4 */
	holds_drop(h, "alice", "b");
	PASS(h, x);
	assert_int_equal(ngranted, 1);
	assert_int_equal(live(h, "alice/a"), 3);
	assert_int_equal(holds_waiting(h), 1);
	ask(h, "alice/c", "g", -1, false); /* broken: it waits for its owner now */
	PASS(h, x);
	assert_int_equal(holds_waiting(h), 0);
	holds_free(h);
	fixture_free(x);
}

static void
in_order(void **state)
{
	struct fixture *x = site_new();
	struct holds *h = holds_new();

	(void)state;
	nfacts = 3;
	facts[0].id = "bo/a", facts[0].gpu = -1, facts[0].since = 0, facts[0].age = -3;
	facts[1].id = "alice/a", facts[1].gpu = -1, facts[1].since = 0, facts[1].age = -1;
	facts[2].id = "alice/b", facts[2].gpu = -1, facts[2].since = 0, facts[2].age = -1;
	ask(h, "alice/b", "g", 2, false);
	ask(h, "alice/a", "g", 2, false);
	ask(h, "bo/a", "g", 4, false);
	PASS(h, x);
	assert_null(waits(h, x, "bo/a")); /* the older commit */
	assert_null(waits(h, x, "alice/a")); /* of one commit: by name */
	assert_non_null(waits(h, x, "alice/b"));
	ask(h, "bo/b", "g", 2, false);
	facts[0].age = -9;
	PASS(h, x);
	ask(h, "alice/a", "g", 0, true); /* paused */
	PASS(h, x);
	assert_null(waits(h, x, "alice/b")); /* who waited first */
	assert_non_null(waits(h, x, "bo/b"));
	ask(h, "alice/a", "g", 2, true);
	PASS(h, x);
	assert_non_null(waits(h, x, "alice/a")); /* resuming is growing */
	assert_int_equal(live(h, "alice/a"), 0);
	holds_free(h);
	fixture_free(x);
}

static void
live_keeps_its_place(void **state)
{
	struct fixture *x = site_new();
	struct holds *h = holds_new();

	(void)state;
	nfacts = 0;
	ask(h, "bo/a", "g", 4, false);
	ask(h, "bo/b", "h", 2, false);
	PASS(h, x);
	ask(h, "bo/a", "g", -1, true); /* broken: what is live counts */
	ask(h, "alice/a", "g", 3, false);
	PASS(h, x);
	assert_int_equal(live(h, "bo/a"), 4);
	assert_non_null(waits(h, x, "alice/a"));
	ask(h, "bo/a", "h", 2, true); /* to a flavor that is full: it keeps what it has, and its place there */
	PASS(h, x);
	assert_non_null(waits(h, x, "bo/a"));
	assert_non_null(waits(h, x, "alice/a"));
	assert_int_equal(live(h, "bo/a"), 4);
	holds_drop(h, "bo", "b"); /* one makes room for the next, in one pass */
	PASS(h, x);
	assert_int_equal(ngranted, 2);
	assert_int_equal(live(h, "bo/a"), 2);
	assert_int_equal(live(h, "alice/a"), 3);
	holds_free(h);
	fixture_free(x);
}

/* A pass that fails leaves no trace; what cannot be rendered keeps what was live. */
static void
taken_back(void **state)
{
	struct fixture *x = site_new();
	struct holds *h = holds_new();

	(void)state;
	nfacts = 0;
	ask(h, "bo/a", "g", 4, false);
	PASS(h, x);
	ask(h, "bo/a", "g", 1, true);
	ask(h, "alice/a", "g", 4, false);
	decide(h, x);
	assert_int_equal(live(h, "alice/a"), 4);
	holds_begin(h);
	assert_int_equal(live(h, "bo/a"), 4);
	assert_int_equal(live(h, "alice/a"), -1);
	ask(h, "alice/a", "g", 4, false);
	PASS(h, x);
	assert_non_null(waits(h, x, "alice/a")); /* the sums too are as before */
	ask(h, "bo/a", "g", 2, true);
	decide(h, x);
	holds_failed(h, "bo", "a");
	holds_keep(h);
	assert_int_equal(live(h, "bo/a"), 4);
	holds_free(h);
	fixture_free(x);
}

static void
restarted(void **state)
{
	struct fixture *x = site_new();
	struct holds *h = holds_new();

	(void)state;
	nfacts = 3;
	facts[0].id = "bo/a", facts[0].gpu = 1, facts[0].since = 500, facts[0].age = 0;
	facts[1].id = "bo/b", facts[1].gpu = 4, facts[1].since = 0, facts[1].age = 0;
	facts[2].id = "alice/a", facts[2].gpu = -1, facts[2].since = 400, facts[2].age = 0;
	ask(h, "bo/a", "g", 1, true);
	ask(h, "bo/b", "g", 4, true);
	PASS(h, x);
	assert_int_equal(nread, 0); /* everything fits: nothing has to be known */
	holds_forget(h, NULL);
	ask(h, "bo/a", "g", 2, true); /* grows, and waits for that since 500 */
	ask(h, "bo/b", "g", 4, true);
	ask(h, "alice/a", "g", 1, false); /* since 400 */
	PASS(h, x);
	assert_int_equal(nread, 3);
	assert_null(waits(h, x, "alice/a"));
	assert_non_null(waits(h, x, "bo/a"));
	assert_int_equal(live(h, "bo/a"), 1);
	assert_int_equal(live(h, "bo/b"), 4);
	holds_forget(h, "bo");
	ask(h, "bo/a", "g", -1, true); /* broken: the status tells what it holds */
	ask(h, "bo/b", "g", 4, true);
	PASS(h, x);
	assert_int_equal(live(h, "bo/a"), 1);
	holds_forget(h, "bo");
	ask(h, "bo/a", "g", -1, true);
	decide(h, x);
	holds_failed(h, "bo", "a"); /* as for every environment with errors */
	holds_keep(h);
	assert_int_equal(live(h, "bo/a"), 1);
	holds_free(h);
	fixture_free(x);
}

static void
shared_once(void **state)
{
	struct fixture *x = site_new();
	struct holds *h = holds_new();
	struct use u = { .flavor = "g", .claim = "data", .shared = 60 };

	(void)state;
	nfacts = 0;
	u.limits[SUM_STORAGE] = 20;
	holds_ask(h, "alice", "a", &u, false);
	holds_ask(h, "alice", "b", &u, false);
	PASS(h, x);
	assert_null(waits(h, x, "alice/a"));
	assert_null(waits(h, x, "alice/b")); /* 60 + 20 + 20 */
	u.limits[SUM_STORAGE] = 1;
	holds_ask(h, "alice", "c", &u, false);
	PASS(h, x);
	assert_string_equal(waits(h, x, "alice/c"), "user 'alice' would hold 101 of 100 storage; limit set at users/alice.yaml:3:48");
	holds_drop(h, "alice", "a");
	holds_drop(h, "alice", "b");
	PASS(h, x);
	assert_null(waits(h, x, "alice/c"));
	holds_drop(h, "alice", "c");
	PASS(h, x);
	u.claim = NULL;
	u.limits[SUM_STORAGE] = 100; /* nothing is left of the others */
	holds_ask(h, "alice", "d", &u, false);
	PASS(h, x);
	assert_null(waits(h, x, "alice/d"));
	holds_free(h);
	fixture_free(x);
}

static void
in_a_status(void **state)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);
	struct use u = { .team = "nlp", .flavor = "g", .claim = "data", .shared = INT64_C(3) << 30 }, back;
	struct use *copy;

	(void)state;
	u.limits[SUM_GPU] = 8;
	u.limits[SUM_CPU] = 1500;
	u.limits[SUM_MEMORY] = 1000;
	u.requests[SUM_CPU] = 1000;
	u.limits[SUM_STORAGE] = INT64_C(1) << 40;
	u.limits[SUM_ENVIRONMENTS] = 1;
	assert_true(use_read(use_value(mem, &u), &back));
	assert_true(use_equal(&u, &back));
	copy = use_copy(&u);
	assert_true(use_equal(&u, copy));
	copy->limits[SUM_GPU]--;
	assert_false(use_equal(&u, copy));
	free(copy);
	assert_false(use_read(value_str(mem, "x"), &back));
	assert_false(use_read(NULL, &back));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later_waits), cmocka_unit_test(in_order), cmocka_unit_test(live_keeps_its_place),
		cmocka_unit_test(taken_back), cmocka_unit_test(restarted), cmocka_unit_test(shared_once), cmocka_unit_test(in_a_status),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
