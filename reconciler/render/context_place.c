/* SPDX-License-Identifier: Apache-2.0 */
/* Where the pods of an environment may run. */
#include <string.h>

#include "parse/shape.h"
#include "render/context_pod.h"

#define ZONE_LABEL "topology.kubernetes.io/zone"
#define NUMA_LABEL "berth.dev/numa" /* "single": the kubelet gives a pod cores, memory and devices of one NUMA node, or none */
#define SPOT_TAINT "berth.dev/spot"

#define PREFERRED "preferredDuringSchedulingIgnoredDuringExecution"
#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"

/* How autoscalers mark what a machine was bought as. */
static const struct {
	const char *label, *spot;
} capacity[] = {
	{ SPOT_NODES_LABEL, "spot" },
	{ "eks.amazonaws.com/capacityType", "SPOT" },
};

static struct value *
expression(struct arena *mem, const char *key, const char *operator_, const char *value)
{
	struct value *expr = pod_str1(mem, "key", key), *values = value_list(mem);

	value_push(mem, values, value_str(mem, value));
	value_set(mem, expr, "operator", value_str(mem, operator_));
	value_set(mem, expr, "values", values);
	return expr;
}

/* {matchExpressions: [first, second]}; second may be NULL. */
static struct value *
node_term(struct arena *mem, struct value *first, struct value *second)
{
	struct value *exprs = value_list(mem), *term = value_map(mem);

	value_push(mem, exprs, first);
	if (second)
		value_push(mem, exprs, second);
	value_set(mem, term, "matchExpressions", exprs);
	return term;
}

static void
prefer(struct arena *mem, struct value *node, int64_t weight, struct value *term)
{
	struct value *list = value_get(node, PREFERRED), *weighted = value_map(mem);

	if (!list) {
		list = value_list(mem);
		value_set(mem, node, PREFERRED, list);
	}
	value_set(mem, weighted, "weight", value_int(mem, weight));
	value_set(mem, weighted, "preference", term);
	value_push(mem, list, weighted);
}

static void
require(struct arena *mem, struct value *node, struct value *terms)
{
	struct value *required = value_map(mem);

	value_set(mem, required, "nodeSelectorTerms", terms);
	value_set(mem, node, REQUIRED, required);
}

/* Spot machines: sought, demanded, or kept away from where the flavor's own nodes have some. */
static void
spot(struct arena *mem, const struct env *env, struct value *node, struct value *tolerations)
{
	enum spot wish = shape_spot(env);
	struct value *terms = value_list(mem), *toleration;

	if (wish == SPOT_NEVER && shape_spot_nodes(env->flavor)) {
		value_push(mem, terms, node_term(mem, expression(mem, capacity[0].label, "NotIn", capacity[0].spot),
		                                 expression(mem, capacity[1].label, "NotIn", capacity[1].spot)));
		require(mem, node, terms);
	}
	if (wish == SPOT_NEVER)
		return;
	for (size_t i = 0; i < sizeof(capacity) / sizeof(*capacity); i++) {
		struct value *term = node_term(mem, expression(mem, capacity[i].label, "In", capacity[i].spot), NULL);

		if (wish == SPOT_ONLY)
			value_push(mem, terms, term);
		else
			prefer(mem, node, 50, term);
	}
	if (wish == SPOT_ONLY)
		require(mem, node, terms);
	toleration = pod_str1(mem, "key", SPOT_TAINT);
	value_set(mem, toleration, "operator", value_str(mem, "Exists"));
	value_push(mem, tolerations, toleration);
}

/* All pods of the environment within one domain of `key`. */
static struct value *
pods_together(struct arena *mem, const char *key, struct value *selector)
{
	struct value *term = pod_str1(mem, "topologyKey", key), *match = value_map(mem), *list = value_list(mem), *out = value_map(mem);

	value_set(mem, match, "matchLabels", selector);
	value_set(mem, term, "labelSelector", match);
	value_push(mem, list, term);
	value_set(mem, out, REQUIRED, list);
	return out;
}

/* The node label whose domains distributed.topology names; NULL for none. */
static const char *
topology_label(const struct env *env)
{
	const char *word = env->distributed ? value_as_str(value_at(env->spec, "distributed.topology"), "none") : "none";

	if (strcmp(word, "zone") == 0)
		return ZONE_LABEL;
	return strcmp(word, "rack") == 0 ? value_as_str(value_at(pod_spec(env->org), "cluster.rackLabel"), NULL) : NULL;
}

/*
 * Kueue finds a domain with room for all pods before it admits them, where a topology is set up for the flavor; an affinity
 * places the first pod anywhere and lets the others wait.
 */
static void
topology(struct arena *mem, const struct env *env, struct value *affinity, struct value *out)
{
	const char *label = topology_label(env);
	bool kueue = value_is(value_get(out, "queue"), VALUE_STR) && value_at(pod_spec(env->org), "cluster.topology") &&
	             value_len(value_at(pod_spec(env->flavor), "nodeSelector")) > 0;

	value_set(mem, out, "topology", label && kueue ? value_str(mem, label) : value_null(mem));
	if (label && !kueue)
		value_set(mem, affinity, "podAffinity", pods_together(mem, label, value_get(out, "selector")));
}

/* A map or list, or null when there is nothing in it. */
static struct value *
some(struct arena *mem, struct value *v)
{
	return value_len(v) > 0 ? v : value_null(mem);
}

void
pod_placement(struct arena *mem, const struct env *env, struct value *out)
{
	const struct value *flavor = pod_spec(env->flavor), *own = value_get(flavor, "tolerations");
	const char *product = value_as_str(value_at(flavor, "gpu.product"), NULL);
	const char *numa = value_as_str(value_at(env->spec, "resources.numa"), "none");
	struct value *affinity = value_map(mem), *node = value_map(mem), *tolerations = value_list(mem);
	struct value *nodes = value_overlay(mem, value_get(flavor, "nodeSelector"), value_at(env->spec, "scheduling.nodeSelector"));

	nodes = nodes ? value_overlay(mem, nodes, value_map(mem)) : value_map(mem);
	for (size_t i = 0; i < value_len(own); i++)
		value_push(mem, tolerations, value_item(own, i));
	if (product && env->gpu > 0)
		value_set(mem, nodes, "nvidia.com/gpu.product", value_str(mem, product));
	if (strcmp(numa, "required") == 0)
		value_set(mem, nodes, NUMA_LABEL, value_str(mem, "single"));
	if (strcmp(numa, "preferred") == 0)
		prefer(mem, node, 100, node_term(mem, expression(mem, NUMA_LABEL, "In", "single"), NULL));
	spot(mem, env, node, tolerations);
	if (value_len(node) > 0)
		value_set(mem, affinity, "nodeAffinity", node);
	topology(mem, env, affinity, out);
	value_set(mem, out, "nodeSelector", some(mem, nodes));
	value_set(mem, out, "tolerations", some(mem, tolerations));
	value_set(mem, out, "affinity", some(mem, affinity));
}
