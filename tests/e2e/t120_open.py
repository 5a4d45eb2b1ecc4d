#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real Gitea and people's own tokens: berth new and berth user open their pull requests, berth approve takes their numbers, berth doctor looks at the daemon's."""
import os

import gitea
from forge_site import REPO, Forge
from lab import berth, check, done, env_spec, git, until
from signers import key

gitea.skip_without()


def token(f, name, who, scopes):
    """A file with a token of who's that may do only this."""
    text = f.server.run("admin", "user", "generate-access-token", "--username", who, "--token-name", name, "--scopes", scopes, "--raw").split()[-1]
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
    said = mine(f, "bo", "new", "one", "--owner", "bo", "--flavor", "gpu-small", "--force", "-o", "json")
    check("one that is open already is named, and all is well", said.rc == 0 and said.json()["pull"] == {"number": p["number"], "url": p["html_url"]} and said.json()["pushed"] and
          pulls(f)["env/bo/one"]["head"]["sha"] == said.json()["commit"], said)
    said = mine(f, "bo", "new", "one", "--owner", "bo", "--flavor", "gpu-small", "--force")
    check("in words, too", said.rc == 0 and "pull request %d was open already: %s" % (p["number"], p["html_url"]) in said.out, said)
    said = berth("new", "two", "--owner", "bo", "--flavor", "cpu-small", "-C", f.site.clone, "-o", "json",
                 env={**f.server.git_env("bo"), "BERTH_FORGE": "gitea", "BERTH_FORGE_TOKEN_FILE": f.server.token_file("bo")})
    check("variables say it as well", said.rc == 0 and said.json()["pull"]["number"] == pulls(f)["env/bo/two"]["number"], said)
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
    said = mine(f, "root", "user", "add", "gus", "--email", "gus@example.com", "--key", key("gus") + ".pub", "-o", "json")
    again = mine(f, "root", "user", "add", "gus", "--email", "gus@example.com", "--key", key("gus") + ".pub")
    check("nobody comes twice", said.rc == 0 and again.rc == 4 and "user/gus already" in again.err, said, again)


def main():
    f = Forge()
    opened(f)
    trouble(f)
    came_and_went(f)
    done()


main()
