/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of pulls/ share: pulls.c (thread, one turn), memory.c (the file), heads.c (fetching), hear.c with reviews.c and commands.c (what people say),
 * look.c (one open pull request), say.c (what is written), merged.c and result.c (after the merge), unseen.c (merges of what was never seen open), rights.c (what the token
 * lacks), stays.c (main moved: is it to be planned again).
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "approve_judge.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "preview.h"
#include "pulls/pulls.h"
#include "repo/review.h"
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
	char heard[DIGEST_HEX];          /* … and these reviews (mode forge) */
	int64_t comment;                 /* 0: none of ours is known */
	char digest[DIGEST_HEX];         /* of what it says; "": not known */
	char reviewed[FORGE_SHA];        /* the head whose findings stand at their lines, or were about to when the process ended */
	char told[CONTEXT_COUNT][DIGEST_HEX]; /* of commit, state and text of each status */
	char merged[FORGE_SHA];          /* "": open */
	int64_t since;                   /* seconds: the merge was seen */
	char **envs;                     /* "alice/train" that it touches, "-alice/old" that it deletes; malloc'd */
	size_t nenvs;
	char *author, *merged_by;        /* logins, of a merged one; malloc'd, NULL: not known */
	char base[FORGE_SHA];            /* of a merged one: from where the forge counts its change */
	int64_t asked;                   /* forge_pull.updated at which it was read what people say of … */
	char asked_head[FORGE_SHA];      /* … this head; nothing is asked again as long as both stay */
	int64_t command;                 /* id of the comment with the newest command that was answered */
	char *reply;                     /* to it: a line of Markdown; malloc'd, NULL: none */
	/* not in the file, but `review` of a merged one, which is in another */
	struct answer answer;
	bool open;                       /* on the list of this turn */
	bool fork;                       /* its head is on no branch of this repository */
	bool searched;                   /* the discussion was looked through for a comment of ours */
	bool look;                       /* a command asks for it */
	struct arena *mem;               /* of … */
	struct review *review;           /* … what was heard last (mode forge); NULL: nothing yet */
	char opinion[DIGEST_HEX];        /* digest of it; "": nothing yet */
	int64_t asking, hear_at;         /* `updated` at which was asked a first time; clock_mono_ms of the next time, 0: none */
	int64_t asked_at;                /* clock_mono_ms; 0: never */
	unsigned asks;                   /* of a merged one, without anything new */
	int64_t again;                   /* clock_mono_ms before which nothing is tried: the forge refused something of it, or it was edited just now */
	unsigned refused;
};

/* A commit of main that came with no merge that was seen. */
struct commit {
	unsigned tries;                  /* the forge knew no pull request of it */
	int64_t again;                   /* clock_mono_ms */
	bool direct;                     /* it has none */
};

struct pulls {
	struct pulls_config c;
	struct arena *mem;
	struct forge *forge;
	struct git_repo *git;
	struct sides *sides;             /* main, and main with the change in it */
	struct judge *judge;
	struct map memos;                /* "7" -> struct memo */
	struct map commits;              /* hex -> struct commit */
	char main[FORGE_SHA];            /* the tip up to which commits were taken into that map; "": none yet */
	bool dirty;                      /* the file is older than memos */
	bool loaded;
	bool has_mode;                   /* the mode that the tree `mode_tree` asks for: what is trusted, or main's where nothing is proved */
	struct oid mode_tree;
	enum approval_mode mode;
	unsigned rights_asked;           /* how often it was asked what the token may do */
	struct drift drift;              /* the last that was asked for */
	size_t stayed;                   /* pull requests of this turn that main's move did not concern */
	bool unfinished;                 /* something of this turn is to be looked at again soon */
	bool was_poked;                  /* this turn is because somebody poked */
	size_t budget;                   /* questions after merged ones that this turn may still ask */
	bool reviews_moved;              /* the file of reviews is older than the memos */
	char *file, *proof_file, *reviews_file;
	pthread_t thread;
	pthread_mutex_t lock;            /* of the rest */
	pthread_cond_t cond;
	bool poked, may, news;
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
	struct proof *proof;             /* modes signed and forge, once something is proved; else NULL */
	struct evidence *evidence;
	size_t nevidence;
	char voices[DIGEST_HEX];         /* digest over the proof and the approvals */
	int rules;                       /* -1: the policy that is trusted cannot be read; 1: the judge has it; 0: nobody asked yet */
};

