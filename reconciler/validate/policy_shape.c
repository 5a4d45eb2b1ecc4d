/* SPDX-License-Identifier: Apache-2.0 */
/* What an environment asks of its flavor and cluster beyond sizes: engine, fabric, topology, shares, spot machines, root entry. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/shape.h"
#include "validate/rules.h"

#define USER_NAMESPACES 33 /* minor version of Kubernetes that has them on by default */

static void
rule_engine(struct rules *c)
{
	const struct value *engine = rules_get(c, "distributed.engine"), *command = rules_get(c, "distributed.command");
	struct finding *f;

	if (shape_jobset(c->env) && !shape_feature(c->env->org, "jobset")) {
		f = say(c->r, INCONSISTENT, rules_place(c, engine), "engine: jobset needs JobSets, which cluster.features of berth.yaml does not name");
		finding_help(c->r, f, "write engine: statefulset; an administrator can install JobSet and add jobset there");
	}
	if (c->env->distributed && command && !shape_jobset(c->env)) {
		f = say(c->r, INCONSISTENT, rules_place(c, command), "distributed.command goes with engine: jobset only");
		finding_help(c->r, f, "write engine: jobset, or take it out and start torch.sh in the environment");
	}
}

/* Both name what only the administrators know: the nodes' labels and devices. */
static void
rule_network(struct rules *c)
{
	const struct value *topology = rules_get(c, "distributed.topology"), *rdma = rules_get(c, "distributed.rdma");
	const char *device, *kind = shape_rdma(c->env);
	struct finding *f;
	int64_t n;

	if (!c->env->distributed)
		return;
	if (str_eq(value_as_str(topology, NULL), "rack") && !rules_doc(c->env->org, "cluster.rackLabel")) {
		f = say(c->r, INCONSISTENT, rules_place(c, topology), "topology: rack, but nobody has said which label of the nodes names the rack");
		finding_help(c->r, f, "write topology: zone; an administrator can set cluster.rackLabel in berth.yaml");
	}
	if (strcmp(kind, "none") != 0 && !shape_fabric(c->env, &device, &n)) {
		f = say(c->r, INCONSISTENT, rules_place(c, rdma), "rdma: %s, but flavor '%s' names no such device", kind, c->env->flavor->name);
		finding_help(c->r, f, "choose a flavor that has it; an administrator can add rdma: {resource: %s} to this one",
		             strcmp(kind, "efa") == 0 ? EFA_RESOURCE : "rdma/…");
	}
}

/* Settings that the backend does not read, said before somebody looks for their effect. */
static void
rule_backend(struct rules *c)
{
	const struct value *settings = rules_get(c, "distributed.ncclSettings");
	const char *backend = value_as_str(rules_get(c, "distributed.backend"), "nccl");
	struct finding *f;

	if (!c->env->distributed || strcmp(backend, "nccl") == 0)
		return;
	for (size_t i = 0; value_is(settings, VALUE_MAP) && i < settings->map.n; i++) {
		const struct member *m = &settings->map.items[i];

		if (!str_starts(m->key, "NCCL_") && !str_starts(m->key, "TORCH_NCCL_"))
			continue;
		f = report_add(c->r, FINDING_NO_EFFECT, SEVERITY_WARNING, rules_place(c, m->value), "%s is not set: backend %s does not read it",
		               say_text(c->mem, m->key), backend);
		finding_help(c->r, f, "take it out, or write backend: nccl");
	}
}

static void
rule_sharing(struct rules *c)
{
	const struct value *own = rules_get(c, "scheduling.gpuSharing"), *gpu = rules_get(c, "resources.gpu");
	const char *sharing = shape_sharing(c->env), *of = shape_flavor_sharing(c->env->flavor);
	bool share = strcmp(sharing, "mps") == 0 || strcmp(sharing, "timeslice") == 0;
	struct finding *f;

	if (c->env->gpu == 0)
		return;
	if (strcmp(sharing, "dra") == 0 && !shape_feature(c->env->org, "dra")) {
		f = say(c->r, INCONSISTENT, rules_place(c, own), "gpuSharing: dra needs claims of devices, which cluster.features of berth.yaml does not name");
		finding_help(c->r, f, "write gpuSharing: none; an administrator can install the GPU driver for DRA and add dra there");
	}
	if (share && c->env->gpu > 1) {
		f = say(c->r, INCONSISTENT, rules_place(c, gpu ? gpu : own), "%" PRId64 " shares of a GPU: nodes give one, more are no larger part of it",
		        c->env->gpu);
		finding_help(c->r, f, "write gpu: 1, or gpuSharing: none for whole ones");
	}
	/* the queue counts what flavors ask for, and admits nothing else */
	if (shape_feature(c->env->org, "kueue") && rules_doc(c->env->team, "queue") && strcmp(sharing, of) != 0) {
		f = say(c->r, INCONSISTENT, rules_place(c, own), "gpuSharing is %s, but the queue of team '%s' counts flavor '%s' with sharing %s",
		        sharing, c->env->team->name, c->env->flavor->name, of);
		finding_help(c->r, f, "leave it out, or choose a flavor with gpu: {sharing: %s}", sharing);
	}
}

static void
rule_spot(struct rules *c)
{
	const struct value *spot = rules_get(c, "scheduling.spot"), *capacity = rules_doc(c->env->flavor, "nodeGroup.capacity");
	const struct value *group = rules_doc(c->env->flavor, "nodeGroup");
	struct finding *f;

	if (shape_spot(c->env) != SPOT_ONLY || !group || shape_spot_nodes(c->env->flavor))
		return;
	f = say(c->r, INCONSISTENT, rules_place(c, spot), "spot: only, but flavor '%s' buys no spot machines", c->env->flavor->name);
	finding_help(c->r, f, "write spot: allow, or choose another flavor");
	finding_note(c->r, f, "set at %s", say_place(c->mem, capacity ? capacity : group));
}

static void
rule_root_entry(struct rules *c)
{
	const struct value *version = rules_doc(c->env->org, "cluster.version");
	int64_t minor = shape_minor(c->env->org);
	struct finding *f;

	if (!shape_root_entry(c->env) || minor >= USER_NAMESPACES)
		return;
	if (minor == 0) { /* an older server would drop the user namespace without a word, and root would be the node's */
		f = say(c->r, INCONSISTENT, rules_place(c, rules_get(c, "packages")), "packages that need root need user namespaces, and berth.yaml does not "
		        "say which Kubernetes this is");
		finding_help(c->r, f, "an administrator writes cluster.version, 1.33 or newer; or take the tools from conda or pip");
		return;
	}
	f = say(c->r, INCONSISTENT, rules_place(c, rules_get(c, "packages")), "packages that need root need user namespaces, which Kubernetes %s has not",
	        value_as_str(version, "?"));
	finding_help(c->r, f, "take the tools from conda or pip, or an image that has them");
	finding_note(c->r, f, "set at %s", say_place(c->mem, version));
}

void
rules_shape(struct rules *c)
{
	rule_engine(c);
	rule_network(c);
	rule_backend(c);
	rule_sharing(c);
	rule_spot(c);
	rule_root_entry(c);
}
