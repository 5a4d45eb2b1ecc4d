/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walls around a process that holds keys: no file system (landlock), no network, no programs, few system calls (seccomp), bounded memory and
 * files (rlimits), no core dump, not traceable by others of the same user (PR_SET_DUMPABLE). Off in sanitizer builds, which need more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

struct sandbox {
	size_t memory_max; /* RLIMIT_AS, bytes; one mapping of more ends the process */
	bool fds;          /* may receive file descriptors by recvmsg */
};

/* What could not be had on this kernel, one static text each, for the log: "the kernel has no landlock: …". */
struct sandbox_lacks {
	const char *text[4];
	size_t n;
};

/* No core dump and no tracing, the first thing that a process does which will hold keys. sandbox_enter does it too. */
int sandbox_quiet(struct err *e) MUST_USE;

/*
 * No way back. A forbidden system call ends the process by SIGSYS. What remains: reading, writing and waiting on descriptors that are open,
 * sendmsg, memory that is neither a file nor executable, randomness, time, its own end. So whatever opens files by itself (locales, a
 * library's configuration) must have run once before. ERR_DENIED when neither seccomp nor landlock could be had: nothing that opens secrets
 * should run then. In sanitizer builds: rlimits of cores and PR_SET_DUMPABLE alone.
 */
int sandbox_enter(const struct sandbox *s, struct sandbox_lacks *out, struct err *e) MUST_USE;

/* What sandbox_enter would lack here; changes nothing. */
void sandbox_probe(struct sandbox_lacks *out);

/* One of its walls: no file can be opened, changed or run from now on, no TCP port be used. False: the kernel has no landlock. */
bool sandbox_landlock(void);
