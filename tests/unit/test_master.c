/* SPDX-License-Identifier: Apache-2.0 */
/* lib/seal/master: the key's file and its rules, and that what is derived differs wherever it must. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/seal/master.h"
#include "lib/seal/sshsig.h"
#include "ssh_tools.h"
#include "with_arena.h"

static struct err e;
static struct master m;

static int
begin(void **state)
{
	if (seal_init(&e) < 0 || scratch_make(state) < 0)
		return -1;
	m.key = secret_new(32);
	memset(m.key.b, 7, 32);
	return 0;
}

static int
end(void **state)
{
	master_free(&m);
	return scratch_remove(state);
}

static const char *
text_of(void)
{
	struct secret t;
	const char *copy;

	master_text(&m, &t);
	copy = arena_strdup(mem, (const char *)t.b); /* a throw-away key */
	secret_free(&t);
	return copy;
}

static void
text(void **state)
{
	const char *line = text_of(), *file = arena_printf(mem, "# a comment\n\n#\n%s\r\n# more\n", line);
	struct master back;

	(void)state;
	assert_true(str_starts(line, "BERTH-MASTER-KEY-1"));
	assert_int_equal(strlen(line), 18 + 52 + 6);
	assert_int_equal(master_parse(line, strlen(line), &back, &e), 0);
	assert_memory_equal(back.key.b, m.key.b, 32);
	master_free(&back);
	assert_int_equal(master_parse(file, strlen(file), &back, &e), 0);
	assert_memory_equal(back.key.b, m.key.b, 32);
	master_free(&back);
}

static void
no_text(void **state)
{
	const char *line = text_of();
	char *typo = arena_strdup(mem, line), *mixed = arena_strdup(mem, line);
	const char *const rows[] = {
		"", "\n", "# alone\n", "key", line + 1, arena_printf(mem, "%s\n%s\n", line, line), arena_printf(mem, " %s", line),
		arena_printf(mem, "%s ", line), arena_printf(mem, "key: %s", line), arena_strndup(mem, line, strlen(line) - 1),
		"AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ", typo, mixed,
	};

	(void)state;
	typo[30] = typo[30] == 'Q' ? 'P' : 'Q';
	mixed[30] = mixed[30] >= 'A' ? (char)(mixed[30] + 32) : 'q';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct master back = { { NULL, 99 } };

		memset(&e, 0, sizeof(e));
		assert_int_equal(master_parse(rows[i], strlen(rows[i]), &back, &e), ERR_INVALID);
		assert_int_equal(back.key.n, 99);
		assert_null(strstr(e.text, "QQQQ"));
		assert_null(strstr(e.text, arena_strndup(mem, line + 20, 12)));
		assert_null(strstr(e.hint, arena_strndup(mem, line + 20, 12)));
	}
}

static void
stored(void **state)
{
	const char *path = arena_printf(mem, "%s/stored", scratch), *link = arena_printf(mem, "%s/link", scratch);
	struct master back;
	struct stat st;

	(void)state;
	assert_int_equal(master_store(&m, path, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(master_load(path, &back, &e), 0);
	assert_memory_equal(back.key.b, m.key.b, 32);
	master_free(&back);
	assert_int_equal(master_store(&m, path, &e), ERR_CONFLICT);
	assert_int_equal(symlink("nowhere", link), 0);
	assert_int_equal(master_store(&m, link, &e), ERR_CONFLICT);
	assert_false(fs_exists(arena_printf(mem, "%s/nowhere", scratch)));
	assert_int_equal(master_store(&m, arena_printf(mem, "%s/no/folder", scratch), &e), ERR_NOTFOUND);
	/* Kubernetes mounts a key as a link to a link */
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("stored", link), 0);
	assert_int_equal(master_load(link, &back, &e), 0);
	master_free(&back);
}

static void
modes(void **state)
{
	static const struct {
		unsigned int mode;
		int as_root, as_user; /* whose file it is */
	} rows[] = {
		{ 0400, 0, 0 }, { 0600, 0, 0 }, { 0440, 0, ERR_DENIED }, { 0640, 0, ERR_DENIED }, { 0460, ERR_DENIED, ERR_DENIED },
		{ 0404, ERR_DENIED, ERR_DENIED }, { 0444, ERR_DENIED, ERR_DENIED }, { 0420, ERR_DENIED, ERR_DENIED },
		{ 0402, ERR_DENIED, ERR_DENIED }, { 0401, ERR_DENIED, ERR_DENIED }, { 0644, ERR_DENIED, ERR_DENIED },
	};
	const char *path = scratch_file(mem, "modes", text_of(), strlen(text_of()));
	struct master back;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int want = geteuid() == 0 ? rows[i].as_root : rows[i].as_user, rc;

		print_message("# %04o\n", rows[i].mode);
		assert_int_equal(chmod(path, rows[i].mode), 0);
		rc = master_load(path, &back, &e);
		assert_int_equal(rc, want);
		if (rc == 0)
			master_free(&back);
		else
			assert_non_null(strstr(e.hint, arena_printf(mem, "chmod 400 %s", path)));
	}
}