/* -- pulls.c ---------------------------------------------------------------------------------------------------------------------------- */

struct log_about pulls_about(const struct pulls *p);

/* What concerns one of them alone must not stop the others: 0, said in the log and tried again later; errors of the forge as a whole come back. */
int pulls_aside(struct pulls *p, struct memo *m, int rc, struct err *e) MUST_USE;

/* -- memory.c --------------------------------------------------------------------------------------------------------------------------- */

/* A file that cannot be read, or is of another repository, is as none. */
void memory_load(struct pulls *p);
int memory_store(struct pulls *p, struct err *e) MUST_USE; /* when dirty */
void memory_free(struct pulls *p);
struct memo *memo_get(struct pulls *p, int64_t number, bool make);
void memo_drop(struct pulls *p, struct memo *m);
void memo_envs(struct memo *m, const char *const *envs, size_t n); /* copies */
void memo_text(char **at, const char *text);                      /* *at becomes a copy, or NULL */
void memo_later(struct memo *m, int64_t first, int64_t most);     /* tried again after `first` milliseconds, doubled with every time */
bool memo_due(const struct now *n, const struct memo *m, const struct forge_pull *pull); /* to be looked at */

/* -- heads.c ---------------------------------------------------------------------------------------------------------------------------- */

bool head_here(struct pulls *p, const char *sha);
/* Those that are looked at in this turn and are not here yet. */
int fetch_heads(struct pulls *p, const struct now *now, const struct forge_pulls *list, struct arena *mem, struct err *e) MUST_USE;
/* ERR_NOTFOUND: the forge has another one. */
int fetch_head(struct pulls *p, int64_t number, const char *sha, struct arena *mem, struct err *e) MUST_USE;

/* -- rights.c ---------------------------------------------------------------------------------------------------------------------------- */

/* Logs, once, what the token lacks; waits for the forge. */
void tell_rights(struct pulls *p);

/* -- now.c ------------------------------------------------------------------------------------------------------------------------------ */

/* ERR_NOTFOUND: there is no main yet. In mem; now_end when it was 0. */
int now_begin(struct pulls *p, struct arena *mem, struct now *out, struct err *e) MUST_USE;
void now_end(struct now *n);

/* The policy that is trusted, or main's where nothing is proved, in the judge; NULL: it cannot be read. Read at the first call of a turn. */
const struct approval_rules *now_rules(struct pulls *p, struct now *n);

int tree_of(struct pulls *p, const struct oid *commit, struct arena *mem, struct oid *out, struct err *e) MUST_USE;

/* -- hear.c ------------------------------------------------------------------------------------------------------------------------------ */

/*
 * What people said of an open one since it was heard last: reviews (mode forge) into m->review, a command into m->answer. Asks the forge only when the list's
 * `updated` or the head moved, and once more a moment later, since those times are whole seconds.
 */
int hear(struct pulls *p, struct now *n, struct memo *m, const struct forge_pull *pull, struct err *e) MUST_USE;
/* When hear() has a second question to ask; INT64_MAX: none. */
int64_t hear_at(const struct memo *m);

/* Of a merged one whose commit waits: reviews as the forge tells them now. Asks after growing times. */
int hear_merged(struct pulls *p, const struct now *n, struct memo *m, struct err *e) MUST_USE;

/* -- reviews.c --------------------------------------------------------------------------------------------------------------------------- */

/* A comment that approves a commit (GitLab). */
struct spoken {
	const char *login, *sha;         /* at least COMMAND_SHA digits of it */
	int64_t id, at;
};

/* The last word of each login on this very head, sorted by login. In mem. Pure. */
void reviews_fold(enum forge_kind kind, const char *head, const struct forge_reviews *r, const struct spoken *spoken, size_t nspoken, struct arena *mem,
                  struct review_voice **out, size_t *n);

/* What the head of a merged one changed since it left main. ERR_NOTFOUND: commits are missing here. In mem. */
int merged_change(struct pulls *p, const struct memo *m, struct arena *mem, struct changeset *out, struct oid *fork, struct err *e) MUST_USE;

/* Mode forge: whether a commit of main waits for voices, or may yet: it is not judged, or not even here. */
bool commit_waits(struct pulls *p, const struct now *n, const char *hex);

