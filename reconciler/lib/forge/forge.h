/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The REST API of a forge: pull requests of one repository, what people say there, and what berth says. It knows protocols, nothing
 * of environments. Sources: GitHub REST API 2022-11-28, GitLab REST API v4, Gitea API v1 (Forgejo's is the same).
 *
 * Calls wait for the answer (`timeout_ms` each request) and are for one thread at a time. Every error names the repository and what
 * was asked: ERR_UNAVAILABLE (no answer, 5xx, what is not the API's JSON, or a limit of the forge, see forge_limit_ms),
 * ERR_DENIED (401, 403; the hint names the right that is missing), ERR_NOTFOUND, ERR_CONFLICT, ERR_INVALID (400, 422, and answers
 * larger than 4 MiB), ERR_CANCELLED. Texts of a forge stand in them on one line, cut, without control characters and known secrets.
 * A write is never sent twice by itself but after a 401 with a token that was replaced: after ERR_UNAVAILABLE it may have happened.
 *
 * What a forge gives is a stranger's: titles are cut and have no control characters, logins and refs that could not be names
 * are "", ids of commits that are none are "". Nothing is escaped for Markdown or HTML.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum forge_kind { FORGE_GITHUB, FORGE_GITLAB, FORGE_GITEA, FORGE_KIND_COUNT };

/* "github", "gitlab", "gitea"; "forgejo" is read as gitea. */
const char *forge_kind_name(enum forge_kind kind);
int forge_kind_parse(const char *name, enum forge_kind *out) MUST_USE;

struct forge_config {
	enum forge_kind kind;
	const char *api;        /* "https://api.github.com", "https://gitlab.example/api/v4", "https://gitea.example/api/v1" */
	const char *repo;       /* "owner/name"; on GitLab "group/subgroup/name" of any depth */
	const char *token_file; /* read anew when the file changes, and after a 401 */
	const char *login;      /* who the token is, where the forge does not tell (a GitHub App: "name[bot]"); NULL: asked */
	bool allow_http;        /* plain http:// to other machines too: everybody on the way can read the token */
	int64_t timeout_ms;     /* 0: 15 s */
	const atomic_bool *cancel; /* may be NULL */
	int64_t (*mono_ms)(void);    /* for tests; NULL: clock_mono_ms */
};

struct forge;

/* Checks texts and the token file, asks nothing. Texts are copied. ERR_INVALID, or as token_read. */
int forge_open(const struct forge_config *c, struct forge **out, struct err *e) MUST_USE;
void forge_close(struct forge *f); /* NULL is fine */

enum forge_kind forge_kind(const struct forge *f);

/* Characters that a comment's or a review's body may have at most; more is ERR_INVALID. */
size_t forge_body_max(const struct forge *f);

/* The login of the token, asked once and then kept; valid until forge_close. */
int forge_whoami(struct forge *f, const char **login, struct err *e) MUST_USE;

/* -- limits and figures -------------------------------------------------------------------------------------------------- */

/*
 * Milliseconds for which the forge told us to send nothing (Retry-After, x-ratelimit-reset; an hour at most), 0: none. All
 * calls that would send something are ERR_UNAVAILABLE until then and say the time.
 */
int64_t forge_limit_ms(const struct forge *f);

/*
 * The time of the monotonic clock from which the next write may start: GitHub wants a second between writes, and at most 500 that people
 * are told of (`told`: comments, reviews, pull requests) an hour. To keep to it is the caller's business.
 */
int64_t forge_may_write_at(const struct forge *f, bool told);

struct forge_counts {
	uint64_t requests, writes; /* sent; writes are requests too */
	uint64_t unchanged;        /* answered 304 */
	uint64_t limited;          /* answers that told us to wait */
	uint64_t failed;           /* without an answer, or 5xx */
};

struct forge_counts forge_counts(const struct forge *f);

/* -- pull requests ------------------------------------------------------------------------------------------------------- */

#define FORGE_SHA 65           /* hexadecimal, SHA-1 or SHA-256, with the NUL */
#define FORGE_PULLS_MAX 2000   /* of one list */
#define FORGE_REVIEWS_MAX 1000 /* of one pull request */
#define FORGE_COMMENTS_MAX 1000
#define FORGE_EVENTS_MAX 2000

enum forge_state { FORGE_OPEN, FORGE_CLOSED, FORGE_MERGED };

struct forge_pull {
	int64_t number;       /* GitLab: the iid */
	const char *title;    /* 255 characters at most */
	const char *author;   /* login; "" when the user is gone */
	const char *head_ref; /* branch without refs/heads/; in the author's fork when `fork` */
	const char *base_ref;
	const char *url;      /* for people; "" when it was not http(s) */
	char head_sha[FORGE_SHA];
	char merge_sha[FORGE_SHA]; /* of a merged one: the commit on the base that has it; else "" */
	char base_sha[FORGE_SHA];  /* a commit of the base from which the head's change is counted; "" where a list does not tell */
	const char *merged_by;     /* login of who merged it; "": nobody yet, gone, or not told */
	enum forge_state state;
	bool fork;            /* from another repository, or one that is gone */
	int64_t updated;      /* seconds since 1970; 0: not told */
};

struct forge_pulls {
	const struct forge_pull *items; /* by number, each once */
	size_t n;
	bool more;        /* there are more than FORGE_PULLS_MAX */
	size_t skipped;   /* entries that the forge could not show, or that were larger than an answer may be */
	uint64_t version; /* another one whenever anything differs from the list before */
};

/*
 * All open ones. A page that did not change costs one request that is answered 304 (where the forge has ETags) and is not read again.
 * *out is valid until the next call. A list is read page by page while it changes: one may be missing that was open all the time, so
 * ask for it by its number before taking it for closed.
 */
int forge_pulls(struct forge *f, const struct forge_pulls **out, struct err *e) MUST_USE;

/* One; texts in mem. */
int forge_pull(struct forge *f, int64_t number, struct arena *mem, struct forge_pull *out, struct err *e) MUST_USE;

/*
 * The merged one into the branch `base` that brought the commit `sha` there; the one whose merge commit it is comes first.
 * ERR_NOTFOUND: none (pushed directly, or a commit that the forge does not know).
 */
int forge_pull_of(struct forge *f, const char *sha, const char *base, struct arena *mem, struct forge_pull *out,
                  struct err *e) MUST_USE;

struct forge_new_pull {
	const char *title, *body;
	const char *head, *base; /* branches of this repository */
};

/* ERR_CONFLICT: there is one of that branch already. */
int forge_pull_open(struct forge *f, const struct forge_new_pull *p, struct arena *mem, struct forge_pull *out,
                    struct err *e) MUST_USE;

/* -- statuses of commits -------------------------------------------------------------------------------------------------- */

enum forge_status_state { FORGE_PENDING, FORGE_SUCCESS, FORGE_FAILURE, FORGE_ERROR };

#define FORGE_DESCRIPTION_MAX 140 /* characters; GitHub refuses longer ones */

struct forge_status {
	const char *context; /* "berth/plan" */
	enum forge_status_state state;
	const char *description; /* on one line, cut to FORGE_DESCRIPTION_MAX with "…" at the end; may be NULL */
	const char *url;         /* http(s); may be NULL */
	const char *ref;         /* branch whose head it is, or NULL: GitLab says 404 without it to a commit that is on no branch of its own (a fork's) */
};

/*
 * The same status twice is fine everywhere. On GitLab a pending one with another text costs up to four requests: what waits there keeps its text, so it is ended
 * and begun anew.
 */
int forge_status_set(struct forge *f, const char *sha, const struct forge_status *s, struct err *e) MUST_USE;

/* -- comments -------------------------------------------------------------------------------------------------------------- */

struct forge_comment {
	int64_t id;
	const char *author; /* "" when the user is gone */
	const char *body;   /* as written, line breaks included */
	bool edited;        /* changed after it was made, or the forge does not say */
	int64_t created;    /* seconds since 1970; 0: not told */
};

/*
 * All comments of the discussion, oldest first (none of reviews, none that the forge wrote itself). `each` is given one after the
 * other, valid during the call, and ends it with false. More than FORGE_COMMENTS_MAX: the later ones are left out. Gitea has no pages here: where all in
 * sum are larger than an answer may be, its timeline is asked, ten entries at once, and the first 2,000 entries of that are looked at.
 */
int forge_comments(struct forge *f, int64_t number, bool (*each)(void *ctx, const struct forge_comment *c), void *ctx,
                   struct err *e) MUST_USE;

int forge_comment_add(struct forge *f, int64_t number, const char *body, int64_t *id, struct err *e) MUST_USE;

/* ERR_NOTFOUND: it was deleted. */
int forge_comment_edit(struct forge *f, int64_t number, int64_t id, const char *body, struct err *e) MUST_USE;

/* -- reviews --------------------------------------------------------------------------------------------------------------- */

enum forge_review_state { FORGE_COMMENTED, FORGE_APPROVED, FORGE_CHANGES };

struct forge_review {
	int64_t id;       /* 0 on GitLab */
	const char *user; /* login; "" when the user is gone */
	enum forge_review_state state;
	char sha[FORGE_SHA]; /* what was looked at; "" on GitLab, which does not know */
	bool stale;          /* the forge says that something was pushed since (Gitea); GitLab: its times do not prove that nothing was */
	bool dismissed;
	int64_t submitted;   /* seconds since 1970; 0: not told (older GitLabs: such an approval is stale, whatever the project does on a push) */
};

struct forge_reviews {
	struct forge_review *items; /* in the forge's order: oldest first */
	size_t n;
	char head_sha[FORGE_SHA]; /* GitLab: head of the newest version, read after the approvals; else "" */
	int64_t head_at;          /* and when it was pushed, by the forge's clock; 0: not told */
};

/*
 * Pending ones and requests for review are left out. In mem, which needs 2 MiB of room. More than FORGE_REVIEWS_MAX is
 * ERR_INVALID: half of them prove nothing. GitHub calls a dismissed one COMMENTED, whatever it was.
 */
int forge_reviews(struct forge *f, int64_t number, struct arena *mem, struct forge_reviews *out, struct err *e) MUST_USE;

/* What happened to a pull request beside pushes. */
struct forge_course {
	int64_t retargeted; /* seconds since 1970: when it was pointed at another branch last; 0: never */
	bool scheduled;     /* somebody told the forge to merge it later, whatever its head was by then */
};

/*
 * Reviews outlive a new base on GitHub and Gitea, though what they looked at was another change. GitLab counts that as a push, and a push takes back what was
 * scheduled there: neither is ever told. More than FORGE_EVENTS_MAX is ERR_INVALID.
 */
int forge_course(struct forge *f, int64_t number, struct forge_course *out, struct err *e) MUST_USE;

struct forge_finding {
	const char *path; /* in the repository */
	int64_t line;     /* of the new file, from 1 */
	const char *text; /* Markdown, already safe */
	bool posted;      /* out: stands at its line */
	bool outside;     /* out: the forge did not want it at its line; it stands in the body */
};

struct forge_new_review {
	const char *sha;  /* head that was looked at */
	const char *body; /* not empty */
	struct forge_finding *findings;
	size_t n;
};

/*
 * A review that neither approves nor blocks, with findings at their lines; what cannot stand there (a line outside of the diff,
 * more than the forge takes at once) is added to the body. On GitLab these are discussions and one note, and ERR_CONFLICT when `sha`
 * is not the newest head. After an error the same call goes on where it ended: it skips what is `posted`.
 */
int forge_review_post(struct forge *f, int64_t number, struct forge_new_review *r, struct err *e) MUST_USE;

/*
 * Approves exactly this head, in the name of the token's account. ERR_CONFLICT: the head is another one, and nothing is approved; ERR_DENIED: the account may
 * not, as with its own; ERR_INVALID: it is merged or closed.
 */
int forge_review_approve(struct forge *f, int64_t number, const char *sha, struct err *e) MUST_USE;

/* -- what the token may do --------------------------------------------------------------------------------------------------- */

enum forge_thing { FORGE_SAYS_WHO, FORGE_READS, FORGE_SETS_STATUSES, FORGE_COMMENTS, FORGE_REVIEWS, FORGE_RIGHTS };
enum forge_may { FORGE_MAY, FORGE_MAY_NOT, FORGE_UNTOLD };

struct forge_may_row {
	const char *what;  /* "set statuses" */
	enum forge_may may;
	const char *why;   /* how it is known, or why not; "" */
	const char *needs; /* the right, in the forge's words */
};

struct forge_rights {
	const char *login; /* whose token it is; "": not told */
	struct forge_may_row rows[FORGE_RIGHTS]; /* by enum forge_thing */
};

/*
 * As far as the forge tells by reading alone: a fine-grained token of GitHub does not say what it may write, one of Gitea only what its account may. Texts in
 * mem, which needs room for an answer (1 GiB at most). The errors are of a forge that does not answer, a token that it does not accept, and a repository that it does not show.
 */
int forge_rights(struct forge *f, struct arena *mem, struct forge_rights *out, struct err *e) MUST_USE;
