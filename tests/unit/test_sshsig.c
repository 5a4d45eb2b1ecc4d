/* SPDX-License-Identifier: Apache-2.0 */
/* lib/seal/sshsig: keys, signatures and host certificates, both ways with real ssh-keygen. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/base64.h"
#include "lib/base/str.h"
#include "lib/seal/master.h"
#include "lib/seal/sshsig.h"
#include "ssh_tools.h"
#include "with_arena.h"

#define NS "recipients@berth"

static struct err e;
static uint8_t sk[64], other[64];
static const char msg[] = "age1qqqq\n# a text\n";

/* Keys that are the same in each run, from master keys of 32 equal bytes. */
static int
keys(void **state)
{
	struct master m = { secret_new(32) };

	if (seal_init(&e) < 0 || scratch_make(state) < 0)
		return -1;
	memset(m.key.b, 1, 32);
	master_signer(&m, sk);
	master_host_ca(&m, other);
	master_free(&m);
	return 0;
}

static void
public_text(void **state)
{
	char line[96];
	const char *out, *path;
	uint8_t pk[32];

	(void)state;
	ssh_public_text(sk + 32, line);
	path = scratch_file(mem, "k.pub", line, strlen(line));
	assert_int_equal(run_tool(mem, (const char *const[]){ "ssh-keygen", "-l", "-f", path, NULL }, NULL, 0, &out), 0);
	assert_non_null(strstr(out, "256 SHA256:"));
	assert_non_null(strstr(out, "(ED25519)"));
	assert_int_equal(ssh_public_parse(line, strlen(line), pk, &e), 0);
	assert_memory_equal(pk, sk + 32, 32);
	memset(pk, 0, sizeof(pk));
	line[strlen(line)] = '\0';
	path = arena_printf(mem, "%s somebody's comment\n", line);
	assert_int_equal(ssh_public_parse(path, strlen(path), pk, &e), 0);
	assert_memory_equal(pk, sk + 32, 32);
}

static void
no_public_text(void **state)
{
	static const char *const rows[] = {
		"", "ssh-ed25519", "ssh-ed25519 ", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==", " ssh-ed25519 AAAA", "ssh-ed25519  AAAA", "AAAA",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", "ssh-ed25519 !!!!",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* 31 bytes and a half */
		"ssh-ed25519 AAAAB3NzaC1yc2EAAAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	};
	uint8_t pk[32];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %s\n", rows[i]);
		assert_int_equal(ssh_public_parse(rows[i], strlen(rows[i]), pk, &e), ERR_INVALID);
	}
}

static void
private_text(void **state)
{
	struct secret a, b;
	const char *out, *path;
	char line[96];

	(void)state;
	ssh_private_text(sk, "berth", &a);
	ssh_private_text(sk, "berth", &b);
	assert_int_equal(a.n, b.n);
	assert_memory_equal(a.b, b.b, a.n);
	path = scratch_file(mem, "k", a.b, a.n);
	secret_free(&a);
	secret_free(&b);
	assert_int_equal(run_tool(mem, (const char *const[]){ "ssh-keygen", "-y", "-f", path, NULL }, NULL, 0, &out), 0);
	ssh_public_text(sk + 32, line);
	assert_true(str_starts(out, line));
	assert_string_equal(out + strlen(line), " berth\n");
}

