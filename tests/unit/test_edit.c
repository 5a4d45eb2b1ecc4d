/* SPDX-License-Identifier: Apache-2.0 */
/* Editing trees in memory: compared with what git itself builds, checked by git fsck. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "gitfix.h"
#include "lib/git/git.h"

static struct err e;
static struct git_repo *repo;

static void
tree_lines(const struct oid *tree, struct buf *out)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)32 << 20);
	struct files f;

	buf_reset(out);
	if (git_files(repo, tree, mem, &f, &e))
		fail_msg("%s", e.text);
	for (size_t i = 0; i < f.n; i++)
		buf_printf(out, "%s%s", i ? " " : "", f.entries[i].path);
}

static struct git_edit *
start(const struct oid *base)
{
	struct git_edit *ed = NULL;

	if (git_edit_new(repo, base, &ed, &e))
		fail_msg("%s", e.text);
	return ed;
}

static void
put(struct git_edit *ed, const char *path, const char *bytes)
{
	if (git_edit_put(ed, path, bytes, strlen(bytes), &e) < 0)
		fail_msg("%s", e.text);
}

/* "path" puts the path's name as its content, "-path" drops it. */
static void
apply(struct git_edit *ed, const char *script)
{
	char copy[512], *rest = copy, *word;

	(void)snprintf(copy, sizeof(copy), "%s", script);
	while ((word = strsep(&rest, " ")))
		if (*word == '-')
			assert_int_equal(git_edit_drop(ed, word + 1, &e), 0);
		else if (*word)
			put(ed, word, word);
}

static void
edits(void **state)
{
	static const struct {
		const char *base, *script, *want;
		bool changed;
	} rows[] = {
		{ "", "", "", false },
		{ "", "a", "a", true },
		{ "", "b a c", "a b c", true },
		{ "", "a/b/c", "a/b/c", true },
		{ "", "a/b/c -a/b/c", "", false },
		{ "a", "a", "a", false },
		{ "a", "-a", "", true },
		{ "a", "-b", "a", false },
		{ "a", "-a/b", "a", false },
		{ "a", "-a a", "a", false },
		{ "a b", "-a", "b", true },
		{ "a/b a/c", "-a/b", "a/c", true },
		{ "a/b/c", "-a/b/c", "", true },
		{ "a/b/c d", "-a/b", "d", true },
		{ "a/b/c d", "-a", "d", true },
		{ "a/b", "a", "a", true },         /* a file takes a folder's place */
		{ "a", "a/b", "a/b", true },       /* and the other way round */
		{ "a", "a/b -a/b a", "a", false },
		{ "a/b a-b a.b a0", "a/c", "a-b a.b a/b a/c a0", true }, /* git's order: folders end in '/' */
		{ "", "a0 a/b a-b a.b ab", "a-b a.b a/b a0 ab", true },
		{ "x/1 x/2 y/1", "-x/1 -x/2 z/1", "y/1 z/1", true },
	};
	struct buf AUTO_BUF lines = BUF_INIT(1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct git_edit *ed = start(NULL);
		struct oid base, tree, again;

		print_message("# \"%s\" + \"%s\"\n", rows[i].base, rows[i].script);
		apply(ed, rows[i].base);
		assert_int_equal(git_edit_write(ed, &base, NULL, &e), 0);
		git_edit_free(ed);
		ed = start(*rows[i].base ? &base : NULL);
		apply(ed, rows[i].script);
		assert_int_equal(git_edit_changed(ed), rows[i].changed);
		assert_int_equal(git_edit_write(ed, &tree, NULL, &e), 0);
		assert_int_equal(git_edit_changed(ed), rows[i].changed);
		assert_int_equal(oid_eq(&tree, &base), !rows[i].changed);
		tree_lines(&tree, &lines);
		assert_string_equal(buf_cstr(&lines), rows[i].want);
		git_edit_free(ed);
		/* the same tree made in one go has the same id */
		ed = start(NULL);
		apply(ed, rows[i].want);
		assert_int_equal(git_edit_write(ed, &again, NULL, &e), 0);
		assert_true(oid_eq(&tree, &again));
		git_edit_free(ed);
	}
	fix("git -C r.git fsck --strict --no-dangling");
}

