/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, events and answers in an order that no peer can be made to keep: what is said is never said from half of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apply/kube_priv.h"
#include "apply/target_kube.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "lib/kube/priv.h"
#include "with_arena.h"

#define UID "11111111-2222-3333-4444-555555555555"
#define UID2 "11111111-2222-3333-4444-666666666666"
#define OURS "\"labels\":{\"" LABEL_PART_OF "\":\"applyset-x-v1\"},\"annotations\":{\"" NOTE_UNIT "\":\"envs/alice/train\"}," \
	"\"managedFields\":[{\"manager\":\"berth\",\"operation\":\"Apply\",\"fieldsV1\":{\"f:spec\":{}}}]"
#define SET(uid, rv, generation, more) "{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"metadata\":{\"name\":\"train\",\"namespace\":\"dev-alice\"," \
	"\"uid\":\"" uid "\",\"resourceVersion\":\"" rv "\",\"generation\":" generation "," OURS more "},\"spec\":{\"replicas\":1}," \
	"\"status\":{\"observedGeneration\":" generation ",\"replicas\":1,\"readyReplicas\":1,\"updatedReplicas\":1}}"
#define POD(uid, more) "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"train-0\",\"namespace\":\"dev-alice\",\"uid\":\"" uid "\"," \
	"\"labels\":{\"berth.dev/owner\":\"alice\",\"berth.dev/env\":\"train\"}}," more "}"
#define SICK "\"status\":{\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\"}}}]}"

static struct kube_kind set_kind = { .group = "apps", .version = "v1", .kind = "StatefulSet", .plural = "statefulsets", .namespaced = true };
static struct kube_kind ns_kind = { .group = "", .version = "v1", .kind = "Namespace", .plural = "namespaces" };
static struct kube_kind pod_kind = { .group = "", .version = "v1", .kind = "Pod", .plural = "pods", .namespaced = true };
static struct kube_kind event_kind = { .group = "", .version = "v1", .kind = "Event", .plural = "events", .namespaced = true };

/* -- watches that say what the test says ------------------------------------------------------------------------------------------------ */

struct kube_watch {
	struct kube_watch_config c;
	struct kube_watch *next;
	uint64_t version;
};

struct kube_watch *
kube_watch_start(struct kube *k, const struct kube_watch_config *c)
{
	struct kube_watch *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->c = *c;
	w->next = k->watches;
	k->watches = w;
	return w;
}

void
kube_watch_stop(struct kube_watch *w)
{
	free(w);
}

bool
kube_watch_synced(const struct kube_watch *w)
{
	return w->version > 0;
}

uint64_t
kube_watch_version(const struct kube_watch *w)
{
	return w->version;
}

int64_t
watches_turn(struct kube *k, int64_t ms)
{
	(void)k;
	return ms;
}

static void
free_watches(struct kube *k)
{
	for (struct kube_watch *w = k->watches, *next; w; w = next) {
		next = w->next;
		free(w);
	}
	k->watches = NULL;
}

static void
list_begins(const struct kube_watch *w)
{
	w->c.on_begin(w->c.ctx);
}

static void
list_ends(struct kube_watch *w, uint64_t version)
{
	w->version = version;
	w->c.on_synced(w->c.ctx);
}

/* -- a cluster --------------------------------------------------------------------------------------------------------------------------- */

struct fixture {
	struct target_kube t;
	struct kube_config c;
	struct kube_watch *sets;
	struct kunit *env;
	struct kobj *set;
};

static const struct value *
parse(const char *text)
{
	struct value *v;

	assert_int_equal(json_read(mem, text, strlen(text), &v, NULL), 0);
	return v;
}

static void
tell(const struct kube_watch *w, enum kube_event what, const char *object)
{
	w->c.on_event(w->c.ctx, what, parse(object));
}

static struct kube_answer
answer(int code, long status, const char *body)
{
	return (struct kube_answer){ .code = code, .status = status, .body = body, .len = strlen(body), .reason = "", .message = "", .retry_after_ms = -1 };
}

