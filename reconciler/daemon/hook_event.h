/* SPDX-License-Identifier: Apache-2.0 */
/* What a forge's event says: whether there may be something new to fetch, and where. Pure. */
#pragma once

#include "lib/base/arena.h"
#include "lib/net/webhook.h"

#define HOOK_BODY_MAX ((size_t)1 << 20) /* bytes */
#define HOOK_ABOUT_MAX 160

struct hook_event {
	bool hint;                  /* worth a look at the repository */
	char about[HOOK_ABOUT_MAX]; /* one clean line: "push to refs/heads/main", "review of 42", "ping" */
};

/*
 * Pushes to berth's own refs (BRANCH_RENDERED, BRANCH_STATUS, refs/berth/ but for approvals, which people push), tags, changes of labels and the like,
 * comments that are not new or not on a pull request, and kinds of events that berth has no use for are no hint. ERR_INVALID when the body is no JSON
 * object, or one of more than 200,000 values. Sources: GitHub "Webhook events and payloads", GitLab "Webhook events", Gitea modules/structs/hook.go.
 */
int hook_event_read(const struct webhook *w, struct hook_event *out, struct err *e) MUST_USE;
