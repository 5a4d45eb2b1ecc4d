/* SPDX-License-Identifier: Apache-2.0 */
/* lib/kube/config: kubeconfigs as tools write them and as they go wrong, the pod's account, and which of them is taken. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/token.h"
#include "unit/kube_files.h"

static void
must_fail(const char *name, const char *text, int code, const char *want, const char *hint)
{
	struct kube_config c;

	print_message("# %s\n", str_line(mem, name));
	if (load(text, &c) != code)
		fail_msg("%s: code %d: %s", name, e.code, e.text);
	if (!strstr(e.text, want) || !strstr(e.hint, hint))
		fail_msg("%s: said \"%s\" and \"%s\"", name, e.text, e.hint);
	assert_null(c.server); /* outputs only on success */
}

/* -- what tools write ---------------------------------------------------------------------------------------------- */

static void
block_style(void **state)
{
	struct kube_config c;

	(void)state;
	must_load(
	    arena_printf(
		mem,
		"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: %s\n    server: "
	        "https://127.0.0.1:41235/\n"
		"  name: kind-dev\n- cluster: {server: 7}\n  name: broken but not asked for\ncontexts:\n- context:\n"
		"    cluster: kind-dev\n    namespace: berth-system\n    user: kind-dev\n  name: kind-dev\n"
		"current-context: kind-dev\nkind: Config\npreferences: {}\nusers:\n- name: kind-dev\n  user:\n"
		"    client-certificate-data: %s\n    client-key-data: %s\n    unheard-of: [1, 2]\n",
		b64(CERT), b64(CERT), b64(KEY)),
	    &c);
	assert_string_equal(c.server, "https://127.0.0.1:41235");
	assert_string_equal(c.ca, CERT);
	assert_string_equal(c.cert, CERT);
	assert_string_equal(c.key, KEY);
	assert_string_equal(c.namespace_, "berth-system");
	assert_null(c.token.text);
	assert_null(c.exec);
	assert_false(c.insecure);
	assert_non_null(strstr(c.source, "/config, context kind-dev"));
}

/* `kubectl config view --raw -o json`, and the same indented with tabs, on one line, and with CR LF. */
static void
json_style(void **state)
{
	static const char text[] =
	    "{\n\t\"kind\": \"Config\",\n\t\"apiVersion\": \"v1\",\n\t\"preferences\": {},\n\t\"clusters\": [\n\t\t{\n"
	    "\t\t\t\"name\": \"k\",\n\t\t\t\"cluster\": {\n\t\t\t\t\"server\": \"https://10.0.0.1:6443\",\n"
	    "\t\t\t\t\"insecure-skip-tls-verify\": true\n\t\t\t}\n\t\t}\n\t],\n\t\"users\": [\n\t\t{\n\t\t\t\"name\": "
	    "\"u\",\n"
	    "\t\t\t\"user\": {\n\t\t\t\t\"token\": \"s3cr3t-json\"\n\t\t\t}\n\t\t}\n\t],\n\t\"contexts\": "
	    "[\n\t\t{\n\t\t\t\"name\": \"c\",\n"
	    "\t\t\t\"context\": {\n\t\t\t\t\"cluster\": \"k\",\n\t\t\t\t\"user\": "
	    "\"u\"\n\t\t\t}\n\t\t}\n\t],\n\t\"current-context\": \"c\"\n}\n";
	static const char *const breaks[] = { "\n", "\r\n", "" }, *const indents[] = { "\t", "    ", " ", "" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 4; j++) {
			struct buf AUTO_BUF b = BUF_INIT(0);
			struct kube_config c;

			for (const char *p = text; *p; p++) {
				if (*p == '\n')
					buf_str(&b, breaks[i]);
				else if (*p == '\t')
					buf_str(&b, indents[j]);
				else
					buf_char(&b, *p);
			}
			must_load(buf_cstr(&b), &c);
			assert_true(c.insecure);
			assert_string_equal(c.token.text, "s3cr3t-json");
			assert_string_equal(c.namespace_, "default");
		}
	}
}

