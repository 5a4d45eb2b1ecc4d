/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: our own writer, cJSON's parser behind checks that it does not make. */
#include "lib/doc/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/number.h"

#define JSON_BYTES_MAX ((size_t)64 << 20)
#define JSON_DEPTH_MAX 100
#define TWO_53 9007199254740992.0

static void
write_escape(struct buf *out, unsigned char c)
{
	static const char named[] = "\"\"\\\\\nn\rr\tt\bb\ff";

	for (size_t i = 0; named[i]; i += 2) {
		if ((unsigned char)named[i] == c) {
			buf_char(out, '\\');
			buf_char(out, named[i + 1]);
			return;
		}
	}
	buf_printf(out, "\\u%04x", c);
}

static void
write_string(struct buf *out, const char *s, size_t n)
{
	size_t from = 0;

	buf_char(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
			continue;
		buf_add(out, s + from, i - from);
		write_escape(out, c);
		from = i + 1;
	}
	buf_add(out, s + from, n - from);
	buf_char(out, '"');
}

static bool
is_json_number(const char *s)
{
	s += *s == '-';
	if (*s == '0')
		s++;
	else if (*s >= '1' && *s <= '9')
		s += strspn(s, "0123456789");
	else
		return false;
	if (*s == '.') {
		size_t n = strspn(s + 1, "0123456789");

		if (!n)
			return false;
		s += n + 1;
	}
	if (*s == 'e' || *s == 'E') {
		size_t n;

		s++;
		s += *s == '+' || *s == '-';
		n = strspn(s, "0123456789");
		if (!n)
			return false;
		s += n;
	}
	return !*s;
}

static void
write_real(const struct value *v, struct buf *out)
{
	char num[NUMBER_MAX];

	if (!isfinite(v->real)) /* JSON has none; no reader of ours makes one */
		buf_str(out, "null");
	else if (v->text && is_json_number(v->text))
		buf_str(out, v->text);
	else
		buf_add(out, num, number_real(v->real, num));
}

static void
new_line(struct buf *out, unsigned int indent, size_t level)
{
	if (!indent)
		return;
	buf_char(out, '\n');
	buf_pad(out, ' ', indent * level);
}

static void
write_value(const struct value *v, unsigned int indent, size_t level, struct buf *out)
{
	size_t n = value_len(v);
	char num[NUMBER_MAX];

	if (!v || v->type == VALUE_NULL) {
		buf_str(out, "null");
	} else if (v->type == VALUE_BOOL) {
		buf_str(out, v->boolean ? "true" : "false");
	} else if (v->type == VALUE_INT) {
		buf_add(out, num, number_int(v->integer, num));
	} else if (v->type == VALUE_REAL) {
		write_real(v, out);
	} else if (v->type == VALUE_STR) {
		write_string(out, v->str.s, v->str.len);
	} else {
		bool map = v->type == VALUE_MAP;

		buf_char(out, map ? '{' : '[');
		for (size_t i = 0; i < n; i++) {
			if (i)
				buf_char(out, ',');
			new_line(out, indent, level + 1);
			if (map) {
				write_string(out, v->map.items[i].key, strlen(v->map.items[i].key));
				buf_str(out, indent ? ": " : ":");
			}
			write_value(map ? v->map.items[i].value : v->list.items[i], indent, level + 1, out);
		}
		if (n)
			new_line(out, indent, level);
		buf_char(out, map ? '}' : ']');
	}
}

void
json_write(const struct value *v, unsigned int indent, struct buf *out)
{
	write_value(v, indent, 0, out);
}

static int
fail_at(const char *bytes, size_t len, size_t offset, const char *what, struct err *e)
{
	size_t line = 1, col = 1;

	for (size_t i = 0; i < offset && i < len; i++) {
		if (bytes[i] == '\n') {
			line++;
			col = 1;
		} else if (((unsigned char)bytes[i] & 0xc0) != 0x80) {
			col++;
		}
	}
	return err_set(e, ERR_INVALID, "JSON line %zu, column %zu: %s", line, col, what);
}

/*
 * What cJSON lets pass or handles badly: bad UTF-8, raw control characters, U+0000 (it would cut the string), numbers
 * such as 01 or 1. and deep nesting. Syntax as such is left to it.
 */
