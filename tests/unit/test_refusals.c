/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an API server or Kueue refuses, or accepts and never starts, is said before the merge. Rows in the order of the
 * objects; what has no row cannot be provoked by a field of a document:
 *
 *   text that YAML reads as another type   everything is written by one writer, tested against the YAML test suite
 *   stringData of Secrets                  no field: sealed secrets are opened behind the plan
 *   replicas, clusterIP, node ports        no field
 *   names of objects                       parse/doc.c judges names, 61 characters owner and name together (test_env)
 *   labels of pods                         berth's own; the user's are in the rows "labels"
 *   config that changes under a pod        a hash over it is part of the pod (test_render)
 *   immutable fields, shrinking claims     depend on what runs: `berth plan` says recreate (test_plan)
 *   access modes together with RWOP        a volume has one access mode by its schema
 *   host users, host network, privileges   no field
 *   huge pages of both sizes in one volume each size has a volume of its own (test_render)
 *   StatefulSet names of over 52           names have at most 40 characters
 *   resources that Kueue does not cover    all of cpu, memory, GPUs and huge pages are covered; devices of a flavor are
 *                                          the row "a device and Kueue"
 *   queue labels, gates, suspended pods    no field; set by Kueue
 *   replicas N to M under Kueue            depends on what runs: the plan recreates
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"
#define LONG64 "k123456789012345678901234567890123456789012345678901234567890123"
#define KUEUE DOC("Organization", "{cluster: {features: [kueue]}}")

static struct fixture *
base_site(void)
{
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", DOC("Organization", "{render: 1}"));
	fixture_add(x, "users/alice.yaml", DOC("User", "{teams: [vision]}"));
	fixture_add(x, "teams/vision.yaml", DOC("Team", "{datasets: [imagenet], queue: {quota: {gpu: {gpu: 8}, dev: {cpu: 1}}}}"));
	fixture_add(x, "teams/nlp.yaml", DOC("Team", "{queue: {quota: {gpu: {gpu: 8}}}}"));
	fixture_add(x, "flavors/cpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 4, memory: 16Gi}}, nodeSelector: {type: m5}}"));
	fixture_add(x, "flavors/dev.yaml", DOC("Flavor", "{resources: {limits: {cpu: 1, memory: 1Gi, vendor.com/card: 1}}}"));
	fixture_add(x, "flavors/gpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 4, memory: 16Gi, nvidia.com/gpu: 1}}, max: {gpu: 9}}"));
	fixture_add(x, "datasets/imagenet.yaml", DOC("Dataset", "{claim: {name: imagenet}}"));
	fixture_add(x, "datasets/text.yaml", DOC("Dataset", "{claim: {name: text}}"));
	return x;
}

