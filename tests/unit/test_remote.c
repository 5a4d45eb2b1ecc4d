/* SPDX-License-Identifier: Apache-2.0 */
/* Fetch, push and poll against git's own servers: git daemon and git http-backend on 127.0.0.1. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "gitfix.h"
#include "lib/base/fs.h"
#include "lib/git/git.h"
#include "lib/git/heads.h"

#define SECRET "s3cret-token"

static struct err e;
static struct git_repo *repo; /* our clone */
static pid_t daemon_pid;
static char server[64];        /* git://127.0.0.1:PORT */

/* -- servers ---------------------------------------------------------------------------------------------------------- */

/* A port that nobody has, by a socket that does not listen: as long as it is open nobody answers there. */
static int
own_port(int *fd)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);

	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(*fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

/* One below those that the kernel hands out, so that nobody is given it between here and its use. */
static int
free_port(void)
{
	for (unsigned int i = 0;; i++) {
		int port = 10000 + (int)(((unsigned int)getpid() * 7 + i * 101) % 20000), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
		int rc = bind(fd, (struct sockaddr *)&a, sizeof(a));

		(void)close(fd);
		if (rc == 0)
			return port;
		assert_true(i < 1000);
	}
}

static bool
answers(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = connect(fd, (struct sockaddr *)&a, sizeof(a));

	(void)close(fd);
	return rc == 0;
}

static void
start_daemon(void)
{
	char port[32], base[300];
	int n = free_port();

	(void)snprintf(port, sizeof(port), "--port=%d", n);
	(void)snprintf(base, sizeof(base), "--base-path=%s", fix_dir);
	(void)snprintf(server, sizeof(server), "git://127.0.0.1:%d", n);
	daemon_pid = fork();
	if (daemon_pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		(void)setpgid(0, 0);
		(void)execlp("git", "git", "daemon", "--listen=127.0.0.1", port, base, "--export-all", "--reuseaddr",
		             "--enable=receive-pack", "--log-destination=none", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 3000 && !answers(n); i++)
		(void)usleep(20000);
	assert_true(answers(n));
}

/* tests/peers/git_http.py; returns its pid. */
static pid_t
start_http(const char *mode, char url[64])
{
	char line[16] = "";
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		(void)dup2(fds[1], 1);
		(void)execlp("python3", "python3", "tests/peers/git_http.py", fix_dir, mode, (char *)NULL);
		_exit(127);
	}
	(void)close(fds[1]);
	assert_true(read(fds[0], line, sizeof(line) - 1) > 0);
	(void)close(fds[0]);
	(void)snprintf(url, 64, "http://127.0.0.1:%d/up.git", (int)strtol(line, NULL, 10));
	return pid;
}

static void
stop(pid_t pid)
{
	(void)kill(pid, SIGTERM);
	(void)waitpid(pid, &(int){ 0 }, 0);
}

static const char *
url_of(const char *name)
{
	static char url[128];

	(void)snprintf(url, sizeof(url), "%s/%s", server, name);
	return url;
}

static struct oid
id_of(const char *line)
{
	struct oid id;

	assert_int_equal(oid_parse(fix(line), &id), 0);
	return id;
}

static pid_t tester; /* a forked child must not run on in the test runner */

#define must(call) \
	do { \
		if (call) { \
			(void)fprintf(stderr, "# %s: %s\n", #call, e.text); \
			if (getpid() != tester) \
				_exit(9); \
			fail(); \
		} \
	} while (0)

/* -- addresses ----------------------------------------------------------------------------------------------------------- */

static void
local_or_not(void **state)
{
	static const struct {
		const char *url, *path;
	} rows[] = {
		{ "/srv/x.git", "/srv/x.git" }, { "x", "x" }, { "./a:b", "./a:b" }, { "../x.git", "../x.git" },
		{ "file:///srv/x.git", "/srv/x.git" }, { "FILE:///x", "/x" }, { "file://localhost/srv/x", "/srv/x" },
		{ "file:///a%20b%2", "/a b%2" }, { "file:///a%00b", "/a%00b" }, { "file://other/srv", NULL },
		{ "https://example.org/x.git", NULL }, { "ssh://git@example.org/x", NULL }, { "git@example.org:x.git", NULL },
		{ "example.org:x", NULL }, { "git://h/x", NULL },
	};
	struct arena *AUTO_ARENA mem = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *path = NULL;

		print_message("# %s\n", rows[i].url);
		assert_int_equal(git_url_is_local(rows[i].url, mem, &path), rows[i].path != NULL);
		if (rows[i].path)
			assert_string_equal(path, rows[i].path);
	}
}

static void
refused_urls(void **state)
{
	static const char *const urls[] = { "https://bo:hunter2@example.org/x", "https://hunter2@example.org/x",
		"http://bo:hunter2@127.0.0.1/x", "ssh://bo:hunter2@example.org/x", "ftp://example.org/x", "ext::hunter2",
		"https://", "https:///x", "ssh://-oProxyCommand=hunter2/x", "-hunter2:x", "/srv/hunter2.git", "file:///srv/hunter2" };
	static const char *const refs[] = { "refs/heads/main" };
	struct oid id = { { 1 } };
	bool found;

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		print_message("# row %zu\n", i);
		assert_int_equal(git_fetch(repo, urls[i], NULL, refs, 1, 5000, NULL, &e), ERR_INVALID);
		assert_null(strstr(e.text, "hunter2"));
		assert_int_equal(git_push_ref(repo, urls[i], NULL, refs[0], NULL, &id, 5000, NULL, &e), ERR_INVALID);
		assert_null(strstr(e.text, "hunter2"));
		assert_int_equal(git_remote_heads(urls[i], NULL, refs, 1, 5000, NULL, &id, &found, &e), ERR_INVALID);
		assert_null(strstr(e.text, "hunter2"));
	}
	assert_int_equal(git_fetch(repo, "https://bo:hunter2@example.org/x", NULL, refs, 1, 5000, NULL, &e), ERR_INVALID);
	assert_non_null(strstr(e.hint, "--token-file"));
}