/* A cluster that was listed: alice's namespace, and her set as berth made it, version 10. */
static void
begin(struct fixture *f)
{
	struct kube_kind *kinds[] = { &set_kind, &ns_kind, &pod_kind, &event_kind };

	*f = (struct fixture){ .c = { .server = "https://127.0.0.1:1", .namespace_ = "default" } };
	f->t.mem = arena_new((size_t)16 << 20);
	f->t.scratch = arena_new((size_t)16 << 20);
	f->t.kube = kube_new(&f->c, NULL, NULL);
	f->t.kube->kinds = malloc(sizeof(kinds));
	assert_non_null(f->t.kube->kinds);
	memcpy(f->t.kube->kinds, kinds, sizeof(kinds));
	f->t.kube->nkinds = 4;
	(void)snprintf(f->t.id, sizeof(f->t.id), "applyset-x-v1");
	kobj_make(&f->t, "/Namespace//dev-alice", &ns_kind, unit_make(&f->t, "users/alice"))->live = true;
	f->sets = kind_follow(&f->t, &set_kind)->watch;
	list_begins(f->sets);
	tell(f->sets, KUBE_ADDED, SET(UID, "10", "1", ""));
	list_ends(f->sets, 12);
	f->env = unit_get(&f->t, "envs/alice/train");
	assert_non_null(f->env);
	f->set = kobj_get(&f->t, "apps/StatefulSet/dev-alice/train");
	assert_non_null(f->set);
	f->set->wanted = f->set->sure = true;
	f->env->wanted = true;
}

static void
end(struct fixture *f)
{
	while (f->t.ops)
		op_end(f->t.ops);
	free_watches(f->t.kube);
	kube_free(f->t.kube);
	store_free(&f->t);
	arena_free(f->t.scratch);
	arena_free(f->t.mem);
}

static struct unit_state
state_of(struct fixture *f)
{
	struct unit_state s;

	unit_state(&f->t, f->env, mem, &s);
	return s;
}

/* The answer to an apply of ours, with a new generation. */
static void
applied(struct fixture *f, const char *object)
{
	struct kube_answer a = answer(0, 200, object);

	f->set->op->step = STEP_APPLY;
	f->set->op->flying = false;
	step_answer(f->set->op, &a);
}

/* -- pods -------------------------------------------------------------------------------------------------------------------------- */

static void
test_pods_listed_anew(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	pods_follow(&f.t);
	list_begins(f.t.pod_watch);
	tell(f.t.pod_watch, KUBE_ADDED, POD(UID, SICK));
	list_ends(f.t.pod_watch, 12);
	assert_string_equal(state_of(&f).ready_reason, "ImagePull");
	/* the stream was cut and is too old: until the list is in, what was known counts */
	list_begins(f.t.pod_watch);
	assert_string_equal(state_of(&f).ready_reason, "ImagePull");
	list_begins(f.t.pod_watch);
	tell(f.t.pod_watch, KUBE_ADDED, POD(UID, SICK));
	list_ends(f.t.pod_watch, 12);
	assert_string_equal(state_of(&f).ready_reason, "ImagePull");
	list_begins(f.t.pod_watch);
	list_ends(f.t.pod_watch, 12);
	assert_null(f.env->pods);
	assert_string_equal(state_of(&f).ready_reason, "Ready");
	end(&f);
}

/* An environment that goes has gone when its pods have, and not when somebody asks for them. */
static void
test_pods_of_what_goes(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	pods_follow(&f.t);
	list_begins(f.t.pod_watch);
	tell(f.t.pod_watch, KUBE_ADDED, POD(UID, SICK));
	list_ends(f.t.pod_watch, 12);
	f.env->dropped = true;
	f.set->wanted = false;
	judge_gone(&f.t, f.set);
	f.set = NULL;
	list_begins(f.t.pod_watch);
	assert_false(unit_empty(f.env));
	assert_int_equal(state_of(&f).there, true);
	list_ends(f.t.pod_watch, 12);
	assert_true(unit_empty(f.env));
	end(&f);
}

