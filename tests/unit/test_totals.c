/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over a user's and a team's environments: what counts, where it is said, who is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"
#define FEWER " (pause or shrink one of them, or ask an administrator for more)\n"
#define CHEAPER "set lifecycle.hours, pause or shrink it, or ask an administrator for a larger budget"
#define LESS " (remove or shrink one of them (paused ones count too), or ask an administrator for more)\n"

/* Environments a, b, c of alice and d of bo; user, team, org: what replaces the document. */
static const struct {
	const char *label, *envs[4], *user, *team, *org, *want;
} rows[] = {
	{ "no limits", { "{flavor: gpu}", "{flavor: gpu}", "{flavor: gpu}", "{flavor: gpu}" }, NULL, NULL, NULL, "" },
	{ "a user's GPUs", { "{flavor: gpu}", "{flavor: gpu, resources: {gpu: 2}}", "{flavor: gpu}" }, "{teams: [nlp], limits: {gpu: 2}}", NULL, NULL,
	  "envs/alice/b.yaml:3:16: error[E401]: user 'alice' would hold 4 of 2 gpu" FEWER },
	{ "exactly", { "{flavor: gpu}", "{flavor: gpu}" }, "{teams: [nlp], limits: {gpu: 2, cpu: 8, memory: 32Gi, environments: 2, storage: 40Gi}}",
	  NULL, NULL, "" },
	{ "a pod for each rank", { "{flavor: gpu, mode: distributed, distributed: {worldSize: 2}}", "{flavor: gpu}" },
	  "{teams: [nlp], limits: {gpu: 2, storage: 50Gi}}", NULL, NULL,
	  "envs/alice/b.yaml:3:16: error[E401]: user 'alice' would hold 3 of 2 gpu" FEWER
	  "envs/alice/b.yaml:3:16: error[E401]: user 'alice' would hold 60Gi of 50Gi storage" LESS },
	{ "cpu and memory", { "{flavor: gpu}", "{flavor: gpu, resources: {hugepages: {2Mi: 1Gi}, memory: 15Gi}}" },
	  "{teams: [nlp], limits: {cpu: 7500m, memory: 31Gi}}", NULL, NULL,
	  "envs/alice/b.yaml:3:16: error[E401]: user 'alice' would hold 32Gi of 31Gi memory" FEWER
	  "envs/alice/b.yaml:3:16: error[E401]: user 'alice' would hold 8 of 7500m cpu" FEWER },
	{ "paused", { "{flavor: gpu}", "{flavor: gpu, lifecycle: {paused: true}}" },
	  "{teams: [nlp], limits: {gpu: 1, cpu: 4, memory: 16Gi, environments: 1, storage: 39Gi}}", NULL, NULL,
	  "envs/alice/b.yaml:3:16: error[E401]: user 'alice' would hold 2 of 1 environments" LESS
	  "envs/alice/b.yaml:3:16: error[E401]: user 'alice' would hold 40Gi of 39Gi storage" LESS },
	{ "all volumes", { "{flavor: gpu, persistentHomeSize: 1Gi, checkpoints: {size: 2Gi}, volumes: [{name: v, size: 4Gi, path: /v}]}" },
	  "{teams: [nlp], limits: {storage: 6Gi}}", NULL, NULL,
	  "envs/alice/a.yaml:3:16: error[E401]: user 'alice' would hold 7Gi of 6Gi storage" LESS },
	{ "a shared claim counts once", { "{flavor: gpu, persistentHomeSize: 1Gi}", "{flavor: gpu, persistentHomeSize: 1Gi}" },
	  "{teams: [nlp], sharedVolume: {size: 8Gi}, limits: {storage: 10Gi}}", NULL, NULL, "" },
	{ "two claims", { "{flavor: gpu, persistentHomeSize: 1Gi}", "{flavor: gpu, persistentHomeSize: 1Gi, sharedVolumeClaimName: x}" },
	  "{teams: [nlp], sharedVolume: {size: 8Gi}, limits: {storage: 17Gi}}", NULL, NULL,
	  "envs/alice/b.yaml:3:16: error[E401]: user 'alice' would hold 18Gi of 17Gi storage" LESS },
	{ "a role", { "{flavor: gpu}", "{flavor: gpu}", NULL, "{flavor: gpu}" }, NULL, NULL, "{roles: {standard: {gpu: 1}}}",
	  "envs/alice/b.yaml:3:16: error[E401]: user 'alice' with role 'standard' would hold 2 of 1 gpu" FEWER },
	{ "a user's own stands for the role's", { "{flavor: gpu}", "{flavor: gpu}" }, "{teams: [nlp], limits: {gpu: 2}}", NULL,
	  "{roles: {standard: {gpu: 1}}}", "" },
	{ "errors do not count", { "{flavor: gpu}", "{flavor: gpu, resources: {cpu: 99}}" }, "{teams: [nlp], limits: {gpu: 1}}", NULL, NULL,
	  "envs/alice/b.yaml:3:38: error[E401]: cpu is 99, flavor 'gpu' allows 4 (ask for at most 4)\n" },
	{ "a team's quota", { "{flavor: gpu}", "{flavor: cpu}", "{flavor: gpu}", "{flavor: gpu}" }, NULL,
	  "{queue: {quota: {gpu: {gpu: 2}, cpu: {cpu: 1}}}}", NULL,
	  "envs/bo/d.yaml:3:16: error[E401]: team 'nlp' would hold 3 of 2 gpu of flavor 'gpu'" FEWER },
	{ "queues count requests", { "{flavor: cpu}", "{flavor: cpu, lifecycle: {paused: true}}", "{flavor: cpu, resources: {cpu: 2}}" }, NULL,
	  "{queue: {quota: {cpu: {cpu: 2}}}}", NULL,
	  "envs/alice/c.yaml:3:16: error[E401]: team 'nlp' would hold 3 of 2 cpu of flavor 'cpu'" FEWER },
	{ "borrowing", { "{flavor: gpu}", "{flavor: gpu}", "{flavor: gpu}" }, NULL,
	  "{queue: {cohort: org, quota: {gpu: {gpu: 1}}, borrow: {gpu: 1}}}", NULL,
	  "envs/alice/c.yaml:3:16: error[E401]: team 'nlp' would hold 3 of 2 gpu of flavor 'gpu', borrowed ones included" FEWER },
	{ "borrowing from nobody", { "{flavor: gpu}", "{flavor: gpu}" }, NULL, "{queue: {quota: {gpu: {gpu: 1}}, borrow: {gpu: 1}}}", NULL,
	  "envs/alice/b.yaml:3:16: error[E401]: team 'nlp' would hold 2 of 1 gpu of flavor 'gpu'" FEWER },
	{ "Kueue has none of what is left out", { "{flavor: gpu}" }, NULL, "{queue: {quota: {gpu: {cpu: 4, memory: 1Ti}}}}",
	  "{cluster: {features: [kueue]}}",
	  "envs/alice/a.yaml:3:16: error[E401]: team 'nlp' would hold 1 of 0 gpu of flavor 'gpu'" FEWER },
	{ "a user's budget", { "{flavor: paid}", "{flavor: paid, lifecycle: {hours: 'Mon-Fri 08:00-20:00'}}", "{flavor: paid, lifecycle: {paused: true}}" },
	  "{teams: [nlp], budget: {monthly: 500}}", NULL, NULL,
	  "envs/alice/b.yaml:3:16: warning[W905]: user 'alice' would cost up to 521 USD a month, the budget is 500 (" CHEAPER ")\n" },
	{ "a team's budget", { "{flavor: paid}", NULL, NULL, "{flavor: paid, scheduling: {spot: only}}" }, NULL, "{budget: {monthly: '499.29'}}",
	  "{currency: EUR}",
	  "envs/bo/d.yaml:3:16: warning[W905]: team 'nlp' would cost up to 499 EUR a month, the budget is 499 (" CHEAPER ")\n" },
	{ "just within", { "{flavor: paid}", NULL, NULL, "{flavor: paid, scheduling: {spot: only}}" }, NULL, "{budget: {monthly: 499.32}}", NULL, "" },
	{ "an environment's own", { "{flavor: paid, budget: {monthly: 1000}, mode: distributed, distributed: {worldSize: 3}}" }, NULL, NULL, NULL,
	  "envs/alice/a.yaml:3:40: warning[W905]: it would cost up to 1152 USD a month, the budget is 1000 (" CHEAPER ")\n" },
	{ "no price, no cost", { "{flavor: gpu, budget: {monthly: 0}}" }, "{teams: [nlp], budget: {monthly: 0}}", NULL, NULL, "" },
};

