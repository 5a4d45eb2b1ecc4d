/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, dates, cron schedules, working hours, zone names. */
#include "parse/when.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/str.h"

#define SECONDS_MAX (INT64_C(1000) * 366 * 86400)

static const char *const zones[] = {
#define ZONES_VERSION(v)
#define ZONE(name) name,
#include "parse/zones.def"
#undef ZONE
#undef ZONES_VERSION
};

#define ZONES_COUNT (sizeof(zones) / sizeof(*zones))

static const char *const days[] = { "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT" };
static const char *const months[] = { "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC" };

/* -- durations and dates ----------------------------------------------------------------------------------------- */

int
when_duration(const struct value *v, int64_t *seconds)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	int64_t n = 0, ms = 0;
	const char *s;

	if (value_is(v, VALUE_INT)) {
		if (v->integer < 0 || v->integer > SECONDS_MAX)
			return ERR_INVALID;
		*seconds = v->integer;
		return 0;
	}
	if (!value_is(v, VALUE_STR) || *v->str.s < '0' || *v->str.s > '9')
		return ERR_INVALID;
	for (s = v->str.s; *s >= '0' && *s <= '9'; s++)
		if (n <= SECONDS_MAX * 1000)
			n = n * 10 + (*s - '0');
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(s, units[i].unit) == 0)
			ms = units[i].ms;
	if (ms == 0 || n > SECONDS_MAX * 1000 / ms)
		return ERR_INVALID;
	*seconds = (n * ms + 999) / 1000;
	return 0;
}

/* Exactly `digits` digits at *s, at most `max`; moves on. */
static bool
take_number(const char **s, int digits, int max, int *out)
{
	int n = 0;

	for (int i = 0; i < digits; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		n = n * 10 + (**s - '0');
	}
	*out = n;
	return n <= max;
}

static bool
take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static int
month_days(int year, int month)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return lengths[month - 1] + (month == 2 && leap);
}

bool
when_date_valid(const char *s)
{
	int year, month, day, n;

	if (!take_number(&s, 4, 9999, &year) || !take_char(&s, '-') || !take_number(&s, 2, 12, &month) || month < 1 ||
	    !take_char(&s, '-') || !take_number(&s, 2, 31, &day) || day < 1 || day > month_days(year, month))
		return false;
	if (!*s)
		return true;
	if (!take_char(&s, 'T') || !take_number(&s, 2, 23, &n) || !take_char(&s, ':') || !take_number(&s, 2, 59, &n))
		return false;
	if (*s == ':' && (!take_char(&s, ':') || !take_number(&s, 2, 59, &n)))
		return false;
	if (*s == 'Z')
		return s[1] == '\0';
	if (*s != '+' && *s != '-')
		return false;
	s++;
	return take_number(&s, 2, 14, &n) && take_char(&s, ':') && take_number(&s, 2, 59, &n) && *s == '\0';
}

/* -- cron -------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int min, max; /* of weekdays 7 is Sunday too */
	const char *const *words;
	int nwords;
} fields[] = {
	{ "minute", 0, 59, NULL, 0 }, { "hour", 0, 23, NULL, 0 }, { "day of the month", 1, 31, NULL, 0 },
	{ "month", 1, 12, months, 12 }, { "weekday", 0, 7, days, 7 },
};

#define FIELDS (sizeof(fields) / sizeof(*fields))

static int
word_index(const char *s, size_t n, const char *const *words, int count)
{
	for (int i = 0; i < count; i++)
		if (n == 3 && strncasecmp(s, words[i], 3) == 0)
			return i;
	return -1;
}

/* One number or name at *s; -1 when there is none. */
static int
take_value(const char **s, size_t field)
{
	const char *p = *s;
	size_t len = strcspn(p, ",-/");
	int n = word_index(p, len, fields[field].words, fields[field].nwords);

	*s += len;
	if (n >= 0)
		return n + fields[field].min;
	if (len == 0 || len > 4 || strspn(p, "0123456789") < len)
		return -1;
	n = 0;
	for (size_t i = 0; i < len; i++)
		n = n * 10 + (p[i] - '0');
	return n;
}

