/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories, refs, commits, trees: against repositories made by the git program. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <utime.h>

#include "gitfix.h"
#include "lib/base/fs.h"
#include "lib/git/git.h"

static struct err e;
static struct arena *mem;

static struct oid
id_of(const char *line)
{
	struct oid id;

	assert_int_equal(oid_parse(fix(line), &id), 0);
	return id;
}

static struct git_repo *
open_repo(const char *name)
{
	struct git_repo *g = NULL;

	if (git_open(fix_path(name), &g, &e))
		fail_msg("%s", e.text);
	return g;
}

static struct oid
tree_of(struct git_repo *g, const char *rev)
{
	struct git_commit_info c;
	struct oid id;

	assert_int_equal(git_rev_parse(g, rev, &id, &e), 0);
	assert_int_equal(git_commit_read(g, &id, mem, &c, &e), 0);
	return c.tree;
}

/* -- opening ------------------------------------------------------------------------------------------------------- */

static void
opening(void **state)
{
	struct git_repo *g = NULL, *h = NULL;
	struct oid id;

	(void)state;
	fix("git init -q -b main work; git -C work commit -q --allow-empty -m one; git clone -q --bare work bare.git;"
	    "git -C work worktree add -q ../linked -b other; git init -q --bare -b main empty.git; mkdir none");
	g = open_repo("work");
	assert_string_equal(git_path(g), fix_path("work/.git"));
	git_close(g);
	g = open_repo("bare.git");
	assert_string_equal(git_path(g), fix_path("bare.git"));
	git_close(g);
	g = open_repo("linked");
	assert_int_equal(git_ref_read(g, "refs/heads/other", &id, &e), 0);
	git_close(g);
	g = open_repo("empty.git");
	assert_int_equal(git_ref_read(g, "refs/heads/main", &id, &e), ERR_NOTFOUND);
	assert_int_equal(git_rev_parse(g, "HEAD", &id, &e), ERR_NOTFOUND);
	git_close(g);
	assert_int_equal(git_open(fix_path("none"), &g, &e), ERR_NOTFOUND);
	assert_non_null(strstr(e.text, "not a git repository"));
	assert_int_equal(git_open(fix_path("missing"), &g, &e), ERR_NOTFOUND);
	assert_int_equal(git_open_or_init(fix_path("a/b/new.git"), &h, &e), 0);
	git_close(h);
	assert_int_equal(git_open_or_init(fix_path("a/b/new.git"), &h, &e), 0);
	git_close(h);
	assert_string_equal(fix("git -C a/b/new.git symbolic-ref HEAD"), "refs/heads/main");
}

/* -- refs ------------------------------------------------------------------------------------------------------------ */

static void
refs_seen_from_outside(void **state)
{
	struct oid one, two, id;
	struct git_repo *g;

	(void)state;
	fix("git init -q -b main seen; git -C seen commit -q --allow-empty -m one");
	g = open_repo("seen");
	one = id_of("git -C seen rev-parse HEAD");
	assert_int_equal(git_ref_read(g, "refs/heads/main", &id, &e), 0);
	assert_true(oid_eq(&id, &one));
	fix("git -C seen commit -q --allow-empty -m two; git -C seen tag -a -m tag v1; git -C seen pack-refs --all; git -C seen gc -q");
	two = id_of("git -C seen rev-parse HEAD");
	assert_int_equal(git_ref_read(g, "refs/heads/main", &id, &e), 0);
	assert_true(oid_eq(&id, &two));
	assert_int_equal(git_ref_read(g, "refs/tags/v1", &id, &e), 0);
	assert_true(oid_eq(&id, &two)); /* the commit, not the tag */
	assert_int_equal(git_rev_parse(g, "HEAD~1", &id, &e), 0);
	assert_true(oid_eq(&id, &one));
	assert_int_equal(git_rev_parse(g, "HEAD~2", &id, &e), ERR_NOTFOUND);
	assert_int_equal(git_rev_parse(g, "HEAD^{tree}", &id, &e), ERR_INVALID);
	assert_int_equal(git_ref_read(g, "refs/heads/..", &id, &e), ERR_INVALID);
	fix("git -C seen update-ref -d refs/heads/main");
	assert_int_equal(git_ref_read(g, "refs/heads/main", &id, &e), ERR_NOTFOUND);
	git_close(g);
}

