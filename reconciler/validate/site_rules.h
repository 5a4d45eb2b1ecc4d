/* SPDX-License-Identifier: Apache-2.0 */
/* Inside validate/site*.c: what a rule on shared documents is given. */
#pragma once

#include "parse/say.h"

struct site_rules {
	const struct site *s;
	struct report *r;
	unsigned int helped; /* nearest names looked for so far */
};

/* What Kubernetes or Kueue would refuse of one shared document: site_fit.c. */
void site_rules_doc(struct site_rules *c, const struct doc *d);

/* Keys that are too long for a label; `field` is for the message. */
void rules_label_keys(struct report *r, const struct value *map, const char *field);

/* The size of a volume, said at `at`; NULL is fine. */
void rules_size(struct report *r, const struct value *v, struct place at, const char *field);

/* berth.yaml has `roles` (a map), but not this one. */
void rules_no_role(struct report *r, struct place at, const char *role, const struct value *roles);

/* The URL of a git repository, with a credential in it: policy_contents.c. */
void rules_git_url(struct report *r, const struct value *url, struct place at);
