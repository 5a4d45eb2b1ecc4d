/* SPDX-License-Identifier: Apache-2.0 */
/* The decryptor: what it opens and for whom, channels, its deaths. This program is started again as the decryptor itself. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/seal/decryptor_client.h"
#include "lib/seal/sshsig.h"
#include "decryptorfix.h"

static const char *const some_names[] = { "train--alice", "train.alice.svc" };

/* -- digests -------------------------------------------------------------------------------------------------------------- */

static void
digests(void **state)
{
	struct sealed one = sealed_for(&alice, 1, PLAIN, 1, 1), again = sealed_for(&alice, 1, PLAIN, 2, 1);
	struct sealed rotated = sealed_for(&alice, 2, PLAIN, 2, 1), other = sealed_for(&alice, 1, PLAIN "x", 1, 1);
	struct sealed elsewhere = sealed_for(&train, 1, PLAIN, 1, 1), empty = sealed_for(&site, 5, "", 5, 4);
	const struct sealed_value *v = look(&one, 1, 1);

	(void)state;
	assert_string_equal(v->name, "");
	assert_int_equal(v->size, strlen(PLAIN));
	assert_int_equal(strlen(v->digest), SEAL_DIGEST_HEX - 1);
	assert_string_equal(look(&again, 1, 1)->digest, v->digest);
	assert_string_equal(look(&rotated, 1, 2)->digest, v->digest);
	assert_string_not_equal(look(&other, 1, 1)->digest, v->digest);
	assert_string_not_equal(look(&elsewhere, 1, 1)->digest, v->digest);
	assert_int_equal(look(&empty, 1, 5)->size, 0);
}

static void
sops_values(void **state)
{
	static const char *const names[] = { "user", "token" }, *const values[] = { "YWxpY2U=", PLAIN };
	struct sealed s = sops_for(&train, names, values, 2), token = sealed_for(&train, 1, PLAIN, 1, 1);
	struct sealed_value *v = look(&s, 2, 1);

	(void)state;
	assert_string_equal(v[0].name, "data.user");
	assert_string_equal(v[1].name, "data.token");
	assert_string_equal(v[1].digest, look(&token, 1, 1)->digest);
	assert_int_equal(v[0].size, 8);
}

/* One recipient of a thousand begins as a hybrid one would: age1pq…, where that has age1pq1…. */
static void
a_recipient_by_chance(void **state)
{
	static const char *const names[] = { "token" }, *const values[] = { "YWxpY2U=" };
	struct seal_place p = { .scope = PLACE_OWNER, .owner = "alice" };
	struct sealed s, age;
	struct age_identity id;
	char text[AGE_TEXT_MAX] = "";

	(void)state;
	for (unsigned i = 0; !str_starts(text, "age1pq"); i++) {
		assert_true(i < 100000);
		p.uid = arena_printf(mem, "%08x", i);
		assert_int_equal(master_identity(&m, 1, &p, &id, &e), 0);
		age_recipient_text(id.pk, text);
	}
	s = sops_for(&p, names, values, 1);
	age = sealed_for(&p, 1, "YWxpY2U=", 1, 1);
	assert_string_equal(look(&s, 1, 1)->digest, look(&age, 1, 1)->digest);
	assert_int_equal(age_recipient_parse(text, strlen(text), id.pk, &e), 0);
}

/* -- refusals ------------------------------------------------------------------------------------------------------------- */

