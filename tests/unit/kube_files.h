/* SPDX-License-Identifier: Apache-2.0 */
/* For the unit tests of lib/kube/config.h: a folder for each test, kubeconfigs in it, and what every error must keep to. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/base64.h"
#include "lib/base/fs.h"
#include "lib/base/str.h"
#include "lib/kube/kubeconfig.h"
#include "unit/with_arena.h"

#define CERT "-----BEGIN CERTIFICATE-----\nQUJDREVG\n-----END CERTIFICATE-----\n"
#define KEY "-----BEGIN EC PRIVATE KEY-----\nczNjcjN0LWtleQ==\n-----END EC PRIVATE KEY-----\n"
#define LOCKED "-----BEGIN ENCRYPTED PRIVATE KEY-----\nczNjcjN0LWtleQ==\n-----END ENCRYPTED PRIVATE KEY-----\n"
#define SECRET "s3cr3t" /* part of every credential here; no error may hold it */
#define SERVER "    server: https://10.0.0.1:6443\n"
#define PLUGIN "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n"

static struct err e;
static char folder[64];

static const char *
path_of(const char *name)
{
	return arena_printf(mem, "%s/%s", folder, name);
}

static void
put(const char *name, const char *text, unsigned int mode)
{
	assert_int_equal(fs_write_atomic(path_of(name), text, strlen(text), mode, &e), 0);
}

static const char *
b64(const char *s)
{
	return base64_encode(mem, s, strlen(s));
}

/* A whole kubeconfig around the members of one cluster and one user. */
static const char *
around(const char *cluster, const char *user)
{
	return arena_printf(mem,
	                    "apiVersion: v1\nkind: Config\ncurrent-context: dev\ncontexts:\n- name: dev\n  context: "
	                    "{cluster: k, user: u}\n"
	                    "clusters:\n- name: k\n  cluster:\n%susers:\n- name: u\n  user:%s\n%s",
	                    cluster, user ? "" : " {}", user ? user : "");
}

/* No credential in an error, and always a next step. */
static void
check_error(int code)
{
	if (!code)
		return;
	assert_int_equal(e.code, code);
	assert_null(strstr(e.text, SECRET));
	assert_null(strstr(e.hint, SECRET));
	if (!e.hint[0])
		fail_msg("no next step: %s", e.text);
}

static int
load_with(const char *text, struct kube_config_options o, struct kube_config *c)
{
	int rc;

	put("config", text, 0600);
	o.kubeconfig = path_of("config");
	e = (struct err){ 0 };
	memset(c, 0, sizeof(*c));
	rc = kube_config_load(&o, mem, c, &e);
	check_error(rc);
	return rc;
}

static int
load(const char *text, struct kube_config *c)
{
	return load_with(text, (struct kube_config_options){ 0 }, c);
}

static void
must_load(const char *text, struct kube_config *c)
{
	if (load(text, c))
		fail_msg("%s (%s)", e.text, e.hint);
}

static int
folder_setup(void **state)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/berth-kube.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	return setup(state);
}

static int
folder_teardown(void **state)
{
	const char **paths;
	unsigned int *modes;
	size_t n;

	if (!fs_list(folder, 1000, mem, &paths, &modes, &n, &e))
		for (size_t i = 0; i < n; i++)
			(void)unlink(path_of(paths[i]));
	(void)rmdir(path_of("sub"));
	(void)rmdir(path_of("v1"));
	(void)rmdir(path_of("v2"));
	(void)rmdir(path_of(".kube"));
	(void)rmdir(folder);
	return teardown(state);
}
