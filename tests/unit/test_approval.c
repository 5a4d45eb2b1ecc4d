/* SPDX-License-Identifier: Apache-2.0 */
/* What a change needs, and whether those who said yes are enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "lib/base/str.h"
#include "validate/approval_keys.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"
#define ENV(spec) DOC("Environment", spec)
#define T "envs/alice/t.yaml"

#define ORG(approvals, more) DOC("Organization", "{approvals: {mode: signed, " approvals "}" more "}")
#define RULES ", rules: [{when: {gpu: \">4\"}, required: 2}, {when: {cpu: \">=100\", memory: \">1Ti\"}, required: 3},\n" \
              " {when: {worldSize: \">64\"}, required: 4}]"
#define LIMITS ", lifecycle: {idleTimeout: {max: 8h}, ttl: {max: 90d}}"

/* carol and dana are admins, erin is of the team vision; alice is in vision alone, bo in two. */
static struct fixture *
site_with(const char *org)
{
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", org);
	fixture_add(x, "users/alice.yaml", DOC("User", "{email: Alice@Example.org, teams: [vision]}"));
	fixture_add(x, "users/bo.yaml", DOC("User", "{email: bo@example.org, teams: [vision, nlp]}"));
	fixture_add(x, "users/carol.yaml", DOC("User", "{email: carol@example.org}"));
	fixture_add(x, "users/dana.yaml", DOC("User", "{email: twins@example.org}"));
	fixture_add(x, "users/erin.yaml", DOC("User", "{email: twins@example.org, teams: [vision]}"));
	fixture_add(x, "users/pav.yaml", "{broken");
	fixture_add(x, "teams/vision.yaml", DOC("Team", "{admins: [erin, nobody], defaults: {budget: {monthly: 300}}}"));
	fixture_add(x, "teams/nlp.yaml", DOC("Team", "{admins: [bo]}"));
	fixture_add(x, "flavors/cpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 16, memory: 64Gi}}}"));
	fixture_add(x, "flavors/small.yaml", DOC("Flavor", "{resources: {limits: {cpu: 1, memory: 1Gi}}}"));
	fixture_add(x, "flavors/gpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 16, memory: 64Gi, nvidia.com/gpu: 2}}}"));
	fixture_add(x, "flavors/burst.yaml", DOC("Flavor", "{resources: {requests: {cpu: 4, memory: 16Gi}, limits: {cpu: 16, memory: 64Gi}}}"));
	fixture_add(x, "envs/alice/setup.sh", "true\n");
	return x;
}

