/* SPDX-License-Identifier: Apache-2.0 */
/* Rules over resolved environments and over the tree; each finding with its place, and where the limit was set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"
#define GPU_FLAVOR "resources: {limits: {cpu: 16, memory: 64Gi, nvidia.com/gpu: 1}}"

static struct fixture *
base_site(void)
{
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", DOC("Organization", "{roles: {standard: {gpu: 2, memory: 256Gi}, admin: {}}, cluster: {version: \"1.34\"}}"));
	fixture_add(x, "users/alice.yaml", DOC("User", "{teams: [vision]}"));
	fixture_add(x, "users/bo.yaml", DOC("User", "{role: admin}"));
	fixture_add(x, "teams/vision.yaml", DOC("Team", "{datasets: [imagenet]}"));
	fixture_add(x, "teams/nlp.yaml", DOC("Team", "{}"));
	fixture_add(x, "flavors/cpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 4, memory: 16Gi}}}"));
	fixture_add(x, "flavors/gpu.yaml", DOC("Flavor", "{" GPU_FLAVOR ", max: {gpu: 4, memory: 128Gi, worldSize: 8}}"));
	fixture_add(x, "images/torch.yaml", DOC("Image", "{image: company/torch:2}"));
	fixture_add(x, "datasets/imagenet.yaml", DOC("Dataset", "{claim: {name: imagenet}}"));
	return x;
}

/* path and text: one more file; want: all findings, the first without its "envs/alice/t.yaml:" */
static const struct {
	const char *label, *spec, *path, *text, *want;
} rows[] = {
	{ "nothing to say", "{flavor: gpu}", NULL, NULL, "" },
	{ "role",
	  "{flavor: gpu}",
	  "flavors/gpu.yaml", DOC("Flavor", "{" GPU_FLAVOR ", allow: {roles: [premium, admin]}}"),
	  "3:16: error[E402]: flavor 'gpu' is not for the role 'standard' of alice "
	  "(choose another flavor; this one is for: premium, admin)\n" },
	{ "role that is allowed",
	  "{flavor: gpu}",
	  "flavors/gpu.yaml", DOC("Flavor", "{" GPU_FLAVOR ", allow: {roles: [standard]}}"), "" },
	{ "team of the flavor",
	  "{flavor: gpu}",
	  "flavors/gpu.yaml", DOC("Flavor", "{" GPU_FLAVOR ", allow: {teams: [nlp, robo-*]}}"),
	  "3:16: error[E402]: flavor 'gpu' is not for team vision "
	  "(choose another flavor; this one is for: nlp, robo-*)\n" },
	{ "team by glob",
	  "{flavor: gpu}",
	  "flavors/gpu.yaml", DOC("Flavor", "{" GPU_FLAVOR ", allow: {teams: [vis*]}}"), "" },
	{ "flavor of the team", "{flavor: gpu}", "teams/vision.yaml", DOC("Team", "{flavors: [cpu]}"),
	  "3:16: error[E402]: team 'vision' may not use flavor 'gpu' (choose one of: cpu)\n" },
	{ "not a member", "{flavor: gpu, team: nlp}", NULL, NULL,
	  "3:27: error[E402]: alice is not in team 'nlp' (choose one of: vision)\n" },
	{ "no team, no membership", "{flavor: gpu}", "users/alice.yaml", DOC("User", "{}"), "" },
	{ "image",
	  "{flavor: gpu, image: evil/x:1}",
	  "berth.yaml", DOC("Organization", "{images: {allow: ['company/*', 'nvidia/cuda:*']}}"),
	  "3:28: error[E402]: image 'evil/x:1' is not allowed "
	  "(take one of the catalogue in images/, or one that matches: company/*, nvidia/cuda:*)\n" },
	{ "image of a deeper path",
	  "{flavor: gpu, image: company/a/b:1}",
	  "berth.yaml", DOC("Organization", "{images: {allow: ['company/*']}}"),
	  "3:28: error[E402]: image 'company/a/b:1' is not allowed "
	  "(take one of the catalogue in images/, or one that matches: company/*)\n" },
	{ "built-in image", "{flavor: cpu}", "berth.yaml", DOC("Organization", "{images: {allow: ['company/**']}}"),
	  "3:16: error[E402]: image 'ubuntu:24.04' is not allowed "
	  "(take one of the catalogue in images/, or one that matches: company/**)\n" },
	{ "catalogue image",
	  "{flavor: cpu, image: torch}",
	  "berth.yaml", DOC("Organization", "{images: {allow: ['x/*']}}"), "" },
	{ "digest",
	  "{flavor: cpu, image: torch}", "berth.yaml", DOC("Organization", "{images: {requireDigest: true}}"),
	  "3:28: error[E402]: image 'company/torch:2' names no digest "
	  "(write it as NAME@sha256:… in images/torch.yaml)\n" },
	{ "load balancer for no role", "{flavor: cpu, access: {ssh: {via: loadBalancer}}}", NULL, NULL,
	  "3:41: error[E402]: the role 'standard' of alice may not have a load balancer (write via: bastion)\n" },
	{ "load balancer for others",
	  "{flavor: cpu, access: {ssh: {via: loadBalancer}}}",
	  "berth.yaml", DOC("Organization", "{access: {loadBalancer: [admin]}}"),
	  "3:41: error[E402]: the role 'standard' of alice may not have a load balancer "
	  "(write via: bastion; load balancers are for: admin)\n" },
	{ "load balancer",
	  "{flavor: cpu, access: {ssh: {via: loadBalancer}}}",
	  "berth.yaml", DOC("Organization", "{access: {loadBalancer: [standard]}}"), "" },
	{ "root packages", "{flavor: cpu, packages: {apt: [htop], pip: [x]}}", NULL, NULL,
	  "3:37: error[E402]: apt packages need a flavor with rootEntry, 'cpu' has none "
	  "(take them from conda or pip or an image that has them, or choose a flavor with rootEntry: true (an administrator can make one))\n" },
	{ "root packages granted",
	  "{flavor: cpu, packages: {apt: [htop]}}",
	  "flavors/cpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 4, memory: 16Gi}}, rootEntry: true}"), "" },
	{ "over the flavor's max", "{flavor: gpu, resources: {gpu: 5, memory: 129Gi, cpu: 16500m}}", NULL, NULL,
	  "3:38: error[E401]: gpu is 5, flavor 'gpu' allows 4 (ask for at most 4)\n"
	  "envs/alice/t.yaml:3:38: error[E401]: gpu is 5, role 'standard' allows 2 (ask for at most 2)\n"
	  "envs/alice/t.yaml:3:49: error[E401]: memory is 129Gi, flavor 'gpu' allows 128Gi (ask for at most 128Gi)\n"
	  "envs/alice/t.yaml:3:61: error[E401]: cpu is 16500m, flavor 'gpu' allows 16 (ask for at most 16)\n" },
	{ "over what the flavor has", "{flavor: cpu, resources: {cpu: 5, memory: 17Gi, gpu: 1}}", NULL, NULL,
	  "3:38: error[E401]: cpu is 5, flavor 'cpu' allows 4 (ask for at most 4)\n"
	  "envs/alice/t.yaml:3:49: error[E401]: memory is 17Gi, flavor 'cpu' allows 16Gi (ask for at most 16Gi)\n"
	  "envs/alice/t.yaml:3:60: error[E401]: flavor 'cpu' has no GPU "
	  "(choose a flavor with GPUs, or take the field out)\n" },
	{ "huge pages count", "{flavor: cpu, resources: {memory: 12Gi, hugepages: {2Mi: 5Gi}}}", NULL, NULL,
	  "3:41: error[E401]: memory with huge pages is 17Gi, flavor 'cpu' allows 16Gi (ask for at most 16Gi)\n" },
	{ "world size",
	  "{flavor: gpu, mode: distributed, distributed: {worldSize: 16, nprocsPerNode: 1}}", NULL, NULL,
	  "3:16: error[E401]: memory of all pods is 1Ti, role 'standard' allows 256Gi (ask for at most 256Gi)\n"
	  "envs/alice/t.yaml:3:65: error[E401]: worldSize is 16, flavor 'gpu' allows 8 (ask for at most 8)\n"
	  "envs/alice/t.yaml:3:84: error[E401]: gpu of all pods is 16, role 'standard' allows 2 (ask for at most 2)\n" },
	{ "role's sum over pods",
	  "{flavor: gpu, mode: distributed, distributed: {worldSize: 6, nprocsPerNode: 1}}", NULL, NULL,
	  "3:16: error[E401]: memory of all pods is 384Gi, role 'standard' allows 256Gi (ask for at most 256Gi)\n"
	  "envs/alice/t.yaml:3:83: error[E401]: gpu of all pods is 6, role 'standard' allows 2 (ask for at most 2)\n" },
	{ "user's own limit",
	  "{flavor: gpu, mode: distributed, distributed: {worldSize: 3}}",
	  "users/alice.yaml", DOC("User", "{teams: [vision], limits: {gpu: 3}}"), "" },
	{ "unknown role", "{flavor: cpu}", "users/alice.yaml", DOC("User", "{teams: [vision], role: king}"),
	  "users/alice.yaml:3:31: error[E304]: berth.yaml has no role 'king' "
	  "(name one of the roles there (standard, admin), or add it)\n" },
	{ "not divisible",
	  "{flavor: gpu, mode: distributed, distributed: {worldSize: 3, nprocsPerNode: 2}}",
	  "users/alice.yaml", DOC("User", "{teams: [vision], role: admin}"),
	  "3:65: error[E403]: worldSize 3 is no multiple of nprocsPerNode 2 (write worldSize: 4)\n" },
	{ "more processes than GPUs",
	  "{flavor: gpu, resources: {gpu: 1}, mode: distributed, distributed: {worldSize: 2, nprocsPerNode: 2}}",
	  NULL, NULL,
	  "3:104: error[E403]: 2 processes in each pod, but gpu is 1 "
	  "(write nprocsPerNode: 1, or leave resources.gpu out)\n" },
	{ "nccl without GPUs",
	  "{flavor: cpu, mode: distributed, distributed: {worldSize: 2, backend: nccl}}", NULL, NULL,
	  "3:77: error[E403]: backend nccl needs GPUs, flavor 'cpu' gives none "
	  "(write backend: gloo, or choose a flavor with GPUs)\n" },
	{ "gloo without GPUs", "{flavor: cpu, mode: distributed, distributed: {worldSize: 2}}", NULL, NULL, "" },
	{ "requests over limits",
	  "{flavor: bad}",
	  "flavors/bad.yaml", DOC("Flavor", "{resources: {requests: {cpu: 2, memory: 2Gi}, limits: {cpu: 1, memory: 1Gi}}}"),
	  "flavors/bad.yaml:3:61: error[E403]: flavor 'bad' requests more cpu than its limit\n"
	  "flavors/bad.yaml:3:61: error[E403]: flavor 'bad' requests more memory than its limit\n" },
	{ "shm", "{flavor: cpu, resources: {shm: 17Gi}}", NULL, NULL,
	  "3:38: error[E403]: shm is 17Gi, more than half of the memory limit of 16Gi, against which it counts "
	  "(write at most 8Gi, or ask for more memory)\n" },
	{ "half of it", "{flavor: cpu, resources: {shm: 8Gi}}", NULL, NULL, "" },
	{ "half a page", "{flavor: cpu, resources: {memory: 8Gi, hugepages: {1Gi: 1536Mi, 2Mi: 4Mi}}}", NULL, NULL,
	  "3:63: error[E403]: 1536Mi is no whole number of pages of 1Gi (write 2Gi)\n" },
	{ "numa",
	  "{flavor: num, resources: {numa: required}}",
	  "flavors/num.yaml", DOC("Flavor", "{resources: {requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 1500m, memory: 2Gi}}}"),
	  "3:39: error[E403]: numa: required needs the same memory requested and as limit "
	  "(write resources: {memory: 2Gi})\n"
	  "envs/alice/t.yaml:3:39: error[E403]: numa: required needs whole cpus, the same requested and as limit "
	  "(write resources: {cpu: 2})\n" },
	{ "numa on whole cpus", "{flavor: cpu, resources: {numa: required}}", NULL, NULL, "" },
	{ "volume names",
	  "{flavor: cpu, volumes: [{name: a, size: 1Gi, path: /a}, {name: a, size: 1Gi, path: /b}, {name: home, size: 1Gi, path: /c}]}",
	  NULL, NULL,
	  "3:70: error[E404]: the volume name a is used twice (take one of them out, or choose another)\n"
	  "envs/alice/t.yaml:3:102: error[E404]: the volume name home is taken (choose another)\n" },
	{ "mount paths",
	  "{flavor: cpu, sharedVolumeClaimName: s, checkpoints: {size: 1Gi}, datasets: [{name: imagenet}], volumes: [{name: a, size: 1Gi, path: /shared/}, {name: b, size: 1Gi, path: /checkpoints}, {name: c, size: 1Gi, path: //data//imagenet}, {name: d, size: 1Gi, path: /home/dev}, {name: e, size: 1Gi, path: /dev/shm}, {name: f, size: 1Gi, path: /x/../y}]}",
	  NULL, NULL,
	  "3:84: error[E404]: the path /data/imagenet is used twice (take one of them out, or choose another)\n"
	  "envs/alice/t.yaml:3:140: error[E404]: the path /shared is used twice "
	  "(take one of them out, or choose another)\n"
	  "envs/alice/t.yaml:3:178: error[E404]: the path /checkpoints is used twice "
	  "(take one of them out, or choose another)\n"
	  "envs/alice/t.yaml:3:266: error[E404]: the path /home/dev is taken (choose another)\n"
	  "envs/alice/t.yaml:3:305: error[E404]: the path /dev/shm is taken (choose another)\n"
	  "envs/alice/t.yaml:3:343: error[E402]: '/x/../y' is no plain absolute path "
	  "(start with '/' and use no ':' and no '.' or '..' parts)\n" },
	{ "below another mount",
	  "{flavor: cpu, volumes: [{name: a, size: 1Gi, path: /work}, {name: b, size: 1Gi, path: /work/b}]}",
	  NULL, NULL, "" },
	{ "a dataset twice", "{flavor: cpu, datasets: [{name: imagenet}, {name: imagenet, path: /i}]}", NULL, NULL,
	  "3:57: error[E404]: the dataset imagenet is used twice (take one of them out, or choose another)\n" },
	{ "secrets", "{flavor: cpu, secrets: [{name: a, vault: p#a}, {name: a, vault: p#b}]}", "berth.yaml",
	  DOC("Organization", "{approvals: {mode: none}, cluster: {features: [external-secrets]}, secrets: {stores: [vault]}}"),
	  "3:61: error[E404]: the secret name a is used twice (take one of them out, or choose another)\n" },
	{ "ports", "{flavor: cpu, access: {ports: [0, 6006, 65536, 6006]}}", NULL, NULL,
	  "3:38: error[E205]: 0 is no port (ports are 1 to 65535)\n"
	  "envs/alice/t.yaml:3:47: error[E205]: 65536 is no port (ports are 1 to 65535)\n"
	  "envs/alice/t.yaml:3:54: error[E404]: port 6006 is used twice (take one of them out, or choose another)\n" },
	{ "variables", "{flavor: cpu, env: {OK_1: a, 1A: b, a-b: c, MASTER_ADDR: d}}", NULL, NULL,
	  "3:36: error[E204]: env: '1A' is no name of an environment variable "
	  "(use letters, digits and underscores, no digit first)\n"
	  "envs/alice/t.yaml:3:43: error[E204]: env: 'a-b' is no name of an environment variable "
	  "(use letters, digits and underscores, no digit first)\n"
	  "envs/alice/t.yaml:3:51: error[E404]: env: MASTER_ADDR is set by berth itself (leave it out, or choose another name)\n" },
	{ "variables of torchrun",
	  "{flavor: gpu, mode: distributed, distributed: {ncclSettings: {PET_NNODES: x}}, env: {MASTER_ADDR: d, PETER: e}}",
	  NULL, NULL,
	  "3:69: error[E404]: ncclSettings: PET_NNODES is set by berth itself "
	  "(leave it out; worldSize and nprocsPerNode decide the ranks)\n"
	  "envs/alice/t.yaml:3:92: error[E404]: env: MASTER_ADDR is set by berth itself "
	  "(leave it out; worldSize and nprocsPerNode decide the ranks)\n" },
};

