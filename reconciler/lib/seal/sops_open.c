/* SPDX-License-Identifier: Apache-2.0 */
/* Opening SOPS files: the data key by age, every value, then the MAC over all of it. */
#include <openssl/crypto.h>
#include <string.h>

#include "lib/seal/sops_priv.h"

#define HINT_CHANGED \
	"take the file of the last good commit and edit it with `sops edit FILE`; after a merge of two edits, edit it once " \
	"with `sops edit --ignore-mac FILE` and look at every value"

/* -- leaves ------------------------------------------------------------------------------------------------------- */

static struct sops_leaf *
leaves_of(struct arena *mem, const struct sops_file *f)
{
	struct sops_leaf *leaves = arena_array(mem, f->nvalues, sizeof(*leaves));

	for (size_t i = 0; i < f->nvalues; i++) {
		const struct sops_name *name = &f->names[i];
		const char **keys = arena_array(mem, name->nkeys, sizeof(*keys));

		for (size_t k = 0; k < name->nkeys; k++)
			keys[k] = arena_strdup(mem, name->keys[k]);
		leaves[i] = (struct sops_leaf){ .keys = keys,
			                        .nkeys = name->nkeys,
			                        .name = arena_strdup(mem, name->name),
			                        .type = sops_type_name(name->node->enc->type),
			                        .line = name->node->line };
	}
	return leaves;
}

int
sops_leaves(struct arena *mem, enum seal_format format, const char *bytes, size_t n, struct sops_leaf **out,
            size_t *nout, struct err *e)
{
	struct arena *scratch AUTO_ARENA = arena_new(SOPS_MEMORY_MAX);
	struct sops_file f;

	if (sops_read(scratch, format, bytes, n, SOPS_FILE_MAX, &f, e) < 0)
		return e->code;
	if (!f.nvalues) {
		(void)err_set(e, ERR_INVALID, "no value of it is sealed");
		return err_hint(e, "look at its rules (encrypted_regex and its likes): they leave everything plain");
	}
	*out = leaves_of(mem, &f);
	*nout = f.nvalues;
	return 0;
}

/* Of one entry of `sops.age`, which is for one recipient; other tools put a stanza or two beside it that is for nobody. */
#define KEY_STANZAS_MAX 8

/* -- data key ----------------------------------------------------------------------------------------------------- */

/*
 * Of several recipients that fail the one that says most is told: an identity matched, or none of them did, or no age
 * file at all.
 */
static int
rank_of(enum age_why w)
{
	switch (w) {
	case AGE_BAD_MAC:
	case AGE_BAD_PAYLOAD:
		return 4;
	case AGE_NO_MATCH:
		return 3;
	case AGE_POST_QUANTUM:
	case AGE_PASSPHRASE:
		return 2;
	case AGE_FINE:
	case AGE_BAD_HEADER:
	case AGE_BAD_ARMOR:
	case AGE_TOO_LARGE:
		break;
	}
	return 1;
}

/* Each stanza is tried with each identity: hundreds in each of many entries would take seconds. */
static int
open_entry(const struct sops_recipient *r, const struct age_identity *ids, size_t nids, size_t *which, struct secret *key, enum age_why *why,
           struct err *e)
{
	if (age_recipients(r->enc, r->n) <= KEY_STANZAS_MAX)
		return age_open(r->enc, r->n, ids, nids, which, key, why, e);
	*why = AGE_BAD_HEADER;
	return err_set(e, ERR_INVALID, "one entry of `sops.age` is for more than %d recipients", KEY_STANZAS_MAX);
}

static int
open_key(const struct sops_file *f, const struct age_identity *ids, size_t nids, size_t *which, struct secret *key,
         enum age_why *why, struct err *e)
{
	int best = 0;

	for (size_t i = 0; i < f->nrecipients; i++) {
		enum age_why w = AGE_FINE;
		struct err one = { 0 };
		int rc = open_entry(&f->recipients[i], ids, nids, which, key, &w, &one);

		if (rc == 0 && key->n == SOPS_KEY) {
			*why = AGE_FINE;
			return 0;
		}
		if (rc == 0) {
			secret_free(key);
			w = AGE_BAD_PAYLOAD;
			rc = err_set(&one, ERR_INVALID, "its data key is not %d bytes", SOPS_KEY);
		}
		if (rank_of(w) > best) {
			best = rank_of(w);
			*why = w;
			*e = one;
		}
	}
	return err_wrap(e, "the data key");
}

/* -- values ------------------------------------------------------------------------------------------------------- */

static bool
is_whole(const unsigned char *b, size_t n, bool fraction)
{
	size_t i = b[0] == '-', digits = i, points = 0;

	for (; i < n; i++) {
		if (b[i] == '.' && fraction && i > digits && ++points == 1 && i + 1 < n)
			continue;
		if (b[i] < '0' || b[i] > '9')
			return false;
	}
	return n > digits;
}

