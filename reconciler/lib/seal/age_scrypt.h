/* SPDX-License-Identifier: Apache-2.0 */
/*
 * age files for a passphrase. For the command line and tests alone: somebody else's file decides how much time and memory it takes
 * (tests/layers.txt keeps daemon code away from it).
 */
#pragma once

#include "lib/seal/age.h"

#define AGE_SCRYPT_WORK 18      /* what is written: 2^18, 256 MiB and about a second */
#define AGE_SCRYPT_WORK_MAX 22  /* 4 GiB */

/*
 * Opens a file whose only stanza is for a passphrase of n bytes. ERR_DENIED: another passphrase, for recipients instead, or a work factor above
 * work_max; ERR_INVALID and *why as age_open, also for a work factor above AGE_SCRYPT_WORK_MAX. The passphrase is in no error.
 */
int age_scrypt_open(const void *file, size_t len, const char *passphrase, size_t n, unsigned work_max, struct secret *out,
                    enum age_why *why, struct err *e) MUST_USE;

/* Seals for a passphrase. work: the logarithm of scrypt's N, 1 to AGE_SCRYPT_WORK_MAX. */
int age_scrypt_seal(const char *passphrase, size_t n, unsigned work, const void *plain, size_t len, bool armored, struct buf *out,
                    struct err *e) MUST_USE;
