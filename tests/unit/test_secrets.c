/* SPDX-License-Identifier: Apache-2.0 */
/* spec.secrets: places, contents, names, stores, what looks like a secret in plain sight, digests and what restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "lib/base/share.h"
#include "lib/base/str.h"
#include "parse/reserved.h"
#include "parse/secrets.h"
#include "render/render.h"
#include "validate/validate.h"
#include "world.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"
#define SIGNER "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define AGE "age-encryption.org/v1\n-> X25519 a\n"
#define ARMOR "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n"
#define SEALED "ENC[AES256_GCM,data:qA==,iv:yldRPTiRj2hA6ZlOk0MrpoawWhZ5wVBU3eFAf1cvRso=,tag:mbEw3U64mw4HWsPk7k/NEg==,type:str]"
#define MAC \
	"ENC[AES256_GCM,data:lIQi17o+d5Alh3pArMK5MHO3o8fqmXpAYS1yD79m/ggvNc4XHkJ86NcNWjU3A8zQGex67fAPP3gen0GV/HAiypo+qy" \
	"x97xkqjXk/GwvSCk8xdeGHmwXF+UbzPRqBc9WszCYN368lkTFy1/Wmn58Mbi9/GLOn2Rb3bNUzqw1/rMo=,iv:y435Q2NaN9IDkuSHgR6Raz1p" \
	"3nIltmCkpGgQhcGXI98=,tag:OeU8dye2y/6v4hyMGn7kAg==,type:str]"
#define SOPS_END "sops:\n  age:\n    - recipient: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudc8mqwqr0v0sx\n      enc: |\n        " \
	"-----BEGIN AGE ENCRYPTED FILE-----\n        YWdl\n        -----END AGE ENCRYPTED FILE-----\n" \
	"  lastmodified: \"2026-01-01T00:00:00Z\"\n  mac: " MAC "\n  version: 3.13.0\n"

static struct fixture *
site(const char *secrets)
{
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", arena_printf(x->mem, DOC("Organization", "{approvals: {mode: none}, secrets: %s, cluster: {features: "
	            "[external-secrets]}}"), secrets));
	fixture_add(x, "users/alice.yaml", DOC("User", "{uid: 7f3a9c12}"));
	fixture_add(x, "users/bo.yaml", DOC("User", "{}"));
	fixture_add(x, "flavors/cpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 1, memory: 1Gi}}}"));
	fixture_add(x, "flavors/pull.yaml",
	            DOC("Flavor", "{resources: {limits: {cpu: 1, memory: 1Gi}}, defaults: {secrets: [{name: p, file: /secrets/p.age, as: registry}]}}"));
	fixture_add(x, "flavors/out.yaml",
	            DOC("Flavor", "{resources: {limits: {cpu: 1, memory: 1Gi}}, defaults: {secrets: [{name: p, file: /envs/bo/secrets/p.age}]}}"));
	fixture_add(x, "secrets/p.age", ARMOR);
	fixture_add(x, "envs/alice/secrets/a.age", AGE);
	fixture_add(x, "envs/alice/secrets/armored.age", "\n" ARMOR);
	fixture_add(x, "envs/alice/secrets/t/own.age", AGE);
	fixture_add(x, "envs/alice/secrets/u/other.age", AGE);
	fixture_add(x, "envs/alice/secrets/plain.age", "hunter2-hunter2\n");
	fixture_add(x, "envs/alice/secrets/key.age", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n");
	fixture_put(x, "envs/alice/secrets/binary.age", FILE_REGULAR, "\0\1\2", 3);
	fixture_add(x, "envs/alice/secrets/empty.age", "");
	fixture_put(x, "envs/alice/secrets/link.age", FILE_SYMLINK, AGE, sizeof(AGE) - 1);
	fixture_put(x, "envs/alice/secrets/module.age", FILE_SUBMODULE, AGE, sizeof(AGE) - 1);
	fixture_add(x, "envs/alice/secrets/two.sops.yaml", "a: " SEALED "\nb:\n  c: " SEALED "\nleft_unencrypted: visible\n" SOPS_END);
	fixture_add(x, "envs/alice/secrets/one.sops.yaml", "a: " SEALED "\n" SOPS_END);
	fixture_add(x, "envs/alice/secrets/odd.sops.yaml", "a b: " SEALED "\n" SOPS_END);
	fixture_add(x, "envs/alice/secrets/same.sops.yaml", "a:\n  b: " SEALED "\na_b: " SEALED "\n" SOPS_END);
	fixture_add(x, "envs/alice/secrets/plain.sops.yaml", "token: hunter2-hunter2\n");
	fixture_add(x, "envs/alice/secrets/login.sops.yaml", "server: " SEALED "\nusername: " SEALED "\npassword: " SEALED "\n" SOPS_END);
	fixture_add(x, "envs/bo/secrets/b.age", AGE);
	return x;
}

#define ON "{signer: " SIGNER ", stores: [vault]}"

static struct env *
judge(struct fixture *x, const char *owner, const char *spec)
{
	struct env *env = NULL;

	fixture_add(x, arena_printf(x->mem, "envs/%s/t.yaml", owner), arena_printf(x->mem, DOC("Environment", "%s"), spec));
	fixture_parse(x, NULL);
	fixture_resolve(x, &env);
	if (env && validate_env(env, &x->site, &x->report) > 0)
		return NULL;
	return env;
}

/* A spec of alice's, and all that is said of it. */
static const struct {
	const char *label, *secrets, *spec, *want;
} rows[] = {
	{ "fine", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/a.age}, {name: b, file: secrets/armored.age, as: ssh}, {name: c, file: "
	  "secrets/t/own.age, as: file}, {name: d, vault: 'x/y#z', as: git}]}", "" },
	{ "another environment's", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/u/other.age}]}",
	  "envs/alice/t.yaml:3:47: error[E402]: secrets: envs/alice/secrets/u/other.age is for the environment 'u' alone (seal it again for this one: "
	  "`berth seal --env t`, or for all of alice's: `berth seal`)\n" },
	{ "outside of secrets/", ON, "{flavor: cpu, secrets: [{name: a, file: a.age}]}",
	  "envs/alice/t.yaml:3:47: error[E304]: secrets: file: there is no file envs/alice/a.age (add the file in the same commit, or take the field "
	  "out)\n" },
	{ "the path from the top of the repository", ON, "{flavor: cpu, secrets: [{name: a, file: envs/alice/secrets/a.age}]}",
	  "envs/alice/t.yaml:3:47: error[E304]: secrets: file: there is no file envs/alice/envs/alice/secrets/a.age (names begin in envs/alice/: write "
	  "secrets/a.age)\n" },
	{ "the path from the top of the repository, to nothing", ON, "{flavor: cpu, secrets: [{name: a, file: envs/alice/secrets/z.age}]}",
	  "envs/alice/t.yaml:3:47: error[E304]: secrets: file: there is no file envs/alice/envs/alice/secrets/z.age (add the file in the same commit, "
	  "or take the field out)\n" },
	{ "a link", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/link.age}]}",
	  "envs/alice/t.yaml:3:47: error[E108]: secrets: file: envs/alice/secrets/link.age is not a regular file (put the file itself there)\n" },
	{ "a submodule", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/module.age}]}",
	  "envs/alice/t.yaml:3:47: error[E108]: secrets: file: envs/alice/secrets/module.age is not a regular file (put the file itself there)\n" },
	{ "out and in again", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/../../bo/secrets/b.age}]}",
	  "envs/alice/t.yaml:3:47: error[E402]: secrets: file 'secrets/../../bo/secrets/b.age' leaves the owner's folder (name a file below "
	  "envs/alice/, without a leading '/' and without '.' or '..' parts)\n" },
	{ "no signer", "{}", "{flavor: cpu, secrets: [{name: a, file: secrets/a.age}]}",
	  "envs/alice/t.yaml:3:47: error[E402]: secrets: berth.yaml names no spec.secrets.signer: sealed files are not opened here (an administrator "
	  "runs `berth keygen`, gives the key to `berth run --master-key` and writes the signer into berth.yaml; until then take this out)\n" },
	{ "no signer, and not sealed", "{}", "{flavor: cpu, secrets: [{name: a, file: secrets/plain.age}]}",
	  "envs/alice/t.yaml:3:47: error[E309]: secrets: envs/alice/secrets/plain.age is not sealed: anyone who reads the repository has it (change "
	  "that secret now where it is from, then seal the new one: `berth seal`)\n"
	  "envs/alice/t.yaml:3:47: error[E402]: secrets: berth.yaml names no spec.secrets.signer: sealed files are not opened here (an administrator "
	  "runs `berth keygen`, gives the key to `berth run --master-key` and writes the signer into berth.yaml; until then take this out)\n" },
	{ "a default of the site", ON, "{flavor: pull}", "" },
	{ "a default and one's own", ON, "{flavor: pull, secrets: [{name: a, file: secrets/a.age}]}", "" },
	{ "a default that leads elsewhere", ON, "{flavor: out}",
	  "flavors/out.yaml:3:89: error[E304]: secrets: file: there is no file envs/bo/secrets/p.age (add the file in the same commit, or take the "
	  "field out)\n" },
	{ "the site's from one's own document", ON, "{flavor: cpu, secrets: [{name: a, file: /secrets/p.age}]}",
	  "envs/alice/t.yaml:3:47: error[E402]: secrets: file '/secrets/p.age' leaves the owner's folder (name a file below envs/alice/, without a "
	  "leading '/' and without '.' or '..' parts; secrets of the site come with defaults of the flavor, image, team or organization)\n" },
	{ "plain text", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/plain.age}]}",
	  "envs/alice/t.yaml:3:47: error[E309]: secrets: envs/alice/secrets/plain.age is not sealed: anyone who reads the repository has it (change "
	  "that secret now where it is from, then seal the new one: `berth seal`)\n" },
	{ "a private key", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/key.age, as: ssh}]}",
	  "envs/alice/t.yaml:3:47: error[E309]: secrets: envs/alice/secrets/key.age is not sealed: anyone who reads the repository has it (change "
	  "that secret now where it is from, then seal the new one: `berth seal`)\n" },
	{ "plain SOPS", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/plain.sops.yaml}]}",
	  "envs/alice/t.yaml:3:47: error[E309]: secrets: envs/alice/secrets/plain.sops.yaml is not sealed: anyone who reads the repository has it "
	  "(change that secret now where it is from, then seal the new one: `berth seal`)\n" },
	{ "something else", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/binary.age}, {name: b, file: secrets/empty.age}]}",
	  "envs/alice/t.yaml:3:47: error[E308]: secrets: envs/alice/secrets/binary.age is no age file (seal the secret again: `berth seal`)\n"
	  "envs/alice/t.yaml:3:84: error[E308]: secrets: envs/alice/secrets/empty.age is empty (seal the secret into it: `berth seal`)\n" },
	{ "a value left plain", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/two.sops.yaml, key: left_unencrypted}, {name: b, file: "
	  "secrets/two.sops.yaml, key: b.d}, {name: c, file: secrets/two.sops.yaml, key: b}]}",
	  "envs/alice/t.yaml:3:31: error[E308]: secrets: envs/alice/secrets/two.sops.yaml has 'left_unencrypted' in plain text: anyone who reads the "
	  "repository has it (change that secret now, and let SOPS seal it: see encrypted_regex or encrypted_suffix in .sops.yaml)\n"
	  "envs/alice/t.yaml:3:94: error[E308]: secrets: envs/alice/secrets/two.sops.yaml has no sealed value 'b.d' (did you mean 'b.c')\n"
	  "envs/alice/t.yaml:3:144: error[E308]: secrets: envs/alice/secrets/two.sops.yaml has no sealed value 'b' (it has 'a')\n" },
	{ "no login", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/two.sops.yaml, as: git}, {name: b, file: secrets/two.sops.yaml, as: "
	  "registry}, {name: c, file: secrets/two.sops.yaml, as: ssh}]}",
	  "envs/alice/t.yaml:3:31: error[E308]: secrets: envs/alice/secrets/two.sops.yaml has no sealed value 'server' (a login has server, username "
	  "and password at its top, all of them sealed)\n"
	  "envs/alice/t.yaml:3:80: error[E308]: secrets: envs/alice/secrets/two.sops.yaml has no sealed value 'server' (a login has server, username "
	  "and password at its top, all of them sealed)\n"
	  "envs/alice/t.yaml:3:134: error[E308]: secrets: envs/alice/secrets/two.sops.yaml has 2 sealed values, and an SSH key is one (name it with "
	  "`key:`)\n" },
	{ "logins", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/login.sops.yaml, as: git}, {name: b, file: secrets/login.sops.yaml, as: "
	  "registry}, {name: c, file: secrets/one.sops.yaml, as: ssh}]}", "" },
	{ "two values, one variable", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/same.sops.yaml}]}",
	  "envs/alice/t.yaml:3:31: error[E308]: secrets: envs/alice/secrets/same.sops.yaml has two values that are called a_b (rename one of them, or "
	  "take one with `key:`)\n" },
	{ "two values, one of them taken", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/same.sops.yaml, key: a_b}, {name: b, file: "
	  "secrets/same.sops.yaml, as: file}]}", "" },
	{ "names", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/odd.sops.yaml}, {name: b, file: secrets/odd.sops.yaml, as: file}]}",
	  "envs/alice/t.yaml:3:31: error[E204]: secrets: 'a b' is no name of an environment variable (use letters, digits and underscores, no digit "
	  "first: rename it in the file, or take one value with `key:` and name it with `variable:`)\n"
	  "envs/alice/t.yaml:3:71: error[E204]: secrets: 'a b' is no name of a file of a Secret (use letters, digits, '-', '_' and '.': rename it in "
	  "the file, or take one value with `key:`)\n" },
	{ "variables", ON, "{flavor: cpu, env: {B_C: x}, secrets: [{name: a, file: secrets/a.age, variable: B_C}, {name: b, file: secrets/a.age, variable: "
	  "WORLD_SIZE}, {name: c, file: secrets/two.sops.yaml}, {name: d, file: secrets/a.age, variable: a}]}",
	  "envs/alice/t.yaml:3:46: error[E404]: secrets: the variable B_C of 'a' is set by `env` too (choose another name with `variable:`)\n"
	  "envs/alice/t.yaml:3:93: error[E404]: secrets: the variable WORLD_SIZE of 'b' is set by berth itself (choose another name with `variable:`)\n"
	  "envs/alice/t.yaml:3:187: error[E404]: secrets: the variable a of 'd' is the secret 'c' already (choose another name with `variable:`)\n" },
	{ "variables of scripts", ON, "{flavor: cpu, secrets: [{name: login, file: secrets/login.sops.yaml}, {name: b, file: secrets/a.age, variable: token}]}",
	  "envs/alice/t.yaml:3:31: error[E404]: secrets: the variable username of 'login' is used by berth's scripts themselves (take the values that you "
	  "need with `key:`, and name each with `variable:`)\n" },
	{ "fields", ON, "{flavor: cpu, secrets: [{name: a, file: secrets/a.age, path: /x}, {name: b, file: secrets/a.age, as: ssh, variable: V}, {name: c, "
	  "file: secrets/a.age, key: k}, {name: d, file: secrets/login.sops.yaml, as: git, key: server}, {name: e, file: secrets/a.age, store: vault}, "
	  "{name: f, file: secrets/two.sops.yaml, variable: V}]}",
	  "envs/alice/t.yaml:3:68: error[E403]: secrets: `path` is for `as: file` (take it out, or write as: file)\n"
	  "envs/alice/t.yaml:3:123: error[E403]: secrets: `variable` names one value of `as: env` (take it out, or write as: env)\n"
	  "envs/alice/t.yaml:3:163: error[E403]: secrets: `key` is for SOPS files (take it out: an .age file is one value)\n"
	  "envs/alice/t.yaml:3:222: error[E403]: secrets: `key` cannot be with `as: git` (take it out: a login is server, username and password of the "
	  "file together)\n"
	  "envs/alice/t.yaml:3:269: error[E403]: secrets: `store` is for `vault` (take it out: the file is in this repository)\n"
	  "envs/alice/t.yaml:3:326: error[E403]: secrets: `variable` names one value of `as: env` (say with `key:` which value of the file it is)\n" },
	{ "mounts", ON, "{flavor: cpu, volumes: [{name: v, size: 1Gi, path: /run/secrets/a/v}], secrets: [{name: a, file: secrets/two.sops.yaml, as: file}, "
	  "{name: b, file: secrets/a.age, as: file, path: /home/dev/.config/x/token}, {name: c, file: secrets/a.age, as: file, path: /home/dev/.token}, "
	  "{name: rhsm, file: secrets/a.age, as: file}, {name: d, file: secrets/a.age, as: file, path: /run/secrets/a}]}",
	  "envs/alice/t.yaml:3:31: error[E403]: /run/secrets/a/v is inside the secret's /run/secrets/a (nothing can be mounted inside a secret: choose a "
	  "place beside it)\n"
	  "envs/alice/t.yaml:3:138: error[E403]: secrets: the folder of /home/dev/.config/x/token would belong to root on the volume /home/dev (leave path "
	  "out (/run/secrets/<name>), or choose a file directly in /home/dev)\n"
	  "envs/alice/t.yaml:3:279: error[E404]: the path /run/secrets/rhsm is taken (choose another)\n"
	  "envs/alice/t.yaml:3:371: error[E404]: the path /run/secrets/a is used twice (take one of them out, or choose another)\n" },
	{ "vault", ON, "{flavor: cpu, secrets: [{name: a, vault: '../bo/x#y'}]}",
	  "envs/alice/t.yaml:3:48: error[E402]: secrets: vault '../bo/x#y' leaves the owner's part of the store (write PATH#KEY, where PATH is below "
	  "alice/ and has no '.' or '..' parts)\n" },
	{ "another store", ON, "{flavor: cpu, secrets: [{name: b, vault: 'x#y', store: other}]}",
	  "envs/alice/t.yaml:3:62: error[E402]: secrets: the store 'other' is not allowed (berth.yaml allows vault in spec.secrets.stores)\n" },
	{ "several stores", "{stores: [vault, other]}", "{flavor: cpu, secrets: [{name: a, vault: 'x#y'}]}",
	  "envs/alice/t.yaml:3:48: error[E203]: secrets: berth.yaml allows several stores, and 'a' names none (add `store: vault`)\n" },
	{ "no store", "{}", "{flavor: cpu, secrets: [{name: a, vault: 'x#y'}]}",
	  "envs/alice/t.yaml:3:48: error[E402]: secrets: berth.yaml allows no store for 'a' (an administrator names one in spec.secrets.stores; or seal "
	  "the value into a file (`berth seal a`))\n" },
	{ "in plain sight", ON, "{flavor: cpu, env: {WANDB_API_KEY: 0123456789abcdef0123, X: ghp_0123456789abcdefghijABCDEFGHIJ012345, HF_TOKEN: hf_abcdefghij, "
	  "db_password: correct-horse}}",
	  "envs/alice/t.yaml:3:27: warning[W908]: env: WANDB_API_KEY looks like a secret, and everybody who reads this repository reads it (make a new one "
	  "where it is from, seal it (`berth seal wandb-api-key`) and name it in `secrets:` with variable: WANDB_API_KEY)\n"
	  "envs/alice/t.yaml:3:64: warning[W908]: env: X looks like a secret, and everybody who reads this repository reads it (make a new one where it is "
	  "from, seal it (`berth seal x`) and name it in `secrets:` with variable: X)\n"
	  "envs/alice/t.yaml:3:109: warning[W908]: env: HF_TOKEN looks like a secret, and everybody who reads this repository reads it (make a new one where "
	  "it is from, seal it (`berth seal hf-token`) and name it in `secrets:` with variable: HF_TOKEN)\n"
	  "envs/alice/t.yaml:3:134: warning[W908]: env: db_password looks like a secret, and everybody who reads this repository reads it (make a new one "
	  "where it is from, seal it (`berth seal db-password`) and name it in `secrets:` with variable: db_password)\n" },
	{ "nothing to hide", ON, "{flavor: cpu, env: {TOKENIZERS_PARALLELISM: 'false', TOKENIZER: bert-base-uncased, HF_TOKEN_PATH: /run/secrets/hf, HF_TOKEN: "
	  "/run/secrets/hf, MAX_TOKEN: 1234567890, KEY_TYPE: ed25519-sha, API_KEY: none, SECRET_NAME_URL: 'https://example.org/x', MONKEY: "
	  "chimpanzee-bonobo, TOKEN: '$OTHER_VARIABLE'}}", "" },
};

