/* SPDX-License-Identifier: Apache-2.0 */
/* From the URL that git clones to the forge's API: where it is, and what the repository is called there. Pure. */
#pragma once

#include "lib/forge/forge.h"

struct forge_address {
	const char *api;  /* "https://gitea.example/api/v1" */
	const char *repo; /* "root/envs" */
};

/*
 * Of https://, http://, ssh:// and user@host:path. github.com's API is api.github.com, that of a GitHub of one's own /api/v3; GitHub and Gitea may live below a path of
 * their server, GitLab's projects have any depth. A server that is reached by SSH is taken to have its API at https://HOST. In mem.
 * ERR_INVALID: a path on this disk, or a URL without an owner and a name.
 */
int forge_address(enum forge_kind kind, const char *url, struct arena *mem, struct forge_address *out, struct err *e) MUST_USE;
