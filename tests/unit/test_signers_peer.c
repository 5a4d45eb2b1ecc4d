/* SPDX-License-Identifier: Apache-2.0 */
/* lib/seal: keys of all types, certificates and revoked keys as the real ssh-keygen makes and judges them; commits that git itself finds signed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/git/git.h"
#include "lib/seal/master.h"
#include "lib/seal/signers.h"
#include "lib/seal/sshsig.h"
#include "lib/seal/sshsig_check.h"
#include "ssh_tools.h"
#include "with_arena.h"

static struct err e;

/* A line of shell in the scratch folder; its output. */
static const char *
sh(const char *line)
{
	const char *out;

	assert_int_equal(run_tool(mem, (const char *const[]){ "sh", "-euc", line, NULL }, NULL, 0, &out), 0);
	return out;
}

static const char *
bytes_of(const char *name, size_t *n)
{
	char *bytes;

	assert_int_equal(fs_read(arena_printf(mem, "%s/%s", scratch, name), SIGNERS_MAX, mem, &bytes, n, &e), 0);
	return bytes;
}

static struct ssh_key
key_of(const char *name)
{
	struct ssh_key k;
	size_t n;
	const char *line = bytes_of(name, &n);

	assert_int_equal(ssh_key_line(mem, line, n, &k, &e), 0);
	return k;
}

/* The keys of all tests, once. */
static int
make_keys(void **state)
{
	if (seal_init(&e) < 0 || scratch_make(state) < 0)
		return -1;
	(void)setup(state);
	sh("for t in ed25519-0 ecdsa-256 ecdsa-384 ecdsa-521 rsa-2048 rsa-3072; do ssh-keygen -q -t ${t%-*} $([ $t = ed25519-0 ] || echo -b ${t#*-}) "
	   "-N '' -C $t -f $t; done; ssh-keygen -q -t ecdsa -N '' -C ca -f ca; ssh-keygen -q -t ed25519 -N '' -C ca2 -f ca2; printf 'a text\\n' >msg");
	return teardown(state);
}