/* Those of merged ones, in the state folder. */
void reviews_take(struct pulls *p);                                /* from the file into memos */
int reviews_keep(struct pulls *p, struct err *e) MUST_USE;         /* into the file when p->reviews_moved */

/* -- commands.c -------------------------------------------------------------------------------------------------------------------------- */

#define COMMAND_SHA 12

enum command_kind { COMMAND_NONE, COMMAND_PLAN, COMMAND_APPROVE, COMMAND_UNKNOWN };

struct command {
	enum command_kind kind;
	char line[128];                  /* as written, cut */
	char sha[FORGE_SHA];             /* of /berth approve; "": none that counts */
};

/* The last line of a comment that is a command; lines of code blocks are none. */
void command_read(const char *body, struct command *out);

/* What is answered: a line of Markdown. In mem. */
const char *command_answer(const struct pulls *p, const struct now *n, const struct forge_pull *pull, const char *login, int64_t at, const struct command *c,
                           struct arena *mem);

/* What may be said here, for the comment. */
const struct comment_command *command_list(const struct pulls *p, const struct now *n, size_t *count);

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
int look_at(struct pulls *p, const struct now *n, const struct memo *m, const struct forge_pull *pull, struct arena *mem, struct looked *out,
            struct err *e) MUST_USE;

/* The comment of one that cannot be planned. */
void look_none(struct pulls *p, const struct now *n, const struct memo *m, const struct forge_pull *pull, const char *why, struct arena *mem, struct buf *out);

/* What it touches, as memo.envs has it. */
void planned_envs(const struct planned *d, struct arena *mem, const char *const **out, size_t *n);

/* Its own change, and what an answer to it would be made from but for main's tree and who waits. In mem. */
int look_needs(struct pulls *p, const struct now *n, const struct memo *m, const struct forge_pull *pull, struct arena *mem, struct changeset *changes,
               struct answer *out, struct err *e) MUST_USE;

/* Its own change: since it left main. *fork may be NULL. */
int change_of(struct pulls *p, const struct oid *main, const struct oid *head, struct arena *mem, struct changeset *out, struct oid *fork,
              struct err *e) MUST_USE;

/* -- stays.c ------------------------------------------------------------------------------------------------------------------------------ */

/* Would look_at give what it gave for this head the last time? */
bool answer_stays(struct pulls *p, const struct now *n, const struct memo *m, const struct forge_pull *pull, struct arena *mem);
void drift_free(struct drift *d);

/* -- say.c -------------------------------------------------------------------------------------------------------------------------------- */

/* Remembers a comment that is ours: what we wrote and what has our mark. Anybody can paste that, and a person may use our account for other things. */
void say_found(struct memo *m, const char *me, const struct forge_comment *c);

/* Each writes at most what differs from what was said last, waits for its turn, and remembers. ERR_CANCELLED: told to stop. */
int say_status(struct pulls *p, struct memo *m, const char *sha, enum context context, const struct forge_status *s, struct err *e) MUST_USE;
int say_comment(struct pulls *p, struct memo *m, const struct buf *body, struct err *e) MUST_USE;
int say_findings(struct pulls *p, struct memo *m, const char *sha, const struct looked *l, struct err *e) MUST_USE;

/* -- merged.c ----------------------------------------------------------------------------------------------------------------------------- */

/* It is merged: what the forge tells of it. */
void merged_take(struct pulls *p, struct memo *m, const struct forge_pull *pull);
/* Which are merged by now, and what people said of them, into the file of reviews. `more`: the list of open ones was cut. */
int merged_find(struct pulls *p, const struct now *n, bool more, struct err *e) MUST_USE;
/* Says what came of each; drops those of which there is nothing more to say. */
int merged_tell(struct pulls *p, const struct now *n, struct err *e) MUST_USE;

/* -- unseen.c ----------------------------------------------------------------------------------------------------------------------------- */

/* New commits of main whose pull request nobody saw open, and in mode forge those that wait: asked for, some of them in each turn. */
int unseen(struct pulls *p, const struct now *n, struct err *e) MUST_USE;
int64_t unseen_at(const struct pulls *p); /* clock_mono_ms of the next question; INT64_MAX: none */

/* -- result.c ------------------------------------------------------------------------------------------------------------------------------ */

/* Says what came of a merged one so far. 1: all is as it was wanted, nothing more to watch. */
int result_of(struct pulls *p, const struct now *n, struct memo *m, struct err *e) MUST_USE;
