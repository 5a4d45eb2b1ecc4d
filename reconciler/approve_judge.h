/* SPDX-License-Identifier: Apache-2.0 */
/* The judge that repo/approve.h asks: the rules of validate/approval.h, read from trusted trees of one repository. */
#pragma once

#include "repo/approve.h"
#include "validate/approval.h"

struct judge;

struct judge *judge_new(struct git_repo *g); /* borrowed */
void judge_free(struct judge *j);
const struct approve_judge *judge_get(const struct judge *j);

/* Reads the policy of a tree now, outside of a run. */
int judge_policy(struct judge *j, const struct oid *tree, struct err *e) MUST_USE;

/* Of the policy read last; NULL before the first. */
const struct approval_rules *judge_rules(const struct judge *j);
