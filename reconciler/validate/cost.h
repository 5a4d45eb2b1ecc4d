/* SPDX-License-Identifier: Apache-2.0 */
/* What an environment can cost in a month, from files alone, against the budgets in them. */
#pragma once

#include "parse/env.h"
#include "parse/say.h"

#define MONEY_UNIT INT64_C(1000000) /* amounts are whole millionths, as many digits as a document may write */

/* False for no amount. At most 12 digits before the point. */
bool money_read(const struct value *v, int64_t *amount);

/* "384", "0.53", "12.5": two digits behind the point below 100, none from there on. Rounded to the nearest. */
const char *money_text(struct arena *mem, int64_t amount);

/*
 * The flavor's price for the pods of one environment over the hours it may run: lifecycle.hours, else 24x7. A month is a twelfth
 * of 365 days. Idle time, spot machines that are only allowed and storage are left out: nobody can know them beforehand.
 */
struct cost {
	int64_t hour;  /* of one pod */
	int64_t pods;  /* 0 while paused */
	int64_t month; /* of all of them, at most INT64_MAX */
	const struct value *hours; /* lifecycle.hours, or NULL: 24x7 */
};

/* False when the flavor has no price. */
bool cost_of(struct arena *mem, const struct env *env, struct cost *out);

/* "2 pods at 0.526 an hour, Mon-Fri 08:00-20:00" */
const char *cost_text(struct arena *mem, const struct cost *c);

/* Warns at `at` when `month` is over the budget.monthly of a document. `who`: "envs/alice/train", "user 'alice'". */
struct finding *cost_check(struct report *r, const struct value *monthly, struct place at, const char *who, const struct site *s,
                           int64_t month);
