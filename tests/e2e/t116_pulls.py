#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pull requests on a real Gitea: two checks, one comment that follows what happens, findings at their lines, and nothing said twice."""
import os

import gitea
from forge_site import REPO, Forge, Pull
from lab import check, done, env_spec, until
from signers import key

gitea.skip_without()
MARK = "<!-- berth:plan v1 "


def opened(f, d):
    pull = Pull(f, f.pull("bo", "lab", {"envs/bo/lab.yaml": env_spec("gpu-small")}))
    check("a new pull request: the spec is checked", pull.wait("berth/validate", "success"), pull.states(), d.log())
    check("the plan waits for who must approve, and says so", pull.wait("berth/plan", "pending") and "carol" in pull.states()["berth/plan"][1], pull.states())
    check("one comment has the plan", until(lambda: len(pull.comments()) == 1) and pull.text().startswith(MARK) and "bo/lab" in pull.text() and
          "berth approve" in pull.text(), pull.text())
    check("merging is refused meanwhile", f.server.refused("carol", "POST", "/repos/%s/pulls/%d/merge" % (REPO, pull.number), {"Do": "merge"}) == 405)
    return pull


def pushed_again(f, d, pull):
    before = pull.comments()[0]
    f.git("bo", "checkout", "-q", "lab")
    f.site.write({"envs/bo/lab.yaml": env_spec("gpu-small", "  resources: {gpu: 1, cpu: nonsense}\n")})
    f.git("bo", "commit", "-qam", "worse")
    f.git("bo", "push", "-q", "origin", "lab")
    check("a bad push: the check fails with the first error", pull.wait("berth/validate", "failure") and "cpu" in pull.states()["berth/validate"][1],
          pull.states(), d.log())
    check("findings stand at their lines", until(lambda: any(w == "berth" and p == "envs/bo/lab.yaml" and "error E" in t for w, p, t in pull.lines())),
          pull.lines(), d.log())
    check("it is the same comment", until(lambda: pull.comments()[0]["body"] != before["body"]) and [c["id"] for c in pull.comments()] == [before["id"]],
          pull.comments())
    found = len(pull.lines())
    f.site.write({"envs/bo/lab.yaml": env_spec("gpu-small", "  resources: {gpu: 1, cpu: 3}\n")})
    f.git("bo", "commit", "-qam", "better")
    f.git("bo", "push", "-q", "origin", "lab")
    check("mended: the check is green again", pull.wait("berth/validate", "success"), pull.states(), d.log())
    check("and nothing more stands at lines", len(pull.lines()) == found, pull.lines())


def approved(f, d, pull):
    said = f.approve("carol", "lab")
    check("carol approves", said.rc == 0, said)
    check("the plan's check follows", pull.wait("berth/plan", "success"), pull.states(), d.log())
    check("and so does the comment", until(lambda: "carol" in pull.text() and len(pull.comments()) == 1), pull.text())
    f.review("carol", pull.number)
    check("(merged)", f.merge("carol", pull.number, "squash"))
    sha = pull.get()["merge_commit_sha"]
    check("what was merged is applied, and the merge says it", until(lambda: pull.states(sha).get("berth/apply", ("",))[0] == "success"),
          pull.states(sha), d.log())
    check("the comment is the result now", until(lambda: "Rendered" in pull.text()) and len(pull.comments()) == 1, pull.text())


def without_environments(f, d):
    """What touches no environment has a result as well."""
    pull = Pull(f, f.pull("bo", "words", {"flavors/words.yaml": "apiVersion: berth.dev/v1\nkind: Flavor\nspec:\n  resources: {requests: {cpu: 1, memory: 1Gi}}\n"}))
    check("a pull request without environments: its plan waits", pull.wait("berth/plan", "pending"), pull.states(), d.log())
    said = [f.berth("carol", "approve", "words", "--key", key(who), "--yes") for who in ("carol", "dana")]
    check("(two admins approve)", all(s.rc == 0 for s in said), said)
    check("(and then it does not)", pull.wait("berth/plan", "success"), pull.states(), d.log())
    f.review("carol", pull.number)
    check("(merged)", f.merge("carol", pull.number, "merge"))
    check("the comment is its result, too", until(lambda: "### berth: applied" in pull.text()) and len(pull.comments()) == 1, pull.text(), d.log())


