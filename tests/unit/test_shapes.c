/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes of environments: distributed, high memory, root entry, storage, spot machines, shared GPUs. What each asks of its flavor and
 * cluster reaches the objects, or is refused; two engines run the same pods.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "parse/quantity.h"
#include "parse/shape.h"
#include "render/render.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"
#define FLAVOR "resources: {requests: {cpu: 8, memory: 32Gi}, limits: {cpu: 16, memory: 64Gi, nvidia.com/gpu: 1}}, max: {gpu: 8, memory: 128Gi, cpu: 32}"

/* A flavor, berth.yaml's spec and an environment's spec, checked and resolved. */
static struct fixture *
site(const char *org, const char *flavor, const char *spec, struct env **env)
{
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", arena_printf(x->mem, DOC("Organization", "{approvals: {mode: none}%s}"), org));
	fixture_add(x, "flavors/f.yaml", arena_printf(x->mem, DOC("Flavor", "{" FLAVOR "%s}"), flavor));
	fixture_add(x, "users/alice.yaml", DOC("User", "{teams: [vision], limits: {gpu: 16, cpu: 64, memory: 1Ti, storage: 9Ti}}"));
	fixture_add(x, "teams/vision.yaml", DOC("Team", "{queue: {quota: {f: {gpu: 8}}}}"));
	fixture_add(x, "images/lab.yaml", DOC("Image", "{image: company/lab:1, user: {name: lab, uid: 1200, sudo: true}}"));
	fixture_add(x, "envs/alice/t.yaml", arena_printf(x->mem, DOC("Environment", "{flavor: f%s}"), spec));
	fixture_parse(x, NULL);
	*env = NULL;
	fixture_resolve(x, env);
	return x;
}

/* -- what is refused ---------------------------------------------------------------------------------------------- */

#define DIST ", mode: distributed, distributed: "

static const struct {
	const char *org, *flavor, *spec, *want; /* want: all findings, the first without its path; "" for none */
} refused[] = {
	/* engine */
	{ "", "", DIST "{worldSize: 2, engine: jobset}",
	  "3:74: error[E403]: engine: jobset needs JobSets, which cluster.features of berth.yaml does not name "
	  "(write engine: statefulset; an administrator can install JobSet and add jobset there)\n" },
	{ ", cluster: {features: [jobset]}", "", DIST "{worldSize: 2, engine: jobset, command: [train.py]}", "" },
	{ "", "", DIST "{worldSize: 2, command: [train.py]}",
	  "3:75: error[E403]: distributed.command goes with engine: jobset only "
	  "(write engine: jobset, or take it out and start torch.sh in the environment)\n" },
	{ "", "", ", distributed: {engine: jobset, rdma: efa, topology: rack, command: [x]}", "" }, /* standalone: not read */
	/* network */
	{ "", "", DIST "{worldSize: 2, topology: rack}",
	  "3:76: error[E403]: topology: rack, but nobody has said which label of the nodes names the rack "
	  "(write topology: zone; an administrator can set cluster.rackLabel in berth.yaml)\n" },
	{ ", cluster: {rackLabel: example.com/rack}", "", DIST "{worldSize: 2, topology: rack}", "" },
	{ "", "", DIST "{worldSize: 2, rdma: efa}",
	  "3:72: error[E403]: rdma: efa, but flavor 'f' names no such device "
	  "(choose a flavor that has it; an administrator can add rdma: {resource: vpc.amazonaws.com/efa} to this one)\n" },
	{ "", ", rdma: {resource: rdma/hca}", DIST "{worldSize: 2, rdma: efa}",
	  "3:72: error[E403]: rdma: efa, but flavor 'f' names no such device "
	  "(choose a flavor that has it; an administrator can add rdma: {resource: vpc.amazonaws.com/efa} to this one)\n" },
	{ "", ", rdma: {resource: rdma/hca}", DIST "{worldSize: 2, rdma: infiniband}", "" },
	{ "", ", rdma: {resource: vpc.amazonaws.com/efa}", DIST "{worldSize: 2, rdma: infiniband}",
	  "3:72: error[E403]: rdma: infiniband, but flavor 'f' names no such device "
	  "(choose a flavor that has it; an administrator can add rdma: {resource: rdma/…} to this one)\n" },
	{ "", ", rdma: {resource: vpc.amazonaws.com/efa}", DIST "{worldSize: 2, rdma: efa}", "" },
	/* the 5120Mi of huge pages that EFA takes count */
	{ "", ", rdma: {resource: vpc.amazonaws.com/efa}", DIST "{worldSize: 2, rdma: efa}, resources: {memory: 124Gi}",
	  "3:98: error[E401]: memory with huge pages is 129Gi, flavor 'f' allows 128Gi (ask for at most 128Gi)\n" },
	{ "", "", DIST "{worldSize: 2, backend: gloo, ncclSettings: {NCCL_DEBUG: INFO, GLOO_LOG: x}}",
	  "3:108: warning[W907]: NCCL_DEBUG is not set: backend gloo does not read it (take it out, or write backend: nccl)\n" },
	/* high memory */
	{ "", "", ", resources: {numa: preferred, cpu: 1500m}",
	  "3:37: warning[W907]: numa: preferred does nothing for 1500m cpus: only whole ones are given for good "
	  "(write resources: {cpu: 2})\n" },
	{ "", "", ", resources: {memory: 96Gi, hugepages: {1Gi: 33Gi}}",
	  "3:39: error[E401]: memory with huge pages is 129Gi, flavor 'f' allows 128Gi (ask for at most 128Gi)\n" },
	{ "", "", ", resources: {memory: 96Gi, hugepages: {1Gi: 32Gi}}", "" },
	/* GPUs in shares */
	{ "", ", gpu: {sharing: mps}", ", resources: {gpu: 2}",
	  "3:36: error[E403]: 2 shares of a GPU: nodes give one, more are no larger part of it "
	  "(write gpu: 1, or gpuSharing: none for whole ones)\n" },
	{ "", ", gpu: {sharing: 'mig:1g.10gb'}", ", resources: {gpu: 2}", "" },
	{ "", ", gpu: {sharing: mps}", ", resources: {gpu: 2}, scheduling: {gpuSharing: none}", "" },
	{ "", "", ", scheduling: {gpuSharing: dra}",
	  "3:44: error[E403]: gpuSharing: dra needs claims of devices, which cluster.features of berth.yaml does not name "
	  "(write gpuSharing: none; an administrator can install the GPU driver for DRA and add dra there)\n" },
	{ ", cluster: {features: [dra]}", "", ", scheduling: {gpuSharing: dra}", "" },
	{ ", cluster: {features: [kueue]}", "", ", scheduling: {gpuSharing: mps}",
	  "3:44: error[E403]: gpuSharing is mps, but the queue of team 'vision' counts flavor 'f' with sharing none "
	  "(leave it out, or choose a flavor with gpu: {sharing: mps})\n" },
	{ ", cluster: {features: [kueue]}", ", gpu: {sharing: mps}", "", "" },
	/* spot machines */
	{ "", ", nodeGroup: {instanceTypes: [x], capacity: [on-demand]}", ", scheduling: {spot: only}",
	  "3:38: error[E403]: spot: only, but flavor 'f' buys no spot machines (write spot: allow, or choose another flavor)\n" },
	{ "", ", nodeGroup: {instanceTypes: [x]}", ", scheduling: {spot: allow}", "" },
	{ "", "", ", scheduling: {spot: only}", "" }, /* nodes that berth knows nothing of */
	/* root entry */
	{ ", cluster: {version: '1.32'}", ", rootEntry: true", ", packages: {apt: [htop]}",
	  "3:29: error[E403]: packages that need root need user namespaces, which Kubernetes 1.32 has not "
	  "(take the tools from conda or pip, or an image that has them)\n" },
	{ ", cluster: {version: '1.33'}", ", rootEntry: true", ", packages: {apt: [htop]}", "" },
	{ ", cluster: {version: '1.32'}", ", rootEntry: true", ", packages: {pip: [wandb]}", "" },
};

