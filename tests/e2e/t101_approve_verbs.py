#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth approve and berth verify as people use them: branches, ranges, what waits, keys, agents' absence; and ssh-keygen alone."""
import json
import os
import subprocess

from lab import ENV, Daemon, berth, check, done, env_spec, folder, git, until
from signers import commit, key, merge, signed_site


def approve(site, who, *args):
    return berth("approve", "-C", site.clone, "--key", key(who), "--yes", *args)


def pending(site, env):
    return site.status().get(env, {}).get("pending", {})


def branch(site, name, files, who="alice"):
    git(site.clone, "checkout", "-q", "-b", name, "main")
    commit(site, who, files, push=False)
    git(site.clone, "push", "-q", "origin", name)
    git(site.clone, "checkout", "-q", "main")


def before_the_merge(site, d):
    branch(site, "pr", {"envs/alice/lab.yaml": env_spec()})
    said = approve(site, "carol", "pr")
    check("carol approves a branch", said.rc == 0 and "approved by carol" in said.out and "new     envs/alice/lab.yaml" in said.err, said)
    check("it says what is needed", "needs 1 more" in said.err, said)
    merge(site, "pr", "bo")
    check("merged by a button, it is applied", until(lambda: "alice/lab" in site.status() and not pending(site, "alice/lab")), d.log())
    said = berth("verify", "-C", site.clone)
    check("berth verify proves it", said.rc == 0 and "proved" in said.out and "carol" in said.out, said)


def what_waits(site, d):
    commit(site, "bo", {"envs/bo/one.yaml": env_spec(), "envs/bo/two.yaml": env_spec()})
    commit(site, "bo", {"envs/bo/one.yaml": env_spec(more="  resources: {cpu: 3}\n")})
    check("it waits", until(lambda: pending(site, "bo/one")), d.log())
    said = berth("verify", "-C", site.clone)
    check("berth verify names the first commit that fails", said.rc == 1 and git(site.clone, "rev-parse", "HEAD~1") in said.out and
          "envs/bo/two.yaml" in said.out, said)
    said = berth("verify", "-C", site.clone, "-o", "json")
    doc = json.loads(said.out)
    check("the same as JSON", said.rc == 1 and not doc["proved"] and {w["path"] for w in doc["waiting"]} == {"envs/bo/one.yaml", "envs/bo/two.yaml"}, said)
    said = approve(site, "dana")
    check("dana approves all that waits", said.rc == 0 and "approved by dana" in said.out, said)
    check("it is applied without another commit", until(lambda: not pending(site, "bo/one") and not pending(site, "bo/two")), d.log(), site.status())
    said = approve(site, "dana")
    check("nothing waits any more", said.rc != 0 and "nothing waits" in said.err, said)


def by_stock_tools(site, d):
    branch(site, "pr2", {"envs/alice/three.yaml": env_spec()})
    text = berth("approve", "-C", site.clone, "pr2", "--print")
    path = os.path.join(folder, "approval")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.out)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "approval@berth", "-f", key("erin"), path], check=True, env=ENV, stderr=subprocess.DEVNULL)
    said = berth("approve", "-C", site.clone, "--add", path)
    check("ssh-keygen alone signs an approval", said.rc == 0 and "approved by erin" in said.out, said)
    allowed = os.path.join(site.clone, "approvers/allowed_signers")
    with open(path, "rb") as f:
        stock = subprocess.run(["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "erin@example.com", "-n", "approval@berth", "-s", path + ".sig"],
                               stdin=f, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check("and verifies it", stock.returncode == 0, stock.stdout.decode())
    git(site.clone, "merge", "-q", "--squash", "pr2")
    commit(site, "alice", {})
    check("squashed, it is applied", until(lambda: "alice/three" in site.status() and not pending(site, "alice/three")), d.log())


def slips(site):
    branch(site, "pr3", {"envs/alice/four.yaml": env_spec()})
    said = berth("approve", "-C", site.clone, "pr3", "--key", key("carol"))
    check("without a terminal nobody is asked", said.rc == 2 and "--yes" in said.err, said)
    said = berth("approve", "-C", site.clone, "pr3", "--yes")
    check("without a key the next step is named", said.rc == 2 and "user.signingkey" in said.err, said)
    said = berth("approve", "-C", site.clone, "pr3", "--yes", "--key", key("mallory"))
    check("a key that does not count is said", said.rc == 0 and "not in approvers" in said.err and "--key" in said.err, said)
    said = berth("approve", "-C", site.clone, "nowhere", "--yes", "--key", key("carol"))
    check("a branch that is not there", said.rc == 3 and "nowhere" in said.err and "git push" in said.err, said)
    git(site.clone, "config", "user.signingkey", key("carol"))
    said = berth("approve", "-C", site.clone, "pr3", "--yes")
    check("git's own key is taken", said.rc == 0 and "carol" in said.out, said)
    said = berth("verify", "-C", site.clone, "-o", "vsa")
    doc = json.loads(said.out)
    check("-o vsa is an in-toto statement", doc["_type"].startswith("https://in-toto.io/Statement") and
          doc["predicate"]["verificationResult"] == "PASSED" and doc["subject"][0]["digest"]["gitCommit"] == git(site.bare, "rev-parse", "main"), said)
    said = berth("verify", "-C", site.clone, "origin/main~1..origin/main")
    check("a range by itself", said.rc == 0 and "in 0 changes" not in said.out and "proved" in said.out, said)
    said = berth("verify", "-C", site.clone, "--anchor", git(site.clone, "rev-parse", "HEAD"))
    check("from its own tip on there is nothing to prove", said.rc == 0 and "in 0 changes" in said.out, said)


def of_others(site, d):
    branch(site, "pr5", {"envs/alice/five.yaml": env_spec()})
    git(site.clone, "branch", "-q", "-D", "pr5")
    said = approve(site, "carol", "pr5")
    check("a branch that only the origin has is found by its name", said.rc == 0 and "approved by carol" in said.out, said)
    look = [line.split()[-2:] for line in said.err.splitlines() if line.startswith("look at it: git diff ")]
    check("what is signed can be looked at", len(look) == 1 and "+++ b/envs/alice/five.yaml" in git(site.clone, "diff", *look[0]), said)
    commit(site, "bo", {"datasets/more.yaml": "apiVersion: berth.dev/v1\nkind: Dataset\nspec: {claim: more, size: 1Gi}\n"})
    said = None

    def told():
        nonlocal said
        said = berth("status", "-C", site.clone)
        return "ApprovalMissing: datasets/more.yaml: " in said.out
    check("berth status names what waits and is of no environment", until(told), said, d.log())


def without_history(site):
    short = os.path.join(folder, "short")
    git(folder, "clone", "-q", "--depth", "1", "file://" + site.bare, short)
    said = berth("verify", "-C", short, "--offline", "--anchor", site.anchor)
    check("a clone without history says what to do", said.rc != 0 and "git fetch --unshallow" in said.err, said)
    git(short, "fetch", "-q", "--unshallow")
    said = berth("verify", "-C", short)
    check("and that is enough", "WAITS" in said.out and "datasets/more.yaml" in said.out, said)


def main():
    site = signed_site("verbs")
    d = Daemon(site.bare, site.state(), "--trust-anchor", site.anchor)
    check("berth runs", until(site.all_rendered), d.log())
    before_the_merge(site, d)
    what_waits(site, d)
    by_stock_tools(site, d)
    slips(site)
    of_others(site, d)
    without_history(site)
    check("the daemon is in good health", d.alive() and d.stop() == 0, d.log())
    done()


main()
