/* SPDX-License-Identifier: Apache-2.0 */
/* Health: the table of reasons, messages, and what holds for every kind. */
#include "apply/health_priv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/redact.h"
#include "lib/base/str.h"

#define RAW_MAX 2048 /* bytes of a cause before it is cleaned */
#define ELLIPSIS "…"

#define HEALTH_ROW(name, help) { #name, help },
static const struct {
	const char *name, *help;
} reasons[WHY_COUNT] = { HEALTH_REASONS(HEALTH_ROW) };

const char *
health_name(enum health h)
{
	static const char *const names[] = { "Unknown", "Ready", "Paused", "Progressing", "Queued", "Degraded",
	                                     "Failed" };

	return names[h];
}

const char *
health_reason_name(size_t i)
{
	return i < WHY_COUNT ? reasons[i].name : NULL;
}

const char *
health_reason_help(const char *reason)
{
	for (size_t i = 0; i < WHY_COUNT; i++)
		if (strcmp(reasons[i].name, reason) == 0)
			return reasons[i].help;
	return NULL;
}

const struct health_view *
health_worse(const struct health_view *a, const struct health_view *b)
{
	static const int rank[] = {
		[HEALTH_READY] = 0, [HEALTH_PAUSED] = 1, [HEALTH_UNKNOWN] = 2, [HEALTH_PROGRESSING] = 3,
		[HEALTH_QUEUED] = 4, [HEALTH_DEGRADED] = 5, [HEALTH_FAILED] = 6,
	};

	return rank[b->health] > rank[a->health] ? b : a;
}

/* Bytes of the character at s, 0 when it is not valid UTF-8. */
static size_t
char_len(const char *s)
{
	for (size_t n = 1; n <= 4 && (n == 1 || s[n - 1]); n++)
		if (str_utf8_valid(s, n))
			return n;
	return 0;
}

/* Characters that move the cursor or turn the line around: C0, DEL, C1, line separators, bidirectional marks. */
static bool
is_control(const char *s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s;

	if (n == 1)
		return u[0] < 0x20 || u[0] == 0x7f;
	if (n == 2)
		return u[0] == 0xc2 && u[1] < 0xa0;
	if (n != 3 || u[0] != 0xe2)
		return false;
	return (u[1] == 0x80 && ((u[2] >= 0x8e && u[2] <= 0x8f) || (u[2] >= 0xa8 && u[2] <= 0xae))) ||
	       (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9);
}

static bool
ends_url(char c)
{
	return !c || strchr(" \t\r\n\"'<>`", c);
}

/* The query of a URL may be a signature: it is left out. */
static const char *
skip_query(const char *s)
{
	if (*s == '?')
		while (!ends_url(*s))
			s++;
	return s;
}

/* One clean line of at most `max` bytes, cut at a character. */
static void
put_clean(const char *raw, size_t max, char *out)
{
	size_t n = 0, keep = 0;
	bool url = false;

	for (const char *s = raw; *s;) {
		const char *next = url ? skip_query(s) : s;
		size_t len = char_len(s);
		bool bad = len == 0 || is_control(s, len);

		if (next != s) {
			s = next;
			continue;
		}
		if (n <= max - strlen(ELLIPSIS))
			keep = n;
		if (n + (bad ? 1 : len) > max) {
			(void)memcpy(out + keep, ELLIPSIS, sizeof(ELLIPSIS));
			return;
		}
		if (bad && n && out[n - 1] == ' ')
			n--; /* of several, one is enough */
		if (bad)
			out[n++] = len ? ' ' : '?';
		else
			memcpy(out + n, s, len);
		n += bad ? 0 : len;
		s += len ? len : 1;
		url = (url && !ends_url(*s)) || (s - raw >= 3 && strncmp(s - 3, "://", 3) == 0);
	}
	while (n && strchr(" .:", out[n - 1]))
		n--;
	out[n] = '\0';
}

void
health_say(struct health_look *l, enum health h, enum why why, const char *next, const char *fmt, ...)
{
	char raw[RAW_MAX], clean[HEALTH_MESSAGE_MAX + 1];
	size_t behind = next ? strlen(next) + 2 : 0;
	AUTO_BUF struct buf safe = BUF_INIT((size_t)RAW_MAX * 2);
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0)
		raw[0] = '\0';
	va_end(ap);
	redact(raw, strlen(raw), &safe);
	put_clean(buf_cstr(&safe), HEALTH_MESSAGE_MAX - behind, clean);
	*l->out = (struct health_view){
		.health = h,
		.reason = reasons[why].name,
		.message = next ? arena_printf(l->mem, "%s; %s", clean, next) : arena_strdup(l->mem, clean),
	};
}

void
health_ready(struct health_look *l, enum why why)
{
	*l->out = (struct health_view){ .health = HEALTH_READY, .reason = reasons[why].name };
}

const struct value *
health_condition(const struct value *list, const char *type)
{
	for (size_t i = 0; i < value_len(list); i++)
		if (strcmp(value_as_str(value_get(value_item(list, i), "type"), ""), type) == 0)
			return value_item(list, i);
	return NULL;
}

bool
health_is(const struct value *condition, const char *status)
{
	return strcmp(value_as_str(value_get(condition, "status"), ""), status) == 0;
}

