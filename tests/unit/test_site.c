/* SPDX-License-Identifier: Apache-2.0 */
/* Rules between shared documents; each finding with its place, and where the other half stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"
#define KEY64 "k123456789012345678901234567890123456789012345678901234567890123"

static struct fixture *
base_site(void)
{
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", DOC("Organization", "{roles: {standard: {gpu: 2}, admin: {}}}"));
	fixture_add(x, "users/alice.yaml", DOC("User", "{uid: a1, email: alice@company.com, teams: [vision]}"));
	fixture_add(x, "teams/vision.yaml", DOC("Team", "{admins: [alice], flavors: [cpu], datasets: [imagenet]}"));
	fixture_add(x, "flavors/cpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 4, memory: 16Gi}}, allow: {roles: [admin]}}"));
	fixture_add(x, "datasets/imagenet.yaml", DOC("Dataset", "{claim: {name: imagenet}}"));
	return x;
}

/* path and text: one more file; want: all findings, the first without its path */
static const struct {
	const char *label, *path, *text, *want;
} rows[] = {
	{ "nothing to say", "teams/nlp.yaml", DOC("Team", "{}"), "" },
	{ "a user's team", "users/bo.yaml", DOC("User", "{teams: [vison, nlp]}"),
	  ":3:16: error[E304]: there is no team 'vison' (did you mean 'vision'?)\n"
	  "users/bo.yaml:3:23: error[E304]: there is no team 'nlp' (there are: vision)\n" },
	{ "a user's role", "users/bo.yaml", DOC("User", "{role: king}"),
	  ":3:14: error[E304]: berth.yaml has no role 'king' (name one of the roles there (standard, admin), or add it)\n" },
	{ "a team's people, flavors, data", "teams/nlp.yaml", DOC("Team", "{admins: [bo], flavors: [gpu], datasets: [text]}"),
	  ":3:17: error[E304]: there is no user 'bo' (there are: alice)\n"
	  "teams/nlp.yaml:3:32: error[E304]: there is no flavor 'gpu' (did you mean 'cpu'?)\n"
	  "teams/nlp.yaml:3:49: error[E304]: there is no dataset 'text' (there are: imagenet)\n" },
	{ "a quota", "teams/nlp.yaml", DOC("Team", "{queue: {cohort: org, quota: {gpu: {gpu: 8}, cpu: {cpu: 8}}, borrow: {cpu: 1}}}"),
	  ":3:37: error[E304]: there is no flavor 'gpu' (did you mean 'cpu'?)\n" },
	{ "borrowing from nobody", "teams/nlp.yaml", DOC("Team", "{queue: {borrow: {gpu: 1}}}"),
	  ":3:24: error[E403]: queue.borrow without queue.cohort: there is nobody to borrow from "
	  "(name the cohort, for example cohort: org, or take borrow out)\n" },
	{ "the organization's admins", "berth.yaml", DOC("Organization", "{approvals: {admins: [alice, alcie]}}"),
	  ":3:36: error[E304]: there is no user 'alcie' (did you mean 'alice'?)\n" },
	{ "roles with an address", "berth.yaml",
	  DOC("Organization", "{roles: {standard: {}, admin: {}}, access: {loadBalancer: [admin, premium]}}"),
	  ":3:73: error[E304]: berth.yaml has no role 'premium' (name one of the roles there (standard, admin), or add it)\n" },
	{ "no roles at all", "berth.yaml", DOC("Organization", "{access: {loadBalancer: [premium]}}"), "" },
	{ "who may have a flavor", "flavors/gpu.yaml",
	  DOC("Flavor", "{resources: {limits: {cpu: 1}}, allow: {roles: [standard, root], teams: ['*', 'vis*', visoin]}}"),
	  ":3:65: error[E304]: berth.yaml has no role 'root' (name one of the roles there (standard, admin), or add it)\n"
	  "flavors/gpu.yaml:3:93: error[E304]: there is no team 'visoin' (did you mean 'vision'?)\n" },
	{ "the same person twice", "users/bo.yaml", DOC("User", "{uid: a1, email: Alice@Company.com, oidc: x}"),
	  ":3:13: error[E404]: uid 'a1' belongs to another user already (give each user their own: a uid is one person's for ever)\n"
	  "users/bo.yaml:3:24: error[E404]: email 'Alice@Company.com' belongs to another user already "
	  "(give each user their own: an address is one person's)\n" },
	{ "versions of an image", "images/torch.yaml",
	  DOC("Image", "{image: a/b:1, versions: [{name: '1', image: a/b:1}, {name: '2', image: a/b:2}, {name: '1', image: a/b:3}]}"),
	  ":3:94: error[E404]: the version '1' is there twice (take one of them out, or choose another name)\n" },
	{ "a shared volume of nothing", "users/bo.yaml", DOC("User", "{sharedVolume: {size: 0}}"),
	  ":3:29: error[E205]: sharedVolume.size is 0, and a volume of nothing cannot be made "
	  "(write a size such as 20Gi, or take the volume out)\n" },
	{ "tolerations", "flavors/gpu.yaml",
	  DOC("Flavor", "{resources: {limits: {cpu: 1}}, tolerations: [{key: a, operator: Exists, value: b}, {value: c}, "
	                "{key: d, tolerationSeconds: 5}, {operator: Exists}, {key: e, effect: NoExecute, tolerationSeconds: 5}]}"),
	  ":3:87: error[E403]: a toleration with operator Exists has no value (take the value out, or write operator: Equal)\n"
	  "flavors/gpu.yaml:3:91: error[E403]: a toleration without a key needs operator: Exists "
	  "(name the taint's key, or write operator: Exists for every taint)\n"
	  "flavors/gpu.yaml:3:131: error[E403]: tolerationSeconds goes with effect: NoExecute only "
	  "(write effect: NoExecute, or take tolerationSeconds out)\n" },
	{ "resources", "flavors/gpu.yaml",
	  DOC("Flavor", "{resources: {requests: {cpu: 0, a.b/c: 1}, limits: {a.b/c: 2, d.e/f: 500m, hugepages-1Gi: 1Gi, disk: 1, ephemeral-storage: 1Gi}}}"),
	  ":3:36: error[E205]: cpu: nothing runs on 0 (write more than 0, or leave it out so that each environment says how much)\n"
	  "flavors/gpu.yaml:3:46: error[E403]: a.b/c: request and limit differ, for devices they are the same "
	  "(write it once, under resources.limits)\n"
	  "flavors/gpu.yaml:3:76: error[E204]: d.e/f is counted in whole numbers (write 1)\n"
	  "flavors/gpu.yaml:3:82: error[E403]: a flavor does not give huge pages by 'hugepages-1Gi' "
	  "(write defaults: {resources: {hugepages: {1Gi: …}}})\n"
	  "flavors/gpu.yaml:3:102: error[E102]: 'disk' is no resource of a pod "
	  "(there are cpu, memory, ephemeral-storage, and devices such as nvidia.com/gpu)\n" },
	{ "nodes", "flavors/gpu.yaml",
	  DOC("Flavor", "{resources: {limits: {cpu: 1}}, nodeSelector: {a.b/c: d, " KEY64 ": e}, nodeGroup: {min: 3, max: 2}}"),
	  ":3:64: error[E204]: nodeSelector: '" KEY64 "' is too long for a label "
	  "(the name has at most 63 characters, a prefix before '/' at most 253)\n"
	  "flavors/gpu.yaml:3:151: error[E403]: nodeGroup.min is 3, nodeGroup.max is 2 (write min: 2 or less)\n" },
};

