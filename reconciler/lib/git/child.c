/* SPDX-License-Identifier: Apache-2.0 */
/* Remotes, the child's side: one fetch or push by libgit2, which has no time limits of its own, then exit. */
#include "lib/git/remote.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/fs.h"
#include "lib/base/str.h"

#define RECEIVE_MAX ((size_t)2 << 30) /* bytes of one fetch */
#define FILE_SIZE_MAX ((rlim_t)4 << 30)
#define ATTEMPTS_MAX 2

struct job {
	const char *url, *token_file, *username, *key_file;
	struct err *e;            /* set by a callback that knows better than libgit2 what is wrong */
	int attempts;
	struct buf said;          /* what the server said on the side band */
	const char *ref;          /* push: the ref, and */
	const struct oid *old;    /* what it must be there (NULL: absent) */
	bool accepted;
};

/* -- credentials ------------------------------------------------------------------------------------------------------- */

static int
http_credential(struct job *j, const char *url_user, git_credential **out)
{
	const char *user = *j->username ? j->username : url_user && *url_user ? url_user : "berth";
	char token[GIT_TOKEN_MAX];
	int rc;

	if (!*j->token_file) {
		err_set(j->e, ERR_DENIED, "the server asks for a password");
		err_hint(j->e, "Write a token into a file and give --token-file FILE.");
		return GIT_EAUTH;
	}
	if (git_token_read(j->token_file, token, j->e))
		return GIT_EAUTH;
	rc = git_credential_userpass_plaintext_new(out, user, token);
	explicit_bzero(token, sizeof(token));
	return rc;
}

static int
ssh_credential(struct job *j, const char *url_user, git_credential **out)
{
	const char *user = *j->username ? j->username : url_user && *url_user ? url_user : "git";

	if (*j->key_file)
		return git_credential_ssh_key_new(out, user, NULL, j->key_file, "");
	return git_credential_ssh_key_from_agent(out, user);
}

static int
on_credentials(git_credential **out, const char *url, const char *url_user, unsigned int allowed, void *payload)
{
	struct job *j = payload;

	(void)url;
	/* without this a refused credential is asked for again and again, for ever */
	if (!(allowed & GIT_CREDENTIAL_USERNAME) && j->attempts++ >= ATTEMPTS_MAX) {
		err_set(j->e, ERR_DENIED, "the server does not accept the %s", *j->token_file ? "token" : "key");
		return GIT_EAUTH;
	}
	if (allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT && (*j->token_file || !(allowed & GIT_CREDENTIAL_SSH_KEY)))
		return http_credential(j, url_user, out);
	if (allowed & GIT_CREDENTIAL_SSH_KEY)
		return ssh_credential(j, url_user, out);
	if (allowed & GIT_CREDENTIAL_USERNAME)
		return git_credential_username_new(out, *j->username ? j->username : "git");
	err_set(j->e, ERR_DENIED, "the server asks for a kind of login that berth does not have");
	return GIT_EAUTH;
}

/* "-p 2222 " for ssh://host:2222/path, else "". */
static const char *
port_option(const char *url)
{
	static char out[16];
	const char *host = str_starts(url, "ssh://") ? url + 6 : "", *colon = memrchr(host, ':', strcspn(host, "/"));
	size_t n = colon ? strspn(colon + 1, "0123456789") : 0;

	if (n == 0 || n > 5 || colon[1 + n] != '/')
		return "";
	(void)snprintf(out, sizeof(out), "-p %.*s ", (int)n, colon + 1);
	return out;
}

/* `valid`: libgit2 checked X.509 against the system's authorities, an SSH host key against ~/.ssh/known_hosts. */
static int
on_certificate(git_cert *cert, int valid, const char *host, void *payload)
{
	struct job *j = payload;

	if (valid)
		return 0;
	if (cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2) {
		err_set(j->e, ERR_DENIED, "the key of %s is not in known_hosts, or is another one now", host);
		err_hint(j->e, "Compare its fingerprint with what its owner says, then: ssh-keyscan %s%s >> ~/.ssh/known_hosts",
		         port_option(j->url), host);
	} else {
		err_set(j->e, ERR_DENIED, "the certificate of %s is not trusted", host);
		err_hint(j->e, "Put its authority into the system's certificates (update-ca-certificates).");
	}
	return GIT_ECERTIFICATE;
}