/* A label of a type that does not fit was put there by hand. */
static bool
fits_type(enum sops_type t, const unsigned char *b, size_t n)
{
	switch (t) {
	case SOPS_BOOL:
		return (n == 4 && memcmp(b, "True", 4) == 0) || (n == 5 && memcmp(b, "False", 5) == 0);
	case SOPS_INT:
		return is_whole(b, n, false);
	case SOPS_FLOAT:
		return is_whole(b, n, true);
	case SOPS_TIME:
		return n >= 20 && b[4] == '-' && b[10] == 'T';
	case SOPS_STR:
	case SOPS_COMMENT:
		break;
	}
	return true;
}

struct opening {
	struct arena *mem;
	const struct sops_file *file;
	const unsigned char *key;
	struct secret block;
	struct sops_value_bytes *values;
	size_t used, n; /* of block, of values */
	struct sops_mac mac;
};

/* Opens one sealed node into the block and counts it. */
static int
open_node(struct opening *o, const struct sops_node *node, struct err *e)
{
	const struct sops_enc *enc = node->enc;
	unsigned char *plain = o->block.b + o->used;

	if (!sops_decrypt(o->key, enc, sops_additional(o->mem, node->path), plain)) {
		(void)err_set(e, ERR_INVALID,
		              "the value %s was changed after sealing, or moved there from another key or file",
		              sops_where(o->mem, node->path, node->line));
		return err_hint(e, HINT_CHANGED);
	}
	o->used += enc->n;
	if (enc->type == SOPS_COMMENT)
		return 0;
	if (!fits_type(enc->type, plain, enc->n))
		return err_set(e, ERR_INVALID, "the type of the value %s was changed after sealing",
		               sops_where(o->mem, node->path, node->line));
	sops_mac_add(&o->mac, plain, enc->n);
	if (enc->type == SOPS_BOOL)
		plain[0] = plain[0] == 'T' ? 't' : 'f'; /* Python's spelling is the format's, not the user's */
	o->values[o->n++] = (struct sops_value_bytes){ plain, enc->n };
	return 0;
}

static int
check_mac(struct opening *o, const char *computed, struct err *e)
{
	const struct sops_enc *mac = &o->file->mac;
	unsigned char said[SOPS_MAC_HEX];
	bool same;

	if (!sops_decrypt(o->key, mac, o->file->lastmodified, said)) {
		(void)err_set(e, ERR_INVALID, "the MAC or `sops.lastmodified` was changed after sealing");
		return err_hint(e, HINT_CHANGED);
	}
	same = CRYPTO_memcmp(said, computed, SOPS_MAC_HEX) == 0;
	OPENSSL_cleanse(said, sizeof(said));
	if (same)
		return 0;
	(void)err_set(e, ERR_INVALID,
	              "the MAC does not match: values were added, removed, moved or changed without sops");
	return err_hint(e, HINT_CHANGED);
}

static int
open_values(struct opening *o, struct err *e)
{
	const struct sops_file *f = o->file;
	char computed[SOPS_MAC_HEX + 1];
	int rc = 0;

	sops_mac_begin(&o->mac, f->mac_only);
	for (size_t i = 0; i < f->n && rc == 0; i++) {
		if (f->nodes[i].enc)
			rc = open_node(o, &f->nodes[i], e);
		else if (!f->mac_only)
			sops_mac_add(&o->mac, f->nodes[i].text, f->nodes[i].n);
	}
	sops_mac_end(&o->mac, computed);
	return rc < 0 ? rc : check_mac(o, computed, e);
}

int
sops_open(struct arena *mem, enum seal_format format, const char *bytes, size_t n, const struct age_identity *ids,
          size_t nids, size_t *which, struct sops_open *out, enum age_why *why, struct err *e)
{
	struct arena *scratch AUTO_ARENA = arena_new(SOPS_MEMORY_MAX);
	struct secret key AUTO_SECRET = { NULL, 0 };
	struct opening o = { .mem = scratch };
	enum age_why w = AGE_FINE;
	struct sops_file f;
	size_t id = 0;
	int rc;

	if (why)
		*why = AGE_FINE;
	if (sops_read(scratch, format, bytes, n, SOPS_FILE_MAX, &f, e) < 0)
		return e->code;
	rc = open_key(&f, ids, nids, &id, &key, &w, e);
	if (why)
		*why = w;
	if (rc < 0)
		return rc;
	o.file = &f;
	o.key = key.b;
	o.block = secret_new(f.plain_max);
	o.values = arena_array(mem, f.nvalues, sizeof(*o.values));
	if (open_values(&o, e) < 0) {
		secret_free(&o.block);
		return e->code;
	}
	*out = (struct sops_open){ leaves_of(mem, &f), o.values, o.n, o.block };
	if (which)
		*which = id;
	return 0;
}