/* path and text: one more file; want: all findings, those of the environment without its path */
static const struct {
	const char *label, *spec, *path, *text, *want;
} rows[] = {
	/* lists that have unique keys */
	{ "variables that berth sets", "{flavor: cpu, env: {OK: a, RANK: '1', BERTH_ENV: x, PETER: x}}", NULL, NULL,
	  "3:34: error[E404]: env: RANK is set by berth itself (leave it out, or choose another name)\n"
	  "3:45: error[E404]: env: BERTH_ENV is set by berth itself (leave it out, or choose another name)\n" },
	{ "variables of ranks", "{flavor: gpu, mode: distributed, distributed: {worldSize: 2, ncclSettings: {NNODES: 3}}}", NULL, NULL,
	  "3:83: error[E404]: ncclSettings: NNODES is set by berth itself (leave it out; worldSize and nprocsPerNode decide the ranks)\n" },
	{ "settings that nobody reads", "{flavor: gpu, distributed: {ncclSettings: {NNODES: 3}}}", NULL, NULL, "" },
	{ "mounts of berth", "{flavor: cpu, volumes: [{name: a, size: 1Gi, path: /etc/passwd}, {name: b, size: 1Gi, path: /dev/hugepages}]}",
	  NULL, NULL,
	  "3:58: error[E404]: the path /etc/passwd is taken (choose another)\n"
	  "3:99: error[E404]: the path /dev/hugepages is taken (choose another)\n" },
	{ "mounts below what is closed", "{flavor: cpu, volumes: [{name: a, size: 1Gi, path: /opt/berth/bin}, {name: b, size: 1Gi, path: /proc/x}]}",
	  NULL, NULL,
	  "3:58: error[E402]: nothing can be mounted below /opt/berth (choose a place of your own, such as /data or /workspace)\n"
	  "3:102: error[E402]: nothing can be mounted below /proc (choose a place of your own, such as /data or /workspace)\n" },
	{ "a colon in a mount", "{flavor: cpu, volumes: [{name: a, size: 1Gi, path: '/a:b'}]}", NULL, NULL,
	  "3:58: error[E402]: '/a:b' is no plain absolute path (start with '/' and use no ':' and no '.' or '..' parts)\n" },
	{ "the user's shared volume", "{flavor: cpu, volumes: [{name: a, size: 1Gi, path: /shared}]}",
	  "users/alice.yaml", DOC("User", "{teams: [vision], sharedVolume: {size: 1Ti}}"),
	  "3:58: error[E404]: the path /shared is used twice (take one of them out, or choose another)\n" },
	/* names and labels */
	{ "a claim's name", "{flavor: cpu, sharedVolumeClaimName: home-x-0}", NULL, NULL,
	  "3:44: error[E404]: the claim 'home-x-0' could be one of an environment's own "
	  "(choose a sharedVolumeClaimName that does not start with 'home-' and has no '--')\n" },
	{ "an unlucky claim's name", "{flavor: cpu, sharedVolumeClaimName: a--b}", NULL, NULL,
	  "3:44: error[E404]: the claim 'a--b' could be one of an environment's own "
	  "(choose a sharedVolumeClaimName that does not start with 'home-' and has no '--')\n" },
	{ "labels", "{flavor: cpu}\nmetadata: {labels: {a/b: c, fine: d, " LONG64 ": e}}", NULL, NULL,
	  "4:21: error[E204]: metadata.labels: 'a/b' has a prefix, and berth puts its own before it (write b)\n"
	  "4:38: error[E204]: metadata.labels: '" LONG64 "' has more than 63 characters (write a shorter name)\n" },
	{ "labels of nodes", "{flavor: gpu, scheduling: {nodeSelector: {" LONG64 ": x}}}", NULL, NULL,
	  "3:49: error[E204]: scheduling.nodeSelector: '" LONG64 "' is too long for a label "
	  "(the name has at most 63 characters, a prefix before '/' at most 253)\n" },
	{ "other nodes than the flavor's", "{flavor: cpu, scheduling: {nodeSelector: {type: p5, zone: a}}}", NULL, NULL,
	  "3:55: error[E402]: flavor 'cpu' sets the node label type already "
	  "(take it out, or choose the flavor of the nodes you want)\n" },
	{ "the flavor's nodes", "{flavor: cpu, scheduling: {nodeSelector: {type: m5}}}", NULL, NULL, "" },
	/* claims */
	{ "volumes of nothing", "{flavor: cpu, persistentHomeSize: 0, checkpoints: {size: 0Gi}, volumes: [{name: a, size: 0, path: /a}]}", NULL, NULL,
	  "3:41: error[E205]: persistentHomeSize is 0, and a volume of nothing cannot be made "
	  "(write a size such as 20Gi, or take the volume out)\n"
	  "3:64: error[E205]: checkpoints.size is 0, and a volume of nothing cannot be made "
	  "(write a size such as 20Gi, or take the volume out)\n"
	  "3:96: error[E205]: the volume's size is 0, and a volume of nothing cannot be made "
	  "(write a size such as 20Gi, or take the volume out)\n" },
	{ "one volume, several pods", "{flavor: gpu, mode: distributed, distributed: {worldSize: 2}, volumes: "
	  "[{name: a, size: 1Gi, path: /a}, {name: b, size: 1Gi, path: /b, access: RWOP}, {name: c, size: 1Gi, path: /c, access: RWX}]}",
	  NULL, NULL,
	  "3:79: error[E403]: 2 pods cannot share a volume with access RWO (write access: RWX, and a class that can do it)\n"
	  "3:150: error[E403]: 2 pods cannot share a volume with access RWOP (write access: RWX, and a class that can do it)\n" },
	{ "one volume, one pod", "{flavor: gpu, mode: distributed, volumes: [{name: a, size: 1Gi, path: /a}]}", NULL, NULL, "" },
	/* pods and their resources */
	{ "129 pods", "{flavor: gpu, mode: distributed, distributed: {worldSize: 258, nprocsPerNode: 2}}", NULL, NULL,
	  "3:65: error[E205]: 129 pods, an environment has at most 128 (write worldSize: 256, or more nprocsPerNode)\n" },
	{ "128 pods", "{flavor: gpu, mode: distributed, distributed: {worldSize: 128}}", NULL, NULL, "" },
	{ "nothing to run on", "{flavor: cpu, resources: {cpu: 0, memory: 0}}", NULL, NULL,
	  "3:38: error[E205]: cpu is 0 (write more, or leave it out for what the flavor has)\n"
	  "3:49: error[E205]: memory is 0 (write more, or leave it out for what the flavor has)\n" },
	{ "no huge pages", "{flavor: cpu, resources: {hugepages: {2Mi: 0}}}", NULL, NULL,
	  "3:50: error[E205]: huge pages of 2Mi, but none of them (write 2Mi or a multiple of it, or leave them out)\n" },
	/* data */
	{ "data of others", "{flavor: cpu, datasets: [{name: text}, {name: imagenet}]}", NULL, NULL,
	  "3:39: error[E402]: dataset 'text' is not granted to team vision (take it out; the team has: imagenet)\n" },
	{ "data for no team", "{flavor: cpu, datasets: [{name: text}]}", "users/alice.yaml", DOC("User", "{}"),
	  "3:39: error[E402]: dataset 'text' is not granted to environments without a team "
	  "(take it out; an administrator can add it to datasets in teams/<name>.yaml)\n" },
	{ "a team without data", "{flavor: cpu, datasets: [{name: text}]}", "teams/vision.yaml", DOC("Team", "{}"),
	  "3:39: error[E402]: dataset 'text' is not granted to team vision "
	  "(take it out; an administrator can add it to datasets in teams/<name>.yaml)\n" },
	{ "a cache that is not there", "{flavor: cpu, cache: {redis: team}}", NULL, NULL,
	  "3:36: error[E304]: team vision has no cache "
	  "(write redis: none; an administrator can set cache.redis in teams/<name>.yaml)\n" },
	/* Kueue */
	{ "no quota for a flavor", "{flavor: cpu}", "berth.yaml", KUEUE,
	  "3:16: error[E402]: the queue of team 'vision' has no quota for flavor 'cpu' "
	  "(choose a flavor that is there; an administrator can add it to queue.quota)\n" },
	{ "a quota", "{flavor: gpu}", "berth.yaml", KUEUE, "" },
	{ "no Kueue", "{flavor: cpu, scheduling: {queue: nlp}}", NULL, NULL, "" },
	{ "a queue of others", "{flavor: gpu, scheduling: {queue: nlp}}", "berth.yaml", KUEUE,
	  "3:41: error[E304]: alice has no queue 'nlp' "
	  "(leave it out: the team's queue is the default; queues have the names of the user's teams)\n" },
	{ "a device", "{flavor: dev}", NULL, NULL, "" },
	{ "a device and Kueue, whose queue covers it", "{flavor: dev}", "berth.yaml", KUEUE, "" },
	/* the address */
	{ "an address by default", "{flavor: cpu}", "berth.yaml", DOC("Organization", "{access: {ssh: loadBalancer, loadBalancer: [admin]}}"),
	  "berth.yaml:3:22: error[E402]: the role 'standard' of alice may not have a load balancer "
	  "(write via: bastion; load balancers are for: admin)\n" },
	{ "another address", "{flavor: cpu, access: {ssh: {via: bastion}}}", "berth.yaml",
	  DOC("Organization", "{access: {ssh: loadBalancer, loadBalancer: [admin]}}"), "" },
};

