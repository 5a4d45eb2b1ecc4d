/* SPDX-License-Identifier: Apache-2.0 */
/* One row a target. */
#include "apply/targets.h"

#include <string.h>

#include "apply/target_git.h"

static const struct {
	const char *name;
	struct target *(*open)(struct source *s);
} targets[] = {
	{ "git", target_git_new },
};

int
target_open(const char *name, struct source *s, struct target **out, struct err *e)
{
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		if (strcmp(targets[i].name, name) == 0) {
			*out = targets[i].open(s);
			return 0;
		}
	return err_set(e, ERR_USAGE, "--target %s: this version has the target git", name);
}
