/* SPDX-License-Identifier: Apache-2.0 */
/* What the two sides of the network child share. */
#pragma once

#include "lib/git/priv.h"

/*
 * argv of the child, behind the program: git-child fetch|push GITDIR URL TOKEN-FILE USERNAME SSH-KEY-FILE, then for fetch REF …, for
 * push REF OLD NEW. "" stands for none. No secret is among them: the token is read from its file by the child.
 * It prints the error code (0: fine), the text and the hint, each on a line.
 */
#define CHILD_ARGS 7

/* ERR_INVALID for what is no reachable repository, and for a URL with credentials in it (never repeated in the text). */
int git_url_check(const char *url, struct err *e) MUST_USE;

#define GIT_TOKEN_MAX 4096

/* The first line of a token file; the redactor is told about it. The caller wipes it. */
int git_token_read(const char *path, char out[GIT_TOKEN_MAX], struct err *e) MUST_USE;