static void
wrong_places(void **state)
{
	struct sealed for_alice = sealed_for(&alice, 1, PLAIN, 2, 1), for_train = sealed_for(&train, 1, PLAIN, 1, 1);
	struct sealed old = sealed_for(&alice, 1, PLAIN, 4, 3), future = sealed_for(&alice, 3, PLAIN, 2, 1);
	const struct {
		const char *name;
		struct sealed *s;
		struct seal_place place;
		const char *text, *hint;
	} rows[] = {
		{ "in mallory's folder", &for_alice, mallory, "somebody else or for another place; tried: mallory, generations 2 and 1",
		  "`berth seal --user mallory NAME`, or `age -a -r age1" },
		{ "owner scope in an environment's folder", &for_alice, train, "tried: alice, environment train,",
		  "berth seal --user alice --env train NAME" },
		{ "a renamed environment", &for_train, { PLACE_ENV, "alice", "7f3a9c12", "train2" },
		  "tried: alice, environment train2, generation 1", "--env train2" },
		{ "the same name, another person", &for_alice, { PLACE_OWNER, "alice", "aaaa0000", NULL }, "tried: alice,", "--user alice" },
		{ "the site", &for_alice, site, "tried: the site,", "berth seal --site NAME" },
		{ "an old generation", &old, alice, "generation 1 of alice, which opens no longer (generations 4 and 3)", "--user alice" },
		{ "an old generation elsewhere", &old, mallory, "tried: mallory, generations 4 and 3", "--user mallory" },
		{ "a generation that is not there yet", &future, alice, "tried: alice, generations 2 and 1", "--user alice" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sealed s = *rows[i].s;

		s.place = rows[i].place;
		print_message("# %s\n", rows[i].name);
		assert_int_equal(look_code(&s), ERR_DENIED);
		if (!strstr(e.text, rows[i].text) || !strstr(e.hint, rows[i].hint))
			fail_msg("%s (%s)", e.text, e.hint);
		assert_null(strstr(e.text, "hunter2"));
		if (rows[i].place.owner && str_eq(rows[i].place.owner, "mallory"))
			assert_true(!strstr(e.text, "alice") && !strstr(e.hint, "alice"));
	}
}

/* The recipient that the hint names is the one that would have been right. */
static void
the_hint_is_right(void **state)
{
	struct sealed s = sealed_for(&mallory, 1, PLAIN, 2, 1);
	char recipient[AGE_TEXT_MAX];

	(void)state;
	s.place = train;
	assert_int_equal(decryptor_recipient(d, &train, 2, recipient, &e), 0);
	assert_int_equal(look_code(&s), ERR_DENIED);
	assert_non_null(strstr(e.hint, recipient));
}

static void
broken_files(void **state)
{
	struct sealed good = sealed_for(&alice, 1, PLAIN, 1, 1), s = good;
	char *changed = arena_memdup(mem, good.bytes, good.n);

	(void)state;
	changed[good.n / 2] = changed[good.n / 2] == 'A' ? 'B' : 'A';
	s.bytes = changed;
	assert_true(look_code(&s) < 0);
	s = good;
	s.n -= 40;
	assert_int_equal(look_code(&s), ERR_INVALID);
	s.bytes = "not sealed at all: " PLAIN;
	s.n = strlen(s.bytes);
	assert_int_equal(look_code(&s), ERR_INVALID);
	assert_null(strstr(e.text, "hunter2"));
	s = good;
	s.place.uid = NULL;
	assert_int_equal(look_code(&s), ERR_INVALID);
	assert_non_null(strstr(e.text, "uid"));
	s = good;
	s.generation = 40;
	assert_int_equal(look_code(&s), ERR_INVALID);
	s.oldest = 0;
	assert_int_equal(look_code(&s), ERR_INVALID);
	assert_string_not_equal(look(&good, 1, 1)->digest, ""); /* and it is still alive */
	assert_null(decryptor_note(d));
}

/* -- keys ----------------------------------------------------------------------------------------------------------------- */

static void
keys(void **state)
{
	uint8_t sk[64], pk[32];
	char text[AGE_TEXT_MAX], want[AGE_TEXT_MAX], digest[SEAL_DIGEST_HEX], again[SEAL_DIGEST_HEX];
	struct buf AUTO_BUF sig = BUF_INIT(0), cert = BUF_INIT(0);
	struct age_identity id;

	(void)state;
	master_signer(&m, sk);
	ssh_public_text(sk + 32, text);
	assert_string_equal(decryptor_signer(d), text);
	master_host_ca(&m, sk);
	ssh_public_text(sk + 32, text);
	assert_string_equal(decryptor_host_ca(d), text);
	assert_int_equal(master_identity(&m, 3, &train, &id, &e), 0);
	age_recipient_text(id.pk, want);
	for (int i = 0; i < 2; i++) { /* derived, then kept */
		assert_int_equal(decryptor_recipient(d, &train, 3, text, &e), 0);
		assert_string_equal(text, want);
	}
	assert_int_equal(decryptor_sign(d, "recipients@berth", "text", 4, &sig, &e), 0);
	assert_int_equal(ssh_public_parse(decryptor_signer(d), strlen(decryptor_signer(d)), pk, &e), 0);
	assert_int_equal(sshsig_verify(sig.data, sig.len, pk, "recipients@berth", "text", 4, &e), 0);
	assert_int_equal(sshsig_verify(sig.data, sig.len, pk, "recipients@berth", "tex", 3, &e), ERR_DENIED);
	assert_int_equal(decryptor_host(d, &train, some_names, 2, digest, &cert, &e), 0);
	assert_true(str_starts(buf_cstr(&cert), "ssh-ed25519-cert-v01@openssh.com "));
	assert_int_equal(decryptor_host(d, &train, some_names, 2, again, NULL, &e), 0);
	assert_string_equal(digest, again);
	assert_int_equal(decryptor_host(d, &train, some_names, 1, again, NULL, &e), 0);
	assert_string_not_equal(digest, again);
	assert_int_equal(decryptor_host(d, &alice, some_names, 2, again, NULL, &e), ERR_INTERNAL);
	assert_int_equal(decryptor_host(d, &train, some_names, 0, again, NULL, &e), ERR_INVALID);
}

/* Two files that are not the same share no IV: under one key that would give both away. */
static void
other_ivs(const char *a, const char *b)
{
	size_t n = 0;

	for (const char *at = a; (at = strstr(at, ",iv:")); at++, n++)
		assert_null(strstr(b, arena_strndup(mem, at, strcspn(at + 1, ",") + 1)));
	assert_true(n >= 2 && strstr(b, ",iv:"));
}

static void
reseal(void **state)
{
	static const char document[] = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: train--secret-wandb\ntype: Opaque\n";
	struct sealed s = sealed_for(&alice, 1, PLAIN, 1, 1);
	const struct part parts[] = { { .key = "token", .kind = PART_VALUE, .sealed = &s, .value = "" },
		{ .key = "ssh_host_ed25519_key.pub", .kind = PART_HOST_PUBLIC, .value = "", .env = &train, .names = some_names, .nnames = 2 } };
	struct buf AUTO_BUF one = BUF_INIT(0), two = BUF_INIT(0), three = BUF_INIT(0);
	const uint8_t seed[32] = { 9 };
	struct sops_open o = { 0 };
	struct age_identity flux;
	char to[AGE_TEXT_MAX];

	(void)state;
	age_identity_from_seed(seed, &flux);
	age_recipient_text(flux.pk, to);
	assert_int_equal(decryptor_reseal(d, document, sizeof(document) - 1, parts, 2, to, &one, &e), 0);
	s = sealed_for(&alice, 1, PLAIN, 1, 1); /* other bytes, the same text */
	assert_int_equal(decryptor_reseal(d, document, sizeof(document) - 1, parts, 2, to, &two, &e), 0);
	assert_string_equal(buf_cstr(&one), buf_cstr(&two));
	s = sealed_for(&alice, 1, PLAIN "x", 1, 1);
	assert_int_equal(decryptor_reseal(d, document, sizeof(document) - 1, parts, 2, to, &three, &e), 0);
	assert_string_not_equal(buf_cstr(&one), buf_cstr(&three));
	other_ivs(buf_cstr(&one), buf_cstr(&three));
	buf_reset(&three);
	s = sealed_for(&alice, 1, PLAIN, 1, 1);
	assert_int_equal(decryptor_reseal(d, document, sizeof(document) - 2, parts, 2, to, &three, &e), 0);
	other_ivs(buf_cstr(&one), buf_cstr(&three));
	assert_null(strstr(buf_cstr(&one), "hunter2"));
	assert_int_equal(sops_open(mem, SEAL_SOPS_YAML, one.data, one.len, &flux, 1, NULL, &o, NULL, &e), 0);
	assert_int_equal(o.n, 2);
	assert_string_equal(o.leaves[0].name, "data.token");
	assert_int_equal(o.values[0].n, 24);
	assert_memory_equal(o.values[0].b, "aHVudGVyMi1vZi1hLXRlc3Q=", 24);
	secret_free(&o.block);
	assert_int_equal(decryptor_reseal(d, document, sizeof(document) - 1, parts, 2, "age1none", &two, &e), ERR_INVALID);
}

/* -- channels -------------------------------------------------------------------------------------------------------------- */

static int
channel(void)
{
	int fd = -1, rc = decryptor_channel(d, &fd, &e);

	if (rc < 0)
		fail_msg("%s", e.text);
	return fd;
}

static void
expect_part(int fd, const struct part *p, const char *want)
{
	struct secret AUTO_SECRET got = { 0 };
	int rc = channel_part(fd, p, &got, &e);

	if (rc < 0)
		fail_msg("%s: %s", p->key, e.text);
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.b, want, got.n);
}

