/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of the rendered branch: kustomization lists and commit messages. */
#pragma once

#include "lib/base/buf.h"
#include "plan/target.h"

/*
 * kustomization.yaml of a folder (https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/) from the names of
 * its entries: folders ("train/") and *.yaml files, sorted, its own name left out. secrets.digest.yaml is never listed.
 */
void kustomization_write(struct arena *mem, const char *const *names, size_t n, struct buf *out);

/* Subject, one line a unit, trailers (Berth-Source-Commit first, the audit trail of product.md). */
void rendered_message(const struct target_changes *changes, const struct target_drift *drift, const struct target_reason *why,
                      struct buf *out);
