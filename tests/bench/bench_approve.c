/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proof of approval over a long history of signed commits: all of it again (`berth verify`), beside git's own verify-commit over a part of it, and
 * one new commit more, as the daemon judges it, behind short and long histories. Usage: bench_approve BERTH [COMMITS] (default 10000)
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "approve_judge.h"
#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/proc.h"
#include "lib/seal/secret.h"
#include "lib/seal/sshsig.h"

#define OWNERS 100
#define PEERS 200          /* commits that git itself verifies */
#define ROUNDS 15
#define GOAL_VERIFY_S 5.0  /* of 10,000 commits */
#define GOAL_ONE_MS 5.0

static uint8_t sk[64];

/* Seconds of a program that has to exit with 0. */
static double
run(const char *const *argv)
{
	struct proc p = { .argv = argv, .timeout_ms = 600000, .output_max = (size_t)64 << 20 };
	struct proc_result r;
	double begin = seconds(CLOCK_MONOTONIC);

	must(proc_run(&p, &r, &e), argv[0]);
	begin = seconds(CLOCK_MONOTONIC) - begin;
	if (r.exit_code) {
		(void)fprintf(stderr, "%s: status %d\n%s%s", argv[0], r.exit_code, buf_cstr(&r.out), buf_cstr(&r.err));
		exit(1);
	}
	proc_result_free(&r);
	return begin;
}

static int
sign(void *ctx, const void *bytes, size_t n, struct buf *out, struct err *why)
{
	(void)ctx;
	(void)why;
	sshsig_sign(sk, "git", bytes, n, out);
	return 0;
}

/* -- the repository -------------------------------------------------------------------------------------------------------------- */

static void
put(struct git_edit *ed, struct arena *mem, const char *path, const char *text)
{
	(void)mem;
	must(git_edit_put(ed, path, text, strlen(text), &e), path);
}

static const char *
env_text(struct arena *mem, size_t n)
{
	return arena_printf(mem, "apiVersion: berth.dev/v1\nkind: Environment\nspec: {flavor: small, resources: {cpu: %zu}} # %zu\n", 1 + n % 8, n);
}

static void
first_tree(struct git_edit *ed, struct arena *mem)
{
	char line[96];

	ssh_public_text(sk + 32, line);
	put(ed, mem, "berth.yaml", "apiVersion: berth.dev/v1\nkind: Organization\nspec:\n  namespacePrefix: dev-\n"
	                           "  approvals: {mode: signed, required: 1, admins: [carol, dana]}\n");
	put(ed, mem, "flavors/small.yaml", "apiVersion: berth.dev/v1\nkind: Flavor\nspec: {resources: {limits: {cpu: 8, memory: 32Gi}}}\n");
	put(ed, mem, "approvers/allowed_signers", arena_printf(mem, "carol namespaces=\"git,approval@berth\" %s\n", line));
	put(ed, mem, "users/carol.yaml", "apiVersion: berth.dev/v1\nkind: User\nspec: {uid: u-carol, email: carol@example.org}\n");
	put(ed, mem, "users/dana.yaml", "apiVersion: berth.dev/v1\nkind: User\nspec: {uid: u-dana, email: dana@example.org}\n");
	/* the author of all commits that lib/git writes */
	put(ed, mem, "users/robot.yaml", "apiVersion: berth.dev/v1\nkind: User\nspec: {uid: u-robot, email: berth@localhost}\n");
	for (size_t i = 0; i < OWNERS; i++) {
		put(ed, mem, arena_printf(mem, "users/u%zu.yaml", i),
		    arena_printf(mem, "apiVersion: berth.dev/v1\nkind: User\nspec: {uid: u-%zu, email: u%zu@example.org}\n", i, i));
		put(ed, mem, arena_printf(mem, "envs/u%zu/train.yaml", i), env_text(mem, 0));
	}
}

static void
make(struct git_repo *g, struct oid *ids, size_t n)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct oid tree;

	for (size_t i = 0; i <= n; i++) {
		struct git_edit *ed;

		arena_reset(mem);
		must(git_edit_new(g, i ? &tree : NULL, &ed, &e), "edit");
		if (i)
			put(ed, mem, arena_printf(mem, "envs/u%zu/train.yaml", i % OWNERS), env_text(mem, i));
		else
			first_tree(ed, mem);
		must(git_edit_write(ed, &tree, NULL, &e), "write");
		git_edit_free(ed);
		must(git_commit_write(g, &tree, i ? &ids[i - 1] : NULL, i > 0, "change\n", 1790000000 + (int64_t)i, &ids[i], &e), "commit");
	}
	must(git_ref_cas(g, "refs/heads/main", NULL, &ids[n], "bench", NULL, &e), "main");
}

/* -- measuring --------------------------------------------------------------------------------------------------------------------- */

