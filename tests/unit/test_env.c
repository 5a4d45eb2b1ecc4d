/* SPDX-License-Identifier: Apache-2.0 */
/* Environments resolved: defaults in their order, numbers, references, dependencies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "lib/base/str.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"
#define GIB (INT64_C(1) << 30)

/* A small site; rows lay their own files over it. */
static struct fixture *
base_site(void)
{
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", DOC("Organization", "{namespacePrefix: dev-}"));
	fixture_add(x, "users/alice.yaml", DOC("User", "{email: alice@company.com, role: premium, teams: [vision, nlp]}"));
	fixture_add(x, "users/bo.yaml", DOC("User", "{}"));
	fixture_add(x, "teams/vision.yaml", DOC("Team", "{}"));
	fixture_add(x, "teams/nlp.yaml", DOC("Team", "{}"));
	fixture_add(x, "flavors/cpu.yaml", DOC("Flavor", "{resources: {requests: {cpu: 2, memory: 8Gi}, limits: {memory: 16Gi}}}"));
	fixture_add(x, "flavors/gpu.yaml",
	            DOC("Flavor", "{resources: {requests: {cpu: 8, memory: 32Gi}, limits: {cpu: 16, memory: 64Gi, nvidia.com/gpu: 1}}}"));
	fixture_add(x, "images/torch.yaml", DOC("Image", "{image: company/torch:2}"));
	fixture_add(x, "datasets/imagenet.yaml", DOC("Dataset", "{claim: {name: imagenet}}"));
	fixture_add(x, "envs/alice/t.yaml", DOC("Environment", "{flavor: gpu}"));
	return x;
}

static struct env *
resolve(struct fixture *x)
{
	struct env *env = NULL;

	fixture_parse(x, NULL);
	fixture_resolve(x, &env);
	return env;
}

static void
four_lines(void **state)
{
	struct fixture *x = base_site();
	struct env *env = resolve(x);

	(void)state;
	if (!env)
		fail_msg("%s", fixture_lines(x));
	assert_string_equal(env->owner, "alice");
	assert_string_equal(env->name, "t");
	assert_string_equal(env->namespace_, "dev-alice");
	assert_string_equal(env->team->name, "vision");
	assert_string_equal(env->flavor->name, "gpu");
	assert_null(env->image);
	assert_string_equal(env->image_ref, "nvidia/cuda:12.6.0-devel-ubuntu22.04");
	assert_string_equal(value_as_str(value_get(env->spec, "image"), ""), env->image_ref);
	assert_string_equal(value_as_str(value_get(env->spec, "team"), ""), "vision");
	assert_string_equal(value_as_str(value_get(env->spec, "mode"), ""), "standalone");
	assert_true(value_as_bool(value_get(env->spec, "enableSSH"), false));
	assert_string_equal(value_as_str(value_item(value_at(env->spec, "access.web"), 0), ""), "terminal");
	assert_int_equal(value_as_int(value_at(env->spec, "lifecycle.idleTimeout"), 0), 3600);
	assert_true(value_as_bool(value_at(env->spec, "lifecycle.autoShutdown"), false));
	assert_string_equal(value_as_str(value_at(env->spec, "lifecycle.onDelete"), ""), "retain");
	assert_false(env->distributed);
	assert_null(env->setup);
	assert_int_equal(env->home, 20 * GIB);
	assert_int_equal(env->nshare + env->ndatasets, 0);
	fixture_free(x);
}

