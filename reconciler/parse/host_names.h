/* SPDX-License-Identifier: Apache-2.0 */
/* The names that an environment's host certificate is good for, and the patterns that cover all of them in known_hosts. */
#pragma once

#include "parse/env.h"

/*
 * "train--alice.dev.example.com" (with spec.access.domain of berth.yaml), "train--alice", "train.dev-alice.svc", and of a distributed one
 * "*.train.dev-alice.svc", its pods' names within the cluster. They depend on neither its size nor whether it is paused.
 */
void env_host_names(struct arena *mem, const struct env *env, const char *const **out, size_t *n);

/* "train--alice.dev.example.com", without a domain "train--alice": what ssh should take it for (HostKeyAlias). `org` may be NULL. */
const char *host_name_of(struct arena *mem, const struct doc *org, const char *owner, const char *name);

/*
 * The lines of known_hosts that trust `ca` ("ssh-ed25519 AAAA…") for all of these names and, as far as patterns can say it, for nobody else's:
 * one list for names with dots, one for those without. With line ends. `org` may be NULL.
 */
const char *host_ca_lines(struct arena *mem, const struct doc *org, const char *ca);