static void
rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		static const char prefix[] = "envs/alice/t.yaml:";
		struct fixture *x = base_site();
		const char *got;

		if (rows[i].path)
			fixture_add(x, rows[i].path, rows[i].text);
		fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "%s"), rows[i].spec));
		fixture_parse(x, NULL);
		fixture_resolve(x, NULL);
		got = fixture_lines(x);
		if (strncmp(got, prefix, sizeof(prefix) - 1) == 0)
			got += sizeof(prefix) - 1;
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s:\n%swanted:\n%s", rows[i].label, got, rows[i].want);
		fixture_free(x);
	}
}

static const struct finding *
finding_of(const struct fixture *x, enum finding_code code)
{
	for (size_t i = 0; i < x->report.n; i++)
		if (x->report.items[i].code == code)
			return &x->report.items[i];
	fail_msg("no finding %s", finding_id(code));
	return NULL;
}

static void
limits_name_their_place(void **state)
{
	struct fixture *x = base_site();

	(void)state;
	fixture_add(x, "flavors/gpu.yaml", DOC("Flavor", "\n  " GPU_FLAVOR "\n  max:\n    gpu: 2\n  allow: {roles: [admin]}"));
	fixture_add(x, "envs/alice/t.yaml", DOC("Environment", "{flavor: gpu, resources: {gpu: 3}}"));
	fixture_parse(x, NULL);
	fixture_resolve(x, NULL);
	assert_string_equal(finding_of(x, FINDING_LIMIT_EXCEEDED)->note, "limit set at flavors/gpu.yaml:6:10");
	assert_string_equal(finding_of(x, FINDING_NOT_PERMITTED)->note, "limit set at flavors/gpu.yaml:7:18");
	fixture_free(x);
}

