/* SPDX-License-Identifier: Apache-2.0 */
/* What is live, held against the limits on sums: who may grow, and who waits until there is room. */
#pragma once

#include "validate/use.h"

/*
 * The memory of a daemon: for each environment a few integers of what is live, running sums for each owner and for each
 * team and flavor, and who waits. About 400 bytes an environment. Not for several threads.
 *
 * What is live keeps its place, whatever limit was lowered; a change that makes none of its sums larger always passes. Of
 * those that grow, who waits already comes first, in the order in which they began to; then who came by the older commit;
 * then by owner and name. Who does not fit waits, and holds up nobody whose change does fit.
 */
struct holds;

struct holds *holds_new(void);
void holds_free(struct holds *h);

/* A pass begins; changes that an earlier one has not kept are taken back. */
void holds_begin(struct holds *h);
void holds_keep(struct holds *h);

/* What is live of this owner (NULL: of everybody) may have been changed by somebody else: it is found out again. */
void holds_forget(struct holds *h, const char *owner);

/*
 * One environment as this pass finds it. `asked`: its newest spec, NULL when that has errors or is not to be applied now.
 * `there`: something of it is live. Copied.
 */
void holds_ask(struct holds *h, const char *owner, const char *name, const struct use *asked, bool there);

/* It goes: its place is free. */
void holds_drop(struct holds *h, const char *owner, const char *name);

/* What was asked could not be applied after all: what was live before stays. */
void holds_failed(struct holds *h, const char *owner, const char *name);

/* What only the caller can find out. Each may be asked for any number of environments, but only where sums are over. */
struct holds_query {
	void *ctx;
	struct arena *mem; /* for what read gives out */
	/* What was live when this process began, and since when (Unix seconds) it waits, or 0; false when nobody knows. */
	bool (*read)(void *ctx, const char *owner, const char *name, struct use *out, int64_t *since);
	/* Age of the commit that last changed it: larger is newer. */
	int64_t (*age)(void *ctx, const char *owner, const char *name);
	/* It waited and has room now: its owner must be looked at. NULL: those that wait are not looked at again. */
	void (*granted)(void *ctx, const char *owner);
	int64_t now; /* Unix seconds */
};

/* Who of those that were asked, and of those that wait, is let through. Where everything fits nothing is read or sorted. */
void holds_decide(struct holds *h, const struct site *s, const struct holds_query *q);

/* Does it wait? Then the reason, one line in mem, with the limit's own place; else NULL. */
const char *holds_waits(struct holds *h, const struct site *s, struct arena *mem, const char *owner, const char *name);

/* What it holds as this pass leaves it, or NULL. Valid until the next call for this environment. */
const struct use *holds_live(const struct holds *h, const char *owner, const char *name);

/* The number of environments that wait. */
size_t holds_waiting(const struct holds *h);