static void
parts(void **state)
{
	static const char *const names[] = { "server", "username", "password" }, *const values[] = { "reg.example", "alice", "p\"w\\" };
	static const char file[] = "{\"auths\": {\"reg.example\": {\"auth\": \"YTpi\"}}}";
	struct sealed s = sealed_for(&alice, 1, PLAIN, 1, 1), docker = sealed_for(&alice, 1, file, 1, 1), leaves = sops_for(&alice, names, values, 3);
	struct sealed empty = sealed_for(&alice, 1, "", 1, 1), lost = s;
	const struct part token = { .key = "token", .kind = PART_VALUE, .sealed = &s, .value = "" };
	const struct part none = { .key = "token", .kind = PART_VALUE, .sealed = &s, .value = "nothing" };
	const struct part leaf = { .key = "user", .kind = PART_VALUE, .sealed = &leaves, .value = "data.username" };
	const struct part nothing = { .key = "user", .kind = PART_VALUE, .sealed = &empty, .value = "" };
	const struct part registry = { .key = ".dockerconfigjson", .kind = PART_DOCKER, .sealed = &docker, .value = "" };
	const struct part no_registry = { .key = ".dockerconfigjson", .kind = PART_DOCKER, .sealed = &s, .value = "" };
	const struct part other = { .key = "token", .kind = PART_VALUE, .sealed = &lost, .value = "" };
	struct secret got = { 0 };
	int fd = channel();

	(void)state;
	lost.place = mallory;
	expect_part(fd, &token, PLAIN);
	expect_part(fd, &leaf, "alice");
	expect_part(fd, &nothing, "");
	expect_part(fd, &registry, file);
	assert_int_equal(channel_part(fd, &none, &got, &e), ERR_NOTFOUND);
	assert_int_equal(channel_part(fd, &other, &got, &e), ERR_DENIED);
	assert_non_null(strstr(e.hint, "berth seal --user mallory"));
	assert_int_equal(channel_part(fd, &no_registry, &got, &e), ERR_INVALID);
	assert_null(strstr(e.text, "hunter2"));
	assert_null(got.b);
	expect_part(fd, &token, PLAIN);
	(void)close(fd);
}

