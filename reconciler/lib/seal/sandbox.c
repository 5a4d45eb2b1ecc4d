/* SPDX-License-Identifier: Apache-2.0 */
/* The walls: rlimits, then landlock, then seccomp, each by raw system calls. */
#include "lib/seal/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/sanitizer.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#define OUR_ARCH 0 /* no filter was written for it */
#endif

/* -- landlock ------------------------------------------------------------------------------------------------------ */

/* The kernel may be newer than the headers that this was compiled with. */
#define LANDLOCK_CREATE 444
#define LANDLOCK_RESTRICT 446
#define LANDLOCK_VERSION 1u

struct landlock_attr {
	uint64_t files, network, scoped;
};

static const struct {
	long abi;
	size_t size; /* of the attributes that this ABI knows */
	struct landlock_attr all;
} landlock_abis[] = {
	{ 6, 24, { 0xffff, 3, 3 } }, /* + no signals and no abstract sockets outside */
	{ 5, 16, { 0xffff, 3, 0 } }, /* + ioctl of devices */
	{ 4, 16, { 0x7fff, 3, 0 } }, /* + bind and connect of TCP */
	{ 3, 8, { 0x7fff, 0, 0 } },  /* + truncate */
	{ 2, 8, { 0x3fff, 0, 0 } },  /* + refer */
	{ 1, 8, { 0x1fff, 0, 0 } },
};

/* A ruleset without a rule: everything that it handles is forbidden. */
bool
sandbox_landlock(void)
{
	long abi = syscall(LANDLOCK_CREATE, NULL, 0, LANDLOCK_VERSION);
	bool good = false;
	size_t i = 0;
	int fd;

	if (abi < 1 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return false;
	while (landlock_abis[i].abi > abi)
		i++;
	fd = (int)syscall(LANDLOCK_CREATE, &landlock_abis[i].all, landlock_abis[i].size, 0);
	if (fd < 0)
		return false;
	good = syscall(LANDLOCK_RESTRICT, fd, 0) == 0;
	(void)close(fd);
	return good;
}

/* -- seccomp ------------------------------------------------------------------------------------------------------- */

enum check {
	ALWAYS,
	NEW_MEMORY, /* mmap: anonymous, never executable, not larger than the whole may be */
	PROTECTION, /* mprotect: never executable */
	MOVED,      /* mremap: not larger than the whole may be */
	ABORT,      /* tgkill: SIGABRT to this process */
	FDS,        /* recvmsg: where descriptors may come in */
};

static const struct rule {
	uint32_t nr;
	enum check check;
} rules[] = {
	{ SYS_read, ALWAYS }, { SYS_write, ALWAYS }, { SYS_sendmsg, ALWAYS }, { SYS_recvmsg, FDS }, { SYS_close, ALWAYS },
#ifdef SYS_poll
	{ SYS_poll, ALWAYS },
#endif
	{ SYS_ppoll, ALWAYS },
	/* memory */
	{ SYS_mmap, NEW_MEMORY }, { SYS_mprotect, PROTECTION }, { SYS_mremap, MOVED }, { SYS_munmap, ALWAYS }, { SYS_brk, ALWAYS },
	{ SYS_madvise, ALWAYS }, { SYS_mlock, ALWAYS }, { SYS_munlock, ALWAYS },
	/* what the C library and the cryptography ask for now and then */
	{ SYS_getrandom, ALWAYS }, { SYS_clock_gettime, ALWAYS }, { SYS_futex, ALWAYS }, { SYS_getpid, ALWAYS },
	{ SYS_gettid, ALWAYS }, { SYS_sysinfo, ALWAYS },
	/* the end */
	{ SYS_rt_sigprocmask, ALWAYS }, { SYS_rt_sigaction, ALWAYS }, { SYS_tgkill, ABORT }, { SYS_rt_sigreturn, ALWAYS },
	{ SYS_restart_syscall, ALWAYS }, { SYS_exit, ALWAYS }, { SYS_exit_group, ALWAYS },
};

#define CODE_MAX 256
#define X32_BIT 0x40000000u

struct program {
	struct sock_filter code[CODE_MAX];
	unsigned short n;
};

static void
put(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (p->n < CODE_MAX)
		p->code[p->n++] = (struct sock_filter){ code, yes, no, k };
}

static void
load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
answer(struct program *p, uint32_t action)
{
	put(p, BPF_RET | BPF_K, action, 0, 0);
}

/* The lower or upper half of an argument (both machines are little endian). */
#define LOW(i) (offsetof(struct seccomp_data, args) + 8 * (i))
#define HIGH(i) (LOW(i) + 4)

/* Goes on when the word there is `k`, has none of the bits, is at most k; ends the process otherwise. */
static void
equal(struct program *p, size_t offset, uint32_t k)
{
	load(p, offset);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, k, 1, 0);
	answer(p, SECCOMP_RET_KILL_PROCESS);
}

