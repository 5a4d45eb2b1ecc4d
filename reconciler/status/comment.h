/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The comment of a pull request: what the change does, as Markdown (GFM), and after the merge what came of it. Pure. All text of strangers in it is escaped
 * (status/markdown.h), sealed values are "another value".
 */
#pragma once

#include "status/planned.h"
#include "validate/approval.h"

#define COMMENT_MAX ((size_t)60000) /* bytes; GitHub takes 65,536 characters, GitLab 1,000,000 */
#define COMMENT_MIN ((size_t)16384) /* a smaller limit counts as this */

struct comment_command {
	const char *line, *does; /* "/berth plan", "look again"; both ours */
};

struct comment_facts {
	const char *base, *head;     /* commits, 40 hexadecimal digits; anything else, or NULL, is not told */
	const char *fork;            /* where the head left the base's branch; NULL: base */
	const char *approve;         /* the command that shows and signs it: "berth approve 7"; NULL: by the two commits */
	enum approval_mode mode;
	const char *missing;         /* who must still approve, as approval_enough says it; NULL: nobody */
	const char *approved;        /* "carol, dana": who has; NULL: nobody */
	bool unknown;                /* nobody looked at approvals: nothing is said of them */
	bool by_comment;             /* mode forge: a comment may approve, too (GitLab) … */
	bool no_late;                /* … and no review is taken after the merge (Gitea) */
	const char *answer;          /* to the newest command: one line of Markdown that is safe; NULL: nobody asked */
	bool lasting;                /* it is written anew when the plan changes, and tells what came of it after the merge */
	const struct comment_command *commands; /* what a comment of one full line may ask for */
	size_t ncommands;
	const char *full;            /* the command that shows all of it; NULL: berth plan */
	const char *main;            /* the branch that berth watches; NULL: main */
	size_t max;                  /* 0: COMMENT_MAX */
};

/*
 * Appends the plan to `out`. Its first line is the mark (below). Everything but that line is digested, and says nothing of the base: as long as the digest is
 * the same, the comment need not be written again, however often main has moved.
 */
void comment_plan(const struct planned *p, const struct comment_facts *f, struct buf *out);

/* What became of one environment after the merge. Texts are borrowed. */
struct comment_outcome {
	const char *owner, *name;
	const char *phase;           /* "Ready" …; NULL: it is not there, and not wanted */
	bool wanted;                 /* its newest spec is applied and as it should be (status_as_wanted), or it is gone as it should */
	bool stuck;                  /* not without somebody's doing: pending for another reason than room, failed, or refused */
	const char *reason, *message; /* of what stands in the way, or NULL */
	const char *ssh, *web;       /* how to get in, once it is Ready */
};

/* From a document of kind EnvironmentStatus, which may be of an older version: what is missing stays NULL. */
void comment_outcome_of(const struct value *status, struct comment_outcome *out);

/* Of the merged change: the same comment with another text and the same kind of mark. Of `f` base, head, mode and max are used. */
void comment_result(const struct comment_outcome *list, size_t n, const struct comment_facts *f, struct buf *out);

/* What the first line of a comment says: "<!-- berth:plan v1 base=… head=… digest=… -->". Texts are "-" where there was none. */
struct comment_mark {
	char base[41], head[41], digest[65];
};

/* False: no such line. Anybody can write one: whose comment it is must be asked of the forge. */
bool comment_mark_read(const char *body, struct comment_mark *out);

/* Is the mark's digest that of the text below it? False when somebody edited it, or it has no mark. */
bool comment_whole(const char *body);
