/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of fields.h: the table of co-writers, names of list items. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"

/* Levels of FieldsV1 that are told apart; what is deeper goes with its parent. */
#define FIELDS_DEPTH 48

/*
 * May `manager` write the field whose FieldsV1 keys are keys[0..n)? `kind` is the object's. The name of a manager is a claim that
 * nobody checks: a field stands in the table only when it does no harm whoever wrote it.
 */
bool fields_allowed(const char *kind, const char *manager, const char *const *keys, size_t n);

/* A list item's FieldsV1 key for people: k:{"containerPort":22,"protocol":"TCP"} is "22/TCP", v:"x" and i:3 lose two characters. */
const char *fields_item_name(struct arena *mem, const char *key);