static void
numbers(void **state)
{
	static const struct {
		const char *label, *spec;
		int64_t gpu, cpu_request, cpu_limit, mem_request, mem_limit, shm, world, nprocs, full, replicas;
	} rows[] = {
		{ "the flavor's", "{flavor: gpu}", 1, 8000, 16000, 32, 64, 16, 1, 1, 1, 1 },
		{ "requests stand for limits", "{flavor: cpu}", 0, 2000, 2000, 8, 16, 8, 1, 1, 1, 1 },
		{ "own ones set both", "{flavor: gpu, resources: {cpu: 500m, memory: 200Gi, gpu: 2}}", 2, 500, 500, 200, 200, 32, 1, 1, 1, 1 },
		{ "own shm", "{flavor: gpu, resources: {shm: 48Gi}}", 1, 8000, 16000, 32, 64, 48, 1, 1, 1, 1 },
		{ "shm grows with the GPUs", "{flavor: gpu, resources: {gpu: 4, memory: 512Gi}}", 4, 8000, 16000, 512, 512, 64, 1, 1, 1, 1 },
		{ "no GPU on a GPU flavor", "{flavor: gpu, resources: {gpu: 0}}", 0, 8000, 16000, 32, 64, 16, 1, 1, 1, 1 },
		{ "paused", "{flavor: cpu, lifecycle: {paused: true}}", 0, 2000, 2000, 8, 16, 8, 1, 1, 1, 0 },
		{ "distributed", "{flavor: gpu, mode: distributed, distributed: {worldSize: 4}}", 1, 8000, 16000, 32, 64, 16, 4, 1, 4, 4 },
		{ "distributed and paused", "{flavor: gpu, mode: distributed, distributed: {worldSize: 4}, lifecycle: {paused: true}}",
		  1, 8000, 16000, 32, 64, 16, 4, 1, 4, 0 },
		{ "a GPU for each process", "{flavor: gpu, mode: distributed, distributed: {worldSize: 8, nprocsPerNode: 4}}",
		  4, 8000, 16000, 32, 64, 32, 8, 4, 2, 2 },
		{ "unless GPUs are given", "{flavor: gpu, resources: {gpu: 8}, mode: distributed, distributed: {worldSize: 8, nprocsPerNode: 4}}",
		  8, 8000, 16000, 32, 64, 32, 8, 4, 2, 2 },
		{ "no GPUs from a flavor without", "{flavor: cpu, mode: distributed, distributed: {worldSize: 4, nprocsPerNode: 2}}",
		  0, 2000, 2000, 8, 16, 8, 4, 2, 2, 2 },
		{ "distributed is ignored in standalone mode", "{flavor: gpu, distributed: {worldSize: 8, nprocsPerNode: 4}}",
		  1, 8000, 16000, 32, 64, 16, 1, 1, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = base_site();
		const int64_t want[] = { rows[i].gpu, rows[i].cpu_request, rows[i].cpu_limit, rows[i].mem_request * GIB,
			                 rows[i].mem_limit * GIB, rows[i].shm * GIB, rows[i].world, rows[i].nprocs, rows[i].full,
			                 rows[i].replicas };
		struct doc *d;
		struct env *env = NULL;
		struct err e;
		int64_t got[10];

		fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "%s"), rows[i].spec));
		fixture_parse(x, NULL);
		d = map_get(&x->site.docs[KIND_ENV], "alice/t");
		if (env_resolve(x->mem, &x->site, &x->files, d, &x->report, &env, &e) < 0)
			fail_msg("%s: %s", rows[i].label, fixture_lines(x));
		memcpy(got, (const int64_t[]){ env->gpu, env->cpu_request, env->cpu_limit, env->mem_request, env->mem_limit, env->shm,
		                               env->world_size, env->nprocs, env->replicas_full, env->replicas }, sizeof(got));
		for (size_t k = 0; k < 10; k++)
			if (got[k] != want[k])
				fail_msg("%s: number %zu is %lld, not %lld", rows[i].label, k, (long long)got[k], (long long)want[k]);
		fixture_free(x);
	}
}

/* Each layer names itself in every variable that the layers above it leave alone. */
static void
order_of_defaults(void **state)
{
	static const char *const want[] = { "env", "flavor", "image", "team", "org" };
	struct fixture *x = base_site();
	const struct value *list;
	struct env *env;

	(void)state;
	fixture_add(x, "berth.yaml", DOC("Organization", "{defaults: {persistentHomeSize: 1Gi, env: {A: org, B: org, C: org, D: org, E: org},"
	                                 " packages: {pip: [o]}}, lifecycle: {idleTimeout: {default: 60}}}"));
	fixture_add(x, "teams/vision.yaml", DOC("Team", "{defaults: {env: {A: team, B: team, C: team, D: team}, packages: {pip: [t, u]}}}"));
	fixture_add(x, "images/torch.yaml", DOC("Image", "{image: company/torch:2, defaults: {env: {A: image, B: image, C: image}}}"));
	fixture_add(x, "flavors/gpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 1, memory: 1Gi}}, defaults: {env: {A: flavor, B: flavor}}}"));
	fixture_add(x, "envs/alice/t.yaml", DOC("Environment", "{flavor: gpu, image: torch, env: {A: env}}"));
	env = resolve(x);
	if (!env)
		fail_msg("%s", fixture_lines(x));
	for (size_t i = 0; i < 5; i++) {
		const char key[] = { (char)('A' + (int)i), '\0' };

		assert_string_equal(value_as_str(value_get(value_get(env->spec, "env"), key), "-"), want[i]);
	}
	list = value_at(env->spec, "packages.pip");
	assert_int_equal(value_len(list), 2);
	assert_string_equal(value_as_str(value_item(list, 0), ""), "t");
	assert_int_equal(env->home, GIB);
	assert_int_equal(value_as_int(value_at(env->spec, "lifecycle.idleTimeout"), 0), 60);
	assert_string_equal(env->image_ref, "company/torch:2");
	fixture_free(x);
}