/* That a file is open for one place opens it for no other. */
static void
an_open_file_is_for_its_place(void **state)
{
	struct sealed one = sealed_for(&alice, 1, PLAIN, 1, 1), copied = one;
	struct part p = { .key = "k", .kind = PART_VALUE, .sealed = &one, .value = "" }, q = p;
	struct secret got = { 0 };
	int fd = channel();

	(void)state;
	copied.place = mallory;
	q.sealed = &copied;
	expect_part(fd, &p, PLAIN);
	assert_int_equal(channel_part(fd, &q, &got, &e), ERR_DENIED);
	expect_part(fd, &p, PLAIN);
	(void)close(fd);
}

static void
host_parts(void **state)
{
	static const enum part_kind kinds[] = { PART_HOST_KEY, PART_HOST_PUBLIC, PART_HOST_CERT };
	static const char *const begins[] = { "-----BEGIN OPENSSH PRIVATE KEY-----\n", "ssh-ed25519 ", "ssh-ed25519-cert-v01@openssh.com " };
	int fd = channel();

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct part p = { .key = "k", .kind = kinds[i], .value = "", .env = &train, .names = some_names, .nnames = 2 };
		struct secret AUTO_SECRET one = { 0 };
		struct secret AUTO_SECRET two = { 0 };

		assert_int_equal(channel_part(fd, &p, &one, &e), 0);
		assert_int_equal(channel_part(fd, &p, &two, &e), 0);
		assert_memory_equal(one.b, begins[i], strlen(begins[i]));
		assert_int_equal(one.b[one.n - 1], '\n');
		assert_true(one.n == two.n && memcmp(one.b, two.b, one.n) == 0);
	}
	(void)close(fd);
}

