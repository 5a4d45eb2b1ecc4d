/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that holds the master key. It is started by exec of this program (`berth __decryptor`), reads the key file, locks itself in
 * (sandbox.h) and answers over a socketpair. To the daemon it gives what is no secret: digests, recipients, signatures, sealed text. Plain text
 * goes to a channel, an extra socketpair whose other end a short-lived delivery child holds.
 * A request that takes longer than its deadline, or a decryptor that dies, is ERR_UNAVAILABLE; it is started again with the next request, at once and
 * then ever more rarely (1 s … 1 min; until then requests are ERR_UNAVAILABLE). An input on which it died twice in a row is ERR_INVALID from then on
 * ("quarantined"), by its bytes' digest. A key file that holds another key at such a start is ERR_DENIED. One thread, the one that started it.
 */
#pragma once

#include "lib/seal/master.h"
#include "lib/seal/part.h"
#include "lib/seal/sops.h"

struct decryptor;

struct decryptor_config {
	const char *key_file; /* borrowed; read by the decryptor alone, at each start */
	int64_t deadline_ms;  /* of one answer; 0: 5 s, so that a lease outlives it */
};

/* Starts it and waits for its greeting: ERR_DENIED, ERR_INVALID as master_load says. */
int decryptor_start(const struct decryptor_config *c, struct decryptor **out, struct err *e) MUST_USE;
void decryptor_stop(struct decryptor *d); /* NULL: nothing; waits for its end */

/* From its greeting. */
const char *decryptor_signer(const struct decryptor *d);     /* "ssh-ed25519 AAAA…" */
const char *decryptor_host_ca(const struct decryptor *d);    /* the same of the host CA */
const char *decryptor_warning(const struct decryptor *d);    /* what the sandbox or mlock lacks, one line; NULL: nothing */
int decryptor_pid(const struct decryptor *d);                /* now; for messages; 0 while it does not run */

/* How it was lost since this was called last, for the log: "the decryptor (process 41) was ended by …". NULL: it was not. */
const char *decryptor_note(struct decryptor *d);

/*
 * Opens it and tells its values' digests. *generation: of the identity that opened it. ERR_DENIED: sealed for somebody else or for another place: text and
 * hint say which place and generations were tried and the command that seals it rightly, and nothing of what the file says.
 */
int decryptor_look(struct decryptor *d, struct arena *mem, const struct sealed *s, struct sealed_value **out, size_t *n,
                   unsigned *generation, struct err *e) MUST_USE;

/* What was found out of one of several. */
struct decryptor_looked {
	bool known;                  /* else it has to be asked for alone */
	const struct err *e;         /* NULL: it opened; ERR_DENIED or ERR_INVALID as above */
	struct sealed_value *values;
	size_t n;
};

#define DECRYPTOR_LOOKS_MAX 64
#define DECRYPTOR_LOOKS_BYTES ((size_t)256 << 10) /* of the files in one question */

/*
 * The same for several files by as few questions as these limits allow: a question wakes two processes. Each answer has the deadline of one. An error is of a
 * question, whose files and those behind it are left unknown, as is a file on which the decryptor died before, or which is too large for company. Nobody is
 * blamed for a death here, and the next start is at once: who caused it shows when each is asked for alone. All in mem.
 */
int decryptor_looks(struct decryptor *d, struct arena *mem, const struct sealed *files, size_t n, struct decryptor_looked *out, struct err *e) MUST_USE;

int decryptor_recipient(struct decryptor *d, const struct seal_place *p, unsigned generation, char out[AGE_TEXT_MAX], struct err *e) MUST_USE;

/* SSHSIG by berth's signing key. */
int decryptor_sign(struct decryptor *d, const char *ns, const void *msg, size_t n, struct buf *out, struct err *e) MUST_USE;

/*
 * An environment's host key: `digest` changes when the key or the names do. The certificate's line goes to `cert` (may be NULL).
 */
int decryptor_host(struct decryptor *d, const struct seal_place *env, const char *const *names, size_t nnames, char digest[SEAL_DIGEST_HEX],
                   struct buf *cert, struct err *e) MUST_USE;

/* -- plain text: for delivery children, and for a rendered branch ---------------------------------------------------------- */

/* A new channel, of at most 16 at a time: *fd (O_CLOEXEC) is the other end's. Close it when the child has it; the last close gives it back. */
int decryptor_channel(struct decryptor *d, int *fd, struct err *e) MUST_USE;

/* In the child, over that channel: the bytes of one part. Same errors as decryptor_look; ERR_NOTFOUND: no such value. At most 20 s. */
int channel_part(int fd, const struct part *p, struct secret *out, struct err *e) MUST_USE;

/*
 * `secret` (the YAML text of a Secret without data) with these parts as its data, sealed for `recipient` as a SOPS file (sops_seal). Deterministic.
 */
int decryptor_reseal(struct decryptor *d, const char *secret, size_t n, const struct part *parts, size_t nparts, const char *recipient,
                     struct buf *out, struct err *e) MUST_USE;

/* The child's main: berth __decryptor, with the socket as descriptor 3 and the key file's path as its first message. */
int decryptor_main(void);