static void
findings(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = site(rows[i].secrets);
		struct env *env = judge(x, "alice", rows[i].spec);
		const char *got;

		report_sort(&x->report);
		got = fixture_lines(x);
		if (strcmp(got, rows[i].want) != 0 && ++wrong)
			print_error("%s:\n%swanted:\n%s", rows[i].label, got, rows[i].want);
		assert_int_equal(env != NULL, x->report.errors == 0);
		assert_null(strstr(got, "hunter2"));
		assert_null(strstr(got, "b3BlbnNz"));
		fixture_free(x);
	}
	assert_int_equal(wrong, 0);
}

/* The report that people and logs get shows no line with a secret on it. */
static void
not_shown(void **state)
{
	struct fixture *x = site(ON);
	struct buf text AUTO_BUF = BUF_INIT(0);

	(void)state;
	assert_non_null(judge(x, "alice", "{flavor: cpu, env: {WANDB_API_KEY: 0123456789abcdef0123}}"));
	report_text(&x->report, &x->files, false, &text);
	assert_non_null(strstr(buf_cstr(&text), "warning[W908]: env: WANDB_API_KEY looks like a secret"));
	assert_non_null(strstr(buf_cstr(&text), "--> envs/alice/t.yaml:3:27\n"));
	assert_null(strstr(buf_cstr(&text), "0123456789abcdef"));
	fixture_free(x);
}