static void
other_tools(void **state)
{
	struct kube_config c;

	(void)state;
	put("ca.crt", CERT, 0644);
	/* minikube: times and extensions in plain words; lists null where nothing is */
	must_load("apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority: ca.crt\n    extensions:\n    - "
	          "extension:\n"
	          "        last-update: Sun, 22 Nov 2026 10:00:00 UTC\n        provider: minikube.sigs.k8s.io\n        "
	          "version: v1.36.0\n"
	          "      name: cluster_info\n    server: https://192.168.49.2:8443\n  name: minikube\ncontexts:\n- "
	          "context:\n    cluster: minikube\n"
	          "    user: \"\"\n  name: minikube\ncurrent-context: minikube\nkind: Config\nusers: null\n" +
	              0 * (size_t)(put("ca.crt", CERT, 0644), 0),
	          &c);
	assert_string_equal(c.ca, CERT);
	assert_null(c.token.text);
	/* Rancher: a path behind the host; base64 folded over lines */
	must_load(around("    server: \"https://rancher.example:443/k8s/clusters/c-m-x1/\"\n    "
	                 "certificate-authority-data: >-\n      LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0t\n"
	                 "      LS0tClFVSkQKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=\n",
	                 "    token: \" s3cr3t-rancher\\n\"\n"),
	          &c);
	assert_string_equal(c.server, "https://rancher.example:443/k8s/clusters/c-m-x1");
	assert_string_equal(c.ca, "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n");
	assert_string_equal(c.token.text, "s3cr3t-rancher");
	must_load(around(SERVER "    tls-server-name: kubernetes.default\n    proxy-url: \"\"\n", NULL), &c);
	assert_string_equal(c.tls_server_name, "kubernetes.default");
}

static void
contexts(void **state)
{
	static const char text[] =
	    "contexts:\n- name: a\n  context: {cluster: one, namespace: team-a}\n- name: b\n  context: {cluster: two}\n"
	    "clusters:\n- {name: one, cluster: {server: https://one:1}}\n- {name: two, cluster: {server: "
	    "https://two:2}}\n";
	struct kube_config c;

	(void)state;
	assert_int_equal(load_with(text, (struct kube_config_options){ .context = "b" }, &c), 0);
	assert_string_equal(c.server, "https://two:2");
	assert_int_equal(load_with(text, (struct kube_config_options){ .context = "a" }, &c), 0);
	assert_string_equal(c.namespace_, "team-a");
	assert_int_equal(load_with(text, (struct kube_config_options){ .context = "B2" }, &c), ERR_INVALID);
	assert_non_null(strstr(e.text, "no context \"B2\""));
	assert_int_equal(load_with(text, (struct kube_config_options){ .context = "production" }, &c), ERR_INVALID);
	assert_non_null(strstr(e.hint, "a, b"));
	assert_int_equal(load(text, &c), ERR_INVALID);
	assert_non_null(strstr(e.text, "no current-context"));
	assert_non_null(strstr(e.hint, "--context"));
	assert_non_null(strstr(e.hint, "a, b"));
}

/* -- files beside the kubeconfig ----------------------------------------------------------------------------------- */

static void
relative_paths(void **state)
{
	const char *text = around(SERVER "    certificate-authority: sub/ca.crt\n",
	                          "    client-certificate: ./sub/me.crt\n    client-key: sub/me.key\n    token: "
	                          "s3cr3t-loses\n    tokenFile: sub/token\n");
	struct kube_config_options o = { .kubeconfig = "config" };
	struct kube_config c;
	char *back;

	(void)state;
	assert_int_equal(mkdir(path_of("sub"), 0700), 0);
	put("sub/ca.crt", CERT, 0644);
	put("sub/me.crt", CERT, 0644);
	put("sub/me.key", KEY, 0600);
	put("sub/token", "s3cr3t-file\n", 0600);
	must_load(text, &c);
	assert_string_equal(c.ca, CERT);
	assert_string_equal(c.key, KEY);
	assert_string_equal(c.token.file, path_of("sub/token"));
	assert_null(c.token.text);
	/* a kubeconfig named without a folder */
	assert_non_null(back = getcwd(NULL, 0));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(kube_config_load(&o, mem, &c, &e), 0);
	assert_string_equal(c.token.file, "sub/token");
	assert_int_equal(chdir(back), 0);
	free(back);
	/* absolute, and data before file */
	must_load(
	    around(arena_printf(mem, SERVER "    certificate-authority: /no/such\n    certificate-authority-data: %s\n",
	                        b64(CERT)),
	           arena_printf(mem, "    tokenFile: %s\n", path_of("sub/token"))),
	    &c);
	assert_string_equal(c.ca, CERT);
	assert_string_equal(c.token.file, path_of("sub/token"));
}

