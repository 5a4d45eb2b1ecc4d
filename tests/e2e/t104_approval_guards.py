#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Guards where approvals are signed: whose Berth-Allow-Delete counts, a rewritten history that is let in, a repository that has become old."""
from lab import STATUS, Daemon, check, done, env_spec, git, once, until
from signers import commit, signed_site

MANY = {"envs/alice/e%d.yaml" % i: env_spec() for i in range(8)}


def pending(site, env):
    return site.status().get(env, {}).get("pending", {})


def there(site, env):
    return bool(site.names("berth/rendered", "envs/" + env))


def whose_trailer(site, state):
    once(site.bare, state, "--trust-anchor", site.anchor)
    check("eight environments are rendered", all(there(site, "alice/e%d" % i) for i in range(8)), site.names("berth/rendered"))
    commit(site, "alice", {"envs/alice/e%d.yaml" % i: None for i in range(5)}, sign="carol")
    said = once(site.bare, state)
    check("five approved deletions at once are held, and who may release them is said", there(site, "alice/e0") and
          "that an admin signed" in said.err, said)
    trailer = "go on\n\nBerth-Allow-Delete: 5"
    commit(site, "bo", {}, message=trailer)
    once(site.bare, state)
    check("anybody's trailer does not release them", there(site, "alice/e0"), said)
    commit(site, "alice", {}, message=trailer, sign="alice")
    once(site.bare, state)
    check("nor does that of a signer who is no admin", there(site, "alice/e0"), said)
    commit(site, "bo", {"envs/bo/extra.yaml": env_spec()}, message=trailer)
    said = once(site.bare, state)
    check("nor one of a change that waits", there(site, "alice/e0") and pending(site, "bo/extra"), said)
    commit(site, "dana", {}, message=trailer, sign="dana")
    said = once(site.bare, state)
    check("an admin's signed commit releases them", not there(site, "alice/e0") and not there(site, "alice/e4") and there(site, "alice/e5"), said)
    commit(site, "alice", {"envs/alice/e%d.yaml" % i: None for i in (5, 6, 7)} | {"envs/alice/vit.yaml": None}, message=trailer, sign="erin")
    said = once(site.bare, state)
    check("so does one with the approved deletions themselves", not there(site, "alice/e5") and not there(site, "alice/vit"), said)


def rewound(site, state):
    commit(site, "alice", {"envs/alice/mine.yaml": env_spec()}, sign="carol")
    once(site.bare, state)
    check("before: approved and live", there(site, "alice/mine"))
    git(site.clone, "checkout", "-q", "-B", "other", site.anchor)
    tip = commit(site, "bo", {"envs/bo/new.yaml": env_spec()}, push=False)
    git(site.clone, "push", "-q", "--force", "origin", "HEAD:main")
    said = once(site.bare, state)
    check("a rewritten history is refused", said.rc == 4 and tip in said.err and there(site, "alice/mine"), said)
    said = once(site.bare, state, "--accept-rewind", tip)
    check("let in, nothing of it is applied that is not approved", said.rc == 1 and not there(site, "bo/new") and pending(site, "bo/new"), said)
    check("and what was approved stays live", there(site, "alice/mine") and pending(site, "alice/mine").get("reason") == "ApprovalMissing",
          site.status().get("alice/mine"))
    said = once(site.bare, state)
    check("the next pass needs no word about it", said.rc == 1 and there(site, "alice/mine") and not there(site, "bo/new"), said)
    commit(site, "alice", {"envs/alice/train.yaml": env_spec(more="  persistentHomeSize: 33Gi\n")}, sign="carol")
    said = once(site.bare, state)
    check("signed changes on the new line count", said.rc == 1 and any("33Gi" in site.show("berth/rendered", p)
          for p in site.names("berth/rendered", "envs/alice/train")), said)


def stale():
    site = signed_site("old")
    org = site.read("berth.yaml").rstrip("\n")
    check("the age is set", "maxSourceAge" not in org and "guards: {" in org, org)
    site.anchor = site.push({"berth.yaml": org.replace("guards: {", "guards: {maxSourceAge: 20s, ") + "\n"})
    d = Daemon(site.bare, site.state(), "--trust-anchor", site.anchor)

    def alarm():
        return [f for f in site.repo_status().get("findings", []) if "SourceStale" in f]
    check("everything is rendered", until(site.all_rendered), d.log())
    check("a repository in which nobody signs for longer than guards.maxSourceAge is said to be old", until(alarm), site.repo_status(), d.log())
    commit(site, "bo", {"envs/bo/x.yaml": env_spec()})
    check("a commit that nobody signed does not end that; it waits as ever", until(lambda: pending(site, "bo/x")) and alarm(), d.log())
    before = site.tip(STATUS)
    commit(site, "alice", {"envs/alice/y.yaml": env_spec()}, sign="carol")
    check("a signed change is applied all the same", until(lambda: "alice/y" in site.status() and not pending(site, "alice/y")), d.log())
    # in some status since then: 20 s later it is there again
    check("and the alarm ends with it", until(lambda: any("SourceStale" not in (site.show(c, "repo.yaml") or "SourceStale") for c in git(
        site.bare, "rev-list", "%s..%s" % (before, STATUS)).splitlines())), site.repo_status())
    check("it stops well", d.stop() == 0, d.log())


def main():
    site = signed_site("guards", MANY)
    state = site.state()
    whose_trailer(site, state)
    rewound(site, state)
    stale()
    done()


main()