static void
cas_rows(void **state)
{
	struct oid one, two, id;
	struct git_repo *g;
	bool swept = true;

	(void)state;
	fix("git init -q -b main cas; git -C cas config core.logAllRefUpdates true; git -C cas commit -q --allow-empty -m one;"
	    "git -C cas commit -q --allow-empty -m two");
	one = id_of("git -C cas rev-parse HEAD~1");
	two = id_of("git -C cas rev-parse HEAD");
	g = open_repo("cas");
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", &one, &two, "m", NULL, &e), ERR_CONFLICT); /* is not there */
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", NULL, &one, "m", &swept, &e), 0);
	assert_false(swept);
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", NULL, &two, "m", NULL, &e), ERR_CONFLICT); /* is there */
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", &two, &one, "m", NULL, &e), ERR_CONFLICT);
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", &one, &two, "m", NULL, &e), 0);
	fix("git -C cas pack-refs --all");
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", NULL, &one, "m", NULL, &e), ERR_CONFLICT); /* packed */
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", &two, &one, "m", NULL, &e), 0);
	assert_int_equal(git_ref_read(g, "refs/heads/berth/x", &id, &e), 0);
	assert_true(oid_eq(&id, &one));
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x/y", NULL, &one, "m", NULL, &e) < 0, 1); /* a file is in the way */
	assert_int_equal(git_ref_cas(g, "berth", NULL, &one, "m", NULL, &e), ERR_INVALID);
	assert_int_equal(git_ref_cas(g, "refs/heads/a..b", NULL, &one, "m", NULL, &e), ERR_INVALID);
	assert_int_not_equal(access(fix_path("cas/.git/logs/refs/heads/berth/x"), F_OK), 0);
	git_close(g);
}

static void
make_lock(const char *path, int age)
{
	time_t then = time(NULL) - age;

	assert_int_equal(fs_write_atomic(path, "", 0, 0644, &e), 0);
	assert_int_equal(utime(path, &(struct utimbuf){ then, then }), 0);
}

static void
stale_locks(void **state)
{
	struct git_repo *g;
	struct oid one;
	bool swept;

	(void)state;
	fix("git init -q --bare -b main lock.git; git -C lock.git update-ref refs/heads/berth/x "
	    "$(git -C lock.git commit-tree -m one $(git -C lock.git mktree < /dev/null))");
	one = id_of("git -C lock.git rev-parse refs/heads/berth/x");
	g = open_repo("lock.git");
	make_lock(fix_path("lock.git/refs/heads/berth/x.lock"), 2);
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", &one, &one, "m", &swept, &e), ERR_CONFLICT);
	assert_false(swept);
	assert_non_null(strstr(e.hint, "refs/heads/berth/x.lock"));
	make_lock(fix_path("lock.git/refs/heads/berth/x.lock"), 30);
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", &one, &one, "m", &swept, &e), 0);
	assert_true(swept);
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", &one, &one, "m", &swept, &e), 0);
	assert_false(swept);
	fix("test $(ls lock.git | grep -c berth-stale-lock) = 1; test ! -e lock.git/refs/heads/berth/x.lock");
	make_lock(fix_path("lock.git/refs/heads/main.lock"), 3600); /* not ours to judge */
	assert_int_equal(git_ref_cas(g, "refs/heads/main", NULL, &one, "m", &swept, &e), ERR_CONFLICT);
	assert_false(swept);
	assert_int_equal(access(fix_path("lock.git/refs/heads/main.lock"), F_OK), 0);
	git_close(g);
}

/* -- several writers --------------------------------------------------------------------------------------------------- */