/* -- other callbacks ------------------------------------------------------------------------------------------------------ */

static int
on_progress(const git_indexer_progress *p, void *payload)
{
	struct job *j = payload;

	if (p->received_bytes <= RECEIVE_MAX)
		return 0;
	err_set(j->e, ERR_INVALID, "the server sends more than %zu MiB", RECEIVE_MAX >> 20);
	return GIT_EUSER;
}

/* What hooks print comes here, in pieces. */
static int
on_message(const char *text, int len, void *payload)
{
	struct job *j = payload;

	if (len > 0 && j->said.len + (size_t)len <= j->said.max)
		buf_add(&j->said, text, (size_t)len);
	return 0;
}

/* The server compares with what it told us here under its own lock: a ref that is `old` here cannot be lost later. */
static int
on_negotiation(const git_push_update **updates, size_t n, void *payload)
{
	static const struct oid absent;
	const struct oid *want;
	struct job *j = payload;

	want = j->old ? j->old : &absent;
	for (size_t i = 0; i < n; i++)
		if (memcmp(updates[i]->src.id, want->b, sizeof(want->b)) != 0) {
			err_set(j->e, ERR_CONFLICT, "%s was moved by somebody else", j->ref);
			return GIT_EUSER;
		}
	return 0;
}

/* What the server's hooks said, on one line. */
static const char *
said(struct job *j)
{
	size_t n = j->said.len;

	while (n && strchr(" \r\n", j->said.data[n - 1]))
		j->said.data[--n] = '\0';
	for (char *p = j->said.data; p && *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	return buf_cstr(&j->said);
}

static int
on_update(const char *ref, const char *status, void *payload)
{
	/* the server's words for a lost race */
	static const char *const races[] = { "failed to update ref", "failed to lock", "cannot lock", "non-fast-forward",
		"fetch first", "reference already exists", "stale info", "failed to read ref" };
	struct job *j = payload;

	if (!status) {
		j->accepted |= strcmp(ref, j->ref) == 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof(races) / sizeof(races[0]); i++)
		if (strstr(status, races[i]))
			return err_set(j->e, ERR_CONFLICT, "%s was moved by somebody else (%s)", ref, status), 0;
	err_set(j->e, ERR_DENIED, "the server declined %s: %s%s%s", ref, status, j->said.len ? ": " : "", said(j));
	return 0;
}

static void
callbacks(struct job *j, git_remote_callbacks *c)
{
	c->credentials = on_credentials;
	c->certificate_check = on_certificate;
	c->transfer_progress = on_progress;
	c->sideband_progress = on_message;
	c->push_negotiation = on_negotiation;
	c->push_update_reference = on_update;
	c->payload = j;
}

/* A token is never sent to where a redirect points. */
static git_remote_redirect_t
redirects(const struct job *j)
{
	return *j->token_file ? GIT_REMOTE_REDIRECT_NONE : GIT_REMOTE_REDIRECT_INITIAL;
}

/* The callback's reason when there is one, else libgit2's. */
static int
failed(struct job *j, int rc)
{
	struct buf AUTO_BUF text = BUF_INIT(1024);
	int code;

	if (j->e->code)
		return j->e->code;
	code = git_fail(j->e, rc, "%s", *said(j) ? said(j) : "failed");
	/* a peer that breaks the protocol or a name that does not resolve: all of it may pass */
	if (code == ERR_INTERNAL)
		j->e->code = code = ERR_UNAVAILABLE;
	if (str_starts(j->e->text, "failed: ")) {
		buf_str(&text, j->e->text + 8);
		err_set(j->e, code, "%s", buf_cstr(&text));
	}
	if (strstr(j->e->text, "exchange encryption keys")) /* libssh2 has no RSA with SHA-2, servers have none without */
		err_hint(j->e, "If known_hosts has only an RSA key of the server, add another one: ssh-keyscan -t ed25519,ecdsa HOST");
	return code;
}

/* -- fetch ---------------------------------------------------------------------------------------------------------------- */

static int
tracking(const char *ref, char out[GIT_PATH_MAX], struct err *e)
{
	int n;

	if (str_starts(ref, GIT_APPROVALS)) /* they have the same name here: they belong to no branch */
		n = snprintf(out, GIT_PATH_MAX, "%s", ref);
	else if (str_starts(ref, "refs/heads/"))
		n = snprintf(out, GIT_PATH_MAX, "refs/remotes/origin/%s", ref + 11);
	else if (str_starts(ref, "refs/pull/"))
		n = snprintf(out, GIT_PATH_MAX, GIT_PULLS "%s", ref + 10);
	else if (str_starts(ref, "refs/merge-requests/"))
		n = snprintf(out, GIT_PATH_MAX, GIT_PULLS "%s", ref + 20);
	else
		return err_set(e, ERR_INVALID, "%s is no branch: only refs/heads/ and heads of pull requests are fetched", ref);
	return n > 0 && n < GIT_PATH_MAX ? 0 : err_set(e, ERR_INVALID, "the name of a branch is too long");
}

static const git_remote_head *
head_of(const git_remote_head **heads, size_t n, const char *ref)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(heads[i]->name, ref) == 0)
			return heads[i];
	return NULL;
}

