/* SPDX-License-Identifier: Apache-2.0 */
/* Writing SOPS files: the same inputs give the same bytes. */
#include <sodium.h>
#include <string.h>

#include "lib/doc/yaml.h"
#include "lib/seal/sops_priv.h"

#define VERSION "3.13.3"
#define LASTMODIFIED                                                                                                   \
	"2026-01-01T00:00:00Z" /* nobody needs to know when; a clock would make every rendering another text */
#define REGEX "^(data|stringData)$"
#define DOCUMENT_DEPTH 64

struct sealing {
	struct arena *mem;
	const struct sops_value *values;
	const struct value **places; /* of the document, for each of values */
	size_t nvalues;
	const uint8_t *seed;
	const unsigned char *key;
	struct sops_mac mac;
	unsigned count;
	bool looks_sealed; /* a plain text that readers would try to open */
};

/* 32 bytes that only this seed gives for this purpose. */
static void
derive(const uint8_t seed[32], const char *purpose, unsigned number, unsigned char out[32])
{
	crypto_generichash_state h;
	unsigned char n[4] = { (unsigned char)(number >> 24), (unsigned char)(number >> 16),
		               (unsigned char)(number >> 8), (unsigned char)number };

	(void)crypto_generichash_init(&h, seed, 32, 32);
	(void)crypto_generichash_update(&h, (const unsigned char *)purpose, strlen(purpose) + 1);
	(void)crypto_generichash_update(&h, n, sizeof(n));
	(void)crypto_generichash_final(&h, out, 32);
	sodium_memzero(&h, sizeof(h));
}

static bool
is_sealing_key(const char *key)
{
	return strcmp(key, "data") == 0 || strcmp(key, "stringData") == 0;
}

/* -- the document ------------------------------------------------------------------------------------------------- */

static bool
is_place(const struct sealing *s, const struct value *v, size_t n)
{
	for (size_t i = 0; v && i < n; i++)
		if (s->places[i] == v)
			return true;
	return false;
}

/* The bytes of a value stay where the caller has them: the document gets an empty text in their place. */
static int
put_place(struct sealing *s, struct value *doc, size_t i, struct err *e)
{
	const struct sops_value *v = &s->values[i];
	struct value *at = doc, *next;
	bool sealed = false;

	if (!v->nkeys || v->nkeys > SOPS_DEPTH_MAX || v->n > SOPS_WRITTEN_MAX)
		return err_set(e, ERR_INVALID, "value %zu has no path, or is over the limits", i + 1);
	for (size_t k = 0; k < v->nkeys; k++) {
		sealed = sealed || is_sealing_key(v->keys[k]);
		if (!value_is(at, VALUE_MAP))
			return err_set(e, ERR_INVALID, "the path of value %zu goes through something that is not a map",
			               i + 1);
		next = value_get(at, v->keys[k]);
		if (k + 1 == v->nkeys) {
			if (value_is(next, VALUE_MAP) || value_is(next, VALUE_LIST) || is_place(s, next, i))
				return err_set(e, ERR_INVALID, "something else stands at the path of value %zu", i + 1);
			next = value_str(s->mem, "");
			value_set(s->mem, at, v->keys[k], next);
		} else if (!next) {
			next = value_map(s->mem);
			value_set(s->mem, at, v->keys[k], next);
		}
		at = next;
	}
	if (!sealed)
		return err_set(e, ERR_INVALID, "value %zu stands neither in `data` nor in `stringData`", i + 1);
	s->places[i] = at;
	return 0;
}

/* As it reads once it is written by lib/doc: what the MAC counts is what is in the file, where -.0 has become 0. */
static int
read_written(struct arena *mem, const char *bytes, size_t n, struct value **out, struct err *e)
{
	struct yaml_limits limits = { .bytes = SOPS_FILE_MAX, .depth = DOCUMENT_DEPTH };
	struct buf text AUTO_BUF = BUF_INIT(SOPS_FILE_MAX);
	struct value *doc;
	struct report r;

	report_init(&r, mem);
	if (yaml_read(mem, NULL, bytes, n, &limits, &r, &doc) < 0)
		return err_set(e, ERR_INVALID, "the document is not a YAML file as lib/doc writes it");
	yaml_write(doc, &text);
	if (buf_check(&text, "the document", e) < 0)
		return e->code;
	if (yaml_read(mem, NULL, text.data, text.len, &limits, &r, out) < 0)
		return err_set(e, ERR_INVALID, "the document does not read again once it is written");
	return 0;
}

static int
read_document(struct sealing *s, const char *bytes, size_t n, struct value **out, struct err *e)
{
	struct value *doc;

	if (read_written(s->mem, bytes, n, &doc, e) < 0)
		return e->code;
	if (!value_is(doc, VALUE_MAP) || value_get(doc, "sops"))
		return err_set(e, ERR_INVALID, "the document is not a map, or is sealed already");
	if (s->nvalues > SOPS_LEAVES_MAX)
		return err_set(e, ERR_INVALID, "more than %d values for one file", SOPS_LEAVES_MAX);
	s->places = arena_array(s->mem, s->nvalues, sizeof(*s->places));
	for (size_t i = 0; i < s->nvalues; i++)
		if (put_place(s, doc, i, e) < 0)
			return e->code;
	*out = doc;
	return 0;
}

/* -- sealing ------------------------------------------------------------------------------------------------------ */