static void
a_channel_gives_parts_alone(void **state)
{
	const struct request r = { .op = OP_RECIPIENT, .place = alice, .generation = 1 };
	struct buf AUTO_BUF b = BUF_INIT(0);
	struct sealed s = sealed_for(&alice, 1, PLAIN, 1, 1);
	const struct part token = { .key = "token", .kind = PART_VALUE, .sealed = &s, .value = "" };
	char answer[4096];
	int fd = channel();
	ssize_t n;

	(void)state;
	assert_int_equal(request_write(&r, &b, &e), 0);
	assert_int_equal(send(fd, b.data, b.len, MSG_NOSIGNAL), b.len);
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	assert_true(n > 5);
	answer[n] = '\0';
	assert_int_equal(answer[4], -ERR_DENIED);
	expect_part(fd, &token, PLAIN);
	(void)close(fd);
}

/* Half a message, an answer that nobody takes, a length that cannot be: the daemon and other channels are served all the same. */
static void
bad_channels(void **state)
{
	const char *large = arena_printf(mem, "%0900000d", 7);
	struct sealed s = sealed_for(&alice, 1, PLAIN, 1, 1), big = sealed_for(&alice, 1, large, 1, 1);
	const struct part token = { .key = "token", .kind = PART_VALUE, .sealed = &s, .value = "" };
	const struct part much = { .key = "much", .kind = PART_VALUE, .sealed = &big, .value = "" };
	const struct request r = { .op = OP_PART, .parts = arena_memdup(mem, &much, sizeof(much)), .nparts = 1 };
	struct buf AUTO_BUF b = BUF_INIT(0);
	int half = channel(), deaf = channel(), mad = channel(), good = channel();
	char byte;

	(void)state;
	assert_int_equal(request_write(&r, &b, &e), 0);
	assert_int_equal(send(half, b.data, 1000, MSG_NOSIGNAL), 1000);
	for (size_t at = 0; at < b.len;) {
		ssize_t n = send(deaf, b.data + at, b.len - at, MSG_NOSIGNAL);

		assert_true(n > 0);
		at += (size_t)n;
	}
	assert_int_equal(send(mad, "\xff\xff\xff\x7f????", 8, MSG_NOSIGNAL), 8);
	expect_part(good, &token, PLAIN);
	(void)look(&s, 1, 1);
	assert_true(recv(mad, &byte, 1, 0) <= 0); /* closed */
	for (int i = 0; i < 3; i++)
		expect_part(good, &token, PLAIN);
	/* what was not taken is still there, whole */
	for (size_t left = 4 + 1 + 4 + strlen(large), n; left; left -= n) {
		static char sink[65536];
		ssize_t got = recv(deaf, sink, sizeof(sink), 0);

		assert_true(got > 0);
		n = (size_t)got;
	}
	expect_part(deaf, &token, PLAIN);
	assert_null(decryptor_note(d));
	for (size_t i = 0; i < 4; i++)
		(void)close((int[]){ half, deaf, mad, good }[i]);
}

