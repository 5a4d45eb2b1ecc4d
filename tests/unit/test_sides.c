/* SPDX-License-Identifier: Apache-2.0 */
/* Two worlds that follow one change after the other say what two new ones would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <git2.h>

#include "changed.h"
#include "fixture.h"
#include "gitfix.h"
#include "preview.h"
#include "status/comment.h"

#define ENV "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: "

static struct git_repo *repo;
static struct err e;

/* The examples with one file more, another, or one less; `part` NULL: all of it. */
static const struct variant {
	const char *path, *part, *text;
} variants[] = {
	{ "README.md", NULL, "as it is\n" },
	{ "envs/alice/notebook.yaml", NULL, ENV "cpu-small\n" },
	{ "envs/bo/genome.yaml", NULL, ENV "none-such\n" },
	{ "envs/pav/tcloud-shell.yaml", NULL, NULL },
	{ "envs/carol/new.yaml", NULL, ENV "cpu-small\n" },
	{ "teams/a-first.yaml", NULL, "apiVersion: berth.dev/v1\nkind: Team\nspec:\n  admins: [dana]\n  queue: {quota: {gpu-large: {gpu: 8, cpu: 64, memory: 512Gi}}}\n" },
	{ "teams/vision.yaml", NULL, NULL },
	{ "users/bo.yaml", NULL, NULL },
	{ "users/zoe.yaml", NULL, "apiVersion: berth.dev/v1\nkind: User\nspec: {uid: zoe1, email: z@company.com, role: none-such}\n" },
	{ "berth.yaml", "premium: {gpu: 4, memory: 256Gi, environments: 5}", "premium: {gpu: 0, memory: 1Gi, environments: 1}" },
	{ "berth.yaml", "currency: USD", "currency: [USD" },
	{ "templates/env/extra.yaml", NULL, "kind: {{ nothing" },
	{ "approvers/allowed_signers", NULL, "not a line of signers\n" },
};
#define TREES (sizeof(variants) / sizeof(*variants))

struct tree {
	struct oid id, commit;
};

static void
tree_of(const struct oid *examples, const struct variant *v, struct tree *out)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)1 << 20);
	const char *bytes = NULL, *at, *text = v->text;
	struct git_edit *ed;
	size_t n;

	assert_int_equal(git_edit_new(repo, examples, &ed, &e), 0);
	if (v->part) {
		assert_int_equal(git_tree_read(repo, examples, v->path, FILE_DOC_MAX, mem, &bytes, &n, &e), 0);
		assert_non_null(at = strstr(bytes, v->part));
		text = arena_printf(mem, "%.*s%s%s", (int)(at - bytes), bytes, v->text, at + strlen(v->part));
	}
	assert_true((text ? git_edit_put(ed, v->path, text, strlen(text), &e) : git_edit_drop(ed, v->path, &e)) >= 0);
	assert_int_equal(git_edit_write(ed, &out->id, NULL, &e), 0);
	git_edit_free(ed);
	assert_int_equal(git_commit_write(repo, &out->id, NULL, false, "x", 1700000000, &out->commit, &e), 0);
}

static void
make_trees(struct tree trees[TREES])
{
	struct fixture *f = fixture_new();
	struct git_edit *ed;
	struct oid examples;

	assert_true(fixture_load(f, "examples", ""));
	assert_int_equal(git_open_or_init(fix_path("repo"), &repo, &e), 0);
	assert_int_equal(git_edit_new(repo, NULL, &ed, &e), 0);
	for (size_t i = 0; i < f->files.n; i++)
		assert_true(git_edit_put(ed, f->entries[i].path, f->texts[i], f->sizes[i], &e) >= 0);
	assert_int_equal(git_edit_write(ed, &examples, NULL, &e), 0);
	git_edit_free(ed);
	fixture_free(f);
	for (size_t i = 0; i < TREES; i++)
		tree_of(&examples, &variants[i], &trees[i]);
}

