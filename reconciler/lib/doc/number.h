/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text, for the JSON and YAML writers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define NUMBER_MAX 40 /* bytes that hold any of them, with the NUL */

/* Decimal digits; returns the length. */
size_t number_int(int64_t i, char out[NUMBER_MAX]);

/* The shortest form that reads back to the same double; integral ones without a fraction; not for inf and nan. */
size_t number_real(double d, char out[NUMBER_MAX]);