/* -- fetch ------------------------------------------------------------------------------------------------------------------ */

static void
fetches(void **state)
{
	static const char *const refs[] = { "refs/heads/berth/status", "refs/heads/berth/rendered", "refs/heads/main" };
	static const char *const tag[] = { "refs/tags/v1" };
	struct oid id, want;

	(void)state;
	fix("git init -q --bare -b main up.git; git init -q -b main w; cd w; echo 1 > a; git add .; git commit -q -m 1; git tag v1;"
	    "git push -q ../up.git main v1 main:berth/status main:other");
	must(git_fetch(repo, url_of("up.git"), NULL, refs, 3, 60000, NULL, &e));
	want = id_of("git -C w rev-parse main");
	must(git_ref_read(repo, "refs/remotes/origin/main", &id, &e));
	assert_true(oid_eq(&id, &want));
	must(git_ref_read(repo, "refs/remotes/origin/berth/status", &id, &e));
	assert_string_equal(fix("git -C clone.git for-each-ref | wc -l"), "2"); /* neither other nor the tag */
	/* rewritten, and one gone */
	fix("cd w; git commit -q --amend -m rewritten; git push -q -f ../up.git main; git push -q ../up.git :berth/status");
	must(git_fetch(repo, url_of("up.git"), NULL, refs, 3, 60000, NULL, &e));
	want = id_of("git -C w rev-parse main");
	must(git_ref_read(repo, "refs/remotes/origin/main", &id, &e));
	assert_true(oid_eq(&id, &want));
	assert_int_equal(git_ref_read(repo, "refs/remotes/origin/berth/status", &id, &e), ERR_NOTFOUND);
	must(git_fetch(repo, url_of("up.git"), NULL, refs, 3, 60000, NULL, &e)); /* nothing new */
	assert_int_equal(git_fetch(repo, url_of("up.git"), NULL, tag, 1, 60000, NULL, &e), ERR_INVALID);
	fix("git -C clone.git fsck --strict --no-dangling");
	/* an empty repository: everything is gone */
	fix("git init -q --bare nothing.git");
	must(git_fetch(repo, url_of("nothing.git"), NULL, refs, 3, 60000, NULL, &e));
	assert_int_equal(git_ref_read(repo, "refs/remotes/origin/main", &id, &e), ERR_NOTFOUND);
}

