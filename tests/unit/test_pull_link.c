/* SPDX-License-Identifier: Apache-2.0 */
/* cli/pull_link: the page where a branch becomes a pull request, from every way to write a repository's URL. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/pull_link.h"
#include "with_arena.h"

#define GITHUB "https://github.com/acme/envs/compare/main...env/alice/train?expand=1"
#define CODEBERG "https://codeberg.org/acme/envs/compare/main...env/alice/train"
#define LAB_QUERY "/-/merge_requests/new?merge_request%5Bsource_branch%5D=env%2Falice%2Ftrain&merge_request%5Btarget_branch%5D=main"

static void
shapes(void **state)
{
	static const struct {
		const char *url;
		enum forge_kind forge;
		const char *link;
	} rows[] = {
		{ "https://github.com/acme/envs.git", FORGE_GITHUB, GITHUB },
		{ "https://github.com/acme/envs", FORGE_GITHUB, GITHUB },
		{ "https://github.com/acme/envs/", FORGE_GITHUB, GITHUB },
		{ "https://alice:s3cret@github.com/acme/envs.git", FORGE_GITHUB, GITHUB },
		{ "git@github.com:acme/envs.git", FORGE_GITHUB, GITHUB },
		{ "github.com:acme/envs", FORGE_GITHUB, GITHUB },
		{ "git@github.com:/acme/envs.git", FORGE_GITHUB, GITHUB },
		{ "ssh://git@github.com/acme/envs.git", FORGE_GITHUB, GITHUB },
		{ "ssh://git@ssh.github.com:443/acme/envs.git", FORGE_GITHUB, GITHUB },
		{ "git+ssh://git@github.com/acme/envs.git", FORGE_GITHUB, GITHUB },
		{ "https://github.acme.example/ml/envs.git", FORGE_GITHUB,
		  "https://github.acme.example/ml/envs/compare/main...env/alice/train?expand=1" },
		{ "https://gitlab.com/acme/envs.git", FORGE_GITLAB, "https://gitlab.com/acme/envs" LAB_QUERY },
		{ "git@gitlab.com:acme/ml/vision/envs.git", FORGE_GITLAB, "https://gitlab.com/acme/ml/vision/envs" LAB_QUERY },
		{ "ssh://git@altssh.gitlab.com:443/acme/envs.git", FORGE_GITLAB, "https://gitlab.com/acme/envs" LAB_QUERY },
		{ "https://git.acme.example/ml/vision/envs.git", FORGE_GITLAB, "https://git.acme.example/ml/vision/envs" LAB_QUERY },
		{ "https://codeberg.org/acme/envs.git", FORGE_GITEA, CODEBERG },
		{ "ssh://git@codeberg.org/acme/envs.git", FORGE_GITEA, CODEBERG },
		{ "git@codeberg.org:acme/envs.git", FORGE_GITEA, CODEBERG },
		{ "http://gitea.local:3000/acme/envs.git", FORGE_GITEA, "http://gitea.local:3000/acme/envs/compare/main...env/alice/train" },
		{ "ssh://git@forgejo.acme.example:2222/acme/envs.git", FORGE_GITEA,
		  "https://forgejo.acme.example/acme/envs/compare/main...env/alice/train" },
		{ "https://gitea.acme.example/git/acme/envs.git", FORGE_GITEA,
		  "https://gitea.acme.example/git/acme/envs/compare/main...env/alice/train" },
		{ "https://git.acme.example/ml/envs.git", FORGE_UNKNOWN, NULL },
		{ "/srv/git/envs.git", FORGE_UNKNOWN, NULL },
		{ "../envs.git", FORGE_UNKNOWN, NULL },
		{ "file:///srv/git/github/envs.git", FORGE_UNKNOWN, NULL },
		{ "./github:acme/envs", FORGE_UNKNOWN, NULL },
		{ "https://github.com/envs", FORGE_UNKNOWN, NULL },
		{ "https://github.com", FORGE_UNKNOWN, NULL },
		{ "https://github.com/acme/en vs", FORGE_UNKNOWN, NULL },
		{ "https://github.com/acme/envs\033[2J", FORGE_UNKNOWN, NULL },
		{ "https://github.com/acme/envs?x=\"><b>", FORGE_UNKNOWN, NULL },
		{ "", FORGE_UNKNOWN, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum forge_kind forge = forge_of_url(mem, rows[i].url);
		const char *link = pull_link(mem, forge, rows[i].url, "main", "env/alice/train");

		print_message("# %s\n", rows[i].url);
		assert_int_equal(forge, rows[i].forge);
		if (!rows[i].link) {
			assert_null(link);
			continue;
		}
		assert_non_null(link);
		assert_string_equal(link, rows[i].link);
	}
}

/* A host that does not say what it is can be told, and the branch may have any name. */
static void
told(void **state)
{
	static const char url[] = "ssh://git@git.acme.example:2222/ml/envs.git";

	(void)state;
	assert_int_equal(forge_of_name("forgejo"), FORGE_GITEA);
	assert_int_equal(forge_of_name("gitlab"), FORGE_GITLAB);
	assert_int_equal(forge_of_name("bitbucket"), FORGE_UNKNOWN);
	assert_string_equal(pull_link(mem, FORGE_GITEA, url, "release#1", "env/a&b"),
	                    "https://git.acme.example/ml/envs/compare/release%231...env/a%26b");
	assert_string_equal(pull_link(mem, FORGE_GITLAB, url, "main", "x&y=z"),
	                    "https://git.acme.example/ml/envs/-/merge_requests/new?merge_request%5Bsource_branch%5D=x%26y%3Dz"
	                    "&merge_request%5Btarget_branch%5D=main");
	assert_null(pull_link(mem, FORGE_GITHUB, "/srv/git/envs.git", "main", "x"));
}