#define MOUNT(uid) "{\"kind\":\"Event\",\"metadata\":{\"creationTimestamp\":\"2999-01-01T00:00:00Z\"},\"reason\":\"FailedMount\",\"type\":\"Warning\"," \
	"\"message\":\"MountVolume.SetUp failed for volume k : configmap keys not found\",\"involvedObject\":{\"kind\":\"Pod\",\"namespace\":\"dev-alice\"," \
	"\"name\":\"train-0\",\"uid\":\"" uid "\"}}"
#define STARTING "\"spec\":{\"nodeName\":\"n\"},\"status\":{\"phase\":\"Pending\"}"

/* What happened to a pod is asked for when the pods are known, and says nothing of a namesake. */
static void
test_events_after_pods(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	pods_follow(&f.t);
	assert_null(f.t.event_watches[0]);
	list_begins(f.t.pod_watch);
	tell(f.t.pod_watch, KUBE_ADDED, POD(UID, STARTING));
	list_ends(f.t.pod_watch, 12);
	for (size_t i = 0; i < 3; i++)
		assert_non_null(f.t.event_watches[i]);
	tell(f.t.event_watches[1], KUBE_ADDED, MOUNT(UID2));
	assert_string_equal(f.env->pods->reason, "Starting");
	tell(f.t.event_watches[1], KUBE_ADDED, MOUNT(UID));
	assert_string_equal(f.env->pods->reason, "MissingObject");
	list_begins(f.t.pod_watch);
	list_ends(f.t.pod_watch, 12);
	assert_int_equal(f.t.pods.live, 0);
	end(&f);
}

/* -- a server that was away -------------------------------------------------------------------------------------------------------------- */

static struct target *
target(void)
{
	static const char config[] = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster:\n    server: http://127.0.0.1:1\n"
		"users:\n- name: u\n  user: {token: abcdefgh}\ncontexts:\n- name: c\n  context: {cluster: c, user: u}\n";
	char path[] = "/tmp/berth-kube-see-XXXXXX";
	struct target_kube_options o = { .cluster.kubeconfig = path };
	struct err e = { 0 };
	struct target *out;
	int fd = mkstemp(path);

	assert_true(fd >= 0 && write(fd, config, strlen(config)) == (ssize_t)strlen(config));
	assert_int_equal(target_kube_new(&o, &out, &e), 0);
	(void)close(fd);
	(void)unlink(path);
	return out;
}

/* When all that was under way has been given up, somebody must ask again, or nobody would see that the server is back. */
static void
test_asks_again(void **state)
{
	struct target *base = target();
	struct target_kube *t = (struct target_kube *)(void *)base;
	struct object objects[] = {
		{ .api_version = "apps/v1", .kind = "StatefulSet", .name = "a", .namespace_ = "dev-alice", .value = parse("{\"metadata\":{\"name\":\"a\"}}") },
		{ .api_version = "apps/v1", .kind = "StatefulSet", .name = "b", .namespace_ = "dev-alice", .value = parse("{\"metadata\":{\"name\":\"b\"}}") },
	};
	struct bundle b = { .unit = "envs/alice/train", .objects = objects, .n = 1 }, c = { .unit = "envs/bo/lab", .objects = objects + 1, .n = 1 };
	struct err e = { 0 };

	(void)state;
	(void)map_put(&t->kube->by_name, "apps/v1 StatefulSet", &set_kind);
	t->kube->discovered = t->in_pass = true;
	t->lost = LOST_MANY;
	for (int again = 0; again < 2; again++) { /* one asks for all */
		assert_int_equal(base->ops->put(base, &b, false, &e), 0);
		assert_int_equal(base->ops->put(base, &c, false, &e), 0);
		assert_int_equal(t->nops, 1);
		assert_false(unit_get(t, b.unit)->dirty);
		assert_true(unit_get(t, c.unit)->dirty);
	}
	t->lost = 0;
	assert_int_equal(base->ops->put(base, &c, false, &e), 0);
	assert_int_equal(t->nops, 2);
	free_watches(t->kube);
	base->ops->close(base);
}

