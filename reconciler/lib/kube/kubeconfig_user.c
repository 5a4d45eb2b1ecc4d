/* SPDX-License-Identifier: Apache-2.0 */
/* Kubeconfig files: certificates, keys and tokens. */
#include <string.h>

#include "lib/base/base64.h"
#include "lib/base/fs.h"
#include "lib/base/redact.h"
#include "lib/base/token.h"
#include "lib/kube/kubeconfig.h"

/* -- what is refused by name ------------------------------------------------------------------------------------- */

#define IMPERSONATE                                                                                                    \
	"acting as somebody else is not supported, and leaving it out would give berth more rights than meant"

static const struct kubeconfig_refused user_refused[] = {
	{ "auth-provider", ERR_DENIED, "auth-provider was removed from Kubernetes in 1.26",
	  "use a service account's token in token or tokenFile, a client certificate, or an exec plugin that is "
	  "allowed" },
	{ "username", ERR_INVALID, "user name and password were removed from Kubernetes in 1.19",
	  "use a service account's token: kubectl create token NAME" },
	{ "password", ERR_INVALID, "user name and password were removed from Kubernetes in 1.19",
	  "use a service account's token: kubectl create token NAME" },
	{ "as", ERR_INVALID, IMPERSONATE, "give berth an account of its own" },
	{ "as-uid", ERR_INVALID, IMPERSONATE, "give berth an account of its own" },
	{ "as-groups", ERR_INVALID, IMPERSONATE, "give berth an account of its own" },
	{ "as-user-extra", ERR_INVALID, IMPERSONATE, "give berth an account of its own" },
};

int
kubeconfig_refuse(const struct kubeconfig *k, const struct value *map, const struct kubeconfig_refused *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct value *v = value_get(map, rows[i].key);
		bool empty = !v || v->type == VALUE_NULL || (v->type >= VALUE_STR && !value_len(v));

		if (empty)
			continue;
		(void)kubeconfig_bad(k, kubeconfig_place(map, rows[i].key), rows[i].code, "%s is refused: %s",
		                     rows[i].key, rows[i].why);
		return err_hint(k->e, "%s", rows[i].next);
	}
	return 0;
}

/* -- certificates and tokens ------------------------------------------------------------------------------------- */

static const char *
beside(const struct kubeconfig *k, const char *path)
{
	return *path == '/' ? path : arena_printf(k->mem, "%s%s", k->folder, path);
}

static int
decode(const struct kubeconfig *k, const struct value *map, const char *key, const char *text, char **bytes, size_t *n)
{
	if (!base64_decode(k->mem, text, strlen(text), bytes, n))
		return 0;
	(void)kubeconfig_bad(k, kubeconfig_place(map, key), ERR_INVALID, "%s is not base64", key);
	if (strstr(text, "-----BEGIN"))
		return err_hint(k->e,
		                "it is PEM text as it stands: encode it with base64 -w0, or name its file in %.*s",
		                (int)(strlen(key) - strlen("-data")), key);
	return err_hint(k->e, "write what base64 -w0 FILE prints");
}

/* PEM of `kind` from "<key>-data" or from the file that `key` names; the first wins, as for kubectl. */
int
kubeconfig_pem(const struct kubeconfig *k, const struct value *map, const char *key, const char *kind, const char **out)
{
	const char *data_key = arena_printf(k->mem, "%s-data", key), *data, *path, *flaw;
	bool secret = strcmp(kind, "PRIVATE KEY") == 0;
	char *bytes = NULL;
	size_t n = 0;
	int rc;

	if ((rc = kubeconfig_text(k, map, data_key, &data)) || (rc = kubeconfig_text(k, map, key, &path)))
		return rc;
	if (!data && !path)
		return 0;
	if (data && (rc = decode(k, map, data_key, data, &bytes, &n)))
		return rc;
	if (!data && (rc = fs_read(beside(k, path), KUBE_FILE_MAX, k->mem, &bytes, &n, k->e))) {
		(void)err_wrap(k->e, "kubeconfig %s:%u: %s", k->file, kubeconfig_place(map, key)->line, key);
		return err_hint(k->e,
		                "relative names count from the kubeconfig's folder; make the file readable for berth");
	}
	if (secret)
		redact_add(bytes, n);
	if ((flaw = kube_pem_flaw(bytes, n, kind))) {
		(void)kubeconfig_bad(k, kubeconfig_place(map, data ? data_key : key), ERR_INVALID, "%s %s",
		                     data ? data_key : beside(k, path), flaw);
		return err_hint(k->e, "%s needs text with -----BEGIN %s-----", key, kind);
	}
	*out = bytes;
	return 0;
}

static int
read_token(const struct kubeconfig *k, const struct value *user, struct kube_token *out)
{
	const char *text, *path, *flaw;
	char *token = NULL;
	size_t n;
	int rc;

	if ((rc = kubeconfig_text(k, user, "token", &text)) || (rc = kubeconfig_text(k, user, "tokenFile", &path)))
		return rc;
	/* before anything is said: a bad token is a secret as well */
	if (text) {
		n = strlen(text);
		flaw = token_trim(&text, &n);
		redact_add(text, n);
		if (flaw) {
			(void)kubeconfig_bad(k, kubeconfig_place(user, "token"), ERR_INVALID, "token %s", flaw);
			return err_hint(k->e, "write the token as one word, or its file into tokenFile");
		}
		text = arena_strndup(k->mem, text, n);
	}
	if (!path) {
		out->text = text;
		return 0;
	}
	/* of both the file counts: it is what rotates */
	out->file = arena_strdup(k->mem, beside(k, path));
	rc = token_read(out->file, &token, k->e);
	token_wipe(&token);
	if (rc)
		(void)err_wrap(k->e, "kubeconfig %s:%u: tokenFile", k->file, kubeconfig_place(user, "tokenFile")->line);
	return rc;
}

/* -- the user ---------------------------------------------------------------------------------------------------- */

int
kubeconfig_user(const struct kubeconfig *k, const struct value *v, const struct value *cluster, struct kube_config *c)
{
	const struct value *exec = value_get(v, "exec");
	int rc;

	if ((rc = kubeconfig_refuse(k, v, user_refused, sizeof(user_refused) / sizeof(user_refused[0]))) ||
	    (rc = read_token(k, v, &c->token)) ||
	    (rc = kubeconfig_pem(k, v, "client-certificate", "CERTIFICATE", &c->cert)) ||
	    (rc = kubeconfig_pem(k, v, "client-key", "PRIVATE KEY", &c->key)))
		return rc;
	if (!c->cert != !c->key) {
		(void)kubeconfig_bad(k, &v->at, ERR_INVALID, "client-%s stands without client-%s",
		                     c->cert ? "certificate" : "key", c->cert ? "key" : "certificate");
		return err_hint(k->e, "add client-%s-data or client-%s", c->cert ? "key" : "certificate",
		                c->cert ? "key" : "certificate");
	}
	if (!exec || exec->type == VALUE_NULL)
		return 0;
	if (exec->type != VALUE_MAP)
		return kubeconfig_wrong_type(k, v, "exec", "map");
	if (c->token.text || c->token.file) {
		(void)kubeconfig_bad(k, kubeconfig_place(v, "exec"), ERR_INVALID,
		                     "exec and a token exclude each other");
		return err_hint(k->e, "keep one of them");
	}
	return kubeconfig_exec(k, exec, cluster, c);
}
