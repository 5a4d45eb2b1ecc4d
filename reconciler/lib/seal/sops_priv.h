/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside lib/seal/sops*.c: a file taken apart. Files:
 *   sops_read.c    YAML and JSON to nodes        sops_meta.c   the metadata: recipients, MAC, rules
 *   sops_dotenv.c  the same for dotenv           sops_value.c  one sealed text: ENC[…], AES-256-GCM
 *   sops_open.c    leaves, data key, MAC         sops_seal.c   writing
 *   sops_name.c    paths and names of values
 *   sops_mac.c     what the MAC counts: hashing, and scalars as Go writes them
 */
#pragma once

#include "lib/doc/value.h"
#include "lib/seal/sops.h"

#define SOPS_KEY 32
#define SOPS_IV 32
#define SOPS_TAG 16
#define SOPS_MAC_HEX 128 /* upper-case hexadecimal of SHA-512 */

/* Node of a path, shared by all that is below it: a file of many plain values must not cost a path for each. */
struct sops_step {
	const struct sops_step *up; /* NULL: it is a key at the top */
	const char *key;            /* NULL: an item of a list */
	size_t index;               /* of that item, from 0 */
	size_t len;                 /* of the key */
	size_t depth;               /* steps up to and with this one */
	size_t total;               /* at least the bytes of their keys and of what stands between */
};

enum sops_type { SOPS_STR, SOPS_INT, SOPS_FLOAT, SOPS_BOOL, SOPS_TIME, SOPS_COMMENT };

/* "ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]" taken apart. */
struct sops_enc {
	const unsigned char *data;
	size_t n; /* 1 … */
	unsigned char iv[SOPS_IV], tag[SOPS_TAG];
	enum sops_type type;
};

/* So that no file makes paths cost more than SOPS_MEMORY_MAX. */
#define SOPS_PATH_MAX 1024   /* bytes in the path of a sealed node */
#define SOPS_SEALED_MAX 4096 /* sealed nodes, comments too */

/*
 * What the MAC may count, in the order of the file: sealed scalars (comments that stand as list items too) and plain
 * ones.
 */
struct sops_node {
	const struct sops_step *path;
	const char *text; /* of plain ones, as the MAC counts it; NULL: sealed */
	size_t n;
	const struct sops_enc *enc;
	unsigned line;
};

/* A sealed value and its name, see sops_leaf. */
struct sops_name {
	const struct sops_node *node;
	const char *const *keys;
	size_t nkeys;
	const char *name;
};

struct sops_recipient {
	const char *enc; /* an age file that holds the data key */
	size_t n;
};

enum sops_rule { SOPS_RULE_OTHER, SOPS_RULE_UNENCRYPTED_SUFFIX, SOPS_RULE_ENCRYPTED_SUFFIX };

struct sops_file {
	struct sops_node *nodes;
	size_t n, cap, max;
	size_t nsealed, nvalues; /* of them sealed ones; those without comments */
	struct sops_name *names; /* nvalues */
	size_t plain_max;        /* bytes that all sealed nodes hold when opened */
	struct sops_recipient recipients[SOPS_RECIPIENTS_MAX];
	size_t nrecipients;
	struct sops_enc mac;
	const char *lastmodified;
	bool mac_only;
	enum sops_rule rule;
	const char *suffix; /* of the rules that have one */
};

/*
 * Everything but cryptography, of at most `max` bytes; all in mem, which must have room for SOPS_MEMORY_MAX. The limits
 * of sops.h hold afterwards.
 */
int sops_read(struct arena *mem, enum seal_format format, const char *bytes, size_t n, size_t max,
              struct sops_file *out, struct err *e) MUST_USE;

/* Parts of it. `meta`: what stands at `sops`, or NULL. */
int sops_read_dotenv(struct arena *mem, const char *bytes, size_t n, struct sops_file *out, struct value **meta,
                     struct err *e) MUST_USE;
int sops_read_meta(struct arena *mem, const struct value *meta, struct sops_file *out, struct err *e) MUST_USE;

/*
 * Appends a scalar: sealed when its text begins as sealed text does. `item`: of a list, where comments may be sealed
 * too.
 */
int sops_add(struct arena *mem, struct sops_file *f, const struct sops_step *path, const char *text, size_t n,
             bool item, unsigned line, struct err *e) MUST_USE;

/* -- sops_name.c -- */

/* The texts are borrowed. */
const struct sops_step *sops_step(struct arena *mem, const struct sops_step *up, const char *key, size_t index);

/* "`db.password` (line 3)": for messages; in mem. */
const char *sops_where(struct arena *mem, const struct sops_step *path, unsigned line);

/* "db:password:", what GCM authenticates beside a value: its keys, without the items of lists. In mem. */
const char *sops_additional(struct arena *mem, const struct sops_step *path);

/* Fills f->names. ERR_INVALID: two are the same, or over the limits. */
int sops_name_values(struct arena *mem, struct sops_file *f, struct err *e) MUST_USE;

/* -- sops_value.c -- */

bool sops_is_sealed(const char *text, size_t n); /* begins with ENC[ */
/* ERR_INVALID with half a sentence: "has no tag". */
int sops_enc_parse(struct arena *mem, const char *text, size_t n, struct sops_enc *out, struct err *e) MUST_USE;
const char *sops_type_name(enum sops_type t);

/* Into `out` (enc->n bytes). False: another key, another place, or changed; out is wiped then. */
bool sops_decrypt(const unsigned char key[SOPS_KEY], const struct sops_enc *enc, const char *additional,
                  unsigned char *out);
/* The text ENC[…], in mem. */
const char *sops_encrypt(struct arena *mem, const unsigned char key[SOPS_KEY], const unsigned char iv[SOPS_IV],
                         const char *additional, const unsigned char *plain, size_t n, enum sops_type type);

/* -- sops_mac.c -- */

struct sops_mac {
	void *ctx;
};

void sops_mac_begin(struct sops_mac *m, bool mac_only);
void sops_mac_add(struct sops_mac *m, const void *p, size_t n);
void sops_mac_end(struct sops_mac *m, char out[SOPS_MAC_HEX + 1]); /* always, also to give up */

#define SOPS_SCALAR_MAX 400

/*
 * A plain scalar as sops' MAC counts it, and its type when it were sealed; *text is the value's own or in mem. False:
 * null, a map or a list, which do not count.
 */
bool sops_scalar(struct arena *mem, const struct value *v, const char **text, size_t *n, enum sops_type *type);

/* The shortest digits that read back as d, never with an exponent. Returns the length. */
size_t sops_real(double d, char out[SOPS_SCALAR_MAX]);
