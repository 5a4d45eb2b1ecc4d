/* SPDX-License-Identifier: Apache-2.0 */
/* Registries' documents, checked and made in guarded memory: the JSON reader of lib/doc would leave copies behind. */
#include <string.h>

#include <sodium.h>

#include "lib/base/str.h"
#include "lib/seal/decryptor_priv.h"

#define DEPTH_MAX 32

/* -- is it one? ------------------------------------------------------------------------------------------------------ */

struct scan {
	const unsigned char *p, *end;
};

static bool scan_value(struct scan *s, int depth, bool top, bool *auths);

static void
blanks(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool
eat(struct scan *s, char c)
{
	blanks(s);
	if (s->p == s->end || *s->p != (unsigned char)c)
		return false;
	s->p++;
	return true;
}

static bool
word(struct scan *s, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
		return false;
	s->p += n;
	return true;
}

static bool
escape(struct scan *s)
{
	if (s->p == s->end)
		return false;
	if (*s->p != 'u')
		return memchr("\"\\/bfnrt", *s->p++, 8) != NULL;
	s->p++;
	for (int i = 0; i < 4; i++)
		if (s->p == s->end || !memchr("0123456789abcdefABCDEF", *s->p++, 22))
			return false;
	return true;
}

/* *text and *n: what stands between the quotes, escapes as they are. */
static bool
string(struct scan *s, const unsigned char **text, size_t *n)
{
	if (!eat(s, '"'))
		return false;
	*text = s->p;
	while (s->p < s->end && *s->p != '"') {
		unsigned char c = *s->p++;

		if (c < 0x20 || (c == '\\' && !escape(s)))
			return false;
	}
	*n = (size_t)(s->p - *text);
	return eat(s, '"');
}

static bool
digits(struct scan *s)
{
	const unsigned char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from;
}

static bool
number(struct scan *s)
{
	if (s->p < s->end && *s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!digits(s))
		return false;
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!digits(s))
			return false;
	}
	if (s->p == s->end || (*s->p != 'e' && *s->p != 'E'))
		return true;
	s->p++;
	if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
		s->p++;
	return digits(s);
}

static bool
member(struct scan *s, int depth, bool top, bool *auths)
{
	const unsigned char *key;
	bool inner = false;
	size_t n;

	if (!string(s, &key, &n) || !eat(s, ':'))
		return false;
	blanks(s);
	if (top && n == 5 && memcmp(key, "auths", 5) == 0)
		*auths = s->p < s->end && *s->p == '{';
	return scan_value(s, depth + 1, false, &inner);
}

static bool
members(struct scan *s, char end, int depth, bool top, bool *auths)
{
	bool inner = false;

	s->p++;
	if (eat(s, end))
		return true;
	do {
		if (end == '}' ? !member(s, depth, top, auths) : !scan_value(s, depth + 1, false, &inner))
			return false;
	} while (eat(s, ','));
	return eat(s, end);
}

static bool
scan_value(struct scan *s, int depth, bool top, bool *auths)
{
	const unsigned char *text;
	size_t n;

	blanks(s);
	if (s->p == s->end || depth > DEPTH_MAX || (top && *s->p != '{'))
		return false;
	switch (*s->p) {
	case '{': return members(s, '}', depth, top, auths);
	case '[': return members(s, ']', depth, false, auths);
	case '"': return string(s, &text, &n);
	case 't': return word(s, "true");
	case 'f': return word(s, "false");
	case 'n': return word(s, "null");
	default: return number(s);
	}
}

int
docker_config_check(const unsigned char *text, size_t n, struct err *e)
{
	struct scan s = { text, text + n };
	bool auths = false, whole = str_utf8_valid((const char *)text, n) && scan_value(&s, 0, true, &auths);

	blanks(&s);
	if (whole && s.p == s.end && auths)
		return 0;
	(void)err_set(e, ERR_INVALID, whole && s.p == s.end ? "what is sealed is no document of registries: it has no map `auths`"
	                                                    : "what is sealed is no document of registries: it is not JSON");
	return err_hint(e, "Seal a file as ~/.docker/config.json is, {\"auths\": {\"REGISTRY\": {\"auth\": \"…\"}}}; or use a SOPS file with server, "
	                   "username and password.");
}

/* -- making one -------------------------------------------------------------------------------------------------------- */

/* Counts while `to` is NULL, writes otherwise. */
struct sink {
	unsigned char *to;
	size_t n;
};

static void
out(struct sink *k, const void *p, size_t n)
{
	if (k->to && n)
		memcpy(k->to + k->n, p, n);
	k->n += n;
}

static void
raw(struct sink *k, const char *s)
{
	out(k, s, strlen(s));
}

static void
quoted(struct sink *k, const unsigned char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	raw(k, "\"");
	for (size_t i = 0; i < n; i++) {
		const char code[6] = { '\\', 'u', '0', '0', hex[s[i] >> 4], hex[s[i] & 15] };

		if (s[i] < 0x20)
			out(k, code, sizeof(code));
		else if (s[i] == '"' || s[i] == '\\')
			out(k, (const char[]){ '\\', (char)s[i] }, 2);
		else
			out(k, &s[i], 1);
	}
	raw(k, "\"");
}

static void
document(struct sink *k, const struct docker_login *l, const struct secret *auth)
{
	raw(k, "{\"auths\":{");
	quoted(k, l->server, l->nserver);
	raw(k, ":{\"username\":");
	quoted(k, l->username, l->nusername);
	raw(k, ",\"password\":");
	quoted(k, l->password, l->npassword);
	raw(k, ",\"auth\":");
	quoted(k, auth->b, auth->n);
	raw(k, "}}}");
}

/* Base64 of "user:password". */
static struct secret
login_text(const struct docker_login *l)
{
	struct secret AUTO_SECRET both = secret_new(l->nusername + 1 + l->npassword);
	struct secret text = secret_new(sodium_base64_ENCODED_LEN(both.n, sodium_base64_VARIANT_ORIGINAL));
	struct sink k = { both.b, 0 };

	out(&k, l->username, l->nusername);
	raw(&k, ":");
	out(&k, l->password, l->npassword);
	(void)sodium_bin2base64((char *)text.b, text.n, both.b, both.n, sodium_base64_VARIANT_ORIGINAL);
	text.n--; /* the NUL */
	return text;
}

int
docker_config_make(const struct docker_login *l, struct secret *to, struct err *e)
{
	struct secret AUTO_SECRET auth = { 0 };
	struct sink k = { NULL, 0 };

	if (!l->nserver || !str_utf8_valid((const char *)l->server, l->nserver) ||
	    !str_utf8_valid((const char *)l->username, l->nusername) || !str_utf8_valid((const char *)l->password, l->npassword))
		return err_set(e, ERR_INVALID, "server, username or password is empty or no UTF-8 text");
	if (memchr(l->username, ':', l->nusername))
		return err_set(e, ERR_INVALID, "username has a `:`, which the login of a registry cannot carry");
	auth = login_text(l);
	document(&k, l, &auth);
	*to = secret_new(k.n);
	k = (struct sink){ to->b, 0 };
	document(&k, l, &auth);
	return 0;
}
