/* SPDX-License-Identifier: Apache-2.0 */
/* What stays open in the decryptor, and what the daemon remembers of it: for the same file at the same place alone. It is started as the decryptor too. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/proc.h"
#include "lib/seal/decryptor_vault.h"
#include "reconcile_pass.h"
#include "keyfix.h"
#include "with_arena.h"

#define PLAIN "hunter2-of-a-test"


static const struct seal_place alice = { PLACE_OWNER, "alice", "7f3a9c12", NULL };
static const struct seal_place train = { PLACE_ENV, "alice", "7f3a9c12", "train" };
static const struct seal_place mallory = { PLACE_OWNER, "mallory", "00000bad", NULL };

static struct sealed
sealed_for(const struct seal_place *p, const char *plain)
{
	struct buf AUTO_BUF b = BUF_INIT(0);
	struct sealed s = { .place = *p, .format = SEAL_AGE, .generation = 1, .oldest = 1 };
	struct age_identity id;

	assert_int_equal(master_identity(&m, 1, p, &id, &e), 0);
	assert_int_equal(age_seal((const uint8_t (*)[32])(uintptr_t)id.pk, 1, plain, strlen(plain), true, NULL, &b, &e), 0);
	s.bytes = arena_memdup(mem, b.data, b.len);
	s.n = b.len;
	return s;
}

static const struct opened *
file(struct vault *v, const struct sealed *s)
{
	const struct opened *o = NULL;

	if (vault_file(v, mem, s, &o, &e) < 0)
		fail_msg("%s", e.text);
	return o;
}

/* A file of many values is opened once for all of them; that it is open for one place opens it for no other. */
static void
a_file_stays_open(void **state)
{
	struct sealed s = sealed_for(&alice, PLAIN), again = s, other = sealed_for(&alice, "another"), wrong[4], third;
	const struct opened *o;
	struct vault *v;

	(void)state;
	assert_int_equal(vault_open(key_file, &v, &e), 0);
	again.bytes = arena_memdup(mem, s.bytes, s.n);
	o = file(v, &s);
	assert_ptr_equal(file(v, &again), o);
	assert_ptr_not_equal(file(v, &other), o);
	assert_ptr_equal(file(v, &s), o);
	for (size_t i = 0; i < 4; i++)
		wrong[i] = s;
	wrong[0].place = mallory;
	wrong[1].place = train;
	wrong[2].place.uid = "aaaa0000";
	wrong[3].generation = wrong[3].oldest = 2;
	for (size_t i = 0; i < 4; i++) {
		(void)file(v, &s);
		assert_int_equal(vault_file(v, mem, &wrong[i], &o, &e), ERR_DENIED);
	}
	third = sealed_for(&train, "a third");
	assert_memory_equal(file(v, &third)->sops.values[0].b, "a third", 7);
	assert_int_equal(file(v, &s)->sops.n, 1);
	vault_forget(v);
	for (size_t i = 0; i < OPEN_FILES; i++) {
		assert_null(v->files[i].mem);
		assert_null(v->files[i].o.sops.block.b);
	}
	vault_free(v);
}

/* What the daemon remembers of an answer is for the same file at the same place, and only while berth.yaml names this key. */
static void
answers_are_for_their_place(void **state)
{
	static const char other[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
	struct sealed one = sealed_for(&alice, PLAIN), wrong[4] = { one, one, one, one };
	const struct decryptor_config c = { .key_file = key_file, .deadline_ms = 20000 };
	struct decryptor *d;
	struct seals *s;
	struct sealed_value *v;
	size_t n;

	(void)state;
	assert_int_equal(decryptor_start(&c, &d, &e), 0);
	s = seals_new(d);
	wrong[0].place = mallory;
	wrong[1].place = train;
	wrong[2].place.uid = "aaaa0000";
	wrong[3].generation = wrong[3].oldest = 2;
	assert_int_equal(seals_look(s, mem, &one, &v, &n, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "names no spec.secrets.signer"));
	assert_true(seals_judge(s, decryptor_signer(d), &e));
	assert_int_equal(seals_look(s, mem, &one, &v, &n, &e), 0);
	assert_int_equal(n, 1);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(seals_look(s, mem, &wrong[i], &v, &n, &e), ERR_DENIED);
	assert_int_equal(seals_look(s, mem, &one, &v, &n, &e), 0);
	(void)seals_judge(s, other, &e);
	assert_int_equal(seals_look(s, mem, &one, &v, &n, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "another master key"));
	seals_free(s);
	decryptor_stop(d);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_stays_open, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_are_for_their_place, setup, teardown),
	};

	proc_save_self(argv[0]);
	if (argc > 1 && strcmp(argv[1], "__decryptor") == 0)
		return decryptor_main();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
