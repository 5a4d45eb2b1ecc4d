/* SPDX-License-Identifier: Apache-2.0 */
/* Between forge.c, which sends, and forge_answer.c, which understands. */
#pragma once

#include "lib/forge/forge_priv.h"

struct forge_head {
	long status;
	bool linked, next;
	int64_t total, left, reset, retry_after; /* -1: not sent */
	char message[FORGE_MESSAGE];
};

#define FORGE_HEAD_INIT { .total = -1, .left = -1, .reset = -1, .retry_after = -1 }

void forge_head_line(void *ctx, const char *line, size_t len); /* ctx: the head */

/* The forge's words in the body of a refusal, fit for a line and without secrets; "" when it is not its JSON. */
void forge_words(const struct buf *body, char out[FORGE_MESSAGE]);

/* Seconds that the answer tells us to wait, at most an hour; 0: none. */
int64_t forge_wait_of(const struct forge_head *h, int64_t now);

/* 0, or the error that the status is. */
int forge_judge(struct forge *f, const struct forge_call *c, const struct forge_head *h, struct err *e);

const char *forge_token_file(const struct forge *f);
