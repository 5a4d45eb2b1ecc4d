/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of one shared document that have to go together, or Kubernetes or Kueue would refuse what they become. */
#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "parse/quantity.h"
#include "validate/rules.h"
#include "validate/site_rules.h"

#define QUEUE_FLAVORS_MAX 64 /* what Kueue takes in one group of resources */

/* -- flavors ----------------------------------------------------------------------------------------------------- */

static void
check_toleration(struct site_rules *c, const struct value *t)
{
	bool exists = str_eq(value_as_str(value_get(t, "operator"), NULL), "Exists");
	const struct value *key = value_get(t, "key"), *value = value_get(t, "value"), *secs = value_get(t, "tolerationSeconds");
	struct finding *f;

	if (exists && value_len(value)) {
		f = say(c->r, INCONSISTENT, value->at, "a toleration with operator Exists has no value");
		finding_help(c->r, f, "take the value out, or write operator: Equal");
	}
	if (!exists && value_len(key) == 0) {
		f = say(c->r, INCONSISTENT, t->at, "a toleration without a key needs operator: Exists");
		finding_help(c->r, f, "name the taint's key, or write operator: Exists for every taint");
	}
	if (secs && !str_eq(value_as_str(value_get(t, "effect"), NULL), "NoExecute")) {
		f = say(c->r, INCONSISTENT, secs->at, "tolerationSeconds goes with effect: NoExecute only");
		finding_help(c->r, f, "write effect: NoExecute, or take tolerationSeconds out");
	}
}

/* Devices come whole, and request and limit are the same; huge pages have a field of their own. */
static void
check_resource(struct site_rules *c, const struct doc *d, const struct member *m)
{
	const struct value *other = value_at(d->spec, "resources.limits");
	bool device = strchr(m->key, '/') != NULL;
	int64_t milli, limit;
	struct finding *f;

	if (quantity_milli(m->value, &milli) < 0)
		return;
	if (str_starts(m->key, "hugepages-")) {
		f = say(c->r, INCONSISTENT, m->at, "a flavor does not give huge pages by '%s'", m->key);
		finding_help(c->r, f, "write defaults: {resources: {hugepages: {%s: …}}}", m->key + strlen("hugepages-"));
	} else if (!device && !str_eq(m->key, "cpu") && !str_eq(m->key, "memory") && !str_eq(m->key, "ephemeral-storage")) {
		f = say(c->r, UNKNOWN_FIELD, m->at, "'%s' is no resource of a pod", say_text(c->r->mem, m->key));
		finding_help(c->r, f, "there are cpu, memory, ephemeral-storage, and devices such as nvidia.com/gpu");
	} else if (device && milli % 1000) {
		f = say(c->r, BAD_FORMAT, m->value->at, "%s is counted in whole numbers", m->key);
		finding_help(c->r, f, "write %" PRId64, milli / 1000 + 1);
	} else if (device && value_get(other, m->key) && quantity_milli(value_get(other, m->key), &limit) == 0 && limit != milli) {
		f = say(c->r, INCONSISTENT, m->value->at, "%s: request and limit differ, for devices they are the same", m->key);
		finding_help(c->r, f, "write it once, under resources.limits");
		finding_note(c->r, f, "the limit is set at %s", say_place(c->r->mem, value_get(other, m->key)));
	} else if (!device && milli == 0) {
		f = say(c->r, OUT_OF_RANGE, m->value->at, "%s: nothing runs on 0", m->key);
		finding_help(c->r, f, "write more than 0, or leave it out so that each environment says how much");
	}
}

static void
check_flavor(struct site_rules *c, const struct doc *d)
{
	static const char *const lists[] = { "resources.requests", "resources.limits" };
	const struct value *tolerations = value_get(d->spec, "tolerations"), *nodes = value_get(d->spec, "nodeSelector");
	const struct value *min = value_at(d->spec, "nodeGroup.min"), *max = value_at(d->spec, "nodeGroup.max");
	struct finding *f;

	for (size_t i = 0; i < value_len(tolerations) && value_is(tolerations, VALUE_LIST); i++)
		if (value_is(value_item(tolerations, i), VALUE_MAP))
			check_toleration(c, value_item(tolerations, i));
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		const struct value *map = value_at(d->spec, lists[i]);

		for (size_t k = 0; value_is(map, VALUE_MAP) && k < map->map.n; k++)
			check_resource(c, d, &map->map.items[k]);
	}
	rules_label_keys(c->r, nodes, "nodeSelector");
	if (value_is(min, VALUE_INT) && value_is(max, VALUE_INT) && min->integer > max->integer) {
		f = say(c->r, INCONSISTENT, min->at, "nodeGroup.min is %" PRId64 ", nodeGroup.max is %" PRId64, min->integer, max->integer);
		finding_help(c->r, f, "write min: %" PRId64 " or less", max->integer);
		finding_note(c->r, f, "limit set at %s", say_place(c->r->mem, max));
	}
}

