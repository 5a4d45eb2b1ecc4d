/* SPDX-License-Identifier: Apache-2.0 */
/* Work trees: making one with a first commit, and what a clone knows of its origin. */
#pragma once

#include "lib/git/git.h"

struct git_new_file {
	const char *path;
	const void *bytes;
	size_t len;
	uint32_t mode; /* enum file_mode */
};

/*
 * Makes `dir` (created when missing, empty otherwise) a repository with these files on disk, in the index and in one commit on
 * `branch`. Author and committer are git's user.name and user.email, else berth <berth@localhost>.
 * A folder that is not empty is ERR_DENIED; nothing is overwritten.
 */
int git_init_with(const char *dir, const char *branch, const struct git_new_file *files, size_t n, const char *message,
                  struct err *e) MUST_USE;

/* The URL of a remote, or ERR_NOTFOUND. Lives in mem. */
int git_origin_url(struct git_repo *g, const char *remote, struct arena *mem, const char **url, struct err *e) MUST_USE;

/* Where two revisions part; ERR_NOTFOUND when one is missing or they share nothing. */
int git_fork_point(struct git_repo *g, const char *a, const char *b, struct oid *out, struct err *e) MUST_USE;