static const char *const types[] = { "ed25519-0", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048", "rsa-3072" };

#define TYPES (sizeof(types) / sizeof(types[0]))

static void
every_type_signs(void **state)
{
	(void)state;
	for (size_t i = 0; i < TYPES; i++) {
		struct ssh_key k = key_of(arena_printf(mem, "%s.pub", types[i]));
		char name[SSH_FINGERPRINT];
		struct sshsig s;
		const char *sig;
		size_t n;

		print_message("# %s\n", types[i]);
		sh(arena_printf(mem, "rm -f msg.sig; ssh-keygen -q -Y sign -n git -f %s msg 2>/dev/null", types[i]));
		sig = bytes_of("msg.sig", &n);
		assert_int_equal(sshsig_read(mem, sig, n, &s, &e), 0);
		assert_int_equal(sshsig_check(&s, "git", "a text\n", 7, &e), 0);
		assert_int_equal(sshsig_check(&s, "git", "a texu\n", 7, &e), ERR_DENIED);
		assert_int_equal(sshsig_check(&s, "git", "a text", 6, &e), ERR_DENIED);
		assert_true(sshsig_check(&s, "file", "a text\n", 7, &e) < 0);
		assert_int_equal(s.key.blob.n, k.blob.n);
		assert_memory_equal(s.key.blob.p, k.blob.p, k.blob.n);
		ssh_fingerprint(&k.plain, name);
		assert_non_null(strstr(sh(arena_printf(mem, "ssh-keygen -lf %s.pub", types[i])), name));
	}
}

static void
short_rsa_is_refused(void **state)
{
	const char *line;
	struct ssh_key k;
	size_t n;

	(void)state;
	sh("ssh-keygen -q -t rsa -b 1024 -N '' -C x -f short");
	line = bytes_of("short.pub", &n);
	assert_int_equal(ssh_key_line(mem, line, n, &k, &e), ERR_INVALID);
}

/* -- certificates ---------------------------------------------------------------------------------------------------------------- */

static int
allowed(const char *file, const struct ssh_key *k, const char *principal, const char *when)
{
	struct signers s;

	assert_int_equal(signers_parse(mem, file, strlen(file), &s, &e), 0);
	assert_int_equal(s.nbad, 0);
	return signers_allow(mem, &s, k, principal, "git", clock_parse_rfc3339(when), NULL, &e);
}

static void
certificates_of_several_people(void **state)
{
	static const char noon[] = "2026-06-01T12:00:00Z";
	const char *by_ca, *narrow, *plain;

	(void)state;
	by_ca = arena_printf(mem, "*@example.com cert-authority,namespaces=\"git\" %s", sh("cut -d' ' -f1,2 ca.pub"));
	narrow = arena_printf(mem, "dana@example.com cert-authority %s", sh("cut -d' ' -f1,2 ca.pub"));
	for (size_t i = 0; i < TYPES; i++) {
		struct ssh_key k, other;

		print_message("# %s\n", types[i]);
		sh(arena_printf(mem, "ssh-keygen -q -s ca -I id -n carol@example.com,dana@example.com,erin -z %zu -V 20260101Z:20261231Z %s.pub; "
		                     "mv %s-cert.pub c.pub; ssh-keygen -q -s ca2 -I id -n carol@example.com %s.pub", i, types[i], types[i], types[i]));
		k = key_of("c.pub");
		other = key_of(arena_printf(mem, "%s-cert.pub", types[i]));
		assert_true(k.has_certificate);
		assert_int_equal(k.certificate.serial, i);
		assert_int_equal(allowed(by_ca, &k, "carol@example.com", noon), 0);
		assert_int_equal(allowed(by_ca, &k, "dana@example.com", noon), 0);
		assert_int_equal(allowed(by_ca, &k, "erin", noon), ERR_DENIED);                 /* not of the line */
		assert_int_equal(allowed(by_ca, &k, "mallory@example.com", noon), ERR_DENIED);  /* not of the certificate */
		assert_int_equal(allowed(narrow, &k, "carol@example.com", noon), ERR_DENIED);
		assert_int_equal(allowed(narrow, &k, "dana@example.com", noon), 0);
		assert_int_equal(allowed(by_ca, &k, "carol@example.com", "2025-12-31T23:59:59Z"), ERR_DENIED);
		assert_int_equal(allowed(by_ca, &k, "carol@example.com", "2027-01-01T00:00:00Z"), ERR_DENIED);
		assert_int_equal(allowed(by_ca, &other, "carol@example.com", noon), ERR_DENIED); /* of another authority */
		/* a plain line is not an authority's, and the key itself is not its certificate */
		plain = arena_printf(mem, "carol@example.com %s", sh("cut -d' ' -f1,2 ca.pub"));
		assert_int_equal(allowed(plain, &k, "carol@example.com", noon), ERR_DENIED);
		k = key_of(arena_printf(mem, "%s.pub", types[i]));
		assert_int_equal(allowed(by_ca, &k, "carol@example.com", noon), ERR_DENIED);
	}
}

static void
no_other_certificates(void **state)
{
	static const char noon[] = "2026-06-01T12:00:00Z";
	const char *line;
	struct ssh_key k;

	(void)state;
	line = arena_printf(mem, "* cert-authority %s", sh("cut -d' ' -f1,2 ca.pub"));
	sh("ssh-keygen -q -s ca -I id -h -n carol@example.com ed25519-0.pub; mv ed25519-0-cert.pub host.pub;"
	   "ssh-keygen -q -s ca -I id -n carol@example.com -O force-command=true ed25519-0.pub; mv ed25519-0-cert.pub critical.pub;"
	   "ssh-keygen -q -s ca -I id ed25519-0.pub; mv ed25519-0-cert.pub nobody.pub");
	k = key_of("host.pub");
	assert_true(allowed(line, &k, "carol@example.com", noon) < 0);
	k = key_of("critical.pub");
	assert_true(allowed(line, &k, "carol@example.com", noon) < 0);
	k = key_of("nobody.pub");
	assert_true(allowed(line, &k, "carol@example.com", noon) < 0);
}

/* -- revoked keys ------------------------------------------------------------------------------------------------------------------- */

/* What ssh-keygen -Q says of a key, and what we do. */
static void
same_answer(const char *krl, const char *pub)
{
	struct ssh_key k = key_of(pub);
	size_t n;
	const char *bytes = bytes_of(krl, &n);
	int rc = revoked_check(mem, bytes, n, &k, &e);
	const char *said = sh(arena_printf(mem, "ssh-keygen -Q -f %s %s && echo fine || true", krl, pub));

	if ((strstr(said, "fine") != NULL) != (rc == 0))
		print_message("# %s, %s: %d, %s\n", krl, pub, rc, said);
	assert_true(rc == 0 || rc == ERR_DENIED);
	assert_int_equal(strstr(said, "fine") != NULL, rc == 0);
}

static const unsigned long long serials[] = { 1, 4, 5, 9, 10, 63, 64, 127, 128, 200, 201, 1000, 1003, 1004, 1255, 1256, 5000000000ULL };

#define SERIALS (sizeof(serials) / sizeof(serials[0]))

static void
krl_serials(void **state)
{
	(void)state;
	for (size_t i = 0; i < SERIALS; i++)
		sh(arena_printf(mem, "ssh-keygen -q -s ca -I n%llu -n carol -z %llu ecdsa-256.pub; mv ecdsa-256-cert.pub s%llu.pub", serials[i], serials[i],
		                serials[i]));
	sh("ssh-keygen -q -s ca2 -I n5 -n carol -z 5 ecdsa-256.pub; mv ecdsa-256-cert.pub other5.pub;"
	   /* one by one, a range, and bitmaps: of a few bytes, and of some hundred bits */
	   "printf 'serial: 5\\nserial: 128\\n' >list; ssh-keygen -q -k -f krl.list -s ca.pub list;"
	   "printf 'serial: 5-9\\nserial: 64-200\\nserial: 5000000000\\n' >range; ssh-keygen -q -k -f krl.range -s ca.pub range;"
	   "for i in 1 4 5 9 10; do echo serial: $i; done >small; ssh-keygen -q -k -f krl.small -s ca.pub small;"
	   "seq 1000 3 1255 | sed 's/^/serial: /' >large; ssh-keygen -q -k -f krl.large -s ca.pub large;"
	   "printf 'id: n64\\nid: n1003\\n' >id; ssh-keygen -q -k -f krl.id -s ca.pub id;"
	   /* of any authority */
	   "ssh-keygen -q -k -f krl.any list 2>/dev/null || ssh-keygen -q -k -f krl.any -s none list");
	for (size_t i = 0; i < SERIALS; i++) {
		static const char *const krls[] = { "krl.list", "krl.range", "krl.small", "krl.large", "krl.id", "krl.any" };

		for (size_t k = 0; k < sizeof(krls) / sizeof(krls[0]); k++)
			same_answer(krls[k], arena_printf(mem, "s%llu.pub", serials[i]));
	}
	same_answer("krl.list", "other5.pub");
	same_answer("krl.range", "other5.pub");
	same_answer("krl.any", "other5.pub");
	same_answer("krl.list", "ecdsa-256.pub");
}

static void
krl_keys(void **state)
{
	static const char *const lists[] = { "krl.key", "krl.sha1", "krl.sha256", "krl.ca", "krl.two", "krl.none" };
	struct ssh_key key;
	const char *bytes;
	size_t n;

	(void)state;
	sh("ssh-keygen -q -s ca -I id -n carol ecdsa-384.pub; ssh-keygen -q -k -f krl.key rsa-2048.pub ed25519-0.pub;"
	   "printf 'sha1: %s\\n' \"$(cat rsa-2048.pub)\" >spec; ssh-keygen -q -k -f krl.sha1 spec;"
	   "printf 'sha256: %s\\nhash: %s\\n' \"$(cat ecdsa-384.pub)\" \"$(ssh-keygen -lf ecdsa-521.pub | cut -d' ' -f2)\" >spec; ssh-keygen -q -k -f krl.sha256 spec;"
	   "ssh-keygen -q -k -f krl.ca ca.pub; cp krl.key krl.two; ssh-keygen -q -k -u -f krl.two rsa-3072.pub; ssh-keygen -q -k -f krl.none /dev/null;"
	   "cat rsa-2048.pub ecdsa-384.pub >plain");
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (size_t k = 0; k < TYPES; k++)
			same_answer(lists[i], arena_printf(mem, "%s.pub", types[k]));
		same_answer(lists[i], "ecdsa-384-cert.pub");
	}
	/* ssh-keygen -Q asks no list of lines; ssh does */
	bytes = bytes_of("plain", &n);
	for (size_t k = 0; k < TYPES; k++) {
		key = key_of(arena_printf(mem, "%s.pub", types[k]));
		assert_int_equal(revoked_check(mem, bytes, n, &key, &e), k == 2 || k == 4 ? ERR_DENIED : 0);
	}
	key = key_of("ecdsa-384-cert.pub");
	assert_int_equal(revoked_check(mem, bytes, n, &key, &e), ERR_DENIED);
}

