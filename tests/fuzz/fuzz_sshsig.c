/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a signature, what it is of, who may sign, and who may no longer: parts of one input with "\n==\n" between them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/seal/secret.h"
#include "lib/seal/signers.h"
#include "lib/seal/sshsig_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CUT "\n==\n"

struct part {
	const char *p;
	size_t n;
};

static struct part
next_part(struct part *rest)
{
	const char *cut = memmem(rest->p, rest->n, CUT, strlen(CUT));
	struct part one = { rest->p, cut ? (size_t)(cut - rest->p) : rest->n };

	rest->n -= one.n + (cut ? strlen(CUT) : 0);
	rest->p += one.n + (cut ? strlen(CUT) : 0);
	return one;
}

static int
is_good(const struct sshsig *s, const char *ns, struct part msg)
{
	return sshsig_check(s, ns, msg.p, msg.n, NULL) == 0;
}

/* A good signature is good for its text and its namespace alone. */
static void
check_signature(struct arena *mem, const struct sshsig *s, struct part msg)
{
	static const char *const names[] = { "git", "approval@berth", "file" };
	char *other = arena_strndup(mem, msg.p, msg.n);
	int good = 0;

	for (size_t i = 0; i < 3; i++)
		good += is_good(s, names[i], msg);
	if (good > 1)
		abort();
	if (good && msg.n) {
		other[msg.n / 2] = (char)(other[msg.n / 2] ^ 1);
		for (size_t i = 0; i < 3; i++)
			if (is_good(s, names[i], (struct part){ other, msg.n }))
				abort();
	}
}

/* Whom one line allows must be on a line about that key; a revoked authority or key is revoked however often it is asked. */
static void
check_people(struct arena *mem, const struct ssh_key *k, struct part allowed, struct part revoked)
{
	static const char *const people[] = { "carol@example.com", "dana@example.com", "nobody" };
	const struct signer *who, **lines;
	struct signers signers;
	size_t n;

	if (signers_parse(mem, allowed.p, allowed.n, &signers, NULL) == 0) {
		signers_of(mem, &signers, k, &lines, &n);
		for (size_t i = 0; i < 3; i++)
			if (signers_allow(mem, &signers, k, people[i], "git", 1790000000, &who, NULL) == 0 &&
			    (!n || !who || who < signers.items || who >= signers.items + signers.n))
				abort();
	}
	if (revoked_check(mem, revoked.p, revoked.n, k, NULL) != revoked_check(mem, revoked.p, revoked.n, k, NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)128 << 20);
	struct part rest = { arena_strndup(mem, (const char *)data, size), size };
	struct part sig = next_part(&rest), msg = next_part(&rest), allowed = next_part(&rest), revoked = rest;
	struct sshsig s;

	if (seal_init(NULL) < 0)
		abort();
	if (sshsig_read(mem, sig.p, sig.n, &s, NULL) == 0) {
		check_signature(mem, &s, msg);
		check_people(mem, &s.key, allowed, revoked);
	} else {
		struct ssh_key k;

		if (ssh_key_line(mem, sig.p, sig.n, &k, NULL) == 0)
			check_people(mem, &k, allowed, revoked);
	}
	return 0;
}
