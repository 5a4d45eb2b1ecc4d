#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mode forge from the daemon's file of reviews to the record and `berth verify`; the forge itself is asked in t119."""
import hashlib
import os

from lab import STATUS, Daemon, berth, check, done, env_spec, git, once, until
from seal import Keys
from signers import commit, merge, signed_site


def pending(site, env):
    return site.status().get(env, {}).get("pending", {})


def live(site, env):
    return until(lambda: env in site.status() and not pending(site, env))


def waits(site, env):
    return until(lambda: pending(site, env).get("reason") == "ApprovalMissing")


def changes(site, old, new):
    lines = []
    for row in git(site.clone, "diff-tree", "-r", "--no-renames", old, new).splitlines():
        what, path = row.split("\t")
        was, now, was_id, now_id, _ = what[1:].split(" ")
        lines.append("%s %s %s %s %s\n" % (was, was_id, now, now_id, path))
    return sorted(lines, key=lambda line: line.split(" ")[4])


def review(site, number, base, head, merged, author, merged_by, voices):
    lines = changes(site, base, head)
    return "berth review 1\npull %d\nhead %s\nmerged %s\nauthor %s\nmerged-by %s\nvoices %d\n%schanges %d\n%s" % (
        number, git(site.clone, "rev-parse", head), git(site.clone, "rev-parse", merged), author, merged_by, len(voices),
        "".join("voice %s %d 2026-11-26T12:00:00Z %s\n" % (v[1], v[2], v[0]) for v in sorted(voices)), len(lines), "".join(lines))


def tell(state, *reviews):
    """As the thread that asks the forge writes it."""
    path = os.path.join(state, "reviews")
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write("berth reviews 1\n" + "".join("review %d\n%s" % (len(r), r) for r in reviews))
    os.rename(path + ".new", path)


def pull(site, name, who, files, merger):
    git(site.clone, "checkout", "-q", "-b", name, "main")
    commit(site, who, files, push=False)
    git(site.clone, "checkout", "-q", "main")
    merge(site, name, merger)
    return git(site.clone, "rev-parse", "main")


def records(site):
    return [site.show(STATUS, p) or "" for p in site.names(STATUS, "approvals/")]


def story(site, state, d):
    merged = pull(site, "one", "alice", {"envs/alice/lab.yaml": env_spec()}, "bo")
    check("a merge that nobody reviewed waits", waits(site, "alice/lab"), d.log())
    check("the log says that nobody asks the forge, once", d.log().count("runs without --forge") == 1, d.log())
    check("so does the repository's status", any("--forge" in f for f in site.repo_status().get("findings", [])), site.repo_status())
    one = review(site, 42, "%s~1" % merged, "one", merged, "alice", "bo", [("carol", "yes", 4711), ("dana", "no", 4712)])
    tell(state, one)
    check("who asks for changes is named", until(lambda: "dana asks for changes on pull request 42" in pending(site, "alice/lab").get("message", "")), d.log())
    one = one.replace("voices 2", "voices 1").replace("voice no 4712 2026-11-26T12:00:00Z dana\n", "")
    tell(state, one)
    check("a new file is noticed without any commit", live(site, "alice/lab"), d.log())
    check("the log says who and how", until(lambda: "is approved by carol (review 4711 of pull request 42)" in d.log()), d.log())
    check("its condition says that it is reviewed", any(c["type"] == "Approved" and c["status"] == "True" and c["reason"] == "Reviewed"
                                                     for c in site.status()["alice/lab"]["conditions"]), site.status()["alice/lab"])
    check("the record has the review", until(lambda: any(one in r for r in records(site))), records(site))
    tell(state, "hello")
    commit(site, "bo", {"envs/bo/x.yaml": env_spec()})
    check("a file that is damaged is said, and stops nothing", until(lambda: "reviews" in d.log() and waits(site, "bo/x")), d.log())
    commit(site, "erin", {"envs/erin/y.yaml": env_spec()}, sign="dana")
    check("a signature counts beside reviews", live(site, "erin/y"), d.log())


def verified(site):
    said = berth("verify", "-C", site.bare, "--anchor", site.anchor)
    check("verify tells reviews from signatures", "told    by carol" in said.out and
          "approved by carol (review 4711 of pull request 42, as berth wrote)" in said.out and "proved  by dana" in said.out, said)
    doc = berth("verify", "-C", site.bare, "--anchor", site.anchor, "-o", "json").json()
    check("so does its JSON", [(c["proof"], c["by"]) for c in doc["changes"]] == [("told", ["review 4711 of pull request 42"]), ("proved", ["signature"])], doc)


def another_berth(site):
    """The status branch is no evidence to a berth: whoever can write there could tell it anything."""
    said = once(site.bare, site.state(), "--trust-anchor", site.anchor)
    check("a berth without the file believes no record", said.rc == 1 and pending(site, "alice/lab").get("reason") == "ApprovalMissing", said)


def planted():
    """Without a signer nobody vouches for what stands on the status branch."""
    site = signed_site("plain", {})
    org = site.read("berth.yaml")
    site.anchor = commit(site, "carol", {"berth.yaml": org.replace("mode: signed", "mode: forge")})
    once(site.bare, site.state(), "--trust-anchor", site.anchor)
    merged = pull(site, "one", "alice", {"envs/alice/lab.yaml": env_spec()}, "bo")
    text = review(site, 1, "%s~1" % merged, "one", merged, "alice", "bo", [("carol", "yes", 1)])
    digest = hashlib.sha256("".join(changes(site, "%s~1" % merged, "one")).encode()).hexdigest()
    site.plant("approvals/2026-01/%s-%s.txt" % (merged[:16], digest[:16]), "berth approved 1\ncommit %s\nchanges %s\nseen 2026-01-01T00:00:00Z\nby carol\n"
               "path envs/alice/lab.yaml\nevidence %d 0\n%s\n" % (merged, digest, len(text), text))
    said = berth("verify", "-C", site.bare, "--anchor", site.anchor)
    check("verify believes no review that nobody vouches for, and says so", said.rc == 1 and "envs/alice/lab.yaml" in said.out and
          "1 review of a forge on the status branch counts for nothing" in said.out, said)
    said = once(site.bare, site.state(), "--trust-anchor", site.anchor)
    check("nor does berth", said.rc == 1 and pending(site, "alice/lab").get("reason") == "ApprovalMissing", said)


def main():
    keys = Keys("forge")
    site = signed_site("reviewed")
    site.push(keys.switch_on(site), "secrets are on")
    site.anchor = commit(site, "carol", {"berth.yaml": site.read("berth.yaml").replace("mode: signed", "mode: forge")})
    said = berth("validate", "-C", site.clone)
    check("validate takes mode forge", said.rc == 0, said)
    state = site.state()
    d = Daemon(site.bare, state, "--trust-anchor", site.anchor, "--master-key", keys.file)
    story(site, state, d)
    check("it stops well", d.stop() == 0, d.log())
    verified(site)
    another_berth(site)
    planted()
    done()


main()
