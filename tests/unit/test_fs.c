/* SPDX-License-Identifier: Apache-2.0 */
/* lib/base/fs on a folder of its own, and share from disk. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/base/share.h"
#include "lib/base/str.h"

static char root[] = "/tmp/berth-fs.XXXXXX";
static struct arena *mem;
static struct err e;

static const char *
at(const char *rel)
{
	return arena_printf(mem, "%s/%s", root, rel);
}

static void
put(const char *rel, const char *text)
{
	assert_int_equal(fs_write_atomic(at(rel), text, strlen(text), 0644, &e), 0);
}

static void
read_bounds(void **state)
{
	char *bytes = NULL;
	size_t len = 99;

	(void)state;
	put("ten", "0123456789");
	put("empty", "");
	assert_int_equal(fs_read(at("ten"), 10, mem, &bytes, &len, &e), 0);
	assert_int_equal(len, 10);
	assert_string_equal(bytes, "0123456789");
	assert_int_equal(fs_read(at("empty"), 0, mem, &bytes, &len, &e), 0);
	assert_int_equal(len, 0);
	len = 99;
	assert_int_equal(fs_read(at("ten"), 9, mem, &bytes, &len, &e), ERR_INVALID);
	assert_true(str_ends(e.text, "/ten is larger than 9 bytes"));
	assert_int_equal(fs_read(at("ten"), 0, mem, &bytes, &len, &e), ERR_INVALID);
	assert_int_equal(fs_read(at("none"), 9, mem, &bytes, &len, &e), ERR_NOTFOUND);
	assert_int_equal(fs_read(root, 9, mem, &bytes, &len, &e), ERR_INVALID);
	assert_int_equal(len, 99);
	/* files of /proc say that they are empty; their bytes count all the same */
	assert_int_equal(fs_read("/proc/self/status", 100000, mem, &bytes, &len, &e), 0);
	assert_true(len > 100);
	assert_int_equal(fs_read("/proc/self/status", 100, mem, &bytes, &len, &e), ERR_INVALID);
}

static void
read_fifo(void **state)
{
	char *bytes;
	size_t len;

	(void)state;
	assert_int_equal(mkfifo(at("fifo"), 0600), 0);
	assert_int_equal(fs_read(at("fifo"), 10, mem, &bytes, &len, &e), ERR_INVALID);
	assert_int_equal(unlink(at("fifo")), 0);
}

