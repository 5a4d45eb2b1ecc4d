/* SPDX-License-Identifier: Apache-2.0 */
/* Rendering: what reaches the objects from one line of a spec, overrides of templates, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/str.h"
#include "lib/doc/json.h"
#include "render/later.h"
#include "render/render.h"
#include "tree.h"

#define HEAD "apiVersion: berth.dev/v1\nkind: "
#define ENV HEAD "Environment\nspec:\n  flavor: f\n  image: some/image:1\n"
#define ORG HEAD "Organization\nspec:\n  approvals: {mode: none}\n"

/* One environment and one template of the organization, over the same small site. */
struct world {
	struct tree tree;
	struct templates *templates;
};

static int
world_load(struct world *w, const char *org, const char *spec, const char *template, const char *text, struct err *e)
{
	struct arena *mem = arena_new((size_t)1 << 20);
	struct tree_text texts[] = {
		{ "berth.yaml", arena_printf(mem, ORG "%s", org) },
		{ "envs/alice/train.yaml", arena_printf(mem, ENV "%s", spec) },
		{ "envs/alice/setup.sh", "echo hello\n" },
		{ "flavors/f.yaml", HEAD "Flavor\nspec: {resources: {limits: {cpu: 4, memory: 16Gi, nvidia.com/gpu: 2, example.com/nic: 1}}}\n" },
		{ "datasets/d.yaml", HEAD "Dataset\nspec: {claim: {name: data}}\n" },
		{ "users/alice.yaml", HEAD "User\nspec: {uid: u1, email: alice@example.org, sshKeys: [ssh-ed25519 AAAA alice]}\n" },
		{ "users/bob.yaml", HEAD "User\nspec: {uid: u2, email: bob@example.org, sshKeys: [ssh-ed25519 BBBB bob]}\n" },
		{ template, text },
	};
	int rc;

	tree_load_texts(&w->tree, texts, sizeof(texts) / sizeof(*texts));
	arena_defer(w->tree.mem, (void (*)(void *))arena_free, mem);
	tree_resolve(&w->tree);
	w->templates = NULL;
	rc = templates_load(&w->tree.files, &w->tree.report, &w->templates, e);
	if (rc == 0 && w->tree.nenvs != 1) {
		struct buf b AUTO_BUF = BUF_INIT(0);

		report_text(&w->tree.report, NULL, false, &b);
		fail_msg("the environment does not resolve: %s", buf_cstr(&b));
	}
	return rc;
}

static void
world_free(struct world *w)
{
	templates_free(w->templates);
	tree_free(&w->tree);
}

static int
world_render(struct world *w, struct bundle **b, struct err *e)
{
	return render_env(w->templates, w->tree.mem, w->tree.envs[0], b, e);
}

static const struct value *
object_of(const struct bundle *b, const char *file)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->objects[i].file, file) == 0)
			return b->objects[i].value;
	return NULL;
}

/* "spec.containers[0].image" below v; NULL when a step is missing. */
static const struct value *
find(const struct value *v, const char *path)
{
	char step[128];

	while (v && *path) {
		size_t n = strcspn(path, ".[]");

		if (*path == '[') {
			v = value_item(v, (size_t)strtoul(path + 1, NULL, 10));
			path = strchr(path, ']') + 1;
		} else {
			/* keys with dots stand between ' ' */
			if (*path == '\'') {
				n = strcspn(++path, "'");
				(void)snprintf(step, sizeof(step), "%.*s", (int)n, path);
				path += n + 1;
			} else {
				(void)snprintf(step, sizeof(step), "%.*s", (int)n, path);
				path += n;
			}
			v = value_get(v, step);
		}
		if (*path == '.')
			path++;
	}
	return v;
}

/* The item of a list with this name, as compact JSON; "(none)" when it is not there. */
static const char *
json_of(struct arena *mem, const struct value *v)
{
	struct buf b AUTO_BUF = BUF_INIT(0);

	if (!v)
		return "(none)";
	json_write(v, 0, &b);
	return arena_strdup(mem, buf_cstr(&b));
}

static const struct value *
named(const struct value *list, const char *name)
{
	for (size_t i = 0; i < value_len(list); i++)
		if (str_eq(value_as_str(value_get(value_item(list, i), "name"), NULL), name))
			return value_item(list, i);
	return NULL;
}

