/* SPDX-License-Identifier: Apache-2.0 */
/* What looking at pull requests costs, one after the other as the daemon does. No forge is asked. Usage: bench_pull REPOSITORY MAIN HEAD … */
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "pulls/priv.h"

#define MIB ((size_t)1 << 20)

static void
open_all(struct pulls *p, const char *dir)
{
	struct forge_config c = { .kind = FORGE_GITEA, .api = "http://127.0.0.1:9/api/v1", .repo = "lab/envs", .token_file = "/dev/null" };
	char token[] = "/tmp/bench_pull.XXXXXX";
	int fd = mkstemp(token);

	if (fd < 0 || write(fd, "none", 4) != 4)
		exit(1);
	c.token_file = token;
	p->c.forge = c;
	p->c.branch = "main";
	must(forge_open(&c, &p->forge, &e), "forge");
	(void)close(fd);
	(void)unlink(token);
	must(git_open(dir, &p->git, &e), dir);
	must(sides_new(&p->sides, &e), "sides");
	p->judge = judge_new(p->git);
}

static void
look(struct pulls *p, struct now *n, const char *head)
{
	struct arena *AUTO_ARENA mem = arena_new(1024 * MIB);
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
	struct forge_pull pull = { .number = 1 };
	char hex[OID_HEX];
	char text[DIGEST_HEX];
	struct looked l;
	struct digest d;
	struct oid id;

	must(git_rev_parse(p->git, head, &id, &e), head);
	oid_hex(&id, hex);
	(void)snprintf(pull.head_sha, sizeof(pull.head_sha), "%s", hex);
	must(look_at(p, n, &pull, mem, &l, &e), head);
	hash_bytes(l.comment.data, l.comment.len, &d);
	digest_hex(&d, text);
	printf("%-12s %8.0f ms CPU %8.0f ms   comment %.8s   %s; %s\n", head, (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3,
	       (seconds(CLOCK_MONOTONIC) - wall) * 1e3, text, l.status[CONTEXT_VALIDATE].description,
	       l.status[CONTEXT_PLAN].description);
	buf_free(&l.comment);
}

int
main(int argc, char **argv)
{
	struct arena *AUTO_ARENA mem = arena_new(64 * MIB);
	struct now n = { .mem = mem, .mode = APPROVAL_NONE };
	struct git_commit_info c;
	struct pulls p = { 0 };

	if (argc < 4) {
		fputs("usage: bench_pull REPOSITORY MAIN HEAD ...\n", stderr);
		return 2;
	}
	open_all(&p, argv[1]);
	must(git_rev_parse(p.git, argv[2], &n.main, &e), argv[2]);
	must(git_commit_read(p.git, &n.main, mem, &c, &e), argv[2]);
	n.main_tree = c.tree;
	oid_hex(&n.main, n.main_hex);
	for (int i = 3; i < argc; i++)
		look(&p, &n, argv[i]);
	judge_free(p.judge);
	sides_free(p.sides);
	git_close(p.git);
	forge_close(p.forge);
	return 0;
}
