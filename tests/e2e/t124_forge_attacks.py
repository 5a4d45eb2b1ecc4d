#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a real Gitea lets somebody do with other people's reviews, and what berth makes of it: a pull request that is pointed at main after it was approved."""
import time

import gitea
from forge_site import REPO, Forge, Pull
from lab import check, done, env_spec, git, until

gitea.skip_without()


def commit(f, who, branch, files, base=None):
    f.git(who, "fetch", "-q", "origin")
    f.git(who, "checkout", "-q", *(["-B", branch, base] if base else [branch]))
    f.site.write(files)
    f.git(who, "add", "-A")
    f.git(who, "commit", "-q", "-m", branch)
    f.git(who, "push", "-q", "origin", branch)
    return git(f.site.clone, "rev-parse", "HEAD")


def forced(f, pull):
    where = "/repos/%s/pulls/%d/merge" % (REPO, pull.number)
    return until(lambda: not f.server.refused("root", "POST", where, {"Do": "merge", "force_merge": True}))


def retargeted(f, d):
    """An admin approves a small step from one branch to another; pointed at main it brings all of that other branch."""
    commit(f, "bo", "hidden", {"envs/bo/hidden.yaml": env_spec("gpu-small")}, "origin/main")
    commit(f, "bo", "step", {"envs/bo/step.yaml": env_spec()}, "hidden")
    pull = Pull(f, f.api("POST", "/repos/%s/pulls" % REPO, {"title": "a small step", "head": "step", "base": "hidden"}, who="bo")["number"])
    f.review("carol", pull.number)
    time.sleep(1.1)  # Gitea's times are whole seconds
    f.api("PATCH", "/repos/%s/pulls/%d" % (REPO, pull.number), {"base": "main"}, who="bo")
    check("a review for another branch is none for main", pull.wait("berth/plan", "pending") and "carol" in pull.states()["berth/plan"][1], pull.states(), d.log())
    check("(forced in)", forced(f, pull), d.log())
    check("merged, it waits", until(lambda: f.waits("bo/hidden")) and not f.live("bo/hidden") and not f.live("bo/step"), d.log(), f.status())


def main():
    f = Forge(checks=["berth/plan"], mode="forge", people=("dana",))
    d = f.daemon(f.site.state(), "--forge", "gitea")
    check("everything at the anchor is rendered", until(lambda: f.status() and all(x["phase"] == "Rendered" for x in f.status().values())), d.log())
    retargeted(f, d)
    check("it stops well", d.stop() == 0, d.log())
    done()


main()