static size_t bad;

static void
wrong(const char *label, const char *got, const char *want)
{
	print_error("%s:\n%swanted:\n%s", label, got, want);
	bad++;
}

static void
references(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = base_site();
		const char *got;

		fixture_add(x, rows[i].path, rows[i].text);
		fixture_parse(x, NULL);
		validate_site(&x->site, &x->report);
		got = fixture_lines(x);
		if (strncmp(got, rows[i].path, strlen(rows[i].path)) == 0)
			got += strlen(rows[i].path);
		if (strcmp(got, rows[i].want) != 0)
			wrong(rows[i].label, got, rows[i].want);
		for (size_t k = 0; k < x->ndocs; k++)
			assert_true(x->docs[k]->ok);
		fixture_free(x);
	}
	assert_int_equal(bad, 0);
}

/* More names than Kueue takes flavors, and more than there are nearest names to look for. */
static void
many(void **state)
{
	struct fixture *x = base_site();
	const char *quota = "";

	(void)state;
	for (size_t i = 0; i < 65; i++)
		quota = arena_printf(x->mem, "%sf%zu: {cpu: 1}, ", quota, i);
	fixture_add(x, "teams/nlp.yaml", arena_printf(x->mem, DOC("Team", "{queue: {quota: {%s}}}"), quota));
	fixture_parse(x, NULL);
	validate_site(&x->site, &x->report);
	report_sort(&x->report);
	assert_int_equal(x->report.n, 66);
	assert_string_equal(x->report.items[0].message, "queue.quota names 65 flavors, Kueue takes 64");
	assert_string_equal(x->report.items[65].help, "add flavors/f64.yaml, or take the name out");
	fixture_free(x);
}

/* Documents full of names that lead nowhere: an end is put to it. */
static void
hostile(void **state)
{
	struct fixture *x = base_site();
	char *names = arena_alloc(x->mem, 48001);

	(void)state;
	for (size_t i = 0; i < 47998; i += 3)
		memcpy(names + i, "x, ", 3);
	for (size_t i = 0; i < 8; i++)
		fixture_add(x, arena_printf(x->mem, "teams/t%zu.yaml", i), arena_printf(x->mem, DOC("Team", "{admins: [%s]}"), names));
	fixture_parse(x, NULL);
	validate_site(&x->site, &x->report);
	if (x->report.n != REPORT_MAX)
		fail_msg("%s", fixture_lines(x));
	assert_true(x->report.errors <= 20000); /* one document, not eight */
	fixture_free(x);
}

/* The other half is named, and the order in which files were read decides nothing. */
static void
notes(void **state)
{
	struct fixture *x = base_site();
	struct site backwards = { 0 };

	(void)state;
	fixture_add(x, "users/bo.yaml", DOC("User", "{role: king, uid: a1}"));
	fixture_parse(x, NULL);
	for (size_t i = x->ndocs; i > 0; i--)
		site_add(&backwards, x->docs[i - 1]);
	validate_site(&backwards, &x->report);
	report_sort(&x->report);
	assert_int_equal(x->report.n, 2);
	assert_string_equal(x->report.items[0].note, "roles are set at berth.yaml:3:15");
	assert_string_equal(x->report.items[1].at.file, "users/bo.yaml");
	assert_string_equal(x->report.items[1].note, "first used at users/alice.yaml:3:13");
	site_free(&backwards);
	fixture_free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references),
		cmocka_unit_test(many),
		cmocka_unit_test(hostile),
		cmocka_unit_test(notes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
