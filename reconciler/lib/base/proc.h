/* SPDX-License-Identifier: Apache-2.0 */
/* Children: an argv, a deadline, limits; never a shell. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct proc {
	const char *const *argv; /* NULL-terminated; argv[0] is searched in PATH unless it holds a '/' */
	const char *const *env;  /* "NAME=value" added to ours, NULL-terminated; may be NULL */
	const char *cwd;         /* NULL: ours */
	const void *input;       /* bytes for its standard input; NULL: /dev/null */
	size_t input_len;
	int64_t timeout_ms;      /* > 0: then SIGTERM, and SIGKILL 2 s later, to its process group */
	uint64_t memory_max;     /* RLIMIT_AS in bytes, 0: none; ignored in sanitizer builds */
	size_t output_max;       /* bytes kept of stdout and of stderr each, 0: 1 MiB; the rest is read and dropped */
	const atomic_bool *cancel; /* when it turns true the child is ended; may be NULL */
};

struct proc_result {
	int exit_code;      /* -1 when ended by a signal */
	int signal;
	bool timed_out, cancelled;
	struct buf out, err;
};

/* Runs it to its end. ERR_NOTFOUND when it cannot be started, ERR_UNAVAILABLE on time-out; a non-zero exit is no error. */
int proc_run(const struct proc *p, struct proc_result *r, struct err *e) MUST_USE;
void proc_result_free(struct proc_result *r);

/*
 * What every child does first, between fork and exec: a process group of its own (a Ctrl-C of the terminal is the parent's to handle), an end with the parent,
 * which is looked at once more, no core dump, signals as they are by default. Async-signal-safe; ends the child when its parent has gone.
 */
void proc_child_begin(pid_t parent);

/* The path of this very program, saved at start (children exec it even after an upgrade replaced the file). */
void proc_save_self(const char *argv0);
const char *proc_self(void);
