/* SPDX-License-Identifier: Apache-2.0 */
/* The redactor: known secrets in their encodings, and the shapes of well-known credentials. */
#include "lib/base/redact.h"

#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#define SECRET_MIN ((size_t)6)
#define MARK "[redacted]"

/*
 * base64 of a text that holds the secret somewhere depends on the secret's place modulo 3: one core of characters
 * that are fully determined for each place.
 */
struct secret {
	struct secret *next;
	size_t n, core_n[3];
	const char *core[3];
	char bytes[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct secret *secrets;

/* What to do at a place of the text: keep some bytes as they are, then put the mark for others. */
struct hit {
	size_t keep, drop;
};

static size_t
core_of(const char *secret, size_t n, size_t shift, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t first = (shift * 8 + 5) / 6, end = (shift + n) * 8 / 6;

	for (size_t i = first; i < end; i++) {
		unsigned int v = 0;

		for (size_t bit = i * 6; bit < i * 6 + 6; bit++) {
			unsigned char c = (unsigned char)secret[bit / 8 - shift];

			v = v << 1 | ((unsigned int)c >> (7 - bit % 8) & 1u);
		}
		out[i - first] = digits[v];
	}
	return end - first;
}

static bool
known(const char *secret, size_t n)
{
	for (const struct secret *s = secrets; s; s = s->next)
		if (s->n == n && memcmp(s->bytes, secret, n) == 0)
			return true;
	return false;
}

void
redact_add(const char *secret, size_t n)
{
	size_t bytes = sizeof(struct secret) + n + 3 * (n * 4 / 3 + 4);
	struct secret *s;
	char *p;

	if (n < SECRET_MIN)
		return;
	(void)pthread_mutex_lock(&lock);
	if (!known(secret, n)) {
		/* pages of its own: kept out of core dumps and, where the limit allows, out of swap */
		s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (s == MAP_FAILED)
			abort();
		(void)madvise(s, bytes, MADV_DONTDUMP);
		(void)mlock(s, bytes);
		s->n = n;
		memcpy(s->bytes, secret, n);
		p = s->bytes + n;
		for (size_t i = 0; i < 3; i++) {
			s->core_n[i] = core_of(s->bytes, n, i, p);
			s->core[i] = p;
			p += s->core_n[i];
		}
		s->next = secrets;
		secrets = s;
	}
	(void)pthread_mutex_unlock(&lock);
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
escaped_as(const char *s, size_t n, char c)
{
	return n > 2 && s[0] == '%' && hex(s[1]) >= 0 && hex(s[2]) >= 0 && hex(s[1]) * 16 + hex(s[2]) == (unsigned char)c;
}

/*
 * Bytes of `s` that spell the secret, each either as it is or as %XX (which characters get encoded varies); 0: none.
 * A secret that holds a '%' reads two ways, so the caller tries both preferences.
 */
static size_t
match_plain(const char *s, size_t n, const struct secret *k, bool escapes_first)
{
	size_t i = 0;

	for (size_t j = 0; j < k->n; j++) {
		bool same = i < n && s[i] == k->bytes[j], escaped = escaped_as(s + i, n - i, k->bytes[j]);

		if (!same && !escaped)
			return 0;
		i += escaped && (escapes_first || !same) ? 3 : 1;
	}
	return i;
}

static bool
base64_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("+/-_=", c));
}

/* The rest of the run goes too: it may hold the last bits of the secret. */
static size_t
match_base64(const char *s, size_t n, const char *core, size_t core_n)
{
	size_t i;

	if (n < core_n)
		return 0;
	for (i = 0; i < core_n; i++) {
		char c = s[i] == '-' ? '+' : s[i] == '_' ? '/' : s[i];

		if (c != core[i])
			return 0;
	}
	while (i < n && base64_char(s[i]))
		i++;
	return i;
}

static size_t
match_secret(const char *s, size_t n)
{
	for (const struct secret *k = secrets; k; k = k->next) {
		size_t m = match_plain(s, n, k, false);

		if (!m)
			m = match_plain(s, n, k, true);
		for (size_t i = 0; !m && i < 3; i++)
			m = match_base64(s, n, k->core[i], k->core_n[i]);
		if (m)
			return m;
	}
	return 0;
}

static bool
starts(const char *s, size_t n, const char *word)
{
	size_t m = strlen(word);

	return n >= m && strncasecmp(s, word, m) == 0;
}

static size_t
run_of(const char *s, size_t n, const char *also)
{
	size_t i = 0;

	while (i < n && s[i] && (isalnum((unsigned char)s[i]) || strchr(also, s[i])))
		i++;
	return i;
}

/* "://user:password@": the part up to the last '@' before the path. A lone user name of ssh is no secret. */
static bool
match_url(const char *all, size_t n, size_t at, struct hit *h)
{
	const char *s = all + at;
	size_t left = n - at, end = 3, last = 0;

	if (!starts(s, left, "://"))
		return false;
	for (; end < left && !strchr("/?#\"'<> \t\r\n", s[end]); end++)
		if (s[end] == '@')
			last = end;
	if (!last)
		return false;
	if (at >= 3 && memcmp(s - 3, "ssh", 3) == 0 && !memchr(s + 3, ':', last - 3))
		return false;
	*h = (struct hit){ 3, last - 3 };
	return true;
}

static bool
match_pem(const char *s, size_t n, struct hit *h)
{
	static const char tail[] = "PRIVATE KEY-----";
	const char *line = memchr(s, '\n', n), *key, *end, *close;
	size_t head = line ? (size_t)(line - s) : n;

	if (!starts(s, n, "-----BEGIN "))
		return false;
	key = memmem(s, head, tail, sizeof(tail) - 1);
	if (!key)
		return false;
	key += sizeof(tail) - 1;
	end = memmem(key, n - (size_t)(key - s), "-----END ", 9);
	close = end ? memmem(end, n - (size_t)(end - s), tail, sizeof(tail) - 1) : NULL;
	*h = (struct hit){ 0, close ? (size_t)(close - s) + sizeof(tail) - 1 : n };
	return true;
}

/* "Basic authentication" and "bearer token" are words; a credential has more than small letters, or is long. */
static bool
match_scheme(const char *s, size_t n, struct hit *h)
{
	static const char *const schemes[] = { "Bearer ", "Basic " };

	for (size_t i = 0; i < 2; i++) {
		size_t keep = strlen(schemes[i]), m, small = 0;

		if (!starts(s, n, schemes[i]))
			continue;
		while (keep < n && s[keep] == ' ')
			keep++;
		m = run_of(s + keep, n - keep, "-._~+/=");
		while (small < m && islower((unsigned char)s[keep + small]))
			small++;
		if (m < 4 || (small == m && m < 20) || (small + 1 == m && strchr(".=", s[keep + small]) && m < 20))
			return false;
		*h = (struct hit){ keep, m };
		return true;
	}
	return false;
}

static bool
match_token(const char *s, size_t n, struct hit *h)
{
	static const struct {
		const char *prefix;
		size_t min;
	} tokens[] = {
		{ "AGE-SECRET-KEY-", 8 }, { "BERTH-MASTER-KEY-", 8 }, { "ghp_", 8 }, { "gho_", 8 }, { "ghs_", 8 }, { "ghu_", 8 }, { "ghr_", 8 },
		{ "github_pat_", 8 }, { "glpat-", 8 },
	};

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		size_t head = strlen(tokens[i].prefix), m;

		if (!starts(s, n, tokens[i].prefix))
			continue;
		m = run_of(s + head, n - head, "_-");
		if (m < tokens[i].min)
			return false;
		*h = (struct hit){ 0, head + m };
		return true;
	}
	return false;
}

