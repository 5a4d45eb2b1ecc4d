/* SPDX-License-Identifier: Apache-2.0 */
/* berth doctor: will berth work with this cluster, these credentials and this repository? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "cli/forge_args.h"
#include "cli/tree.h"
#include "cli/units.h"
#include "lib/base/clock.h"
#include "lib/base/fs.h"
#include "lib/base/redact.h"
#include "lib/base/str.h"
#include "lib/git/git.h"
#include "lib/git/heads.h"
#include "lib/kube/kubeconfig.h"
#include "validate/approval_keys.h"

#define OLDEST 34 /* of version 1 */
#define NEWEST 36
#define SLOW_MS 250
#define REPO_MS 20000
#define SKEW_WARN 5
#define SKEW_FAIL 60 /* seconds: leases and token lifetimes come apart */

static const char *const verdict_names[] = { "ok", "warn", "fail" };

/* Kinds of the built-in templates, for when there is no tree. */
static const char *const built_in[] = {
	"v1 Namespace", "v1 ServiceAccount", "v1 ConfigMap", "v1 Service", "v1 PersistentVolumeClaim", "v1 ResourceQuota", "v1 LimitRange",
	"apps/v1 StatefulSet", "networking.k8s.io/v1 NetworkPolicy", "rbac.authorization.k8s.io/v1 RoleBinding",
	"rbac.authorization.k8s.io/v1 ClusterRole", "scheduling.k8s.io/v1 PriorityClass",
};

void
doctor_say(struct doctor *d, enum verdict v, const char *check, const char *next, const char *fmt, ...)
{
	struct value *row = value_map(d->mem);
	struct buf text AUTO_BUF = BUF_INIT(0);
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf_str(&text, line);
	value_set(d->mem, row, "check", value_str(d->mem, check));
	value_set(d->mem, row, "result", value_str(d->mem, verdict_names[v]));
	value_set(d->mem, row, "message", value_str(d->mem, str_line(d->mem, buf_cstr(&text))));
	if (next && *next)
		value_set(d->mem, row, "next", value_str(d->mem, next));
	value_push(d->mem, d->found, row);
	d->count[v]++;
}

int64_t
doctor_minor(const char *version)
{
	const char *dot = strchr(version, '.');
	char digits[8];
	size_t n = dot ? strspn(dot + 1, "0123456789") : 0;
	int64_t minor;

	if (!n || n >= sizeof(digits) || !str_starts(version, "v1."))
		return -1;
	memcpy(digits, dot + 1, n);
	digits[n] = '\0';
	return str_to_i64(digits, &minor) == 0 ? minor : -1;
}

/* -- credentials ----------------------------------------------------------------------------------------------------------- */

static const char *
config_file(const struct doctor *d)
{
	const char *file = args_str(d->a, "kubeconfig", NULL), *home = getenv("HOME");

	if (!file || !*file)
		file = getenv("KUBECONFIG");
	if (file && *file)
		return file;
	return home && *home ? arena_printf(d->mem, "%s/.kube/config", home) : NULL;
}

static void
credentials(struct doctor *d)
{
	const struct kube_config *c = &d->c.config;
	const char *file = str_starts(c->source, "kubeconfig") ? config_file(d) : NULL;
	struct stat st;

	if (file && stat(file, &st) == 0 && (st.st_mode & 077) && (c->token.text || c->key))
		doctor_say(d, DOCTOR_WARN, "credentials", arena_printf(d->mem, "chmod 600 %s", file), "%s: others on this machine can read the file",
		           c->source);
	else
		doctor_say(d, DOCTOR_OK, "credentials", NULL, "%s", c->source);
	if (str_starts(c->server, "http://"))
		doctor_say(d, DOCTOR_WARN, "tls", "use https:// but for tries on this machine", "%s is not encrypted", c->server);
	else if (c->insecure)
		doctor_say(d, DOCTOR_WARN, "tls", "put the cluster's CA into the kubeconfig and drop insecure-skip-tls-verify",
		           "the certificate of %s is not verified: whoever answers there gets the token", c->server);
}

/* -- the server -------------------------------------------------------------------------------------------------------------- */

