/* SPDX-License-Identifier: Apache-2.0 */
/* curl_global_init, once. */
#include "lib/net/init.h"

#include <pthread.h>
#include <stdlib.h>

#include <curl/curl.h>

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
