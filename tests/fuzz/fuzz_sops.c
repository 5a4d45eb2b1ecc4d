/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte says what the rest is: y, j, d a SOPS file of that format, which may do anything but harm; s a
 * document, which opens again when it was sealed; and then the same with one bit changed, which gives the same values
 * or none.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/seal/sops.h"
#include "sops_same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct age_identity id;

static void
fail(const char *what, const char *text)
{
	(void)fprintf(stderr, "%s: %s\n", what, text);
	abort();
}

static void
read_any(enum seal_format format, const char *bytes, size_t n)
{
	struct arena *mem AUTO_ARENA = arena_new((size_t)4 << 20);
	struct sops_leaf *leaves = NULL;
	struct sops_open o = { 0 };
	size_t nleaves = 0;
	struct err e = { 0 };
	int rc = sops_leaves(mem, format, bytes, n, &leaves, &nleaves, &e);

	if (arena_used(mem) > 128 * 1024)
		fail("more memory than promised", "sops_leaves");
	for (size_t i = 0; rc == 0 && i < nleaves; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(leaves[i].name, leaves[k].name) == 0)
				fail("two of one name", leaves[i].name);
	if (rc < 0 && !*e.text)
		fail("refused without a word", "sops_leaves");
	if (sops_open(mem, format, bytes, n, &id, 1, NULL, &o, NULL, &e) == 0)
		secret_free(&o.block);
	else if (rc == 0 && !*e.text)
		fail("refused without a word", "sops_open");
}

static bool
has_value(const struct sops_open *o, const struct sops_value *want)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->leaves[i].name, "stringData.FUZZ") == 0)
			return o->values[i].n == want->n && memcmp(o->values[i].b, want->b, want->n) == 0;
	return false;
}

static void
seal_and_open(const char *doc, size_t n)
{
	struct arena *mem AUTO_ARENA = arena_new((size_t)8 << 20);
	struct buf out AUTO_BUF = BUF_INIT(0);
	const struct sops_value value = { (const char *const[]){ "stringData", "FUZZ" }, 2, (const unsigned char *)doc, n < 999 ? n : 999 };
	struct sops_open o, changed;
	uint8_t seed[32] = { 0 };
	struct err e = { 0 };
	size_t bit = n * 31;

	memcpy(seed, doc, n < 32 ? n : 32);
	if (sops_seal(doc, n, &value, 1, id.pk, seed, &out, &e) < 0)
		return;
	if (sops_open(mem, SEAL_SOPS_YAML, out.data, out.len, &id, 1, NULL, &o, NULL, &e) < 0)
		fail(e.text, out.data);
	if (value.n && !has_value(&o, &value))
		fail("the value is lost", out.data);
	bit = (bit + (n ? (size_t)(unsigned char)doc[n - 1] : 0) * 8191) % (out.len * 8);
	out.data[bit / 8] = (char)(out.data[bit / 8] ^ (1 << bit % 8));
	if (sops_open(mem, SEAL_SOPS_YAML, out.data, out.len, &id, 1, NULL, &changed, NULL, &e) == 0) {
		if (!sops_same(&o, &changed))
			fail("another value", out.data);
		secret_free(&changed.block);
	}
	secret_free(&o.block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	const char *rest = (const char *)data + 1;

	if (!ready) {
		uint8_t seed[32];
		struct err e;

		if (seal_init(&e) < 0 || sops_init(&e) < 0)
			fail("not ready", e.text);
		memset(seed, 0x41, sizeof(seed)); /* files of the corpus are sealed for it */
		age_identity_from_seed(seed, &id);
		ready = true;
	}
	if (!size)
		return 0;
	if (data[0] == 'y')
		read_any(SEAL_SOPS_YAML, rest, size - 1);
	else if (data[0] == 'j')
		read_any(SEAL_SOPS_JSON, rest, size - 1);
	else if (data[0] == 'd')
		read_any(SEAL_SOPS_DOTENV, rest, size - 1);
	else if (data[0] == 's')
		seal_and_open(rest, size - 1);
	return 0;
}
