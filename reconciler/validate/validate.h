/* SPDX-License-Identifier: Apache-2.0 */
/* All checks on documents and environments; findings only, nothing is changed but doc->ok. */
#pragma once

#include "parse/doc.h"
#include "parse/env.h"
#include "validate/schema.h"

/* The compiled schemas of all kinds. */
struct schemas;

int schemas_load(struct schemas **out, struct err *e) MUST_USE; /* from the compiled-in schema/ */
void schemas_free(struct schemas *s);

/* Schema of the document's kind, and formats that a schema cannot say; clears d->ok on errors. */
void validate_doc(const struct schemas *s, struct doc *d, struct report *r);

/* Rules on berth.yaml alone, after its schema; clears d->ok on errors. */
void validate_org(struct doc *d, struct report *r);

/* A document by itself, outside a repository: its own `kind` says which schema applies. Findings are at `path`. */
void validate_alone(const struct schemas *s, struct arena *mem, const char *path, struct value *root, struct report *r);

/*
 * Rules that need more than one document, for what has been resolved: flavor allowed for role and team, within the
 * flavor's max, image allowed, worldSize divisible, shm within memory, huge pages, … Returns the number of errors.
 */
size_t validate_env(const struct env *env, const struct site *s, struct report *r);

/*
 * Rules between shared documents: names that lead nowhere, two users that would be one, fields that cannot go together.
 * Documents keep their `ok`: what works goes on.
 */
void validate_site(const struct site *s, struct report *r);

/* With approvals.mode signed: whether approvers/ lets those approve who have to. Nothing in other modes. */
void validate_approvers(const struct site *s, const struct files *files, struct report *r);

/* Rules over the whole commit: berth.yaml present, files in places that berth does not know, links. */
void validate_tree(const struct files *files, struct report *r);

/* A file in a place of sealed files (lib/seal/place.h) that is not sealed; nothing else is said of it, and nothing when `r` names it already. Reads it. */
void validate_plain(const struct files *files, const struct file_entry *f, struct report *r);
