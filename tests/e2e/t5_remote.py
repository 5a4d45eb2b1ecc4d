#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The main way through real servers: git daemon and smart HTTP with a token; races, refusals, a server that goes away."""
import os
import re
import subprocess
import sys
import time

from lab import (ENV, RENDERED, STATUS, TOP, WAIT, Daemon, Site, berth, check, done, env_spec, folder, free_port, git, http,
                 once, processes, still, until)

TOKEN = "s3cret-token"
git_daemon = os.path.join(git(folder, "--exec-path"), "git-daemon")
http_peer = os.path.join(TOP, "tests", "peers", "git_http.py")
token_file = os.path.join(folder, "token")
with open(token_file, "w", encoding="utf-8") as f:
    f.write(TOKEN + "\n")
os.chmod(token_file, 0o600)
FAST = ("--interval", "1s")


class Server:
    """git:// or http:// for everything below the test's folder, on one port for good."""

    def __init__(self, kind):
        self.kind, self.port = kind, free_port()
        self.start()

    def start(self):
        argv = ([git_daemon, "--listen=127.0.0.1", "--port=%d" % self.port, "--base-path=" + folder, "--export-all", "--reuseaddr",
                 "--enable=receive-pack", folder] if self.kind == "git" else
                [sys.executable, http_peer, folder, "token", str(self.port)])
        with open(os.path.join(folder, self.kind + ".log"), "ab") as log:
            self.p = subprocess.Popen(argv, env=ENV, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        processes.append(self.p)
        self.args = ["--username", "berth", "--token-file", token_file] if self.kind == "http" else []
        if not until(self.answers):
            raise RuntimeError("the %s server does not answer" % self.kind)

    def answers(self):
        rc, _, _ = git(folder, "-c", "credential.helper=!printf 'username=berth\\npassword=%s\\n' #" % TOKEN, "ls-remote",
                       self.url("envs-" + self.kind), ok=False)
        return rc == 0

    def stop(self):
        self.p.terminate()
        self.p.wait()

    def url(self, name):
        return "%s://127.0.0.1:%d/%s.git" % (self.kind, self.port, name)


def main_way(kind):
    site = Site("envs-" + kind)
    server = Server(kind)
    url, port, state = server.url("envs-" + kind), free_port(), site.state()
    daemon = Daemon(url, state, *FAST, *server.args, "--listen", "127.0.0.1:%d" % port)
    check("%s: every environment becomes Rendered" % kind, until(site.all_rendered), daemon.log())
    commit = site.push({"envs/alice/notebook.yaml": env_spec("gpu-small")}, "notebook: take a GPU")
    check("%s: an edit arrives in the manifests" % kind, until(lambda: "nvidia.com/gpu" in (
        site.show(RENDERED, "envs/alice/notebook/statefulset-notebook.yaml") or "")), daemon.log())
    check("%s: and in the status" % kind, until(
        lambda: site.status().get("alice/notebook", {}).get("observed", {}).get("commit") == commit), daemon.log())

    server.stop()
    check("%s: a server that is gone is told, and /readyz says no" % kind, until(lambda: " error " in daemon.log()) and
          until(lambda: http(port, "/readyz") == 503), daemon.log())
    commit = site.push({"envs/alice/notebook.yaml": env_spec()}, "while the server is away")
    time.sleep(2)
    errors = len(re.findall(" error ", daemon.log()))
    check("%s: not once a try" % kind, errors <= 2 and daemon.alive(), daemon.log())
    server.start()
    check("%s: the server back, it goes on" % kind, until(
        lambda: site.status().get("alice/notebook", {}).get("observed", {}).get("commit") == commit, WAIT + 30), daemon.log())
    check("%s: and says so; /readyz is well" % kind, "works again" in daemon.log() and until(lambda: http(port, "/readyz") == 200),
          daemon.log())

    other = os.path.join(folder, "foreign-" + kind)
    git(folder, "clone", "-q", "-b", RENDERED, site.bare, other)
    git(other, "rm", "-qr", "envs/alice/vit")
    git(other, "commit", "-qm", "by hand")
    git(other, "push", "-q", "origin", "HEAD:" + RENDERED)
    check("%s: a foreign commit is restored" % kind, until(lambda: "restored" in daemon.log()) and until(
        lambda: site.names(RENDERED, "envs/alice/vit")), daemon.log())
    until(lambda: "drift" in site.repo_status())
    check("%s: SIGTERM, status 0" % kind, daemon.stop() == 0, daemon.log())
    once(url, state, *server.args)
    tips, objects = (site.tip(RENDERED), site.tip(STATUS)), git(site.bare, "count-objects", "-v")
    said = once(url, state, *server.args)
    check("%s: a second pass pushes nothing" % kind, said.rc == 0 and (site.tip(RENDERED), site.tip(STATUS)) == tips and
          git(site.bare, "count-objects", "-v") == objects, said)
    said = once(url, site.state(), *server.args)
    check("%s: nor does one with an empty state folder" % kind, said.rc == 0 and (site.tip(RENDERED), site.tip(STATUS)) == tips, said)

    git(folder, "clone", "-q", site.bare, "reader-" + kind)
    git(os.path.join(folder, "reader-" + kind), "remote", "set-url", "origin", url)
    said = berth("status", "-C", "reader-" + kind, *server.args[2:])
    check("%s: `berth status` in a clone asks the server" % kind, said.rc == 0 and "alice/vit" in said.out and
          "fetched last" not in said.err, said)
    server.stop()
    said = berth("status", "-C", "reader-" + kind)
    check("%s: and shows what it has when nobody answers" % kind, said.rc == 0 and "alice/vit" in said.out and
          "fetched last" in said.err, said)
    said = berth("status", "-C", "reader-" + kind, "--offline")
    check("%s: --offline does not ask" % kind, said.rc == 0 and "fetched last" not in said.err, said)
    said = once(url, state, *server.args)
    check("%s: --once and nobody answers: status 3, the address is named" % kind, said.rc == 3 and
          "127.0.0.1:%d" % server.port in said.err, said)
    server.start()
    return site, server


def race(site, servers):
    """One daemon a server, both of the same repository, and a person."""
    name = os.path.basename(site.clone)
    daemons = [Daemon(s.url(name), site.state(), *FAST, *s.args) for s in servers]
    until(lambda: all("looked at" in d.log() for d in daemons))
    mine = []
    for n in range(12):
        mine.append(site.push({"envs/bo/r%d.yaml" % (n % 4): env_spec(more="  persistentHomeSize: %dGi\n" % (20 + n))}, "race"))
        time.sleep(0.3 * (n % 4))
    check("race: both take over the last commit", until(lambda: all("%.12s: " % mine[-1] in d.log() for d in daemons)),
          daemons[0].log(), daemons[1].log())
    # the status may wait for ten seconds after the one before, and rest is longer than that
    check("race: the status follows", until(site.all_rendered) and until(
        lambda: site.status().get("bo/r3", {}).get("observed", {}).get("commit") == mine[-1]), site.status().get("bo/r3"))
    check("race: at rest neither branch moves", still(lambda: (site.tip(RENDERED), site.tip(STATUS)), 11), daemons[0].log(), daemons[1].log())
    check("race: both stop", [d.stop() for d in daemons] == [0, 0])
    check("race: the person's commits are all there", set(mine) <= set(site.commits("main")))
    for branch in (RENDERED, STATUS):
        check("race: %s is one line" % branch, len(site.commits(branch)) ==
              int(git(site.bare, "rev-list", "--count", "--first-parent", branch)))
    logged = sum(len(re.findall(r"; committed in \d+ ms", d.log())) for d in daemons)
    made = len([b for b in git(site.bare, "log", "--format=%B%x00", RENDERED).split("\0")
                if any(run and "Berth-Run: " + run in b for run in (run_of(d) for d in daemons))])
    check("race: every commit that a daemon said it made is there", logged == made, "%d logged, %d there" % (logged, made))
    alone = Site("alone", mirror=True)
    git(alone.bare, "fetch", "-q", site.bare, "+main:main")
    check("race: the tree is that of one pass from nothing", once(alone.bare, os.path.join(folder, "alone.state")).rc == 0 and
          git(alone.bare, "rev-parse", RENDERED + "^{tree}") == git(site.bare, "rev-parse", RENDERED + "^{tree}"))


def run_of(daemon):
    found = re.search(r"run=(\w+)", daemon.log())
    return found.group(1) if found else ""


def refusals(site, server):
    name = os.path.basename(site.clone)
    hook = os.path.join(site.bare, "hooks", "update")
    os.makedirs(os.path.dirname(hook), exist_ok=True)
    with open(hook, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\ncase $1 in refs/heads/berth/status) echo 'no status here' >&2; exit 1 ;; esac\n")
    os.chmod(hook, 0o755)
    status = site.tip(STATUS)
    daemon = Daemon(server.url(name), site.state(), *FAST, *server.args)
    commit = site.push({"envs/bo/genome.yaml": env_spec()}, "genome is small now")
    check("a server that declines the status branch: it says StatusBranchRefused", until(
        lambda: "StatusBranchRefused" in daemon.log()), daemon.log())
    check("and goes on with the manifests", until(lambda: "Berth-Source-Commit: " + commit in
          git(site.bare, "log", "-1", "--format=%B", RENDERED)), daemon.log())
    commit = site.push({"envs/bo/genome.yaml": env_spec("gpu-small")}, "genome is larger now")
    check("again and again", until(lambda: "Berth-Source-Commit: " + commit in
          git(site.bare, "log", "-1", "--format=%B", RENDERED)), daemon.log())
    check("the status branch stays, and it is said once", site.tip(STATUS) == status and
          daemon.log().count("StatusBranchRefused") == 1, daemon.log())
    check("it stops", daemon.stop() == 0)
    os.unlink(hook)
    said = once(server.url(name), site.state(), *server.args)
    check("once it is allowed the status comes", said.rc == 0 and
          site.status()["bo/genome"]["observed"]["commit"] == commit, said)


def credentials(site, server):
    name = os.path.basename(site.clone)
    wrong = os.path.join(folder, "wrong-token")
    with open(wrong, "w", encoding="utf-8") as f:
        f.write("n0t-the-token\n")
    os.chmod(wrong, 0o600)
    said = once(server.url(name), site.state(), "--username", "berth", "--token-file", wrong)
    check("a wrong token: refused or unreachable, with what to do", said.rc in (3, 4) and "token" in said.err and
          "n0t-the-token" not in said.err, said)
    said = once(server.url(name), site.state())
    check("no token: the same", said.rc in (3, 4) and "--token-file" in said.err, said)
    said = once(server.url(name), site.state(), "--token-file", os.path.join(folder, "nowhere"))
    check("a token file that is missing is named", said.rc != 0 and "nowhere" in said.err, said)
    url = server.url(name).replace("://", "://berth:%s@" % TOKEN)
    said = once(url, site.state())
    check("a token in the URL is refused, and not shown", said.rc == 2 and TOKEN not in said.err + said.out, said)
    found = []
    for root, _, names in os.walk(folder):
        for n in names:
            path = os.path.join(root, n)
            with open(path, "rb") as f:
                if TOKEN.encode() in f.read() and path != token_file:
                    found.append(path)
    check("the token is in no log, state or repository", not found, found)


over_git, git_server = main_way("git")
over_http, http_server = main_way("http")
race(over_git, [git_server, http_server])
refusals(over_http, http_server)
credentials(over_http, http_server)
for site in (over_git, over_http):
    check("%s: nothing is half-written" % os.path.basename(site.bare), site.fsck() == "" and not site.locks(), site.fsck())
done()
