/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions (PCRE2, UTF-8) with bounded work. */
#pragma once

#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

struct regex;

/* Longest pattern, in bytes. */
#define REGEX_PATTERN_MAX 4096

/*
 * Compiles a pattern close to ECMA-262, as JSON Schema asks: `$` only at the very end, \d and \w ASCII. A pattern that
 * does not compile is ERR_INVALID with the offset. It lives in `mem` and may be used by many threads at once.
 */
int regex_compile(struct arena *mem, const char *pattern, size_t len, struct regex **out, struct err *e) MUST_USE;

/* What one match needs while it runs: one for each thread, reused by many matches. Starts as { NULL }. */
struct regex_run {
	void *data;
};

void regex_run_free(struct regex_run *run);

#define AUTO_REGEX_RUN __attribute__((cleanup(regex_run_free)))

/*
 * 1 when the pattern is found anywhere in `s`, 0 when not, ERR_INVALID when `s` is not UTF-8 or the work goes over the
 * limits (100,000 steps, 8 MiB).
 */
int regex_match(const struct regex *re, struct regex_run *run, const char *s, size_t len);