static void
uid(void **state)
{
	struct fixture *x = site(ON);

	(void)state;
	assert_null(judge(x, "bo", "{flavor: cpu, secrets: [{name: b, file: secrets/b.age}]}"));
	assert_string_equal(fixture_lines(x), "envs/bo/t.yaml:3:47: error[E203]: secrets: the owner 'bo' has no uid, and sealed files are bound to it "
	                                      "(an administrator adds `uid:` to users/bo.yaml once, any text that was never given to anybody)\n");
	fixture_free(x);
	/* what is the site's needs none; neither is there a host key without one */
	x = site(ON);
	assert_non_null(judge(x, "bo", "{flavor: pull}"));
	assert_string_equal(fixture_lines(x), "");
	fixture_free(x);
}

/* What a default gives stays beside one's own, unless that has its name. */
static void
joined(void **state)
{
	static const struct {
		const char *spec, *names;
	} cases[] = {
		{ "{flavor: pull}", "p:t--secret-p:registry " },
		{ "{flavor: pull, secrets: []}", "p:t--secret-p:registry " },
		{ "{flavor: pull, secrets: [{name: a, file: secrets/a.age}]}", "a:t--secret-a:env p:t--secret-p:registry " },
		{ "{flavor: pull, secrets: [{name: p, file: secrets/a.age}]}", "p:t--secret-p:env " },
		{ "{flavor: cpu, secrets: [{name: b, file: secrets/a.age}, {name: a, file: secrets/a.age}]}", "b:t--secret-b:env a:t--secret-a:env " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture *x = site(ON);
		struct env *env = judge(x, "alice", cases[i].spec);
		struct buf got AUTO_BUF = BUF_INIT(0);

		if (!env)
			fail_msg("%s: %s", cases[i].spec, fixture_lines(x));
		for (size_t k = 0; k < env->nsecrets; k++)
			buf_printf(&got, "%s:%s:%s ", env->secrets[k].name, env->secrets[k].object, env->secrets[k].as == SECRET_ENV ? "env" : "registry");
		assert_string_equal(buf_cstr(&got), cases[i].names);
		fixture_free(x);
	}
}

/* The sealed files of an environment are at most a mebibyte together. */
static void
too_large(void **state)
{
	struct fixture *x = site(ON);
	size_t n = 700 * 1024;
	char *text = arena_alloc(x->mem, n + 1);

	(void)state;
	memset(text, 'x', n);
	memcpy(text, AGE, strlen(AGE));
	fixture_add(x, "envs/alice/secrets/a.age", text);
	assert_non_null(judge(x, "alice", "{flavor: cpu, secrets: [{name: a, file: secrets/a.age}]}"));
	fixture_free(x);
	x = site(ON);
	text = arena_alloc(x->mem, n + 1);
	memset(text, 'x', n);
	memcpy(text, AGE, strlen(AGE));
	fixture_add(x, "envs/alice/secrets/a.age", text);
	assert_null(judge(x, "alice", "{flavor: cpu, secrets: [{name: a, file: secrets/a.age}, {name: b, file: secrets/a.age, as: file}]}"));
	assert_non_null(strstr(fixture_lines(x), "envs/alice/t.yaml:3:79: error[E106]: secrets: envs/alice/secrets/a.age cannot be read: "));
	fixture_free(x);
}

static void
settings(void **state)
{
	static const struct {
		const char *secrets;
		unsigned generation, oldest;
	} cases[] = {
		{ "{}", 1, 1 }, { "{generation: 1}", 1, 1 }, { "{generation: 2}", 2, 1 }, { "{generation: 7}", 7, 6 },
		{ "{generation: 7, oldest: 3}", 7, 3 }, { "{generation: 7, oldest: 7}", 7, 7 }, { "{generation: 2, oldest: 9}", 2, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture *x = site(cases[i].secrets);
		struct secret_settings got;

		fixture_parse(x, NULL);
		secrets_settings(x->site.org, &got);
		assert_int_equal(got.generation, cases[i].generation);
		assert_int_equal(got.oldest, cases[i].oldest);
		assert_null(got.signer);
		fixture_free(x);
	}
}

/* -- variables of scripts ----------------------------------------------------------------------------------------------------- */

static void
must_be_reserved(const char *file, const char *s, size_t n, struct map *found)
{
	char name[64];

	if (n == 0 || n >= sizeof(name))
		return;
	memcpy(name, s, n);
	name[n] = '\0';
	(void)map_put(found, name, NULL);
	if (strcmp(name, "_") != 0 && !reserved_word(name))
		fail_msg("%s uses the variable %s, which parse/reserved.c does not know", file, name);
}

static size_t
lower_word(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz_0123456789");

	return n > 0 && (s[0] < '0' || s[0] > '9') ? n : 0;
}

/* NAME=…, for NAME in, read -r NAME …; comments apart. */
static void
scan_line(const char *file, const char *line, struct map *found)
{
	const char *s = line + strspn(line, " \t");

	if (*s == '#')
		return;
	for (; *s; s++) {
		bool begins = s == line || strchr(" \t;({&|`\"", s[-1]);
		size_t n = begins ? lower_word(s) : 0;

		if (n && s[n] == '=')
			must_be_reserved(file, s, n, found);
		if (begins && str_starts(s, "for ") && (n = lower_word(s + 4)) && str_starts(s + 4 + n, " in"))
			must_be_reserved(file, s + 4, n, found);
		if (!begins || !str_starts(s, "read -r "))
			continue;
		for (const char *w = s + 8; (n = lower_word(w)); w += n + (w[n] == ' '))
			must_be_reserved(file, w, n, found);
	}
}

static void
script_words(void **state)
{
	const struct share_file *files;
	struct map found AUTO_MAP = MAP_INIT;
	struct err e = { 0 };
	size_t n;

	(void)state;
	assert_int_equal(share_files(&files, &n, &e), 0);
	for (size_t i = 0; i < n; i++) {
		struct arena *AUTO_ARENA mem = arena_new(1 << 20);
		char *text = arena_strdup(mem, files[i].bytes), *end;

		for (char *line = text; str_starts(files[i].path, "templates/scripts/") && line; line = end ? end + 1 : NULL) {
			if ((end = strchr(line, '\n')))
				*end = '\0';
			scan_line(files[i].path, line, &found);
		}
	}
	assert_true(found.live > 100);
	assert_false(reserved_word("token") || reserved_word("") || reserved_word("PATH") || reserved_word("zzz"));
}

/* -- what a changed value does ---------------------------------------------------------------------------------------------- */

static const struct object *
object(const struct bundle *b, const char *kind, const char *name)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->objects[i].kind, kind) == 0 && strcmp(b->objects[i].name, name) == 0)
			return &b->objects[i];
	fail_msg("no %s/%s", kind, name);
	return NULL;
}

