/* SPDX-License-Identifier: Apache-2.0 */
/* Target kubernetes: server-side apply of what changed, prune, drift repair and health, on one API server. */
#pragma once

#include <stdatomic.h>

#include "lib/kube/config.h"
#include "lib/seal/decryptor.h"
#include "plan/target.h"

struct target_kube_options {
	struct kube_config_options cluster;
	const char *inventory;  /* name of the ApplySet parent, a ConfigMap; NULL: "berth" */
	const char *namespace_; /* where it lives, and the lease; NULL: "berth-system" */
	const char *state_dir;  /* what our own writes made of each object is remembered here; NULL: nowhere */
	const char *lease;      /* identity for leader election; NULL: this process alone writes */
	struct decryptor *decryptor; /* opens what Secrets are made of; borrowed. NULL: there is no master key, no sealed Secret is delivered */
	const atomic_bool *cancel; /* ends waiting early; may be NULL */
};

/* Reads the credentials; the cluster is asked at the first pass. */
int target_kube_new(const struct target_kube_options *o, struct target **out, struct err *e) MUST_USE;
