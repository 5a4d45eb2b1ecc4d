/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests whose body holds decrypted values. A short-lived child (`berth __deliver`) asks the decryptor for the values, puts them into the body, sends it and
 * gives back what answer_clean leaves of the answer: the daemon never has a value. At most two children at once, up to DELIVER_BATCH requests each, a hard
 * deadline, no core dump; a child is killed by the kernel when the right to write ends and when the daemon does. One thread.
 */
#pragma once

#include "apply/deliver_wire.h"
#include "lib/seal/decryptor.h"

#define DELIVER_BATCH 64
#define DELIVER_CHILDREN 2
#define DELIVER_MS 45000 /* of a child */

struct deliver;

struct deliver_config {
	const struct kube_config *cluster; /* borrowed, as everything here */
	struct decryptor *decryptor;       /* NULL: every request ends with ERR_DENIED */
	/* The bearer token to send; `fresh`: the last one was refused. */
	int (*token)(void *ctx, bool fresh, const char **out, struct err *e);
	/* CLOCK_BOOTTIME in ms until which we may write, 0: not now. NULL: no lease, for ever. */
	int64_t (*until)(void);
	void *ctx;
};

struct deliver *deliver_new(const struct deliver_config *c);
void deliver_free(struct deliver *d); /* ends its children; requests under way end without their callback */

enum delivered {
	DELIVERED_ASKED, /* the answer is the server's, or the way to it failed */
	DELIVERED_NOT,   /* the server was never asked: the values could not be had. ERR_UNAVAILABLE: later perhaps; else for good, with what and why */
	DELIVERED_DIED,  /* the child ended or was too slow, for whatever of its requests: ask for this one with `alone` */
};

struct deliver_request {
	const char *method, *path, *content_type;
	const char *body;  /* a JSON object without `data`, borrowed until done */
	size_t body_len;
	const char *parts; /* of its data, parts_pack; borrowed until done */
	size_t parts_len;
	bool alone;        /* in a child of its own, so that what ends it harms no other */
	void (*done)(void *ctx, const struct kube_answer *a, enum delivered how); /* once, from deliver_turn; texts live until it returns */
	void *ctx;
};

void deliver_send(struct deliver *d, const struct deliver_request *q);
/* From now on every request ends with ERR_DENIED and these words, and no child is started; NULL: no more. Copied. */
void deliver_refuse(struct deliver *d, const struct err *why);
size_t deliver_running(const struct deliver *d); /* requests queued or under way */
/* Takes answers, ends what is over its time, starts children. Never waits. */
void deliver_turn(struct deliver *d);
/* In how many ms, at most `ms`, it is to be called again whatever happens. */
int64_t deliver_patience(const struct deliver *d, int64_t ms);
/* A descriptor that is readable when deliver_turn has something to do or `also` (-1: none) is readable; -1: nothing runs. */
int deliver_fd(struct deliver *d, int also);

/* PIDs of the children now, at most DELIVER_CHILDREN. */
size_t deliver_pids(const struct deliver *d, int out[DELIVER_CHILDREN]);

/* The child's main: descriptor 3 is the batch, 4 the decryptor's channel, 5 where answers go. */
int deliver_main(void);
