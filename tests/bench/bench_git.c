/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of lib/git: first write of 8000 files, one edit in 10,000 folders, a walk, reads. Usage: bench_git EMPTY-FOLDER */
#include "lib/git/git.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static struct err e;

static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
must(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, e.text);
	exit(1);
}

static void
figure(const char *name, double start)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	printf("%-44s %9.2f ms   peak %ld KiB\n", name, now_ms() - start, u.ru_maxrss);
}

static size_t
body(char *out, size_t cap, int env, int file, int salt)
{
	size_t n = (size_t)snprintf(out, cap, "apiVersion: v1\nkind: Service\nmetadata:\n  name: e%d-%d\n", env, file);

	for (int i = 0; n + 80 < cap && i < 24; i++)
		n += (size_t)snprintf(out + n, cap - n, "  key-%d: value of the key %d in %d, salt %d padding\n", i, i, env, salt);
	return n;
}

static void
put(struct git_edit *ed, int folder, int file, int salt)
{
	char path[128], bytes[2048];
	size_t n = body(bytes, sizeof(bytes), folder, file, salt);

	(void)snprintf(path, sizeof(path), "envs/user-%d/env-%d/object-%d.yaml", folder / 10, folder, file);
	must(git_edit_put(ed, path, bytes, n, &e) < 0, "put");
}

static int
count(void *ctx, const struct git_change *c, struct err *err)
{
	(void)c;
	(void)err;
	++*(int *)ctx;
	return 0;
}

static struct oid
write_tree(struct git_repo *g, const struct oid *base, int folders, int files, int salt, size_t *written)
{
	struct git_edit *ed = NULL;
	struct oid tree;

	must(git_edit_new(g, base, &ed, &e), "edit");
	for (int i = 0; i < folders; i++)
		for (int j = 0; j < files; j++)
			put(ed, i, j, salt);
	must(git_edit_write(ed, &tree, written, &e), "write");
	git_edit_free(ed);
	return tree;
}

int
main(int argc, char **argv)
{
	struct git_repo *g = NULL;
	struct git_edit *ed = NULL;
	struct oid small, big, next, commit, last;
	size_t written = 0;
	int n = 0;
	double t;

	must(argc == 2 ? git_open_or_init(argv[1], &g, &e) : -1, "usage: bench_git EMPTY-FOLDER");
	t = now_ms();
	small = write_tree(g, NULL, 1100, 8, 1, &written);
	figure("first write, 8800 files in 1210 folders", t);
	printf("%-44s %9zu\n", "  objects", written);
	t = now_ms();
	must(git_files(g, &small, arena_new((size_t)64 << 20), &(struct files){ 0 }, &e), "files");
	figure("list them", t);
	t = now_ms();
	(void)write_tree(g, &small, 1100, 8, 1, &written);
	figure("the same again, nothing to do", t);
	big = write_tree(g, NULL, 10000, 1, 2, &written);
	must(git_commit_write(g, &big, NULL, 0, "base\n", 1, &last, &e), "commit");
	must(git_ref_cas(g, "refs/heads/berth/bench", NULL, &last, "bench", NULL, &e), "ref");
	t = now_ms();
	for (int i = 0; i < 20; i++) {
		must(git_edit_new(g, &big, &ed, &e), "edit");
		put(ed, i * 37, 0, 100 + i);
		must(git_edit_write(ed, &next, NULL, &e), "write");
		git_edit_free(ed);
		must(git_commit_write(g, &next, &last, 1, "one\n", i, &commit, &e), "commit");
		must(git_ref_cas(g, "refs/heads/berth/bench", &last, &commit, "bench", NULL, &e), "ref");
		must(git_tree_diff(g, &big, &next, 0, count, &n, &e), "diff");
		big = next;
		last = commit;
	}
	figure("20 x edit 1 of 10,000, commit, cas, diff", t);
	t = now_ms();
	next = write_tree(g, &big, 100, 1, 7, &written);
	figure("100 edits of 10,000, loose", t);
	t = now_ms();
	for (int i = 0; i < 1000; i++)
		must(git_ref_read(g, "refs/heads/berth/bench", &commit, &e), "ref");
	figure("1000 x read a ref", t);
	git_close(g);
	return 0;
}
