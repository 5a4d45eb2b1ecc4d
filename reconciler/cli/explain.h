/* SPDX-License-Identifier: Apache-2.0 */
/* Pages that `berth explain --markdown` prints; docs/ holds them and a test keeps them the same. */
#pragma once

#include "cli/fields.h"
#include "lib/base/buf.h"

void explain_findings_page(struct buf *out);
void explain_fields_page(const struct fields *f, struct buf *out);
