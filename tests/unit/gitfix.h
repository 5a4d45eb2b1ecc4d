/* SPDX-License-Identifier: Apache-2.0 */
/* Fixtures made by the git program itself: a temporary folder and shell lines run in it. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/proc.h"

static char fix_dir[256];

/* Runs a shell line in the folder; returns its standard output (valid until the next call), NULL when it failed. */
static inline const char *
fix_try(const char *line)
{
	static char out[65536];
	const char *const argv[] = { "sh", "-ec", line, NULL };
	const char *const env[] = { "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=bo",
		"GIT_AUTHOR_EMAIL=bo@example.org", "GIT_COMMITTER_NAME=bo", "GIT_COMMITTER_EMAIL=bo@example.org",
		"GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000", "no_proxy=*", NULL };
	struct proc p = { .argv = argv, .env = env, .cwd = fix_dir, .timeout_ms = 60000, .output_max = sizeof(out) - 1 };
	struct proc_result r;
	struct err e;

	if (proc_run(&p, &r, &e)) {
		(void)fprintf(stderr, "# %s: %s\n", line, e.text);
		return NULL;
	}
	(void)snprintf(out, sizeof(out), "%s", buf_cstr(&r.out));
	if (r.exit_code)
		(void)fprintf(stderr, "# %s: exit %d: %s\n", line, r.exit_code, buf_cstr(&r.err));
	while (*out && out[strlen(out) - 1] == '\n')
		out[strlen(out) - 1] = '\0';
	return (proc_result_free(&r), r.exit_code) ? NULL : out;
}

/* The same; the test fails when the line fails. */
static inline const char *
fix(const char *line)
{
	const char *out = fix_try(line);

	assert_non_null(out);
	return out;
}

/* An absolute path below the folder; a few are valid at a time. */
static inline const char *
fix_path(const char *name)
{
	static char ring[8][512];
	static unsigned int i;
	char *p = ring[i++ % 8];

	(void)snprintf(p, sizeof(ring[0]), "%s/%s", fix_dir, name);
	return p;
}

static inline int
fix_start(void **state)
{
	(void)state;
	(void)snprintf(fix_dir, sizeof(fix_dir), "%s/berth-test-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	return mkdtemp(fix_dir) ? 0 : -1;
}

static inline int
fix_end(void **state)
{
	const char *const argv[] = { "rm", "-rf", fix_dir, NULL };
	struct proc_result r;
	int rc;

	(void)state;
	if ((rc = proc_run(&(struct proc){ .argv = argv }, &r, NULL)) == 0)
		proc_result_free(&r);
	return rc;
}