static int
write_loop(const char *path, int who, int rounds)
{
	struct git_repo *g = NULL;
	struct err err;

	if (git_open(path, &g, &err))
		return 1;
	for (int i = 0; i < rounds;) {
		struct git_edit *ed = NULL;
		struct git_commit_info c;
		struct arena *AUTO_ARENA a = arena_new(1 << 20);
		struct oid tip, tree, commit;
		char name[64];
		int rc;

		(void)snprintf(name, sizeof(name), "w%d/%d", who, i);
		if (git_ref_read(g, "refs/heads/berth/x", &tip, &err) || git_commit_read(g, &tip, a, &c, &err) ||
		    git_edit_new(g, &c.tree, &ed, &err) || git_edit_put(ed, name, name, strlen(name), &err) < 0 ||
		    git_edit_write(ed, &tree, NULL, &err) || git_commit_write(g, &tree, &tip, 1, name, i, &commit, &err)) {
			(void)fprintf(stderr, "# writer %d: %s\n", who, err.text);
			return 2;
		}
		git_edit_free(ed);
		rc = git_ref_cas(g, "refs/heads/berth/x", &tip, &commit, "m", NULL, &err);
		if (rc == 0)
			i++;
		else if (rc != ERR_CONFLICT)
			return 3;
	}
	git_close(g);
	return 0;
}

static void
three_writers_and_gc(void **state)
{
	pid_t pids[3];

	(void)state;
	fix("git init -q --bare -b main race.git; git -C race.git update-ref refs/heads/berth/x "
	    "$(git -C race.git commit-tree -m one $(git -C race.git mktree < /dev/null))");
	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(write_loop(fix_path("race.git"), i, 50));
	}
	for (int i = 0; i < 4; i++)
		fix("sleep 0.05; git -C race.git -c gc.pruneExpire=never gc -q || sleep 0.1");
	for (int i = 0; i < 3; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_string_equal(fix("git -C race.git rev-list --count refs/heads/berth/x"), "151");
	assert_string_equal(fix("git -C race.git ls-tree -r --name-only refs/heads/berth/x | wc -l"), "150");
	fix("git -C race.git fsck --strict --no-dangling");
}

/*
 * What `git gc` does to empty folders, at the worst moments: these two stand in for the C library's in this program and in libgit2.
 * The folder is gone before the object moves in, or before anybody comes back to the one just made.
 */
static int swept_before_link, swept_after_mkdir;

int
link(const char *from, const char *to)
{
	char folder[512];

	(void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(to, '/') - to), to);
	if (swept_before_link && rmdir(folder) == 0)
		swept_before_link--;
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
mkdir(const char *path, mode_t mode)
{
	int rc = mkdirat(AT_FDCWD, path, mode);

	if (rc == 0 && swept_after_mkdir && rmdir(path) == 0)
		swept_after_mkdir--;
	return rc;
}

