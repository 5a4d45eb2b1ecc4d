/* SPDX-License-Identifier: Apache-2.0 */
/* Between forge.c, which knows the forge, forge_send.c and forge_answer.c, which understands. */
#pragma once

#include <sys/stat.h>

#include "lib/forge/forge_priv.h"

#define FORGE_TOLD_MAX 500 /* the largest told_hour */

struct forge {
	const struct forge_ops *ops;
	enum forge_kind kind;
	struct arena *mem; /* of the texts here */
	const char *api, *repo, *root, *token_file;
	const char *login; /* NULL: not known yet */
	struct http *http;
	char *token;
	struct stat token_stat;
	int64_t timeout_ms;
	const atomic_bool *cancel;
	int64_t (*mono_ms)(void);
	int64_t limit_at;  /* monotonic; nothing is sent before */
	int64_t limit_end; /* the same in seconds since 1970, for people */
	int64_t wrote_at;  /* monotonic; end of the last write */
	int64_t told[FORGE_TOLD_MAX]; /* ends of the last writes that people were told of, a ring */
	size_t ntold;
	struct forge_counts counts;
	struct forge_pages *pages;
};

/* Reads the token when its file is another one, or when told to (`force`). While there is an older token a failure is none. */
int forge_look_at_token(struct forge *f, bool force, struct err *e) MUST_USE;

struct forge_head {
	long status;
	bool linked, next, scoped;
	char scopes[1024];
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