static int
by_value(const void *a, const void *b)
{
	double x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* Milliseconds to judge commit n as the daemon does that has judged all before it: the proof copied, moved and written. */
static double
one_more(struct git_repo *g, const struct oid *ids, size_t n)
{
	double all[ROUNDS];
	struct judge *j = judge_new(g);

	for (size_t i = 0; i < ROUNDS; i++) {
		struct arena *AUTO_ARENA mem = arena_new((size_t)256 << 20);
		struct buf text AUTO_BUF = BUF_INIT(PROOF_FILE_MAX);
		struct approve a = { .git = g, .judge = judge_get(j), .ref = "refs/heads/main", .now = clock_now() };
		struct approve_result r;
		struct proof *before;
		double begin;

		must(proof_begin(g, &ids[n - 1], &before, &e), "proof");
		begin = seconds(CLOCK_MONOTONIC);
		a.proof = proof_copy(before);
		must(approve_run(&a, &ids[n], mem, &r, &e), "judge");
		proof_write(a.proof, &text);
		all[i] = (seconds(CLOCK_MONOTONIC) - begin) * 1000;
		if (r.ndone != 1 || r.npending)
			must(err_set(&e, ERR_INTERNAL, "commit %zu is not approved: %s", n, r.npending ? r.pending[0].missing : ""), "judge");
		proof_free(a.proof);
		proof_free(before);
	}
	judge_free(j);
	qsort(all, ROUNDS, sizeof(*all), by_value);
	return all[ROUNDS / 2];
}

/* Seconds that git needs for a part of the commits. */
static double
by_git(const char *repo, const char *folder, const struct oid *ids, size_t n)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)4 << 20);
	const char **argv = arena_array(mem, n + 16, sizeof(*argv)), *path = arena_printf(mem, "%s/signers", folder), *line;
	char key[96];
	size_t k = 0;

	ssh_public_text(sk + 32, key);
	line = arena_printf(mem, "carol@example.org namespaces=\"git\" %s\n", key);
	must(fs_write_atomic(path, line, strlen(line), 0600, &e), path);
	argv[k++] = "git";
	argv[k++] = "-C";
	argv[k++] = repo;
	argv[k++] = "-c";
	argv[k++] = arena_printf(mem, "gpg.ssh.allowedSignersFile=%s", path);
	argv[k++] = "verify-commit";
	for (size_t i = 1; i <= n; i++) {
		char hex[OID_HEX];

		oid_hex(&ids[i], hex);
		argv[k++] = arena_strdup(mem, hex);
	}
	return run(argv);
}

static void
measure(const char *berth, const char *folder, size_t n)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	const char *repo = arena_printf(mem, "%s/envs.git", folder);
	struct oid *ids = arena_array(mem, n + 1, sizeof(*ids));
	size_t at[] = { 10, 1000, n }, peers = n < PEERS ? n : PEERS;
	struct git_repo *g;
	char anchor[OID_HEX];
	double all, git;

	must(git_open_or_init(repo, &g, &e), repo);
	git_sign_by(g, sign, NULL);
	make(g, ids, n);
	(void)run((const char *const[]){ "git", "-C", repo, "repack", "-adq", NULL });
	oid_hex(&ids[0], anchor);
	all = run((const char *const[]){ berth, "verify", "-C", repo, "--anchor", anchor, "-n", "0", NULL });
	git = by_git(repo, folder, ids, peers);
	(void)printf("berth verify, %zu signed commits      %8.2f s    %.3f ms a commit; git verify-commit %.3f ms a commit (%zu of them), %.1f times as much; goal < %.0f s: %s\n",
	             n, all, all * 1000 / (double)n, git * 1000 / (double)peers, peers, git / (double)peers / (all / (double)n), GOAL_VERIFY_S * (double)n / 10000,
	             all < GOAL_VERIFY_S * (double)n / 10000 ? "met" : "MISSED");
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		if (at[i] <= n && (i == 0 || at[i] > at[i - 1])) {
			double ms = one_more(g, ids, at[i]);

			(void)printf("proof of one new commit behind %6zu     %8.2f ms   goal < %.0f ms: %s\n", at[i] - 1, ms, GOAL_ONE_MS, ms < GOAL_ONE_MS ? "met" : "MISSED");
		}
	git_close(g);
}

int
main(int argc, char **argv)
{
	/* in memory where that is possible: making the repository writes 50,000 small files */
	char shm[] = "/dev/shm/berth-bench-XXXXXX", tmp[] = "/tmp/berth-bench-XXXXXX", *folder = access("/dev/shm", W_OK) == 0 ? shm : tmp;
	long n = argc > 2 ? strtol(argv[2], NULL, 10) : 10000;
	uint8_t pk[32];

	if (argc < 2 || n < 20 || n > 1000000) {
		(void)fputs("usage: bench_approve BERTH [COMMITS]\n", stderr);
		return 2;
	}
	must(seal_init(&e), "libsodium");
	(void)crypto_sign_keypair(pk, sk);
	if (!mkdtemp(folder))
		return 1;
	measure(argv[1], folder, (size_t)n);
	(void)run((const char *const[]){ "rm", "-rf", folder, NULL });
	return 0;
}