static void
what_cannot_work_is_said(void **state)
{
	static const char prefix[] = "envs/alice/t.yaml:";

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct env *env;
		struct fixture *x = site(refused[i].org, refused[i].flavor, refused[i].spec, &env);
		const char *got = fixture_lines(x);

		if (str_starts(got, prefix))
			got += sizeof(prefix) - 1;
		if (strcmp(got, refused[i].want) != 0)
			fail_msg("%s|%s|%s:\n%swanted:\n%s", refused[i].org, refused[i].flavor, refused[i].spec, got, refused[i].want);
		fixture_free(x);
	}
}

/* -- what reaches the objects ------------------------------------------------------------------------------------- */

static struct bundle *
render(struct fixture *x, const struct env *env)
{
	struct templates *t = NULL;
	struct bundle *b = NULL;
	struct err e = { 0 };

	if (!env)
		fail_msg("%s", fixture_lines(x));
	if (templates_load(NULL, &x->report, &t, &e) < 0 || render_env(t, x->mem, env, &b, &e) < 0)
		fail_msg("%s", e.text);
	arena_defer(x->mem, (void (*)(void *))templates_free, t);
	return b;
}

static const struct value *
object_of(const struct bundle *b, const char *file)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->objects[i].file, file) == 0)
			return b->objects[i].value;
	return NULL;
}

/* The pod's spec, whatever runs it. */
static const struct value *
pod_of(const struct bundle *b)
{
	const struct value *js = object_of(b, "jobset-t.yaml");

	if (!js)
		return value_at(object_of(b, "statefulset-t.yaml"), "spec.template.spec");
	return value_at(value_item(value_at(js, "spec.replicatedJobs"), 0), "template.spec.template.spec");
}

static const struct value *
main_of(const struct bundle *b)
{
	return value_item(value_get(pod_of(b), "containers"), 0);
}

