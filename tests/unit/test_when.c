/* SPDX-License-Identifier: Apache-2.0 */
/* Durations, dates, schedules, hours and zone names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "parse/when.h"

static struct arena *mem;

static void
durations(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
		const char *back;
	} rows[] = {
		{ "90", 90, "90s" }, { "500ms", 1, "1s" }, { "0", 0, "0s" }, { "1s", 1, "1s" }, { "90m", 5400, "90m" },
		{ "8h", 28800, "8h" }, { "30d", 2592000, "30d" }, { "48h", 172800, "2d" }, { "366000d", INT64_C(31622400000), "366000d" },
		{ "366001d", -1, NULL }, { "99999999999999999999", -1, NULL }, { "", -1, NULL }, { "8 h", -1, NULL }, { "8w", -1, NULL },
		{ "-1", -1, NULL }, { "h", -1, NULL },
	};
	int64_t got;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		got = -1;
		if ((when_duration(value_str(mem, rows[i].text), &got) == 0) != (rows[i].want >= 0) || got != rows[i].want)
			fail_msg("%s: %lld", rows[i].text, (long long)got);
		if (rows[i].back)
			assert_string_equal(when_text(mem, got), rows[i].back);
	}
	assert_int_equal(when_duration(value_int(mem, 3600), &got), 0);
	assert_int_equal(got, 3600);
	assert_true(when_duration(value_int(mem, -1), &got) < 0);
	assert_true(when_duration(value_bool(mem, true), &got) < 0);
	assert_true(when_duration(NULL, &got) < 0);
}

static void
dates(void **state)
{
	static const char *const good[] = { "2026-12-31", "2024-02-29", "2000-02-29", "2026-01-01T00:00Z", "2026-01-01T23:59:59Z",
		                            "2026-01-01T08:00+09:00", "2026-01-01T08:00:00-03:30" };
	static const char *const bad[] = { "2026-02-29", "2100-02-29", "2026-13-01", "2026-00-01", "2026-04-31", "2026-01-00",
		                           "2026-1-1", "2026-01-01T", "2026-01-01T24:00Z", "2026-01-01T08:60Z", "2026-01-01T08:00",
		                           "2026-01-01T08:00Zx", "2026-01-01T08:00+15:00", "2026-01-01x", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!when_date_valid(good[i]))
			fail_msg("%s is refused", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (when_date_valid(bad[i]))
			fail_msg("%s is taken", bad[i]);
}

static void
schedules(void **state)
{
	static const struct {
		const char *text;
		uint64_t minute;
		uint32_t hour, mday, month, wday;
		bool happens;
	} good[] = {
		{ "0 2 * * *", 1, 1 << 2, 0xfffffffe, 0x1ffe, 0x7f, true },
		{ "@daily", 1, 1, 0xfffffffe, 0x1ffe, 0x7f, true },
		{ "@weekly", 1, 1, 0xfffffffe, 0x1ffe, 1, true },
		{ "@yearly", 1, 1, 1 << 1, 1 << 1, 0x7f, true },
		{ "*/20 8-18/5 1,15 jan-MAR,12 Mon-Fri", 1 | 1 << 20 | UINT64_C(1) << 40, 1 << 8 | 1 << 13 | 1 << 18, 1 << 1 | 1 << 15,
		  0x100e, 0x3e, true },
		{ "50/5 0 * * 5-7", UINT64_C(1) << 50 | UINT64_C(1) << 55, 1, 0xfffffffe, 0x1ffe, 0x61, true },
		{ "0 0 * * 7", 1, 1, 0xfffffffe, 0x1ffe, 1, true },
		{ "0 0 30 2 *", 1, 1, 1 << 30, 1 << 2, 0x7f, false },
		{ "0 0 31 4,6,9,11 *", 1, 1, 1U << 31, 0xa50, 0x7f, false },
		{ "0 0 29 2 *", 1, 1, 1 << 29, 1 << 2, 0x7f, true },
		{ "0 0 30 2 MON", 1, 1, 1 << 30, 1 << 2, 2, true },
	};
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "0 25 * * *", "hour '25' is not within 0 to 23" },
		{ "60 * * * *", "minute '60' is not within 0 to 59" },
		{ "* * 0 * *", "day of the month '0' is not within 1 to 31" },
		{ "* * * 13 *", "month '13' is not within 1 to 12" },
		{ "* * * * 8", "weekday '8' is not within 0 to 6" },
		{ "* * * * FRY", "weekday 'FRY' is not within 0 to 6" },
		{ "5-1 * * * *", "minute '5-1' runs backwards" },
		{ "*/0 * * * *", "minute '*/0' has no step that fits" },
		{ "*/99 * * * *", "minute '*/99' has no step that fits" },
		{ "*/ * * * *", "minute '*/' has no step that fits" },
		{ "1, * * * *", "minute '' is not within 0 to 59" },
		{ "**/2 * * * *", "minute '**/2' is no number, range or step" },
		{ "1-2-3 * * * *", "minute '1-2-3' is no number, range or step" },
		{ "0 2 * *", "it has 4 fields, not five: minute hour day month weekday" },
		{ "0 2 * * * *", "it has 6 fields, not five: minute hour day month weekday" },
		{ "", "it has 0 fields, not five: minute hour day month weekday" },
		{ "@reboot", "of the short forms there are @yearly, @monthly, @weekly, @daily and @hourly" },
	};
	struct cron c;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		if (when_cron(mem, good[i].text, &c, &why) < 0)
			fail_msg("%s: %s", good[i].text, why);
		if (c.minute != (good[i].minute) && strncmp(good[i].text, "*", 1) != 0)
			fail_msg("%s: minute %llx", good[i].text, (unsigned long long)c.minute);
		if (c.minute != good[i].minute || c.hour != good[i].hour || c.mday != good[i].mday || c.month != good[i].month ||
		    c.wday != good[i].wday || when_cron_happens(&c) != good[i].happens)
			fail_msg("%s: %llx %x %x %x %x %d", good[i].text, (unsigned long long)c.minute, c.hour, c.mday, c.month, c.wday,
			         when_cron_happens(&c));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_true(when_cron(mem, bad[i].text, &c, &why) < 0);
		assert_string_equal(why, bad[i].why);
	}
}

