/* SPDX-License-Identifier: Apache-2.0 */
/* The master key, the identities that were derived of late, and opening sealed files with them. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lib/base/str.h"
#include "lib/seal/decryptor_vault.h"

#define KEPT 128 /* identities: an owner's are asked for again and again */

struct kept {
	uint8_t tag[32]; /* of the place and the generation */
	struct age_identity id;
};

int
vault_open(const char *key_file, struct vault **out, struct err *e)
{
	struct master m;
	struct vault *v;
	int rc = master_load(key_file, &m, e);

	if (rc < 0)
		return rc;
	v = calloc(1, sizeof(*v));
	if (!v)
		abort();
	v->m = m;
	v->kept = secret_new(KEPT * sizeof(struct kept));
	v->tries = secret_new(SEAL_GENERATIONS_MAX * sizeof(struct age_identity));
	*out = v;
	return 0;
}

void
vault_free(struct vault *v)
{
	if (!v)
		return;
	vault_forget(v);
	master_free(&v->m);
	secret_free(&v->kept);
	secret_free(&v->tries);
	free(v);
}

const struct master *
vault_master(const struct vault *v)
{
	return &v->m;
}

/* -- identities ------------------------------------------------------------------------------------------------------- */

int
vault_identity(struct vault *v, struct arena *mem, const struct seal_place *p, unsigned generation, struct age_identity *out, struct err *e)
{
	struct kept *k = (struct kept *)(void *)v->kept.b;
	uint8_t tag[32];
	const char *info;
	int rc = place_info(mem, p, generation, &info, e);

	if (rc < 0)
		return rc;
	(void)crypto_generichash(tag, sizeof(tag), (const unsigned char *)info, strlen(info), NULL, 0);
	k += tag[0] % KEPT;
	if (memcmp(k->tag, tag, sizeof(tag)) != 0) {
		if ((rc = master_identity(&v->m, generation, p, &k->id, e)) < 0) {
			sodium_memzero(k, sizeof(*k));
			return rc;
		}
		memcpy(k->tag, tag, sizeof(tag));
	}
	*out = k->id;
	return 0;
}

/* Those of the generations from `newest` down to `oldest`, at v->tries. */
static int
identities(struct vault *v, struct arena *mem, const struct seal_place *p, unsigned newest, unsigned oldest, struct err *e)
{
	struct age_identity *ids = (struct age_identity *)(void *)v->tries.b;
	int rc = 0;

	for (unsigned g = newest; rc == 0 && g >= oldest && newest - g < SEAL_GENERATIONS_MAX; g--)
		rc = vault_identity(v, mem, p, g, &ids[newest - g], e);
	return rc;
}

/* -- opening ---------------------------------------------------------------------------------------------------------- */

const char *
opened_name(const struct opened *o, size_t i)
{
	return o->sops.leaves ? o->sops.leaves[i].name : "";
}

static int
open_as(struct vault *v, struct arena *mem, const struct sealed *s, unsigned n, size_t *which, struct opened *o, enum age_why *why,
        struct err *e)
{
	const struct age_identity *ids = (const struct age_identity *)(const void *)v->tries.b;
	int rc;

	if (s->format != SEAL_AGE)
		return sops_open(mem, s->format, s->bytes, s->n, ids, n, which, &o->sops, why, e);
	if ((rc = age_open(s->bytes, s->n, ids, n, which, &o->sops.block, why, e)) < 0)
		return rc;
	o->one = (struct sops_value_bytes){ o->sops.block.b, o->sops.block.n };
	o->sops.values = &o->one;
	o->sops.n = 1;
	return 0;
}

void
opened_free(struct opened *o)
{
	secret_free(&o->sops.block);
}

/* Was it sealed for this very place, in a generation that opens no longer? 0: no. Says nothing of other places. */
static unsigned
older_generation(struct vault *v, struct arena *mem, const struct sealed *s)
{
	unsigned newest = s->oldest - 1, oldest = newest > SEAL_GENERATIONS_MAX ? newest - SEAL_GENERATIONS_MAX + 1 : 1;
	struct opened o = { 0 };
	enum age_why why;
	struct err ignored;
	size_t which = 0;

	if (newest < 1 || identities(v, mem, &s->place, newest, oldest, &ignored) < 0 ||
	    open_as(v, mem, s, newest - oldest + 1, &which, &o, &why, &ignored) < 0)
		return 0;
	opened_free(&o);
	return newest - (unsigned)which;
}

static const char *
generations_text(struct arena *mem, const struct sealed *s)
{
	if (s->generation == s->oldest)
		return arena_printf(mem, "generation %u", s->generation);
	if (s->generation == s->oldest + 1)
		return arena_printf(mem, "generations %u and %u", s->generation, s->oldest);
	return arena_printf(mem, "generations %u to %u", s->generation, s->oldest);
}

/* The commands that would have been right. The recipient of a place is public. */
static void
hint_seal(struct vault *v, struct arena *mem, const struct sealed *s, struct err *e)
{
	const char *flags = s->place.scope == PLACE_SITE  ? "--site "
	                    : s->place.scope == PLACE_ENV ? arena_printf(mem, "--user %s --env %s ", s->place.owner, s->place.env)
	                                                  : arena_printf(mem, "--user %s ", s->place.owner);
	char recipient[AGE_TEXT_MAX];
	struct age_identity id;
	struct err ignored;

	if (vault_identity(v, mem, &s->place, s->generation, &id, &ignored) < 0)
		return;
	age_recipient_text(id.pk, recipient);
	sodium_memzero(&id, sizeof(id));
	if (s->format == SEAL_AGE)
		(void)err_hint(e, "Seal the value for this place: `berth seal %sNAME`, or `age -a -r %s -o NAME.age`.", flags, recipient);
	else
		(void)err_hint(e, "Seal the values for this place: `sops encrypt --age %s FILE`.", recipient);
}