static void
pages(void **state)
{
	static const struct {
		const char *url, *page;
		int64_t number; /* 0: it is no page of that repository's */
	} rows[] = {
		{ "https://github.com/acme/envs.git", "https://github.com/acme/envs/pull/42", 42 },
		{ "git@github.com:acme/envs.git", "https://github.com/Acme/envs/pull/42/files?w=1#diff-1", 42 },
		{ "ssh://git@ssh.github.com:443/acme/envs.git", "https://github.com/acme/envs/pull/7", 7 },
		{ "ssh://git@gitlab.acme.example:2222/ml/vision/envs.git", "https://gitlab.acme.example:8443/ml/vision/envs/-/merge_requests/9/diffs", 9 },
		{ "http://127.0.0.1:3000/root/envs.git", "http://127.0.0.1:3000/root/envs/pulls/3", 3 },
		{ "http://127.0.0.1:3000/root/envs.git", "http://127.0.0.1:3001/root/envs/pulls/3", 0 },
		{ "https://github.com/acme/envs.git", "https://github.com/acme/envs2/pull/42", 0 },
		{ "https://github.com/acme/envs.git", "https://github.com/acme/envs-pull/42", 0 },
		{ "https://github.com/acme/envs.git", "https://github.com/other/envs/pull/42", 0 },
		{ "https://github.com/acme/envs.git", "https://github.com.evil.example/acme/envs/pull/42", 0 },
		{ "https://github.com/acme/envs.git", "https://github.com@evil.example/acme/envs/pull/42", 0 },
		{ "https://github.com/acme/envs.git", "https://github.com/acme/envs/issues/42", 0 },
		{ "https://github.com/acme/envs.git", "https://github.com/acme/envs/pull/42x", 0 },
		{ "https://github.com/acme/envs.git", "https://github.com/acme/envs/pull/4294967338", 0 },
		{ "https://github.com/acme/envs.git", "https://github.com/acme/envs/pull/", 0 },
		{ "https://github.com/acme/envs.git", "ssh://github.com/acme/envs/pull/42", 0 },
		{ "/srv/git/envs.git", "https://github.com/acme/envs/pull/42", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s %s\n", rows[i].url, rows[i].page);
		assert_int_equal(pull_of_page(mem, rows[i].url, rows[i].page), rows[i].number);
	}
	assert_string_equal(pull_page(mem, FORGE_GITHUB, "git@github.com:acme/envs.git", 42), "https://github.com/acme/envs/pull/42/files");
	assert_string_equal(pull_page(mem, FORGE_GITLAB, "https://u:p@gitlab.com/a/b/c.git", 42), "https://gitlab.com/a/b/c/-/merge_requests/42/diffs");
	assert_string_equal(pull_page(mem, FORGE_GITEA, "http://127.0.0.1:3000/root/envs", 42), "http://127.0.0.1:3000/root/envs/pulls/42/files");
	assert_null(pull_page(mem, FORGE_UNKNOWN, "https://git.example.com/root/envs", 42));
	assert_null(pull_page(mem, FORGE_GITEA, "/srv/git/envs.git", 42));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shapes, setup, teardown),
		cmocka_unit_test_setup_teardown(told, setup, teardown), cmocka_unit_test_setup_teardown(pages, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
