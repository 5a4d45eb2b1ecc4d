/* SPDX-License-Identifier: Apache-2.0 */
/* A change of a few files, made into a branch from the origin's main and pushed, without touching the person's work tree, index or HEAD. */
#pragma once

#include "cli/cmd.h"
#include "cli/files_over.h"
#include "cli/forge_args.h"
#include "cli/person_git.h"
#include "lib/git/git.h"
#include "world.h"

struct proposal {
	const struct args *a;
	struct arena *mem;
	const char *dir;          /* -C */
	struct person_git person;
	bool asks;                /* a terminal, and no --no-input */
	enum output form;
	struct git_repo *git;     /* NULL: the folder is no repository */
	const char *url;          /* of origin; NULL: there is none, and what is read and written is the folder */
	const char *base;         /* the branch that the change is for */
	struct oid tip;           /* of it, at the origin */
	enum forge_kind kind;     /* of the origin; FORGE_KIND_COUNT: not known */
	struct forge *forge;      /* NULL: the pull request is left to the person */
	bool renames;             /* a branch whose name is taken gets another one: NAME-2 and so on */
	const char *stem;         /* NAME; NULL: --branch said it */
	unsigned nth;
	struct files files;       /* what the change is made on */
	struct world *was;        /* the same, read */
	struct world *is;         /* with the change that was laid on it last; NULL before the first */
	const struct file_change *laid;
	size_t nlaid;
};

/*
 * Options PROPOSE_OPTS. Fetches the base branch with the person's git; when the origin does not answer, what was fetched last counts and stderr says so.
 * ERR_INVALID: there is no berth.yaml that could be used. Close it also after an error.
 */
int propose_open(const struct args *a, struct proposal *p, struct err *e) MUST_USE;
void propose_close(struct proposal *p);

/* p->is becomes the tree with these changes instead of those before, read; they stay in use until the next ones. */
int propose_lay(struct proposal *p, const struct file_change *changes, size_t n, struct err *e) MUST_USE;

/*
 * Lays the change, and says what it brings: every finding in the files changed, and those elsewhere that were not there before, on stderr, as `berth validate` has them. `owner`: whose
 * environments are rendered for it. 1: there are errors, nothing may be written.
 */
int propose_check(struct proposal *p, const struct file_change *changes, size_t n, const char *owner, struct err *e) MUST_USE;

struct proposed {
	const char *file, *branch, *commit, *link; /* NULL: none */
	bool pushed;
	int64_t pull;         /* number of its pull request; 0: none */
	const char *pull_url;
	bool pull_was;        /* it was there before */
};

/*
 * One commit by the person (signed where commit.gpgsign is set) on `branch`, which must be new here and at the origin, or merged already, or --force; then the
 * push. Pushed, the branch is left at the origin alone; not pushed, in the clone. Ctrl-C leaves no branch here.
 * Without an origin the files are written where they belong in the folder, and that is all. `file`: the one to tell of.
 * ERR_DENIED: the branch or file is there, git made no commit, or the origin refused; ERR_UNAVAILABLE: it did not answer.
 */
int propose_make(struct proposal *p, const struct file_change *changes, size_t n, const char *branch, const char *message, struct proposed *out, struct err *e) MUST_USE;

/*
 * Is there room for the branch in the clone? *here: there is one, and it may be replaced, for it is merged or --force was given. ERR_DENIED: there is one with commits that are
 * nowhere else.
 */
int propose_room(struct proposal *p, const char *branch, bool *here, struct err *e) MUST_USE;

/* "git -C DIR", for a command that is to be typed. */
const char *propose_git(const struct proposal *p);

/* The next name of a branch whose own is taken; false: there is none. */
bool propose_rename(struct proposal *p, const char **branch);

/* --branch, else the fallback (p->renames: or another one), and there is room for it. ERR_USAGE for a name that git or berth does not allow. */
int propose_branch(struct proposal *p, const char *fallback, const char **branch, struct err *e) MUST_USE;

/*
 * Opens the pull request where there is a token, titled by the message's first line; then tells all that was done on stdout, with the next step, as -o says. What
 * kept the pull request from being opened is an error after that: the branch is pushed, and the link is told.
 */
int propose_tell(struct proposal *p, const char *message, struct proposed *done, struct err *e) MUST_USE;

#define PROPOSE_OPTS \
	{ "branch", "NAME", "the branch to make" }, \
	{ "base", "NAME", "the reviewed branch that it is for (default: main)" }, \
	FORGE_PERSON_OPTS, \
	{ "no-push", NULL, "leave the branch in the clone" }, \
	{ "C", "DIR", "a clone of the environments repository (default: here)" }, \
	{ "o", "table|json|yaml", "how to print what was made" }
