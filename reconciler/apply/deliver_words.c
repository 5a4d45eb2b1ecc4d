/* SPDX-License-Identifier: Apache-2.0 */
/* What may be told of a server's answer about a Secret. */
#include <string.h>

#include "apply/deliver_wire.h"
#include "lib/base/str.h"
#include "lib/doc/json.h"

#define FIELDS_MAX 8
#define FIELD_MAX 120
#define WORD_MAX 40

/* Others keep the object as they last gave it in a note, with its data. */
static const char last_applied[] = "kubectl.kubernetes.io/last-applied-configuration";

/* Sentences of the server that callers tell apart, and ours in their place: a webhook may put anything behind the same words. */
static const struct {
	long status;
	const char *theirs, *ours;
} sentences[] = {
	{ 403, "exceeded quota: ", "exceeded quota: its namespace may have no more Secrets" },
	{ 403, "because it is being terminated", "its namespace takes nothing new because it is being terminated" },
	{ 403, "forbidden: User ", "forbidden: User is not allowed to write Secrets there; `berth doctor` lists the rights that are missing" },
	{ 404, "namespaces ", "its namespace is not there" },
};

/* A word of an API: letters only, since a server in between may have made it. */
static const char *
word(struct arena *mem, const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return n && n <= WORD_MAX && !s[n] ? arena_strdup(mem, s) : "refused";
}

/* "data[.dockerconfigjson]", "type", "metadata.labels": a path in the object, whose keys berth made. */
static const char *
field_name(struct arena *mem, const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_[]/");

	return n && n <= FIELD_MAX && !s[n] ? arena_strdup(mem, s) : "a field";
}

static struct value *
without(struct arena *mem, const struct value *map, const char *key)
{
	struct value *out = value_map(mem);

	for (size_t i = 0; value_is(map, VALUE_MAP) && i < map->map.n; i++)
		if (strcmp(map->map.items[i].key, key) != 0)
			value_set(mem, out, map->map.items[i].key, value_copy(mem, map->map.items[i].value));
	return out;
}

static void
write_body(struct arena *mem, const struct value *v, struct kube_answer *out)
{
	struct buf text AUTO_BUF = BUF_INIT(WIRE_ANSWER_MAX / 2);

	json_write(v, 0, &text);
	if (text.over)
		return;
	out->body = arena_strndup(mem, buf_cstr(&text), text.len);
	out->len = text.len;
}

static void
clean_success(struct arena *mem, const struct value *v, struct kube_answer *out)
{
	const struct value *meta = value_get(v, "metadata"), *notes = value_get(meta, "annotations");
	struct value *body = value_map(mem), *kept;

	if (!value_is(meta, VALUE_MAP))
		return;
	kept = value_copy(mem, meta);
	if (value_get(notes, last_applied))
		value_set(mem, kept, "annotations", without(mem, notes, last_applied));
	value_set(mem, body, "metadata", kept);
	write_body(mem, body, out);
}

static const char *
sentence(const struct kube_answer *a)
{
	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
		if (sentences[i].status == a->status && a->message && strstr(a->message, sentences[i].theirs))
			return sentences[i].ours;
	return NULL;
}

static void
clean_refusal(struct arena *mem, const struct kube_answer *a, const struct value *v, struct kube_answer *out)
{
	const struct value *causes = value_at(v, "details.causes");
	size_t n = value_len(causes);
	struct value *body = value_map(mem), *fields = value_list(mem);
	struct buf text AUTO_BUF = BUF_INIT(4096);
	const char *known = sentence(a);

	out->reason = a->reason && *a->reason ? word(mem, a->reason) : "";
	for (size_t i = 0; i < n && i < FIELDS_MAX; i++) {
		const char *field = field_name(mem, value_as_str(value_get(value_item(causes, i), "field"), ""));

		value_push(mem, fields, value_str(mem, field));
		buf_printf(&text, "%s%s: %s", i ? "; " : "", field, word(mem, value_as_str(value_get(value_item(causes, i), "reason"), "")));
	}
	value_set(mem, body, "fields", fields);
	write_body(mem, body, out);
	if (known)
		out->message = known;
	else
		out->message = arena_printf(mem, "the API server refuses this Secret (%ld%s%s%s%s); its own words are left out, since they may quote values",
		                            a->status, *out->reason ? " " : "", out->reason, text.len ? ": " : "", buf_cstr(&text));
}

void
answer_clean(struct arena *mem, const struct kube_answer *a, struct kube_answer *out)
{
	struct value *v = NULL;

	*out = (struct kube_answer){ .code = a->code, .status = a->status, .retry_after_ms = a->retry_after_ms, .took_ms = a->took_ms,
		.reason = "", .message = "", .body = "" };
	if (!a->status) { /* the transport's words: what we sent is not in them */
		out->message = str_line(mem, a->message ? a->message : "");
		return;
	}
	if (json_read(mem, a->body ? a->body : "", a->len, &v, NULL) < 0)
		v = NULL;
	if (a->code == 0)
		clean_success(mem, v, out);
	else
		clean_refusal(mem, a, v, out);
}
