/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of the status branch that a verb's arguments name. */
#pragma once

#include "cli/cmd.h"
#include "lib/doc/value.h"

struct status_docs {
	struct value *docs; /* a list of EnvironmentStatus, sorted by owner and name */
	struct value *repo; /* repo.yaml, or NULL */
};

/*
 * The environments named by a->pos ("alice/train", "envs/alice/train.yaml"; made uniform in place), all of them when none is.
 * -C, --offline, --token-file as in cli/branch.h. What cannot be read is said on stderr and left out. ERR_NOTFOUND with a hint: no
 * branch yet, or it has not all that were named. Everything lives in a->mem: ten thousand files are some hundred MiB of it.
 */
int status_docs_read(const struct args *a, struct status_docs *out, struct err *e) MUST_USE;
