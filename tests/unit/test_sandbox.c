/* SPDX-License-Identifier: Apache-2.0 */
/* The walls: each thing that a taken-over decryptor would try ends the process that tries it. Without a sanitizer (t95_decryptor.py builds it so). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/seal/age.h"
#include "lib/seal/sandbox.h"
#include "lib/seal/secret.h"

#define MEMORY ((size_t)384 << 20)
#define FINE 0
#define REFUSED 77 /* it came back from what it tried */

static bool lacks_seccomp, lacks_landlock;

/* -- what is tried --------------------------------------------------------------------------------------------------------- */

static int
open_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? REFUSED : FINE;
}

static int
open_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? REFUSED : FINE;
}

static int
run_program(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	(void)execv("/bin/true", argv);
	return REFUSED;
}

static int
fork_itself(void)
{
	return fork() < 0 ? REFUSED : FINE;
}

static int
kill_parent(void)
{
	return kill(getppid(), 0) < 0 ? REFUSED : FINE;
}

static int
signal_another(void)
{
	return syscall(SYS_tgkill, 1, 1, SIGABRT) < 0 ? REFUSED : FINE;
}

static int
trace_parent(void)
{
	return syscall(SYS_ptrace, 16, getppid(), 0, 0) < 0 ? REFUSED : FINE;
}

static int
read_parent(void)
{
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) < 0 ? REFUSED : FINE;
}

static int
executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? REFUSED : FINE;
}

static int
made_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0 ? REFUSED : FINE;
}

static int
map_a_file(void)
{
	return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 0) == MAP_FAILED ? REFUSED : FINE;
}

static int
much_memory_at_once(void)
{
	return mmap(NULL, (size_t)512 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? REFUSED : FINE;
}

/* As berth's own code takes it: in pieces, by the arena, which aborts when there is no more. */
static int
much_memory_in_pieces(void)
{
	struct arena *a = arena_new((size_t)4 << 30);

	for (int i = 0; i < 512; i++)
		memset(arena_alloc(a, (size_t)1 << 20), 1, (size_t)1 << 20);
	return FINE;
}

static int
raise_limits(void)
{
	struct rlimit core = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_CORE, &core) < 0 ? REFUSED : FINE;
}

static int
dump_core(void)
{
	return prctl(PR_SET_DUMPABLE, 1) < 0 ? REFUSED : FINE;
}

static int
endless_loop(void)
{
	volatile unsigned i = 0;

	while (i < 2)
		i = 1;
	return FINE;
}

static int
wrong_recvmsg(void)
{
	struct msghdr m = { 0 };

	return recvmsg(0, &m, MSG_DONTWAIT) < 0 ? REFUSED : FINE;
}

/* The other system call numbers of x86_64; elsewhere a number that nothing has. */
static int
other_abi(void)
{
	return syscall(0x40000000 + 2, "/etc/passwd", 0) < 0 ? REFUSED : FINE;
}

/* What the decryptor does all day long. */
static int
usual_work(void)
{
	struct secret s = secret_new(100000);
	struct pollfd f = { 1, POLLOUT, 0 };
	struct timespec t;
	char *p = malloc(2000000), *q = realloc(p, 20000000);
	struct age_identity id;

	age_identity_from_seed((const uint8_t[32]){ 1 }, &id);
	secret_free(&s);
	free(q);
	return p && q && poll(&f, 1, 0) == 1 && clock_gettime(CLOCK_MONOTONIC, &t) == 0 && write(1, "", 0) == 0 ? FINE : 1;
}

/* -- trying it ---------------------------------------------------------------------------------------------------------------- */

__attribute__((noreturn)) static void
inside(int (*attempt)(void), bool fds)
{
	const struct sandbox s = { .memory_max = MEMORY, .fds = fds };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct sandbox_lacks lacks;
	struct err e = { 0 };

	(void)dup2(null, 1);
	(void)dup2(null, 2); /* a line in a file would be an end of its own, by the limit of written bytes */
	if (sandbox_enter(&s, &lacks, &e) < 0) {
		_exit(99);
	}
	_exit(attempt());
}

