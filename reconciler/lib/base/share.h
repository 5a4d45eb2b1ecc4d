/* SPDX-License-Identifier: Apache-2.0 */
/* The files compiled into the program: schema/, templates/, envs-repo-template/ (or BERTH_SHARE=DIR on disk). */
#pragma once

#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/hash.h"

struct share_file {
	const char *path; /* "schema/environment.schema.json", "templates/env/statefulset.yaml", … */
	const char *bytes; /* NUL-terminated behind len */
	size_t len;
	unsigned int mode; /* 0644 or 0755 */
};

/*
 * All of them, sorted by path bytewise. With BERTH_SHARE set the same three folders are read from there once;
 * an unreadable folder is an error that names it.
 */
int share_files(const struct share_file **files, size_t *n, struct err *e) MUST_USE;

/* The one at `path`, or ERR_NOTFOUND. */
int share_get(const char *path, const struct share_file **out, struct err *e) MUST_USE;
