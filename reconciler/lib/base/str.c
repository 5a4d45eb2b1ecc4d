/* SPDX-License-Identifier: Apache-2.0 */
/* Strings. */
#include "lib/base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
str_to_i64(const char *s, int64_t *out)
{
	const char *digits = *s == '-' ? s + 1 : s;
	long long v;

	if (!*digits || strspn(digits, "0123456789") != strlen(digits))
		return ERR_INVALID;
	errno = 0;
	v = strtoll(s, NULL, 10);
	if (errno)
		return ERR_INVALID;
	*out = v;
	return 0;
}

bool
str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool
str_eq(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

#define NEAR_MAX 64

/* Damerau-Levenshtein (adjacent swaps count once), case folded, on words of at most NEAR_MAX bytes. */
static size_t
distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t row[3][NEAR_MAX + 1];

	for (size_t j = 0; j <= m; j++)
		row[1][j] = j;
	for (size_t i = 1; i <= n; i++) {
		row[2][0] = i;
		for (size_t j = 1; j <= m; j++) {
			bool same = (a[i - 1] | 0x20) == (b[j - 1] | 0x20);
			size_t best = row[1][j - 1] + !same;

			if (row[1][j] + 1 < best)
				best = row[1][j] + 1;
			if (row[2][j - 1] + 1 < best)
				best = row[2][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && row[0][j - 2] + 1 < best)
				best = row[0][j - 2] + 1;
			row[2][j] = best;
		}
		memcpy(row[0], row[1], sizeof(row[0]));
		memcpy(row[1], row[2], sizeof(row[1]));
	}
	return row[1][m];
}

const char *
str_nearest(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strlen(word), best = 2 + len / 4;
	const char *found = NULL;

	if (len > NEAR_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t m = strlen(candidates[i]), d;

		if (m > NEAR_MAX)
			continue;
		d = distance(word, len, candidates[i], m);
		/* "gpuCount" for "gpu": a shared start of three letters or more is a good guess too */
		if (d >= best && m >= 3 && m < len && strncmp(word, candidates[i], m) == 0 && !found) {
			found = candidates[i];
			continue;
		}
		if (d < best && d < len) {
			best = d;
			found = candidates[i];
		}
	}
	return found;
}

bool
str_utf8_valid(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n;

	while (p < end) {
		unsigned int c = *p++, more, min;

		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c < 0xe0)
			more = 1, min = 0x80, c &= 0x1f;
		else if (c >= 0xe0 && c < 0xf0)
			more = 2, min = 0x800, c &= 0x0f;
		else if (c >= 0xf0 && c < 0xf5)
			more = 3, min = 0x10000, c &= 0x07;
		else
			return false;
		if ((size_t)(end - p) < more)
			return false;
		while (more--) {
			if ((*p & 0xc0) != 0x80)
				return false;
			c = c << 6 | (*p++ & 0x3f);
		}
		if (c < min || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return false;
	}
	return true;
}

bool
str_glob(const char *pattern, const char *s)
{
	/* where to take up again after the last '*' (which cannot pass a '/') and the last '**' (which can) */
	const char *star = NULL, *from = NULL, *deep = NULL, *deep_from = NULL;

	while (*s) {
		if (pattern[0] == '*' && pattern[1] == '*') {
			deep = pattern += 2;
			deep_from = s;
			star = NULL;
		} else if (*pattern == '*') {
			star = ++pattern;
			from = s;
		} else if (*pattern && (*pattern == *s || (*pattern == '?' && *s != '/'))) {
			pattern++;
			s++;
		} else if (star && *from != '/') {
			pattern = star;
			s = ++from;
		} else if (deep) {
			pattern = deep;
			s = ++deep_from;
			star = NULL;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

const char *
str_line(struct arena *mem, const char *s)
{
	char *copy = arena_strdup(mem, s);

	for (char *p = copy; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return copy;
}

const char *
str_join(struct arena *mem, const char *const *list, size_t n, const char *none)
{
	const char *text = n ? list[0] : none;

	for (size_t i = 1; i < n; i++)
		text = arena_printf(mem, "%s, %s", text, list[i]);
	return text;
}