/* What a child killed in the middle of storing leaves behind does not stop the fetches after it. */
static void
locks_left_behind(void **state)
{
	static const char *const refs[] = { "refs/heads/gone", "refs/heads/main" };
	struct oid id;

	(void)state;
	must(git_fetch(repo, url_of("up.git"), NULL, refs, 2, 60000, NULL, &e));
	fix("cd clone.git; git update-ref refs/remotes/origin/gone refs/remotes/origin/main; git pack-refs --all; mkdir -p refs/remotes/origin;"
	    "touch refs/remotes/origin/main.lock");
	assert_int_equal(git_fetch(repo, url_of("up.git"), NULL, refs + 1, 1, 60000, NULL, &e), ERR_CONFLICT); /* fresh */
	fix("cd clone.git; touch -d '1 hour ago' refs/remotes/origin/main.lock refs/remotes/origin/gone.lock packed-refs.lock");
	must(git_fetch(repo, url_of("up.git"), NULL, refs, 2, 60000, NULL, &e));
	assert_int_equal(git_ref_read(repo, "refs/remotes/origin/gone", &id, &e), ERR_NOTFOUND);
	fix("test -z \"$(find clone.git -name '*.lock')\"; rm clone.git/berth-stale-lock-*");
}

static void *
later(void *flag)
{
	(void)usleep(150000);
	*(atomic_bool *)flag = true;
	return NULL;
}

static void
unreachable(void **state)
{
	static const char *const refs[] = { "refs/heads/main" };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	char url[128];
	atomic_bool cancel = false;
	int fd;
	pthread_t t;

	(void)state;
	(void)snprintf(url, sizeof(url), "git://127.0.0.1:%d/x.git", own_port(&fd));
	assert_int_equal(git_fetch(repo, url, NULL, refs, 1, 60000, NULL, &e), ERR_UNAVAILABLE);
	(void)close(fd);
	assert_non_null(strstr(e.text, url));
	assert_int_equal(git_fetch(repo, url_of("missing.git"), NULL, refs, 1, 60000, NULL, &e), ERR_UNAVAILABLE);
	/* a server that takes the connection and says nothing */
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	(void)snprintf(url, sizeof(url), "git://127.0.0.1:%d/x.git", ntohs(a.sin_port));
	assert_int_equal(git_fetch(repo, url, NULL, refs, 1, 300, NULL, &e), ERR_UNAVAILABLE);
	assert_non_null(strstr(e.text, "no answer within"));
	assert_int_equal(pthread_create(&t, NULL, later, (void *)(uintptr_t)&cancel), 0);
	assert_int_equal(git_fetch(repo, url, NULL, refs, 1, 60000, &cancel, &e), ERR_CANCELLED);
	(void)pthread_join(t, NULL);
	(void)close(fd);
}

/* -- push ------------------------------------------------------------------------------------------------------------------- */

/* A commit on `parent` (NULL: none) with one file more. */
static struct oid
commit_on(const struct oid *parent, const char *name)
{
	struct arena *AUTO_ARENA mem = arena_new(1 << 20);
	struct git_commit_info c = { 0 };
	struct git_edit *ed = NULL;
	struct oid tree, id;

	if (parent)
		must(git_commit_read(repo, parent, mem, &c, &e));
	must(git_edit_new(repo, parent ? &c.tree : NULL, &ed, &e));
	must(git_edit_put(ed, name, name, strlen(name), &e) < 0);
	must(git_edit_write(ed, &tree, NULL, &e));
	git_edit_free(ed);
	must(git_commit_write(repo, &tree, parent, parent ? 1 : 0, name, 1, &id, &e));
	return id;
}

static int
push(const char *name, const char *ref, const struct oid *old, const struct oid *id)
{
	return git_push_ref(repo, url_of(name), NULL, ref, old, id, 60000, NULL, &e);
}

