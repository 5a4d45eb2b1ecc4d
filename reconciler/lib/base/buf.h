/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a hard maximum. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

struct buf {
	char *data;  /* always NUL-terminated once something was added; NULL before */
	size_t len, cap;
	size_t max;  /* bytes; 0 means BUF_MAX_DEFAULT */
	bool over;   /* something did not fit and was left out: check buf_check() once at the end */
};

#define BUF_MAX_DEFAULT ((size_t)64 << 20)
#define BUF_INIT(limit) { NULL, 0, 0, (limit), false }

void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_pad(struct buf *b, char c, size_t n); /* n times c */
void buf_reset(struct buf *b);                 /* empties, keeps the memory */
void buf_free(struct buf *b);                  /* frees; the buffer can be used again */
const char *buf_cstr(const struct buf *b);     /* "" when empty */

/* 0, or ERR_INVALID saying that `what` is larger than the limit. */
int buf_check(const struct buf *b, const char *what, struct err *e) MUST_USE;

#define AUTO_BUF __attribute__((cleanup(buf_free)))
