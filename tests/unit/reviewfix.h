/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of mode forge share: approvefix.h with a policy that takes reviews, the buttons of a forge, and what it would tell of a pull request. */
#pragma once

#include "approvefix.h"

/* -- the forge's side ----------------------------------------------------------------------------------------------------------------- */

static inline struct oid
id_of(const char *rev)
{
	struct oid id;

	assert_int_equal(git_rev_parse(t.git, rev, &id, NULL), 0);
	return id;
}

static inline struct changeset
changes_of(const char *from, const char *to)
{
	struct oid a = id_of(from), b = id_of(to);
	struct git_commit_info x, y;
	struct changeset c;

	assert_int_equal(git_commit_read(t.git, &a, t.mem, &x, NULL), 0);
	assert_int_equal(git_commit_read(t.git, &b, t.mem, &y, NULL), 0);
	assert_int_equal(changeset_between(t.git, &x.tree, &y.tree, t.mem, &c, NULL), 0);
	return c;
}

/* `voices`: "carol -dana", a '-' before who asks for changes; ids are 1, 2, …; all of them said it at NOW - 100. */
static inline void
answer(struct review *r, const char *voices)
{
	const char *p = voices;

	r->voices = arena_array(t.mem, 8, sizeof(*r->voices));
	r->nvoices = 0;
	while (*p) {
		size_t n = strcspn(p, " ");
		bool against = *p == '-';

		r->voices[r->nvoices] = (struct review_voice){ .login = arena_strndup(t.mem, p + against, n - against), .id = 1 + (int64_t)r->nvoices,
			.at = NOW - 100, .against = against };
		r->nvoices++;
		p += n + (p[n] == ' ');
	}
}

/* The pull request `number` of the branch `head`, that left main at `from`, opened by `author`; `merged` NULL: open. */
static inline struct review *
reviewed(int64_t number, const char *from, const char *head, const char *merged, const char *author, const char *merged_by, const char *voices)
{
	struct review *r = &t.reviews[t.nreviews++];

	*r = (struct review){ .pull = number, .head = id_of(head), .author = author, .merged_by = merged_by, .changes = changes_of(from, head) };
	if (merged)
		r->merged = id_of(merged);
	answer(r, voices);
	return r;
}

/* The forge's buttons write who pressed them as committer, and sign with no key of ours. */
static const char *const more =
	"cd w\n"
	"pr() { git checkout -q -b $1 ${2:-main}; }\n"
	"button() { git checkout -q main; export GIT_COMMITTER_NAME=GitHub GIT_COMMITTER_EMAIL=noreply@github.com; as ${WHO:-carol}; case $1 in\n"
	"merge) git merge -q --no-ff -m 'Merge pull request' $2;;\n"
	"squash) git merge -q --squash $2; export GIT_AUTHOR_EMAIL=4711+${WHO:-carol}@users.noreply.github.com; git commit -q -m squashed;;\n"
	"rebase) git checkout -q -B tmp $2; git rebase -q --force-rebase main; git checkout -q main; git merge -q --ff-only tmp;; esac; }\n";

static inline void
forge(const char *line)
{
	sh(arena_printf(t.mem, "cd ..\n%s%s", more, line));
}

static inline int
begin_forge(void **state)
{
	int rc = begin(state);

	if (rc)
		return rc;
	sh("sed -i 's/mode: signed/mode: forge/' berth.yaml; commit carol forge");
	begin_at("main");
	return 0;
}

#define PR "pr pr; env alice train 8; commit alice more;"
