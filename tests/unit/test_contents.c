/* SPDX-License-Identifier: Apache-2.0 */
/* What is put into an environment: the rules about packages, repositories and datasets, and the lists that scripts get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "lib/base/str.h"
#include "render/context.h"
#include "validate/use.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"
#define FLAVOR "resources: {limits: {cpu: 4, memory: 16Gi}}"
#define ROOT_HELP                                                                                                              \
	"(take them from conda or pip or an image that has them, or choose a flavor with rootEntry: true (root))\n"

static struct schemas *schemas;

static struct fixture *
base_site(void)
{
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", DOC("Organization", "{storage: {localClass: local-nvme}, cluster: {version: \"1.34\"}}"));
	fixture_add(x, "users/alice.yaml", DOC("User", "{teams: [vision]}"));
	fixture_add(x, "teams/vision.yaml", DOC("Team", "{datasets: [claim, bucket, sizeless, far]}"));
	fixture_add(x, "flavors/cpu.yaml", DOC("Flavor", "{" FLAVOR "}"));
	fixture_add(x, "flavors/root.yaml", DOC("Flavor", "{" FLAVOR ", rootEntry: true}"));
	fixture_add(x, "images/deb.yaml", DOC("Image", "{image: company/deb, packages: {pip: [jupyterlab, numpy]}}"));
	fixture_add(x, "images/rpm.yaml", DOC("Image", "{image: company/rpm, family: rhel}"));
	fixture_add(x, "images/alp.yaml", DOC("Image", "{image: company/alp, family: alpine}"));
	fixture_add(x, "images/apt.yaml", DOC("Image", "{image: company/apt, packages: {apt: [htop]}}"));
	fixture_add(x, "datasets/claim.yaml", DOC("Dataset", "{claim: {name: c}, size: 100Gi}"));
	fixture_add(x, "datasets/far.yaml", DOC("Dataset", "{claim: {name: c, namespace: data}}"));
	fixture_add(x, "datasets/sizeless.yaml", DOC("Dataset", "{claim: {name: c}}"));
	fixture_add(x, "datasets/bucket.yaml",
	            DOC("Dataset", "{s3: {bucket: data, prefix: img/, secret: read, region: eu-central-1}, size: 10Gi}"));
	return x;
}

/* want: all findings, the first without its "envs/alice/t.yaml:" */
static const struct {
	const char *spec, *want;
} rows[] = {
	{ "{flavor: root, packages: {apt: [htop], pip: [x], conda: [dask]}}", "" },
	{ "{flavor: cpu, packages: {yum: [htop]}}", "3:37: error[E402]: yum packages need a flavor with rootEntry, 'cpu' has none " ROOT_HELP },
	{ "{flavor: root, image: deb, packages: {apt: [htop]}}", "" },
	{ "{flavor: root, image: rpm, packages: {apt: [htop]}}",
	  "3:50: error[E403]: image 'rpm' is of the family rhel, which has no apt "
	  "(write yum: with the names that they have there, or choose an image of the family debian)\n" },
	{ "{flavor: root, image: deb, packages: {yum: [htop]}}",
	  "3:50: error[E403]: image 'deb' is of the family debian, which has no yum "
	  "(write apt: with the names that they have there, or choose an image of the family rhel)\n" },
	{ "{flavor: root, image: alp, packages: {apt: [htop]}}",
	  "3:50: error[E403]: image 'alp' is of the family alpine, which has no apt "
	  "(take them from conda or pip, or choose an image of the family debian)\n" },
	/* what the image asks for counts too, and is said where it stands */
	{ "{flavor: cpu, image: apt}", "images/apt.yaml:3:44: error[E402]: apt packages need a flavor with rootEntry, 'cpu' has none " ROOT_HELP },
	{ "{flavor: cpu, repositories: [{url: 'https://git.example/vit.git'}, {url: 'git@git.example:lab/two', path: /home/dev/w/two}]}", "" },
	{ "{flavor: cpu, repositories: [{url: 'https://git.example/..'}]}",
	  "3:42: error[E402]: '/home/dev/..' is no place for a clone "
	  "(write a path such as /home/dev/vit, without ':' and without '.' or '..' parts)\n" },
	{ "{flavor: cpu, repositories: [{url: 'https://git.example/a', path: /home/dev/../x}]}",
	  "3:73: error[E402]: '/home/dev/../x' is no place for a clone "
	  "(write a path such as /home/dev/vit, without ':' and without '.' or '..' parts)\n" },
	{ "{flavor: cpu, repositories: [{url: 'https://git.example/a', path: /home/dev/.berth/x}]}",
	  "3:73: error[E404]: /home/dev/.berth/x is taken by the environment itself (write a path of its own, such as /home/dev/vit)\n" },
	{ "{flavor: cpu, repositories: [{url: 'https://git.example/a', path: /opt/a}]}",
	  "3:73: error[E403]: no volume is mounted at or above /opt/a "
	  "(write a path below /home/dev, or below the path of one of spec.volumes)\n" },
	{ "{flavor: cpu, repositories: [{url: 'https://git.example/a', path: /w/a}], volumes: [{name: w, size: 1Gi, path: /w}]}", "" },
	{ "{flavor: cpu, repositories: [{url: 'https://git.example/a'}, {url: 'https://git.example/b', path: /home/dev/a/b}]}",
	  "3:105: error[E404]: two repositories at /home/dev/a/b (give each a path of its own, none inside of another)\n" },
	{ "{flavor: cpu, repositories: [{url: 'https://alice:secret@git.example/a'}]}",
	  "3:42: error[E402]: the URL holds a name or password before its '@', which everybody with access to this repository can read "
	  "(write the URL without it, and give the credential to git in the environment)\n" },
	{ "{flavor: cpu, repositories: [{url: 'ssh://git:pw@git.example/a'}]}",
	  "3:42: error[E402]: the URL holds a name or password before its '@', which everybody with access to this repository can read "
	  "(write the URL without it, and give the credential to git in the environment)\n" },
	{ "{flavor: cpu, repositories: [{url: 'ssh://git@git.example/a'}, {url: 'https://git.example/b/@c'}]}", "" },
	{ "{flavor: cpu, datasets: [{name: claim, stage: nvme}, {name: bucket}]}", "" },
	{ "{flavor: cpu, datasets: [{name: sizeless}]}", "" },
	{ "{flavor: cpu, datasets: [{name: sizeless, stage: mmap}]}",
	  "3:56: error[E403]: dataset 'sizeless' says no size, and stage: mmap makes a copy of it "
	  "(an administrator writes size: 150Gi, or how much it is, in datasets/sizeless.yaml; or write stage: mount)\n" },
	{ "{flavor: cpu, datasets: [{name: bucket, stage: mount}]}",
	  "3:54: error[E403]: dataset 'bucket' is in a bucket, which cannot be mounted "
	  "(write stage: nvme for a copy on a local disk, or stage: stream to read objects with berth-data)\n" },
	{ "{flavor: cpu, datasets: [{name: far}]}",
	  "datasets/far.yaml:3:36: warning[W906]: a pod of dev-alice cannot mount the claim 'c' of namespace data "
	  "(make a claim of this name in dev-alice, and take namespace out)\n" },
	/* where root runs and reads nothing of the user's may be */
	{ "{flavor: root, packages: {apt: [htop]}, volumes: [{name: w, size: 1Gi, path: /usr/local/sbin}]}",
	  "3:84: error[E402]: nothing of the user's can be mounted at /usr/local/sbin where root installs packages "
	  "(choose a place below /home/dev, /data, /shared, /workspace, /checkpoints, /mnt, /srv or /scratch)\n" },
	{ "{flavor: root, packages: {apt: [htop]}, volumes: [{name: w, size: 1Gi, path: /data/w}]}", "" },
	{ "{flavor: cpu, datasets: [{name: claim, path: /run/berth/datasets/claim}]}",
	  "3:52: error[E402]: nothing can be mounted below /run/berth (choose a place of your own, such as /data or /workspace)\n" },
};