static struct approval_rules *
load(struct fixture *x)
{
	struct approval_rules *r = NULL;
	struct err e = { 0 };

	if (approval_rules_load(x->mem, &x->files, &r, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

static struct approval_part
need(struct fixture *x, const struct approval_rules *r, const char *path, const char *old, const char *new_)
{
	const struct approval_change c = { .path = path, .old_bytes = old, .new_bytes = new_, .old_len = old ? strlen(old) : 0,
		                           .new_len = new_ ? strlen(new_) : 0 };
	struct approval_part p = { 0 };
	struct err e = { 0 };

	if (approval_need(r, x->mem, &c, &p, &e) < 0)
		fail_msg("%s: %s", path, e.text);
	assert_string_equal(p.path, path);
	return p;
}

static const char *
teams_of(struct fixture *x, const struct approval_part *p)
{
	const char *text = "";

	for (size_t i = 0; i < p->nteams; i++)
		text = arena_printf(x->mem, "%s%s%s", text, i ? " " : "", p->teams[i]);
	return text;
}

/* -- classes ---------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *label, *path, *old, *new_;
	enum approval_class class_;
	unsigned required;
	const char *teams, *why;
} classes[] = {
	{ "a new environment", T, NULL, ENV("{flavor: cpu}"), APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "another flavor", T, ENV("{flavor: cpu}"), ENV("{flavor: gpu}"), APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "a smaller flavor is another one", T, ENV("{flavor: cpu}"), ENV("{flavor: small}"), APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "it goes", T, ENV("{flavor: cpu}"), NULL, APPROVAL_OWNER, 1, "vision", NULL },
	{ "a broken one goes", T, "{", NULL, APPROVAL_OWNER, 1, "", NULL },
	{ "its script goes", "envs/alice/setup.sh", "true\n", NULL, APPROVAL_OWNER, 1, "vision", NULL },
	{ "its secret goes", "envs/alice/secrets/w.age", "x", NULL, APPROVAL_OWNER, 1, "vision", NULL },
	{ "a script", "envs/alice/setup.sh", "true\n", "false\n", APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "a secret of two teams", "envs/bo/secrets/w.age", NULL, "x", APPROVAL_ENVIRONMENT, 1, "", NULL },
	{ "a link has no bytes", "envs/alice/data", NULL, NULL, APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "a note", "envs/alice/README.md", "a", "b", APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "folders below", "envs/alice/a/b.yaml", NULL, ENV("{flavor: cpu}"), APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "of an owner who is nobody yet", "envs/zoe/t.yaml", NULL, ENV("{flavor: cpu}"), APPROVAL_ENVIRONMENT, 4, "",
	  "how large it is cannot be told: it has errors, or refers to what is not approved yet (berth.yaml:4)" },
	{ "a team before and another after", "envs/bo/t.yaml", ENV("{flavor: cpu}"), ENV("{flavor: cpu, team: nlp}"), APPROVAL_ENVIRONMENT, 1,
	  "vision nlp", NULL },
	{ "a team that the owner is not in", T, ENV("{flavor: cpu}"), ENV("{flavor: cpu, team: nlp}"), APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "a flavor that is not trusted yet", T, ENV("{flavor: cpu}"), ENV("{flavor: huge}"), APPROVAL_ENVIRONMENT, 4, "vision",
	  "how large it is cannot be told: it has errors, or refers to what is not approved yet (berth.yaml:4)" },
	{ "no document", T, ENV("{flavor: cpu}"), "{", APPROVAL_ENVIRONMENT, 4, "vision",
	  "how large it is cannot be told: it has errors, or refers to what is not approved yet (berth.yaml:4)" },
	{ "a secret that comes with it tells nothing of its size", T, NULL,
	  ENV("{flavor: cpu, secrets: [{name: w, file: secrets/w.age}], setup: new.sh, datasets: [{name: d}], access: {share: [zoe]}}"),
	  APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "4 GPUs", T, NULL, ENV("{flavor: gpu, resources: {gpu: 4}}"), APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "5 GPUs", T, NULL, ENV("{flavor: gpu, resources: {gpu: 5}}"), APPROVAL_ENVIRONMENT, 2, "vision", "asks for 5 GPUs (berth.yaml:3)" },
	{ "GPUs of all pods", T, NULL, ENV("{flavor: gpu, mode: distributed, distributed: {worldSize: 8, nprocsPerNode: 2}}"),
	  APPROVAL_ENVIRONMENT, 2, "vision", "asks for 8 GPUs (berth.yaml:3)" },
	{ "paused ones count as if they ran", T, NULL, ENV("{flavor: gpu, resources: {gpu: 5}, lifecycle: {paused: true}}"),
	  APPROVAL_ENVIRONMENT, 2, "vision", "asks for 5 GPUs (berth.yaml:3)" },
	{ "one of two comparisons", T, NULL, ENV("{flavor: cpu, resources: {cpu: 100}}"), APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "both comparisons", T, NULL, ENV("{flavor: cpu, resources: {cpu: 100, memory: 2Ti}}"), APPROVAL_ENVIRONMENT, 3, "vision",
	  "asks for 100 cores, 2Ti of memory (berth.yaml:3)" },
	{ "just below", T, NULL, ENV("{flavor: cpu, resources: {cpu: 99999m, memory: 2Ti}}"), APPROVAL_ENVIRONMENT, 1, "vision", NULL },
	{ "the highest number wins", T, NULL, ENV("{flavor: gpu, mode: distributed, distributed: {worldSize: 65}}"), APPROVAL_ENVIRONMENT, 4,
	  "vision", "asks for 65 processes (berth.yaml:4)" },
	{ "what was large before", T, ENV("{flavor: gpu, resources: {gpu: 5}}"), ENV("{flavor: gpu, resources: {gpu: 4}, mode: standalone}"),
	  APPROVAL_OWNER, 1, "vision", NULL },
	{ "what is large still", T, ENV("{flavor: gpu, resources: {gpu: 8}}"), ENV("{flavor: gpu, resources: {gpu: 5}}"), APPROVAL_OWNER, 2,
	  "vision", "asks for 5 GPUs (berth.yaml:3)" },
	{ "berth.yaml", "berth.yaml", "a", "b", APPROVAL_SHARED, 2, "", NULL },
	{ "a user", "users/alice.yaml", "a", "b", APPROVAL_SHARED, 2, "", NULL },
	{ "approvers", "approvers/allowed_signers", NULL, "b", APPROVAL_SHARED, 2, "", NULL },
	{ "a flavor goes", "flavors/cpu.yaml", "a", NULL, APPROVAL_SHARED, 2, "", NULL },
	{ "a template", "templates/env/x.yaml", NULL, "b", APPROVAL_SHARED, 2, "", NULL },
	{ "checks of the forge", ".github/workflows/x.yml", NULL, "b", APPROVAL_SHARED, 2, "", NULL },
	{ "a secret of the site", "secrets/w.age", NULL, "b", APPROVAL_SHARED, 2, "", NULL },
	{ "anything else", "README.md", NULL, "b", APPROVAL_SHARED, 2, "", NULL },
	{ "in envs/ but in nobody's folder", "envs/t.yaml", NULL, ENV("{flavor: cpu}"), APPROVAL_SHARED, 2, "", NULL },
	{ "in a folder that is no name", "envs/Alice/t.yaml", "x", NULL, APPROVAL_SHARED, 2, "", NULL },
	{ "out of the folder again", "envs/alice/../../berth.yaml", "x", NULL, APPROVAL_SHARED, 2, "", NULL },
	{ "a dot", "envs/alice/./t.yaml", "x", NULL, APPROVAL_SHARED, 2, "", NULL },
	{ "an empty part", "envs/alice//t.yaml", "x", NULL, APPROVAL_SHARED, 2, "", NULL },
	{ "nothing in it", "envs/alice/", "x", NULL, APPROVAL_SHARED, 2, "", NULL },
	{ "a line break", "envs/alice/a\nb", "x", NULL, APPROVAL_SHARED, 2, "", NULL },
};

static void
what_a_file_needs(void **state)
{
	struct fixture *x = site_with(ORG("admins: [carol, dana]" RULES, ""));
	const struct approval_rules *r = load(x);

	(void)state;
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
		struct approval_part p = need(x, r, classes[i].path, classes[i].old, classes[i].new_);

		if (p.class_ != classes[i].class_ || p.required != classes[i].required || !str_eq(p.why, classes[i].why) ||
		    !str_eq(teams_of(x, &p), classes[i].teams))
			fail_msg("%s: class %d required %u teams '%s' why '%s'", classes[i].label, p.class_, p.required, teams_of(x, &p),
			         p.why ? p.why : "-");
	}
	fixture_free(x);
}

/* -- narrowing --------------------------------------------------------------------------------------------------------- */

#define BASE "flavor: gpu"
#define DIST "flavor: gpu, mode: distributed, distributed: {nprocsPerNode: 2, worldSize: "

/* Both directions of each: whether an owner may go from `a` to `b`, and back. */
static const struct {
	const char *label, *a, *b;
	bool there, back;
} steps[] = {
	{ "nothing", ENV("{" BASE "}"), ENV("{" BASE "}"), true, true },
	{ "a comment", ENV("{" BASE "}"), "# mine\n" ENV("{" BASE "}"), true, true },
	{ "labels", ENV("{" BASE "}"), "metadata: {labels: {project: vit}}\n" ENV("{" BASE "}"), true, true },
	{ "a name", ENV("{" BASE "}"), "metadata: {name: t}\n" ENV("{" BASE "}"), false, false },
	{ "annotations", ENV("{" BASE "}"), "metadata: {annotations: {note: x}}\n" ENV("{" BASE "}"), false, false },
	{ "the kind's other name", ENV("{" BASE "}"), DOC("DevServer", "{" BASE "}"), false, false },
	{ "the default written out", ENV("{" BASE "}"), ENV("{" BASE ", resources: {gpu: 2, cpu: 16, memory: 64Gi}}"), true, true },
	{ "paused", ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {paused: true}}"), true, true },
	{ "keepUntil", ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {keepUntil: \"2027-01-31\"}}"), true, true },
	{ "keepUntil and null", ENV("{" BASE ", lifecycle: {keepUntil: null}}"), ENV("{" BASE ", lifecycle: {keepUntil: \"2027-01-31\"}}"), true,
	  true },
	{ "a day that there is not", ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {keepUntil: \"2027-02-31\"}}"), false, true },
	{ "idleTimeout", ENV("{" BASE ", lifecycle: {idleTimeout: 8h}}"), ENV("{" BASE ", lifecycle: {idleTimeout: 1h}}"), true, true },
	{ "idleTimeout over the limit", ENV("{" BASE ", lifecycle: {idleTimeout: 28801}}"), ENV("{" BASE ", lifecycle: {idleTimeout: 28800}}"),
	  true, false },
	{ "idleTimeout of 0", ENV("{" BASE ", lifecycle: {idleTimeout: 0}}"), ENV("{" BASE ", lifecycle: {idleTimeout: 5}}"), true, false },
	{ "autoShutdown off where there is a limit", ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {autoShutdown: false}}"), false, true },
	{ "ttl", ENV("{" BASE ", lifecycle: {ttl: 30d}}"), ENV("{" BASE ", lifecycle: {ttl: 90d}}"), true, true },
	{ "ttl over the limit", ENV("{" BASE ", lifecycle: {ttl: 91d}}"), ENV("{" BASE ", lifecycle: {ttl: 90d}}"), true, false },
	{ "no ttl is longer than any", ENV("{" BASE ", lifecycle: {ttl: 30d}}"), ENV("{" BASE "}"), false, true },
	{ "hours", ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {hours: \"Mon-Fri 08:00-20:00 Asia/Seoul\"}}"), true, true },
	{ "hours nowhere", ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {hours: \"Mon-Fri 08:00-20:00 Asia/Nowhere\"}}"), false, true },
	{ "onDelete", ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {onDelete: purge}}"), false, false },
	{ "checkpointCommand", ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {checkpointCommand: \"true\"}}"), false, false },
	{ "gpu", ENV("{" BASE ", resources: {gpu: 2}}"), ENV("{" BASE ", resources: {gpu: 1}}"), true, false },
	{ "gpu of the flavor", ENV("{" BASE ", resources: {gpu: 1}}"), ENV("{" BASE "}"), false, true },
	{ "gpu alone", ENV("{" BASE ", resources: {gpu: 2, shm: 1Gi}}"), ENV("{" BASE ", resources: {gpu: 1, shm: 1Gi}}"), true, false },
	{ "memory alone", ENV("{" BASE ", resources: {memory: 64Gi, shm: 1Gi}}"), ENV("{" BASE ", resources: {memory: 32Gi, shm: 1Gi}}"), true,
	  false },
	{ "cpu that is promised", ENV("{flavor: burst}"), ENV("{flavor: burst, resources: {cpu: 16}}"), false, true },
	{ "memory that is promised", ENV("{flavor: burst}"), ENV("{flavor: burst, resources: {memory: 64Gi}}"), false, true },
	{ "cpu that may be taken", ENV("{flavor: burst}"), ENV("{flavor: burst, resources: {cpu: 4}}"), true, false },
	{ "memory that may be taken", ENV("{flavor: burst, resources: {shm: 1Gi}}"), ENV("{flavor: burst, resources: {memory: 16Gi, shm: 1Gi}}"), true,
	  false },
	{ "cpu", ENV("{" BASE "}"), ENV("{" BASE ", resources: {cpu: 15999m}}"), true, false },
	{ "memory", ENV("{" BASE "}"), ENV("{" BASE ", resources: {memory: 32Gi}}"), true, false },
	{ "shm", ENV("{" BASE ", resources: {shm: 8Gi}}"), ENV("{" BASE ", resources: {shm: 4Gi}}"), true, false },
	{ "less of one, more of another", ENV("{" BASE ", resources: {cpu: 8, memory: 8Gi}}"), ENV("{" BASE ", resources: {cpu: 9, memory: 4Gi}}"),
	  false, false },
	{ "less memory, shared memory of the default", ENV("{" BASE ", resources: {shm: 1Gi}}"), ENV("{" BASE ", resources: {memory: 32Gi}}"),
	  false, false },
	{ "huge pages", ENV("{" BASE "}"), ENV("{" BASE ", resources: {hugepages: {1Gi: 1Gi}}}"), false, false },
	{ "numa", ENV("{" BASE "}"), ENV("{" BASE ", resources: {numa: preferred}}"), false, false },
	{ "worldSize", ENV("{" DIST "8}}"), ENV("{" DIST "4}}"), true, false },
	{ "worldSize that says nothing", ENV("{" BASE ", distributed: {worldSize: 8}}"), ENV("{" BASE ", distributed: {worldSize: 4}}"), false,
	  false },
	{ "nprocsPerNode", ENV("{" BASE ", mode: distributed, distributed: {worldSize: 4, nprocsPerNode: 2}}"),
	  ENV("{" BASE ", mode: distributed, distributed: {worldSize: 4, nprocsPerNode: 1}}"), false, false },
	{ "rdma", ENV("{" DIST "8}}"), ENV("{" DIST "8, rdma: infiniband}}"), false, false },
	{ "budget", ENV("{" BASE ", budget: {monthly: 200}}"), ENV("{" BASE ", budget: {monthly: \"100.50\"}}"), true, false },
	{ "budget of the same amount", ENV("{" BASE ", budget: {monthly: 200}}"), ENV("{" BASE ", budget: {monthly: \"200.00\"}}"), true, true },
	{ "budget of the team", ENV("{" BASE "}"), ENV("{" BASE ", budget: {monthly: 299}}"), true, false },
	{ "budget over the team's", ENV("{" BASE "}"), ENV("{" BASE ", budget: {monthly: 301}}"), false, true },
	{ "image", ENV("{" BASE "}"), ENV("{" BASE ", image: \"ubuntu:24.04\"}"), false, false },
	{ "env", ENV("{" BASE "}"), ENV("{" BASE ", env: {A: b}}"), false, false },
	{ "setup", ENV("{" BASE "}"), ENV("{" BASE ", setup: setup.sh}"), false, false },
	{ "secrets", ENV("{" BASE "}"), ENV("{" BASE ", secrets: [{name: w, file: secrets/w.age}]}"), false, false },
	{ "datasets", ENV("{" BASE "}"), ENV("{" BASE ", datasets: [{name: d}]}"), false, false },
	{ "share", ENV("{" BASE "}"), ENV("{" BASE ", access: {share: [bo]}}"), false, false },
	{ "web tools", ENV("{" BASE "}"), ENV("{" BASE ", access: {web: [jupyter]}}"), false, false },
	{ "packages", ENV("{" BASE "}"), ENV("{" BASE ", packages: {pip: [wandb]}}"), false, false },
	{ "volumes", ENV("{" BASE "}"), ENV("{" BASE ", volumes: [{name: w, size: 1Ti, path: /w}]}"), false, false },
	{ "home", ENV("{" BASE ", persistentHomeSize: 20Gi}"), ENV("{" BASE ", persistentHomeSize: 10Gi}"), false, false },
	{ "mode", ENV("{" BASE "}"), ENV("{" BASE ", mode: distributed}"), false, false },
	{ "flavor", ENV("{" BASE "}"), ENV("{flavor: small}"), false, false },
	{ "one thing that is allowed and one that is not", ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {paused: true}, env: {A: b}}"), false,
	  false },
	{ "a secret that is not there stays what it is", ENV("{" BASE ", secrets: [{name: w, file: secrets/w.age}]}"),
	  ENV("{" BASE ", secrets: [{name: w, file: secrets/w.age}], lifecycle: {paused: true}}"), true, true },
	{ "not a document", ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {paused: maybe}}"), false, false },
	{ "a flavor that is not there", ENV("{flavor: huge}"), ENV("{flavor: huge, lifecycle: {paused: true}}"), false, false },
};

static void
narrow_rows(struct fixture *x, const struct approval_rules *r)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		enum approval_class there = need(x, r, T, steps[i].a, steps[i].b).class_, back = need(x, r, T, steps[i].b, steps[i].a).class_;

		if (there != (steps[i].there ? APPROVAL_OWNER : APPROVAL_ENVIRONMENT) ||
		    back != (steps[i].back ? APPROVAL_OWNER : APPROVAL_ENVIRONMENT))
			fail_msg("%s: there %d, back %d", steps[i].label, there, back);
	}
}

