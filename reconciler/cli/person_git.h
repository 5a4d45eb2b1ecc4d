/* SPDX-License-Identifier: Apache-2.0 */
/* The person's own git, with their settings, credentials, hooks and signing: for what is done in their name. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct person_git {
	struct arena *mem;
	const char *dir;  /* the repository */
	bool may_ask;     /* git and what it calls may use this terminal: a passphrase, a password, a touch */
};

struct git_said {
	int code;         /* exit status; -1: ended by a signal, or by the deadline */
	const char *out;  /* the first line of standard output, "" when there is none */
	const char *why;  /* what it complained of, on one line, at most 400 bytes; "" when the terminal has it already */
};

/*
 * `git -C dir` with these arguments (NULL-terminated, at most 24; nothing secret: others see them). Where it may ask it runs in the foreground
 * without a deadline, else without terminal for at most a minute, by LC_ALL=C. A non-zero exit is no error.
 * ERR_CANCELLED: Ctrl-C, however far it had come; ERR_NOTFOUND: there is no git.
 */
int person_git(const struct person_git *g, const char *const *args, struct git_said *out, struct err *e) MUST_USE;

/* A question about settings: never asks, 5 s. The first line of the answer in g->mem, NULL when there is none. */
const char *person_git_get(const struct person_git *g, const char *const *args);
