/* SPDX-License-Identifier: Apache-2.0 */
/* Builtins on strings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "render/builtin.h"
#include "render/template_node.h"

/* Letters beyond ASCII stay as they are: names and labels of Kubernetes have none. */
static int
change_case(const struct builtin_call *c, char first, char last, struct value **out)
{
	const struct value *v = c->args[0];
	size_t from = c->r->scratch.len;
	int rc;

	if ((rc = render_put(c->r, v->str.s, v->str.len)) < 0)
		return rc;
	for (size_t i = from; i < c->r->scratch.len; i++) {
		if (c->r->scratch.data[i] >= first && c->r->scratch.data[i] <= last)
			c->r->scratch.data[i] = (char)(c->r->scratch.data[i] ^ 32);
	}
	return render_take(c->r, from, out);
}

int
builtin_lowercase(const struct builtin_call *c, struct value **out)
{
	return change_case(c, 'A', 'Z', out);
}

int
builtin_uppercase(const struct builtin_call *c, struct value **out)
{
	return change_case(c, 'a', 'z', out);
}

/* White space as ECMAScript has it: all of it beyond ASCII. */
static const char *const spaces[] = { "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9",
	                              "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf" };

/* Bytes of the white space that starts at s, 0 when there is none. */
static size_t
space_at(const char *s, const char *end)
{
	if (s >= end)
		return 0;
	if (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		return 1;
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		size_t n = strlen(spaces[i]);

		if ((size_t)(end - s) >= n && !memcmp(s, spaces[i], n))
			return n;
	}
	if (end - s >= 3 && !memcmp(s, "\xe2\x80", 2) && (unsigned char)s[2] >= 0x80 && (unsigned char)s[2] <= 0x8a)
		return 3;
	return 0;
}

static int
strip(const struct builtin_call *c, bool left, bool right, struct value **out)
{
	const struct value *v = c->args[0];
	const char *s = v->str.s, *end = s + v->str.len;
	size_t n;

	while (left && (n = space_at(s, end)))
		s += n;
	while (right && end > s) {
		size_t back = 1;

		while (back < 3 && back < (size_t)(end - s) && ((unsigned char)end[-(ptrdiff_t)back] & 0xc0) == 0x80)
			back++;
		if (space_at(end - back, end) != back)
			break;
		end -= back;
	}
	return render_str(c->r, s, (size_t)(end - s), out);
}

int
builtin_strip(const struct builtin_call *c, struct value **out)
{
	return strip(c, true, true, out);
}

int
builtin_lstrip(const struct builtin_call *c, struct value **out)
{
	return strip(c, true, false, out);
}

int
builtin_rstrip(const struct builtin_call *c, struct value **out)
{
	return strip(c, false, true, out);
}

/* The next part of s: up to the separator, or one character when there is none. *next NULL: it was the last. */
static const char *
part_end(const char *s, const char *end, const char *sep, size_t sep_len, const char **next)
{
	const char *at;

	if (sep_len) {
		at = memmem(s, (size_t)(end - s), sep, sep_len);
		*next = at ? at + sep_len : NULL;
		return at ? at : end;
	}
	at = s + 1;
	while (at < end && ((unsigned char)*at & 0xc0) == 0x80)
		at++;
	*next = at < end ? at : NULL;
	return at;
}

static int
split(const struct builtin_call *c, const char *sep, size_t sep_len, struct value **out)
{
	const struct value *v = c->args[0];
	const char *s = v->str.s, *end = s + v->str.len, *next;
	struct value *list, *item;
	size_t n = 0;
	int rc;

	for (next = v->str.len || sep_len ? s : NULL; next; n++)
		(void)part_end(next, end, sep, sep_len, &next);
	if ((rc = render_list(c->r, n, &list)) < 0)
		return rc;
	for (next = s; list->list.n < n; s = next) {
		const char *stop = part_end(s, end, sep, sep_len, &next);

		if ((rc = render_str(c->r, s, (size_t)(stop - s), &item)) < 0)
			return rc;
		list->list.items[list->list.n++] = item;
	}
	*out = list;
	return 0;
}

int
builtin_split(const struct builtin_call *c, struct value **out)
{
	const struct value *sep = c->args[1];
	char number[NUMBER_TEXT];

	if (sep->type == VALUE_STR)
		return split(c, sep->str.s, sep->str.len, out);
	number_text(sep, number);
	return split(c, number, strlen(number), out);
}

int
builtin_join(const struct builtin_call *c, struct value **out)
{
	const struct value *list = c->args[0];
	size_t from = c->r->scratch.len;
	int rc;

	if ((rc = render_steps(c->r, list->list.n)) < 0)
		return rc;
	for (size_t i = 0; i < list->list.n; i++) {
		if (!(value_kind_bit(list->list.items[i]) & (IS_STR | IS_NUM | IS_BOOL | IS_NULL)))
			return builtin_fail(c, "join", "item %zu is of type %s", i, value_kind_name(list->list.items[i]));
		if ((i && (rc = render_put_scalar(c->r, c->args[1], "")) < 0) ||
		    (rc = render_put_scalar(c->r, list->list.items[i], "")) < 0)
			return rc;
	}
	return render_take(c->r, from, out);
}

int
builtin_str(const struct builtin_call *c, struct value **out)
{
	size_t from = c->r->scratch.len;
	int rc;

	if (c->args[0]->type == VALUE_STR) {
		*out = c->args[0];
		return 0;
	}
	if ((rc = render_put_scalar(c->r, c->args[0], "null")) < 0)
		return rc;
	return render_take(c->r, from, out);
}

/* A decimal number as JSON writes it, a sign '+' and leading zeros allowed. */
static bool
is_decimal(const char *s)
{
	size_t n;

	s += *s == '-' || *s == '+';
	if (!(n = strspn(s, "0123456789")))
		return false;
	s += n;
	if (*s == '.') {
		if (!(n = strspn(s + 1, "0123456789")))
			return false;
		s += n + 1;
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		if (!(n = strspn(s, "0123456789")))
			return false;
		s += n;
	}
	return *s == '\0';
}

int
builtin_number(const struct builtin_call *c, struct value **out)
{
	const struct value *v = c->args[0];
	const char *s = v->str.s, *end = s + v->str.len;
	char text[64];
	size_t n;

	while ((n = space_at(s, end)))
		s += n;
	for (n = 0; s + n < end && !space_at(s + n, end) && n < sizeof(text) - 1; n++)
		text[n] = s[n];
	text[n] = '\0';
	for (s += n; (n = space_at(s, end)); s += n)
		;
	if (s != end || !is_decimal(text))
		return builtin_fail(c, "number", "\"%.60s\" is not a number", v->str.s);
	if (!strpbrk(text, ".eE")) {
		int64_t i = 0;
		bool over = false;

		for (const char *d = text + strspn(text, "+-"); *d && !over; d++)
			over = __builtin_mul_overflow(i, 10, &i) || __builtin_sub_overflow(i, *d - '0', &i);
		if (!over && (text[0] == '-' || !__builtin_sub_overflow(0, i, &i))) {
			*out = value_int(c->r->mem, i);
			return 0;
		}
	}
	return number_make(c->r, strtod(text, NULL), out);
}

int
builtin_len(const struct builtin_call *c, struct value **out)
{
	const struct value *v = c->args[0];
	int64_t n = 0;

	if (v->type == VALUE_LIST)
		n = (int64_t)v->list.n;
	for (size_t i = 0; v->type == VALUE_STR && i < v->str.len; i++)
		n += ((unsigned char)v->str.s[i] & 0xc0) != 0x80;
	*out = value_int(c->r->mem, n);
	return 0;
}
