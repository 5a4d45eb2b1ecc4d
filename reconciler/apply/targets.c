/* SPDX-License-Identifier: Apache-2.0 */
/* One row a target. */
#include "apply/targets.h"

#include <string.h>

#include "apply/target_git.h"

static int
open_git(const struct target_setup *s, struct target **out, struct err *e)
{
	(void)e;
	*out = target_git_new(s->source, s->kube.decryptor);
	return 0;
}

static int
open_kubernetes(const struct target_setup *s, struct target **out, struct err *e)
{
	return target_kube_new(&s->kube, out, e);
}

static const struct {
	const char *name;
	int (*open)(const struct target_setup *s, struct target **out, struct err *e);
} targets[] = {
	{ "git", open_git },
	{ "kubernetes", open_kubernetes },
};

int
target_open(const char *name, const struct target_setup *s, struct target **out, struct err *e)
{
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
		if (strcmp(targets[i].name, name) == 0)
			return targets[i].open(s, out, e);
	return err_set(e, ERR_USAGE, "--target %s: this version has the targets git and kubernetes", name);
}