static const struct value *
named(const struct value *list, const char *name)
{
	for (size_t i = 0; i < value_len(list); i++)
		if (str_eq(value_as_str(value_get(value_item(list, i), "name"), NULL), name))
			return value_item(list, i);
	return NULL;
}

static const char *
json_of(struct arena *mem, const struct value *v)
{
	struct buf AUTO_BUF b = BUF_INIT(0);

	if (!v)
		return "(none)";
	json_write(v, 0, &b);
	return arena_strdup(mem, buf_cstr(&b));
}

enum of { POD, MAIN, VAR };

#define EFA ", rdma: {resource: vpc.amazonaws.com/efa, count: 4}"
#define SPOT_GROUP ", nodeGroup: {instanceTypes: [x], capacity: [on-demand, spot]}"
#define NODE "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
#define RDMA_ON DIST "{worldSize: 2, rdma: efa}"

static const struct {
	const char *org, *flavor, *spec;
	enum of of;
	const char *path, *want;
} placed[] = {
	/* the fabric only when it is asked for */
	{ "", EFA, RDMA_ON, MAIN, "resources.limits",
	  "{\"cpu\":\"16\",\"hugepages-2Mi\":\"5Gi\",\"memory\":\"64Gi\",\"nvidia.com/gpu\":1,\"vpc.amazonaws.com/efa\":4}" },
	{ "", EFA, DIST "{worldSize: 2}", MAIN, "resources.limits", "{\"cpu\":\"16\",\"memory\":\"64Gi\",\"nvidia.com/gpu\":1}" },
	{ "", EFA, RDMA_ON ", resources: {hugepages: {2Mi: 8Gi}}", MAIN, "resources.limits",
	  "{\"cpu\":\"16\",\"hugepages-2Mi\":\"8Gi\",\"memory\":\"64Gi\",\"nvidia.com/gpu\":1,\"vpc.amazonaws.com/efa\":4}" },
	{ "", EFA, RDMA_ON, VAR, "FI_PROVIDER", "\"efa\"" },
	{ "", ", rdma: {resource: rdma/hca, count: 2}", DIST "{worldSize: 2, rdma: infiniband}", MAIN, "resources.requests",
	  "{\"cpu\":\"8\",\"memory\":\"32Gi\",\"nvidia.com/gpu\":1,\"rdma/hca\":2}" },
	{ "", ", rdma: {resource: rdma/hca, count: 2}", DIST "{worldSize: 2, rdma: infiniband}", VAR, "NCCL_NET", "\"IB\"" },
	{ "", ", rdma: {resource: rdma/hca}", DIST "{worldSize: 2, rdma: infiniband, ncclSettings: {NCCL_NET: Socket}}", VAR, "NCCL_NET",
	  "\"Socket\"" },
	/* the backend's variables, and no others */
	{ "", "", DIST "{worldSize: 2, backend: gloo, ncclSettings: {NCCL_DEBUG: INFO, GLOO_LOG: x}}", VAR, "GLOO_LOG", "\"x\"" },
	{ "", "", DIST "{worldSize: 2, backend: gloo, ncclSettings: {NCCL_DEBUG: INFO}}", VAR, "NCCL_DEBUG", "(none)" },
	{ "", "", DIST "{worldSize: 2, backend: gloo}", VAR, "TORCH_NCCL_ASYNC_ERROR_HANDLING", "(none)" },
	{ "", "", DIST "{worldSize: 2, backend: gloo}", VAR, "GLOO_SOCKET_IFNAME", "\"eth0\"" },
	{ "", "", DIST "{worldSize: 2, backend: gloo}, env: {GLOO_SOCKET_IFNAME: net1}", VAR, "GLOO_SOCKET_IFNAME", "\"net1\"" },
	{ "", "", DIST "{worldSize: 2}", VAR, "GLOO_SOCKET_IFNAME", "(none)" },
	{ "", "", DIST "{worldSize: 2, ncclSettings: {NCCL_DEBUG: INFO}}", VAR, "NCCL_DEBUG", "\"INFO\"" },
	{ "", "", DIST "{worldSize: 2}", VAR, "BERTH_RANKS", "\"t-#.t\"" },
	{ ", cluster: {features: [jobset]}", "", DIST "{worldSize: 2, engine: jobset}", VAR, "PET_MASTER_ADDR", "\"t-node-0-0.t\"" },
	{ ", cluster: {features: [jobset]}", "", DIST "{worldSize: 2, engine: jobset}", VAR, "NODE_RANK",
	  "{\"fieldRef\":{\"fieldPath\":\"metadata.labels['batch.kubernetes.io/job-completion-index']\"}}" },
	/* topology */
	{ ", cluster: {rackLabel: example.com/rack}", "", DIST "{worldSize: 2, topology: rack}", POD, "affinity.podAffinity",
	  "{\"requiredDuringSchedulingIgnoredDuringExecution\":[{\"labelSelector\":{\"matchLabels\":{\"berth.dev/env\":\"t\","
	  "\"berth.dev/owner\":\"alice\"}},\"topologyKey\":\"example.com/rack\"}]}" },
	{ ", cluster: {rackLabel: example.com/rack, features: [kueue], topology: default}", ", nodeSelector: {pool: p}",
	  DIST "{worldSize: 2, topology: rack}", POD, "affinity", "(none)" }, /* Kueue's, by an annotation */
	{ ", cluster: {rackLabel: example.com/rack, features: [kueue], topology: default}", "", DIST "{worldSize: 2, topology: rack}", POD,
	  "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution", "[{\"labelSelector\":{\"matchLabels\":{\"berth.dev/env\":\"t\","
	  "\"berth.dev/owner\":\"alice\"}},\"topologyKey\":\"example.com/rack\"}]" }, /* nodes without labels have no topology there */
	/* high memory */
	{ "", ", guaranteed: true", "", MAIN, "resources.requests", "{\"cpu\":\"16\",\"memory\":\"64Gi\",\"nvidia.com/gpu\":1}" },
	{ ", security: {memoryOvercommit: false}", "", "", MAIN, "resources.requests", "{\"cpu\":\"8\",\"memory\":\"64Gi\",\"nvidia.com/gpu\":1}" },
	{ "", "", "", MAIN, "resources.requests", "{\"cpu\":\"8\",\"memory\":\"32Gi\",\"nvidia.com/gpu\":1}" },
	/* root entry: only where the flavor grants it and something needs it */
	{ "", ", rootEntry: true", ", packages: {apt: [htop]}", POD, "hostUsers", "false" },
	{ "", ", rootEntry: true", ", packages: {apt: [htop]}", POD, "securityContext.runAsUser", "0" },
	{ "", ", rootEntry: true", ", packages: {apt: [htop]}", POD, "securityContext.runAsNonRoot", "(none)" },
	{ "", ", rootEntry: true", ", packages: {apt: [htop]}", MAIN, "securityContext",
	  "{\"allowPrivilegeEscalation\":false,\"capabilities\":{\"add\":[\"CHOWN\",\"DAC_OVERRIDE\",\"FOWNER\",\"FSETID\",\"KILL\",\"SETFCAP\","
	  "\"SETGID\",\"SETUID\"],\"drop\":[\"ALL\"]}}" },
	{ "", ", rootEntry: true", ", packages: {pip: [wandb]}", POD, "hostUsers", "(none)" },
	{ "", ", rootEntry: true", ", packages: {pip: [wandb]}", POD, "securityContext.runAsUser", "1000" },
	{ "", ", rootEntry: true", ", image: lab", MAIN, "securityContext", "{\"allowPrivilegeEscalation\":false,\"capabilities\":{\"drop\":[\"ALL\"]}}" },
	{ ", security: {sudo: true}", "", ", image: lab", POD, "hostUsers", "(none)" },
	{ ", security: {sudo: true}", ", rootEntry: true", ", image: lab", MAIN, "securityContext.allowPrivilegeEscalation", "true" },
	{ ", security: {sudo: true}", ", rootEntry: true", ", image: lab", VAR, "BERTH_UID", "\"1200\"" },
	/* storage */
	{ "", "", ", volumes: [{name: g, size: 1Gi, access: ROX, path: /g}]", MAIN, "volumeMounts[g]",
	  "{\"mountPath\":\"/g\",\"name\":\"vol-g\",\"readOnly\":true}" },
	{ ", cluster: {version: '1.33'}", "", ", volumes: [{name: g, size: 1Gi, access: ROX, path: /g}]", MAIN, "volumeMounts[g]",
	  "{\"mountPath\":\"/g\",\"name\":\"vol-g\",\"readOnly\":true,\"recursiveReadOnly\":\"IfPossible\"}" },
	{ ", cluster: {features: [jobset]}", "", DIST "{worldSize: 2, engine: jobset}", MAIN, "volumeMounts[home]",
	  "{\"mountPath\":\"/home/dev\",\"name\":\"home\",\"subPathExpr\":\"rank-$(NODE_RANK)\"}" },
	/* spot machines */
	{ "", "", "", POD, "affinity", "(none)" },
	{ "", SPOT_GROUP, "", POD, NODE ".nodeSelectorTerms",
	  "[{\"matchExpressions\":[{\"key\":\"karpenter.sh/capacity-type\",\"operator\":\"NotIn\",\"values\":[\"spot\"]},"
	  "{\"key\":\"eks.amazonaws.com/capacityType\",\"operator\":\"NotIn\",\"values\":[\"SPOT\"]}]}]" },
	{ "", SPOT_GROUP, ", scheduling: {spot: only}", POD, NODE ".nodeSelectorTerms",
	  "[{\"matchExpressions\":[{\"key\":\"karpenter.sh/capacity-type\",\"operator\":\"In\",\"values\":[\"spot\"]}]},"
	  "{\"matchExpressions\":[{\"key\":\"eks.amazonaws.com/capacityType\",\"operator\":\"In\",\"values\":[\"SPOT\"]}]}]" },
	{ "", SPOT_GROUP, ", scheduling: {spot: allow}", POD, NODE, "(none)" },
	{ "", SPOT_GROUP, ", scheduling: {spot: allow}", POD, "tolerations", "[{\"key\":\"berth.dev/spot\",\"operator\":\"Exists\"}]" },
	{ "", "", ", scheduling: {spot: allow}", POD, "terminationGracePeriodSeconds", "110" },
	{ "", "", "", POD, "terminationGracePeriodSeconds", "60" },
	{ "", "", "", MAIN, "lifecycle", "(none)" },
	{ "", "", ", lifecycle: {checkpointCommand: 'kill -USR1 $(cat p)'}", POD, "terminationGracePeriodSeconds", "300" },
	{ "", "", ", lifecycle: {checkpointCommand: 'kill -USR1 $(cat p)'}, scheduling: {spot: only}", POD, "terminationGracePeriodSeconds", "110" },
	{ "", "", ", lifecycle: {checkpointCommand: 'kill -USR1 $(cat p)'}", VAR, "BERTH_CHECKPOINT_COMMAND", "\"kill -USR1 $$(cat p)\"" },
	{ "", "", ", lifecycle: {checkpointCommand: x}", MAIN, "lifecycle.preStop.exec.command",
	  "[\"/bin/sh\",\"/etc/berth/scripts/checkpoint.sh\"]" },
	/* GPUs in shares */
	{ "", ", gpu: {sharing: mps}", "", MAIN, "resources.limits", "{\"cpu\":\"16\",\"memory\":\"64Gi\",\"nvidia.com/gpu.shared\":1}" },
	{ "", "", ", scheduling: {gpuSharing: 'mig:1g.10gb+me'}", MAIN, "resources.limits",
	  "{\"cpu\":\"16\",\"memory\":\"64Gi\",\"nvidia.com/mig-1g.10gb.me\":1}" },
	{ ", cluster: {features: [dra]}", "", ", scheduling: {gpuSharing: dra}", MAIN, "resources.claims", "[{\"name\":\"gpu\"}]" },
	{ ", cluster: {features: [dra]}", "", ", scheduling: {gpuSharing: dra}", MAIN, "resources.limits", "{\"cpu\":\"16\",\"memory\":\"64Gi\"}" },
	{ ", cluster: {features: [dra]}", "", ", scheduling: {gpuSharing: dra}", POD, "resourceClaims",
	  "[{\"name\":\"gpu\",\"resourceClaimTemplateName\":\"t--gpu-1\"}]" },
};