/* However often it happens: libgit2 itself survives one sweep for an object, and one gc makes three. */
static void
swept_folders(void **state)
{
	static const int rows[][2] = { { 1, 0 }, { 3, 0 }, { 100, 0 }, { 0, 1 }, { 0, 7 }, { 100, 100 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fix("rm -rf swept.git; git init -q --bare -b main swept.git; git -C swept.git update-ref refs/heads/berth/x "
		    "$(git -C swept.git commit-tree -m one $(git -C swept.git mktree < /dev/null)); git -C swept.git gc -q");
		print_message("# row %zu\n", i);
		swept_before_link = rows[i][0];
		swept_after_mkdir = rows[i][1];
		assert_int_equal(write_loop(fix_path("swept.git"), 0, 3), 0);
		assert_true(swept_before_link < rows[i][0] || swept_after_mkdir < rows[i][1]);
		swept_before_link = swept_after_mkdir = 0;
		assert_string_equal(fix("git -C swept.git rev-list --count refs/heads/berth/x"), "4");
		fix("git -C swept.git fsck --strict --no-dangling; test -z \"$(find swept.git/objects -name 'tmp_obj*')\"");
	}
}

static void
swept_refs(void **state)
{
	struct git_repo *g;
	struct oid one;

	(void)state;
	fix("git init -q --bare -b main refs.git");
	one = id_of("git -C refs.git commit-tree -m one $(git -C refs.git mktree < /dev/null)");
	g = open_repo("refs.git");
	swept_after_mkdir = 3;
	assert_int_equal(git_ref_cas(g, "refs/heads/berth/x", NULL, &one, "m", NULL, &e), 0);
	assert_int_equal(swept_after_mkdir, 0);
	assert_string_equal(fix("git -C refs.git for-each-ref --format='%(refname)'"), "refs/heads/berth/x");
	git_close(g);
}

/* An open handle goes on reading while everything is repacked under it. */
static void
reads_across_repack(void **state)
{
	struct git_repo *g;
	struct oid blob;
	const char *bytes;
	char line[256];
	size_t len;

	(void)state;
	fix("git init -q -b main repack; cd repack; for i in 1 2 3 4 5 6 7 8; do echo $i > f$i; git add .; git commit -q -m $i; done;"
	    "git repack -q -d");
	g = open_repo("repack");
	for (int i = 1; i <= 8; i++) {
		(void)snprintf(line, sizeof(line), "cd repack; git rev-parse HEAD:f%d", i);
		blob = id_of(line);
		assert_int_equal(git_blob_read(g, &blob, 100, mem, &bytes, &len, &e), 0);
		assert_int_equal(len, 2);
		assert_int_equal(bytes[0], '0' + i);
		fix("cd repack; date +%N > g; git add g; git commit -q -m more; git repack -a -d -f -q; git prune-packed -q");
	}
	git_close(g);
}

/* -- commits ------------------------------------------------------------------------------------------------------------ */

static void
commits(void **state)
{
	struct git_commit_info c;
	struct git_repo *g;
	struct oid main_id, side, merge, id, none = { { 1 } };
	struct rlimit full;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &full), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	fix("git init -q -b main hist; cd hist; git commit -q --allow-empty -m one; git checkout -q -b side;"
	    "git commit -q --allow-empty -m side; git checkout -q main; git commit -q --allow-empty -m two;"
	    "git merge -q --no-ff -m merge side");
	g = open_repo("hist");
	merge = id_of("git -C hist rev-parse main");
	main_id = id_of("git -C hist rev-parse main^1");
	side = id_of("git -C hist rev-parse side");
	assert_int_equal(git_commit_read(g, &merge, mem, &c, &e), 0);
	assert_int_equal(c.nparents, 2);
	assert_true(oid_eq(&c.parents[0], &main_id) && oid_eq(&c.parents[1], &side));
	assert_string_equal(c.author, "bo");
	assert_string_equal(c.author_email, "bo@example.org");
	assert_string_equal(c.message, "merge\n");
	assert_int_equal(c.time, 1700000000);
	assert_int_equal(git_is_ancestor(g, &side, &merge, &e), 1);
	assert_int_equal(git_is_ancestor(g, &merge, &merge, &e), 1);
	assert_int_equal(git_is_ancestor(g, &side, &main_id, &e), 0);
	assert_int_equal(git_is_ancestor(g, &merge, &side, &e), 0);
	assert_int_equal(git_is_ancestor(g, &none, &merge, &e), 0);
	assert_int_equal(git_is_ancestor(g, &merge, &none, &e), 0);
	assert_int_equal(git_commit_read(g, &none, mem, &c, &e), ERR_NOTFOUND);
	assert_int_equal(git_commit_read(g, &c.tree, mem, &c, &e) < 0, 1);
	assert_int_equal(git_commit_read(g, &merge, mem, &c, &e), 0);
	assert_int_equal(git_commit_write(g, &c.tree, &merge, 1, "by us\n", 1800000000, &id, &e), 0);
	assert_int_equal(git_commit_read(g, &id, mem, &c, &e), 0);
	assert_string_equal(c.author, "berth");
	assert_string_equal(c.committer_email, "berth@localhost");
	assert_int_equal(c.time, 1800000000);
	assert_int_equal(git_commit_write(g, &none, NULL, 0, "no tree\n", 1, &id, &e) < 0, 1);
	/* a disk that takes nothing: root is not held up by permissions, but by this */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 0, full.rlim_max }), 0);
	assert_int_equal(git_commit_write(g, &c.tree, &merge, 1, "not written\n", 1, &id, &e) < 0, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	print_message("# %s\n", e.text);
	assert_null(strstr(e.text, "no reason"));
	fix("git -C hist fsck --strict --no-dangling");
	git_close(g);
}

