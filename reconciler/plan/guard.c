/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on deletions. */
#include "plan/guard.h"

#define MAX_DELETE 3
#define MAX_FRACTION 0.25

size_t
guard_allowed(const struct value *guards, size_t live)
{
	const struct value *f = value_get(guards, "maxDeleteFraction");
	double fraction = value_is(f, VALUE_REAL) ? f->real : value_is(f, VALUE_INT) ? (double)f->integer : MAX_FRACTION;
	int64_t count = value_as_int(value_get(guards, "maxDelete"), MAX_DELETE);
	size_t by_count = count > 0 ? (size_t)count : 0;
	size_t by_share = fraction > 0 && fraction <= 1 ? (size_t)(fraction * (double)live) : 0;

	return by_count > by_share ? by_count : by_share;
}
