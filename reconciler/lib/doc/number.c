/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text. */
#include "lib/doc/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TWO_53 9007199254740992.0

size_t
number_int(int64_t i, char out[NUMBER_MAX])
{
	uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
	char tmp[24];
	size_t n = sizeof(tmp), len;

	do
		tmp[--n] = (char)('0' + u % 10);
	while ((u /= 10));
	if (i < 0)
		tmp[--n] = '-';
	len = sizeof(tmp) - n;
	memcpy(out, tmp + n, len);
	out[len] = '\0';
	return len;
}

size_t
number_real(double d, char out[NUMBER_MAX])
{
	int n = 0;

	if (fabs(d) <= TWO_53 && fabs(d - trunc(d)) <= 0)
		return number_int((int64_t)d, out);
	for (int digits = 1; digits <= 17; digits++) {
		double back;

		n = snprintf(out, NUMBER_MAX, "%.*g", digits, d);
		back = strtod(out, NULL);
		if (back >= d && back <= d)
			break;
	}
	return n > 0 ? (size_t)n : 0;
}