static void
what_an_owner_decides(void **state)
{
	struct fixture *x = site_with(ORG("admins: [carol, dana]", LIMITS));

	(void)state;
	narrow_rows(x, load(x));
	fixture_free(x);
}

static void
without_limits_life_is_longer(void **state)
{
	struct fixture *x = site_with(ORG("admins: [carol, dana]", ""));
	const struct approval_rules *r = load(x);

	(void)state;
	assert_int_equal(need(x, r, T, ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {autoShutdown: false}}")).class_, APPROVAL_OWNER);
	assert_int_equal(need(x, r, T, ENV("{" BASE ", lifecycle: {ttl: 30d}}"), ENV("{" BASE "}")).class_, APPROVAL_OWNER);
	assert_int_equal(need(x, r, T, ENV("{" BASE "}"), ENV("{" BASE ", lifecycle: {idleTimeout: 30d}}")).class_, APPROVAL_OWNER);
	fixture_free(x);
}

/* In whatever order they stand, and never below what is asked for anyway. */
static void
the_highest_number_wins(void **state)
{
	struct fixture *x = site_with(ORG("admins: [carol, dana], required: 2, rules: [{when: {gpu: \">0\"}, required: 3}, {when: {gpu: \">=2\"}, required: 2},\n"
	                                  " {when: {cpu: \"<=16\"}, required: 1}]", ""));
	const struct approval_rules *r = load(x);
	struct approval_part p = need(x, r, T, NULL, ENV("{flavor: gpu}"));

	(void)state;
	assert_int_equal(p.required, 3);
	assert_string_equal(p.why, "asks for 2 GPUs (berth.yaml:3)");
	p = need(x, r, T, NULL, ENV("{flavor: cpu}"));
	assert_int_equal(p.required, 2);
	assert_null(p.why);
	fixture_free(x);
}

/* What a change refers to is read from the tree as it is now, not as it was when the rules were read. */
static void
the_tree_moves(void **state)
{
	struct fixture *x = site_with(ORG("admins: [carol, dana]" RULES, ""));
	const struct approval_rules *r = load(x);
	struct oid other = { .b = { 1 } };

	(void)state;
	assert_int_equal(need(x, r, T, NULL, ENV("{flavor: gpu}")).required, 1);
	fixture_add(x, "flavors/gpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 16, memory: 64Gi, nvidia.com/gpu: 6}}}"));
	for (size_t i = 0; i < x->files.n; i++)
		if (str_eq(x->entries[i].path, "flavors/gpu.yaml"))
			x->entries[i].id = other;
	assert_int_equal(need(x, r, T, NULL, ENV("{flavor: gpu}")).required, 2);
	fixture_free(x);
}

