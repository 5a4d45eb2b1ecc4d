/* SPDX-License-Identifier: Apache-2.0 */
/* lib/seal/place: what a path says of who may open a file, and what identities are derived from. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lib/seal/place.h"
#include "with_arena.h"

static struct err e;

static void
paths(void **state)
{
	static const struct {
		const char *path;
		enum place_scope scope;
		const char *owner, *env;
		enum seal_format format;
	} rows[] = {
		{ "envs/alice/secrets/wandb.age", PLACE_OWNER, "alice", NULL, SEAL_AGE },
		{ "envs/alice/secrets/hf.sops.yaml", PLACE_OWNER, "alice", NULL, SEAL_SOPS_YAML },
		{ "envs/alice/secrets/hf.sops.json", PLACE_OWNER, "alice", NULL, SEAL_SOPS_JSON },
		{ "envs/alice/secrets/hf.sops.env", PLACE_OWNER, "alice", NULL, SEAL_SOPS_DOTENV },
		{ "envs/alice/secrets/train/wandb.age", PLACE_ENV, "alice", "train", SEAL_AGE },
		{ "envs/a1-b/secrets/t-2/x.y_z-1.sops.env", PLACE_ENV, "a1-b", "t-2", SEAL_SOPS_DOTENV },
		{ "secrets/registry.age", PLACE_SITE, NULL, NULL, SEAL_AGE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seal_place p = { .uid = "old" };
		enum seal_format format;

		print_message("# %s\n", rows[i].path);
		assert_int_equal(place_of_path(mem, rows[i].path, &p, &format, &e), 0);
		assert_int_equal(p.scope, rows[i].scope);
		assert_int_equal(format, rows[i].format);
		assert_null(p.uid);
		if (rows[i].owner)
			assert_string_equal(p.owner, rows[i].owner);
		else
			assert_null(p.owner);
		if (rows[i].env)
			assert_string_equal(p.env, rows[i].env);
		else
			assert_null(p.env);
	}
}

static void
no_paths(void **state)
{
	static const char *const rows[] = {
		"", "/", "secrets", "secrets/", "secrets/.age", "secrets/a", "secrets/a.AGE", "secrets/a.age/", "secrets/a/b.age",
		"secrets/../envs/alice/secrets/a.age", "secrets/a b.age", "secrets/.hidden.age", "secrets/a.sops.toml", "secrets/.sops.yaml",
		"/secrets/a.age", "envs/alice/a.age", "envs/alice/secrets", "envs/alice/secrets/", "envs/alice/secrets/train/", "envs//secrets/a.age",
		"envs/alice/secrets//a.age", "envs/alice/secrets/train/deep/a.age", "envs/../secrets/a.age", "envs/alice/secrets/../a.age",
		"envs/alice/secrets/./a.age", "envs/Alice/secrets/a.age", "envs/al;ice/secrets/a.age", "envs/alice/secrets/tr=ain/a.age",
		"envs/alice/secrets/train-/a.age", "envs/al--ice/secrets/a.age", "envs/9alice/secrets/a.age", "envs/alice/secrets/a;b.age",
		"envs/alice/Secrets/a.age", "envs/alice/secrets.age", "./envs/alice/secrets/a.age",
		"envs/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/secrets/a.age", /* 41 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seal_place p = { .owner = "untouched" };
		enum seal_format format = SEAL_SOPS_JSON;

		print_message("# %s\n", rows[i]);
		assert_int_equal(place_of_path(mem, rows[i], &p, &format, &e), ERR_INVALID);
		assert_string_equal(p.owner, "untouched");
		assert_non_null(strstr(e.hint, "envs/<user>/secrets/"));
	}
}

static const struct seal_place owner = { PLACE_OWNER, "alice", "7f3a9c12", NULL };
static const struct seal_place env = { PLACE_ENV, "alice", "7f3a9c12", "train" };
static const struct seal_place site = { .scope = PLACE_SITE };

static void
info(void **state)
{
	const char *text;

	(void)state;
	assert_int_equal(place_info(mem, &owner, 1, &text, &e), 0);
	assert_string_equal(text, "gen=1;scope=owner;owner=alice;uid=7f3a9c12");
	assert_int_equal(place_info(mem, &env, 2, &text, &e), 0);
	assert_string_equal(text, "gen=2;scope=env;owner=alice;uid=7f3a9c12;env=train");
	assert_int_equal(place_info(mem, &site, 0, &text, &e), 0);
	assert_string_equal(text, "gen=0;scope=site");
	assert_string_equal(place_text(mem, &owner), "alice");
	assert_string_equal(place_text(mem, &env), "alice, environment train");
	assert_string_equal(place_text(mem, &site), "the site");
}

/* Nothing of one part can be read as another part. */
static void
no_info(void **state)
{
	static const struct {
		const char *owner, *uid, *env, *says;
	} rows[] = {
		{ NULL, "u", "train", "owner" },
		{ "", "u", "train", "owner" },
		{ "alice;uid=1", "u", "train", "owner" },
		{ "alice", NULL, "train", "has no uid" },
		{ "alice", "", "train", "has no uid" },
		{ "alice", "1;env=train", "train", "uid" },
		{ "alice", "-1", "train", "uid" },
		{ "alice", "1\n", "train", "uid" },
		{ "alice", "12345678901234567890123456789012345678901234567890123456789012345", "train", "uid" }, /* 65 */
		{ "alice", "u", NULL, "environment" },
		{ "alice", "u", "train;x=1", "environment" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct seal_place p = { PLACE_ENV, rows[i].owner, rows[i].uid, rows[i].env };
		const char *text = "untouched";

		assert_int_equal(place_info(mem, &p, 1, &text, &e), ERR_INVALID);
		assert_string_equal(text, "untouched");
		assert_non_null(strstr(e.text, rows[i].says));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(paths, setup, teardown),
		cmocka_unit_test_setup_teardown(no_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(info, setup, teardown),
		cmocka_unit_test_setup_teardown(no_info, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
