/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that mean a time: durations, dates, cron schedules, working hours. No clock: what they say, not whether it is now. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/doc/value.h"

/* "30m", "8h", "30d", "500ms" (rounded up), "90" or 90 -> seconds. ERR_INVALID for anything else or beyond 1000 years. */
int when_duration(const struct value *v, int64_t *seconds) MUST_USE;

/* The shortest exact form: "8h", "90m", "3601s". */
char *when_text(struct arena *mem, int64_t seconds);

/* "2026-12-31", with "T18:00[:00]" and Z or an offset: a day that exists. */
bool when_date_valid(const char *s);

/* A schedule of five fields (crontab(5)): a bit for each minute, hour, day of the month, month and weekday (0: Sunday). */
struct cron {
	uint64_t minute;
	uint32_t hour, mday, month, wday;
	bool any_mday, any_wday; /* written as '*': otherwise a day counts when either of the two agrees */
};

/*
 * Numbers, ranges, lists, steps, names (JAN, MON), and @yearly @annually @monthly @weekly @daily @midnight @hourly.
 * ERR_INVALID: *why (in mem) says what is wrong with which field.
 */
int when_cron(struct arena *mem, const char *s, struct cron *out, const char **why) MUST_USE;

/* False for the 30th of February and the like: it would never run. */
bool when_cron_happens(const struct cron *c);

/* "Mon-Fri 08:00-20:00 Asia/Seoul"; without a zone it is UTC. The end may be 24:00, or before the start: the next day. */
struct hours {
	uint32_t days;    /* a bit for each, 0: Sunday */
	int start, end;   /* minutes of the day */
	const char *zone; /* a name of the table */
};

int when_hours(struct arena *mem, const char *s, struct hours *out, const char **why) MUST_USE;

/* The zone as the table has it, or NULL; `near` (may be NULL) gets a name that is written almost alike, or NULL. */
const char *when_zone(const char *name, const char **near);

/* "2025b": the tzdata that the names are from. */
const char *when_zones_version(void);
