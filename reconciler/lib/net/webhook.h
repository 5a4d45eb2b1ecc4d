/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks of forges: who may send one, judged on the bytes as they came. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/base/hash.h"

enum webhook_forge { WEBHOOK_GITHUB, WEBHOOK_GITLAB, WEBHOOK_GITEA, WEBHOOK_FORGES };

/* "github", "gitlab", "gitea" (Forgejo is one, too); false for anything else. */
bool webhook_forge_parse(const char *name, enum webhook_forge *out);
const char *webhook_forge_name(enum webhook_forge f);

/* All that is ever read of a request's head. X-Forwarded-* and the like are not: nothing here depends on an address. */
enum webhook_header {
	WEBHOOK_HUB_SIGNATURE,     /* X-Hub-Signature-256: "sha256=" and hex; GitHub and Gitea */
	WEBHOOK_GITEA_SIGNATURE,   /* X-Gitea-Signature: hex */
	WEBHOOK_FORGEJO_SIGNATURE, /* X-Forgejo-Signature: hex */
	WEBHOOK_GITLAB_TOKEN,      /* X-Gitlab-Token: the secret itself */
	WEBHOOK_ID,                /* webhook-id, -timestamp, -signature: Standard Webhooks 1.0.0, GitLab's signing token */
	WEBHOOK_TIMESTAMP,
	WEBHOOK_SIGNATURE,
	WEBHOOK_GITHUB_DELIVERY,   /* the same again when somebody has it delivered again */
	WEBHOOK_GITEA_DELIVERY,
	WEBHOOK_FORGEJO_DELIVERY,
	WEBHOOK_GITLAB_KEY,        /* Idempotency-Key, GitLab 17.4 */
	WEBHOOK_GITLAB_UUID,       /* X-Gitlab-Event-UUID */
	WEBHOOK_GITHUB_EVENT,      /* X-GitHub-Event: "push" …; Gitea sends it too */
	WEBHOOK_GITEA_EVENT,
	WEBHOOK_FORGEJO_EVENT,
	WEBHOOK_HEADERS
};
const char *webhook_header_name(enum webhook_header h);

/* A request; nothing is owned. */
struct webhook {
	enum webhook_forge forge;
	const char *headers[WEBHOOK_HEADERS]; /* NULL: not sent; "" is sent and empty */
	const char *body;
	size_t len;
};

#define WEBHOOK_SECRETS_MAX 8
#define WEBHOOK_SECRET_MIN 16 /* bytes */
#define WEBHOOK_SECRET_MAX 1024
#define WEBHOOK_WINDOW_S 300  /* a signed time may be so far from ours */

struct webhook_secrets {
	size_t n;
	struct webhook_secret {
		char *text;      /* as written, for X-Gitlab-Token and as the key of an HMAC */
		size_t len;
		char *key;       /* of the signed form: what base64 behind "whsec_" says, else `text` again */
		size_t key_len;
	} list[WEBHOOK_SECRETS_MAX];
};

/*
 * One secret a line (a new one and the old one while they are exchanged), each of 16 to 1024 bytes; blank lines and lines that begin with # do
 * not count. ERR_INVALID without a secret, or with a short one or one that is no base64 behind "whsec_". Texts never hold any of it.
 */
int webhook_secrets_parse(const char *bytes, size_t n, struct webhook_secrets *out, struct err *e) MUST_USE;
void webhook_secrets_free(struct webhook_secrets *s); /* wipes */

/*
 * 0 when it is from somebody who has one of the secrets: HMAC-SHA-256 of the body (GitHub, Gitea), the token or the signed form within five
 * minutes of `now` (GitLab; a signature that is sent is judged alone). All secrets are tried, each in constant time. Else ERR_DENIED with the
 * reason, for the log and not for who asks. An empty signature is what Gitea sends without a secret: refused.
 */
int webhook_verify(const struct webhook *w, const struct webhook_secrets *s, int64_t now, struct err *e) MUST_USE;

/*
 * By what a delivery is known when it comes again: `id` of the forge's id for it, or of the body where there is none; `body` of the body. Where the
 * signature is over the body alone, whoever saw a request can give it a new id: then `*by_body` says that the same body is the same delivery.
 */
void webhook_identity(const struct webhook *w, struct digest *id, struct digest *body, bool *by_body);
