/* SPDX-License-Identifier: Apache-2.0 */
/* Where the way to the API server is written, and the pod's own account. */
#include "lib/kube/config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/base/token.h"
#include "lib/kube/kubeconfig.h"

#define ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define LABEL_MAX 63

/* -- checks of single texts -------------------------------------------------------------------------------------- */

static bool
only(const char *s, size_t n, const char *also)
{
	for (size_t i = 0; i < n; i++) {
		bool letter =
		    (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9');

		if (!letter && (!s[i] || !strchr(also, s[i])))
			return false;
	}
	return true;
}

static bool
port_valid(const char *s, size_t n)
{
	int64_t port;
	char text[8];

	if (!n || n >= sizeof(text) || !only(s, n, "") || *s > '9')
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	return !str_to_i64(text, &port) && port > 0 && port < 65536;
}

/* Splits "host:port" and "[::1]:port"; *port is NULL when there is none. False when it is neither. */
static bool
split_authority(struct arena *mem, const char *s, size_t n, char **host, const char **port, size_t *port_n)
{
	bool bracket = n && *s == '[';
	const char *end = bracket ? memchr(s, ']', n) : memchr(s, ':', n), *rest;
	struct in6_addr six;

	if (bracket && !end)
		return false;
	if (!end)
		end = s + n;
	*host = arena_strndup(mem, s + bracket, (size_t)(end - s) - bracket);
	rest = end + bracket;
	*port = rest < s + n ? rest + 1 : NULL;
	*port_n = *port ? (size_t)(s + n - *port) : 0;
	if (*port && *rest != ':')
		return false;
	return bracket ? inet_pton(AF_INET6, *host, &six) == 1 : **host && only(*host, strlen(*host), "-._");
}

/* Addresses are compared as numbers: 127.0.0.1.example.com is a name like any other. */
static bool
is_loopback(const char *host)
{
	struct in6_addr six;
	struct in_addr four;

	if (strcmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

const char *
kube_server_url(struct arena *mem, const char *url, const char **flaw, const char **next)
{
	bool secure = str_starts(url, "https://");
	const char *at = url + strlen(secure ? "https://" : "http://"), *port;
	size_t n, port_n, len = strlen(url);
	char *host;

	*next = "write it as https://host:port";
	if (!secure && !str_starts(url, "http://")) {
		*flaw = "does not begin with https://";
		return NULL;
	}
	n = strcspn(at, "/?#");
	if (memchr(at, '@', n)) {
		*flaw = "holds a user name or a password";
		*next = "remove what stands before the @, and write a token into the user's token or tokenFile";
		return NULL;
	}
	if (!only(url, len, "-._~:/[]%!$&'()*+,;=@")) {
		*flaw = "holds a query, a fragment, or characters that no URL of a server has";
		return NULL;
	}
	if (!split_authority(mem, at, n, &host, &port, &port_n)) {
		*flaw = "has no host that can be read";
		*next = "write it as https://host:port; an IPv6 address stands in [ ]";
		return NULL;
	}
	if (port && !port_valid(port, port_n)) {
		*flaw = "has a port that is no number from 1 to 65535";
		return NULL;
	}
	if (!secure && !is_loopback(host)) {
		*flaw = "is http:// to another machine, where everybody on the way could read the credentials";
		*next = "write https://; http:// is for localhost, 127.0.0.0/8 and [::1] only";
		return NULL;
	}
	while (len && url[len - 1] == '/')
		len--;
	return arena_strndup(mem, url, len);
}

const char *
kube_namespace_flaw(const char *s)
{
	size_t n = strlen(s);

	if (n > LABEL_MAX)
		return "is longer than 63 characters";
	if (!n || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != n || *s == '-' || s[n - 1] == '-')
		return "is not made of small letters, digits and inner dashes";
	return NULL;
}

const char *
kube_pem_flaw(const char *s, size_t n, const char *kind)
{
	bool key = strcmp(kind, "PRIVATE KEY") == 0;
	const char *begin = memmem(s, n, "-----BEGIN ", 11);

	if (memchr(s, '\0', n) || !begin)
		return "is not PEM text";
	if (!memmem(s, n, kind, strlen(kind)))
		return key ? "holds no private key" : "holds no certificate";
	if (key && (memmem(s, n, "ENCRYPTED", 9)))
		return "is a key with a pass phrase, and nobody is there to type it";
	return NULL;
}

/* -- the pod's account ------------------------------------------------------------------------------------------- */

static int
account_bad(struct err *e, int code)
{
	(void)err_wrap(e, "in-cluster service account");
	(void)err_hint(e, "give the pod a service account with automountServiceAccountToken: true, or name a "
	                  "kubeconfig with --kubeconfig");
	return code;
}

static int
account_server(const char *host, const char *port, struct arena *mem, struct kube_config *out, struct err *e)
{
	const char *flaw, *next, *url;

	if (!host || !*host || !port || !*port)
		return err_set(e, ERR_NOTFOUND, "KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set");
	url = arena_printf(mem, strchr(host, ':') && *host != '[' ? "https://[%s]:%s" : "https://%s:%s", host, port);
	/* from two variables: what belongs to a path or to another host has no place in them */
	if (strchr(host, '/') || !port_valid(port, strlen(port)))
		return err_set(e, ERR_INVALID,
		               "KUBERNETES_SERVICE_HOST is no address or KUBERNETES_SERVICE_PORT is no port");
	if (!(out->server = kube_server_url(mem, url, &flaw, &next)))
		return err_set(e, ERR_INVALID, "KUBERNETES_SERVICE_HOST %s", flaw);
	return 0;
}

static int
account_files(const char *folder, struct arena *mem, struct kube_config *out, struct err *e)
{
	const char *ca_file = arena_printf(mem, "%s/ca.crt", folder),
		   *ns_file = arena_printf(mem, "%s/namespace", folder);
	char *token = NULL, *bytes;
	const char *flaw;
	size_t n;
	int rc;

	out->token.file = arena_printf(mem, "%s/token", folder);
	if ((rc = token_read(out->token.file, &token, e)) < 0)
		return rc;
	token_wipe(&token);
	if ((rc = fs_read(ca_file, KUBE_FILE_MAX, mem, &bytes, &n, e)) < 0)
		return rc;
	if ((flaw = kube_pem_flaw(bytes, n, "CERTIFICATE")))
		return err_set(e, ERR_INVALID, "%s %s", ca_file, flaw);
	out->ca = bytes;
	out->namespace_ = "default";
	rc = fs_read(ns_file, LABEL_MAX + 16, mem, &bytes, &n, e);
	if (rc)
		return rc == ERR_NOTFOUND ? 0 : rc;
	bytes[strcspn(bytes, " \t\r\n")] = '\0';
	if ((flaw = kube_namespace_flaw(bytes)))
		return err_set(e, ERR_INVALID, "%s: the name of the namespace %s", ns_file, flaw);
	out->namespace_ = bytes;
	return 0;
}

int
kube_in_cluster(const char *folder, const char *host, const char *port, struct arena *mem, struct kube_config *out,
                struct err *e)
{
	struct kube_config c = { .source = "in-cluster service account" };
	int rc = account_server(host, port, mem, &c, e);

	if (!rc)
		rc = account_files(folder, mem, &c, e);
	if (rc < 0)
		return account_bad(e, rc);
	*out = c;
	return 0;
}

/* -- which one --------------------------------------------------------------------------------------------------- */

static const char *
env_or_null(const char *name)
{
	const char *s = getenv(name);

	return s && *s ? s : NULL;
}

static int
nothing_found(const char *home_file, struct err *e)
{
	(void)err_set(
	    e, ERR_NOTFOUND,
	    "no way to a cluster: KUBECONFIG is not set, this is no pod with a service account, and %s is not there",
	    home_file ? home_file : "HOME");
	return err_hint(e, "name a kubeconfig with --kubeconfig FILE or in KUBECONFIG");
}

int
kube_config_load(const struct kube_config_options *o, struct arena *mem, struct kube_config *out, struct err *e)
{
	const char *variable = env_or_null("KUBECONFIG"), *home = env_or_null("HOME"),
		   *host = env_or_null("KUBERNETES_SERVICE_HOST");
	const char *home_file = home ? arena_printf(mem, "%s/.kube/config", home) : NULL;

	for (size_t i = 0; i < o->nexec_allow; i++) {
		if (*o->exec_allow[i] == '/')
			continue;
		(void)err_set(e, ERR_USAGE, "the credential plugin %s on the allow-list is no absolute path",
		              o->exec_allow[i]);
		return err_hint(e, "name the file from / on, for example /usr/local/bin/%s", o->exec_allow[i]);
	}
	if (o->kubeconfig)
		return kubeconfig_read(o->kubeconfig, o, mem, out, e);
	if (variable && strchr(variable, ':') && !fs_exists(variable)) {
		(void)err_set(e, ERR_INVALID, "KUBECONFIG names several files, and berth reads one");
		return err_hint(e,
		                "name one with --kubeconfig; `kubectl config view --flatten` writes several into one");
	}
	if (variable)
		return kubeconfig_read(variable, o, mem, out, e);
	if (host && env_or_null("KUBERNETES_SERVICE_PORT") && fs_exists(ACCOUNT "/token"))
		return kube_in_cluster(ACCOUNT, host, getenv("KUBERNETES_SERVICE_PORT"), mem, out, e);
	if (home_file && fs_exists(home_file))
		return kubeconfig_read(home_file, o, mem, out, e);
	return nothing_found(home_file, e);
}
