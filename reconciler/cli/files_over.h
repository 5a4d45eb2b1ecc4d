/* SPDX-License-Identifier: Apache-2.0 */
/* A tree with a few files changed that are written nowhere yet. */
#pragma once

#include "lib/base/files.h"

struct file_change {
	const char *path;
	const char *bytes; /* NUL-terminated behind len; NULL: the file goes */
	size_t len;
};

/* `base` and `changes` (whose paths differ) must stay as long as *out; everything else lives in mem. */
void files_over(struct arena *mem, const struct files *base, const struct file_change *changes, size_t n, struct files *out);
