/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files on the status branch beside what is observed: recipients, known_hosts. Written when they differ, and only then. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/map.h"
#include "lib/git/git.h"

/* Zeroed is empty. */
struct kept {
	struct map files;   /* path -> struct kept_file * */
	struct map folders; /* swept: what stands there and is in no `files` goes with the next flush */
	bool waiting;
};

void kept_free(struct kept *k);

/* The file is to have these bytes (copied), with NULL: is to go. The same as before is nothing. */
void kept_set(struct kept *k, const char *path, const void *bytes, size_t n);

/* A file that whoever writes it first has written: one that is there already stays, whatever it holds. Forgotten once it is on the branch. */
void kept_once(struct kept *k, const char *path, const void *bytes, size_t n);

/* All that is to be in this folder has been set; files of it that nobody knows go. */
void kept_sweep(struct kept *k, const char *folder);

/* Somebody else moved the branch: compare everything again. */
void kept_mark_all(struct kept *k);

/* Edits the tree. *changed: files that were not as they are to be. */
int kept_flush(struct kept *k, struct git_edit *edit, struct arena *mem, size_t *changed, struct err *e) MUST_USE;

/* The edit is on the branch. */
void kept_settle(struct kept *k);
