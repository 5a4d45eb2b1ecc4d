/* SPDX-License-Identifier: Apache-2.0 */
/* berth why: the chain from a commit to a running environment, where it is blocked, and what to do next. */
#include <stdio.h>
#include <string.h>

#include "cli/status_docs.h"
#include "lib/base/str.h"
#include "status/status.h"
#include "status/text.h"

#define OK "ok"
#define NO "no"
#define WAITS ".."

struct chain {
	struct arena *mem;
	const struct value *doc, *repo, *pending;
	enum phase phase;
	bool wanted;
	struct value *steps; /* {step, mark, reason, message, lines} */
	const char *next;
};

/* A word or message of a document: the branch may hold what strangers wrote. */
static const char *
text_at(struct chain *c, const struct value *v, const char *dotted)
{
	return text_line(c->mem, value_as_str(value_at(v, dotted), ""));
}

static struct value *
add_step(struct chain *c, const char *mark, const char *step, const char *reason, const char *message)
{
	struct value *v = value_map(c->mem);

	value_set(c->mem, v, "step", value_str(c->mem, step));
	value_set(c->mem, v, "mark", value_str(c->mem, mark));
	if (*reason)
		value_set(c->mem, v, "reason", value_str(c->mem, reason));
	if (*message)
		value_set(c->mem, v, "message", value_str(c->mem, message));
	value_push(c->mem, c->steps, v);
	return v;
}

/* What else there is to say of a step; a first line that its message says already is left out. */
static void
add_lines(struct chain *c, struct value *step, const struct value *list)
{
	struct value *lines = value_list(c->mem);

	for (size_t i = 0; i < value_len(list); i++) {
		const char *line = text_line(c->mem, value_as_str(value_item(list, i), ""));

		if (i || !str_eq(line, value_as_str(value_get(step, "message"), NULL)))
			value_push(c->mem, lines, value_str(c->mem, line));
	}
	if (value_len(lines))
		value_set(c->mem, step, "lines", lines);
}

/* -- next steps ------------------------------------------------------------------------------------------------------ */

struct advice {
	const char *word, *next;
};

static const struct advice on_repo[] = {
	{ "InvalidRepository", "correct what is named above on the branch that berth watches; `berth validate` shows it" },
	{ "SourceRewound", "an admin looks at the rewritten history, then `berth run --accept-rewind COMMIT`" },
	{ "SourceEmpty", "put the files back; an empty repository is never taken for a wish" },
	{ NULL, "an admin looks at repo.yaml on the branch berth/status" },
};

static const struct advice on_pending[] = {
	{ "Invalid", "correct the file, check it with `berth validate`, merge" },
	{ "ApprovalMissing", "ask for the approval that is named above" },
	{ "QuotaExceeded", "ask for less, give something back, or ask an admin for a larger limit" },
	{ "GuardHeld", "if the deletion is meant, merge a commit with the trailer that is named above; else put the file back" },
	{ "RenderUpgrade", "an admin moves to the new templates, or corrects what they refuse" },
	{ NULL, "see `berth status`" },
};

static const struct advice on_applied[] = {
	{ "Applying", "wait: berth is putting it there now" },
	{ "ApplyFailed", "correct what the cluster refused, in the spec or as an admin in the cluster; berth tries again by itself" },
	{ "Forbidden", "an admin gives berth the right that is named above (`berth doctor` lists what it lacks), or the cluster's policy says no" },
	{ "QuotaExceeded", "pause or remove another environment, ask for less, or ask an admin for a larger quota" },
	{ "NamespaceTerminating", "wait: everything is made again when the namespace is gone; its conditions tell what holds it" },
	{ "NamespaceRefused", "somebody else made the user's namespace: an admin removes it, or hands it over with the annotation berth.dev/adopt" },
	{ "NotDelivered", "seal the value anew as the message says and commit it; where it speaks of the master key, an admin" },
	{ "NotServed", "an admin installs what serves that kind in the cluster, or take the field that needs it out of the spec" },
	{ "Unreachable", "wait: berth goes on by itself when the API server answers; an admin sees more with `berth doctor`" },
	{ "Conflict", "an object of that name is somebody else's: have it removed there, or give the environment another name" },
	{ "DriftFight", "somebody changes it again and again: end that, or write the change into the spec" },
	{ "DataAtStake", "the change would cost data: take it back, or make a new environment and copy what you need" },
	{ NULL, "see `berth status`" },
};

