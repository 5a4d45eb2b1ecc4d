/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which edits restart the pods of an environment, which make its StatefulSet anew and which do neither, with the reason. The
 * pods restart when the StatefulSet's template changes; berth's plan must say the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/str.h"
#include "plan/diff.h"
#include "render/render.h"
#include "tree.h"

#define HEAD "apiVersion: berth.dev/v1\nkind: "

/* The files that an edit can be in. */
struct site_text {
	const char *org, *flavor, *image, *user, *env, *setup, *script;
};

static const struct site_text plain = {
	.org = "  toolbox: {image: t}\n  cluster: {version: \"1.34\", features: [kueue]}\n",
	.flavor = "  resources: {requests: {cpu: 2, memory: 8Gi}, limits: {cpu: 4, memory: 16Gi, nvidia.com/gpu: 2}}\n",
	.image = "  image: some/image:1\n",
	.user = "  sshKeys: [ssh-ed25519 AAAA alice]\n",
	.env = "  image: i\n  setup: setup.sh\n",
	.setup = "echo hello\n",
};

static void
load(struct tree *t, struct arena *mem, const struct site_text *s)
{
	struct tree_text texts[] = {
		{ "berth.yaml", arena_printf(mem, HEAD "Organization\nspec:\n  approvals: {mode: none}\n%s", s->org) },
		{ "envs/alice/train.yaml", arena_printf(mem, HEAD "Environment\nspec:\n  flavor: f\n%s", s->env) },
		{ "envs/alice/setup.sh", s->setup },
		{ "flavors/f.yaml", arena_printf(mem, HEAD "Flavor\nspec:\n%s", s->flavor) },
		{ "images/i.yaml", arena_printf(mem, HEAD "Image\nspec:\n%s", s->image) },
		{ "users/alice.yaml", arena_printf(mem, HEAD "User\nspec:\n  uid: u1\n  email: alice@example.org\n%s", s->user) },
		{ "users/bo.yaml", HEAD "User\nspec: {uid: u2, email: bo@example.org, sshKeys: [ssh-ed25519 BBBB bo]}\n" },
		{ s->script ? "templates/scripts/start.sh" : NULL, s->script },
	};

	tree_load_texts(t, texts, sizeof(texts) / sizeof(*texts));
	tree_resolve(t);
}

static struct bundle *
bundle_of(struct tree *t, struct templates **ts)
{
	struct bundle *b = NULL;
	struct err e = { 0 };

	if (templates_load(&t->files, &t->report, ts, &e) < 0)
		fail_msg("%s", e.text);
	if (t->nenvs != 1)
		fail_msg("the environment does not resolve: %s", t->report.n ? t->report.items[0].message : "?");
	if (render_env(*ts, t->mem, t->envs[0], &b, &e) < 0)
		fail_msg("%s", e.text);
	return b;
}

static const struct value *
statefulset(const struct bundle *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->objects[i].kind, "StatefulSet") == 0)
			return b->objects[i].value;
	fail_msg("no StatefulSet");
	return NULL;
}

enum effect { NOTHING, CHANGES, ROLLS, RECREATES }; /* of the StatefulSet: as before, no restart, pods restart, made anew */

