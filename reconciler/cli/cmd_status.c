/* SPDX-License-Identifier: Apache-2.0 */
/* berth status: what the status branch says. */
#include <stdio.h>
#include <string.h>

#include "cli/status_docs.h"
#include "lib/base/str.h"
#include "status/status.h"
#include "status/text.h"

#define REPO_LINES 10

/* Lines of a list below a heading; they may hold what strangers wrote. */
static void
print_lines(struct arena *mem, const char *head, const struct value *list)
{
	for (size_t i = 0; i < value_len(list); i++)
		(void)printf("%s    %s\n", i ? "" : head, text_line(mem, value_as_str(value_item(list, i), "")));
}

/* What only a target tells that sees the cluster. */
static void
print_seen(struct arena *mem, const struct value *v)
{
	const struct value *drift = value_get(v, "drift");

	print_lines(mem, "  refused by the target:\n", value_at(v, "lastError.errors"));
	print_lines(mem, "  waits for:\n", value_get(v, "waiting"));
	if (drift)
		(void)printf("  drift repaired at %s: %s changed %s\n", value_as_str(value_get(drift, "restored"), "?"),
		             text_line(mem, value_as_str(value_get(drift, "by"), "?")),
		             text_line(mem, value_as_str(value_get(drift, "what"), "?")));
	if (value_at(v, "access.address"))
		(void)printf("  address %s\n", text_line(mem, value_as_str(value_at(v, "access.address"), "")));
}

static void
print_one(struct arena *mem, const struct value *v)
{
	const struct value *list = value_get(v, "conditions"), *p = value_get(v, "pending");

	(void)printf("%s/%s   %s", value_as_str(value_at(v, "metadata.owner"), "?"), value_as_str(value_at(v, "metadata.name"), "?"),
	             value_as_str(value_get(v, "phase"), "?"));
	if (value_get(v, "observed"))
		(void)printf("   spec %.7s", value_as_str(value_at(v, "observed.commit"), "?"));
	(void)printf("\n");
	if (p) {
		(void)printf("  waiting since %s: %s, commit %.7s\n", value_as_str(value_get(p, "since"), "?"),
		             value_as_str(value_get(p, "reason"), "?"), value_as_str(value_get(p, "commit"), "?"));
		for (size_t i = 0; i < value_len(value_get(p, "findings")); i++)
			(void)printf("    %s\n", value_as_str(value_item(value_get(p, "findings"), i), ""));
		if (!value_get(p, "findings"))
			(void)printf("    %s\n", value_as_str(value_get(p, "message"), ""));
	}
	for (size_t i = 0; i < value_len(list); i++) {
		const struct value *c = value_item(list, i);

		(void)printf("  %s=%s  %s  %s\n", value_as_str(value_get(c, "type"), "?"), value_as_str(value_get(c, "status"), "?"),
		             value_as_str(value_get(c, "reason"), ""), value_as_str(value_get(c, "message"), ""));
	}
	print_seen(mem, v);
	if (value_at(v, "access.ssh"))
		(void)printf("  ssh %s\n", value_as_str(value_at(v, "access.ssh"), ""));
	for (size_t i = 0; i < value_len(value_get(v, "inventory")); i++)
		(void)printf("  %s\n", value_as_str(value_item(value_get(v, "inventory"), i), ""));
}

static void
print_table(struct arena *mem, const struct status_docs *l)
{
	const struct value *findings = value_get(l->repo, "findings"); /* what holds up no environment alone: flavors, users, the master key */
	const char *reason = value_as_str(value_get(l->repo, "reason"), "");
	size_t n = value_len(l->docs);

	if (*reason && !str_eq(reason, "Adopted"))
		(void)printf("%s: %s\n", reason, value_as_str(value_get(l->repo, "message"), ""));
	for (size_t i = 0; i < value_len(findings); i++) {
		if (i == REPO_LINES) {
			(void)printf("… and %zu more: `berth why OWNER/NAME` has them all\n", value_len(findings) - i);
			break;
		}
		(void)printf("%s\n", text_line(mem, value_as_str(value_item(findings, i), "")));
	}
	if (str_eq(value_as_str(value_get(l->repo, "approvals"), NULL), "none"))
		(void)fprintf(stderr, "approvals are not enforced (berth.yaml: approvals.mode none)\n");
	(void)printf("%-34s %-10s %-8s %s\n", "ENVIRONMENT", "PHASE", "COMMIT", "WAITING");
	for (size_t i = 0; i < n; i++) {
		struct status_row r;
		char name[80];

		status_row_of(value_item(l->docs, i), &r);
		(void)snprintf(name, sizeof(name), "%s/%s", r.owner, r.name);
		(void)printf("%-34s %-10s %-8.7s %s%s%s\n", name, phase_name(r.phase), *r.commit ? r.commit : "-", r.reason,
		             *r.reason ? ": " : "", r.message);
	}
}

static void
print_data(struct arena *mem, const struct status_docs *l, enum output o)
{
	struct value *v = value_map(mem);

	if (l->repo)
		value_set(mem, v, "repository", l->repo);
	value_set(mem, v, "environments", l->docs);
	output_value(v, o);
}

static int
run(const struct args *a, struct err *e)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)2 << 30);
	struct args own = *a;
	struct status_docs l;
	enum output o;
	int rc;

	own.mem = mem; /* ten thousand status files are more than the program's own arena may hold */
	if ((rc = args_output(a, &o, e)) < 0 || (rc = status_docs_read(&own, &l, e)) < 0)
		return rc;
	if (o != OUTPUT_TABLE)
		print_data(mem, &l, o);
	else if (a->npos)
		for (size_t i = 0; i < value_len(l.docs); i++)
			print_one(mem, value_item(l.docs, i));
	else
		print_table(mem, &l);
	return EXIT_FINE;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository or a clone of it (default: here)" },
	{ "offline", NULL, "do not ask the origin" },
	{ "token-file", "FILE", "HTTP: a file whose first line is the token or password" },
	{ "o", "table|json|yaml", "how to print it" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_status = {
	.name = "status", .args = "[OWNER/NAME…]", .summary = "what berth says of each environment",
	.examples = "berth status -C envs                 all of them\n"
	            "berth status -C envs alice/train     one, with conditions and objects\n"
	            "berth status -o json | jq '.environments[] | select(.pending)'\n",
	.details = "Shows the branch berth/status and nothing else. In a clone the origin is asked first, for at most 5 seconds.",
	.opts = opts, .max = 1000, .run = run,
};