static void
hours(void **state)
{
	static const struct {
		const char *text;
		uint32_t days;
		int start, end;
		const char *zone;
	} good[] = {
		{ "Mon-Fri 08:00-20:00 Asia/Seoul", 0x3e, 480, 1200, "Asia/Seoul" },
		{ "Sat,Sun 00:00-24:00", 0x41, 0, 1440, "UTC" },
		{ "Fri-Mon 22:00-06:00 America/Argentina/Buenos_Aires", 0x63, 1320, 360, "America/Argentina/Buenos_Aires" },
		{ "Wed 08:30-09:00 US/Pacific", 8, 510, 540, "US/Pacific" },
	};
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "always", "it has no days and times, as in Mon-Fri 08:00-20:00 Asia/Seoul" },
		{ "Mon-Fri-Sun 08:00-20:00", "'Mon-Fri-Sun' are no days: write Mon-Fri, or Mon,Wed,Sat" },
		{ "Mon, 08:00-20:00", "'Mon,' are no days: write Mon-Fri, or Mon,Wed,Sat" },
		{ "Monday 08:00-20:00", "'Monday' are no days: write Mon-Fri, or Mon,Wed,Sat" },
		{ "Mon 8:00-20:00", "'8:00-20:00' is no time from and to: write 08:00-20:00" },
		{ "Mon 08:00-25:00", "'08:00-25:00' is no time from and to: write 08:00-20:00" },
		{ "Mon 08:00-24:01", "'08:00-24:01' is no time from and to: write 08:00-20:00" },
		{ "Mon 24:00-08:00", "'24:00-08:00' is no time from and to: write 08:00-20:00" },
		{ "Mon 08:00-20:00x", "'08:00-20:00x' is no time from and to: write 08:00-20:00" },
		{ "Mon 08:00-08:00", "'08:00-08:00' begins and ends at once: write 00:00-24:00 for the whole day" },
		{ "Mon 08:00-20:00 Asia/Soul", "there is no time zone 'Asia/Soul', did you mean 'Asia/Seoul'?" },
		{ "Mon 08:00-20:00 asia/seoul", "there is no time zone 'asia/seoul', did you mean 'Asia/Seoul'?" },
		{ "Mon 08:00-20:00 Mars/Olympus_Mons", "there is no time zone 'Mars/Olympus_Mons': take one of tzdata, such as Europe/Berlin" },
	};
	struct hours h;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		if (when_hours(mem, good[i].text, &h, &why) < 0)
			fail_msg("%s: %s", good[i].text, why);
		assert_int_equal(h.days, good[i].days);
		assert_int_equal(h.start, good[i].start);
		assert_int_equal(h.end, good[i].end);
		assert_string_equal(h.zone, good[i].zone);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_true(when_hours(mem, bad[i].text, &h, &why) < 0);
		assert_string_equal(why, bad[i].why);
	}
}

/* bsearch needs them in order; and the oldest and the plainest are there. */
static void
zone_names(void **state)
{
	static const char *const names[] = {
#define ZONES_VERSION(v)
#define ZONE(name) name,
#include "parse/zones.def"
	};
	static const char *const known[] = { "UTC", "Etc/UTC", "GMT", "EST5EDT", "Europe/Berlin", "Asia/Calcutta", "Asia/Kolkata",
		                             "America/Indiana/Indianapolis", "Africa/Abidjan", "Zulu" };
	size_t n = sizeof(names) / sizeof(*names);

	(void)state;
	assert_true(n > 500);
	for (size_t i = 0; i < n; i++) {
		if (i)
			assert_true(strcmp(names[i - 1], names[i]) < 0);
		assert_string_equal(when_zone(names[i], NULL), names[i]);
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!when_zone(known[i], NULL))
			fail_msg("there is no %s", known[i]);
	assert_null(when_zone("Asia", NULL));
	assert_true(strlen(when_zones_version()) >= 5);
}

static int
make_arena(void **state)
{
	(void)state;
	mem = arena_new((size_t)16 << 20);
	return 0;
}

static int
free_arena(void **state)
{
	(void)state;
	arena_free(mem);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations), cmocka_unit_test(dates), cmocka_unit_test(schedules),
		cmocka_unit_test(hours), cmocka_unit_test(zone_names),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_arena, free_arena);
}