static int
download(struct job *j, git_remote *remote, const git_remote_head **heads, size_t n, char **refs, size_t nrefs)
{
	git_fetch_options o = { .version = GIT_FETCH_OPTIONS_VERSION, .prune = GIT_FETCH_NO_PRUNE,
		.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE, .follow_redirects = redirects(j) };
	char **specs = calloc(nrefs + 1, sizeof(char *));
	git_strarray list = { specs, 0 };
	char name[GIT_PATH_MAX];
	int rc = 0;

	if (!specs)
		abort();
	o.callbacks.version = GIT_REMOTE_CALLBACKS_VERSION;
	o.proxy_opts.version = GIT_PROXY_OPTIONS_VERSION;
	o.proxy_opts.type = GIT_PROXY_AUTO;
	callbacks(j, &o.callbacks);
	for (size_t i = 0; i < nrefs && rc == 0; i++)
		if (head_of(heads, n, refs[i]) && (rc = tracking(refs[i], name, j->e)) == 0 &&
		    asprintf(&specs[list.count++], "+%s:%s", refs[i], name) < 0)
			abort();
	if (rc == 0 && list.count && (rc = git_remote_download(remote, &list, &o)) < 0)
		rc = failed(j, rc);
	for (size_t i = 0; i < list.count; i++)
		free(specs[i]);
	free(specs);
	return rc;
}

/* Sets or (NULL) removes one tracking ref. */
static int
store_one(git_repository *repo, const char *name, const git_oid *id)
{
	git_reference *r = NULL;
	int rc = id ? git_reference_create(&r, repo, name, id, 1, "fetch") : git_reference_remove(repo, name);

	git_reference_free(r);
	return !id && rc == GIT_ENOTFOUND ? 0 : rc;
}

/*
 * The tracking refs in the order asked for, each forced to what the server had, or removed. A child like this one that was
 * killed here left a lock behind.
 */
static int
store(struct job *j, struct git_repo *g, const git_remote_head **heads, size_t n, char **refs, size_t nrefs)
{
	for (size_t i = 0; i < nrefs; i++) {
		const git_remote_head *h = head_of(heads, n, refs[i]);
		const git_oid *id = h ? &h->oid : NULL;
		char name[GIT_PATH_MAX];
		int rc = tracking(refs[i], name, j->e);

		if (rc)
			return rc;
		rc = store_one(g->repo, name, id);
		if (rc == GIT_ELOCKED &&
		    (git_lock_sweep(g, name, GIT_STALE_LOCK) | git_lock_sweep(g, "packed-refs", GIT_STALE_PACKED)))
			rc = store_one(g->repo, name, id);
		if (rc < 0)
			return git_fail(j->e, rc, "store %s", name);
	}
	return 0;
}

static bool
is_here(struct git_repo *g, const git_remote_head *h)
{
	git_oid id;

	return git_reference_name_to_id(&id, g->repo, h->name) == 0 && git_oid_equal(&id, &h->oid);
}

