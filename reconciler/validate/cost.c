/* SPDX-License-Identifier: Apache-2.0 */
/* Price times pods times hours, in exact integers. */
#include "validate/cost.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/when.h"
#include "validate/rules.h"

__extension__ typedef __int128 wide;

#define WEEK_MINUTES (INT64_C(7) * 24 * 60)
#define WHOLE_DIGITS 12
#define PART_DIGITS 6

bool
money_read(const struct value *v, int64_t *amount)
{
	const char *s = value_is(v, VALUE_STR) ? v->str.s : v ? v->text : NULL;
	size_t whole, part = 0;
	int64_t n = 0;

	if (value_is(v, VALUE_INT)) {
		if (v->integer < 0 || v->integer >= INT64_C(1000000000000))
			return false;
		*amount = v->integer * MONEY_UNIT;
		return true;
	}
	if (!s)
		return false;
	whole = strspn(s, "0123456789");
	if (s[whole] == '.')
		part = strspn(s + whole + 1, "0123456789");
	if (whole == 0 || whole > WHOLE_DIGITS || part > PART_DIGITS || s[whole + (part > 0) + part])
		return false;
	for (size_t i = 0; i < whole; i++)
		n = n * 10 + (s[i] - '0');
	for (size_t i = 0; i < PART_DIGITS; i++)
		n = n * 10 + (i < part ? s[whole + 1 + i] - '0' : 0);
	*amount = n;
	return true;
}

const char *
money_text(struct arena *mem, int64_t amount)
{
	int64_t cents = amount / 10000 + (amount % 10000 >= 5000), units = amount / MONEY_UNIT + (amount % MONEY_UNIT >= 500000);

	if (cents >= 10000)
		return arena_printf(mem, "%" PRId64, units);
	if (cents % 100 == 0)
		return arena_printf(mem, "%" PRId64, cents / 100);
	return arena_printf(mem, "%" PRId64 ".%02" PRId64, cents / 100, cents % 100);
}

static int64_t
minutes_of_week(struct arena *mem, const struct value *v)
{
	struct hours h;
	const char *why;
	int64_t day, n = 0;

	if (!value_is(v, VALUE_STR) || when_hours(mem, v->str.s, &h, &why) < 0)
		return WEEK_MINUTES;
	for (uint32_t days = h.days; days; days &= days - 1)
		n++;
	day = h.end > h.start ? h.end - h.start : h.end + 24 * 60 - h.start;
	return n * day < WEEK_MINUTES ? n * day : WEEK_MINUTES;
}

bool
cost_of(struct arena *mem, const struct env *env, struct cost *out)
{
	const struct value *price = rules_doc(env->flavor, "price"), *spot = value_get(price, "spotPerHour");
	struct cost c = { .pods = env->replicas, .hours = value_at(env->spec, "lifecycle.hours") };
	wide month;

	if (!spot || !str_eq(value_as_str(value_at(env->spec, "scheduling.spot"), NULL), "only"))
		spot = value_get(price, "perHour");
	if (!money_read(spot, &c.hour))
		return false;
	if (!value_is(c.hours, VALUE_STR))
		c.hours = NULL;
	/* 365 days are 365/7 weeks, a month is a twelfth of them */
	month = (wide)c.hour * c.pods * minutes_of_week(mem, c.hours) * 365 / (60 * 7 * 12);
	c.month = month > INT64_MAX ? INT64_MAX : (int64_t)month;
	*out = c;
	return true;
}

/* A price as exact as it was written. */
static const char *
price_text(struct arena *mem, int64_t amount)
{
	char *s = arena_printf(mem, "%" PRId64 ".%06" PRId64, amount / MONEY_UNIT, amount % MONEY_UNIT);
	size_t n = strlen(s);

	while (s[n - 1] == '0')
		s[--n] = '\0';
	if (s[n - 1] == '.')
		s[n - 1] = '\0';
	return s;
}

const char *
cost_text(struct arena *mem, const struct cost *c)
{
	return arena_printf(mem, "%" PRId64 " pod%s at %s an hour, %s", c->pods, c->pods == 1 ? "" : "s", price_text(mem, c->hour),
	                    c->hours ? say_text(mem, c->hours->str.s) : "24x7");
}

struct finding *
cost_check(struct report *r, const struct value *monthly, struct place at, const char *who, const struct site *s, int64_t month)
{
	const char *currency = value_as_str(rules_doc(s->org, "currency"), "USD");
	int64_t max;
	struct finding *f;

	if (!money_read(monthly, &max) || month <= max)
		return NULL;
	f = report_add(r, FINDING_OVER_BUDGET, SEVERITY_WARNING, at, "%s would cost up to %s %s a month, the budget is %s", who,
	               money_text(r->mem, month), say_text(r->mem, currency), money_text(r->mem, max));
	finding_help(r, f, "set lifecycle.hours, pause or shrink it, or ask an administrator for a larger budget");
	return f;
}
