/* SPDX-License-Identifier: Apache-2.0 */
/* Several files in one question to the decryptor. This program is started again as the decryptor itself. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "decryptorfix.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

/* Each as it is when it is asked for alone. */
static void
same_as_alone(const struct sealed *s, const struct decryptor_looked *l)
{
	struct sealed_value *v = NULL;
	struct err alone = { 0 };
	unsigned generation;
	size_t n = 0;
	int rc = decryptor_look(d, mem, s, &v, &n, &generation, &alone);

	assert_true(l->known);
	assert_int_equal(rc, l->e ? l->e->code : 0);
	if (l->e) {
		assert_string_equal(l->e->text, alone.text);
		assert_string_equal(l->e->hint, alone.hint);
		return;
	}
	assert_int_equal(n, l->n);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(v[i].name, l->values[i].name);
		assert_string_equal(v[i].digest, l->values[i].digest);
		assert_int_equal(v[i].size, l->values[i].size);
	}
}

static void
several(void **state)
{
	static const char *const names[] = { "user", "token" }, *const values[] = { "YWxpY2U=", PLAIN };
	struct sealed files[5] = { sealed_for(&alice, 1, PLAIN, 1, 1), sealed_for(&mallory, 1, PLAIN, 1, 1), sops_for(&train, names, values, 2),
		sealed_for(&alice, 2, "", 2, 1), sealed_for(&alice, 1, PLAIN "x", 1, 1) };
	struct decryptor_looked out[5];

	(void)state;
	files[1].place = train;
	files[3].n -= 40;
	assert_int_equal(decryptor_looks(d, mem, files, 5, out, &e), 0);
	for (size_t i = 0; i < 5; i++)
		same_as_alone(&files[i], &out[i]);
	assert_true(!out[0].e && out[1].e && out[1].e->code == ERR_DENIED && out[2].n == 2 && out[3].e && out[3].e->code == ERR_INVALID && !out[4].e);
	assert_int_equal(decryptor_looks(d, mem, files, 0, out, &e), 0);
}

/* More than go into one question, by number and by size (all of them would be no message); what is too large for company is asked for alone. */
static void
so_many(void **state)
{
	enum { N = 2 * DECRYPTOR_LOOKS_MAX + 3, LARGE = 16 };
	struct sealed *files = arena_array(mem, N + LARGE + 1, sizeof(*files));
	struct decryptor_looked *out = arena_array(mem, N + LARGE + 1, sizeof(*out));
	char *text = arena_alloc(mem, DECRYPTOR_LOOKS_BYTES + 1);

	(void)state;
	memset(text, 'x', DECRYPTOR_LOOKS_BYTES);
	for (int i = 0; i < N; i++)
		files[i] = sealed_for(&alice, 1, arena_printf(mem, "value %d", i), 1, 1);
	files[N] = sealed_for(&alice, 1, text, 1, 1);
	text[DECRYPTOR_LOOKS_BYTES / 2] = '\0';
	for (int i = 1; i <= LARGE; i++)
		files[N + i] = sealed_for(&alice, 1, text, 1, 1);
	assert_int_equal(decryptor_looks(d, mem, files, N + LARGE + 1, out, &e), 0);
	for (int i = 0; i <= N + LARGE; i++)
		if (i == N)
			assert_false(out[i].known);
		else
			same_as_alone(&files[i], &out[i]);
	assert_null(decryptor_note(d));
}

/* Nobody is blamed where several were asked for, and nobody waits for it; who is suspected is asked for alone. */
static void
death_in_company(void **state)
{
	struct sealed files[3] = { sealed_for(&alice, 1, PLAIN, 1, 1), sealed_for(&alice, 1, PLAIN, 1, 1), sealed_for(&alice, 1, PLAIN, 1, 1) };
	struct decryptor_looked out[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		die_of_it();
		assert_int_equal(decryptor_looks(d, mem, files, 3, out, &e), ERR_UNAVAILABLE);
		reap_killer();
		assert_false(out[0].known || out[1].known || out[2].known);
		assert_non_null(strstr(decryptor_note(d), "was ended by signal 9"));
		assert_int_equal(look_code(&files[0]), 0);
	}
	die_of_it();
	assert_int_equal(look_code(&files[1]), ERR_UNAVAILABLE);
	reap_killer();
	assert_int_equal(decryptor_looks(d, mem, files, 3, out, &e), 0);
	assert_true(out[0].known && !out[1].known && out[2].known);
	assert_int_equal(look_code(&files[1]), 0);
	assert_int_equal(decryptor_looks(d, mem, files, 3, out, &e), 0);
	assert_true(out[1].known && !out[1].e);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		RUNNING(several),
		RUNNING(so_many),
		RUNNING(death_in_company),
	};

	proc_save_self(argv[0]);
	if (argc > 1 && strcmp(argv[1], "__decryptor") == 0)
		return decryptor_main();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