/* A label's name, behind an optional prefix, has at most 63 characters. */
void
rules_label_keys(struct report *r, const struct value *map, const char *field)
{
	for (size_t i = 0; value_is(map, VALUE_MAP) && i < map->map.n; i++) {
		const struct member *m = &map->map.items[i];
		const char *slash = strchr(m->key, '/'), *name = slash ? slash + 1 : m->key;
		struct finding *f;

		if (strlen(name) <= 63 && (!slash || slash - m->key <= 253))
			continue;
		f = say(r, BAD_FORMAT, m->at, "%s: '%s' is too long for a label", field, say_text(r->mem, m->key));
		finding_help(r, f, "the name has at most 63 characters, a prefix before '/' at most 253");
	}
}

/* -- teams, users, images ---------------------------------------------------------------------------------------- */

static void
check_team(struct site_rules *c, const struct doc *d)
{
	const struct value *q = value_get(d->spec, "queue"), *quota = value_get(q, "quota"), *borrow = value_get(q, "borrow");
	struct finding *f;

	if (value_len(quota) > QUEUE_FLAVORS_MAX) {
		f = say(c->r, OUT_OF_RANGE, quota->at, "queue.quota names %zu flavors, Kueue takes %d", value_len(quota), QUEUE_FLAVORS_MAX);
		finding_help(c->r, f, "take flavors out that the team does not use");
	}
	if (value_len(borrow) && !value_get(q, "cohort")) {
		f = say(c->r, INCONSISTENT, borrow->at, "queue.borrow without queue.cohort: there is nobody to borrow from");
		finding_help(c->r, f, "name the cohort, for example cohort: org, or take borrow out");
	}
}

/* A claim of nothing is refused by Kubernetes. */
void
rules_size(struct report *r, const struct value *v, struct place at, const char *field)
{
	struct finding *f;
	int64_t n;

	if (!v || quantity_units(v, &n) < 0 || n > 0)
		return;
	f = say(r, OUT_OF_RANGE, at, "%s is 0, and a volume of nothing cannot be made", field);
	finding_help(r, f, "write a size such as 20Gi, or take the volume out");
}

static void
check_image(struct site_rules *c, const struct doc *d)
{
	const struct value *versions = value_get(d->spec, "versions");
	const struct value *digest = rules_doc(c->s->org, "images.requireDigest");
	struct map seen AUTO_MAP = MAP_INIT;
	struct finding *f;

	for (size_t i = 0; i < value_len(versions) && value_is(versions, VALUE_LIST); i++) {
		const struct value *v = value_item(versions, i), *name = value_get(v, "name"), *image = value_get(v, "image");
		const struct value *first = value_is(name, VALUE_STR) ? map_get(&seen, name->str.s) : NULL;

		if (first) {
			f = say(c->r, NAME_TAKEN, name->at, "the version '%s' is there twice", name->str.s);
			finding_help(c->r, f, "take one of them out, or choose another name");
			finding_note(c->r, f, "first used at %s", say_place(c->r->mem, first));
		} else if (value_is(name, VALUE_STR)) {
			(void)map_put(&seen, name->str.s, (void *)(uintptr_t)name);
		}
		if (!value_is(image, VALUE_STR) || !value_as_bool(digest, false) || strstr(image->str.s, "@sha256:"))
			continue;
		f = say(c->r, NOT_PERMITTED, image->at, "image '%s' names no digest", say_text(c->r->mem, image->str.s));
		finding_help(c->r, f, "write it as NAME@sha256:…");
		finding_note(c->r, f, "limit set at %s", say_place(c->r->mem, digest));
	}
}

void
site_rules_doc(struct site_rules *c, const struct doc *d)
{
	const struct value *size = value_at(d->spec, "sharedVolume.size"), *dotfiles = value_at(d->spec, "dotfiles.url");

	if (d->kind == KIND_FLAVOR)
		check_flavor(c, d);
	else if (d->kind == KIND_TEAM)
		check_team(c, d);
	else if (d->kind == KIND_IMAGE)
		check_image(c, d);
	else if (d->kind == KIND_USER && size)
		rules_size(c->r, size, size->at, "sharedVolume.size");
	if (d->kind == KIND_USER && dotfiles)
		rules_git_url(c->r, dotfiles, dotfiles->at);
}