static void
bad_paths(void **state)
{
	static const char *const paths[] = { "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "./a", ".git", "a/.GIT/x", "git~1",
		"a/.git./b", "a\\b", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/33" };
	struct git_edit *ed = start(NULL);
	char name[300], path[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		print_message("# \"%s\"\n", paths[i]);
		assert_int_equal(git_edit_put(ed, paths[i], "x", 1, &e), ERR_INVALID);
		assert_int_equal(git_edit_drop(ed, paths[i], &e), ERR_INVALID);
	}
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(git_edit_put(ed, name, "x", 1, &e), ERR_INVALID);
	memset(path, 'a', sizeof(path) - 1);
	for (size_t i = 200; i < sizeof(path); i += 200)
		path[i] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(git_edit_put(ed, path, "x", 1, &e), ERR_INVALID);
	assert_false(git_edit_changed(ed));
	git_edit_free(ed);
}

/* Modes: what is untouched keeps its own, what is put is a plain file even where a link or a program stood. */
static void
modes(void **state)
{
	struct oid tree, base;
	struct git_edit *ed;
	char line[256], hex[OID_HEX];

	(void)state;
	fix("git init -q w; cd w; echo run > run; chmod +x run; ln -s run link; echo same > same; chmod +x same; git add .;"
	    "git commit -q -m 0; git push -q ../r.git HEAD:refs/heads/modes");
	assert_int_equal(oid_parse(fix("git -C w rev-parse HEAD^{tree}"), &base), 0);
	ed = start(&base);
	put(ed, "link", "run"); /* the link's blob has these very bytes */
	put(ed, "same", "same\n");
	put(ed, "new", "n");
	assert_int_equal(git_edit_write(ed, &tree, NULL, &e), 0);
	git_edit_free(ed);
	oid_hex(&tree, hex);
	(void)snprintf(line, sizeof(line), "git -C r.git ls-tree %s | cut -c1-6 | tr '\\n' ' '", hex);
	assert_string_equal(fix(line), "100644 100644 100755 100644 ");
}

static void
listing(void **state)
{
	static const struct {
		const char *folder, *want;
	} rows[] = {
		{ "", "a b-c b.d b/ c " }, { "b", "x y/ " }, { "b/y", "z " }, { "a", "" }, { "none", "" }, { "none/deep", "" },
		{ "gone", "" }, { "a/b", "" },
	};
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);
	struct git_edit *ed = start(NULL);
	struct oid base;

	(void)state;
	apply(ed, "a b/x b-c gone/1");
	assert_int_equal(git_edit_write(ed, &base, NULL, &e), 0);
	git_edit_free(ed);
	ed = start(&base);
	apply(ed, "c b/y/z b.d -gone/1");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf AUTO_BUF got = BUF_INIT(4096);
		const char **names;
		size_t n;

		assert_int_equal(git_edit_list(ed, rows[i].folder, mem, &names, &n, &e), 0);
		for (size_t j = 0; j < n; j++)
			buf_printf(&got, "%s ", names[j]);
		assert_string_equal(buf_cstr(&got), rows[i].want);
	}
	git_edit_free(ed);
}

static void
counts(void **state)
{
	struct git_edit *ed = start(NULL);
	struct oid one, two;
	size_t n = 99;

	(void)state;
	put(ed, "k/a", "count one");
	put(ed, "k/b", "count one"); /* one blob for both */
	put(ed, "k/c", "thrown away");
	assert_int_equal(git_edit_put(ed, "k/c", "count two", 9, &e), 1);
	assert_int_equal(git_edit_put(ed, "k/c", "count two", 9, &e), 0);
	assert_int_equal(git_edit_write(ed, &one, &n, &e), 0);
	assert_int_equal(n, 4); /* two blobs, k, the root */
	assert_int_equal(git_edit_write(ed, &two, &n, &e), 0);
	assert_int_equal(n, 0);
	put(ed, "k/a", "count two");
	assert_int_equal(git_edit_write(ed, &two, &n, &e), 0);
	assert_int_equal(n, 2);
	git_edit_free(ed);
	ed = start(&two);
	put(ed, "k/a", "count one");
	assert_int_equal(git_edit_write(ed, &two, &n, &e), 0);
	assert_int_equal(n, 0); /* everything was there */
	assert_true(oid_eq(&one, &two));
	git_edit_free(ed);
	assert_int_equal(git_edit_new(repo, &(struct oid){ { 1 } }, &ed, &e), ERR_NOTFOUND);
}

static void
fill(struct git_edit *ed, int folders, int files, int salt)
{
	for (int i = 0; i < folders; i++)
		for (int j = 0; j < files; j++) {
			char path[64], bytes[1600];
			size_t n = 0;

			(void)snprintf(path, sizeof(path), "envs/u%d/e%d/o%d.yaml", i / 10, i, j);
			while (n + 40 < sizeof(bytes))
				n += (size_t)snprintf(bytes + n, sizeof(bytes) - n, "key%zu: %d %d %d\n", n, i, j, salt);
			assert_true(git_edit_put(ed, path, bytes, n, &e) >= 0);
		}
}