/* A path of `of`; "list[name]" at its end is the mount or volume of that name. */
static const struct value *
look(struct arena *mem, const struct bundle *b, enum of of, const char *path)
{
	const char *bracket = strchr(path, '[');
	const struct value *v;

	if (of == VAR) {
		v = named(value_get(main_of(b), "env"), path);
		return value_get(v, "value") ? value_get(v, "value") : value_get(v, "valueFrom");
	}
	v = of == POD ? pod_of(b) : main_of(b);
	if (!bracket)
		return value_at(v, path);
	v = value_at(v, arena_strndup(mem, path, (size_t)(bracket - path)));
	path = arena_strndup(mem, bracket + 1, strlen(bracket) - 2);
	return named(v, path) ? named(v, path) : named(v, arena_printf(mem, "vol-%s", path));
}

static void
shapes_reach_the_pods(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(placed) / sizeof(*placed); i++) {
		struct env *env;
		struct fixture *x = site(placed[i].org, placed[i].flavor, placed[i].spec, &env);
		const char *got = json_of(x->mem, look(x->mem, render(x, env), placed[i].of, placed[i].path));

		if (strcmp(got, placed[i].want) != 0)
			fail_msg("%s|%s|%s: %s is %s, want %s", placed[i].org, placed[i].flavor, placed[i].spec, placed[i].path, got,
			         placed[i].want);
		fixture_free(x);
	}
}

