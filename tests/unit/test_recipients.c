/* SPDX-License-Identifier: Apache-2.0 */
/* status/recipients and parse/host_names: what is published, read back, by real age and ssh-keygen too. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/str.h"
#include "lib/seal/master.h"
#include "lib/seal/sshsig.h"
#include "parse/host_names.h"
#include "ssh_tools.h"
#include "status/recipients.h"
#include "with_arena.h"

static struct err e;
static uint8_t sk[64], other[64];
static char signer[96], ca[96], recipient[3][AGE_TEXT_MAX];
static struct age_identity identity;

static int
begin(void **state)
{
	static const struct seal_place places[] = {
		{ PLACE_OWNER, "alice", "7f3a9c12", NULL }, { PLACE_ENV, "alice", "7f3a9c12", "notebook" }, { PLACE_ENV, "alice", "7f3a9c12", "train" },
	};
	struct master m = { secret_new(32) };

	if (seal_init(&e) < 0 || scratch_make(state) < 0)
		return -1;
	for (size_t i = 3; i-- > 0;) {
		if (master_identity(&m, 2, &places[i], &identity, &e) < 0)
			return -1;
		age_recipient_text(identity.pk, recipient[i]);
	}
	master_signer(&m, sk);
	ssh_public_text(sk + 32, signer);
	master_host_ca(&m, other);
	ssh_public_text(other + 32, ca);
	master_free(&m);
	return 0;
}

static struct recipients
alice(void)
{
	static struct recipient_env envs[2];

	envs[0] = (struct recipient_env){ "notebook", recipient[1] };
	envs[1] = (struct recipient_env){ "train", recipient[2] };
	return (struct recipients){ .user = "alice", .uid = "7f3a9c12", .generation = 2, .recipient = recipient[0], .envs = envs, .nenvs = 2 };
}

static const char *
text_of(const struct recipients *r)
{
	struct buf out AUTO_BUF = BUF_INIT(0);

	recipients_write(r, &out);
	return arena_strdup(mem, buf_cstr(&out));
}

static void
there_and_back(void **state)
{
	struct recipients want = alice(), got = { 0 }, site = { .generation = 1, .recipient = recipient[0] };
	const char *text = text_of(&want), *r;

	(void)state;
	assert_int_equal(recipients_parse(mem, text, strlen(text), "alice", &got, &e), 0);
	assert_string_equal(got.user, "alice");
	assert_string_equal(got.uid, "7f3a9c12");
	assert_int_equal(got.generation, 2);
	assert_string_equal(got.recipient, recipient[0]);
	assert_int_equal(got.nenvs, 2);
	assert_string_equal(text_of(&got), text);
	assert_int_equal(recipients_for(&got, NULL, &r, &e), 0);
	assert_string_equal(r, recipient[0]);
	assert_int_equal(recipients_for(&got, "train", &r, &e), 0);
	assert_string_equal(r, recipient[2]);
	assert_int_equal(recipients_for(&got, "trai", &r, &e), ERR_NOTFOUND);
	text = text_of(&site);
	assert_int_equal(recipients_parse(mem, text, strlen(text), NULL, &got, &e), 0);
	assert_null(got.user);
	assert_int_equal(got.nenvs, 0);
	assert_string_equal(recipients_path(mem, "alice"), "recipients/users/alice.txt");
	assert_string_equal(recipients_path(mem, NULL), "recipients/site.txt");
}

/* One file cannot stand in for another, and nothing of it can be left out or doubled. */
static void
not_whole(void **state)
{
	struct recipients r = alice(), site = { .generation = 1, .recipient = recipient[0] }, got = { .generation = 77 };
	const char *text = text_of(&r), *s = text_of(&site);
	const struct {
		const char *text, *user;
	} rows[] = {
		{ text, "bo" }, { text, NULL }, { s, "alice" }, { "", "alice" }, { "# berth recipients v1\n", "alice" },
		{ arena_strndup(mem, text, strlen(text) - 1), "alice" }, /* cut within a line */
		{ arena_printf(mem, "%s%s\n", text, recipient[1]), "alice" }, { arena_printf(mem, "%s# user bo uid 1 generation 2\n", text), "alice" },
		{ arena_printf(mem, "%s# site generation 2\n", text), "alice" }, { arena_printf(mem, "%s\n", text), "alice" },
		{ arena_printf(mem, "%s# env x age1qqqq\n", text), "alice" }, { arena_printf(mem, "%s# env x %s more\n", text, recipient[0]), "alice" },
		{ arena_printf(mem, "# berth recipients v2%s", text + 21), "alice" }, { arena_printf(mem, " %s", text), "alice" },
		{ arena_printf(mem, "# berth recipients v1\n# user alice uid 1 generation 0\n%s\n", recipient[0]), "alice" },
		{ arena_printf(mem, "# berth recipients v1\n# user alice uid 1 generation 4294967297\n%s\n", recipient[0]), "alice" },
		{ arena_printf(mem, "# berth recipients v1\n# user alice generation 1\n%s\n", recipient[0]), "alice" },
		{ arena_printf(mem, "# berth recipients v1\n# user alice uid 1 generation 1\n"), "alice" },
		{ arena_printf(mem, "# berth recipients v1\n%s\n", recipient[0]), "alice" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("# %zu\n", i);
		assert_int_equal(recipients_parse(mem, rows[i].text, strlen(rows[i].text), rows[i].user, &got, &e), ERR_INVALID);
		assert_int_equal(got.generation, 77);
	}
	/* what people or later versions add as comments is no harm: it is signed */
	text = arena_printf(mem, "%s# more\n#\n", text);
	assert_int_equal(recipients_parse(mem, text, strlen(text), "alice", &got, &e), 0);
}

static void
signatures(void **state)
{
	struct recipients r = alice(), got;
	const char *text = text_of(&r), *changed = arena_printf(mem, "%s#\n", text), *allowed, *file;
	struct buf sig AUTO_BUF = BUF_INIT(0), wrong AUTO_BUF = BUF_INIT(0), ns AUTO_BUF = BUF_INIT(0);

	(void)state;
	sshsig_sign(sk, RECIPIENTS_NAMESPACE, text, strlen(text), &sig);
	sshsig_sign(other, RECIPIENTS_NAMESPACE, text, strlen(text), &wrong);
	sshsig_sign(sk, KNOWN_HOSTS_NAMESPACE, text, strlen(text), &ns);
	assert_int_equal(recipients_check(mem, text, strlen(text), sig.data, sig.len, signer, "alice", &got, &e), 0);
	assert_int_equal(recipients_check(mem, text, strlen(text), sig.data, sig.len, signer, "bo", &got, &e), ERR_INVALID);
	assert_int_equal(recipients_check(mem, changed, strlen(changed), sig.data, sig.len, signer, "alice", &got, &e), ERR_DENIED);
	assert_int_equal(recipients_check(mem, text, strlen(text), wrong.data, wrong.len, signer, "alice", &got, &e), ERR_DENIED);
	assert_int_equal(recipients_check(mem, text, strlen(text), ns.data, ns.len, signer, "alice", &got, &e), ERR_DENIED);
	assert_int_equal(recipients_check(mem, text, strlen(text), "", 0, signer, "alice", &got, &e), ERR_INVALID);
	assert_int_equal(recipients_check(mem, text, strlen(text), sig.data, sig.len, "ssh-rsa AAAA", "alice", &got, &e), ERR_INVALID);
	assert_int_equal(known_hosts_check(text, strlen(text), ns.data, ns.len, signer, &e), 0);
	assert_int_equal(known_hosts_check(text, strlen(text), sig.data, sig.len, signer, &e), ERR_DENIED);
	allowed = arena_printf(mem, "berth %s\n", signer);
	allowed = scratch_file(mem, "allowed", allowed, strlen(allowed));
	file = scratch_file(mem, "alice.txt.sig", sig.data, sig.len);
	{
		const char *const argv[] = { "ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "berth", "-n", RECIPIENTS_NAMESPACE, "-s", file,
			NULL };

		assert_int_equal(run_tool(mem, argv, text, strlen(text), NULL), 0);
		assert_int_not_equal(run_tool(mem, argv, changed, strlen(changed), NULL), 0);
	}
}

/* Real age takes the file as it is, for the owner's recipient alone. */
static void
age_takes_it(void **state)
{
	static const char value[] = "a value\n";
	struct recipients r = alice();
	const char *text = text_of(&r), *file = scratch_file(mem, "alice.txt", text, strlen(text)), *sealed;
	const char *const argv[] = { "age", "-a", "-R", file, NULL };
	struct secret plain;
	struct buf other_sealed AUTO_BUF = BUF_INIT(0);
	uint8_t pk[1][32];
	enum age_why why;

	(void)state;
	assert_int_equal(run_tool(mem, argv, value, strlen(value), &sealed), 0);
	assert_int_equal(age_open(sealed, strlen(sealed), &identity, 1, NULL, &plain, &why, &e), 0);
	assert_int_equal(plain.n, strlen(value));
	assert_memory_equal(plain.b, value, plain.n);
	secret_free(&plain);
	assert_int_equal(age_recipient_parse(recipient[2], strlen(recipient[2]), pk[0], &e), 0);
	assert_int_equal(age_seal((const uint8_t(*)[32])pk, 1, value, strlen(value), true, NULL, &other_sealed, &e), 0);
	assert_int_equal(age_open(other_sealed.data, other_sealed.len, &identity, 1, NULL, &plain, &why, &e), ERR_DENIED);
}

/* -- names of hosts ------------------------------------------------------------------------------------------------------- */

static struct doc
org_of(const char *domain, const char *prefix)
{
	struct value *spec = value_map(mem), *access = value_map(mem);

	if (domain)
		value_set(mem, access, "domain", value_str(mem, domain));
	value_set(mem, spec, "access", access);
	if (prefix)
		value_set(mem, spec, "namespacePrefix", value_str(mem, prefix));
	return (struct doc){ .kind = KIND_ORG, .spec = spec };
}

static const char *
names_of(const struct env *env)
{
	struct buf out AUTO_BUF = BUF_INIT(0);
	const char *const *names;
	size_t n;

	env_host_names(mem, env, &names, &n);
	for (size_t i = 0; i < n; i++)
		buf_printf(&out, "%s ", names[i]);
	return arena_strdup(mem, buf_cstr(&out));
}

static void
host_names(void **state)
{
	struct doc with = org_of("dev.example.com", NULL), without = org_of(NULL, NULL);
	struct env env = { .owner = "alice", .name = "train", .namespace_ = "dev-alice", .org = &with };

	(void)state;
	assert_string_equal(names_of(&env), "train--alice.dev.example.com train--alice train.dev-alice.svc ");
	env.distributed = true;
	assert_string_equal(names_of(&env), "train--alice.dev.example.com train--alice train.dev-alice.svc *.train.dev-alice.svc ");
	env.org = &without;
	assert_string_equal(names_of(&env), "train--alice train.dev-alice.svc *.train.dev-alice.svc ");
	assert_string_equal(host_name_of(mem, &with, "alice", "train"), "train--alice.dev.example.com");
	assert_string_equal(host_name_of(mem, NULL, "alice", "train"), "train--alice");
}

/* Which hosts real OpenSSH would trust the CA for. */
static void
ca_patterns(void **state)
{
	static const struct {
		const char *domain, *prefix, *host;
		bool trusted;
	} rows[] = {
		{ "dev.example.com", NULL, "train--alice.dev.example.com", true },
		{ "dev.example.com", NULL, "train--alice", true },
		{ "dev.example.com", NULL, "train.dev-alice.svc", true },
		{ "dev.example.com", NULL, "train-1.train.dev-alice.svc", true },
		{ "dev.example.com", NULL, "example.com", false },
		{ "dev.example.com", NULL, "github.example", false },
		{ "dev.example.com", NULL, "train--alice.example.com", false },
		{ "dev.example.com", NULL, "xn--bcher-kva", false },
		{ "dev.example.com", NULL, "xn--bcher-kva.example", false },
		{ "dev.example.com", NULL, "train.kube-system.svc", false },
		{ "dev.example.com", NULL, "192.0.2.1", false },
		{ "dev.example.com", NULL, "host", false },
		{ NULL, "lab-", "train--alice", true },
		{ NULL, "lab-", "train.lab-alice.svc", true },
		{ NULL, "lab-", "train.dev-alice.svc", false },
		{ NULL, "lab-", "train--alice.dev.example.com", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct doc org = org_of(rows[i].domain, rows[i].prefix);
		struct buf text AUTO_BUF = BUF_INIT(0);
		const char *file;
		int rc;

		known_hosts_write(host_ca_lines(mem, &org, ca), &text);
		file = scratch_file(mem, "known_hosts", text.data, text.len);
		rc = run_tool(mem, (const char *const[]){ "ssh-keygen", "-F", rows[i].host, "-f", file, NULL }, NULL, 0, NULL);
		print_message("# %s\n", rows[i].host);
		assert_int_equal(rc == 0, rows[i].trusted);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(not_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(signatures, setup, teardown),
		cmocka_unit_test_setup_teardown(age_takes_it, setup, teardown),
		cmocka_unit_test_setup_teardown(host_names, setup, teardown),
		cmocka_unit_test_setup_teardown(ca_patterns, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, begin, scratch_remove);
}