/* -- voices ------------------------------------------------------------------------------------------------------------ */

static struct approval_said
said_of(struct fixture *x, const char *voices, const char *authors)
{
	struct approval_said s = { 0 };
	const char **list[2];

	for (size_t k = 0; k < 2; k++) {
		const char *text = k ? authors : voices;
		size_t n = 0;

		list[k] = arena_array(x->mem, 16, sizeof(char *));
		while (*text) {
			size_t len = strcspn(text, " ");
			const char *word = arena_strndup(x->mem, text, len);

			if (k && str_eq(word, "?"))
				s.author_unknown = true;
			else
				list[k][n++] = word;
			text += len + (text[len] == ' ');
		}
		*(k ? &s.nauthors : &s.nvoices) = n;
	}
	s.voices = list[0];
	s.authors = list[1];
	return s;
}

static const struct {
	const char *label, *admins, *path, *old, *new_, *voices, *authors; /* authors: ? is nobody known */
	const char *missing;                                           /* NULL: enough */
} votes[] = {
#define TWO "admins: [carol, dana]"
#define NEWENV T, NULL, ENV("{flavor: cpu}")
#define PAUSE T, ENV("{flavor: cpu}"), ENV("{flavor: cpu, lifecycle: {paused: true}}")
#define OTHER "flavors/cpu.yaml", "a", "b"
	{ "nobody", TWO, NEWENV, "", "alice", "1 more of carol, dana, erin; alice is its owner" },
	{ "an admin", TWO, NEWENV, "carol", "alice", NULL },
	{ "an admin of the team", TWO, NEWENV, "erin", "alice", NULL },
	{ "an admin of another team", TWO, NEWENV, "bo", "alice", "1 more of carol, dana, erin; alice is its owner" },
	{ "somebody", TWO, NEWENV, "pav", "alice", "1 more of carol, dana, erin; alice is its owner" },
	{ "the owner", TWO, NEWENV, "alice", "alice", "1 more of carol, dana, erin; alice is its owner" },
	{ "an admin who wrote it", TWO, NEWENV, "carol", "carol", "1 more of dana, erin; alice is its owner; carol wrote it" },
	{ "an admin who wrote a part of it", TWO, NEWENV, "carol", "alice carol", "1 more of dana, erin; alice is its owner; carol wrote it" },
	{ "one of somebody nobody knows", TWO, NEWENV, "carol", "?",
	  "1 more of dana, erin; alice is its owner; an author is nobody of users/, which takes one more" },
	{ "nobody yet, of somebody nobody knows", TWO, NEWENV, "", "?",
	  "2 more of carol, dana, erin; alice is its owner; an author is nobody of users/, which takes one more" },
	{ "two then", TWO, NEWENV, "carol dana", "?", NULL },
	{ "the same person twice", TWO, NEWENV, "carol carol", "?",
	  "1 more of dana, erin; alice is its owner; an author is nobody of users/, which takes one more" },
	{ "an admin's own", TWO, "envs/carol/t.yaml", NULL, ENV("{flavor: cpu}"), "carol", "carol", "1 more of dana; carol is its owner" },
	{ "an admin's own, written by another", TWO, "envs/carol/t.yaml", NULL, ENV("{flavor: cpu}"), "carol", "bo", "1 more of dana; carol is its owner" },
	{ "an admin's own, by the other", TWO, "envs/carol/t.yaml", NULL, ENV("{flavor: cpu}"), "dana", "carol", NULL },
	{ "into the other admin's folder", TWO, "envs/carol/t.yaml", NULL, ENV("{flavor: cpu}"), "dana carol", "dana",
	  "1 more, but nobody else may; carol is its owner; dana wrote it" },
	{ "one approval of two", TWO ", required: 2", NEWENV, "carol", "alice", "1 more of dana, erin; alice is its owner" },
	{ "none is asked for", TWO ", required: 0", NEWENV, "", "alice", "1 more of carol, dana, erin; alice is its owner" },
	{ "a rule asks for more", TWO RULES, T, NULL, ENV("{flavor: gpu, resources: {gpu: 8}}"), "erin", "alice",
	  "1 more of carol, dana; alice is its owner; asks for 8 GPUs (berth.yaml:3)" },
	{ "more than there are", TWO RULES, T, NULL, ENV("{flavor: huge}"), "", "alice",
	  "4 more, but only carol, dana may; alice is its owner; "
	  "how large it is cannot be told: it has errors, or refers to what is not approved yet (berth.yaml:4)" },
	{ "the owner pauses", TWO, PAUSE, "alice", "alice", NULL },
	{ "the owner pauses what nobody known wrote", TWO, PAUSE, "alice", "?", NULL },
	{ "an admin pauses it", TWO, PAUSE, "carol", "alice", NULL },
	{ "another pauses it", TWO, PAUSE, "bo", "bo", "alice, or 1 more of carol, dana, erin" },
	{ "an admin pauses it alone", TWO, PAUSE, "carol", "carol", "alice, or 1 more of dana, erin; carol wrote it" },
	{ "the owner deletes it", TWO, T, ENV("{flavor: cpu}"), NULL, "alice", "alice", NULL },
	{ "shared, one", TWO, OTHER, "carol", "bo", "1 more of dana; flavors/cpu.yaml takes 2" },
	{ "shared, two", TWO, OTHER, "carol dana", "bo", NULL },
	{ "shared, an admin of a team", TWO, OTHER, "carol erin", "bo", "1 more of dana; flavors/cpu.yaml takes 2" },
	{ "shared, one of two admins wrote it", TWO, OTHER, "carol", "carol", "1 more of dana; flavors/cpu.yaml takes 2" },
	{ "shared, the other one alone", TWO, OTHER, "dana", "carol", "1 more of carol; flavors/cpu.yaml takes 2" },
	{ "shared, both, one wrote it", TWO, OTHER, "dana carol", "carol", NULL },
	{ "shared, both, nobody known wrote it", TWO, OTHER, "dana carol", "?", NULL },
	{ "shared, three admins, one wrote it", "admins: [carol, dana, erin]", OTHER, "carol dana", "carol",
	  "1 more of erin; carol wrote it; flavors/cpu.yaml takes 2" },
	{ "shared, three admins, the others", "admins: [carol, dana, erin]", OTHER, "erin dana", "carol", NULL },
	{ "shared, three admins, nobody known wrote it", "admins: [carol, dana, erin]", OTHER, "erin dana", "?",
	  "1 more of carol; an author is nobody of users/, which takes one more; flavors/cpu.yaml takes 2" },
	{ "shared, three admins, all", "admins: [carol, dana, erin]", OTHER, "erin dana carol", "?", NULL },
	{ "shared, names of admins as authors lower nothing", "admins: [carol, dana, erin]", OTHER, "erin", "carol dana bo",
	  "1 more of carol, dana; flavors/cpu.yaml takes 2" },
	{ "shared, too few did not write it, whoever else did", "admins: [carol, dana, erin]", OTHER, "erin carol", "carol dana ?", NULL },
	{ "an only admin and the team's, both", "admins: [carol]", NEWENV, "carol erin", "?", NULL },
	{ "an only admin", "admins: [carol]", OTHER, "carol", "bo", NULL },
	{ "an only admin who wrote it", "admins: [carol]", OTHER, "carol", "carol", NULL },
	{ "an only admin, nobody known wrote it", "admins: [carol]", OTHER, "carol", "?", NULL },
	{ "an only admin who said nothing", "admins: [carol]", OTHER, "bo", "carol", "1 more of carol; flavors/cpu.yaml takes 1" },
	{ "an only admin's own", "admins: [carol]", "envs/carol/t.yaml", NULL, ENV("{flavor: cpu}"), "carol", "carol", NULL },
	{ "an only admin and the team's, who may have written it", "admins: [carol]", NEWENV, "erin", "?",
	  "1 more of carol; alice is its owner; an author is nobody of users/, which takes one more" },
	{ "an only admin, where a team has one too", "admins: [carol]", NEWENV, "carol", "?", NULL },
	{ "an admin without a file in users/", "admins: [carol, zoe]", OTHER, "carol zoe", "bo", NULL },
	{ "a user whose file is broken", "admins: [carol, pav]", OTHER, "carol", "bo", "1 more of pav; flavors/cpu.yaml takes 2" },
	{ "no admin", "required: 1", OTHER, "carol dana", "bo", "2 more, but nobody else may; flavors/cpu.yaml takes 2" },
};

