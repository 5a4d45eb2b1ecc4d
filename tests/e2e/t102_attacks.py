#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Approvals under attack and in trouble: two daemons, kill -9, filled-up refs, huge texts, replays after a lost state, a forged status branch."""
import os
import shutil
import signal
import subprocess
import time

from lab import ENV, RENDERED, STATUS, WAIT, Daemon, berth, check, done, env_spec, folder, git, once, still, until
from signers import commit, key, public, signed_site

REFS = "refs/berth/approvals/"


def pending(site, env):
    return site.status().get(env, {}).get("pending", {})


def applied(site, env):
    return env in site.status() and not pending(site, env)


def approve(site, who, *args):
    said = berth("approve", "-C", site.clone, "--key", key(who), "--yes", *args)
    if said.rc:
        raise RuntimeError("berth approve: %r" % said)
    return said.out.split()[-1]


def records(site):
    return {p: site.show(STATUS, p) for p in site.names(STATUS, "approvals/")}


def rendered(site, env):
    return bool(site.names(RENDERED, "envs/" + env))


def ever_rendered(site, env):
    """Was there a commit of the rendered branch with it?"""
    return bool(git(site.bare, "log", "--format=%H", RENDERED, "--", "envs/" + env))


# -- two daemons ---------------------------------------------------------------------------------------------------------------


def two_daemons():
    site = signed_site("two")
    ds = [Daemon(site.bare, site.state(), "--trust-anchor", site.anchor) for _ in range(2)]
    check("two daemons: everything is rendered", until(site.all_rendered), ds[0].log(), ds[1].log())
    for n in range(3):
        commit(site, "bo", {"envs/bo/n%d.yaml" % n: env_spec()})
        until(lambda n=n: pending(site, "bo/n%d" % n))
        approve(site, "carol")
        check("two daemons: approval %d is taken up" % n, until(lambda n=n: applied(site, "bo/n%d" % n)), ds[0].log(), ds[1].log())
    commit(site, "bo", {"envs/bo/never.yaml": env_spec()})
    until(lambda: pending(site, "bo/never"))
    check("two daemons: used approvals are told and go", until(lambda: not git(site.bare, "for-each-ref", REFS)), git(site.bare, "for-each-ref", REFS))
    check("two daemons: each change is told once", len([t for t in records(site).values() if "path envs/bo/n" in t]) == 3, records(site))
    check("two daemons: at rest neither branch moves", still(lambda: (site.tip(RENDERED), site.tip(STATUS)), 5), git(site.bare, "log", "-5", "--stat", STATUS),
          ds[0].log(), ds[1].log())
    check("two daemons: neither applied what nobody approved", not ever_rendered(site, "bo/never"))
    check("two daemons: both know it after a restart", [d.stop() for d in ds] == [0, 0])
    for state in (site.clone + ".state1", site.clone + ".state2"):
        said = once(site.bare, state)
        check("two daemons: %s" % state[-6:], said.rc == 1 and pending(site, "bo/never") and applied(site, "bo/n2"), said)


# -- kill -9 -------------------------------------------------------------------------------------------------------------------------


def ref_text(site):
    try:
        with open(os.path.join(site.bare, "refs/heads", RENDERED), encoding="ascii") as f:
            return f.read()
    except OSError:
        return site.tip(RENDERED)


def killed():
    """As soon as the target has it: before the proof, before the record is on the status branch, or after both."""
    site = signed_site("killed")
    state = site.state()
    once(site.bare, state, "--trust-anchor", site.anchor)
    for n in range(6):
        commit(site, "bo", {"envs/bo/evil%d.yaml" % n: env_spec()})
        commit(site, "alice", {"envs/alice/k%d.yaml" % n: env_spec()}, sign="carol")
        was = ref_text(site)
        d = Daemon(site.bare, state)
        while d.alive() and ref_text(site) == was:
            pass
        time.sleep(0.02 * n)
        d.stop(signal.SIGKILL)
    said = once(site.bare, state)
    check("kill -9 six times: in the end all that is approved is applied", said.rc == 1 and all(applied(site, "alice/k%d" % n) for n in range(6)), said,
          site.phases())
    check("kill -9: nothing else ever was", not any(ever_rendered(site, "bo/evil%d" % n) for n in range(6)))
    told = "".join(records(site).values())
    check("kill -9: every approved change is on the status branch", all("path envs/alice/k%d.yaml" % n in told for n in range(6)), list(records(site)))
    check("kill -9: nothing is half-written", site.fsck() == "" and not [n for n in os.listdir(state) if n.startswith("proof.")], os.listdir(state))


