/* SPDX-License-Identifier: Apache-2.0 */
/* What is installed and cloned into an environment. */
#pragma once

#include "parse/env.h"

/*
 * The packages of one manager ("apt", "yum", "conda", "pip"): the catalogue image's, then the environment's own, each
 * once. Items are strings, borrowed; the list lives in `mem` and is empty when there are none.
 */
struct value *env_packages(struct arena *mem, const struct env *env, const char *manager);

struct repository {
	const char *url, *ref; /* ref: "" for the remote's HEAD */
	const char *path;      /* where it goes; /home/dev/<last part of the URL> unless it is said */
};

/* One item of spec.repositories. Text is borrowed, or lives in `mem`. */
void env_repository(struct arena *mem, const struct value *item, struct repository *out);
