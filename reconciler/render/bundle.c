/* SPDX-License-Identifier: Apache-2.0 */
/* Checks and names the objects that templates give, and writes them. */
#include "render/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/doc/yaml.h"
#include "render/bundle_build.h"

#define NAME_MAX_LENGTH 253
#define DEPTH_MAX 100
#define SHOWN_MAX ((size_t)8 << 20) /* of one Secret without its data: far more than its keys take */
#define ROOM_MIN ((size_t)64 * 1024) /* bytes: lists and maps grow by doubling */

/* Kinds without a namespace. "" is the core group. */
static const struct {
	const char *group, *kind;
} cluster_kinds[] = {
	{ "", "Namespace" },
	{ "", "Node" },
	{ "", "PersistentVolume" },
	{ "admissionregistration.k8s.io", "MutatingAdmissionPolicy" },
	{ "admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding" },
	{ "admissionregistration.k8s.io", "MutatingWebhookConfiguration" },
	{ "admissionregistration.k8s.io", "ValidatingAdmissionPolicy" },
	{ "admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding" },
	{ "admissionregistration.k8s.io", "ValidatingWebhookConfiguration" },
	{ "apiextensions.k8s.io", "CustomResourceDefinition" },
	{ "apiregistration.k8s.io", "APIService" },
	{ "cert-manager.io", "ClusterIssuer" },
	{ "external-secrets.io", "ClusterExternalSecret" },
	{ "external-secrets.io", "ClusterSecretStore" },
	{ "gateway.networking.k8s.io", "GatewayClass" },
	{ "karpenter.sh", "NodePool" },
	{ "kueue.x-k8s.io", "AdmissionCheck" },
	{ "kueue.x-k8s.io", "ClusterQueue" },
	{ "kueue.x-k8s.io", "Cohort" },
	{ "kueue.x-k8s.io", "ResourceFlavor" },
	{ "kueue.x-k8s.io", "Topology" },
	{ "kueue.x-k8s.io", "WorkloadPriorityClass" },
	{ "networking.k8s.io", "IngressClass" },
	{ "node.k8s.io", "RuntimeClass" },
	{ "rbac.authorization.k8s.io", "ClusterRole" },
	{ "rbac.authorization.k8s.io", "ClusterRoleBinding" },
	{ "resource.k8s.io", "DeviceClass" },
	{ "scheduling.k8s.io", "PriorityClass" },
	{ "snapshot.storage.k8s.io", "VolumeSnapshotClass" },
	{ "snapshot.storage.k8s.io", "VolumeSnapshotContent" },
	{ "storage.k8s.io", "CSIDriver" },
	{ "storage.k8s.io", "StorageClass" },
	{ "storage.k8s.io", "VolumeAttributesClass" },
};

static bool
cluster_scoped(const char *api_version, const char *kind)
{
	const char *slash = strchr(api_version, '/');
	size_t n = slash ? (size_t)(slash - api_version) : 0;

	for (size_t i = 0; i < sizeof(cluster_kinds) / sizeof(*cluster_kinds); i++)
		if (strcmp(kind, cluster_kinds[i].kind) == 0 && strlen(cluster_kinds[i].group) == n &&
		    strncmp(api_version, cluster_kinds[i].group, n) == 0)
			return true;
	return false;
}

/* Lower-case letters, digits, '-' and '.', a letter or digit at both ends (RFC 1123 subdomain). */
static bool
object_name_valid(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > NAME_MAX_LENGTH || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") != n)
		return false;
	return !strchr("-.", s[0]) && !strchr("-.", s[n - 1]);
}

static bool
kind_valid(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= 63 && *s >= 'A' && *s <= 'Z' &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") == n;
}

/* A deep copy without map members that are null; NULL when too deep, or too large for the arena. */
static struct value *
copy_clean(struct arena *mem, const struct value *v, unsigned depth)
{
	struct value *out, *child;

	if (depth > DEPTH_MAX || arena_room(mem) < ROOM_MIN + (v->type == VALUE_STR ? v->str.len : 0))
		return NULL;
	if (v->type == VALUE_LIST) {
		out = value_list(mem);
		out->at = v->at;
		for (size_t i = 0; i < v->list.n; i++) {
			if (!(child = copy_clean(mem, v->list.items[i], depth + 1)))
				return NULL;
			value_push(mem, out, child);
		}
		return out;
	}
	if (v->type == VALUE_MAP) {
		out = value_map(mem);
		out->at = v->at;
		for (size_t i = 0; i < v->map.n; i++) {
			if (v->map.items[i].value->type == VALUE_NULL)
				continue;
			if (!(child = copy_clean(mem, v->map.items[i].value, depth + 1)))
				return NULL;
			value_set_at(mem, out, v->map.items[i].key, v->map.items[i].at, child);
		}
		return out;
	}
	return value_copy(mem, v);
}

