/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's HTTP side: /healthz and /readyz. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "lib/base/err.h"

/* Written by the loop, read by the server's thread. */
struct health {
	_Atomic int64_t beat;       /* clock_mono_ms of the loop's last turn */
	_Atomic int64_t last_good;  /* of the last pass that went through; 0: none yet */
	_Atomic int failures;       /* passes or polls that failed in a row */
	int64_t beat_max;           /* older beats than this (ms) are unhealthy: the loop hangs */
};

struct server;

/*
 * Listens on "ADDR:PORT" ("127.0.0.1:8080", "[::1]:8080", ":8080" for 127.0.0.1). Only GET and HEAD are answered; bodies are
 * not read. /healthz: 200 while the loop turns; /readyz: 200 once a pass went through and the last did not fail.
 */
int server_start(const char *listen, const struct health *h, struct server **out, struct err *e) MUST_USE;
void server_stop(struct server *s);
