/* SPDX-License-Identifier: Apache-2.0 */
/* Every sealed file of a tree, the generation that it is sealed for, and sealing it again for the current one. */
#pragma once

#include "cli/cmd.h"

/* Options C, key, write, force, r and o of `berth seal`. Exit code 1 when a file is refused or does not open. */
int rotate_run(const struct args *a, struct err *e) MUST_USE;