const char *
health_text(const struct value *condition)
{
	const char *text = value_as_str(value_get(condition, "message"), "");

	return *text ? text : value_as_str(value_get(condition, "reason"), "");
}

const char *
health_str(const struct value *v, const char *dotted)
{
	return value_as_str(value_at(v, dotted), "");
}

int64_t
health_int(const struct value *v, const char *dotted, int64_t fallback)
{
	int64_t n = value_as_int(value_at(v, dotted), fallback);

	return n < 0 ? fallback : n;
}

/* Two or four digits at s; -1 when they are none. */
static int64_t
digits(const char *s, size_t n)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		v = v * 10 + (s[i] - '0');
	}
	return v;
}

int64_t
health_age(const struct health_look *l, const char *time)
{
	int64_t y, m, d, seconds;

	if (strlen(time) < 20 || time[4] != '-' || time[7] != '-' || time[10] != 'T' || time[13] != ':' ||
	    time[16] != ':')
		return 0;
	y = digits(time, 4);
	m = digits(time + 5, 2);
	d = digits(time + 8, 2);
	if (y < 1970 || m < 1 || m > 12 || d < 1 || digits(time + 11, 2) < 0 || digits(time + 14, 2) < 0 ||
	    digits(time + 17, 2) < 0)
		return 0;
	/* years that begin in March, so that the leap day is the last */
	y -= m <= 2;
	m = (m + 9) % 12;
	d += 365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 - 719469;
	seconds = d * 86400 + digits(time + 11, 2) * 3600 + digits(time + 14, 2) * 60 + digits(time + 17, 2);
	return l->now > seconds ? l->now - seconds : 0;
}

const char *
health_age_text(const struct health_look *l, int64_t seconds)
{
	if (seconds < 120)
		return arena_printf(l->mem, "%" PRId64 " s", seconds);
	if (seconds < 7200)
		return arena_printf(l->mem, "%" PRId64 " min", seconds / 60);
	return arena_printf(l->mem, "%" PRId64 " h", seconds / 3600);
}

/* True when the controller has not seen the newest spec yet. */
static bool
is_behind(const struct health_look *l)
{
	int64_t generation = health_int(l->object, "metadata.generation", 0);

	return health_int(l->status, "observedGeneration", generation) < generation;
}

/* https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus: Stalled, Reconciling, Ready. */
static void
look_generic(struct health_look *l)
{
	const struct value *list = value_get(l->status, "conditions"), *ready = health_condition(list, "Ready"), *c;

	if ((c = health_condition(list, "Stalled")) && health_is(c, "True")) {
		health_say(l, HEALTH_FAILED, WHY_Stalled, NULL, "%s", health_text(c));
		return;
	}
	if ((c = health_condition(list, "Reconciling")) && health_is(c, "True")) {
		health_say(l, HEALTH_PROGRESSING, WHY_Updating, NULL, "%s", health_text(c));
		return;
	}
	if (ready && !health_is(ready, "True")) {
		health_say(l, HEALTH_PROGRESSING, WHY_NotReady, NULL, "%s", health_text(ready));
		return;
	}
	health_ready(l, WHY_Ready);
}

static void
look_deleted(struct health_look *l, const char *kind)
{
	const struct value *list = value_get(l->status, "conditions"), *c;
	const struct value *finalizer = value_item(value_at(l->object, "metadata.finalizers"), 0);
	int64_t age = health_age(l, health_str(l->object, "metadata.deletionTimestamp"));

	c = health_condition(list, "NamespaceFinalizersRemaining");
	if (!health_is(c, "True"))
		c = health_condition(list, "NamespaceContentRemaining");
	if (health_is(c, "True"))
		health_say(l, HEALTH_PROGRESSING, WHY_Terminating, NULL, "is being deleted: %s", health_text(c));
	else if (finalizer && age > 60 && strcmp(kind, "Pod") != 0)
		health_say(l, HEALTH_PROGRESSING, WHY_Terminating, "the controller that set it must take it off",
		           "is being deleted for %s and waits for finalizer %s", health_age_text(l, age),
		           value_as_str(finalizer, "?"));
	else
		health_say(l, HEALTH_PROGRESSING, WHY_Terminating, NULL, "is being deleted");
}

void
health_of_object(struct arena *mem, const struct value *object, int64_t now, struct health_view *out)
{
	struct health_look l = {
		.mem = mem, .object = object, .spec = value_get(object, "spec"), .status = value_get(object, "status"),
		    .now = now, .out = out,
	};
	const char *kind = health_str(object, "kind");

	if (!value_is(object, VALUE_MAP) || !*kind)
		health_say(&l, HEALTH_UNKNOWN, WHY_Unknown, NULL, "the object has no kind");
	else if (*health_str(object, "metadata.deletionTimestamp"))
		look_deleted(&l, kind);
	else if (strcmp(kind, "Pod") == 0)
		health_of_pod(&l);
	else if (is_behind(&l))
		health_say(&l, HEALTH_PROGRESSING, WHY_Updating, NULL,
		           "the %s controller has not seen the newest change yet", kind);
	else if (!health_workload_kind(&l, kind) && !health_other_kind(&l, kind))
		look_generic(&l);
}
