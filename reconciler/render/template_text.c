/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and JSON as JavaScript prints them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "render/builtin.h"
#include "render/template_node.h"

#define TWO_53 9007199254740992.0

double
number_of(const struct value *v)
{
	return v->type == VALUE_INT ? (double)v->integer : v->real;
}

int
number_make(struct render *r, double d, struct value **out)
{
	if (!isfinite(d))
		return render_fail(r, "result is not a finite number");
	if (d == trunc(d) && fabs(d) < TWO_53)
		*out = value_int(r->mem, (int64_t)d);
	else
		*out = value_real(r->mem, d);
	(*out)->at = r->at;
	return 0;
}

/* The fewest digits that read back as d: "d.ddde+xx" in `text`. */
static void
shortest(double d, char text[40])
{
	for (int precision = 0; precision < 17; precision++) {
		int n = snprintf(text, 40, "%.*e", precision, d);

		if (n < 0 || strtod(text, NULL) == d)
			return;
	}
}

/* ECMAScript Number::toString: plain from 1e-6 up to 1e21, else with an exponent. */
static void
real_text(double d, char out[NUMBER_TEXT])
{
	char text[40], digits[24];
	size_t n = 0, o = 0;
	int exponent, k;
	const char *s;

	shortest(fabs(d), text);
	for (s = text; *s && *s != 'e'; s++) {
		if (*s != '.' && n < sizeof(digits) - 1)
			digits[n++] = *s;
	}
	exponent = *s ? (int)strtol(s + 1, NULL, 10) : 0;
	k = (int)n;
	if (d < 0)
		out[o++] = '-';
	if (exponent >= 21 || exponent < -6) {
		out[o++] = digits[0];
		if (k > 1)
			out[o++] = '.';
		memcpy(out + o, digits + 1, n - 1);
		o += n - 1;
		(void)snprintf(out + o, NUMBER_TEXT - o, "e%+d", exponent);
		return;
	}
	if (exponent < 0) {
		out[o++] = '0';
		out[o++] = '.';
		for (int i = -1; i > exponent; i--)
			out[o++] = '0';
	}
	for (int i = 0; i < k || i <= exponent; i++) {
		if (exponent >= 0 && i == exponent + 1)
			out[o++] = '.';
		out[o++] = i < k ? digits[i] : '0';
	}
	out[o] = '\0';
}

void
number_text(const struct value *v, char out[NUMBER_TEXT])
{
	if (v->type == VALUE_INT)
		(void)snprintf(out, NUMBER_TEXT, "%lld", (long long)v->integer);
	else if (v->real == 0.0)
		(void)snprintf(out, NUMBER_TEXT, "0");
	else
		real_text(v->real, out);
}

static int
json_put_str(struct render *r, const char *s, size_t n)
{
	static const char plain[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
	const char *end = s + n, *run = s;
	char esc[8];
	int rc;

	if ((rc = render_put(r, "\"", 1)) < 0)
		return rc;
	for (; s < end; s++) {
		const char *at;

		if ((unsigned char)*s >= 0x20 && *s != '"' && *s != '\\')
			continue;
		at = *s ? strchr(plain, *s) : NULL;
		if (at)
			(void)snprintf(esc, sizeof(esc), "\\%c", letters[at - plain]);
		else
			(void)snprintf(esc, sizeof(esc), "\\u%04x", (unsigned)*s & 0xffU);
		if ((rc = render_put(r, run, (size_t)(s - run))) < 0 || (rc = render_put(r, esc, strlen(esc))) < 0)
			return rc;
		run = s + 1;
	}
	if ((rc = render_put(r, run, (size_t)(s - run))) < 0)
		return rc;
	return render_put(r, "\"", 1);
}

static int
compare_keys(const void *x, const void *y)
{
	const struct member *const *a = x, *const *b = y;

	return strcmp((*a)->key, (*b)->key);
}

static int
json_put_map(struct render *r, const struct value *v, unsigned depth)
{
	const struct member **sorted;
	int rc;

	if ((rc = render_room(r, v->map.n * sizeof(*sorted))) < 0)
		return rc;
	sorted = arena_array(r->mem, v->map.n, sizeof(*sorted));
	for (size_t i = 0; i < v->map.n; i++)
		sorted[i] = &v->map.items[i];
	if (v->map.n)
		qsort(sorted, v->map.n, sizeof(*sorted), compare_keys);
	for (size_t i = 0; i < v->map.n; i++) {
		if ((rc = render_put(r, i ? "," : "{", 1)) < 0 ||
		    (rc = json_put_str(r, sorted[i]->key, strlen(sorted[i]->key))) < 0 || (rc = render_put(r, ":", 1)) < 0 ||
		    (rc = json_put(r, sorted[i]->value, depth + 1)) < 0)
			return rc;
	}
	return v->map.n ? render_put(r, "}", 1) : render_put(r, "{}", 2);
}

int
json_put(struct render *r, const struct value *v, unsigned depth)
{
	int rc;

	if ((rc = render_steps(r, 1)) < 0)
		return rc;
	if (v->type == VALUE_FUNCTION)
		return render_fail(r, "evaluated template contained uncalled functions");
	if (depth > r->depth_max)
		return render_fail(r, "value is nested deeper than the limit of %u (depth)", r->depth_max);
	if (v->type == VALUE_STR)
		return json_put_str(r, v->str.s, v->str.len);
	if (v->type == VALUE_MAP)
		return json_put_map(r, v, depth);
	if (v->type != VALUE_LIST)
		return render_put_scalar(r, v, "null");
	for (size_t i = 0; i < v->list.n; i++) {
		if ((rc = render_put(r, i ? "," : "[", 1)) < 0 || (rc = json_put(r, v->list.items[i], depth + 1)) < 0)
			return rc;
	}
	return v->list.n ? render_put(r, "]", 1) : render_put(r, "[]", 2);
}