# -- refs of strangers ------------------------------------------------------------------------------------------------------------------


def strange_commit(site, text, sig=b"x"):
    blobs = [git(site.bare, "hash-object", "-w", "--stdin", data=b) for b in (text, sig)]
    tree = git(site.bare, "mktree", data=("100644 blob %s\tapproval\n100644 blob %s\tapproval.sig\n" % tuple(blobs)).encode())
    return git(site.bare, "commit-tree", tree, "-m", "x")


def huge_text(site):
    """As large as an approval can be, and signed well, by somebody who may not."""
    head = "berth approval 1\nanchor %s\nref refs/heads/main\nexpires 2046-12-26T00:00:00Z\nnonce %s\nchanges %d\n"
    line = "000000 %s 100644 %s envs/mallory/%%05d-%s.yaml\n" % ("0" * 40, "1" * 40, "x" * 80)
    n = 4900
    text = (head % (site.anchor, "a" * 32, n) + "".join(line % i for i in range(n))).encode()
    path = os.path.join(folder, "huge")
    with open(path, "wb") as f:
        f.write(text)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "approval@berth", "-f", key("mallory"), path], check=True, env=ENV, stderr=subprocess.DEVNULL)
    with open(path + ".sig", "rb") as f:
        return text, f.read()


def strangers():
    site = signed_site("strangers")
    d = Daemon(site.bare, site.state(), "--trust-anchor", site.anchor)
    check("strangers: everything is rendered", until(site.all_rendered), d.log())
    text, sig = huge_text(site)
    check("strangers: the text is nearly as large as one may be", 900000 < len(text) < 1 << 20)
    for i, (t, s) in enumerate([(text, sig), (text + b"x" * (2 << 20), sig), (b"", sig), (text, b"x" * (1 << 20)), (b"\0" * 4096, b"\0")]):
        git(site.bare, "update-ref", REFS + "%064x/%064x" % (i, i), strange_commit(site, t, s))
    git(site.bare, "update-ref", REFS + "notes", site.tip("main"))
    commit(site, "bo", {"envs/bo/one.yaml": env_spec()})
    until(lambda: pending(site, "bo/one"))
    approve(site, "carol")
    check("strangers: texts of a mebibyte, of none and of rubbish are in nobody's way", until(lambda: applied(site, "bo/one")), d.log())
    while_judging(site, d)
    thing = strange_commit(site, b"x")
    git(site.bare, "update-ref", "--stdin", data="".join("create %s%064x/%064x %s\n" % (REFS, i + 99, i, thing) for i in range(3000)).encode())
    commit(site, "alice", {"envs/alice/more.yaml": env_spec()}, sign="carol")
    check("strangers: 3,000 refs: signed commits go on, the log says so", until(lambda: applied(site, "alice/more"), 2 * WAIT) and
          until(lambda: "more than 2000 refs" in d.log()), d.log())
    check("strangers: the daemon is well", d.alive() and d.stop() == 0, d.log())


def while_judging(site, d):
    """Approvals that arrive one after another while earlier ones are judged."""
    names = ["envs/bo/w%d.yaml" % n for n in range(5)]
    commits = [git(site.clone, "rev-parse", "HEAD")] + [commit(site, "bo", {name: env_spec()}) for name in names]
    for n, who in enumerate(("carol", "dana", "erin", "carol", "dana")):
        approve(site, who, "%s..%s" % (commits[n], commits[n + 1]))
    check("strangers: none of five approvals in a row is missed", until(lambda: all(applied(site, "bo/w%d" % n) for n in range(5)), 2 * WAIT), d.log(), site.phases())