/* Refs below a folder that the server has no longer go here, too. Before others come: a name may have become a folder. */
static int
prune_below(struct job *j, struct git_repo *g, const git_remote_head **heads, size_t n, const char *prefix)
{
	struct arena *AUTO_ARENA mem = arena_new((size_t)16 << 20);
	struct git_ref *refs;
	size_t have;
	int rc = git_refs_under(g, prefix, GIT_BELOW_MAX, mem, &refs, &have, j->e);

	for (size_t i = 0; rc == 0 && i < have; i++)
		if (!head_of(heads, n, refs[i].name) && git_reference_remove(g->repo, refs[i].name) < 0)
			rc = git_fail(j->e, GIT_ERROR, "remove %s", refs[i].name);
	return rc;
}

/* "refs/berth/approvals/" and a star: all that is below it, as the server has it. */
static int
fetch_below(struct job *j, struct git_repo *g, git_remote *remote, const git_remote_head **heads, size_t n, const char *pattern)
{
	char *prefix = strndup(pattern, strlen(pattern) - 1), **names = calloc(GIT_BELOW_MAX, sizeof(*names));
	size_t count = 0, fresh = 0;
	int rc = 0;

	if (!prefix || !names)
		abort();
	for (size_t i = 0; i < n && rc == 0; i++) {
		int valid = 0;

		if (!str_starts(heads[i]->name, prefix))
			continue;
		if (count++ == GIT_BELOW_MAX)
			rc = err_set(j->e, ERR_INVALID, "it has over %d refs below %s: delete those that nobody needs", GIT_BELOW_MAX, prefix);
		else if (!is_here(g, heads[i]) && git_reference_name_is_valid(&valid, heads[i]->name) == 0 && valid)
			names[fresh++] = (char *)(uintptr_t)heads[i]->name;
	}
	if (rc == 0 && (rc = prune_below(j, g, heads, n, prefix)) == 0 && fresh &&
	    (rc = download(j, remote, heads, n, names, fresh)) == 0) {
		struct err ignored = { 0 }, *e = j->e;

		j->e = &ignored; /* a name that this disk cannot hold is in nobody's way */
		for (size_t i = 0; i < fresh; i++)
			(void)store(j, g, heads, n, names + i, 1);
		j->e = e;
	}
	free(names);
	free(prefix);
	return rc;
}

static int
fetch(struct job *j, struct git_repo *g, git_remote *remote, char **refs, size_t nrefs)
{
	git_remote_connect_options o = { .version = GIT_REMOTE_CONNECT_OPTIONS_VERSION, .follow_redirects = redirects(j) };
	const git_remote_head **heads = NULL;
	size_t n = 0;
	int rc;

	o.callbacks.version = GIT_REMOTE_CALLBACKS_VERSION;
	o.proxy_opts.version = GIT_PROXY_OPTIONS_VERSION;
	o.proxy_opts.type = GIT_PROXY_AUTO;
	callbacks(j, &o.callbacks);
	if ((rc = git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &o)) < 0 || (rc = git_remote_ls(&heads, &n, remote)) < 0)
		return failed(j, rc);
	if (nrefs == 1 && strcmp(refs[0], GIT_APPROVALS "*") == 0)
		return fetch_below(j, g, remote, heads, n, refs[0]);
	rc = download(j, remote, heads, n, refs, nrefs);
	return rc ? rc : store(j, g, heads, n, refs, nrefs);
}

/* -- push ----------------------------------------------------------------------------------------------------------------- */

#define PUSH_REFS "refs/berth/push/"

/* Names of earlier pushes whose process is gone. */
static void
forget_pushes(struct git_repo *g)
{
	git_strarray all = { 0 };
	int64_t pid;

	if (git_reference_list(&all, g->repo) < 0)
		return;
	for (size_t i = 0; i < all.count; i++)
		if (str_starts(all.strings[i], PUSH_REFS) && str_to_i64(all.strings[i] + strlen(PUSH_REFS), &pid) == 0 &&
		    pid > 1 && kill((pid_t)pid, 0) != 0)
			(void)git_reference_remove(g->repo, all.strings[i]);
	git_strarray_dispose(&all);
}

