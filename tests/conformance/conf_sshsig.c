/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSHSIG as OpenSSH makes and judges it, and git's signed objects: every case of BERTH_VECTORS/sshsig. Its `strict` says what a strict verifier
 * answers; where that is "either" the reason for berth's answer stands here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/git/signed.h"
#include "lib/seal/secret.h"
#include "lib/seal/signers.h"
#include "lib/seal/sshsig_check.h"

static const struct {
	const char *id;
	bool good;
	const char *why;
} either[] = {
	{ "as-unknown-option-other-line", true, "a broken line allows nobody; it is reported, the others count" },
	{ "as-bad-line-before", true, "the same" },
	{ "as-bad-line-after", true, "the same" },
	{ "as-bad-base64", true, "the same" },
	{ "vt-local-time", false, "a time without Z would mean something else on every machine" },
	{ "vt-epoch", false, "nothing was signed in 1970" },
	{ "sk-ed25519-no-touch", false, "an approval needs somebody who was there" },
	{ "bad-version-0", false, "there is one version" },
	{ "bad-reserved", false, "nothing that is not signed may say anything" },
	{ "armor-crlf", true, "a mail or an editor may have done it" },
	{ "armor-trailing-text", false, "one file, one signature" },
	{ "armor-blank-lines", true, "blanks say nothing" },
	{ "armor-two-signatures", false, "one file, one signature" },
};

static int tests, failures;

static void
ok(bool good, const char *name, const char *what)
{
	failures += !good;
	printf("%sok %d - %s%s%s\n", good ? "" : "not ", ++tests, name, what ? ": " : "", what ? what : "");
}

static bool
read_file(struct arena *mem, const char *dir, const char *name, char **bytes, size_t *n)
{
	struct err e = { 0 };

	*bytes = NULL;
	*n = 0;
	return fs_read(arena_printf(mem, "%s/%s", dir, name), (size_t)4 << 20, mem, bytes, n, &e) == 0;
}

/* "20240601Z", "20231231235959Z", without Z the same (the index was made in UTC); now when there is none. */
static int64_t
when_of(const char *s)
{
	struct tm tm = { 0 };
	char digits[15] = "00000000000000";

	if (!s)
		return time(NULL);
	memcpy(digits, s, strspn(s, "0123456789"));
	if (sscanf(digits, "%4d%2d%2d%2d%2d%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		abort();
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return timegm(&tm);
}

struct question {
	const char *sig, *msg, *signers, *revoked, *principal, *ns;
	size_t nsig, nmsg, nsigners, nrevoked;
	int64_t when;
};

static int
answer(struct arena *mem, const struct question *q, struct err *e)
{
	struct signers signers;
	struct sshsig s;
	int rc;

	if ((rc = signers_parse(mem, q->signers, q->nsigners, &signers, e)) < 0 || (rc = sshsig_read(mem, q->sig, q->nsig, &s, e)) < 0 ||
	    (rc = sshsig_check(&s, q->ns, q->msg, q->nmsg, e)) < 0 || (rc = revoked_check(mem, q->revoked, q->nrevoked, &s.key, e)) < 0)
		return rc;
	return signers_allow(mem, &signers, &s.key, q->principal, q->ns, q->when, NULL, e);
}

static bool
wanted(const char *id, const char *strict, const char **why)
{
	*why = NULL;
	if (!str_eq(strict, "either"))
		return str_eq(strict, "good");
	for (size_t i = 0; i < sizeof(either) / sizeof(*either); i++) {
		if (str_eq(either[i].id, id)) {
			*why = either[i].why;
			return either[i].good;
		}
	}
	*why = "NOT LISTED";
	return false;
}

static void
signature_case(const char *vectors, const struct value *c)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)32 << 20);
	const char *id = value_as_str(value_get(c, "id"), "?"), *why;
	const char *dir = arena_printf(mem, "%s/sshsig/%s", vectors, value_as_str(value_get(c, "dir"), "?"));
	bool good = wanted(id, value_as_str(value_get(c, "strict"), "?"), &why);
	struct question q = { .principal = value_as_str(value_get(c, "principal"), "?"), .ns = value_as_str(value_get(c, "namespace"), "?"),
		.when = when_of(value_as_str(value_get(c, "verify_time"), NULL)), .revoked = "" };
	struct err e = { 0 };
	char *bytes;
	int rc;

	if (!read_file(mem, dir, "message", &bytes, &q.nmsg)) {
		ok(false, id, "no message");
		return;
	}
	q.msg = bytes;
	(void)read_file(mem, dir, "signature", &bytes, &q.nsig);
	q.sig = bytes ? bytes : "";
	(void)read_file(mem, dir, "allowed_signers", &bytes, &q.nsigners);
	q.signers = bytes ? bytes : "";
	if (read_file(mem, dir, "revoked", &bytes, &q.nrevoked))
		q.revoked = bytes;
	rc = answer(mem, &q, &e);
	ok((rc == 0) == good, id, rc == 0 ? why : arena_printf(mem, "%s%s%s", e.text, why ? ": " : "", why ? why : ""));
}

