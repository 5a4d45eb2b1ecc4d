#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Approvals with a running daemon: what waits, who may release it, what the status says, and what a restart remembers."""
import os
import shutil

from lab import STATUS, Daemon, berth, check, done, env_spec, git, once, until
from signers import commit, key, merge, public, signed_site, signer


def pending(site, env):
    return site.status().get(env, {}).get("pending", {})


def released(site, env):
    return until(lambda: env in site.status() and not pending(site, env))


def waits(site, env, *words):
    got = until(lambda: pending(site, env).get("reason") == "ApprovalMissing")
    d = site.status().get(env, {})
    check("%s waits: %s" % (env, d.get("pending", {}).get("message")), got and all(w in d["pending"].get("message", "") for w in words), d)
    return d


def rendered(site, env):
    return site.show("berth/rendered", "envs/%s/statefulset-%s.yaml" % (env, env.split("/")[1])) or ""


def story(site, d):
    check("everything at the anchor is rendered", until(site.all_rendered), d.log())
    commit(site, "bo", {"envs/bo/lab.yaml": env_spec()})
    doc = waits(site, "bo/lab", "carol", "dana", "erin")
    check("it is Held, its condition says so", doc.get("phase") == "Held" and any(
        c["type"] == "Approved" and c["status"] == "False" and c["reason"] == "ApprovalMissing" for c in doc["conditions"]), doc)
    check("nothing of it is on the target", rendered(site, "bo/lab") == "")
    before = rendered(site, "alice/train")
    commit(site, "alice", {"envs/alice/train.yaml": env_spec("gpu-large", "  resources: {gpu: 4}\n")})
    doc = waits(site, "alice/train")
    check("what is live of it stays", doc.get("phase") == "Rendered" and rendered(site, "alice/train") == before)
    why = berth("why", "-C", site.bare, "bo/lab")
    check("berth why says what is missing and what to do", why.rc == 1 and "ApprovalMissing" in why.out and "approv" in why.out.split("next:")[1], why)
    check("it names the commit that waits", doc["pending"]["commit"] == git(site.clone, "rev-parse", "HEAD"), doc)
    # others go on
    git(site.clone, "checkout", "-q", "-b", "pr")
    commit(site, "alice", {"envs/alice/other.yaml": env_spec()}, push=False)
    git(site.clone, "checkout", "-q", "main")
    merge(site, "pr", "carol", sign="carol")
    check("a merge that carol signed is applied", released(site, "alice/other"), d.log())
    check("what waited still waits", pending(site, "bo/lab").get("reason") == "ApprovalMissing")
    log = git(site.bare, "log", STATUS, "--format=%B", "-20")
    check("the status branch has who approved", until(lambda: "carol" in "".join(site.show(STATUS, p) or "" for p in site.names(STATUS, "approvals/"))), log)
    doc = site.status()["alice/other"]
    check("its condition says that it is proved", any(c["type"] == "Approved" and c["status"] == "True" and c["reason"] == "Proved" for c in doc["conditions"]), doc)


def whole(site, d):
    commit(site, "bo", {"flavors/cpu-small.yaml": site.read("flavors/cpu-small.yaml").replace("cpu: 2", "cpu: 3")}, sign="carol")
    lines = until(lambda: [f for f in site.repo_status().get("findings", []) if "flavors/cpu-small.yaml" in f])
    check("a flavor needs two: the repository's status says so", lines and "1 more" in lines[0], site.repo_status())
    check("no environment is rendered with it", "cpu: 3" not in rendered(site, "alice/other"), rendered(site, "alice/other")[:2000])


def invalid_and_mended(site, d):
    commit(site, "alice", {"envs/alice/other.yaml": env_spec("no-such")}, sign="carol")
    check("what is approved has errors", until(lambda: pending(site, "alice/other").get("reason") == "Invalid"), d.log())
    commit(site, "alice", {"envs/alice/other.yaml": env_spec()})
    waits(site, "alice/other", "carol", "no-such")


def restart(site, state, d):
    check("the daemon stops well", d.stop() == 0, d.log())
    said = once(site.bare, state)
    check("a restart remembers what is proved without the anchor", said.rc == 1 and pending(site, "bo/lab"), said)
    lost = site.state()
    said = once(site.bare, lost)
    check("without its state berth asks where trust begins", said.rc == 4 and "--trust-anchor" in said.err, said)
    check("and touches nothing", pending(site, "bo/lab").get("reason") == "ApprovalMissing" and rendered(site, "alice/other") != "")
    said = once(site.bare, lost, "--trust-anchor", site.anchor)
    check("told so, it comes to the same", said.rc == 1 and pending(site, "bo/lab") and rendered(site, "alice/other") != "", said)
    shutil.rmtree(lost)


def anchor_of_another(site):
    said = once(site.bare, site.state(), "--trust-anchor", "0" * 39 + "1")
    check("an anchor that is not there is refused", said.rc in (3, 4) and "anchor" in said.err, said)


def switched_on(site):
    """A repository that asked for nothing until now: trust begins at what was applied."""
    state = site.state()
    org = site.read("berth.yaml")
    commit(site, "dana", {"berth.yaml": org.replace("mode: signed, required: 1, admins: [carol, dana, erin]", "mode: none")})
    check("applied without approvals", once(site.bare, state).rc == 0)
    commit(site, "dana", {"berth.yaml": org, "envs/bo/x.yaml": env_spec()})
    said = once(site.bare, state)
    check("the commit that asks for approvals is itself under the old rule", said.rc == 0 and not pending(site, "bo/x"), said, site.status().get("bo/x"))
    commit(site, "bo", {"envs/bo/y.yaml": env_spec()})
    said = once(site.bare, state)
    check("the next one is under the new", said.rc == 1 and pending(site, "bo/y").get("reason") == "ApprovalMissing", said)
    commit(site, "bo", {"berth.yaml": org.replace("mode: signed", "mode: none")})
    said = once(site.bare, state)
    check("nobody switches it off alone", said.rc == 1 and pending(site, "bo/y"), said)


def rewound(site, state):
    git(site.clone, "push", "-q", "--force", "origin", "HEAD~2:main")
    said = once(site.bare, state)
    check("a rewritten history stops everything", said.rc == 4 and "rewritten" in said.err + str(site.repo_status()), said)


def main():
    site = signed_site("approved")
    state = site.state()
    d = Daemon(site.bare, state, "--trust-anchor", site.anchor)
    story(site, d)
    whole(site, d)
    invalid_and_mended(site, d)
    restart(site, state, d)
    rewound(site, state)
    anchor_of_another(signed_site("another"))
    switched_on(signed_site("switched"))
    check("keys of the test are the test's own", os.path.exists(key("carol")) and public("carol") in signer("carol"))
    done()


main()
