/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of pulls/ share: pulls.c (thread, one turn), memory.c (the file), look.c (one open pull request), say.c (what is written), result.c (after the merge), rights.c (what the token lacks), stays.c (main moved: is it to be planned again). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "approve_judge.h"
#include "lib/base/hash.h"
#include "lib/base/map.h"
#include "preview.h"
#include "pulls/pulls.h"
#include "status/comment.h"

#define PULL_ENVS_MAX 200
#define PULL_FINDINGS_MAX 30

enum context { CONTEXT_VALIDATE, CONTEXT_PLAN, CONTEXT_APPLY, CONTEXT_COUNT };

/* What an answer was made from, beside the head. */
struct answer {
	struct oid tree;                 /* main's; zero: nothing is known */
	struct oid fork;                 /* where the head left main */
	char needs[DIGEST_HEX];          /* of whose approval it has and lacks */
	bool waits;                      /* something of it would wait for room: what others do may move it */
};

/* How main moved. */
struct drift {
	bool known;
	struct oid from, to;             /* two trees */
	bool shared;                     /* not only in some owners' environments */
	struct map owners, teams;        /* whose, and which teams those are in */
};

/* What is known of one pull request from turn to turn. */
struct memo {
	int64_t number;
	char head[FORGE_SHA];            /* looked at last, with … */
	char main[FORGE_SHA];            /* … main's tip … */
	char voices[DIGEST_HEX];         /* … and these approvals; "": something of it is not said yet */
	int64_t comment;                 /* 0: none of ours is known */
	char digest[DIGEST_HEX];         /* of what it says; "": not known */
	char reviewed[FORGE_SHA];        /* the head whose findings stand at their lines, or were about to when the process ended */
	char told[CONTEXT_COUNT][DIGEST_HEX]; /* of commit, state and text of each status */
	char merged[FORGE_SHA];          /* "": open */
	int64_t since;                   /* seconds: the merge was seen */
	char **envs;                     /* "alice/train" that it touches, "-alice/old" that it deletes; malloc'd */
	size_t nenvs;
	/* not in the file */
	struct answer answer;
	bool open;                       /* on the list of this turn */
	bool searched;                   /* the discussion was looked through for a comment of ours */
	int64_t again;                   /* clock_mono_ms before which nothing is tried: the forge refused something of it, or it was edited just now */
	unsigned refused;
};

struct pulls {
	struct pulls_config c;
	struct arena *mem;
	struct forge *forge;
	struct git_repo *git;
	struct sides *sides;             /* main, and main with the change in it */
	struct judge *judge;
	struct map memos;                /* "7" -> struct memo */
	bool dirty;                      /* the file is older than memos */
	bool loaded;
	bool has_mode;                   /* the mode that main's tree `mode_tree` asks for */
	struct oid mode_tree;
	enum approval_mode mode;
	unsigned rights_asked;           /* how often it was asked what the token may do */
	struct drift drift;              /* the last that was asked for */
	size_t stayed;                   /* pull requests of this turn that main's move did not concern */
	bool unfinished;                 /* something of this turn is to be looked at again soon */
	char *file, *proof_file;
	pthread_t thread;
	pthread_mutex_t lock;            /* of the rest */
	pthread_cond_t cond;
	bool poked, may;
	atomic_bool stop;
	struct pulls_counts counts;
	uint64_t looks;
	unsigned failures;
	char last_error[1024];
};

/* What one turn knows of the branches. */
struct now {
	struct arena *mem;
	struct oid main, main_tree;
	char main_hex[OID_HEX];
	bool has_status;
	struct oid status_tree;
	enum approval_mode mode;
	struct proof *proof;             /* mode signed, once something is proved; else NULL */
	struct evidence *evidence;
	size_t nevidence;
	char voices[DIGEST_HEX];         /* digest over the proof and the approvals */
};

/* -- memory.c --------------------------------------------------------------------------------------------------------------------------- */

/* A file that cannot be read, or is of another repository, is as none. */
void memory_load(struct pulls *p);
int memory_store(struct pulls *p, struct err *e) MUST_USE; /* when dirty */
void memory_free(struct pulls *p);
struct memo *memo_get(struct pulls *p, int64_t number, bool make);
void memo_drop(struct pulls *p, struct memo *m);
void memo_envs(struct memo *m, const char *const *envs, size_t n); /* copies */

/* -- rights.c ---------------------------------------------------------------------------------------------------------------------------- */

/* Logs, once, what the token lacks; waits for the forge. */
void tell_rights(struct pulls *p);

/* -- now.c ------------------------------------------------------------------------------------------------------------------------------ */

/* ERR_NOTFOUND: there is no main yet. In mem; now_end when it was 0. */
int now_begin(struct pulls *p, struct arena *mem, struct now *out, struct err *e) MUST_USE;
void now_end(struct now *n);

int tree_of(struct pulls *p, const struct oid *commit, struct arena *mem, struct oid *out, struct err *e) MUST_USE;

/* -- look.c ------------------------------------------------------------------------------------------------------------------------------ */

struct looked {
	struct forge_status status[2];   /* CONTEXT_VALIDATE, CONTEXT_PLAN */
	struct buf comment;              /* the caller frees it */
	struct forge_finding *findings;  /* at lines of files that it changes; NULL: none */
	size_t nfindings;
	const char *review;              /* the body above them */
	const char *const *envs;         /* as in memo */
	size_t nenvs;
	struct answer answer;
};

/* Plans the pull request on main's tip. Its head must be in the repository. In mem. */
int look_at(struct pulls *p, const struct now *n, const struct forge_pull *pull, struct arena *mem, struct looked *out, struct err *e) MUST_USE;

/* Its own change, and what an answer to it would be made from but for main's tree and who waits. In mem. */
int look_needs(struct pulls *p, const struct now *n, const struct forge_pull *pull, struct arena *mem, struct changeset *changes, struct answer *out,
               struct err *e) MUST_USE;

/* Its own change: since it left main. *fork may be NULL. */
int change_of(struct pulls *p, const struct oid *main, const struct oid *head, struct arena *mem, struct changeset *out, struct oid *fork,
              struct err *e) MUST_USE;

/* -- stays.c ------------------------------------------------------------------------------------------------------------------------------ */

/* Would look_at give what it gave for this head the last time? */
bool answer_stays(struct pulls *p, const struct now *n, const struct memo *m, const struct forge_pull *pull, struct arena *mem);
void drift_free(struct drift *d);

/* -- say.c -------------------------------------------------------------------------------------------------------------------------------- */

/* Each writes at most what differs from what was said last, waits for its turn, and remembers. ERR_CANCELLED: told to stop. */
int say_status(struct pulls *p, struct memo *m, const char *sha, enum context context, const struct forge_status *s, struct err *e) MUST_USE;
int say_comment(struct pulls *p, struct memo *m, const struct buf *body, struct err *e) MUST_USE;
int say_findings(struct pulls *p, struct memo *m, const char *sha, const struct looked *l, struct err *e) MUST_USE;

/* -- result.c ------------------------------------------------------------------------------------------------------------------------------ */

/* Says what came of a merged one so far. 1: all is as it was wanted, nothing more to watch. */
int result_of(struct pulls *p, const struct now *n, struct memo *m, struct err *e) MUST_USE;