static const struct advice on_phase[] = {
	{ "Queued", "wait until there is room, or ask for less" },
	{ "Provisioning", "wait: what is named above is still on its way" },
	{ "Degraded", "it runs in part: look at what is named above" },
	{ "Failed", "it will not get better by waiting: correct what is named above in the spec, or ask an admin" },
	{ "Pausing", "wait until its pods have ended" },
	{ "Deleting", "wait until its objects are gone" },
	{ "Ready", "nothing to do" },
	{ "Rendered", "nothing to do here; what applies the branch berth/rendered tells how it runs" },
	{ "Paused", "nothing to do; take `lifecycle.paused` out of the spec to start it" },
	{ NULL, "see `berth status`" },
};

static const char *
advice_on(const struct advice *table, const char *word)
{
	while (table->word && strcmp(table->word, word) != 0)
		table++;
	return table->next;
}

/* "… error[E304]: …" has a page of its own. */
static const char *
advice_on_finding(struct chain *c, const char *message)
{
	const char *next = advice_on(on_pending, "Invalid"), *code = strstr(message, "error[");

	if (!code || strcspn(code + 6, "]") != 4)
		return next;
	if (strstr(message, "(an admin: "))
		return "the file is fine: an admin does what is named above";
	return arena_printf(c->mem, "%s; `berth explain %.4s` tells more", next, code + 6);
}

/* The outermost cause is known first: later advice does not replace it. */
static void
advise(struct chain *c, const struct advice *table, const char *word)
{
	if (!c->next)
		c->next = advice_on(table, word);
}

/* -- the chain --------------------------------------------------------------------------------------------------------- */

/* The repository as a whole: nothing new is taken from it, whatever this environment says. */
static void
add_repo(struct chain *c)
{
	const char *reason = text_at(c, c->repo, "reason");
	struct value *step;

	if (!*reason || str_eq(reason, "Adopted") || str_eq(reason, "GuardHeld"))
		return;
	step = add_step(c, NO, "repository", reason, text_at(c, c->repo, "message"));
	add_lines(c, step, value_get(c->repo, "findings"));
	advise(c, on_repo, reason);
	c->wanted = false;
}

static const char *
mark_of(const struct chain *c, const char *type, const char *status, const char *reason)
{
	static const enum phase moving[] = { PHASE_QUEUED, PHASE_PROVISIONING, PHASE_PAUSING, PHASE_DELETING };

	if (str_eq(status, "True"))
		return OK;
	if (!str_eq(status, "False") || str_eq(reason, "Applying"))
		return WAITS;
	if (!str_eq(type, "Ready"))
		return NO;
	if (str_eq(reason, "Paused") || c->phase == PHASE_PAUSED)
		return OK;
	for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++)
		if (c->phase == moving[i])
			return WAITS;
	return NO;
}

static struct value *
add_condition(struct chain *c, const char *type)
{
	const struct value *v = status_condition(c->doc, type);
	const char *status = text_at(c, v, "status"), *reason = text_at(c, v, "reason");

	if (!v || str_eq(reason, "Held")) /* what stands before it says why */
		return NULL;
	return add_step(c, mark_of(c, type, status, reason), type, reason, text_at(c, v, "message"));
}

static const char *
commit_line(struct chain *c, const char *where)
{
	const char *id = text_at(c, c->doc, where), *path = text_at(c, c->doc, "observed.path");

	return arena_printf(c->mem, "%.7s%s%s", *id ? id : "unknown", *path ? "  " : "", path);
}

/* The newest spec: as far as it came. */
static void
add_spec(struct chain *c)
{
	const char *reason = text_at(c, c->pending, "reason");
	const char *at = c->pending ? "pending.commit" : value_at(c->doc, "observed.commit") ? "observed.commit" : "lastError.commit";
	struct value *step;

	(void)add_step(c, OK, "commit", "", commit_line(c, at));
	(void)add_condition(c, "Approved");
	step = add_condition(c, "Validated");
	if (!c->pending)
		return;
	if (!step || !str_eq(reason, "Invalid"))
		step = add_step(c, NO, "pending", reason, text_at(c, c->pending, "message"));
	add_lines(c, step, value_get(c->pending, "findings"));
	if (!c->next && str_eq(reason, "Invalid"))
		c->next = advice_on_finding(c, text_at(c, c->pending, "message"));
	advise(c, on_pending, reason);
	if (value_at(c->doc, "observed.commit"))
		(void)add_step(c, OK, "live", "", arena_printf(c->mem, "%s stays", commit_line(c, "observed.commit")));
}

