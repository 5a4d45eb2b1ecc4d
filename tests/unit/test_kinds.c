/* SPDX-License-Identifier: Apache-2.0 */
/* Names, and what each path of an environments repository is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/str.h"
#include "parse/kinds.h"

static void
names(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} rows[] = {
		{ "a", true }, { "train", true }, { "lab3", true }, { "training-job", true }, { "a-b-c", true },
		{ "a123456789a123456789a123456789a123456789", true }, { "a123456789a123456789a123456789a1234567890", false },
		{ "", false }, { "3lab", false }, { "-a", false }, { "a-", false }, { "a--b", false }, { "Train", false },
		{ "a_b", false }, { "a.b", false }, { "a b", false }, { "\xc3\xa9", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (name_valid(rows[i].name) != rows[i].valid)
			fail_msg("'%s' should be %s", rows[i].name, rows[i].valid ? "valid" : "invalid");
}

static void
paths(void **state)
{
	static const struct {
		const char *path;
		enum path_class class;
		enum kind kind;
		const char *owner, *name, *why; /* why: a part of it */
	} rows[] = {
		{ "berth.yaml", PATH_DOC, KIND_ORG, NULL, "berth", NULL },
		{ "flavors/gpu-large.yaml", PATH_DOC, KIND_FLAVOR, NULL, "gpu-large", NULL },
		{ "images/pytorch.yaml", PATH_DOC, KIND_IMAGE, NULL, "pytorch", NULL },
		{ "datasets/imagenet.yaml", PATH_DOC, KIND_DATASET, NULL, "imagenet", NULL },
		{ "teams/nlp.yaml", PATH_DOC, KIND_TEAM, NULL, "nlp", NULL },
		{ "users/alice.yaml", PATH_DOC, KIND_USER, NULL, "alice", NULL },
		{ "envs/alice/train.yaml", PATH_DOC, KIND_ENV, "alice", "train", NULL },
		/* not ours */
		{ "README.md", PATH_OTHER, KIND_COUNT, NULL, NULL, NULL },
		{ "templates/env/statefulset.yaml", PATH_OTHER, KIND_COUNT, NULL, NULL, NULL },
		{ "approvers/allowed_signers", PATH_OTHER, KIND_COUNT, NULL, NULL, NULL },
		{ ".github/workflows/berth.yaml", PATH_OTHER, KIND_COUNT, NULL, NULL, NULL },
		{ "secrets/org.sops.yaml", PATH_OTHER, KIND_COUNT, NULL, NULL, NULL },
		{ "flavor/gpu.yaml", PATH_OTHER, KIND_COUNT, NULL, NULL, NULL },
		{ "flavors/README.md", PATH_OTHER, KIND_FLAVOR, NULL, NULL, NULL },
		{ "flavors/.gitkeep", PATH_OTHER, KIND_FLAVOR, NULL, NULL, NULL },
		{ "flavors/.old/x.yaml", PATH_OTHER, KIND_FLAVOR, NULL, NULL, NULL },
		{ "envs/.gitkeep", PATH_OTHER, KIND_ENV, NULL, NULL, NULL },
		{ "envs/alice/setup.sh", PATH_OTHER, KIND_ENV, NULL, NULL, NULL },
		{ "envs/alice/secrets/hf.sops.yaml", PATH_OTHER, KIND_ENV, NULL, NULL, NULL },
		{ "envs/alice/secrets/train/wandb.age", PATH_OTHER, KIND_ENV, NULL, NULL, NULL },
		{ "envs/alice/scripts/run.py", PATH_OTHER, KIND_ENV, NULL, NULL, NULL },
		/* wrong */
		{ "berth.yml", PATH_BAD, KIND_ORG, NULL, NULL, "end in .yaml" },
		{ "flavors/gpu.yml", PATH_BAD, KIND_FLAVOR, NULL, NULL, "end in .yaml" },
		{ "flavors/gpu.json", PATH_BAD, KIND_FLAVOR, NULL, NULL, "end in .yaml" },
		{ "flavors/old/gpu.yaml", PATH_BAD, KIND_FLAVOR, NULL, NULL, "no folders" },
		{ "users/Alice.yaml", PATH_BAD, KIND_USER, NULL, "Alice", "names are" },
		{ "users/.yaml", PATH_OTHER, KIND_USER, NULL, NULL, NULL },
		{ "envs/train.yaml", PATH_BAD, KIND_ENV, NULL, NULL, "envs/<owner>/<name>.yaml" },
		{ "envs/alice/a/b.yaml", PATH_BAD, KIND_ENV, NULL, NULL, "envs/<owner>/<name>.yaml" },
		{ "envs/alice/train.yml", PATH_BAD, KIND_ENV, "alice", NULL, "end in .yaml" },
		{ "envs/alice/Train.yaml", PATH_BAD, KIND_ENV, "alice", "Train", "names are" },
		{ "envs/alice/hf.sops.yaml", PATH_BAD, KIND_ENV, "alice", "hf.sops", "names are" },
		{ "envs/Alice/train.yaml", PATH_BAD, KIND_ENV, "Alice", "Alice", "no user name" },
	};
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct path_info p;

		path_classify(mem, rows[i].path, &p);
		if (p.class != rows[i].class || p.kind != rows[i].kind || !str_eq(p.owner, rows[i].owner) ||
		    !str_eq(p.name, rows[i].name) || (rows[i].why != NULL) != (p.why != NULL))
			fail_msg("%s: class %d kind %d owner %s name %s why %s", rows[i].path, (int)p.class, (int)p.kind,
			         p.owner ? p.owner : "-", p.name ? p.name : "-", p.why ? p.why : "-");
		if (rows[i].why && !__builtin_strstr(p.why, rows[i].why))
			fail_msg("%s: why is '%s'", rows[i].path, p.why);
	}
}

static void
owners(void **state)
{
	static const struct { const char *path, *owner; } rows[] = {
		{ "envs/alice/train.yaml", "alice" }, { "envs/alice/secrets/a/b.age", "alice" }, { "users/alice.yaml", "alice" },
		{ "envs/train.yaml", NULL }, { "users/.yaml", NULL }, { "users/alice.yml", NULL }, { "flavors/a.yaml", NULL },
		{ "berth.yaml", NULL }, { "", NULL },
	};
	struct arena *AUTO_ARENA mem = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = path_owner(mem, rows[i].path);

		if (!str_eq(got, rows[i].owner))
			fail_msg("%s: %s", rows[i].path, got ? got : "nobody");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(owners), cmocka_unit_test(names), cmocka_unit_test(paths) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