static void
rules(void **state)
{
	static const char prefix[] = "envs/alice/t.yaml:";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = base_site();
		const char *got;

		fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "%s"), rows[i].spec));
		fixture_parse(x, schemas);
		fixture_resolve(x, NULL);
		got = fixture_lines(x);
		if (strncmp(got, prefix, sizeof(prefix) - 1) == 0)
			got += sizeof(prefix) - 1;
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s:\n%swanted:\n%s", rows[i].spec, got, rows[i].want);
		fixture_free(x);
	}
}

/* Fields whose text reaches a program: what the schema lets through is a name, a URL, a ref or a path and nothing else. */
static void
text_is_checked(void **state)
{
	static const struct {
		const char *field;
		const char *good[12], *bad[20];
	} fields[] = {
		{ "packages: {pip: [\"%s\"]}",
		  { "wandb", "numpy==2.1", "jax[cuda12]>=0.4,<0.6", "torch==2.5.1+cu121", "a@https://x.example/a-1.0.whl#sha256=0a",
		    "a@git+https://x.example/a.git@v1" },
		  { "-r", "--index-url=x", "a b", "$(id)", "a;id", "a`id`", "a'b", "a|b", "a&b", "../x", "./x", "a\\n-r", "*", "a==", "a[",
		    "https://x.example/a.whl", "${HOME}", "#a" } },
		{ "packages: {conda: [\"%s\"]}",
		  { "dask", "conda-forge::polars=1.9", "python=3.11.*", "numpy>=1.2,<2", "a=1=py_0" },
		  { "-c", "--file=x", "a b", "$(id)", "a'b", "a;b", "*", "a\\nb", "/etc/passwd" } },
		{ "packages: {apt: [\"%s\"]}",
		  { "htop", "g++", "libc6:amd64", "samtools=1.16.1-1", "git/bookworm-backports" },
		  { "-y", "htop-", "a*", "./x.deb", "/tmp/x.deb", "a b", "$(id)", "a;b", "x'", "foo^", "a.?b" } },
		{ "packages: {yum: [\"%s\"]}", { "htop", "@development", "gcc-c++", "a-1.2-3.x86_64" }, { "-y", "a b", "$(id)", "a*", "/x.rpm", "a;b" } },
		{ "repositories: [{url: \"%s\"}]",
		  { "https://git.example/a.git", "ssh://git@git.example:22/a", "git@git.example:a/b" },
		  { "ext::sh -c id", "file:///etc", "--upload-pack=x", "https://-x.example/a", "https://git.example/a b", "https://git.example/$(id)",
		    "https://git.example/a\\n", "https://git.example/a'b", "https://git.example/`a`", "git@-oProxyCommand=x:a", "https://git.example/a*" } },
		{ "repositories: [{url: 'https://git.example/a', ref: \"%s\"}]",
		  { "main", "v1.0", "feature/x-1", "0123456789abcdef0123456789abcdef01234567" },
		  { "--orphan", "-b", "a b", "a..b$(id)", "a'b", "a:b", "a~1", "a^", "a*" } },
	};

	(void)state;
	for (size_t f = 0; f < sizeof(fields) / sizeof(*fields); f++)
		for (size_t k = 0; k < 2; k++) {
			const char *const *texts = k ? fields[f].bad : fields[f].good;

			for (size_t i = 0; i < (k ? 20 : 12) && texts[i]; i++) {
				struct fixture *x = base_site();
				struct buf spec AUTO_BUF = BUF_INIT(0);
				const char *at = strstr(fields[f].field, "%s");

				buf_printf(&spec, "{flavor: root, %.*s%s%s}", (int)(at - fields[f].field), fields[f].field, texts[i], at + 2);
				fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "%s"), buf_cstr(&spec)));
				fixture_parse(x, schemas);
				if ((x->report.errors > 0) != (k == 1))
					fail_msg("%s: %s\n%s", buf_cstr(&spec), k ? "accepted" : "refused", fixture_lines(x));
				fixture_free(x);
			}
		}
}

