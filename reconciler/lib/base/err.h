/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: a code to act on and a text that grows leftwards into a cause chain. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

/*
 * A function that can fail returns 0 or one of these; `struct err *` is its last parameter and its outputs are
 * written only on success. Errors about user input that can occur many at a time go into a `struct report`
 * (lib/doc/report.h) instead.
 */
enum err_code {
	ERR_INVALID = -1,     /* the input is wrong; the same input will fail again */
	ERR_NOTFOUND = -2,    /* the thing named is not there */
	ERR_CONFLICT = -3,    /* somebody else changed it first: look again and retry */
	ERR_DENIED = -4,      /* refused by a rule, a guard or a permission */
	ERR_UNAVAILABLE = -5, /* network, disk or peer: retry with back-off */
	ERR_INTERNAL = -6,    /* a bug or a broken file of ours */
	ERR_USAGE = -7,       /* wrong command line */
	ERR_CANCELLED = -8,   /* told to stop */
};

struct err {
	int code;         /* 0 or an enum err_code */
	char text[1024];  /* cause chain: "render alice/train: template x.yaml:14: no field 'gpus'"; cut when longer */
	char hint[512];   /* what to do next, a full sentence or a command; may be empty */
};

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Sets code and text, forgets an older hint, returns code. `e` may be NULL (then only the code is returned). */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF(3, 4);

/* Puts "fmt: " in front of the text and returns e->code (ERR_INTERNAL when e is NULL or holds none). */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* Sets the next step shown to the person; returns e->code. */
int err_hint(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* Sets `ERR_UNAVAILABLE` (or NOTFOUND/DENIED where errno says so) with strerror(errno) at the end; returns the code. */
int err_errno(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* True when trying again later can help (UNAVAILABLE, CONFLICT). */
bool err_retryable(int code);

/* "invalid", "unavailable" …; never NULL. */
const char *err_name(int code);