static struct fixture *
site_of(const char *const *envs, const char *user, const char *team, const char *org)
{
	static const char *const paths[] = { "envs/alice/a.yaml", "envs/alice/b.yaml", "envs/alice/c.yaml", "envs/bo/d.yaml" };
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", arena_printf(x->mem, DOC("Organization", "%s"), org ? org : "{}"));
	fixture_add(x, "users/alice.yaml", arena_printf(x->mem, DOC("User", "%s"), user ? user : "{teams: [nlp]}"));
	fixture_add(x, "users/bo.yaml", DOC("User", "{teams: [nlp]}"));
	fixture_add(x, "teams/nlp.yaml", arena_printf(x->mem, DOC("Team", "%s"), team ? team : "{}"));
	fixture_add(x, "flavors/gpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 4, memory: 16Gi, nvidia.com/gpu: 1}}, max: {gpu: 9}}"));
	fixture_add(x, "flavors/paid.yaml", DOC("Flavor", "{resources: {limits: {cpu: 4, memory: 16Gi}}, price: {perHour: 0.526, spotPerHour: 0.158}}"));
	fixture_add(x, "flavors/cpu.yaml", DOC("Flavor", "{resources: {requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 4, memory: 16Gi}}}"));
	for (size_t i = 0; i < 4; i++)
		if (envs[i])
			fixture_add(x, paths[i], arena_printf(x->mem, DOC("Environment", "%s"), envs[i]));
	fixture_parse(x, NULL);
	x->totals = totals_new();
	fixture_resolve(x, NULL);
	return x;
}

