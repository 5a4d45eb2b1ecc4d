/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What berth says on pull requests: two checks and one comment with the plan, findings at their lines, and after the merge what came of it. It runs in a
 * thread of its own on its own handles: a forge that hangs, limits or is down for an hour stops nothing else. All that is said follows from git and the forge;
 * the file "pulls" in the state folder only saves asking and saying things again.
 *
 * Contexts of statuses: "berth/validate" and "berth/plan" on the head of an open pull request, "berth/apply" on the commit that the merge made.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/forge/forge.h"
#include "lib/git/git.h"

struct pulls;

struct pulls_config {
	struct forge_config forge;          /* cancel is filled in */
	const char *git_dir;                /* the daemon's repository */
	const char *url;                    /* where heads are fetched from; NULL: they are in it */
	struct git_remote_auth auth;
	const char *branch;                 /* "main" */
	const char *main_ref, *status_ref;  /* where both stand in git_dir */
	const char *state_dir;              /* the memory; the proof and the adopted commit are read there */
	const char *run;                    /* for the log */
	int64_t interval_ms;                /* between looks when nobody pokes */
	int wake_fd;                        /* a byte is written to it when pulls_news is true; -1: none */
};

/* Starts the thread. Texts are copied. Errors are those of forge_open and git_open. */
int pulls_start(const struct pulls_config *c, struct pulls **out, struct err *e) MUST_USE;

/* Look now: a hook came, or a branch moved. Any thread, cheap. */
void pulls_poke(struct pulls *p);

/* True once after the file "reviews" was written: what waits may go on. Any thread, cheap; false for NULL. */
bool pulls_news(struct pulls *p);

/* Only one of several daemons speaks. At first none may. */
void pulls_allow(struct pulls *p, bool may);

/* Ends the thread, in the middle of a request too. NULL is fine. */
void pulls_stop(struct pulls *p);

struct pulls_counts {
	struct forge_counts forge;
	uint64_t looks;      /* pull requests that were planned */
	uint64_t turns, failed;
	size_t open, merged; /* that are watched now */
};

struct pulls_counts pulls_counts(struct pulls *p);
