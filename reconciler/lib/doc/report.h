/* SPDX-License-Identifier: Apache-2.0 */
/* Findings: many at once, each with a code, a place, what is wrong, why, and what to write instead. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/files.h"
#include "lib/doc/value.h"

enum finding_code {
#define FINDING(code, name, title, why) FINDING_##name,
#include "lib/doc/findings.def"
#undef FINDING
	FINDING_COUNT
};

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

struct finding {
	enum finding_code code;
	enum severity severity;
	struct place at;     /* file is always set; line 0 means the file as a whole */
	size_t width;        /* characters to underline from `at`; 0 means one, or the word there (references, rules) */
	const char *message; /* what is wrong, one line, no place, no trailing full stop */
	const char *help;    /* what to write instead, or NULL */
	const char *note;    /* background, or the place of the limit ("limit set at teams/nlp.yaml:9:14"), or NULL */
};

/* Findings of one run; they live in the arena given. At most REPORT_MAX are kept, the rest only counted. */
#define REPORT_MAX 10000

struct report {
	struct arena *mem;
	struct finding *items;
	size_t n, cap;
	size_t errors, warnings; /* all of them, also those not kept */
};

void report_init(struct report *r, struct arena *mem);

/*
 * Adds a finding and returns it, so that width, help and note can be set before the next one is added (which may move
 * it). Texts are copied.
 */
struct finding *report_add(struct report *r, enum finding_code code, enum severity s, struct place at, const char *fmt, ...)
	PRINTF(5, 6);
void finding_help(struct report *r, struct finding *f, const char *fmt, ...) PRINTF(3, 4);
void finding_note(struct report *r, struct finding *f, const char *fmt, ...) PRINTF(3, 4);

/* Adds all findings of `from`, texts and file names copied into `r`'s arena. */
void report_copy(struct report *r, const struct report *from);

/* Sorts by file, line, column, code and drops exact repetitions. */
void report_sort(struct report *r);

/* "E102"; the one-line title; the paragraph that `berth explain` prints. */
const char *finding_id(enum finding_code code);
const char *finding_title(enum finding_code code);
const char *finding_why(enum finding_code code);

/*
 * As people read it: code, message, place, the source line with a caret, help, note. `files` gives the source lines
 * (may be NULL: then no source line). Colours (SGR) when `colour`. Control characters of the source are shown as '.'.
 */
void report_text(const struct report *r, const struct files *files, bool colour, struct buf *out);

/* One line a finding, "file:line:col: error[E102]: message (help)": for logs and status. */
void finding_line(const struct finding *f, struct buf *out);

/* A JSON list, each {code, severity, file, line, column, message, help, note}. */
struct value *report_value(struct arena *mem, const struct report *r);
