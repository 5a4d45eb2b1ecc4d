/* SPDX-License-Identifier: Apache-2.0 */
/* Files on disk: bounded reads, atomic writes, locks. All descriptors are O_CLOEXEC. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

/* Reads a regular file of at most `max` bytes; NUL-terminated behind *len. Larger is ERR_INVALID, missing ERR_NOTFOUND. */
int fs_read(const char *path, size_t max, struct arena *mem, char **bytes, size_t *len, struct err *e) MUST_USE;

/*
 * A file with a secret in it: regular, of root or of this user, and nobody else's to read or write (0400, 0600; of root's also 0440).
 * ERR_DENIED says which of these it is not; `renew` is what to do where others may have read it ("make a new key").
 */
struct stat;
int fs_check_private(const char *path, const struct stat *st, const char *renew, struct err *e) MUST_USE;

/*
 * Reads such a file into `bytes` (of `max` + 1), without a copy that nobody wipes; NUL-terminated behind *n. *st is of what was read.
 * More than `max` bytes is ERR_INVALID.
 */
int fs_read_private(const char *path, const char *renew, char *bytes, size_t max, size_t *n, struct stat *st, struct err *e) MUST_USE;

/* Writes a temporary file beside `path`, fsyncs it and renames it: readers see the old or the new bytes, never half. */
int fs_write_atomic(const char *path, const void *bytes, size_t len, unsigned int mode, struct err *e) MUST_USE;

/*
 * Deletes what writers of `path` left beside it that were killed in the middle ("NAME.XXXXXX"). For who alone writes it: one at work would lose its file. What
 * cannot be deleted stays.
 */
void fs_sweep(const char *path);

/* mkdir -p; existing directories are fine. */
int fs_mkdirs(const char *path, struct err *e) MUST_USE;

/* Writes all of it to a descriptor, over signals and short writes; -1 with errno. */
int fs_write_all(int fd, const void *bytes, size_t n) MUST_USE;

bool fs_exists(const char *path);
bool fs_is_dir(const char *path);

/*
 * Takes an exclusive lock on `path` (created when missing) and writes our PID into it. *fd stays open for as long as
 * the lock is held. Held by somebody else: ERR_CONFLICT that names the PID.
 */
int fs_lock(const char *path, int *fd, struct err *e) MUST_USE;

/*
 * All files below `dir`, relative paths sorted bytewise. ".git" entries and what git cannot hold (sockets, devices) are
 * left out, more than 64 levels are ERR_INVALID; symbolic links are listed, never
 * followed. *modes holds a struct stat st_mode for each. More than `max` files is ERR_INVALID.
 */
int fs_list(const char *dir, size_t max, struct arena *mem, const char ***paths, unsigned int **modes, size_t *n,
            struct err *e) MUST_USE;

static inline void
fs_closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* int AUTO_FD fd = open(...); closed at the end of the scope when >= 0. */
#define AUTO_FD __attribute__((cleanup(fs_closep)))
