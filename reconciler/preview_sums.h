/* SPDX-License-Identifier: Apache-2.0 */
/* Inside preview.c: what counts against limits and budgets before and after a change. */
#pragma once

#include "status/planned.h"
#include "world.h"

struct preview_sums;

/* Sites are borrowed; base may be NULL. Everything lives in mem. */
struct preview_sums *preview_sums_new(struct arena *mem, const struct site *base, const struct site *head);

/* One environment of the base, then the same of the head: of one that has errors there what it was still counts. All of an owner's base comes before its head. */
void preview_sums_was(struct preview_sums *s, const struct env_result *r);
void preview_sums_is(struct preview_sums *s, const struct env_result *r);

/* The limits and budgets whose sum or maximum the change makes another, by users and then teams, in the order in which they were met. */
void preview_sums_list(struct preview_sums *s, struct planned_sum **out, size_t *n);
