/* SPDX-License-Identifier: Apache-2.0 */
/* What the data of a Secret is made of, as all stages carry it: sealed files and what is derived from the master key. No cryptography. */
#pragma once

#include <stddef.h>

#include "lib/seal/place.h"

#define SEAL_DIGEST_HEX 33 /* 128 bits and the NUL */
#define SEAL_GENERATIONS_MAX 16 /* that are tried for one file */

/* A sealed file at its place. */
struct sealed {
	struct seal_place place;
	enum seal_format format;
	const char *bytes;
	size_t n;
	unsigned generation, oldest; /* identities of these generations are tried, the newest first; at most SEAL_GENERATIONS_MAX */
};

/* One value of it: .age has one, named "". */
struct sealed_value {
	const char *name;               /* sops_leaf.name, or "" */
	char digest[SEAL_DIGEST_HEX];   /* of the plain bytes at this place */
	size_t size;
};

/* One entry of a Secret's data, and how it is made. */
enum part_kind {
	PART_VALUE,        /* one value of a sealed file, as it is */
	PART_DOCKER,       /* .dockerconfigjson: of an .age file its text, which must be such a document; of a SOPS file server, username, password */
	PART_HOST_KEY,     /* ssh_host_ed25519_key */
	PART_HOST_PUBLIC,  /* ssh_host_ed25519_key.pub */
	PART_HOST_CERT,    /* ssh_host_ed25519_key-cert.pub */
};

struct part {
	const char *key;         /* in the Secret's data */
	enum part_kind kind;
	const struct sealed *sealed; /* PART_VALUE, PART_DOCKER */
	const char *file;        /* its path in the repository, for people; NULL: none */
	const char *value;       /* name of the value, "" for .age */
	const struct seal_place *env; /* of PART_HOST_* */
	const char *const *names;
	size_t nnames;
};
