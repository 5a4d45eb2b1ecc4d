/* SPDX-License-Identifier: Apache-2.0 */
/* Builtins on time: fromNow, counting from the time that the caller gives. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "render/builtin.h"
#include "render/template_node.h"

#define DAY ((int64_t)86400)
/* 0000-01-01 and 10000-01-01, in seconds since 1970. */
#define TIME_FIRST (-62167219200)
#define TIME_END 253402300800

/* In the order they may be written; months and years count 30 and 365 days. */
static const struct {
	const char *names[4];
	int64_t seconds;
} units[] = {
	{ { "years", "year", "yr", "y" }, 365 * DAY },
	{ { "months", "month", "mo", NULL }, 30 * DAY },
	{ { "weeks", "week", "wk", "w" }, 7 * DAY },
	{ { "days", "day", "d", NULL }, DAY },
	{ { "hours", "hour", "hr", "h" }, 3600 },
	{ { "minutes", "minute", "min", "m" }, 60 },
	{ { "seconds", "second", "sec", "s" }, 1 },
};

#define UNITS (sizeof(units) / sizeof(units[0]))

static const char *
skip_space(const char *s)
{
	return s + strspn(s, " \t\n\v\f\r");
}

/* The unit that `word` of n letters names, or UNITS. */
static size_t
unit_find(const char *word, size_t n)
{
	for (size_t u = 0; u < UNITS; u++) {
		for (size_t i = 0; i < 4 && units[u].names[i]; i++) {
			if (strlen(units[u].names[i]) == n && !strncasecmp(units[u].names[i], word, n))
				return u;
		}
	}
	return UNITS;
}

/* "2 days 3 hours" -> seconds; false when it is none, or too long to matter. */
static bool
span_seconds(const char *span, int64_t *out)
{
	const char *s = skip_space(span);
	bool negative = *s == '-';
	int64_t total = 0;
	size_t next = 0;

	if (*s == '-' || *s == '+')
		s++;
	for (s = skip_space(s); *s; s = skip_space(s)) {
		size_t digits = strspn(s, "0123456789"), letters, unit;
		int64_t n = 0;

		if (!digits || digits > 12)
			return false;
		for (size_t i = 0; i < digits; i++)
			n = n * 10 + (s[i] - '0');
		s = skip_space(s + digits);
		letters = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
		unit = unit_find(s, letters);
		if (unit == UNITS || unit < next)
			return false;
		if (__builtin_mul_overflow(n, units[unit].seconds, &n) || __builtin_add_overflow(total, n, &total))
			return false;
		next = unit + 1;
		s += letters;
	}
	*out = negative ? -total : total;
	return true;
}

/* Days since 1970-01-01 of a proleptic Gregorian date; years start in March so that the leap day comes last. */
static int64_t
days_from_date(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void
date_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = yoe + era * 400 + (*month <= 2);
}

/* Exactly n digits at *s. */
static bool
digits(const char **s, int n, int64_t *out)
{
	*out = 0;
	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		*out = *out * 10 + (**s - '0');
	}
	return true;
}

static bool
skip_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static bool
date_ok(int64_t y, int64_t m, int64_t d)
{
	static const int lengths[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return m >= 1 && m <= 12 && d >= 1 && d <= lengths[m - 1] + (m == 2 && leap);
}

/* RFC 3339, section 5.6; fractions are cut to milliseconds. */
static bool
parse_rfc3339(const char *s, int64_t *seconds, int64_t *ms)
{
	int64_t y, mo, d, h, mi, se, oh, om, scale = 100;

	*ms = 0;
	if (!digits(&s, 4, &y) || !skip_char(&s, '-') || !digits(&s, 2, &mo) || !skip_char(&s, '-') ||
	    !digits(&s, 2, &d) || !date_ok(y, mo, d) || (!skip_char(&s, 'T') && !skip_char(&s, 't')) ||
	    !digits(&s, 2, &h) || !skip_char(&s, ':') || !digits(&s, 2, &mi) || !skip_char(&s, ':') || !digits(&s, 2, &se))
		return false;
	if (h > 23 || mi > 59 || se > 60)
		return false;
	if (skip_char(&s, '.')) {
		if (*s < '0' || *s > '9')
			return false;
		for (; *s >= '0' && *s <= '9'; s++, scale /= 10)
			*ms += (*s - '0') * scale;
	}
	*seconds = days_from_date(y, mo, d) * DAY + h * 3600 + mi * 60 + se;
	if (*s == '+' || *s == '-') {
		int64_t sign = *s++ == '-' ? 1 : -1;

		if (!digits(&s, 2, &oh) || !skip_char(&s, ':') || !digits(&s, 2, &om) || oh > 23 || om > 59)
			return false;
		*seconds += sign * (oh * 3600 + om * 60);
		return *s == '\0';
	}
	return (skip_char(&s, 'Z') || skip_char(&s, 'z')) && *s == '\0';
}

int
time_from(const char *span, const char *reference, char out[32], struct err *e)
{
	int64_t at, ms, offset, days, y, m, d, rest;
	int n;

	if (!span_seconds(span, &offset))
		return err_set(e, ERR_INVALID, "String: '%.80s' isn't a time expression", span);
	if (!parse_rfc3339(reference, &at, &ms))
		return err_set(e, ERR_INVALID, "'%.80s' is not a time (RFC 3339)", reference);
	if (__builtin_add_overflow(at, offset, &at) || at < TIME_FIRST || at >= TIME_END)
		return err_set(e, ERR_INVALID, "'%.80s' leads out of the years 0 to 9999", span);
	days = (at >= 0 ? at : at - (DAY - 1)) / DAY;
	rest = at - days * DAY;
	date_from_days(days, &y, &m, &d);
	n = snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)y, (int)m, (int)d, (int)(rest / 3600),
	             (int)(rest / 60 % 60), (int)(rest % 60), (int)ms);
	if (n != 24)
		return err_set(e, ERR_INTERNAL, "time of %d characters", n);
	return 0;
}

int
builtin_from_now(const struct builtin_call *c, struct value **out)
{
	const struct value *reference = c->n > 1 ? c->args[1] : scope_find(c->r, c->scope, "now");
	char text[32];
	struct err e = { 0 };

	if (!reference)
		return render_fail(c->r, "fromNow needs a reference time (this rendering has no clock)");
	if (reference->type != VALUE_STR)
		return render_fail(c->r, "fromNow: now is not a string");
	if (time_from(c->args[0]->str.s, reference->str.s, text, &e) < 0)
		return render_fail(c->r, "%s", e.text);
	return render_str(c->r, text, strlen(text), out);
}