static void
selection(void **state)
{
	static const struct {
		const char *label, *env, *flavor, *image, *team, *org, *want_team, *want_image;
	} rows[] = {
		{ "the user's first team", "", "", "", "", "", "vision", "ubuntu:24.04" },
		{ "the environment's", ", team: nlp, image: torch", "", "", "", "", "nlp", "company/torch:2" },
		{ "the flavor's image", "", "image: torch", "", "", "", "vision", "company/torch:2" },
		{ "the image's team", ", image: torch", "", "team: nlp", "", "", "nlp", "company/torch:2" },
		{ "the team's image", "", "", "", "image: torch", "image: o/o", "vision", "company/torch:2" },
		{ "the organization's image and team", "", "", "", "", "image: o/o, team: nlp", "nlp", "o/o" },
		{ "an image that the team chose does not choose again", "", "", "team: nlp", "image: torch", "", "vision", "company/torch:2" },
		{ "a reference", ", image: 'ghcr.io/x/y@sha256:00'", "", "", "image: torch", "", "vision", "ghcr.io/x/y@sha256:00" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = base_site();
		struct env *env;

		fixture_add(x, "flavors/gpu.yaml", arena_printf(x->mem, DOC("Flavor", "{resources: {limits: {cpu: 1, memory: 1Gi}}, defaults: {%s}}"),
		                                                rows[i].flavor));
		fixture_add(x, "images/torch.yaml", arena_printf(x->mem, DOC("Image", "{image: company/torch:2, defaults: {%s}}"), rows[i].image));
		fixture_add(x, "teams/vision.yaml", arena_printf(x->mem, DOC("Team", "{defaults: {%s}}"), rows[i].team));
		fixture_add(x, "berth.yaml", arena_printf(x->mem, DOC("Organization", "{defaults: {%s}}"), rows[i].org));
		fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "{flavor: gpu%s}"), rows[i].env));
		env = resolve(x);
		if (!env)
			fail_msg("%s: %s", rows[i].label, fixture_lines(x));
		if (!str_eq(env->team->name, rows[i].want_team) || !str_eq(env->image_ref, rows[i].want_image) ||
		    !str_eq(value_as_str(value_get(env->spec, "team"), ""), rows[i].want_team))
			fail_msg("%s: team %s, image %s", rows[i].label, env->team->name, env->image_ref);
		fixture_free(x);
	}
}