#define POD "spec.template.spec."
#define MAIN POD "containers[0]."
#define STS "statefulset-train.yaml"

static void
fields_of_a_spec_reach_the_objects(void **state)
{
	/* `name`: the item of that name of the list at `path` */
	static const struct {
		const char *org, *spec, *file, *path, *name, *want;
	} rows[] = {
		{ "", "", STS, "spec.replicas", NULL, "1" },
		{ "", "", STS, "spec.podManagementPolicy", NULL, "\"Parallel\"" },
		{ "", "  lifecycle: {paused: true}\n", STS, "spec.replicas", NULL, "0" },
		{ "", "", STS, MAIN "resources.limits", NULL,
		  "{\"cpu\":\"4\",\"example.com/nic\":1,\"memory\":\"16Gi\",\"nvidia.com/gpu\":2}" },
		{ "", "  resources: {gpu: 0}\n", STS, MAIN "resources.requests", NULL,
		  "{\"cpu\":\"4\",\"memory\":\"16Gi\"}" },
		{ "", "  env: {A: 'x$(HOME)$$y$z'}\n", STS, MAIN "env", "A", "{\"name\":\"A\",\"value\":\"x$$(HOME)$$$y$z\"}" },
		{ "", "  env: {A: '${env.name} {{x}} \"q'}\n", STS, MAIN "env", "A",
		  "{\"name\":\"A\",\"value\":\"${env.name} {{x}} \\\"q\"}" },
		{ "", "", STS, MAIN "env", "RANK", "(none)" },
		{ "", "  mode: distributed\n  distributed: {worldSize: 4, nprocsPerNode: 2}\n", STS, MAIN "env", "RANK", "(none)" },
		{ "", "  mode: distributed\n  distributed: {worldSize: 4, nprocsPerNode: 2}\n", STS, "spec.replicas", NULL, "2" },
		{ "", "  mode: distributed\n  distributed: {worldSize: 4, nprocsPerNode: 2}\n", STS, MAIN "env", "PET_NNODES",
		  "{\"name\":\"PET_NNODES\",\"value\":\"2\"}" },
		{ "", "  mode: distributed\n  distributed: {worldSize: 2}\n", STS, MAIN "env", "RANK",
		  "{\"name\":\"RANK\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.labels['apps.kubernetes.io/pod-index']\"}}}" },
		{ "", "  mode: distributed\n  distributed: {worldSize: 2}\n", "persistentvolumeclaim-home-train-1.yaml",
		  "spec.resources.requests.storage", NULL, "\"20Gi\"" },
		{ "", "  mode: distributed\n  distributed: {worldSize: 2, ncclSettings: {NCCL_SOCKET_IFNAME: ^lo}}\n", STS,
		  MAIN "env", "GLOO_SOCKET_IFNAME", "(none)" },
		{ "", "  mode: distributed\n  distributed: {worldSize: 2, topology: zone}\n", STS,
		  POD "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey", NULL,
		  "\"topology.kubernetes.io/zone\"" },
		{ "", "  resources: {numa: preferred}\n", STS,
		  POD "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight", NULL, "100" },
		{ "", "  resources: {hugepages: {2Mi: 1Gi, 1Gi: 2Gi}}\n", STS, POD "volumes", "hugepages-2mi",
		  "{\"emptyDir\":{\"medium\":\"HugePages-2Mi\"},\"name\":\"hugepages-2mi\"}" },
		{ "", "  resources: {hugepages: {2Mi: 1Gi, 1Gi: 2Gi}}\n", STS, MAIN "volumeMounts", "hugepages-2mi",
		  "{\"mountPath\":\"/dev/hugepages-2Mi\",\"name\":\"hugepages-2mi\"}" },
		{ "", "", STS, POD "volumes", "shm", "{\"emptyDir\":{\"medium\":\"Memory\",\"sizeLimit\":\"8Gi\"},\"name\":\"shm\"}" },
		{ "", "  datasets: [{name: d}]\n", STS, MAIN "volumeMounts", "data-d",
		  "{\"mountPath\":\"/data/d\",\"name\":\"data-d\",\"readOnly\":true}" },
		{ "", "  volumes: [{name: w, size: 1Ti, access: RWX, path: /w}]\n", "persistentvolumeclaim-train--w.yaml",
		  "spec.accessModes", NULL, "[\"ReadWriteMany\"]" },
		{ "  storage: {homeClass: fast, sharedClass: slow}\n", "  volumes: [{name: w, size: 1Ti, access: RWX, path: /w}]\n",
		  "persistentvolumeclaim-train--w.yaml", "spec.storageClassName", NULL, "\"slow\"" },
		{ "  storage: {homeClass: fast, sharedClass: slow}\n", "  checkpoints: {size: 1Gi}\n",
		  "persistentvolumeclaim-train--checkpoints.yaml", "spec.storageClassName", NULL, "\"fast\"" },
		{ "", "", "persistentvolumeclaim-home-train-0.yaml", "spec.storageClassName", NULL, "(none)" },
		{ "", "", "persistentvolumeclaim-home-train-0.yaml", "metadata.annotations.'kustomize.toolkit.fluxcd.io/prune'", NULL,
		  "\"disabled\"" },
		{ "", "  lifecycle: {onDelete: purge}\n", "persistentvolumeclaim-home-train-0.yaml", "metadata.annotations", NULL,
		  "(none)" },
		{ "", "  access: {share: [bob]}\n", "configmap-train--keys.yaml", "data.authorized_keys", NULL,
		  "\"# alice\\nssh-ed25519 AAAA alice\\n# bob\\nssh-ed25519 BBBB bob\\n\"" },
		{ "", "  enableSSH: false\n", "configmap-train--keys.yaml", "kind", NULL, "(none)" },
		{ "", "  enableSSH: false\n", STS, MAIN "ports", "ssh", "(none)" },
		{ "", "  setup: setup.sh\n", "configmap-train--scripts.yaml", "data.'setup.sh'", NULL, "\"echo hello\\n\"" },
		{ "", "  access: {ssh: {via: loadBalancer}}\n", "service-train--ssh.yaml", "spec.ports", "ssh",
		  "{\"name\":\"ssh\",\"port\":22,\"protocol\":\"TCP\",\"targetPort\":\"ssh\"}" },
		{ "  access: {ssh: loadBalancer}\n", "", "service-train--ssh.yaml", "spec.type", NULL, "\"LoadBalancer\"" },
		{ "", "  access: {web: [jupyter], ports: [8888, 6006], ssh: {via: loadBalancer}}\n", "service-train--web.yaml", "spec.ports",
		  "port-6006", "{\"name\":\"port-6006\",\"port\":6006,\"protocol\":\"TCP\",\"targetPort\":\"port-6006\"}" },
		{ "", "  access: {web: [terminal], ports: [80], ssh: {via: loadBalancer}}\n", "service-train--web.yaml", "spec.ports",
		  "terminal", "{\"name\":\"terminal\",\"port\":7681,\"protocol\":\"TCP\",\"targetPort\":\"terminal\"}" },
		{ "", "  access: {web: [jupyter], ports: [8888, 6006]}\n", STS, MAIN "ports", "port-8888", "(none)" },
		{ "", "", "service-train--ssh.yaml", "kind", NULL, "(none)" },
		{ "  cluster: {version: \"1.34\"}\n", "", STS, POD "securityContext.supplementalGroupsPolicy", NULL, "(none)" },
		{ "  cluster: {version: \"1.35\"}\n", "", STS, POD "securityContext.supplementalGroupsPolicy", NULL, "\"Strict\"" },
		{ "  toolbox: {image: t}\n", "", STS, POD "initContainers[0].image", NULL, "\"t\"" },
		{ "  toolbox: {image: t}\n  cluster: {features: [image-volumes]}\n", "", STS, POD "initContainers", NULL, "(none)" },
		{ "  toolbox: {image: t}\n  cluster: {features: [image-volumes]}\n", "", STS, POD "volumes", "toolbox",
		  "{\"image\":{\"pullPolicy\":\"IfNotPresent\",\"reference\":\"t\"},\"name\":\"toolbox\"}" },
		{ "", "  scheduling: {priority: batch}\n", STS, POD "priorityClassName", NULL, "\"berth-batch\"" },
		{ "", "  scheduling: {priority: urgent}\n", STS, POD "priorityClassName", NULL, "\"urgent\"" },
		{ "", "  scheduling: {queue: q}\n", STS, "metadata.labels.'kueue.x-k8s.io/queue-name'", NULL, "(none)" },
		{ "  cluster: {features: [kueue]}\n", "  scheduling: {queue: q}\n", STS, "metadata.labels.'kueue.x-k8s.io/queue-name'",
		  NULL, "\"q\"" },
		{ "  cluster: {features: [kueue]}\n", "", STS, "metadata.labels.'kueue.x-k8s.io/queue-name'", NULL, "(none)" },
		{ "  namespacePrefix: env-\n", "", STS, "metadata.namespace", NULL, "\"env-alice\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;
		struct bundle *b;
		struct err e = { 0 };
		const struct value *v;

		if (world_load(&w, rows[i].org, rows[i].spec, NULL, NULL, &e) < 0 || world_render(&w, &b, &e) < 0)
			fail_msg("%s: %s", rows[i].spec, e.text);
		v = find(object_of(b, rows[i].file), rows[i].path);
		if (rows[i].name)
			v = named(v, rows[i].name);
		if (strcmp(json_of(w.tree.mem, v), rows[i].want) != 0)
			fail_msg("'%s%s': %s: %s is %s, want %s", rows[i].org, rows[i].spec, rows[i].file, rows[i].path,
			         json_of(w.tree.mem, v), rows[i].want);
		world_free(&w);
	}
}

static void
guaranteed_when_memory_matters(void **state)
{
	static const struct {
		const char *resources;
		bool guaranteed;
	} rows[] = {
		{ "{}", false },
		{ "{numa: none}", false },
		{ "{numa: preferred}", true },
		{ "{numa: required}", true },
		{ "{hugepages: {2Mi: 1Gi}}", true },
		{ "{hugepages: {}}", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		/* requests below limits, in the flavor */
		struct tree_text texts[] = {
			{ "berth.yaml", ORG },
			{ "envs/alice/train.yaml", NULL },
			{ "flavors/f.yaml",
			  HEAD "Flavor\nspec: {resources: {requests: {cpu: 2, memory: 8Gi}, limits: {cpu: 4, memory: 16Gi}}}\n" },
			{ "users/alice.yaml", HEAD "User\nspec: {uid: u1, email: alice@example.org}\n" },
		};
		char text[512];
		struct tree t;
		struct templates *ts;
		struct bundle *b;
		struct err e = { 0 };
		const struct value *res;

		(void)snprintf(text, sizeof(text), ENV "  resources: %s\n", rows[i].resources);
		texts[1].text = text;
		tree_load_texts(&t, texts, 4);
		tree_resolve(&t);
		if (templates_load(NULL, &t.report, &ts, &e) < 0 || render_env(ts, t.mem, t.envs[0], &b, &e) < 0)
			fail_msg("%s", e.text);
		res = find(object_of(b, STS), MAIN "resources");
		assert_int_equal(value_equal(value_get(res, "requests"), value_get(res, "limits")), rows[i].guaranteed);
		templates_free(ts);
		tree_free(&t);
	}
}

#define ANY "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: "

static void
what_is_wrong_is_refused(void **state)
{
	/* spec and template of the environment's set -> what the error says */
	static const struct {
		const char *spec, *template, *want;
	} rows[] = {
		{ "  env: {PET_NNODES: '1'}\n", NULL, "spec.env.PET_NNODES: berth sets this variable itself" },
		{ "  env: {HOME: /x}\n", NULL, "spec.env.HOME: berth sets" },
		{ "  volumes: [{name: a, size: 1Gi, path: /x}, {name: b, size: 1Gi, path: /x}]\n", NULL,
		  "spec.volumes[1]: two volumes at /x" },
		{ "  volumes: [{name: a, size: 1Gi, path: /home/dev}]\n", NULL, "two volumes at /home/dev" },
		{ "  volumes: [{name: checkpoints, size: 1Gi, path: /x}]\n  checkpoints: {size: 1Gi}\n", NULL,
		  "PersistentVolumeClaim train--checkpoints is given twice: by templates/env/claims.yaml" },
		{ "  sharedVolumeClaimName: home-train-0\n", NULL, "home-train-0 is a name of an environment's own claims" },
		{ "", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n", "templates/env/x.yaml:1:1: Secret s: templates give no Secrets" },
		{ "", "apiVersion: v1\nkind: List\nmetadata: {name: l}\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: s}}]\n",
		  "templates/env/x.yaml:1:1: List l: give the objects themselves" },
		{ "", "apiVersion: v1\nkind: SecretList\nmetadata: {name: l}\nitems: []\n",
		  "templates/env/x.yaml:1:1: SecretList l: give the objects themselves" },
		{ "", "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: s}\n", "only objects of its namespace" },
		{ "", "apiVersion: v1\nkind: Namespace\nmetadata: {name: s}\n", "only objects of its namespace" },
		{ "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Big}\n", "ConfigMap 'Big': a name has only" },
		{ "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ../up}\n", "a name has only" },
		{ "", "apiVersion: v1\nkind: ../Up\nmetadata: {name: a}\n", "not a kind" },
		{ "", "apiVersion: v1\nkind: ConfigMap\n", "without metadata.name" },
		{ "", "kind: ConfigMap\nmetadata: {name: a}\n", "without apiVersion" },
		{ "", "- 1\n", "gives a integer where an object belongs" },
		{ "", ANY "a\n  labels: {x: 1}\n", "label x: labels are strings" },
		{ "", ANY "train--scripts\n", "templates/env/x.yaml:1:1: ConfigMap train--scripts is given twice: by templates/env/configmap-scripts.yaml and by templates/env/x.yaml" },
		{ "", ANY "${env.gpus}\n", "template templates/env/x.yaml: templates/env/x.yaml:4:9: " },
		{ "", "- " "apiVersion: v1\n  kind: Secret\n  metadata: {name: a}\n", "templates/env/x.yaml:1:3: Secret a" },
		{ "", "- null\n- x\n", "templates/env/x.yaml:2:3: gives a string where" },
		{ "", "just text\n", "templates/env/x.yaml:1:1: gives a string where" },
		{ "", "a: {$eval: '10 / 0'}\n", "templates/env/x.yaml:1:4: " },
		{ "", "a: {$fromNow: 1 day}\n", "templates/env/x.yaml:1:4: $fromNow needs a reference time (this rendering has no clock)" },
		{ "", "a: ${now}\n", "templates/env/x.yaml:1:4: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;
		struct bundle *b;
		struct err e = { 0 };

		if (world_load(&w, "", rows[i].spec, rows[i].template ? "templates/env/x.yaml" : NULL, rows[i].template, &e) < 0)
			fail_msg("%s%s: %s", rows[i].spec, rows[i].template, e.text);
		if (world_render(&w, &b, &e) == 0)
			fail_msg("%s%s: rendered", rows[i].spec, rows[i].template ? rows[i].template : "");
		if (!strstr(e.text, rows[i].want) || !str_starts(e.text, "render envs/alice/train: ") || !e.hint[0])
			fail_msg("%s%s: '%s', want '%s'", rows[i].spec, rows[i].template ? rows[i].template : "", e.text, rows[i].want);
		world_free(&w);
	}
}

static void
an_organization_changes_templates(void **state)
{
	static const struct {
		const char *template, *text, *file, *path, *want;
	} rows[] = {
		{ "templates/env/service.yaml", "null\n", "service-train.yaml", "", "(none)" },
		{ "templates/env/service.yaml", "# nothing\n", "service-train.yaml", "", "(none)" },
		{ "templates/env/service.yaml", ANY "mine\n", "configmap-mine.yaml", "metadata.namespace", "\"dev-alice\"" },
		{ "templates/env/extra.yaml", ANY "${env.name}--x\n  namespace: kube-system\n", "configmap-train--x.yaml",
		  "metadata.namespace", "\"dev-alice\"" },
		{ "templates/env/extra.yaml", ANY "x\n  labels: {berth.dev/owner: bob, berth.dev/evil: x, mine: y}\n", "configmap-x.yaml",
		  "metadata.labels",
		  "{\"app.kubernetes.io/managed-by\":\"berth\",\"berth.dev/env\":\"train\",\"berth.dev/managed\":\"true\","
		  "\"berth.dev/owner\":\"alice\",\"mine\":\"y\"}" },
		{ "templates/env/extra.yaml", ANY "x\ndata: {a: null, b: {$eval: env.queue}, c: 'y'}\n", "configmap-x.yaml", "data",
		  "{\"c\":\"y\"}" },
		{ "templates/env/extra.yaml", "$if: 'false'\nthen: 1\n", "configmap-x.yaml", "", "(none)" },
		{ "templates/env/statefulset.patch.yaml", "spec: {revisionHistoryLimit: 7, updateStrategy: null}\n", STS,
		  "spec.revisionHistoryLimit", "7" },
		{ "templates/env/statefulset.patch.yaml", "spec: {revisionHistoryLimit: 7, updateStrategy: null}\n", STS,
		  "spec.updateStrategy", "(none)" },
		{ "templates/env/claims.patch.yaml", "metadata: {annotations: {was: '${object.metadata.name}'}}\n",
		  "persistentvolumeclaim-home-train-0.yaml", "metadata.annotations.was", "\"home-train-0\"" },
		{ "templates/scripts/start.sh", "exec sleep 1\n", "configmap-train--scripts.yaml", "data.'start.sh'",
		  "\"exec sleep 1\\n\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;
		struct bundle *b;
		struct err e = { 0 };
		const char *got;

		if (world_load(&w, "", "", rows[i].template, rows[i].text, &e) < 0 || world_render(&w, &b, &e) < 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		got = json_of(w.tree.mem, find(object_of(b, rows[i].file), rows[i].path));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: '%s': %s, want %s", rows[i].template, rows[i].text, got, rows[i].want);
		world_free(&w);
	}
}

static void
bad_templates_are_findings(void **state)
{
	static const struct {
		const char *template, *text, *want;
	} rows[] = {
		{ "templates/env/x.yaml", "a: [\n", "templates/env/x.yaml:" },
		{ "templates/env/x.yaml", "a: 1\na: 2\n", "templates/env/x.yaml:2:1: error[E103]" },
		{ "templates/env/x.yaml", "$nosuch: 1\n", "error[E307]" },
		{ "templates/env/x.yaml", "a: {$eval: '1 +'}\n", "error[E307]" },
		{ "templates/env/x.yaml", "null\n", "error[E304]" },
		{ "templates/env/x.patch.yaml", "a: 1\n", "there is no templates/env/x.yaml to patch" },
		{ "templates/envs/x.yaml", "a: 1\n", "error[E306]" },
		{ "templates/env/deep/x.yaml", "a: 1\n", "error[E306]" },
		{ "templates/x.yaml", "a: 1\n", "error[E306]" },
		{ "templates/env/x.yml", "a: 1\n", "error[E306]" },
		{ "templates/scripts/a b.sh", "x\n", "error[E306]" },
		{ "templates/scripts/x.sh", "\xff\n", "error[E306]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;
		struct err e = { 0 };
		struct buf line AUTO_BUF = BUF_INIT(0);
		int rc = world_load(&w, "", "", rows[i].template, rows[i].text, &e);

		if (rc != ERR_INVALID || w.tree.report.n == 0)
			fail_msg("%s '%s': rc %d, %zu findings", rows[i].template, rows[i].text, rc, w.tree.report.n);
		finding_line(&w.tree.report.items[0], &line);
		if (!strstr(buf_cstr(&line), rows[i].want))
			fail_msg("%s '%s': '%s', want '%s'", rows[i].template, rows[i].text, buf_cstr(&line), rows[i].want);
		world_free(&w);
	}
}

static void
the_same_input_gives_the_same_bytes(void **state)
{
	struct buf text[2] = { BUF_INIT(0), BUF_INIT(0) };
	struct digest digest[2], templates[2];

	(void)state;
	for (int k = 0; k < 2; k++) {
		struct world w;
		struct bundle *b;
		struct err e = { 0 };

		assert_int_equal(world_load(&w, "", "  env: {B: '1', A: '2'}\n", NULL, NULL, &e), 0);
		assert_int_equal(world_render(&w, &b, &e), 0);
		for (size_t i = 0; i < b->n; i++)
			object_write(&b->objects[i], &text[k]);
		bundle_kustomization(b, &text[k]);
		digest[k] = b->digest;
		templates[k] = *templates_digest(w.templates);
		world_free(&w);
	}
	assert_string_equal(buf_cstr(&text[0]), buf_cstr(&text[1]));
	assert_memory_equal(&digest[0], &digest[1], sizeof(digest[0]));
	assert_memory_equal(&templates[0], &templates[1], sizeof(templates[0]));
	buf_free(&text[0]);
	buf_free(&text[1]);
}

/* What changes the digest of a bundle, of the templates, and the pods' hash. */
static void
digests_follow_what_they_cover(void **state)
{
	static const struct {
		const char *spec, *template, *text;
		bool bundle, templates, hash;
	} rows[] = {
		{ "  env: {A: '1'}\n", NULL, NULL, true, false, false },
		{ "  access: {share: [bob]}\n", NULL, NULL, true, false, false },
		{ "  setup: setup.sh\n", NULL, NULL, true, false, true },
		{ "", "templates/scripts/torch.sh", "x\n", true, true, true },
		{ "", "templates/user/x.yaml", ANY "x\n", false, true, false },
	};
	struct world base;
	struct bundle *b0;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(world_load(&base, "", "", NULL, NULL, &e), 0);
	assert_int_equal(world_render(&base, &b0, &e), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		static const char *const hash = "spec.template.metadata.annotations.'berth.dev/config-hash'";
		struct world w;
		struct bundle *b;

		if (world_load(&w, "", rows[i].spec, rows[i].template, rows[i].text, &e) < 0 || world_render(&w, &b, &e) < 0)
			fail_msg("%zu: %s", i, e.text);
		assert_int_equal(memcmp(&b->digest, &b0->digest, sizeof(b->digest)) != 0, rows[i].bundle);
		assert_int_equal(memcmp(templates_digest(w.templates), templates_digest(base.templates), sizeof(struct digest)) != 0,
		                 rows[i].templates);
		assert_int_equal(!value_equal(find(object_of(b, STS), hash), find(object_of(b0, STS), hash)), rows[i].hash);
		world_free(&w);
	}
	world_free(&base);
}

static void
later_names_what_is_not_rendered(void **state)
{
	static const struct {
		const char *org, *spec, *want; /* fields, each followed by a space */
	} rows[] = {
		{ "", "", "" },
		{ "", "  lifecycle: {idleTimeout: 60}\n", "spec.lifecycle.idleTimeout " },
		{ "  defaults: {lifecycle: {autoShutdown: true}}\n", "", "spec.lifecycle.autoShutdown " },
		{ "", "  packages: {pip: [wandb]}\n  repositories: []\n", "" },
		{ "", "  access: {web: [terminal]}\n", "spec.access.web " },
		{ "", "  access: {web: [terminal], ssh: {via: loadBalancer}}\n", "" },
		{ "", "  scheduling: {spot: never, gpuSharing: none, queue: default}\n", "" },
		{ "", "  scheduling: {spot: allow, gpuSharing: mps, queue: q}\n",
		  "spec.scheduling.queue " },
		{ "  cluster: {features: [kueue]}\n", "  scheduling: {queue: q}\n", "" },
		{ "", "  distributed: {engine: jobset, rdma: efa}\n", "" },
		{ "", "  mode: distributed\n  distributed: {worldSize: 2, engine: jobset, rdma: efa, topology: rack}\n",
		  "" },
		{ "", "  scaling: {vertical: {mode: none}}\n", "" },
		{ "", "  scaling: {vertical: {mode: recommend}}\n", "spec.scaling.vertical " },
		{ "  cluster: {features: [vpa]}\n", "  scaling: {vertical: {mode: recommend}}\n", "" },
		{ "  cluster: {features: [vpa]}\n", "  scaling: {vertical: {mode: auto}}\n", "spec.scaling.vertical " },
		{ "", "  datasets: [{name: d}]\n", "" },
		{ "", "  datasets: [{name: d, stage: stream}]\n", "" },
		{ "", "  backup: {keep: 3}\n  budget: {monthly: 5}\n  cache: {redis: none}\n", "spec.backup spec.budget " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct world w;
		struct bundle *b;
		struct err e = { 0 };
		struct buf got AUTO_BUF = BUF_INIT(0);

		if (world_load(&w, rows[i].org, rows[i].spec, NULL, NULL, &e) < 0 || world_render(&w, &b, &e) < 0)
			fail_msg("%s: %s", rows[i].spec, e.text);
		for (size_t k = 0; k < b->nlater; k++) {
			buf_printf(&got, "%s ", b->later[k]);
			assert_true(strlen(later_text(b->later[k])) > 10);
		}
		if (strcmp(buf_cstr(&got), rows[i].want) != 0)
			fail_msg("'%s%s': '%s', want '%s'", rows[i].org, rows[i].spec, buf_cstr(&got), rows[i].want);
		world_free(&w);
	}
}

/* `n` rows of text with the number of the row for #, as a spec. */
static char *
rows_text(struct arena *mem, const char *head, const char *row, size_t n, const char *tail)
{
	struct buf b AUTO_BUF = BUF_INIT(0);

	buf_str(&b, head);
	for (size_t i = 0; i < n; i++)
		for (const char *c = row; *c; c++)
			if (*c == '#')
				buf_printf(&b, "%zu", i);
			else
				buf_char(&b, *c);
	buf_str(&b, tail);
	return arena_strndup(mem, buf_cstr(&b), b.len);
}

/* An environment's arena ends the program when it runs over: whatever is asked for, rendering must see it before. */
static void
large_specs_render_or_are_refused(void **state)
{
	static const struct {
		const char *head, *row, *tail;
		size_t fits, limit; /* rows that must render, and rows that need not */
	} rows[] = {
		{ "  env:\n", "    V#: x\n", "", 300, 9000 },
		{ "  env:\n    TEXT: \"", "$$#$(x)", "\"\n", 2000, 20000 },
		{ "  volumes:\n", "  - {name: v#, size: 1Gi, path: /v#, access: RWX}\n", "", 30, 1500 },
		{ "  access:\n    ports: [80", ", 1#", "]\n", 100, 5000 },
		{ "  scheduling:\n    nodeSelector:\n", "      k#: v\n", "", 300, 9000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t n = rows[i].fits; n <= rows[i].limit; n = n * 2) {
			struct arena *text = arena_new((size_t)8 << 20), *mem = arena_new(ARENA_ENV_MAX);
			struct world w;
			struct bundle *b;
			struct err e = { 0 };
			int rc;

			assert_int_equal(world_load(&w, "", rows_text(text, rows[i].head, rows[i].row, n, rows[i].tail), NULL, NULL, &e), 0);
			rc = render_env(w.templates, mem, w.tree.envs[0], &b, &e);
			if (rc < 0 && (n == rows[i].fits || !strstr(e.text, "too large")))
				fail_msg("%zu x %s: %s", n, rows[i].row, e.text);
			world_free(&w);
			arena_free(mem);
			arena_free(text);
		}
}

static void
pods_are_bounded(void **state)
{
	static const struct {
		const char *spec;
		int rc;
	} rows[] = {
		{ "  mode: distributed\n  distributed: {worldSize: 128}\n", 0 },
		{ "  mode: distributed\n  distributed: {worldSize: 1024, nprocsPerNode: 8}\n", 0 },
		{ "  mode: distributed\n  distributed: {worldSize: 129}\n", ERR_INVALID },
		{ "  mode: distributed\n  distributed: {worldSize: 4096}\n", ERR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *mem = arena_new(ARENA_ENV_MAX);
		struct world w;
		struct bundle *b;
		struct err e = { 0 };

		assert_int_equal(world_load(&w, "", rows[i].spec, NULL, NULL, &e), 0);
		if (render_env(w.templates, mem, w.tree.envs[0], &b, &e) != rows[i].rc)
			fail_msg("%s: %s", rows[i].spec, e.text);
		world_free(&w);
		arena_free(mem);
	}
}

static void
unknown_template_versions_are_refused(void **state)
{
	struct world w;
	struct bundle *b;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(world_load(&w, "  render: 2\n", "", NULL, NULL, &e), 0);
	assert_int_equal(world_render(&w, &b, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "spec.render is 2, this program has version 1"));
	world_free(&w);
	assert_int_equal(world_load(&w, "  render: 1\n", "", NULL, NULL, &e), 0);
	assert_int_equal(world_render(&w, &b, &e), 0);
	world_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_template_versions_are_refused),
		cmocka_unit_test(large_specs_render_or_are_refused),
		cmocka_unit_test(pods_are_bounded),
		cmocka_unit_test(fields_of_a_spec_reach_the_objects),
		cmocka_unit_test(guaranteed_when_memory_matters),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(an_organization_changes_templates),
		cmocka_unit_test(bad_templates_are_findings),
		cmocka_unit_test(the_same_input_gives_the_same_bytes),
		cmocka_unit_test(digests_follow_what_they_cover),
		cmocka_unit_test(later_names_what_is_not_rendered),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