static const char *
without(struct arena *mem, const char *text, const char *prefix)
{
	struct buf AUTO_BUF out = BUF_INIT(0);

	while (*text) {
		const char *end = strchr(text, '\n');

		if (strncmp(text, prefix, strlen(prefix)) == 0)
			text += strlen(prefix);
		buf_add(&out, text, (size_t)(end - text) + 1);
		text = end + 1;
	}
	return arena_strdup(mem, buf_cstr(&out));
}

static void
refusals(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = base_site();
		const char *got;

		if (rows[i].path)
			fixture_add(x, rows[i].path, rows[i].text);
		fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "%s"), rows[i].spec));
		fixture_parse(x, NULL);
		fixture_resolve(x, NULL);
		got = without(x->mem, fixture_lines(x), "envs/alice/t.yaml:");
		if (strcmp(got, rows[i].want) != 0) {
			print_error("%s:\n%swanted:\n%s", rows[i].label, got, rows[i].want);
			bad++;
		}
		fixture_free(x);
	}
	assert_int_equal(bad, 0);
}

/* Names of Kubernetes objects, as the schema takes them: DNS-1123 subdomains. */
static void
object_names(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} names[] = { { "a", true }, { "a.b-c.d", true }, { "9", true }, { "a..b", false }, { "a.-b", false }, { "a-.b", false },
		      { "a.", false }, { "-a", false }, { "A", false } };
	struct schemas *schemas;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(schemas_load(&schemas, &e), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct fixture *x = base_site();

		fixture_add(x, "envs/alice/t.yaml",
		            arena_printf(x->mem, DOC("Environment", "{flavor: cpu, sharedVolumeClaimName: \"%s\"}"), names[i].name));
		fixture_parse(x, schemas);
		if ((x->report.n == 0) != names[i].good)
			fail_msg("'%s' is taken for %s", names[i].name, names[i].good ? "bad" : "good");
		fixture_free(x);
	}
	schemas_free(schemas);
}

