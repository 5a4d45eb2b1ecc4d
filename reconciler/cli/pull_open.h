/* SPDX-License-Identifier: Apache-2.0 */
/* The pull request of a branch that was just pushed: opened, or found where there is one. */
#pragma once

#include "lib/forge/forge.h"

/* "pull request", on GitLab "merge request". */
const char *pull_word(enum forge_kind kind);

/*
 * *was: it was there before; then it is an open one of this branch of this repository, for this base. After an answer that was lost it is looked for as well.
 * Errors as forge_pull_open. Texts in mem.
 */
int pull_open(struct forge *f, const struct forge_new_pull *n, struct arena *mem, struct forge_pull *out, bool *was, struct err *e) MUST_USE;
