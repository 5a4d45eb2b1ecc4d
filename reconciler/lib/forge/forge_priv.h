/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of forge.h: the vtable of a forge, requests, walking through pages, reading of JSON. */
#pragma once

#include "lib/base/buf.h"
#include "lib/doc/value.h"
#include "lib/forge/forge.h"

#define FORGE_ANSWER_MAX ((size_t)4 << 20)
#define FORGE_PAGE 50               /* what all three give at once */
#define FORGE_MEM ((size_t)1 << 30) /* of a tree of one answer: at most a hundred bytes for each of its 4 Mi */
#define FORGE_MESSAGE 400

/* What a token must be allowed to do, for hints. */
enum forge_right { RIGHT_USER, RIGHT_READ, RIGHT_STATUS, RIGHT_COMMENT, RIGHT_REVIEW, RIGHT_OPEN, RIGHT_APPROVE, RIGHT_COUNT };

struct forge_call {
	const char *method; /* NULL: GET */
	const char *path;   /* below the repository, or below the API when `top` */
	bool top;
	bool told;          /* a write that people are told of */
	enum forge_right right;
	const char *what;   /* "read pull request 7": for errors */
	const struct value *body;
	const char *etag;   /* If-None-Match; NULL or "": none */
};

/* What came with an answer; also after an error, unlike other outputs. */
struct forge_answer {
	long status;  /* 0: none */
	bool large;   /* it was larger than FORGE_ANSWER_MAX */
	bool linked;  /* had a Link header */
	bool next;    /* one with rel="next" */
	int64_t total; /* X-Total-Count; -1: not sent */
	char etag[256];
	bool scoped;   /* GitHub told the scopes of a token of the old kind */
	char scopes[1024];
	char message[FORGE_MESSAGE]; /* the forge's own words about an error, fit for a line; "" */
};

/* The answer's JSON in mem, or NULL when it is 304 or has no body. mem needs room for FORGE_MEM. */
int forge_ask(struct forge *f, const struct forge_call *c, struct arena *mem, struct value **json, struct forge_answer *a,
              struct err *e) MUST_USE;

/* Sets e to "<forge> <repo>: <what>: fmt". */
int forge_fail(const struct forge *f, const char *what, int code, struct err *e, const char *fmt, ...) PRINTF(5, 6);

/* The answer is not what the API says. */
int forge_strange(const struct forge *f, const char *what, struct err *e);

/*
 * A way through a list. Answers that are too large are asked for again in smaller pages, and what is too large alone is skipped, so that
 * nobody can hide a list behind one huge entry.
 */
struct forge_walk {
	size_t offset, size, base; /* the page to be asked for: `offset` is a multiple of `size`; 0: not begun */
	size_t skipped;
	bool unpaged; /* the forge gives all at once */
	bool end;
};

/* "<path>?…&per_page=50&page=2" in mem. */
const char *forge_walk_path(const struct forge *f, struct forge_walk *w, const char *path, struct arena *mem);
void forge_walk_large(struct forge_walk *w);                    /* the page was too large */
void forge_walk_on(struct forge_walk *w, size_t n, bool next); /* it had n entries */
/* Whether there is another page behind one of n entries. */
bool forge_walk_next(const struct forge_walk *w, const struct forge_answer *a, size_t n);

struct forge_list {
	const char *path; /* may have a query */
	const char *what;
	enum forge_right right;
	size_t max;       /* entries */
	bool unpaged;
	size_t page;      /* entries to ask for at once; 0: FORGE_PAGE */
	bool to_empty;    /* neither its Link header nor its count tell where it ends: an empty page does */
	bool (*each)(void *ctx, const struct value *entry); /* false ends it */
	void *ctx;
};

struct forge_end {
	bool more;   /* there are more than max */
	bool large;  /* without pages, and larger than an answer may be: nothing of it was given */
	long status; /* of the last answer; also after an error */
};

/* All pages. end may be NULL. */
int forge_each(struct forge *f, const struct forge_list *l, struct forge_end *end, struct err *e) MUST_USE;

/* -- reading; for the fuzzer too: they take any value ---------------------------------------------------------------------- */

