/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a line of sshKeys, as a signer, and as a signature: what one reader takes the others read alike. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/seal/secret.h"
#include "lib/seal/sshsig.h"
#include "validate/sshkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The key of signatures in the corpus: of a seed of zeros. */
static const uint8_t signer[32] = { 0x3b, 0x6a, 0x27, 0xbc, 0xce, 0xb6, 0xa4, 0x2d, 0x62, 0xa3, 0xa8, 0xd0, 0x2a, 0x6f, 0x0d, 0x73, 0x65, 0x32, 0x15, 0x77,
	0x1d, 0xe2, 0x43, 0xa6, 0x3a, 0xc0, 0x48, 0xa1, 0x8b, 0x59, 0xda, 0x29 };

static void
check_key(struct arena *mem, const char *line, size_t n)
{
	const char *why, *help;
	uint8_t pk[32], again[32];
	char text[96];
	int good;

	/* users' keys: a line of a document, so without a NUL in it */
	good = strlen(line) == n && sshkey_check(mem, line, n, &why, &help) == 0;
	if (strlen(line) == n && !good && (!why || !help))
		abort();
	if (ssh_public_parse(line, n, pk, NULL) == 0) {
		ssh_public_text(pk, text);
		if (ssh_public_parse(text, strlen(text), again, NULL) < 0 || memcmp(pk, again, 32) != 0 || strncmp(line, text, strlen(text)) != 0)
			abort();
	} else if (good && strncmp(line, "ssh-ed25519 ", 12) == 0) {
		abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	char *text = arena_strndup(mem, (const char *)data, size);
	struct err e = { 0 };

	if (seal_init(&e) < 0)
		abort();
	check_key(mem, text, size);
	if (sshsig_verify(text, size, signer, "test@berth", "text", 4, &e) == 0 &&
	    (sshsig_verify(text, size, signer, "test@berth", "texu", 4, &e) == 0 || sshsig_verify(text, size, signer, "test", "text", 4, &e) == 0))
		abort();
	return 0;
}