/* -- git ------------------------------------------------------------------------------------------------------------------ */

/* Seconds of the committer line. */
static int64_t
commit_time(const char *raw)
{
	const char *line = strstr(raw, "\ncommitter "), *mail = line ? strchr(line, '>') : NULL;

	return mail ? strtoll(mail + 1, NULL, 10) : 0;
}

/* Does anybody of the list answer for this signature? git asks for the principal of each line in turn. */
static int
commit_answer(struct arena *mem, struct question *q, struct err *e)
{
	struct signers signers;
	struct sshsig s;
	int rc;

	if ((rc = signers_parse(mem, q->signers, q->nsigners, &signers, e)) < 0 || (rc = sshsig_read(mem, q->sig, q->nsig, &s, e)) < 0 ||
	    (rc = sshsig_check(&s, "git", q->msg, q->nmsg, e)) < 0)
		return rc;
	return signers_allow(mem, &signers, &s.key, q->principal, "git", q->when, NULL, e);
}

static void
git_case(const char *dir, const struct value *c, const char *signers, size_t nsigners)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)32 << 20);
	const char *id = value_as_str(value_get(c, "id"), "?"), *strict = value_as_str(value_get(c, "strict"), "?");
	/* policy: the signature is as git says; whether that is enough is decided above this */
	bool good = str_eq(strict, "policy") ? str_eq(value_as_str(value_get(c, "expect"), ""), "good") : str_eq(strict, "good");
	struct question q = { .principal = value_as_str(value_get(c, "signer"), ""), .ns = "git", .signers = signers, .nsigners = nsigners };
	struct err e = { 0 };
	char *raw;
	size_t n;
	int rc;

	if (!read_file(mem, dir, value_as_str(value_get(c, "raw"), "?"), &raw, &n)) {
		ok(false, id, "no object");
		return;
	}
	q.when = commit_time(raw);
	if (!*q.principal)
		q.principal = "alice@example.org";
	rc = commit_signature(mem, raw, n, str_eq(value_as_str(value_get(c, "object_format"), ""), "sha256"), &q.sig, &q.nsig, &q.msg, &q.nmsg, &e);
	if (rc == 0)
		rc = commit_answer(mem, &q, &e);
	ok((rc == 0) == good, id, rc == 0 ? NULL : e.text);
}

static struct value *
index_of(struct arena *mem, const char *dir)
{
	struct err e = { 0 };
	struct value *v;
	char *bytes;
	size_t n;

	if (fs_read(arena_printf(mem, "%s/index.json", dir), (size_t)8 << 20, mem, &bytes, &n, &e) < 0 ||
	    json_read(mem, bytes, n, &v, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(1);
	}
	return v;
}

static void
run(struct arena *mem, const char *vectors)
{
	const char *git = arena_printf(mem, "%s/sshsig/git", vectors);
	const struct value *cases = value_get(index_of(mem, arena_printf(mem, "%s/sshsig", vectors)), "cases");
	size_t skipped = 0, nsigners = 0;
	char *signers;

	for (size_t i = 0; i < value_len(cases); i++)
		signature_case(vectors, value_item(cases, i));
	printf("# sshsig: %zu signatures\n", value_len(cases));
	cases = value_get(index_of(mem, git), "cases");
	if (!read_file(mem, git, "allowed_signers", &signers, &nsigners))
		ok(false, "git", "no allowed_signers");
	for (size_t i = 0; i < value_len(cases); i++) {
		const struct value *c = value_item(cases, i);

		if (str_eq(value_as_str(value_get(c, "type"), ""), "commit"))
			git_case(git, c, signers, nsigners);
		else
			skipped++;
	}
	printf("# sshsig: %zu git objects, %zu of them tags, which say nothing to berth\n", value_len(cases), skipped);
	printf("1..%d\n", tests);
}

int
main(void)
{
	const char *vectors = getenv("BERTH_VECTORS");
	struct arena *AUTO_ARENA mem = arena_new((size_t)64 << 20);
	struct err e = { 0 };

	if (!vectors) {
		printf("1..1\nok 1 - sshsig # SKIP BERTH_VECTORS is not set\n");
		return 0;
	}
	if (seal_init(&e) < 0) {
		printf("Bail out! %s\n", e.text);
		return 1;
	}
	run(mem, vectors);
	return failures != 0;
}