/* jobset.yaml repeats what statefulset.yaml says of a pod: they may differ only where the engines do. */
static void
two_engines_run_the_same_pods(void **state)
{
	static const char *const specs[] = { "{worldSize: 4, nprocsPerNode: 1, engine: %s, topology: zone}",
		                             "{worldSize: 4, nprocsPerNode: 1, engine: %s, rdma: efa}, packages: {apt: [htop]}, "
		                             "scheduling: {spot: only}, lifecycle: {checkpointCommand: x}, checkpoints: {size: 1Ti}" };
	static const char *const engines[] = { "statefulset", "jobset" };
	static const char *const differ[] = { "restartPolicy", "containers", "volumes" };

	(void)state;
	for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
		struct fixture *x[2];
		const char *pods[2], *mains[2];

		for (size_t k = 0; k < 2; k++) {
			struct arena *mem = arena_new(1 << 16);
			const char *spec = arena_printf(mem, "%.*s%s%s", (int)(strstr(specs[i], "%s") - specs[i]), specs[i], engines[k],
			                                strstr(specs[i], "%s") + 2);
			struct env *env;
			struct value *pod, *container;

			x[k] = site(", toolbox: {image: t}, cluster: {version: '1.36', features: [jobset]}", EFA ", rootEntry: true",
			            arena_printf(mem, DIST "%s", spec), &env);
			pod = value_copy(x[k]->mem, pod_of(render(x[k], env)));
			container = value_item(value_get(pod, "containers"), 0);
			value_del(container, "env"); /* names of the ranks and of the label with their number */
			value_del(container, "volumeMounts");
			mains[k] = json_of(x[k]->mem, container);
			for (size_t d = 0; d < sizeof(differ) / sizeof(*differ); d++)
				value_del(pod, differ[d]);
			pods[k] = json_of(x[k]->mem, pod);
			arena_free(mem);
		}
		assert_string_equal(pods[0], pods[1]);
		assert_string_equal(mains[0], mains[1]);
		fixture_free(x[0]);
		fixture_free(x[1]);
	}
}

