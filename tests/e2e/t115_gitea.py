#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A repository on a real Gitea: pull requests merged by its three buttons and approved by signatures, a merge past protection, a protected
status branch, a token that is taken away."""
import os

import gitea
from forge_site import REPO, Forge
from lab import STATUS, check, done, env_spec, git, until

gitea.skip_without()


def buttons(f, d):
    """Merge, squash and rebase: an approval of the change holds for each, also when main has moved on."""
    for number, how in enumerate(("merge", "squash", "rebase")):
        name = "by-" + how
        pull = f.pull("bo", name, {"envs/bo/%s.yaml" % name: env_spec()})
        check("%s: merging before a review is refused" % how, f.server.refused("bo", "POST", "/repos/%s/pulls/%d/merge" % (REPO, pull), {"Do": how}) == 405)
        if number == 0:
            check("bo cannot review his own", f.server.refused("bo", "POST", "/repos/%s/pulls/%d/reviews" % (REPO, pull), {
                "event": "APPROVED", "body": "mine"}) == 422)
        said = f.approve("carol", name)
        check("%s: carol signs the branch, and Gitea keeps the approval" % how, said.rc == 0 and "approved by carol" in said.out, said)
        if number == 2:  # somebody else's change comes first
            other = f.pull("bo", "first", {"envs/bo/first.yaml": env_spec()})
            f.approve("carol", "first")
            f.review("carol", other)
            f.merge("carol", other, "squash")
        f.review("carol", pull)
        check("%s: merged" % how, f.merge("carol", pull, how), d.log())
        check("%s: applied" % how, until(lambda name=name: f.live("bo/" + name)), d.log(), f.status().get("bo/" + name))
    f.git("bo", "fetch", "-q", "origin")
    said = f.berth("bo", "verify")
    check("berth verify proves it all", said.rc == 0 and "proved" in said.out and "carol" in said.out, said)
    asked = {x["paths"][0]: x["askedBy"].lower() for x in f.berth("bo", "log", "-o", "json").json() if x["change"] == "Approved"}
    check("berth log says whose it was, and not who pressed the button", asked["envs/bo/by-merge.yaml"] == "bo" and "carol" not in asked.values(), asked)


def past_protection(f, d):
    """Whoever owns the repository on the forge may merge anything there; it waits here."""
    pull = f.pull("mallory", "forced", {"envs/mallory/mine.yaml": env_spec(), "envs/bo/by-merge.yaml": env_spec("gpu-small")})
    merged = until(lambda: not f.server.refused("root", "POST", "/repos/%s/pulls/%d/merge" % (REPO, pull), {"Do": "merge", "force_merge": True}))
    check("a merge that is forced past protection", merged)
    check("stays pending", until(lambda: f.waits("mallory/mine") and f.waits("bo/by-merge")), d.log(), f.status())
    text = git(f.site.clone, "show", "origin/berth/rendered:envs/bo/by-merge/statefulset-by-merge.yaml")
    check("what is live stays as it was", "nvidia.com/gpu" not in text)
    f.git("carol", "fetch", "-q", "origin")
    said = f.approve("carol")
    check("carol looks and signs", said.rc == 0, said)
    check("then it is applied", until(lambda: f.live("mallory/mine") and f.live("bo/by-merge", "nvidia.com/gpu")), d.log())


def refused_status(f, d, state):
    """A rule on the forge that berth may not push its status."""
    f.protect("berth/**")
    pull = f.pull("bo", "later", {"envs/bo/later.yaml": env_spec()})
    f.approve("carol", "later")
    f.review("carol", pull)
    check("(merged)", f.merge("carol", pull, "merge"))
    check("a push that protection refuses is said with the forge's words", until(lambda: "StatusBranchRefused" in d.log() or "protected branch" in
          d.log()), d.log())
    f.api("DELETE", "/repos/%s/branch_protections/%s" % (REPO, "berth%2F**"))
    d.stop()
    d = f.daemon(state)
    check("and goes on when the rule is gone", until(lambda: f.live("bo/later")), d.log())
    return d


def token_away(f, d, token):
    with open(token, encoding="utf-8") as file:
        good = file.read()
    with open(token, "w", encoding="utf-8") as file:
        file.write("0" * 40 + "\n")
    check("a token that does not count is said, and not shown", until(lambda: "401" in d.log() or "authentication" in d.log()) and
          good.strip() not in d.log() and "0" * 40 not in d.log(), d.log())
    with open(token, "w", encoding="utf-8") as file:
        file.write(good)
    pull = f.pull("bo", "back", {"envs/bo/back.yaml": env_spec()})
    f.approve("carol", "back")
    f.review("carol", pull)
    check("(merged)", f.merge("carol", pull, "squash"))
    check("with a good one in the file it goes on by itself", until(lambda: f.live("bo/back"), 150), d.log())


def main():
    f = Forge()
    token = f.server.token_file("berth")
    state = f.site.state()
    d = f.daemon(state)
    check("everything at the anchor is rendered", until(lambda: f.status() and all(x["phase"] == "Rendered" for x in f.status().values())), d.log())
    buttons(f, d)
    past_protection(f, d)
    d = refused_status(f, d, state)
    token_away(f, d, token)
    check("the status branch is berth's alone", set(git(f.site.clone, "log", "--format=%ae", "origin/" + STATUS).split()) == {"berth@localhost"})
    check("it stops well", d.stop() == 0, d.log())
    check("no token is in a file that berth wrote", not [n for root, _, names in os.walk(state) for n in names if any(
        t.encode() in open(os.path.join(root, n), "rb").read() for t in f.server.tokens.values())])  # pylint: disable=consider-using-with
    done()


main()
