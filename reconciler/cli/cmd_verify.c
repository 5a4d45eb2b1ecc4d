/* SPDX-License-Identifier: Apache-2.0 */
/* berth verify: proves again, from git alone, that what is on main was approved. */
#include <stdio.h>
#include <string.h>

#include "cli/prove.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/doc/value.h"

static struct value *
oid_value(struct arena *mem, const struct oid *id)
{
	char hex[OID_HEX];

	oid_hex(id, hex);
	return value_str(mem, arena_strdup(mem, hex));
}

/* Beside "approvedBy": null where it is signed. */
static struct value *
how_value(struct arena *mem, const struct approved *d)
{
	struct value *v = value_list(mem);

	for (size_t i = 0; i < d->nvoices; i++)
		value_push(mem, v, d->how[i] ? value_str(mem, d->how[i]) : value_str(mem, "signature"));
	return v;
}

static bool
by_review(const struct approved *d)
{
	for (size_t i = 0; i < d->nvoices; i++)
		if (d->how[i])
			return true;
	return false;
}

static size_t
count_told(const struct proved *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->result.ndone; i++)
		n += by_review(&p->result.done[i]);
	return n;
}

static struct value *
change_value(struct arena *mem, const struct approved *d)
{
	struct value *v = value_map(mem);
	char digest[DIGEST_HEX];

	digest_hex(&d->changes, digest);
	value_set(mem, v, "commit", oid_value(mem, &d->commit));
	value_set(mem, v, "changes", value_str(mem, arena_strdup(mem, digest)));
	value_set(mem, v, "proof", value_str(mem, by_review(d) ? "told" : "proved"));
	value_set(mem, v, "approvedBy", value_strs(mem, d->voices, d->nvoices));
	value_set(mem, v, "by", how_value(mem, d));
	value_set(mem, v, "paths", value_strs(mem, d->paths, d->npaths));
	if (d->emergency)
		value_set(mem, v, "emergency", value_str(mem, d->emergency));
	return v;
}

static struct value *
pending_value(struct arena *mem, const struct unapproved *u)
{
	struct value *v = value_map(mem);

	value_set(mem, v, "path", value_str(mem, u->change.path));
	value_set(mem, v, "missing", value_str(mem, u->missing));
	value_set(mem, v, "lacks", value_int(mem, u->lacks));
	if (!oid_zero(&u->commit))
		value_set(mem, v, "commit", oid_value(mem, &u->commit));
	return v;
}

static struct value *
status_value(struct arena *mem, const struct status_commits *s)
{
	struct value *v = value_map(mem);

	value_set(mem, v, "signer", value_str(mem, s->signer));
	value_set(mem, v, "signed", value_int(mem, (int64_t)s->good));
	value_set(mem, v, "notSigned", value_int(mem, (int64_t)s->none));
	value_set(mem, v, "otherKey", value_int(mem, (int64_t)s->other));
	if (!oid_zero(&s->newest))
		value_set(mem, v, "newestOfThose", oid_value(mem, &s->newest));
	return v;
}

static struct value *
as_value(struct arena *mem, const struct proved *p)
{
	struct value *v = value_map(mem), *changes = value_list(mem), *waits = value_list(mem);

	for (size_t i = 0; i < p->result.ndone; i++)
		value_push(mem, changes, change_value(mem, &p->result.done[i]));
	for (size_t i = 0; i < p->result.npending; i++)
		value_push(mem, waits, pending_value(mem, &p->result.pending[i]));
	value_set(mem, v, "anchor", oid_value(mem, &p->proof->anchor));
	value_set(mem, v, "commit", oid_value(mem, &p->main));
	value_set(mem, v, "trustedTree", oid_value(mem, &p->proof->tree));
	value_set(mem, v, "proved", value_bool(mem, !p->result.npending && !p->result.many));
	value_set(mem, v, "changes", changes);
	value_set(mem, v, "waiting", waits);
	if (p->status.signer)
		value_set(mem, v, "statusBranch", status_value(mem, &p->status));
	return v;
}