/* -- the user's set ----------------------------------------------------------------------------------------------- */

static struct bundle *
render_set(struct fixture *x, const struct env *env)
{
	struct templates *t = NULL;
	struct bundle *b = NULL;
	struct err e = { 0 };
	const struct env *const envs[] = { env };

	if (!env)
		fail_msg("%s", fixture_lines(x));
	if (templates_load(NULL, &x->report, &t, &e) < 0 || render_user(t, x->mem, &x->site, env->user, envs, 1, &b, &e) < 0)
		fail_msg("%s", e.text);
	arena_defer(x->mem, (void (*)(void *))templates_free, t);
	return b;
}

static void
limits_of_a_namespace(void **state)
{
#define RANGE(request, rest)                                                                                                                \
	"{\"default\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"defaultRequest\":{\"cpu\":\"100m\",\"memory\":\"" request                         \
	"\"},\"max\":{\"cpu\":\"64\",\"memory\":\"1Ti\"}" rest ",\"type\":\"Container\"}"
#define ONCE ",\"maxLimitRequestRatio\":{\"memory\":\"1\"}"
	static const struct {
		const char *org, *flavor, *spec, *level, *range;
	} rows[] = {
		{ "", "", "", "restricted", RANGE("256Mi", "") },
		{ "", "", ", resources: {hugepages: {1Gi: 1Gi}}", "restricted", RANGE("1Gi", ONCE) },
		{ "", ", guaranteed: true", "", "restricted", RANGE("1Gi", ONCE) },
		{ ", security: {memoryOvercommit: false}", "", "", "restricted", RANGE("1Gi", ONCE) },
		{ "", ", rootEntry: true", ", packages: {apt: [htop]}", "baseline", RANGE("256Mi", "") },
		{ "", ", rootEntry: true", "", "restricted", RANGE("256Mi", "") },
		{ ", security: {podSecurity: privileged}", ", rootEntry: true", ", packages: {apt: [htop]}", "privileged", RANGE("256Mi", "") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct env *env;
		struct fixture *x = site(rows[i].org, rows[i].flavor, rows[i].spec, &env);
		const struct bundle *b = render_set(x, env);
		const struct value *labels = value_at(object_of(b, "namespace-dev-alice.yaml"), "metadata.labels");
		const struct value *limits = value_at(object_of(b, "limitrange-berth.yaml"), "spec.limits");

		assert_string_equal(value_as_str(value_get(labels, "pod-security.kubernetes.io/enforce"), ""), rows[i].level);
		assert_string_equal(json_of(x->mem, value_item(limits, 0)), rows[i].range);
		assert_string_equal(json_of(x->mem, value_item(limits, 1)), "{\"max\":{\"storage\":\"9Ti\"},\"type\":\"PersistentVolumeClaim\"}");
		fixture_free(x);
	}
}

/* A maximum below the default would make the LimitRange invalid, and with it the whole namespace. */
static void
small_limits_make_no_invalid_range(void **state)
{
	struct env *env;
	struct fixture *x = site("", "", "", &env);
	struct templates *t = NULL;
	struct bundle *b = NULL;
	struct err e = { 0 };
	struct doc user = *env->user;
	struct value *limits = value_map(x->mem), *spec = value_map(x->mem);

	(void)state;
	value_set(x->mem, limits, "cpu", value_str(x->mem, "500m"));
	value_set(x->mem, limits, "memory", value_str(x->mem, "512Mi"));
	value_set(x->mem, spec, "limits", limits);
	user.spec = spec;
	assert_int_equal(templates_load(NULL, &x->report, &t, &e), 0);
	assert_int_equal(render_user(t, x->mem, &x->site, &user, NULL, 0, &b, &e), 0);
	assert_null(value_get(value_item(value_at(object_of(b, "limitrange-berth.yaml"), "spec.limits"), 0), "max"));
	templates_free(t);
	fixture_free(x);
}

/* -- what holds for every object ---------------------------------------------------------------------------------- */

/* Lists that the API server merges by keys, and refuses when two items have the same. */
static const struct {
	const char *list, *keys[2];
} merged[] = {
	{ "env", { "name", NULL } },
	{ "containers", { "name", NULL } },
	{ "initContainers", { "name", NULL } },
	{ "volumes", { "name", NULL } },
	{ "volumeMounts", { "mountPath", NULL } },
	{ "resourceClaims", { "name", NULL } },
	{ "topologySpreadConstraints", { "topologyKey", "whenUnsatisfiable" } },
	{ "replicatedJobs", { "name", NULL } },
	{ "containerPorts", { "containerPort", "protocol" } },
	{ "servicePorts", { "port", "protocol" } },
};

static void
check_keys(struct arena *mem, const char *file, const char *list, const struct value *v)
{
	const char *name = list;

	if (strcmp(list, "ports") == 0)
		name = value_get(value_item(v, 0), "containerPort") ? "containerPorts" : "servicePorts";
	for (size_t i = 0; i < sizeof(merged) / sizeof(*merged); i++) {
		struct value *seen = value_map(mem);

		for (size_t k = 0; strcmp(merged[i].list, name) == 0 && k < value_len(v); k++) {
			const struct value *one = value_get(value_item(v, k), merged[i].keys[0]);
			const struct value *two = merged[i].keys[1] ? value_get(value_item(v, k), merged[i].keys[1]) : NULL;
			const char *key = arena_printf(mem, "%s %s", json_of(mem, one), json_of(mem, two));

			if (!one || value_get(seen, key))
				fail_msg("%s: %s has %s twice, or not at all", file, list, key);
			value_set(mem, seen, key, value_bool(mem, true));
		}
	}
}

/* No null is left anywhere: server-side apply takes it for "remove this", and kubectl for a field of its own. */
static void
walk(struct arena *mem, const char *file, const char *key, const struct value *v)
{
	if (v->type == VALUE_NULL)
		fail_msg("%s: %s is null", file, key);
	if (v->type == VALUE_LIST)
		check_keys(mem, file, key, v);
	for (size_t i = 0; v->type == VALUE_LIST && i < v->list.n; i++)
		walk(mem, file, key, v->list.items[i]);
	for (size_t i = 0; v->type == VALUE_MAP && i < v->map.n; i++)
		walk(mem, file, v->map.items[i].key, v->map.items[i].value);
}

/* Services and what names pods are host names; values of labels have as many characters at most, other names 253. */
static void
check_names(const struct bundle *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct value *labels = value_at(b->objects[i].value, "metadata.labels");
		const char *name = value_as_str(value_at(b->objects[i].value, "metadata.name"), "");

		if (strlen(name) > (str_eq(b->objects[i].kind, "Service") ? 63U : 253U))
			fail_msg("%s is a name of %zu characters", name, strlen(name));
		for (size_t k = 0; value_is(labels, VALUE_MAP) && k < labels->map.n; k++)
			if (strlen(value_as_str(labels->map.items[k].value, "")) > 63)
				fail_msg("%s: the label %s is too long", name, labels->map.items[k].key);
	}
}

