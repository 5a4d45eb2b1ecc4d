/* SPDX-License-Identifier: Apache-2.0 */
/* Running a child to its end. */
#include "lib/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/sanitizer.h"

#define OUTPUT_MAX ((size_t)1 << 20)
#define TERM_GRACE_MS 2000
#define DRAIN_MS 200 /* for what is still in the pipes after the child itself ended */
#define TICK_MS 50   /* how often `cancel` is looked at */

/* -- before the fork: everything that allocates ------------------------------------------------------------------ */

static void *
need(void *p)
{
	if (!p)
		abort();
	return p;
}

/* The file to execute: as given when it holds a '/', else looked up in PATH; malloc'd, NULL when there is none. */
static char *
find_program(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/'))
		return need(strdup(name));
	for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
		size_t n = strcspn(p, ":");
		char *file = NULL;
		struct stat st;

		if (n && asprintf(&file, "%.*s/%s", (int)n, p, name) < 0)
			abort();
		if (file && stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0)
			return file;
		free(file);
		p += n + (p[n] == ':');
	}
	return NULL;
}

static bool
same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* Our environment with `add` in place of what has the same name. The strings are borrowed. */
static char **
make_env(const char *const *add)
{
	size_t n = 0, m = 0, k = 0;
	char **out;

	while (environ && environ[n])
		n++;
	while (add && add[m])
		m++;
	out = need(calloc(n + m + 1, sizeof(char *)));
	for (size_t i = 0; i < n; i++) {
		bool replaced = false;

		for (size_t j = 0; j < m; j++)
			replaced |= same_name(add[j], environ[i]);
		if (!replaced)
			out[k++] = environ[i];
	}
	for (size_t j = 0; j < m; j++)
		out[k++] = (char *)(uintptr_t)add[j];
	return out;
}

/* Standard input: a memory file, so that a child that does not read it blocks nobody. */
static int
input_fd(const struct proc *p)
{
	const char *at = p->input;
	size_t left = p->input_len;
	int fd;

	if (!p->input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("input", MFD_CLOEXEC);
	while (fd >= 0 && left) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			(void)close(fd);
			return -1;
		}
		at += n;
		left -= (size_t)n;
	}
	if (fd >= 0)
		(void)lseek(fd, 0, SEEK_SET);
	return fd;
}

/* -- in the child: async-signal-safe calls only ------------------------------------------------------------------- */

struct start {
	const char *file, *cwd;
	char *const *argv, *const *env;
	int in, out, err, fail;
	uint64_t memory_max;
	pid_t parent;
};

void
proc_child_begin(pid_t parent)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	struct rlimit no_core = { 0, 0 };
	sigset_t none;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &dfl, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void
child(const struct start *s)
{
	struct rlimit as = { s->memory_max, s->memory_max };
	int no;

	proc_child_begin(s->parent);
	/* the descriptors were made above 2 (see safe_fd), so no dup2 destroys another's source */
	if (dup2(s->in, 0) >= 0 && dup2(s->out, 1) >= 0 && dup2(s->err, 2) >= 0 && (!s->cwd || chdir(s->cwd) == 0)) {
		(void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
		if (s->memory_max && !SANITIZER)
			(void)setrlimit(RLIMIT_AS, &as);
		(void)execve(s->file, s->argv, s->env);
	}
	no = errno;
	(void)!write(s->fail, &no, sizeof(no));
	_exit(127);
}

/* -- in the parent -------------------------------------------------------------------------------------------------- */

struct running {
	pid_t pid;
	int pidfd, out, err;
	bool ended; /* but not reaped yet: its number is still its own */
};

/* Moves a descriptor above 2: a parent may run with its standard ones closed. */
static int
safe_fd(int fd)
{
	int up;

	if (fd < 0 || fd > 2)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	(void)close(fd);
	return up;
}

static int
pipe_pair(int p[2])
{
	if (pipe2(p, O_CLOEXEC))
		return -1;
	p[0] = safe_fd(p[0]);
	p[1] = safe_fd(p[1]);
	return p[0] < 0 || p[1] < 0 ? -1 : 0;
}

static void
close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

/* 0, or the errno that kept the program from starting. */
static int
start_error(int fd)
{
	int no = 0;
	ssize_t n;

	do
		n = read(fd, &no, sizeof(no));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(no) ? no : 0;
}

static int
spawn(const struct proc *p, const char *file, struct running *r)
{
	/* in, out (ours, theirs), err (ours, theirs), start failure (ours, theirs) */
	int fds[7] = { -1, -1, -1, -1, -1, -1, -1 }, no = 0;
	char **env = make_env(p->env);
	struct start s = { .file = file, .cwd = p->cwd, .argv = (char *const *)(uintptr_t)p->argv, .env = env,
		.memory_max = p->memory_max, .parent = getpid() };

	fds[0] = safe_fd(input_fd(p));
	if (fds[0] < 0 || pipe_pair(fds + 1) || pipe_pair(fds + 3) || pipe_pair(fds + 5)) {
		no = errno;
		close_all(fds, 7);
		free(env);
		return no ? no : EMFILE;
	}
	s.in = fds[0];
	s.out = fds[2];
	s.err = fds[4];
	s.fail = fds[6];
	r->pid = fork();
	if (r->pid == 0)
		child(&s);
	no = r->pid < 0 ? errno : 0;
	free(env);
	if (r->pid > 0)
		(void)setpgid(r->pid, r->pid); /* here too, so that a kill of the group cannot come before it */
	close_all((int[]){ fds[0], fds[2], fds[4], fds[6] }, 4);
	if (!no && (no = start_error(fds[5])))
		(void)waitpid(r->pid, NULL, 0);
	(void)close(fds[5]);
	if (no) {
		close_all((int[]){ fds[1], fds[3] }, 2);
		return no;
	}
	r->out = fds[1];
	r->err = fds[3];
	(void)fcntl(r->out, F_SETFL, O_NONBLOCK);
	(void)fcntl(r->err, F_SETFL, O_NONBLOCK);
	r->pidfd = pidfd_open(r->pid, 0);
	return 0;
}

/* Takes what is there; what does not fit in `max` is dropped. Closes *fd at its end. */
static void
drain(int *fd, struct buf *to)
{
	char part[16384];

	while (*fd >= 0) {
		ssize_t n = read(*fd, part, sizeof(part));
		size_t room = to->max - to->len;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			(void)close(*fd);
			*fd = -1;
			return;
		}
		buf_add(to, part, (size_t)n < room ? (size_t)n : room);
	}
}

