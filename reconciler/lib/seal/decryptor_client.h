/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's side of the decryptor, between its two files: decryptor_start.c has the process, decryptor.c what is asked of it. */
#pragma once

#include <sys/types.h>

#include "lib/base/hash.h"
#include "lib/seal/decryptor_priv.h"

#define POISONS_MAX 1024
#define POISON_DEATHS 2

/* An input on which it died, and how often one after the other. */
struct poison {
	struct digest of;
	unsigned deaths;
};

struct decryptor {
	char *key_file;
	int64_t deadline_ms;
	int fd;        /* -1: it does not run */
	pid_t pid;     /* 0: likewise */
	unsigned starts_lost; /* deaths one after the other */
	int64_t started, next_start; /* clock_mono_ms */
	char signer[128], host_ca[128], warning[1024], note[256];
	bool noted;
	struct poison poisons[POISONS_MAX];
	size_t npoisons, next_poison;
};

/* Makes sure that it runs. ERR_UNAVAILABLE when it died of late, with when it is started again; else as decryptor_start says. */
int decryptor_running(struct decryptor *d, struct err *e) MUST_USE;
/* Ends it. `why` is a text for people: what it did, or NULL to say how it ended by itself. Sets the note. */
void decryptor_lost(struct decryptor *d, const char *why);
/* Its last death counts as none: the next start is at once. */
void decryptor_forgive(struct decryptor *d);
/* Ends it at the daemon's own end. */
void decryptor_end(struct decryptor *d);

/* A whole message out, with a descriptor when pass >= 0, before `until` (clock_mono_ms). ERR_UNAVAILABLE: gone; ERR_CANCELLED: too late. */
int msg_send(int fd, const void *bytes, size_t n, int pass, int64_t until, struct err *e) MUST_USE;
/* n bytes, the same way. */
int msg_receive(int fd, void *to, size_t n, int64_t until, struct err *e) MUST_USE;
/* A whole answer into `out`, without its length; ERR_INTERNAL when it is longer than one can be. */
int msg_receive_answer(int fd, struct buf *out, int64_t until, struct err *e) MUST_USE;