/* The lists of one environment, as `NAME: text`, and the hash. */
static const char *
lists_of(struct fixture *x, const char *spec, const char **hash)
{
	static const char *const names[] = { "packages.apt", "packages.yum", "packages.conda", "packages.pip",
		                             "repositories", "dotfiles",     "datasets",       "checkpoints" };
	struct context_scripts scripts = { .files = value_map(x->mem) };
	struct value *context = NULL;
	struct err e = { 0 };
	struct buf out AUTO_BUF = BUF_INIT(0);
	struct env *env = NULL;

	fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "%s"), spec));
	fixture_parse(x, schemas);
	if (x->report.errors > 0)
		fail_msg("%s", fixture_lines(x));
	for (size_t i = 0; i < x->ndocs; i++)
		if (x->docs[i]->kind == KIND_ENV && env_resolve(x->mem, &x->site, &x->files, x->docs[i], &x->report, &env, &e) < 0)
			fail_msg("%s", e.text);
	assert_non_null(env);
	if (context_env(x->mem, env, &scripts, &context, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct value *v = value_get(value_at(context, "env.files"), names[i]);

		if (v)
			buf_printf(&out, "%s: %s", names[i], value_as_str(v, ""));
	}
	*hash = value_as_str(value_at(context, "env.hash"), "");
	return arena_strdup(x->mem, buf_cstr(&out));
}

