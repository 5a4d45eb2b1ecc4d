/* SPDX-License-Identifier: Apache-2.0 */
/* Types of plain scalars. */
#include "lib/doc/yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char digits[] = "0123456789";

static bool
one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(s, *words) == 0)
			return true;
	return false;
}

static bool
is_real(const char *s)
{
	size_t whole, part = 0;

	s += *s == '+' || *s == '-';
	whole = strspn(s, digits);
	s += whole;
	if (*s == '.') {
		part = strspn(++s, digits);
		s += part;
	}
	if (!whole && !part)
		return false;
	if (*s == 'e' || *s == 'E') {
		size_t n;

		s++;
		s += *s == '+' || *s == '-';
		n = strspn(s, digits);
		if (!n)
			return false;
		s += n;
	}
	return !*s;
}

static struct scalar
resolve_int(const char *s, int base)
{
	struct scalar r = { .kind = SCALAR_INT };
	long long i;

	errno = 0;
	i = strtoll(s, NULL, base);
	if (errno)
		r.kind = SCALAR_INT_RANGE;
	else
		r.integer = i;
	return r;
}

static struct scalar
resolve_number(const char *s)
{
	static const char *const not_finite[] = { ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
		".nan", ".NaN", ".NAN", NULL };
	struct scalar r = { .kind = SCALAR_STR };
	const char *body = s + (*s == '+' || *s == '-');
	size_t n = strlen(body);

	if (n && strspn(body, digits) == n)
		return resolve_int(s, 10);
	if (strncmp(s, "0o", 2) == 0 && s[2] && strspn(s + 2, "01234567") == strlen(s + 2))
		return resolve_int(s + 2, 8);
	if (strncmp(s, "0x", 2) == 0 && s[2] && strspn(s + 2, "0123456789abcdefABCDEF") == strlen(s + 2))
		return resolve_int(s + 2, 16);
	if (one_of(s, not_finite)) {
		r.kind = SCALAR_REAL_RANGE;
	} else if (is_real(s)) {
		r.real = strtod(s, NULL);
		r.kind = isfinite(r.real) ? SCALAR_REAL : SCALAR_REAL_RANGE;
	}
	return r;
}

struct scalar
scalar_resolve(const char *s, size_t n)
{
	static const char *const nulls[] = { "~", "null", "Null", "NULL", NULL };
	static const char *const yes[] = { "true", "True", "TRUE", NULL };
	static const char *const no[] = { "false", "False", "FALSE", NULL };
	struct scalar r = { .kind = SCALAR_STR };

	if (!n) {
		r.kind = SCALAR_NULL;
		return r;
	}
	if (strchr("0123456789+-.", *s))
		return resolve_number(s);
	if (n > 5 || !strchr("~nNtTfF", *s))
		return r;
	if (one_of(s, nulls)) {
		r.kind = SCALAR_NULL;
	} else if (one_of(s, yes) || one_of(s, no)) {
		r.kind = SCALAR_BOOL;
		r.boolean = *s == 't' || *s == 'T';
	}
	return r;
}

/* yyyy-m-d, alone or with what may be a time: readers differ on what they take. */
static bool
is_date(const char *s)
{
	size_t month, day;

	if (strspn(s, digits) != 4 || s[4] != '-')
		return false;
	s += 5;
	month = strspn(s, digits);
	if (month < 1 || month > 2 || s[month] != '-')
		return false;
	s += month + 1;
	day = strspn(s, digits);
	if (day < 1 || day > 2)
		return false;
	s += day;
	if (!*s)
		return true;
	if (!strchr("Tt \t", *s++))
		return false;
	s += strspn(s, " \t");
	return *s >= '0' && *s <= '9' && strspn(s, "0123456789:.+-Zz \t") == strlen(s);
}

/* 12:30, 190:20:30, 1:30.5 */
static bool
is_base_sixty(const char *s)
{
	size_t n;
	int parts = 0;

	s += *s == '+' || *s == '-';
	n = strspn(s, "0123456789_");
	if (!n || *s == '_')
		return false;
	for (s += n; *s == ':'; s += n, parts++) {
		n = strspn(++s, digits);
		if (n < 1 || n > 2 || (n == 2 && *s > '5'))
			return false;
	}
	if (parts && *s == '.')
		s += 1 + strspn(s + 1, "0123456789_");
	return parts && !*s;
}

/* 1_000, 0b101, 0XFF, 0O17 and their likes, which one reader or another takes for a number. */
static bool
is_other_number(const char *s)
{
	bool under = strchr(s, '_') != NULL;

	s += *s == '+' || *s == '-';
	if (*s == '0' && s[1] && strchr("bBxXoO", s[1]))
		return s[2] && strspn(s + 2, "0123456789abcdefABCDEF_") == strlen(s + 2);
	return under && strspn(s, "0123456789") && strspn(s, "0123456789_.eE+-") == strlen(s);
}

const char *
scalar_doubt(const char *s, size_t n)
{
	static const char *const bools[] = { "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off",
		"Off", "OFF", NULL };

	if (!n)
		return NULL;
	if (n <= 3 && strchr("yYnNoO", *s))
		return one_of(s, bools) ? "a boolean" : NULL;
	if (strcmp(s, "=") == 0 || strcmp(s, "<<") == 0)
		return "a special key";
	if (!strchr("0123456789+-", *s))
		return NULL;
	if (is_date(s))
		return "a date";
	if (is_base_sixty(s))
		return "a number in base 60";
	if (scalar_resolve(s, n).kind == SCALAR_STR)
		return is_other_number(s) ? "a number" : NULL;
	s += *s == '+' || *s == '-';
	if (*s == '0' && s[1] && strspn(s, "01234567") == strlen(s))
		return "an octal number";
	return NULL;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool
scalar_is_plain_word(const char *s, size_t n)
{
	static const char *const words[] = { "y", "n", "yes", "no", "on", "off", "true", "false", "null", NULL };

	if (!n)
		return false;
	if (*s >= '0' && *s <= '9') {
		/* numbers and dates of any reader are written with these alone; 100Gi, 8h and 2nd have other letters */
		for (size_t i = 0; i < n; i++)
			if (is_letter(s[i]) && !strchr("abcdefotxzABCDEFOTXZ", s[i]))
				return true;
		return false;
	}
	if (n <= 5 && strchr("yntfoYNTFO", *s))
		for (const char *const *w = words; *w; w++)
			if (strlen(*w) == n && strncasecmp(s, *w, n) == 0)
				return false;
	/* command line flags: -x, --name */
	if (*s == '-')
		return n > 1 && is_letter(s[1 + (s[1] == '-')]);
	return is_letter(*s) || strchr("/_$(^", *s);
}
