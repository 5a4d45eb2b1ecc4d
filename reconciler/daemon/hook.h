/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks of forges, between the server's thread that hears them and the loop that fetches. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/hook_event.h"
#include "lib/base/err.h"

#define HOOK_SEEN_MAX 4096   /* deliveries remembered; the one that was not heard of for longest goes */
#define HOOK_TELL_MS 60000   /* between two lines about what was refused */
#define HOOK_REASON_MAX 256

/* A hook only says "look now": what it says is looked up in the repository, and what it does not say is found by polling. */
struct hooks;

/*
 * Reads the secrets (webhook_secrets_parse) of a file that is ours alone; it is read again whenever it changes. `wake_fd` is written to with each hint.
 * ERR_DENIED, ERR_INVALID, ERR_NOTFOUND: the file cannot be used.
 */
int hooks_open(const char *secret_file, int wake_fd, struct hooks **out, struct err *e) MUST_USE;
void hooks_close(struct hooks *h); /* NULL is fine */

/* -- for the server's thread ----------------------------------------------------------------------------------------- */

/*
 * Judges a whole request and returns its HTTP status: 202 whether it was a hint, a replay or nothing to do, so that no forge gives up on us; 401 when it
 * is from nobody; 400 when it is no event; 503 while the secret cannot be read. *text is what to answer (static).
 */
unsigned int hooks_take(struct hooks *h, const struct webhook *w, int64_t now, const char **text);

/* Counts what was refused before it was a whole request ("the body is over 1 MiB"). */
void hooks_refuse(struct hooks *h, const char *forge, const char *reason);

/* -- for the loop ---------------------------------------------------------------------------------------------------- */

/* Is there a hint that hooks_hint() has not given yet? */
bool hooks_waiting(struct hooks *h);

/* For the beginning of a look at the repository: takes what came until now. `about` is the newest ("gitea: push to refs/heads/main"), *n how many. */
bool hooks_hint(struct hooks *h, char about[HOOK_REASON_MAX], uint64_t *n);

/* How many were refused since this was last true, and why the newest was. True at most once in HOOK_TELL_MS, and only when there were any. */
bool hooks_refused(struct hooks *h, int64_t mono_ms, char reason[HOOK_REASON_MAX], uint64_t *n);

/* For metrics, since the start: hints; refused; heard before; rightly signed and of no use. */
struct hook_counts {
	uint64_t accepted, refused, replayed, ignored;
};
void hooks_counts(struct hooks *h, struct hook_counts *out);
