/* SPDX-License-Identifier: Apache-2.0 */
/* The files of one tree (a commit, or a working tree), as the pure stages see them: path -> bytes and id. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"

/* A git object id (SHA-1). For files it is the id of the blob with the same bytes. */
struct oid {
	uint8_t b[20];
};

#define OID_HEX 41 /* with the NUL */

void oid_hex(const struct oid *id, char out[OID_HEX]);
int oid_parse(const char *hex, struct oid *out) MUST_USE; /* 40 digits, else ERR_INVALID */
bool oid_eq(const struct oid *a, const struct oid *b);
bool oid_zero(const struct oid *id);

enum file_mode {
	FILE_REGULAR = 0100644,
	FILE_EXECUTABLE = 0100755,
	FILE_SYMLINK = 0120000,   /* never followed, never read: data of a kind that berth refuses */
	FILE_SUBMODULE = 0160000, /* the same */
};

struct file_entry {
	const char *path; /* relative, '/' between parts, no leading '/' */
	struct oid id;
	uint32_t mode; /* enum file_mode */
};

struct files {
	const struct file_entry *entries; /* sorted by path, bytewise; owned by whoever made the set */
	size_t n;
	void *ctx;
	/*
	 * Reads one entry into `mem` (NUL-terminated behind `len`). The size is checked before reading: over `max`
	 * bytes is ERR_INVALID that names the limit. Symlinks and submodules are ERR_INVALID.
	 */
	int (*read)(void *ctx, const struct file_entry *f, size_t max, struct arena *mem, const char **bytes, size_t *len,
	            struct err *e);
};

/* Largest YAML document, and largest other file (scripts, sealed secrets), in bytes. */
#define FILE_DOC_MAX ((size_t)256 * 1024)
#define FILE_OTHER_MAX ((size_t)1024 * 1024)

/* The entry at exactly `path`, or NULL. */
const struct file_entry *files_find(const struct files *f, const char *path);

/* The entries whose path starts with `prefix` ("envs/"): first and count; count 0 when there are none. */
const struct file_entry *files_under(const struct files *f, const char *prefix, size_t *n);