static void
findings(void **state)
{
	static const struct {
		const char *label, *spec, *path, *text, *want; /* path and text: one more file */
	} rows[] = {
		{ "no such flavor", "{flavor: gpv}", NULL, NULL,
		  "envs/alice/t.yaml:3:16: error[E304]: there is no flavor 'gpv' (did you mean 'gpu'?)\n" },
		{ "no flavor, were the schema left out", "{}", NULL, NULL, "envs/alice/t.yaml: error[E203]: spec.flavor is missing\n" },
		{ "nothing like it", "{flavor: zebrafish-x}", NULL, NULL,
		  "envs/alice/t.yaml:3:16: error[E304]: there is no flavor 'zebrafish-x' (there are: cpu, gpu)\n" },
		{ "no such team, image, dataset, colleague", "{flavor: gpu, team: vison, image: torhc, datasets: [{name: a}], access: {share: [bob]}}",
		  NULL, NULL,
		  "envs/alice/t.yaml:3:27: error[E304]: there is no team 'vison' (did you mean 'vision'?)\n"
		  "envs/alice/t.yaml:3:41: error[E304]: there is no image 'torhc' (did you mean 'torch'?)\n"
		  "envs/alice/t.yaml:3:66: error[E304]: there is no dataset 'a' (there are: imagenet)\n"
		  "envs/alice/t.yaml:3:88: error[E304]: there is no user 'bob' (did you mean 'bo'?)\n" },
		{ "a broken reference", "{flavor: gpu, image: broken}", "images/broken.yaml", "kind: [",
		  "envs/alice/t.yaml:3:28: error[E305]: image 'broken' has errors of its own (mend images/broken.yaml first)\n" },
		{ "a broken owner", "{flavor: gpu}", "users/alice.yaml", "a: b: c",
		  "envs/alice/t.yaml: error[E305]: the owner's document has errors of its own (mend users/alice.yaml first)\n" },
		{ "a broken organization", "{flavor: gpu}", "berth.yaml", "a: b: c",
		  "berth.yaml: error[E305]: no environment is rendered while berth.yaml has errors\n" },
		{ "another's address", "{flavor: gpu, owner: bo@company.com}", NULL, NULL,
		  "envs/alice/t.yaml:3:28: error[E303]: spec.owner is 'bo@company.com', which is not the address of 'alice' "
		  "(write alice@company.com, or leave it out; each person's environments live in their own folder)\n" },
		{ "one's own address", "{flavor: gpu, owner: alice@company.com}", NULL, NULL, "" },
		{ "another's namespace", "{flavor: gpu}\nmetadata: {namespace: dev-bo}", NULL, NULL,
		  "envs/alice/t.yaml:4:23: error[E303]: metadata.namespace is 'dev-bo', environments of 'alice' live in 'dev-alice' "
		  "(write dev-alice, or leave it out)\n" },
		{ "one's own namespace", "{flavor: gpu}\nmetadata: {namespace: dev-alice}", NULL, NULL, "" },
		{ "a setup script that is not there", "{flavor: gpu, setup: setup.sh}", NULL, NULL,
		  "envs/alice/t.yaml:3:28: error[E304]: setup: there is no file envs/alice/setup.sh "
		  "(add the file in the same commit, or take the field out)\n" },
		{ "somebody else's script", "{flavor: gpu, setup: ../bo/setup.sh}", "envs/bo/setup.sh", "x",
		  "envs/alice/t.yaml:3:28: error[E402]: setup '../bo/setup.sh' leaves the owner's folder "
		  "(name a file below envs/alice/, without a leading '/' and without '.' or '..' parts)\n" },
		{ "somebody else's secret", "{flavor: gpu, secrets: [{name: a, file: x/../../bo/a.age}, {name: b, file: /b.age}, {name: c, file: a//b.age}]}",
		  NULL, NULL,
		  "envs/alice/t.yaml:3:47: error[E402]: secrets: file 'x/../../bo/a.age' leaves the owner's folder "
		  "(name a file below envs/alice/, without a leading '/' and without '.' or '..' parts)\n"
		  "envs/alice/t.yaml:3:82: error[E402]: secrets: file '/b.age' leaves the owner's folder "
		  "(name a file below envs/alice/, without a leading '/' and without '.' or '..' parts; secrets of the site come with defaults of "
		  "the flavor, image, team or organization)\n"
		  "envs/alice/t.yaml:3:107: error[E402]: secrets: file 'a//b.age' leaves the owner's folder "
		  "(name a file below envs/alice/, without a leading '/' and without '.' or '..' parts)\n" },
		{ "a script that is no text", "{flavor: gpu, setup: s.sh}", "envs/alice/s.sh", "\xff",
		  "envs/alice/s.sh: error[E105]: the setup script is not UTF-8 text\n" },
		{ "a size that cannot be kept", "{flavor: gpu, persistentHomeSize: 9999Ei, resources: {cpu: 1e30}}", NULL, NULL,
		  "envs/alice/t.yaml:3:41: error[E204]: persistentHomeSize is not a quantity, or too large for one "
		  "(write a number with a Kubernetes suffix, like 16, 500m or 64Gi)\n"
		  "envs/alice/t.yaml:3:66: error[E204]: cpu is not a quantity, or too large for one "
		  "(write a number with a Kubernetes suffix, like 16, 500m or 64Gi)\n" },
		{ "a flavor without memory", "{flavor: none}", "flavors/none.yaml", DOC("Flavor", "{resources: {limits: {cpu: 1}}}"),
		  "envs/alice/t.yaml:3:16: error[E203]: neither flavor 'none' nor the environment says how much memory "
		  "(write resources: {memory: …})\n" },
		{ "too many processes", "{flavor: gpu, mode: distributed, distributed: {worldSize: 5000}}", NULL, NULL,
		  "envs/alice/t.yaml:3:53: error[E205]: worldSize and nprocsPerNode are at most 4096 "
		  "(split the training over several environments)\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = base_site();
		const char *got;
		struct env *env = NULL;

		if (rows[i].path)
			fixture_add(x, rows[i].path, rows[i].text);
		fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "%s"), rows[i].spec));
		fixture_parse(x, NULL);
		x->report.n = 0; /* what the reader says of the broken ones is not the matter here */
		fixture_resolve(x, &env);
		got = fixture_lines(x);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s:\n%swanted:\n%s", rows[i].label, got, rows[i].want);
		assert_int_equal(env == NULL, rows[i].want[0] != '\0');
		fixture_free(x);
	}
}

