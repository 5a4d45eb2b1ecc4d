/* SPDX-License-Identifier: Apache-2.0 */
/* Plain text of secrets between a person's shell and guarded memory: never through stdio, an arena or an argument. */
#pragma once

#include "lib/base/arena.h"
#include "lib/seal/age.h"

/* No core dump, not traceable by others of the same user, libsodium ready: before a verb touches a secret. */
int guarded_start(struct err *e) MUST_USE;

/* Reads to the end. ERR_INVALID over `max` bytes. `what` names it in errors ("standard input"). */
int guarded_read(int fd, const char *what, size_t max, struct secret *out, struct err *e) MUST_USE;

/* Asks on the terminal that is standard input, without echo, for one line; its line end is no part of it. ERR_CANCELLED: the end was typed. */
int guarded_ask(const char *prompt, struct secret *out, struct err *e) MUST_USE;

/* All of it to a descriptor. */
int guarded_write(int fd, const void *bytes, size_t n, struct err *e) MUST_USE;

#define IDENTITIES_MAX 64

/* Identities in guarded memory. */
struct identities {
	struct secret block;
	size_t n;
};
struct age_identity *identities_at(const struct identities *ids); /* the first */
void identities_free(struct identities *ids);

/*
 * A file as age-keygen writes it: '#' lines and one identity a line, 64 KiB at most. One that is sealed with a passphrase (age -p) is opened after
 * asking for it; ERR_DENIED when standard input is no terminal.
 */
int identities_read(const char *path, struct identities *out, struct err *e) MUST_USE;

#define AUTO_IDENTITIES __attribute__((cleanup(identities_free)))
