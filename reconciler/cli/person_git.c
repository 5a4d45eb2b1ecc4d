/* SPDX-License-Identifier: Apache-2.0 */
/* git as a child, with or without the terminal. */
#include "cli/person_git.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/base/proc.h"
#include "lib/base/redact.h"
#include "lib/base/str.h"

#define NETWORK_MS 60000
#define SETTING_MS 5000
#define ARGS_MAX 24
#define HALF_MAX 200 /* of a reason: what the server says, and git's verdict */
#define OUT_MAX 4096

static const char **
line_of(const struct person_git *g, const char *const *args)
{
	const char **argv = arena_array(g->mem, ARGS_MAX + 4, sizeof(*argv));
	size_t n = 3;

	argv[0] = "git";
	argv[1] = "-C";
	argv[2] = g->dir;
	for (size_t i = 0; args[i] && i < ARGS_MAX; i++)
		argv[n++] = args[i];
	return argv;
}

static const char *
first_line(const struct person_git *g, const char *text)
{
	return arena_strndup(g->mem, text, strcspn(text, "\r\n"));
}

/* As much of a line as there is room for, to the end of a character. */
static void
add_line(struct buf *out, const char *line)
{
	size_t n = strlen(line), room = out->len < HALF_MAX ? HALF_MAX - out->len : 0;

	while (n && line[n - 1] == ' ')
		n--;
	if (n > room)
		for (n = room; n && ((unsigned char)line[n] & 0xc0) == 0x80; n--)
			;
	if (n)
		buf_printf(out, "%s%.*s", out->len ? "; " : "", (int)n, line);
}

static bool
starts_with_any(const char *line, const char *const *words)
{
	for (; *words; words++)
		if (str_starts(line, *words))
			return true;
	return false;
}

/* What a server's hook or greeting said, at what length it likes, and git's own verdict; where a push went to is no reason. */
static const char *
reason_of(const struct person_git *g, const char *text)
{
	static const char *const noise[] = { "To ", "hint: ", "error: failed to push", NULL }, *const verdicts[] = { "!", "fatal: ", "error: ", NULL };
	struct buf said AUTO_BUF = BUF_INIT(0), verdict AUTO_BUF = BUF_INIT(0), clean AUTO_BUF = BUF_INIT(0);

	while (*text) {
		size_t n = strcspn(text, "\n");
		const char *line = str_line(g->mem, arena_strndup(g->mem, text, n));

		line += strspn(line, " ");
		if (!starts_with_any(line, noise))
			add_line(starts_with_any(line, verdicts) ? &verdict : &said, line);
		text += n + (text[n] == '\n');
	}
	if (said.len && verdict.len)
		buf_str(&said, "; ");
	buf_str(&said, buf_cstr(&verdict));
	redact(buf_cstr(&said), said.len, &clean);
	return arena_strdup(g->mem, buf_cstr(&clean));
}

/* -- signals ---------------------------------------------------------------------------------------------------------------------------- */

struct kept_signals {
	struct sigaction interrupt, quit;
};

static atomic_bool ended; /* Ctrl-C while git runs without the terminal */

static void
on_interrupt(int sig)
{
	(void)sig;
	ended = true;
}

static void
signals_take(struct kept_signals *s, void (*handler)(int))
{
	struct sigaction take = { .sa_handler = handler };

	(void)sigaction(SIGINT, &take, &s->interrupt);
	(void)sigaction(SIGQUIT, &take, &s->quit);
}

static void
signals_restore(const struct kept_signals *s)
{
	(void)sigaction(SIGINT, &s->interrupt, NULL);
	(void)sigaction(SIGQUIT, &s->quit, NULL);
}

/* -- apart -------------------------------------------------------------------------------------------------------------------------------- */

static int
run_apart(const struct person_git *g, const char *const *argv, int64_t ms, struct git_said *out, struct err *e)
{
	static const char *const env[] = { "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", NULL };
	struct proc c = { .argv = argv, .env = env, .timeout_ms = ms, .cancel = &ended };
	struct kept_signals kept;
	struct proc_result r;
	int rc;

	ended = false;
	signals_take(&kept, on_interrupt);
	rc = proc_run(&c, &r, e);
	signals_restore(&kept);
	if (rc == ERR_UNAVAILABLE) {
		*out = (struct git_said){ -1, "", arena_printf(g->mem, "no answer within %lld s", (long long)ms / 1000) };
		return 0;
	}
	if (rc < 0)
		return rc == ERR_NOTFOUND ? err_hint(e, "install git") : rc;
	*out = (struct git_said){ r.exit_code, first_line(g, buf_cstr(&r.out)), reason_of(g, buf_cstr(&r.err)) };
	proc_result_free(&r);
	return 0;
}

/* -- in the foreground ---------------------------------------------------------------------------------------------------------------- */

static int
read_out(int fd, char *out, size_t max)
{
	size_t n = 0;
	ssize_t k;
	char rest[512];

	while ((k = read(fd, n < max ? out + n : rest, n < max ? max - n : sizeof(rest))) != 0) {
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		n += n < max ? (size_t)k : 0;
	}
	out[n] = '\0';
	return 0;
}

__attribute__((noreturn)) static void
become_git(const char *const *argv, const int pipes[2], const struct kept_signals *s)
{
	signals_restore(s);
	if (dup2(pipes[1], 1) >= 0)
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
	(void)fprintf(stderr, "berth: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int
run_here(const struct person_git *g, const char *const *argv, struct git_said *out, struct err *e)
{
	int AUTO_FD from = -1;
	int pipes[2], status = 0, bad;
	struct kept_signals kept;
	char text[OUT_MAX + 1] = "";
	pid_t pid;

	(void)fflush(NULL);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_errno(e, "a pipe for git");
	from = pipes[0];
	signals_take(&kept, SIG_IGN); /* Ctrl-C is git's; we hear of it by how git ended */
	if ((pid = fork()) == 0)
		become_git(argv, pipes, &kept);
	(void)close(pipes[1]);
	bad = pid < 0 || read_out(from, text, OUT_MAX) < 0;
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR) {
			bad = 1;
			break;
		}
	signals_restore(&kept);
	if (bad)
		return err_errno(e, "run git");
	if ((WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) || (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT))
		return err_set(e, ERR_CANCELLED, "interrupted");
	*out = (struct git_said){ WIFEXITED(status) ? WEXITSTATUS(status) : -1, first_line(g, text), "" };
	return 0;
}

int
person_git(const struct person_git *g, const char *const *args, struct git_said *out, struct err *e)
{
	const char *const *argv = line_of(g, args);

	return g->may_ask ? run_here(g, argv, out, e) : run_apart(g, argv, NETWORK_MS, out, e);
}

const char *
person_git_get(const struct person_git *g, const char *const *args)
{
	struct git_said said;
	int rc = run_apart(g, line_of(g, args), SETTING_MS, &said, NULL);

	if (rc == ERR_CANCELLED)
		(void)raise(SIGINT); /* meant for us, as at any other time */
	return rc < 0 || said.code || !*said.out ? NULL : said.out;
}