/* Labels under berth.dev/ are berth's: what a template wrote there goes. */
static int
set_labels(struct arena *mem, struct value *metadata, const struct value *ours, struct err *e)
{
	struct value *old = value_get(metadata, "labels"), *labels = value_map(mem);

	if (old && old->type != VALUE_MAP)
		return err_set(e, ERR_INVALID, "metadata.labels is no map");
	for (size_t i = 0; old && i < old->map.n; i++) {
		const struct member *m = &old->map.items[i];

		if (m->value->type != VALUE_STR)
			return err_set(e, ERR_INVALID, "label %s: labels are strings", m->key);
		if (!str_starts(m->key, "berth.dev/"))
			value_set_at(mem, labels, m->key, m->at, m->value);
	}
	for (size_t i = 0; i < ours->map.n; i++)
		value_set(mem, labels, ours->map.items[i].key, ours->map.items[i].value);
	value_set(mem, metadata, "labels", labels);
	return 0;
}

/* Where the object lives: always the unit's namespace, where the unit has one. */
static int
set_namespace(struct arena *mem, const struct bundle_unit *u, struct object *o, struct value *metadata, struct err *e)
{
	if (cluster_scoped(o->api_version, o->kind)) {
		if (u->namespaced_only)
			return err_set(e, ERR_DENIED, "%s %s: an environment's set holds only objects of its namespace", o->kind, o->name);
		if (u->namespace_ && strcmp(o->kind, "Namespace") == 0 && strcmp(o->name, u->namespace_) != 0)
			return err_set(e, ERR_DENIED, "Namespace %s: the user's namespace is %s", o->name, u->namespace_);
		value_del(metadata, "namespace");
		o->namespace_ = NULL;
		return 0;
	}
	if (u->namespace_)
		value_set(mem, metadata, "namespace", value_str(mem, u->namespace_));
	o->namespace_ = value_as_str(value_get(metadata, "namespace"), NULL);
	if (!o->namespace_ || !object_name_valid(o->namespace_))
		return err_set(e, ERR_INVALID, "%s %s: needs metadata.namespace in this set", o->kind, o->name);
	return 0;
}