static void
pushes(void **state)
{
	struct oid one = commit_on(NULL, "one"), two = commit_on(&one, "two"), other = commit_on(&one, "other"),
		   none = { { 7 } };

	(void)state;
	fix("git init -q --bare to.git");
	must(push("to.git", "refs/heads/berth/x", NULL, &one));
	assert_int_equal(push("to.git", "refs/heads/berth/x", NULL, &two), ERR_CONFLICT);  /* it is there */
	assert_int_equal(push("to.git", "refs/heads/berth/x", &two, &two), ERR_CONFLICT);  /* it stands elsewhere */
	assert_int_equal(push("to.git", "refs/heads/berth/y", &one, &two), ERR_CONFLICT);  /* it is gone */
	must(push("to.git", "refs/heads/berth/x", &one, &two));
	assert_int_equal(push("to.git", "refs/heads/berth/x", &one, &other), ERR_CONFLICT);
	assert_int_equal(push("to.git", "refs/heads/berth/x", &two, &other), ERR_CONFLICT); /* never forced */
	assert_true(push("to.git", "refs/heads/berth/x", &two, &none) < 0);
	{
		struct oid now = id_of("git -C to.git rev-parse refs/heads/berth/x");

		assert_true(oid_eq(&now, &two));
	}
	fix("git -C to.git fsck --strict --no-dangling; test -z \"$(git -C clone.git for-each-ref refs/berth)\"");
	/* left by a push that was killed: 4194304 is over the largest process number */
	fix("git -C clone.git update-ref refs/berth/push/4194305 $(git -C to.git rev-parse berth/x)");
	must(push("to.git", "refs/heads/berth/z", NULL, &two));
	fix("test -z \"$(git -C clone.git for-each-ref refs/berth)\"");
}

static void
declined(void **state)
{
	struct oid one = commit_on(NULL, "declined");

	(void)state;
	fix("git init -q --bare no.git; printf '#!/bin/sh\\necho \"only admins may push to $1\" >&2\\nexit 1\\n' > no.git/hooks/update;"
	    "chmod +x no.git/hooks/update");
	assert_int_equal(push("no.git", "refs/heads/berth/x", NULL, &one), ERR_DENIED);
	assert_non_null(strstr(e.text, "hook declined"));
	assert_non_null(strstr(e.text, "only admins may push to refs/heads/berth/x"));
	assert_null(fix_try("git -C no.git rev-parse -q --verify refs/heads/berth/x"));
}

/* Two processes push to one ref; each looks, commits and pushes until it went through. */
static int
push_loop(int who, int rounds)
{
	static const char *const refs[] = { "refs/heads/berth/race" };

	if (git_open_or_init(fix_path(who ? "race1.git" : "race0.git"), &repo, &e))
		return 1;
	for (int i = 0; i < rounds;) {
		struct oid tip, next;
		char name[32];
		bool have;
		int rc;

		(void)snprintf(name, sizeof(name), "w%d-%d", who, i);
		if ((rc = git_fetch(repo, url_of("race.git"), NULL, refs, 1, 60000, NULL, &e)))
			return (void)fprintf(stderr, "# fetch: %s\n", e.text), 2;
		have = git_ref_read(repo, "refs/remotes/origin/berth/race", &tip, &e) == 0;
		next = commit_on(have ? &tip : NULL, name);
		rc = push("race.git", refs[0], have ? &tip : NULL, &next);
		if (rc == 0)
			i++;
		else if (rc != ERR_CONFLICT)
			return (void)fprintf(stderr, "# push: %s\n", e.text), 3;
	}
	return 0;
}

