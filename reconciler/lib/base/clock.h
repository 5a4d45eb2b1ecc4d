/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Pure stages never call this: they are given times where they need them. */
#pragma once

#include <stdint.h>

#define RFC3339_LEN 21 /* "2026-11-22T19:40:00Z" with the NUL */

int64_t clock_mono_ms(void); /* milliseconds that only go forward */
int64_t clock_boot_ms(void); /* the same, and time in which the machine slept counts too (CLOCK_BOOTTIME) */
int64_t clock_now(void);     /* seconds since 1970-01-01T00:00:00Z */

void clock_sleep_ms(int64_t ms); /* plus up to half of it again, different for every process: two that met part */

/* How long to wait after so many failures in a row before this one: `first`, doubled for each of them, at most `most`. */
int64_t clock_backoff(int64_t first, unsigned failures, int64_t most);

/* UTC, seconds precision (RFC 3339). */
void clock_rfc3339(int64_t seconds, char out[RFC3339_LEN]);
/* "2026-11-25T22:00:00Z" -> seconds since 1970; 0 when it is none, or NULL. */
int64_t clock_parse_rfc3339(const char *text);

/* "30m", "8h", "30d", "15s", "200ms" or plain seconds -> milliseconds; ERR_INVALID for anything else or over 100 years. */
int clock_parse_duration(const char *s, int64_t *ms) __attribute__((warn_unused_result));

/* RFC 3339 with any offset; ERR_INVALID for anything else. Fractions of a second are dropped. */
int clock_parse_time(const char *s, int64_t *seconds) __attribute__((warn_unused_result));
