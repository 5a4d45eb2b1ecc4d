/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata of a SOPS file: who can open it, the MAC, which values it says to seal. */
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/seal/sops_priv.h"

#define DEFAULT_SUFFIX "_unencrypted"
#define ENC_MAX ((size_t)8 << 10) /* an age file that holds 32 bytes; a post-quantum one has 2 KiB */
#define RULE_MAX 1024
#define SEAL_AGAIN "seal it for the age recipient that `berth recipients` shows: sops encrypt --age RECIPIENT -i FILE"

/* Other ways to keep a data key. */
static const struct {
	const char *key, *text;
} others[] = {
	{ "pgp", "OpenPGP" },
	{ "kms", "AWS KMS" },
	{ "gcp_kms", "Google Cloud KMS" },
	{ "hckms", "Huawei Cloud KMS" },
	{ "azure_kv", "Azure Key Vault" },
	{ "hc_vault", "Vault" },
};

static const struct {
	const char *key;
	enum sops_rule rule;
} rules[] = {
	{ "unencrypted_suffix", SOPS_RULE_UNENCRYPTED_SUFFIX },
	{ "encrypted_suffix", SOPS_RULE_ENCRYPTED_SUFFIX },
	{ "unencrypted_regex", SOPS_RULE_OTHER },
	{ "encrypted_regex", SOPS_RULE_OTHER },
	{ "unencrypted_comment_regex", SOPS_RULE_OTHER },
	{ "encrypted_comment_regex", SOPS_RULE_OTHER },
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

static int
no_recipient(const struct value *meta, struct err *e)
{
	(void)err_set(e, ERR_INVALID, "it has no recipients: nobody can open it");
	for (size_t i = 0; i < N(others); i++)
		if (value_len(value_get(meta, others[i].key))) {
			(void)err_set(e, ERR_INVALID, "it can be opened by %s alone, and not by an age key",
			              others[i].text);
			break;
		}
	return err_hint(e, SEAL_AGAIN);
}

/* What a recipient's text says; it is not authenticated, so only a file that has no other kind is refused for it. */
static const char *
odd_recipient(const char *s)
{
	if (str_starts(s, "age1pq1")) /* without the second 1 an ordinary one may begin so */
		return "a post-quantum age recipient (age1pq…)";
	if (str_starts(s, "ssh-"))
		return "an SSH key";
	return str_starts(s, "age1") && strlen(s) > 62 ? "a recipient of an age plugin" : NULL;
}

static int
read_recipients(const struct value *meta, struct sops_file *f, struct err *e)
{
	const struct value *list = value_get(meta, "age");
	const char *odd = NULL, *kind;
	size_t nodd = 0;

	if (!value_is(list, VALUE_LIST) || !list->list.n)
		return no_recipient(meta, e);
	if (list->list.n > SOPS_RECIPIENTS_MAX)
		return err_set(e, ERR_INVALID, "more than %d age recipients", SOPS_RECIPIENTS_MAX);
	for (size_t i = 0; i < list->list.n; i++) {
		const struct value *enc = value_get(list->list.items[i], "enc");

		if (!value_is(enc, VALUE_STR) || !enc->str.len || enc->str.len > ENC_MAX)
			return err_set(e, ERR_INVALID, "recipient %zu of `sops.age` has no `enc`", i + 1);
		kind = odd_recipient(value_as_str(value_get(list->list.items[i], "recipient"), ""));
		if (kind) {
			odd = kind;
			nodd++;
		}
		f->recipients[i] = (struct sops_recipient){ enc->str.s, enc->str.len };
	}
	f->nrecipients = list->list.n;
	if (odd && nodd == list->list.n) {
		(void)err_set(e, ERR_INVALID, "it is sealed for %s, which is not supported", odd);
		return err_hint(e, SEAL_AGAIN);
	}
	return 0;
}

static int
refuse_shamir(const struct value *meta, struct err *e)
{
	const struct value *threshold = value_get(meta, "shamir_threshold");

	if (!value_len(value_get(meta, "key_groups")) && value_as_int(threshold, 0) <= 0 &&
	    (!value_is(threshold, VALUE_STR) || str_eq(threshold->str.s, "0")))
		return 0;
	(void)err_set(e, ERR_INVALID, "its data key is split over key groups (Shamir), which is not supported");
	return err_hint(e, "use one key group; " SEAL_AGAIN);
}

/* 2026-11-22T17:49:08Z, or with +hh:mm at its end. */
static bool
is_time(const char *s)
{
	static const char form[] = "0000-00-00T00:00:00";
	size_t n = strlen(form);

	for (size_t i = 0; i < n; i++)
		if (form[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return false;
	s += n;
	if (str_eq(s, "Z"))
		return true;
	return (*s == '+' || *s == '-') && strlen(s) == 6 && strspn(s + 1, "0123456789") == 2 && s[3] == ':' &&
	       strspn(s + 4, "0123456789") == 2;
}

/* 3.13.3, 3.14.0-rc1 */
static bool
is_version(const char *s)
{
	for (int i = 0; i < 3; i++) {
		size_t n = strspn(s, "0123456789");

		s += n;
		if (!n || (i < 2 && *s++ != '.'))
			return false;
	}
	return !*s || *s == '-' || *s == '+';
}

static int
read_mac(struct arena *mem, const struct value *meta, struct sops_file *f, struct err *e)
{
	const struct value *mac = value_get(meta, "mac"), *only = value_get(meta, "mac_only_encrypted");

	if (!is_version(value_as_str(value_get(meta, "version"), "")))
		return err_set(e, ERR_INVALID, "`sops.version` is missing or not a version");
	f->lastmodified = value_as_str(value_get(meta, "lastmodified"), "");
	if (!is_time(f->lastmodified))
		return err_set(e, ERR_INVALID, "`sops.lastmodified` is missing or not a time");
	if (!value_is(mac, VALUE_STR) || !mac->str.len)
		return err_set(e, ERR_INVALID, "it has no MAC: nobody can tell whether it was changed after sealing");
	if (sops_enc_parse(mem, mac->str.s, mac->str.len, &f->mac, e) < 0)
		return err_wrap(e, "the MAC (`sops.mac`)");
	if (f->mac.type != SOPS_STR || f->mac.n != SOPS_MAC_HEX)
		return err_set(e, ERR_INVALID, "the MAC (`sops.mac`) is cut or changed");
	f->mac_only = value_as_bool(only, false) || str_eq(value_as_str(only, NULL), "true");
	return 0;
}

static int
read_rule(const struct value *meta, struct sops_file *f, struct err *e)
{
	unsigned count = 0;

	f->rule = SOPS_RULE_UNENCRYPTED_SUFFIX;
	f->suffix = DEFAULT_SUFFIX;
	for (size_t i = 0; i < N(rules); i++) {
		const char *text = value_as_str(value_get(meta, rules[i].key), "");

		if (!*text)
			continue;
		if (strlen(text) > RULE_MAX)
			return err_set(e, ERR_INVALID, "`sops.%s` is longer than %d bytes", rules[i].key, RULE_MAX);
		count++;
		f->rule = rules[i].rule;
		f->suffix = text;
	}
	if (count > 1)
		return err_set(e, ERR_INVALID,
		               "it has more than one rule of which values are sealed (encrypted_regex and its likes)");
	return 0;
}

int
sops_read_meta(struct arena *mem, const struct value *meta, struct sops_file *f, struct err *e)
{
	if (!value_is(meta, VALUE_MAP))
		return err_set(e, ERR_INVALID, "`sops` is not a map");
	if (refuse_shamir(meta, e) < 0 || read_recipients(meta, f, e) < 0 || read_rule(meta, f, e) < 0)
		return e->code;
	return read_mac(mem, meta, f, e);
}