static int
reach(struct doctor *d, struct err *e)
{
	struct question q[3];
	const char *version;
	int64_t minor, best;
	int rc;

	/* the first makes the connection */
	for (size_t i = 0; i < 3; i++) {
		q[i] = (struct question){ .method = "GET", .path = "/version" };
		if ((rc = cluster_ask(&d->c, d->mem, &q[i], 1, e)) < 0)
			return rc;
	}
	best = q[1].took_ms < q[2].took_ms ? q[1].took_ms : q[2].took_ms;
	doctor_say(d, best > SLOW_MS ? DOCTOR_WARN : DOCTOR_OK, "server",
	           best > SLOW_MS ? "run berth nearer to the cluster: an environment takes some ten round trips" : NULL,
	           "%s answers in %lld ms (%lld ms with a new connection)%s", kube_server(d->c.kube), (long long)best, (long long)q[0].took_ms,
	           str_starts(kube_server(d->c.kube), "https://") && !d->c.config.insecure ? ", certificate verified" : "");
	version = value_as_str(value_get(q[0].answer, "gitVersion"), "");
	minor = doctor_minor(version);
	if (q[0].code || minor < 0)
		doctor_say(d, DOCTOR_WARN, "version", "is this the API server of Kubernetes?", "not known: %s", q[0].code ? q[0].message : version);
	else if (minor < OLDEST || minor > NEWEST)
		doctor_say(d, DOCTOR_WARN, "version", "berth is tried with 1.34 to 1.36", "%s is %s than what berth is tried with", version,
		           minor < OLDEST ? "older" : "newer");
	else
		doctor_say(d, DOCTOR_OK, "version", NULL, "%s", version);
	return (int)minor;
}

/* SelfSubjectReview tells who we are, and its creationTimestamp what time it is there. */
static int
who_and_when(struct doctor *d, struct err *e)
{
	static const char body[] = "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"SelfSubjectReview\"}";
	struct question q = { .method = "POST", .path = "/apis/authentication.k8s.io/v1/selfsubjectreviews", .body = body,
		.len = sizeof(body) - 1 };
	int64_t there, skew, before = clock_now();
	int rc = cluster_ask(&d->c, d->mem, &q, 1, e);

	if (rc < 0)
		return rc;
	if (q.code) {
		doctor_say(d, DOCTOR_WARN, "account", "grant system:basic-user again: every account may ask about itself", "not known: %s", q.message);
		return 0;
	}
	doctor_say(d, DOCTOR_OK, "account", NULL, "%s", value_as_str(value_at(q.answer, "status.userInfo.username"), "?"));
	if (clock_parse_time(value_as_str(value_at(q.answer, "metadata.creationTimestamp"), ""), &there) < 0)
		return 0;
	skew = there < before ? before - there : there > clock_now() ? there - clock_now() : 0;
	doctor_say(d, skew >= SKEW_FAIL ? DOCTOR_FAIL : skew >= SKEW_WARN ? DOCTOR_WARN : DOCTOR_OK, "clock",
	           skew >= SKEW_WARN ? "set the time of this machine (NTP)" : NULL, "the server's clock is %lld s %s this one", (long long)skew,
	           !skew ? "off" : there > before ? "ahead of" : "behind");
	return 0;
}

/* -- the tree ---------------------------------------------------------------------------------------------------------------- */

static int
look_at(void *ctx, struct arena *mem, const struct bundle *b, size_t n, struct err *e)
{
	struct doctor *d = ctx;

	(void)e;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < b[i].n; j++) {
			const struct object *o = &b[i].objects[j];
			const char *key = arena_printf(mem, "%s %s", o->api_version, o->kind);

			if (!map_has(&d->kinds, key))
				(void)map_put(&d->kinds, key, arena_strdup(d->mem, b[i].unit));
			d->claims += strcmp(o->kind, "PersistentVolumeClaim") == 0 && !value_at(o->value, "spec.storageClassName");
			for (size_t k = 0; k < value_len(value_at(o->value, "spec.volumeClaimTemplates")); k++)
				d->claims += !value_at(value_item(value_at(o->value, "spec.volumeClaimTemplates"), k), "spec.storageClassName");
			d->other_roles |= strcmp(o->kind, "ClusterRole") == 0 && !str_eq(o->name, OUR_ROLE);
			d->binds |= strcmp(o->kind, "RoleBinding") == 0 && str_eq(value_as_str(value_at(o->value, "roleRef.name"), NULL), OUR_ROLE);
		}
	return 0;
}