static void
say_findings(struct sides *s, const struct tree *was, const struct tree *is, struct buf *out)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct changed_ask ask = { .git = repo, .sides = s, .has_base = was != NULL, .head = is->commit, .head_tree = is->id };
	struct changed found;
	struct report r;

	if (was) {
		ask.base = was->commit;
		ask.base_tree = was->id;
	}
	report_init(&r, mem);
	if (changed_findings(&ask, mem, &r, &found, &e) < 0)
		fail_msg("%s", e.text);
	report_sort(&r);
	for (size_t i = 0; i < r.n; i++)
		finding_line(&r.items[i], out);
	buf_printf(out, "%zu of %zu, %s\n", found.checked, found.files.n, found.rules ? found.rules : "its own rules");
}

static void
say_plan(struct sides *s, const struct tree *was, const struct tree *is, struct buf *out)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)256 << 20);
	struct preview_ask ask = { .sides = s, .touched = true };
	struct comment_facts f = { .main = "main" };
	struct planned p;

	assert_int_equal(sides_read(s, repo, was ? &was->id : NULL, &is->id, &e), 0);
	if (preview_make(&ask, mem, &p, &e) < 0)
		buf_printf(out, "no plan: %s\n", e.text);
	else
		comment_plan(&p, &f, out);
}

static void
compare(struct sides *moved, const struct tree *was, const struct tree *is, const char *what)
{
	struct buf have AUTO_BUF = BUF_INIT((size_t)16 << 20), want AUTO_BUF = BUF_INIT((size_t)16 << 20);
	struct sides *s;

	say_findings(moved, was, is, &have);
	say_plan(moved, was, is, &have);
	assert_int_equal(sides_new(&s, &e), 0);
	say_findings(s, was, is, &want);
	sides_free(s);
	assert_int_equal(sides_new(&s, &e), 0);
	say_plan(s, was, is, &want);
	sides_free(s);
	assert_true(have.len > 50);
	if (strcmp(buf_cstr(&have), buf_cstr(&want)) != 0)
		fail_msg("%s: it says\n%s\nand should say\n%s", what, buf_cstr(&have), buf_cstr(&want));
}

static void
one_after_the_other(void **state)
{
	struct tree trees[TREES];
	struct sides *moved;

	(void)state;
	make_trees(trees);
	assert_int_equal(sides_new(&moved, &e), 0);
	for (size_t i = 1; i < TREES; i++) {
		compare(moved, &trees[0], &trees[i], variants[i].path);
		if (i % 3 == 0)
			compare(moved, &trees[i], &trees[i - 1], variants[i].path);
	}
	compare(moved, &trees[TREES - 1], &trees[0], "back again");
	compare(moved, &trees[6], &trees[5], "two teams, of which the first in order came last");
	compare(moved, NULL, &trees[1], "nothing before");
	compare(moved, &trees[0], &trees[1], "something before");
	sides_free(moved);
}

static void
sweep(const struct oid *tree)
{
	char hex[OID_HEX], path[128];

	oid_hex(tree, hex);
	(void)snprintf(path, sizeof(path), "repo/objects/%.2s/%s", hex, hex + 2);
	assert_int_equal(unlink(fix_path(path)), 0);
}

/* After an error, or a tree that was swept away, all is read anew. */
static void
gone(void **state)
{
	struct oid none = { { 1 } };
	struct tree trees[TREES];
	struct sides *s;

	(void)state;
	git_close(repo);
	assert_int_equal(git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0), 0); /* what is swept away is missed */
	make_trees(trees);
	assert_int_equal(sides_new(&s, &e), 0);
	assert_int_equal(sides_read(s, repo, &trees[0].id, &trees[5].id, &e), 0);
	assert_int_equal(sides_read(s, repo, &trees[0].id, &none, &e), ERR_NOTFOUND);
	compare(s, &trees[0], &trees[6], "after an error");
	sweep(&trees[6].id);
	compare(s, &trees[0], &trees[7], "after a tree that is swept away");
	sides_free(s);
	git_close(repo);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(gone),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fix_start, fix_end);
}