static int
push_spec(struct job *j, git_remote *remote, const char *source)
{
	git_push_options o = { .version = GIT_PUSH_OPTIONS_VERSION, .pb_parallelism = 1, .follow_redirects = redirects(j) };
	char *spec = NULL;
	git_strarray list = { &spec, 1 };
	int rc;

	o.callbacks.version = GIT_REMOTE_CALLBACKS_VERSION;
	o.proxy_opts.version = GIT_PROXY_OPTIONS_VERSION;
	o.proxy_opts.type = GIT_PROXY_AUTO;
	callbacks(j, &o.callbacks);
	if (asprintf(&spec, "%s:%s", source, j->ref) < 0)
		abort();
	rc = git_remote_push(remote, &list, &o);
	free(spec);
	if (rc < 0)
		return failed(j, rc);
	/* 0 only says that the talk went well: whether the ref moved is what on_update heard */
	if (!j->e->code && !j->accepted)
		err_set(j->e, ERR_UNAVAILABLE, "the server did not say that it took %s", j->ref);
	return j->e->code;
}

static int
push(struct job *j, struct git_repo *g, git_remote *remote, char **args)
{
	char source[64];
	struct oid old, id;
	git_reference *r = NULL;
	int rc;

	if ((*args[1] && oid_parse(args[1], &old)) || (*args[2] && oid_parse(args[2], &id)))
		return err_set(j->e, ERR_USAGE, "push wants two object ids");
	j->ref = args[0];
	j->old = *args[1] ? &old : NULL;
	forget_pushes(g);
	if (!*args[2])
		return push_spec(j, remote, "");
	(void)snprintf(source, sizeof(source), PUSH_REFS "%ld", (long)getpid());
	if ((rc = git_reference_create(&r, g->repo, source, git_oid_of(&id), 1, "push")) < 0)
		return git_fail(j->e, rc, "name what is pushed");
	git_reference_free(r);
	rc = push_spec(j, remote, source);
	(void)git_reference_remove(g->repo, source);
	return rc;
}

/* -- main ----------------------------------------------------------------------------------------------------------------- */

static void
print_line(const char *s)
{
	for (; *s; s++)
		(void)putchar(*s == '\n' ? ' ' : *s);
	(void)putchar('\n');
}

static void
guard(void)
{
	struct rlimit size = { FILE_SIZE_MAX, FILE_SIZE_MAX };
	const char *home = getenv("HOME");

	(void)setrlimit(RLIMIT_FSIZE, &size);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	git_start();
	/* libgit2 1.5 looks for .ssh/known_hosts along this path; the configuration there is still not obeyed */
	(void)git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, home ? home : "");
}

static int
work(char **argv, int n, struct err *e)
{
	struct job j = { .url = argv[3], .token_file = argv[4], .username = argv[5], .key_file = argv[6], .e = e,
		.said = BUF_INIT(4096) };
	struct git_repo *g = NULL;
	git_remote *remote = NULL;
	int rc;

	guard();
	if ((rc = git_url_check(j.url, e)) || (rc = git_open(argv[2], &g, e)))
		return rc;
	if ((rc = git_remote_create_anonymous(&remote, g->repo, j.url)) < 0)
		rc = git_fail(e, rc, "remote");
	else if (strcmp(argv[1], "fetch") == 0)
		rc = fetch(&j, g, remote, argv + CHILD_ARGS, (size_t)(n - CHILD_ARGS));
	else if (strcmp(argv[1], "push") == 0 && n == CHILD_ARGS + 3)
		rc = push(&j, g, remote, argv + CHILD_ARGS);
	else
		rc = err_set(e, ERR_USAGE, "git-child knows fetch and push");
	git_remote_free(remote);
	git_close(g);
	buf_free(&j.said);
	return rc;
}

int
git_child_main(int argc, char **argv)
{
	struct err e = { 0 };
	int rc;

	if (argc < CHILD_ARGS || strcmp(argv[0], "git-child") != 0) {
		fputs("git-child is run by berth itself\n", stderr);
		return 2;
	}
	rc = work(argv, argc, &e);
	(void)printf("%d\n", rc);
	print_line(e.text);
	print_line(e.hint);
	return rc ? 1 : 0;
}