/* Templates of another version: nothing is applied, and it is said once. */
static void
render_version(void **state)
{
	struct fixture *x = fixture_new();

	(void)state;
	fixture_add(x, "berth.yaml", DOC("Organization", "{approvals: {mode: none}, render: 2}"));
	fixture_parse(x, NULL);
	validate_org(x->docs[0], &x->report);
	assert_string_equal(fixture_lines(x), "berth.yaml:3:41: error[E205]: spec.render is 2, this program has version 1 of the "
	                                      "templates (write render: 1, or run a newer berth that has version 2)\n");
	assert_false(x->docs[0]->ok);
	fixture_free(x);
}

/* Generations of recipients that are accepted: in order, and not so many that every file is tried with all of them. */
static void
generations(void **state)
{
	static const struct { const char *secrets, *want; } given[] = {
		{ "{generation: 20, oldest: 5}", "" },
		{ "{generation: 20}", "" },
		{ "{generation: 20, oldest: 4}", "berth.yaml:3:67: error[E205]: spec.secrets.oldest is 4, 16 generations before 20 (at most 16 open "
		                                 "at a time: `berth seal --rotate` seals what is older again, then write oldest: 5)\n" },
		{ "{generation: 2, oldest: 3}", "berth.yaml:3:66: error[E205]: spec.secrets.oldest is 3, newer than the generation 2 (it is the "
		                                "oldest generation that still opens: at most 2)\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		struct fixture *x = fixture_new();

		print_message("# %s\n", given[i].secrets);
		fixture_add(x, "berth.yaml", arena_printf(x->mem, DOC("Organization", "{approvals: {mode: none}, secrets: %s}"), given[i].secrets));
		fixture_parse(x, NULL);
		validate_org(x->docs[0], &x->report);
		assert_string_equal(fixture_lines(x), given[i].want);
		assert_int_equal(x->docs[0]->ok, *given[i].want == '\0');
		fixture_free(x);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(object_names),
		cmocka_unit_test(render_version),
		cmocka_unit_test(generations),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
