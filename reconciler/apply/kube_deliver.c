/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets whose values are sealed: the daemon sends their bodies by way of a child, and reads of them metadata alone. */
#include <string.h>

#include "apply/kube_priv.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

static const char not_delivered[] = "NotDelivered";

static int
token(void *ctx, bool fresh, const char **out, struct err *e)
{
	const struct target_kube *t = ctx;

	return kube_token(t->kube, fresh, out, e);
}

void
seal_open(struct target_kube *t, struct decryptor *d)
{
	struct deliver_config c = { .cluster = &t->config, .decryptor = d, .token = token, .until = t->lease ? lease_until : NULL, .ctx = t };

	t->deliver = deliver_new(&c);
}

bool
op_is_sealed(const struct op *op)
{
	return op->body.parts != NULL;
}

static void
on_delivered(void *ctx, const struct kube_answer *a, enum delivered how)
{
	struct op *op = ctx;
	struct target_kube *t = op->t;
	unsigned lost = t->lost;
	int64_t lost_at = t->lost_at;

	t->delivering--;
	op->alone = how == DELIVERED_DIED;
	step_on_answer(op, a);
	if (how == DELIVERED_ASKED)
		return;
	t->lost = lost; /* that says nothing about the API server */
	t->lost_at = lost_at;
}

void
seal_send(struct op *op, const char *method, const char *path, const char *query, const char *type)
{
	struct deliver_request q = { .method = method, .path = arena_printf(op->t->scratch, "%s%s", path, query), .content_type = type,
		.body = op->body.json, .body_len = op->body.len, .parts = op->body.parts, .parts_len = op->body.parts_len, .alone = op->alone,
		.done = on_delivered, .ctx = op };

	op->flying = true;
	op->t->flying++;
	op->t->delivering++;
	op->t->requests++;
	op->t->writes += strstr(query, "dryRun") == NULL;
	deliver_send(op->t->deliver, &q);
}

bool
seal_type_refused(struct op *op, const struct kube_answer *a)
{
	struct value *v, *fields;

	if (json_read(op->t->scratch, a->body, a->len, &v, NULL) < 0)
		return false;
	fields = value_get(v, "fields");
	for (size_t i = 0; i < value_len(fields); i++)
		if (str_eq(value_as_str(value_item(fields, i), NULL), "type"))
			return true;
	return false;
}

const char *
seal_word(const struct kube_answer *a)
{
	return !a->status && str_eq(a->reason, not_delivered) ? not_delivered : NULL;
}