static void
tree(void **state)
{
	static const char want[] =
		"berth.yaml: error[E501]: there is no berth.yaml at the root (add it (berth init writes one); without it nothing is applied)\n"
		"envs/Alice/t.yaml: error[E302]: 'Alice' is no name: the folder is no user name: a lower-case letter, then letters, "
		"digits and single hyphens, at most 40 characters (rename it)\n"
		"envs/alice/deep/t.yaml: error[E306]: berth does not know what to do with this file: environments are files "
		"envs/<owner>/<name>.yaml (rename or move it to envs/<owner>/<name>.yaml)\n"
		"envs/alice/setup.sh: error[E108]: envs/alice/setup.sh is a symbolic link "
		"(put the file itself there; links are never followed)\n"
		"flavors/gpu.yml: error[E306]: berth does not know what to do with this file: documents end in .yaml "
		"(rename or move it to flavors/<name>.yaml)\n"
		"images: error[E108]: images is a submodule (put the file itself there; links are never followed)\n";
	struct fixture *x = fixture_new();

	(void)state;
	fixture_add(x, "README.md", "");
	fixture_put(x, "doc/link", FILE_SYMLINK, "", 0);
	fixture_add(x, "envs/Alice/t.yaml", "");
	fixture_add(x, "envs/alice/deep/t.yaml", "");
	fixture_add(x, "envs/alice/secrets/a.sops.yaml", "");
	fixture_put(x, "envs/alice/setup.sh", FILE_SYMLINK, "", 0);
	fixture_add(x, "flavors/gpu.yml", "");
	fixture_put(x, "flavors/link.yaml", FILE_SYMLINK, "", 0); /* doc_read says this one */
	fixture_put(x, "images", FILE_SUBMODULE, "", 0);
	validate_tree(&x->files, &x->report);
	assert_string_equal(fixture_lines(x), want);
	fixture_free(x);
}

static void
tree_too_large(void **state)
{
	struct fixture *x = fixture_new();
	size_t n = 200001;
	struct file_entry *entries = calloc(n, sizeof(*entries));

	(void)state;
	assert_non_null(entries);
	for (size_t i = 0; i < n; i++)
		entries[i] = (struct file_entry){ .path = "envs/Bad.yaml", .mode = FILE_REGULAR };
	x->files.entries = entries;
	x->files.n = n;
	validate_tree(&x->files, &x->report);
	assert_int_equal(x->report.n, 2);
	assert_int_equal(finding_of(x, FINDING_TOO_LARGE)->at.line, 0);
	free(entries);
	fixture_free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(limits_name_their_place),
		cmocka_unit_test(tree),
		cmocka_unit_test(tree_too_large),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
