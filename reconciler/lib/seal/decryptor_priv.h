/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the decryptor share. The daemon's side: decryptor.c asks, decryptor_start.c has the process; a delivery child's: decryptor_channel.c.
 * Messages: decryptor_wire.c, decryptor_request.c. The process: decryptor_main.c is its loop, decryptor_work.c what it does for one request,
 * decryptor_vault.c the key and what it opens, docker_config.c registries' documents.
 *
 * A message is its length (4 bytes, little endian, without these), then a request or an answer. Numbers are little endian; texts and bytes
 * have their length (4 bytes) before them. Answers begin with a code: 0, or a negative enum err_code followed by text and hint.
 */
#pragma once

#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/seal/decryptor.h"

#define WIRE_REQUEST_MAX ((size_t)5 << 19)  /* 2.5 MiB: a sealed file, and what is said about it */
#define WIRE_ANSWER_MAX ((size_t)8 << 20)
#define WIRE_HEAD 4
#define WIRE_PARTS_MAX 256
#define WIRE_NAMES_MAX 32
#define WIRE_NAME_MAX ((size_t)256)
#define WIRE_LEAF_MAX ((size_t)4096)
#define WIRE_VERSION 1u

#define CHANNELS_MAX 16

enum wire_op { OP_HELLO = 1, OP_LOOK, OP_RECIPIENT, OP_SIGN, OP_HOST, OP_CHANNEL, OP_PART, OP_RESEAL, OP_LOOKS };

/* A request as read: texts are NUL-terminated in the arena, bytes are borrowed from the message. */
struct request {
	enum wire_op op;
	struct sealed sealed;         /* LOOK */
	struct sealed *files;         /* LOOKS: at most DECRYPTOR_LOOKS_MAX; answered by as many messages of a LOOK, one behind the other */
	size_t nfiles;
	struct seal_place place;      /* RECIPIENT, HOST */
	unsigned generation;          /* RECIPIENT; HELLO: the version of this format */
	const char *text;             /* HELLO: the key file; SIGN: the namespace; RESEAL: the recipient */
	const char *bytes;            /* SIGN: the message; RESEAL: the document */
	size_t n;
	struct part *parts;           /* PART: one; RESEAL */
	size_t nparts;
	const char *const *names;     /* HOST */
	size_t nnames;
};

/* ERR_INVALID for whatever the writer below would not have written. Pure: bytes of a stranger are safe here. */
int request_read(struct arena *mem, const void *bytes, size_t n, struct request *out, struct err *e) MUST_USE;
/* With its length before it. ERR_INVALID when it is over a limit. */
int request_write(const struct request *r, struct buf *out, struct err *e) MUST_USE;

/* Reading: `bad` once something was missing or over its limit; then everything is 0. */
struct msg {
	const unsigned char *p;
	size_t left;
	bool bad;
};
uint8_t msg_u8(struct msg *w);
uint32_t msg_u32(struct msg *w);
const char *msg_bytes(struct msg *w, size_t max, size_t *n);
/* NULL for an empty one; a NUL in it is bad. In mem. */
const char *msg_text(struct msg *w, struct arena *mem, size_t max);

void msg_put_u8(struct buf *b, uint8_t v);
void msg_put_u32(struct buf *b, uint32_t v);
void msg_put_bytes(struct buf *b, const void *p, size_t n);
void msg_put_text(struct buf *b, const char *s); /* NULL counts as "" */

/* A message begins with room for its length and ends by writing it there; `more` bytes follow that are not in the buffer. */
void msg_begin(struct buf *b);
void msg_end(struct buf *b, size_t more);
uint32_t msg_length(const unsigned char head[WIRE_HEAD]);

/* The answer that says `e`, whole. */
void msg_error(struct buf *b, int code, const struct err *e);
/* Takes an answer's code; a negative one with its text and hint, which are kept on one line each. */
int msg_answer(struct msg *w, struct err *e) MUST_USE;

/* -- the process ---------------------------------------------------------------------------------------------------- */

struct vault; /* the master key and the identities that were derived of late */

/* Reads the key. */
int vault_open(const char *key_file, struct vault **out, struct err *e) MUST_USE;
/* Runs every kind of cryptography once, so that libraries have what they read from files before the walls go up. */
int vault_warm_up(struct vault *v, struct err *e) MUST_USE;
void vault_free(struct vault *v);
void vault_forget(struct vault *v); /* wipes what a channel asked for: with its end */
const struct master *vault_master(const struct vault *v);

/*
 * One request of the daemon (`channel` false) or of a channel. What is no secret goes to `answer`, a whole message; a part's bytes go to `plain`
 * and `answer` holds what goes before them. OP_HELLO and OP_CHANNEL are the loop's own.
 */
void vault_serve(struct vault *v, const void *bytes, size_t n, bool channel, struct buf *answer, struct secret *plain);

/*
 * .dockerconfigjson: an .age file's text as it is, when it is a JSON object with a map `auths`; or made of server, user name and password.
 * Nothing of it is copied anywhere but to `out`. ERR_INVALID never says what stands in it.
 */
int docker_config_check(const unsigned char *text, size_t n, struct err *e) MUST_USE;
struct docker_login {
	const unsigned char *server, *username, *password;
	size_t nserver, nusername, npassword;
};
int docker_config_make(const struct docker_login *l, struct secret *out, struct err *e) MUST_USE;