#define NAME40 "a123456789-123456789-123456789-123456789"

/* The largest and fullest that an environment can be, by both engines. */
static void
everything_at_once_is_well_formed(void **state)
{
	static const char *const engines[] = { "statefulset", "jobset" };

	(void)state;
	assert_int_equal(strlen(NAME40), 40);
	for (size_t i = 0; i < sizeof(engines) / sizeof(*engines); i++) {
		struct env *env = NULL;
		struct fixture *x = site(", toolbox: {image: t}, security: {sudo: true}, cluster: {version: '1.36', features: [jobset, vpa, dra], rackLabel: r/r}",
		                         EFA ", rootEntry: true, gpu: {product: p}, "
		                         "tolerations: [{key: nvidia.com/gpu, operator: Exists}]", "", &env);
		struct bundle *b;

		fixture_add(x, "envs/alice/" NAME40 ".yaml",
		            arena_printf(x->mem, DOC("Environment", "{flavor: f, mode: distributed, distributed: {worldSize: 128, engine: %s, rdma: efa, topology: rack, "
		                                     "ncclSettings: {FI_PROVIDER: efa, NCCL_DEBUG: INFO, GLOO_SOCKET_IFNAME: lo, TORCH_NCCL_ASYNC_ERROR_HANDLING: 3}}, "
		                                     "env: {NCCL_DEBUG: WARN, FI_PROVIDER: tcp, A: b}, packages: {apt: [htop], pip: [wandb]}, "
		                                     "resources: {hugepages: {1Gi: 1Gi}, numa: preferred}, scheduling: {spot: only, gpuSharing: dra}, "
		                                     "checkpoints: {size: 1Gi}, volumes: [{name: " NAME40 ", size: 1Gi, access: ROX, path: /a}], "
		                                     "sharedVolumeClaimName: shared, scaling: {vertical: {mode: recommend}}, "
		                                     "access: {web: [jupyter, vscode, terminal], ports: [80, 8888, 29500, 22], ssh: {via: bastion}}, "
		                                     "lifecycle: {checkpointCommand: x}}"), engines[i]));
		x->ndocs = 0;
		site_free(&x->site);
		memset(&x->site, 0, sizeof(x->site));
		fixture_add(x, "users/alice.yaml", DOC("User", "{limits: {storage: 9Ti}}"));
		fixture_parse(x, NULL);
		report_init(&x->report, x->mem);
		for (size_t k = 0; k < x->ndocs; k++) { /* its numbers are over every limit, which is not what this is about */
			struct err e = { 0 };

			if (str_eq(x->docs[k]->name, NAME40) &&
			    env_resolve(x->mem, &x->site, &x->files, x->docs[k], &x->report, &env, &e) < 0)
				fail_msg("%s", fixture_lines(x));
		}
		b = render(x, env);
		assert_string_equal(env->name, NAME40);
		assert_int_equal(env->replicas_full, 128);
		for (size_t k = 0; k < b->n; k++)
			walk(x->mem, b->objects[k].file, "", b->objects[k].value);
		check_names(b);
		b = render_set(x, env);
		for (size_t k = 0; k < b->n; k++)
			walk(x->mem, b->objects[k].file, "", b->objects[k].value);
		/* <jobset>-<replicated job>-<job>-<pod>, of which the last is at most 127 */
		assert_true(strlen(NAME40 "-node-0-127") <= 63);
		fixture_free(x);
	}
}

