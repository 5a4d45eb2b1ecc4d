/* SPDX-License-Identifier: Apache-2.0 */
/* Inside validate/: rules on one document by itself, behind its schema. */
#pragma once

#include "parse/doc.h"

/* Formats that a pattern cannot say; public keys clear d->ok. What the schema has refused already is not said again. */
void rules_document(struct doc *d, struct report *r);

/* An amount of money, said at `at`; NULL is fine. */
void rules_money(struct report *r, const struct value *v, struct place at, const char *field);