static struct bundle *
rendered(struct fixture *x, struct env *env)
{
	struct templates *t = NULL;
	struct bundle *b = NULL;
	struct report r = { 0 };
	struct err e = { 0 };

	report_init(&r, x->mem);
	if (templates_load(NULL, &r, &t, &e) < 0 || render_env(t, x->mem, env, &b, &e) < 0)
		fail_msg("%s", e.text);
	templates_free(t);
	return b;
}

static bool
same(const struct object *a, const struct object *b)
{
	struct digest x, y;

	object_digest(a, &x);
	object_digest(b, &y);
	return memcmp(&x, &y, sizeof(x)) == 0;
}

/* Only what a running pod cannot take up restarts it; the Secret itself always changes. */
static void
rolls(void **state)
{
	static const struct {
		const char *item, *object;
		bool rolls;
	} cases[] = {
		{ "{name: s, file: secrets/a.age}", "t--secret-s", true },
		{ "{name: s, file: secrets/a.age, as: file}", "t--secret-s", true },
		{ "{name: s, file: secrets/two.sops.yaml, as: file}", "t--secret-s", true },
		{ "{name: s, file: secrets/a.age, as: ssh}", "t--secret-s", false },
		{ "{name: s, file: secrets/a.age, as: git}", "t--secret-s", false },
		{ "{name: s, file: secrets/login.sops.yaml, as: git}", "t--secret-s", false },
		{ "{name: s, file: secrets/a.age, as: registry}", "t--secret-s", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture *x = site(ON);
		struct env *env = judge(x, "alice", arena_printf(x->mem, "{flavor: cpu, secrets: [%s]}", cases[i].item));
		struct bundle *before, *again, *after;
		struct digest secret, changed;

		if (!env)
			fail_msg("%s", fixture_lines(x));
		before = rendered(x, env);
		again = rendered(x, env);
		assert_memory_equal(&before->digest, &again->digest, sizeof(before->digest));
		object_digest(object(before, "Secret", cases[i].object), &secret); /* digests stay in `env` */
		(void)snprintf(env->secrets[0].entries[0].digest, SEAL_DIGEST_HEX, "%s", "00112233445566778899aabbccddeeff");
		after = rendered(x, env);
		assert_int_not_equal(memcmp(&before->digest, &after->digest, sizeof(before->digest)), 0);
		object_digest(object(after, "Secret", cases[i].object), &changed);
		assert_int_not_equal(memcmp(&secret, &changed, sizeof(secret)), 0);
		if (same(object(before, "StatefulSet", "t"), object(after, "StatefulSet", "t")) == cases[i].rolls)
			fail_msg("%s", cases[i].item);
		assert_true(same(object(before, "Secret", "t--hostkeys"), object(after, "Secret", "t--hostkeys")));
		fixture_free(x);
	}
}

/* Thousands of values in files that are small: refused while there is room to say so. */
static void
too_many(void **state)
{
	struct fixture *x = site(ON);
	struct buf many AUTO_BUF = BUF_INIT(0), spec AUTO_BUF = BUF_INIT(0);
	struct templates *t = NULL;
	struct bundle *b = NULL;
	struct report r = { 0 };
	struct err e = { 0 };
	struct arena *AUTO_ARENA small = arena_new((size_t)4 << 20);
	struct env *env;

	(void)state;
	for (int i = 0; i < 180; i++)
		buf_printf(&many, "v%d: " SEALED "\n", i);
	buf_str(&many, SOPS_END);
	fixture_add(x, "envs/alice/secrets/many.sops.yaml", many.data);
	buf_str(&spec, "{flavor: cpu, secrets: [");
	for (int i = 0; i < 30; i++)
		buf_printf(&spec, "%s{name: s%d, file: secrets/many.sops.yaml, as: file}", i ? ", " : "", i);
	buf_str(&spec, "]}");
	env = judge(x, "alice", spec.data);
	if (!env)
		fail_msg("%s", fixture_lines(x));
	assert_int_equal(env->nsecrets * env->secrets[0].n, 5400);
	report_init(&r, x->mem);
	assert_int_equal(templates_load(NULL, &r, &t, &e), 0);
	assert_int_equal(render_env(t, small, env, &b, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "too large to render"));
	templates_free(t);
	fixture_free(x);
}

/* What people see of a Secret never holds data or digests, and no API server takes it. */
static void
shown(void **state)
{
	struct fixture *x = site(ON);
	struct env *env = judge(x, "alice", "{flavor: cpu, secrets: [{name: s, file: secrets/two.sops.yaml}]}");
	struct buf out AUTO_BUF = BUF_INIT(0);
	const struct object *o;

	(void)state;
	assert_non_null(env);
	o = object(rendered(x, env), "Secret", "t--secret-s");
	assert_int_equal(o->nparts, 2);
	assert_string_equal(o->parts[0].key, "a");
	assert_string_equal(o->parts[1].key, "b_c");
	assert_string_equal(o->parts[1].value, "b.c");
	assert_int_equal(o->parts[1].sealed->format, SEAL_SOPS_YAML);
	assert_string_equal(o->parts[1].sealed->place.uid, "7f3a9c12");
	assert_null(value_get(o->value, "data"));
	object_write(o, &out);
	assert_non_null(strstr(buf_cstr(&out), "  a: \"<sealed: envs/alice/secrets/two.sops.yaml a>\"\n"));
	assert_null(strstr(buf_cstr(&out), o->digests[0]));
	assert_null(strstr(buf_cstr(&out), "ENC["));
	fixture_free(x);
}

/* -- what a decryptor tells --------------------------------------------------------------------------------------------------- */

struct teller {
	const char *digest; /* of every value */
	const char *refuse; /* the error instead */
	size_t asked, hosts;
	unsigned generation, oldest;
};

static int
look(void *ctx, struct arena *mem, const struct sealed *s, struct sealed_value **out, size_t *n, struct err *e)
{
	static const char *const names[] = { "", "a", "b.c" };
	struct teller *t = ctx;

	t->asked++;
	t->generation = s->generation;
	t->oldest = s->oldest;
	if (t->refuse) {
		(void)err_set(e, ERR_DENIED, "%s", t->refuse);
		return err_hint(e, "berth seal a");
	}
	*n = s->format == SEAL_AGE ? 1 : 2;
	*out = arena_array(mem, *n, sizeof(**out));
	for (size_t i = 0; i < *n; i++) {
		(*out)[i].name = names[s->format == SEAL_AGE ? i : i + 1];
		memcpy((*out)[i].digest, t->digest, SEAL_DIGEST_HEX);
	}
	return 0;
}

static int
host(void *ctx, const struct seal_place *env, const char *const *names, size_t n, char digest[SEAL_DIGEST_HEX], struct err *e)
{
	struct teller *t = ctx;

	(void)e;
	t->hosts++;
	assert_int_equal(env->scope, PLACE_ENV);
	assert_string_equal(env->owner, "alice");
	assert_string_equal(env->uid, "7f3a9c12");
	assert_string_equal(env->env, "t");
	assert_true(n >= 1 && names[0]);
	memcpy(digest, t->digest, SEAL_DIGEST_HEX);
	return 0;
}

/* The world over the files of a fixture; spec of alice/t. */
static struct world *
world_of(struct fixture *x, const char *spec)
{
	struct world *w;
	struct err e = { 0 };

	fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "%s"), spec));
	fixture_parse(x, NULL);
	if (world_new(&w, &e) < 0 || world_adopt(w, &x->files, NULL, 0, true, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(world_usable(w));
	return w;
}

static void
told(void **state)
{
	struct fixture *x = site("{signer: " SIGNER ", generation: 3}");
	struct world *w = world_of(x, "{flavor: cpu, secrets: [{name: a, file: secrets/a.age}, {name: b, file: secrets/two.sops.yaml, as: file}, {name: c, "
	                              "file: secrets/login.sops.yaml, as: registry}]}");
	struct teller t = { .digest = "00112233445566778899aabbccddeeff" };
	struct env_result r, again, other;
	struct err e = { 0 };
	const struct object *o;

	(void)state;
	world_seal_by(w, look, host, &t);
	assert_int_equal(world_env(w, x->mem, "alice", "t", false, &r, &e), 0);
	assert_int_equal(t.asked + t.hosts, 0); /* a check alone opens nothing */
	assert_int_equal(world_env(w, x->mem, "alice", "t", true, &r, &e), 0);
	assert_true(r.ok && r.bundle);
	assert_int_equal(t.asked, 3);
	assert_int_equal(t.hosts, 1);
	assert_int_equal(t.generation, 3);
	assert_int_equal(t.oldest, 2);
	o = object(r.bundle, "Secret", "t--secret-b");
	assert_int_equal(o->nparts, 2);
	assert_string_equal(o->digests[1], t.digest);
	assert_string_equal(object(r.bundle, "Secret", "t--hostkeys")->digests[0], t.digest);
	/* the same values sealed anew: nothing at all is another */
	fixture_add(x, "envs/alice/secrets/a.age", AGE "of another day\n");
	assert_int_equal(world_env(w, x->mem, "alice", "t", true, &again, &e), 0);
	assert_memory_equal(&again.bundle->digest, &r.bundle->digest, sizeof(r.bundle->digest));
	t.digest = "ffeeddccbbaa99887766554433221100";
	assert_int_equal(world_env(w, x->mem, "alice", "t", true, &other, &e), 0);
	assert_false(same(object(r.bundle, "StatefulSet", "t"), object(other.bundle, "StatefulSet", "t")));
	/* one entry that is made of several values has a digest of all of them */
	assert_string_equal(object(again.bundle, "Secret", "t--secret-c")->digests[0], object(r.bundle, "Secret", "t--secret-c")->digests[0]);
	assert_string_not_equal(object(other.bundle, "Secret", "t--secret-c")->digests[0], object(r.bundle, "Secret", "t--secret-c")->digests[0]);
	world_free(w);
	fixture_free(x);
}

/* What does not open is a finding of the environment with the decryptor's words; it is not applied. */
static void
not_opened(void **state)
{
	struct fixture *x = site(ON);
	struct world *w = world_of(x, "{flavor: cpu, secrets: [{name: a, file: secrets/a.age}]}");
	struct teller t = { .refuse = "sealed for bo" };
	struct buf line AUTO_BUF = BUF_INIT(0);
	struct env_result r;
	struct err e = { 0 };

	(void)state;
	world_seal_by(w, look, NULL, &t);
	assert_int_equal(world_env(w, x->mem, "alice", "t", true, &r, &e), 0);
	assert_false(r.ok);
	assert_null(r.bundle);
	assert_non_null(r.env); /* what it depends on is known */
	assert_int_equal(r.findings.n, 1);
	finding_line(&r.findings.items[0], &line);
	assert_string_equal(buf_cstr(&line), "envs/alice/t.yaml:3:31: error[E310]: secrets: envs/alice/secrets/a.age: sealed for bo (berth seal a)");
	world_seal_by(w, NULL, NULL, NULL);
	assert_int_equal(world_env(w, x->mem, "alice", "t", true, &r, &e), 0);
	assert_true(r.ok);
	world_free(w);
	fixture_free(x);
}

/* Where sealed files stand nothing is plain, named or not; what an environment was told is not said twice. */
static void
plain_unnamed(void **state)
{
	struct fixture *x = site(ON);
	struct buf b = BUF_INIT(65536);

	(void)state;
	fixture_add(x, "envs/alice/notes.age", "in no place of sealed files\n");
	fixture_add(x, "secrets/hub.sops.json", "{\"password\": \"hunter2-hunter2\"}\n");
	(void)judge(x, "alice", "{flavor: cpu, secrets: [{name: a, file: secrets/plain.age}]}");
	assert_int_equal(x->report.n, 1);
	for (size_t i = 0; i < x->files.n; i++)
		validate_plain(&x->files, &x->files.entries[i], &x->report);
	for (size_t i = 1; i < x->report.n; i++)
		buf_printf(&b, "%s %s: %s\n", finding_id(x->report.items[i].code), x->report.items[i].at.file, x->report.items[i].message);
	assert_string_equal(buf_cstr(&b),
	                    "E309 envs/alice/secrets/binary.age: envs/alice/secrets/binary.age is not sealed: anyone who reads the repository has it\n"
	                    "E309 envs/alice/secrets/key.age: envs/alice/secrets/key.age is not sealed: anyone who reads the repository has it\n"
	                    "E309 envs/alice/secrets/plain.sops.yaml: envs/alice/secrets/plain.sops.yaml is not sealed: anyone who reads the repository has "
	                    "it\n"
	                    "E309 secrets/hub.sops.json: secrets/hub.sops.json is not sealed: anyone who reads the repository has it\n");
	buf_free(&b);
	fixture_free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings), cmocka_unit_test(not_shown), cmocka_unit_test(uid),   cmocka_unit_test(joined), cmocka_unit_test(too_large),
		cmocka_unit_test(settings), cmocka_unit_test(plain_unnamed), cmocka_unit_test(rolls), cmocka_unit_test(shown),   cmocka_unit_test(too_many),
		cmocka_unit_test(script_words), cmocka_unit_test(told),     cmocka_unit_test(not_opened),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