static void
trailers(void **state)
{
	static const struct {
		const char *message, *key, *want;
	} rows[] = {
		{ "subject\n\nBerth-Env: a/b\n", "Berth-Env", "a/b" },
		{ "subject\n\nBerth-Env: a/b", "berth-env", "a/b" },
		{ "subject\n\nX: 1\nX: 2\nY: 3\n", "X", "2" },
		{ "subject\n\nX: old\n\nbody\n\nY: 1\n", "X", NULL },
		{ "X: subject\n", "X", NULL },
		{ "subject\nX: second line\n", "X", NULL },
		{ "subject\n\nX:   spaces  \r\n\n\n", "X", "spaces" },
		{ "subject\n\nX:\n", "X", "" },
		{ "subject\n\nXY: 1\n", "X", NULL },
		{ "subject\n \t\nX: after a blank line of spaces\n", "X", "after a blank line of spaces" },
		{ "\n\nsubject\n\nX: 1\n", "X", "1" },
		{ "", "X", NULL },
		{ "\n\n", "X", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = git_trailer(mem, rows[i].message, rows[i].key);

		print_message("# row %zu\n", i);
		if (rows[i].want)
			assert_string_equal(got ? got : "(none)", rows[i].want);
		else
			assert_null(got);
	}
}

/* -- trees ---------------------------------------------------------------------------------------------------------------- */

static struct buf seen;

static int
collect(void *ctx, const struct git_change *c, struct err *err)
{
	(void)ctx;
	(void)err;
	buf_printf(&seen, "%c %s\n", !c->old_id ? 'A' : !c->new_id ? 'D' : 'M', c->path);
	return 0;
}

static int
stop_at_once(void *ctx, const struct git_change *c, struct err *err)
{
	++*(int *)ctx;
	return err_set(err, ERR_DENIED, "enough of %s", c->path);
}

static void
diff_like_git(void **state)
{
	static const char *const edits[] = {
		"echo 2 > a; mkdir b; echo 3 > b/c; echo 4 > b-d; echo 5 > b.e",
		"git mv b/c b/z; echo x > new",
		"git rm -q -r b; echo file > b",       /* a folder becomes a file */
		"git rm -q b; mkdir b; echo y > b/y",  /* and back */
		"chmod +x a",
		"ln -s a link; git rm -q b-d",
		"mkdir -p p/q/r/s; echo 1 > p/q/r/s/t",
		"true",
	};
	struct git_repo *g;
	char line[512];

	(void)state;
	fix("git init -q -b main diff; cd diff; echo 1 > a; git add .; git commit -q -m 0");
	g = open_repo("diff");
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		struct oid old_tree, new_tree;

		(void)snprintf(line, sizeof(line), "cd diff; %s; git add -A; git commit -q --allow-empty -m %zu", edits[i], i);
		fix(line);
		old_tree = tree_of(g, "HEAD~1");
		new_tree = tree_of(g, "HEAD");
		buf_reset(&seen);
		assert_int_equal(git_tree_diff(g, &old_tree, &new_tree, 0, collect, NULL, &e), 0);
		while (seen.len && seen.data[seen.len - 1] == '\n')
			seen.data[--seen.len] = '\0';
		assert_string_equal(buf_cstr(&seen),
		                    fix("git -C diff diff-tree -r --no-renames --name-status HEAD~1 HEAD | tr '\\t' ' ' | tr T M"));
	}
	git_close(g);
}