static const struct {
	const char *edit;
	struct site_text with; /* what is not NULL replaces */
	enum effect effect;
	const char *why;
} rows[] = {
	{ "a comment", { .env = "  image: i # as before\n  setup: setup.sh\n" }, NOTHING, "comments are no content" },
	{ "the order of fields", { .env = "  setup: setup.sh\n  image: i\n" }, NOTHING, "maps have no order" },
	{ "paused", { .env = "  image: i\n  setup: setup.sh\n  lifecycle: {paused: true}\n" }, CHANGES, "replicas stand outside the template" },
	{ "shared with somebody", { .env = "  image: i\n  setup: setup.sh\n  access: {share: [bo]}\n" }, NOTHING,
	  "keys reach running pods through a ConfigMap" },
	{ "a key of the owner", { .user = "  sshKeys: [ssh-ed25519 CCCC alice]\n" }, NOTHING, "keys reach running pods through a ConfigMap" },
	{ "the home grows", { .env = "  image: i\n  setup: setup.sh\n  persistentHomeSize: 50Gi\n" }, NOTHING, "the claim grows by itself" },
	{ "claims go with the environment", { .env = "  image: i\n  setup: setup.sh\n  lifecycle: {onDelete: purge}\n" }, NOTHING,
	  "an annotation of the claim" },
	{ "a larger limit of the user", { .user = "  sshKeys: [ssh-ed25519 AAAA alice]\n  limits: {gpu: 8}\n" }, NOTHING, "only the quota knows it" },
	{ "the price of the flavor", { .flavor = "  resources: {requests: {cpu: 2, memory: 8Gi}, limits: {cpu: 4, memory: 16Gi, nvidia.com/gpu: 2}}\n"
	                                         "  price: {perHour: 1.5}\n" }, NOTHING, "money changes no pod" },
	{ "another limit of the flavor", { .flavor = "  resources: {requests: {cpu: 2, memory: 8Gi}, limits: {cpu: 4, memory: 16Gi, nvidia.com/gpu: 2}}\n"
	                                             "  max: {gpu: 4}\n" }, NOTHING, "what may be asked for, not what is" },
	{ "the organization's approvals", { .org = "  toolbox: {image: t}\n  cluster: {version: \"1.34\", features: [kueue]}\n  guards: {maxDelete: 9}\n" },
	  NOTHING, "rules of berth itself" },
	{ "spec.render, written out", { .org = "  toolbox: {image: t}\n  cluster: {version: \"1.34\", features: [kueue]}\n  render: 1\n" }, NOTHING,
	  "1 is what its absence means" },
	{ "the queue", { .env = "  image: i\n  setup: setup.sh\n  scheduling: {queue: q}\n" }, CHANGES, "a label of the StatefulSet" },
	{ "a variable", { .env = "  image: i\n  setup: setup.sh\n  env: {A: b}\n" }, ROLLS, "a process sees its variables once" },
	{ "another flavor's GPUs", { .flavor = "  resources: {limits: {cpu: 4, memory: 16Gi, nvidia.com/gpu: 1}}\n" }, ROLLS, "devices are given at the start" },
	{ "more memory", { .env = "  image: i\n  setup: setup.sh\n  resources: {memory: 12Gi}\n" }, ROLLS, "resources of a container" },
	{ "another image", { .image = "  image: some/image:2\n" }, ROLLS, "the container" },
	{ "the script", { .setup = "echo bye\n" }, ROLLS, "it is run at the start: its digest stands in the template" },
	{ "a start script of the organization", { .script = "exec sleep 1\n" }, ROLLS, "the same" },
	{ "another login name", { .env = "  image: i\n  setup: setup.sh\n  access: {ssh: {user: carol}}\n" }, ROLLS, "passwd is made of it" },
	{ "a web tool", { .env = "  image: i\n  setup: setup.sh\n  access: {web: [jupyter]}\n" }, ROLLS, "the start script starts it" },
	{ "a port", { .env = "  image: i\n  setup: setup.sh\n  access: {ports: [6006]}\n" }, ROLLS, "a port of the container" },
	{ "a volume", { .env = "  image: i\n  setup: setup.sh\n  volumes: [{name: w, size: 1Gi, path: /w}]\n" }, ROLLS, "mounts" },
	{ "another toolbox", { .org = "  toolbox: {image: t2}\n  cluster: {version: \"1.34\", features: [kueue]}\n" }, ROLLS, "an init container" },
	{ "no SSH", { .env = "  image: i\n  setup: setup.sh\n  enableSSH: false\n" }, ROLLS, "a port, a mount, a variable" },
	{ "distributed", { .env = "  image: i\n  setup: setup.sh\n  mode: distributed\n  distributed: {worldSize: 4, nprocsPerNode: 2}\n" }, RECREATES,
	  "the claims' template is immutable: made anew" },
};

static const char *
or(const char *a, const char *b)
{
	return a ? a : b;
}

/* What the plan says of the StatefulSet. */
static enum effect
planned(struct arena *mem, const struct bundle *was, const struct bundle *is)
{
	struct unit_plan p = { 0 };

	if (!plan_unit(mem, "envs/alice/train", was, is, &p))
		return NOTHING;
	for (size_t i = 0; i < p.n; i++)
		if (strcmp(p.objects[i].id, "StatefulSet/train") == 0)
			return p.objects[i].action == ACTION_RECREATE ? RECREATES : p.objects[i].restarts ? ROLLS : CHANGES;
	return NOTHING;
}

static void
edits_restart_what_they_must(void **state)
{
	static const char *const words[] = { "is as before", "changes without a restart", "restarts its pods", "is made anew" };
	struct arena *mem = arena_new((size_t)16 << 20);
	struct templates *base_ts;
	struct bundle *was;
	struct tree base;

	(void)state;
	load(&base, mem, &plain);
	was = bundle_of(&base, &base_ts);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct site_text *w = &rows[i].with;
		struct site_text s = { or(w->org, plain.org), or(w->flavor, plain.flavor), or(w->image, plain.image), or(w->user, plain.user),
			               or(w->env, plain.env), or(w->setup, plain.setup), w->script };
		const struct value *x = statefulset(was), *y;
		struct templates *ts;
		struct bundle *is;
		struct tree t;
		enum effect got;

		load(&t, mem, &s);
		is = bundle_of(&t, &ts);
		y = statefulset(is);
		got = planned(mem, was, is);
		if (got != rows[i].effect)
			fail_msg("%s: by the plan the StatefulSet %s, it should be one that %s: %s", rows[i].edit, words[got],
			         words[rows[i].effect], rows[i].why);
		/* the same from the manifests alone */
		assert_int_equal(value_equal(x, y), got == NOTHING);
		assert_int_equal(value_equal(value_at(x, "spec.template"), value_at(y, "spec.template")), got < ROLLS);
		templates_free(ts);
		tree_free(&t);
	}
	templates_free(base_ts);
	tree_free(&base);
	arena_free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edits_restart_what_they_must),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
