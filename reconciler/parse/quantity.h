/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes quantities (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/). */
#pragma once

#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/doc/value.h"

/*
 * "250Gi", "1.5", "500m", "1e3", 4 -> thousandths (milli) of the unit, so that 500m cpu is exact. Rounds up below that.
 * Negative, malformed, or beyond int64 thousandths / 1000 is ERR_INVALID. Takes strings and numbers.
 */
int quantity_milli(const struct value *v, int64_t *milli) MUST_USE;
int quantity_parse(const char *s, int64_t *milli) MUST_USE;

/* Whole units, rounded up: bytes for memory and storage. */
int quantity_units(const struct value *v, int64_t *units) MUST_USE;

/* Bytes as the shortest exact binary form ("64Gi", "1536Mi", "1000"). */
char *quantity_bytes_text(struct arena *mem, int64_t bytes);

/* Thousandths of a cpu as "16" or "1500m". */
char *quantity_cpu_text(struct arena *mem, int64_t milli);