static void
one_pack(void **state)
{
	struct git_edit *ed;
	struct oid tree, again;
	char line[512], hex[OID_HEX];
	size_t n;

	(void)state;
	fix("git init -q --bare -b main pack.git");
	git_close(repo);
	assert_int_equal(git_open(fix_path("pack.git"), &repo, &e), 0);
	ed = start(NULL);
	fill(ed, 200, 3, 1);
	assert_int_equal(git_edit_write(ed, &tree, &n, &e), 0);
	git_edit_free(ed);
	assert_int_equal(n, 600 + 200 + 20 + 2);
	assert_string_equal(fix("cd pack.git/objects; ls pack/*.pack | wc -l; ls | tr '\\n' ' '"), "1\ninfo pack ");
	oid_hex(&tree, hex);
	(void)snprintf(line, sizeof(line), "cd pack.git; git update-ref refs/heads/x $(git commit-tree -m x %s); "
	               "git fsck --strict --no-dangling; git verify-pack objects/pack/*.idx; git ls-tree -r x | wc -l; "
	               "git read-tree x; test $(git write-tree) = %s", hex, hex);
	assert_string_equal(fix(line), "600");
	ed = start(&tree);
	fill(ed, 200, 3, 1);
	assert_false(git_edit_changed(ed));
	fill(ed, 1, 1, 2);
	assert_true(git_edit_changed(ed));
	assert_int_equal(git_edit_write(ed, &again, &n, &e), 0);
	assert_int_equal(n, 1 + 4); /* the file, its folder, the user, envs, the root: loose */
	assert_string_equal(fix("cd pack.git/objects; ls pack/*.pack | wc -l; git count-objects | cut -d' ' -f1"), "1\n6");
	git_edit_free(ed);
	fix("git -C pack.git fsck --strict --no-dangling");
}

/* Commits for ever; says so on `fd` after each. */
__attribute__((noreturn)) static void
commit_for_ever(int round, int fd)
{
	if (git_open(fix_path("kill.git"), &repo, &e))
		_exit(1);
	for (int salt = 0;; salt++) {
		struct git_edit *ed = start(NULL);
		struct oid old, tree, commit;
		bool have = git_ref_read(repo, "refs/heads/berth/x", &old, &e) == 0;

		fill(ed, salt % 2 ? 150 : 20, 4, salt + round * 1000);
		if (git_edit_write(ed, &tree, NULL, &e) ||
		    git_commit_write(repo, &tree, &old, have ? 1 : 0, "x\n", salt, &commit, &e) ||
		    git_ref_cas(repo, "refs/heads/berth/x", have ? &old : NULL, &commit, "m", NULL, &e)) {
			(void)fprintf(stderr, "# %s\n", e.text);
			_exit(2);
		}
		git_edit_free(ed);
		if (write(fd, "", 1) != 1)
			_exit(3);
	}
}

/* Killed at any moment of a write, the repository stays whole: either the ref moved and all is there, or it did not. */
static void
killed_while_writing(void **state)
{
	(void)state;
	fix("git init -q --bare -b main kill.git");
	for (int i = 0; i < 20; i++) {
		int fds[2], status;
		char c;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		if ((pid = fork()) == 0)
			commit_for_ever(i, fds[1]);
		assert_true(pid > 0);
		(void)close(fds[1]);
		for (int k = 0; k <= i % 2; k++)
			assert_int_equal(read(fds[0], &c, 1), 1);
		(void)usleep((unsigned int)i * 3000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status)); /* it did not end by itself */
		(void)close(fds[0]);
		/* a lock left by the kill would be in the way of the next round for 10 s */
		fix("cd kill.git; rm -f refs/heads/berth/x.lock; git fsck --strict --no-dangling; "
		    "git rev-list --objects --quiet refs/heads/berth/x");
	}
}

static int
group_start(void **state)
{
	if (fix_start(state))
		return -1;
	return git_open_or_init(fix_path("r.git"), &repo, &e);
}

static int
group_end(void **state)
{
	git_close(repo);
	return fix_end(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits),
		cmocka_unit_test(bad_paths),
		cmocka_unit_test(modes),
		cmocka_unit_test(listing),
		cmocka_unit_test(counts),
		cmocka_unit_test(one_pack),
		cmocka_unit_test(killed_while_writing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, group_start, group_end);
}
