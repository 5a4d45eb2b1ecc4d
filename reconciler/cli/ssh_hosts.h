/* SPDX-License-Identifier: Apache-2.0 */
/* Environments as hosts: how ssh gets to each and what it believes of it. For ssh and ssh-config. */
#pragma once

#include "cli/published.h"
#include "world.h"

struct ssh_host {
	const char *owner, *name;
	const char *alias;      /* "train--alice.dev.example.com": what it is called, and what its certificate says */
	const char *other;      /* "train--alice", where that differs; else NULL */
	const char *user;       /* to log in as */
	const char *address;    /* of its own, or NULL … */
	const char *proxy;      /* … then the command that gets there, for ssh_config (quoted for a shell, '%' doubled) */
	bool certified;         /* berth gives it a host key with a certificate */
};

struct ssh_hosts {
	const struct args *a;
	struct published p;
	struct world *world;
	const char *known_hosts; /* file with the authority, written and checked; NULL when berth.yaml names no signer */
	const char *kubectl;     /* "kubectl --context 'dev'" */
};

/* Rows for a verb's table. */
#define SSH_HOSTS_OPTS                                                                                                 \
	{ "C", "DIR", "the environments repository or a clone of it (default: here)" },                                \
	{ "commit", "REV", "look at a commit instead of the files (a bare repository: --commit main)" },               \
	{ "known-hosts", "FILE", "where the environments' authority is kept (default: in ~/.cache/berth)" },           \
	{ "kubeconfig", "FILE", "for kubectl, which leads to environments without an address of their own" },          \
	{ "context", "NAME", "the same: context of the kubeconfig" },                                                  \
	{ "offline", NULL, "do not ask the origin" },                                                                  \
	{ "token-file", "FILE", "HTTP: a file whose first line is the token or password" }

/* Reads the repository, fetches and checks known_hosts and keeps it. ssh_hosts_close it, also after an error. */
int ssh_hosts_open(const struct args *a, struct ssh_hosts *out, struct err *e) MUST_USE;
void ssh_hosts_close(struct ssh_hosts *h);

/*
 * One environment. rank: of a distributed one, whose pod. Lives in a->mem. ERR_INVALID: its file has errors, ERR_NOTFOUND: there is none, ERR_DENIED: it
 * has no SSH.
 */
int ssh_host_of(struct ssh_hosts *h, const char *owner, const char *name, int64_t rank, struct ssh_host *out, struct err *e) MUST_USE;
