/* SPDX-License-Identifier: Apache-2.0 */
/* What people need to trust berth with a secret and to know a host by: recipients and known_hosts, signed, on the status branch. */
#pragma once

#include "lib/base/map.h"
#include "lib/seal/decryptor.h"
#include "status/publish.h"
#include "world.h"

struct trust;

/* `d` is NULL without a master key: then nothing is published, and what is on the branch stays. Both are borrowed. */
struct trust *trust_new(struct decryptor *d, struct publisher *p);
void trust_free(struct trust *t);

/*
 * Gives the publisher what has changed for these owners (NULL: for everybody; files of users that are gone go). Asks the decryptor only about
 * what it has not been asked about: a pass over ten thousand users that changes nothing costs no signature. Nothing while berth.yaml names
 * another signer than the master key's. An error means that some are not published yet: trust_schedule.
 */
int trust_publish(struct trust *t, const struct world *w, const struct map *owners, struct err *e);

/* The decryptor could not answer for somebody: in how many ms trust_publish is to be called again; 0: no need. */
int64_t trust_schedule(const struct trust *t);
bool trust_due(const struct trust *t); /* now */
