/* SPDX-License-Identifier: Apache-2.0 */
/* Inside world.c: what a decryptor tells of an environment's secrets. */
#pragma once

#include "world.h"

/* Puts digests into env->secrets and env->host_digest; returns the number of findings it added. Functions may be NULL: nothing to ask. */
size_t world_open_secrets(world_look_fn look, world_host_fn host, void *ctx, struct arena *mem, struct env *env, struct report *r);
