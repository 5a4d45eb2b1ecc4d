/* SPDX-License-Identifier: Apache-2.0 */
/* One line that people write, read as each thing it may be: schedule, working hours, duration, date, zone, SSH key. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "parse/when.h"
#include "validate/sshkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
check_cron(struct arena *mem, const char *s)
{
	struct cron c;
	const char *why = NULL;

	if (when_cron(mem, s, &c, &why) < 0) {
		must(why && *why);
		return;
	}
	/* each field names something, and nothing that its clock does not have */
	must(c.minute && !(c.minute >> 60) && c.hour && !(c.hour >> 24) && c.wday && !(c.wday >> 7));
	must(c.mday && !(c.mday & 1) && c.month && !(c.month & 1) && !(c.month >> 13));
	must(when_cron_happens(&c) || !c.any_mday);
}

static void
check_hours(struct arena *mem, const char *s)
{
	struct hours h;
	const char *why = NULL;

	if (when_hours(mem, s, &h, &why) < 0) {
		must(why && *why);
		return;
	}
	must(h.days && !(h.days >> 7) && h.start >= 0 && h.start < 1440 && h.end >= 0 && h.end <= 1440);
	must(h.zone && when_zone(h.zone, NULL) == h.zone);
}

/* What is written as text reads back the same. */
static void
check_duration(struct arena *mem, const char *s)
{
	int64_t seconds, again;

	if (when_duration(value_str(mem, s), &seconds) < 0)
		return;
	must(seconds >= 0);
	must(when_duration(value_str(mem, when_text(mem, seconds)), &again) == 0 && again == seconds);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *mem = arena_new((size_t)8 << 20);
	const char *s = arena_strndup(mem, (const char *)data, size), *why = NULL, *help = NULL;

	if (size <= 8192) {
		check_cron(mem, s);
		check_hours(mem, s);
		check_duration(mem, s);
		(void)when_date_valid(s);
		(void)when_zone(s, size < 16 ? &why : NULL); /* the nearest of 600 names costs more than all the rest */
		why = NULL;
		if (sshkey_check(mem, s, size, &why, &help) < 0)
			must(why && help);
	}
	arena_free(mem);
	return 0;
}