/* On one line, at most `max` characters (0: any number), bytes that are not UTF-8 and control characters replaced. `lines`: breaks and tabs stay. */
const char *forge_clean(struct arena *mem, const char *s, size_t max, bool lines);
const char *forge_name(struct arena *mem, const struct value *v); /* a login or ref; "" when it cannot be one */
const char *forge_url(struct arena *mem, const struct value *v);  /* "" when it is not http(s) */
void forge_sha(const struct value *v, char out[FORGE_SHA]);
bool forge_sha_ok(const char *s);
int64_t forge_time(const struct value *v);
int64_t forge_id(const struct value *v); /* positive, else 0 */
bool forge_edited(const struct value *created, const struct value *updated);

/* Appends findings that are `outside` to the body as a list, as many as fit. */
void forge_outside(const struct forge_new_review *r, size_t max, struct buf *out);

struct forge_ops {
	const char *name;
	const char *thing; /* "pull request" */
	const char *const *headers;
	const char *rights[RIGHT_COUNT];
	const char *login_key; /* in GET /user */
	const char *size_key;  /* "per_page" */
	const char *pulls;     /* list of the open ones, below the repository */
	const char *pull;      /* before a number, and where one is opened */
	const char *comments, *comments_tail, *comments_query; /* before and behind a number */
	bool comments_unpaged;
	const char *comments_long; /* instead of the tail: a list with pages that has them among others, for those that are too large at once */
	const char *course;        /* the tail of a list of what happened, NULL: there is none … */
	bool course_to_empty;      /* … to_empty of it */
	/* Into *to. */
	void (*read_event)(const struct value *v, struct forge_course *to);
	size_t body_max;
	size_t inline_max;     /* findings at lines in one review */
	int64_t pause_ms;      /* between writes */
	size_t told_hour;      /* writes an hour that people are told of; 0: any number */
	/* false: not such a thing, or none for us */
	bool (*read_pull)(struct arena *mem, const struct value *v, struct forge_pull *out);
	bool (*read_comment)(struct arena *mem, const struct value *v, struct forge_comment *out);
	int (*pull_of)(struct forge *f, const char *sha, const char *base, struct arena *mem, struct forge_pull *out, struct err *e);
	struct value *(*new_pull)(struct arena *mem, const struct forge_new_pull *p);
	struct value *(*new_status)(struct arena *mem, const struct forge_status *s);
	/* After a refusal: 1 when it was none of those that it knows how to mend; or NULL. */
	int (*status_again)(struct forge *f, const char *sha, const struct forge_status *s, const struct forge_answer *a, struct err *e);
	const char *(*comment_path)(struct arena *mem, int64_t number, int64_t id);
	const char *edit; /* method that edits a comment */
	int (*reviews)(struct forge *f, int64_t number, struct arena *mem, struct forge_reviews *out, struct err *e);
	int (*review_post)(struct forge *f, int64_t number, struct forge_new_review *r, struct err *e);
};

extern const struct forge_ops forge_github, forge_gitlab, forge_gitea;

const struct forge_ops *forge_ops_of(enum forge_kind kind);
const struct forge_ops *forge_ops(const struct forge *f);

/* -- what GitHub and Gitea share ------------------------------------------------------------------------------------------------ */

/* The login of a user; "" when there is none, or he is gone. */
const char *github_login(struct arena *mem, const struct value *user);
bool github_read_comment(struct arena *mem, const struct value *v, struct forge_comment *out);
/* A review of theirs; false for those that are left out. */
bool github_read_review(struct arena *mem, const struct value *v, struct forge_review *out);
/* An approval in GitLab's approved_by. */
bool gitlab_read_approval(struct arena *mem, const struct value *v, struct forge_review *out);
/* An event of this name, when it is one of those. Lists end with NULL. */
void github_event(const struct value *v, const char *name, const char *const *retargets, const char *const *schedules, struct forge_course *to);
struct value *github_new_pull(struct arena *mem, const struct forge_new_pull *p);
struct value *github_new_status(struct arena *mem, const struct forge_status *s);
const char *github_comment_path(struct arena *mem, int64_t number, int64_t id);
int github_reviews(struct forge *f, int64_t number, struct arena *mem, struct forge_reviews *out, struct err *e);
int github_review_post(struct forge *f, int64_t number, struct forge_new_review *r, struct err *e);

/* Merged into `base` as `sha` (2), merged into it (1), or neither (0). */
int forge_pull_rank(const struct forge_pull *p, const char *sha, const char *base);
int forge_pull_none(const struct forge *f, const char *sha, const char *base, struct err *e);
/* The best of a list of pull requests that hold the commit. */
int forge_pull_best(struct forge *f, const char *path, const char *sha, const char *base, struct arena *mem, struct forge_pull *out,
                    struct err *e);
