/* SPDX-License-Identifier: Apache-2.0 */
/* curl_global_init, once; texts of errors. */
#include "lib/net/init.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "lib/base/str.h"

static void
start_once(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		abort();
}

void
net_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, start_once);
}

void
net_words(char *text)
{
	char *at = strstr(text, " after "), *end, seconds[32] = "";
	long ms;

	if (!at)
		return;
	ms = strtol(at + 7, &end, 10);
	if (end == at + 7 || (!str_starts(end, " ms") && !str_starts(end, " milliseconds")))
		return;
	end += str_starts(end, " ms") ? 3 : 13;
	if (ms >= 1000)
		(void)snprintf(seconds, sizeof(seconds), " after %ld s", ms / 1000);
	memcpy(at, seconds, strlen(seconds));
	memmove(at + strlen(seconds), end, strlen(end) + 1);
}