static void
bad(void *ctx, const char *unit, const char *why)
{
	struct doctor *d = ctx;

	doctor_say(d, DOCTOR_WARN, arena_printf(d->mem, "unit %s", unit), "`berth validate` shows all of it", "not valid, so not looked at: %s", why);
}

static void
approvals_signed(struct doctor *d)
{
	struct approval_state s;
	struct err own = { 0 };

	if (approval_look(d->mem, world_files(d->w), &s, &own) < 0)
		doctor_say(d, DOCTOR_FAIL, "approvals", "`berth validate` shows where", "%s", own.text);
	else if (s.keyed < s.needed)
		doctor_say(d, DOCTOR_FAIL, "approvals", "`berth validate` says which lines to add",
		           "%zu of %zu admins have a key in approvers/allowed_signers, and %u are needed to change berth.yaml", s.keyed, s.admins, s.needed);
	else if (s.only)
		doctor_say(d, DOCTOR_WARN, "approvals", "name a second admin in approvals.admins, with a key in approvers/allowed_signers",
		           "signed, and %s alone approves everything, also what %s wrote", s.only, s.only);
	else if (s.without)
		doctor_say(d, DOCTOR_WARN, "approvals", "`berth validate` says which lines to add",
		           "signed, but these admins have no key in approvers/allowed_signers: %s", s.without);
	else
		doctor_say(d, DOCTOR_OK, "approvals", NULL, "signed: %zu admins have keys, what is shared takes 2 of them", s.admins);
}

static void
approvals_forge(struct doctor *d)
{
	struct approval_state s;
	struct err own = { 0 };

	if (approval_look(d->mem, world_files(d->w), &s, &own) < 0)
		doctor_say(d, DOCTOR_FAIL, "approvals", "`berth validate` shows where", "%s", own.text);
	else if (s.admins < s.needed)
		doctor_say(d, DOCTOR_FAIL, "approvals", "name more of users/ in approvals.admins", "%zu users are admins, and %u are needed to change berth.yaml",
		           s.admins, s.needed);
	else if (s.only)
		doctor_say(d, DOCTOR_WARN, "approvals", "name a second admin in approvals.admins",
		           "by reviews on the forge, and %s alone approves everything, also what %s wrote", s.only, s.only);
	else if (!s.keyed)
		doctor_say(d, DOCTOR_WARN, "approvals", "a key of an admin in approvers/allowed_signers approves by signature when the forge is down (docs/admins.md)",
		           "by reviews on the forge alone: %zu admins, what is shared takes 2 of them", s.admins);
	else
		doctor_say(d, DOCTOR_OK, "approvals", NULL, "by reviews on the forge: %zu admins, what is shared takes 2 of them; %zu may sign as well", s.admins, s.keyed);
}

static void
approvals(struct doctor *d)
{
	const char *mode = value_as_str(value_at(world_site(d->w)->org->spec, "approvals.mode"), "?");

	if (str_eq(mode, "none"))
		doctor_say(d, DOCTOR_WARN, "approvals", "approvals: {mode: signed} (docs/admins.md); until then protect the branch: who can push there can do what berth may do",
		           "not enforced (berth.yaml: approvals.mode none)");
	else if (str_eq(mode, "signed"))
		approvals_signed(d);
	else if (str_eq(mode, "forge"))
		approvals_forge(d);
	else
		doctor_say(d, DOCTOR_OK, "approvals", NULL, "berth.yaml: approvals.mode %s", mode);
}

/* Reads -C, else what is here when it is a tree. */
static void
read_tree(struct doctor *d)
{
	struct units_visit v = { .visit = look_at, .bad = bad, .ctx = d };
	const char *label;
	struct err own = { 0 };

	if (!args_str(d->a, "C", NULL) && !args_str(d->a, "commit", NULL) && !fs_exists("berth.yaml")) {
		doctor_say(d, DOCTOR_OK, "tree", "-C DIR looks at what an environments repository needs",
		           "none was given: kinds and rights are those of berth's own templates");
	} else if (units_open(d->a, &d->w, &label, &own) < 0 || units_each(d->a, d->w, &v, &own) < 0) {
		doctor_say(d, DOCTOR_FAIL, "tree", own.hint, "%s", own.text);
	} else {
		doctor_say(d, DOCTOR_OK, "tree", NULL, "%s of %s: %zu kinds of object are rendered", label, args_str(d->a, "C", "."), d->kinds.live);
		approvals(d);
	}
	if (d->kinds.live)
		return;
	d->binds = true;
	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
		(void)map_put(&d->kinds, built_in[i], arena_strdup(d->mem, "a built-in template"));
}