static void
write_atomic(void **state)
{
	unsigned int *modes;
	const char **paths;
	struct stat st;
	char *bytes;
	size_t len, n;

	(void)state;
	assert_int_equal(fs_mkdirs(at("w"), &e), 0);
	put("w/f", "old");
	assert_int_equal(fs_write_atomic(at("w/f"), "new\0x", 5, 0600, &e), 0);
	assert_int_equal(fs_read(at("w/f"), 10, mem, &bytes, &len, &e), 0);
	assert_int_equal(len, 5);
	assert_memory_equal(bytes, "new\0x", 5);
	assert_int_equal(stat(at("w/f"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fs_write_atomic(at("none/f"), "x", 1, 0600, &e), ERR_NOTFOUND);
	/* a folder in the way: an error, and no temporary file left behind */
	assert_int_equal(fs_mkdirs(at("w/d"), &e), 0);
	assert_true(fs_write_atomic(at("w/d"), "x", 1, 0600, &e) < 0);
	assert_int_equal(fs_list(at("w"), 10, mem, &paths, &modes, &n, &e), 0);
	assert_int_equal(n, 1);
}

static void
directories(void **state)
{
	(void)state;
	assert_int_equal(fs_mkdirs(at("a/b//c/"), &e), 0);
	assert_true(fs_is_dir(at("a/b/c")));
	assert_int_equal(fs_mkdirs(at("a/b/c"), &e), 0);
	assert_int_equal(fs_mkdirs("/", &e), 0);
	assert_int_equal(fs_mkdirs("", &e), ERR_INVALID);
	put("file", "x");
	assert_true(fs_exists(at("file")) && !fs_is_dir(at("file")));
	assert_false(fs_exists(at("nothing")));
	assert_true(fs_mkdirs(at("file/x"), &e) < 0);
	assert_int_equal(symlink("nowhere", at("dangling")), 0);
	assert_true(fs_exists(at("dangling")) && !fs_is_dir(at("dangling")));
}

static void
locks(void **state)
{
	char *bytes, want[64];
	int fd = -1, second = -7, status;
	size_t len;
	pid_t pid;

	(void)state;
	assert_int_equal(fs_lock(at("lock"), &fd, &e), 0);
	assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	assert_int_equal(fs_read(at("lock"), 100, mem, &bytes, &len, &e), 0);
	(void)snprintf(want, sizeof(want), "%ld\n", (long)getpid());
	assert_string_equal(bytes, want);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fs_lock(at("lock"), &second, &e) == ERR_CONFLICT && second == -7 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(fs_lock(at("lock"), &second, &e), ERR_CONFLICT);
	(void)snprintf(want, sizeof(want), "/lock is locked by process %ld", (long)getpid());
	assert_true(str_ends(e.text, want));
	(void)close(fd);
	assert_int_equal(fs_lock(at("lock"), &fd, &e), 0);
	(void)close(fd);
	assert_int_equal(fs_lock(at("none/lock"), &fd, &e), ERR_NOTFOUND);
}

static void
listing(void **state)
{
	static const char *const want[] = { "L/B", "L/a-b", "L/a.txt", "L/a/x", "L/link", "L/linkdir" };
	unsigned int *modes;
	const char **paths;
	size_t n;

	(void)state;
	assert_int_equal(fs_mkdirs(at("L/.git/objects"), &e), 0);
	assert_int_equal(fs_mkdirs(at("L/a/.git"), &e), 0);
	put("L/.git/HEAD", "x");
	put("L/a.txt", "x");
	put("L/a-b", "x");
	put("L/a/x", "x");
	put("L/B", "x");
	assert_int_equal(chmod(at("L/B"), 0755), 0);
	assert_int_equal(symlink("a.txt", at("L/link")), 0);
	assert_int_equal(symlink("..", at("L/linkdir")), 0);
	assert_int_equal(mkfifo(at("L/fifo"), 0600), 0);
	assert_int_equal(fs_list(at("L"), 6, mem, &paths, &modes, &n, &e), 0);
	assert_int_equal(n, 6);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(paths[i], want[i] + 2);
	assert_true(S_ISREG(modes[0]) && (modes[0] & 0111) && S_ISLNK(modes[4]) && S_ISLNK(modes[5]));
	assert_int_equal(fs_list(at("L"), 5, mem, &paths, &modes, &n, &e), ERR_INVALID);
	assert_true(str_ends(e.text, "more than 5 files"));
	assert_int_equal(fs_list(at("none"), 5, mem, &paths, &modes, &n, &e), ERR_NOTFOUND);
	assert_int_equal(fs_list(at("L/B"), 5, mem, &paths, &modes, &n, &e), ERR_NOTFOUND);
}

static void
deep_listing(void **state)
{
	struct buf AUTO_BUF path = BUF_INIT(0);
	unsigned int *modes;
	const char **paths;
	size_t n;

	(void)state;
	buf_str(&path, at("deep"));
	for (int i = 0; i < 70; i++)
		buf_str(&path, "/d");
	assert_int_equal(fs_mkdirs(path.data, &e), 0);
	assert_int_equal(fs_list(at("deep"), 5, mem, &paths, &modes, &n, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "folders deep"));
}

static void
sweep(void **state)
{
	const char **paths;
	unsigned int *modes;
	size_t n;

	(void)state;
	assert_int_equal(fs_mkdirs(at("state/proof.folder"), &e), 0);
	put("state/proof", "whole");
	put("state/proof.a1B2c3", "half");
	put("state/proof.a1B2c", "somebody's");
	put("state/proof.a1B2c34", "somebody's");
	put("state/proof.a1B2c-", "somebody's");
	put("state/proof2.a1B2c3", "another's");
	put("state/proof.folder/x", "kept");
	fs_sweep(at("state/proof"));
	fs_sweep(at("nowhere/proof"));
	assert_int_equal(fs_list(at("state"), 100, mem, &paths, &modes, &n, &e), 0);
	assert_int_equal(n, 6);
	for (size_t i = 0; i < n; i++)
		assert_string_not_equal(paths[i], "proof.a1B2c3");
}

static void
share_disk(void **state)
{
	const struct share_file *files, *f;
	size_t n;

	(void)state;
	assert_int_equal(setenv("BERTH_SHARE", root, 1), 0);
	/* an unreadable folder is an error each time, never a silent fall back */
	assert_int_equal(share_files(&files, &n, &e), ERR_NOTFOUND);
	assert_true(str_starts(e.text, "BERTH_SHARE: open folder /tmp/"));
	assert_int_equal(fs_mkdirs(at("schema"), &e), 0);
	assert_int_equal(fs_mkdirs(at("templates/env"), &e), 0);
	assert_int_equal(fs_mkdirs(at("envs-repo-template"), &e), 0);
	put("templates/env/x.yaml", "x: 1\n");
	put("schema/a.json", "{}");
	put("envs-repo-template/setup.sh", "#!/bin/sh\n");
	assert_int_equal(chmod(at("envs-repo-template/setup.sh"), 0755), 0);
	assert_int_equal(share_files(&files, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_string_equal(files[0].path, "envs-repo-template/setup.sh");
	assert_int_equal(files[0].mode, 0755);
	assert_int_equal(share_get("templates/env/x.yaml", &f, &e), 0);
	assert_string_equal(f->bytes, "x: 1\n");
	assert_int_equal(f->len, 5);
	assert_int_equal(f->mode, 0644);
}

static int
remove_root(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		(void)execlp("rm", "rm", "-rf", root, (char *)NULL);
		_exit(127);
	}
	arena_free(mem);
	return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static int
make_root(void **state)
{
	(void)state;
	mem = arena_new((size_t)1 << 20);
	return mkdtemp(root) ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_bounds),  cmocka_unit_test(read_fifo), cmocka_unit_test(write_atomic),
		cmocka_unit_test(directories),  cmocka_unit_test(locks),     cmocka_unit_test(listing),
		cmocka_unit_test(deep_listing), cmocka_unit_test(sweep),
cmocka_unit_test(share_disk),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
