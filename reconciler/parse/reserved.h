/* SPDX-License-Identifier: Apache-2.0 */
/* What berth makes itself for every environment: names a user cannot have, and how much it makes. */
#pragma once

#include <stdbool.h>

#define ENV_PODS_MAX 128    /* of one environment */
#define TEMPLATES_VERSION 1 /* of the built-in templates; berth.yaml names it as spec.render */

/* Variables of the container that berth sets: a user's value would be lost, or break the start. */
bool reserved_variable(const char *name);

/* "home-…" and "…--…": claims that environments get. */
bool reserved_claim(const char *name);