static int
check_text(const char *s, size_t n, struct err *e)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (in_string) {
			if ((unsigned char)c < 0x20)
				return fail_at(s, n, i, "control character in a string", e);
			if (c == '\\') {
				if (n - i >= 6 && memcmp(s + i, "\\u0000", 6) == 0)
					return fail_at(s, n, i, "the character U+0000 is not allowed", e);
				i++;
			} else if (c == '"') {
				in_string = false;
			}
		} else if (c == '"') {
			in_string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > JSON_DEPTH_MAX)
				return fail_at(s, n, i, "more than 100 levels deep", e);
		} else if (c == ']' || c == '}') {
			depth--;
		} else if ((c >= '0' && c <= '9') || c == '-') {
			size_t w = 0;
			char num[64];

			while (i + w < n && s[i + w] && strchr("0123456789+-.eE", s[i + w]))
				w++;
			if (w < sizeof(num)) {
				memcpy(num, s + i, w);
				num[w] = '\0';
				if (!is_json_number(num))
					return fail_at(s, n, i, "not a number", e);
			}
			i += w - 1;
		} else if ((unsigned char)c < 0x20 && c != '\n' && c != '\r' && c != '\t') {
			return fail_at(s, n, i, "control character", e);
		}
	}
	return 0;
}

/* cJSON keeps doubles only; its tree is walked in the order of the text, so the n-th number there is the n-th token here. */
struct numbers {
	const char *next, *end;
};

static const char *
next_number(struct numbers *t, size_t *len)
{
	const char *s;

	for (; t->next < t->end; t->next++) {
		if (*t->next == '"') {
			for (t->next++; t->next < t->end && *t->next != '"'; t->next++)
				t->next += *t->next == '\\';
		} else if (*t->next == '-' || (*t->next >= '0' && *t->next <= '9')) {
			break;
		}
	}
	s = t->next;
	while (t->next < t->end && *t->next && strchr("0123456789+-.eE", *t->next))
		t->next++;
	*len = (size_t)(t->next - s);
	return s;
}

static struct value *
number_value(struct arena *mem, double d, struct numbers *t)
{
	struct value *v;
	int64_t exact;
	size_t len;
	const char *s = next_number(t, &len);
	char digits[24];

	if (!isfinite(d))
		return NULL;
	if (len < sizeof(digits)) {
		memcpy(digits, s, len);
		digits[len] = '\0';
		if (str_to_i64(digits, &exact) == 0)
			return value_int(mem, exact);
	}
	if (fabs(d) <= TWO_53 && fabs(d - trunc(d)) <= 0)
		return value_int(mem, (int64_t)d);
	v = value_real(mem, d);
	v->text = arena_strndup(mem, s, len);
	return v;
}

/* NULL when a number is out of range. */
static struct value *
from_cjson(struct arena *mem, const cJSON *j, struct numbers *numbers)
{
	struct value *v, *sub;

	if (cJSON_IsBool(j))
		return value_bool(mem, cJSON_IsTrue(j));
	if (cJSON_IsString(j))
		return value_str(mem, j->valuestring);
	if (cJSON_IsNumber(j))
		return number_value(mem, j->valuedouble, numbers);
	if (!cJSON_IsObject(j) && !cJSON_IsArray(j))
		return value_null(mem);
	v = cJSON_IsObject(j) ? value_map(mem) : value_list(mem);
	for (const cJSON *c = j->child; c; c = c->next) {
		if (!(sub = from_cjson(mem, c, numbers)))
			return NULL;
		if (v->type == VALUE_MAP)
			value_set(mem, v, c->string, sub);
		else
			value_push(mem, v, sub);
	}
	return v;
}

int
json_read(struct arena *mem, const char *bytes, size_t len, struct value **out, struct err *e)
{
	struct numbers numbers = { bytes, bytes + len };
	const char *end = NULL;
	struct value *v;
	cJSON *j;

	if (len > JSON_BYTES_MAX)
		return err_set(e, ERR_INVALID, "JSON text is larger than %zu bytes", JSON_BYTES_MAX);
	if (!str_utf8_valid(bytes, len))
		return err_set(e, ERR_INVALID, "JSON text is not UTF-8");
	if (check_text(bytes, len, e) < 0)
		return ERR_INVALID;
	j = cJSON_ParseWithLengthOpts(bytes, len, &end, 0);
	if (!j)
		return fail_at(bytes, len, end ? (size_t)(end - bytes) : 0, "not valid JSON", e);
	while (end < bytes + len && *end && strchr(" \t\r\n", *end))
		end++;
	if (end != bytes + len) {
		cJSON_Delete(j);
		return fail_at(bytes, len, (size_t)(end - bytes), "text after the end of the value", e);
	}
	v = from_cjson(mem, j, &numbers);
	cJSON_Delete(j);
	if (!v)
		return err_set(e, ERR_INVALID, "JSON text holds a number that is out of range");
	*out = v;
	return 0;
}
