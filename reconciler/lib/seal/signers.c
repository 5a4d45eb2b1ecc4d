/* SPDX-License-Identifier: Apache-2.0 */
/* allowed_signers: reading lines, and asking them. */
#include "lib/seal/signers.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "lib/base/str.h"

#define PATTERNS_MAX 1024

/* -- patterns (ssh_config(5)) ----------------------------------------------------------------------------------------------- */

/* `*` any run, `?` one character. Two positions are remembered, so that the time is bounded by the product of the lengths. */
static bool
match(const char *p, size_t n, const char *s)
{
	const char *end = p + n, *star = NULL, *from = NULL;

	while (*s) {
		if (p < end && *p == '*') {
			star = ++p;
			from = s;
		} else if (p < end && (*p == '?' || *p == *s)) {
			p++;
			s++;
		} else if (star) {
			p = star;
			s = ++from;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

bool
pattern_list_match(const char *patterns, const char *text)
{
	bool found = false;

	for (const char *p = patterns; *p;) {
		size_t n = strcspn(p, ",");
		bool no = *p == '!';

		if (match(p + no, n - no, text)) {
			if (no)
				return false;
			found = true;
		}
		p += n + (p[n] == ',');
	}
	return found;
}

/* -- times -------------------------------------------------------------------------------------------------------------------- */

static bool
digits(const char *s, size_t n, int *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*out = *out * 10 + (s[i] - '0');
	}
	return true;
}

/* YYYYMMDDZ, YYYYMMDDHHMMZ, YYYYMMDDHHMMSSZ. */
static const char *
read_time(const char *s, int64_t *out)
{
	size_t n = strlen(s);
	struct tm tm = { 0 }, back;
	int year, month, day, hour = 0, minute = 0, second = 0;
	time_t t;

	if (n == 0 || s[n - 1] != 'Z')
		return "a time must end in Z (UTC): YYYYMMDDZ or YYYYMMDDHHMM[SS]Z";
	n--;
	if ((n != 8 && n != 12 && n != 14) || !digits(s, 4, &year) || !digits(s + 4, 2, &month) || !digits(s + 6, 2, &day) ||
	    (n > 8 && (!digits(s + 8, 2, &hour) || !digits(s + 10, 2, &minute))) || (n > 12 && !digits(s + 12, 2, &second)))
		return "a time is YYYYMMDDZ or YYYYMMDDHHMM[SS]Z";
	tm = (struct tm){ .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute, .tm_sec = second };
	back = tm;
	t = timegm(&tm);
	if (t == (time_t)-1 || tm.tm_mon != back.tm_mon || tm.tm_mday != back.tm_mday || tm.tm_hour != back.tm_hour ||
	    tm.tm_min != back.tm_min || tm.tm_sec != back.tm_sec)
		return "there is no such date";
	if (t <= 0)
		return "a time must lie behind 1970";
	*out = t;
	return NULL;
}

/* -- lines -------------------------------------------------------------------------------------------------------------------- */

static void
skip_blanks(char **at)
{
	*at += strspn(*at, " \t");
}

/* The principals, perhaps in quotes; cut off in place. */
static const char *
take_principals(char **at)
{
	char *s = *at, *end;

	if (*s == '"') {
		end = strchr(++s, '"');
		if (!end || (end[1] != ' ' && end[1] != '\t'))
			return NULL;
	} else {
		end = s + strcspn(s, " \t");
		if (memchr(s, '"', (size_t)(end - s)) || !*end)
			return NULL;
	}
	*end = '\0';
	*at = end + 1;
	skip_blanks(at);
	return *s ? s : NULL;
}

/* The value of NAME="…" behind the '='. Cut off in place. */
static char *
take_quoted(char **at)
{
	char *s = *at, *end = *s == '"' ? strchr(s + 1, '"') : NULL;

	if (!end)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return s + 1;
}

static const char *
set_time(char *value, bool *has, int64_t *out)
{
	if (!value)
		return "the time must stand in quotes";
	if (*has)
		return "an option stands there twice";
	*has = true;
	return read_time(value, out);
}

/* One option at *at. NULL, or what is wrong. */
static const char *
take_option(char **at, struct signer *s)
{
	size_t n = strcspn(*at, "=, \t");
	char *name = *at;
	bool valued = name[n] == '=';

	*at += n + valued;
	if (n == 14 && strncasecmp(name, "cert-authority", n) == 0 && !valued) {
		if (s->authority)
			return "an option stands there twice";
		s->authority = true;
		return NULL;
	}
	if (n == 10 && strncasecmp(name, "namespaces", n) == 0 && valued) {
		if (s->namespaces)
			return "an option stands there twice";
		s->namespaces = take_quoted(at);
		return s->namespaces && *s->namespaces ? NULL : "namespaces must name some, in quotes";
	}
	if (n == 11 && strncasecmp(name, "valid-after", n) == 0 && valued)
		return set_time(take_quoted(at), &s->has_after, &s->after);
	if (n == 12 && strncasecmp(name, "valid-before", n) == 0 && valued)
		return set_time(take_quoted(at), &s->has_before, &s->before);
	return "options are cert-authority, namespaces=\"…\", valid-after=\"…\" and valid-before=\"…\"";
}

static const char *
take_options(char **at, struct signer *s)
{
	for (;;) {
		const char *why = take_option(at, s);

		if (why)
			return why;
		if (**at == ' ' || **at == '\t')
			break;
		if (**at != ',')
			return "an option ends at a comma or a blank";
		(*at)++;
	}
	skip_blanks(at);
	if (s->has_after && s->has_before && s->after > s->before)
		return "valid-after lies behind valid-before";
	return NULL;
}

/* NULL, or what is wrong with the line. */
static const char *
read_line(struct arena *mem, char *at, struct signer *s)
{
	struct err e = { 0 }, with_options = { 0 };
	const char *why;

	skip_blanks(&at);
	s->principals = take_principals(&at);
	if (!s->principals)
		return "a line is: principals, perhaps options, type, key";
	if (strlen(s->principals) > PATTERNS_MAX)
		return "the principals are too long";
	if (ssh_key_line(mem, at, strlen(at), &s->key, &e) < 0) {
		/* words before a key are options; a damaged key is none */
		if (strncmp(at, "ssh-", 4) == 0 || strncmp(at, "ecdsa-", 6) == 0 || strncmp(at, "sk-", 3) == 0)
			return arena_strdup(mem, e.text);
		if ((why = take_options(&at, s)))
			return why;
		if (ssh_key_line(mem, at, strlen(at), &s->key, &with_options) < 0)
			return arena_strdup(mem, with_options.text);
	}
	if (s->key.has_certificate)
		return "a certificate stands there, where its CA's key belongs";
	return NULL;
}

static void
add_line(struct arena *mem, const char *line, size_t n, unsigned number, struct signers *out)
{
	struct signer s = { .line = number };
	const char *why;
	char *copy;

	while (n && (line[n - 1] == '\r' || line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	copy = arena_strndup(mem, line, n);
	if (copy[strspn(copy, " \t")] == '\0' && !memchr(line, 0, n))
		return;
	if (copy[strspn(copy, " \t")] == '#')
		return;
	why = memchr(line, 0, n) ? "the line holds a NUL" : read_line(mem, copy, &s);
	if (why)
		out->bad[out->nbad++] = (struct signers_bad){ number, why };
	else
		out->items[out->n++] = s;
}

int
signers_parse(struct arena *mem, const char *text, size_t n, struct signers *out, struct err *e)
{
	struct signers s = { 0 };
	size_t lines = 1;
	unsigned number = 0;

	if (n > SIGNERS_MAX)
		return err_set(e, ERR_INVALID, "the list of signers has over %zu bytes", SIGNERS_MAX);
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	if (lines > SIGNERS_LINES_MAX)
		return err_set(e, ERR_INVALID, "the list of signers has over %d lines", SIGNERS_LINES_MAX);
	s.items = arena_array(mem, lines, sizeof(*s.items));
	s.bad = arena_array(mem, lines, sizeof(*s.bad));
	for (const char *p = text, *end = text + n; p < end;) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));

		if (!stop)
			stop = end;
		add_line(mem, p, (size_t)(stop - p), ++number, &s);
		p = stop + 1;
	}
	*out = s;
	return 0;
}

/* -- asking -------------------------------------------------------------------------------------------------------------------- */

static bool
concerns(const struct signer *s, const struct ssh_key *k)
{
	if (k->has_certificate)
		return s->authority && span_eq(&s->key.blob, &k->certificate.ca);
	return !s->authority && span_eq(&s->key.blob, &k->blob);
}

static int
allowed_by(struct arena *mem, const struct signer *s, const struct ssh_key *k, const char *principal, const char *ns, int64_t when,
           struct err *e)
{
	if (!pattern_list_match(s->principals, principal))
		return err_set(e, ERR_DENIED, "line %u is not about %s", s->line, principal);
	if (s->namespaces && !pattern_list_match(s->namespaces, ns))
		return err_set(e, ERR_DENIED, "line %u does not allow signatures of namespace %s", s->line, ns);
	if (s->has_after && when < s->after)
		return err_set(e, ERR_DENIED, "line %u: the key is not valid yet", s->line);
	if (s->has_before && when > s->before)
		return err_set(e, ERR_DENIED, "line %u: the key has expired", s->line);
	return k->has_certificate ? ssh_certificate_check(mem, k, principal, when, e) : 0;
}

int
signers_allow(struct arena *mem, const struct signers *s, const struct ssh_key *k, const char *principal, const char *ns, int64_t when,
              const struct signer **who, struct err *e)
{
	struct err why = { 0 };
	char name[SSH_FINGERPRINT];

	for (size_t i = 0; i < s->n; i++) {
		struct err here = { 0 };

		if (!concerns(&s->items[i], k))
			continue;
		if (allowed_by(mem, &s->items[i], k, principal, ns, when, &here) == 0) {
			if (who)
				*who = &s->items[i];
			return 0;
		}
		if (!why.code || pattern_list_match(s->items[i].principals, principal))
			why = here;
	}
	if (why.code)
		return err_set(e, ERR_DENIED, "%s", why.text);
	ssh_fingerprint(&k->plain, name);
	return err_set(e, ERR_DENIED, k->has_certificate ? "the CA of %s's certificate is not listed" : "the key %s is not listed", name);
}

void
signers_of(struct arena *mem, const struct signers *s, const struct ssh_key *k, const struct signer ***out, size_t *n)
{
	const struct signer **found = arena_array(mem, s->n ? s->n : 1, sizeof(*found));

	*n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (concerns(&s->items[i], k))
			found[(*n)++] = &s->items[i];
	*out = found;
}
