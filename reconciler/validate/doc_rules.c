/* SPDX-License-Identifier: Apache-2.0 */
/* Formats of one document that a pattern cannot say: addresses, public keys, amounts of money, the organization's times. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/say.h"
#include "parse/when.h"
#include "validate/doc_rules.h"
#include "validate/sshkey.h"

#define KEYS_MAX 64 /* as in the schema; a document that is over it has been refused already */

static bool
domain_valid(const char *s)
{
	for (;;) {
		size_t n = strcspn(s, ".");

		if (n == 0 || n > 63 || s[0] == '-' || s[n - 1] == '-')
			return false;
		for (size_t i = 0; i < n; i++)
			if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '-'))
				return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

/* RFC 5321 without quoted names and address literals, which nobody has and which end up in headers. */
static void
check_email(const struct value *v, struct report *r)
{
	const char *at = value_is(v, VALUE_STR) ? strchr(v->str.s, '@') : NULL;
	struct finding *f;
	size_t n;

	if (!at || strchr(at + 1, '@') || strpbrk(v->str.s, " \t\r\n"))
		return; /* the schema's to say */
	n = (size_t)(at - v->str.s);
	if (n > 0 && n <= 64 && domain_valid(at + 1) && strcspn(v->str.s, "()<>[]:;,\\\"") == v->str.len && v->str.s[0] != '.' &&
	    v->str.s[n - 1] != '.')
		return;
	f = say(r, BAD_FORMAT, v->at, "'%s' is no mail address", say_text(r->mem, v->str.s));
	f->width = v->str.len;
	finding_help(r, f, "write it as name@domain, for example alice@company.com");
}

static void
check_keys(const struct value *list, struct report *r)
{
	for (size_t i = 0; i < value_len(list) && value_is(list, VALUE_LIST) && i < KEYS_MAX; i++) {
		const struct value *v = value_item(list, i);
		const char *why, *help;
		struct finding *f;

		if (!value_is(v, VALUE_STR) || !strchr(v->str.s, ' ') || sshkey_check(r->mem, v->str.s, v->str.len, &why, &help) == 0)
			continue; /* without a space it is the schema's to say */
		f = say(r, BAD_FORMAT, v->at, "spec.sshKeys[%zu]: %s", i, why);
		f->width = v->str.len;
		finding_help(r, f, "%s", help);
	}
}

/* Amounts are kept as decimals, so that sums are exact. */
void
rules_money(struct report *r, const struct value *v, struct place at, const char *field)
{
	const char *s = v ? (value_is(v, VALUE_STR) ? v->str.s : v->text) : NULL;
	size_t whole, part = 0;
	struct finding *f;

	if (!v)
		return;
	if (value_is(v, VALUE_INT) && v->integer >= 0 && v->integer < INT64_C(1000000000000))
		return;
	if ((!s && !value_is(v, VALUE_INT)) || (s && value_is(v, VALUE_STR) && strspn(s, "0123456789.") != v->str.len))
		return; /* the schema's to say */
	whole = s ? strspn(s, "0123456789") : 0;
	if (s && s[whole] == '.')
		part = strspn(s + whole + 1, "0123456789");
	if (s && whole > 0 && whole <= 12 && part <= 6 && s[whole + (part > 0) + part] == '\0')
		return;
	f = say(r, BAD_FORMAT, at, "%s is no amount of money", field);
	finding_help(r, f, "write a plain decimal such as 400 or 0.526: up to 12 digits, and 6 behind the point");
}

static void
check_money(const struct doc *d, const struct value *spec, struct report *r)
{
	static const char *const fields[] = { "budget.monthly", "price.perHour", "price.spotPerHour", "storage.price.perGiBMonth" };

	for (size_t i = 0; d->kind != KIND_ENV && i < sizeof(fields) / sizeof(*fields); i++) {
		const struct value *v = value_at(spec, fields[i]);

		if (v)
			rules_money(r, v, v->at, fields[i]);
	}
}

/* A default over the organization's own maximum would be refused in every environment. */
static void
check_defaults(const struct value *spec, struct report *r)
{
	static const char *const fields[] = { "idleTimeout", "ttl" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		const struct value *both = value_get(value_get(spec, "lifecycle"), fields[i]);
		const struct value *v = value_get(both, "default"), *max = value_get(both, "max");
		int64_t seconds, limit;
		struct finding *f;

		if (!v || !max || when_duration(v, &seconds) < 0 || when_duration(max, &limit) < 0 || seconds <= limit)
			continue;
		f = say(r, LIMIT_EXCEEDED, v->at, "lifecycle.%s: the default is over the maximum", fields[i]);
		finding_help(r, f, "write at most %s", when_text(r->mem, limit));
		finding_note(r, f, "limit set at %s", say_place(r->mem, max));
	}
}

void
rules_document(struct doc *d, struct report *r)
{
	const struct value *spec = value_get(d->root, "spec");
	size_t errors = r->errors;

	if (d->kind == KIND_USER) {
		/* no other finding here keeps a document from being used: a weak key would be let in */
		check_keys(value_get(spec, "sshKeys"), r);
		if (r->errors != errors)
			d->ok = false;
		check_email(value_get(spec, "email"), r);
	}
	if (d->kind == KIND_ORG)
		check_defaults(spec, r);
	check_money(d, spec, r);
}
