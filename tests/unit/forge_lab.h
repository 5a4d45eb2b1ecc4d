/* SPDX-License-Identifier: Apache-2.0 */
/* A client of the forge that plays: with a token file, a clock that the test sets, and a look at every error. */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/str.h"
#include "lib/forge/forge_priv.h"
#include "unit/forge_scenario.h"
#include "unit/with_arena.h"

#define TOKEN "forge-token-1"

static struct err e;
static char folder[] = "/tmp/berth-forge-XXXXXX", token_file[64];
static int64_t now_ms;

static inline int64_t
mono(void)
{
	return now_ms;
}

static inline void
write_token(const char *text)
{
	assert_int_equal(fs_write_atomic(token_file, text, strlen(text), 0600, NULL), 0);
}

static inline struct forge *
open_at(const struct forge_peer *p, enum forge_kind kind, int64_t timeout_ms)
{
	struct forge_config c = { .kind = kind, .repo = kind == FORGE_GITLAB ? "example/team/envs" : "example/envs",
		                  .token_file = token_file, .timeout_ms = timeout_ms, .mono_ms = mono };
	char api[64];
	struct forge *f;

	(void)snprintf(api, sizeof(api), "http://127.0.0.1:%d/", p->port);
	c.api = api;
	assert_int_equal(forge_open(&c, &f, &e), 0);
	return f;
}

/* All that was to be asked was asked, in that order, and nothing else. */
static inline void
finish(struct forge *f, struct forge_peer *p)
{
	forge_close(f);
	peer_stop(p);
	assert_string_equal(p->wrong, "");
	assert_null(p->list[p->served].ask);
}

/* Of every error: on one line, nothing that a terminal obeys, no token. */
static inline void
check_text(int rc, int want)
{
	if (rc != want)
		print_message("# %d, wanted %d: %s\n", rc, want, e.text);
	assert_int_equal(rc, want);
	assert_null(strstr(e.text, "forge-token"));
	assert_null(strstr(e.hint, "forge-token"));
	for (const char *s = e.text; *s; s++)
		assert_true((unsigned char)*s >= 0x20 && *s != 0x7f);
	assert_true(str_utf8_valid(e.text, strlen(e.text)));
}

static inline int
make_folder(void **state)
{
	(void)state;
	(void)setenv("no_proxy", "*", 1);
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(token_file, sizeof(token_file), "%s/token", folder);
	now_ms = 1000000;
	return fs_write_atomic(token_file, TOKEN, strlen(TOKEN), 0600, NULL);
}

static inline int
remove_folder(void **state)
{
	(void)state;
	return unlink(token_file) | rmdir(folder);
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