static int
refused(struct vault *v, struct arena *mem, const struct sealed *s, enum age_why why, struct err *e)
{
	const char *who = place_text(mem, &s->place);
	unsigned older = older_generation(v, mem, s);

	if (older)
		(void)err_set(e, ERR_DENIED, "it was sealed for generation %u of %s, which opens no longer (%s)", older, who,
		              generations_text(mem, s));
	else if (why == AGE_PASSPHRASE)
		(void)err_set(e, ERR_DENIED, "it was sealed with a passphrase, not for the recipient of %s", who);
	else
		(void)err_set(e, ERR_DENIED, "it was sealed for somebody else or for another place%s; tried: %s, %s",
		              why == AGE_POST_QUANTUM ? " (or for a post-quantum recipient, which berth does not open yet)" : "", who,
		              generations_text(mem, s));
	hint_seal(v, mem, s, e);
	return ERR_DENIED;
}

int
vault_unseal(struct vault *v, struct arena *mem, const struct sealed *s, struct opened *o, struct err *e)
{
	enum age_why why = AGE_FINE;
	size_t which = 0;
	int rc;

	memset(o, 0, sizeof(*o));
	if (s->oldest < 1 || s->generation < s->oldest || s->generation - s->oldest >= SEAL_GENERATIONS_MAX)
		return err_set(e, ERR_INVALID, "generations %u to %u: at most %d can be tried", s->generation, s->oldest, SEAL_GENERATIONS_MAX);
	if ((rc = identities(v, mem, &s->place, s->generation, s->oldest, e)) < 0)
		return rc;
	rc = open_as(v, mem, s, s->generation - s->oldest + 1, &which, o, &why, e);
	if (rc == ERR_DENIED)
		return refused(v, mem, s, why, e);
	if (rc == ERR_INVALID && !e->hint[0])
		hint_seal(v, mem, s, e);
	o->generation = s->generation - (unsigned)which;
	return rc;
}

/* -- files that stay open ---------------------------------------------------------------------------------------------- */

static void
file_close(struct open_file *f)
{
	if (!f->mem)
		return;
	opened_free(&f->o);
	arena_free(f->mem);
	sodium_memzero(f, sizeof(*f));
}

void
vault_forget(struct vault *v)
{
	for (size_t i = 0; i < OPEN_FILES; i++)
		file_close(&v->files[i]);
}

/* Of all that decides whether it opens: the same bytes at another place are another file. */
static int
tag_of(struct arena *mem, const struct sealed *s, uint8_t tag[32], struct err *e)
{
	const unsigned numbers[2] = { s->oldest, (unsigned)s->format };
	crypto_generichash_state h;
	const char *info;
	int rc = place_info(mem, &s->place, s->generation, &info, e);

	if (rc < 0)
		return rc;
	(void)crypto_generichash_init(&h, NULL, 0, 32);
	(void)crypto_generichash_update(&h, (const unsigned char *)numbers, sizeof(numbers));
	(void)crypto_generichash_update(&h, (const unsigned char *)info, strlen(info) + 1);
	(void)crypto_generichash_update(&h, (const unsigned char *)s->bytes, s->n);
	(void)crypto_generichash_final(&h, tag, 32);
	return 0;
}

int
vault_file(struct vault *v, struct arena *mem, const struct sealed *s, const struct opened **out, struct err *e)
{
	struct open_file *f;
	uint8_t tag[32];
	int rc = tag_of(mem, s, tag, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < OPEN_FILES; i++)
		if (v->files[i].mem && memcmp(v->files[i].tag, tag, sizeof(tag)) == 0) {
			*out = &v->files[i].o;
			return 0;
		}
	f = &v->files[v->next_file++ % OPEN_FILES];
	file_close(f);
	f->mem = arena_new(WORK_MAX);
	if ((rc = vault_unseal(v, f->mem, s, &f->o, e)) < 0) {
		file_close(f);
		return rc;
	}
	memcpy(f->tag, tag, sizeof(tag));
	*out = &f->o;
	return 0;
}

/* -- before the walls go up -------------------------------------------------------------------------------------------- */

int
vault_warm_up(struct vault *v, struct err *e)
{
	static const char document[] = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: none\n";
	static const char *const keys[] = { "data", "none" };
	const struct sops_value value = { keys, 2, (const unsigned char *)"bm9uZQ==", 8 };
	struct arena *AUTO_ARENA mem = arena_new(WORK_MAX);
	struct buf AUTO_BUF file = BUF_INIT(65536);
	struct sops_open o = { 0 };
	const uint8_t seed[32] = { 7 };
	struct age_identity id;
	int rc = sops_init(e);

	(void)v;
	age_identity_from_seed(seed, &id);
	if (rc < 0 || (rc = sops_seal(document, sizeof(document) - 1, &value, 1, id.pk, seed, &file, e)) < 0 ||
	    (rc = sops_open(mem, SEAL_SOPS_YAML, file.data, file.len, &id, 1, NULL, &o, NULL, e)) < 0)
		return rc;
	secret_free(&o.block);
	return 0;
}
