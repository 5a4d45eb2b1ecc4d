/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's start, once a process, and its words. Private to lib/net. */
#pragma once

void net_init(void);

/*
 * How long it took, in an error's text: whole seconds, or nothing ("after 3 ms"). The same trouble has the same words each time, by which it is
 * logged once.
 */
void net_words(char *text);
