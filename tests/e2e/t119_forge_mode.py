#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reviews on a real Gitea are the approvals (approvals.mode forge): asked for, given, void after a push, taken back, merged by each button, forced past, and of a
pull request that berth never saw open; commands in comments are answered in the one comment."""
import os
import time

import gitea
from forge_site import REPO, Forge, Pull
from lab import check, done, env_spec, git, note, until

gitea.skip_without()


def new(f, who, branch, files):
    return Pull(f, f.pull(who, branch, files))


def push(f, who, branch, files):
    f.git(who, "checkout", "-q", branch)
    f.site.write(files)
    f.git(who, "add", "-A")
    f.git(who, "commit", "-q", "-m", "more")
    f.git(who, "push", "-q", "origin", branch)
    return f.git(who, "rev-parse", "HEAD")


def say(f, who, pull, text):
    return f.api("POST", "/repos/%s/issues/%d/comments" % (REPO, pull.number), {"body": text}, who=who)["id"]


def applied(pull, d, name):
    sha = pull.get()["merge_commit_sha"]
    check("%s: the merge says that it is applied" % name, until(lambda: pull.states(sha).get("berth/apply", ("",))[0] == "success"), pull.states(sha), d.log())
    check("%s: and so does the comment" % name, until(lambda: "### berth: applied" in pull.text()) and len(pull.comments()) == 1, pull.text(), d.log())


def story(f, d):
    pull = new(f, "bo", "lab", {"envs/bo/lab.yaml": env_spec("gpu-small")})
    check("a new one waits for a review, and says of whom", pull.wait("berth/plan", "pending") and "carol" in pull.states()["berth/plan"][1], pull.states(), d.log())
    check("the comment says how", until(lambda: "By a review of this pull request (Approve)" in pull.text()), pull.text())
    check("bo cannot review his own", f.server.refused("bo", "POST", "/repos/%s/pulls/%d/reviews" % (REPO, pull.number), {
        "event": "APPROVED", "body": "mine"}) == 422)
    f.review("mallory", pull.number)
    f.review("dana", pull.number, "COMMENT")
    check("who may not approve is heard, and it waits", until(lambda: "mallory (review " in pull.text()) and pull.states()["berth/plan"][0] == "pending" and
          "dana (" not in pull.text(), pull.text(), pull.states())
    old = pull.get()["head"]["sha"]
    f.review("carol", pull.number)
    begun = time.monotonic()
    check("carol approves: the check is green", pull.wait("berth/plan", "success"), pull.states(), d.log())
    note("%.1f s after the review" % (time.monotonic() - begun))
    check("the comment says who, by what", until(lambda: "carol (review " in pull.text()), pull.text())
    push(f, "bo", "lab", {"envs/bo/lab.yaml": env_spec("gpu-small", "  resources: {gpu: 1, cpu: 3}\n")})
    check("a push makes it void", pull.wait("berth/plan", "pending"), pull.states(), d.log())
    check("(it is another head)", pull.get()["head"]["sha"] != old)
    f.review("dana", pull.number, "REQUEST_CHANGES")
    f.review("carol", pull.number)
    check("who asks for changes holds it up, whoever approves", until(lambda: "dana" in pull.states()["berth/plan"][1] and
          pull.states()["berth/plan"][0] == "pending" and "carol (review " in pull.text()), pull.states(), pull.text(), d.log())
    f.review("dana", pull.number)
    check("until they approve", pull.wait("berth/plan", "success"), pull.states(), d.log())
    for r in f.api("GET", "/repos/%s/pulls/%d/reviews" % (REPO, pull.number)):
        if r["user"]["login"] in ("carol", "dana") and r["state"] == "APPROVED" and not r["dismissed"]:
            f.api("POST", "/repos/%s/pulls/%d/reviews/%d/dismissals" % (REPO, pull.number, r["id"]), {"message": "no"})
    check("what is dismissed does not count", pull.wait("berth/plan", "pending"), pull.states(), d.log())
    f.review("carol", pull.number)
    check("(carol once more)", pull.wait("berth/plan", "success"), pull.states(), d.log())
    check("merged by its button", f.merge("carol", pull.number, "merge"), d.log())
    check("applied", until(lambda: f.live("bo/lab")), d.log(), f.status().get("bo/lab"))
    applied(pull, d, "merge")


def commands(f, d):
    pull = new(f, "bo", "talk", {"envs/bo/talk.yaml": env_spec()})
    check("(a new one)", until(lambda: "bo/talk" in pull.text()), d.log())
    looks = d.log().count("pull request %d at" % pull.number)
    say(f, "bo", pull, "please\n/berth plan\n")
    check("/berth plan looks again, and says so", until(lambda: "looked at again" in pull.text() and
          d.log().count("pull request %d at" % pull.number) > looks), pull.text(), d.log())
    say(f, "carol", pull, "/berth approve " + pull.get()["head"]["sha"])
    check("a comment is no review here, and that is said", until(lambda: "a review counts here" in pull.text()) and
          pull.states()["berth/plan"][0] == "pending", pull.text())
    odd = "/berth <img src=x> @carol `` | [x](http://evil.example)"
    say(f, "bo", pull, odd)
    check("unknown ones are answered with the list, as text", until(lambda: "no such command" in pull.text()) and "<img" not in f.shown(pull.text()) and
          'href="http://evil' not in f.shown(pull.text()), f.shown(pull.text()))
    text = pull.text()
    number = say(f, "bo", pull, "nothing")
    time.sleep(1.1)  # Gitea's times are whole seconds
    f.api("PATCH", "/repos/%s/issues/comments/%d" % (REPO, number), {"body": "/berth plan"}, who="bo")
    say(f, "root", pull, "/berth plan")
    looks = d.log().count("pull request %d at" % pull.number)
    other = new(f, "bo", "other", {"envs/bo/other.yaml": env_spec()})
    check("(somebody else's is looked at)", until(lambda: "bo/other" in other.text()), d.log())
    for line in "/berth one", "/berth two":  # two turns later all has been heard that was said before
        say(f, "bo", other, line)
        check("(%s is answered)" % line, until(lambda line=line: line in other.text()), d.log())
    check("one that was edited is none, and one of nobody here", pull.text() == text and
          d.log().count("pull request %d at" % pull.number) == looks, pull.text(), d.log())
    check("all of it in one comment", len(pull.comments()) == 1)
    return pull


def buttons(f, d):
    for how in "squash", "rebase":
        name = "by-" + how
        pull = new(f, "bo", name, {"envs/bo/%s.yaml" % name: env_spec()})
        push(f, "bo", name, {"envs/bo/%s.yaml" % name: env_spec("gpu-small"), "envs/bo/%s-two.yaml" % name: env_spec()})
        other = new(f, "bo", "before-" + how, {"envs/bo/before-%s.yaml" % how: env_spec()})
        for one in other, pull:
            f.review("carol", one.number)
            check("%s: approved" % how, one.wait("berth/plan", "success"), one.states(), d.log())
        check("%s: merged, after somebody else's" % how, f.merge("carol", other.number, "merge") and f.merge("carol", pull.number, how), d.log())
        check("%s: applied" % how, until(lambda name=name: f.live("bo/" + name, "nvidia.com/gpu") and f.live("bo/%s-two" % name)), d.log(), f.status())
        applied(pull, d, how)


def forced(f, d):
    """Whoever owns the repository on the forge may merge anything there; it waits here."""
    pull = new(f, "mallory", "forced", {"envs/mallory/mine.yaml": env_spec(), "envs/bo/lab.yaml": env_spec("cpu-small")})
    check("(it waits)", pull.wait("berth/plan", "pending"), pull.states(), d.log())
    where = "/repos/%s/pulls/%d/merge" % (REPO, pull.number)
    check("a merge that is forced past the check", until(lambda: not f.server.refused("root", "POST", where, {"Do": "merge", "force_merge": True})))
    check("stays pending", until(lambda: f.waits("mallory/mine") and f.waits("bo/lab")), d.log(), f.status())
    sha = pull.get()["merge_commit_sha"]
    check("the merge says so", until(lambda: pull.states(sha).get("berth/apply", ("",))[0] == "failure") and "ApprovalMissing" in
          pull.states(sha)["berth/apply"][1], pull.states(sha), d.log())
    check("and the comment what to do", until(lambda: "no review of what is merged" in pull.text()), pull.text(), d.log())
    check("Gitea takes no review any more", f.server.refused("carol", "POST", "/repos/%s/pulls/%d/reviews" % (REPO, pull.number), {
        "event": "APPROVED", "body": "late"}) == 422)
    f.git("carol", "fetch", "-q", "origin")
    f.git("carol", "checkout", "-q", "-B", "back", "origin/main")
    f.git("carol", "revert", "--no-edit", "-m", "1", "HEAD")
    f.git("carol", "push", "-q", "origin", "back")
    back = Pull(f, f.api("POST", "/repos/%s/pulls" % REPO, {"title": "back", "head": "back", "base": "main"}, who="carol")["number"])
    check("a revert of it is looked at", until(back.comments), d.log())
    f.review("dana", back.number)
    check("it may be merged", until(lambda: not f.server.refused("root", "POST", "/repos/%s/pulls/%d/merge" % (REPO, back.number), {
        "Do": "merge", "force_merge": True})))
    check("and nothing waits any more", until(lambda: not f.waits("bo/lab") and "mallory/mine" not in f.status()), d.log(), f.status())


def unseen(f, d, state):
    """Opened, approved and merged while berth was down; the memory is lost on top of it."""
    check("(it stops)", d.stop() == 0, d.log())
    os.unlink(os.path.join(state, "pulls"))
    pulls = [new(f, "bo", name, {"envs/bo/%s.yaml" % name: env_spec()}) for name in ("gone1", "gone2")]
    for pull, how in zip(pulls, ("merge", "rebase")):
        f.review("carol", pull.number)
        check("(merged: nobody requires a check of who is not there)", until(lambda pull=pull, how=how: not f.server.refused(
            "root", "POST", "/repos/%s/pulls/%d/merge" % (REPO, pull.number), {"Do": how, "force_merge": True})))
    d = f.daemon(state, "--forge", "gitea")
    check("merged unseen: applied", until(lambda: f.live("bo/gone1") and f.live("bo/gone2")), d.log(), f.status())
    for pull in pulls:
        applied(pull, d, "unseen %d" % pull.number)
    return d


def main():
    f = Forge(checks=["berth/plan"], mode="forge", people=("dana",))
    state = f.site.state()
    d = f.daemon(state, "--forge", "gitea")
    check("everything at the anchor is rendered", until(lambda: f.status() and all(x["phase"] == "Rendered" for x in f.status().values())), d.log())
    story(f, d)
    commands(f, d)
    buttons(f, d)
    forced(f, d)
    d = unseen(f, d, state)
    check("it stops well", d.stop() == 0, d.log())
    check("no token in the log", not any(t in d.log() for t in f.server.tokens.values()))
    done()


main()
