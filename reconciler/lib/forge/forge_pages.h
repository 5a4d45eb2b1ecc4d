/* SPDX-License-Identifier: Apache-2.0 */
/* The list of open pull requests as it was read last, page by page, for forge_pulls. */
#pragma once

#include "lib/forge/forge_priv.h"

struct forge_pages;

struct forge_pages *forge_pages_new(void);
void forge_pages_free(struct forge_pages *p); /* NULL is fine */
struct forge_pages *forge_pages(struct forge *f);
