#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Approvals of a repository behind git's smart HTTP: brought by the poll, used, told on the status branch, and deleted there."""
import os
import subprocess
import sys

from lab import ENV, STATUS, TOP, Daemon, berth, check, done, env_spec, folder, git, once, processes, still, until
from signers import commit, key, signed_site

FAST = ("--interval", "1s")
REFS = "refs/berth/approvals/"


class Server:
    def __init__(self):
        self.p = subprocess.Popen([sys.executable, os.path.join(TOP, "tests", "peers", "git_http.py"), folder, "plain"], env=ENV,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        processes.append(self.p)
        self.port = int(self.p.stdout.readline())

    def url(self, site):
        return "http://127.0.0.1:%d/%s" % (self.port, os.path.basename(site.bare))


def pending(site, env):
    return site.status().get(env, {}).get("pending", {})


def refs(where):
    return git(where, "for-each-ref", "--format=%(refname)", REFS).splitlines()


def records(site):
    return {p: site.show(STATUS, p) for p in site.names(STATUS, "approvals/")}


def approve(site, who, *args):
    return berth("approve", "-C", site.clone, "--key", key(who), "--yes", *args)


def taken_up(site, state, d):
    commit(site, "bo", {"envs/bo/lab.yaml": env_spec()})
    check("a change waits", until(lambda: pending(site, "bo/lab").get("reason") == "ApprovalMissing"), d.log())
    tip = site.tip("main")
    said = approve(site, "carol")
    check("berth approve in a clone pushes the approval", said.rc == 0 and said.out.split()[-1].startswith(REFS), said)
    check("the daemon takes it up without a new commit on main", until(lambda: "bo/lab" in site.status() and not pending(site, "bo/lab")) and
          site.tip("main") == tip, d.log())
    check("the status branch has the approval itself", until(lambda: any("berth approval 1" in t and "by carol" in t for t in records(site).values())),
          list(records(site)))
    check("then its ref goes, on the server and here", until(lambda: not refs(site.bare) and not refs(os.path.join(state, "repo.git"))),
          refs(site.bare), d.log())
    check("and nothing waits to be told any more", until(lambda: not os.listdir(os.path.join(state, "untold"))), os.listdir(os.path.join(state, "untold")))
    said = berth("verify", "-C", site.clone)
    check("berth verify in a clone proves it from the status branch", said.rc == 0 and "proved" in said.out and "carol" in said.out, said)
    trailers = git(site.bare, "log", "--format=%(trailers:key=Berth-Approved-By,valueonly)", STATUS).split()
    check("the status commit names who approved", trailers == ["carol"], git(site.bare, "log", "--format=%B", STATUS))
    said = berth("log", "-C", site.clone, "bo/lab")
    lines = said.out.splitlines()
    check("berth log has what happened to it: asked, approved, applied", said.rc == 0 and len(lines) == 3 and "Held" in lines[2] and "Rendered" in lines[0] and
          "Approved by carol, asked by bo, change %s" % tip[:7] in lines[1], said)
    doc = berth("log", "-C", site.clone, "-o", "json").json()
    one = [x for x in doc if x["change"] == "Approved"]
    check("the same as JSON", len(one) == 1 and one[0]["approvedBy"] == ["carol"] and one[0]["paths"] == ["envs/bo/lab.yaml"] and
          one[0]["specCommit"] == tip and one[0]["statusCommit"] in site.commits(STATUS), doc)


def state_lost(site, server):
    """What was used and deleted still proves the same history to a berth that begins anew."""
    said = once(server.url(site), site.state(), "--trust-anchor", site.anchor)
    check("a new state folder comes to the same", said.rc == 0 and not pending(site, "bo/lab"), said)


def refused(site, d):
    hook = os.path.join(site.bare, "hooks", "update")
    os.makedirs(os.path.dirname(hook), exist_ok=True)
    with open(hook, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\ncase $1,$3 in refs/berth/*,0000*) echo 'nothing is deleted here' >&2; exit 1 ;; esac\n")
    os.chmod(hook, 0o755)
    commit(site, "bo", {"envs/bo/two.yaml": env_spec()})
    approve(site, "dana")
    check("a forge that keeps every ref: the change is applied", until(lambda: "bo/two" in site.status() and not pending(site, "bo/two")), d.log())
    check("it is said, and no error", until(lambda: "stay behind " + REFS in d.log()) and " error " not in d.log() and refs(site.bare), d.log())
    os.unlink(hook)


def junk(site, d):
    blob = git(site.bare, "hash-object", "-w", "--stdin", data=b"x")
    tree = git(site.bare, "mktree", data=("100644 blob %s\tapproval\n" % blob).encode())
    thing = git(site.bare, "commit-tree", tree, "-m", "x")
    git(site.bare, "update-ref", "--stdin", data="".join("create %s%064x/%064x %s\n" % (REFS, i, i, thing) for i in range(3000)).encode())
    check("3,000 refs of somebody: the log says so", until(lambda: "over 2000 refs" in d.log()), d.log())
    commit(site, "alice", {"envs/alice/more.yaml": env_spec()}, sign="carol")
    check("signed commits go on", until(lambda: "alice/more" in site.status() and not pending(site, "alice/more")), d.log())
    git(site.bare, "update-ref", "--stdin", data="".join("delete %s%064x/%064x\n" % (REFS, i, i) for i in range(3000)).encode())
    check("when they are gone, approvals are read again", until(lambda: "are read again" in d.log()), d.log())
    commit(site, "bo", {"envs/bo/three.yaml": env_spec()})
    until(lambda: pending(site, "bo/three"))
    approve(site, "erin")
    check("and count", until(lambda: "bo/three" in site.status() and not pending(site, "bo/three")), d.log())


def without(server):
    """Who asks for no approvals pays nothing for them."""
    site = signed_site("unsigned")
    org = site.read("berth.yaml")
    commit(site, "dana", {"berth.yaml": org.replace("mode: signed, required: 1, admins: [carol, dana, erin]", "mode: none")})
    git(site.bare, "update-ref", REFS + "a/b", site.tip("main"))
    state = site.state()
    said = once(server.url(site), state)
    check("mode none fetches no approvals", said.rc == 0 and not refs(os.path.join(state, "repo.git")), said)


def main():
    site = signed_site("served")
    git(site.bare, "config", "http.receivepack", "true")
    server = Server()
    git(site.clone, "remote", "set-url", "origin", server.url(site))
    state = site.state()
    d = Daemon(server.url(site), state, "--trust-anchor", site.anchor, *FAST)
    check("everything at the anchor is rendered", until(site.all_rendered), d.log())
    taken_up(site, state, d)
    # longer than the ten seconds that a status may wait for the one before
    check("at rest nothing moves", still(lambda: (site.tip(STATUS), site.tip("berth/rendered")), 11), d.log())
    state_lost(site, server)
    refused(site, d)
    junk(site, d)
    check("it stops well", d.stop() == 0, d.log())
    without(server)
    done()


main()
