/* SPDX-License-Identifier: Apache-2.0 */
/* Recipients and known_hosts as files. */
#include "status/recipients.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/seal/age.h"
#include "lib/seal/sshsig.h"

#define HEAD "# berth recipients v1"
#define WORDS_MAX 8

const char *
recipients_path(struct arena *mem, const char *user)
{
	return user ? arena_printf(mem, RECIPIENTS_USERS "/%s.txt", user) : RECIPIENTS_SITE;
}

void
recipients_write(const struct recipients *r, struct buf *out)
{
	buf_str(out, HEAD "\n");
	if (r->user)
		buf_printf(out, "# user %s uid %s generation %u\n", r->user, r->uid, r->generation);
	else
		buf_printf(out, "# site generation %u\n", r->generation);
	buf_str(out, "# Seal for it with `berth seal`, or with `age -R` after checking the signature beside it. Only berth opens what is sealed so,\n");
	if (r->user)
		buf_printf(out, "# and only in envs/%s/secrets/; for one environment alone: its recipient below, envs/%s/secrets/<environment>/.\n",
		           r->user, r->user);
	else
		buf_str(out, "# and only in secrets/.\n");
	buf_printf(out, "%s\n", r->recipient);
	for (size_t i = 0; i < r->nenvs; i++)
		buf_printf(out, "# env %s %s\n", r->envs[i].name, r->envs[i].recipient);
}

/* -- reading ------------------------------------------------------------------------------------------------------------- */

struct reading {
	struct arena *mem;
	struct recipients r;
	struct recipient_env *envs;
	size_t cap;
	const char *line; /* of this one, and its words */
	const char *words[WORDS_MAX];
	size_t n;
	bool site;
};

static void
split(struct reading *x, const char *line)
{
	x->n = 0;
	for (const char *at = line; *at && x->n < WORDS_MAX;) {
		size_t len = strcspn(at, " ");

		if (len)
			x->words[x->n++] = arena_strndup(x->mem, at, len);
		at += len + (at[len] == ' ');
	}
}

static bool
is_word(const struct reading *x, size_t i, const char *word)
{
	return i < x->n && strcmp(x->words[i], word) == 0;
}

static bool
take_generation(struct reading *x, size_t i)
{
	int64_t g;

	if (!is_word(x, i, "generation") || x->n != i + 2 || str_to_i64(x->words[i + 1], &g) < 0 || g < 1 || g > INT32_MAX)
		return false;
	x->r.generation = (unsigned)g;
	return true;
}

static bool
take_recipient(const char *text)
{
	uint8_t pk[32];

	return age_recipient_parse(text, strlen(text), pk, NULL) == 0;
}

static bool
take_owner(struct reading *x)
{
	if (x->r.generation)
		return false; /* a second one */
	if (is_word(x, 1, "site")) {
		x->site = true;
		return take_generation(x, 2);
	}
	if (x->n < 5 || !is_word(x, 3, "uid"))
		return false;
	x->r.user = x->words[2];
	x->r.uid = x->words[4];
	return take_generation(x, 5);
}

static bool
take_env(struct reading *x)
{
	if (x->n != 4 || !take_recipient(x->words[3]) || x->r.nenvs == RECIPIENTS_ENVS_MAX)
		return false;
	if (x->r.nenvs == x->cap) {
		x->cap = x->cap ? x->cap * 2 : 16;
		x->envs = arena_regrow(x->mem, x->envs, x->r.nenvs, x->cap, sizeof(*x->envs));
	}
	x->envs[x->r.nenvs++] = (struct recipient_env){ x->words[2], x->words[3] };
	return true;
}

static bool
take_line(struct reading *x, const char *line)
{
	if (*line == '#') {
		split(x, line);
		if (is_word(x, 1, "user") || is_word(x, 1, "site"))
			return take_owner(x);
		return is_word(x, 1, "env") ? take_env(x) : true;
	}
	if (!*line || x->r.recipient || !take_recipient(line))
		return false;
	x->r.recipient = line;
	return true;
}

static int
not_whole(const char *user, struct err *e)
{
	return err_set(e, ERR_INVALID, "these are no recipients of %s%s", user ? "user " : "the site", user ? user : "");
}

int
recipients_parse(struct arena *mem, const char *bytes, size_t n, const char *user, struct recipients *out, struct err *e)
{
	struct reading x = { .mem = mem };
	size_t at = 0;

	if (n > RECIPIENTS_FILE_MAX || memchr(bytes, '\0', n) || n < sizeof(HEAD) || memcmp(bytes, HEAD "\n", sizeof(HEAD)) != 0)
		return not_whole(user, e);
	while (at < n) {
		const char *end = memchr(bytes + at, '\n', n - at);
		size_t len = end ? (size_t)(end - bytes) - at : n - at;

		if (!end || !take_line(&x, arena_strndup(mem, bytes + at, len)))
			return not_whole(user, e);
		at += len + 1;
	}
	if (!x.r.generation || !x.r.recipient || x.site != !user || !str_eq(x.r.user, user))
		return not_whole(user, e);
	x.r.envs = x.envs;
	*out = x.r;
	return 0;
}

/* -- signatures ----------------------------------------------------------------------------------------------------------- */

static int
check(const char *bytes, size_t n, const char *sig, size_t nsig, const char *signer, const char *ns, struct err *e)
{
	uint8_t pk[32];
	int rc;

	if ((rc = ssh_public_parse(signer, strlen(signer), pk, e)) < 0)
		return err_wrap(e, "spec.secrets.signer of berth.yaml");
	if ((rc = sshsig_verify(sig, nsig, pk, ns, bytes, n, e)) == 0)
		return 0;
	(void)err_wrap(e, "the signature is not that of berth.yaml's spec.secrets.signer");
	return rc;
}

int
recipients_check(struct arena *mem, const char *bytes, size_t n, const char *sig, size_t nsig, const char *signer, const char *user,
                 struct recipients *out, struct err *e)
{
	int rc = check(bytes, n, sig, nsig, signer, RECIPIENTS_NAMESPACE, e);

	return rc < 0 ? rc : recipients_parse(mem, bytes, n, user, out, e);
}

int
recipients_for(const struct recipients *r, const char *env, const char **out, struct err *e)
{
	if (!env) {
		*out = r->recipient;
		return 0;
	}
	for (size_t i = 0; i < r->nenvs; i++)
		if (strcmp(r->envs[i].name, env) == 0) {
			*out = r->envs[i].recipient;
			return 0;
		}
	(void)err_set(e, ERR_NOTFOUND, "there is no recipient of %s/%s", r->user ? r->user : "?", env);
	return err_hint(e, "berth publishes one for each environment on the branch that it reads: merge envs/%s/%s.yaml first",
	                r->user ? r->user : "?", env);
}

void
known_hosts_write(const char *lines, struct buf *out)
{
	buf_str(out, "# Environments of this repository by their certificates: `berth ssh-config`, or UserKnownHostsFile in ~/.ssh/config.\n");
	buf_str(out, lines);
}

int
known_hosts_check(const char *bytes, size_t n, const char *sig, size_t nsig, const char *signer, struct err *e)
{
	return check(bytes, n, sig, nsig, signer, KNOWN_HOSTS_NAMESPACE, e);
}
