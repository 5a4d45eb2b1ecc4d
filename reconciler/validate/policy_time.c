/* SPDX-License-Identifier: Apache-2.0 */
/* Times of an environment: schedule, hours, idle time and life against the organization's maximum, dates; and its budget. */
#include <inttypes.h>

#include "parse/when.h"
#include "validate/cost.h"
#include "validate/doc_rules.h"
#include "validate/rules.h"

static void
rule_schedule(struct rules *c)
{
	const struct value *v = rules_get(c, "backup.schedule");
	struct finding *f;
	struct cron cron;
	const char *why;

	if (!value_is(v, VALUE_STR))
		return;
	if (when_cron(c->mem, v->str.s, &cron, &why) < 0) {
		f = say(c->r, BAD_FORMAT, rules_place(c, v), "backup.schedule '%s': %s", say_text(c->mem, v->str.s), why);
		finding_help(c->r, f, "write minute hour day month weekday, for example \"0 2 * * *\" for two in the morning, or @daily");
	} else if (!when_cron_happens(&cron)) {
		f = report_add(c->r, FINDING_NEVER_HAPPENS, SEVERITY_WARNING, rules_place(c, v), "backup.schedule '%s' names days that no month has",
		               say_text(c->mem, v->str.s));
		finding_help(c->r, f, "for the end of a month take 28, which every month has");
	}
}

static void
rule_hours(struct rules *c)
{
	const struct value *v = rules_get(c, "lifecycle.hours");
	struct finding *f;
	struct hours hours;
	const char *why;

	if (!value_is(v, VALUE_STR) || when_hours(c->mem, v->str.s, &hours, &why) == 0)
		return;
	f = say(c->r, BAD_FORMAT, rules_place(c, v), "lifecycle.hours '%s': %s", say_text(c->mem, v->str.s), why);
	finding_help(c->r, f, "for example \"Mon-Fri 08:00-20:00 Asia/Seoul\"");
	finding_note(c->r, f, "time zones are those of tzdata %s", when_zones_version());
}

static void
rule_durations(struct rules *c)
{
	static const char *const fields[] = { "idleTimeout", "ttl" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		const struct value *v = value_get(rules_get(c, "lifecycle"), fields[i]);
		const struct value *max = value_get(value_get(rules_doc(c->env->org, "lifecycle"), fields[i]), "max");
		int64_t seconds, limit;
		struct finding *f;

		if (!v || v->type == VALUE_NULL)
			continue;
		if (when_duration(v, &seconds) < 0) {
			f = say(c->r, BAD_FORMAT, rules_place(c, v), "lifecycle.%s is no duration, or longer than 1000 years", fields[i]);
			finding_help(c->r, f, "write for example 30m, 8h or 30d");
			continue;
		}
		if (seconds == 0) {
			f = say(c->r, OUT_OF_RANGE, rules_place(c, v), "lifecycle.%s is 0", fields[i]);
			finding_help(c->r, f, i == 0 ? "write autoShutdown: false for none" : "leave it out for none");
		}
		if (!max || when_duration(max, &limit) < 0 || seconds <= limit)
			continue;
		f = say(c->r, LIMIT_EXCEEDED, rules_place(c, v), "lifecycle.%s is %s, the organization allows %s", fields[i],
		        when_text(c->mem, seconds), when_text(c->mem, limit));
		finding_help(c->r, f, "write at most %s", when_text(c->mem, limit));
		finding_note(c->r, f, "limit set at %s", say_place(c->mem, max));
	}
}

static void
rule_keep_until(struct rules *c)
{
	const struct value *v = rules_get(c, "lifecycle.keepUntil");
	struct finding *f;

	if (!value_is(v, VALUE_STR) || when_date_valid(v->str.s))
		return;
	f = say(c->r, BAD_FORMAT, rules_place(c, v), "lifecycle.keepUntil: there is no day '%s'", say_text(c->mem, v->str.s));
	finding_help(c->r, f, "write a date such as \"2026-12-31\", or with a time \"2026-12-31T18:00Z\"");
}

/* What is asked for against the environment's own budget; the user's and the team's are sums (totals.c). */
static void
rule_budget(struct rules *c, const struct value *monthly)
{
	struct cost cost;
	struct finding *f;

	rules_money(c->r, monthly, rules_place(c, monthly), "budget.monthly");
	if (!cost_of(c->mem, c->env, &cost))
		return;
	f = cost_check(c->r, monthly, rules_place(c, monthly), "it", c->s, cost.month);
	if (f)
		finding_note(c->r, f, "%s; price set at %s", cost_text(c->mem, &cost), say_place(c->mem, rules_doc(c->env->flavor, "price")));
}

void
rules_time(struct rules *c)
{
	const struct value *budget = rules_get(c, "budget.monthly");

	rule_schedule(c);
	rule_hours(c);
	rule_durations(c);
	rule_keep_until(c);
	if (budget)
		rule_budget(c, budget);
}
