/* SPDX-License-Identifier: Apache-2.0 */
/* Findings for people and for machines: one row a format. */
#pragma once

#include "lib/doc/report.h"

struct report_format {
	const char *name;  /* of --format */
	bool text_beside;  /* what it writes is for a machine that shows little of it: print the text on stderr too */
	/* Appends the whole report, sorted before, to `out`. `files` gives source lines, may be NULL; scratch goes into `mem`. */
	void (*write)(struct arena *mem, const struct report *r, const struct files *files, struct buf *out);
};

/*
 * text    as report_text, without colours
 * json    a list as report_value gives it; yaml the same
 * github  workflow commands, errors first, since only the first ten are shown
 *         (https://docs.github.com/actions/reference/workflow-commands-for-github-actions)
 * gitlab  a code quality report (https://docs.gitlab.com/ci/testing/code_quality/); each finding has a fingerprint of its
 *         own that stays when lines move
 * sarif   SARIF 2.1.0 with the catalogue of findings as its rules (OASIS, sarif-v2.1.0)
 */
extern const struct report_format report_formats[];
extern const size_t report_formats_n;

/* The row of that name, or NULL. */
const struct report_format *report_format_find(const char *name);
