#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real Gitea and people's own tokens: berth new and berth user open their pull requests, berth approve takes their numbers, berth doctor looks at the daemon's."""
import os

import gitea
from forge_site import REPO, Forge
from lab import Daemon, berth, check, done, env_spec, git, until
from signers import key

gitea.skip_without()


def token(f, name, who, scopes):
    """A file with a token of who's that may do only this."""
    text = f.server.api(None, "POST", "/users/%s/tokens" % who, {"name": name, "scopes": scopes.split(",")}, (who, who + "-password"))["sha1"]
    path = os.path.join(f.server.dir, name + ".token")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    return path


def mine(f, who, *args, env=None):
    """Somebody's own berth: their git, their token."""
    return berth(*args, "-C", f.site.clone, "--forge", "gitea", "--forge-token-file", f.server.token_file(who), env={**f.server.git_env(who), **(env or {})})


def pulls(f):
    return {p["head"]["ref"]: p for p in f.api("GET", "/repos/%s/pulls?state=open" % REPO)}


def opened(f):
    said = mine(f, "bo", "new", "one", "--owner", "bo", "--flavor", "cpu-small")
    p = pulls(f).get("env/bo/one", {})
    check("berth new opens the pull request and tells it", said.rc == 0 and said.out.endswith("pull request %d: %s\nbefore or after the merge, who approves it: berth approve %d\n" % (
        p.get("number", 0), p.get("html_url"), p.get("number", 0))), said, p)
    check("as bo, for main, with the commit's words and what it comes to", p.get("user", {}).get("login") == "bo" and p["base"]["ref"] == "main" and
          p["title"] == "envs/bo/one: new environment" and p["body"] == "Flavor cpu-small; made by `berth new`.\n\nPlan: 1 to create, 1 to change (0 with a restart), "
          "0 to delete, 12 unchanged.\n", p)
    said = mine(f, "bo", "new", "one", "--owner", "bo", "--flavor", "gpu-small", "--force")
    again = pulls(f)["env/bo/one"]
    check("one that is open already is named, and all is well", said.rc == 0 and "pull request %d was open already: %s" % (p["number"], p["html_url"]) in said.out and
          again["number"] == p["number"] and again["head"]["sha"] != p["head"]["sha"], said)
    said = berth("new", "two", "--owner", "bo", "--flavor", "cpu-small", "-C", f.site.clone, "-o", "json",
                 env={**f.server.git_env("bo"), "BERTH_FORGE": "gitea", "BERTH_FORGE_TOKEN_FILE": f.server.token_file("bo")})
    check("variables say it as well", said.rc == 0 and
          said.json()["pull"] == {k: pulls(f)["env/bo/two"]["html_url" if k == "url" else k] for k in ("number", "url")}, said)
    said = mine(f, "bo", "new", "three", "--owner", "bo", "--flavor", "cpu-small", "--no-push")
    check("what is not pushed has none", said.rc == 0 and "pull request" in said.out and "env/bo/three" not in pulls(f), said)
    return p["number"]


def trouble(f):
    """The branch is pushed, the link is there, and what is missing is said; what is wrong from the start leaves nothing behind."""
    reads = token(f, "reads", "bo", "read:repository,read:user")
    for what, code, words, name, more in (
            ("a token that only reads", 4, ("env/bo/reads is pushed, but its pull request is not open", "write:repository"), "reads", ["--forge-token-file", reads]),
            ("a forge that does not answer", 3, ("env/bo/away is pushed", "127.0.0.1"), "away",
             ["--forge-token-file", f.server.token_file("bo"), "--forge-api", "http://127.0.0.1:1/api/v1"])):
        said = berth("new", name, "--owner", "bo", "--flavor", "cpu-small", "-C", f.site.clone, "--forge", "gitea", *more, env=f.server.git_env("bo"))
        f.git("bo", "fetch", "-q", "origin")
        check(what, said.rc == code and all(w in said.err for w in words) and "/compare/main...env/bo/" + name in said.out and
              git(f.site.clone, "rev-parse", "origin/env/bo/" + name) and f.server.tokens["bo"] not in said.out + said.err, said)
    before = f.git("bo", "ls-remote", "origin")
    loose = token(f, "loose", "bo", "all")
    os.chmod(loose, 0o644)
    for what, code, word, more in (
            ("a token that others can read", 4, "chmod", ["--forge", "gitea", "--forge-token-file", loose]),
            ("a token that is not there", 2, "nowhere", ["--forge", "gitea", "--forge-token-file", "/nowhere"]),
            ("an address that everybody could listen to", 2, "https://", ["--forge", "gitea", "--forge-token-file", reads, "--forge-api", "http://git.example.com/api/v1"]),
            ("a host that does not say what it is", 2, "--forge", ["--forge-token-file", reads])):
        said = berth("new", "never", "--owner", "bo", "--flavor", "cpu-small", "-C", f.site.clone, *more, env=f.server.git_env("bo"))
        check(what + ": nothing is pushed", said.rc == code and word in said.err and f.git("bo", "ls-remote", "origin") == before, said)