static void
sums(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = site_of(rows[i].envs, rows[i].user, rows[i].team, rows[i].org);
		const char *got;

		totals_check(x->totals, &x->site, NULL, &x->report);
		totals_free(x->totals); /* the report outlives it */
		x->totals = NULL;
		got = fixture_lines(x);
		if (strcmp(got, rows[i].want) != 0) {
			print_error("%s:\n%swanted:\n%s", rows[i].label, got, rows[i].want);
			bad++;
		}
		fixture_free(x);
	}
	assert_int_equal(bad, 0);
}

static const char *const three[] = { "{flavor: gpu}", "{flavor: gpu}", "{flavor: gpu, resources: {gpu: 2}}", "{flavor: gpu}" };

static void
notes(void **state)
{
	struct fixture *x = site_of(three, "{teams: [nlp], limits: {gpu: 3}}", "{queue: {quota: {gpu: {gpu: 4}}}}", NULL);

	(void)state;
	totals_check(x->totals, &x->site, NULL, &x->report);
	report_sort(&x->report);
	assert_int_equal(x->report.n, 2);
	assert_string_equal(x->report.items[0].note, "limit set at users/alice.yaml:3:36; held by alice/a 1, alice/b 1, alice/c 2");
	assert_string_equal(x->report.items[1].note, "limit set at teams/nlp.yaml:3:35; held by alice/a 1, alice/b 1, alice/c 2, bo/d 1");
	fixture_free(x);
}

/* In a pull request: what it is part of, said where it was changed. */
static void
changes(void **state)
{
	static const struct {
		const char *path, *first, *second; /* places, NULL when nothing is said */
	} cases[] = {
		{ "envs/alice/a.yaml", "envs/alice/a.yaml", "envs/alice/a.yaml" },
		{ "envs/bo/d.yaml", "envs/bo/d.yaml", NULL },
		{ "users/alice.yaml", "envs/alice/c.yaml", NULL },
		{ "teams/nlp.yaml", "envs/bo/d.yaml", NULL },
		{ "flavors/gpu.yaml", "envs/bo/d.yaml", NULL },
		{ "flavors/cpu.yaml", NULL, NULL },
		{ "README.md", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture *x = site_of(three, "{teams: [nlp], limits: {gpu: 3}}", "{queue: {quota: {gpu: {gpu: 4}}}}", NULL);
		struct map changed AUTO_MAP = MAP_INIT;
		size_t want = cases[i].second ? 2 : cases[i].first ? 1 : 0;

		(void)map_put(&changed, cases[i].path, NULL);
		totals_check(x->totals, &x->site, &changed, &x->report);
		report_sort(&x->report);
		if (x->report.n != want)
			fail_msg("%s: %zu findings", cases[i].path, x->report.n);
		for (size_t k = 0; k < want; k++)
			assert_string_equal(x->report.items[k].at.file, k ? cases[i].second : cases[i].first);
		fixture_free(x);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums),
		cmocka_unit_test(notes),
		cmocka_unit_test(changes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