static void
who_is_enough(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(votes) / sizeof(*votes); i++) {
		struct arena *AUTO_ARENA mem = arena_new(65536);
		struct fixture *x = site_with(arena_printf(mem, ORG("%s", ""), votes[i].admins));
		const struct approval_rules *r = load(x);
		struct approval_part p = need(x, r, votes[i].path, votes[i].old, votes[i].new_);
		const struct approval_said said = said_of(x, votes[i].voices, votes[i].authors);
		const char *missing = "";
		unsigned lacks = 99;
		bool enough = approval_enough(r, x->mem, &p, 1, &said, &missing, &lacks);

		if (enough != !votes[i].missing || (lacks == 0) != enough || !str_eq(missing, votes[i].missing))
			fail_msg("%s: %u: %s", votes[i].label, lacks, missing ? missing : "enough");
		fixture_free(x);
	}
}

static void
every_part_must_be_content(void **state)
{
	struct fixture *x = site_with(ORG(TWO, ""));
	const struct approval_rules *r = load(x);
	const struct approval_part parts[] = { need(x, r, NEWENV), need(x, r, "envs/bo/t.yaml", ENV("{flavor: cpu}"), NULL), need(x, r, OTHER) };
	struct approval_said said = said_of(x, "carol", "alice");
	const char *missing;
	unsigned lacks;

	(void)state;
	assert_true(approval_enough(r, x->mem, parts, 2, &said, &missing, &lacks));
	assert_null(missing);
	assert_false(approval_enough(r, x->mem, parts, 3, &said, &missing, &lacks));
	assert_int_equal(lacks, 1);
	assert_string_equal(missing, "1 more of dana; flavors/cpu.yaml takes 2");
	/* the one that lacks most is named */
	said = said_of(x, "", "alice");
	assert_false(approval_enough(r, x->mem, parts, 3, &said, &missing, &lacks));
	assert_int_equal(lacks, 2);
	assert_string_equal(missing, "2 more of carol, dana; flavors/cpu.yaml takes 2");
	/* a folder handed to somebody else: giving is the giver's, taking needs somebody who is neither */
	said = said_of(x, "bo alice", "bo");
	assert_true(approval_enough(r, x->mem, parts + 1, 1, &said, &missing, &lacks));
	assert_false(approval_enough(r, x->mem, parts, 2, &said, &missing, &lacks));
	/* nothing is no change */
	said = said_of(x, "carol dana", "alice");
	assert_false(approval_enough(r, x->mem, parts, 0, &said, &missing, &lacks));
	assert_int_equal(lacks, 1);
	fixture_free(x);
}

