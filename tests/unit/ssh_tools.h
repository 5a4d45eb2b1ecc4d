/* SPDX-License-Identifier: Apache-2.0 */
/* For unit tests: a scratch folder, files in it, and real ssh-keygen run in it. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/buf.h"
#include "lib/base/fs.h"
#include "lib/base/proc.h"

static char *scratch;

static int
scratch_make(void **state)
{
	char template[] = "/tmp/berth-unit-XXXXXX";

	(void)state;
	scratch = mkdtemp(template) ? strdup(template) : NULL;
	return scratch ? 0 : -1;
}

static int
scratch_remove(void **state)
{
	const char *const argv[] = { "rm", "-rf", scratch, NULL };
	struct proc_result r;
	struct err e;

	(void)state;
	if (proc_run(&(struct proc){ .argv = argv, .timeout_ms = 60000 }, &r, &e) == 0)
		proc_result_free(&r);
	free(scratch);
	return 0;
}

/* In mem: the path of a new file with these bytes, mode 0600. */
static inline const char *
scratch_file(struct arena *m, const char *name, const void *bytes, size_t n)
{
	const char *path = arena_printf(m, "%s/%s", scratch, name);
	struct err e;

	if (fs_write_atomic(path, bytes, n, 0600, &e) < 0)
		abort();
	return path;
}

/* Exit code of `argv`, what it printed in *out (in mem, may be NULL). */
static inline int
run_tool(struct arena *m, const char *const *argv, const void *input, size_t n, const char **out)
{
	struct proc_result r;
	struct err e = { 0 };
	int rc;

	if (proc_run(&(struct proc){ .argv = argv, .cwd = scratch, .input = input, .input_len = n, .timeout_ms = 60000 }, &r, &e) < 0) {
		print_message("# %s\n", e.text);
		abort();
	}
	rc = r.exit_code;
	if (rc != 0)
		print_message("# %s: %s%s\n", argv[0], buf_cstr(&r.out), buf_cstr(&r.err));
	if (out)
		*out = arena_strdup(m, buf_cstr(&r.out));
	proc_result_free(&r);
	return rc;
}
