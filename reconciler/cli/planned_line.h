/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan comes to, on one line. */
#pragma once

#include "lib/base/buf.h"
#include "lib/git/git.h"
#include "status/planned.h"

/* "1 to create, 0 to change (0 with a restart), 0 to delete, 9 unchanged.", without a line's end. */
void planned_line(const struct planned *p, struct buf *out);

/* The same of two trees; or why it cannot be told. */
void planned_between(struct git_repo *g, const struct oid *base, const struct oid *head, struct arena *mem, struct buf *out);