static void
diff_limits(void **state)
{
	struct oid old_tree, new_tree, deep, bad;
	struct git_repo *g = open_repo("diff");
	int calls = 0;

	(void)state;
	old_tree = tree_of(g, "HEAD~7");
	new_tree = tree_of(g, "HEAD");
	assert_int_equal(git_tree_diff(g, &old_tree, &new_tree, 0, stop_at_once, &calls, &e), ERR_DENIED);
	assert_int_equal(calls, 1);
	assert_int_equal(git_tree_diff(g, NULL, &new_tree, 2, collect, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "more than 2 files"));
	deep = id_of("cd diff; t=$(git mktree < /dev/null); b=$(git hash-object -w a); t=$(printf '100644 blob %s\\tf\\n' $b | git mktree);"
	             "for i in $(seq 40); do t=$(printf '040000 tree %s\\td\\n' $t | git mktree); done; echo $t");
	assert_int_equal(git_tree_diff(g, NULL, &deep, 0, collect, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "folders deep"));
	/* each names the one below it eight times, and no file is in them: eight times as many folders with each */
	deep = id_of("cd diff; t=$(git mktree < /dev/null); for i in $(seq 20); do"
	             " t=$(printf '040000 tree %s\\tm%d\\n' $(for k in 1 2 3 4 5 6 7 8; do echo $t $k; done) | git mktree); done; echo $t");
	assert_int_equal(git_tree_diff(g, NULL, &deep, 0, collect, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "more than 250000 folders"));
	bad = id_of("git -C diff rev-parse HEAD:a");
	assert_int_equal(git_tree_diff(g, NULL, &bad, 0, collect, NULL, &e), ERR_INVALID); /* a blob */
	git_close(g);
}

/* Raw trees that git's own commands would not make. */
static void
evil_trees(void **state)
{
	static const struct {
		const char *name, *bytes; /* printf format of the tree; %b is a blob's 20 bytes */
		int rc;
	} rows[] = {
		{ "plain", "100644 a\\0%b", 0 },
		{ "old mode", "100664 a\\0%b", 0 },
		{ ".git", "100644 .git\\0%b", ERR_INVALID },
		{ ".GIT", "40000 .GIT\\0%b", ERR_INVALID },
		{ "git~1", "40000 git~1\\0%b", ERR_INVALID },
		{ ".git with a space", "100644 .git \\0%b", ERR_INVALID },
		{ ".git of HFS+", "100644 .g\\342\\200\\214it\\0%b", ERR_INVALID },
		{ ".gitignore", "100644 .gitignore\\0%b", 0 },
		{ "dot", "100644 .\\0%b", ERR_INVALID },
		{ "dot dot", "100644 ..\\0%b", ERR_INVALID },
		{ "slash", "100644 a/b\\0%b", ERR_INVALID },
		{ "empty name", "100644 \\0%b", ERR_INVALID },
		{ "twice", "100644 a\\0%b100644 a\\0%b", ERR_INVALID },
		{ "unsorted", "100644 b\\0%b100644 a\\0%b", ERR_INVALID },
		{ "unknown mode", "10644 a\\0%b", ERR_INVALID },
		{ "no mode", " a\\0%b", ERR_INVALID },
		{ "cut", "100644 a\\0%b100644 b\\0abc", ERR_INVALID },
		{ "no end of the name", "100644 a", ERR_INVALID },
	};
	struct git_repo *g;

	(void)state;
	fix("git init -q -b main evil; cd evil; echo 1 > a; git hash-object -w a > id; "
	    "xxd() { sed 's/../\\\\x&/g'; }; sed 's/../\\\\x&/g' id | tr -d '\\n' > hex");
	g = open_repo("evil");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oid tree;
		struct files f;
		char line[1024];

		print_message("# %s\n", rows[i].name);
		(void)snprintf(line, sizeof(line),
		               "cd evil; h=$(cat hex); bash -c \"printf \\\"\\$1\\\"\" - \"$(printf '%%s' '%s' | sed \"s/%%b/$(sed "
		               "'s/\\\\\\\\/\\\\\\\\\\\\\\\\/g' hex)/g\")\" > raw; git hash-object --literally -t tree -w raw",
		               rows[i].bytes);
		tree = id_of(line);
		assert_int_equal(git_files(g, &tree, mem, &f, &e), rows[i].rc);
	}
	git_close(g);
}