static void
racing_pushes(void **state)
{
	pid_t pids[2];

	(void)state;
	fix("git init -q --bare race.git");
	for (int i = 0; i < 2; i++)
		if ((pids[i] = fork()) == 0)
			_exit(push_loop(i, 8));
	for (int i = 0; i < 2; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_string_equal(fix("git -C race.git rev-list --count refs/heads/berth/race"), "16");
	assert_string_equal(fix("git -C race.git ls-tree --name-only refs/heads/berth/race | wc -l"), "16");
}

/* -- HTTP -------------------------------------------------------------------------------------------------------------------- */

static const char *const poll_refs[] = { "refs/heads/berth/status", "refs/heads/main", "refs/heads/mai" };

static void
polls(void **state)
{
	struct oid ids[3], want;
	bool found[3];
	char url[64];
	pid_t pid;

	(void)state;
	fix("cd w; git push -q ../up.git main:refs/heads/main2; git -C ../up.git config http.receivepack true");
	pid = start_http("plain", url);
	for (int i = 0; i < 3; i++) {
		memset(found, 1, sizeof(found));
		must(git_remote_heads(url, NULL, poll_refs, 3, 60000, NULL, ids, found, &e));
		want = id_of("git -C up.git rev-parse main");
		assert_false(found[0]);
		assert_true(found[1]);
		assert_false(found[2]);
		assert_true(oid_eq(&ids[1], &want));
		fix("cd w; git commit -q --allow-empty -m more; git push -q ../up.git main");
	}
	must(git_fetch(repo, url, NULL, poll_refs + 1, 1, 60000, NULL, &e));
	want = commit_on(NULL, "by http");
	must(git_push_ref(repo, url, NULL, "refs/heads/berth/http", NULL, &want, 60000, NULL, &e));
	assert_string_equal(fix("git -C up.git ls-tree --name-only berth/http"), "by http");
	stop(pid);
	assert_int_equal(git_remote_heads(url, NULL, poll_refs, 3, 60000, NULL, ids, found, &e), ERR_UNAVAILABLE);
}

static void
odd_servers(void **state)
{
	static const struct {
		const char *mode;
		int64_t deadline;
		int rc;
	} rows[] = {
		{ "old", 60000, ERR_INVALID }, { "garbage", 60000, ERR_INVALID }, { "redirect", 60000, ERR_INVALID },
		{ "cut", 60000, ERR_UNAVAILABLE }, { "hang", 300, ERR_UNAVAILABLE }, { "token", 60000, ERR_DENIED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct oid ids[3];
		bool found[3];
		char url[64];
		pid_t pid = start_http(rows[i].mode, url);

		print_message("# %s\n", rows[i].mode);
		assert_int_equal(git_remote_heads(url, NULL, poll_refs, 3, rows[i].deadline, NULL, ids, found, &e), rows[i].rc);
		stop(pid);
	}
}

static void
tokens(void **state)
{
	struct git_remote_auth right = { .token_file = fix_path("right") }, wrong = { .token_file = fix_path("wrong") },
			       missing = { .token_file = fix_path("no-such-file") };
	struct oid ids[3];
	bool found[3];
	char url[64];
	pid_t pid = start_http("token", url);

	(void)state;
	fix("printf '" SECRET "\\nsecond line\\n' > right; echo wrong-" SECRET " > wrong");
	must(git_remote_heads(url, &right, poll_refs, 3, 60000, NULL, ids, found, &e));
	assert_true(found[1]);
	must(git_fetch(repo, url, &right, poll_refs + 1, 1, 60000, NULL, &e));
	assert_int_equal(git_remote_heads(url, &wrong, poll_refs, 3, 60000, NULL, ids, found, &e), ERR_DENIED);
	assert_int_equal(git_fetch(repo, url, &wrong, poll_refs + 1, 1, 60000, NULL, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "does not accept the token"));
	assert_null(strstr(e.text, SECRET));
	assert_int_equal(git_fetch(repo, url, NULL, poll_refs + 1, 1, 60000, NULL, &e), ERR_DENIED);
	assert_non_null(strstr(e.hint, "--token-file"));
	assert_int_equal(git_fetch(repo, url, &missing, poll_refs + 1, 1, 60000, NULL, &e), ERR_NOTFOUND);
	stop(pid);
}

static void
pkt_lines(void **state)
{
#define ID "1111111111111111111111111111111111111111"
	static const struct {
		const char *name, *bytes;
		int rc;
		bool found;
	} rows[] = {
		{ "empty", "0000", 0, false },
		{ "one", "003d" ID " refs/heads/main\n0000", 0, true },
		{ "no newline", "003c" ID " refs/heads/main0000", 0, true },
		{ "attribute", "0048" ID " refs/heads/main peeled:abc\n0000", 0, true },
		{ "another", "003e" ID " refs/heads/main2\n0000", 0, false },
		{ "unborn", "001bunborn refs/heads/main\n0000", 0, false },
		{ "the server's error", "000dERR nope\n0000", ERR_UNAVAILABLE, false },
		{ "no flush", "003d" ID " refs/heads/main\n", ERR_UNAVAILABLE, false },
		{ "nothing", "", ERR_UNAVAILABLE, false },
		{ "cut", "003d" ID, ERR_UNAVAILABLE, false },
		{ "cut length", "003", ERR_UNAVAILABLE, false },
		{ "length 3", "0003", ERR_INVALID, false },
		{ "length 2", "0002", ERR_INVALID, false },
		{ "no length", "zzzz", ERR_INVALID, false },
		{ "too long", "ffff" ID " refs/heads/main\n0000", ERR_INVALID, false },
		{ "short id", "0015111 refs/heads/m\n0000", ERR_INVALID, false },
		{ "not hexadecimal", "003dx111111111111111111111111111111111111111 refs/heads/main\n0000", ERR_INVALID, false },
	};
	static const char *const refs[] = { "refs/heads/main" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].bytes);
		char *exact = malloc(len + 1); /* so that a read over the end is seen */
		struct oid id = { { 0 } };
		bool found = true;

		print_message("# %s\n", rows[i].name);
		memcpy(exact, rows[i].bytes, len);
		exact = realloc(exact, len ? len : 1);
		assert_int_equal(git_heads_parse(exact, len, refs, 1, NULL, &id, &found, &e), rows[i].rc);
		if (rows[i].rc == 0) {
			assert_int_equal(found, rows[i].found);
			assert_int_equal(id.b[0], rows[i].found ? 0x11 : 0);
		}
		(void)git_heads_v2(exact, len);
		free(exact);
	}
	for (size_t most = 1; most <= 3; most++) { /* refs below a folder: sorted, and no more than are wanted */
		static const char text[] = "0036" ID " refs/a/z\n" "003d" ID " refs/heads/main\n" "0036" ID " refs/a/b\n" "0035" ID " refs/ab\n0000";
		struct arena *AUTO_ARENA mem = arena_new(65536);
		struct git_below below = { .prefix = "refs/a/", .max = most, .mem = mem };
		struct oid id;
		bool found;

		must(git_heads_parse(text, sizeof(text) - 1, refs, 1, &below, &id, &found, &e));
		assert_true(found);
		assert_int_equal(below.n, most < 2 ? 1 : 2);
		assert_int_equal(below.many, most < 2);
		assert_string_equal(below.refs[0].name, most < 2 ? "refs/a/z" : "refs/a/b");
	}
	assert_true(git_heads_v2("001e# service=git-upload-pack\n0000000eversion 2\n0000", 53));
	assert_true(git_heads_v2("000eversion 2\n0000", 18));
	assert_false(git_heads_v2("000eversion 1\n0000", 18));
	assert_false(git_heads_v2("<html>", 6));
}

static int
group_start(void **state)
{
	if (fix_start(state) || git_open_or_init(fix_path("clone.git"), &repo, &e))
		return -1;
	tester = getpid();
	start_daemon();
	return 0;
}

static int
group_end(void **state)
{
	git_close(repo);
	if (daemon_pid > 0) {
		(void)kill(-daemon_pid, SIGTERM);
		(void)waitpid(daemon_pid, &(int){ 0 }, 0);
	}
	return fix_end(state);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_or_not),
		cmocka_unit_test(refused_urls),
		cmocka_unit_test(fetches),
		cmocka_unit_test(locks_left_behind),
		cmocka_unit_test(unreachable),
		cmocka_unit_test(pushes),
		cmocka_unit_test(declined),
		cmocka_unit_test(racing_pushes),
		cmocka_unit_test(polls),
		cmocka_unit_test(odd_servers),
		cmocka_unit_test(tokens),
		cmocka_unit_test(pkt_lines),
	};

	if (argc > 1 && strcmp(argv[1], "git-child") == 0)
		return git_child_main(argc - 1, argv + 1);
	(void)setenv("no_proxy", "*", 1);
	(void)setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, group_start, group_end);
}
