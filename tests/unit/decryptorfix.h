/* SPDX-License-Identifier: Apache-2.0 */
/* A decryptor for tests, what it is asked for, and how it dies. The program is started again as the decryptor itself. */
#pragma once

#include <linux/sockios.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "keyfix.h"
#include "lib/base/clock.h"
#include "lib/seal/decryptor_client.h"
#include "with_arena.h"

#define PLAIN "hunter2-of-a-test"

static struct decryptor *d;

static const struct seal_place alice = { PLACE_OWNER, "alice", "7f3a9c12", NULL };
static const struct seal_place train = { PLACE_ENV, "alice", "7f3a9c12", "train" };
static const struct seal_place mallory = { PLACE_OWNER, "mallory", "00000bad", NULL };
static const struct seal_place site = { PLACE_SITE, NULL, NULL, NULL };

static inline void
start(int64_t deadline_ms)
{
	const struct decryptor_config c = { .key_file = key_file, .deadline_ms = deadline_ms };
	int rc = decryptor_start(&c, &d, &e);

	if (rc < 0)
		fail_msg("%s (%s)", e.text, e.hint);
}

static inline int
setup_running(void **state)
{
	(void)setup(state);
	start(20000);
	return 0;
}

static inline int
teardown_running(void **state)
{
	decryptor_stop(d);
	d = NULL;
	return teardown(state);
}

static inline struct sealed
sealed_for(const struct seal_place *p, unsigned generation, const char *plain, unsigned newest, unsigned oldest)
{
	struct buf b = BUF_INIT(0);
	struct sealed s = { .place = *p, .format = SEAL_AGE, .generation = newest, .oldest = oldest };
	struct age_identity id;
	int rc = master_identity(&m, generation, p, &id, &e);

	assert_int_equal(rc, 0);
	rc = age_seal((const uint8_t (*)[32])(uintptr_t)id.pk, 1, plain, strlen(plain), true, NULL, &b, &e);
	assert_int_equal(rc, 0);
	s.bytes = arena_memdup(mem, b.data, b.len);
	s.n = b.len;
	buf_free(&b);
	return s;
}

/* A SOPS file with values below `data`. */
static inline struct sealed
sops_for(const struct seal_place *p, const char *const names[], const char *const values[], size_t n)
{
	static const char document[] = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\n";
	struct sops_value *v = arena_array(mem, n, sizeof(*v));
	struct sealed s = { .place = *p, .format = SEAL_SOPS_YAML, .generation = 1, .oldest = 1 };
	const uint8_t seed[32] = { 1 };
	struct buf b = BUF_INIT(0);
	struct age_identity id;

	assert_int_equal(master_identity(&m, 1, p, &id, &e), 0);
	for (size_t i = 0; i < n; i++) {
		const char **keys = arena_array(mem, 2, sizeof(*keys));

		keys[0] = "data";
		keys[1] = names[i];
		v[i] = (struct sops_value){ keys, 2, (const unsigned char *)values[i], strlen(values[i]) };
	}
	if (sops_seal(document, sizeof(document) - 1, v, n, id.pk, seed, &b, &e) < 0)
		fail_msg("%s", e.text);
	s.bytes = arena_memdup(mem, b.data, b.len);
	s.n = b.len;
	buf_free(&b);
	return s;
}

static inline struct sealed_value *
look(const struct sealed *s, size_t want, unsigned want_generation)
{
	struct sealed_value *v = NULL;
	unsigned generation = 0;
	size_t n = 0;
	int rc = decryptor_look(d, mem, s, &v, &n, &generation, &e);

	if (rc < 0)
		fail_msg("%s (%s)", e.text, e.hint);
	assert_int_equal(n, want);
	assert_int_equal(generation, want_generation);
	return v;
}

static inline int
look_code(const struct sealed *s)
{
	struct sealed_value *v;
	unsigned generation;
	size_t n;

	memset(&e, 0, sizeof(e));
	return decryptor_look(d, mem, s, &v, &n, &generation, &e);
}

static pid_t killer;

/* Ends the decryptor while it has a request: it is stopped first, so that it cannot answer before, and ended when the request is there. */
static inline void
die_of_it(void)
{
	pid_t victim = decryptor_pid(d);

	assert_int_equal(kill(victim, SIGSTOP), 0);
	killer = fork();
	if (killer == 0) {
		for (int i = 0, unread = 0; i < 6000 && ioctl(d->fd, SIOCOUTQ, &unread) == 0 && unread == 0; i++)
			clock_sleep_ms(10);
		clock_sleep_ms(20);
		(void)kill(victim, SIGKILL);
		_exit(0);
	}
	assert_true(killer > 0);
}

static inline void
reap_killer(void)
{
	assert_int_equal(waitpid(killer, NULL, 0), killer);
}

/* Waits for the end of a back-off. */
static inline int
look_later(const struct sealed *s)
{
	int rc = ERR_UNAVAILABLE;

	for (int i = 0; i < 1000 && rc == ERR_UNAVAILABLE; i++) {
		rc = look_code(s);
		if (rc == ERR_UNAVAILABLE)
			clock_sleep_ms(20);
	}
	return rc;
}

#define RUNNING(t) cmocka_unit_test_setup_teardown(t, setup_running, teardown_running)
