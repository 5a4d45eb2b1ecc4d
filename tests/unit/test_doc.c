/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one document: kind, identity, sizes, links; every finding with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#define API "apiVersion: berth.dev/v1\n"
#define A39 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_OWNER "owner-of-a-name-with-thirty-five-letters"

static void
kinds_and_identity(void **state)
{
	static const struct {
		const char *label, *path, *text, *want;
	} rows[] = {
		{ "a plain environment", "envs/alice/train.yaml", API "kind: Environment\nspec: {flavor: x}\n", "" },
		{ "an alias of any group", "envs/alice/train.yaml",
		  "apiVersion: devops.yourcompany.com/v1\nkind: DevServer\nmetadata: {name: train}\nspec: {owner: alice}\n", "" },
		{ "an alias in our own group", "flavors/x.yaml", API "kind: DevServerFlavor\nspec: {}\n", "" },
		{ "an address is judged later", "envs/alice/train.yaml", API "kind: Environment\nspec: {owner: bo@company.com}\n", "" },
		{ "what is missing is for the schema", "users/alice.yaml", "spec: {}\n", "" },
		{ "our kind of a strange group", "flavors/x.yaml", "apiVersion: berth.dev/v2\nkind: Flavor\nspec: {}\n",
		  "flavors/x.yaml:1:13: error[E202]: apiVersion 'berth.dev/v2' is not one that berth reads "
		  "(write apiVersion: berth.dev/v1)\n" },
		{ "another folder's kind", "envs/alice/gpu.yaml", API "kind: Flavor\nspec: {}\n",
		  "envs/alice/gpu.yaml:2:7: error[E301]: this is of kind Flavor; envs/ holds documents of kind Environment "
		  "(move it to flavors/gpu.yaml, or write kind: Environment)\n" },
		{ "an environment elsewhere", "flavors/train.yaml", "apiVersion: x/v1\nkind: DevServer\nspec: {}\n",
		  "flavors/train.yaml:2:7: error[E301]: this is of kind DevServer; flavors/ holds documents of kind Flavor "
		  "(move it to envs/<owner>/<name>.yaml, or write kind: Flavor)\n" },
		{ "the organization elsewhere", "teams/org.yaml", API "kind: Organization\nspec: {}\n",
		  "teams/org.yaml:2:7: error[E301]: this is of kind Organization; teams/ holds documents of kind Team "
		  "(an Organization lives in berth.yaml; or write kind: Team)\n" },
		{ "something else in berth.yaml", "berth.yaml", API "kind: User\nspec: {}\n",
		  "berth.yaml:2:7: error[E301]: this is of kind User; berth.yaml is the one of kind Organization "
		  "(move it to users/<name>.yaml, or write kind: Organization)\n" },
		{ "no kind at all", "envs/alice/a.yaml", API "kind: Pod\nspec: {owner: bo}\n",
		  "envs/alice/a.yaml:2:7: error[E301]: kind 'Pod' is unknown; envs/ holds documents of kind Environment "
		  "(write kind: Environment)\n"
		  "envs/alice/a.yaml:3:15: error[E303]: spec.owner is 'bo', the folder belongs to 'alice' "
		  "(write alice, or leave it out; each person's environments live in their own folder)\n" },
		{ "a long text is cut between characters", "flavors/x.yaml",
		  API "kind: " A39 A39 "x\xc3\xa9\xc3\xa9\nspec: {}\n",
		  "flavors/x.yaml:2:7: error[E301]: kind '" A39 A39 "x…' is unknown; flavors/ holds documents of kind Flavor "
		  "(write kind: Flavor)\n" },
		{ "all at once", "envs/alice/a.yaml", "apiVersion: v1\nkind: Environment\nmetadata:\n  name: b\nspec:\n  owner: bo\n",
		  "envs/alice/a.yaml:1:13: error[E202]: apiVersion 'v1' is not one that berth reads (write apiVersion: berth.dev/v1)\n"
		  "envs/alice/a.yaml:4:9: error[E303]: metadata.name is 'b', the file says 'a' "
		  "(write a, or leave it out, or rename the file)\n"
		  "envs/alice/a.yaml:6:10: error[E303]: spec.owner is 'bo', the folder belongs to 'alice' "
		  "(write alice, or leave it out; each person's environments live in their own folder)\n" },
		{ "names that are too long together", "envs/" LONG_OWNER "/a123456789b123456789cd.yaml",
		  API "kind: Environment\nspec: {flavor: x}\n",
		  "envs/" LONG_OWNER "/a123456789b123456789cd.yaml: error[E302]: owner and name together have 62 characters, "
		  "at most 61 fit a host name (give the file a name of at most 21 characters)\n" },
		{ "nothing", "users/alice.yaml", "# nobody\n",
		  "users/alice.yaml: error[E109]: the document is empty (start with apiVersion: berth.dev/v1, kind: User and spec:)\n" },
		{ "a list", "users/alice.yaml", "- a\n",
		  "users/alice.yaml:1:1: error[E201]: the document is a list, not a map "
		  "(start with apiVersion: berth.dev/v1, kind: User and spec:)\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = fixture_new();
		char *got;

		fixture_add(x, rows[i].path, rows[i].text);
		fixture_parse(x, NULL);
		got = fixture_lines(x);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s:\n%swanted:\n%s", rows[i].label, got, rows[i].want);
		assert_int_equal(x->docs[0]->ok, rows[i].want[0] == '\0');
		fixture_free(x);
	}
}

static void
links_and_sizes(void **state)
{
	struct fixture *x = fixture_new();
	size_t n = FILE_DOC_MAX + 1;
	char *big = arena_alloc(x->mem, n), *got;

	(void)state;
	memset(big, '#', n);
	fixture_put(x, "flavors/a.yaml", FILE_SYMLINK, "/etc/passwd", 11);
	fixture_put(x, "flavors/b.yaml", FILE_SUBMODULE, "", 0);
	fixture_put(x, "flavors/c.yaml", FILE_REGULAR, big, n);
	fixture_add(x, "flavors/d.yaml", "a: [\n");
	fixture_parse(x, NULL);
	got = fixture_lines(x);
	assert_non_null(strstr(got, "flavors/a.yaml: error[E108]: flavors/a.yaml is a symbolic link (put the document itself there)\n"));
	assert_non_null(strstr(got, "flavors/b.yaml: error[E108]: flavors/b.yaml is a submodule"));
	assert_non_null(strstr(got, "flavors/c.yaml: error[E106]: the document cannot be read: 262145 bytes, at most 262144 "
	                            "(documents are at most 256 KiB;"));
	assert_non_null(strstr(got, "flavors/d.yaml:2:1: error[E101]"));
	for (size_t i = 0; i < 4; i++) {
		assert_false(x->docs[i]->ok);
		assert_null(x->docs[i]->root);
	}
	fixture_free(x);
}

static int
read_fails(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len,
           struct err *e)
{
	(void)ctx, (void)f, (void)max, (void)mem, (void)bytes, (void)len;
	return err_set(e, ERR_UNAVAILABLE, "disk on fire");
}

static void
trouble_is_no_finding(void **state)
{
	struct fixture *x = fixture_new();
	struct doc *d = NULL;
	struct err e = { 0 };

	(void)state;
	fixture_add(x, "flavors/a.yaml", API);
	fixture_add(x, "README.md", "");
	x->files.read = read_fails;
	assert_int_equal(doc_read(x->mem, &x->files, files_find(&x->files, "flavors/a.yaml"), &x->report, &d, &e), ERR_UNAVAILABLE);
	assert_string_equal(e.text, "read flavors/a.yaml: disk on fire");
	assert_int_equal(doc_read(x->mem, &x->files, files_find(&x->files, "README.md"), &x->report, &d, &e), ERR_INTERNAL);
	assert_null(d);
	assert_int_equal(x->report.n, 0);
	fixture_free(x);
}

static void
sites(void **state)
{
	struct fixture *x = fixture_new();

	(void)state;
	fixture_add(x, "berth.yaml", API "kind: Organization\nspec: {}\n");
	fixture_add(x, "envs/alice/train.yaml", API "kind: Environment\nspec: {flavor: x}\n");
	fixture_add(x, "users/alice.yaml", API "kind: User\nspec: {}\n");
	fixture_parse(x, NULL);
	assert_string_equal(site_get(&x->site, KIND_ORG, "berth")->path, "berth.yaml");
	assert_string_equal(site_get(&x->site, KIND_ENV, "alice/train")->owner, "alice");
	assert_string_equal(site_get(&x->site, KIND_USER, "alice")->name, "alice");
	assert_null(site_get(&x->site, KIND_USER, "bo"));
	assert_null(site_get(&x->site, KIND_TEAM, "alice"));
	fixture_free(x);
}

static int
note(void *ctx, struct arena *mem, const struct file_entry *f, const char *name, struct err *e)
{
	struct buf *seen = ctx;

	assert_int_equal(arena_used(mem) < 4096, true); /* what was read before is gone */
	(void)arena_alloc(mem, (size_t)1 << 20);
	buf_printf(seen, "%s is %s\n", f->path, name);
	return strcmp(name, "carol") == 0 ? err_set(e, ERR_DENIED, "enough") : 0;
}

static void
each_of_a_kind(void **state)
{
	struct fixture *x = fixture_new();
	struct buf seen AUTO_BUF = BUF_INIT(4096);
	struct err e = { 0 };

	(void)state;
	fixture_add(x, "berth.yaml", API);
	fixture_add(x, "users/README.md", "");
	fixture_add(x, "users/alice.yaml", "not: [read");
	fixture_add(x, "users/bo.yaml", API);
	fixture_add(x, "users/bo/more.yaml", API);
	fixture_add(x, "users.yaml", API);
	fixture_add(x, "users/carol.yaml", API);
	fixture_add(x, "users/dana.yaml", API);
	assert_int_equal(doc_each(&x->files, KIND_ORG, "berth.yaml", note, &seen, &e), 0);
	assert_int_equal(doc_each(&x->files, KIND_TEAM, "users/", note, &seen, &e), 0);
	assert_int_equal(doc_each(&x->files, KIND_USER, "users/", note, &seen, &e), ERR_DENIED);
	assert_string_equal(e.text, "enough");
	assert_string_equal(buf_cstr(&seen), "berth.yaml is berth\nusers/alice.yaml is alice\nusers/bo.yaml is bo\nusers/carol.yaml is carol\n");
	fixture_free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_and_identity),
		cmocka_unit_test(links_and_sizes),
		cmocka_unit_test(trouble_is_no_finding),
		cmocka_unit_test(sites),
		cmocka_unit_test(each_of_a_kind),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
