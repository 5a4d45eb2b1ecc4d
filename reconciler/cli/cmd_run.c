/* SPDX-License-Identifier: Apache-2.0 */
/* berth run and berth apply: the daemon, once or for ever. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cluster.h"
#include "cli/dry_run.h"
#include "cli/forge_args.h"
#include "cli/tree.h"
#include "daemon/daemon.h"
#include "lib/base/fs.h"
#include "lib/base/log.h"
#include "lib/base/str.h"

static int
set_up_log(const struct args *a, struct err *e)
{
	const char *level = args_str(a, "log-level", "info"), *format = args_str(a, "log-format", "text");
	enum log_level l;

	if (log_level_parse(level, &l) < 0)
		return err_set(e, ERR_USAGE, "--log-level %s: write error, warn, info or debug", level);
	if (!str_eq(format, "text") && !str_eq(format, "json"))
		return err_set(e, ERR_USAGE, "--log-format %s: write text or json", format);
	log_setup(l, str_eq(format, "json") ? LOG_JSON : LOG_TEXT);
	return 0;
}

/* systemd's LoadCredential= puts it there; nothing else is ever taken from the environment. */
static const char *
systemd_credential(struct arena *mem)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY"), *path;

	if (!dir || *dir != '/')
		return NULL;
	path = arena_printf(mem, "%s/berth-master-key", dir);
	return fs_exists(path) ? path : NULL;
}

static int
read_config(const struct args *a, struct daemon_config *c, struct err *e)
{
	const char *accept = args_str(a, "accept-rewind", NULL), *anchor = args_str(a, "trust-anchor", NULL);
	int rc;

	if ((rc = set_up_log(a, e)) < 0 || (rc = args_duration(a, "interval", "15s", &c->interval_ms, e)) < 0)
		return rc;
	c->repo = args_str(a, "repo", NULL);
	c->branch = args_str(a, "branch", "main");
	c->state_dir = args_str(a, "state", NULL);
	c->target = args_str(a, "target", "git");
	c->kube.inventory = args_str(a, "inventory", "berth");
	c->kube.namespace_ = args_str(a, "inventory-namespace", "berth-system");
	if ((rc = cluster_options(a, &c->kube.cluster, e)) < 0)
		return rc;
	c->master_key = args_str(a, "master-key", systemd_credential(a->mem));
	c->auth.token_file = args_str(a, "token-file", NULL);
	c->auth.username = args_str(a, "username", NULL);
	c->auth.ssh_key_file = args_str(a, "ssh-key", NULL);
	if (strcmp(c->target, "git") == 0 && (c->kube.cluster.kubeconfig || c->kube.cluster.context || c->lease)) {
		(void)err_set(e, ERR_USAGE, "--kubeconfig, --context and --lease are of target kubernetes, and the target is git");
		return err_hint(e, "add --target kubernetes, or leave them out");
	}
	if (!c->repo) {
		(void)err_set(e, ERR_USAGE, "--repo is missing");
		return err_hint(e, "give the environments repository: --repo PATH or URL");
	}
	if (!c->state_dir) {
		(void)err_set(e, ERR_USAGE, "--state is missing");
		return err_hint(e, "give a folder that berth may write and that survives restarts: --state DIR");
	}
	if (accept && oid_parse(accept, &c->accept_rewind) < 0)
		return err_set(e, ERR_USAGE, "--accept-rewind %s: write the whole commit id, 40 digits", accept);
	c->has_accept_rewind = accept != NULL;
	if (anchor && oid_parse(anchor, &c->trust_anchor) < 0)
		return err_set(e, ERR_USAGE, "--trust-anchor %s: write the whole commit id, 40 digits", anchor);
	c->has_trust_anchor = anchor != NULL;
	return 0;
}

static int
exit_code(const struct daemon_result *r, bool once)
{
	if (r->signal)
		return r->signal == SIGINT ? EXIT_INTERRUPTED : EXIT_FINE;
	if (!once)
		return EXIT_FINE;
	if (r->refused)
		return EXIT_REFUSED;
	return r->invalid || r->held || r->pending || r->failed ? EXIT_FINDINGS : EXIT_FINE;
}

/* A token that others read is told of and taken all the same: volumes of a cluster are made with such modes. */
static void
look_at_token(const struct args *a, const char *option)
{
	const char *path = args_str(a, option, NULL);
	struct err e = { 0 };
	struct stat st;

	if (path && stat(path, &st) == 0 && fs_check_private(path, &st, "make a new token", &e) < 0) {
		(void)err_wrap(&e, "--%s", option);
		log_err(LOG_WARN, NULL, &e);
	}
}

static int
run_daemon(const struct args *a, struct daemon_config *c, struct err *e)
{
	struct daemon_result r;
	int rc;

	if ((rc = read_config(a, c, e)) < 0)
		return rc;
	look_at_token(a, "token-file");
	if (c->forge)
		look_at_token(a, "forge-token-file");
	if ((rc = daemon_run(c, &r, e)) < 0)
		return rc;
	return exit_code(&r, c->once);
}

