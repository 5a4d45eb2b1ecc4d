/* SPDX-License-Identifier: Apache-2.0 */
/* berth ssh: into an environment, with what ssh-config would say of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ssh_hosts.h"
#include "cli/tree.h"
#include "lib/base/str.h"

#define FIXED_ARGS 32

/* "alice/train", or as ssh-config calls it "train--alice[.domain]". */
static int
env_of(const struct args *a, const char **owner, const char **name, struct err *e)
{
	const char *arg = a->pos[0], *dashes = strstr(arg, "--"), *env, *slash;
	int rc;

	if (!strchr(arg, '/') && dashes && dashes != arg) {
		*name = arena_strndup(a->mem, arg, (size_t)(dashes - arg));
		*owner = arena_strndup(a->mem, dashes + 2, strcspn(dashes + 2, "."));
		return 0;
	}
	if ((rc = env_of_arg(a->mem, arg, &env, e)) < 0)
		return rc;
	slash = strchr(env, '/');
	*owner = arena_strndup(a->mem, env, (size_t)(slash - env));
	*name = slash + 1;
	return 0;
}

struct line {
	struct arena *mem;
	const char **argv;
	size_t n;
};

static void
put(struct line *l, const char *word)
{
	l->argv[l->n++] = word;
}

static void
put_option(struct line *l, const char *name, const char *value)
{
	put(l, "-o");
	put(l, arena_printf(l->mem, "%s=%s", name, value));
}

/* What is given on its command line comes before everything in ssh's own configuration. */
static void
make_line(struct line *l, const struct args *a, const struct ssh_hosts *h, const struct ssh_host *o)
{
	size_t n;
	const char *const *forward = args_list(a, "L", &n);

	l->argv = arena_array(a->mem, FIXED_ARGS + 2 * n + a->npos, sizeof(*l->argv));
	put(l, "ssh");
	put_option(l, "HostKeyAlias", o->alias);
	if (o->certified) {
		put_option(l, "UserKnownHostsFile", arena_printf(a->mem, "\"%s\"", h->known_hosts));
		put_option(l, "GlobalKnownHostsFile", "/dev/null");
		put_option(l, "StrictHostKeyChecking", "yes");
		put_option(l, "UpdateHostKeys", "no");
	}
	if (o->address)
		put_option(l, "HostName", o->address);
	else
		put_option(l, "ProxyCommand", o->proxy);
	put_option(l, "User", o->user);
	for (size_t i = 0; i < n; i++) {
		put(l, "-L");
		put(l, forward[i]);
	}
	put(l, "--");
	put(l, o->alias);
	for (size_t i = 1; i < a->npos; i++)
		put(l, a->pos[i]);
}

static int
rank_of(const struct args *a, int64_t *rank, struct err *e)
{
	const char *given = args_said(a, "rank");

	*rank = 0;
	if (given && (str_to_i64(given, rank) < 0 || *rank < 0))
		return err_set(e, ERR_USAGE, "--rank %s: write a number from 0 on", given);
	return 0;
}

static int
run(const struct args *a, struct err *e)
{
	struct line l = { .mem = a->mem };
	const char *owner, *name;
	struct ssh_hosts h;
	struct ssh_host o;
	int64_t rank;
	int rc;

	if ((rc = env_of(a, &owner, &name, e)) < 0 || (rc = rank_of(a, &rank, e)) < 0)
		return rc;
	if ((rc = ssh_hosts_open(a, &h, e)) == 0)
		rc = ssh_host_of(&h, owner, name, rank, &o, e);
	ssh_hosts_close(&h);
	if (rc < 0)
		return rc;
	make_line(&l, a, &h, &o);
	(void)fflush(NULL);
	(void)execvp("ssh", (char *const *)(uintptr_t)l.argv);
	rc = err_errno(e, "ssh");
	return rc == ERR_NOTFOUND ? err_hint(e, "install OpenSSH's client, for example the package openssh-client") : rc;
}

static const struct opt opts[] = {
	SSH_HOSTS_OPTS,
	{ "rank", "N", "into that pod of a distributed environment (default: 0)" },
	{ "L", "PORT:HOST:PORT", "forward a port, as ssh -L; more than one may be given" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_ssh = {
	.name = "ssh", .args = "OWNER/NAME [-- COMMAND…]", .summary = "a shell or a command in an environment",
	.examples = "berth ssh alice/train                         a shell\n"
	            "berth ssh alice/train -- nvidia-smi -L        a command\n"
	            "berth ssh alice/train -L 8888:localhost:8888  with JupyterLab at http://localhost:8888\n",
	.details = "Runs ssh with what `berth ssh-config` prints; your own ~/.ssh/config and agent count too. Your key is the one in\n"
	           "users/<you>.yaml. The exit status is ssh's.",
	.opts = opts, .min = 1, .max = 1000, .run = run,
};