/* A list that is cut off or altered is none: nobody is let through by it. */
static void
krl_damaged(void **state)
{
	struct ssh_key k;
	const char *bytes;
	size_t n, whole = 0;

	(void)state;
	sh("ssh-keygen -q -k -f krl.cut -s ca.pub range 2>/dev/null || { printf 'serial: 5-9\\n' >range; ssh-keygen -q -k -f krl.cut -s ca.pub range; }");
	k = key_of("rsa-2048.pub");
	bytes = bytes_of("krl.cut", &n);
	assert_int_equal(revoked_check(mem, bytes, n, &k, &e), 0);
	for (size_t i = 1; i < n; i++) {
		char *cut = malloc(i); /* exact, so that a read over the end is seen */

		memcpy(cut, bytes, i);
		/* the header alone is an empty list, as ssh-keygen has it; a part of a section is none */
		whole += revoked_check(mem, cut, i, &k, &e) == 0;
		free(cut);
	}
	assert_true(whole <= 1);
}

/* -- commits of ours ------------------------------------------------------------------------------------------------------------------- */

static uint8_t sk[64];

static int
sign(void *ctx, const void *bytes, size_t n, struct buf *out, struct err *why)
{
	const int *how = ctx;

	if (*how < 0)
		return err_set(why, ERR_UNAVAILABLE, "not now");
	if (*how == 0)
		sshsig_sign(sk, "git", bytes, n, out);
	return *how;
}

