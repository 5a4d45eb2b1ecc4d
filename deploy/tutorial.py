#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make tutorial: a Gitea on loopback with a repository, four people and berth (docs/tutorial.md), all in build/tutorial.

It stays in the foreground until Ctrl-C; a second `make tutorial` goes on with the same folder, `make tutorial-clean` removes it.
Called by the name `forge` it is what a person does there in a browser: open, show and merge pull requests.
"""
import base64
import ctypes
import fcntl
import html
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(1, os.path.join(TOP, "tests", "peers"))
from forge import CACHE, Server, free_port, is_free  # noqa: E402

HOME = os.path.abspath(os.environ.get("TUTORIAL") or os.path.join(TOP, "build", "tutorial"))
BERTH = os.path.abspath(os.environ.get("BERTH") or os.path.join(TOP, "build", "berth"))
REPO = "lab/envs"
PEOPLE = ("alice", "bo", "carol", "dana")
FOLDERS = ("keys", "credentials", "home", "gitea")
RIGHTS = "write:repository", "write:issue", "read:user"
USER = "apiVersion: berth.dev/v1\nkind: User\nspec:\n  uid: \"%s\"\n  email: %s@example.com\n  role: admin\n  teams: []\n"


def path(*names):
    return os.path.join(HOME, *names)


def environment():
    """Nothing of the person's own: neither their git configuration nor variables that lead git elsewhere."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "BERTH_")) and k != "XDG_CONFIG_HOME"}
    return {**keep, "HOME": path("home"), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


def git(where, *args):
    p = subprocess.run(["git", "-C", where, *args], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        raise SystemExit("tutorial: git %s: %s" % (args[0], p.stderr.strip()))
    return p.stdout.strip()


def keep(name, text):
    with open(os.open(path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
        f.write(text)


def kept(name):
    try:
        with open(path(name), encoding="utf-8") as f:
            return f.read().strip()
    except FileNotFoundError:
        return ""


class Refused(Exception):
    """What the forge said to a request: .code and a text."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def api(who, method, where, body=None):
    """As one of the people. The password is in no argument and no log."""
    name = base64.b64encode(("%s:%s-password" % (who, who)).encode()).decode()
    q = urllib.request.Request("http://127.0.0.1:%s/api/v1%s" % (kept("port"), where), method=method, data=None if body is None else json.dumps(body).encode(),
                               headers={"Authorization": "Basic " + name, "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(q, timeout=60) as r:
            text = r.read()
    except urllib.error.HTTPError as e:
        text = e.read().decode(errors="replace")
        try:
            text = json.loads(text).get("message") or text
        except ValueError:
            pass
        raise Refused(e.code, text) from None
    return json.loads(text) if text else None


# -- setting up ----------------------------------------------------------------------------------------------------


def commit_rules(clone):
    """Who may approve, and that approvals count: the one commit that is trusted as it stands."""
    for who in ("carol", "dana"):
        key = path("keys", who)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", key], check=True, stdin=subprocess.DEVNULL)
    with open(os.path.join(clone, "users", "carol.yaml"), "w", encoding="utf-8") as f:
        f.write(USER % (secrets.token_hex(4), "carol"))
    os.makedirs(os.path.join(clone, "approvers"))
    with open(os.path.join(clone, "approvers", "allowed_signers"), "w", encoding="utf-8") as f:
        for who in ("carol", "dana"):
            with open(path("keys", who + ".pub"), encoding="ascii") as pub:
                f.write('%s namespaces="git,approval@berth" %s\n' % (who, " ".join(pub.read().split()[:2])))
    name = os.path.join(clone, "berth.yaml")
    with open(name, encoding="utf-8") as f:
        text = f.read()
    with open(name, "w", encoding="utf-8") as f:
        f.write(re.sub(r"\A(#.*\n)*", "", text).replace("approvals: {mode: none}", "approvals: {mode: signed, required: 1, admins: [carol, dana]}"))
    subprocess.run([BERTH, "codeowners", "--write", "-C", clone], env=environment(), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    git(clone, "add", "-A")
    git(clone, "-c", "user.name=root", "-c", "user.email=root@example.com", "commit", "-q", "-m", "our people, and who approves")
    return git(clone, "rev-parse", "HEAD")


def make_clone(who):
    """A person's clone: the identity, the login and the key are in it, nothing is in the person's real home."""
    clone = path(who)
    git(HOME, "clone", "-q", "-c", "credential.helper=store --file=" + path("credentials", who), url(), clone)
    settings = {"user.name": who, "user.email": who + "@example.com", "commit.gpgsign": "false", "gpg.format": "ssh"}
    if who in ("carol", "dana"):
        settings["user.signingkey"] = path("keys", who)
    for name, value in settings.items():
        git(clone, "config", name, value)


def url():
    return "http://127.0.0.1:%s/%s.git" % (kept("port"), REPO)


def login(who):
    keep(os.path.join("credentials", who), "http://%s:%s-password@127.0.0.1:%s\n" % (who, who, kept("port")))


def hook():
    """The daemon is told of each push, so that it looks at once."""
    keep("hook-secret", secrets.token_hex(32) + "\n")
    body = {"type": "gitea", "active": True, "events": ["push", "pull_request", "pull_request_sync", "pull_request_comment", "issue_comment"],
            "config": {"url": "http://127.0.0.1:%s/hook/gitea" % kept("hooks"), "content_type": "json", "secret": kept("hook-secret")}}
    for old in api("root", "GET", "/repos/%s/hooks" % REPO):
        api("root", "DELETE", "/repos/%s/hooks/%d" % (REPO, old["id"]))
    api("root", "POST", "/repos/%s/hooks" % REPO, body)


def people():
    for who in PEOPLE + ("berth",):
        api("root", "POST", "/admin/users", {"username": who, "password": who + "-password", "email": who + "@example.com", "must_change_password": False})
    keep("token", api("berth", "POST", "/users/berth/tokens", {"name": "berth run", "scopes": list(RIGHTS)})["sha1"] + "\n")


def repository():
    """The organization lab with its repository: what an administrator does once."""
    clone = path("first")
    subprocess.run([BERTH, "init", "--forge", "gitea", clone], env=environment(), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    keep("anchor", commit_rules(clone) + "\n")
    api("root", "POST", "/orgs", {"username": "lab"})
    api("root", "POST", "/orgs/lab/repos", {"name": "envs", "private": True, "default_branch": "main"})
    for who in PEOPLE + ("berth",):
        api("root", "PUT", "/repos/%s/collaborators/%s" % (REPO, who), {"permission": "write"})
        login(who)
    login("root")
    git(clone, "-c", "credential.helper=store --file=" + path("credentials", "root"), "push", "-q", url(), "main")
    with open(os.path.join(clone, ".gitea", "branch_protection.json"), encoding="utf-8") as f:
        rule = json.load(f)
    rule.update(required_approvals=0, status_check_contexts=["berth/validate", "berth/plan"])  # signatures count here, not reviews
    api("root", "POST", "/repos/%s/branch_protections" % REPO, rule)
    for who in PEOPLE:
        make_clone(who)
    shutil.rmtree(clone)


def tools():
    os.makedirs(path("bin"), exist_ok=True)
    for name, leads in ("berth", BERTH), ("forge", os.path.realpath(__file__)):
        if os.path.lexists(path("bin", name)):
            os.unlink(path("bin", name))
        os.symlink(leads, path("bin", name))


def alone():
    """A child's own session, so that Ctrl-C reaches it through us alone, in order; and its end when ours comes by kill -9."""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def answers():
    try:
        with urllib.request.urlopen("http://127.0.0.1:%s/api/healthz" % kept("port"), timeout=30) as r:
            return r.status == 200
    except OSError:
        return False


def own_port(name):
    """The port of last time while it is free."""
    port = kept(name)
    if not port.isdigit() or not is_free(int(port)):
        port = str(free_port())
        keep(name, port + "\n")
    return int(port)


def start_forge(server, started):
    server.configure(own_port("port"))
    if not os.path.exists(path("made")):
        server.run("migrate")
        server.administrator()
    started.append(server.start(preexec_fn=alone))
    while not answers():
        if started[0].poll() is not None:
            raise SystemExit("tutorial: Gitea did not start, its last words are in %s" % server.web_log)
        time.sleep(0.05)


def look_after():
    """Set up once; after that only what depends on ports is written again."""
    own_port("hooks")
    if not os.path.exists(path("made")):
        people()
        repository()
        first_pass()
        keep("made", "\n")
    for who in PEOPLE:
        login(who)
        git(path(who), "remote", "set-url", "origin", url())
    hook()
    tools()


def say():
    home = os.path.relpath(HOME)
    if home.startswith(".."):
        home = HOME
    print("""
The forge is at http://127.0.0.1:%s/%s : log in as alice, bo, carol or dana; the password of alice is alice-password, and so on.
Everything is in %s. The tutorial goes on in a second terminal, in this same folder (docs/tutorial.md):

  export PATH=%s/bin:$PATH
  cd %s/alice
  berth new resnet --flavor gpu-small --no-input --forge gitea

Below is what berth logs. Ctrl-C stops both, `make tutorial` goes on with it, `make tutorial-clean` removes it.
""" % (kept("port"), REPO, home, home if home == HOME else "$PWD/" + home, home), flush=True)


def daemon_line(*more):
    return [BERTH, "run", "--repo", url(), "--target", "git", "--state", path("state"), "--token-file", path("token"), "--username", "berth",
            "--trust-anchor", kept("anchor"), *more]


def first_pass():
    """What is there from the beginning; from then on the status says where trust begins, and people can approve."""
    p = subprocess.run(daemon_line("--once"), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if p.returncode:
        raise SystemExit("tutorial: berth run --once: " + p.stdout)


def daemon():
    return subprocess.Popen(daemon_line("--forge", "gitea", "--interval", "2s", "--listen", "127.0.0.1:" + kept("hooks"), "--hook-secret", path("hook-secret")),
                            env=environment(), stdin=subprocess.DEVNULL, preexec_fn=alone)


def end(processes):
    """Of those that were started here, the last one first."""
    processes = processes[::-1]
    for p in processes:
        if p.poll() is None:
            p.terminate()
    for p in processes:
        try:
            p.wait(30)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


def run():
    program = os.path.join(CACHE, "bin", "gitea")
    if not os.access(program, os.X_OK):
        raise SystemExit("tutorial: there is no Gitea in %s; `tests/peers/install.sh gitea` builds it (make tutorial does)" % CACHE)
    os.makedirs(HOME, mode=0o700, exist_ok=True)
    lock = open(path("lock"), "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("tutorial: it runs already, in another terminal, with %s" % HOME) from None
    if not os.path.exists(path("made")):  # begun once and stopped in the middle: nothing of a person's is in it
        for name in FOLDERS + ("first", "state") + PEOPLE:
            shutil.rmtree(path(name), ignore_errors=True)
    for name in FOLDERS:
        os.makedirs(path(name), mode=0o700, exist_ok=True)
    static = os.path.join(CACHE, "share", "gitea-web")
    if not os.path.isdir(static):
        static = os.path.join(CACHE, "share", "gitea")
        print("tutorial: Gitea's pages will be plain: `tests/peers/install.sh giteaweb` says why", file=sys.stderr)
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda *_: sys.exit(0))
    started = []
    try:
        server = Server(path("gitea"), program, static, environment(), "berth tutorial")
        start_forge(server, started)
        look_after()
        say()
        started.append(daemon())
        while all(p.poll() is None for p in started):
            time.sleep(0.1)
        raise SystemExit("tutorial: %s has ended by itself" % ("Gitea" if started[0].poll() is not None else "berth"))
    except KeyboardInterrupt:
        print("\nstopped; `make tutorial` goes on with it, `make tutorial-clean` removes it", flush=True)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end(started)


# -- what a person does in the browser -----------------------------------------------------------------------------


def whoami():
    """The clone's owner, whose folder this is."""
    here = os.path.relpath(os.getcwd(), HOME).split(os.sep)[0]
    if here not in PEOPLE:
        raise SystemExit("forge: go into somebody's clone first: cd %s" % path("alice"))
    return here


def page(number):
    return "http://127.0.0.1:%s/%s/pulls/%d" % (kept("port"), REPO, number)


def open_pull(who, branch=None):
    branch = branch or git(path(who), "for-each-ref", "--sort=-committerdate", "--format=%(refname:strip=3)", "--count=1", "refs/remotes/origin/env",
                           "refs/remotes/origin/user")
    title = git(path(who), "log", "-1", "--format=%s", "origin/" + branch)
    made = api(who, "POST", "/repos/%s/pulls" % REPO, {"title": title, "head": branch, "base": "main"})
    print("pull request %d, \"%s\": %s" % (made["number"], title, page(made["number"])))


def plain(text):
    """The comment without its HTML: what is folded shows its title alone, a block of code is indented."""
    text = re.sub(r"<!--.*?-->\n?", "", text)
    text = re.sub(r"<details><summary>(.*?)</summary>.*?</details>", r"[+] \1", text, flags=re.S)
    text = re.sub(r"^```\w*\n(.*?)^```$", lambda m: re.sub(r"(?m)^", "    ", m.group(1).rstrip()), text, flags=re.S | re.M)
    return html.unescape(re.sub(r"</?(code|sub|details|summary|kbd|b|em)>", "", text)).strip()


def show(who, number):
    pull = api(who, "GET", "/repos/%s/pulls/%s" % (REPO, number))
    print("pull request %d of %s: %s, %s" % (pull["number"], pull["user"]["login"], pull["title"], "merged" if pull["merged"] else pull["state"]))
    seen = {}
    for sha in (pull["head"]["sha"], pull["merge_commit_sha"] if pull["merged"] else None):
        for s in api(who, "GET", "/repos/%s/commits/%s/statuses?sort=oldest&limit=50" % (REPO, sha)) if sha else []:
            seen[s["context"]] = s
    for name, s in sorted(seen.items(), key=lambda x: ["berth/validate", "berth/plan", "berth/apply"].index(x[0])):
        print("  %-9s %-15s %s" % (s["status"], name, s["description"]))
    for r in api(who, "GET", "/repos/%s/pulls/%s/reviews" % (REPO, number)):
        for c in api(who, "GET", "/repos/%s/pulls/%s/reviews/%d/comments" % (REPO, number, r["id"])):
            print("\n%s at %s:\n%s" % (c["user"]["login"], c["path"], plain(c["body"])))
    for c in api(who, "GET", "/repos/%s/issues/%s/comments" % (REPO, number)):
        print("\n%s:\n%s" % (c["user"]["login"], plain(c["body"])))


def merge(who, number):
    """Gitea looks at a new pull request in the background, and says 405 until it has."""
    for left in range(20, -1, -1):
        try:
            api(who, "POST", "/repos/%s/pulls/%s/merge" % (REPO, number), {"Do": "merge"})
            break
        except Refused as e:
            if e.code != 405 or "try again" not in str(e).lower() or not left:
                raise SystemExit("forge: not merged: %s" % e) from None
            time.sleep(0.25)
    print("merged by %s: %s" % (who, page(int(number))))


def forge(args):
    verbs = {"open": (open_pull, 0, 1), "show": (show, 1, 1), "merge": (merge, 1, 1)}
    what = verbs.get(args[0] if args else "")
    if not what or not what[1] <= len(args) - 1 <= what[2]:
        raise SystemExit("usage: forge open [BRANCH] | show NUMBER | merge NUMBER")
    try:
        what[0](whoami(), *args[1:])
        sys.stdout.flush()
    except Refused as e:
        raise SystemExit("forge: %s" % e) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # forge show 1 | head
    except OSError as e:
        raise SystemExit("forge: no answer; does `make tutorial` run? (%s)" % e) from None


if __name__ == "__main__":
    if os.path.basename(sys.argv[0]) == "forge":
        HOME = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))
        forge(sys.argv[1:])
    else:
        run()
