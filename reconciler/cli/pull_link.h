/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page of a forge where a branch becomes a pull request, from the URL that git knows the repository by. Pure.
 * GitHub:  /OWNER/REPO/compare/BASE...BRANCH?expand=1 (https://docs.github.com/pull-requests, "Using query parameters to create a pull request")
 * GitLab:  /GROUP/…/REPO/-/merge_requests/new?merge_request[source_branch]=…&merge_request[target_branch]=… (https://docs.gitlab.com/user/project/merge_requests/creating_merge_requests/)
 * Gitea, Forgejo: /OWNER/REPO/compare/BASE...BRANCH (services/agit, what `git push` is answered with)
 */
#pragma once

#include "lib/base/arena.h"
#include "lib/forge/forge.h"

#define FORGE_UNKNOWN FORGE_KIND_COUNT

/* "github", "gitlab", "gitea" or "forgejo"; FORGE_UNKNOWN for anything else. */
enum forge_kind forge_of_name(const char *name);

/*
 * By the host's name, else by the path: folders below folders are GitLab's alone. FORGE_UNKNOWN for a path on this disk, for what is no URL, and for any other
 * host.
 */
enum forge_kind forge_of_url(struct arena *mem, const char *url);

/*
 * https, http, ssh, git URLs and host:path; a user, a password and an ssh port never come into the link, an http port does. NULL for FORGE_UNKNOWN and for a URL that
 * leads to no host. In mem.
 */
const char *pull_link(struct arena *mem, enum forge_kind forge, const char *url, const char *base, const char *branch);

/* The page where people review it; NULL as with pull_link. In mem. */
const char *pull_page(struct arena *mem, enum forge_kind forge, const char *url, int64_t number);

/*
 * The number of the pull request whose page this is (or a page below it), of the repository that git knows by `url`; 0: it is no such page, or of another
 * repository. The port of an ssh URL says nothing.
 */
int64_t pull_of_page(struct arena *mem, const char *url, const char *page);