static void
missing_owner(void **state)
{
	struct fixture *x = base_site();

	(void)state;
	fixture_add(x, "envs/zoe/t.yaml", DOC("Environment", "{flavor: gpu}"));
	assert_non_null(resolve(x)); /* alice's goes on */
	assert_string_equal(fixture_lines(x), "envs/zoe/t.yaml: error[E304]: the owner 'zoe' has no users/zoe.yaml "
	                                      "(an administrator adds it; or move the file to the folder of an existing user)\n");
	fixture_free(x);
}

static void
dependencies(void **state)
{
	static const char want[] = "envs/alice/t.yaml berth.yaml users/alice.yaml flavors/gpu.yaml images/torch.yaml teams/vision.yaml "
	                           "datasets/imagenet.yaml envs/alice/setup.sh envs/alice/secrets/a.age users/bo.yaml ";
	static const char spec[] = DOC("Environment", "{flavor: gpu, image: torch, datasets: [{name: imagenet}, {name: imagenet, path: /b}],"
	                                              " setup: setup.sh, secrets: [{name: a, file: secrets/a.age}], access: {share: [bo]}}");
	struct fixture *x = base_site();
	const char *const *deps;
	char *got[2];
	struct env *env;
	size_t n;

	(void)state;
	fixture_add(x, "envs/alice/t.yaml", spec);
	fixture_add(x, "envs/alice/setup.sh", "echo hi\n");
	fixture_add(x, "envs/alice/secrets/a.age", "age-encryption.org/v1\n-> X25519 …\n");
	fixture_add(x, "berth.yaml", DOC("Organization", "{secrets: {signer: ssh-ed25519 AAAA}}"));
	fixture_add(x, "users/alice.yaml", DOC("User", "{uid: 7f3a9c12, teams: [vision]}"));
	fixture_parse(x, NULL);
	assert_int_equal(env_resolve(x->mem, &x->site, &x->files, map_get(&x->site.docs[KIND_ENV], "alice/t"), &x->report, &env,
	                             &(struct err){ 0 }), 0);
	assert_string_equal(env->setup, "echo hi\n");
	assert_int_equal(env->nshare, 1);
	assert_int_equal(env->ndatasets, 2);
	assert_int_equal(env->nsecrets, 1);
	assert_ptr_equal(env->datasets[0], env->datasets[1]);
	got[0] = arena_strdup(x->mem, "");
	for (size_t i = 0; i < env->ndeps; i++)
		got[0] = arena_printf(x->mem, "%s%s ", got[0], env->deps[i]);
	env_deps(x->mem, &x->site, env->doc, &deps, &n);
	got[1] = arena_strdup(x->mem, "");
	for (size_t i = 0; i < n; i++)
		got[1] = arena_printf(x->mem, "%s%s ", got[1], deps[i]);
	assert_string_equal(got[0], want);
	assert_string_equal(got[1], want);
	fixture_free(x);
}

/* What is not there yet is a dependency too: its arrival makes the environment whole. */
static void
dependencies_missing(void **state)
{
	struct fixture *x = fixture_new();
	const char *const *deps;
	char *got;
	size_t n;

	(void)state;
	fixture_add(x, "envs/alice/t.yaml", DOC("Environment", "{flavor: gpu, image: torch, team: nlp, setup: s.sh, secrets: [{name: a, file: ../x.age}]}"));
	fixture_add(x, "envs/alice/u.yaml", "a: b: c\n");
	fixture_parse(x, NULL);
	env_deps(x->mem, &x->site, site_get(&x->site, KIND_ENV, "alice/t"), &deps, &n);
	got = arena_strdup(x->mem, "");
	for (size_t i = 0; i < n; i++)
		got = arena_printf(x->mem, "%s%s ", got, deps[i]);
	assert_string_equal(got, "envs/alice/t.yaml berth.yaml users/alice.yaml flavors/gpu.yaml images/torch.yaml teams/nlp.yaml envs/alice/s.sh ");
	env_deps(x->mem, &x->site, site_get(&x->site, KIND_ENV, "alice/u"), &deps, &n);
	assert_int_equal(n, 3);
	assert_string_equal(deps[0], "envs/alice/u.yaml");
	fixture_free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(four_lines),   cmocka_unit_test(numbers),       cmocka_unit_test(order_of_defaults),
		cmocka_unit_test(selection),    cmocka_unit_test(findings),      cmocka_unit_test(missing_owner),
		cmocka_unit_test(dependencies), cmocka_unit_test(dependencies_missing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