/* -- people and rules ----------------------------------------------------------------------------------------------------- */

static void
who_is_meant(void **state)
{
	struct fixture *x = site_with(ORG("admins: [carol, dana]", ""));
	const struct approval_rules *r = load(x);

	(void)state;
	assert_string_equal(approval_person(r, "alice"), "alice");
	assert_string_equal(approval_person(r, "alice@example.org"), "alice");
	assert_string_equal(approval_person(r, "ALICE@example.ORG"), "alice");
	assert_string_equal(approval_person(r, "pav"), "pav");
	assert_null(approval_person(r, "twins@example.org"));
	assert_null(approval_person(r, "zoe"));
	assert_null(approval_person(r, "zoe@example.org"));
	assert_null(approval_person(r, ""));
	assert_null(approval_person(r, "*"));
	assert_null(approval_person(r, arena_printf(x->mem, "%0400d@example.org", 1)));
	assert_true(approval_is_admin(r, "carol"));
	assert_false(approval_is_admin(r, "erin"));
	assert_int_equal(approval_admins(r), 2);
	assert_int_equal(approval_mode(r), APPROVAL_SIGNED);
	fixture_free(x);
}

/* What cannot be read to the end must not ask for less than it says. */
static void
rules_that_cannot_be_read(void **state)
{
	static const char *const bad[] = {
		"{", DOC("Organization", "{}"), DOC("Organization", "[]"), DOC("Organization", "{approvals: signed}"),
		DOC("Organization", "{approvals: {}}"), DOC("Organization", "{approvals: {mode: sign}}"), DOC("User", "{approvals: {mode: none}}"),
		ORG("admins: carol", ""), ORG("admins: {}", ""), ORG("admins: [carol, 5]", ""), ORG("admins: [carol, Carol]", ""), ORG("required: -1", ""),
		ORG("required: two", ""), ORG("required: 101", ""), ORG("rules: {}", ""), ORG("rules: [{}]", ""),
		ORG("rules: [{when: {gpu: \">4\"}}]", ""), ORG("rules: [{when: {}, required: 2}]", ""),
		ORG("rules: [{when: {gpus: \">4\"}, required: 2}]", ""), ORG("rules: [{when: {gpu: \"4\"}, required: 2}]", ""),
		ORG("rules: [{when: {gpu: \">x\"}, required: 2}]", ""), ORG("rules: [{when: {gpu: \">4\"}, required: 2, unless: {}}]", ""),
		ORG("rule: []", ""), ORG("required: 1", ", guards: {minApprovers: many}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct fixture *x = site_with(bad[i]);
		struct approval_rules *r = NULL;
		struct err e = { 0 };

		if (approval_rules_load(x->mem, &x->files, &r, &e) != ERR_INVALID || !strstr(e.text, "berth.yaml"))
			fail_msg("%s: %d %s", bad[i], e.code, e.text);
		fixture_free(x);
	}
}

static bool
has_key(void *ctx, const char *user)
{
	return strstr(ctx, user) != NULL;
}

static void
who_is_left(void **state)
{
	static const struct {
		const char *org, *keys;
		int rc;
	} rows[] = {
		{ ORG("admins: [carol, dana]", ""), "carol dana", 0 },
		{ ORG("admins: [carol, dana]", ""), "carol alice", ERR_DENIED },
		{ ORG("admins: [carol, dana, erin]", ""), "carol erin", 0 },
		{ ORG("admins: [carol, dana, erin]", ", guards: {minApprovers: 3}"), "carol erin", ERR_DENIED },
		{ ORG("admins: [carol]", ""), "carol", 0 },
		{ ORG("admins: [carol]", ""), "", ERR_DENIED },
		{ ORG("admins: [carol, zoe]", ""), "carol zoe", 0 },
		{ ORG("admins: [carol]", ", guards: {minApprovers: 2}"), "carol", ERR_DENIED },
		{ ORG("required: 1", ", guards: {minApprovers: 0}"), "carol", ERR_DENIED },
		{ DOC("Organization", "{approvals: {mode: none}}"), "", 0 },
		{ DOC("Organization", "{approvals: {mode: forge, admins: [carol, dana]}}"), "", 0 },
		{ DOC("Organization", "{approvals: {mode: forge, admins: [carol]}}"), "", 0 },
		{ DOC("Organization", "{approvals: {mode: forge, admins: [carol, dana]}, guards: {minApprovers: 3}}"), "carol dana", ERR_DENIED },
		{ DOC("Organization", "{approvals: {mode: forge, admins: [zoe]}}"), "zoe", ERR_DENIED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = site_with(rows[i].org);
		char keys[64];
		struct err e = { 0 };

		(void)snprintf(keys, sizeof(keys), "%s", rows[i].keys);
		if (approval_enough_left(load(x), has_key, keys, &e) != rows[i].rc || (rows[i].rc && !e.hint[0]))
			fail_msg("row %zu: %s", i, e.text);
		fixture_free(x);
	}
}

/* -- keys --------------------------------------------------------------------------------------------------------------- */

/* Made for this test; nobody has the other halves. */
#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMrSMzgVeiGpL404IsNF56qcEG6BkaOJYf3O/2OL40cB"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPQU7sA5xc2oEy4lBbX5dkwnlSxwecYShaHtlrVB3Hpw"
#define KEY_C "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPnKpdMbIWH0k2qbJhTpY3SqKa3Gt9nODHp0HeZ9rHQ8"
#define KEY_D "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBbNDJtFoOBeRNh7kRzXbFBFWvfSPQTNDQ6YE8dpusv7"
#define FOR "namespaces=\"git,approval@berth\" "

static const struct {
	const char *label, *signers, *revoked;
	const char *have; /* of carol, dana and erin */
} keyrings[] = {
	{ "one line each", "carol " FOR KEY_A "\ndana " FOR KEY_B "\n", NULL, "carol dana" },
	{ "by mail, however it is written", "Carol@Example.org " FOR KEY_A "\n", NULL, "carol" },
	{ "a mail of two", "twins@example.org " FOR KEY_A "\n", NULL, "" },
	{ "nobody", "zoe " FOR KEY_A "\n", NULL, "" },
	{ "a pattern is no person", "*@example.org " FOR KEY_A "\n", NULL, "" },
	{ "a pattern of a CA is", "*@example.org cert-authority," FOR KEY_A "\n", NULL, "carol dana erin" },
	{ "a CA of names", "carol,erin cert-authority," FOR KEY_A "\n", NULL, "carol erin" },
	{ "commits alone", "carol namespaces=\"git\" " KEY_A "\n", NULL, "carol" },
	{ "approvals alone", "carol namespaces=\"approval@berth\" " KEY_A "\n", NULL, "carol" },
	{ "for everything", "carol " KEY_A "\n", NULL, "carol" },
	{ "for something else", "carol namespaces=\"file\" " KEY_A "\n", NULL, "" },
	{ "a key to log in with", "carol " FOR KEY_D "\ndana " FOR KEY_B "\n", NULL, "dana" },
	{ "revoked", "carol " FOR KEY_A "\ndana " FOR KEY_B "\n", KEY_A "\n", "dana" },
	{ "a list that cannot be read", "carol " FOR KEY_A "\ndana " FOR KEY_B "\n", "x\n", "" },
	{ "one of two is revoked", "carol " FOR KEY_A "\ncarol " FOR KEY_C "\n", KEY_A "\n", "carol" },
};

static void
who_has_a_key(void **state)
{
	static const char *const users[] = { "carol", "dana", "erin" };

	(void)state;
	for (size_t i = 0; i < sizeof(keyrings) / sizeof(*keyrings); i++) {
		struct fixture *x = site_with(ORG("admins: [carol, dana, erin]", ""));
		struct approval_keys keys;
		struct err e = { 0 };
		const char *have = "";
		const struct approval_rules *r;

		fixture_add(x, "users/bo.yaml", DOC("User", "{sshKeys: [\"" KEY_D " bo at home\"]}"));
		fixture_add(x, "approvers/allowed_signers", keyrings[i].signers);
		if (keyrings[i].revoked)
			fixture_add(x, "approvers/revoked_keys", keyrings[i].revoked);
		r = load(x);
		assert_int_equal(approval_keys_load(x->mem, &x->files, &keys, &e), 0);
		assert_true(keys.there);
		for (size_t k = 0; k < 3; k++)
			if (approval_keys_of(&keys, r, users[k]))
				have = arena_printf(x->mem, "%s%s%s", have, *have ? " " : "", users[k]);
		if (!str_eq(have, keyrings[i].have))
			fail_msg("%s: '%s'", keyrings[i].label, have);
		assert_false(approval_keys_of(&keys, r, "zoe"));
		fixture_free(x);
	}
}

/* Nobody knows what a link hides. */
static void
a_linked_list_revokes_all(void **state)
{
	struct fixture *x = site_with(ORG("admins: [carol, dana]", ""));
	struct approval_keys keys;
	struct err e = { 0 };

	(void)state;
	fixture_add(x, "approvers/allowed_signers", "carol " FOR KEY_A "\n");
	fixture_put(x, "approvers/revoked_keys", FILE_SYMLINK, "", 0);
	assert_int_equal(approval_keys_load(x->mem, &x->files, &keys, &e), 0);
	assert_non_null(keys.unreadable);
	assert_false(approval_keys_of(&keys, load(x), "carol"));
	fixture_put(x, "approvers/allowed_signers", FILE_SYMLINK, "", 0);
	assert_int_equal(approval_keys_load(x->mem, &x->files, &keys, &e), ERR_INVALID);
	fixture_free(x);
}

static void
a_login_key_is_known(void **state)
{
	struct fixture *x = site_with(ORG("admins: [carol, dana]", ""));
	const struct approval_rules *r;
	struct ssh_key k;
	struct err e = { 0 };

	(void)state;
	fixture_add(x, "users/bo.yaml", DOC("User", "{sshKeys: [rubbish, \"" KEY_D "\", \"" KEY_C " old\"]}"));
	r = load(x);
	assert_int_equal(ssh_key_line(x->mem, KEY_C, strlen(KEY_C), &k, &e), 0);
	assert_string_equal(approval_login_of(r, &k), "bo");
	assert_int_equal(ssh_key_line(x->mem, KEY_D, strlen(KEY_D), &k, &e), 0);
	assert_string_equal(approval_login_of(r, &k), "bo");
	assert_int_equal(ssh_key_line(x->mem, KEY_A, strlen(KEY_A), &k, &e), 0);
	assert_null(approval_login_of(r, &k));
	fixture_free(x);
}

static void
what_doctor_is_told(void **state)
{
	static const struct {
		const char *org, *signers;
		struct approval_state want;
	} rows[] = {
		{ ORG("admins: [carol, dana]", ""), "carol " FOR KEY_A "\ndana " FOR KEY_B "\n", { APPROVAL_SIGNED, 2, 2, 2, NULL, NULL } },
		{ ORG("admins: [carol, dana, erin]", ""), "carol " FOR KEY_A "\n", { APPROVAL_SIGNED, 3, 1, 2, "dana, erin", NULL } },
		{ ORG("admins: [carol, zoe]", ""), "carol " FOR KEY_A "\n", { APPROVAL_SIGNED, 1, 1, 1, NULL, "carol" } },
		{ ORG("admins: [carol, dana]", ", guards: {minApprovers: 3}"), NULL, { APPROVAL_SIGNED, 2, 0, 3, "carol, dana", NULL } },
		{ DOC("Organization", "{approvals: {mode: none}}"), NULL, { APPROVAL_NONE, 0, 0, 2, NULL, NULL } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = site_with(rows[i].org);
		const struct approval_state *want = &rows[i].want;
		struct approval_state s;
		struct err e = { 0 };

		if (rows[i].signers)
			fixture_add(x, "approvers/allowed_signers", rows[i].signers);
		assert_int_equal(approval_look(x->mem, &x->files, &s, &e), 0);
		if (s.mode != want->mode || s.admins != want->admins || s.keyed != want->keyed || s.needed != want->needed ||
		    !str_eq(s.without, want->without) || !str_eq(s.only, want->only))
			fail_msg("row %zu: %zu admins, %zu with a key of %u, without %s", i, s.admins, s.keyed, s.needed, s.without ? s.without : "-");
		fixture_free(x);
	}
}

/* -- berth.yaml alone ----------------------------------------------------------------------------------------------------- */

static void
modes(void **state)
{
	static const struct {
		const char *org, *want;
	} rows[] = {
		{ DOC("Organization", "{approvals: {mode: none}}"), "" },
		{ DOC("Organization", "{approvals: {mode: signed}}"), "" },
		{ DOC("Organization", "{approvals: {mode: forge}}"), "" },
		{ DOC("Organization", "{approvals: {mode: quorum}}"), "berth.yaml:3:26: error[E402]: spec.approvals.mode `quorum` cannot be proved" },
		{ DOC("Organization", "{}"), "berth.yaml:3:7: error[E203]: spec.approvals.mode is not set" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture *x = fixture_new();
		const char *got;

		fixture_add(x, "berth.yaml", rows[i].org);
		fixture_parse(x, NULL);
		validate_org(x->docs[0], &x->report);
		got = fixture_lines(x);
		if (!str_starts(got, rows[i].want) || (*got != '\0') != (*rows[i].want != '\0') || x->docs[0]->ok != !*got)
			fail_msg("row %zu: %s", i, got);
		fixture_free(x);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_file_needs),
		cmocka_unit_test(what_an_owner_decides),
		cmocka_unit_test(without_limits_life_is_longer),
		cmocka_unit_test(the_highest_number_wins),
		cmocka_unit_test(the_tree_moves),
		cmocka_unit_test(who_is_enough),
		cmocka_unit_test(every_part_must_be_content),
		cmocka_unit_test(who_is_meant),
		cmocka_unit_test(rules_that_cannot_be_read),
		cmocka_unit_test(who_is_left),
		cmocka_unit_test(who_has_a_key),
		cmocka_unit_test(a_linked_list_revokes_all),
		cmocka_unit_test(a_login_key_is_known),
		cmocka_unit_test(what_doctor_is_told),
		cmocka_unit_test(modes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