static void
look(struct running *r, struct proc_result *res, int wait_ms)
{
	siginfo_t info = { 0 };
	struct pollfd p[3] = { { r->out, POLLIN, 0 }, { r->err, POLLIN, 0 }, { r->ended ? -1 : r->pidfd, POLLIN, 0 } };

	(void)poll(p, 3, wait_ms);
	drain(&r->out, &res->out);
	drain(&r->err, &res->err);
	if (!r->ended && waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		r->ended = info.si_pid == r->pid;
}

/* Waits for the end of the child and of its output; ends it at the deadline or when told to. */
static void
wait_end(const struct proc *p, struct running *r, struct proc_result *res)
{
	int64_t start = clock_mono_ms(), kill_at = 0, drain_until = 0;
	int status = 0;

	while (!r->ended || r->out >= 0 || r->err >= 0) {
		int64_t now = clock_mono_ms();

		if (r->ended && !drain_until)
			drain_until = now + DRAIN_MS;
		if (drain_until && now >= drain_until)
			break; /* a grandchild holds the pipe: it is ended with the group */
		if (!r->ended && !kill_at) {
			res->cancelled = p->cancel && *p->cancel;
			res->timed_out = !res->cancelled && p->timeout_ms > 0 && now - start >= p->timeout_ms;
			if (res->cancelled || res->timed_out) {
				(void)kill(-r->pid, SIGTERM);
				kill_at = now + TERM_GRACE_MS;
			}
		} else if (!r->ended && now >= kill_at) {
			(void)kill(-r->pid, SIGKILL);
		}
		look(r, res, r->pidfd >= 0 ? TICK_MS : TICK_MS / 5);
	}
	(void)kill(-r->pid, SIGKILL);
	close_all((int[]){ r->out, r->err, r->pidfd }, 3);
	while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
		;
	res->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	res->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int
proc_run(const struct proc *p, struct proc_result *r, struct err *e)
{
	size_t max = p->output_max ? p->output_max : OUTPUT_MAX;
	struct running run = { .pidfd = -1, .out = -1, .err = -1 };
	char *file = find_program(p->argv[0]);
	int no = file ? spawn(p, file, &run) : ENOENT;

	free(file);
	memset(r, 0, sizeof(*r));
	if (no)
		return err_set(e, ERR_NOTFOUND, "cannot start %s: %s", p->argv[0], strerror(no));
	r->out = (struct buf)BUF_INIT(max);
	r->err = (struct buf)BUF_INIT(max);
	wait_end(p, &run, r);
	if (!r->timed_out && !r->cancelled)
		return 0;
	proc_result_free(r);
	if (r->cancelled)
		return err_set(e, ERR_CANCELLED, "%s was ended: told to stop", p->argv[0]);
	return err_set(e, ERR_UNAVAILABLE, "%s took longer than %lld ms", p->argv[0], (long long)p->timeout_ms);
}

void
proc_result_free(struct proc_result *r)
{
	buf_free(&r->out);
	buf_free(&r->err);
}

/* -- this program ------------------------------------------------------------------------------------------------------ */

static char self_path[4096];
static struct stat self_stat;

void
proc_save_self(const char *argv0)
{
	ssize_t n = readlink("/proc/self/exe", self_path, sizeof(self_path) - 1);

	if (n > 0)
		self_path[n] = '\0';
	else
		(void)snprintf(self_path, sizeof(self_path), "%s", argv0 ? argv0 : "");
	if (stat(self_path, &self_stat))
		self_path[0] = '\0';
}

const char *
proc_self(void)
{
	struct stat now;

	if (!self_path[0])
		proc_save_self(NULL);
	/* another file stands there now (an upgrade): this link still leads to what is running */
	if (!self_path[0] || stat(self_path, &now) || now.st_ino != self_stat.st_ino || now.st_dev != self_stat.st_dev)
		return "/proc/self/exe";
	return self_path;
}