def strangers(f, d):
    """A marker that somebody else pasted, a deleted comment, text that wants to be more than text."""
    f.git("mallory", "fetch", "-q", "origin")
    spec = env_spec() + "  \"@carol <img src=x> | ``` --> [x](http://evil.example)\": 1\n"
    pull = Pull(f, f.pull("mallory", "odd", {"envs/mallory/odd.yaml": spec}))
    f.api("PATCH", "/repos/%s/pulls/%d" % (REPO, pull.number), {"body": "a\0b \\u0000"}, who="mallory")
    check("(the forge keeps U+0000)", "\0" in pull.get()["body"], pull.get()["body"])
    f.api("POST", "/repos/%s/issues/%d/comments" % (REPO, pull.number), {"body": MARK + "base=- head=- digest=" + "0" * 64 + " -->\nall is well\0"}, who="mallory")
    check("somebody's mark is not ours", until(lambda: len(pull.comments()) == 1) and "all is well" not in pull.text(), pull.text(), d.log())
    check("(its text is told at its line, too)", until(pull.lines), d.log())
    shown = f.shown(pull.text()) + "".join(f.shown(line[2]) for line in pull.lines())
    check("as the forge shows it nobody is mentioned, and strangers' text is text", "evil.example" in shown and "<img" not in shown and
          "mention" not in shown and 'href="http://evil' not in shown, shown)
    check("(a mention would be one)", "/carol" in f.shown("@carol") and "evil" in f.shown("[x](http://evil.example)"), f.shown("@carol"))
    f.api("DELETE", "/repos/%s/issues/comments/%d" % (REPO, pull.comments()[0]["id"]))
    f.git("mallory", "commit", "-q", "--allow-empty", "-m", "again")
    f.site.write({"envs/mallory/two.yaml": env_spec()})
    f.git("mallory", "add", "-A")
    f.git("mallory", "commit", "-q", "-m", "two")
    f.git("mallory", "push", "-q", "origin", "odd")
    check("a comment that was deleted is written again", until(lambda: "mallory/two" in pull.text()), pull.text(), d.log())
    empty = f.git("bo", "commit-tree", "origin/main^{tree}", "-p", "origin/main", "-m", "nothing")
    f.git("bo", "push", "-q", "origin", empty + ":refs/heads/nothing")
    none = Pull(f, f.api("POST", "/repos/%s/pulls" % REPO, {"title": "nothing", "head": "nothing", "base": "main"}, who="bo")["number"])
    check("a pull request without files is never green", none.wait("berth/plan", "failure") and "nothing" in none.states()["berth/plan"][1], none.states())
    org = f.site.read("berth.yaml")
    broken = Pull(f, f.pull("bo", "broken", {"berth.yaml": org.replace("approvals:", "aprovals:")}))
    check("a broken berth.yaml: no plan, and why", broken.wait("berth/plan", "failure") and until(lambda: "nothing of this would be applied" in broken.text()) and
          "aprovals" in broken.text() and broken.wait("berth/validate", "failure"), broken.text(), broken.states())
    return pull, none, broken


def forgotten(f, d, state, pulls):
    """kill -9, and a memory that is lost: nothing is said twice."""
    d.p.kill()
    d.p.wait()
    os.unlink(os.path.join(state, "pulls"))
    before = [(p.comments(), p.lines(), p.states()) for p in pulls]
    d = f.daemon(state, "--forge", "gitea")
    check("a new process looks at all of them", until(lambda: all("pull request %d at" % p.number in d.log() for p in pulls)), d.log())
    after = [(p.comments(), p.lines(), p.states()) for p in pulls]
    for name, n in ("comment", 0), ("line", 1), ("status", 2):
        check("and writes no %s that stands there" % name, [x[n] for x in after] == [x[n] for x in before], *[repr(x[n]) for x in before + after])
    counts = [p.statuses() for p in pulls]
    d.stop()
    d = f.daemon(state, "--forge", "gitea")
    check("with its memory it has nothing to say", until(lambda: "watches" in d.log()), d.log())
    pull = Pull(f, f.pull("bo", "later", {"envs/bo/later.yaml": env_spec()}))
    check("(a new one is looked at)", pull.wait("berth/validate", "success"), d.log())
    check("nothing was written about the others", [p.statuses() for p in pulls] == counts, counts, [p.statuses() for p in pulls])
    f.api("PATCH", "/repos/%s/pulls/%d" % (REPO, pull.number), {"state": "closed"})
    return d


def main():
    f = Forge(checks=["berth/validate", "berth/plan"])
    state = f.site.state()
    d = f.daemon(state, "--forge", "gitea")
    check("everything at the anchor is rendered", until(lambda: f.status() and all(x["phase"] == "Rendered" for x in f.status().values())), d.log())
    pull = opened(f, d)
    pushed_again(f, d, pull)
    approved(f, d, pull)
    without_environments(f, d)
    d = forgotten(f, d, state, strangers(f, d))
    check("it stops well", d.stop() == 0, d.log())
    check("no token in the log", not any(t in d.log() for t in f.server.tokens.values()))
    done()


main()