static void
so_many_channels(void **state)
{
	struct sealed s = sealed_for(&alice, 1, PLAIN, 1, 1);
	const struct part token = { .key = "token", .kind = PART_VALUE, .sealed = &s, .value = "" };
	int fds[CHANNELS_MAX], more = -1, rc = 0;

	(void)state;
	for (size_t i = 0; i < CHANNELS_MAX; i++)
		fds[i] = channel();
	assert_int_equal(decryptor_channel(d, &more, &e), ERR_UNAVAILABLE);
	assert_int_equal(more, -1);
	expect_part(fds[CHANNELS_MAX - 1], &token, PLAIN);
	(void)close(fds[3]);
	for (int i = 0; i < 6000 && (rc = decryptor_channel(d, &fds[3], &e)) < 0; i++)
		clock_sleep_ms(10);
	assert_int_equal(rc, 0);
	expect_part(fds[3], &token, PLAIN);
	for (size_t i = 0; i < CHANNELS_MAX; i++)
		(void)close(fds[i]);
}

/* -- deaths ---------------------------------------------------------------------------------------------------------------- */

static void
it_is_started_again(void **state)
{
	struct sealed s = sealed_for(&alice, 1, PLAIN, 1, 1);
	const struct part token = { .key = "token", .kind = PART_VALUE, .sealed = &s, .value = "" };
	int first = decryptor_pid(d), fd = channel();
	struct pollfd gone = { d->fd, POLLIN, 0 };
	struct secret got = { 0 };

	(void)state;
	assert_int_equal(kill(first, SIGKILL), 0);
	assert_int_equal(poll(&gone, 1, 20000), 1); /* else it could be killed while it has the next request */
	assert_int_equal(channel_part(fd, &token, &got, &e), ERR_UNAVAILABLE);
	(void)close(fd);
	assert_string_not_equal(look(&s, 1, 1)->digest, ""); /* at once, and nobody's request is lost for it */
	assert_int_not_equal(decryptor_pid(d), first);
	assert_non_null(strstr(decryptor_note(d), "was ended by signal 9"));
	assert_null(decryptor_note(d));
	fd = channel();
	expect_part(fd, &token, PLAIN);
	(void)close(fd);
}

static void
quarantine(void **state)
{
	struct sealed bad = sealed_for(&alice, 1, PLAIN, 1, 1), good = sealed_for(&alice, 1, PLAIN, 1, 1);
	int64_t died;
	int rc;

	(void)state;
	die_of_it();
	assert_int_equal(look_code(&bad), ERR_UNAVAILABLE);
	reap_killer();
	assert_non_null(strstr(e.text, "was ended by signal 9"));
	assert_int_equal(look_code(&good), 0); /* the first time it is started at once */
	die_of_it();
	died = clock_mono_ms();
	assert_int_equal(look_code(&bad), ERR_UNAVAILABLE);
	reap_killer();
	assert_int_equal(look_code(&bad), ERR_INVALID); /* without asking it */
	assert_non_null(strstr(e.text, "died of this one 2 times"));
	rc = look_code(&good);
	if (clock_mono_ms() - died < 1000) { /* ever more rarely; a machine that stood still that long is through with waiting */
		assert_int_equal(rc, ERR_UNAVAILABLE);
		assert_non_null(strstr(e.text, "the last of 2 one after the other, and another is started in 1 s"));
	}
	assert_int_equal(look_later(&good), 0);
	assert_int_equal(look_code(&bad), ERR_INVALID);
}