static bool
match_shape(const char *s, size_t n, size_t at, struct hit *h)
{
	bool word_start = at == 0 || !isalnum((unsigned char)s[at - 1]);

	switch (s[at]) {
	case ':':
		return match_url(s, n, at, h);
	case '-':
		return match_pem(s + at, n - at, h);
	case 'b':
	case 'B':
		return word_start && (match_scheme(s + at, n - at, h) || match_token(s + at, n - at, h));
	case 'a':
	case 'A':
	case 'g':
	case 'G':
		return word_start && match_token(s + at, n - at, h);
	default:
		return false;
	}
}

/* One character, made harmless; returns the bytes it took. */
static size_t
put_char(const char *s, size_t n, struct buf *out)
{
	unsigned char c = (unsigned char)*s;

	if (c == 0xc2 && n > 1 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0) {
		buf_char(out, '?'); /* U+0080 to U+009F: terminals obey them too */
		return 2;
	}
	buf_char(out, (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : (char)c);
	return 1;
}

void
redact(const char *s, size_t n, struct buf *out)
{
	size_t i = 0;

	(void)pthread_mutex_lock(&lock);
	while (i < n) {
		struct hit h = { 0, match_secret(s + i, n - i) };

		if (!h.drop && !match_shape(s, n, i, &h)) {
			i += put_char(s + i, n - i, out);
			continue;
		}
		for (size_t end = i + h.keep; i < end;)
			i += put_char(s + i, end - i, out);
		buf_str(out, MARK);
		i += h.drop;
	}
	(void)pthread_mutex_unlock(&lock);
}