/* As root, who lends the test another user's eyes. */
static void
owners(void **state)
{
	static const struct {
		unsigned int owner, group, mode;
		int want;
	} rows[] = {
		{ 12345, 0, 0400, 0 }, { 12345, 12345, 0600, 0 }, { 12345, 12345, 0440, ERR_DENIED }, { 0, 12345, 0440, 0 }, { 0, 12345, 0640, 0 },
		{ 0, 12345, 0444, ERR_DENIED }, { 54321, 12345, 0440, ERR_DENIED },
	};
	const char *path = scratch_file(mem, "owners", text_of(), strlen(text_of()));

	(void)state;
	if (geteuid() != 0) {
		print_message("# SKIP: files of other users need root\n");
		skip();
	}
	assert_int_equal(chmod(scratch, 0755), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct master back;
		int rc;

		assert_int_equal(chown(path, rows[i].owner, rows[i].group), 0);
		assert_int_equal(chmod(path, rows[i].mode), 0);
		assert_int_equal(setegid(12345), 0);
		assert_int_equal(seteuid(12345), 0);
		rc = master_load(path, &back, &e);
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(setegid(0), 0);
		print_message("# %zu\n", i);
		assert_int_equal(rc, rows[i].want);
		if (rc == 0)
			master_free(&back);
	}
	assert_non_null(strstr(e.text, "belongs to user 54321"));
}

static void
no_files(void **state)
{
	const char *fifo = arena_printf(mem, "%s/fifo", scratch), *big;
	char *much = arena_alloc(mem, 5000);
	struct master back;

	(void)state;
	assert_int_equal(master_load(arena_printf(mem, "%s/none", scratch), &back, &e), ERR_NOTFOUND);
	assert_non_null(strstr(e.hint, "berth keygen -o "));
	assert_int_equal(mkfifo(fifo, 0400), 0);
	assert_int_equal(master_load(fifo, &back, &e), ERR_DENIED);
	assert_int_equal(master_load(scratch, &back, &e), ERR_DENIED);
	assert_int_equal(master_load("/dev/null", &back, &e), ERR_DENIED);
	/* a key where its file's name belongs is not repeated */
	assert_int_equal(master_load(text_of(), &back, &e), ERR_DENIED);
	assert_null(strstr(e.text, "MASTER-KEY-1"));
	assert_null(strstr(e.hint, "MASTER-KEY-1"));
	memset(much, '#', 4999);
	big = scratch_file(mem, "big", much, 4999);
	assert_int_equal(master_load(big, &back, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "larger"));
}

/* -- what is derived ------------------------------------------------------------------------------------------------------ */

static const struct seal_place places[] = {
	{ PLACE_OWNER, "alice", "1", NULL }, { PLACE_OWNER, "alice", "2", NULL }, { PLACE_OWNER, "bo", "1", NULL },
	{ PLACE_ENV, "alice", "1", "train" }, { PLACE_ENV, "alice", "1", "notebook" }, { PLACE_ENV, "alice", "2", "train" },
	{ PLACE_ENV, "bo", "1", "train" }, { .scope = PLACE_SITE },
};
#define NPLACES (sizeof(places) / sizeof(places[0]))