static void
files_of_a_tree(void **state)
{
	struct git_repo *g;
	const struct file_entry *f;
	const char *bytes;
	struct oid tree, id;
	struct files all;
	uint32_t mode;
	size_t len;

	(void)state;
	fix("git init -q -b main files; cd files; mkdir -p envs/bo; echo spec > envs/bo/x.yaml; echo s > envs/bo/setup.sh;"
	    "chmod +x envs/bo/setup.sh; ln -s /etc/passwd link; head -c 300000 /dev/zero > big; git add .; "
	    "git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,sub; git commit -q -m 0");
	g = open_repo("files");
	tree = tree_of(g, "HEAD");
	assert_int_equal(git_files(g, &tree, mem, &all, &e), 0);
	assert_int_equal(all.n, 5);
	for (size_t i = 1; i < all.n; i++)
		assert_true(strcmp(all.entries[i - 1].path, all.entries[i].path) < 0);
	f = files_find(&all, "envs/bo/x.yaml");
	assert_non_null(f);
	assert_int_equal(f->mode, FILE_REGULAR);
	assert_int_equal(all.read(all.ctx, f, FILE_DOC_MAX, mem, &bytes, &len, &e), 0);
	assert_string_equal(bytes, "spec\n");
	git_hash_blob(bytes, len, &id);
	assert_true(oid_eq(&id, &f->id));
	assert_int_equal(files_find(&all, "envs/bo/setup.sh")->mode, FILE_EXECUTABLE);
	f = files_find(&all, "big");
	assert_int_equal(all.read(all.ctx, f, FILE_DOC_MAX, mem, &bytes, &len, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "big"));
	assert_int_equal(all.read(all.ctx, files_find(&all, "link"), 99, mem, &bytes, &len, &e), ERR_INVALID);
	assert_int_equal(all.read(all.ctx, files_find(&all, "sub"), 99, mem, &bytes, &len, &e), ERR_INVALID);
	assert_int_equal(git_tree_find(g, &tree, "envs/bo", &id, &mode, &e), 0);
	assert_int_equal(mode, 0040000);
	assert_int_equal(git_tree_find(g, &tree, "envs/bo/x.yaml", &id, NULL, &e), 0);
	assert_int_equal(git_tree_find(g, &tree, "envs/bo/y", &id, NULL, &e), ERR_NOTFOUND);
	assert_int_equal(git_tree_find(g, &tree, "big/y", &id, NULL, &e), ERR_NOTFOUND);
	assert_int_equal(git_tree_find(g, &tree, "sub/y", &id, NULL, &e), ERR_NOTFOUND);
	git_close(g);
}

static void
blob_ids(void **state)
{
	char line[128];

	(void)state;
	/* lengths around the 64-byte blocks of SHA-1 */
	for (int n = 0; n < 200; n += n > 40 && n < 140 ? 1 : 13) {
		char bytes[256], hex[OID_HEX];
		struct oid id;

		if (n % 8 && n > 70)
			continue;
		memset(bytes, 'x', sizeof(bytes));
		git_hash_blob(bytes, (size_t)n, &id);
		oid_hex(&id, hex);
		(void)snprintf(line, sizeof(line), "head -c %d /dev/zero | tr '\\0' x | git hash-object --stdin", n);
		assert_string_equal(hex, fix(line));
	}
}

/* An object whose bytes are not what its name says is not read. */
static void
broken_object(void **state)
{
	struct git_repo *g;
	const char *bytes;
	struct oid id;
	size_t len;

	(void)state;
	fix("git init -q -b main broken; cd broken; echo good > a; git add a; git commit -q -m 0; echo evil > b; git add b;"
	    "o() { echo .git/objects/$(git rev-parse $1 | sed 's|^..|&/|'); }; cp -f $(o :b) $(o :a)");
	id = id_of("git -C broken rev-parse HEAD:a");
	g = open_repo("broken");
	assert_int_equal(git_blob_read(g, &id, 100, mem, &bytes, &len, &e) < 0, 1);
	git_close(g);
}