/* -- objects ------------------------------------------------------------------------------------------------------------------------ */

/* A page of a list that was taken before our write is answered after it. */
static void
test_list_older_than_answer(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	list_begins(f.sets);
	(void)op_new(&f.t, f.set, OP_APPLY);
	applied(&f, SET(UID, "20", "2", ""));
	tell(f.sets, KUBE_ADDED, SET(UID, "10", "1", ""));
	list_ends(f.sets, 12);
	assert_int_equal(f.set->is.rv, 20);
	assert_true(f.set->sure);
	assert_null(f.env->drift_what);
	/* one that was taken later counts, whatever its version: a cluster may have been restored from a backup */
	list_begins(f.sets);
	tell(f.sets, KUBE_ADDED, SET(UID, "10", "1", ""));
	list_ends(f.sets, 12);
	assert_int_equal(f.set->is.rv, 10);
	assert_non_null(f.env->drift_what);
	end(&f);
}

/* Until the watch has come to our change, what it said before is of the version before. */
static void
test_ready_of_the_version_before(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_string_equal(state_of(&f).ready, "True");
	(void)op_new(&f.t, f.set, OP_APPLY);
	applied(&f, SET(UID, "20", "2", ""));
	assert_true(state_of(&f).applied);
	assert_string_equal(state_of(&f).ready, "False");
	tell(f.sets, KUBE_MODIFIED, SET(UID, "21", "2", ""));
	assert_string_equal(state_of(&f).ready, "True");
	/* the watch was faster than the answer */
	(void)op_new(&f.t, f.set, OP_APPLY);
	f.set->op->flying = true;
	tell(f.sets, KUBE_MODIFIED, SET(UID, "30", "3", ""));
	applied(&f, SET(UID, "30", "3", ""));
	assert_string_equal(state_of(&f).ready, "True");
	assert_null(f.env->drift_what);
	end(&f);
}

/* It was still there when it was read, and gone before that was answered. */
static void
test_gone_before_the_answer(void **state)
{
	static const char going[] = SET(UID, "15", "1", ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"");
	struct kube_answer a = answer(0, 200, going);
	struct fixture f;

	(void)state;
	begin(&f);
	f.set->wanted = false;
	f.env->dropped = true;
	(void)op_new(&f.t, f.set, OP_DELETE);
	f.set->op->step = STEP_LOOK;
	f.set->op->flying = true;
	tell(f.sets, KUBE_DELETED, SET(UID, "16", "1", ""));
	f.set->op->flying = false;
	step_answer(f.set->op, &a);
	assert_null(kobj_get(&f.t, "apps/StatefulSet/dev-alice/train"));
	assert_null(f.t.ops);
	end(&f);
	/* another of the same name is not gone */
	begin(&f);
	f.set->wanted = false;
	(void)op_new(&f.t, f.set, OP_DELETE);
	f.set->op->step = STEP_LOOK;
	f.set->op->flying = true;
	tell(f.sets, KUBE_DELETED, SET(UID, "14", "1", ""));
	a = answer(0, 200, SET(UID2, "15", "1", ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\""));
	f.set->op->flying = false;
	step_answer(f.set->op, &a);
	assert_non_null(f.set->op);
	assert_int_equal(f.set->op->step, STEP_GONE);
	end(&f);
}

/* What is refused may have gone meanwhile. */
static void
test_gone_before_the_refusal(void **state)
{
	struct kube_answer a = answer(ERR_INVALID, 400, "{}");
	struct fixture f;

	(void)state;
	begin(&f);
	(void)op_new(&f.t, f.set, OP_APPLY);
	f.set->op->step = STEP_APPLY;
	f.set->op->flying = true;
	tell(f.sets, KUBE_DELETED, SET(UID, "16", "1", ""));
	f.set->op->flying = false;
	step_answer(f.set->op, &a);
	assert_null(f.set->op);
	assert_non_null(f.set->error);
	assert_false(f.set->live);
	assert_string_equal(state_of(&f).ready, "False");
	assert_true(f.env->dirty && f.env->due > clock_mono_ms());
	end(&f);
}

