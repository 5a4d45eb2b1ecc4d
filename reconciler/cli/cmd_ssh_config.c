/* SPDX-License-Identifier: Apache-2.0 */
/* berth ssh-config: blocks for ~/.ssh/config. */
#include <stdio.h>
#include <string.h>

#include "cli/ssh_hosts.h"
#include "cli/tree.h"
#include "lib/base/str.h"

static void
print_trust(const struct ssh_hosts *h, const struct ssh_host *o)
{
	(void)printf("\tHostKeyAlias %s\n", o->alias);
	if (!o->certified) {
		(void)printf("\t# its host key has no certificate: ssh shows it once, compare it (docs/users.md, Logging in)\n");
		return;
	}
	(void)printf("\tUserKnownHostsFile \"%s\"\n\tGlobalKnownHostsFile /dev/null\n\tStrictHostKeyChecking yes\n\tUpdateHostKeys no\n",
	             h->known_hosts);
}

static void
print_host(const struct ssh_hosts *h, const struct ssh_host *o)
{
	(void)printf("\n# %s/%s\nHost %s%s%s\n\tUser %s\n", o->owner, o->name, o->other ? o->other : "", o->other ? " " : "", o->alias, o->user);
	print_trust(h, o);
	if (o->address)
		(void)printf("\tHostName %s\n", o->address);
	else
		(void)printf("\tProxyCommand %s\n", o->proxy);
}

/* One that is named must be there; of all, those that cannot be reached are told and left out. */
static int
one(struct ssh_hosts *h, const char *owner, const char *name, bool named, size_t *n, struct err *e)
{
	struct ssh_host o;
	int rc = ssh_host_of(h, owner, name, 0, &o, e);

	if (rc == 0) {
		print_host(h, &o);
		++*n;
		return 0;
	}
	if (named || (rc != ERR_INVALID && rc != ERR_DENIED))
		return rc;
	if (rc == ERR_INVALID)
		(void)fprintf(stderr, "berth: left out: %s\n", e->text);
	return 0;
}

static int
all(struct ssh_hosts *h, size_t *n, struct err *e)
{
	struct arena *mem = h->a->mem;
	const char **owners;
	size_t count;
	int rc;

	world_owners(h->world, mem, &owners, &count);
	for (size_t i = 0; i < count; i++) {
		const char *const *names;
		size_t k;

		world_names(h->world, mem, owners[i], &names, &k);
		for (size_t j = 0; j < k; j++)
			if ((rc = one(h, owners[i], names[j], false, n, e)) < 0)
				return rc;
	}
	return 0;
}

static int
named(struct ssh_hosts *h, size_t *n, struct err *e)
{
	struct arena *mem = h->a->mem;
	int rc;

	for (size_t i = 0; i < h->a->npos; i++) {
		const char *env, *slash;

		if ((rc = env_of_arg(mem, h->a->pos[i], &env, e)) < 0)
			return rc;
		slash = strchr(env, '/');
		if ((rc = one(h, arena_strndup(mem, env, (size_t)(slash - env)), slash + 1, true, n, e)) < 0)
			return rc;
	}
	return 0;
}

static int
run(const struct args *a, struct err *e)
{
	struct ssh_hosts h;
	size_t n = 0;
	int rc;

	if ((rc = ssh_hosts_open(a, &h, e)) == 0) {
		(void)printf("# Made by `berth ssh-config`; in ~/.ssh/config, first of all: Include config.d/berth\n");
		rc = a->npos ? named(&h, &n, e) : all(&h, &n, e);
	}
	ssh_hosts_close(&h);
	if (rc < 0)
		return rc;
	if (!h.known_hosts)
		(void)fprintf(stderr, "berth: berth.yaml names no spec.secrets.signer, so that host keys have no certificates: ssh asks about each\n");
	(void)fprintf(stderr, "%zu environment%s; run it again when one comes, goes or moves\n", n, n == 1 ? "" : "s");
	return EXIT_FINE;
}

static const struct opt opts[] = {
	SSH_HOSTS_OPTS,
	{ NULL, NULL, NULL },
};

const struct verb cmd_ssh_config = {
	.name = "ssh-config", .args = "[OWNER/NAME…]", .summary = "blocks for ~/.ssh/config: how to get to environments, whom to believe",
	.examples = "berth ssh-config > ~/.ssh/config.d/berth      all of them; `Include config.d/berth` in ~/.ssh/config\n"
	            "ssh train--alice                              then, and scp, sftp, rsync, editors\n"
	            "berth ssh-config alice/train                  one block\n",
	.details = "Host keys are believed by their certificates alone: the authority comes from the branch berth/status, signed by the key that\n"
	           "berth.yaml names, and goes into a file of its own. An environment keeps its host key when it is deleted and made again.",
	.opts = opts, .max = 1000, .run = run,
};