/* -- what is wrong ------------------------------------------------------------------------------------------------- */

static void
bad_clusters(void **state)
{
	static const struct {
		const char *members, *want, *hint;
	} rows[] = {
		{ "    tls-server-name: x\n", "the cluster has no server", "https://host:port" },
		{ "    server: 10.0.0.1:6443\n", ":10: server does not begin with https://", "https://host:port" },
		{ "    server: http://10.0.0.1:8080\n", "http:// to another machine", "127.0.0.0/8" },
		{ "    server: http://127.0.0.1.example.com\n", "http:// to another machine", "127.0.0.0/8" },
		{ "    server: http://127.1\n", "http:// to another machine", "127.0.0.0/8" },
		{ "    server: http://[::2]:1\n", "http:// to another machine", "127.0.0.0/8" },
		{ "    server: https://bo:s3cr3t@10.0.0.1\n", "holds a user name or a password", "before the @" },
		{ "    server: https://10.0.0.1/?token=s3cr3t\n", "holds a query", "https://host:port" },
		{ "    server: \"https://10.0.0.1/a b\"\n", "holds a query", "" },
		{ "    server: https://\n", "no host", "" },
		{ "    server: https://:6443\n", "no host", "" },
		{ "    server: https://::1\n", "no host", "[ ]" },
		{ "    server: https://[::1\n", "no host", "[ ]" },
		{ "    server: https://[::1]6443\n", "no host", "[ ]" },
		{ "    server: https://[fe80::1%eth0]:1\n", "no host", "[ ]" },
		{ "    server: https://10.0.0.1:0\n", "from 1 to 65535", "" },
		{ "    server: https://10.0.0.1:65536\n", "from 1 to 65535", "" },
		{ "    server: https://10.0.0.1:6x\n", "from 1 to 65535", "" },
		{ "    server: \"https://10.0.0.1:\"\n", "from 1 to 65535", "" },
		{ "    server: 6443\n", "server must be a string and is a integer", "quotes" },
		{ SERVER "    insecure-skip-tls-verify: \"true\"\n", "must be a boolean", "boolean" },
		{ SERVER "    proxy-url: http://proxy:3128\n", ":11: proxy-url is refused", "remove it" },
		{ SERVER "    tls-server-name: \"a/b\"\n", "no host name", "certificate" },
		{ SERVER "    certificate-authority-data: \"!!\"\n", "not base64", "base64 -w0" },
		{ SERVER "    certificate-authority-data: QUJ\n", "not base64", "" },
		{ SERVER "    certificate-authority-data: |\n      -----BEGIN CERTIFICATE-----\n      QUJD\n",
		  "not base64", "PEM text" },
		{ SERVER "    certificate-authority-data: QUJD\n", "certificate-authority-data is not PEM",
		  "-----BEGIN CERTIFICATE-----" },
		{ SERVER "    certificate-authority: .\n", "not a regular file", "" },
		{ SERVER "    certificate-authority: other.crt\n    insecure-skip-tls-verify: true\n",
		  "exclude each other", "remove" },
	};

	(void)state;
	put("other.crt", CERT, 0644);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		must_fail(rows[i].members, around(rows[i].members, NULL), ERR_INVALID, rows[i].want, rows[i].hint);
	must_fail("no such file", around(SERVER "    certificate-authority: missing.crt\n", NULL), ERR_NOTFOUND,
	          ":11: certificate-authority: open /", "relative names");
}

