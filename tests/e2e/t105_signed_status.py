#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""With a master key berth signs its own commits: stock git says good, and berth verify takes times from no others."""
import hashlib
import os
import time

from lab import RENDERED, STATUS, Daemon, berth, check, done, env_spec, folder, git, once, until
from seal import Keys
from signers import commit, key, signed_site


def pending(site, env):
    return site.status().get(env, {}).get("pending", {})


def letters(site, keys, branch):
    """What stock git says of each commit's signature."""
    path = os.path.join(folder, "berth.signers")
    with open(path, "w", encoding="utf-8") as f:
        f.write('berth@localhost namespaces="git" %s\n' % keys.signer)
    return set(git(site.bare, "-c", "gpg.ssh.allowedSignersFile=" + path, "log", "--format=%G?", branch).split())


def approve(site, who, *args):
    said = berth("approve", "-C", site.clone, "--key", key(who), "--yes", *args)
    return said.out.split()[-1]


def good(site, keys, d):
    check("every status and rendered commit is good to stock git", letters(site, keys, STATUS) == {"G"} and letters(site, keys, RENDERED) == {"G"},
          letters(site, keys, STATUS), letters(site, keys, RENDERED), d.log())
    commit(site, "bo", {"envs/bo/lab.yaml": env_spec()})
    until(lambda: pending(site, "bo/lab"))
    approve(site, "carol", "--expires", "30s")
    began = time.time()
    check("an approval for half a minute is taken up", until(lambda: "bo/lab" in site.status() and not pending(site, "bo/lab")), d.log())
    check("it stops well", until(lambda: site.names(STATUS, "approvals/")) and d.stop() == 0, d.log())
    until(lambda: time.time() > began + 31)
    said = berth("verify", "-C", site.clone, "--anchor", site.anchor)
    check("over its time, it is proved by when berth saw it", said.rc == 0 and "proved" in said.out, said)
    doc = berth("verify", "-C", site.clone, "-o", "json").json()["statusBranch"]
    check("all of the status branch is signed", doc["signed"] == len(site.commits(STATUS)) and not doc["notSigned"] and not doc["otherKey"] and
          doc["signer"] == keys.signer, doc)


def planted(site):
    """A record that somebody else writes makes no approval younger."""
    tip = commit(site, "bo", {"envs/bo/late.yaml": env_spec()})
    ref = approve(site, "carol", "--expires", "1s")
    text, sig = (git(site.clone, "cat-file", "blob", "%s:%s" % (ref, name), ok=False)[1] for name in ("approval", "approval.sig"))
    until(lambda: berth("verify", "-C", site.clone).rc == 1)
    lines = text.split(b"changes 1\n")[1]
    digest = hashlib.sha256(lines).hexdigest()
    head = "berth approved 1\ncommit %s\nchanges %s\nseen 2026-01-01T00:00:00Z\nby carol\npath envs/bo/late.yaml\nevidence %d %d\n" % (tip, digest, len(text), len(sig))
    site.plant("approvals/2026-01/%s-%s.txt" % (tip[:16], digest[:16]), head + text.decode() + sig.decode() + "\n")
    said = berth("verify", "-C", site.clone, "--anchor", site.anchor)
    check("an approval that came too late stays so, whatever an unsigned commit tells of it", said.rc == 1 and "envs/bo/late.yaml" in said.out, said)
    check("and that commit is counted and named", "1 not signed" in said.out and site.tip(STATUS)[:12] in said.out, said)
    return tip


def without_signer():
    """Where berth.yaml names no signer there is nobody to ask for."""
    site = signed_site("plain")
    state = site.state()
    once(site.bare, state, "--trust-anchor", site.anchor)
    for who, name in (("carol", "one"), ("dana", "two")):
        commit(site, "alice", {"envs/alice/%s.yaml" % name: env_spec()}, sign=who)
        once(site.bare, state)
        named = git(site.bare, "log", "-1", "--format=%(trailers:key=Berth-Approved-By,valueonly)", STATUS).split()
        check("a status commit names who approved what it tells of, and nobody from before: %s" % who, named == [who], named)
    said = berth("verify", "-C", site.bare)
    check("without a signer nothing is said of the status branch's commits", said.rc == 0 and "status branch" not in said.out, said)


def main():
    site = signed_site("signing")
    keys = Keys()
    site.anchor = site.push(keys.switch_on(site), "secrets are on")
    d = Daemon(site.bare, site.state(), "--trust-anchor", site.anchor, "--master-key", keys.file)
    check("berth runs with a master key", until(site.all_rendered), d.log())
    good(site, keys, d)
    planted(site)
    without_signer()
    done()


main()