def came_and_went(f):
    """The branch that somebody came with is still there when they go."""
    for who, how in ("eve", "merge"), ("fay", "squash"):
        said = mine(f, "root", "user", "add", who, "--email", who + "@example.com", "--key", key(who) + ".pub", "-o", "json")
        number = said.json()["pull"]["number"]
        f.review("carol", number)
        check("(%s comes: %s)" % (who, how), f.merge("carol", number, how), said)
        said = mine(f, "root", "user", "remove", who, "-o", "json")
        branch = "user/" + who + ("" if how == "merge" else "-2")
        check("%s: what is merged gives way, what may be open does not" % how, said.rc == 0 and said.json()["branch"] == branch and
              said.json()["pull"]["number"] > number and pulls(f)[branch]["head"]["sha"] == said.json()["commit"], said)
    said = mine(f, "root", "user", "remove", "fay", "--branch", "user/fay")
    check("a name that was given stays that name", said.rc == 4 and "the origin has a branch user/fay already" in said.err, said)


def approve(f, who, what, *more):
    return berth("approve", what, "--key", key(who), "--yes", "-C", f.site.clone, "--anchor", f.site.anchor, *more, env=f.server.git_env("carol"))


def review(f, who, what, *more):
    return mine(f, who, "approve", what, "--yes", "--anchor", f.site.anchor, *more)


def blobs(f, rev, *paths):
    return [git(f.site.clone, "rev-parse", "%s:%s" % (rev, p)) for p in paths]


def by_number(f, number):
    """What is shown is what is signed: the head that was fetched."""
    said = approve(f, "carol", str(number))
    check("carol approves a number, and sees whose it is and what it does", said.rc == 0 and "approved by carol" in said.out and "pull request %d, head " % number in said.err and
          ", 1 commit:" in said.err and "Alice <alice@example.com>: envs/bo/one: new environment" in said.err and "plan: 1 to create, " in said.err and
          "new     envs/bo/one.yaml" in said.err, said)
    said = approve(f, "dana", "#%d" % number, "--forge", "gitea", "--forge-token-file", f.server.token_file("dana"))
    check("with a token also what the forge says of it", said.rc == 0 and "approved by dana" in said.out and
          "pull request %d of bo (open): envs/bo/one: new environment" % number in said.err, said)
    said = approve(f, "erin", "http://127.0.0.1:%d/root/envs/pulls/%d/files?x=1#r2" % (f.server.port, number))
    check("its address will do", said.rc == 0 and "approved by erin" in said.out and "warning" not in said.err, said)
    said = approve(f, "alice", str(number))
    check("whose key it is that may not approve it is told", said.rc == 0 and "warning: alice may not approve this" in said.err, said)
    for what, code, word in (("http://127.0.0.1:%d/root/envs2/pulls/%d" % (f.server.port, number), 2, "-C"), ("http://git.example.com/root/envs/pulls/1", 2, "-C"),
                             ("4711", 3, "no pull request 4711"), ("#0", 3, "#0")):
        said = approve(f, "carol", what)
        check("which is none: " + what.split("/")[-1], said.rc == code and word in said.err and not said.out, said)