static void
without(struct program *p, size_t offset, uint32_t bits)
{
	load(p, offset);
	put(p, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
	answer(p, SECCOMP_RET_KILL_PROCESS);
}

static void
with(struct program *p, size_t offset, uint32_t bit)
{
	load(p, offset);
	put(p, BPF_JMP | BPF_JSET | BPF_K, bit, 1, 0);
	answer(p, SECCOMP_RET_KILL_PROCESS);
}

static void
at_most(struct program *p, size_t i, size_t max)
{
	equal(p, HIGH(i), 0);
	load(p, LOW(i));
	put(p, BPF_JMP | BPF_JGT | BPF_K, max > UINT32_MAX ? UINT32_MAX : (uint32_t)max, 0, 1);
	answer(p, SECCOMP_RET_KILL_PROCESS);
}

static void
body(struct program *p, enum check check, const struct sandbox *s)
{
	if (check == NEW_MEMORY) {
		at_most(p, 1, s->memory_max);
		without(p, LOW(2), PROT_EXEC);
		with(p, LOW(3), MAP_ANONYMOUS);
	} else if (check == PROTECTION) {
		without(p, LOW(2), PROT_EXEC);
	} else if (check == MOVED) {
		at_most(p, 2, s->memory_max);
	} else if (check == ABORT) {
		equal(p, LOW(0), (uint32_t)getpid());
		equal(p, LOW(2), SIGABRT);
	}
	answer(p, check == FDS && !s->fds ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW);
}

static void
one_rule(struct program *p, const struct rule *r, const struct sandbox *s)
{
	unsigned short at = p->n;

	put(p, BPF_JMP | BPF_JEQ | BPF_K, r->nr, 0, 0);
	body(p, r->check, s);
	if (p->n < CODE_MAX)
		p->code[at].jf = (uint8_t)(p->n - at - 1); /* over this body */
}

static bool
seccomp_enter(const struct sandbox *s)
{
	struct program p = { .n = 0 };
	struct sock_fprog f = { .filter = p.code };

	if (!OUR_ARCH)
		return false;
	equal(&p, offsetof(struct seccomp_data, arch), OUR_ARCH);
	load(&p, offsetof(struct seccomp_data, nr));
	put(&p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1); /* the other numbers of x86_64 */
	answer(&p, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		one_rule(&p, &rules[i], s);
	answer(&p, SECCOMP_RET_KILL_PROCESS);
	if (p.n >= CODE_MAX)
		return false;
	f.len = p.n;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f) == 0;
}

/* -- limits -------------------------------------------------------------------------------------------------------- */

#define FDS_MAX 40

static int
limit(__rlimit_resource_t what, rlim_t to, const char *name, struct err *e)
{
	struct rlimit old, new = { to, to };

	if (getrlimit(what, &old) == 0 && old.rlim_max < to)
		new.rlim_cur = new.rlim_max = old.rlim_max;
	return setrlimit(what, &new) == 0 ? 0 : err_errno(e, "set the limit of %s", name);
}

int
sandbox_quiet(struct err *e)
{
	int rc = limit(RLIMIT_CORE, 0, "core dumps", e);

	if (rc < 0)
		return rc;
	return prctl(PR_SET_DUMPABLE, 0) == 0 ? 0 : err_errno(e, "forbid core dumps and tracing");
}

static int
limits(const struct sandbox *s, struct err *e)
{
	int rc;

	if ((rc = limit(RLIMIT_AS, s->memory_max, "memory", e)) < 0 || (rc = limit(RLIMIT_NOFILE, FDS_MAX, "open files", e)) < 0)
		return rc;
	return limit(RLIMIT_FSIZE, 0, "written files", e);
}

static void
lack(struct sandbox_lacks *out, const char *text)
{
	out->text[out->n++] = text;
}

static const char no_landlock[] = "the kernel has no landlock: only seccomp keeps the file system from it";
static const char no_seccomp[] = "the kernel or its machine allows no seccomp filter: landlock alone keeps files from it, and system calls stay open";
static const char sanitized[] = "a sanitizer build has no sandbox: for tests alone";

int
sandbox_enter(const struct sandbox *s, struct sandbox_lacks *out, struct err *e)
{
	int rc = sandbox_quiet(e);

	*out = (struct sandbox_lacks){ .n = 0 };
	if (rc < 0)
		return rc;
	if (SANITIZER) {
		lack(out, sanitized);
		return 0;
	}
	if ((rc = limits(s, e)) < 0)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_errno(e, "give up new privileges");
	if (!sandbox_landlock())
		lack(out, no_landlock);
	if (!seccomp_enter(s))
		lack(out, no_seccomp);
	if (out->n < 2)
		return 0;
	(void)err_set(e, ERR_DENIED, "neither seccomp nor landlock can be had here: nothing would keep a mistake in a sealed file from the master key");
	return err_hint(e, "Run berth on Linux 5.13 or newer, and let its container use seccomp and landlock (seccompProfile RuntimeDefault does).");
}

void
sandbox_probe(struct sandbox_lacks *out)
{
	uint32_t kill = SECCOMP_RET_KILL_PROCESS;

	*out = (struct sandbox_lacks){ .n = 0 };
	if (SANITIZER) {
		lack(out, sanitized);
		return;
	}
	if (syscall(LANDLOCK_CREATE, NULL, 0, LANDLOCK_VERSION) < 1)
		lack(out, no_landlock);
	if (!OUR_ARCH || syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill))
		lack(out, no_seccomp);
}