static const char *
file_name(struct arena *mem, const char *kind, const char *name)
{
	char *file = arena_printf(mem, "%s-%s.yaml", kind, name);

	for (char *c = file; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return file;
}

/* https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/: kube- is kept for the system. */
static bool
namespace_reserved(const char *name)
{
	return strcmp(name, "default") == 0 || str_starts(name, "kube-");
}

static int
make(struct arena *mem, const struct bundle_unit *u, const struct value *v, bool secret, struct object *out, struct err *e)
{
	struct object o = { 0 };
	struct value *copy, *metadata;
	int rc;

	if (u->namespace_ && namespace_reserved(u->namespace_))
		return err_set(e, ERR_DENIED, "the namespace %s belongs to the cluster: choose another namespacePrefix or owner",
		               u->namespace_);
	if (!value_is(v, VALUE_MAP))
		return err_set(e, ERR_INVALID, "gives a %s where an object belongs", value_type_name(v->type));
	if (!(copy = copy_clean(mem, v, 0)))
		return err_set(e, ERR_INVALID, "gives an object of more than %d levels, or too large a one", DEPTH_MAX);
	o.api_version = value_as_str(value_get(copy, "apiVersion"), NULL);
	o.kind = value_as_str(value_get(copy, "kind"), NULL);
	metadata = value_get(copy, "metadata");
	o.name = value_as_str(value_get(metadata, "name"), NULL);
	if (!o.api_version || !o.kind || !o.name)
		return err_set(e, ERR_INVALID, "gives an object without %s",
		               !o.api_version ? "apiVersion" : !o.kind ? "kind" : "metadata.name");
	if (!kind_valid(o.kind))
		return err_set(e, ERR_INVALID, "gives an object of kind '%.80s': not a kind", o.kind);
	if (!object_name_valid(o.name))
		return err_set(e, ERR_INVALID, "%s '%.80s': a name has only a-z, 0-9, '-' and '.'", o.kind, o.name);
	if (!secret && strcmp(o.kind, "Secret") == 0)
		return err_set(e, ERR_DENIED, "Secret %s: templates give no Secrets, since this would stand readable in git", o.name);
	/* kubectl and kustomize take a list apart: what is inside would have no checks, namespace or labels of ours */
	if (str_ends(o.kind, "List") && value_get(copy, "items"))
		return err_set(e, ERR_DENIED, "%s %s: give the objects themselves, one by one", o.kind, o.name);
	if ((rc = set_namespace(mem, u, &o, metadata, e)) < 0)
		return rc;
	if (set_labels(mem, metadata, u->labels, e) < 0)
		return err_wrap(e, "%s %s", o.kind, o.name);
	value_sort(copy);
	o.file = file_name(mem, o.kind, o.name);
	o.value = copy;
	*out = o;
	return 0;
}

int
object_make(struct arena *mem, const struct bundle_unit *u, const struct value *v, struct object *out, struct err *e)
{
	return make(mem, u, v, false, out, e);
}

int
object_make_own(struct arena *mem, const struct bundle_unit *u, const struct value *v, const struct object_parts *parts, struct object *out,
                struct err *e)
{
	if (make(mem, u, v, parts != NULL, out, e) < 0)
		return e->code;
	if (!parts)
		return 0;
	if (strcmp(out->kind, "Secret") != 0 || value_get(out->value, "data") || value_get(out->value, "stringData"))
		return err_set(e, ERR_INTERNAL, "%s %s: parts belong to a Secret without data", out->kind, out->name);
	out->parts = parts->parts;
	out->digests = parts->digests;
	out->nparts = parts->n;
	return 0;
}

void
object_digest(const struct object *o, struct digest *out)
{
	struct hash_state h;
	struct digest d;

	value_digest(o->value, &d);
	if (o->nparts == 0) {
		*out = d;
		return;
	}
	hash_init(&h);
	hash_field(&h, d.b, sizeof(d.b));
	for (size_t i = 0; i < o->nparts; i++) {
		hash_field_str(&h, o->parts[i].key);
		hash_field_str(&h, o->digests[i]);
	}
	hash_final(&h, out);
}

static int
by_file(const void *a, const void *b)
{
	return strcmp(((const struct made *)a)->object.file, ((const struct made *)b)->object.file);
}

/* Two templates that give one object are a template's fault; one that gives it twice does what a spec asks of it. */
static int
given_twice(const struct made *a, const struct made *b, struct err *e)
{
	if (strcmp(a->template, b->template) == 0) {
		err_set(e, ERR_INVALID, "%s %s is given twice: by %s", a->object.kind, a->object.name, a->template);
		return err_hint(e, "two names of the spec lead to one object: change one of them");
	}
	err_set(e, ERR_INVALID, "%s:%u:%u: %s %s is given twice: by %s and by %s", b->template, b->at.line, b->at.col, b->object.kind,
	        b->object.name, a->template, b->template);
	return err_hint(e, "give it another name, or name the file %s to replace the other template", a->template);
}

int
bundle_make(struct arena *mem, const char *unit, struct made *made, size_t n, struct bundle **out, struct err *e)
{
	struct bundle *b = arena_alloc(mem, sizeof(*b));
	struct hash_state h;

	if (n > 0)
		qsort(made, n, sizeof(*made), by_file);
	b->unit = unit;
	b->objects = arena_array(mem, n + 1, sizeof(*b->objects));
	b->n = n;
	for (size_t i = 1; i < n; i++)
		if (strcmp(made[i - 1].object.file, made[i].object.file) == 0)
			return given_twice(&made[i - 1], &made[i], e);
	hash_init(&h); /* nothing may return before hash_final */
	for (size_t i = 0; i < n; i++) {
		struct digest d;

		b->objects[i] = made[i].object;
		object_digest(&made[i].object, &d);
		hash_field_str(&h, made[i].object.file);
		hash_field(&h, d.b, sizeof(d.b));
	}
	hash_final(&h, &b->digest);
	*out = b;
	return 0;
}

/* What stands for one entry of a Secret's data where people look. */
static struct value *
shown(struct arena *mem, const struct part *p)
{
	if (p->sealed && p->file)
		return value_fmt(mem, "<sealed: %s%s%s>", p->file, *p->value ? " " : "", p->value);
	return value_str(mem, "<sealed: of berth's master key>");
}

/* The value with its data put in at its place in the order of keys; shared subtrees are not touched. */
static struct value *
with_data(struct arena *mem, const struct object *o)
{
	struct value *out = value_map(mem), *data = value_map(mem);

	for (size_t i = 0; i < o->nparts; i++)
		value_set(mem, data, o->parts[i].key, shown(mem, &o->parts[i]));
	for (size_t i = 0; i < o->value->map.n; i++) {
		const struct member *m = &o->value->map.items[i];

		if (strcmp(m->key, "data") > 0 && !value_get(out, "data"))
			value_set(mem, out, "data", data);
		value_set(mem, out, m->key, m->value);
	}
	return out;
}

const struct value *
object_shown(struct arena *mem, const struct object *o)
{
	return o->nparts ? with_data(mem, o) : o->value;
}

void
object_write(const struct object *o, struct buf *out)
{
	struct arena *mem;

	if (o->nparts == 0) {
		yaml_write(o->value, out);
		return;
	}
	mem = arena_new(SHOWN_MAX);
	yaml_write(with_data(mem, o), out);
	arena_free(mem);
}

/* Written by hand: file names need no quotes. */
void
bundle_kustomization(const struct bundle *b, struct buf *out)
{
	buf_str(out, "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n");
	buf_str(out, b->n > 0 ? "resources:\n" : "resources: []\n");
	for (size_t i = 0; i < b->n; i++)
		buf_printf(out, "- %s\n", b->objects[i].file);
}
