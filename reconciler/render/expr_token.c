/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of expressions. */
#include "render/expr_token.h"

#include <string.h>

/* Longest first where one is the start of another. */
static const char puncts[][3] = { "**", ">=", "<=", "==", "!=", "&&", "||", "+", "-", "*", "/", "[", "]",
	                          ".",  "(",  ")",  "{",  "}",  ":",  ",",  "<", ">", "!" };

static const struct {
	const char *text;
	enum token_kind kind;
} words[] = { { "true", T_TRUE }, { "false", T_FALSE }, { "null", T_NULL }, { "in", T_IN } };

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

int
token_unexpected(struct parser *p, const char *expected)
{
	if (p->t.kind == T_END)
		return err_set(p->e, ERR_INVALID, "Unexpected end of input");
	return err_set(p->e, ERR_INVALID, "Found: %.*s token, expected one of: %s",
	               (int)(p->t.len < 80 ? p->t.len : 80), p->t.s, expected);
}

static int
fail_input(struct parser *p, const char *at)
{
	size_t all = (size_t)(p->end - p->text), rest = (size_t)(p->end - at);

	return err_set(p->e, ERR_INVALID, "Unexpected input for '%.*s' at '%.*s'", (int)(all < 200 ? all : 200), p->text,
	               (int)(rest < 80 ? rest : 80), at);
}

static const char *
scan_number(const char *s, const char *end)
{
	while (s < end && is_digit(*s))
		s++;
	if (end - s > 1 && *s == '.' && is_digit(s[1])) {
		s++;
		while (s < end && is_digit(*s))
			s++;
	}
	return s;
}

static const char *
scan_word(const char *s, const char *end, enum token_kind *kind)
{
	const char *first = s;

	while (s < end && is_word(*s))
		s++;
	*kind = T_NAME;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].text) == (size_t)(s - first) && !memcmp(words[i].text, first, (size_t)(s - first)))
			*kind = words[i].kind;
	}
	return s;
}

static const char *
scan_punct(const char *s, const char *end)
{
	for (size_t i = 0; i < sizeof(puncts) / sizeof(puncts[0]); i++) {
		size_t n = strlen(puncts[i]);

		if ((size_t)(end - s) >= n && !memcmp(s, puncts[i], n))
			return s + n;
	}
	return NULL;
}

int
token_next(struct parser *p)
{
	const char *s = p->next, *stop;
	struct token t = { T_END, s, 0 };

	while (s < p->end && is_space(*s))
		s++;
	t.s = stop = s;
	if (s < p->end) {
		if (is_digit(*s)) {
			t.kind = T_NUMBER;
			stop = scan_number(s, p->end);
		} else if (is_word(*s)) {
			stop = scan_word(s, p->end, &t.kind);
		} else if (*s == '\'' || *s == '"') {
			t.kind = T_STRING;
			stop = memchr(s + 1, *s, (size_t)(p->end - s - 1));
			stop = stop ? stop + 1 : NULL;
		} else {
			t.kind = T_PUNCT;
			stop = scan_punct(s, p->end);
		}
		if (!stop)
			return fail_input(p, s);
	}
	t.len = (size_t)(stop - s);
	p->t = t;
	p->next = stop;
	return 0;
}

bool
token_is(const struct parser *p, const char *text)
{
	return (p->t.kind == T_PUNCT || p->t.kind == T_IN) && strlen(text) == p->t.len && !memcmp(p->t.s, text, p->t.len);
}

int
token_take(struct parser *p, const char *text)
{
	if (!token_is(p, text))
		return token_unexpected(p, text);
	return token_next(p);
}
