/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's start, once a process. Private to lib/net. */
#pragma once

void net_init(void);
