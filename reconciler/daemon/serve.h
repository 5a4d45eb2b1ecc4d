/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's HTTP side: /healthz, /readyz and the hooks of forges. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "daemon/hook.h"
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
 * Listens on "ADDR:PORT" ("127.0.0.1:8080", "[::1]:8080", ":8080" for 127.0.0.1). /healthz: 200 while the loop turns; /readyz: 200 once a pass
 * went through and the last did not fail; GET and HEAD, a body is not read. /hook/github, /hook/gitlab and /hook/gitea are there when `hooks` is not
 * NULL; POST, at most HOOK_BODY_MAX bytes (413), HOOK_BODIES_MAX of all requests together (503). It is one thread: 64 connections, 16 KiB of
 * head, 3 s of silence, 10 s a request (daemon/serve_slow.h). Who asks is not looked at, and neither are X-Forwarded-For and its kin.
 */
#define HOOK_BODIES_MAX ((size_t)8 << 20)
int server_start(const char *listen, const struct health *h, struct hooks *hooks, struct server **out, struct err *e) MUST_USE;
void server_stop(struct server *s); /* NULL is fine */
