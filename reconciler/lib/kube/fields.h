/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wrote what: reading metadata.managedFields (https://kubernetes.io/docs/reference/using-api/server-side-apply/,
 * FieldsV1 of sigs.k8s.io/structured-merge-diff). Pure; takes any tree, however malformed.
 */
#pragma once

#include <stdbool.h>

#include "lib/doc/value.h"

/* What metadata.managedFields says to the owner of the object. */
struct fields_view {
	bool ours;            /* there is an Apply entry of `manager` */
	struct digest digest; /* of our entry and all foreign ones, times included: differs when a hand was in it */
	const char *foreign;  /* the newest writer that is neither ours nor allowed, or NULL; points into the metadata (untrusted) */
	const char *foreign_time; /* when, RFC 3339, or NULL: the API server gives none for a write through /scale */
	const char *what;     /* a field of it, for people: "spec.template.spec.containers[main].image", or NULL; one line, in mem */
	size_t nforeign;      /* entries of such writers */
};

/*
 * `metadata` of an object (a PartialObjectMetadata is enough). Fields below `status` never count, whoever writes
 * them; a label or annotation written through /status does (kubectl patch --subresource=status can). Co-writers that
 * are allowed are rows of a table (fields_writers.c): kind, manager, and the fields each may write; an entry with a
 * field outside them is foreign. `kind` is the object's kind. An Update entry under our own manager's name is foreign
 * too, and so is anything through /scale.
 *
 * A field that somebody removed leaves no entry, our own only gets smaller (JSON patch, kubectl label KEY-, kubectl
 * scale --replicas=0): then `digest` differs and `foreign` is NULL.
 */
void fields_look(struct arena *mem, const struct value *metadata, const char *kind, const char *manager,
                 struct fields_view *out);

/*
 * managedFields with the foreign fields moved into our Apply entry (made when there is none) and entries without
 * other fields gone: written back, the next apply removes what strangers added. What a co-writer may write stays his,
 * also in an entry that holds both. NULL when there is nothing to take over. In mem, sharing parts of `metadata`.
 * `api_version` is what our entry is written as when it has to be made.
 */
struct value *fields_take_over(struct arena *mem, const struct value *metadata, const char *kind, const char *api_version,
                               const char *manager);

/*
 * Is everything in `want` in `live`? For the question "does the cluster hold what was rendered", where nobody
 * remembers what was sent.
 * - Maps: each key of want. null, {} and [] equal absence in live; so do false, "" and 0 of the few fields that the
 *   API server drops then.
 * - Lists that Kubernetes merges (containers, env, volumes, volumeMounts, ports …: a table) item by item by their
 *   key, and live may have more; all others index by index with equal length, and everything below them too: an extra
 *   item there is a change of ours (tolerations, rules of a NetworkPolicy, subjects). Peers of a NetworkPolicy must
 *   be equal.
 * - Quantities compare as quantities ("1000m" = "1") below limits, requests, hard and the like, and wherever one side
 *   is a number and the other a string; nowhere else: the label "1.0" is not "1".
 * *where (may be NULL) gets the first path that differs, in mem, when it is not.
 */
bool fields_subset(struct arena *mem, const struct value *want, const struct value *live, const char **where);

/*
 * Does our Apply entry own a field that `want` (the whole object as it is sent) lacks? Then somebody applied under
 * our name (kubectl apply --server-side --field-manager=berth), or we did with an older rendering: apply again. With
 * fields_subset this needs no memory of what was sent. *where (may be NULL) as above.
 */
bool fields_extra(struct arena *mem, const struct value *want, const struct value *metadata, const char *manager,
                  const char **where);