static int
tried(int (*attempt)(void), bool fds)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		inside(attempt, fds);
	assert_true(pid > 0);
	if (attempt == endless_loop) { /* nothing inside ends it: whoever waits for its answer does */
		const struct timespec some = { 0, 100000000 };

		(void)nanosleep(&some, NULL);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		assert_int_equal(kill(pid, SIGKILL), 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
what_ends_it(void **state)
{
	static const struct { const char *name; int (*attempt)(void); bool fds; int signal; } rows[] = {
		{ "open", open_file, true, SIGSYS }, { "socket", open_socket, true, SIGSYS }, { "execve", run_program, true, SIGSYS },
		{ "fork", fork_itself, true, SIGSYS }, { "kill", kill_parent, true, SIGSYS }, { "tgkill of another", signal_another, true, SIGSYS },
		{ "ptrace", trace_parent, true, SIGSYS }, { "process_vm_readv", read_parent, true, SIGSYS },
		{ "executable memory", executable_memory, true, SIGSYS }, { "memory made executable", made_executable, true, SIGSYS },
		{ "a mapped file", map_a_file, true, SIGSYS }, { "512 MiB at once", much_memory_at_once, true, SIGSYS },
		{ "512 MiB in pieces", much_memory_in_pieces, true, SIGABRT }, { "its limits raised", raise_limits, true, SIGSYS },
		{ "core dumps allowed", dump_core, true, SIGSYS }, { "an endless loop", endless_loop, true, SIGKILL },
		{ "recvmsg where no descriptors may come", wrong_recvmsg, false, SIGSYS }, { "the other ABI", other_abi, true, SIGSYS },
		{ "abort", (int (*)(void))(void (*)(void))abort, true, SIGABRT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = tried(rows[i].attempt, rows[i].fds);

		print_message("# %s: %s %d\n", rows[i].name, WIFSIGNALED(status) ? "signal" : "status",
		              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), rows[i].signal);
		assert_false(WCOREDUMP(status));
	}
}

static void
what_goes_on(void **state)
{
	int status = tried(usual_work, true);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FINE);
	status = tried(wrong_recvmsg, true); /* no socket, but no reason to end */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), REFUSED);
}

static int
is_dumpable(void)
{
	struct rlimit core;

	return getrlimit(RLIMIT_CORE, &core) || core.rlim_max ? 1 : prctl(PR_GET_DUMPABLE);
}

static char file[] = "/tmp/berth-sandbox.XXXXXX";

/* Landlock by itself, in every build whose kernel has it: no file, no program, no connection, and the process goes on. */
static int
landlocked(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	long abi = syscall(444, NULL, 0, 1);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!sandbox_landlock())
		return 2;
	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 3;
	if (open("/tmp/berth-sandbox.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 || errno != EACCES)
		return 4;
	if (unlink(file) == 0 || errno != EACCES)
		return 5;
	if (run_program() == FINE || errno != EACCES)
		return 6;
	if (abi >= 4 && (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno != EACCES))
		return 7;
	return FINE;
}

static void
landlock_alone(void **state)
{
	int status = 0, fd = mkstemp(file);
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(landlocked());
	(void)close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	(void)unlink(file);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* In every build. */
static void
quiet(void **state)
{
	pid_t pid = fork();
	int status = 0;

	(void)state;
	if (pid == 0) {
		struct err e = { 0 };

		_exit(sandbox_quiet(&e) < 0 ? 2 : is_dumpable());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	struct CMUnitTest tests[4] = { cmocka_unit_test(quiet) };
	struct sandbox_lacks lacks;
	size_t n = 1;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	sandbox_probe(&lacks);
	for (size_t i = 0; i < lacks.n; i++) {
		(void)printf("# NOT TESTED here: %s\n", lacks.text[i]);
		lacks_landlock |= strstr(lacks.text[i], "no landlock") != NULL;
		lacks_seccomp |= strstr(lacks.text[i], "no landlock") == NULL;
	}
	if (!lacks_landlock)
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(landlock_alone);
	if (!lacks_seccomp) {
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_ends_it);
		tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_goes_on);
	}
	return _cmocka_run_group_tests("sandbox", tests, n, NULL, NULL);
}
