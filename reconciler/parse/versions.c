/* SPDX-License-Identifier: Apache-2.0 */
/* Which versions of the built-in templates there are. */
#include "parse/versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/share.h"
#include "lib/base/str.h"
#include "lib/doc/value.h"

#define FOLDER "templates/v"

/* The number in "templates/v2/env/x.yaml"; 0 for anything else. */
static int
number_of(const char *path)
{
	const char *s = path + strlen(FOLDER);
	char *end;
	long n;

	if (!str_starts(path, FOLDER) || *s < '1' || *s > '9')
		return 0;
	n = strtol(s, &end, 10);
	return *end == '/' && n <= VERSION_MAX ? (int)n : 0;
}

int
versions_known(struct versions *out, struct err *e)
{
	bool seen[VERSION_MAX + 1] = { [VERSION_FIRST] = true };
	const struct share_file *files;
	int last = VERSION_FIRST, rc;
	size_t n;

	if ((rc = share_files(&files, &n, e)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		int v = number_of(files[i].path);

		seen[v] = true;
		if (v > last)
			last = v;
	}
	for (int v = VERSION_FIRST; v <= last; v++)
		if (!seen[v])
			return err_set(e, ERR_INTERNAL, "built-in templates: there is a templates/v%d and no templates/v%d", last, v);
	*out = (struct versions){ last - VERSIONS_MAX + 1 > VERSION_FIRST ? last - VERSIONS_MAX + 1 : VERSION_FIRST, last };
	return 0;
}

int64_t
versions_asked(const struct value *org_spec)
{
	return value_as_int(value_get(org_spec, "render"), VERSION_FIRST);
}

void
versions_text(const struct versions *v, char out[VERSIONS_TEXT])
{
	if (v->first == v->last)
		(void)snprintf(out, VERSIONS_TEXT, "%d", v->first);
	else
		(void)snprintf(out, VERSIONS_TEXT, "%d and %d", v->first, v->last);
}
