/* SPDX-License-Identifier: Apache-2.0 */
/* Where a repository's API is. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/forge/address.h"

static const struct {
	enum forge_kind kind;
	const char *url, *api, *repo;
} cases[] = {
	{ FORGE_GITHUB, "https://github.com/lab/envs.git", "https://api.github.com", "lab/envs" },
	{ FORGE_GITHUB, "git@github.com:lab/envs.git", "https://api.github.com", "lab/envs" },
	{ FORGE_GITHUB, "ssh://git@ssh.github.com:443/lab/envs", "https://api.github.com", "lab/envs" },
	{ FORGE_GITHUB, "https://git.example/lab/envs/", "https://git.example/api/v3", "lab/envs" },
	{ FORGE_GITLAB, "https://gitlab.com/lab/vision/team/envs.git", "https://gitlab.com/api/v4", "lab/vision/team/envs" },
	{ FORGE_GITLAB, "ssh://git@gitlab.example:2222/lab/envs.git", "https://gitlab.example/api/v4", "lab/envs" },
	{ FORGE_GITEA, "http://127.0.0.1:3000/root/envs.git", "http://127.0.0.1:3000/api/v1", "root/envs" },
	{ FORGE_GITEA, "https://git.example:8443/forge/here/root/envs", "https://git.example:8443/forge/here/api/v1", "root/envs" },
	{ FORGE_GITEA, "gitea@git.example:root/envs", "https://git.example/api/v1", "root/envs" },
	{ FORGE_GITEA, "https://bo@git.example/root/envs.git", "https://git.example/api/v1", "root/envs" },
};

static void
addresses(void **state)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct forge_address a;
		struct err e = { 0 };

		assert_int_equal(forge_address(cases[i].kind, cases[i].url, mem, &a, &e), 0);
		assert_string_equal(a.api, cases[i].api);
		assert_string_equal(a.repo, cases[i].repo);
	}
}

static void
no_addresses(void **state)
{
	static const char *const urls[] = { "", "/srv/envs.git", "envs.git", "https://git.example", "https://git.example/", "https://git.example/envs", "git://git.example/a/b",
		"file:///srv/a/b", "https:///a/b", "host:", "https://git.example/.git" };
	struct arena *AUTO_ARENA mem = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct forge_address a;
		struct err e = { 0 };

		if (forge_address(FORGE_GITEA, urls[i], mem, &a, &e) != ERR_INVALID)
			fail_msg("%s", urls[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(addresses), cmocka_unit_test(no_addresses) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