/* An in-toto statement (https://in-toto.io/Statement/v1) with a Verification Summary (https://slsa.dev/verification_summary/v1). */
static struct value *
as_vsa(struct arena *mem, const struct proved *p)
{
	struct value *v = value_map(mem), *subject = value_map(mem), *digest = value_map(mem), *list = value_list(mem), *pr = value_map(mem),
	             *verifier = value_map(mem), *policy = value_map(mem), *policy_digest = value_map(mem), *levels = value_list(mem);
	char when[RFC3339_LEN];
	bool good = !p->result.npending && !p->result.many;

	clock_rfc3339(p->now, when);
	value_set(mem, digest, "gitCommit", oid_value(mem, &p->main));
	value_set(mem, subject, "name", value_str(mem, arena_printf(mem, "refs/heads/%s", p->branch)));
	value_set(mem, subject, "digest", digest);
	value_push(mem, list, subject);
	value_set(mem, verifier, "id", value_str(mem, "https://berth.dev/verify/" BERTH_VERSION));
	value_set(mem, policy_digest, "gitTree", oid_value(mem, &p->proof->tree));
	value_set(mem, policy, "uri", value_str(mem, "berth.yaml"));
	value_set(mem, policy, "digest", policy_digest);
	value_push(mem, levels, value_str(mem, !good ? "FAILED" : count_told(p) ? "BERTH_REVIEWED" : "BERTH_APPROVED"));
	value_set(mem, pr, "verifier", verifier);
	value_set(mem, pr, "timeVerified", value_str(mem, arena_strdup(mem, when)));
	value_set(mem, pr, "resourceUri", value_str(mem, arena_printf(mem, "git+refs/heads/%s", p->branch)));
	value_set(mem, pr, "policy", policy);
	value_set(mem, pr, "verificationResult", value_str(mem, good ? "PASSED" : "FAILED"));
	value_set(mem, pr, "verifiedLevels", levels);
	value_set(mem, v, "_type", value_str(mem, "https://in-toto.io/Statement/v1"));
	value_set(mem, v, "subject", list);
	value_set(mem, v, "predicateType", value_str(mem, "https://slsa.dev/verification_summary/v1"));
	value_set(mem, v, "predicate", pr);
	return v;
}

/* -- for people ---------------------------------------------------------------------------------------------------------------------- */

/* Nobody signed these: that the forge said so is what berth wrote. */
static void
print_reviews(const struct approved *d)
{
	for (size_t i = 0; i < d->nvoices; i++)
		if (d->how[i])
			(void)printf("              approved by %s (%s, as berth wrote)\n", d->voices[i], d->how[i]);
}

static void
print_changes(const struct args *a, const struct proved *p, int64_t most)
{
	size_t from = p->result.ndone > (size_t)most ? p->result.ndone - (size_t)most : 0;

	if (from)
		(void)printf("… %zu changes before these (-n shows more)\n", from);
	for (size_t i = from; i < p->result.ndone; i++) {
		const struct approved *d = &p->result.done[i];
		char hex[OID_HEX];

		oid_hex(&d->commit, hex);
		(void)printf("%.12s  %s  by %-24s %s%s\n", hex, by_review(d) ? "told  " : "proved", str_join(a->mem, d->voices, d->nvoices, "nobody"), d->paths[0],
		             d->npaths > 1 ? arena_printf(a->mem, " and %zu more", d->npaths - 1) : "");
		print_reviews(d);
		if (d->emergency)
			(void)printf("              emergency: %s\n", str_line(a->mem, d->emergency));
	}
}

static void
print_waiting(const struct proved *p)
{
	char hex[OID_HEX];

	for (size_t i = 0; i < p->result.npending; i++) {
		const struct unapproved *u = &p->result.pending[i];

		oid_hex(&u->commit, hex);
		(void)printf("%.12s  WAITS   %s: %s\n", oid_zero(&u->commit) ? "several     " : hex, u->change.path, u->missing);
	}
	if (p->result.many)
		(void)printf("more than %d files wait\n", CHANGESET_MAX);
}

/* Whether the status branch, whose times were taken, is berth's own word. */
static void
print_status(const struct proved *p)
{
	const struct status_commits *s = &p->status;
	char hex[OID_HEX];

	if (!s->signer)
		return;
	(void)printf("status branch: %zu commits signed by berth's key, %zu not signed, %zu by another key", s->good, s->none, s->other);
	oid_hex(&s->newest, hex);
	(void)printf(oid_zero(&s->newest) ? "\n" : "; the newest of those is %.12s\n", hex);
}

static const char *
many(size_t n)
{
	return n == 1 ? "" : "s";
}