/* A change of a list reaches a running pod by itself, so it must not be part of what restarts it. */
static void
lists(void **state)
{
	struct fixture *x = base_site(), *y = base_site();
	const char *hash, *plain;

	(void)state;
	fixture_add(x, "users/alice.yaml",
	            DOC("User", "{teams: [vision], dotfiles: {url: 'https://git.example/alice/dot', script: bin/go}}"));
	assert_string_equal(
	        lists_of(x,
	                 "{flavor: root, image: deb, packages: {pip: [wandb, numpy], apt: [htop, g++]}, checkpoints: {size: 1Gi, keep: 3}, "
	                 "repositories: [{url: 'https://git.example/lab/vit.git'}, {url: 'git@git.example:two/', path: /home/dev/x, ref: v1}], "
	                 "datasets: [{name: claim, stage: nvme}, {name: bucket, path: /data/b}, {name: far}]}",
	                 &hash),
	        "packages.apt: htop\ng++\n"
	        "packages.pip: jupyterlab\nnumpy\nwandb\n"
	        "repositories: /home/dev/vit\thttps://git.example/lab/vit.git\t\n/home/dev/x\tgit@git.example:two/\tv1\n"
	        "dotfiles: https://git.example/alice/dot\t-\tbin/go\n"
	        "datasets: claim\tnvme\t/data/claim\tclaim\t107374182400\t-\t-\t-\t\n"
	        "bucket\tnvme\t/data/b\ts3\t10737418240\t-\teu-central-1\tdata\timg/\n"
	        "checkpoints: 3\t/checkpoints\n");
	assert_string_equal(lists_of(y, "{flavor: root}", &plain), "");
	assert_string_equal(hash, plain);
	fixture_free(x);
	fixture_free(y);
}

/* Copies on disks of their own are claims, and count as such while pods run; in the node's storage they do not. */
static void
copies_count(void **state)
{
	static const struct {
		const char *org, *more;
		int64_t gib; /* beside the home of 20 */
	} cases[] = {
		{ "{storage: {localClass: local-nvme}}", "", 110 + 11 },
		{ "{storage: {localClass: local-nvme}}", ", lifecycle: {paused: true}", 0 },
		{ "{}", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture *x = base_site();
		struct env *env = NULL;
		struct use u;

		fixture_add(x, "berth.yaml", arena_printf(x->mem, DOC("Organization", "%s"), cases[i].org));
		fixture_add(x, "envs/alice/t.yaml",
		            arena_printf(x->mem, DOC("Environment", "{flavor: cpu, datasets: [{name: claim, stage: mmap}, {name: bucket}, "
		                                                    "{name: sizeless}]%s}"),
		                         cases[i].more));
		fixture_parse(x, schemas);
		fixture_resolve(x, &env);
		assert_non_null(env);
		use_of(x->mem, env, &u);
		assert_int_equal(u.limits[SUM_STORAGE], (20 + cases[i].gib) << 30);
		fixture_free(x);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(text_is_checked),
		cmocka_unit_test(lists),
		cmocka_unit_test(copies_count),
	};
	struct err e = { 0 };
	int rc;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (schemas_load(&schemas, &e) < 0) {
		printf("1..1\nnot ok 1 - %s\n", e.text);
		return 1;
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	schemas_free(schemas);
	return rc;
}