static void
git_finds_our_commits_signed(void **state)
{
	static const char *const messages[] = { "one line", "subject\n\nBerth-Run: 1\n", "", "gpgsig no header\n\n-----BEGIN SSH SIGNATURE-----\n" };
	const char *allow;
	char line[96];
	struct git_repo *g;
	struct git_edit *ed;
	struct oid tree, id, last;
	struct master m = { secret_new(32) };
	int how = 0;

	(void)state;
	memset(m.key.b, 7, 32);
	master_signer(&m, sk);
	master_free(&m);
	ssh_public_text(sk + 32, line);
	assert_int_equal(git_open_or_init(arena_printf(mem, "%s/r.git", scratch), &g, &e), 0);
	assert_int_equal(git_edit_new(g, NULL, &ed, &e), 0);
	assert_int_equal(git_edit_put(ed, "a", "b", 1, &e), 1);
	assert_int_equal(git_edit_write(ed, &tree, NULL, &e), 0);
	git_edit_free(ed);
	git_sign_by(g, sign, &how);
	allow = arena_printf(mem, "berth namespaces=\"git\" %s\n", line);
	scratch_file(mem, "allowed", allow, strlen(allow));
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		char hex[OID_HEX];

		assert_int_equal(git_commit_write(g, &tree, i ? &last : NULL, i > 0, messages[i], 1790000000, &id, &e), 0);
		oid_hex(&id, hex);
		assert_non_null(strstr(sh(arena_printf(mem, "git -C r.git -c gpg.ssh.allowedSignersFile=\"$PWD/allowed\" log -1 --format='%%G? %%GS' %s", hex)),
		                       "G berth"));
		assert_string_equal(sh(arena_printf(mem, "git -C r.git update-ref refs/heads/main %s; git -C r.git fsck --strict --no-dangling 2>&1", hex)), "");
		last = id;
	}
	how = 1;
	assert_int_equal(git_commit_write(g, &tree, &last, 1, "without", 1790000000, &id, &e), 0);
	oid_hex(&id, line);
	assert_string_equal(sh(arena_printf(mem, "git -C r.git log -1 --format=%%G? %s", line)), "N\n");
	how = -1;
	assert_int_equal(git_commit_write(g, &tree, &last, 1, "failed", 1790000000, &id, &e), ERR_UNAVAILABLE);
	git_close(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_type_signs, setup, teardown),
		cmocka_unit_test_setup_teardown(short_rsa_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(certificates_of_several_people, setup, teardown),
		cmocka_unit_test_setup_teardown(no_other_certificates, setup, teardown),
		cmocka_unit_test_setup_teardown(krl_serials, setup, teardown),
		cmocka_unit_test_setup_teardown(krl_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(krl_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(git_finds_our_commits_signed, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_keys, scratch_remove);
}
