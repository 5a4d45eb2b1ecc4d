/* SPDX-License-Identifier: Apache-2.0 */
/* One line an event: key=value or JSON, every value redacted. Only reconcile.c, pulls/, daemon/ and cli/ log. */
#pragma once

#include "lib/base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

/* What the line is about; NULL members are left out. */
struct log_about {
	const char *run;   /* id of the pass */
	const char *env;   /* "alice/train", or another unit ("users/alice") */
	const char *stage; /* repo parse validate render plan apply status */
};

/* Lines above `level` are dropped. Lines go to stderr, each with one write(2). */
void log_setup(enum log_level level, enum log_format format);
int log_level_parse(const char *s, enum log_level *out) MUST_USE;

/* about may be NULL. Text form: "2026-11-22T19:40:00Z info run=4f1c env=alice/train stage=apply msg". */
void log_line(enum log_level level, const struct log_about *about, const char *fmt, ...) PRINTF(3, 4);

/* The error's text, and its hint when there is one. */
void log_err(enum log_level level, const struct log_about *about, const struct err *e);