/* `*`, N, N-M, each with /STEP; NULL or what is wrong. */
static const char *
take_part(struct arena *mem, const char *part, size_t field, uint64_t *bits)
{
	const char *s = part, *name = fields[field].name;
	int from = fields[field].min, to = fields[field].max, step = 1;
	bool open = false;

	if (*s == '*') {
		s++;
	} else {
		from = to = take_value(&s, field);
		open = true;
		if (*s == '-') {
			s++;
			to = take_value(&s, field);
			open = false;
		}
	}
	if (from < fields[field].min || to > fields[field].max || to < 0)
		return arena_printf(mem, "%s '%.20s' is not within %d to %d", name, part, fields[field].min,
		                    field == 4 ? 6 : fields[field].max);
	if (from > to)
		return arena_printf(mem, "%s '%.20s' runs backwards", name, part);
	if (*s == '/') {
		size_t len = strlen(++s);

		step = len > 0 && len <= 3 && strspn(s, "0123456789") == len ? (int)strtol(s, NULL, 10) : 0;
		if (step < 1 || step > fields[field].max)
			return arena_printf(mem, "%s '%.20s' has no step that fits", name, part);
		if (open)
			to = fields[field].max;
		s += len;
	}
	if (*s)
		return arena_printf(mem, "%s '%.20s' is no number, range or step", name, part);
	for (int i = from; i <= to; i += step)
		*bits |= UINT64_C(1) << (field == 4 && i == 7 ? 0 : i);
	return NULL;
}

static const char *
take_field(struct arena *mem, const char *text, size_t field, uint64_t *bits)
{
	while (true) {
		size_t n = strcspn(text, ",");
		const char *why = take_part(mem, arena_strndup(mem, text, n), field, bits);

		if (why || !text[n])
			return why;
		text += n + 1;
	}
}

static const char *
expand(const char *s)
{
	static const char *const short_forms[][2] = {
		{ "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" }, { "@weekly", "0 0 * * 0" },
		{ "@daily", "0 0 * * *" }, { "@midnight", "0 0 * * *" }, { "@hourly", "0 * * * *" },
	};

	for (size_t i = 0; i < sizeof(short_forms) / sizeof(*short_forms); i++)
		if (strcmp(s, short_forms[i][0]) == 0)
			return short_forms[i][1];
	return s;
}

int
when_cron(struct arena *mem, const char *s, struct cron *out, const char **why)
{
	uint64_t bits[FIELDS] = { 0 };
	const char *text[FIELDS];
	size_t n = 0;

	if (strlen(s) > 1000) {
		*why = "it has more than 1000 characters";
		return ERR_INVALID;
	}
	s = expand(s);
	if (*s == '@') {
		*why = "of the short forms there are @yearly, @monthly, @weekly, @daily and @hourly";
		return ERR_INVALID;
	}
	for (s += strspn(s, " "); *s; s += strspn(s, " ")) {
		size_t len = strcspn(s, " ");

		if (n < FIELDS)
			text[n] = arena_strndup(mem, s, len);
		n++;
		s += len;
	}
	if (n != FIELDS) {
		*why = arena_printf(mem, "it has %zu fields, not five: minute hour day month weekday", n);
		return ERR_INVALID;
	}
	for (size_t i = 0; i < FIELDS; i++)
		if ((*why = take_field(mem, text[i], i, &bits[i])))
			return ERR_INVALID;
	*out = (struct cron){ .minute = bits[0], .hour = (uint32_t)bits[1], .mday = (uint32_t)bits[2], .month = (uint32_t)bits[3],
		              .wday = (uint32_t)bits[4], .any_mday = *text[2] == '*', .any_wday = *text[4] == '*' };
	return 0;
}

bool
when_cron_happens(const struct cron *c)
{
	if (c->any_mday || !c->any_wday)
		return true;
	for (int month = 1; month <= 12; month++)
		for (int day = 1; day <= month_days(2000, month); day++)
			if (c->month >> month & 1 && c->mday >> day & 1)
				return true;
	return false;
}