static int
group_start(void **state)
{
	mem = arena_new((size_t)64 << 20);
	return fix_start(state);
}

static int
group_end(void **state)
{
	arena_free(mem);
	buf_free(&seen);
	return fix_end(state);
}

/* What is kept is read although it is not there any more; the limit of a caller holds for it, too. */
static void
kept_blobs(void **state)
{
	struct git_repo *g, *h;
	struct oid small, large;
	const char *bytes;
	size_t len;

	(void)state;
	fix("git init -q -b main kept");
	small = id_of("cd kept && printf small | git hash-object -w --stdin");
	large = id_of("cd kept && head -c 100000 /dev/zero | git hash-object -w --stdin");
	g = open_repo("kept");
	h = open_repo("kept");
	git_keep_blobs(g, 1000);
	assert_int_equal(git_blob_read(g, &small, 100, mem, &bytes, &len, &e), 0);
	assert_int_equal(git_blob_read(g, &large, 200000, mem, &bytes, &len, &e), 0);
	assert_int_equal(git_blob_read(h, &small, 100, mem, &bytes, &len, &e), 0);
	fix("rm -rf kept/.git/objects/??");
	assert_int_equal(git_blob_read(g, &small, 5, mem, &bytes, &len, &e), 0);
	assert_int_equal(len, 5);
	assert_string_equal(bytes, "small");
	assert_true(git_blob_read(g, &small, 4, mem, &bytes, &len, &e) < 0);
	assert_true(git_blob_read(g, &large, 200000, mem, &bytes, &len, &e) < 0); /* too large to be kept */
	assert_true(git_blob_read(h, &small, 100, mem, &bytes, &len, &e) < 0);    /* nobody asked for it */
	git_keep_blobs(g, 0);
	assert_true(git_blob_read(g, &small, 100, mem, &bytes, &len, &e) < 0);
	git_close(g);
	git_close(h);
}

/* However many are read, there is room for some. */
static void
kept_few(void **state)
{
	struct git_repo *g;
	struct oid id[20];
	const char *bytes;
	size_t len, n = 0;

	(void)state;
	fix("git init -q -b main keptfew");
	for (int i = 0; i < 20; i++) {
		char line[100];

		(void)snprintf(line, sizeof(line), "cd keptfew && printf n%d | git hash-object -w --stdin", i);
		id[i] = id_of(line);
	}
	g = open_repo("keptfew");
	git_keep_blobs(g, 2000);
	for (int i = 0; i < 20; i++)
		assert_int_equal(git_blob_read(g, &id[i], 100, mem, &bytes, &len, &e), 0);
	fix("rm -rf keptfew/.git/objects/??");
	for (int i = 0; i < 20; i++)
		n += git_blob_read(g, &id[i], 100, mem, &bytes, &len, &e) == 0;
	assert_true(n >= 1 && n <= 12);
	assert_int_equal(git_blob_read(g, &id[19], 100, mem, &bytes, &len, &e), 0);
	git_close(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening),
		cmocka_unit_test(refs_seen_from_outside),
		cmocka_unit_test(cas_rows),
		cmocka_unit_test(stale_locks),
		cmocka_unit_test(three_writers_and_gc),
		cmocka_unit_test(swept_folders),
		cmocka_unit_test(swept_refs),
		cmocka_unit_test(reads_across_repack),
		cmocka_unit_test(commits),
		cmocka_unit_test(trailers),
		cmocka_unit_test(diff_like_git),
		cmocka_unit_test(diff_limits),
		cmocka_unit_test(evil_trees),
		cmocka_unit_test(files_of_a_tree),
		cmocka_unit_test(blob_ids),
		cmocka_unit_test(kept_blobs),
		cmocka_unit_test(kept_few),
		cmocka_unit_test(broken_object),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, group_start, group_end);
}
