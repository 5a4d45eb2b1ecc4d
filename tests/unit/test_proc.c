/* SPDX-License-Identifier: Apache-2.0 */
/* Children: output, exit codes, limits, deadlines. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/proc.h"

static struct err e;

static void
results(void **state)
{
	static const struct {
		const char *name, *script, *input;
		int exit_code, signal;
		const char *out, *err;
	} rows[] = {
		{ "output", "echo one; echo two >&2", NULL, 0, 0, "one\n", "two\n" },
		{ "exit code", "exit 7", NULL, 7, 0, "", "" },
		{ "signal", "kill -9 $$", NULL, -1, SIGKILL, "", "" },
		{ "input", "cat", "three", 0, 0, "three", "" },
		{ "no input is /dev/null", "cat; echo end", NULL, 0, 0, "end\n", "" },
		{ "input that nobody reads", "true", "four", 0, 0, "", "" },
		{ "environment", "echo $BERTH_A-$BERTH_B", NULL, 0, 0, "yes-over\n", "" },
		{ "folder", "pwd", NULL, 0, 0, "/\n", "" },
		{ "no core files", "ulimit -c", NULL, 0, 0, "0\n", "" },
		/* the shell's own tests: a command or a pipe would open descriptors of its own */
		{ "no descriptors of ours", "for i in 3 4 5 6 7 8 9 10 11 12; do [ ! -e /proc/$$/fd/$i ] || echo $i; done", NULL, 0, 0,
		  "", "" },
	};
	static const char *const env[] = { "BERTH_A=yes", "BERTH_B=over", NULL };
	int fds[2];

	(void)state;
	assert_int_equal(setenv("BERTH_B", "under", 1), 0);
	assert_int_equal(pipe(fds), 0); /* inheritable on purpose */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const argv[] = { "sh", "-c", rows[i].script, NULL };
		struct proc p = { .argv = argv, .env = env, .cwd = "/", .input = rows[i].input,
			.input_len = rows[i].input ? strlen(rows[i].input) : 0 };
		struct proc_result r;

		print_message("# %s\n", rows[i].name);
		assert_int_equal(proc_run(&p, &r, &e), 0);
		assert_int_equal(r.exit_code, rows[i].exit_code);
		assert_int_equal(r.signal, rows[i].signal);
		assert_string_equal(buf_cstr(&r.out), rows[i].out);
		assert_string_equal(buf_cstr(&r.err), rows[i].err);
		proc_result_free(&r);
	}
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void
not_started(void **state)
{
	static const char *const names[] = { "berth-no-such-program", "/no/such/program", "/etc/passwd", "/" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *const argv[] = { names[i], NULL };
		struct proc_result r;

		assert_int_equal(proc_run(&(struct proc){ .argv = argv }, &r, &e), ERR_NOTFOUND);
		assert_non_null(strstr(e.text, names[i]));
	}
}

static void
output_is_bounded(void **state)
{
	const char *const argv[] = { "sh", "-c", "head -c 3000000 /dev/zero; echo end >&2", NULL };
	struct proc_result r;

	(void)state;
	assert_int_equal(proc_run(&(struct proc){ .argv = argv, .output_max = 1000 }, &r, &e), 0);
	assert_int_equal(r.exit_code, 0);
	assert_int_equal(r.out.len, 1000);
	assert_string_equal(buf_cstr(&r.err), "end\n");
	proc_result_free(&r);
}

static void
large_input(void **state)
{
	const char *const argv[] = { "wc", "-c", NULL };
	struct proc_result r;
	char *in = calloc(1, 500000);

	(void)state;
	assert_int_equal(proc_run(&(struct proc){ .argv = argv, .input = in, .input_len = 500000 }, &r, &e), 0);
	assert_string_equal(buf_cstr(&r.out), "500000\n");
	proc_result_free(&r);
	free(in);
}

/* The group dies: a grandchild that ignores the end of its parent does not keep us. */
static void
deadline(void **state)
{
	static const char *const scripts[] = { "sleep 600", "trap '' TERM; sleep 600 & wait; sleep 600", "sleep 600 | cat" };

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		const char *const argv[] = { "sh", "-c", scripts[i], NULL };
		struct proc_result r;

		assert_int_equal(proc_run(&(struct proc){ .argv = argv, .timeout_ms = 100 }, &r, &e), ERR_UNAVAILABLE);
		assert_true(r.timed_out);
		assert_false(r.cancelled);
		assert_non_null(strstr(e.text, "100 ms"));
	}
}

static void
leftover_grandchild(void **state)
{
	const char *const argv[] = { "sh", "-c", "sleep 600 & echo $!", NULL };
	struct proc_result r;

	(void)state;
	assert_int_equal(proc_run(&(struct proc){ .argv = argv }, &r, &e), 0);
	assert_int_equal(r.exit_code, 0);
	assert_true(r.out.len > 1);
	proc_result_free(&r);
}

static atomic_bool stop;

static void *
stop_soon(void *p)
{
	(void)p;
	(void)usleep(100000);
	stop = true;
	return NULL;
}

static void
cancelled(void **state)
{
	const char *const argv[] = { "sleep", "600", NULL };
	struct proc_result r;
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, stop_soon, NULL), 0);
	assert_int_equal(proc_run(&(struct proc){ .argv = argv, .cancel = &stop }, &r, &e), ERR_CANCELLED);
	assert_true(r.cancelled);
	(void)pthread_join(t, NULL);
}

static void
self(void **state)
{
	(void)state;
	proc_save_self("anything");
	assert_int_equal(access(proc_self(), X_OK), 0);
	assert_non_null(strstr(proc_self(), "test_proc"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results),
		cmocka_unit_test(not_started),
		cmocka_unit_test(output_is_bounded),
		cmocka_unit_test(large_input),
		cmocka_unit_test(deadline),
		cmocka_unit_test(leftover_grandchild),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(self),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
