/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a forge asks for reviews, as its CODEOWNERS file: made from berth.yaml's approvals, teams/ and users/. Pure. Dialects:
 * GitHub "About code owners" (gitignore-like, the last line that matches counts), GitLab "Syntax of CODEOWNERS file" (the same, within a
 * section), Gitea "Code Owners" (a Go regular expression that is anchored on both sides, and every line that matches counts).
 */
#pragma once

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/files.h"

enum owners_forge { OWNERS_GITHUB, OWNERS_GITLAB, OWNERS_GITEA, OWNERS_FORGES };

struct owners_place {
	const char *forge;             /* "github" */
	const char *file;              /* ".github/CODEOWNERS"; never the root's, which GitLab and Gitea would prefer */
	const char *const *own;        /* paths and folders ("/" at the end) that only this forge reads; ends with NULL */
	const char *const *before;     /* files that this forge reads instead of `file` where they are; ends with NULL */
};

extern const struct owners_place owners_places[OWNERS_FORGES];

/* By name; OWNERS_FORGES: none of that name. */
enum owners_forge owners_forge_find(const char *name);

/* The forge that a path is for; OWNERS_FORGES: none in particular. */
enum owners_forge owners_forge_of(const char *path);

/* The folder of one user, and who owns it beside being an author: sorted login names, each once, never empty. */
struct owners_folder {
	const char *user;
	const char *const *logins;
	size_t n;
};

struct codeowners {
	const char *const *admins;     /* login names of approvals.admins, sorted: owners of everything */
	size_t nadmins;
	const struct owners_folder *folders; /* of users with a team admin who is no admin of all, sorted by user */
	size_t nfolders;
	unsigned required;             /* approvals.required, 1 when it is not written */
	bool rules;                    /* approvals.rules asks for more in some cases, which no such file can say */
	const char *const *notes;      /* for people: who is named and not known, whose folder nobody else owns */
	size_t nnotes;
};

/*
 * Reads berth.yaml, teams/ and users/. Everything lives in mem. A user's login is spec.forge.login, else the user's name. ERR_NOTFOUND without a
 * berth.yaml; ERR_INVALID for one of these files that cannot be read, and for a login that could be anything else than a name in such a file:
 * nobody is left out silently.
 */
int codeowners_read(struct arena *mem, const struct files *files, struct codeowners *out, struct err *e) MUST_USE;

/* The file, ends with a line end. The same input gives the same bytes. */
void codeowners_write(const struct codeowners *c, enum owners_forge forge, struct buf *out);

/* How this dialect names everything, or the folder of a user whose name is valid (user NULL: everything). Lives in mem. */
const char *codeowners_pattern(struct arena *mem, enum owners_forge forge, const char *user);
