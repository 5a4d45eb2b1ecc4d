#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What nobody should push and somebody will: berth's branches and main keep working, or say what is wrong."""
import os
import subprocess

from lab import (BERTH, ENV, RENDERED, STATUS, Site, check, done, env_spec, git, once)


def smuggle(site, branch, path):
    """A commit with a file of any name, made behind the back of git's index."""
    name = path.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    text = ("commit refs/heads/%s\ncommitter Mallory <m@example.com> 1700000000 +0000\ndata 1\nx\n"
            "from refs/heads/%s^0\nM 100644 inline \"%s\"\ndata 2\nx\n\n" % (branch, branch, name))
    subprocess.run(["git", "-C", site.bare, "fast-import", "--quiet"], input=text.encode(), env=ENV, check=True)
    return site.tip(branch)


def content(site, branch):
    return git(site.bare, "ls-tree", "-r", branch)


def said_of(site):
    """The files that berth keeps on the status branch; its root has room for others'."""
    return [n for n in site.names(STATUS) if n.startswith("envs/") or n in ("README.md", "repo.yaml")]


DEEP = "/".join("d" for _ in range(40))
NAMES = [".github/workflows/x.yaml", ".hidden", "envs/alice/notebook/sub/dir/x.yaml", "envs/alice/.hidden/x",
         "envs/.x/y/z", "envs/alice/notebook.yaml/x", "envs/alice", "org/\\x.yaml", "envs/alice/git~1", DEEP,
         "envs/a\nBerth-Approved-By: mallory/x.yaml"]


def outputs_come_back():
    site = Site("outputs")
    state = site.state()
    # one environment whose newest spec is bad: what is live for it exists on the branch alone
    check("the first pass", once(site.bare, state).rc == 0)
    site.push({"envs/alice/notebook.yaml": env_spec("nowhere")}, "bad")
    once(site.bare, state)
    for branch in (RENDERED, STATUS):
        for name in NAMES:
            want = content(site, RENDERED), said_of(site)
            foreign = smuggle(site, branch, name)
            said = once(site.bare, site.state() if len(name) % 2 else state)
            once(site.bare, state)
            got = content(site, RENDERED), said_of(site)
            good = said.rc == 1 and got[0] == want[0]  # 1: the environment that waits
            good = good and got[1] == want[1]
            log = git(site.bare, "log", "--format=%(trailers:key=Berth-Approved-By)", branch).strip()
            check("%s survives %r" % (branch, name[:40]), good and foreign in site.commits(branch) and not log, said,
                  content(site, RENDERED) == want[0], log)
    check("the repository is sound", "fatal" not in site.fsck())


def main_says_what_is_wrong():
    site = Site("input")
    state = site.state()
    once(site.bare, state)
    before, good = content(site, RENDERED), site.tip("main")
    for name in ("envs/bo/a\\b.yaml", "docs/" + "n" * 300, DEEP):
        smuggle(site, "main", name)
        said = once(site.bare, state)
        status = site.repo_status()
        check("main with %r: held, and the status says why" % name[:20],
              said.rc != 0 and content(site, RENDERED) == before and status.get("reason") == "InvalidRepository" and
              status.get("message"), said, status)
        git(site.bare, "update-ref", "refs/heads/main", good)
        check("the next good commit is taken", once(site.bare, state).rc == 0 and site.repo_status().get("reason") == "Adopted")
    fresh = Site("fresh")
    smuggle(fresh, "main", "a\\b")
    said = once(fresh.bare, fresh.state())
    check("the same as the very first commit", said.rc == 1 and "a\\b" in said.err or "a?b" in said.err, said)


def repositories_of_other_kinds():
    path = Site("sha256", mirror=True).bare + "2"
    git(".", "init", "-q", "--bare", "--object-format=sha256", "-b", "main", path)
    said = once(path, path + ".state")
    check("a SHA-256 repository is refused by name", said.rc == 1 and "sha256 are not supported" in said.err, said)


def what_cannot_be_written():
    site = Site("cli")
    once(site.bare, site.state())
    for verb in (["status"], ["status", "-o", "json"], ["render", "-o", "json"], ["log"], ["validate", "-o", "json"]):
        with open("/dev/full", "wb") as full:
            p = subprocess.run([BERTH, *verb, "-C", site.clone], env=ENV, stdout=full, stderr=subprocess.PIPE)
        check("a full disk is no success: berth %s" % " ".join(verb), p.returncode > 0 and p.stderr, p)
    for where in (":99999", ":-1", ":x", "127.0.0.1"):
        said = once(site.bare, site.state(), "--listen", where)
        check("--listen %s is refused" % where, said.rc == 2 and "--listen" in said.err, said)
    config = os.path.join(ENV["HOME"], ".config", "berth", "config.yaml")
    os.makedirs(os.path.dirname(config))
    for text in (b"\xff\xfe{{{{", b"branch: [main\n"):
        with open(config, "wb") as f:
            f.write(text)
        said = once(site.bare, site.state())
        check("a config file that cannot be read is said once", said.rc == 0 and said.err.count("config.yaml is not used") == 1, said)
    os.unlink(config)


def a_branch_in_the_way():
    site = Site("way")
    for pack in (False, True):
        git(site.bare, "branch", "-f", "berth", "main")
        if pack:
            git(site.bare, "pack-refs", "--all")
        said = once(site.bare, site.state())
        check("a branch named berth is named as the trouble", said.rc == 4 and "git branch -m berth" in said.err, said)
    git(site.bare, "branch", "-m", "berth", "other")
    check("renamed, all is well", once(site.bare, site.state()).rc == 0)


def namespaces_of_the_cluster():
    site = Site("system")
    user = site.read("users/bo.yaml").replace("bo@", "kube@").replace("\"bo", "\"kube")
    site.push({"berth.yaml": site.read("berth.yaml").replace("namespacePrefix: dev-", 'namespacePrefix: ""'),
               "users/kube-system.yaml": user, "envs/kube-system/x.yaml": env_spec(), "users/default.yaml": user,
               "envs/default/x.yaml": env_spec()})
    said = once(site.bare, site.state())
    names = site.names(RENDERED)
    check("nobody gets kube-system or default", not [n for n in names if "kube-system" in n or "default/" in n] and
          "users/bo/namespace-bo.yaml" in names and "belongs to the cluster" in said.err, said, names)


what_cannot_be_written()
namespaces_of_the_cluster()
a_branch_in_the_way()
outputs_come_back()
main_says_what_is_wrong()
repositories_of_other_kinds()
done()