static int
run(const struct args *a, struct err *e)
{
	struct daemon_config c = { .once = args_flag(a, "once"), .listen = args_str(a, "listen", NULL),
		.hook_secret = args_str(a, "hook-secret", NULL), .lease = args_flag(a, "lease") };
	int rc = forge_of_args(a, args_str(a, "repo", ""), &c.forge_as, &c.forge, e);

	if (rc < 0)
		return rc;
	if (c.hook_secret && (!c.listen || c.once)) {
		(void)err_set(e, ERR_USAGE, "--hook-secret is for a daemon that %s", c.once ? "stays, and --once does not" : "listens");
		return err_hint(e, c.once ? "leave --hook-secret out" : "add --listen ADDR:PORT, where the forge sends its hooks to /hook/github, /hook/gitlab or /hook/gitea");
	}
	return run_daemon(a, &c, e);
}

static int
apply(const struct args *a, struct err *e)
{
	struct daemon_config c = { .once = true, .nonly = a->npos };
	int rc;

	if (args_flag(a, "dry-run"))
		return dry_run(a, e);
	if (!a->npos) {
		(void)err_set(e, ERR_USAGE, "`berth apply` takes OWNER/NAME…");
		return err_hint(e, "`berth run --once` applies everything, `berth apply --dry-run` asks about everything");
	}
	for (size_t i = 0; i < a->npos; i++)
		if ((rc = env_of_arg(a->mem, a->pos[i], &a->pos[i], e)) < 0)
			return rc;
	c.only = a->pos;
	return run_daemon(a, &c, e);
}

#define COMMON_OPTS                                                                                                    \
	{ "repo", "PATH|URL", "the environments repository: bare, a clone, or a URL" },                                \
	{ "branch", "NAME", "the reviewed branch (default: main)" },                                                   \
	{ "target", "git|kubernetes", "where manifests go (default: git, the branch berth/rendered)" },                \
	{ "inventory", "NAME", "kubernetes: the ApplySet's parent, a ConfigMap (default: berth)" },                    \
	{ "inventory-namespace", "NAME", "kubernetes: where it and the lease live (default: berth-system)" },          \
	{ "state", "DIR", "folder for what must survive a restart; one berth each" },                                  \
	{ "master-key", "FILE", "opens sealed secrets (`berth keygen` makes it; default: systemd's credential berth-master-key)" }, \
	{ "token-file", "FILE", "HTTP: a file whose first line is the token or password" },                            \
	{ "username", "NAME", "user that goes with the token (HTTP) or the key (SSH)" },                               \
	{ "ssh-key", "FILE", "SSH: the private key (default: the agent)" },                                            \
	{ "accept-rewind", "COMMIT", "take over this commit although history was rewritten" },                         \
	{ "trust-anchor", "COMMIT", "where proof of approval begins: this commit and its approvers are trusted as they are" },    \
	{ "interval", "TIME", "between two looks at a remote (default: 15s)" },                                        \
	CLUSTER_OPTS,                                                                                                  \
	{ "log-level", "LEVEL", "error, warn, info (default) or debug" },                                              \
	{ "log-format", "text|json", "log lines as key=value text (default) or JSON" }

static const struct opt run_opts[] = {
	COMMON_OPTS,
	{ "once", NULL, "one pass, then exit: 1 when an environment is held, waiting or failed" },
	{ "listen", "ADDR:PORT", "serve /healthz and /readyz, and with --hook-secret the hooks of forges" },
	{ "hook-secret", "FILE", "take hooks at /hook/github, /hook/gitlab and /hook/gitea that are signed with it: a push is seen at once" },
	{ "forge", "github|gitlab|gitea", "check pull requests there, comment their plan and what comes of it" },
	FORGE_OPTS,
	{ "lease", NULL, "kubernetes: of several that run this, one applies and the others stand by" },
	{ NULL, NULL, NULL },
};

static const struct opt apply_opts[] = {
	COMMON_OPTS,
	DRY_RUN_OPTS,
	{ NULL, NULL, NULL },
};

const struct verb cmd_run = {
	.name = "run", .args = "", .summary = "the daemon: watch the repository, apply what changes, write the status",
	.examples = "berth run --repo environments.git --target git --state state\n"
	            "berth run --repo https://git.example/envs.git --token-file token --state /var/lib/berth --listen :8080\n"
	            "berth run --repo https://git.example/lab/envs.git --token-file token --state /var/lib/berth --forge gitea\n"
	            "berth run --repo https://git.example/envs.git --token-file token --state /var/lib/berth --listen :8080 --hook-secret hook\n"
	            "berth run --repo environments.git --state state --target kubernetes --kubeconfig ~/.kube/config\n"
	            "berth run --repo environments.git --state state --once\n",
	.details = "A local repository is looked at ten times a second, a remote one every --interval. SIGTERM and Ctrl-C stop it\n"
	           "after the step at hand. Everything it knows is in the repository: kill it at any time and start it again.",
	.opts = run_opts, .run = run,
};

const struct verb cmd_apply = {
	.name = "apply", .args = "[OWNER/NAME…]", .summary = "one pass over the environments named; --dry-run: ask what it would do",
	.examples = "berth apply alice/train --repo environments.git --state state\n"
	            "berth apply --dry-run -C environments            what the cluster would say to every object\n"
	            "berth apply --dry-run alice/train --commit HEAD --context lab\n",
	.details = "The same as `berth run --once`, for these environments alone (and their owners' own objects).\n"
	           "--dry-run reads the tree of -C or --commit instead, needs no --repo and no --state, and writes nothing: each object is\n"
	           "created, configured, unchanged or refused, with every reason of the server. Without names: everything. Exit 1: refused.",
	.opts = apply_opts, .max = 1000, .run = apply,
};