/* A success between two deaths clears the input. */
static void
no_quarantine_for_chance(void **state)
{
	struct sealed s = sealed_for(&alice, 1, PLAIN, 1, 1);

	(void)state;
	die_of_it();
	assert_int_equal(look_code(&s), ERR_UNAVAILABLE);
	reap_killer();
	assert_int_equal(look_later(&s), 0);
	die_of_it();
	assert_int_equal(look_code(&s), ERR_UNAVAILABLE);
	reap_killer();
	assert_int_equal(look_later(&s), 0);
}

/* A process that does not get on, without using the processor: ended at the deadline, and not the input's fault. */
static void
deadline(void **state)
{
	struct sealed s = sealed_for(&alice, 1, PLAIN, 1, 1);
	int first;

	(void)state;
	start(2000);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(look_later(&s), 0);
		first = decryptor_pid(d);
		assert_int_equal(kill(first, SIGSTOP), 0);
		assert_int_equal(look_code(&s), ERR_UNAVAILABLE);
		assert_non_null(strstr(e.text, "gave no answer within 2000 ms and was ended"));
		assert_int_equal(kill(first, 0), -1);
	}
	decryptor_stop(d);
	start(20000); /* the machine may be slow just now, and the rest is not about time */
	assert_int_equal(look_later(&s), 0);
	decryptor_stop(d);
	d = NULL;
}

/* -- the key file ----------------------------------------------------------------------------------------------------------- */

static void
key_files(void **state)
{
	struct decryptor_config c = { .key_file = "/nonexistent/key" };
	struct sealed s = sealed_for(&alice, 1, PLAIN, 1, 1);
	char *other = arena_printf(mem, "%s/other", folder);
	struct master m2;

	(void)state;
	assert_int_equal(decryptor_start(&c, &d, &e), ERR_NOTFOUND);
	assert_non_null(strstr(e.hint, "berth keygen"));
	master_new(&m2);
	assert_int_equal(master_store(&m2, other, &e), 0);
	master_free(&m2);
	c.key_file = other;
	assert_int_equal(chmod(other, 0644), 0);
	assert_int_equal(decryptor_start(&c, &d, &e), ERR_DENIED);
	assert_non_null(strstr(e.hint, "chmod"));
	assert_int_equal(chmod(other, 0400), 0);
	/* the file becomes another one while berth runs */
	start(20000);
	assert_int_equal(rename(other, key_file), 0);
	assert_int_equal(look_code(&s), 0);
	assert_int_equal(kill(decryptor_pid(d), SIGKILL), 0);
	assert_int_equal(look_later(&s), ERR_DENIED); /* whether it dies before the request or with it */
	assert_non_null(strstr(e.text, "another master key"));
	assert_int_equal(unlink(key_file), 0);
	assert_int_equal(master_store(&m, key_file, &e), 0);
	assert_int_equal(look_later(&s), 0);
	decryptor_stop(d);
	d = NULL;
}

/* ------------------------------------------------------------------------------------------------------------------------------ */

#define PLAINLY(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		RUNNING(digests), RUNNING(sops_values), RUNNING(a_recipient_by_chance),
		RUNNING(wrong_places), RUNNING(the_hint_is_right), RUNNING(broken_files), RUNNING(keys), RUNNING(reseal), RUNNING(parts),
		RUNNING(an_open_file_is_for_its_place),
		RUNNING(host_parts), RUNNING(a_channel_gives_parts_alone), RUNNING(bad_channels), RUNNING(so_many_channels),
		RUNNING(it_is_started_again), RUNNING(quarantine), RUNNING(no_quarantine_for_chance), PLAINLY(deadline),
		PLAINLY(key_files),
	};

	proc_save_self(argv[0]);
	if (argc > 1 && strcmp(argv[1], "__decryptor") == 0)
		return decryptor_main();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