static void
cluster_version(struct doctor *d, int64_t server)
{
	const char *said = d->w ? value_as_str(value_at(world_site(d->w)->org->spec, "cluster.version"), NULL) : NULL;
	int64_t minor = said ? doctor_minor(arena_printf(d->mem, "v%s", said)) : -1;

	if (minor > server && server >= 0)
		doctor_say(d, DOCTOR_WARN, "cluster.version", "write the server's version into berth.yaml: templates use what it brings",
		           "berth.yaml says %s, the server is 1.%lld", said, (long long)server);
}

/* Where its branch stands: on this disk, else by one request to the server. */
static int
find_branch(struct doctor *d, const char *repo, const char *branch, bool *found, struct err *e)
{
	const struct git_remote_auth auth = { .token_file = args_str(d->a, "token-file", NULL), .username = args_str(d->a, "username", NULL) };
	const char *path, *ref = arena_printf(d->mem, "refs/heads/%s", branch);
	struct git_repo *g;
	struct oid id;
	int rc;

	if (!git_url_is_local(repo, d->mem, &path))
		return git_remote_heads(repo, &auth, &ref, 1, REPO_MS, NULL, &id, found, e);
	if ((rc = git_open(path, &g, e)) < 0)
		return rc;
	rc = git_rev_parse(g, ref, &id, e);
	git_close(g);
	*found = rc == 0;
	return rc == ERR_NOTFOUND ? 0 : rc;
}

static void
repository(struct doctor *d)
{
	const char *repo = args_str(d->a, "repo", NULL), *branch = args_str(d->a, "branch", "main");
	struct buf safe AUTO_BUF = BUF_INIT(0);
	struct err own = { 0 };
	bool found = false;
	int rc;

	if (!repo)
		return;
	redact(repo, strlen(repo), &safe);
	rc = find_branch(d, repo, branch, &found, &own);
	if (rc < 0)
		doctor_say(d, rc == ERR_INVALID ? DOCTOR_WARN : DOCTOR_FAIL, "repository",
		           rc == ERR_INVALID ? "`git ls-remote` tells whether it can be read" : own.hint, "%s", own.text);
	else if (!found)
		doctor_say(d, DOCTOR_FAIL, "repository", "push it, or name another with --branch", "%s has no branch %s", buf_cstr(&safe), branch);
	else
		doctor_say(d, DOCTOR_OK, "repository", NULL, "%s, branch %s can be read", buf_cstr(&safe), branch);
}

/* -- the run ------------------------------------------------------------------------------------------------------------------ */

static void
print_table(const struct doctor *d)
{
	static const int colours[] = { 32, 33, 31 };
	bool colour = use_colour(STDOUT_FILENO);
	const char *said = "";

	for (size_t i = 0; i < value_len(d->found); i++) {
		const struct value *row = value_item(d->found, i);
		const char *result = value_as_str(value_get(row, "result"), ""), *next = value_as_str(value_get(row, "next"), NULL);
		size_t v = str_eq(result, "ok") ? 0 : str_eq(result, "warn") ? 1 : 2;

		if (colour)
			(void)printf("\033[%dm%-5s\033[0m", colours[v], result);
		else
			(void)printf("%-5s", result);
		(void)printf(" %-22s %s\n", value_as_str(value_get(row, "check"), ""), value_as_str(value_get(row, "message"), ""));
		if (next && !str_eq(next, said)) /* the same cure for many is said once */
			(void)printf("      %-22s next: %s\n", "", next);
		said = next ? next : "";
	}
	(void)printf("%zu ok, %zu to look at, %zu that keep berth from working.\n", d->count[DOCTOR_OK], d->count[DOCTOR_WARN],
	             d->count[DOCTOR_FAIL]);
}