def moved(f, number):
    old = f.git("bo", "rev-parse", "refs/berth/pulls/%d" % number)
    f.git("bo", "fetch", "-q", "origin")
    f.git("bo", "checkout", "-q", "-B", "more", "origin/env/bo/one")
    f.site.write({"envs/bo/more.yaml": env_spec()})
    f.git("bo", "add", "-A")
    f.git("bo", "commit", "-q", "-m", "more")
    f.git("bo", "push", "-q", "origin", "HEAD:env/bo/one")
    new = f.git("bo", "rev-parse", "HEAD")
    f.git("bo", "checkout", "-q", "main")
    seen = until(lambda: pulls(f)["env/bo/one"]["head"]["sha"] == new)
    said = approve(f, "carol", str(number), "--offline", "--print")
    check("offline it is the head that was fetched last", seen and said.rc == 0 and blobs(f, old, "envs/bo/one.yaml")[0] in said.out and "more.yaml" not in said.out, said)
    said = approve(f, "carol", str(number), "--offline", "--forge", "gitea", "--forge-token-file", f.server.token_file("carol"))
    check("which the forge knows to be old", said.rc == 3 and "moved while it was looked at" in said.err and not said.out, said)
    said = approve(f, "carol", str(number), "--print")
    check("and online the new one", said.rc == 0 and all(b in said.out for b in blobs(f, new, "envs/bo/one.yaml", "envs/bo/more.yaml")), said)
    f.git("bo", "push", "-q", "origin", "main:refs/heads/%d" % number)
    said = approve(f, "carol", str(number), "--print")
    check("a branch of that name is what is meant, and it is said how to mean the other", said.rc == 3 and "the pull request is #%d" % number in said.err, said)
    said = approve(f, "carol", "#%d" % number, "--print")
    check("which is it", said.rc == 0 and "envs/bo/more.yaml" in said.err, said)
    f.git("bo", "push", "-q", "origin", ":refs/heads/%d" % number)
    return old


def by_review(f, number, old):
    """approvals.mode forge: the person's own review, of exactly that head."""
    text = f.site.read("berth.yaml")
    pull = f.pull("root", "mode", {"berth.yaml": text.replace("mode: signed", "mode: forge")})
    f.review("carol", pull)
    check("(main asks for reviews)", f.merge("carol", pull, "merge"))
    said = berth("approve", str(number), "--yes", "-C", f.site.clone, "--anchor", f.site.anchor, "--forge", "gitea", env=f.server.git_env("carol"))
    check("without a token: where to click", said.rc == 2 and "/root/envs/pulls/%d/files" % number in said.err and "--forge-token-file" in said.err, said)
    said = review(f, "bo", str(number))
    check("nobody approves their own", said.rc == 4 and "somebody else" in said.err and not said.out, said)
    f.git("bo", "update-ref", "refs/berth/pulls/%d" % number, old)
    said = review(f, "carol", str(number), "--offline")
    check("no other head than that which was looked at", said.rc == 3 and "nothing is approved" in said.err, said)
    reviews = f.api("GET", "/repos/%s/pulls/%d/reviews" % (REPO, number))
    check("nothing was said there", not reviews, reviews)
    head = pulls(f)["env/bo/one"]["head"]["sha"]
    said = review(f, "carol", str(number))
    reviews = f.api("GET", "/repos/%s/pulls/%d/reviews" % (REPO, number))
    check("carol's review stands there, of that head", said.rc == 0 and "warning" not in said.err and "approved by carol: pull request %d at %s" % (number, head[:12]) in said.out and
          [(r["user"]["login"], r["state"], r["commit_id"]) for r in reviews] == [("carol", "APPROVED", head)], said, reviews)
    said = review(f, "mallory", str(number))
    check("and who may not approve it is told", said.rc == 0 and "approved by mallory" in said.out and "warning: mallory may not approve this" in said.err, said)
    said = review(f, "berth", str(number))
    check("an account that is nobody's is told that it does not count", said.rc == 0 and "nobody in users/ has the account berth" in said.err, said)
    said = approve(f, "carol", "#%d" % number)
    check("with a key it is signed all the same", said.rc == 0 and "refs/berth/approvals/" in said.out, said)