/* -- hours ------------------------------------------------------------------------------------------------------- */

static const char *
take_days(struct arena *mem, const char *text, uint32_t *out)
{
	for (const char *s = text;; s++) {
		size_t n = strcspn(s, ",-");
		int from = word_index(s, n, days, 7), to = from;

		s += n;
		if (*s == '-') {
			s++;
			n = strcspn(s, ",-");
			to = word_index(s, n, days, 7);
			s += n;
		}
		if (from < 0 || to < 0 || (*s && *s != ','))
			return arena_printf(mem, "'%.40s' are no days: write Mon-Fri, or Mon,Wed,Sat", text);
		for (int d = from; *out |= 1U << d, d != to; d = (d + 1) % 7)
			;
		if (!*s)
			return NULL;
	}
}

static const char *
take_times(struct arena *mem, const char *text, struct hours *h)
{
	const char *s = text;
	int hour[2], minute[2];

	for (int i = 0; i < 2; i++)
		if ((i && !take_char(&s, '-')) || !take_number(&s, 2, 24, &hour[i]) || !take_char(&s, ':') ||
		    !take_number(&s, 2, 59, &minute[i]))
			return arena_printf(mem, "'%.40s' is no time from and to: write 08:00-20:00", text);
	h->start = hour[0] * 60 + minute[0];
	h->end = hour[1] * 60 + minute[1];
	if (*s || h->start >= 1440 || h->end > 1440)
		return arena_printf(mem, "'%.40s' is no time from and to: write 08:00-20:00", text);
	if (h->start == h->end)
		return arena_printf(mem, "'%.40s' begins and ends at once: write 00:00-24:00 for the whole day", text);
	return NULL;
}

static int
by_bytes(const void *key, const void *item)
{
	return strcmp(key, *(const char *const *)item);
}

const char *
when_zone(const char *name, const char **near)
{
	const char *const *found = bsearch(name, zones, ZONES_COUNT, sizeof(*zones), by_bytes);

	if (near)
		*near = found ? NULL : str_nearest(name, zones, ZONES_COUNT);
	for (size_t i = 0; near && !found && i < ZONES_COUNT; i++)
		if (strcasecmp(name, zones[i]) == 0)
			*near = zones[i];
	return found ? *found : NULL;
}

const char *
when_zones_version(void)
{
#define ZONES_VERSION(v) return v;
#define ZONE(name)
#include "parse/zones.def"
#undef ZONE
#undef ZONES_VERSION
}

int
when_hours(struct arena *mem, const char *s, struct hours *out, const char **why)
{
	struct hours h = { .zone = "UTC" };
	const char *first = strchr(s, ' '), *second = first ? strchr(first + 1, ' ') : NULL, *near;
	size_t len;

	if (!first || strlen(s) > 200) {
		*why = "it has no days and times, as in Mon-Fri 08:00-20:00 Asia/Seoul";
		return ERR_INVALID;
	}
	len = second ? (size_t)(second - first - 1) : strlen(first + 1);
	if ((*why = take_days(mem, arena_strndup(mem, s, (size_t)(first - s)), &h.days)) ||
	    (*why = take_times(mem, arena_strndup(mem, first + 1, len), &h)))
		return ERR_INVALID;
	if (second && !(h.zone = when_zone(second + 1, &near))) {
		*why = near ? arena_printf(mem, "there is no time zone '%.60s', did you mean '%s'?", second + 1, near)
		            : arena_printf(mem, "there is no time zone '%.60s': take one of tzdata, such as Europe/Berlin", second + 1);
		return ERR_INVALID;
	}
	*out = h;
	return 0;
}

char *
when_text(struct arena *mem, int64_t seconds)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' } };

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (seconds >= units[i].seconds && seconds % units[i].seconds == 0)
			return arena_printf(mem, "%" PRId64 "%c", seconds / units[i].seconds, units[i].unit);
	return arena_printf(mem, "%" PRId64 "s", seconds);
}