static void
identities(void **state)
{
	struct age_identity ids[NPLACES * 2], again;
	struct master n = { secret_new(32) };

	(void)state;
	for (size_t i = 0; i < NPLACES * 2; i++)
		assert_int_equal(master_identity(&m, 1 + (unsigned)(i / NPLACES), &places[i % NPLACES], &ids[i], &e), 0);
	for (size_t i = 0; i < NPLACES * 2; i++)
		for (size_t j = 0; j < i; j++) {
			assert_memory_not_equal(ids[i].sk, ids[j].sk, 32);
			assert_memory_not_equal(ids[i].pk, ids[j].pk, 32);
		}
	assert_int_equal(master_identity(&m, 1, &places[0], &again, &e), 0);
	assert_memory_equal(again.sk, ids[0].sk, 32);
	assert_int_equal(master_identity(&m, 0, &places[0], &again, &e), ERR_INVALID);
	assert_int_equal(master_identity(&m, 1, &(struct seal_place){ PLACE_OWNER, "alice", NULL, NULL }, &again, &e), ERR_INVALID);
	/* one bit of the master key changes all */
	memset(n.key.b, 7, 32);
	n.key.b[31] = 6;
	assert_int_equal(master_identity(&n, 1, &places[0], &again, &e), 0);
	assert_memory_not_equal(again.sk, ids[0].sk, 32);
	master_free(&n);
}

/* Frozen: another value would orphan every sealed file and every known_hosts line in the world. */
static void
frozen(void **state)
{
	struct age_identity id;
	char line[96], recipient[AGE_TEXT_MAX], digest[SEAL_DIGEST_HEX];
	uint8_t sk[64];

	(void)state;
	assert_int_equal(master_identity(&m, 1, &places[3], &id, &e), 0);
	age_recipient_text(id.pk, recipient);
	assert_string_equal(recipient, "age16dl56t8hg8mzu9v84lz6z8u7j2w9hay07efhg6p5p5vtqdezsy7s8dteuk");
	master_signer(&m, sk);
	ssh_public_text(sk + 32, line);
	assert_string_equal(line, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMgKvS+ca829aJSeSEd/4SS6gb98MHsv+VKeCxXLb5f4");
	master_host_ca(&m, sk);
	ssh_public_text(sk + 32, line);
	assert_string_equal(line, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB95yQWyLPEY22M1WKeixmhtlTSS29UcQKtsQuaC9w93");
	assert_int_equal(master_host_key(&m, &places[3], sk, &e), 0);
	ssh_public_text(sk + 32, line);
	assert_string_equal(line, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmpC1YiDriT/zL16QNKgbj6csxLu9SBhOhKMuOZ7o0L");
	master_digest(&m, "gen=0;scope=site", "value", 5, digest);
	assert_string_equal(digest, "ff737d650b4cded391927680aab5d679");
}

static void
ssh_keys(void **state)
{
	uint8_t all[5][64];

	(void)state;
	master_signer(&m, all[0]);
	master_host_ca(&m, all[1]);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(master_host_key(&m, &places[3 + i], all[2 + i], &e), 0);
	for (size_t i = 0; i < 5; i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(all[i], all[j], 32);
	assert_int_equal(master_host_key(&m, &places[0], all[0], &e), ERR_INTERNAL);
	assert_int_equal(master_host_key(&m, &(struct seal_place){ PLACE_ENV, "alice", NULL, "train" }, all[0], &e), ERR_INVALID);
}

static void
digests(void **state)
{
	static const struct {
		const char *label, *bytes;
	} rows[] = { { "a", "bc" }, { "ab", "c" }, { "abc", "" }, { "", "abc" }, { "a", "bd" } };
	char out[sizeof(rows) / sizeof(rows[0])][SEAL_DIGEST_HEX], again[SEAL_DIGEST_HEX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		master_digest(&m, rows[i].label, rows[i].bytes, strlen(rows[i].bytes), out[i]);
		assert_int_equal(strspn(out[i], "0123456789abcdef"), 32);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(out[i], out[j]);
	}
	master_digest(&m, "a", "bc", 2, again);
	assert_string_equal(again, out[0]);
}

static void
fresh(void **state)
{
	struct master a, b;

	(void)state;
	master_new(&a);
	master_new(&b);
	assert_memory_not_equal(a.key.b, b.key.b, 32);
	master_free(&a);
	master_free(&b);
	master_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(text, setup, teardown),
		cmocka_unit_test_setup_teardown(no_text, setup, teardown),
		cmocka_unit_test_setup_teardown(stored, setup, teardown),
		cmocka_unit_test_setup_teardown(modes, setup, teardown),
		cmocka_unit_test_setup_teardown(owners, setup, teardown),
		cmocka_unit_test_setup_teardown(no_files, setup, teardown),
		cmocka_unit_test_setup_teardown(identities, setup, teardown),
		cmocka_unit_test_setup_teardown(frozen, setup, teardown),
		cmocka_unit_test_setup_teardown(ssh_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(digests, setup, teardown),
		cmocka_unit_test_setup_teardown(fresh, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, begin, end);
}