static void
print_end(const struct proved *p)
{
	char tip[OID_HEX], anchor[OID_HEX], first[OID_HEX];
	size_t told;

	oid_hex(&p->main, tip);
	oid_hex(&p->begin, anchor);
	if (!p->result.npending && !p->result.many) {
		(void)printf("proved: everything of %.12s since %.12s was approved, in %zu change%s\n", tip, anchor, p->result.ndone, many(p->result.ndone));
		if ((told = count_told(p)))
			(void)printf("%zu of them by reviews on the forge, which berth's key vouches for and nobody's signature proves\n", told);
	} else {
		(void)printf("not proved: %zu file%s of %.12s %s not approved; %zu change%s since %.12s %s\n", p->result.npending, many(p->result.npending), tip,
		             p->result.npending == 1 ? "is" : "are", p->result.ndone, many(p->result.ndone), anchor, p->result.ndone == 1 ? "is" : "are");
		if (p->proof->nopen) {
			oid_hex(&p->proof->open[0].commit, first);
			(void)printf("the first commit that fails is %s\n", first);
		}
	}
	print_status(p);
	if (p->doubted)
		(void)printf("%zu review%s of a forge on the status branch %s for nothing here, since no key that is trusted vouches for them: only the berth that asked\n"
		             "the forge can prove them. Give berth a master key and name its signer (berth.yaml: secrets.signer); what it writes from then on is believed\n",
		             p->doubted, many(p->doubted), p->doubted == 1 ? "counts" : "count");
	if (!p->anchored)
		(void)fprintf(stderr, "note: the anchor is what the status branch says; --anchor COMMIT takes one that you trust yourself\n");
}

static int
run(const struct args *a, struct err *e)
{
	const char *o = args_str(a, "o", "table"), *n = args_str(a, "n", "100"), *dots, *from = NULL, *rev = NULL;
	struct proved p;
	int64_t most;
	int rc;

	if (!str_eq(o, "table") && !str_eq(o, "json") && !str_eq(o, "yaml") && !str_eq(o, "vsa"))
		return err_set(e, ERR_USAGE, "-o %s: write table, json, yaml or vsa", o);
	if (str_to_i64(n, &most) < 0 || most < 0)
		return err_set(e, ERR_USAGE, "-n %s: write a number", n);
	if (a->npos && (dots = strstr(rev = a->pos[0], ".."))) {
		from = arena_strndup(a->mem, rev, (size_t)(dots - rev));
		rev = dots[2] ? dots + 2 : NULL;
	}
	if ((rc = prove(a, from, rev, &p, e)) < 0)
		return rc;
	if (str_eq(o, "table")) {
		print_changes(a, &p, most);
		print_waiting(&p);
		print_end(&p);
	} else {
		output_value(str_eq(o, "vsa") ? as_vsa(a->mem, &p) : as_value(a->mem, &p), str_eq(o, "yaml") ? OUTPUT_YAML : OUTPUT_JSON);
	}
	rc = p.result.npending || p.result.many ? EXIT_FINDINGS : EXIT_FINE;
	prove_close(&p);
	return rc;
}

static const struct opt opts[] = {
	PROVE_OPTS,
	{ "n", "NUMBER", "show at most so many changes, the newest (default: 100)" },
	{ "o", "table|json|yaml|vsa", "how to print it; vsa: an in-toto statement with a verification summary, not signed" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_verify = {
	.name = "verify", .args = "[FROM..COMMIT]", .summary = "prove again that everything on main was approved",
	.examples = "berth verify -C envs\nberth verify -C envs --anchor 4f2c9d1 origin/main~10\nberth verify -C envs v1..origin/main\nberth verify -C envs -o vsa >summary.json\n",
	.details = "Needs nothing but git: signatures of commits, approvals behind refs/berth/approvals/ and those that the status branch\n"
	           "keeps are checked against the approvers that were trusted at each moment, from the anchor on (or from FROM, whose\n"
	           "tree is then believed). \"proved\" means by signatures, \"told\" (approvals.mode forge) by reviews that berth read on the\n"
	           "forge and wrote to the status branch: believed where its commits are signed by the signer that berth.yaml names.\n"
	           "When a key or an approval was still good is judged by the time at which berth first saw it, as the status branch has\n"
	           "it, else now. Where berth.yaml names a signer, only commits of the status branch that it signed are believed; the\n"
	           "others are counted.\n"
	           "Exit 0: everything is approved. 1: something is not, and the first commit that fails is named.",
	.opts = opts, .max = 1, .run = run,
};