/* What is live, or on its way. */
static void
add_target(struct chain *c)
{
	const struct value *waiting = value_get(c->doc, "waiting"), *drift = value_get(c->doc, "drift");
	struct value *step;

	(void)add_condition(c, "Rendered");
	if ((step = add_condition(c, "Applied"))) {
		const char *reason = text_at(c, step, "reason");

		add_lines(c, step, value_at(c->doc, "lastError.errors"));
		if (!str_eq(text_at(c, step, "mark"), OK))
			advise(c, on_applied, reason);
		if (drift && str_eq(reason, "DriftFight"))
			(void)add_step(c, NO, "drift", text_at(c, drift, "by"), text_at(c, drift, "what"));
	}
	(void)add_condition(c, "Ready");
	for (size_t i = 0; i < value_len(waiting); i++)
		(void)add_step(c, WAITS, "waits for", "", text_line(c->mem, value_as_str(value_item(waiting, i), "")));
	advise(c, on_phase, phase_name(c->phase));
}

/* -- output -------------------------------------------------------------------------------------------------------------- */

static void
print_chain(struct chain *c, const char *env)
{
	const char *ssh = text_at(c, c->doc, "access.ssh"), *address = text_at(c, c->doc, "access.address");

	(void)printf("%s   %s%s\n", env, text_at(c, c->doc, "phase"), c->wanted ? "" : ", not as wanted");
	for (size_t i = 0; i < value_len(c->steps); i++) {
		const struct value *s = value_item(c->steps, i), *lines = value_get(s, "lines");
		const char *reason = value_as_str(value_get(s, "reason"), ""), *message = value_as_str(value_get(s, "message"), "");

		(void)printf("  %s  %-10s %s%s%s\n", value_as_str(value_get(s, "mark"), ""), value_as_str(value_get(s, "step"), ""),
		             reason, *reason && *message ? ": " : "", message);
		for (size_t j = 0; j < value_len(lines); j++)
			(void)printf("      %-10s %s\n", "", value_as_str(value_item(lines, j), ""));
	}
	(void)printf("  next: %s\n", c->next);
	if (*ssh && c->phase == PHASE_READY && *address)
		(void)printf("  ssh %.*s@%s\n", (int)strcspn(ssh, "@"), ssh, address);
	else if (*ssh && c->phase == PHASE_READY)
		(void)printf("  ssh %s\n", ssh);
}

static void
print_data(struct chain *c, const char *env, enum output o)
{
	struct value *v = value_map(c->mem);

	value_set(c->mem, v, "environment", value_str(c->mem, env));
	value_set(c->mem, v, "phase", value_str(c->mem, text_at(c, c->doc, "phase")));
	value_set(c->mem, v, "asWanted", value_bool(c->mem, c->wanted));
	value_set(c->mem, v, "steps", c->steps);
	value_set(c->mem, v, "next", value_str(c->mem, c->next));
	output_value(v, o);
}

static int
run(const struct args *a, struct err *e)
{
	struct chain c = { .mem = a->mem };
	struct status_docs l;
	enum output o;
	int rc;

	if ((rc = args_output(a, &o, e)) < 0 || (rc = status_docs_read(a, &l, e)) < 0)
		return rc;
	c.doc = value_item(l.docs, 0);
	c.repo = l.repo;
	c.pending = value_get(c.doc, "pending");
	c.phase = status_phase(c.doc);
	c.wanted = status_as_wanted(c.doc);
	c.steps = value_list(c.mem);
	add_repo(&c);
	add_spec(&c);
	add_target(&c);
	if (o == OUTPUT_TABLE)
		print_chain(&c, a->pos[0]);
	else
		print_data(&c, a->pos[0], o);
	return c.wanted ? EXIT_FINE : EXIT_FINDINGS;
}

static const struct opt opts[] = {
	{ "C", "DIR", "the environments repository or a clone of it (default: here)" },
	{ "offline", NULL, "do not ask the origin" },
	{ "token-file", "FILE", "HTTP: a file whose first line is the token or password" },
	{ "o", "table|json|yaml", "how to print it" },
	{ NULL, NULL, NULL },
};

const struct verb cmd_why = {
	.name = "why", .args = "OWNER/NAME", .summary = "why an environment is not as wanted, and what to do next",
	.examples = "berth why -C envs alice/train        from the commit to what it waits for\n"
	            "berth why alice/train || echo \"not there yet\"\n"
	            "berth why alice/train -o json | jq -r .next\n",
	.details = "Reads the branch berth/status, as `berth status` does. A step is marked ok, no, or .. while it is on its way or\n"
	           "not seen. Exit: 0 when it is Ready, Rendered or Paused and nothing newer is pending, 1 otherwise.",
	.opts = opts, .min = 1, .max = 1, .run = run,
};
