/* SPDX-License-Identifier: Apache-2.0 */
/* What `berth new` and `berth user` write: documents with the fewest lines, in canonical form. */
#pragma once

#include "cli/propose.h"

/*
 * The text of a document: apiVersion, kind and this spec, in the layout of `berth fmt`. Where the tree has the kind's schema for editors (.vscode/schema/) the first two
 * lines say where, relative to `path` (https://github.com/redhat-developer/yaml-language-server "inlined schema", and JetBrains' "# $schema:"). In mem.
 */
int doc_text(struct arena *mem, const struct files *files, enum kind kind, const char *path, const struct value *spec, struct file_change *out, struct err *e) MUST_USE;

/* One environment of somebody's, as it would be: read by the same code that reads it from a commit. */
struct probe {
	struct value *spec;
	struct env_result r; /* r.env NULL: not allowed, or not possible */
};

/* Lays n environments beside what is there and reads them, unrendered. Results live in p->mem. */
int probe_all(struct proposal *p, const char *owner, struct probe *probes, size_t n, struct err *e) MUST_USE;

/* What a person asks for; NULL: nothing said. */
struct wishes {
	const char *flavor, *image, *team, *gpus, *memory, *access, *ttl;
};

#define ACCESS_NONE "none"

/* ERR_USAGE for what no document could say: an access that is none, a memory without a unit. */
int wishes_check(struct arena *mem, const struct wishes *w, struct err *e) MUST_USE;

/* "ssh, terminal": what an environment with this spec (merged) is reached by. */
const char *access_text(struct arena *mem, const struct value *spec);

/* The spec with the fewest lines: what is the default anyway is left out. */
int wishes_spec(struct proposal *p, const char *owner, const struct wishes *w, struct value **spec, struct err *e) MUST_USE;

/* Asks for what was not said, five questions at most (`asked` of them were put already). Nothing when p does not ask; ERR_USAGE when the flavor is missing then. */
int wishes_ask(struct proposal *p, const char *owner, unsigned asked, struct wishes *w, struct err *e) MUST_USE;

/* What comes of it, on stdout: the file, the sets that change, size and price. */
int new_show(struct proposal *p, const char *owner, const char *name, const struct file_change *file, struct err *e) MUST_USE;