/* Real ssh-keygen takes ours, for this key, purpose and text alone. */
static void
ours_verified(void **state)
{
	struct buf sig AUTO_BUF = BUF_INIT(0), again AUTO_BUF = BUF_INIT(0);
	const char *allowed, *file;
	char line[96];

	(void)state;
	sshsig_sign(sk, NS, msg, strlen(msg), &sig);
	sshsig_sign(sk, NS, msg, strlen(msg), &again);
	assert_string_equal(buf_cstr(&sig), buf_cstr(&again));
	file = scratch_file(mem, "sig", sig.data, sig.len);
	ssh_public_text(sk + 32, line);
	line[sizeof(line) - 1] = '\0';
	allowed = arena_printf(mem, "berth %s\n", line);
	allowed = scratch_file(mem, "allowed", allowed, strlen(allowed));
	{
		const char *const good[] = { "ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "berth", "-n", NS, "-s", file, NULL };
		const char *const purpose[] = { "ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "berth", "-n", "git", "-s", file, NULL };

		assert_int_equal(run_tool(mem, good, msg, strlen(msg), NULL), 0);
		assert_int_not_equal(run_tool(mem, purpose, msg, strlen(msg), NULL), 0);
		assert_int_not_equal(run_tool(mem, good, msg, strlen(msg) - 1, NULL), 0);
	}
}

static int
verify(const char *sig, const uint8_t *pk, const char *ns, const char *text, size_t n)
{
	memset(&e, 0, sizeof(e));
	return sshsig_verify(sig, strlen(sig), pk, ns, text, n, &e);
}

static void
its_own_verified(void **state)
{
	const char *const make[] = { "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "erin", "-f", "id", NULL };
	const char *const sha512[] = { "ssh-keygen", "-Y", "sign", "-f", "id", "-n", NS, NULL };
	const char *const sha256[] = { "ssh-keygen", "-Y", "sign", "-f", "id", "-n", NS, "-O", "hashalg=sha256", NULL };
	const char *const *const both[] = { sha512, sha256 };
	uint8_t pk[32];
	const char *sig;
	char *pub;
	size_t n;

	(void)state;
	assert_int_equal(run_tool(mem, make, NULL, 0, NULL), 0);
	assert_int_equal(fs_read(arena_printf(mem, "%s/id.pub", scratch), 4096, mem, &pub, &n, &e), 0);
	assert_int_equal(ssh_public_parse(pub, n, pk, &e), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(run_tool(mem, both[i], msg, strlen(msg), &sig), 0);
		assert_int_equal(verify(sig, pk, NS, msg, strlen(msg)), 0);
		assert_int_equal(verify(sig, sk + 32, NS, msg, strlen(msg)), ERR_DENIED);
		assert_non_null(strstr(e.text, "another key"));
		assert_int_equal(verify(sig, pk, "git", msg, strlen(msg)), ERR_DENIED);
		assert_non_null(strstr(e.text, "purpose"));
		assert_int_equal(verify(sig, pk, NS, msg, strlen(msg) - 1), ERR_DENIED);
		assert_non_null(strstr(e.text, "changed"));
	}
}

/* A signature of another type of key is no signature of ours. */
static void
rsa_refused(void **state)
{
	const char *const make[] = { "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa", NULL };
	const char *const sign[] = { "ssh-keygen", "-Y", "sign", "-f", "rsa", "-n", NS, NULL };
	const char *sig;

	(void)state;
	assert_int_equal(run_tool(mem, make, NULL, 0, NULL), 0);
	assert_int_equal(run_tool(mem, sign, msg, strlen(msg), &sig), 0);
	assert_int_equal(verify(sig, sk + 32, NS, msg, strlen(msg)), ERR_INVALID);
}

/* Every bit of a signature counts. */
static void
tampered(void **state)
{
	struct buf sig AUTO_BUF = BUF_INIT(0);
	const char *head = "-----BEGIN SSH SIGNATURE-----\n", *tail = "\n-----END SSH SIGNATURE-----\n", *end;
	char *blob;
	size_t n;

	(void)state;
	sshsig_sign(sk, NS, msg, strlen(msg), &sig);
	end = strstr(sig.data, tail);
	assert_int_equal(base64_decode(mem, sig.data + strlen(head), (size_t)(end - sig.data) - strlen(head), &blob, &n), 0);
	for (size_t bit = 0; bit < n * 8; bit++) {
		const char *text;

		blob[bit / 8] = (char)(blob[bit / 8] ^ 1 << bit % 8);
		text = arena_printf(mem, "%s%s%s", head, base64_encode(mem, blob, n), tail);
		assert_true(verify(text, sk + 32, NS, msg, strlen(msg)) < 0);
		blob[bit / 8] = (char)(blob[bit / 8] ^ 1 << bit % 8);
		arena_reset(mem);
		/* the arena took the blob along: decode it anew */
		assert_int_equal(base64_decode(mem, sig.data + strlen(head), (size_t)(end - sig.data) - strlen(head), &blob, &n), 0);
	}
	assert_int_equal(verify(sig.data, sk + 32, NS, msg, strlen(msg)), 0);
	for (size_t cut = 0; cut < sig.len - 1; cut++) {
		int rc = sshsig_verify(sig.data, cut, sk + 32, NS, msg, strlen(msg), &e);

		if (cut < sig.len - 2)
			assert_int_equal(rc, ERR_INVALID);
		arena_reset(mem);
	}
}

static void
no_signature(void **state)
{
	static const char *const rows[] = {
		"", "nothing", "-----BEGIN SSH SIGNATURE-----", "-----BEGIN SSH SIGNATURE----------END SSH SIGNATURE-----",
		"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n",
		"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----\n",
		"-----BEGIN SSH SIGNATURE-----\n!\n-----END SSH SIGNATURE-----\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(verify(rows[i], sk + 32, NS, msg, strlen(msg)), ERR_INVALID);
}

static void
certificate(void **state)
{
	static const char *const names[] = { "train--alice.dev.example.com", "train--alice", "train.dev-alice.svc" };
	struct buf a AUTO_BUF = BUF_INIT(0), b AUTO_BUF = BUF_INIT(0), c AUTO_BUF = BUF_INIT(0);
	const char *out, *path;

	(void)state;
	ssh_host_certificate(other, sk + 32, "alice/train", names, 3, &a);
	ssh_host_certificate(other, sk + 32, "alice/train", names, 3, &b);
	ssh_host_certificate(other, sk + 32, "alice/train", names, 2, &c);
	assert_string_equal(buf_cstr(&a), buf_cstr(&b));
	assert_string_not_equal(buf_cstr(&a), buf_cstr(&c));
	path = scratch_file(mem, "k-cert.pub", a.data, a.len);
	assert_int_equal(run_tool(mem, (const char *const[]){ "ssh-keygen", "-L", "-f", path, NULL }, NULL, 0, &out), 0);
	assert_non_null(strstr(out, "Type: ssh-ed25519-cert-v01@openssh.com host certificate\n"));
	assert_non_null(strstr(out, "Key ID: \"alice/train\"\n"));
	assert_non_null(strstr(out, "Serial: 0\n"));
	assert_non_null(strstr(out, "Valid: forever\n"));
	assert_non_null(strstr(out, "Principals: \n                train--alice.dev.example.com\n                train--alice\n"
	                            "                train.dev-alice.svc\n"));
	assert_non_null(strstr(out, "Critical Options: (none)\n"));
	assert_non_null(strstr(out, "(using ssh-ed25519)"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(public_text, setup, teardown),
		cmocka_unit_test_setup_teardown(no_public_text, setup, teardown),
		cmocka_unit_test_setup_teardown(private_text, setup, teardown),
		cmocka_unit_test_setup_teardown(ours_verified, setup, teardown),
		cmocka_unit_test_setup_teardown(its_own_verified, setup, teardown),
		cmocka_unit_test_setup_teardown(rsa_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(tampered, setup, teardown),
		cmocka_unit_test_setup_teardown(no_signature, setup, teardown),
		cmocka_unit_test_setup_teardown(certificate, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, keys, scratch_remove);
}
