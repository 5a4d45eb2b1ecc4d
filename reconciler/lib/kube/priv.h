/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of lib/kube share. */
#pragma once

#include "lib/base/map.h"
#include "lib/kube/kube.h"
#include "lib/net/hub.h"

#define TIMEOUT_MS 30000

struct kube {
	const struct kube_config *c;
	struct kube_tokens *tokens;
	struct hub *hubs[2];     /* requests; watches, on connections of their own */
	struct arena *mem;       /* of the kinds */
	struct arena *answer;    /* of one answer's words */
	struct kube_kind **kinds; /* in order of discovery */
	size_t nkinds, kinds_cap;
	struct map by_name;      /* "apps/v1 StatefulSet" -> struct kube_kind * */
	bool discovered;
	struct kube_watch *watches;
	struct call *calls;      /* requests under way, kube.c */
	size_t running;
};

/* Why the server said no: fills code, reason, message of `out` from status and body. Texts live until the next call. */
void answer_read(struct kube *k, const struct hub_answer *h, struct kube_answer *out);

/* Starts what is due of the watches; returns after how many ms the next is, at most `ms`. */
int64_t watches_turn(struct kube *k, int64_t ms);