/* What stands in main cannot be rendered since before this process began: what is there says how it is. */
static void
test_state_of_what_was_never_put(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.set->wanted = f.set->sure = f.env->wanted = false;
	assert_string_equal(state_of(&f).ready, "True");
	tell(f.sets, KUBE_MODIFIED, "{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"metadata\":{\"name\":\"train\",\"namespace\":\"dev-alice\","
	     "\"uid\":\"" UID "\",\"resourceVersion\":\"11\",\"generation\":1," OURS "},\"spec\":{\"replicas\":1},\"status\":{\"replicas\":1}}");
	assert_string_equal(state_of(&f).ready, "False");
	assert_int_equal(state_of(&f).phase, UNIT_PROVISIONING);
	tell(f.sets, KUBE_MODIFIED, "{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"metadata\":{\"name\":\"train\",\"namespace\":\"dev-alice\","
	     "\"uid\":\"" UID "\",\"resourceVersion\":\"12\",\"generation\":2," OURS "},\"spec\":{\"replicas\":0},\"status\":{\"replicas\":0}}");
	assert_int_equal(state_of(&f).phase, UNIT_PAUSED);
	end(&f);
}

/* What may have been made counts as there until somebody looked: an environment that goes is not called gone before. */
static void
test_may_be_there(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	judge_gone(&f.t, f.set);
	f.set->maybe = true;
	f.set->wanted = false;
	f.env->dropped = true;
	assert_true(state_of(&f).there);
	assert_int_equal(state_of(&f).phase, UNIT_DELETING);
	f.set->maybe = false;
	kobj_forget(&f.t, f.set);
	assert_false(state_of(&f).there);
	end(&f);
}

/* Nothing is written before the inventory is: who waits for it is told what it waits for. */
static void
test_inventory_refused(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.set->sure = false;
	assert_null(state_of(&f).applied_message);
	(void)err_set(&f.t.parent_trouble, ERR_DENIED, "inventory berth-system/berth: forbidden");
	assert_string_equal(state_of(&f).applied_reason, "Applying");
	assert_string_equal(state_of(&f).applied_message, "inventory berth-system/berth: forbidden");
	f.set->sure = true;
	assert_true(state_of(&f).applied);
	end(&f);
}

/* A server that has just come back refuses everybody; that it was away, a watch may have been the only one to notice. */
static void
test_refused_by_a_starting_server(void **state)
{
	static const struct err away = { .code = ERR_UNAVAILABLE, .text = "watch of statefulsets: connection refused" };
	struct kube_answer a = answer(ERR_DENIED, 403, "{}");
	struct fixture f;

	(void)state;
	a.message = "statefulsets.apps is forbidden: User \"berth\" cannot patch";
	for (int seen = 0; seen < 3; seen++) {
		begin(&f);
		pods_follow(&f.t);
		if (seen)
			(seen == 1 ? f.sets : f.t.pod_watch)->c.on_trouble((seen == 1 ? f.sets : f.t.pod_watch)->c.ctx, &away);
		(void)op_new(&f.t, f.set, OP_APPLY);
		f.set->op->step = STEP_APPLY;
		step_answer(f.set->op, &a);
		assert_true(seen ? f.set->op && !f.set->error : !f.set->op && str_eq(f.set->why, "Forbidden"));
		end(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pods_listed_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pods_of_what_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events_after_pods, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asks_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list_older_than_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ready_of_the_version_before, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_before_the_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_before_the_refusal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state_of_what_was_never_put, setup, teardown),
		cmocka_unit_test_setup_teardown(test_may_be_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inventory_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_by_a_starting_server, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
