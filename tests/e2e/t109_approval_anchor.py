#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""State that is lost, whole or in part, and a berth.yaml on main that nobody approved: trust begins where a person says, or nowhere."""
import os
import shutil

from lab import check, done, env_spec, git, once
from signers import commit, signed_site


def rendered(site, env):
    return site.show("berth/rendered", "envs/%s/statefulset-%s.yaml" % (env, env.split("/")[1])) or ""


def without_rules(site):
    org = site.read("berth.yaml")
    commit(site, "mallory", {"berth.yaml": org.replace("mode: signed", "mode: none"), "envs/mallory/evil.yaml": env_spec()})
    return org


def from_the_start():
    """Main asks for nothing any more when berth first sees it."""
    site = signed_site("tip")
    without_rules(site)
    said = once(site.bare, site.state(), "--trust-anchor", site.anchor)
    check("with an anchor main's own berth.yaml does not decide", said.rc == 1 and site.status()["mallory/evil"]["pending"]["reason"] == "ApprovalMissing", said)
    check("nothing of it is on the target", rendered(site, "mallory/evil") == "" and rendered(site, "alice/train") != "", said)


def proof_deleted():
    site = signed_site("half")
    state = site.state()
    check("applied from the anchor on", once(site.bare, state, "--trust-anchor", site.anchor).rc == 0)
    commit(site, "mallory", {"envs/mallory/evil.yaml": env_spec()})
    check("what nobody approved waits", once(site.bare, state).rc == 1)
    os.unlink(os.path.join(state, "proof"))
    said = once(site.bare, state)
    check("without its proof berth does not trust what it saw last", said.rc == 4 and "--trust-anchor" in said.err, said)
    git(site.bare, "update-ref", "-d", "refs/berth/trusted")
    said = once(site.bare, state)
    check("nor when its ref is gone too", said.rc == 4 and "--trust-anchor" in said.err and rendered(site, "mallory/evil") == "", said)
    said = once(site.bare, state, "--trust-anchor", site.anchor)
    check("told where trust begins it goes on", said.rc == 1 and rendered(site, "mallory/evil") == "", said)


def all_deleted():
    site = signed_site("whole")
    state = site.state()
    check("applied from the anchor on", once(site.bare, state, "--trust-anchor", site.anchor).rc == 0)
    shutil.rmtree(state)
    without_rules(site)
    said = once(site.bare, site.state())
    check("what was proved once is not forgotten for a berth.yaml that nobody approved", said.rc == 4 and rendered(site, "mallory/evil") == "", said)


def asks_for_nothing():
    site = signed_site("none")
    org = site.read("berth.yaml")
    commit(site, "dana", {"berth.yaml": org.replace("mode: signed, required: 1, admins: [carol, dana, erin]", "mode: none"), "envs/bo/x.yaml": env_spec()})
    anchor = git(site.clone, "rev-parse", "HEAD")
    said = once(site.bare, site.state(), "--trust-anchor", anchor)
    doc = site.status()["bo/x"]
    check("an anchor whose berth.yaml asks for nothing: applied, and nobody calls it proved", said.rc == 0 and any(
        c["type"] == "Approved" and c["reason"] == "NotEnforced" for c in doc["conditions"]), said, doc)


def main():
    from_the_start()
    proof_deleted()
    all_deleted()
    asks_for_nothing()
    done()


main()