static void
bad_users(void **state)
{
	static const struct {
		const char *members;
		int code;
		const char *want, *hint;
	} rows[] = {
		{ "    username: alice\n    password: s3cr3t-pw\n", ERR_INVALID,
		  ":14: username is refused: ", "kubectl create token" },
		{ "    password: s3cr3t-pw\n", ERR_INVALID, "password is refused", "kubectl create token" },
		{ "    auth-provider: {name: gcp, config: {access-token: s3cr3t-gcp}}\n", ERR_DENIED,
		  "auth-provider is refused", "exec plugin" },
		{ "    as: system:admin\n", ERR_INVALID, "as is refused: acting as somebody else",
		  "account of its own" },
		{ "    as-groups: [system:masters]\n", ERR_INVALID, "as-groups is refused", "" },
		{ "    token: 123456789\n", ERR_INVALID, "token must be a string", "quotes" },
		{ "    token: 123456789012345678901234567890\n", ERR_INVALID, "integer that does not fit", "quote it" },
		{ "    token: \"s3cr3t\\nX-Header: 1\"\n", ERR_INVALID, "token is not one word", "tokenFile" },
		{ "    token: \" \\n\"\n", ERR_INVALID, "token is empty", "" },
		{ "    tokenFile: missing\n", ERR_NOTFOUND, ":14: tokenFile: open /", "readable" },
		{ "    tokenFile: empty\n", ERR_INVALID, "is empty", "one token" },
		{ "    tokenFile: two\n", ERR_INVALID, "not one word", "one token" },
		{ "    tokenFile: large\n", ERR_INVALID, "larger than 64 KiB", "one token" },
		{ "    tokenFile: .\n", ERR_INVALID, "not a regular file", "one token" },
		{ "    client-certificate: me.crt\n", ERR_INVALID, "client-certificate stands without client-key",
		  "client-key-data" },
		{ "    client-key: me.key\n", ERR_INVALID, "client-key stands without client-certificate",
		  "client-certificate-data" },
		{ "    client-certificate: me.key\n    client-key: me.key\n", ERR_INVALID, "holds no certificate", "" },
		{ "    client-certificate: me.crt\n    client-key: me.crt\n", ERR_INVALID, "holds no private key", "" },
		{ "    client-certificate: me.crt\n    client-key: locked.key\n", ERR_INVALID, "pass phrase", "" },
		{ "    client-certificate: huge.crt\n    client-key: me.key\n", ERR_INVALID,
		  "larger than 1048576 bytes", "" },
		{ "    exec: gcloud\n", ERR_INVALID, "exec must be a map", "" },
		{ "    token: s3cr3t-token\n    exec: {command: /bin/true}\n", ERR_INVALID, "exec and a token exclude",
		  "keep one" },
	};
	struct buf AUTO_BUF b = BUF_INIT(0);

	(void)state;
	put("empty", "\n \n", 0600);
	put("two", "s3cr3t-one s3cr3t-two\n", 0600);
	put("me.crt", CERT, 0600);
	put("me.key", KEY, 0600);
	put("locked.key", LOCKED, 0600);
	buf_str(&b, CERT);
	buf_pad(&b, '\n', KUBE_FILE_MAX);
	put("huge.crt", buf_cstr(&b), 0600);
	buf_reset(&b);
	buf_pad(&b, 'x', TOKEN_MAX + 1);
	put("large", buf_cstr(&b), 0600);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		must_fail(rows[i].members, around(SERVER, rows[i].members), rows[i].code, rows[i].want, rows[i].hint);
}