/* Everything that needs the server; an error is one that ends it all. */
static int
examine(struct doctor *d, struct err *e)
{
	int rc, minor;

	credentials(d);
	if ((minor = rc = reach(d, e)) < -1 || (rc = kube_discover(d->c.kube, e)) < 0 || (rc = who_and_when(d, e)) < 0)
		return rc;
	cluster_version(d, minor);
	if ((rc = doctor_features(d, e)) < 0)
		return rc;
	return doctor_rights(d, e);
}

static void
print(struct doctor *d, enum output form)
{
	struct value *v = value_map(d->mem);

	if (form == OUTPUT_TABLE) {
		print_table(d);
		return;
	}
	value_set(d->mem, v, "checks", d->found);
	for (size_t i = 0; i < 3; i++)
		value_set(d->mem, v, verdict_names[i], value_int(d->mem, (int64_t)d->count[i]));
	output_value(v, form);
}

/* The server's "no" to everything is a finding as well; that it cannot be reached is another exit code. */
static int
conclude(struct doctor *d, int rc, const struct err *e)
{
	if (rc == 0)
		return d->count[DOCTOR_FAIL] ? EXIT_FINDINGS : EXIT_FINE;
	doctor_say(d, DOCTOR_FAIL, "server", e->hint, "%s", e->text);
	return rc == ERR_UNAVAILABLE ? EXIT_UNREACHABLE : EXIT_FINDINGS;
}

static int
run(const struct args *a, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)2 << 30);
	struct args own = *a;
	struct doctor d = { .a = &own, .mem = mem, .inventory = args_str(a, "inventory-namespace", "berth-system") };
	const char *target = args_str(a, "target", "kubernetes");
	struct err trouble = { 0 };
	enum output form;
	int rc;

	if (!str_eq(target, "kubernetes") && !str_eq(target, "git"))
		return err_set(e, ERR_USAGE, "--target %s: write git or kubernetes", target);
	own.mem = mem;
	d.found = value_list(mem);
	if ((rc = args_output(a, &form, e)) < 0)
		return rc;
	read_tree(&d);
	repository(&d);
	doctor_forge(&d);
	doctor_secrets(&d);
	if (str_eq(target, "git"))
		rc = 0;
	else if ((rc = cluster_of_args(&own, &d.c, &trouble)) == 0)
		rc = examine(&d, &trouble);
	else if (rc == ERR_UNAVAILABLE)
		rc = ERR_INVALID; /* of the file, not of the server */
	rc = conclude(&d, rc, &trouble);
	print(&d, form);
	cluster_close(&d.c);
	world_free(d.w);
	map_free(&d.kinds);
	return rc;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository (default: here, where there is a berth.yaml)" },
	{ "commit", "REV", "a commit instead of the working tree" },
	{ "repo", "PATH|URL", "can the daemon's repository be read?" },
	{ "branch", "NAME", "its reviewed branch (default: main)" },
	{ "token-file", "FILE", "HTTP: a file whose first line is the token or password" },
	{ "username", "NAME", "user that goes with the token" },
	{ "forge", "github|gitlab|gitea", "does it answer, and what may the token do there?" },
	FORGE_OPTS,
	{ "target", "git|kubernetes", "git: no cluster is asked (default: kubernetes)" },
	CLUSTER_OPTS,
	{ "inventory-namespace", "NAME", "where berth keeps its inventory and lease (default: berth-system)" },
	{ "o", "table|json|yaml", "how to print it" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_doctor = {
	.name = "doctor", .args = "", .summary = "check cluster, rights, features, repository and forge before berth writes anything",
	.examples = "berth doctor -C environments             with the kubeconfig of this machine\n"
	            "berth doctor --kubeconfig lab --context lab -C environments --repo environments.git\n"
	            "berth doctor --target git --repo https://git.example/lab/envs.git --token-file token --forge gitea\n"
	            "berth doctor -o json | jq '.checks[] | select(.result != \"ok\")'\n",
	.details = "Writes nothing (it asks by dry run and access reviews). Run it with the credentials of the daemon. Exit 0: all ok or\n"
	           "worth a look, 1: something keeps berth from working, 3: the cluster cannot be reached.",
	.opts = opts, .run = run,
};
