/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what the status branch says: repo.yaml and one document an environment. Others can write there: what it says is a hint, and nothing that is trusted. */
#pragma once

#include "lib/base/files.h"
#include "lib/doc/value.h"
#include "lib/git/git.h"

#define STATUS_REPO "repo.yaml"

/* "envs/alice/train.yaml", in mem. */
const char *status_path(struct arena *mem, const char *owner, const char *name);

/* Is this the path of an environment's document? */
bool status_is_path(const char *path);

/*
 * Each reads one document into mem, at most FILE_DOC_MAX bytes; a file with a megabyte of nonsense takes some ten of memory. *out is NULL when it is no YAML or
 * no map (the daemon writes it anew), and after an error: ERR_NOTFOUND when there is no such file, ERR_INVALID when it is too large, and errors of git.
 */
int status_read_tree(struct git_repo *g, const struct oid *tree, const char *path, struct arena *mem, struct value **out, struct err *e) MUST_USE;
int status_read_blob(struct git_repo *g, const struct oid *blob, const char *path, struct arena *mem, struct value **out, struct err *e) MUST_USE;
int status_read_files(const struct files *files, const char *path, struct arena *mem, struct value **out, struct err *e) MUST_USE;
