/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a delivery child is given and what it says: bytes with lengths, both ends of one program. Nothing that is decrypted is ever in it. Pure.
 * Private to apply/deliver*.c and the Kubernetes target.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/kube/kube.h"
#include "lib/seal/part.h"

#define WIRE_PARTS_MAX 1024           /* of one Secret */
#define WIRE_NAMES_MAX 64
#define WIRE_MAX ((size_t)256 << 20)  /* a whole batch: 64 Secrets with the sealed files that they are made of */
#define WIRE_ANSWER_MAX ((size_t)1 << 20)

/* -- reading and writing ---------------------------------------------------------------------------------------------------- */

struct wire_reader {
	const char *p, *end;
	bool bad; /* cut, or not ours: everything read is 0 and "" from there on */
};

void wire_u32(struct buf *b, uint32_t v);
void wire_i64(struct buf *b, int64_t v);
void wire_bytes(struct buf *b, const void *p, size_t n); /* a NUL stands behind them */
void wire_str(struct buf *b, const char *s);             /* NULL stays NULL */

uint32_t wire_get_u32(struct wire_reader *r);
int64_t wire_get_i64(struct wire_reader *r);
const char *wire_get_bytes(struct wire_reader *r, size_t *n); /* points into what is read, NUL-terminated */
const char *wire_get_str(struct wire_reader *r);

/* -- parts of a Secret's data ------------------------------------------------------------------------------------------------ */

/* One block of its own: sealed files that several parts share stand in it once. */
void parts_pack(const struct part *parts, size_t n, struct buf *out);
/* Texts point into `bytes`, arrays are in mem. False when it is not what parts_pack makes. */
bool parts_unpack(struct arena *mem, const char *bytes, size_t len, struct part **out, size_t *n);

/* -- a batch ------------------------------------------------------------------------------------------------------------------- */

struct wire_cluster {
	const char *server, *ca, *cert, *key, *token;
	bool insecure;
	int64_t until_ms; /* CLOCK_BOOTTIME: nothing is sent, and the child is gone, from then on */
};

struct wire_item {
	uint32_t id;
	const char *method, *path, *content_type;
	const char *body;  /* a JSON object; its `data` is put in before its last brace */
	size_t body_len;
	const char *parts; /* parts_pack */
	size_t parts_len;
};

void batch_begin(struct buf *b, const struct wire_cluster *c, size_t items);
void batch_add(struct buf *b, const struct wire_item *i);
/* Then `items` times batch_item. False when it is none. */
bool batch_read(struct wire_reader *r, struct wire_cluster *c, size_t *items);
bool batch_item(struct wire_reader *r, struct wire_item *out);

/* -- answers ------------------------------------------------------------------------------------------------------------------ */

struct wire_answer {
	uint32_t id;
	bool asked; /* false: what was to be sent could not be made, the server was never asked */
	struct kube_answer a;
};

void answer_write(struct buf *b, const struct wire_answer *w);
/* 1: *out is one answer and *used bytes of p are through; 0: more bytes are needed; -1: not ours. Texts point into p. */
int answer_parse(const char *p, size_t n, size_t *used, struct wire_answer *out);

/*
 * What may leave the child of an answer about a Secret, in mem. Of 2xx: the metadata, without notes in which others keep whole objects. Of a refusal:
 * its word, the fields named and the kinds of their faults, also as JSON {"fields": […]}; never the server's own sentences, which may quote values.
 */
void answer_clean(struct arena *mem, const struct kube_answer *a, struct kube_answer *out);
