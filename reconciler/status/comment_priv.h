/* SPDX-License-Identifier: Apache-2.0 */
/* Inside status/comment*.c: the mark around a text. */
#pragma once

#include "status/comment.h"

/* Bytes that the text below the mark may have. */
size_t comment_room(const struct comment_facts *f);

/* Appends the mark of this text, and the text. */
void comment_seal(const struct comment_facts *f, const struct buf *text, struct buf *out);