static void
bad_files(void **state)
{
	static const struct {
		const char *name, *text, *want, *hint;
	} rows[] = {
		{ "empty", "", "the file is empty", "kind: Config" },
		{ "a comment", "# nothing\n", "the file is empty", "kind: Config" },
		{ "a list", "- a\n", "not a kubeconfig", "kind: Config" },
		{ "another kind", "apiVersion: v1\nkind: Pod\n", ":2: this is a Pod", "kind: Config" },
		{ "no YAML", "clusters: [\n", ":2: ", "" },
		{ "tabs", "clusters:\n\t- name: x\n", ":2: tab used", "spaces" },
		{ "twice", "kind: Config\nkind: Config\n", ":2: duplicate key 'kind'", "keep one" },
		{ "two documents", "kind: Config\n---\nkind: Config\n", "more than one document", "" },
		{ "an alias", "kind: Config\na: &x 1\nb: *x\n", "anchors are refused", "" },
		{ "no contexts", "current-context: dev\n", ":1: there is no context \"dev\" in contexts", "none" },
		{ "a near name", "current-context: dve\ncontexts: [{name: dev, context: {}}]\n", "no context \"dve\"",
		  "did you mean dev" },
		{ "contexts no list", "current-context: dev\ncontexts: {dev: 1}\n", "contexts must be a list", "list" },
		{ "a context twice",
		  "current-context: dev\ncontexts: [{name: dev, context: {}}, {name: dev, context: {}}]\n",
		  "stands in contexts twice", "rename" },
		{ "a context without map", "current-context: dev\ncontexts: [{name: dev}]\n",
		  "has no map under `context`", "context:" },
		{ "a context without cluster",
		  "current-context: dev\ncontexts: [{name: dev, context: {user: u}}]\nclusters: [{name: k}]\n",
		  "names no cluster", "there are: k" },
		{ "a cluster that is not there",
		  "current-context: dev\ncontexts: [{name: dev, context: {cluster: x}}]\n",
		  ":2: there is no cluster \"x\"", "none" },
		{ "a user that is not there",
		  "current-context: dev\ncontexts: [{name: dev, context: {cluster: k, user: nobody}}]\nclusters: "
		  "[{name: k, cluster: {server: "
		  "https://k}}]\nusers: [{name: alice, user: {token: s3cr3t-alice}}]\n",
		  "no user \"nobody\"", "alice" },
		{ "a namespace that is none",
		  "current-context: dev\ncontexts: [{name: dev, context: {cluster: x, namespace: ../kube-system}}]\n",
		  "namespace is not made of", "default" },
		{ "names with control characters", "current-context: \"a\\nb\"\ncontexts: []\n", "no context \"a?b\"",
		  "none" },
	};
	struct buf AUTO_BUF b = BUF_INIT(0);
	struct kube_config c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		must_fail(rows[i].name, rows[i].text, ERR_INVALID, rows[i].want, rows[i].hint);
	buf_str(&b, "kind: Config\n#");
	buf_pad(&b, 'x', KUBE_FILE_MAX);
	must_fail("huge", buf_cstr(&b), ERR_INVALID, "larger than 1048576 bytes", "--kubeconfig");
	buf_reset(&b);
	buf_pad(&b, '[', 5000);
	must_fail("deep", buf_cstr(&b), ERR_INVALID, "levels deep", "");
	buf_reset(&b);
	buf_str(&b, "[");
	for (size_t i = 0; i < 200000; i++)
		buf_str(&b, "a,");
	buf_str(&b, "]");
	must_fail("many", buf_cstr(&b), ERR_INVALID, "keys and values", "");
	assert_int_equal(
	    kube_config_load(&(struct kube_config_options){ .kubeconfig = path_of("nothing") }, mem, &c, &e),
	    ERR_NOTFOUND);
	assert_non_null(strstr(e.hint, "--kubeconfig"));
}

static void
loopback(void **state)
{
	static const char *const good[] = { "http://localhost:8001",
		                            "http://127.0.0.1:1",
		                            "http://127.9.9.9",
		                            "http://[::1]:8001",
		                            "https://[2001:db8::1]:6443",
		                            "https://k8s.example",
		                            "https://k8s.example:443/prefix" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *flaw = NULL, *next = NULL;
		const char *got = kube_server_url(mem, arena_printf(mem, "%s//", good[i]), &flaw, &next);

		if (!got)
			fail_msg("%s %s", good[i], flaw);
		assert_string_equal(got, good[i]);
	}
}

/* -- which one ----------------------------------------------------------------------------------------------------- */

static void
order(void **state)
{
	struct kube_config_options none = { 0 };
	struct kube_config c;

	(void)state;
	(void)unsetenv("KUBERNETES_SERVICE_HOST");
	(void)unsetenv("KUBECONFIG");
	assert_int_equal(setenv("HOME", folder, 1), 0);
	assert_int_equal(kube_config_load(&none, mem, &c, &e), ERR_NOTFOUND);
	assert_non_null(strstr(e.text, ".kube/config"));
	assert_non_null(strstr(e.hint, "KUBECONFIG"));
	assert_int_equal(mkdir(path_of(".kube"), 0700), 0);
	put(".kube/config", around("    server: https://home\n", NULL), 0600);
	assert_int_equal(kube_config_load(&none, mem, &c, &e), 0);
	assert_string_equal(c.server, "https://home");
	put("other", around("    server: https://variable\n", NULL), 0600);
	assert_int_equal(setenv("KUBECONFIG", path_of("other"), 1), 0);
	assert_int_equal(kube_config_load(&none, mem, &c, &e), 0);
	assert_string_equal(c.server, "https://variable");
	assert_int_equal(load(around("    server: https://option\n", NULL), &c), 0);
	assert_string_equal(c.server, "https://option");
	assert_int_equal(setenv("KUBECONFIG", arena_printf(mem, "%s:%s", path_of("other"), path_of("config")), 1), 0);
	assert_int_equal(kube_config_load(&none, mem, &c, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "several files"));
	check_error(ERR_INVALID);
	/* empty is not set */
	assert_int_equal(setenv("KUBECONFIG", "", 1), 0);
	assert_int_equal(kube_config_load(&none, mem, &c, &e), 0);
	assert_string_equal(c.server, "https://home");
	(void)unsetenv("KUBECONFIG");
	/* named but not there is an error, never a reason to take the next one */
	assert_int_equal(setenv("KUBECONFIG", path_of("nothing"), 1), 0);
	assert_int_equal(kube_config_load(&none, mem, &c, &e), ERR_NOTFOUND);
	(void)unsetenv("KUBECONFIG");
}

