/* SPDX-License-Identifier: Apache-2.0 */
/* Files both ways with the age program: what berth seals it opens, and the other way round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/fs.h"
#include "lib/base/proc.h"
#include "lib/seal/age.h"
#include "with_arena.h"

#define DEADLINE_MS 60000

static char folder[] = "/tmp/berth-age-XXXXXX";
static bool have_age;
static uint8_t plain[1000000];
static struct age_identity keys[2]; /* in files a.key and b.key */
static char recipients[2][AGE_TEXT_MAX];

static const size_t sizes[] = { 0, 1, 15, 65535, 65536, 65537, 131072, 131073, 1000000 };
#define NSIZES (sizeof(sizes) / sizeof(*sizes))

static const char *
in_folder(const char *name)
{
	return arena_printf(mem, "%s/%s", folder, name);
}

/* age with these arguments; its output must be empty of complaints. */
static void
age(const char *const *argv, const void *input, size_t n, struct proc_result *r)
{
	struct proc p = { .argv = argv, .cwd = folder, .input = n ? input : NULL, .input_len = n, .timeout_ms = DEADLINE_MS, .output_max = 2 << 20 };
	struct err e = { 0 };

	if (proc_run(&p, r, &e) < 0)
		fail_msg("age: %s", e.text);
	if (r->exit_code != 0)
		fail_msg("age: exit %d: %s", r->exit_code, buf_cstr(&r->err));
}

static int
prepare(void **state)
{
	static const char *const argv[] = { "age", "--version", NULL };
	struct proc p = { .argv = argv, .timeout_ms = DEADLINE_MS };
	struct proc_result r = { 0 };
	struct err e = { 0 };

	(void)setup(state);
	if (seal_init(&e) < 0 || !mkdtemp(folder))
		return -1;
	have_age = proc_run(&p, &r, &e) == 0 && r.exit_code == 0;
	proc_result_free(&r);
	if (!have_age)
		print_message("# NOT TESTED: files both ways with age: the program is not here (package age)\n");
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 2654435761U >> 13);
	for (size_t i = 0; i < 2; i++) {
		struct secret AUTO_SECRET text = { NULL, 0 };
		uint8_t seed[32];

		memset(seed, (int)i + 1, sizeof(seed));
		age_identity_from_seed(seed, &keys[i]);
		age_recipient_text(keys[i].pk, recipients[i]);
		age_identity_text(&keys[i], &text);
		if (fs_write_atomic(in_folder(i ? "b.key" : "a.key"), text.b, text.n, 0600, &e) < 0)
			return -1;
	}
	return teardown(state);
}

static int
clean(void **state)
{
	static const char *const names[] = { "a.key", "b.key", "sealed" };

	(void)setup(state);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)remove(in_folder(names[i]));
	(void)remove(folder);
	return teardown(state);
}

/* Sealed here for one or both, opened there by each key. */
static void
ours(void **state)
{
	(void)state;
	if (!have_age)
		skip();
	for (size_t i = 0; i < NSIZES * 4; i++) {
		size_t n = sizes[i / 4], for_n = i & 1 ? 2 : 1;
		bool armored = i & 2;
		uint8_t pk[2][32];
		struct buf AUTO_BUF file = BUF_INIT(0);
		struct err e = { 0 };

		memcpy(pk[0], keys[0].pk, 32);
		memcpy(pk[1], keys[1].pk, 32);
		assert_int_equal(age_seal((const uint8_t(*)[32])pk, for_n, plain, n, armored, NULL, &file, &e), 0);
		assert_int_equal(fs_write_atomic(in_folder("sealed"), file.data, file.len, 0600, &e), 0);
		for (size_t k = 0; k < for_n; k++) {
			const char *const argv[] = { "age", "-d", "-i", k ? "b.key" : "a.key", "sealed", NULL };
			struct proc_result r = { 0 };

			age(argv, NULL, 0, &r);
			assert_int_equal(r.out.len, n);
			assert_memory_equal(buf_cstr(&r.out), plain, n);
			proc_result_free(&r);
		}
	}
}

static void
theirs(void **state)
{
	(void)state;
	if (!have_age)
		skip();
	for (size_t i = 0; i < NSIZES * 4; i++) {
		size_t n = sizes[i / 4], at = 3;
		const char *argv[] = { "age", "-r", recipients[0], NULL, NULL, NULL, NULL };
		struct proc_result r = { 0 };
		struct err e = { 0 };

		if (i & 2)
			argv[at++] = "-a";
		if (i & 1) {
			argv[at++] = "-r";
			argv[at++] = recipients[1];
		}
		age(argv, plain, n, &r);
		for (size_t k = 0; k < (i & 1 ? 2 : 1); k++) {
			struct secret AUTO_SECRET out = { NULL, 0 };

			if (age_open(r.out.data, r.out.len, &keys[k], 1, NULL, &out, NULL, &e) < 0)
				fail_msg("%zu bytes: %s", n, e.text);
			assert_int_equal(out.n, n);
			assert_memory_equal(out.b, plain, n);
		}
		assert_int_equal(age_recipients(r.out.data, r.out.len), i & 1 ? 2 : 1);
		proc_result_free(&r);
	}
}

/* Keys of SSH are recipients of age too, and none of ours: such a stanza is passed over. */
static void
beside_ssh(void **state)
{
	static const char key[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAII6l8mzZ0SbcfAY/95UIeROZzZ2Fw0mYyImFazOLWTGT";
	const char *const argv[] = { "age", "-r", key, "-r", recipients[0], NULL };
	struct secret AUTO_SECRET out = { NULL, 0 };
	struct proc_result r = { 0 };
	enum age_why why = AGE_FINE;
	struct err e = { 0 };

	(void)state;
	if (!have_age)
		skip();
	age(argv, plain, 100, &r);
	assert_int_equal(age_open(r.out.data, r.out.len, &keys[1], 1, NULL, &out, &why, &e), ERR_DENIED);
	assert_int_equal(why, AGE_NO_MATCH);
	assert_int_equal(age_open(r.out.data, r.out.len, keys, 1, NULL, &out, &why, &e), 0);
	assert_int_equal(out.n, 100);
	proc_result_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ours, setup, teardown), cmocka_unit_test_setup_teardown(theirs, setup, teardown),
		cmocka_unit_test_setup_teardown(beside_ssh, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, prepare, clean);
}
