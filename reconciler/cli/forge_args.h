/* SPDX-License-Identifier: Apache-2.0 */
/* Which forge the options mean: the daemon's, and a person's with a token of their own. */
#pragma once

#include "cli/cmd.h"
#include "lib/forge/forge.h"

/*
 * The daemon's: --forge, FORGE_OPTS and --token-file; what is not given follows from the repository's `url`, and nothing from a person's own
 * config file, which says these for the person. *given: there is a --forge. ERR_USAGE: something is missing, and what. Texts are of `a`.
 */
int forge_of_args(const struct args *a, const char *url, struct forge_config *f, bool *given, struct err *e) MUST_USE;

#define FORGE_OPTS \
	{ "forge-token-file", "FILE", "its token (default: that of --token-file)" }, \
	{ "forge-api", "URL", "its API (default: from --repo, as https://git.example/api/v1)" }, \
	{ "forge-repo", "OWNER/NAME", "the repository there (default: from --repo)" }, \
	{ "forge-login", "NAME", "who the token is, where the forge does not tell (a GitHub App: NAME[bot])" }

/*
 * A person's: FORGE_PERSON_OPTS, else what `url` (of origin) says. *out NULL: there is no token file, or it is not of the command line and the origin is no
 * forge that is known. Nothing is asked yet. ERR_DENIED: others may read the file.
 */
int forge_of_person(const struct args *a, const char *url, struct forge **out, struct err *e) MUST_USE;

/* What --forge says, else the host of `url`; FORGE_KIND_COUNT: nobody says. ERR_USAGE: --forge names none. */
int forge_kind_of_person(const struct args *a, const char *url, enum forge_kind *out, struct err *e) MUST_USE;

#define FORGE_PERSON_OPTS \
	{ "forge", "github|gitlab|gitea", "what the origin is, where its host name does not say it" }, \
	{ "forge-token-file", "FILE", "your own token there, in a file that only you can read" }, \
	{ "forge-api", "URL", "its API, where the origin does not lead to it" }