def doctor(f, path, *more):
    said = berth("doctor", "--target", "git", "--repo", f.server.url(REPO), "--token-file", f.server.token_file("berth"), "--username", "berth", "--forge", "gitea",
                 "--forge-token-file", path, "-o", "json", *more)
    rows = [(r["check"], r["result"], r["message"], r.get("next", "")) for r in said.json()["checks"]] if said.out.startswith("{") else []
    return said, [r for r in rows if r[0].startswith("forge")]


def rights(f):
    """What the daemon's token may do, before a pull request finds out."""
    said, rows = doctor(f, f.server.token_file("berth"))
    check("doctor: it answers, whose token it is, what it may", said.rc == 0 and rows[0][:3] == ("forge", "ok", "gitea root/envs answers at http://127.0.0.1:%d/api/v1; "
          "the token is that of berth" % f.server.port) and [r[1] for r in rows[1:]] == ["ok", "ok", "warn", "warn", "warn"] and "write:issue" in rows[4][3], said, rows)
    home = os.path.join(f.server.dir, "home-of-dana")
    os.makedirs(os.path.join(home, "berth"))
    with open(os.path.join(home, "berth", "config.yaml"), "w", encoding="utf-8") as file:
        file.write("forge: gitea\nforge-token-file: %s\n" % f.server.token_file("dana"))
    said = berth("doctor", "--target", "git", "--repo", f.server.url(REPO), "--token-file", f.server.token_file("berth"), "--username", "berth", "--forge", "gitea",
                 env={"XDG_CONFIG_HOME": home})
    check("doctor: it is the daemon's, whatever a person's own config says", said.rc == 0 and "the token is that of berth" in said.out, said)
    said = berth("doctor", "--target", "git", "--repo", f.site.clone, env={"XDG_CONFIG_HOME": home})
    check("doctor: and a daemon without a forge has none", said.rc == 0 and "forge" not in said.out, said)
    poor = token(f, "poor", "berth", "read:repository")
    said, rows = doctor(f, poor)
    check("doctor: what is missing, and where it is given", said.rc == 1 and [r[1] for r in rows[1:]] == ["fail", "ok", "warn", "fail", "warn"] and
          "read:user" in rows[1][3] and "may not comment" in rows[4][2] and "write:issue" in rows[4][3] and "Applications" in rows[4][3], said, rows)
    wrong = os.path.join(f.server.dir, "wrong.token")
    with open(os.open(wrong, os.O_WRONLY | os.O_CREAT, 0o644), "w", encoding="utf-8") as file:
        file.write("0123456789abcdef0123456789abcdef01234567\n")
    for what, path, more, words in (("a token that is none, and open to others", wrong, [], ("0644", "not accepted")),
                                    ("a repository that is not there", f.server.token_file("berth"), ["--forge-repo", "root/none"], ("root/none", "404")),
                                    ("nobody there", f.server.token_file("berth"), ["--forge-api", "http://127.0.0.1:1/api/v1"], ("127.0.0.1",))):
        said, rows = doctor(f, path, *more)
        check("doctor: " + what, said.rc == 1 and all(w in said.out for w in words) and rows[-1][:2] == ("forge", "fail") and "0123456789abcdef" not in said.out, said)
    d = Daemon(f.server.url(REPO), "state", "--token-file", f.server.token_file("berth"), "--username", "berth", "--forge", "gitea", "--forge-token-file", poor,
               "--trust-anchor", f.site.anchor)
    check("the daemon says it when it starts", until(lambda: "may not comment" in d.log()) and "it needs the scope write:issue" in d.log() and
          "may not tell whose it is" in d.log(), d.log())
    d.stop()


def main():
    f = Forge(people=("dana",))
    number = opened(f)
    trouble(f)
    came_and_went(f)
    by_number(f, number)
    rights(f)
    by_review(f, number, moved(f, number))
    done()


main()