static struct value *
sealed_text(struct sealing *s, const struct sops_step *path, const unsigned char *plain, size_t n, enum sops_type type)
{
	unsigned char iv[SOPS_IV];

	derive(s->seed, "berth sops iv", ++s->count, iv);
	return value_str(s->mem, sops_encrypt(s->mem, s->key, iv, sops_additional(s->mem, path), plain, n, type));
}

static struct value *
seal_scalar(struct sealing *s, const struct sops_step *path, struct value *v, bool below)
{
	const unsigned char *plain;
	enum sops_type type;
	const char *text;
	size_t n;

	if (!sops_scalar(s->mem, v, &text, &n, &type))
		return v;
	plain = (const unsigned char *)text;
	for (size_t i = 0; i < s->nvalues; i++)
		if (s->places[i] == v) {
			plain = s->values[i].b;
			n = s->values[i].n;
		}
	s->looks_sealed = s->looks_sealed || (!below && sops_is_sealed(text, n));
	sops_mac_add(&s->mac, plain, n);
	return below && n ? sealed_text(s, path, plain, n, type) : v;
}

/* Depth is bounded by the reader and by the paths of values. */
static struct value *
seal_below(struct sealing *s, const struct sops_step *path, struct value *v, bool below)
{
	if (v->type == VALUE_MAP) {
		for (size_t i = 0; i < v->map.n; i++) {
			struct member *m = &v->map.items[i];

			m->value = seal_below(s, sops_step(s->mem, path, m->key, 0), m->value,
			                      below || is_sealing_key(m->key));
		}
		return v;
	}
	if (v->type == VALUE_LIST) {
		for (size_t i = 0; i < v->list.n; i++)
			v->list.items[i] = seal_below(s, sops_step(s->mem, path, NULL, i), v->list.items[i], below);
		return v;
	}
	return seal_scalar(s, path, v, below);
}

static int
add_metadata(struct sealing *s, struct value *doc, const uint8_t recipient[32], const char *mac_hex, struct err *e)
{
	struct value *meta = value_map(s->mem), *list = value_list(s->mem), *entry = value_map(s->mem);
	struct buf armored AUTO_BUF = BUF_INIT(SOPS_FILE_MAX);
	unsigned char seed[32], iv[SOPS_IV];
	char text[AGE_TEXT_MAX];
	int rc;

	derive(s->seed, "berth sops age", 0, seed);
	rc = age_seal((const uint8_t(*)[32])(uintptr_t)recipient, 1, s->key, SOPS_KEY, true, seed, &armored, e);
	sodium_memzero(seed, sizeof(seed));
	if (rc < 0)
		return rc;
	age_recipient_text(recipient, text);
	value_set(s->mem, entry, "enc", value_strn(s->mem, buf_cstr(&armored), armored.len));
	value_set(s->mem, entry, "recipient", value_str(s->mem, text));
	value_push(s->mem, list, entry);
	derive(s->seed, "berth sops mac iv", 0, iv);
	value_set(s->mem, meta, "age", list);
	value_set(s->mem, meta, "encrypted_regex", value_str(s->mem, REGEX));
	value_set(s->mem, meta, "lastmodified", value_str(s->mem, LASTMODIFIED));
	value_set(s->mem, meta, "mac",
	          value_str(s->mem, sops_encrypt(s->mem, s->key, iv, LASTMODIFIED, (const unsigned char *)mac_hex,
	                                         SOPS_MAC_HEX, SOPS_STR)));
	value_set(s->mem, meta, "version", value_str(s->mem, VERSION));
	value_set(s->mem, doc, "sops", meta);
	return 0;
}

/* What is over the limits of readers is not written: too many values, names that are the same. */
static int
check_readable(const struct buf *text, struct err *e)
{
	struct arena *scratch AUTO_ARENA = arena_new(SOPS_MEMORY_MAX);
	struct sops_file f;

	if (sops_read(scratch, SEAL_SOPS_YAML, text->data, text->len, SOPS_WRITTEN_MAX, &f, e) < 0)
		return err_wrap(e, "the sealed file");
	return 0;
}

int
sops_seal(const char *document, size_t n, const struct sops_value *values, size_t nvalues, const uint8_t recipient[32],
          const uint8_t seed[32], struct buf *out, struct err *e)
{
	struct arena *scratch AUTO_ARENA = arena_new(SOPS_MEMORY_MAX);
	struct secret key AUTO_SECRET = secret_new(SOPS_KEY);
	struct buf text AUTO_BUF = BUF_INIT(SOPS_WRITTEN_MAX);
	struct sealing s = { .mem = scratch, .values = values, .nvalues = nvalues, .seed = seed, .key = key.b };
	char mac_hex[SOPS_MAC_HEX + 1];
	struct value *doc = NULL;

	if (read_document(&s, document, n, &doc, e) < 0)
		return e->code;
	derive(seed, "berth sops data key", 0, key.b);
	sops_mac_begin(&s.mac, false);
	doc = seal_below(&s, NULL, doc, false);
	sops_mac_end(&s.mac, mac_hex);
	if (s.looks_sealed)
		return err_set(e, ERR_INVALID, "a plain text of the document begins as sealed text does");
	if (add_metadata(&s, doc, recipient, mac_hex, e) < 0)
		return e->code;
	yaml_write(doc, &text);
	if (buf_check(&text, "the sealed file", e) < 0 || check_readable(&text, e) < 0)
		return e->code;
	buf_add(out, text.data, text.len);
	return buf_check(out, "the sealed file", e);
}