/* -- the shell of the examples ------------------------------------------------------------------------------------ */

static void
the_shell_has_its_numbers(void **state)
{
	struct fixture *x = fixture_new();
	struct env *env = NULL, *one = NULL;
	const struct bundle *b;
	const struct value *pod, *container;

	(void)state;
	assert_true(fixture_load(x, "examples", ""));
	fixture_parse(x, NULL);
	for (size_t i = 0; i < x->ndocs; i++) {
		struct err e = { 0 };

		if (x->docs[i]->kind == KIND_ENV && strcmp(x->docs[i]->name, "tcloud-shell") == 0 &&
		    env_resolve(x->mem, &x->site, &x->files, x->docs[i], &x->report, &one, &e) == 0)
			env = one;
	}
	b = render(x, env);
	pod = value_at(object_of(b, "statefulset-tcloud-shell.yaml"), "spec.template.spec");
	container = value_item(value_get(pod, "containers"), 0);
	assert_string_equal(json_of(x->mem, value_get(container, "resources")),
	                    "{\"limits\":{\"cpu\":\"16\",\"memory\":\"64Gi\",\"nvidia.com/gpu\":1},"
	                    "\"requests\":{\"cpu\":\"8\",\"memory\":\"32Gi\",\"nvidia.com/gpu\":1}}");
	assert_string_equal(value_as_str(value_get(container, "image"), ""), "nvidia/cuda:12.6.0-devel-ubuntu22.04");
	assert_string_equal(json_of(x->mem, named(value_get(pod, "volumes"), "shm")),
	                    "{\"emptyDir\":{\"medium\":\"Memory\",\"sizeLimit\":\"32Gi\"},\"name\":\"shm\"}");
	assert_string_equal(json_of(x->mem, value_at(pod, "securityContext.runAsUser")), "1000");
	assert_string_equal(json_of(x->mem, value_at(pod, "nodeSelector")), "{\"nvidia.com/gpu.product\":\"NVIDIA-H100-80GB-HBM3\"}");
	assert_string_equal(value_as_str(value_get(named(value_get(container, "env"), "BERTH_USER"), "value"), ""), "tcloud");
	assert_string_equal(json_of(x->mem, value_at(object_of(b, "persistentvolumeclaim-tcloud-shell--workspace.yaml"), "spec")),
	                    "{\"accessModes\":[\"ReadWriteMany\"],\"resources\":{\"requests\":{\"storage\":\"1Ti\"}},\"storageClassName\":\"shared-wekafs\"}");
	assert_string_equal(json_of(x->mem, named(value_get(container, "volumeMounts"), "vol-workspace")),
	                    "{\"mountPath\":\"/workspace\",\"name\":\"vol-workspace\"}");
	assert_string_equal(json_of(x->mem, value_at(object_of(b, "service-tcloud-shell--ssh.yaml"), "spec.ports")),
	                    "[{\"name\":\"ssh\",\"port\":22,\"protocol\":\"TCP\",\"targetPort\":\"ssh\"}]");
	assert_string_equal(json_of(x->mem, value_at(object_of(b, "service-tcloud-shell--web.yaml"), "spec.ports")),
	                    "[{\"name\":\"terminal\",\"port\":80,\"protocol\":\"TCP\",\"targetPort\":\"terminal\"}]");
	assert_string_equal(value_as_str(value_at(object_of(b, "service-tcloud-shell--ssh.yaml"), "spec.type"), ""), "LoadBalancer");
	fixture_free(x);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_work_is_said),
		cmocka_unit_test(shapes_reach_the_pods),
		cmocka_unit_test(two_engines_run_the_same_pods),
		cmocka_unit_test(limits_of_a_namespace),
		cmocka_unit_test(small_limits_make_no_invalid_range),
		cmocka_unit_test(everything_at_once_is_well_formed),
		cmocka_unit_test(the_shell_has_its_numbers),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
