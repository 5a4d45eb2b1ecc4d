/* SPDX-License-Identifier: Apache-2.0 */
/* Time: clocks, RFC 3339, durations. */
#include "lib/base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

#define YEAR_SECONDS INT64_C(31557600)
#define LAST_SECOND INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static int64_t
ms_of(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		abort();
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_mono_ms(void)
{
	return ms_of(CLOCK_MONOTONIC);
}

int64_t
clock_backoff(int64_t first, unsigned failures, int64_t most)
{
	while (failures-- && first < most)
		first *= 2;
	return first < most ? first : most;
}

int64_t
clock_boot_ms(void)
{
	return ms_of(CLOCK_BOOTTIME);
}

int64_t
clock_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

void
clock_rfc3339(int64_t seconds, char out[RFC3339_LEN])
{
	struct tm tm;
	time_t t = seconds < 0 ? 0 : seconds > LAST_SECOND ? LAST_SECOND : seconds;

	if (!gmtime_r(&t, &tm) || strftime(out, RFC3339_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm) != RFC3339_LEN - 1)
		memcpy(out, "1970-01-01T00:00:00Z", RFC3339_LEN);
}

int
clock_parse_duration(const char *s, int64_t *ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};
	size_t digits = strspn(s, "0123456789");
	char number[20];
	int64_t n;

	if (!digits || digits >= sizeof(number))
		return ERR_INVALID;
	memcpy(number, s, digits);
	number[digits] = '\0';
	if (str_to_i64(number, &n) < 0)
		return ERR_INVALID;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		int64_t v;

		if (strcmp(s + digits, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(n, units[i].ms, &v) || v > 100 * YEAR_SECONDS * 1000)
			return ERR_INVALID;
		*ms = v;
		return 0;
	}
	return ERR_INVALID;
}

void
clock_sleep_ms(int64_t ms)
{
	int64_t more = (int64_t)(((uint64_t)getpid() * 2654435761u + (uint64_t)clock_mono_ms() * 40503u) % (uint64_t)(ms / 2 + 1));
	struct timespec t = { (ms + more) / 1000, (long)((ms + more) % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

int64_t
clock_parse_rfc3339(const char *text)
{
	struct tm tm = { 0 };
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;
	time_t t = end && !*end ? timegm(&tm) : 0;

	return t > 0 ? (int64_t)t : 0;
}

static bool
digits_of(const char **s, int n, char end, int *out)
{
	*out = 0;
	for (int i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		*out = *out * 10 + (**s - '0');
	}
	if (end && **s != end)
		return false;
	*s += end != '\0';
	return true;
}

int
clock_parse_time(const char *s, int64_t *seconds)
{
	int year, month, hour = 0, minute = 0, sign = 0;
	struct tm tm = { 0 };

	if (!digits_of(&s, 4, '-', &year) || !digits_of(&s, 2, '-', &month) || !digits_of(&s, 2, '\0', &tm.tm_mday) ||
	    (*s != 'T' && *s != 't'))
		return ERR_INVALID;
	s++;
	if (!digits_of(&s, 2, ':', &tm.tm_hour) || !digits_of(&s, 2, ':', &tm.tm_min) ||
	    !digits_of(&s, 2, '\0', &tm.tm_sec))
		return ERR_INVALID;
	if (*s == '.') {
		size_t n = strspn(s + 1, "0123456789");

		if (!n)
			return ERR_INVALID;
		s += n + 1;
	}
	if (*s == '+' || *s == '-') {
		sign = *s++ == '+' ? 1 : -1;
		if (!digits_of(&s, 2, ':', &hour) || !digits_of(&s, 2, '\0', &minute))
			return ERR_INVALID;
	} else if (*s++ != 'Z' && s[-1] != 'z') {
		return ERR_INVALID;
	}
	if (*s || year < 1970 || month < 1 || month > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
	    tm.tm_min > 59 || tm.tm_sec > 60 || hour > 23 || minute > 59)
		return ERR_INVALID;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	*seconds = (int64_t)timegm(&tm) - sign * (hour * 3600 + minute * 60);
	return 0;
}