/* As the kubelet lays them out: links that are turned over at once. */
static void
in_cluster(void **state)
{
	static const struct {
		const char *host, *port, *want;
	} good[] = {
		{ "10.96.0.1", "443", "https://10.96.0.1:443" },
		{ "fd00::1", "6443", "https://[fd00::1]:6443" },
		{ "kubernetes.default", "443", "https://kubernetes.default:443" },
	}, bad[] = {
		{ NULL, "443", "KUBERNETES_SERVICE_HOST" },
		{ "10.96.0.1", "", "KUBERNETES_SERVICE_PORT" },
		{ "10.96.0.1", "https", "no port" },
		{ "10.96.0.1/x", "443", "no address" },
		{ "bo:s3cr3t@10.96.0.1", "443", "KUBERNETES_SERVICE_HOST" },
		{ "10.96.0.1", "99999", "no port" },
	};
	const char *token;
	struct kube_tokens *t;
	struct kube_config c;

	(void)state;
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(mkdir(path_of(arena_printf(mem, "v%d", i)), 0700), 0);
		put(arena_printf(mem, "v%d/token", i), arena_printf(mem, "s3cr3t-mounted-%d", i), 0600);
		put(arena_printf(mem, "v%d/ca.crt", i), CERT, 0600);
		put(arena_printf(mem, "v%d/namespace", i), "berth-system", 0600);
	}
	assert_int_equal(symlink("v1", path_of("now")), 0);
	assert_int_equal(symlink("now/token", path_of("token")), 0);
	assert_int_equal(symlink("now/ca.crt", path_of("ca.crt")), 0);
	assert_int_equal(symlink("now/namespace", path_of("namespace")), 0);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(kube_in_cluster(folder, good[i].host, good[i].port, mem, &c, &e), 0);
		assert_string_equal(c.server, good[i].want);
	}
	assert_string_equal(c.ca, CERT);
	assert_string_equal(c.namespace_, "berth-system");
	assert_string_equal(c.source, "in-cluster service account");
	assert_null(c.token.text);
	t = kube_tokens_new(&c);
	assert_int_equal(kube_token_read_at(t, false, 1000, 1, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-mounted-1");
	assert_int_equal(symlink("v2", path_of("next")), 0);
	assert_int_equal(rename(path_of("next"), path_of("now")), 0);
	assert_int_equal(kube_token_read_at(t, false, 61000, 61, &token, &e), 0);
	assert_string_equal(token, "s3cr3t-mounted-2");
	kube_tokens_free(t);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int rc = kube_in_cluster(folder, bad[i].host, bad[i].port, mem, &c, &e);

		assert_true(rc < 0);
		check_error(rc);
		assert_non_null(strstr(e.text, "in-cluster service account: "));
		assert_non_null(strstr(e.text, bad[i].want));
		assert_non_null(strstr(e.hint, "automountServiceAccountToken"));
	}
	put("v2/ca.crt", "no certificate", 0600);
	assert_int_equal(kube_in_cluster(folder, "h", "1", mem, &c, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "ca.crt is not PEM"));
	put("v2/ca.crt", CERT, 0600);
	put("v2/namespace", "a/b\n", 0600);
	assert_int_equal(kube_in_cluster(folder, "h", "1", mem, &c, &e), ERR_INVALID);
	assert_non_null(strstr(e.text, "namespace"));
	assert_int_equal(unlink(path_of("v2/namespace")), 0);
	assert_int_equal(kube_in_cluster(folder, "h", "1", mem, &c, &e), 0);
	assert_string_equal(c.namespace_, "default");
	assert_int_equal(unlink(path_of("v2/token")), 0);
	assert_int_equal(kube_in_cluster(folder, "h", "1", mem, &c, &e), ERR_NOTFOUND);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)
	const struct CMUnitTest tests[] = {
		T(block_style),
		T(json_style),
		T(other_tools),
		T(contexts),
		T(relative_paths),
		T(bad_clusters),
		T(bad_users),
		T(bad_files),
		T(loopback),
		T(order),
		T(in_cluster),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
