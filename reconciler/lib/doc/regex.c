/* SPDX-License-Identifier: Apache-2.0 */
/* PCRE2 behind a small interface. */
#include "lib/doc/regex.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define STEPS_MAX 100000U
#define DEPTH_MAX 10000U
#define HEAP_KIB_MAX 8192U
#define NEST_MAX 50U

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
};

static void
regex_done(void *p)
{
	struct regex *re = p;

	pcre2_match_context_free(re->limits);
	pcre2_code_free(re->code);
}

/* Long names of general categories (https://www.unicode.org/reports/tr44/ table 12), which PCRE2 knows by the short one. */
static const struct {
	const char *name, *category;
} categories[] = {
	{ "Letter", "L" }, { "Uppercase_Letter", "Lu" }, { "Lowercase_Letter", "Ll" }, { "Titlecase_Letter", "Lt" },
	{ "Modifier_Letter", "Lm" }, { "Other_Letter", "Lo" }, { "Mark", "M" }, { "Nonspacing_Mark", "Mn" },
	{ "Spacing_Mark", "Mc" }, { "Enclosing_Mark", "Me" }, { "Number", "N" }, { "Decimal_Number", "Nd" },
	{ "digit", "Nd" }, { "Letter_Number", "Nl" }, { "Other_Number", "No" }, { "Punctuation", "P" }, { "punct", "P" },
	{ "Connector_Punctuation", "Pc" }, { "Dash_Punctuation", "Pd" }, { "Open_Punctuation", "Ps" },
	{ "Close_Punctuation", "Pe" }, { "Initial_Punctuation", "Pi" }, { "Final_Punctuation", "Pf" },
	{ "Other_Punctuation", "Po" }, { "Symbol", "S" }, { "Math_Symbol", "Sm" }, { "Currency_Symbol", "Sc" },
	{ "Modifier_Symbol", "Sk" }, { "Other_Symbol", "So" }, { "Separator", "Z" }, { "Space_Separator", "Zs" },
	{ "Line_Separator", "Zl" }, { "Paragraph_Separator", "Zp" }, { "Other", "C" }, { "Control", "Cc" }, { "cntrl", "Cc" },
	{ "Format", "Cf" }, { "Surrogate", "Cs" }, { "Private_Use", "Co" }, { "Unassigned", "Cn" },
};

static const char *
category_of(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(categories) / sizeof(*categories); i++)
		if (strlen(categories[i].name) == len && memcmp(categories[i].name, name, len) == 0)
			return categories[i].category;
	return NULL;
}

/* The pattern with \p{Letter} as \p{L}. */
static char *
shorten_categories(struct arena *mem, const char *pattern, size_t *len)
{
	char *out = arena_strndup(mem, pattern, *len);
	size_t n = 0;

	for (size_t i = 0; i < *len; i++) {
		const char *end, *category = NULL, *rest = pattern + i;
		size_t left = *len - i;

		out[n++] = *rest;
		if (*rest != '\\' || left < 2)
			continue;
		out[n++] = rest[1];
		i++;
		if ((rest[1] != 'p' && rest[1] != 'P') || left < 4 || rest[2] != '{' || !(end = memchr(rest, '}', left)))
			continue;
		category = category_of(rest + 3, (size_t)(end - rest) - 3);
		if (!category)
			continue;
		out[n++] = '{';
		memcpy(out + n, category, strlen(category));
		n += strlen(category);
		out[n++] = '}';
		i = (size_t)(end - pattern);
	}
	out[n] = '\0';
	*len = n;
	return out;
}

static pcre2_code *
compile(const char *pattern, size_t len, int *code, size_t *at)
{
	const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_ALT_BSUX |
	                         PCRE2_MATCH_UNSET_BACKREF | PCRE2_ALLOW_EMPTY_CLASS;
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *re;

	if (!context)
		abort();
	(void)pcre2_set_parens_nest_limit(context, NEST_MAX);
	(void)pcre2_set_max_pattern_length(context, REGEX_PATTERN_MAX);
	re = pcre2_compile((PCRE2_SPTR)pattern, len, options, code, at, context);
	pcre2_compile_context_free(context);
	return re;
}

int
regex_compile(struct arena *mem, const char *pattern, size_t len, struct regex **out, struct err *e)
{
	unsigned char text[160];
	struct regex *re;
	pcre2_code *code;
	size_t at = 0;
	int rc = 0;

	if (len > REGEX_PATTERN_MAX)
		return err_set(e, ERR_INVALID, "pattern of %zu bytes: the limit is %d", len, REGEX_PATTERN_MAX);
	pattern = shorten_categories(mem, pattern, &len);
	code = compile(pattern, len, &rc, &at);
	if (!code) {
		if (pcre2_get_error_message(rc, text, sizeof(text)) < 0)
			text[0] = '\0';
		return err_set(e, ERR_INVALID, "pattern '%.200s': %s (at byte %zu)", pattern, (const char *)text, at);
	}
	re = arena_alloc(mem, sizeof(*re));
	re->code = code;
	re->limits = pcre2_match_context_create(NULL);
	if (!re->limits)
		abort();
	(void)pcre2_set_match_limit(re->limits, STEPS_MAX);
	(void)pcre2_set_depth_limit(re->limits, DEPTH_MAX);
	(void)pcre2_set_heap_limit(re->limits, HEAP_KIB_MAX);
	arena_defer(mem, regex_done, re);
	*out = re;
	return 0;
}

void
regex_run_free(struct regex_run *run)
{
	pcre2_match_data_free(run->data);
	run->data = NULL;
}

int
regex_match(const struct regex *re, struct regex_run *run, const char *s, size_t len)
{
	int rc;

	if (!run->data && !(run->data = pcre2_match_data_create(1, NULL)))
		abort();
	rc = pcre2_match(re->code, (PCRE2_SPTR)s, len, 0, 0, run->data, re->limits);
	if (rc == PCRE2_ERROR_NOMATCH)
		return 0;
	return rc >= 0 ? 1 : ERR_INVALID;
}
