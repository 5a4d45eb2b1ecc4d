/* SPDX-License-Identifier: Apache-2.0 */
/* What berth makes itself for every environment: names a user cannot have, and how much it makes. */
#pragma once

#include <stdbool.h>

#define ENV_PODS_MAX 128    /* of one environment */

/* Variables of the container that berth sets: a user's value would be lost, or break the start. */
bool reserved_variable(const char *name);

/* Variables that berth's scripts use themselves, all in lower case: a value from outside would be written over before a program sees it. */
bool reserved_word(const char *name);

/* "home-…" and "…--…": claims that environments get. */
bool reserved_claim(const char *name);
