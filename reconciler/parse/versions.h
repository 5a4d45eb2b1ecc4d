/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of the built-in templates: templates/ is version 1, templates/v2/ what version 2 changes of it, and so on. */
#pragma once

#include <stdint.h>

#include "lib/base/err.h"

#define VERSION_FIRST 1 /* what a berth.yaml without spec.render means, for ever */
#define VERSIONS_MAX 2  /* how many a program offers: the last two */
#define VERSION_MAX 99

struct versions {
	int first, last; /* every number between them can be asked for */
};

/* From the folders that are compiled in (lib/base/share.h). ERR_INTERNAL when one between is missing. */
int versions_known(struct versions *out, struct err *e) MUST_USE;

/* What spec.render of berth.yaml asks for. `org_spec` may be NULL. */
struct value;
int64_t versions_asked(const struct value *org_spec);

/* "1" or "1 and 2", for messages. */
#define VERSIONS_TEXT 32
void versions_text(const struct versions *v, char out[VERSIONS_TEXT]);