# -- replays ------------------------------------------------------------------------------------------------------------------------------


def replayed():
    site = signed_site("replayed")
    state = site.state()
    once(site.bare, state, "--trust-anchor", site.anchor)
    commit(site, "bo", {"envs/bo/big.yaml": env_spec("gpu-large")})
    ref = approve(site, "carol")
    once(site.bare, state)
    check("replay: the approval has its effect once", applied(site, "bo/big") and rendered(site, "bo/big"))
    evidence = git(site.clone, "rev-parse", ref)
    commit(site, "bo", {"envs/bo/big.yaml": None}, sign="dana")
    once(site.bare, state)
    check("replay: then it is taken back", not rendered(site, "bo/big"))
    commit(site, "bo", {"envs/bo/big.yaml": env_spec("gpu-large")})
    git(site.bare, "update-ref", ref, evidence)
    once(site.bare, state)
    check("replay: the old approval of the same change, at its old place, does nothing", not rendered(site, "bo/big") and pending(site, "bo/big"))
    shutil.rmtree(state)
    said = once(site.bare, state)
    check("replay: without its state berth applies nothing and asks", said.rc == 4 and not rendered(site, "bo/big"), said)
    said = once(site.bare, state, "--trust-anchor", site.anchor)
    check("replay: told the old anchor it comes to the same: used once is used", said.rc == 1 and not rendered(site, "bo/big") and pending(site, "bo/big"), said)
    shutil.rmtree(state)
    said = once(site.bare, state, "--trust-anchor", git(site.bare, "rev-parse", "main~1"))
    check("replay: told a new anchor, approvals for the old one are none", said.rc == 1 and not rendered(site, "bo/big"), said)


# -- the status branch ----------------------------------------------------------------------------------------------------------------------


def forged():
    site = signed_site("forged")
    state = site.state()
    d = Daemon(site.bare, state, "--trust-anchor", site.anchor)
    check("forged: everything is rendered", until(site.all_rendered), d.log())
    evil = commit(site, "bo", {"envs/bo/evil.yaml": env_spec(), "approvers/allowed_signers": 'carol@example.com %s\n' % public("mallory")})
    check("forged: mallory's approvers wait", until(lambda: pending(site, "bo/evil")), d.log())
    git(site.clone, "config", "remote.origin.pushurl", site.bare)
    tree = git(site.bare, "rev-parse", evil + "^{tree}")
    site.plant("proof.txt", "berth proof 1\nanchor %s\ncommit %s\ntree %s\nheartbeat 1\n" % (evil, evil, tree))
    site.plant("approvals/2026-11/%s-%s.txt" % (evil[:16], "0" * 16),
               "berth approved 1\ncommit %s\nchanges %s\nseen 2026-11-26T00:00:00Z\nby carol\npath envs/bo/evil.yaml\n" % (evil, "0" * 64))
    check("forged: berth puts its own proof back", until(lambda: site.anchor in (site.show(STATUS, "proof.txt") or "")), d.log())
    check("forged: and is not moved", pending(site, "bo/evil") and not ever_rendered(site, "bo/evil"), d.log())
    site.plant("proof.txt", "berth proof 1\nanchor %s\ncommit %s\ntree %s\nheartbeat 1\n" % (evil, evil, tree))
    d.stop(signal.SIGKILL)
    said = once(site.bare, state)
    check("forged: nor after a restart", said.rc == 1 and pending(site, "bo/evil") and not ever_rendered(site, "bo/evil"), said)
    site.plant("proof.txt", "berth proof 1\nanchor %s\ncommit %s\ntree %s\nheartbeat 1\n" % (evil, evil, tree))
    said = berth("verify", "-C", site.bare, "--anchor", site.anchor)
    check("forged: berth verify with an anchor of one's own is not either", said.rc == 1 and "envs/bo/evil.yaml" in said.out, said)
    said = berth("verify", "-C", site.bare)
    check("forged: without one it says whose word it takes", "the anchor is what the status branch says" in said.err, said)


def main():
    replayed()
    forged()
    killed()
    strangers()
    two_daemons()
    done()


main()
